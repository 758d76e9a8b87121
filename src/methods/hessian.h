/* The quadratic form of one linear: error(W, Ŵ) = tr((W−Ŵ) H (W−Ŵ)ᵀ) with H = E[x xᵀ]. Prepared once for all linears
 * that share an input: damped float copy, processing order, and the feedback matrix of error-feedback rounding.
 * qz_hessian h; qz_hessian_init(&h, run, gram, &how, err); …; qz_hessian_release(&h).
 * Bit-identical on any thread count: every sum has a fixed order. Source: LDLQ form of GPTQ (arXiv 2307.13304). */
#ifndef QZ_METHODS_HESSIAN_H
#define QZ_METHODS_HESSIAN_H
#include "base/run.h"
#include "kernels/matmul.h"

#define QZ_DAMP_USUAL 0.01 /* the reference's share of the mean diagonal */

typedef struct {
    size_t cols;
    float *h;          /* [cols, cols] damped H in column order of the weights */
    uint32_t *order;   /* [cols] order[t] = column that is rounded at step t (groups by importance, then columns) */
    float *feedback;   /* [cols, cols] in step order: row u holds F[u][t], t < u: step u's target is w_u + Σ d_t·F[u][t]
                          with d_t what rounding step t's own target took away; sums over
                          fewer t are the best guess from those alone */
    float *weight;     /* [cols] conditional variance of step u: weight of its squared rounding error */
    double damping;    /* share of the mean diagonal that was added */
    size_t dead;       /* columns with a zero diagonal */
    uint8_t *is_dead;  /* [cols] */
} qz_hessian;
typedef enum {
    QZ_ORDER_NATURAL,
    QZ_ORDER_GROUPS,   /* group-aware: whole groups, then columns inside them, by importance (trivial g_idx) */
    QZ_ORDER_COLUMNS   /* all columns by importance (act_order with static groups) */
} qz_order;

typedef struct {
    size_t cols, group;   /* columns that the order keeps together; 0: each alone */
    double damp;          /* share of the mean diagonal, doubled up to 1.0 until the factorization succeeds */
    qz_order order;
    size_t point;         /* columns of a group that stay together in their own order; 0: each alone */
} qz_hessian_how;
/* gram [cols, cols] double E[x xᵀ]. QZ_ENUMERIC: it cannot be factored, or is not finite. */
qz_status qz_hessian_init(qz_hessian *h, qz_run *run, const double *gram, const qz_hessian_how *how, qz_error *err);
void qz_hessian_release(qz_hessian *h);
typedef struct { const float *h; size_t cols; float *scratch; } qz_quadratic; /* h [cols, cols], scratch [rows, cols] */
/* Σ over rows of e H eᵀ for e [rows, cols], H symmetric. */
qz_status qz_quadratic_error(qz_mm *mm, const qz_quadratic *q, const float *e, size_t rows, double *out, qz_error *err);
#endif
