/* Searches of the IQ2 and IQ3 encoders (iq_search.h). */
#include "codecs/iq_search.h"
#include <float.h>

enum { POINT = 8, LEVELS = 8 }; /* most values of a point, most levels of a value */

void qz_iq_split(const float *x, const float *w, size_t n, bool even, float *magnitude, uint8_t *signs) {
    for (size_t k = 0; k < n; k += 8) {
        unsigned s = 0;
        for (size_t i = 0; i < 8; ++i) {
            bool minus = !(x[k + i] >= 0);
            magnitude[k + i] = minus ? -x[k + i] : x[k + i];
            s |= (unsigned)minus << i;
        }
        if (even && __builtin_popcount(s) % 2) {
            size_t at = 0;
            float least = w[k] * x[k] * x[k];
            for (size_t i = 1; i < 8; ++i) {
                float v = w[k + i] * x[k + i] * x[k + i];
                if (v < least) {
                    least = v;
                    at = i;
                }
            }
            magnitude[k + at] = -magnitude[k + at];
            s ^= 1u << at;
        }
        signs[k / 8] = (uint8_t)s;
    }
}

void qz_iq_weigh(const float *x, const float *importance, size_t n, float sigma2, float *w) {
    if (importance) (void)qz_importance_weights(x, importance, n, sigma2, w);
    for (size_t i = 0; !importance && i < n; ++i) w[i] = x[i] * x[i];
}

float qz_iq_max(const float *magnitude, size_t n) {
    float max = magnitude[0];
    for (size_t i = 1; i < n; ++i) max = max > magnitude[i] ? max : magnitude[i];
    return max;
}

/* The candidate of least Σ (root weight)·(scale·(2l+1) − magnitude)², the first of equals. */
static const uint8_t *best_near(const qz_iq_grid *g, const uint16_t *list, size_t n, const float *magnitude,
                                const float *root, float scale) {
    float best = FLT_MAX, cost[POINT][LEVELS]; /* of each value under each level: few, asked for often */
    const uint8_t *found = g->levels + (size_t)list[0] * g->size;
    for (size_t i = 0; i < g->size; ++i)
        for (int l = 0; l < g->base; ++l) {
            const float d = scale * (float)(2 * l + 1) - magnitude[i];
            cost[i][l] = root[i] * d * d;
        }
    for (size_t c = 0; c < n; ++c) {
        const uint8_t *l = g->levels + (size_t)list[c] * g->size;
        float sum = 0;
        for (size_t i = 0; i < g->size; ++i) sum += cost[i][l[i]];
        if (sum < best) {
            best = sum;
            found = l;
        }
    }
    return found;
}

/* Levels of one point for a scale; returns whether rounding alone met the grid. */
static bool round_point(const qz_iq_grid *g, const float *magnitude, const float *root, float id, float scale,
                        uint8_t *levels) {
    const uint16_t *list;
    size_t n;
    for (size_t i = 0; i < g->size; ++i)
        levels[i] = (uint8_t)qz_clamp_int(qz_nearest(0.5f * (id * magnitude[i] - 1)), 0, g->base - 1);
    if (qz_iq_find(g, levels, &list, &n) >= 0) return true;
    memcpy(levels, best_near(g, list, n, magnitude, root, scale), g->size);
    return false;
}

static void fit(size_t n, const float *magnitude, const float *w, const uint8_t *levels, float *sumqx, float *sumq2) {
    float qx = 0, q2 = 0;
    for (size_t i = 0; i < n; ++i) {
        float q = (float)(2 * levels[i] + 1);
        qx += w[i] * magnitude[i] * q;
        q2 += w[i] * q * q;
    }
    *sumqx = qx;
    *sumq2 = q2;
}

float qz_iq_search(const qz_iq_plan *p, size_t n, const float *magnitude, const float *w, float start, float reach,
                   uint8_t levels[QZ_IQ_MAX]) {
    const qz_iq_grid *g = p->grid;
    const size_t size = g->size, points = n / size;
    bool on[QZ_IQ_MAX / 4], on_trial[QZ_IQ_MAX / 4], off = false;
    uint8_t trial[QZ_IQ_MAX];
    float root[QZ_IQ_MAX], scale = start, best = 0, qx, q2;
    const float most = (float)(2 * g->base - 1);
    memset(levels, 0, n);
    for (size_t i = 0; i < n; ++i) root[i] = sqrtf(w[i]);
    for (size_t k = 0; k < points; ++k) on[k] = p->redo == QZ_IQ_REDO_OFF_GRID;
    for (int s = -p->tries; s <= p->tries; ++s) {
        float id = (most + (float)s * p->step) / reach, at = 1 / id;
        for (size_t k = 0; k < points; ++k)
            on_trial[k] = round_point(g, magnitude + k * size, root + k * size, id, at, trial + k * size);
        fit(n, magnitude, w, trial, &qx, &q2);
        if (q2 > 0 && qx * qx > best * q2) {
            scale = qx / q2;
            best = scale * qx;
            memcpy(levels, trial, n);
            memcpy(on, on_trial, sizeof on);
        }
    }
    for (size_t k = 0; k < points; ++k) off = off || !on[k];
    if (!(scale > 0) || (p->redo != QZ_IQ_REDO_ALL && !off)) return scale;
    const float id = 1 / scale;
    for (size_t k = 0; k < points; ++k)
        if (p->redo != QZ_IQ_REDO_OFF_GRID || !on[k])
            (void)round_point(g, magnitude + k * size, root + k * size, id, scale, levels + k * size);
    fit(n, magnitude, w, levels, &qx, &q2);
    return q2 > 0 ? qx / q2 : scale;
}
