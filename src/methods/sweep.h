/* Coordinate descent on a batch of rows under one H. Steps are decided in a strip of columns, row by row, and then
 * change the gradients of all other columns strip by strip, so that H is read once for a batch and a sweep, and what is
 * read stays in the cache. Every gradient sees the steps in the order of their columns: a row's codes do not depend on
 * its batch.
 * qz_sweep_open(w, …); do qz_sweep_pass(w, …) while (qz_sweep_more(w)). One qz_sweep a thread. */
#ifndef QZ_METHODS_SWEEP_H
#define QZ_METHODS_SWEEP_H
#include "kernels/dense.h"

enum { QZ_SWEEP_ROWS = 256, QZ_SWEEP_COLUMNS = 256 }; /* of a batch, of a strip (wider ones take fewer steps) */
typedef struct {
    qz_add_rows_fn add_rows;
    float *grad;                           /* [rows of the matrix, cols] */
    size_t cols, first, rows;              /* the batch: rows [first, first + rows) */
    size_t j0, j1;                         /* the strip */
    const float *x;                        /* [.., cols] what a step adds multiples of: rows of H, or sums of them */
    bool open[QZ_SWEEP_ROWS];              /* the last sweep moved something */
    size_t moved[QZ_SWEEP_ROWS];           /* in this one */
    size_t n[QZ_SWEEP_ROWS];               /* steps in this strip */
    qz_row_step steps[QZ_SWEEP_ROWS][QZ_SWEEP_COLUMNS];
} qz_sweep;

/* Batch number `batch` of `all` rows. */
void qz_sweep_open(qz_sweep *w, qz_add_rows_fn add_rows, float *grad, size_t cols, size_t batch, size_t all);
/* Row i of the batch took a step: its gradient inside the strip follows at once. */
static inline void qz_sweep_take(qz_sweep *w, size_t i, size_t x_row, float times) {
    const qz_row_step taken = {(uint32_t)x_row, times};
    w->add_rows(w->grad + (w->first + i) * w->cols + w->j0, w->j1 - w->j0, w->x + w->j0, w->cols, &taken, 1);
    w->steps[i][w->n[i]++] = taken;
}
/* Decides the steps of row i in columns [j0, j1). */
typedef void (*qz_sweep_fn)(void *ctx, qz_sweep *w, size_t i);
/* All columns once, in strips of `wide`, for the rows that are open. */
void qz_sweep_pass(qz_sweep *w, size_t wide, const float *x, qz_sweep_fn strip, void *ctx);
/* Ends a sweep; false: no row is open. */
bool qz_sweep_more(qz_sweep *w);
static inline size_t qz_sweep_batches(size_t rows) { return (rows + QZ_SWEEP_ROWS - 1) / QZ_SWEEP_ROWS; }
#endif
