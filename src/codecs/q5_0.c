/* Q5_0, 22 bytes for 32 values: d f16 @0; qh u32 @2, bit j = fifth bit of value j; qs[16] @6, byte j holds value j in
 * its low nibble and value j+16 in its high one. y = (q − 16)·d; the value of largest magnitude gets code 0. */
#include "codecs/codecs_int.h"
#include "codecs/search.h"

enum { N = 32, BYTES = 22 };
_Static_assert(BYTES == 2 + 4 + N / 2, "layout of q5_0");

void qz_q5_0_put(float d, const uint8_t codes[N], uint8_t *out) {
    qz_f16_put(out, d);
    uint32_t high = 0;
    for (size_t j = 0; j < N / 2; ++j) {
        out[6 + j] = (uint8_t)((codes[j] & 15) | (codes[j + N / 2] & 15) << 4);
        high |= (uint32_t)(codes[j] >> 4) << j | (uint32_t)(codes[j + N / 2] >> 4) << (j + N / 2);
    }
    qz_store_u32le(out + 2, high);
}

static void encode_plain(const float *x, uint8_t *out) {
    uint8_t q[N];
    float d = qz_signed_max(x, N) / -16, id = d != 0 ? 1 / d : 0;
    for (size_t j = 0; j < N; ++j) {
        int c = (int8_t)qz_trunc_int(x[j] * id + 16.5f);
        q[j] = (uint8_t)((c < 31 ? c : 31) & 31);
    }
    qz_q5_0_put(d, q, out);
}

static void encode_weighted(const float *x, const float *importance, float sigma2, uint8_t *out) {
    float w[N];
    uint8_t q[N];
    (void)qz_importance_weights(x, importance, N, sigma2, w);
    qz_q5_0_put(qz_search_sym(N, 16, x, w, q), q, out);
}

void qz_q5_0_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float sigma2 = importance ? qz_sum_squares(x, cols) / (float)cols : 0; /* of the whole row */
    for (size_t k = 0; k < cols; k += N, o += BYTES) {
        if (importance) encode_weighted(x + k, importance + k, sigma2, o);
        else encode_plain(x + k, o);
    }
}

void qz_q5_0_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES, y += N) {
        float d = qz_f16_at(p);
        uint32_t high = qz_load_u32le(p + 2);
        for (size_t j = 0; j < N / 2; ++j) {
            int lo = (int)((p[6 + j] & 15u) | (high >> j & 1u) << 4);
            int hi = (int)((p[6 + j] >> 4) | (high >> (j + N / 2) & 1u) << 4);
            y[j] = (float)(lo - 16) * d;
            y[j + N / 2] = (float)(hi - 16) * d;
        }
    }
}
