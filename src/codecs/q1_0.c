/* Q1_0, 18 bytes for 128 values: d f16 @0, the mean magnitude; a sign in each bit @2, lowest first: 1 for +d (and for
 * zeros), 0 for −d. Importance is ignored. */
#include "codecs/codecs_int.h"

enum { N = 128, BYTES = 18 };
_Static_assert(BYTES == 2 + N / 8, "layout of q1_0");

void qz_q1_0_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        float sum = 0;
        memset(o, 0, BYTES);
        for (size_t e = 0; e < N; ++e) {
            sum += fabsf(x[e]);
            o[2 + e / 8] |= (uint8_t)((x[e] >= 0) << e % 8);
        }
        qz_f16_put(o, sum / N);
    }
}

void qz_q1_0_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES, y += N)
        for (size_t e = 0; e < N; ++e) y[e] = p[2 + e / 8] >> e % 8 & 1 ? qz_f16_at(p) : -qz_f16_at(p);
}
