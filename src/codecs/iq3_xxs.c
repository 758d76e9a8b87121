/* IQ3_XXS, 98 bytes for 256 values: d f16 @0; a point of four values in each byte @2; for each 32 values a word @66:
 * sign index l of eight values (7 bits, qz_iq_signs) at bits 7l, scale s in bits 28-31.
 * y = ((d·(0.5 + s))·0.5)·point·±1. Needs importance in files of the reference's mixes. */
#include "codecs/iq_search.h"

enum { N = 256, BYTES = 98, GROUPS = 8, QS = 2, WORDS = 66 };
_Static_assert(BYTES == 2 + N / 4 + N / 8, "layout of iq3_xxs");
static const qz_iq_plan plan = {&qz_iq3xxs_grid, 15, 0.2f, QZ_IQ_REDO_OFF_GRID};

/* Points and signs of 32 values; returns their scale, 0: nothing is stored. */
static float put_group(const float *x, const float *w, uint8_t *points, uint8_t *word_at) {
    float magnitude[32];
    uint8_t signs[4], l[QZ_IQ_MAX];
    qz_iq_split(x, w, 32, true, magnitude, signs);
    const float max = qz_iq_max(magnitude, 32);
    if (max < 1e-8f) return 0;
    const float scale = qz_iq_search(&plan, 32, magnitude, w, max / 15, max, l);
    uint32_t word = 0;
    for (size_t k = 0; k < 8; ++k) points[k] = (uint8_t)qz_iq_point(plan.grid, l + 4 * k);
    for (size_t k = 0; k < 4; ++k) word |= (uint32_t)((scale < 0 ? ~signs[k] : signs[k]) & 127) << 7 * k;
    qz_store_u32le(word_at, word);
    return fabsf(scale);
}

void qz_iq3_xxs_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float w[32], scales[GROUPS];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        const float sigma2 = 2 * qz_sum_squares(x, N) / N;
        float most = 0;
        memset(o, 0, BYTES);
        for (size_t b = 0; b < GROUPS; ++b) {
            qz_iq_weigh(x + 32 * b, importance ? importance + k + 32 * b : NULL, 32, sigma2, w);
            scales[b] = put_group(x + 32 * b, w, o + QS + 8 * b, o + WORDS + 4 * b);
            most = scales[b] > most ? scales[b] : most;
        }
        if (most == 0) {
            memset(o, 0, BYTES);
            continue;
        }
        const float d = most / 31, id = 1 / d;
        qz_f16_put(o, d * 1.0125f);
        for (size_t b = 0; b < GROUPS; ++b)
            o[WORDS + 4 * b + 3] |= (uint8_t)(qz_iq_scale_code(id, scales[b], 15) << 4);
    }
}

void qz_iq3_xxs_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES)
        for (size_t b = 0; b < GROUPS; ++b) {
            const uint32_t word = qz_load_u32le(p + WORDS + 4 * b);
            const float scale = qz_f16_at(p) * (0.5f + (float)(word >> 28)) * 0.5f;
            for (size_t l = 0; l < 8; ++l, y += 4)
                qz_iq_values(&qz_iq3xxs_grid, p[QS + 8 * b + l], scale,
                             (unsigned)qz_iq_signs(word >> l / 2 * 7 & 127) >> l % 2 * 4, y);
        }
}
