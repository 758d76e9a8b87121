/* IQ2_XXS, 66 bytes for 256 values: d f16 @0; for each 32 values eight bytes @2: four points of eight (one byte each),
 * then a word: sign index l (7 bits, qz_iq_signs) at bits 7l, scale s in bits 28-31. y = ((d·(0.5 + s))·0.25)·point·±1.
 * Needs importance. */
#include "codecs/iq_search.h"

enum { N = 256, BYTES = 66, GROUPS = 8, QS = 2 };
_Static_assert(BYTES == 2 + N / 8 + N / 8, "layout of iq2_xxs");
static const qz_iq_plan plan = {&qz_iq2xxs_grid, 6, 0.1f, QZ_IQ_REDO_ALL};

/* Points and signs of 32 values into eight bytes; returns their scale, 0: nothing is stored. */
static float put_group(const float *x, const float *w, uint8_t *o) {
    float magnitude[32];
    uint8_t signs[4], l[QZ_IQ_MAX];
    qz_iq_split(x, w, 32, true, magnitude, signs);
    if (qz_iq_max(magnitude, 32) < 1e-15f) return 0;
    const float first = qz_search_pos(32, plan.grid->base + 1, magnitude, w, l), reach = first * (float)plan.grid->base;
    if (!(reach > 0)) return 0;
    float scale = qz_iq_search(&plan, 32, magnitude, w, first, reach, l);
    uint32_t word = 0;
    for (size_t k = 0; k < 4; ++k) {
        o[k] = (uint8_t)qz_iq_point(plan.grid, l + 8 * k);
        word |= (uint32_t)((scale < 0 ? ~signs[k] : signs[k]) & 127) << 7 * k;
    }
    qz_store_u32le(o + 4, word);
    return fabsf(scale);
}

void qz_iq2_xxs_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float w[32], scales[GROUPS];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        const float sigma2 = qz_sum_squares(x, N) / N;
        float most = 0;
        memset(o, 0, BYTES);
        for (size_t b = 0; b < GROUPS; ++b) {
            qz_iq_weigh(x + 32 * b, importance ? importance + k + 32 * b : NULL, 32, sigma2, w);
            scales[b] = put_group(x + 32 * b, w, o + QS + 8 * b);
            most = scales[b] > most ? scales[b] : most;
        }
        if (most == 0) {
            memset(o, 0, BYTES);
            continue;
        }
        const float d = most / 31, id = 1 / d;
        qz_f16_put(o, d);
        for (size_t b = 0; b < GROUPS; ++b)
            o[QS + 8 * b + 7] |= (uint8_t)(qz_iq_scale_code(id, scales[b], 15) << 4);
    }
}

void qz_iq2_xxs_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES)
        for (size_t b = 0; b < GROUPS; ++b) {
            const uint8_t *q = p + QS + 8 * b;
            const uint32_t word = qz_load_u32le(q + 4);
            const float scale = qz_f16_at(p) * (0.5f + (float)(word >> 28)) * 0.25f;
            for (size_t l = 0; l < 4; ++l, y += 8)
                qz_iq_values(&qz_iq2xxs_grid, q[l], scale, qz_iq_signs(word >> 7 * l & 127), y);
        }
}
