/* A feed-forward of experts: each token goes through the few that its router scores choose (formats/families.md section
 * 5). The tokens of an expert are gathered, so a product reads its matrix once; a token's sum runs over its experts in
 * their order, so neither batch nor threads change a bit. Scores are float products in both arithmetics. */
#include "base/mathx.h"
#include "base/size.h"
#include "engine/elementwise.h"
#include "engine/engine_int.h"
#include "engine/router.h"
#include "model/kinds.h"
#include <math.h>
#include <string.h>

typedef struct {
    qz_engine *e;
    const float *h;
    float *y;
    size_t n;
    const uint32_t *token;
    const float *weight, *bias;
} rows_job;

static void choose_rows(void *arg, qz_part part) {
    const rows_job *j = arg;
    const qz_config *c = &j->e->model->config;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t t = lo; t < hi; t++) {
        float *score = j->y + t * (size_t)c->experts;
        if (j->bias) qz_add_rows(score, j->bias, (size_t)c->experts);
        qz_route_token(c, j->weight, score);
    }
}

/* Gate and up (h) of what tokens make of an expert, or of the shared one: y = act(y)·h. */
typedef struct { qz_engine *e; float *gate; const float *up; size_t n, cols; } gate_job;
static void activate_rows(void *arg, qz_part part) {
    const gate_job *j = arg;
    const qz_config *c = &j->e->model->config;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t t = lo; t < hi; t++) {
        float *g = j->gate + t * j->cols;
        const float *u = j->up + t * j->cols;
        if (c->swiglu_limit > 0) qz_gate_clamped((float)c->swiglu_limit, (float)c->swiglu_alpha, g, u, j->cols);
        else qz_gate_mul(j->e->mm, c->act, g, u, j->cols);
        qz_step_watch(j->e, g, j->cols);
    }
}

static void add_rows(void *arg, qz_part part) {
    const rows_job *j = arg;
    const size_t d = (size_t)j->e->model->config.hidden_size;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; i++) {
        const float *x = j->h + i * d;
        float *y = j->y + (size_t)j->token[i] * d;
        if (j->weight[i] == 0) continue; /* it was only looked at */
        for (size_t k = 0; k < d; k++) y[k] += j->weight[i] * x[k];
    }
}

typedef struct { const qz_weights *w; const qz_packed *p; } matrix; /* p NULL: exact arithmetic */
static matrix matrix_of(const qz_layer_weights *w, size_t linear, size_t expert) {
    return (matrix){&w->expert[linear][expert], w->expert_packed[linear] ? w->expert_packed[linear][expert] : NULL};
}

/* x as the matrix takes it: qz_step_rounded. */
static qz_status product(qz_engine *e, matrix m, const float *x, size_t n, float *y, qz_error *err) {
    return m.p ? qz_mm_packed(e->mm, &m.p, 1, x, n, &y, err) : qz_mm_exact(e->mm, m.w, x, n, y, err);
}

qz_status qz_step_reserve_experts(qz_engine *e, size_t n, qz_error *err) {
    const qz_config *c = &e->model->config;
    qz_expert_step *s = &e->step.experts;
    size_t d = (size_t)c->hidden_size, a, b;
    if (c->experts == 0 || n <= s->cap) return QZ_OK;
    qz_expert_step_release(s);
    bool ok = qz_mul_size(n, d, &a) && qz_mul_size(n, (size_t)c->experts, &b);
    s->x = ok ? qz_alloc_aligned(a, sizeof *s->x) : NULL;
    s->y = ok ? qz_alloc_aligned(a, sizeof *s->y) : NULL;
    s->score = ok ? qz_alloc_aligned(b, sizeof *s->score) : NULL;
    s->weight = qz_alloc_array(n, sizeof *s->weight);
    s->token = qz_alloc_array(n, sizeof *s->token);
    if (!s->x || !s->y || !s->score || !s->weight || !s->token)
        return qz_fail(err, QZ_EMEMORY, "out of memory for a step of %zu tokens; use a smaller batch", n);
    s->cap = n;
    return QZ_OK;
}
void qz_expert_step_release(qz_expert_step *s) {
    qz_free(s->x);
    qz_free(s->y);
    qz_free(s->score);
    qz_free(s->weight);
    qz_free(s->token);
    *s = (qz_expert_step){0};
}

/* Tokens of expert x to the front of s->x, or all of them; their number. */
static size_t gather(const qz_config *c, qz_expert_step *s, size_t x, const float *h, size_t n, bool all) {
    const size_t d = (size_t)c->hidden_size;
    const bool scaled = qz_route_scales_input(c);
    size_t m = 0;
    for (size_t t = 0; t < n; t++) {
        const float weight = s->score[t * (size_t)c->experts + x];
        if (weight == 0 && !all) continue; /* not chosen, or chosen with nothing to add */
        float *to = s->x + m * d;
        memcpy(to, h + t * d, d * sizeof *h);
        for (size_t k = 0; scaled && k < d; k++) to[k] *= weight;
        s->token[m] = (uint32_t)t;
        s->weight[m++] = scaled ? 1 : weight;
    }
    return m;
}

/* To what a linear of expert x makes of n tokens `in`: its bias, and what adapters make of them. */
typedef struct { const qz_layer_weights *w; size_t linear, x, n; const float *in; } of_expert;
static qz_status add_beside(qz_engine *e, const of_expert *o, float *y, qz_error *err) {
    const size_t rows = o->w->expert[o->linear][o->x].rows;
    const float *b = o->w->expert_bias[o->linear];
    for (size_t t = 0; b && t < o->n; t++) qz_add_rows(y + t * rows, b + o->x * rows, rows);
    const qz_low *const *low = o->w->lora ? o->w->lora->expert[o->linear] : NULL;
    return low ? qz_step_low(e, low[o->x], o->in, o->n, y, err) : QZ_OK;
}

/* s->y = what expert x makes of the m gathered tokens. */
static qz_status run_expert(qz_engine *e, const qz_place *at, size_t x, size_t m, qz_error *err) {
    const qz_layer_weights *w = at->w;
    const qz_config *c = &e->model->config;
    qz_expert_step *s = &e->step.experts;
    float *gated = e->step.linear[QZ_MLP_GATE], *upper = e->step.linear[QZ_MLP_UP];
    const matrix gate = matrix_of(w, QZ_MLP_GATE, x), up = matrix_of(w, QZ_MLP_UP, x),
                 down = matrix_of(w, QZ_MLP_DOWN, x);
    qz_step_observe(e, at->layer, qz_input_of(&e->inputs, at->layer, QZ_MLP_GATE, (long)x), s->x, m,
                    (size_t)c->hidden_size);
    const float *in = qz_step_rounded(e, gate.w, s->x, m);
    QZ_TRY(product(e, gate, in, m, gated, err));
    if (!qz_input_rounding_same(gate.w->inputs, up.w->inputs)) in = qz_step_rounded(e, up.w, s->x, m);
    QZ_TRY(product(e, up, in, m, upper, err));
    QZ_TRY(add_beside(e, &(of_expert){w, QZ_MLP_GATE, x, m, s->x}, gated, err));
    QZ_TRY(add_beside(e, &(of_expert){w, QZ_MLP_UP, x, m, s->x}, upper, err));
    gate_job j = {.e = e, .gate = gated, .up = upper, .n = m, .cols = (size_t)c->expert_width};
    qz_pool_run(m > 4 ? e->run->pool : NULL, 0, activate_rows, &j);
    QZ_TRY(qz_step_tame(e, at->layer, err));
    qz_step_observe(e, at->layer, qz_input_of(&e->inputs, at->layer, QZ_MLP_DOWN, (long)x), gated, m,
                    (size_t)c->expert_width);
    in = qz_step_rounded(e, down.w, gated, m);
    QZ_TRY(product(e, down, in, m, s->y, err));
    return add_beside(e, &(of_expert){w, QZ_MLP_DOWN, x, m, gated}, s->y, err);
}

/* Each token's gate, the sigmoid of a row's product, or 1. */
static void shared_weights(const qz_layer_weights *w, const qz_config *c, const float *h, size_t n, float *weight) {
    const float *row = w->part[QZ_SHARED_GATE_ROW];
    const size_t d = (size_t)c->hidden_size;
    for (size_t t = 0; t < n; t++) {
        float z = 0;
        for (size_t k = 0; row && k < d; k++) z = fmaf(h[t * d + k], row[k], z);
        weight[t] = row ? 1 / (1 + qz_expf(-z)) : 1;
    }
}

/* What all tokens go through besides: added to y. */
static qz_status run_shared(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    qz_expert_step *s = &e->step.experts;
    const qz_config *c = &e->model->config;
    float *const out[] = {e->step.linear[QZ_SHARED_GATE], e->step.linear[QZ_SHARED_UP]};
    QZ_TRY(qz_step_input(e, at, QZ_SHARED_GATE, h, n, err));
    QZ_TRY(qz_step_linears(e, at->w, (qz_linears){QZ_SHARED_GATE, 2}, h, n, out, err));
    gate_job g = {.e = e, .gate = out[0], .up = out[1], .n = n, .cols = (size_t)c->shared_width};
    qz_step_rows(e, activate_rows, n, &g);
    QZ_TRY(qz_step_input(e, at, QZ_SHARED_DOWN, out[0], n, err));
    QZ_TRY(qz_step_linears(e, at->w, (qz_linears){QZ_SHARED_DOWN, 1}, out[0], n, &s->y, err));
    shared_weights(at->w, c, h, n, s->weight);
    for (size_t t = 0; t < n; t++) s->token[t] = (uint32_t)t;
    rows_job j = {.e = e, .h = s->y, .y = y, .n = n, .token = s->token, .weight = s->weight};
    qz_step_rows(e, add_rows, n, &j);
    return QZ_OK;
}

qz_status qz_step_choose(qz_engine *e, const qz_place *at, const float *x, size_t n, qz_choice by, qz_error *err) {
    const qz_config *c = &e->model->config;
    qz_expert_step *s = &e->step.experts;
    QZ_TRY(qz_step_reserve_experts(e, n, err));
    QZ_TRY(qz_mm_exact(e->mm, &at->w->router, x, n, s->score, err));
    rows_job j = {.e = e, .y = s->score, .n = n, .weight = by.correction, .bias = at->w->router_bias};
    qz_pool_run(n > 4 ? e->run->pool : NULL, 0, choose_rows, &j);
    for (size_t i = 0; by.scale && i < n * c->experts; i++) s->score[i] *= by.scale[i % c->experts];
    return QZ_OK;
}

qz_status qz_step_chosen(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    const qz_config *c = &e->model->config;
    qz_expert_step *s = &e->step.experts;
    memset(y, 0, n * (size_t)c->hidden_size * sizeof *y);
    for (size_t x = 0; x < c->experts; x++) {
        const size_t m = gather(c, s, x, h, n, e->route_all && e->observe && !qz_route_scales_input(c));
        if (m == 0) continue;
        QZ_TRY(run_expert(e, at, x, m, err));
        rows_job j = {.e = e, .h = s->y, .y = y, .n = m, .token = s->token, .weight = s->weight};
        qz_pool_run(m > 4 ? e->run->pool : NULL, 0, add_rows, &j);
    }
    return QZ_OK;
}

qz_status qz_step_experts(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    const qz_config *c = &e->model->config;
    qz_step_observe(e, at->layer, qz_input_of(&e->inputs, at->layer, QZ_MLP_GATE, -1), h, n, (size_t)c->hidden_size);
    QZ_TRY(qz_step_choose(e, at, h, n, (qz_choice){.correction = at->w->part[QZ_ROUTER_CORRECTION]}, err));
    QZ_TRY(qz_step_chosen(e, at, h, n, y, err));
    return c->shared_width ? run_shared(e, at, h, n, y, err) : QZ_OK;
}
