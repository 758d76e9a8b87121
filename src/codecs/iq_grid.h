/* Code books of the IQ types: points of eight (IQ1, IQ2) or four (IQ3) levels, the point of a combination of levels,
 * and for a combination that is no point the points near it, in the order the reference tries them.
 * const qz_iq_point *p = qz_iq_find(&qz_iq3s, key, &n): n = 1 on the grid. Tables are made at build time by
 * tables/gen_iq.c from tables/iq_levels.h: read only, shared by all threads.
 * Source: formats/ggml-quants.md section 8.1 (llama.cpp 0c1e57098). */
#ifndef QZ_CODECS_IQ_GRID_H
#define QZ_CODECS_IQ_GRID_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QZ_IQ_NEAR = 296 }; /* the longest list of IQ2 and IQ3, filled up */

typedef struct {
    const int8_t *values;    /* [points][size] magnitudes, or -1 0 1: what the decoder multiplies */
    const uint8_t *levels;   /* [points][size] */
    const int32_t *place;    /* [base^size] by key: the point, or ~(its list in near) */
    const uint16_t *near;    /* lists: their length, then points, filled up with the first to a multiple of eight */
    const uint16_t *near_levels; /* at the same places words: element i of the point at bit bits·i; IQ1: NULL */
    uint16_t points;
    uint8_t size, base;      /* elements of a point; levels of an element */
    uint8_t bits;
} qz_iq_grid;
extern const qz_iq_grid qz_iq2xxs_grid, qz_iq2xs_grid, qz_iq2s_grid, qz_iq1_grid, qz_iq3xxs_grid, qz_iq3s_grid;

/* Σ levels[i]·base^i, every level below base. */
static inline size_t qz_iq_key(const qz_iq_grid *g, const uint8_t *levels) {
    size_t key = 0;
    for (size_t i = g->size; i-- > 0;) key = key * g->base + levels[i];
    return key;
}
/* The point with these levels; -1: none, *list has the *n candidates. */
static inline int qz_iq_find(const qz_iq_grid *g, const uint8_t *levels, const uint16_t **list, size_t *n) {
    const int32_t at = g->place[qz_iq_key(g, levels)];
    if (at >= 0) return at;
    *n = g->near[~at];
    *list = g->near + ~at + 1;
    return -1;
}
/* 7-bit sign index to the signs of eight values: the eighth makes their number even. */
static inline uint8_t qz_iq_signs(unsigned index) {
    return (uint8_t)(index | (unsigned)(__builtin_popcount(index) & 1) << 7);
}
#endif
