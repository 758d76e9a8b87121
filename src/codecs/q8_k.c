/* Q8_K, 292 bytes for 256 values (activations, never in files): d f32 @0; qs int8[256] @4; bsums int16[16] @260, sums
 * of 16 codes. y = d·q; d has the sign opposite to the value of largest magnitude, which gets code −127.
 * Deviates: the reference leaves bsums unwritten in a zero block; here they are 0. */
#include "codecs/codecs_int.h"

enum { N = 256, BYTES = 292 };
_Static_assert(BYTES == 4 + N + 2 * N / 16, "layout of q8_k");

void qz_q8_k_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        float max = qz_signed_max(x, N);
        if (max == 0) {
            memset(o, 0, BYTES);
            continue;
        }
        float is = -127.0f / max;
        for (size_t b = 0; b < N / 16; ++b) {
            int sum = 0;
            for (size_t j = 16 * b; j < 16 * b + 16; ++j) {
                int q = qz_nearest(is * x[j]);
                int8_t c = (int8_t)(q < 127 ? q : 127);
                o[4 + j] = (uint8_t)c;
                sum += c;
            }
            qz_store_u16le(o + 260 + 2 * b, (uint16_t)sum);
        }
        qz_store_f32le(o, 1 / is);
    }
}

void qz_q8_k_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES, y += N) {
        float d = qz_load_f32le(p);
        for (size_t j = 0; j < N; ++j) y[j] = d * (float)(int8_t)p[4 + j];
    }
}
