/* The quadratic form of one linear: error(W, Ŵ) = tr((W−Ŵ) H (W−Ŵ)ᵀ) with H = E[x xᵀ]. Prepared once for all linears that
 * share an input: damped float copy, processing order, and the feedback matrix of error-feedback rounding.
 * qz_hessian h; qz_hessian_init(&h, run, gram, cols, group_size, damp, err); …; qz_hessian_release(&h).
 * Bit-identical on any thread count: every sum has a fixed order. Source: LDLQ form of GPTQ (arXiv 2307.13304). */
#ifndef QZ_METHODS_HESSIAN_H
#define QZ_METHODS_HESSIAN_H
#include "base/run.h"

typedef struct {
    size_t cols;
    float *h;          /* [cols, cols] damped H in column order of the weights */
    uint32_t *order;   /* [cols] order[t] = column that is rounded at step t (groups by importance, then columns) */
    float *feedback;   /* [cols, cols] in step order: row u holds M[u][t], t < u: step u's target moves by Σ e_t·M[u][t] */
    float *weight;     /* [cols] conditional variance of step u: weight of its squared rounding error */
    double damping;    /* share of the mean diagonal that was added */
    size_t dead;       /* columns with a zero diagonal */
} qz_hessian;

/* gram [cols, cols] double E[x xᵀ]; damping is raised tenfold up to 1.0 until the factorization succeeds (QZ_ENUMERIC if it
 * never does, or if gram is not finite). group_size 0: columns alone. reorder false: natural order. */
qz_status qz_hessian_init(qz_hessian *h, qz_run *run, const double *gram, size_t cols, size_t group_size, double damp, bool reorder, qz_error *err);
void qz_hessian_release(qz_hessian *h);
/* Lower Cholesky factor of a [n, n] in place (upper part left alone). QZ_ENUMERIC naming the pivot if not positive definite. */
qz_status qz_cholesky(qz_run *run, double *a, size_t n, qz_error *err);
#endif
