/* MXFP4 and NVFP4: E2M1 codes (0 0.5 1 1.5 2 3 4 6, bit 3 the sign), stored here as twice their value. Importance is
 * ignored.
 * MXFP4, 17 bytes for 32 values: e @0, a power of two; qs[16] @1, nibbles as Q4_0's. y = code·2^(e − 128).
 * NVFP4, 36 bytes for 64 values: d[4] @0, unsigned E4M3 of 16 values; qs[32] @4, eight bytes for 16 values, byte j
 * holds value j in its low nibble, value j + 8 in its high. y = code·d/2. The format's scale of a whole tensor is a
 * separate tensor in GGUF, which the encoder does without: blocks below 0.006 lose everything. */
#include "base/mathx.h"
#include "codecs/codecs_int.h"
#include "codecs/fp4.h"

enum { N_MX = 32, BYTES_MX = 17, N_NV = 64, BYTES_NV = 36, SUB = 16, QS_NV = 4 };
_Static_assert(BYTES_MX == 1 + N_MX / 2, "layout of mxfp4");
_Static_assert(BYTES_NV == N_NV / SUB + N_NV / 2, "layout of nvfp4");
const int8_t qz_fp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

float qz_e8m0_half(uint8_t e) { return qz_bits_f32(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23); }

float qz_ue4m3_half(uint8_t b) {
    const unsigned e = b >> 3 & 15, m = b & 7;
    if ((b & 0x7f) == 0x7f) return 0;
    return 0.5f * (e == 0 ? (float)m * 0x1p-9f : qz_bits_f32((e + 120) << 23 | m << 20));
}
uint8_t qz_e8m0_code(float d) {
    const uint32_t bits = qz_f32_bits(d);
    return bits >> 23 ? (uint8_t)((bits >> 23) + 1) : bits >= 0x00400000u ? 1 : 0;
}
/* Looks at one bit behind the mantissa, and takes 448 for all from 256 on: as the reference does. */
uint8_t qz_ue4m3_encode(float x) {
    if (!(x > 0)) return 0;
    if (x > 448) x = 448;
    const uint32_t bits = qz_f32_bits(x);
    int e = (int)(bits >> 23) - 127 + 7;
    if (e <= 0) {
        const int m = (int)(x * 512 + 0.5f);
        return (uint8_t)(m > 7 ? 7 : m);
    }
    unsigned m = (bits >> 20 & 7) + (bits >> 19 & 1);
    if (m > 7) {
        m = 0;
        ++e;
    }
    return e >= 15 ? 0x7e : (uint8_t)((unsigned)e << 3 | m);
}

uint8_t qz_fp4_nearest(float x, float d) {
    uint8_t best = 0;
    float least = fabsf((float)qz_fp4_values[0] * d - x);
    for (uint8_t i = 1; i < 16; ++i) {
        float e = fabsf((float)qz_fp4_values[i] * d - x);
        if (e < least) {
            least = e;
            best = i;
        }
    }
    return best;
}

/* floor(log2(amax)) − 2, of the logarithm as float32: just below a power of two it is one more than the exact floor. */
static uint8_t exponent_of(float amax) {
    if (!(amax > 0)) return 0;
    if (amax > 3.4028234e38f) return 254;
    const int e = (int)floorf((float)(qz_log((double)amax) * 1.4426950408889634)) - 2 + 127;
    return (uint8_t)qz_clamp_int(e, 0, 254);
}

void qz_mxfp4_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t k = 0; k < cols; k += N_MX, x += N_MX, o += BYTES_MX) {
        o[0] = exponent_of(fabsf(qz_signed_max(x, N_MX)));
        const float d = qz_e8m0_half(o[0]);
        for (size_t j = 0; j < 16; ++j)
            o[1 + j] = (uint8_t)(qz_fp4_nearest(x[j], d) | qz_fp4_nearest(x[j + 16], d) << 4);
    }
}

void qz_mxfp4_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N_MX, p += BYTES_MX, y += N_MX) {
        const float d = qz_e8m0_half(p[0]);
        for (size_t j = 0; j < 16; ++j) {
            y[j] = (float)qz_fp4_values[p[1 + j] & 15] * d;
            y[j + 16] = (float)qz_fp4_values[p[1 + j] >> 4] * d;
        }
    }
}

void qz_nvfp4_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t k = 0; k < cols; k += N_NV, o += BYTES_NV)
        for (size_t s = 0; s < N_NV / SUB; ++s, x += SUB) {
            o[s] = qz_ue4m3_encode(fabsf(qz_signed_max(x, SUB)) / 6.0f);
            const float d = qz_ue4m3_half(o[s]);
            for (size_t j = 0; j < SUB / 2; ++j)
                o[QS_NV + 8 * s + j] = (uint8_t)(qz_fp4_nearest(x[j], d) | qz_fp4_nearest(x[j + 8], d) << 4);
        }
}

void qz_nvfp4_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N_NV, p += BYTES_NV)
        for (size_t s = 0; s < N_NV / SUB; ++s, y += SUB) {
            const float d = qz_ue4m3_half(p[s]);
            for (size_t j = 0; j < SUB / 2; ++j) {
                y[j] = (float)qz_fp4_values[p[QS_NV + 8 * s + j] & 15] * d;
                y[j + 8] = (float)qz_fp4_values[p[QS_NV + 8 * s + j] >> 4] * d;
            }
        }
}
