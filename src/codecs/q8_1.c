/* Q8_1, 36 bytes for 32 values (activations, never in files): d f16 @0; s f16 @2 = Σq·d with the unrounded d;
 * qs int8[32] @4. y = q·d. */
#include "codecs/codecs_int.h"

enum { N = 32, BYTES = 36 };
_Static_assert(BYTES == 2 + 2 + N, "layout of q8_1");

void qz_q8_1_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        float d = fabsf(qz_signed_max(x, N)) / 127, id = d != 0 ? 1 / d : 0;
        int sum = 0;
        for (size_t j = 0; j < N; ++j) {
            int8_t q = (int8_t)qz_round_away(x[j] * id);
            o[4 + j] = (uint8_t)q;
            sum += q;
        }
        qz_f16_put(o, d);
        qz_f16_put(o + 2, (float)sum * d);
    }
}

void qz_q8_1_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES, y += N) {
        float d = qz_f16_at(p);
        for (size_t j = 0; j < N; ++j) y[j] = (float)(int8_t)p[4 + j] * d;
    }
}
