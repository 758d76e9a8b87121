#include "pipeline/produce.h"
#include "artifacts/artifact.h"
#include "artifacts/module_rules.h"
#include "artifacts/schemes.h"
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"
#include "engine/engine.h"
#include "model/leftovers.h"
#include "methods/block_feedback.h"
#include "methods/damping.h"
#include "pipeline/catalog.h"
#include "pipeline/importance.h"
#include "pipeline/int_blocks.h"
#include "pipeline/outputs.h"
#include "pipeline/proof.h"
#include "text/accepted.h"
#include <stdio.h>
#include <string.h>

enum { CHUNK_ELEMS = 16 << 20 }; /* float values decoded at a time */

void qz_produced_release(qz_produced *p) {
    qz_free(p->path);
    qz_free(p->accepted);
    qz_output_error_release(&p->output_error);
    qz_free(p->importance_json);
    qz_free(p->summary);
    qz_free(p->summary_json);
    *p = (qz_produced){0};
}

static bool uses_importance(const qz_artifact_plan *plan) {
    for (size_t i = 0; i < plan->n_items; i++)
        if (plan->items[i].importance_matters) return true;
    return false;
}

/* Data taken with --accept: the artifact says it of itself. */
static size_t put_accepted(qz_provenance *prov, const char *accepted) {
    if (accepted && *accepted) *prov = (qz_provenance){QZ_ACCEPTED_KEY, accepted, false};
    return accepted && *accepted;
}

qz_status qz_produce_plan(qz_run *run, const qz_source *s, const qz_importance *imp, const qz_produce_options *o,
                          qz_arena *arena, qz_artifact_plan *plan, qz_error *err) {
    qz_artifact_context *ctx = qz_arena_calloc(arena, 1, sizeof *ctx);
    qz_provenance *prov = qz_arena_calloc(arena, 8, sizeof *prov);
    if (ctx == NULL || prov == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
    size_t n = 0;
    static const char later[65] = "0000000000000000000000000000000000000000000000000000000000000000";
    const qz_scheme_spec *spec = &o->recipe->spec;
    QZ_TRY(qz_int_supported(s->model, o->recipe, err));
    const char *other = imp->stats ? imp->stats->info.data_sha : imp->windows ? imp->data_sha : o->rehearse_calibrated ? later : "none";
    prov[n++] = (qz_provenance){"version", qz_catalog_version(), false};
    QZ_TRY(qz_recipe_record(o->recipe, arena, &prov[n++], err));
    prov[n++] = (qz_provenance){"source_sha256", s->sha_hex[0] ? qz_arena_strdup(arena, s->sha_hex) : o->rehearse ? later : "UNKNOWN", false};
    qz_provenance *calibration = &prov[n++];
    *calibration = (qz_provenance){"calibration_sha256", imp->imatrix ? o->imatrix_sha : other, false};
    prov[n++] = (qz_provenance){"lora_trained_on_bf16_base", "UNKNOWN", false};
    const size_t dropped = qz_leftovers_count(s->model, QZ_LEFT_PART);
    if (dropped) { /* taken with --accept: the artifact says it of itself */
        qz_str names = {0};
        qz_leftovers_names(s->model, QZ_LEFT_PART, &names);
        char *text = qz_arena_printf(arena, "%zu: %s", dropped, names.ptr ? names.ptr : "");
        qz_str_release(&names);
        if (text == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
        prov[n++] = (qz_provenance){"dropped_tensors", text, false};
    }
    const qz_config_keys *keys = &s->model->config.keys;
    if (keys->n_refused) {
        char *text = qz_arena_printf(arena, "%u: %s", keys->n_refused, keys->refused);
        if (text == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
        prov[n++] = (qz_provenance){"ignored_keys", text, false};
    }
    const size_t before = n;
    n += put_accepted(prov + n, imp->imatrix ? o->imatrix_accepted : imp->accepted);
    *ctx = (qz_artifact_context){.source_dir = o->source_dir, .tokenizer = s->tokenizer, .forced_pre = o->recipe->pre, .name = o->recipe->name ? o->recipe->name : s->name,
                                 .has_imatrix = imp->stats != NULL || imp->imatrix != NULL || o->rehearse_calibrated, .imatrix_file = o->imatrix_file,
                                 .imatrix_dataset = o->imatrix_dataset, .imatrix_entries = o->imatrix_entries, .imatrix_chunks = o->imatrix_chunks,
                                 .provenance = prov, .n_provenance = n, .solved = true,
                                 .together = !o->recipe->ints.sequential, .damp = qz_recipe_damp(o->recipe)};
    QZ_TRY(qz_artifact_plan_make(run, s->model, spec, ctx, arena, plan, err));
    if (imp->imatrix == NULL || uses_importance(plan)) return QZ_OK;
    ctx->n_provenance = before + put_accepted(prov + before, imp->accepted);
    calibration->value = other; /* a matrix that no tensor uses is not recorded (the survey says so) */
    ctx->imatrix_file = ctx->imatrix_dataset = NULL;
    ctx->has_imatrix = imp->stats != NULL || o->rehearse_calibrated;
    return qz_artifact_plan_make(run, s->model, spec, ctx, arena, plan, err);
}

/* Matrices of the inputs of one block's linears, by stage, made when first asked for. */
typedef struct {
    qz_mm *mm;
    const qz_model *model;
    double damp, least, most;    /* 0: decided for each input; of the n_damped that were, the least and the most */
    size_t n_damped;
    long layer;
    size_t group[QZ_STAGES];
    size_t input[QZ_STAGES]; /* whose it is: of experts the last one's */
    qz_hessian h[QZ_STAGES];
} hessians;

static void hessians_clear(hessians *x) {
    for (size_t g = 0; g < QZ_STAGES; g++) qz_hessian_release(&x->h[g]);
}

static qz_input_stats input_of(const qz_stats *stats, const qz_artifact_item *item, size_t *input) {
    const long expert = item->experts ? (long)item->expert : -1;
    *input = qz_input_of(&stats->info.in, (size_t)item->layer, (size_t)item->linear, expert);
    return qz_stats_get(stats, (size_t)item->layer, *input);
}

/* How much the diagonal takes, on tokens that the statistics keep. All types of an input share its matrix, and a resumed job may
 * begin with any of them: rows of its first linear, in 4 bits, decide for all. */
static qz_status damping_of(qz_run *run, hessians *x, const qz_input *in, const qz_input_stats *s, const double *gram, double *damp, qz_error *err) {
    const qz_tensor_view *t = x->model->blocks[x->layer].linear[in->first];
    enum { SAMPLE = 64 };
    qz_gptq_options o = {.codes = qz_feedback_default};
    o.codes.bits = 4;
    o.codes.group_size = s->cols % 32 ? 0 : 32;
    *damp = x->damp > 0 ? x->damp : QZ_DAMP_USUAL;
    if (x->damp > 0 || s->n_held == 0 || t == NULL || t->cols != s->cols) return QZ_OK;
    const size_t rows = qz_min_size(t->rows, SAMPLE);
    float *w = qz_alloc_array(rows * s->cols, sizeof *w), *held = qz_stats_held(s, NULL);
    qz_status st = w && held ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory choosing the damping of %zu columns", s->cols);
    for (size_t r = 0; r < rows && st == QZ_OK; r++) qz_tensor_decode(t, r * t->rows / rows, 1, w + r * s->cols);
    const qz_damping_tokens tokens = {gram, s->tokens, held, s->n_held, s->cols};
    const qz_damping_linear lin = {w, rows};
    if (st == QZ_OK) st = qz_damping_held(run, x->mm, &tokens, &lin, 1, &o, damp, err);
    qz_free(w);
    qz_free(held);
    x->least = x->n_damped == 0 || *damp < x->least ? *damp : x->least;
    x->most = *damp > x->most ? *damp : x->most;
    x->n_damped++;
    return st;
}

static qz_status hessian_get(qz_run *run, hessians *x, const qz_stats *stats, const qz_artifact_item *item, const qz_hessian **out, qz_error *err) {
    const size_t group = qz_block_feedback_group(item->type);
    if (x->mm == NULL) QZ_TRY(qz_mm_open(run, &x->mm, err));
    if (x->layer != item->layer) hessians_clear(x);
    x->layer = item->layer;
    size_t input;
    qz_input_stats s = input_of(stats, item, &input);
    const qz_input in = qz_input_at(&stats->info.in, (size_t)item->layer, input);
    const size_t g = in.stage;
    double damp;
    *out = &x->h[g];
    if (x->h[g].h && x->group[g] == group && x->input[g] == input) return QZ_OK;
    qz_hessian_release(&x->h[g]);
    double *gram = qz_alloc_aligned(s.cols * s.cols, sizeof *gram);
    if (gram == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for a matrix of %zu columns", s.cols);
    qz_stats_gram(&s, gram);
    qz_status st = damping_of(run, x, &in, &s, gram, &damp, err);
    if (st == QZ_OK) st = qz_hessian_init(&x->h[g], run, gram, s.cols, group, damp, QZ_ORDER_GROUPS, err);
    qz_free(gram);
    x->group[g] = group;
    x->input[g] = input;
    return st;
}

/* A linear of a block whose input is known as a whole: rounded with feedback under its Gram matrix. *done false: it cannot be. */
static qz_status put_feedback(qz_run *run, const qz_artifact_item *item, const qz_importance *imp, hessians *x, qz_artifact_writer *w, qz_proof *proof,
                              qz_produced *out, bool *done, qz_error *err) {
    const qz_hessian *h;
    qz_error why = {0};
    size_t input;
    *done = false;
    if (input_of(imp->stats, item, &input).tokens == 0) return QZ_OK; /* an expert that no token reached: named by the survey */
    qz_status st = hessian_get(run, x, imp->stats, item, &h, &why);
    if (st == QZ_ENUMERIC) {
        qz_warn(run, "%s: encoded without error feedback: %s", item->name, why.text);
        ++out->fallbacks;
        return QZ_OK;
    }
    if (st != QZ_OK) return qz_fail(err, st, "%s", why.text);
    qz_arena arena = {0};
    const float *importance = NULL;
    qz_quantized q;
    float *v = qz_alloc_aligned(item->rows * item->cols, sizeof *v);
    st = v ? qz_importance_get(imp, item, &arena, &importance, err) : qz_fail(err, QZ_EMEMORY, "out of memory encoding '%s'", item->name);
    if (st == QZ_OK) {
        qz_tensor_decode(item->source, 0, item->rows, v);
        st = qz_block_feedback(run, x->mm, item->type, v, item->rows, h, importance, &arena, &q, err);
    }
    if (st == QZ_OK) {
        q.name = item->name;
        st = qz_proof_blocks(proof, &q, err);
        out->weight_mse += q.weight_mse * (double)q.rows * (double)q.cols;
        qz_output_error_add(&out->output_error, &q);
    }
    if (st == QZ_OK) st = qz_artifact_writer_put(w, &q, err);
    if (item->source->data) qz_map_forget(item->source->data, item->source->bytes);
    qz_free(v);
    qz_arena_release(&arena);
    *done = true;
    return st;
}

/* A tensor that is stored as block type: decoded, encoded and written a run of rows at a time. */
static qz_status put_blocks(qz_run *run, const qz_artifact_item *item, const qz_importance *imp, const qz_produce_options *o,
                            qz_artifact_writer *w, qz_proof *proof, qz_produced *out, qz_error *err) {
    size_t step = item->permute == QZ_PERMUTE_NONE ? qz_max_size(1, CHUNK_ELEMS / item->cols) : item->rows;
    step = qz_min_size(step, item->rows);
    qz_arena arena = {0};
    const float *importance = NULL;
    qz_arena keep = {0};
    float *x = qz_alloc_aligned(step * item->cols, sizeof *x);
    qz_status st = x ? qz_importance_get(imp, item, &keep, &importance, err) : qz_fail(err, QZ_EMEMORY, "out of memory encoding '%s'", item->name);
    for (size_t r = 0; r < item->rows && st == QZ_OK; r += step) {
        size_t n = qz_min_size(step, item->rows - r);
        qz_quantized q;
        qz_arena_reset(&arena);
        qz_tensor_decode(item->source, r, n, x);
        st = qz_block_quantize(run, item->type, x, n, item->cols, importance, o->recipe->search, &arena, &q, err);
        q.name = item->name;
        if (st == QZ_OK) st = qz_proof_blocks(proof, &q, err);
        if (st == QZ_OK) {
            out->weight_mse += q.weight_mse * (double)n * (double)item->cols;
            st = qz_artifact_writer_put(w, &q, err);
        }
    }
    if (item->source->data) qz_map_forget(item->source->data, item->source->bytes);
    qz_free(x);
    qz_arena_release(&keep);
    qz_arena_release(&arena);
    return st;
}

/* Codes that no method makes: a matrix is rounded as a whole. */
static qz_status put_rounded(qz_run *run, const qz_artifact_plan *plan, const qz_artifact_item *item, qz_artifact_writer *w, qz_proof *proof,
                             qz_produced *out, qz_error *err) {
    qz_arena arena = {0};
    size_t n = item->cols;
    float *x = qz_mul_size(item->rows, n, &n) ? qz_arena_alloc(&arena, n, sizeof *x) : NULL, *y = qz_arena_alloc(&arena, item->cols, sizeof *y);
    qz_status st = x && y ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory encoding '%s'", item->name);
    qz_quantized q = {.name = item->name, .type = item->type, .rows = item->rows, .cols = item->cols};
    if (st == QZ_OK) {
        if (qz_artifact_code_kind(plan)->as_filed) qz_item_decode_as_filed(item, x);
        else qz_tensor_decode(item->source, 0, item->rows, x);
        st = qz_artifact_round(run, plan, item, x, &arena, &q.coded, err);
    }
    for (size_t r = 0; st == QZ_OK && r < item->rows; r++) {
        qz_coded_decode_row(q.coded, r, y);
        for (size_t k = 0; k < item->cols; k++) {
            double d = (double)y[k] - (double)x[r * item->cols + k];
            out->weight_mse += d * d;
        }
    }
    if (st == QZ_OK) st = qz_proof_codes(proof, &q, err);
    if (st == QZ_OK) st = qz_artifact_writer_put(w, &q, err);
    if (item->source->data) qz_map_forget(item->source->data, item->source->bytes);
    qz_arena_release(&arena);
    return st;
}

static bool is_grouped(const qz_artifact_plan *plan) {
    return plan->spec.scheme == QZ_SCHEME_AWQ || plan->spec.scheme == QZ_SCHEME_GPTQ;
}
static bool is_float(qz_type t) { return t < QZ_TYPE_COUNT && qz_type_get(t)->kind == QZ_KIND_FLOAT; }

/* Anything but zeros? The first row mostly says so. */
static bool has_values(const qz_tensor_view *t) {
    float *x = qz_alloc_array(t->cols, sizeof *x);
    bool any = x == NULL;
    for (size_t r = 0; r < t->rows && !any; r++) {
        qz_tensor_decode(t, r, 1, x);
        for (size_t k = 0; k < t->cols && !any; k++) any = x[k] != 0;
    }
    qz_free(x);
    return any;
}

static qz_status put_item(qz_run *run, const qz_artifact_plan *plan, size_t i, const qz_importance *imp, const qz_produce_options *o,
                          qz_int_blocks *codes, hessians *x, qz_artifact_writer *w, qz_proof *proof, qz_produced *out, qz_error *err) {
    const qz_artifact_item *item = &plan->items[i];
    qz_proof_begin(proof, i);
    if (is_grouped(plan)) {
        const qz_quantized *q = NULL;
        const qz_folded *f = NULL;
        QZ_TRY(qz_int_blocks_get(codes, item, &q, &f, err));
        if (q != NULL) {
            QZ_TRY(qz_quantized_check_scales(q, has_values(item->source), err));
            QZ_TRY(qz_proof_codes(proof, q, err));
            out->weight_mse += q->weight_mse * (double)q->rows * (double)q->cols;
            qz_output_error_add(&out->output_error, q);
            return qz_artifact_writer_put(w, q, err);
        }
        if (f != NULL) QZ_TRY(qz_proof_folded(proof, f, err));
        if (f != NULL) return qz_artifact_writer_put_folded(w, f, err);
    }
    if (item->source == NULL || is_float(item->type)) { /* float tensors are converted by the writer */
        QZ_TRY(qz_proof_float(proof, err));
        return qz_artifact_writer_put_view(w, item->source, err);
    }
    if (item->type == QZ_TYPE_CODED) return put_rounded(run, plan, item, w, proof, out, err);
    if (o->recipe->search == QZ_SEARCH_BEST && imp->stats && !imp->imatrix && item->layer >= 0 && item->linear >= 0 && qz_block_feedback_group(item->type)) {
        bool done;
        QZ_TRY(put_feedback(run, item, imp, x, w, proof, out, &done, err));
        if (done) return QZ_OK;
    }
    return put_blocks(run, item, imp, o, w, proof, out, err);
}

static qz_status write_items(qz_run *run, const qz_source *s, const qz_artifact_plan *plan, const qz_importance *imp, const qz_produce_options *o,
                             qz_artifact_writer *w, qz_proof *proof, qz_produced *out, qz_error *err) {
    qz_int_blocks codes = {0};
    hessians x = {.layer = -1, .model = s->model, .damp = o->recipe->ints.damp};
    qz_status st = QZ_OK;
    if (is_grouped(plan)) st = qz_int_blocks_open(&codes, run, s->model, imp->stats, imp->windows, o->recipe, err);
    qz_progress_begin(run);
    for (size_t i; st == QZ_OK && (i = qz_artifact_writer_next(w)) < plan->n_items;) {
        st = put_item(run, plan, i, imp, o, &codes, &x, w, proof, out, err);
        qz_progress_at(run, &(qz_progress){.stage = plan->spec.name, .unit = "tensors", .done = i + 1, .total = plan->n_items, .whole = true,
                                           .layer = (uint64_t)(plan->items[i].layer + 1), .layers = s->model->config.layers});
    }
    qz_progress_end(run);
    if (codes.n_blocks) qz_int_blocks_note(&codes, out->note, sizeof out->note);
    if (x.n_damped)
        (void)snprintf(out->note, sizeof out->note, "error feedback under the calibration data, damping %g to %g by held-out tokens", x.least, x.most);
    out->fallbacks += codes.n_fallbacks;
    out->uncorrected = codes.n_uncorrected;
    out->norms_kept = codes.n_norms_kept + codes.n_shared;
    qz_int_blocks_release(&codes);
    hessians_clear(&x);
    qz_mm_free(x.mm);
    return st;
}

void qz_produced_flushed(qz_run *run, const qz_artifact_plan *plan, const qz_artifact_writer *w, qz_produced *p) {
    size_t tensors = 0;
    p->flushed = qz_artifact_writer_flushed(w, &tensors);
    if (p->flushed)
        qz_info(run,
                "note: %s: %llu value%s of %zu tensor%s below the smallest of f16 (2^-24) became 0: a level with "
                "bf16 keeps them",
                plan->spec.name, (unsigned long long)p->flushed, qz_plural(p->flushed), tensors, qz_plural(tensors));
}

qz_status qz_produced_summarize(const qz_artifact_plan *plan, qz_produced *p, qz_error *err) {
    qz_plan_summary sum;
    qz_str text = {0}, json = {0};
    qz_plan_summarize(plan, &sum);
    qz_plan_summary_text(&sum, &text);
    qz_plan_summary_json(&sum, &json);
    p->summary = text.ptr;
    p->summary_json = json.ptr;
    bool kept = true;
    for (size_t i = 0; i < plan->context->n_provenance; i++) {
        const qz_provenance *v = &plan->context->provenance[i];
        if (strcmp(v->key, QZ_ACCEPTED_KEY) == 0) kept = (p->accepted = qz_strdup(v->value)) != NULL;
    }
    return text.failed || json.failed || !kept ? qz_fail(err, QZ_EMEMORY, "out of memory") : QZ_OK;
}

qz_status qz_produce_before(qz_run *run, const qz_artifact_plan *plan, const qz_produce_options *o, const char *path, qz_produced *out, qz_error *err) {
    qz_str why = {0};
    if (!o->resume || !qz_path_exists(path)) return QZ_OK;
    qz_status st = qz_artifact_finished(plan, path, &out->finished, &why, err);
    if (st == QZ_OK && why.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK && out->finished) {
        st = qz_outputs_tidy(run, path, QZ_OUTPUT_ARTIFACT, err);
        qz_info(run, "'%s': already finished", path);
        if (st == QZ_OK && (out->path = qz_strdup(path)) == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    } else if (st == QZ_OK && !o->force)
        st = qz_fail(err, QZ_EUSAGE, "output exists and is not what this job writes: '%s': %s; choose another output, or give --force to replace it", path, why.ptr ? why.ptr : "");
    qz_str_release(&why);
    return st;
}

void qz_produced_finished_line(const qz_produced *p, const char *scheme, qz_str *out) {
    qz_str_printf(out, "%s\n  already finished: %s, same source and recipe\n", p->path, scheme);
}

qz_status qz_produce(qz_run *run, const qz_source *s, const qz_artifact_plan *plan, const qz_importance *imp, const qz_produce_options *o,
                     const char *path, qz_produced *out, qz_error *err) {
    *out = (qz_produced){.bytes = plan->total_bytes, .bits_per_weight = plan->bits_per_weight, .fallbacks = plan->n_fallbacks, .other_types = plan->n_fallbacks, .dropped = qz_leftovers_count(s->model, QZ_LEFT_PART),
                         .keys = s->model->config.keys, .ignored_keys = s->model->config.keys.n_refused, .self_kl = -1};
    qz_artifact_writer *w = NULL;
    qz_proof proof = {0};
    const char *partial = NULL;
    double start = qz_now();
    QZ_TRY(qz_produced_summarize(plan, out, err));
    QZ_TRY(qz_produce_before(run, plan, o, path, out, err));
    if (out->finished) return QZ_OK;
    for (size_t i = 0; i < plan->n_notes; i++) qz_warn(run, "%s: %s", plan->spec.name, plan->notes[i]);
    if (s->tokenizer == NULL) qz_info(run, "note: %s: the source has no tokenizer: inputs are token ids", plan->spec.name);
    if (s->tokenizer == NULL && s->model->config.n_eos && !qz_scheme_get(plan->spec.scheme)->directory)
        qz_info(run,
                "note: %s: %zu end token%s of the configuration %s stored (first %lld), which llama.cpp does not "
                "read without a tokenizer",
                plan->spec.name, s->model->config.n_eos, qz_plural(s->model->config.n_eos),
                s->model->config.n_eos == 1 ? "is" : "are", (long long)s->model->config.eos_ids[0]);
    if (is_grouped(plan) && imp->stats == NULL && imp->windows == NULL)
        return qz_fail(err, QZ_EUSAGE, "%s needs calibration: give --calib FILE or --stats FILE", plan->spec.name);
    QZ_TRY(qz_importance_survey(run, plan, imp, o, out, err));
    if (!o->own_stats) QZ_TRY(qz_outputs_tidy_stats(run, path, err));
    qz_status st = qz_proof_open(&proof, run, plan, err);
    if (st == QZ_OK)
        st = qz_artifact_writer_open(run, plan, path, (o->resume ? QZ_WRITE_RESUME : 0u) | (o->force ? QZ_WRITE_FORCE : 0u), &w, err);
    if (st == QZ_OK) qz_proof_attach(&proof, w);
    if (st == QZ_OK) st = write_items(run, s, plan, imp, o, w, &proof, out, err);
    if (st == QZ_OK) qz_produced_flushed(run, plan, w, out);
    if (st == QZ_OK) st = qz_artifact_writer_finish(w, &partial, err);
    if (st == QZ_OK) {
        st = qz_proof_check(run, &proof, s, partial, o->proof_data, out, err);
        if (st != QZ_OK) qz_artifact_writer_discard(w);
    }
    if (st == QZ_OK) st = qz_artifact_writer_commit(w, err);
    qz_artifact_writer_free(w);
    qz_proof_release(&proof);
    uint64_t n = qz_config_parameters(&s->model->config);
    out->weight_mse /= (double)n;
    out->seconds = qz_now() - start;
    if (st == QZ_OK && (out->path = qz_strdup(path)) == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    return st;
}

/* Matrices of the tensor that begins with item i: the experts of a stack, else 1. */
static size_t stacked(const qz_artifact_plan *p, size_t i) {
    size_t n = 1;
    while (i + n < p->n_items && p->items[i + n].expert && strcmp(p->items[i + n].out_name, p->items[i].out_name) == 0) n++;
    return n;
}

qz_status qz_plan_table(const qz_artifact_plan *plan, qz_arena *arena, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Tensor", 'l'}, {"Type", 'l'}, {"Rows", 'r'}, {"Cols", 'r'}, {"Bytes", 'r'}, {"Note", 'l'}};
    QZ_TRY(qz_table_init(t, arena, NULL, cols, 6, err));
    for (size_t i = 0, n; i < plan->n_items; i += n) {
        const qz_artifact_item *it = &plan->items[i];
        n = stacked(plan, i);
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", it->out_name));
        if (it->type == QZ_TYPE_CODED && qz_artifact_code_kind(plan)->affine) QZ_TRY(qz_table_set(t, 1, err, "int%u g%u%s%s", it->bits, it->group_size, !it->sym && plan->spec.modules ? " asym" : "",
                                                             it->act_order && plan->spec.modules ? " act" : ""));
        else if (it->type == QZ_TYPE_CODED) QZ_TRY(qz_table_set(t, 1, err, "%s", plan->spec.level));
        else QZ_TRY(qz_table_set(t, 1, err, "%s", qz_type_get(it->type)->name));
        QZ_TRY(qz_table_set(t, 2, err, "%zu", it->rows));
        QZ_TRY(qz_table_set(t, 3, err, "%zu", it->cols));
        QZ_TRY(qz_table_set(t, 4, err, "%llu", (unsigned long long)(it->bytes * n)));
        if (n == 1) QZ_TRY(qz_table_set(t, 5, err, "%s", it->note ? it->note : ""));
        else QZ_TRY(qz_table_set(t, 5, err, "%zu experts of %zu x %zu%s%s", n, it->rows, it->cols, it->note ? "; " : "", it->note ? it->note : ""));
    }
    return QZ_OK;
}
