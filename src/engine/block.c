/* One decoder block (formats/families.md section 1, skeleton A): a mixer and a feed-forward around a
 * residual stream. */
#include "base/size.h"
#include "engine/elementwise.h"
#include "engine/engine_int.h"
#include "model/kinds.h"
#include <string.h>

enum { SERIAL_TOKENS = 4 }; /* below this a pool job costs more than the work */

typedef struct {
    qz_engine *e;
    const float *x;
    qz_gains w;
    float *y;
    size_t n, cols;
} row_job;

void qz_step_watch(qz_engine *e, const float *x, size_t n) {
    if (e->arith == QZ_ARITH_RUNTIME && !qz_mm_all_finite(e->mm, x, n))
        atomic_store_explicit(&e->step.wild, true, memory_order_relaxed);
}
qz_status qz_step_overflow(const qz_engine *e, size_t layer, qz_error *err) {
    QZ_TRY(qz_model_check_finite(NULL, e->model, err)); /* a weight that is none is the cause: its tensor is named */
    return qz_fail(err, QZ_ENUMERIC,
                   "values that are not finite: model '%s', layer %zu (of 0 to %zu) is the first: its values overflow "
                   "float32; check its weights "
                   "('quantz verify', 'quantz check --deep') and the configuration",
                   e->model->path, layer, (size_t)e->model->config.layers - 1);
}
qz_status qz_step_tame(qz_engine *e, size_t layer, qz_error *err) {
    return atomic_exchange_explicit(&e->step.wild, false, memory_order_relaxed) ? qz_step_overflow(e, layer, err)
                                                                                : QZ_OK;
}

void qz_step_rows(qz_engine *e, qz_pool_fn fn, size_t n, void *job) {
    qz_pool_run(n < SERIAL_TOKENS ? NULL : e->run->pool, 0, fn, job);
}

static void norm_worker(void *arg, qz_part part) {
    const row_job *j = arg;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    const qz_config *c = &j->e->model->config;
    const float eps = (float)c->rms_norm_eps;
    for (size_t t = lo; t < hi; t++) {
        const float *x = j->x + t * j->cols;
        if (c->norm_mean) qz_layer_norm(x, j->w.gain, j->w.bias, j->cols, eps, j->y + t * j->cols);
        else qz_mm_rms_norm(j->e->mm, x, j->w.gain, j->cols, eps, j->y + t * j->cols);
        qz_step_watch(j->e, j->y + t * j->cols, j->cols);
    }
}
void qz_step_norm(qz_engine *e, const float *x, qz_gains w, size_t n, float *h) {
    row_job j = {.e = e, .x = x, .w = w, .y = h, .n = n, .cols = e->model->config.hidden_size};
    qz_step_rows(e, norm_worker, j.n, &j);
}

static void add_worker(void *arg, qz_part part) {
    const row_job *j = arg;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t t = lo; t < hi; t++) {
        qz_add_rows(j->y + t * j->cols, j->x + t * j->cols, j->cols);
        if (!qz_mm_all_finite(j->e->mm, j->y + t * j->cols, j->cols))
            atomic_store_explicit(&j->e->step.wild, true, memory_order_relaxed);
    }
}

const float *qz_step_rounded(qz_engine *e, const qz_weights *w, const float *x, size_t n) {
    if (w->inputs == NULL) return x;
    qz_input_round(n < SERIAL_TOKENS ? NULL : e->run->pool, w->inputs, x, n, w->cols, e->step.rounded);
    return e->step.rounded;
}

static qz_status products(qz_engine *e, const qz_layer_weights *w, qz_linears which, const float *x, size_t n,
                          float *const *y, qz_error *err) {
    if (e->arith == QZ_ARITH_RUNTIME && w->packed[which.first] != NULL) {
        const qz_packed *p[QZ_LINEARS] = {0};
        for (size_t i = 0; i < which.count; i++) p[i] = w->packed[which.first + i];
        return qz_mm_packed(e->mm, p, which.count, x, n, y, err);
    }
    for (size_t i = 0; i < which.count; i++) QZ_TRY(qz_mm_exact(e->mm, &w->lin[which.first + i], x, n, y[i], err));
    return QZ_OK;
}

qz_status qz_step_linears(qz_engine *e, const qz_layer_weights *w, qz_linears which, const float *x, size_t n,
                          float *const *y, qz_error *err) {
    for (size_t i = 0, end; i < which.count; i = end) { /* those beside each other that take the same input */
        const qz_weights *first = &w->lin[which.first + i];
        for (end = i + 1; end < which.count; end++)
            if (!qz_input_rounding_same(first->inputs, w->lin[which.first + end].inputs)) break;
        QZ_TRY(products(e, w, (qz_linears){which.first + i, end - i}, qz_step_rounded(e, first, x, n), n, y + i, err));
    }
    for (size_t i = 0; i < which.count; i++) {
        const float *b = w->bias[which.first + i];
        size_t rows = w->lin[which.first + i].rows;
        for (size_t t = 0; b && t < n; t++) qz_add_rows(y[i] + t * rows, b, rows);
        if (w->lora) QZ_TRY(qz_step_low(e, w->lora->linear[which.first + i], x, n, y[i], err));
    }
    return QZ_OK;
}

void qz_step_observe(const qz_engine *e, size_t layer, size_t input, const float *x, size_t n, size_t cols) {
    if (e->observe) e->observe(e->observe_arg, &(qz_observed){layer, input, x, n, cols});
}
qz_status qz_step_input(qz_engine *e, const qz_place *at, size_t first, const float *x, size_t n, qz_error *err) {
    if (e->observe)
        qz_step_observe(e, at->layer, qz_input_of(&e->inputs, at->layer, first, -1), x, n, at->w->lin[first].cols);
    return qz_step_tame(e, at->layer, err);
}

/* Kinds that are only planned: no opener binds a family of theirs. */
qz_status qz_step_none(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    (void)h, (void)n, (void)y;
    return qz_fail(err, QZ_EBUG, "layer %zu of '%s' is of a kind that nothing here runs", at->layer, e->model->path);
}

qz_status qz_step_sub(qz_engine *e, qz_sub sub, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    static const qz_sub_step steps[QZ_KIND_COUNT] = {
#define QZ_KIND(id, sub, word, step) [QZ_KIND_##id] = qz_step_##step,
#include "model/kinds.def"
#undef QZ_KIND
    };
    return steps[qz_kind_of(&e->model->config, at->layer, sub)](e, at, h, n, y, err);
}

static void scale_worker(void *arg, qz_part part) {
    const row_job *j = arg;
    const float scale = (float)j->e->model->config.residual_scale;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t i = lo * j->cols; i < hi * j->cols; i++) j->y[i] *= scale;
}
void qz_engine_outcome(qz_engine *e, const qz_layer_weights *w, qz_sub sub, float *y, size_t n, float *x) {
    const qz_norm which = sub == QZ_SUB_MIXER ? QZ_NORM_ATTN_OUT : QZ_NORM_FFN_OUT;
    const size_t cols = e->model->config.hidden_size;
    row_job scale = {.e = e, .n = n, .cols = cols, .y = y}, add = {.e = e, .n = n, .cols = cols, .x = y, .y = x};
    if (sub == QZ_SUB_FFN && e->model->config.stream_ffn) {
        memcpy(x, y, n * cols * sizeof *y);
        if (!qz_mm_all_finite(e->mm, x, n * cols)) atomic_store_explicit(&e->step.wild, true, memory_order_relaxed);
        return;
    }
    if (w->norm[which]) qz_step_norm(e, y, (qz_gains){w->norm[which], w->norm_bias[which]}, n, y);
    if (e->model->config.residual_scale > 0) qz_step_rows(e, scale_worker, n, &scale);
    qz_step_rows(e, add_worker, n, &add);
}

void qz_engine_income(qz_engine *e, const qz_layer_weights *w, qz_sub sub, const float *x, size_t n, float *h) {
    const qz_norm which = sub == QZ_SUB_MIXER || e->model->config.parallel ? QZ_NORM_ATTN : QZ_NORM_FFN;
    const bool stream = sub == QZ_SUB_FFN && e->model->config.stream_ffn;
    if (w->norm[which] && !stream) qz_step_norm(e, x, (qz_gains){w->norm[which], w->norm_bias[which]}, n, h);
    else memcpy(h, x, n * (size_t)e->model->config.hidden_size * sizeof *x);
}

qz_status qz_step_block(qz_engine *e, const qz_place *at, float *x, size_t n, qz_error *err) {
    qz_step *s = &e->step;
    const qz_layer_weights *w = at->w;
    atomic_store_explicit(&s->wild, false, memory_order_relaxed); /* nothing stays from a call that failed */
    atomic_store_explicit(&s->beyond, false, memory_order_relaxed);
    qz_engine_income(e, w, QZ_SUB_MIXER, x, n, s->h);
    QZ_TRY(qz_step_sub(e, QZ_SUB_MIXER, at, s->h, n, s->out, err));
    qz_engine_outcome(e, w, QZ_SUB_MIXER, s->out, n, x);
    if (!e->model->config.parallel) qz_engine_income(e, w, QZ_SUB_FFN, x, n, s->h); /* else it is there still */
    QZ_TRY(qz_step_sub(e, QZ_SUB_FFN, at, s->h, n, s->out, err));
    qz_engine_outcome(e, w, QZ_SUB_FFN, s->out, n, x);
    return qz_step_tame(e, at->layer, err);
}
