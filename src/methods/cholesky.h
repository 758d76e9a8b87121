/* Cholesky factors and what is solved with them, in double, by blocks: the products are kernels/dense.h's chains, so
 * every result has one order of operations on any thread count and CPU level.
 * qz_cholesky(run, a, n, err); qz_chol_both(run, a, n); qz_chol_solve(run, a, n, b, rows, x, err). */
#ifndef QZ_METHODS_CHOLESKY_H
#define QZ_METHODS_CHOLESKY_H
#include "base/run.h"
#include "kernels/dense.h"

/* Lower factor of a [n, n] in place (upper part left alone, but for squares on the diagonal). QZ_ENUMERIC naming the
 * pivot if not positive definite. */
qz_status qz_cholesky(qz_run *run, double *a, size_t n, qz_error *err);

typedef struct { qz_dsub_fn sub; const double *l; size_t n; } qz_chol; /* l [n, n]: a factor */
static inline qz_chol qz_chol_of(qz_run *run, const double *l, size_t n) { return (qz_chol){qz_dsub(run->cpu), l, n}; }
/* Rows of x [rows, n] become those of x·L⁻ᵀ; columns before `from` are 0. From inside a pool job. */
void qz_chol_forward(const qz_chol *c, double *x, size_t rows, size_t from);
/* The factor also turned into the upper part: what qz_chol_solve reads. */
void qz_chol_both(qz_run *run, double *l, size_t n);
/* x [rows, n] = b [rows, n] · (L·Lᵀ)⁻¹. */
qz_status qz_chol_solve(qz_run *run, const double *l, size_t n, const double *b, size_t rows, float *x, qz_error *err);
#endif
