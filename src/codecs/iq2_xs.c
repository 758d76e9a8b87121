/* IQ2_XS, 74 bytes for 256 values: d f16 @0; a 16-bit word @2 for each eight values: point in bits 0-8, sign index
 * (qz_iq_signs) in bits 9-15; scales[8] @66, a nibble for 16 values, low first. y = ((d·(0.5 + s))·0.25)·point·±1.
 * Needs importance. */
#include "codecs/iq_search.h"

enum { N = 256, BYTES = 74, GROUPS = 16, QS = 2, SCALES = 66 };
_Static_assert(BYTES == 2 + N / 4 + N / 32, "layout of iq2_xs");
static const qz_iq_plan plan = {&qz_iq2xs_grid, 9, 0.1f, QZ_IQ_REDO_OFF_GRID};

/* Points and signs of 16 values into two words; returns their scale, 0: nothing is stored. */
static float put_group(const float *x, const float *w, uint8_t *o) {
    float magnitude[16];
    uint8_t signs[2], l[QZ_IQ_MAX];
    qz_iq_split(x, w, 16, true, magnitude, signs);
    const float max = qz_iq_max(magnitude, 16);
    if (max < 1e-15f) return 0;
    const float scale = qz_iq_search(&plan, 16, magnitude, w, max / 5, max, l);
    for (size_t k = 0; k < 2; ++k) {
        unsigned s = (scale < 0 ? ~signs[k] : signs[k]) & 127;
        qz_store_u16le(o + 2 * k, (uint16_t)(qz_iq_point(plan.grid, l + 8 * k) | s << 9));
    }
    return fabsf(scale);
}

void qz_iq2_xs_encode(const float *x, const float *importance, size_t cols, void *out) {
    uint8_t *o = out;
    float w[16], scales[GROUPS];
    for (size_t k = 0; k < cols; k += N, x += N, o += BYTES) {
        const float sigma2 = qz_sum_squares(x, N) / N;
        float most = 0;
        memset(o, 0, BYTES);
        for (size_t b = 0; b < GROUPS; ++b) {
            qz_iq_weigh(x + 16 * b, importance ? importance + k + 16 * b : NULL, 16, sigma2, w);
            scales[b] = put_group(x + 16 * b, w, o + QS + 4 * b);
            most = scales[b] > most ? scales[b] : most;
        }
        if (most == 0) {
            memset(o, 0, BYTES);
            continue;
        }
        const float d = most / 31, id = 1 / d;
        qz_f16_put(o, d);
        for (size_t b = 0; b < GROUPS; ++b)
            o[SCALES + b / 2] |= (uint8_t)(qz_iq_scale_code(id, scales[b], 15) << b % 2 * 4);
    }
}

void qz_iq2_xs_decode(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += N, p += BYTES)
        for (size_t l = 0; l < N / 8; ++l, y += 8) {
            const unsigned word = qz_load_u16le(p + QS + 2 * l);
            const float scale = qz_f16_at(p) * (0.5f + (float)(p[SCALES + l / 4] >> l / 2 % 2 * 4 & 15)) * 0.25f;
            qz_iq_values(&qz_iq2xs_grid, word & 511, scale, qz_iq_signs(word >> 9), y);
        }
}
