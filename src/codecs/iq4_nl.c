/* IQ4_NL, 18 bytes for 32 values: d f16 @0; qs[16] @2, nibbles as Q4_0's. y = d·value (iq4.h). */
#include "codecs/iq4.h"
#include "codecs/iq_search.h"

enum { N = 32, BYTES = 18 };
_Static_assert(BYTES == 2 + N / 2, "layout of iq4_nl");

void qz_iq4_nl_finish(const float *x, const float *scales, uint8_t *o) {
    qz_f16_put(o, scales[0]);
    qz_iq4_put(x, scales[0], o + 2);
}

void qz_iq4_nl_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float w[N];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        qz_iq_weigh(x, importance ? importance + k : NULL, N, qz_sum_squares(x, N) * (2.0f / N), w);
        const float d = qz_iq4_search(x, w);
        qz_iq4_nl_finish(x, &d, o);
    }
}

void qz_iq4_nl_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES, y += N) qz_iq4_get(p + 2, qz_f16_at(p), y);
}
