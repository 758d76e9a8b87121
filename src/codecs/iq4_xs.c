/* IQ4_XS, 136 bytes for 256 values: d f16 @0; scales of 32 values b, six bits less 32: two top bits at bits 2b of a
 * 16-bit word @2, low nibbles in scales_l[4] @4, low first; qs[128] @8: 16 bytes for 32 values, nibbles as Q4_0's.
 * y = (d·(scale − 32))·value (iq4.h). */
#include "codecs/iq4.h"
#include "codecs/iq_search.h"

enum { N = 256, BYTES = 136, GROUPS = 8, HIGH = 2, LOW = 4, QS = 8 };
_Static_assert(BYTES == 2 + 2 + N / 64 + N / 2, "layout of iq4_xs");

void qz_iq4_xs_finish(const float *x, const float *scales, uint8_t *o) {
    const float d = -qz_signed_max(scales, GROUPS) / 32, id = d != 0 ? 1 / d : 0;
    unsigned high = 0;
    memset(o, 0, BYTES);
    qz_f16_put(o, d);
    for (size_t b = 0; b < GROUPS; ++b) {
        const int l = qz_clamp_int(qz_nearest(id * scales[b]), -32, 31);
        qz_iq4_put(x + 32 * b, d * (float)l, o + QS + 16 * b);
        o[LOW + b / 2] |= (uint8_t)(((l + 32) & 15) << b % 2 * 4);
        high |= (unsigned)((l + 32) >> 4) << 2 * b;
    }
    qz_store_u16le(o + HIGH, (uint16_t)high);
}

void qz_iq4_xs_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float w[32], scales[GROUPS];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        const float sigma2 = qz_sum_squares(x, N) * (2.0f / N);
        for (size_t b = 0; b < GROUPS; ++b) {
            qz_iq_weigh(x + 32 * b, importance ? importance + k + 32 * b : NULL, 32, sigma2, w);
            scales[b] = qz_iq4_search(x + 32 * b, w);
        }
        qz_iq4_xs_finish(x, scales, o);
    }
}

void qz_iq4_xs_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES)
        for (size_t b = 0; b < GROUPS; ++b, y += 32) {
            const int l = (p[LOW + b / 2] >> b % 2 * 4 & 15) | (qz_load_u16le(p + HIGH) >> 2 * b & 3) << 4;
            qz_iq4_get(p + QS + 16 * b, qz_f16_at(p) * (float)(l - 32), y);
        }
}
