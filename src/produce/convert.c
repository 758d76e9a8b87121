#include "artifacts/artifact.h"
#include "artifacts/folder_floats.h"
#include "artifacts/gguf_ftypes.h"
#include "artifacts/module_rules.h"
#include "artifacts/schemes.h"
#include "codecs/int_group.h"
#include "produce/convert.h"
#include "base/half.h"
#include "base/io.h"
#include "base/size.h"
#include "codecs/fields.h"
#include "codecs/types.h"
#include "methods/convert_float.h"
#include "model/steps.h"
#include "produce/catalog.h"
#include "produce/proof.h"
#include "artifacts/provenance.h"
#include "text/accepted.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_float(qz_type t) { return t < QZ_TYPE_COUNT && qz_type_get(t)->kind == QZ_KIND_FLOAT; }
static bool is_legacy(qz_type t) { return t < QZ_TYPE_COUNT && qz_type_get(t)->kind == QZ_KIND_LEGACY; }

/* ---- what to write ---- */
/* Codes of the last linear of the first block that is not `cols` wide; NULL: none. */
static const qz_int_group *other_width(const qz_model *m, size_t cols) {
    for (size_t l = QZ_LINEARS; l-- > 0;) {
        const qz_tensor_view *t = m->blocks[0].linear[l];
        if (t && t->cols != cols) return qz_int_group_of(t->coded);
    }
    return NULL;
}

qz_status qz_convert_spec(const qz_model *m, const char *to, qz_scheme_spec *spec, qz_error *err) {
    char text[96];
    const qz_tensor_view *t = qz_model_linear(m);
    const qz_int_group *g = qz_int_group_of(t->coded);
    uint32_t bits = t->type == QZ_TYPE_Q4_0 || t->type == QZ_TYPE_Q4_1 ? 4 : 8;
    QZ_TRY(qz_scheme_parse(to, spec, err));
    const qz_code_kind *kind = qz_scheme_code_kind(spec);
    bool bare = strpbrk(to, ":+") == NULL && kind->affine;
    if (!bare || (!g && !is_legacy(t->type))) return QZ_OK;
    if (!g) (void)snprintf(text, sizeof text, "%s:w%ug32", to, bits);
    else {
        const char *act = kind->free && g->g_idx ? "+act_order" : "", *asym = kind->free && !g->sym ? "+asym" : "";
        const qz_int_group *d = other_width(m, t->cols); /* tells whole rows from groups as wide as a row */
        bool whole = g->group_size == g->cols && (d == NULL || d->group_size == d->cols) && t->rows * t->cols > 0 &&
                     kind->free;
        (void)snprintf(text, sizeof text, "%s:w%ug%ld%s%s", to, g->bits,
                       qz_group_written(whole ? QZ_WHOLE_ROW : g->group_size), asym, act);
    }
    return qz_scheme_parse(text, spec, err);
}

/* GGUF: every linear in the level's own type, embedding and output as they are; a mix is for encoding from floats. */
static void keep_others(qz_scheme_spec *spec, const qz_model *m) {
    const qz_type level = qz_type_by_ggml_id((int)qz_ftype_get(spec->ftype)->type);
    spec->mix.keep_floats = spec->scheme == QZ_SCHEME_GGUF && spec->ftype == QZ_FTYPE_MXFP4_MOE;
    if (spec->scheme != QZ_SCHEME_GGUF || (!is_legacy(level) && !is_float(level))) return;
    spec->mix.pure = true;
    if (m->embed->type < QZ_TYPE_COUNT && !is_float(level))
        spec->mix.embedding_type = qz_type_get(m->embed->type)->ggml_id;
    if (m->head->type < QZ_TYPE_COUNT && !is_float(level)) spec->mix.output_type = qz_type_get(m->head->type)->ggml_id;
}

/* "layers.{0,2}.self_attn.q_proj=keep" of linear k where the source of codes has floats; an empty text: nowhere. */
static void kept_text(const qz_model *m, size_t k, qz_str *out) {
    const char *part = NULL;
    for (size_t l = 0; l < m->config.layers; l++) {
        const qz_tensor_view *t = m->blocks[l].linear[k];
        const char *at = t && qz_tensor_floats(t) ? strstr(t->name, "layers.") : NULL;
        if (!at) continue;
        qz_str_printf(out, "%s%zu", part ? "," : "layers.{", l);
        at += strlen("layers.");
        part = at + strspn(at, "0123456789");
    }
    if (!part) return;
    const size_t n = strlen(part), tail = strlen(".weight");
    qz_str_printf(out, "}%.*s=keep", (int)(qz_str_ends(part, ".weight") ? n - tail : n), part);
}

/* Linears that the source leaves in floats stay so, where the target can say it. */
static qz_status keep_floats(qz_scheme_spec *spec, const qz_model *m, qz_arena *arena, qz_error *err) {
    const char *rules[QZ_LINEARS];
    size_t n = 0;
    if (!m->scheme || m->loose || spec->n_modules || spec->scheme == QZ_SCHEME_GGUF ||
        qz_scheme_module_room(spec->scheme) == QZ_MODULES_NONE)
        return QZ_OK;
    for (size_t k = 0; k < QZ_LINEARS; k++) {
        qz_str text = {0};
        kept_text(m, k, &text);
        const char *rule = text.len ? qz_arena_strdup(arena, text.ptr) : NULL;
        const bool failed = text.failed || (text.len && !rule);
        qz_str_release(&text);
        if (failed) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
        if (rule) rules[n++] = rule;
    }
    return n ? qz_module_rules_parse(spec, rules, n, arena, err) : QZ_OK;
}

static qz_status make_plan(qz_run *run, const qz_source *s, const qz_produce_options *o, qz_arena *arena,
                           qz_artifact_plan *plan, qz_error *err) {
    qz_artifact_context *ctx = qz_arena_calloc(arena, 1, sizeof *ctx);
    qz_provenance *prov = qz_arena_calloc(arena, 5, sizeof *prov);
    const char *accepted = qz_accepted_in(s->model->path, arena), *origin = qz_origin_in(s->model->path, arena);
    size_t n = 0;
    char *sha = qz_arena_strdup(arena, s->sha_hex);
    if (!ctx || !prov || !sha) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
    prov[n++] = (qz_provenance){"version", qz_catalog_version(), false, NULL};
    QZ_TRY(qz_recipe_record(o->recipe, arena, &prov[n++], err));
    prov[n++] = (qz_provenance){QZ_SOURCE_KEY, *sha ? sha : "UNKNOWN", false, NULL};
    if (origin) prov[n++] = (qz_provenance){QZ_ORIGIN_KEY, origin, false, NULL};
    if (accepted) prov[n++] = (qz_provenance){QZ_ACCEPTED_KEY, accepted, false, NULL};
    *ctx = (qz_artifact_context){.source_dir = o->source_dir, .tokenizer = s->tokenizer, .forced_pre = o->recipe->pre,
                                 .named = o->recipe->name != NULL,
                                 .name = o->recipe->name ? o->recipe->name : s->name,
                                 .provenance = prov, .n_provenance = n};
    qz_scheme_spec spec = o->recipe->spec;
    keep_others(&spec, s->model);
    QZ_TRY(keep_floats(&spec, s->model, arena, err));
    QZ_TRY(qz_artifact_plan_make(run, s->model, &spec, ctx, arena, plan, err));
    return qz_plan_judge(run, plan, err);
}

/* ---- measuring ---- */
static void decode_quantized(const qz_quantized *q, size_t r, float *y) {
    if (q->coded) qz_coded_decode_row(q->coded, r, y);
    else qz_type_get(q->type)->decode(q->blocks + r * (q->bytes / q->rows), q->cols, y);
}

static void add_errors(qz_edge *e, const float *x, const float *y, const float *step, size_t n) {
    for (size_t k = 0; k < n; k++) {
        double d = (double)y[k] - (double)x[k], unit = e->relative ? fmax(fabs((double)x[k]), 0x1p-14)
                                                       : step      ? fabs((double)step[k])
                                                                   : 0;
        e->error += d * d;
        e->power += (double)x[k] * (double)x[k];
        if (d != 0 && unit > 0) e->worst = fmax(e->worst, fabs(d) / unit);
    }
}

/* A tensor that is float in the target: exact if every value survives, else off by half a unit of its last
 * place at most. */
static qz_status float_edge(const qz_artifact_item *it, qz_edge *e, qz_arena *arena, qz_error *err) {
    const qz_type_info *info = qz_type_get(it->type);
    float *x = qz_arena_alloc(arena, 2 * it->cols, sizeof *x);
    uint8_t *bytes = qz_arena_alloc(arena, it->cols, info->bytes);
    if (!x || !bytes) return qz_fail(err, QZ_EMEMORY, "out of memory converting '%s'", it->name);
    *e = (qz_edge){.kind = QZ_EDGE_EXACT, .relative = true, .bound = it->type == QZ_TYPE_BF16 ? 0x1p-8 : 0x1p-11};
    if (it->source->type == it->type) return QZ_OK;
    for (size_t r = 0; r < it->rows; r++) {
        qz_tensor_decode(it->source, r, 1, x);
        info->encode(x, NULL, it->cols, bytes);
        info->decode(bytes, it->cols, x + it->cols);
        add_errors(e, x, x + it->cols, NULL, it->cols);
    }
    if (e->worst > 0) {
        e->kind = QZ_EDGE_BOUNDED;
        (void)snprintf(e->why, sizeof e->why, "rounded to %s", info->name);
    }
    return QZ_OK;
}

/* ---- codes ---- */
static qz_status encode_again(qz_run *run, const qz_conversion *c, const qz_artifact_item *it, qz_arena *arena,
                              qz_quantized *q, qz_error *err) {
    size_t n = 0;
    float *w = qz_mul_size(it->rows, it->cols, &n) ? qz_arena_alloc(arena, n, sizeof *w) : NULL;
    if (!w) return qz_fail(err, QZ_EMEMORY, "out of memory converting '%s'", it->name);
    if (qz_item_code_kind(&c->plan, it)->as_filed) qz_item_decode_as_filed(it, w);
    else qz_tensor_decode(it->source, 0, it->rows, w);
    if (it->type == QZ_TYPE_CODED) {
        *q = (qz_quantized){0};
        QZ_TRY(qz_artifact_round(run, &c->plan, it, w, arena, &q->coded, err));
    } else
        QZ_TRY(qz_block_quantize(&(qz_block_job){run, it->type, w, it->rows, it->cols, NULL, QZ_SEARCH_BEST}, arena, q,
                                 err));
    q->name = it->name;
    q->type = it->type;
    q->rows = it->rows;
    q->cols = it->cols;
    return QZ_OK;
}

qz_grid_target qz_convert_target(const qz_artifact_item *it, const qz_scheme_spec *spec) {
    qz_grid_target to = {.name = it->name, .type = it->type, .codes = qz_module_usual(spec)};
    to.codes.bits = it->bits; /* as the plan has them for this matrix */
    to.codes.group_size = it->group_size;
    to.codes.sym = it->sym;
    to.g_idx = qz_scheme_module_room(spec->scheme) == QZ_MODULES_ALL && spec->act_order && !spec->static_groups;
    return to;
}

/* Small floats whose numbers stay: another layout of them, or another convention of their scales. */
static qz_status small_float_edge(const qz_conversion *c, const qz_artifact_item *it, const qz_scaled_float *from,
                                  qz_edge *e, qz_arena *arena, qz_quantized *q, qz_error *err) {
    const qz_grid_target to = qz_convert_target(it, qz_item_spec(&c->plan, it));
    qz_grid_fit fit = {.why = "blocks run over rows, which the target has in another order"};
    float top = 0;
    const bool powers = from->stored == QZ_SCALE_E8M0 && to.codes.scale >= QZ_SCALE_E4M3;
    if (powers) QZ_TRY(qz_folder_merged_top(&c->plan, it, &top, err));
    if (it->permute == QZ_PERMUTE_NONE || !qz_item_code_kind(&c->plan, it)->as_filed)
        QZ_TRY(qz_floats_place(from, &to, top, arena, q, &fit, err));
    memcpy(e->why, fit.why, sizeof e->why);
    if (!fit.ok) return QZ_OK;
    e->relative = true;
    e->bound = fit.bound;
    e->kind = e->bound > 0 ? QZ_EDGE_BOUNDED : QZ_EDGE_EXACT;
    return QZ_OK;
}

/* MXFP4 as GGUF and the experts of gpt-oss hold it: a byte of the power of two and 16 of codes, the second half of the
 * block above the first. NULL: another format, or a scale that is no number. */
static qz_status blocks_as_floats(const qz_tensor_view *t, qz_type dtype, qz_arena *arena, const qz_scaled_float **out,
                                  qz_error *err) {
    enum { WIDE = 32, BYTES = 17, NAN_BYTE = 255, BIAS = 127 };
    const bool plain = t->type == QZ_TYPE_MXFP4;
    size_t bytes;
    *out = NULL;
    if ((!plain && !qz_coded_has_blocks(t->coded, QZ_TYPE_MXFP4)) || t->cols % WIDE) return QZ_OK;
    QZ_TRY(qz_tensor_bytes(QZ_TYPE_MXFP4, t->rows, t->cols, &bytes, err));
    const size_t n = bytes / BYTES;
    uint8_t *made = plain ? NULL : qz_arena_alloc(arena, bytes, 1), *codes = qz_arena_alloc(arena, n, WIDE);
    float *scales = qz_arena_alloc(arena, n, sizeof *scales);
    qz_scaled_float *f = qz_arena_calloc(arena, 1, sizeof *f);
    if ((!plain && !made) || !codes || !scales || !f)
        return qz_fail(err, QZ_EMEMORY, "out of memory converting '%s'", t->name);
    if (!plain) (void)t->coded->ops->blocks(t->coded, QZ_TYPE_MXFP4, made);
    const uint8_t *blocks = plain ? t->data : made;
    for (size_t b = 0; b < n; b++) {
        const uint8_t *x = blocks + b * BYTES;
        if (x[0] == NAN_BYTE) return QZ_OK;
        scales[b] = ldexpf(1, x[0] - BIAS);
        for (size_t i = 0; i < WIDE; i++)
            codes[b * WIDE + i] = i < WIDE / 2 ? x[1 + i] & 15 : (uint8_t)(x[1 + i - WIDE / 2] >> 4);
    }
    *f = (qz_scaled_float){.base = {qz_scaled_float_ops(QZ_E2M1), t->rows, t->cols}, .element = QZ_E2M1, .bits = 8,
                           .block_rows = 1, .block_cols = WIDE, .codes = codes, .scales = scales,
                           .stored = QZ_SCALE_E8M0, .tensor = 1, .dtype = dtype};
    *out = f;
    return QZ_OK;
}

/* The edge of a coded item and, unless it is lossy, its codes. */
static qz_status code_edge(const qz_conversion *c, const qz_artifact_item *it, qz_edge *e, qz_arena *arena, qz_grid *g,
                           qz_quantized *q, qz_error *err) {
    const qz_tensor_view *t = it->source;
    *e = (qz_edge){.kind = QZ_EDGE_LOSSY};
    if (t->type == it->type && it->type < QZ_TYPE_COUNT) { /* the same blocks */
        *q = (qz_quantized){.name = it->name, .type = it->type, .rows = it->rows, .cols = it->cols, .blocks = t->data,
                            .bytes = t->bytes};
        e->kind = QZ_EDGE_EXACT;
        return QZ_OK;
    }
    if (qz_coded_has_blocks(t->coded, it->type)) { /* the same in another order */
        *q = (qz_quantized){.name = it->name, .type = it->type, .rows = it->rows, .cols = it->cols};
        QZ_TRY(qz_tensor_bytes(it->type, it->rows, it->cols, &q->bytes, err));
        uint8_t *blocks = qz_arena_alloc(arena, q->bytes, 1);
        if (blocks == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory converting '%s'", it->name);
        (void)t->coded->ops->blocks(t->coded, it->type, blocks);
        q->blocks = blocks;
        e->kind = QZ_EDGE_EXACT;
        return QZ_OK;
    }
    const qz_scaled_float *small = qz_scaled_float_of(t->coded);
    if (!small) QZ_TRY(blocks_as_floats(t, qz_folder_value_type(c->plan.model, t), arena, &small, err));
    if (small && it->type == QZ_TYPE_CODED && qz_item_spec(&c->plan, it)->element != QZ_ELEMENT_INT)
        return small_float_edge(c, it, small, e, arena, q, err);
    const qz_code_kind *kind = qz_item_code_kind(&c->plan, it);
    if (it->type == QZ_TYPE_CODED && !kind->affine) {
        (void)snprintf(e->why, sizeof e->why, "%s are no grid of equal steps", kind->name);
        return QZ_OK;
    }
    qz_grid_fit fit;
    const qz_grid_target to = qz_convert_target(it, qz_item_spec(&c->plan, it));
    QZ_TRY(qz_grid_read(t, arena, g, &fit, err));
    if (fit.ok) QZ_TRY(qz_grid_place(g, &to, arena, q, &fit, err));
    memcpy(e->why, fit.why, sizeof e->why);
    e->bound = fit.bound;
    if (!fit.ok) return QZ_OK;
    e->kind = e->bound > 0 ? QZ_EDGE_BOUNDED : QZ_EDGE_EXACT;
    if (e->bound > 0 && !*e->why) (void)snprintf(e->why, sizeof e->why, "its minimum is rounded to float16");
    return QZ_OK;
}

qz_status qz_convert_plan(qz_run *run, const qz_source *s, const qz_produce_options *o, qz_arena *arena,
                          qz_conversion *c, qz_error *err) {
    qz_arena scratch = {0};
    *c = (qz_conversion){.source = s, .lossy = o->recipe->lossy};
    QZ_TRY(make_plan(run, s, o, arena, &c->plan, err));
    QZ_TRY(qz_convert_inputs(run, s, &c->plan, err));
    c->edges = qz_arena_calloc(arena, c->plan.n_items + 1, sizeof *c->edges);
    if (!c->edges) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
    qz_status st = QZ_OK;
    qz_progress_begin(run);
    for (size_t i = 0; i < c->plan.n_items && st == QZ_OK; i++) {
        const qz_artifact_item *it = &c->plan.items[i];
        qz_quantized q = {0};
        qz_grid g;
        qz_arena_reset(&scratch);
        c->edges[i] = (qz_edge){.kind = QZ_EDGE_EXACT};
        if (it->source)
            st = is_float(it->type) ? float_edge(it, &c->edges[i], &scratch, err)
                                    : code_edge(c, it, &c->edges[i], &scratch, &g, &q, err);
        if (st == QZ_OK && c->edges[i].kind == QZ_EDGE_LOSSY && !c->lossy)
            st = qz_fail(err, QZ_EUNSUPPORTED,
                         "no exact conversion to %s: tensor '%s': %s; give --lossy to code it again and see the loss",
                         c->plan.spec.name, it->name, c->edges[i].why);
        qz_progress_step(run, "comparing grids", i + 1, c->plan.n_items, "tensors");
    }
    qz_progress_end(run);
    qz_arena_release(&scratch);
    return st;
}

/* ---- writing ---- */
/* Compares what will be written with the source, row by row. */
static qz_status measure(const qz_artifact_item *it, bool as_filed, const qz_grid *g, const qz_quantized *q, qz_edge *e,
                         qz_arena *arena, qz_error *err) {
    float *x = qz_arena_alloc(arena, it->cols, sizeof *x), *y = qz_arena_alloc(arena, it->cols, sizeof *y),
          *step = qz_arena_alloc(arena, it->cols, sizeof *step);
    if (!x || !y || !step) return qz_fail(err, QZ_EMEMORY, "out of memory converting '%s'", it->name);
    for (size_t r = 0; r < it->rows; r++) {
        qz_tensor_decode(it->source, as_filed ? qz_item_source_row(it, it->rows, r) : r, 1, x);
        decode_quantized(q, r, y);
        for (size_t k = 0; e->kind == QZ_EDGE_BOUNDED && !e->relative && k < it->cols; k++)
            step[k] = g->scales[r * g->groups + k / g->group];
        add_errors(e, x, y, e->kind == QZ_EDGE_BOUNDED ? step : NULL, it->cols);
    }
    if (e->kind == QZ_EDGE_EXACT && e->error != 0)
        return qz_fail(err, QZ_EBUG, "tensor '%s' was to be exact and is not", it->name);
    return QZ_OK;
}

/* Codes of an item as they will be written, measured against the source. */
static qz_status code_item(qz_run *run, qz_conversion *c, size_t i, qz_quantized *q, qz_arena *arena, qz_error *err) {
    const qz_artifact_item *it = &c->plan.items[i];
    qz_grid g = {0};
    qz_edge *e = &c->edges[i];
    QZ_TRY(code_edge(c, it, e, arena, &g, q, err));
    if (e->kind == QZ_EDGE_LOSSY) QZ_TRY(encode_again(run, c, it, arena, q, err));
    return measure(it, it->type == QZ_TYPE_CODED && qz_item_code_kind(&c->plan, it)->as_filed, &g, q, e, arena, err);
}

static qz_status put_item(qz_run *run, qz_conversion *c, size_t i, qz_artifact_writer *w, qz_proof *proof,
                          qz_arena *arena, qz_error *err) {
    const qz_artifact_item *it = &c->plan.items[i];
    qz_quantized q = {0};
    qz_proof_begin(proof, i);
    if (it->source == NULL || is_float(it->type)) {
        QZ_TRY(qz_proof_float(proof, err));
        return qz_artifact_writer_put_view(w, it->source, err);
    }
    QZ_TRY(code_item(run, c, i, &q, arena, err));
    QZ_TRY(q.blocks ? qz_proof_blocks(proof, &q, err) : qz_proof_codes(proof, &q, err));
    return qz_artifact_writer_put(w, &q, err);
}

/* Items of an interrupted run stand in the file already: what the table says of them is measured again, unless
 * they are exact. */
static qz_status measure_written(qz_run *run, qz_conversion *c, size_t n, qz_arena *arena, qz_error *err) {
    for (size_t i = 0; i < n; i++) {
        const qz_artifact_item *it = &c->plan.items[i];
        qz_quantized q = {0};
        if (it->source == NULL || is_float(it->type) || c->edges[i].kind == QZ_EDGE_EXACT) continue;
        qz_arena_reset(arena);
        QZ_TRY(code_item(run, c, i, &q, arena, err));
    }
    return QZ_OK;
}

qz_status qz_convert_write(qz_run *run, qz_conversion *c, const qz_produce_options *o, const char *path,
                           qz_produced *out, qz_error *err) {
    *out = (qz_produced){.bytes = c->plan.total_bytes, .bits_per_weight = c->plan.bits_per_weight, .self_kl = -1};
    qz_artifact_writer *w = NULL;
    qz_proof proof = {0};
    qz_arena arena = {0};
    const char *partial = NULL;
    double start = qz_now();
    QZ_TRY(qz_produced_summarize(&c->plan, out, err));
    QZ_TRY(qz_produce_before(run, &c->plan, o, path, out, err));
    if (out->finished) return QZ_OK;
    qz_status st = qz_proof_open(&proof, run, &c->plan, err);
    if (st == QZ_OK)
        st = qz_artifact_writer_open(run, &c->plan, path,
                                     (o->force ? QZ_WRITE_FORCE : 0u) | (o->resume ? QZ_WRITE_RESUME : 0u), &w, err);
    if (st == QZ_OK) qz_proof_attach(&proof, w);
    if (st == QZ_OK) st = measure_written(run, c, qz_artifact_writer_next(w), &arena, err);
    qz_progress_begin(run);
    for (size_t i; st == QZ_OK && (i = qz_artifact_writer_next(w)) < c->plan.n_items;) {
        qz_arena_reset(&arena);
        st = put_item(run, c, i, w, &proof, &arena, err);
        qz_progress_step(run, c->plan.spec.name, i + 1, c->plan.n_items, "tensors");
    }
    qz_progress_end(run);
    if (st == QZ_OK) qz_produced_flushed(run, &c->plan, w, out);
    if (st == QZ_OK) st = qz_artifact_writer_finish(w, &partial, err);
    if (st == QZ_OK) {
        st = qz_proof_check(run, &proof, c->source, partial, NULL, out, err);
        if (st != QZ_OK) qz_artifact_writer_discard(w);
    }
    if (st == QZ_OK) st = qz_artifact_writer_commit(w, err);
    qz_artifact_writer_free(w);
    qz_proof_release(&proof);
    qz_arena_release(&arena);
    out->seconds = qz_now() - start;
    if (st == QZ_OK && (out->path = qz_strdup(path)) == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
    return st;
}
