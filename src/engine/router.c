#include "engine/router.h"
#include "base/mathx.h"
#include <math.h>

static size_t largest(const float *x, const bool *out, size_t n) {
    size_t best = n;
    for (size_t i = 0; i < n; i++)
        if (!out[i] && (best == n || x[i] > x[best])) best = i;
    return best;
}

/* Experts outside the kept groups are marked; a group counts as much as its two largest together, or as its
 * largest. */
static void mark_groups(const qz_config *c, const float *by, bool *out) {
    const size_t groups = (size_t)c->groups, n = (size_t)c->experts / (groups ? groups : 1);
    float score[QZ_MAX_EXPERTS];
    bool kept[QZ_MAX_EXPERTS] = {false};
    if (groups <= 1) return;
    for (size_t g = 0; g < groups; g++) {
        const float *x = by + g * n;
        float first = -INFINITY, second = -INFINITY;
        for (size_t i = 0; i < n; i++) {
            if (x[i] > first) second = first, first = x[i];
            else if (x[i] > second) second = x[i];
        }
        score[g] = c->group_max ? first : first + second;
    }
    for (size_t k = 0; k < c->groups_kept; k++) kept[largest(score, kept, groups)] = true;
    for (size_t i = 0; i < groups * n; i++) out[i] = !kept[i / n];
}

/* Keeps the weights of the experts_used largest of `by` (ties: the lower index). */
static void keep(const qz_config *c, const float *by, float *weight) {
    const size_t n = (size_t)c->experts;
    bool out[QZ_MAX_EXPERTS] = {false}, used[QZ_MAX_EXPERTS] = {false};
    float sum = 0;
    mark_groups(c, by, out);
    for (size_t k = 0; k < c->experts_used; k++) {
        const size_t best = largest(by, out, n);
        if (best == n) break; /* fewer than that are in the kept groups */
        out[best] = used[best] = true;
        sum += weight[best];
    }
    for (size_t i = 0; i < n; i++) {
        if (!used[i]) weight[i] = 0;
        else if (c->norm_topk) weight[i] /= sum + 1e-20F;
        if (c->route_scale > 0) weight[i] *= (float)c->route_scale;
    }
}

static void softmax(const qz_config *c, const float *correction, float *z) {
    const size_t n = (size_t)c->experts;
    float max = z[0], sum = 0;
    (void)correction;
    for (size_t i = 1; i < n; i++) max = z[i] > max ? z[i] : max;
    for (size_t i = 0; i < n; i++) sum += z[i] = qz_expf(z[i] - max);
    for (size_t i = 0; i < n; i++) z[i] /= sum;
    keep(c, z, z);
}

static float logistic(float z) { return 1.0F / (1.0F + qz_expf(-z)); }

/* The correction takes part in the choice alone. */
static void sigmoid(const qz_config *c, const float *correction, float *z) {
    float by[QZ_MAX_EXPERTS];
    for (size_t i = 0; i < c->experts; i++) {
        z[i] = logistic(z[i]);
        by[i] = z[i] + (correction ? correction[i] : 0);
    }
    keep(c, by, z);
}

/* The largest of those not yet taken; its weight is a softmax over those whose score is near it. */
static size_t sparse_pick(const qz_config *c, const float *z, const bool *taken, float *weight) {
    const size_t n = (size_t)c->experts, best = largest(z, taken, n);
    const float max = z[best];
    float sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float size = fabsf(z[i]) > max ? fabsf(z[i]) : max;
        if (taken[i] || (max - z[i]) / size > 2 * (float)c->route_jitter) continue; /* 0/0: it is the largest */
        sum += qz_expf(z[i] - max);
    }
    *weight = 1 / sum;
    return best;
}
static void sparsemixer(const qz_config *c, const float *correction, float *z) {
    bool taken[QZ_MAX_EXPERTS] = {false};
    float weight[2] = {0};
    size_t chosen[2] = {0};
    (void)correction;
    for (size_t k = 0; k < 2 && k < c->experts_used; k++) {
        chosen[k] = sparse_pick(c, z, taken, &weight[k]);
        taken[chosen[k]] = true;
    }
    for (size_t i = 0; i < c->experts; i++) z[i] = 0;
    for (size_t k = 0; k < 2 && k < c->experts_used; k++) z[chosen[k]] = weight[k];
}

static void of_input(const qz_config *c, const float *correction, float *z) {
    float by[QZ_MAX_EXPERTS];
    (void)correction;
    for (size_t i = 0; i < c->experts; i++) {
        by[i] = z[i];
        z[i] = logistic(z[i]);
    }
    keep(c, by, z);
}

void qz_route_token(const qz_config *c, const float *correction, float *score) {
    static void (*const rules[])(const qz_config *, const float *, float *) = {
        [QZ_ROUTE_SOFTMAX] = softmax, [QZ_ROUTE_SIGMOID] = sigmoid, [QZ_ROUTE_SPARSEMIXER] = sparsemixer,
        [QZ_ROUTE_INPUT] = of_input};
    rules[c->route](c, correction, score);
}
