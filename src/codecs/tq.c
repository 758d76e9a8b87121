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
static int16_t trit(float v) { return (int16_t)qz_clamp_int(qz_round_away(v), -1, 1); }

/* Place and number of the values in byte m of TQ1_0: value t is first + t·stride. */
static size_t digits(size_t m, size_t *first, size_t *stride) {
    *first = m < 32 ? m : m < QH ? 160 + m - 32 : 240 + m - QH;
    *stride = m < 32 ? 32 : m < QH ? 16 : 4;
    return m < QH ? 5 : 4;
}

void qz_tq_get(bool five, const uint8_t *p, int16_t *q) {
    for (size_t m = 0; five && m < D_1; ++m) {
        size_t first, stride, n = digits(m, &first, &stride);
        unsigned v = p[m];
        for (size_t t = 0; t < n; ++t, v = 3 * v & 255) q[first + t * stride] = (int16_t)((int)(3 * v >> 8) - 1);
    }
    for (size_t e = 0; !five && e < N; ++e)
        q[e] = (int16_t)((p[e / 128 * 32 + e % 32] >> e % 128 / 32 * 2 & 3) - 1);
}
void qz_tq_put(bool five, const int16_t *q, uint8_t *p) {
    for (size_t m = 0; five && m < D_1; ++m) {
        size_t first, stride, n = digits(m, &first, &stride);
        unsigned v = 0;
        for (size_t t = 0; t < 5; ++t) v = 3 * v + (t < n ? (unsigned)(q[first + t * stride] + 1) : 0);
        p[m] = (uint8_t)((v * 256 + 242) / 243);
    }
    for (size_t m = 0; !five && m < D_2; ++m) {
        const int16_t *v = q + m / 32 * 128 + m % 32;
        p[m] = (uint8_t)((v[0] + 1) | (v[32] + 1) << 2 | (v[64] + 1) << 4 | (v[96] + 1) << 6);
    }
}

static void encode(bool five, const float *x, uint8_t *o) {
    int16_t q[N];
    float id;
    qz_f16_put(o + (five ? D_1 : D_2), step_of(x, &id));
    for (size_t e = 0; e < N; ++e) q[e] = trit(x[e] * id);
    qz_tq_put(five, q, o);
}
static void decode(bool five, const uint8_t *p, float *y) {
    int16_t q[N];
    qz_tq_get(five, p, q);
    for (size_t e = 0; e < N; ++e) y[e] = (float)q[e] * qz_f16_at(p + (five ? D_1 : D_2));
}

void qz_tq1_0_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t k = 0; k < cols; k += N, o += BYTES_1) encode(true, x + k, o);
}
void qz_tq2_0_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t k = 0; k < cols; k += N, o += BYTES_2) encode(false, x + k, o);
}
void qz_tq1_0_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES_1) decode(true, p, y + k);
}
void qz_tq2_0_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES_2) decode(false, p, y + k);
}
