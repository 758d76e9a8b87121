/* I8 I16 I32 I64 F64: integers and doubles of foreign files, one value a block, little endian; read only. Values that
 * float32 does not hold are rounded to nearest even. */
#include "codecs/codecs_int.h"

void qz_i8_decode(const void *in, size_t cols, float *y) {
    const int8_t *p = in;
    for (size_t i = 0; i < cols; ++i) y[i] = (float)p[i];
}
void qz_i16_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t i = 0; i < cols; ++i) y[i] = (float)(int16_t)qz_load_u16le(p + 2 * i);
}
void qz_i32_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t i = 0; i < cols; ++i) y[i] = (float)(int32_t)qz_load_u32le(p + 4 * i);
}
void qz_i64_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t i = 0; i < cols; ++i) y[i] = (float)(int64_t)qz_load_u64le(p + 8 * i);
}
void qz_f64_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t i = 0; i < cols; ++i) y[i] = (float)qz_load_f64le(p + 8 * i);
}
