/* Q4_0, 18 bytes for 32 values: d f16 @0; qs[16] @2, byte j holds value j in its low nibble and value j+16 in its high
 * one. y = (q − 8)·d; the value of largest magnitude gets code 0. */
#include "codecs/codecs_int.h"
#include "codecs/search.h"

enum { N = 32, BYTES = 18 };
_Static_assert(BYTES == 2 + N / 2, "layout of q4_0");

void qz_q4_0_put(float d, const uint8_t codes[N], uint8_t *out) {
    qz_f16_put(out, d);
    for (size_t j = 0; j < N / 2; ++j) out[2 + j] = (uint8_t)(codes[j] | codes[j + N / 2] << 4);
}

static void encode_plain(const float *x, uint8_t *out) {
    uint8_t q[N];
    float d = qz_signed_max(x, N) / -8, id = d != 0 ? 1 / d : 0;
    for (size_t j = 0; j < N; ++j) {
        int c = (int8_t)qz_trunc_int(x[j] * id + 8.5f);
        q[j] = (uint8_t)((c < 15 ? c : 15) & 15);
    }
    qz_q4_0_put(d, q, out);
}

static void encode_weighted(const float *x, const float *importance, float sigma2, uint8_t *out) {
    float w[N];
    uint8_t q[N];
    (void)qz_importance_weights(x, importance, N, sigma2, w);
    qz_q4_0_put(qz_search_sym(N, 8, x, w, q), q, out);
}

void qz_q4_0_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float sigma2 = importance ? qz_sum_squares(x, cols) / (float)cols : 0; /* of the whole row */
    for (size_t k = 0; k < cols; k += N, o += BYTES) {
        if (importance) encode_weighted(x + k, importance + k, sigma2, o);
        else encode_plain(x + k, o);
    }
}

void qz_q4_0_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES, y += N) {
        float d = qz_f16_at(p);
        for (size_t j = 0; j < N / 2; ++j) {
            int lo = p[2 + j] & 15, hi = p[2 + j] >> 4;
            y[j] = (float)(lo - 8) * d;
            y[j + N / 2] = (float)(hi - 8) * d;
        }
    }
}
