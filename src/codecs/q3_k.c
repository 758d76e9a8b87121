/* Q3_K, 110 bytes for 256 values: hmask[32] @0, qs[64] @32, scales[12] @96, d f16 @108. Value e: low two bits as in
 * Q2_K, third bit = bit e/32 of hmask[e%32]; q = low + 4·third − 4. Scale of 16 values b: six bits, low four in nibbles
 * of scales[b%8] (low nibble for b < 8), top two in bits 2·(b/4) of scales[8+b%4]; minus 32. y = (d·scale)·q. */
#include "codecs/codecs_int.h"
#include "codecs/search.h"

enum { N = 256, BYTES = 110, QS = 32, SCALES = 96, D = 108 };
_Static_assert(BYTES == N / 8 + N / 4 + 12 + 2, "layout of q3_k");

static int scale_get(const uint8_t *s, size_t b) {
    int low = b < 8 ? s[b] & 15 : s[b - 8] >> 4, high = s[8 + b % 4] >> (b / 4 * 2) & 3;
    return (low | high << 4) - 32;
}
/* code 0..63, into bytes that start at 0. */
static void scale_put(uint8_t *s, size_t b, int code) {
    s[b % 8] |= (uint8_t)((code & 15) << (b < 8 ? 0 : 4));
    s[8 + b % 4] |= (uint8_t)((code >> 4) << (b / 4 * 2));
}

/* The six-bit scale codes and the step, into a block of zeros. */
static void put_scales(bool weighted, const qz_k_found *f, uint8_t *o) {
    uint8_t codes[16];
    if (weighted) {
        qz_f16_put(o + D, qz_search_sym(16, 32, f->scales, f->sw, codes));
    } else {
        float max = qz_signed_max(f->scales, 16), is = -32.0f / max;
        if (max == 0) return; /* scale codes stay 0 */
        for (size_t b = 0; b < 16; ++b)
            codes[b] = (uint8_t)(qz_clamp_int((int8_t)qz_nearest(is * f->scales[b]), -32, 31) + 32);
        qz_f16_put(o + D, 1 / is);
    }
    for (size_t b = 0; b < 16; ++b) scale_put(o + SCALES, b, codes[b]);
}

void qz_q3_k_finish(const float *x, bool weighted, qz_k_found *f, uint8_t *o) {
    memset(o, 0, BYTES);
    put_scales(weighted, f, o);
    for (size_t b = 0; b < 16; ++b) {
        float scale = qz_f16_at(o + D) * (float)scale_get(o + SCALES, b);
        if (scale == 0) continue; /* the search's codes stay, they decode to 0 */
        for (size_t j = 16 * b; j < 16 * b + 16; ++j)
            f->codes[j] = (uint8_t)(qz_clamp_int(qz_nearest(x[j] / scale), -4, 3) + 4);
    }
    for (size_t e = 0; e < N; ++e) {
        o[e % 32] |= (uint8_t)((f->codes[e] >> 2) << (e / 32));
        o[QS + e / 128 * 32 + e % 32] |= (uint8_t)((f->codes[e] & 3) << (e % 128 / 32 * 2));
    }
}

void qz_q3_k_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    qz_k_found f;
    float w[16];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        float sigma2 = importance ? 2 * qz_sum_squares(x, N) / N : 0;
        for (size_t b = 0; b < 16; ++b) {
            const float *v = x + 16 * b;
            if (importance) f.sw[b] = qz_importance_weights(v, importance + k + 16 * b, 16, sigma2, w);
            f.scales[b] = importance ? qz_search_sym(16, 4, v, w, f.codes + 16 * b)
                                     : qz_search_sweep(16, 4, v, f.codes + 16 * b);
        }
        qz_q3_k_finish(x, importance != NULL, &f, o);
    }
}

void qz_q3_k_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES)
        for (size_t b = 0; b < 16; ++b, y += 16) {
            float scale = qz_f16_at(p + D) * (float)scale_get(p + SCALES, b);
            const uint8_t *q = p + QS + b / 8 * 32 + b % 2 * 16, *h = p + b % 2 * 16;
            unsigned shift = (unsigned)(b % 8 / 2 * 2), bit = (unsigned)(b / 2);
            for (size_t l = 0; l < 16; ++l) y[l] = scale * (float)((q[l] >> shift & 3) + (h[l] >> bit & 1) * 4 - 4);
        }
}
