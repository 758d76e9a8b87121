/* Floats of 8, 6 and 4 bits: E4M3FN and E5M2 (FP8), E2M3 (FP6), E2M1 (FP4); E8M0 (power-of-two scales). Encoding rounds
 * to nearest, ties to even; finite overflow and infinity saturate in E4M3FN, E2M1 and E2M3 and become infinity in E5M2
 * unless clamped first.
 * Source: formats/float-types.md (OCP OFP8 and MX v1.0; torch 2.15.0's casts). */
#ifndef QZ_CODECS_SMALL_FLOAT_H
#define QZ_CODECS_SMALL_FLOAT_H
#include <math.h>
#include <stdint.h>
#include "base/bytes.h"

typedef enum { QZ_E4M3FN, QZ_E5M2, QZ_E2M1, QZ_E2M3 } qz_small_float;

uint8_t qz_small_encode(qz_small_float t, float x);
float qz_small_decode(qz_small_float t, uint8_t code);
/* Largest finite and smallest positive value. */
float qz_small_max(qz_small_float t);
float qz_small_min(qz_small_float t);
/* What a value that lies within the largest becomes: decode of encode without the code, in line for rows of values.
 * Adding and taking away 2^23 steps of the value's own binade rounds it; below the least normal number steps stay as
 * wide. */
static inline float qz_small_nearest(qz_small_float t, float x) {
    static const struct { uint32_t least, mantissa; } all[] = {
        [QZ_E4M3FN] = {121, 3}, [QZ_E5M2] = {113, 2}, [QZ_E2M1] = {127, 1}, [QZ_E2M3] = {127, 3}};
    const uint32_t least = all[t].least << 23, u = qz_f32_bits(x) & 0x7f800000u;
    const float many = qz_bits_f32((u > least ? u : least) + ((23 - all[t].mantissa) << 23)), a = fabsf(x);
    return copysignf(a + many - many, x);
}
/* 2^(code − 127); 255 is NaN. */
float qz_e8m0_decode(uint8_t code);
#endif
