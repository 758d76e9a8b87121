/* IQ3_XXS, 98 bytes for 256 values: d f16 @0; a point of four values in each byte @2; for each 32 values a word @66:
 * sign index l of eight values (7 bits, qz_iq_signs) at bits 7l, scale s in bits 28-31.
 * y = ((d·(0.5 + s))·0.5)·point·±1. Needs importance in files of the reference's mixes. */
#include "codecs/iq_search.h"

enum { N = QZ_IQ_BLOCK, BYTES = 98, QS = 2, WORDS = 66 };
_Static_assert(BYTES == 2 + N / 4 + N / 8, "layout of iq3_xxs");

static void get(const uint8_t *block, size_t b, qz_iq_group *g) {
    const uint32_t word = qz_load_u32le(block + WORDS + 4 * b);
    for (size_t l = 0; l < 8; ++l) g->points[l] = block[QS + 8 * b + l];
    for (size_t l = 0; l < 4; ++l) g->signs[l] = qz_iq_signs(word >> 7 * l & 127);
    g->scale = (uint8_t)(word >> 28);
}
static void put(const qz_iq_group *g, size_t b, size_t at, uint8_t *block) {
    uint32_t word = (uint32_t)g->scale << 28;
    (void)at;
    for (size_t l = 0; l < 8; ++l) block[QS + 8 * b + l] = (uint8_t)g->points[l];
    for (size_t l = 0; l < 4; ++l) word |= (uint32_t)(g->signs[l] & 127) << 7 * l;
    qz_store_u32le(block + WORDS + 4 * b, word);
}

const qz_iq_form qz_iq3_xxs_form = {.grid = &qz_iq3xxs_grid, .group = 32, .bytes = BYTES, .unit = 0.25f, .even = true,
                                    .get = get, .put = put, .tries = 15, .step = 0.2f, .redo = QZ_IQ_REDO_OFF_GRID,
                                    .start = 15, .least = 1e-8f, .spread = 2, .factor = 1.0125f};
QZ_IQ_CODEC(iq3_xxs)
