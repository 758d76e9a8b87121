/* F32, F16, BF16: one value a block, little endian. Conversions round to nearest even (base/half.h). */
#include "codecs/codecs_int.h"
#include "codecs/round_float.h"
#include "codecs/types.h"

void qz_f32_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    memcpy(out, x, cols * sizeof *x);
}
void qz_f32_decode(const void *in, size_t cols, float *y) { memcpy(y, in, cols * sizeof *y); }

void qz_f16_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t i = 0; i < cols; ++i) qz_store_u16le(o + 2 * i, qz_f32_to_f16(x[i]));
}
void qz_f16_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t i = 0; i < cols; ++i) y[i] = qz_f16_to_f32(qz_load_u16le(p + 2 * i));
}

void qz_bf16_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t i = 0; i < cols; ++i) qz_store_u16le(o + 2 * i, qz_f32_to_bf16(x[i]));
}
void qz_bf16_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t i = 0; i < cols; ++i) y[i] = qz_bf16_to_f32(qz_load_u16le(p + 2 * i));
}

float qz_round_float(qz_type t, float v) {
    if (t == QZ_TYPE_F16) return qz_f16_nearest(v);
    return t == QZ_TYPE_BF16 ? qz_bf16_to_f32(qz_f32_to_bf16(v)) : v;
}
