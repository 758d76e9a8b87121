#include "produce/produce.h"
#include "artifacts/artifact.h"
#include "artifacts/gguf_layout.h"
#include "artifacts/loose.h"
#include "artifacts/module_rules.h"
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"
#include "model/leftovers.h"
#include "produce/catalog.h"
#include "produce/importance.h"
#include "produce/input_ranges.h"
#include "produce/outputs.h"
#include "produce/proof.h"
#include "text/accepted.h"
#include <stdio.h>
#include <string.h>

void qz_produced_release(qz_produced *p) {
    qz_free(p->path);
    qz_free(p->accepted);
    qz_free(p->block_text);
    qz_free(p->block_json);
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
    if (accepted && *accepted) *prov = (qz_provenance){QZ_ACCEPTED_KEY, accepted, false, NULL};
    return accepted && *accepted;
}

qz_status qz_produce_plan(qz_run *run, const qz_source *s, const qz_importance *imp, const qz_produce_options *o,
                          qz_arena *arena, qz_artifact_plan *plan, qz_error *err) {
    qz_artifact_context *ctx = qz_arena_calloc(arena, 1, sizeof *ctx);
    qz_provenance *prov = qz_arena_calloc(arena, 10, sizeof *prov);
    if (ctx == NULL || prov == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
    size_t n = 0;
    static const char later[65] = "0000000000000000000000000000000000000000000000000000000000000000";
    const qz_scheme_spec *spec = &o->recipe->spec;
    const qz_method *method = qz_recipe_method(o->recipe);
    if (method->ops->supports && !s->model->loose) QZ_TRY(method->ops->supports(s->model, err));
    const char *other = imp->stats               ? imp->stats->info.data_sha
                        : imp->windows           ? imp->data_sha
                        : o->rehearse_calibrated ? later
                                                 : "none";
    prov[n++] = (qz_provenance){"version", qz_catalog_version(), false, NULL};
    QZ_TRY(qz_recipe_record(o->recipe, arena, &prov[n++], err));
    prov[n++] = (qz_provenance){QZ_SOURCE_KEY,
                                s->sha_hex[0] ? qz_arena_strdup(arena, s->sha_hex) : o->rehearse ? later : "UNKNOWN",
                                false, NULL};
    qz_provenance *calibration = &prov[n++];
    *calibration = (qz_provenance){"calibration_sha256", imp->imatrix ? o->imatrix_sha : other, false, NULL};
    prov[n++] = (qz_provenance){"lora_trained_on_bf16_base", "UNKNOWN", false, NULL};
    const char *origin = qz_origin_in(s->model->path, arena);
    if (origin) prov[n++] = (qz_provenance){QZ_ORIGIN_KEY, origin, false, NULL};
    if (s->model->loose) prov[n++] = (qz_provenance){"family_not_run", s->model->loose->family, false, NULL};
    const size_t dropped = qz_leftovers_count(s->model, QZ_LEFT_PART);
    if (dropped) { /* taken with --accept: the artifact says it of itself */
        qz_str names = {0};
        qz_leftovers_names(s->model, QZ_LEFT_PART, &names);
        char *text = qz_arena_printf(arena, "%zu: %s", dropped, names.ptr ? names.ptr : "");
        qz_str_release(&names);
        if (text == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
        prov[n++] = (qz_provenance){"dropped_tensors", text, false, NULL};
    }
    const qz_config_keys *keys = &s->model->config.keys;
    if (keys->n_refused) {
        char *text = qz_arena_printf(arena, "%u: %s", keys->n_refused, keys->refused);
        if (text == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
        prov[n++] = (qz_provenance){"ignored_keys", text, false, NULL};
    }
    const size_t before = n;
    n += put_accepted(prov + n, imp->imatrix ? o->imatrix_accepted : imp->accepted);
    *ctx = (qz_artifact_context){.source_dir = o->source_dir, .tokenizer = s->tokenizer, .forced_pre = o->recipe->pre,
                                 .named = o->recipe->name != NULL, .name = o->recipe->name ? o->recipe->name : s->name,
                                 .has_imatrix = imp->stats != NULL || imp->imatrix != NULL || o->rehearse_calibrated,
                                 .imatrix_file = o->imatrix_file,
                                 .imatrix_dataset = o->imatrix_dataset, .imatrix_entries = o->imatrix_entries,
                                 .imatrix_chunks = o->imatrix_chunks,
                                 .provenance = prov, .n_provenance = n, .solved = true,
                                 .as_reference = o->recipe->codes.search == QZ_SEARCH_COMPAT,
                                 .mse_norm = o->recipe->codes.mse_norm,
                                 .k_largest = imp->kv.k, .v_largest = imp->kv.v,
                                 .together = !o->recipe->codes.sequential, .damp = qz_recipe_damp(o->recipe)};
    QZ_TRY(qz_artifact_plan_make(run, s->model, spec, ctx, arena, plan, err));
    QZ_TRY(qz_plan_judge(run, plan, err));
    if (qz_scheme_static_inputs(spec) && imp->stats) QZ_TRY(qz_input_ranges_fill(run, plan, imp->stats, err));
    if (imp->imatrix == NULL || uses_importance(plan)) return QZ_OK;
    ctx->n_provenance = before + put_accepted(prov + before, imp->accepted);
    calibration->value = other; /* a matrix that no tensor uses is not recorded (the survey says so) */
    ctx->imatrix_file = ctx->imatrix_dataset = NULL;
    ctx->has_imatrix = imp->stats != NULL || o->rehearse_calibrated;
    return qz_artifact_plan_make(run, s->model, spec, ctx, arena, plan, err);
}

static bool is_float(qz_type t) { return t < QZ_TYPE_COUNT && qz_type_get(t)->kind == QZ_KIND_FLOAT; }

/* ---- what methods ask ---- */
typedef struct { qz_run *run; const qz_artifact_plan *plan; const qz_importance *imp; } host;

static qz_status setting_of(const void *ctx, const char *name, qz_code_setting *out, qz_error *err) {
    return qz_module_setting_of(&((const host *)ctx)->plan->spec, name, out, err);
}

static qz_status importance_of(const void *ctx, const qz_method_tensor *t, qz_arena *arena, const float **out,
                               qz_error *err) {
    return qz_importance_get(((const host *)ctx)->imp, t->item, arena, out, err);
}

static qz_status round_of(const void *ctx, const qz_method_tensor *t, qz_arena *arena, const float **w,
                          const qz_coded **out, qz_error *err) {
    const host *h = ctx;
    size_t n;
    float *x = qz_mul_size(t->rows, t->cols, &n) ? qz_arena_alloc(arena, n, sizeof *x) : NULL;
    if (x == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory encoding '%s'", t->name);
    if (qz_item_code_kind(h->plan, t->item)->as_filed) qz_item_decode_as_filed(t->item, x);
    else qz_tensor_decode(t->source, 0, t->rows, x);
    *w = x;
    return qz_artifact_round(h->run, h->plan, t->item, x, arena, out, err);
}

/* Blocks that the source has in this very type are copied, as the reference does. */
static bool as_it_is(const qz_artifact_item *it) {
    const qz_tensor_view *t = it->source;
    if (t && qz_coded_has_blocks(t->coded, it->type)) return true;
    return t && t->data && qz_tensor_as_stored(t) && t->type == it->type && it->type < QZ_TYPE_COUNT &&
           !is_float(it->type);
}

static qz_method_tensor tensor_of(const qz_model *m, const qz_artifact_item *it) {
    return (qz_method_tensor){.head = it->source && it->source == m->head,
                              .name = it->name, .source = it->source, .type = it->type, .rows = it->rows,
                              .cols = it->cols, .layer = it->layer,
                              .expert = it->experts ? (long)it->expert : -1, .linear = it->linear,
                              .whole = it->permute != QZ_PERMUTE_NONE, .item = it};
}

static bool linear_of(const void *ctx, long layer, size_t linear, long expert, qz_method_tensor *out) {
    const qz_artifact_plan *p = ((const host *)ctx)->plan;
    for (size_t i = 0; i < p->n_items; i++) {
        const qz_artifact_item *it = &p->items[i];
        if (it->layer != layer || it->linear != (int)linear || it->source == NULL) continue;
        *out = tensor_of(p->model, it);
        if (out->expert == expert) return !as_it_is(it);
    }
    return false;
}

/* ---- the methods of one artifact ---- */
enum { METHODS = 2 }; /* the scheme's own, and the one that codes what it leaves */
typedef struct {
    host host;
    qz_method_job job;
    const qz_method *method[METHODS]; /* NULL behind the last */
    void *state[METHODS];
    const qz_artifact_item *scaled;   /* whose range is that of divided inputs; NULL: none in this run */
} coders;

/* What the job can give a method; an importance matrix stands for statistics where both could serve. */
static unsigned given(const qz_method *m, const qz_importance *imp) {
    const bool matrix = imp->imatrix && m->takes & QZ_NEEDS_IMPORTANCE;
    return (imp->stats && !matrix ? QZ_NEEDS_GRAM : 0u) | (imp->windows ? QZ_NEEDS_TOKENS : 0u) | QZ_NEEDS_IMPORTANCE;
}

const qz_method *qz_produce_method(const qz_recipe *recipe, const qz_importance *imp) {
    const qz_method *m = qz_recipe_method(recipe);
    return m->other && m->needs(&recipe->codes) & ~given(m, imp) ? qz_method_named(m->other) : m;
}

/* What norms are written as: one of them tells. */
static qz_type norms_type(const qz_artifact_plan *plan) {
    for (size_t i = 0; i < plan->n_items; i++)
        if (plan->items[i].n_dims == 1 && plan->items[i].source) return plan->items[i].type;
    return QZ_TYPE_F16;
}

static qz_status coders_open(coders *c, qz_run *run, const qz_artifact_plan *plan, const qz_importance *imp,
                             const qz_recipe *recipe, qz_error *err) {
    const qz_windows *w = imp->windows;
    *c = (coders){.host = {run, plan, imp}};
    c->job = (qz_method_job){.run = run, .model = plan->model, .stats = imp->stats, .options = &recipe->codes,
                             .scheme = plan->spec.name,
                             .tokens = w ? (qz_tokens){w->ids, w->n_windows, w->seq_len} : (qz_tokens){0},
                             .usual = qz_module_usual(&plan->spec), .floats = norms_type(plan),
                             .host = {.ctx = &c->host, .setting = setting_of, .linear = linear_of,
                                      .importance = importance_of, .round = round_of}};
    c->method[0] = qz_produce_method(recipe, imp);
    c->method[1] = qz_method_named(c->method[0]->other);
    for (size_t i = 0; i < METHODS && c->method[i]; i++) QZ_TRY(c->method[i]->ops->open(&c->job, &c->state[i], err));
    return QZ_OK;
}

static void coders_close(coders *c, qz_produced *out) {
    qz_method_notes n = {0};
    for (size_t i = 0; i < METHODS && c->method[i]; i++) {
        if (c->state[i]) c->method[i]->ops->notes(c->state[i], &n);
        c->method[i]->ops->release(c->state[i]);
    }
    memcpy(out->note, n.text, sizeof out->note);
    out->fallbacks += n.fallbacks;
    out->uncorrected = n.uncorrected;
    out->norms_kept = n.norms_kept;
}
_Static_assert(sizeof((qz_produced *)0)->note == sizeof((qz_method_notes *)0)->text, "one is copied into the other");

/* ---- writing ---- */
typedef struct { qz_artifact_writer *w; qz_proof proof; qz_produced *out; } sink; /* w NULL: only what is meant */

/* The range of inputs that come divided by folded scales; linears that read the same have one. */
static qz_status scale_inputs(coders *c, size_t i, const float *scales, qz_error *err) {
    const qz_artifact_plan *plan = c->host.plan;
    qz_artifact_item *it = &plan->items[i];
    const qz_artifact_item *before = c->scaled;
    const qz_stats *stats = c->host.imp->stats;
    if (!scales || !stats || !qz_item_spec(plan, it)->static_inputs) return QZ_OK;
    c->scaled = it;
    if (before && qz_input_ranges_same(stats, before, it)) return it->input_amax = before->input_amax, QZ_OK;
    return qz_input_range_scaled(c->host.run, plan, stats, it, scales, err);
}

static qz_status put_codes(coders *c, sink *k, size_t i, const qz_method_result *r, qz_error *err) {
    if (r->q) QZ_TRY(scale_inputs(c, i, r->q->input_scales, err));
    if (r->f) {
        QZ_TRY(qz_proof_folded(&k->proof, r->f, err));
        return k->w ? qz_artifact_writer_put_folded(k->w, r->f, err) : QZ_OK;
    }
    QZ_TRY(r->q->coded ? qz_proof_codes(&k->proof, r->q, err) : qz_proof_blocks(&k->proof, r->q, err));
    k->out->weight_mse += r->q->weight_mse * (double)r->q->rows * (double)r->q->cols;
    if (r->judged) qz_output_error_add(&k->out->output_error, r->q);
    return k->w ? qz_artifact_writer_put(k->w, r->q, err) : QZ_OK;
}

/* Blocks of the source, in its order or put into GGUF's. */
static qz_status put_as_it_is(sink *k, const qz_artifact_item *item, qz_error *err) {
    const qz_tensor_view *v = item->source;
    qz_quantized q = {.name = item->name, .type = item->type, .rows = item->rows, .cols = item->cols,
                      .blocks = v->data, .bytes = v->bytes};
    uint8_t *blocks = NULL;
    if (v->coded) {
        QZ_TRY(qz_tensor_bytes(item->type, item->rows, item->cols, &q.bytes, err));
        q.blocks = blocks = qz_alloc_array(q.bytes, 1);
        if (blocks == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", item->name);
        (void)v->coded->ops->blocks(v->coded, item->type, blocks);
    }
    qz_status st = qz_proof_blocks(&k->proof, &q, err);
    if (st == QZ_OK && k->w) st = qz_artifact_writer_put(k->w, &q, err);
    qz_free(blocks);
    return st;
}

static qz_status put_item(coders *c, sink *k, size_t i, qz_error *err) {
    const qz_artifact_item *item = &c->host.plan->items[i];
    const qz_method_tensor t = tensor_of(c->job.model, item);
    qz_proof_begin(&k->proof, i);
    if (item->raw) return k->w ? qz_artifact_writer_put_raw(k->w, err) : QZ_OK; /* compared byte by byte */
    if (as_it_is(item)) return put_as_it_is(k, item, err);
    for (size_t m = 0; item->source && m < METHODS && c->method[m]; m++) {
        const qz_method_ops *ops = c->method[m]->ops;
        qz_method_result r = {.more = true};
        bool mine;
        QZ_TRY(ops->next(c->state[m], &t, &mine, err));
        while (mine && r.more) {
            QZ_TRY(ops->result(c->state[m], &r, err));
            QZ_TRY(put_codes(c, k, i, &r, err));
        }
        if (mine) return QZ_OK;
    }
    if (item->source && !is_float(item->type))
        return qz_fail(err, QZ_EBUG, "tensor '%s': no method of %s codes it", item->name, c->job.scheme);
    QZ_TRY(qz_proof_float(&k->proof, err)); /* float tensors are converted by the writer */
    return k->w ? qz_artifact_writer_put_view(k->w, item->source, err) : QZ_OK;
}

/* A source's bytes are not read again once its tensor is written (or only a tied one's, which the file still has). */
static void forget(const qz_artifact_item *item) {
    if (item->raw) qz_map_forget(item->raw->data, (size_t)item->raw->bytes);
    else if (item->source && item->source->data) qz_map_forget(item->source->data, item->source->bytes);
}

static void progress(qz_run *run, const qz_artifact_plan *plan, size_t i) {
    qz_progress_at(run, &(qz_progress){.stage = plan->spec.name, .unit = "tensors", .done = i + 1,
                                       .total = plan->n_items, .whole = true,
                                       .layer = (uint64_t)(plan->items[i].layer + 1),
                                       .layers = plan->model->config.layers});
}

static qz_status write_items(qz_run *run, const qz_artifact_plan *plan, const qz_importance *imp,
                             const qz_recipe *recipe, sink *k, qz_error *err) {
    coders c;
    qz_status st = coders_open(&c, run, plan, imp, recipe, err);
    qz_progress_begin(run);
    for (size_t i; st == QZ_OK && (i = qz_artifact_writer_next(k->w)) < plan->n_items;) {
        st = put_item(&c, k, i, err);
        forget(&plan->items[i]);
        progress(run, plan, i);
    }
    qz_progress_end(run);
    coders_close(&c, k->out);
    return st;
}

qz_status qz_produce_meant(qz_run *run, const qz_produce_job *job, const uint8_t *wanted, qz_artifact_writer *w,
                           qz_proof *proof, qz_error *err) {
    coders c;
    qz_produced out = {0};
    sink k = {.w = w, .proof = *proof, .out = &out};
    qz_status st = coders_open(&c, run, job->plan, job->imp, job->options->recipe, err);
    qz_progress_begin(run);
    for (size_t i = 0; st == QZ_OK && i < job->plan->n_items; i++) {
        const qz_artifact_item *it = &job->plan->items[i];
        if (!wanted[i] || (!it->source && !it->raw)) continue; /* the plan's own: compared byte by byte */
        st = put_item(&c, &k, i, err);
        progress(run, job->plan, i);
    }
    qz_progress_end(run);
    coders_close(&c, &out);
    qz_produced_release(&out); /* of figures that nobody asked for */
    *proof = k.proof;
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
    p->kv = plan->spec.kv;
    p->summary = text.ptr;
    p->summary_json = json.ptr;
    bool kept = true;
    for (size_t i = 0; i < plan->context->n_provenance; i++) {
        const qz_provenance *v = &plan->context->provenance[i];
        if (strcmp(v->key, QZ_ACCEPTED_KEY) == 0) kept = (p->accepted = qz_strdup(v->value)) != NULL;
    }
    return text.failed || json.failed || !kept ? qz_fail(err, QZ_EMEMORY, "out of memory") : QZ_OK;
}

qz_status qz_produce_before(qz_run *run, const qz_artifact_plan *plan, const qz_produce_options *o, const char *path,
                            qz_produced *out, qz_error *err) {
    qz_str why = {0};
    if (!o->resume || !qz_path_exists(path)) return QZ_OK;
    qz_status st = qz_artifact_finished(plan, path, &out->finished, &why, err);
    if (st == QZ_OK && why.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK && out->finished) {
        st = qz_outputs_tidy(run, path, QZ_OUTPUT_ARTIFACT, err);
        qz_info(run, "'%s': already finished", path);
        if (st == QZ_OK && (out->path = qz_strdup(path)) == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    } else if (st == QZ_OK && !o->force)
        st = qz_fail(err, QZ_EUSAGE,
                     "output exists and is not what this job writes: '%s': %s; choose another output, or give --force "
                     "to replace it",
                     path, why.ptr ? why.ptr : "");
    qz_str_release(&why);
    return st;
}

void qz_produced_finished_line(const qz_produced *p, const char *scheme, qz_str *out) {
    qz_str_printf(out, "%s\n  already finished: %s, same source and recipe\n", p->path, scheme);
}

static uint64_t weights_of(const qz_artifact_plan *plan) {
    qz_plan_summary s;
    qz_plan_summarize(plan, &s);
    return s.weights;
}

qz_status qz_produce(qz_run *run, const qz_produce_job *job, qz_produced *out, qz_error *err) {
    const qz_source *s = job->source;
    const qz_artifact_plan *plan = job->plan;
    const qz_importance *imp = job->imp;
    const qz_produce_options *o = job->options;
    const char *path = job->path;
    *out = (qz_produced){.bytes = plan->total_bytes,
                         .bits_per_weight = plan->bits_per_weight,
                         .fallbacks = plan->n_fallbacks,
                         .other_types = plan->n_fallbacks,
                         .dropped = qz_leftovers_count(s->model, QZ_LEFT_PART),
                         .keys = s->model->config.keys,
                         .ignored_keys = s->model->config.keys.n_refused,
                         .self_kl = -1};
    if (qz_gguf_is_split(&plan->spec)) out->parts = plan->n_files;
    out->carried = plan->n_carried;
    sink k = {.out = out};
    const char *partial = NULL;
    double start = qz_now();
    QZ_TRY(qz_produced_summarize(plan, out, err));
    QZ_TRY(qz_produce_before(run, plan, o, path, out, err));
    if (out->finished) return QZ_OK;
    for (size_t i = 0; i < plan->n_notes; i++) qz_warn(run, "%s: %s", plan->spec.name, plan->notes[i]);
    if (s->tokenizer == NULL && !s->model->loose)
        qz_info(run, "note: %s: the source has no tokenizer: inputs are token ids", plan->spec.name);
    if (s->tokenizer == NULL && s->model->config.n_eos && !qz_scheme_get(plan->spec.scheme)->directory)
        qz_info(run,
                "note: %s: %zu end token%s of the configuration %s stored (first %lld), which llama.cpp does not "
                "read without a tokenizer",
                plan->spec.name, s->model->config.n_eos, qz_plural(s->model->config.n_eos),
                s->model->config.n_eos == 1 ? "is" : "are", (long long)s->model->config.eos_ids[0]);
    if (qz_produce_method(o->recipe, imp)->needs(&o->recipe->codes) && imp->stats == NULL && imp->windows == NULL)
        return qz_fail(err, QZ_EUSAGE, "%s needs calibration: give --calib FILE or --stats FILE", plan->spec.name);
    if (qz_scheme_static_inputs(&plan->spec) && imp->stats == NULL)
        return qz_fail(err, QZ_EUSAGE,
                       "%s stores a scale of every linear's inputs, which calibration gives: give --calib FILE or "
                       "--stats FILE, or a level without one (ct:fp8_dynamic, ct:nvfp4a16, ct:int8)",
                       plan->spec.name);
    if (plan->spec.kv && imp->kv.k == NULL)
        return qz_fail(err, QZ_EUSAGE,
                       "%s stores scales of keys and values, which the calibration tokens give: give --calib FILE",
                       plan->spec.name);
    QZ_TRY(qz_importance_survey(run, plan, imp, o, out, err));
    if (!o->own_stats) QZ_TRY(qz_outputs_tidy_stats(run, path, err));
    qz_status st = qz_proof_open(&k.proof, run, plan, err);
    if (st == QZ_OK)
        st = qz_artifact_writer_open(run, plan, path,
                                     (o->resume ? QZ_WRITE_RESUME : 0u) | (o->force ? QZ_WRITE_FORCE : 0u), &k.w, err);
    if (st == QZ_OK) qz_proof_attach(&k.proof, k.w);
    if (st == QZ_OK) st = write_items(run, plan, imp, o->recipe, &k, err);
    if (st == QZ_OK) qz_produced_flushed(run, plan, k.w, out);
    if (st == QZ_OK) st = qz_artifact_writer_finish(k.w, &partial, err);
    if (st == QZ_OK) {
        st = qz_proof_check(run, &k.proof, s, partial, o->proof_data, out, err);
        if (st != QZ_OK) qz_artifact_writer_discard(k.w);
    }
    if (st == QZ_OK) st = qz_sharing_measure(run, plan, &out->sharing, err);
    if (st == QZ_OK) st = qz_artifact_writer_commit(k.w, err);
    qz_artifact_writer_free(k.w);
    qz_proof_release(&k.proof);
    uint64_t n = s->model->loose ? weights_of(plan) : qz_config_parameters(&s->model->config);
    out->weight_mse /= (double)n;
    out->seconds = qz_now() - start;
    if (st == QZ_OK && (out->path = qz_strdup(path)) == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    return st;
}

/* Matrices of the tensor that begins with item i: the experts of a stack, else 1. */
static size_t stacked(const qz_artifact_plan *p, size_t i) {
    size_t n = 1;
    while (i + n < p->n_items && p->items[i + n].expert && strcmp(p->items[i + n].out_name, p->items[i].out_name) == 0)
        n++;
    return n;
}

qz_status qz_plan_table(const qz_artifact_plan *plan, qz_arena *arena, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Tensor", 'l'}, {"Type", 'l'}, {"Rows", 'r'}, {"Cols", 'r'}, {"Bytes", 'r'},
                                     {"Note", 'l'}};
    QZ_TRY(qz_table_init(t, arena, NULL, cols, 6, err));
    for (size_t i = 0, n; i < plan->n_items; i += n) {
        const qz_artifact_item *it = &plan->items[i];
        n = stacked(plan, i);
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", it->out_name));
        if (it->type == QZ_TYPE_CODED && qz_item_code_kind(plan, it)->affine)
            QZ_TRY(qz_table_set(t, 1, err, "int%u g%u%s%s", it->bits, it->group_size,
                                !it->sym && plan->spec.modules ? " asym" : "",
                                it->act_order && plan->spec.modules ? " act" : ""));
        else if (it->type == QZ_TYPE_CODED) QZ_TRY(qz_table_set(t, 1, err, "%s", qz_item_spec(plan, it)->level));
        else QZ_TRY(qz_table_set(t, 1, err, "%s", qz_item_type_name(it)));
        QZ_TRY(qz_table_set(t, 2, err, "%zu", it->rows));
        QZ_TRY(qz_table_set(t, 3, err, "%zu", it->cols));
        QZ_TRY(qz_table_set(t, 4, err, "%llu", (unsigned long long)(it->bytes * n)));
        if (n == 1) QZ_TRY(qz_table_set(t, 5, err, "%s", it->note ? it->note : it->rule ? it->rule->why : ""));
        else
            QZ_TRY(qz_table_set(t, 5, err, "%zu experts of %zu x %zu%s%s", n, it->rows, it->cols, it->note ? "; " : "",
                                it->note ? it->note : ""));
    }
    return QZ_OK;
}
