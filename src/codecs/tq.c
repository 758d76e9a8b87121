/* TQ1_0 and TQ2_0: values −1, 0, 1 times d, the largest magnitude of 256 values, rounded half away from zero; meant for
 * weights that are ternary already. Importance is ignored.
 * TQ1_0, 54 bytes: five values of each byte, as the digits of a fraction to base 3: byte m < 32 of qs[48] @0 holds
 * values m + 32t, byte 32 + m values 160 + m + 16t, byte m of qh[4] @48 values 240 + m + 4t (t < 4); d f16 @52.
 * TQ2_0, 66 bytes: value 128h + m + 32t at bits 2t of byte 32h + m of qs[64] @0; d f16 @64. */
#include "codecs/codecs_int.h"

enum { N = 256, BYTES_1 = 54, QH = 48, D_1 = 52, BYTES_2 = 66, D_2 = 64 };
_Static_assert(BYTES_1 == 48 + 4 + 2, "layout of tq1_0");
_Static_assert(BYTES_2 == N / 4 + 2, "layout of tq2_0");

static float step_of(const float *x, float *inverse) {
    const float d = fabsf(qz_signed_max(x, N));
    *inverse = d != 0 ? 1 / d : 0;
    return d;
}
static unsigned trit(float v) { return (unsigned)(qz_clamp_int(qz_round_away(v), -1, 1) + 1); }

/* Place and number of the values in byte m of TQ1_0: value t is first + t·stride. */
static size_t digits(size_t m, size_t *first, size_t *stride) {
    *first = m < 32 ? m : m < QH ? 160 + m - 32 : 240 + m - QH;
    *stride = m < 32 ? 32 : m < QH ? 16 : 4;
    return m < QH ? 5 : 4;
}

void qz_tq1_0_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    float id;
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES_1) {
        qz_f16_put(o + D_1, step_of(x, &id));
        for (size_t m = 0; m < D_1; ++m) {
            size_t first, stride, n = digits(m, &first, &stride);
            unsigned v = 0;
            for (size_t t = 0; t < 5; ++t) v = 3 * v + (t < n ? trit(x[first + t * stride] * id) : 0);
            o[m] = (uint8_t)((v * 256 + 242) / 243);
        }
    }
}

void qz_tq1_0_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES_1, y += N)
        for (size_t m = 0; m < D_1; ++m) {
            size_t first, stride, n = digits(m, &first, &stride);
            unsigned q = p[m];
            for (size_t t = 0; t < n; ++t, q = 3 * q & 255)
                y[first + t * stride] = (float)((int)(3 * q >> 8) - 1) * qz_f16_at(p + D_1);
        }
}

void qz_tq2_0_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    float id;
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES_2) {
        qz_f16_put(o + D_2, step_of(x, &id));
        for (size_t m = 0; m < D_2; ++m) {
            const float *v = x + m / 32 * 128 + m % 32;
            o[m] = (uint8_t)(trit(v[0] * id) | trit(v[32] * id) << 2 | trit(v[64] * id) << 4 | trit(v[96] * id) << 6);
        }
    }
}

void qz_tq2_0_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES_2, y += N)
        for (size_t e = 0; e < N; ++e)
            y[e] = (float)((p[e / 128 * 32 + e % 32] >> e % 128 / 32 * 2 & 3) - 1) * qz_f16_at(p + D_2);
}
