/* A feed-forward of experts: each token goes through the few that its router scores choose (formats/families.md section
 * 5). The tokens of an expert are gathered, so a product reads its matrix once; a token's sum runs over its experts in
 * their order, so neither batch nor threads change a bit. Scores are float products in both arithmetics. */
#include "base/mathx.h"
#include "base/size.h"
#include "engine/elementwise.h"
#include "engine/engine_int.h"
#include "model/kinds.h"
#include <math.h>
#include <string.h>

typedef struct {
    qz_engine *e;
    const float *h;
    float *y;
    size_t n;
    const uint32_t *token;
    const float *weight;
} rows_job;

/* Softmax over all scores, the largest `used` (ties: the lower index), their weights; the rest gets weight 0. */
static void choose(const qz_config *c, float *score) {
    const size_t n = (size_t)c->experts;
    float max = score[0], sum = 0, kept = 0;
    for (size_t i = 1; i < n; i++) max = score[i] > max ? score[i] : max;
    for (size_t i = 0; i < n; i++) sum += score[i] = qz_expf(score[i] - max);
    for (size_t i = 0; i < n; i++) score[i] /= sum;
    bool used[QZ_MAX_EXPERTS] = {false};
    for (size_t k = 0; k < c->experts_used; k++) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (!used[i] && (best == n || score[i] > score[best])) best = i;
        used[best] = true;
        kept += score[best];
    }
    for (size_t i = 0; i < n; i++) score[i] = !used[i] ? 0 : c->norm_topk ? score[i] / kept : score[i];
}

static void choose_rows(void *arg, qz_part part) {
    const rows_job *j = arg;
    const qz_config *c = &j->e->model->config;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t t = lo; t < hi; t++) choose(c, j->y + t * (size_t)c->experts);
}

static void activate_rows(void *arg, qz_part part) {
    const rows_job *j = arg;
    const qz_config *c = &j->e->model->config;
    const size_t w = (size_t)c->expert_width;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t t = lo; t < hi; t++) {
        qz_gate_mul(j->e->mm, c->act, j->e->step.linear[QZ_MLP_GATE] + t * w, j->e->step.linear[QZ_MLP_UP] + t * w, w);
        qz_step_watch(j->e, j->e->step.linear[QZ_MLP_GATE] + t * w, w);
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

/* Tokens of expert x to the front of s->x; their number. */
static size_t gather(const qz_config *c, qz_expert_step *s, size_t x, const float *h, size_t n) {
    const size_t d = (size_t)c->hidden_size;
    size_t m = 0;
    for (size_t t = 0; t < n; t++) {
        const float weight = s->score[t * (size_t)c->experts + x];
        if (weight == 0) continue; /* not chosen, or chosen with nothing to add */
        memcpy(s->x + m * d, h + t * d, d * sizeof *h);
        s->token[m] = (uint32_t)t;
        s->weight[m++] = weight;
    }
    return m;
}

qz_status qz_step_experts(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    const size_t layer = at->layer;
    const qz_layer_weights *w = at->w;
    const qz_config *c = &e->model->config;
    qz_expert_step *s = &e->step.experts;
    QZ_TRY(qz_step_reserve_experts(e, n, err));
    qz_step_observe(e, layer, qz_input_of(&e->inputs, layer, QZ_MLP_GATE, -1), h, n, (size_t)c->hidden_size);
    QZ_TRY(qz_mm_exact(e->mm, &w->router, h, n, s->score, err));
    rows_job j = {.e = e, .y = s->score, .n = n};
    qz_pool_run(n > 4 ? e->run->pool : NULL, 0, choose_rows, &j);
    memset(y, 0, n * (size_t)c->hidden_size * sizeof *y);
    for (size_t x = 0; x < c->experts; x++) {
        const size_t m = gather(c, s, x, h, n);
        if (m == 0) continue;
        qz_step_observe(e, layer, qz_input_of(&e->inputs, layer, QZ_MLP_GATE, (long)x), s->x, m,
                        (size_t)c->hidden_size);
        const matrix gate = matrix_of(w, QZ_MLP_GATE, x), up = matrix_of(w, QZ_MLP_UP, x),
                     down = matrix_of(w, QZ_MLP_DOWN, x);
        const float *in = qz_step_rounded(e, gate.w, s->x, m);
        QZ_TRY(product(e, gate, in, m, e->step.linear[QZ_MLP_GATE], err));
        if (!qz_input_rounding_same(gate.w->inputs, up.w->inputs)) in = qz_step_rounded(e, up.w, s->x, m);
        QZ_TRY(product(e, up, in, m, e->step.linear[QZ_MLP_UP], err));
        j = (rows_job){.e = e, .n = m};
        qz_pool_run(m > 4 ? e->run->pool : NULL, 0, activate_rows, &j);
        QZ_TRY(qz_step_tame(e, layer, err));
        qz_step_observe(e, layer, qz_input_of(&e->inputs, layer, QZ_MLP_DOWN, (long)x), e->step.linear[QZ_MLP_GATE], m,
                        (size_t)c->expert_width);
        in = qz_step_rounded(e, down.w, e->step.linear[QZ_MLP_GATE], m);
        QZ_TRY(product(e, down, in, m, s->y, err));
        j = (rows_job){.e = e, .h = s->y, .y = y, .n = m, .token = s->token, .weight = s->weight};
        qz_pool_run(m > 4 ? e->run->pool : NULL, 0, add_rows, &j);
    }
    return QZ_OK;
}
