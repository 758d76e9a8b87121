/* The loops of dsub (dense.h) around a level's tile: k by DSUB_STEPS, columns of c by those of a tile with the piece of
 * b turned so that a step's columns lie together, rows of c by those of a tile. */
#ifndef QZ_KERNELS_X86_DSUB_TILES_H
#define QZ_KERNELS_X86_DSUB_TILES_H
#include <string.h>
#include "kernels/ops_int.h"

#define DSUB_INLINE static inline __attribute__((always_inline))
enum { DSUB_STEPS = 128, DSUB_MOST_ROWS = 8, DSUB_MOST_COLS = 24 };

/* c −= a [rows, steps] (lda) times b [steps, cols], rows and cols of the level's tile. */
typedef void (*dsub_tile_fn)(const double *a, size_t lda, size_t steps, const double *b, double *c, size_t ldc);
typedef struct { size_t rows, cols; dsub_tile_fn tile; } dsub_level; /* a constant: the tile is inlined */

typedef struct { size_t i, rows, j, cols, p, steps; } dsub_at;
/* A tile at an edge: of what lies beyond nothing is written. */
DSUB_INLINE void dsub_edge(const dsub_level l, const qz_dproduct *d, const dsub_at *at, const double *b) {
    double a[DSUB_MOST_ROWS][DSUB_STEPS] = {{0}}, c[DSUB_MOST_ROWS][DSUB_MOST_COLS] = {{0}};
    for (size_t r = 0; r < at->rows; ++r) {
        memcpy(a[r], d->a + (at->i + r) * d->lda + at->p, at->steps * sizeof **a);
        memcpy(c[r], d->c + (at->i + r) * d->ldc + at->j, at->cols * sizeof **c);
    }
    l.tile(a[0], DSUB_STEPS, at->steps, b, c[0], DSUB_MOST_COLS);
    for (size_t r = 0; r < at->rows; ++r) memcpy(d->c + (at->i + r) * d->ldc + at->j, c[r], at->cols * sizeof **c);
}

DSUB_INLINE size_t dsub_min(size_t a, size_t b) { return a < b ? a : b; }
DSUB_INLINE void dsub_all(const dsub_level l, const qz_dproduct *d) {
    double b[DSUB_STEPS * DSUB_MOST_COLS];
    dsub_at at;
    for (at.p = 0; at.p < d->k; at.p += DSUB_STEPS) /* a's piece stays in the cache for all columns */
        for (at.j = 0; at.j < d->n; at.j += l.cols) {
            at.steps = dsub_min(DSUB_STEPS, d->k - at.p);
            at.cols = dsub_min(l.cols, d->n - at.j);
            for (size_t t = 0; t < l.cols; ++t)
                for (size_t q = 0; q < at.steps; ++q)
                    b[q * l.cols + t] = t < at.cols ? d->b[(at.j + t) * d->ldb + at.p + q] : 0;
            for (at.i = 0; at.i + l.rows <= d->m && at.cols == l.cols; at.i += l.rows)
                l.tile(d->a + at.i * d->lda + at.p, d->lda, at.steps, b, d->c + at.i * d->ldc + at.j, d->ldc);
            for (; at.i < d->m; at.i += l.rows) {
                at.rows = dsub_min(l.rows, d->m - at.i);
                dsub_edge(l, d, &at, b);
            }
        }
}
#endif
