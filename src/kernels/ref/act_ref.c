/* Activations to 8 bits (layout.h): the codes and scales of the reference runtime. */
#include <math.h>
#include <string.h>
#include "base/bytes.h"
#include "kernels/ops_int.h"

/* Half to even by the 1.5·2^23 trick, as the vector units round; |v| <= 127 here (or NaN, which becomes 0). */
static int nearest(float v) { return (int)(qz_f32_bits(v + 12582912.0f) & 0x7fffffu) - 0x400000; }
static int clamp127(int v) { return v < -127 ? -127 : v > 127 ? 127 : v; }

void qz_act_q8_0_ref(const float *x, size_t cols, uint8_t *out, size_t stride) {
    for (size_t k = 0; k < cols; k += 32, x += 32, out += stride) {
        qz_act32 a;
        float amax = 0;
        for (size_t i = 0; i < 32; ++i) amax = fabsf(x[i]) > amax ? fabsf(x[i]) : amax;
        float id = amax > 0 ? 127.0f / amax : 0;
        int sum = 0;
        for (size_t i = 0; i < 32; ++i) {
            a.q[i] = (int8_t)clamp127(nearest(x[i] * id));
            sum += a.q[i];
        }
        a.d = amax / 127.0f;
        a.neg128 = -128 * sum;
        memcpy(out, &a, sizeof a);
    }
}

void qz_act_q8_k_ref(const float *x, size_t cols, uint8_t *out, size_t stride) {
    for (size_t k = 0; k < cols; k += 256, x += 256, out += stride) {
        qz_act256 a;
        float amax = 0, max = 0;
        for (size_t i = 0; i < 256; ++i)
            if (fabsf(x[i]) > amax) {
                amax = fabsf(x[i]);
                max = x[i];
            }
        float is = max != 0 ? -127.0f / max : 0;
        for (size_t b = 0; b < 16; ++b) {
            int sum = 0;
            for (size_t i = 16 * b; i < 16 * b + 16; ++i) {
                a.q[i] = (int8_t)clamp127(nearest(is * x[i]));
                sum += a.q[i];
            }
            a.neg32[b] = -32 * sum;
            a.sum16[b] = (int16_t)sum;
        }
        for (size_t b = 0; b < 8; ++b) a.sum32[b] = (int16_t)(a.sum16[2 * b] + a.sum16[2 * b + 1]);
        a.d = max != 0 ? 1 / is : 0;
        memcpy(out, &a, sizeof a);
    }
}
