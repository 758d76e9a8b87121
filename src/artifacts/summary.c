/* "N of M weights in k bits …; kept: …": what a plan codes, and why each kind of the other tensors stays. */
#include "artifacts/artifacts_int.h"
#include "artifacts/loose.h"
#include "base/json_write.h"
#include "base/size.h"
#include "codecs/types.h"
#include <string.h>

static bool coded(const qz_artifact_item *it) {
    return it->type == QZ_TYPE_CODED || qz_type_get(it->type)->kind != QZ_KIND_FLOAT;
}

const char *qz_item_type_name(const qz_artifact_item *it) {
    const bool is_float = !it->raw || qz_st_float_type(it->raw->dtype) != QZ_TYPE_NONE;
    return is_float ? qz_type_get(it->type)->name : qz_st_dtype_name(it->raw->dtype);
}

static bool is_part(const qz_model *m, const qz_artifact_item *it) {
    for (size_t k = 0; it->layer >= 0 && k < QZ_PARTS; k++) {
        const qz_tensor_view *t = m->blocks[it->layer].part[k];
        if (t && strcmp(t->name, it->name) == 0) return true;
    }
    return false;
}

/* Kind of a tensor that stays, and the reason where the item has none of its own. */
static void describe(const qz_artifact_plan *p, const qz_artifact_item *it, qz_kept *k) {
    const qz_model *m = p->model;
    if (it->rule) {
        *k = (qz_kept){ .what = it->rule->what, .one = it->rule->one, .type = qz_item_type_name(it),
                        .why = it->note ? it->note : it->rule->why };
        return;
    }
    if (qz_item_is_head(it)) {
        *k = (qz_kept){ .what = "prediction heads", .one = "prediction head", .type = qz_item_type_name(it),
                        .why = it->note ? it->note : "they predict tokens beyond the next (MTP), not counted" };
        return;
    }
    const bool floats = !qz_scheme_get(p->spec.scheme)->directory && qz_type_by_name(p->spec.level) != QZ_TYPE_NONE &&
                        qz_type_get(qz_type_by_name(p->spec.level))->kind == QZ_KIND_FLOAT; /* "gguf:F16" */
    const qz_mix_options *mix = &p->spec.mix;
    const bool asked = mix->rules != NULL; /* types asked for one by one (tensor_types.h); convert sets its own */
    const char *matrix = floats  ? "the level stores floats"
                         : mix->keep_floats ? "floats stay as they are"
                         : asked ? "an option gives its type"
                                 : "the scheme codes the linears of the blocks only";
    const qz_tensor_view *router = it->layer >= 0 ? m->blocks[it->layer].router : NULL;
    const size_t n = strlen(it->name);
    if (strcmp(it->name, m->embed->name) == 0)
        k->one = k->what = m->head == m->embed ? "embedding (and output matrix, tied)" : "embedding", k->why = matrix;
    else if (strcmp(it->name, m->head->name) == 0) k->one = k->what = "output matrix", k->why = matrix;
    else if (it->use == QZ_USE_EMBED)
        k->what = "embeddings of layers", k->one = "embedding for all layers", k->why = matrix;
    else if (it->layer < 0 && it->rows > 1 && it->use == QZ_USE_KEPT && it->linear < 0)
        k->what = "small matrices", k->one = "small matrix", k->why = "no method codes them";
    else if (it->linear >= 0)
        k->what = it->experts ? "experts" : "linears", k->one = it->experts ? "expert" : "linear",
        k->why = floats || mix->keep_floats || (asked && !it->note) ? matrix : "the shape does not fit";
    else if (router && strcmp(it->name, router->name) == 0)
        k->what = "routers", k->one = "router", k->why = "they choose the experts: no method codes them";
    else if (is_part(m, it))
        k->what = it->rows > 1 ? "small matrices" : "vectors", k->one = it->rows > 1 ? "small matrix" : "vector",
        k->why = "read as floats by their own layer: no method codes them";
    else if (n > 5 && strcmp(it->name + n - 5, ".bias") == 0)
        k->what = "biases", k->one = "bias", k->why = "one value a row: no method codes them";
    else k->what = "norms", k->one = "norm", k->why = "one value a channel: no method codes them";
    if (it->note && !floats) k->why = it->note;
    k->type = qz_item_type_name(it);
}

void qz_plan_summarize(const qz_artifact_plan *p, qz_plan_summary *s) {
    uint64_t bytes = 0;
    *s = (qz_plan_summary){ .bits_all = p->bits_per_weight };
    for (size_t i = 0; i < p->n_items; i++) {
        const qz_artifact_item *it = &p->items[i];
        const uint64_t n = (uint64_t)it->rows * it->cols;
        if (!it->source && !it->raw) continue; /* rotary factors: no weights */
        if (!qz_item_is_head(it)) s->weights += n;
        if (coded(it) && !qz_item_is_head(it)) {
            s->coded += n;
            bytes += it->bytes;
            continue;
        }
        qz_kept x = { 0 };
        size_t k = 0;
        describe(p, it, &x);
        while (k < s->n_kept &&
               (strcmp(s->kept[k].what, x.what) || strcmp(s->kept[k].type, x.type) || strcmp(s->kept[k].why, x.why)))
            k++;
        if (k == QZ_KEPT_KINDS) k--; /* more reasons than rows: counted in the last */
        else if (k == s->n_kept) s->kept[s->n_kept++] = x;
        if (it->misfit) s->misfit += n;
        s->kept[k].tensors++;
        s->kept[k].weights += n;
    }
    s->bits = s->coded ? 8.0 * (double)bytes / (double)s->coded : 0;
}

/* What is kept decides the size: more than a tenth of the weights. */
static bool few(const qz_plan_summary *s) { return s->coded && (double)s->coded < 0.9 * (double)s->weights; }

void qz_plan_summary_text(const qz_plan_summary *s, qz_str *out) {
    if (s->coded)
        qz_str_printf(out, "%llu of %llu weights%s in %.4g bits", (unsigned long long)s->coded,
                      (unsigned long long)s->weights, few(s) ? " (warning: less than 90 %)" : "", s->bits);
    else qz_str_printf(out, "0 of %llu weights coded", (unsigned long long)s->weights);
    qz_str_printf(out, ", %.4g bits per weight over all; kept:%s", s->bits_all, s->n_kept ? "" : " none");
    for (size_t i = 0; i < s->n_kept; i++)
        qz_str_printf(out, "%s %zu %s %s (%s)", i ? "," : "", s->kept[i].tensors,
                      s->kept[i].tensors == 1 ? s->kept[i].one : s->kept[i].what, s->kept[i].type, s->kept[i].why);
}

void qz_plan_summary_json(const qz_plan_summary *s, qz_str *out) {
    qz_json_writer w = {.out = out};
    qz_jw_open(&w, NULL, '{');
    qz_jw_count(&w, "weights", s->weights);
    qz_jw_count(&w, "coded", s->coded);
    if (few(s)) qz_jw_count(&w, "coded_below_pct", 90);
    if (s->misfit) qz_jw_count(&w, "without_rule", s->misfit);
    qz_jw_real(&w, "coded_bits", s->bits);
    qz_jw_real(&w, "bits_per_weight", s->bits_all);
    qz_jw_open(&w, "kept", '[');
    for (size_t i = 0; i < s->n_kept; i++) {
        const qz_kept *k = &s->kept[i];
        qz_jw_open(&w, NULL, '{');
        qz_jw_text(&w, "what", k->what);
        qz_jw_text(&w, "type", k->type);
        qz_jw_count(&w, "tensors", k->tensors);
        qz_jw_count(&w, "weights", k->weights);
        qz_jw_text(&w, "why", k->why);
        qz_jw_close(&w, '}');
    }
    qz_jw_close(&w, ']');
    qz_jw_close(&w, '}');
}

/* ---- what stays float without a rule ---- */
static uint64_t weights_of(const qz_artifact_item *it) { /* the experts of a layer are one tensor */
    return (uint64_t)it->rows * it->cols * (it->source && it->experts ? it->experts : 1);
}

qz_status qz_plan_judge(qz_run *run, const qz_artifact_plan *p, qz_error *err) {
    qz_plan_summary s;
    size_t tensors = 0;
    const qz_artifact_item *most = NULL;
    qz_plan_summarize(p, &s);
    if ((double)s.misfit <= 0.01 * (double)s.weights) return QZ_OK;
    for (size_t i = 0; i < p->n_items; i++) {
        const qz_artifact_item *it = &p->items[i];
        if (!it->misfit) continue;
        tensors += qz_item_place(it) == 0;
        if (!most || weights_of(it) > weights_of(most)) most = it;
    }
    qz_kept why = { 0 };
    describe(p, most, &why);
    const double share = 100.0 * (double)s.misfit / (double)s.weights;
    if (run && qz_list_has(run->accept, QZ_CODE_FLOAT)) {
        qz_warn_once(run,
                     "%s: %s: %.3g %% of the weights stay float without a rule: %zu tensor%s, the largest '%s' (%s)",
                     QZ_CODE_FLOAT, p->model->path, share, tensors, qz_plural(tensors), most->name, why.why);
        return QZ_OK;
    }
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "too much would stay float without a rule: model '%s', tensor '%s' (%s): expected at most "
                   "1 %% of the weights, found %.3g %% in %zu tensor%s; take a format that holds them, or --accept %s "
                   "(with --dry-run it lists every tensor)",
                   p->model->path, most->name, why.why, share, tensors, qz_plural(tensors),
                   QZ_CODE_FLOAT);
}
