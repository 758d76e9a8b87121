/* One decoder block (formats/families.md section 1, skeleton A): attention and gated MLP around a residual stream. */
#include "base/size.h"
#include "engine/elementwise.h"
#include "engine/engine_int.h"
#include "model/kinds.h"
#include <string.h>

enum { SERIAL_TOKENS = 4 }; /* below this a pool job costs more than the work */

typedef struct {
    qz_engine *e;
    const float *x, *w;
    float *y;
    const float *u;
    size_t n, cols;
    qz_kv *kv;
    size_t layer, kv_layer;
    const qz_layer_weights *lw;
} row_job;

void qz_step_watch(qz_engine *e, const float *x, size_t n) {
    if (e->arith == QZ_ARITH_RUNTIME && !qz_mm_all_finite(e->mm, x, n)) atomic_store_explicit(&e->step.wild, true, memory_order_relaxed);
}
qz_status qz_step_overflow(const qz_engine *e, size_t layer, qz_error *err) {
    QZ_TRY(qz_model_check_finite(NULL, e->model, err)); /* a weight that is none is the cause: its tensor is named */
    return qz_fail(err, QZ_ENUMERIC, "values that are not finite: model '%s', layer %zu (of 0 to %zu) is the first: its values overflow float32; check its weights "
                   "('quantz verify', 'quantz check --deep') and the configuration", e->model->path, layer, (size_t)e->model->config.layers - 1);
}
qz_status qz_step_tame(qz_engine *e, size_t layer, qz_error *err) {
    return atomic_exchange_explicit(&e->step.wild, false, memory_order_relaxed) ? qz_step_overflow(e, layer, err) : QZ_OK;
}

static void run_rows(qz_engine *e, qz_pool_fn fn, row_job *j) {
    qz_pool_run(j->n < SERIAL_TOKENS ? NULL : e->run->pool, 0, fn, j);
}

static void norm_worker(void *arg, qz_part part) {
    const row_job *j = arg;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    float eps = (float)j->e->model->config.rms_norm_eps;
    for (size_t t = lo; t < hi; t++) {
        qz_mm_rms_norm(j->e->mm, j->x + t * j->cols, j->w, j->cols, eps, j->y + t * j->cols);
        qz_step_watch(j->e, j->y + t * j->cols, j->cols);
    }
}
void qz_step_norm(qz_engine *e, const float *x, const float *w, size_t n, float *h) {
    row_job j = {.e = e, .x = x, .w = w, .y = h, .n = n, .cols = e->model->config.hidden_size};
    run_rows(e, norm_worker, &j);
}

static void gate_worker(void *arg, qz_part part) {
    const row_job *j = arg;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t t = lo; t < hi; t++) {
        qz_gate_mul(j->e->mm, j->e->model->config.act, j->y + t * j->cols, j->u + t * j->cols, j->cols);
        qz_step_watch(j->e, j->y + t * j->cols, j->cols);
    }
}
static void add_worker(void *arg, qz_part part) {
    const row_job *j = arg;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t t = lo; t < hi; t++) {
        qz_add_rows(j->y + t * j->cols, j->x + t * j->cols, j->cols);
        if (!qz_mm_all_finite(j->e->mm, j->y + t * j->cols, j->cols)) atomic_store_explicit(&j->e->step.wild, true, memory_order_relaxed);
    }
}

qz_status qz_step_linears(qz_engine *e, const qz_layer_weights *w, size_t first, size_t n_which, const float *x,
                          size_t n, float *const *y, qz_error *err) {
    if (e->arith == QZ_ARITH_RUNTIME && w->packed[first] != NULL) {
        const qz_packed *p[QZ_LINEARS] = {0};
        for (size_t i = 0; i < n_which; i++) p[i] = w->packed[first + i];
        QZ_TRY(qz_mm_packed(e->mm, p, n_which, x, n, y, err));
    } else {
        for (size_t i = 0; i < n_which; i++) QZ_TRY(qz_mm_exact(e->mm, &w->lin[first + i], x, n, y[i], err));
    }
    for (size_t i = 0; i < n_which; i++) {
        const float *b = w->bias[first + i];
        size_t rows = w->lin[first + i].rows;
        if (b == NULL) continue;
        for (size_t t = 0; t < n; t++) qz_add_rows(y[i] + t * rows, b, rows);
    }
    return QZ_OK;
}

/* q/k norms and rotation for one token, then its keys and values go to the cache. */
static void place_token(const row_job *j, const qz_seq_run *r, size_t t) {
    qz_engine *e = j->e;
    const qz_config *c = &e->model->config;
    size_t d = c->head_dim, pos = r->past + (t - r->first);
    const float *table = j->kv->rope_local && c->layer_sliding[j->layer] ? j->kv->rope_local : j->kv->rope;
    const float *cs = qz_rope_by_call(c) ? e->step.rope + t * d : table + pos * d;
    const float *q_norm = j->lw->norm[QZ_NORM_Q], *k_norm = j->lw->norm[QZ_NORM_K];
    void (*rope)(float *, const float *, size_t) = c->rope.interleaved ? qz_rope_interleaved : qz_rope_half;
    const size_t half = c->layer_no_rope[j->layer] ? 0 : c->rotary_dim / 2;
    float eps = (float)c->rms_norm_eps;
    float *q = e->step.q + t * c->heads * d, *k = e->step.k + t * c->kv_heads * d, *v = e->step.v + t * c->kv_heads * d;
    for (size_t h = 0; h < c->heads; h++) {
        if (q_norm) qz_mm_rms_norm(e->mm, q + h * d, q_norm, d, eps, q + h * d);
        rope(q + h * d, cs, half);
    }
    for (size_t h = 0; h < c->kv_heads; h++) {
        if (k_norm) qz_mm_rms_norm(e->mm, k + h * d, k_norm, d, eps, k + h * d);
        rope(k + h * d, cs, half);
        const size_t at = qz_kv_slot(j->kv, j->kv_layer, r->seq, h) + pos * d;
        if (j->kv->type == QZ_KV_EXACT) {
            memcpy((float *)j->kv->k + at, k + h * d, d * sizeof *k);
            memcpy((float *)j->kv->v + at, v + h * d, d * sizeof *v);
        } else {
            qz_mm_to_f16(e->mm, k + h * d, d, (uint16_t *)j->kv->k + at);
            qz_mm_to_f16(e->mm, v + h * d, d, (uint16_t *)j->kv->v + at);
            if (qz_infinite_f16((const uint16_t *)j->kv->k + at, d) || qz_infinite_f16((const uint16_t *)j->kv->v + at, d))
                atomic_store_explicit(&e->step.beyond, true, memory_order_relaxed);
        }
    }
}
static void place_worker(void *arg, qz_part part) {
    const row_job *j = arg;
    const qz_step *s = &j->e->step;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t r = 0; r < s->n_runs; r++) {
        size_t a = qz_max_size(lo, s->runs[r].first), b = qz_min_size(hi, s->runs[r].first + s->runs[r].n);
        for (size_t t = a; t < b; t++) place_token(j, &s->runs[r], t);
    }
}

void qz_step_observe(const qz_engine *e, size_t layer, size_t input, const float *x, size_t n, size_t cols) {
    if (e->observe) e->observe(e->observe_arg, &(qz_observed){layer, input, x, n, cols});
}
/* The input of linear `first` and those beside it: shown to the observer, and checked. */
static qz_status open_input(qz_engine *e, size_t layer, const qz_layer_weights *w, size_t first, const float *x, size_t n,
                            qz_error *err) {
    qz_step_observe(e, layer, qz_input_of(&e->inputs, layer, first, -1), x, n, w->lin[first].cols);
    return qz_step_tame(e, layer, err);
}

const char *qz_engine_kernel(const qz_engine *e) {
    const qz_layer_weights *w = &e->layers[0];
    const qz_packed *p = w->packed[QZ_MLP_GATE];
    if (p == NULL && w->expert_packed[QZ_MLP_GATE]) p = w->expert_packed[QZ_MLP_GATE][0]; /* a layer of experts has no gate of its own */
    return p ? qz_packed_kernel(p) : "float32 exact";
}

/* A float16 cache would make infinity of a finite key or value, and attention could hide it. What is not finite already shows at the
 * block's end. */
static qz_status check_cached(qz_engine *e, const qz_kv *kv, size_t layer, size_t n, qz_error *err) {
    if (!atomic_exchange_explicit(&e->step.beyond, false, memory_order_relaxed)) return QZ_OK;
    const size_t width = kv->kv_heads * kv->head_dim;
    const float *const what[] = {e->step.k, e->step.v};
    for (int i = 0; i < 2; i++) {
        const float x = qz_beyond_f16(what[i], n * width);
        if (x != 0)
            return qz_fail(err, QZ_ENUMERIC, "a %s is beyond float16, in which runtime arithmetic keeps the cache: model '%s', layer %zu: expected below 65520, found %g; use --arith exact, "
                           "and check its weights ('quantz verify', 'quantz check --deep') if no sound model has such values",
                           i ? "value" : "key", e->model->path, layer, (double)x);
    }
    return QZ_OK;
}

qz_status qz_step_attention(qz_engine *e, qz_kv *kv, size_t layer, size_t kv_layer, const qz_layer_weights *w, const float *h, size_t n,
                            float *y, qz_error *err) {
    qz_step *s = &e->step;
    float *const out[] = {[QZ_ATTN_Q] = s->q, [QZ_ATTN_K] = s->k, [QZ_ATTN_V] = s->v};
    QZ_TRY(open_input(e, layer, w, QZ_ATTN_Q, h, n, err));
    QZ_TRY(qz_step_linears(e, w, QZ_ATTN_Q, 3, h, n, out, err));
    row_job j = {.e = e, .n = n, .kv = kv, .layer = layer, .kv_layer = kv_layer, .lw = w};
    run_rows(e, place_worker, &j);
    QZ_TRY(check_cached(e, kv, layer, n, err));
    QZ_TRY(qz_step_attend(e, kv, layer, kv_layer, err));
    QZ_TRY(open_input(e, layer, w, QZ_ATTN_O, s->att, n, err));
    return qz_step_linears(e, w, QZ_ATTN_O, 1, s->att, n, &y, err);
}

qz_status qz_step_mlp(qz_engine *e, size_t layer, const qz_layer_weights *w, const float *h, size_t n, float *y, qz_error *err) {
    qz_step *s = &e->step;
    if (qz_config_sparse(&e->model->config, layer)) return qz_step_experts(e, layer, w, h, n, y, err);
    float *const out[] = {s->gate, s->up};
    QZ_TRY(open_input(e, layer, w, QZ_MLP_GATE, h, n, err));
    QZ_TRY(qz_step_linears(e, w, QZ_MLP_GATE, 2, h, n, out, err));
    row_job j = {.e = e, .n = n, .cols = e->model->config.intermediate_size, .y = s->gate, .u = s->up};
    run_rows(e, gate_worker, &j);
    QZ_TRY(open_input(e, layer, w, QZ_MLP_DOWN, s->gate, n, err));
    return qz_step_linears(e, w, QZ_MLP_DOWN, 1, s->gate, n, &y, err);
}

/* out goes to the residual stream, through a norm of its own where the family has one. */
static void add_to_stream(qz_engine *e, const float *norm, float *x, size_t n) {
    row_job add = {.e = e, .n = n, .cols = e->model->config.hidden_size, .x = e->step.out, .y = x};
    if (norm) qz_step_norm(e, e->step.out, norm, n, e->step.out);
    run_rows(e, add_worker, &add);
}

qz_status qz_step_block(qz_engine *e, qz_kv *kv, size_t layer, size_t kv_layer, const qz_layer_weights *w, float *x, size_t n, qz_error *err) {
    qz_step *s = &e->step;
    atomic_store_explicit(&s->wild, false, memory_order_relaxed); /* nothing stays from a call that failed */
    atomic_store_explicit(&s->beyond, false, memory_order_relaxed);
    qz_step_norm(e, x, w->norm[QZ_NORM_ATTN], n, s->h);
    QZ_TRY(qz_step_attention(e, kv, layer, kv_layer, w, s->h, n, s->out, err));
    add_to_stream(e, w->norm[QZ_NORM_ATTN_OUT], x, n);
    qz_step_norm(e, x, w->norm[QZ_NORM_FFN], n, s->h);
    QZ_TRY(qz_step_mlp(e, layer, w, s->h, n, s->out, err));
    add_to_stream(e, w->norm[QZ_NORM_FFN_OUT], x, n);
    return qz_step_tame(e, layer, err);
}
