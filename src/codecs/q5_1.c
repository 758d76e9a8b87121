/* Q5_1, 24 bytes for 32 values: d f16 @0; m f16 @2; qh u32 @4, bit j = fifth bit of value j; qs[16] @8, byte j holds
 * value j in its low nibble and value j+16 in its high one. y = q·d + m. With importance m is never positive. */
#include "codecs/codecs_int.h"
#include "codecs/search.h"

enum { N = 32, BYTES = 24 };
_Static_assert(BYTES == 2 + 2 + 4 + N / 2, "layout of q5_1");

void qz_q5_1_put(float d, float min, const uint8_t codes[N], uint8_t *out) {
    qz_f16_put(out, d);
    qz_f16_put(out + 2, min);
    uint32_t high = 0;
    for (size_t j = 0; j < N / 2; ++j) {
        out[8 + j] = (uint8_t)((codes[j] & 15) | (codes[j + N / 2] & 15) << 4);
        high |= (uint32_t)(codes[j] >> 4) << j | (uint32_t)(codes[j + N / 2] >> 4) << (j + N / 2);
    }
    qz_store_u32le(out + 4, high);
}

static void encode_plain(const float *x, uint8_t *out) {
    uint8_t q[N];
    float min = x[0], max = x[0];
    for (size_t j = 1; j < N; ++j) {
        min = x[j] < min ? x[j] : min;
        max = x[j] > max ? x[j] : max;
    }
    float d = (max - min) / 31, id = d != 0 ? 1 / d : 0;
    for (size_t j = 0; j < N; ++j) {
        int c = (int8_t)qz_trunc_int((x[j] - min) * id + 0.5f);
        q[j] = (uint8_t)((c < 31 ? c : 31) & 31);
    }
    qz_q5_1_put(d, min, q, out);
}

static void encode_weighted(const float *x, const float *importance, float sigma2, uint8_t *out) {
    float w[N];
    uint8_t q[N];
    (void)qz_importance_weights(x, importance, N, sigma2, w);
    const qz_search_grid grid = qz_grid_weighted(31);
    float min, d = qz_search_asym(N, &grid, x, w, q, &min);
    qz_q5_1_put(d, -min, q, out);
}

void qz_q5_1_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float sigma2 = importance ? qz_sum_squares(x, cols) / (float)cols : 0; /* of the whole row */
    for (size_t k = 0; k < cols; k += N, o += BYTES) {
        if (importance) encode_weighted(x + k, importance + k, sigma2, o);
        else encode_plain(x + k, o);
    }
}

void qz_q5_1_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES, y += N) {
        float d = qz_f16_at(p), m = qz_f16_at(p + 2);
        uint32_t high = qz_load_u32le(p + 4);
        for (size_t j = 0; j < N / 2; ++j) {
            int lo = (int)((p[8 + j] & 15u) | (high >> j & 1u) << 4);
            int hi = (int)((p[8 + j] >> 4) | (high >> (j + N / 2) & 1u) << 4);
            y[j] = (float)lo * d + m;
            y[j + N / 2] = (float)hi * d + m;
        }
    }
}
