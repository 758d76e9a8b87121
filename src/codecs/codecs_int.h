/* Prototypes of every row of types.def, and the scalar helpers the reference encoders share. Private to codecs/. */
#ifndef QZ_CODECS_CODECS_INT_H
#define QZ_CODECS_CODECS_INT_H
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include "base/half.h"

#define QZ_TYPE(id, name, elems, bytes, ggml, kind, imp, needs, enc, dec, compat)          \
    void enc(const float *x, const float *importance, size_t cols, void *out);             \
    void dec(const void *in, size_t cols, float *y);
#include "codecs/types.def"
#undef QZ_TYPE
/* Values of 256 codes of TQ1_0 (five to a byte) or TQ2_0. */
void qz_tq_get(bool five, const uint8_t *p, int16_t *q);
void qz_tq_put(bool five, const int16_t *q, uint8_t *p);
void qz_iq3_s_compat(const float *x, const float *importance, size_t cols, void *out);

/* Round half to even by the 1.5·2^23 trick; exact for |v| <= 4194303, and defined (two's complement of the low
 * mantissa bits) for everything else: ±inf -> -4194304, the default NaN -> 0. */
static inline int qz_nearest(float v) {
    return (int)(qz_f32_bits(v + 12582912.0f) & 0x7fffffu) - 0x400000;
}
/* Float to integer towards zero with the x86 result for what does not fit, so that every compiler agrees. */
static inline int qz_trunc_int(float v) {
    return v >= -2147483648.0f && v < 2147483648.0f ? (int)v : INT_MIN;
}
/* Half away from zero; 0 for what is not below 2^22. The difference to the truncated value is exact: ties
 * are seen as ties. */
static inline int qz_round_away(float v) {
    if (!(fabsf(v) < 4194304.0f)) return 0;
    int q = (int)v;
    float rest = v - (float)q;
    return q + (rest >= 0.5f) - (rest <= -0.5f);
}
static inline int qz_clamp_int(int v, int lo, int hi) { return v < lo ? lo : v > hi ? hi : v; }
static inline float qz_f16_at(const uint8_t *p) { return qz_f16_to_f32(qz_load_u16le(p)); }
static inline void qz_f16_put(uint8_t *p, float v) { qz_store_u16le(p, qz_f32_to_f16(v)); }
/* Value of largest magnitude; the first of equals wins; 0 for an empty or all-zero (or NaN) run. */
static inline float qz_signed_max(const float *x, size_t n) {
    float amax = 0, max = 0;
    for (size_t i = 0; i < n; ++i)
        if (fabsf(x[i]) > amax) {
            amax = fabsf(x[i]);
            max = x[i];
        }
    return max;
}
#endif
