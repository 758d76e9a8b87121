/* A product of two narrow matrices added to rows of floats: what a LoRA adapter does to a weight.
 *   qz_low_rank l = {left, right, rank, cols, scale}; qz_low_rank_add(mm, &l, first, n, y, scratch, err).
 * Exact: each element is one chain of fused multiply-adds along the rank, then one product and one sum in float32, so
 * the same bytes come out on any thread count and CPU level. */
#ifndef QZ_METHODS_LOW_RANK_H
#define QZ_METHODS_LOW_RANK_H
#include "kernels/matmul.h"

typedef struct {
    const float *left;    /* [rows, rank] */
    const float *right;   /* [cols, rank] */
    size_t rank, cols;
    float scale;
} qz_low_rank;
/* y [n, cols] += scale · left[first .. first + n) · rightᵀ; scratch [n, cols]. */
qz_status qz_low_rank_add(qz_mm *mm, const qz_low_rank *l, size_t first, size_t n, float *y, float *scratch,
                          qz_error *err);
#endif
