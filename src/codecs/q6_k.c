/* Q6_K, 210 bytes for 256 values: ql[128] @0, qh[64] @128, scales int8[16] @192, d f16 @208. Half n (128 values), l =
 * 0..31, A = ql+64n, H = qh[32n+l]: value l = A[l] low nibble, l+32 = A[l+32] low, l+64 = A[l] high, l+96 = A[l+32]
 * high, each with two bits of H on top (bits 0-1, 2-3, 4-5, 6-7). y = (d·scale of 16)·(q − 32). */
#include "codecs/codecs_int.h"
#include "codecs/search.h"

enum { N = 256, BYTES = 210, QH = 128, SCALES = 192, D = 208 };
_Static_assert(BYTES == N / 2 + N / 4 + N / 16 + 2, "layout of q6_k");

static void put_codes(const uint8_t *q, uint8_t *o) {
    for (size_t n = 0; n < 2; ++n, q += 128)
        for (size_t l = 0; l < 32; ++l) {
            o[64 * n + l] = (uint8_t)((q[l] & 15) | (q[l + 64] & 15) << 4);
            o[64 * n + l + 32] = (uint8_t)((q[l + 32] & 15) | (q[l + 96] & 15) << 4);
            o[QH + 32 * n + l] = (uint8_t)(q[l] >> 4 | q[l + 32] >> 4 << 2 | q[l + 64] >> 4 << 4 | q[l + 96] >> 4 << 6);
        }
}

void qz_q6_k_finish(const float *x, bool weighted, qz_k_found *f, uint8_t *o) {
    (void)weighted;
    float max = qz_signed_max(f->scales, 16);
    if (fabsf(max) < 1e-15f) {
        memset(o, 0, BYTES);
        return;
    }
    float is = -128.0f / max;
    qz_f16_put(o + D, 1 / is);
    for (size_t b = 0; b < 16; ++b) {
        int sc = qz_nearest(is * f->scales[b]);
        o[SCALES + b] = (uint8_t)(sc < 127 ? sc : 127);
        float scale = qz_f16_at(o + D) * (float)(int8_t)o[SCALES + b];
        if (scale == 0) continue; /* the search's codes stay, they decode to 0 */
        for (size_t j = 16 * b; j < 16 * b + 16; ++j)
            f->codes[j] = (uint8_t)(qz_clamp_int(qz_nearest(x[j] / scale), -32, 31) + 32);
    }
    put_codes(f->codes, o);
}

void qz_q6_k_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    qz_k_found f;
    float w[16];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        for (size_t b = 0; b < 16; ++b) {
            for (size_t j = 0; j < 16; ++j)
                w[j] = importance ? importance[k + 16 * b + j] : x[16 * b + j] * x[16 * b + j];
            f.scales[b] = qz_search_sym(16, 32, x + 16 * b, w, f.codes + 16 * b);
        }
        qz_q6_k_finish(x, importance != NULL, &f, o);
    }
}

void qz_q6_k_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES)
        for (size_t n = 0; n < 2; ++n, y += 128) {
            float d = qz_f16_at(p + D);
            for (size_t l = 0; l < 32; ++l) {
                const uint8_t *a = p + 64 * n + l, h = p[QH + 32 * n + l];
                const int8_t *s = (const int8_t *)p + SCALES + 8 * n + l / 16;
                y[l] = d * (float)s[0] * (float)(((a[0] & 15) | (h & 3) << 4) - 32);
                y[l + 32] = d * (float)s[2] * (float)(((a[32] & 15) | (h >> 2 & 3) << 4) - 32);
                y[l + 64] = d * (float)s[4] * (float)((a[0] >> 4 | (h >> 4 & 3) << 4) - 32);
                y[l + 96] = d * (float)s[6] * (float)((a[32] >> 4 | (h >> 6) << 4) - 32);
            }
        }
}
