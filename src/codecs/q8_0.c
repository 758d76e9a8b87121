/* Q8_0, 34 bytes for 32 values: d f16 @0; qs int8[32] @2. y = q·d. Codes are rounded half away from zero with the
 * unrounded d; importance is ignored. */
#include "codecs/codecs_int.h"

enum { N = 32, BYTES = 34 };
_Static_assert(BYTES == 2 + N, "layout of q8_0");

void qz_q8_0_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        float d = fabsf(qz_signed_max(x, N)) / 127, id = d != 0 ? 1 / d : 0;
        qz_f16_put(o, d);
        for (size_t j = 0; j < N; ++j) o[2 + j] = (uint8_t)qz_round_away(x[j] * id);
    }
}

void qz_q8_0_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES, y += N) {
        float d = qz_f16_at(p);
        for (size_t j = 0; j < N; ++j) y[j] = (float)(int8_t)p[2 + j] * d;
    }
}
