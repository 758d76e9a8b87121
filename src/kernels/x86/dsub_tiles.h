/* The loops of dsub (dense.h) around a level's tile: columns of c by DSUB_COLS, k by DSUB_STEPS with the piece of b turned
 * so that a step's columns lie together, rows of c by DSUB_ROWS. The including file defines DSUB_ROWS, DSUB_COLS and
 * dsub_tile before. */
#include <string.h>
#include "kernels/ops_int.h"

enum { DSUB_STEPS = 128 };

/* A tile at an edge: of what lies beyond nothing is written. */
static void dsub_edge(const qz_dproduct *d, size_t i, size_t rows, size_t j, size_t cols, size_t p, size_t steps,
                      const double *b) {
    double a[DSUB_ROWS][DSUB_STEPS] = {{0}}, c[DSUB_ROWS][DSUB_COLS] = {{0}};
    for (size_t r = 0; r < rows; ++r) {
        memcpy(a[r], d->a + (i + r) * d->lda + p, steps * sizeof **a);
        memcpy(c[r], d->c + (i + r) * d->ldc + j, cols * sizeof **c);
    }
    dsub_tile(a[0], DSUB_STEPS, steps, b, c[0], DSUB_COLS);
    for (size_t r = 0; r < rows; ++r) memcpy(d->c + (i + r) * d->ldc + j, c[r], cols * sizeof **c);
}

static inline void dsub_all(const qz_dproduct *d) {
    double b[DSUB_STEPS][DSUB_COLS];
    for (size_t j = 0; j < d->n; j += DSUB_COLS)
        for (size_t p = 0; p < d->k; p += DSUB_STEPS) {
            const size_t steps = d->k - p < DSUB_STEPS ? d->k - p : (size_t)DSUB_STEPS,
                         cols = d->n - j < DSUB_COLS ? d->n - j : (size_t)DSUB_COLS;
            for (size_t t = 0; t < DSUB_COLS; ++t)
                for (size_t q = 0; q < steps; ++q) b[q][t] = t < cols ? d->b[(j + t) * d->ldb + p + q] : 0;
            size_t i = 0;
            for (; i + DSUB_ROWS <= d->m && cols == DSUB_COLS; i += DSUB_ROWS)
                dsub_tile(d->a + i * d->lda + p, d->lda, steps, b[0], d->c + i * d->ldc + j, d->ldc);
            for (; i < d->m; i += DSUB_ROWS)
                dsub_edge(d, i, d->m - i < DSUB_ROWS ? d->m - i : (size_t)DSUB_ROWS, j, cols, p, steps, b[0]);
        }
}
