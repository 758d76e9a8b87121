#include "codecs/small_float.h"
#include "base/bytes.h"

/* top: largest finite code; over: what lies beyond becomes */
typedef struct { uint32_t bias, mantissa, top, over, nan, sign; } shape;
static const shape *shape_of(qz_small_float t) {
    static const shape shapes[] = {[QZ_E4M3FN] = {7, 3, 0x7e, 0x7e, 0x7f, 0x80},
                                   [QZ_E5M2] = {15, 2, 0x7b, 0x7c, 0x7f, 0x80},
                                   [QZ_E2M1] = {1, 1, 7, 7, 7, 8},
                                   [QZ_E2M3] = {1, 3, 0x1f, 0x1f, 0x1f, 0x20}};
    return &shapes[t];
}

uint8_t qz_small_encode(qz_small_float t, float x) {
    const shape *s = shape_of(t);
    const uint32_t u = qz_f32_bits(x), sign = u >> 31 ? s->sign : 0, a = u & 0x7fffffffu, m = s->mantissa;
    if (a > 0x7f800000u) return (uint8_t)(s->nan | sign);
    uint32_t c;
    if (a < (128 - s->bias) << 23) { /* subnormal or zero: a float addition rounds at the right place */
        const uint32_t guard = (127 + 24 - s->bias - m) << 23;
        volatile float sum = qz_bits_f32(a) + qz_bits_f32(guard);
        c = qz_f32_bits(sum) - guard;
    } else c = (a - ((127 - s->bias) << 23) + (1u << (22 - m)) - 1 + (a >> (23 - m) & 1u)) >> (23 - m);
    return (uint8_t)((c > s->top ? s->over : c) | sign);
}

float qz_small_decode(qz_small_float t, uint8_t code) {
    const shape *s = shape_of(t);
    const uint32_t sign = (code & s->sign) ? 0x80000000u : 0, c = code & (s->sign - 1), e = c >> s->mantissa,
                   m = c & ((1u << s->mantissa) - 1);
    if (t == QZ_E4M3FN && c == s->nan) return qz_bits_f32(sign | 0x7fc00000u);
    if (t == QZ_E5M2 && c > s->top) return qz_bits_f32(sign | (c == s->over ? 0x7f800000u : 0x7fc00000u));
    if (e == 0) return qz_bits_f32(sign | qz_f32_bits((float)m * qz_bits_f32((127 + 1 - s->bias - s->mantissa) << 23)));
    return qz_bits_f32(sign | (e + 127 - s->bias) << 23 | m << (23 - s->mantissa));
}

float qz_small_max(qz_small_float t) { return qz_small_decode(t, (uint8_t)shape_of(t)->top); }
float qz_small_min(qz_small_float t) { return qz_small_decode(t, 1); }
float qz_e8m0_decode(uint8_t code) {
    return code == 255 ? qz_bits_f32(0x7fc00000u) : qz_bits_f32(code ? (uint32_t)code << 23 : 0x00400000u);
}
