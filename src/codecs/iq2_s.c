/* IQ2_S, 82 bytes for 256 values: d f16 @0; for each eight values the low byte of their point @2 and a byte of signs
 * @34; qh[8] @66, two top bits of the points of 32 values; scales[8] @74, a nibble for 16 values, low first.
 * y = ((d·(0.5 + s))·0.25)·point·±1. */
#include "codecs/iq_search.h"

enum { N = QZ_IQ_BLOCK, BYTES = 82, QS = 2, SIGNS = 34, QH = 66, SCALES = 74 };
_Static_assert(BYTES == 2 + N / 8 + N / 8 + N / 32 + N / 32, "layout of iq2_s");

static void get(const uint8_t *block, size_t b, qz_iq_group *g) {
    for (size_t l = 0, e = 2 * b; l < 2; ++l, ++e) {
        g->points[l] = (uint16_t)(block[QS + e] | (block[QH + e / 4] >> e % 4 * 2 & 3) << 8);
        g->signs[l] = block[SIGNS + e];
    }
    g->scale = block[SCALES + b / 2] >> b % 2 * 4 & 15;
}
static void put(const qz_iq_group *g, size_t b, size_t at, uint8_t *block) {
    (void)at;
    for (size_t l = 0, e = 2 * b; l < 2; ++l, ++e) {
        block[QS + e] = (uint8_t)g->points[l];
        block[QH + e / 4] |= (uint8_t)((g->points[l] >> 8) << e % 4 * 2);
        block[SIGNS + e] = g->signs[l];
    }
    block[SCALES + b / 2] |= (uint8_t)(g->scale << b % 2 * 4);
}

const qz_iq_form qz_iq2_s_form = {.grid = &qz_iq2s_grid, .group = 16, .bytes = BYTES, .unit = 0.125f,
                                  .get = get, .put = put, .tries = 9, .step = 0.1f, .redo = QZ_IQ_REDO_OFF_GRID,
                                  .start = 5, .least = 1e-8f, .spread = 2, .floored = true, .factor = 0.9875f,
                                  .keep = true};
QZ_IQ_CODEC(iq2_s)
