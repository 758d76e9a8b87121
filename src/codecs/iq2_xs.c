/* IQ2_XS, 74 bytes for 256 values: d f16 @0; a 16-bit word @2 for each eight values: point in bits 0-8, sign index
 * (qz_iq_signs) in bits 9-15; scales[8] @66, a nibble for 16 values, low first. y = ((d·(0.5 + s))·0.25)·point·±1.
 * Needs importance. */
#include "codecs/iq_search.h"

enum { N = QZ_IQ_BLOCK, BYTES = 74, QS = 2, SCALES = 66 };
_Static_assert(BYTES == 2 + N / 4 + N / 32, "layout of iq2_xs");

static void get(const uint8_t *block, size_t b, qz_iq_group *g) {
    for (size_t l = 0; l < 2; ++l) {
        const unsigned word = qz_load_u16le(block + QS + 4 * b + 2 * l);
        g->points[l] = word & 511;
        g->signs[l] = qz_iq_signs(word >> 9);
    }
    g->scale = block[SCALES + b / 2] >> b % 2 * 4 & 15;
}
static void put(const qz_iq_group *g, size_t b, size_t at, uint8_t *block) {
    (void)at;
    for (size_t l = 0; l < 2; ++l)
        qz_store_u16le(block + QS + 4 * b + 2 * l, (uint16_t)(g->points[l] | (g->signs[l] & 127u) << 9));
    block[SCALES + b / 2] |= (uint8_t)(g->scale << b % 2 * 4);
}

const qz_iq_form qz_iq2_xs_form = {.grid = &qz_iq2xs_grid, .group = 16, .bytes = BYTES, .unit = 0.125f, .even = true,
                                   .get = get, .put = put, .tries = 9, .step = 0.1f, .redo = QZ_IQ_REDO_OFF_GRID,
                                   .start = 5, .least = 1e-15f, .spread = 1, .factor = 1};
QZ_IQ_CODEC(iq2_xs)
