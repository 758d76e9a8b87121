#include "pipeline/drift.h"
#include "artifacts/provenance.h"
#include "base/io.h"
#include "base/size.h"
#include "pipeline/evaluate.h"
#include "pipeline/lora.h"
#include "pipeline/results.h"
#include "pipeline/same_tokens.h"
#include "produce/adapter_fit.h"
#include "produce/calib_data.h"
#include "produce/merge.h"
#include "produce/outputs.h"
#include <math.h>
#include <string.h>

/* An engine over one of the models, with or without an adapter beside it. */
typedef struct { qz_loras adapters; qz_lora *lora; qz_engine *e; } beside;
typedef struct {
    qz_run *run;
    const qz_request *r;
    qz_source base, artifact, merged;
    beside plain, with, bare, as_is, fitted, whole; /* base, base + adapter; artifact, + adapter, + fitted; merged */
    qz_eval_set set;
    qz_scratch scratch;            /* of what is not kept; path "": none yet */
    const char *data_sha;          /* of --calib */
    char *written;                 /* the corrected adapter, under its temporary name */
    qz_drift *out;
} drift;

static qz_status engine_of(drift *d, const qz_source *s, beside *b, qz_error *err) {
    const qz_engine_options o = {.arith = QZ_ARITH_EXACT, .lora = b->lora};
    return qz_engine_open(d->run, s->model, &o, &b->e, err);
}

static void close_engine(beside *b) {
    qz_engine_free(b->e);
    qz_lora_free(b->lora);
    qz_loras_release(&b->adapters);
}

static qz_status scratch(drift *d, qz_error *err) {
    return *d->scratch.path ? QZ_OK : qz_scratch_make("drift", &d->scratch, err);
}

static qz_status drop_scratch(drift *d, qz_error *err) {
    return *d->scratch.path ? qz_scratch_remove(&d->scratch, err) : QZ_OK;
}

/* ---- what is compared ---- */
static qz_status open_all(drift *d, qz_error *err) {
    const qz_request *r = d->r;
    QZ_TRY(qz_loras_open(d->run, r, &d->with.adapters, err));
    QZ_TRY(qz_source_open(d->run, r->base, &d->base, err));
    QZ_TRY(qz_source_open(d->run, r->on, &d->artifact, err));
    QZ_TRY(qz_other_origin(d->run, r->on, &d->base, r->base, &(qz_named_source){0}, err));
    QZ_TRY(qz_loras_beside(d->run, &d->with.adapters, &d->base, NULL, &d->with.lora, err));
    QZ_TRY(qz_loras_beside(d->run, &d->with.adapters, &d->artifact, &d->base, &d->as_is.lora, err));
    QZ_TRY(engine_of(d, &d->base, &d->plain, err));
    QZ_TRY(engine_of(d, &d->base, &d->with, err));
    QZ_TRY(engine_of(d, &d->artifact, &d->bare, err));
    return engine_of(d, &d->artifact, &d->as_is, err);
}

static qz_status build_set(drift *d, qz_error *err) {
    qz_dataset data = {0};
    const qz_eval_options o = qz_eval_asked(d->r, &d->base);
    qz_status st = qz_dataset_load(d->r->text, d->base.tokenizer, &(qz_dataset_options){0}, &data, err);
    if (st == QZ_OK) st = qz_eval_set_build(d->base.tokenizer, &data, &o, &d->set, err);
    if (st == QZ_OK) st = qz_same_tokens(&d->base, &d->artifact, &data, &o, &d->set, err);
    qz_dataset_release(&data);
    return st;
}

/* ---- the fitted adapter ---- */
static qz_status fit_on(drift *d, const qz_windows *w, qz_error *err) {
    qz_adapter_fit f = {.run = d->run, .base = &d->base, .artifact = &d->artifact, .adapter = d->with.adapters.a,
                        .beside = d->with.lora};
    qz_status st = qz_adapter_fit_moments(&f, w, err);
    if (st == QZ_OK && f.fitted == 0)
        qz_warn(d->run, "adapter '%s': no pair stands beside a linear that '%s' has quantized: nothing to fit",
                f.adapter->path, d->artifact.name);
    if (st == QZ_OK) st = qz_adapter_fit_write(&f, d->written, d->data_sha, err);
    d->out->fitted = f.fitted, d->out->kept = f.kept;
    if (f.energy > 0) d->out->lost = f.lost / f.energy, d->out->left_over = f.left_over / f.energy;
    qz_adapter_fit_release(&f);
    return st;
}

static qz_status fit(drift *d, qz_error *err) {
    qz_dataset data = {0};
    qz_windows w = {0};
    qz_str s = {0};
    if (d->r->data == NULL) return QZ_OK;
    if (d->r->output == NULL) QZ_TRY(scratch(d, err));
    qz_str_printf(&s, "%s%s", d->r->output ? d->r->output : d->scratch.path, d->r->output ? ".partial" : "/adapter");
    d->written = s.failed ? NULL : qz_strdup(s.ptr);
    qz_str_release(&s);
    if (d->written == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = qz_calib_windows(d->run, &d->base, d->r, &data, &w, err);
    d->data_sha = data.sha_hex;
    if (st == QZ_OK) st = fit_on(d, &w, err);
    qz_windows_release(&w);
    qz_dataset_release(&data);
    qz_request again = *d->r; /* as it is read back */
    again.adapters = (qz_text_list){.at = {d->written}, .n = 1};
    if (st == QZ_OK) st = qz_loras_open(d->run, &again, &d->fitted.adapters, err);
    if (st == QZ_OK)
        st = qz_loras_beside(d->run, &d->fitted.adapters, &d->artifact, &d->base, &d->fitted.lora, err);
    return st == QZ_OK ? engine_of(d, &d->artifact, &d->fitted, err) : st;
}

/* ---- merged, then quantized ---- */
static qz_status merge_into(drift *d, char *path, qz_error *err) {
    char *operands[] = {(char *)(uintptr_t)d->r->base, (char *)(uintptr_t)d->r->adapters.at[0], NULL};
    qz_request r = *d->r;
    r.operands = operands, r.n_operands = 2;
    qz_merge m = {.run = d->run, .r = &r, .out = path};
    qz_status st = qz_merge_find(&m, err);
    if (st == QZ_OK) st = qz_merge_write(&m, err);
    qz_merge_release(&m);
    return st;
}

static qz_status quantize_merged(drift *d, char *from, char *to, qz_error *err) {
    char *operands[] = {from, NULL}, scheme[80];
    qz_request r = *d->r->recipe;
    qz_produced p;
    r.operands = operands, r.n_operands = 1, r.output = to;
    const qz_status st = qz_quantize(d->run, &r, &p, scheme, err);
    qz_produced_release(&p);
    return st;
}

static qz_status merged(drift *d, qz_error *err) {
    if (!d->r->merged) return QZ_OK;
    QZ_TRY(scratch(d, err));
    char *whole = qz_path_join(d->scratch.path, "merged"),
         *coded = qz_path_join(d->scratch.path, qz_path_is_dir(d->r->on) ? "coded" : "coded.gguf");
    qz_status st = whole && coded ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_info(d->run, "merging '%s' into '%s', then quantizing by the recipe of '%s'", d->r->adapters.at[0], d->r->base,
            d->r->on);
    if (st == QZ_OK) st = merge_into(d, whole, err);
    if (st == QZ_OK) st = quantize_merged(d, whole, coded, err);
    if (st == QZ_OK) st = qz_source_open(d->run, coded, &d->merged, err);
    if (st == QZ_OK) st = engine_of(d, &d->merged, &d->whole, err);
    qz_free(whole);
    qz_free(coded);
    return st;
}

/* ---- figures ---- */
/* Σ of x over Σ of y by windows, with the interval of a ratio estimator. */
static qz_figure ratio_of(const qz_score *x, const qz_score *y) {
    double a = 0, b = 0, left = 0;
    const size_t n = qz_min_size(x->n_windows, y->n_windows);
    for (size_t i = 0; i < n; i++)
        a += x->windows[i].kl * (double)x->windows[i].n, b += y->windows[i].kl * (double)y->windows[i].n;
    if (!(b > 0)) { /* the artifact is its base */
        const double all = a > 0 ? INFINITY : 1;
        return (qz_figure){all, all, all, n, true};
    }
    if (n < 2) return (qz_figure){.value = a / b, .low = 0, .high = INFINITY, .n = n};
    const double ratio = a / b;
    for (size_t i = 0; i < n; i++) {
        const qz_window_score *v = &x->windows[i], *w = &y->windows[i];
        const double e = v->kl * (double)v->n - ratio * w->kl * (double)w->n;
        left += e * e;
    }
    const double half = 1.959963984540054 * sqrt(left * (double)n / (double)(n - 1)) / b;
    return (qz_figure){ratio, ratio - half, ratio + half, n, true};
}

static void advise(qz_drift *o) {
    o->best = o->measured[QZ_DRIFT_FITTED] &&
                      o->way[QZ_DRIFT_FITTED].kl.value < o->way[QZ_DRIFT_AS_IS].kl.value ? QZ_DRIFT_FITTED
                                                                                         : QZ_DRIFT_AS_IS;
    const qz_figure *ratio = &o->ratio[o->best];
    o->advice = ratio->high <= QZ_DRIFT_RATIO  ? QZ_DRIFT_ACCEPT
                : ratio->low > QZ_DRIFT_RATIO ? QZ_DRIFT_RETRAIN
                                              : QZ_DRIFT_UNDECIDED;
}

static qz_status measure(drift *d, qz_error *err) {
    qz_drift *o = d->out;
    qz_engine *e[QZ_DRIFT_WAYS];
    qz_score score[QZ_DRIFT_WAYS] = {0};
    qz_drift_way way[QZ_DRIFT_WAYS];
    size_t n = 0;
    qz_engine *const all[QZ_DRIFT_WAYS] = {d->as_is.e, d->fitted.e, d->whole.e, d->plain.e};
    QZ_TRY(qz_score_run(d->run, &(qz_score_models){d->plain.e, &d->bare.e, 1}, &d->set, &o->alone, NULL, err));
    for (size_t i = 0; i < QZ_DRIFT_WAYS; i++)
        if (all[i]) way[n] = (qz_drift_way)i, e[n++] = all[i];
    QZ_TRY(qz_score_run(d->run, &(qz_score_models){d->with.e, e, n}, &d->set, score, NULL, err));
    for (size_t i = 0; i < n; i++) {
        o->way[way[i]] = score[i];
        o->measured[way[i]] = true;
        o->ratio[way[i]] = ratio_of(&score[i], &o->alone);
    }
    advise(o);
    o->windows = d->set.n;
    memcpy(o->set, d->set.describe, sizeof o->set);
    memcpy(o->token_hash, d->set.token_hash, sizeof o->token_hash);
    return QZ_OK;
}

static qz_status work(drift *d, qz_error *err) {
    qz_drift *o = d->out;
    QZ_TRY(open_all(d, err));
    QZ_TRY(build_set(d, err));
    QZ_TRY(fit(d, err));
    QZ_TRY(merged(d, err));
    QZ_TRY(measure(d, err));
    o->rank = d->with.adapters.a->rank;
    o->adapter = qz_arena_strdup(&o->arena, d->r->adapters.at[0]);
    o->base = qz_arena_strdup(&o->arena, d->base.name);
    o->artifact = qz_arena_strdup(&o->arena, d->artifact.name);
    if (!o->adapter || !o->base || !o->artifact) return qz_fail(err, QZ_EMEMORY, "out of memory");
    return d->r->output ? qz_commit(&(qz_move){d->written, d->r->output}, 1, err) : QZ_OK;
}

static qz_status judge(const qz_request *r, qz_error *err) {
    if (r->adapters.n == 0 || !r->base || !r->on || !r->text)
        return qz_fail(err, QZ_EUSAGE,
                       "drift needs --lora ADAPTER, --base MODEL (what it was trained on), --on ARTIFACT and --text "
                       "FILE; missing: %s",
                       r->adapters.n == 0 ? "--lora"
                       : !r->base         ? "--base"
                       : !r->on           ? "--on"
                                          : "--text");
    if (r->adapters.n > 1)
        return qz_fail(err, QZ_EUSAGE, "drift measures one adapter at a time: expected one --lora, found %zu",
                       r->adapters.n);
    if (r->output && !r->data)
        return qz_fail(err, QZ_EUSAGE, "-o writes a corrected adapter, which is fitted on data: give --calib FILE");
    return QZ_OK;
}

qz_status qz_drift_run(qz_run *run, const qz_request *r, qz_drift *out, qz_error *err) {
    *out = (qz_drift){0};
    drift d = {.run = run, .r = r, .out = out};
    qz_outputs outs = {.run = run};
    qz_error rest = {0};
    QZ_TRY(judge(r, err));
    qz_status st = r->output ? qz_outputs_claim(&outs, r, r->output, QZ_OUTPUT_ARTIFACT, err) : QZ_OK;
    if (st == QZ_OK) st = work(&d, err);
    beside *const engines[] = {&d.plain, &d.with, &d.bare, &d.as_is, &d.fitted, &d.whole};
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) close_engine(engines[i]);
    qz_eval_set_release(&d.set);
    qz_source_release(&d.base);
    qz_source_release(&d.artifact);
    qz_source_release(&d.merged);
    if (st != QZ_OK && d.written && r->output) (void)qz_remove_tree(d.written, &rest);
    qz_free(d.written);
    qz_outputs_end(&outs, st);
    const qz_status gone = drop_scratch(&d, &rest);
    return st == QZ_OK && gone != QZ_OK ? (*err = rest, gone) : st;
}

void qz_drift_release(qz_drift *d) {
    qz_score_release(&d->alone);
    for (size_t i = 0; i < QZ_DRIFT_WAYS; i++) qz_score_release(&d->way[i]);
    qz_arena_release(&d->arena);
}
