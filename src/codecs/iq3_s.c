/* IQ3_S, 110 bytes for 256 values: d f16 @0; the low byte of a point of four values in each byte @2; qh[8] @66, the top
 * bit of the points of 32 values; signs[32] @74, a byte for eight values; scales[4] @106, a nibble for 32 values, low
 * first. y = (d·(1 + 2s))·point·±1. */
#include "codecs/iq_search.h"

enum { N = QZ_IQ_BLOCK, BYTES = 110, QS = 2, QH = 66, SIGNS = 74, SCALES = 106 };
_Static_assert(BYTES == 2 + N / 4 + N / 32 + N / 8 + N / 64, "layout of iq3_s");

static void get(const uint8_t *block, size_t b, qz_iq_group *g) {
    for (size_t l = 0; l < 8; ++l)
        g->points[l] = (uint16_t)(block[QS + 8 * b + l] | (block[QH + b] >> l & 1) << 8);
    memcpy(g->signs, block + SIGNS + 4 * b, 4);
    g->scale = block[SCALES + b / 2] >> b % 2 * 4 & 15;
}
static void put(const qz_iq_group *g, size_t b, size_t at, uint8_t *block) {
    for (size_t l = 0; l < 8; ++l) {
        block[QS + 8 * at + l] = (uint8_t)g->points[l];
        block[QH + b] |= (uint8_t)((g->points[l] >> 8) << l);
    }
    memcpy(block + SIGNS + 4 * at, g->signs, 4);
    block[SCALES + b / 2] |= (uint8_t)(g->scale << b % 2 * 4);
}

/* deviates: every group goes to its own place, in compat where the reference puts it (iq_form.h: moved). */
const qz_iq_form qz_iq3_s_form = {.grid = &qz_iq3s_grid, .group = 32, .bytes = BYTES, .unit = 1,
                                  .get = get, .put = put, .tries = 9, .step = 0.2f, .redo = QZ_IQ_REDO_ALL_IF_ANY,
                                  .start = 15, .spread = 2, .factor = 1.033f, .keep = true};
QZ_IQ_CODEC(iq3_s)
void qz_iq3_s_compat(const float *x, const float *importance, size_t cols, void *out) {
    qz_iq_encode(&qz_iq3_s_form, true, x, importance, cols, out);
}
