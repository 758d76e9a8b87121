/* Products of the solvers. In double precision, of Cholesky factors and triangular inverses:
 * qz_dsub_fn sub = qz_dsub(run->cpu); sub(&(qz_dproduct){m, n, k, a, lda, b, ldb, c, ldc}), from inside a pool job.
 * c [m, n] −= a [m, k] · b [n, k]ᵀ. Each element is one chain of fused multiply-adds from the value that c has, k
 * ascending: bit-identical on every CPU level and however m, n and k are cut. b is turned in pieces on the stack, which
 * pays from some 64 rows of a on. c overlaps neither. */
#ifndef QZ_KERNELS_DENSE_H
#define QZ_KERNELS_DENSE_H
#include "base/run.h"

/* One row more, times a number. */
typedef struct { uint32_t row; float times; } qz_row_step;
/* y [n] += Σ steps[i].times · x[steps[i].row · ld ..], i ascending for every element, product and sum rounded apart:
 * bit-identical on every CPU level and however the columns are cut. y does not overlap x. Rows that many calls share
 * stay in the cache where the caller takes a strip of columns for all of them. Thread safe. */
typedef void (*qz_add_rows_fn)(float *y, size_t n, const float *x, size_t ld, const qz_row_step *steps, size_t n_steps);
/* The fastest at min(level, detected); never NULL. */
qz_add_rows_fn qz_rows_adder(qz_cpu_level level);

typedef struct {
    size_t m, n, k;
    const double *a;
    size_t lda;
    const double *b;
    size_t ldb;
    double *c;
    size_t ldc;
} qz_dproduct;
typedef void (*qz_dsub_fn)(const qz_dproduct *p);
/* The fastest at min(level, detected). Thread safe; never NULL. */
qz_dsub_fn qz_dsub(qz_cpu_level level);
#endif
