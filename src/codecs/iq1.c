/* Shared parts of IQ1_S and IQ1_M (iq1.h). */
#include "codecs/iq1.h"
#include <float.h>

void qz_iq1_sort(const float *x, size_t n, uint8_t *order) {
    for (size_t i = 0; i < n; ++i) {
        size_t at = i;
        for (; at > 0 && x[order[at - 1]] > x[i]; --at) order[at] = order[at - 1];
        order[at] = (uint8_t)i;
    }
}

/* The candidate of least Σ w·(scale·v − x)², the first of equals. */
static unsigned best_near(const uint16_t *list, size_t n, const float *x, const float *w, const float *v, float scale) {
    const qz_iq_grid *g = &qz_iq1_grid;
    float best = FLT_MAX;
    unsigned found = list[0];
    for (size_t c = 0; c < n; ++c) {
        const uint8_t *l = g->levels + (size_t)list[c] * 8;
        float sum = 0;
        for (size_t i = 0; i < 8; ++i) {
            float d = scale * v[l[i]] - x[i];
            sum += w[i] * d * d;
        }
        if (sum < best) {
            best = sum;
            found = list[c];
        }
    }
    return found;
}

void qz_iq1_to_points(size_t n, const float *x, const float *w, qz_iq1_split *f, uint16_t *points) {
    const qz_iq_grid *g = &qz_iq1_grid;
    bool all_on = true;
    for (size_t k = 0; k < n / 8; ++k) {
        const uint16_t *list;
        size_t count;
        int at = qz_iq_find(g, f->levels + 8 * k, &list, &count);
        if (at < 0) {
            all_on = false;
            at = (int)best_near(list, count, x + 8 * k, w + 8 * k, qz_iq1_values[f->down[2 * k * 8 / n]], f->scale);
        }
        points[k] = (uint16_t)at;
    }
    if (all_on) return;
    float qx = 0, q2 = 0;
    for (size_t i = 0; i < n; ++i) {
        float q = qz_iq1_values[f->down[2 * i / n]][g->levels[(size_t)points[i / 8] * 8 + i % 8]];
        qx += w[i] * q * x[i];
        q2 += w[i] * q * q;
    }
    if (qx > 0 && q2 > 0) f->scale = qx / q2;
}
