/* A value as a float type holds it. */
#ifndef QZ_CODECS_ROUND_FLOAT_H
#define QZ_CODECS_ROUND_FLOAT_H
#include "base/half.h"
#include "codecs/types.h"

static inline float qz_round_float(qz_type t, float v) {
    if (t == QZ_TYPE_F16) return qz_f16_to_f32(qz_f32_to_f16(v));
    return t == QZ_TYPE_BF16 ? qz_bf16_to_f32(qz_f32_to_bf16(v)) : v;
}
#endif
