/* Search, encoder and decoder of IQ2 and IQ3 (iq_form.h, iq_search.h). */
#include "codecs/iq_search.h"
#include <float.h>

enum { POINT = 8, LEVELS = 8 }; /* most values of a point, most levels of a value */

void qz_iq_weigh(const float *x, const float *importance, size_t n, float sigma2, float *w) {
    if (importance) (void)qz_importance_weights(x, importance, n, sigma2, w);
    for (size_t i = 0; !importance && i < n; ++i) w[i] = x[i] * x[i];
}

/* Magnitudes of x [n] and a byte of signs for every eight. even: an odd number of minus signs turns the sign of the
 * value with the least weight·x², whose magnitude becomes negative. */
static void split(const float *x, const float *w, size_t n, bool even, float *magnitude, uint8_t *signs) {
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

/* magnitude ≈ result·(2·levels+1), levels on the grid. start: the scale if nothing fits; reach: what the tries divide,
 * the largest magnitude or an estimate of it. The result may be negative. */
static float search(const qz_iq_form *p, const float *magnitude, const float *w, float start, float reach,
                    uint8_t levels[QZ_IQ_MAX]) {
    const qz_iq_grid *g = p->grid;
    const size_t n = p->group, size = g->size, points = n / size;
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

/* What is stored of a group. */
static void search_group(const qz_iq_form *t, const float *x, const float *w, qz_iq_found *f) {
    float magnitude[QZ_IQ_MAX];
    uint8_t l[QZ_IQ_MAX];
    *f = (qz_iq_found){.none = true};
    split(x, w, t->group, t->even, magnitude, f->g.signs);
    float max = magnitude[0];
    for (size_t i = 1; i < t->group; ++i) max = max > magnitude[i] ? max : magnitude[i];
    if (t->least > 0 ? max < t->least : qz_signed_max(x, t->group) == 0) return;
    float start, reach = max;
    if (t->start > 0) start = max / t->start;
    else {
        start = qz_search_pos(t->group, t->grid->base + 1, magnitude, w, l);
        reach = start * (float)t->grid->base;
        if (!(reach > 0)) return;
    }
    f->scale = search(t, magnitude, w, start, reach, l);
    f->none = false;
    for (size_t k = 0; k < t->group / t->grid->size; ++k) {
        const int32_t at = t->grid->place[qz_iq_key(t->grid, l + k * t->grid->size)];
        f->g.points[k] = (uint16_t)(at < 0 ? 0 : at); /* off the grid: cannot be after a search */
    }
}

void qz_iq_finish(const qz_iq_form *t, bool moved, const qz_iq_found *found, uint8_t *block) {
    const size_t groups = QZ_IQ_BLOCK / t->group;
    float most = 0;
    for (size_t b = 0; b < groups; ++b) {
        const float scale = found[b].none ? 0 : fabsf(found[b].scale);
        most = scale > most ? scale : most;
    }
    memset(block, 0, t->bytes);
    if (most == 0 && !t->keep) return;
    const float d = most / 31, id = 1 / d;
    if (most != 0) qz_f16_put(block, d * t->factor);
    for (size_t b = 0, zeros = 0; b < groups; ++b) {
        if (found[b].none) {
            zeros += moved;
            continue;
        }
        qz_iq_group g = found[b].g;
        for (size_t k = 0; found[b].scale < 0 && k < t->group / 8; ++k) g.signs[k] = (uint8_t)~g.signs[k];
        g.scale = most != 0 ? qz_iq_scale_code(id, fabsf(found[b].scale), 15) : 0;
        t->put(&g, b, b - zeros, block);
    }
}

void qz_iq_encode(const qz_iq_form *t, bool moved, const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float w[QZ_IQ_MAX];
    qz_iq_found found[QZ_IQ_GROUPS];
    for (size_t k = 0; k < cols; k += QZ_IQ_BLOCK, o += t->bytes) {
        const float sigma2 = t->spread * qz_sum_squares(x, QZ_IQ_BLOCK) / QZ_IQ_BLOCK;
        for (size_t b = 0; b < QZ_IQ_BLOCK / t->group; ++b, x += t->group) {
            qz_iq_weigh(x, importance ? importance + k + t->group * b : NULL, t->group, sigma2, w);
            for (size_t i = 0; !importance && t->floored && i < t->group; ++i) w[i] = 0.25f * sigma2 + x[i] * x[i];
            search_group(t, x, w, &found[b]);
        }
        qz_iq_finish(t, moved, found, o);
    }
}

void qz_iq_decode(const qz_iq_form *t, const void *in, size_t cols, float *y) {
    const size_t size = t->grid->size;
    const uint8_t *p = in;
    qz_iq_group g;
    for (size_t k = 0; k < cols; k += QZ_IQ_BLOCK, p += t->bytes)
        for (size_t b = 0; b < QZ_IQ_BLOCK / t->group; ++b) {
            t->get(p, b, &g);
            const float scale = qz_f16_at(p) * (float)(2 * g.scale + 1) * t->unit;
            for (size_t l = 0; l < t->group / size; ++l) {
                const int8_t *v = t->grid->values + g.points[l] * size;
                const unsigned signs = (unsigned)g.signs[l * size / 8] >> l * size % 8;
                for (size_t i = 0; i < size; ++i, ++y)
                    *y = scale * (float)v[i] * (signs >> i & 1u ? -1.0f : 1.0f);
            }
        }
}
