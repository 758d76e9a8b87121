/* The methods of block types: search alone, a run of rows at a time; and error feedback under the Gram matrix of a
 * linear's input, which leaves to the search what has no such matrix. */
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"
#include "methods/block_feedback.h"
#include "methods/block_flow.h"
#include "methods/hessian_cache.h"
#include "methods/method_rows.h"
#include <stdio.h>

enum { CHUNK_ELEMS = 2 << 20 }; /* float values decoded at a time: what the caches hold */

/* ---- search ---- */
typedef struct {
    qz_method_job job;
    qz_method_tensor t;
    size_t row, step;            /* next row; rows at a time */
    float *x;                    /* [step, cols] */
    const float *importance;
    qz_quantized q;
    qz_arena keep, piece;        /* of the tensor, of the rows at hand */
} searcher;

/* Rows of a stored tensor as floats, over the threads. */
typedef struct { const qz_tensor_view *t; qz_decoder_fn decode; size_t first, n, row_bytes; float *x; } decoding;

static void decode_part(void *arg, qz_part part) {
    const decoding *d = arg;
    size_t lo, hi;
    qz_split(d->n, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++) {
        float *y = d->x + r * d->t->cols;
        if (d->decode) d->decode((const uint8_t *)d->t->data + (d->first + r) * d->row_bytes, d->t->cols, y);
        else qz_tensor_decode(d->t, d->first + r, 1, y);
    }
}

static void decode_rows(qz_run *run, const qz_tensor_view *t, size_t first, size_t n, float *x) {
    decoding d = {.t = t, .first = first, .n = n, .x = x};
    if (t->data && qz_tensor_as_stored(t) && t->type < QZ_TYPE_COUNT) {
        d.decode = qz_block_decoder(run, t->type);
        d.row_bytes = t->cols / qz_type_get(t->type)->elems * qz_type_get(t->type)->bytes;
    }
    qz_pool_run(run->pool, 0, decode_part, &d);
}

static qz_status search_open(const qz_method_job *job, void **out, qz_error *err) {
    searcher *s = *out = qz_calloc_array(1, sizeof *s);
    if (s == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory encoding");
    s->job = *job;
    return QZ_OK;
}

static qz_status search_next(void *ctx, const qz_method_tensor *t, bool *mine, qz_error *err) {
    searcher *s = ctx;
    *mine = t->type < QZ_TYPE_COUNT && qz_type_get(t->type)->kind != QZ_KIND_FLOAT;
    if (!*mine) return QZ_OK;
    qz_arena_reset(&s->keep);
    s->t = *t;
    s->row = 0;
    s->step = t->whole ? t->rows : qz_min_size(t->rows, qz_max_size(1, CHUNK_ELEMS / t->cols));
    s->importance = NULL;
    qz_free(s->x);
    s->x = qz_alloc_aligned(s->step * t->cols, sizeof *s->x);
    if (s->x == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory encoding '%s'", t->name);
    return s->job.host.importance(s->job.host.ctx, t, &s->keep, &s->importance, err);
}

static qz_status search_result(void *ctx, qz_method_result *out, qz_error *err) {
    searcher *s = ctx;
    const qz_method_tensor *t = &s->t;
    const size_t n = qz_min_size(s->step, t->rows - s->row);
    qz_arena_reset(&s->piece);
    decode_rows(s->job.run, t->source, s->row, n, s->x);
    QZ_TRY(
        qz_block_quantize(&(qz_block_job){s->job.run, t->type, s->x, n, t->cols, s->importance, s->job.options->search},
                          &s->piece, &s->q, err));
    s->q.name = t->name;
    s->row += n;
    *out = (qz_method_result){.q = &s->q, .more = s->row < t->rows};
    if (out->more) return QZ_OK;
    if (t->source->data) qz_map_forget(t->source->data, t->source->bytes);
    qz_free(s->x);
    s->x = NULL;
    return QZ_OK;
}

static void search_notes(const void *ctx, qz_method_notes *out) { (void)ctx, (void)out; }

static void search_release(void *ctx) {
    searcher *s = ctx;
    if (s == NULL) return;
    qz_free(s->x);
    qz_arena_release(&s->keep);
    qz_arena_release(&s->piece);
    qz_free(s);
}

static qz_method_memory search_memory(const qz_method_options *o, const qz_method_sizes *s) {
    (void)o;
    return (qz_method_memory){.held = (s->largest < CHUNK_ELEMS ? s->largest : CHUNK_ELEMS) * 4 * 5};
}

const qz_method_ops qz_block_search_method = {.open = search_open, .next = search_next, .result = search_result,
                                              .notes = search_notes,
                                              .release = search_release, .memory = search_memory};

/* ---- feedback ---- */
typedef struct {
    qz_method_job job;
    qz_hessian_cache matrices;
    qz_method_tensor t;
    const qz_hessian *h;
    size_t row;                  /* next one: an output matrix has too many to hold what solving needs for all */
    double error, energy;        /* of the rows so far */
    qz_quantized q;
    qz_arena arena;
    size_t fallbacks;
    qz_block_flow *flow;         /* codes the linears of the blocks; NULL: each under the float model's statistics */
    const qz_quantized *done;    /* by it */
} corrector;

static qz_status feedback_open(const qz_method_job *job, void **out, qz_error *err) {
    corrector *c = *out = qz_calloc_array(1, sizeof *c);
    if (c == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory encoding");
    c->job = *job;
    QZ_TRY(qz_hessian_cache_open(&c->matrices, &c->job, err));
    return job->options->propagate ? qz_block_flow_open(&c->flow, &c->job, err) : QZ_OK;
}

/* Linears of a block whose input is known as a whole, and the output matrix under what the last norm gives: of a tied
 * embedding the logits count, not the rows that a token looks up. */
static qz_status feedback_next(void *ctx, const qz_method_tensor *t, bool *mine, qz_error *err) {
    corrector *c = ctx;
    const size_t group = qz_block_feedback_group(t->type);
    qz_error why = {0};
    size_t input;
    *mine = false;
    c->t = *t;
    c->done = NULL;
    if (c->flow && t->layer >= 0) {
        QZ_TRY(qz_block_flow_get(c->flow, t, &c->done, err));
        *mine = c->done != NULL;
        /* what the file has in another form than the tokens flow through: under the float model's statistics */
        if (c->done || c->job.stats == NULL || !(t->source->n_swaps || t->source->row_from)) return QZ_OK;
    }
    c->row = 0;
    c->error = c->energy = 0;
    if ((!t->head && (t->layer < 0 || t->linear < 0)) || group == 0) return QZ_OK;
    /* an expert that no token reached: named by the survey */
    if (qz_method_input(c->job.stats, t, &input).tokens == 0) return QZ_OK;
    const qz_hessian_order order = {group, qz_block_feedback_point(t->type)};
    const qz_status st = qz_hessian_cache_get(&c->matrices, t, order, &c->h, &why);
    if (st == QZ_ENUMERIC) {
        qz_warn(c->job.run, "%s: encoded without error feedback: %s", t->name, why.text);
        c->fallbacks++;
        return QZ_OK;
    }
    *mine = st == QZ_OK;
    return st == QZ_OK ? QZ_OK : qz_fail(err, st, "%s", why.text);
}

static qz_status feedback_result(void *ctx, qz_method_result *out, qz_error *err) {
    corrector *c = ctx;
    const qz_method_tensor *t = &c->t;
    const float *importance = NULL;
    if (c->done) {
        *out = (qz_method_result){.q = c->done, .judged = c->done->energy > 0};
        return QZ_OK;
    }
    qz_arena_reset(&c->arena);
    const size_t step = t->whole || !t->head ? t->rows : qz_max_size(1, CHUNK_ELEMS / t->cols),
                 n = qz_min_size(step, t->rows - c->row);
    float *w = qz_alloc_aligned(n * t->cols, sizeof *w);
    qz_status st = w ? c->job.host.importance(c->job.host.ctx, t, &c->arena, &importance, err)
                     : qz_fail(err, QZ_EMEMORY, "out of memory encoding '%s'", t->name);
    if (st == QZ_OK) {
        decode_rows(c->job.run, t->source, c->row, n, w);
        st = qz_block_feedback(&(qz_block_job){c->job.run, t->type, w, n, c->h->cols, importance, QZ_SEARCH_BEST},
                               c->matrices.mm, c->h, &c->arena, &c->q, err);
    }
    qz_free(w);
    c->row += n;
    c->q.name = t->name;
    c->q.error = c->error += c->q.error;
    c->q.energy = c->energy += c->q.energy;
    *out = (qz_method_result){.q = &c->q, .more = st == QZ_OK && c->row < t->rows, .judged = c->row == t->rows};
    if (!out->more && t->source->data) qz_map_forget(t->source->data, t->source->bytes);
    return st;
}

static void feedback_notes(const void *ctx, qz_method_notes *out) {
    const corrector *c = ctx;
    out->fallbacks += c->fallbacks;
    if (c->flow) {
        qz_block_flow_notes(c->flow, out);
        return;
    }
    if (c->matrices.n_damped)
        (void)snprintf(out->text, sizeof out->text,
                       "error feedback under the calibration data, damping %g to %g by held-out tokens",
                       c->matrices.least, c->matrices.most);
}

static void feedback_release(void *ctx) {
    corrector *c = ctx;
    if (c == NULL) return;
    qz_block_flow_free(c->flow);
    qz_hessian_cache_release(&c->matrices);
    qz_arena_release(&c->arena);
    qz_free(c);
}

/* The matrices of a block's inputs, beside what the search needs for the rest. */
static qz_method_memory feedback_memory(const qz_method_options *o, const qz_method_sizes *s) {
    qz_method_memory m = search_memory(o, s);
    m.held += 4 * qz_method_solver_bytes(s->config, false);
    if (o->propagate) {
        m.held += qz_method_solver_bytes(s->config, o->asymmetric);
        m.pass = qz_block_flow_bytes(s);
    }
    return m;
}

const qz_method_ops qz_block_feedback_method = {.open = feedback_open, .next = feedback_next, .result = feedback_result,
                                                .notes = feedback_notes,
                                                .release = feedback_release, .memory = feedback_memory};
