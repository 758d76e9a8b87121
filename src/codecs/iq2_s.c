/* IQ2_S, 82 bytes for 256 values: d f16 @0; for each eight values the low byte of their point @2 and a byte of signs
 * @34; qh[8] @66, two top bits of the points of 32 values; scales[8] @74, a nibble for 16 values, low first.
 * y = ((d·(0.5 + s))·0.25)·point·±1. */
#include "codecs/iq_search.h"

enum { N = 256, BYTES = 82, GROUPS = 16, QS = 2, SIGNS = 34, QH = 66, SCALES = 74 };
_Static_assert(BYTES == 2 + N / 8 + N / 8 + N / 32 + N / 32, "layout of iq2_s");
static const qz_iq_plan plan = {&qz_iq2s_grid, 9, 0.1f, QZ_IQ_REDO_OFF_GRID};

/* Points and signs of the 16 values b; returns their scale, 0: nothing is stored. */
static float put_group(const float *x, const float *w, size_t b, uint8_t *o) {
    float magnitude[16];
    uint8_t signs[2], l[QZ_IQ_MAX];
    qz_iq_split(x, w, 16, false, magnitude, signs);
    const float max = qz_iq_max(magnitude, 16);
    if (max < 1e-8f) return 0;
    const float scale = qz_iq_search(&plan, 16, magnitude, w, max / 5, max, l);
    for (size_t k = 0; k < 2; ++k) {
        const size_t e = 2 * b + k;
        const unsigned point = qz_iq_point(plan.grid, l + 8 * k);
        o[QS + e] = (uint8_t)point;
        o[QH + e / 4] |= (uint8_t)((point >> 8) << e % 4 * 2);
        o[SIGNS + e] = (uint8_t)(scale < 0 ? ~signs[k] : signs[k]);
    }
    return fabsf(scale);
}

void qz_iq2_s_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float w[16], scales[GROUPS];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        const float sigma2 = 2 * qz_sum_squares(x, N) / N;
        float most = 0;
        memset(o, 0, BYTES);
        for (size_t b = 0; b < GROUPS; ++b) {
            const float *v = x + 16 * b;
            if (importance) (void)qz_importance_weights(v, importance + k + 16 * b, 16, sigma2, w);
            for (size_t i = 0; !importance && i < 16; ++i) w[i] = 0.25f * sigma2 + v[i] * v[i];
            scales[b] = put_group(v, w, b, o);
            most = scales[b] > most ? scales[b] : most;
        }
        if (most == 0) continue;
        const float d = most / 31, id = 1 / d;
        qz_f16_put(o, d * 0.9875f);
        for (size_t b = 0; b < GROUPS; ++b)
            o[SCALES + b / 2] |= (uint8_t)(qz_iq_scale_code(id, scales[b], 15) << b % 2 * 4);
    }
}

void qz_iq2_s_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES)
        for (size_t l = 0; l < N / 8; ++l, y += 8) {
            const unsigned point = p[QS + l] | (unsigned)(p[QH + l / 4] >> l % 4 * 2 & 3) << 8;
            const float scale = qz_f16_at(p) * (0.5f + (float)(p[SCALES + l / 4] >> l / 2 % 2 * 4 & 15)) * 0.25f;
            qz_iq_values(&qz_iq2s_grid, point, scale, p[SIGNS + l], y);
        }
}
