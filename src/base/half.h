/* Scalar conversions between float32 and the 16-bit floats, IEEE round to nearest even.
 * NaN stays NaN (quiet), infinities and signed zeros are kept, subnormals exact. Integer arithmetic:
 * the same bits on every machine. */
#ifndef QZ_BASE_HALF_H
#define QZ_BASE_HALF_H
#include <stdint.h>
#include "base/bytes.h"

static inline float qz_f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, em = h & 0x7fffu;
    if (em >= 0x7c00u) return qz_bits_f32(sign | 0x7f800000u | (em & 0x3ffu) << 13 | ((em & 0x3ffu) ? 0x400000u : 0));
    if (em >= 0x0400u) return qz_bits_f32(sign | ((em << 13) + 0x38000000u));
    float f = (float)em * 0x1p-24f; /* subnormal or zero: exact product */
    return qz_bits_f32(sign | qz_f32_bits(f));
}
static inline uint16_t qz_f32_to_f16(float f) {
    uint32_t u = qz_f32_bits(f), sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
    if (a > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | ((a >> 13) & 0x3ffu));
    if (a >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* rounds to infinity */
    if (a < 0x38800000u) {                                   /* subnormal half: scale 2^24, round half even */
        float r = qz_bits_f32(a) * 0x1p24f;
        float m = r + 0x1p23f; /* adds with the hardware's nearest-even rounding */
        return (uint16_t)(sign | (qz_f32_bits(m) & 0x7ffu));
    }
    uint32_t odd = (a >> 13) & 1u;
    return (uint16_t)(sign | ((a - 0x38000000u + 0xfffu + odd) >> 13));
}
/* qz_f16_to_f32(qz_f32_to_f16(f)) of numbers without their bits, so that loops over rows become wide: adding and taking
 * away 2^13 of the value's own binade rounds it; below 2^-14 steps stay as wide. */
static inline float qz_f16_nearest(float f) { /* masks: with selects GCC leaves branches */
    const int32_t a = (int32_t)(qz_f32_bits(f) & 0x7fffffffu), finite = -(a < 0x477ff000), number = -(a <= 0x7f800000);
    const int32_t own = a & 0x7f800000 & finite, least = 113 << 23, held = own > least ? own : least;
    const float many = qz_bits_f32((uint32_t)held + (13u << 23));
    const int32_t near = (int32_t)qz_f32_bits(qz_bits_f32((uint32_t)a) + many - many);
    const int32_t out = (near & finite) | (0x7f800000 & ~finite) | (a & ~number);
    return qz_bits_f32((uint32_t)out | (qz_f32_bits(f) & 0x80000000u));
}
static inline float qz_bf16_to_f32(uint16_t h) { return qz_bits_f32((uint32_t)h << 16); }
static inline uint16_t qz_f32_to_bf16(float f) {
    uint32_t u = qz_f32_bits(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
#endif
