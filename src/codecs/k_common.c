/* Shared parts of Q4_K and Q5_K (k_common.h). */
#include "codecs/k_common.h"

void qz_k_put_pairs(const uint8_t sc[8], const uint8_t m[8], uint8_t out[12]) {
    for (size_t b = 0; b < 4; ++b) {
        out[b] = (uint8_t)(sc[b] | (sc[b + 4] >> 4) << 6);
        out[b + 4] = (uint8_t)(m[b] | (m[b + 4] >> 4) << 6);
        out[b + 8] = (uint8_t)((sc[b + 4] & 15) | (m[b + 4] & 15) << 4);
    }
}

/* Scale codes without importance: the largest gets 63. Returns the step. */
static float codes_by_max(const float *v, uint8_t *codes) {
    float max = 0;
    for (size_t b = 0; b < 8; ++b) max = v[b] > max ? v[b] : max;
    float inv = max > 0 ? 63.0f / max : 0;
    for (size_t b = 0; b < 8; ++b) {
        uint8_t c = (uint8_t)qz_nearest(inv * v[b]);
        codes[b] = c < 63 ? c : 63;
    }
    return max / 63.0f;
}

void qz_k45_search(const float *x, const float *importance, const qz_search_grid *plain, qz_k_found *f) {
    const qz_search_grid grid = importance ? qz_grid_weighted(plain->nmax) : *plain;
    float w[32], sigma2 = importance ? 2 * qz_sum_squares(x, QZ_K) / QZ_K : 0;
    for (size_t b = 0; b < 8; ++b) {
        const float *v = x + 32 * b;
        if (importance) {
            f->sw[b] = qz_importance_weights(v, importance + 32 * b, 32, sigma2, w);
        } else {
            float av = sqrtf(qz_sum_squares(v, 32) / 32);
            for (size_t j = 0; j < 32; ++j) w[j] = av + fabsf(v[j]);
        }
        f->scales[b] = qz_search_asym(32, &grid, v, w, f->codes + 32 * b, &f->mins[b]);
    }
}

void qz_k45_finish(const float *x, bool weighted, int nmax, qz_k_found *f, uint8_t *head) {
    uint8_t sc[8], m[8];
    qz_f16_put(head, weighted ? qz_search_pos(8, 63, f->scales, f->sw, sc) : codes_by_max(f->scales, sc));
    qz_f16_put(head + 2, weighted ? qz_search_pos(8, 63, f->mins, f->sw, m) : codes_by_max(f->mins, m));
    qz_k_put_pairs(sc, m, head + 4);
    float d = qz_f16_at(head), dmin = qz_f16_at(head + 2);
    for (size_t b = 0; b < 8; ++b) {
        float scale = d * (float)sc[b], min = dmin * (float)m[b];
        if (scale == 0) continue; /* the reference keeps the search's codes; they decode to -min */
        for (size_t j = 32 * b; j < 32 * b + 32; ++j)
            f->codes[j] = (uint8_t)qz_clamp_int(qz_nearest((x[j] + min) / scale), 0, nmax);
    }
}
