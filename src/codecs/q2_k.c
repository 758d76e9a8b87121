/* Q2_K, 84 bytes for 256 values: scales[16] @0 (low nibble scale, high nibble min of 16 values), qs[64] @16, d f16 @80,
 * dmin f16 @82. Value e: bits 2j..2j+1 of qs[32·(e/128) + e%32], j = (e%128)/32. y = d·scale·q − dmin·min. */
#include "codecs/codecs_int.h"
#include "codecs/search.h"

enum { N = 256, BYTES = 84, QS = 16, D = 80, DMIN = 82 };
_Static_assert(BYTES == N / 16 + N / 4 + 2 + 2, "layout of q2_k");

/* Nibbles of the scales (or mins) without importance: the largest gets 15. Returns the step. */
static float nibbles_by_max(const float *v, uint8_t *codes) {
    float max = 0;
    for (size_t b = 0; b < 16; ++b) max = v[b] > max ? v[b] : max;
    memset(codes, 0, 16);
    if (!(max > 0)) return 0;
    float is = 15.0f / max;
    for (size_t b = 0; b < 16; ++b) codes[b] = (uint8_t)qz_nearest(is * v[b]);
    return max / 15.0f;
}

void qz_q2_k_finish(const float *x, bool weighted, qz_k_found *f, uint8_t *o) {
    uint8_t ls[16], lm[16];
    qz_f16_put(o + D, weighted ? qz_search_pos(16, 15, f->scales, f->sw, ls) : nibbles_by_max(f->scales, ls));
    qz_f16_put(o + DMIN, weighted ? qz_search_pos(16, 15, f->mins, f->sw, lm) : nibbles_by_max(f->mins, lm));
    for (size_t b = 0; b < 16; ++b) {
        o[b] = (uint8_t)(ls[b] | lm[b] << 4);
        float scale = qz_f16_at(o + D) * (float)(o[b] & 15), min = qz_f16_at(o + DMIN) * (float)(o[b] >> 4);
        if (scale == 0) continue; /* the search's codes stay, they decode to -min */
        for (size_t j = 16 * b; j < 16 * b + 16; ++j)
            f->codes[j] = (uint8_t)qz_clamp_int(qz_nearest((x[j] + min) / scale), 0, 3);
    }
    for (size_t l = 0; l < N / 4; ++l) {
        const uint8_t *c = f->codes + l / 32 * 128 + l % 32;
        o[QS + l] = (uint8_t)(c[0] | c[32] << 2 | c[64] << 4 | c[96] << 6);
    }
}

void qz_q2_k_encode(const float *x, const float *importance, size_t cols, void *out) {
    const qz_search_grid grid = importance ? qz_grid_weighted(3) : qz_grid_q2_k;
    uint8_t *o = out;
    qz_k_found f;
    float w[16];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        float sigma2 = importance ? qz_sum_squares(x, N) / N : 0;
        for (size_t b = 0; b < 16; ++b) {
            if (importance) f.sw[b] = qz_importance_weights(x + 16 * b, importance + k + 16 * b, 16, sigma2, w);
            for (size_t j = 0; !importance && j < 16; ++j) w[j] = fabsf(x[16 * b + j]);
            f.scales[b] = qz_search_asym(16, &grid, x + 16 * b, w, f.codes + 16 * b, &f.mins[b]);
        }
        qz_q2_k_finish(x, importance != NULL, &f, o);
    }
}

void qz_q2_k_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES)
        for (size_t b = 0; b < 16; ++b, y += 16) {
            float scale = qz_f16_at(p + D) * (float)(p[b] & 15), min = qz_f16_at(p + DMIN) * (float)(p[b] >> 4);
            const uint8_t *q = p + QS + b / 8 * 32 + b % 2 * 16;
            unsigned shift = (unsigned)(b % 8 / 2 * 2);
            for (size_t l = 0; l < 16; ++l) y[l] = scale * (float)(q[l] >> shift & 3) - min;
        }
}
