/* Q4_1, 20 bytes for 32 values: d f16 @0; m f16 @2; qs[16] @4, byte j holds value j in its low nibble and value j+16 in
 * its high one. y = q·d + m. With importance m is never positive (the search clamps the minimum), without it may be. */
#include "codecs/codecs_int.h"
#include "codecs/search.h"

enum { N = 32, BYTES = 20 };
_Static_assert(BYTES == 2 + 2 + N / 2, "layout of q4_1");

void qz_q4_1_put(float d, float min, const uint8_t codes[N], uint8_t *out) {
    qz_f16_put(out, d);
    qz_f16_put(out + 2, min);
    for (size_t j = 0; j < N / 2; ++j) out[4 + j] = (uint8_t)(codes[j] | codes[j + N / 2] << 4);
}

static void encode_plain(const float *x, uint8_t *out) {
    uint8_t q[N];
    float min = x[0], max = x[0];
    for (size_t j = 1; j < N; ++j) {
        min = x[j] < min ? x[j] : min;
        max = x[j] > max ? x[j] : max;
    }
    float d = (max - min) / 15, id = d != 0 ? 1 / d : 0;
    for (size_t j = 0; j < N; ++j) {
        int c = (int8_t)qz_trunc_int((x[j] - min) * id + 0.5f);
        q[j] = (uint8_t)((c < 15 ? c : 15) & 15);
    }
    qz_q4_1_put(d, min, q, out);
}

static void encode_weighted(const float *x, const float *importance, float sigma2, uint8_t *out) {
    float w[N];
    uint8_t q[N];
    (void)qz_importance_weights(x, importance, N, sigma2, w);
    const qz_search_grid grid = qz_grid_weighted(15);
    float min, d = qz_search_asym(N, &grid, x, w, q, &min);
    qz_q4_1_put(d, -min, q, out);
}

void qz_q4_1_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float sigma2 = importance ? qz_sum_squares(x, cols) / (float)cols : 0; /* of the whole row */
    for (size_t k = 0; k < cols; k += N, o += BYTES) {
        if (importance) encode_weighted(x + k, importance + k, sigma2, o);
        else encode_plain(x + k, o);
    }
}

void qz_q4_1_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES, y += N) {
        float d = qz_f16_at(p), m = qz_f16_at(p + 2);
        for (size_t j = 0; j < N / 2; ++j) {
            int lo = p[4 + j] & 15, hi = p[4 + j] >> 4;
            y[j] = (float)lo * d + m;
            y[j + N / 2] = (float)hi * d + m;
        }
    }
}
