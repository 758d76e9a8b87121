/* IQ2_XXS, 66 bytes for 256 values: d f16 @0; for each 32 values eight bytes @2: four points of eight (one byte each),
 * then a word: sign index l (7 bits, qz_iq_signs) at bits 7l, scale s in bits 28-31. y = ((d·(0.5 + s))·0.25)·point·±1.
 * Needs importance. */
#include "codecs/iq_search.h"

enum { N = QZ_IQ_BLOCK, BYTES = 66, QS = 2 };
_Static_assert(BYTES == 2 + N / 8 + N / 8, "layout of iq2_xxs");

static void get(const uint8_t *block, size_t b, qz_iq_group *g) {
    const uint8_t *p = block + QS + 8 * b;
    const uint32_t word = qz_load_u32le(p + 4);
    for (size_t l = 0; l < 4; ++l) {
        g->points[l] = p[l];
        g->signs[l] = qz_iq_signs(word >> 7 * l & 127);
    }
    g->scale = (uint8_t)(word >> 28);
}
static void put(const qz_iq_group *g, size_t b, size_t at, uint8_t *block) {
    uint8_t *p = block + QS + 8 * at;
    uint32_t word = (uint32_t)g->scale << 28;
    (void)b;
    for (size_t l = 0; l < 4; ++l) {
        p[l] = (uint8_t)g->points[l];
        word |= (uint32_t)(g->signs[l] & 127) << 7 * l;
    }
    qz_store_u32le(p + 4, word);
}

const qz_iq_form qz_iq2_xxs_form = {.grid = &qz_iq2xxs_grid, .group = 32, .bytes = BYTES, .unit = 0.125f, .even = true,
                                    .get = get, .put = put, .tries = 6, .step = 0.1f, .redo = QZ_IQ_REDO_ALL,
                                    .least = 1e-15f, .spread = 1, .factor = 1};
QZ_IQ_CODEC(iq2_xxs)
