/* IQ3_S, 110 bytes for 256 values: d f16 @0; the low byte of a point of four values in each byte @2; qh[8] @66, the top
 * bit of the points of 32 values; signs[32] @74, a byte for eight values; scales[4] @106, a nibble for 32 values, low
 * first. y = (d·(1 + 2s))·point·±1. */
#include "codecs/iq_search.h"

enum { N = 256, BYTES = 110, GROUPS = 8, QS = 2, QH = 66, SIGNS = 74, SCALES = 106 };
_Static_assert(BYTES == 2 + N / 4 + N / 32 + N / 8 + N / 64, "layout of iq3_s");
static const qz_iq_plan plan = {&qz_iq3s_grid, 9, 0.2f, QZ_IQ_REDO_ALL_IF_ANY};

/* Points and signs of the 32 values of group b, whose low bytes and signs go to slot `at`; returns their scale, 0:
 * nothing is stored. */
static float put_group(const float *x, const float *w, size_t b, size_t at, uint8_t *o) {
    float magnitude[32];
    uint8_t signs[4], l[QZ_IQ_MAX];
    qz_iq_split(x, w, 32, false, magnitude, signs);
    const float max = qz_iq_max(magnitude, 32);
    const float scale = qz_iq_search(&plan, 32, magnitude, w, max / 15, max, l);
    for (size_t k = 0; k < 8; ++k) {
        const unsigned point = qz_iq_point(plan.grid, l + 4 * k);
        o[QS + 8 * at + k] = (uint8_t)point;
        o[QH + b] |= (uint8_t)((point >> 8) << k);
    }
    for (size_t k = 0; k < 4; ++k) o[SIGNS + 4 * at + k] = (uint8_t)(scale < 0 ? ~signs[k] : signs[k]);
    return fabsf(scale);
}

/* moved: the reference's fault, which writes every group one slot too early for each group of zeros before it. */
static void encode(const float *x, const float *importance, size_t cols, bool moved, uint8_t *o) {
    float w[32], scales[GROUPS];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        const float sigma2 = 2 * qz_sum_squares(x, N) / N;
        float most = 0;
        size_t zeros = 0;
        memset(o, 0, BYTES);
        for (size_t b = 0; b < GROUPS; ++b) {
            const float *v = x + 32 * b;
            scales[b] = 0;
            if (qz_signed_max(v, 32) == 0) {
                zeros += moved;
                continue;
            }
            qz_iq_weigh(v, importance ? importance + k + 32 * b : NULL, 32, sigma2, w);
            scales[b] = put_group(v, w, b, b - zeros, o);
            most = scales[b] > most ? scales[b] : most;
        }
        if (most == 0) continue;
        const float d = most / 31, id = 1 / d;
        qz_f16_put(o, d * 1.033f);
        for (size_t b = 0; b < GROUPS; ++b)
            o[SCALES + b / 2] |= (uint8_t)(qz_iq_scale_code(id, scales[b], 15) << b % 2 * 4);
    }
}
/* deviates: every group goes to its own slot. */
void qz_iq3_s_encode(const float *x, const float *importance, size_t cols, void *out) {
    encode(x, importance, cols, false, out);
}
void qz_iq3_s_compat(const float *x, const float *importance, size_t cols, void *out) {
    encode(x, importance, cols, true, out);
}

void qz_iq3_s_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES)
        for (size_t l = 0; l < N / 4; ++l, y += 4) {
            const unsigned point = p[QS + l] | (unsigned)(p[QH + l / 8] >> l % 8 & 1) << 8;
            const float scale = qz_f16_at(p) * (float)(1 + 2 * (p[SCALES + l / 16] >> l / 8 % 2 * 4 & 15));
            qz_iq_values(&qz_iq3s_grid, point, scale, (unsigned)p[SIGNS + l / 2] >> l % 2 * 4, y);
        }
}
