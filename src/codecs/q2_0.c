/* Q2_0, 18 bytes for 64 values: d f16 @0, the largest magnitude; two bits a value @2, lowest first. y = (code − 1)·d;
 * the encoder never reaches code 3 (+2d). Importance is ignored. */
#include "codecs/codecs_int.h"

enum { N = 64, BYTES = 18 };
_Static_assert(BYTES == 2 + N / 4, "layout of q2_0");

void qz_q2_0_encode(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        const float d = fabsf(qz_signed_max(x, N)), id = d > 0 ? 1 / d : 0;
        memset(o, 0, BYTES);
        qz_f16_put(o, d);
        for (size_t e = 0; e < N; ++e) {
            const float v = x[e] * id;
            const int code = fabsf(v) < 2 ? qz_round_away(v) + 1 : 0; /* inf, NaN: least, as the reference's cast */
            o[2 + e / 4] |= (uint8_t)(qz_clamp_int(code, 0, 3) << e % 4 * 2);
        }
    }
}

void qz_q2_0_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES, y += N)
        for (size_t e = 0; e < N; ++e) y[e] = (float)((p[2 + e / 4] >> e % 4 * 2 & 3) - 1) * qz_f16_at(p);
}
