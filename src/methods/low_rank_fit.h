/* The product of two narrow matrices that comes nearest to a matrix on given inputs:
 *   qz_low_rank_target t = {d, gram, rows, cols, rank}; qz_low_rank_fit(mm, &t, left, right, &gain, err);
 * minimises E‖(D − L·R) x‖² over all of rank `rank`. With H = E[x xᵀ] the best L are the first eigenvectors of D·H·Dᵀ,
 * and R = Lᵀ·D: no inverse of H, so directions that no input has cost nothing. The eigenvectors come from a block of
 * power steps (a few vectors more than asked for) and one small Jacobi problem; where eigenvalues lie close together
 * the found subspace is another one of nearly the same error. The same bytes on any thread count and CPU level.
 * Source: Eckart and Young 1936, under H as in GPTQ (arXiv 2210.17323). Errors: QZ_EMEMORY; QZ_ENUMERIC, not finite. */
#ifndef QZ_METHODS_LOW_RANK_FIT_H
#define QZ_METHODS_LOW_RANK_FIT_H
#include "kernels/matmul.h"

typedef struct {
    const float *d;      /* [rows, cols] */
    const float *gram;   /* [cols, cols], symmetric */
    size_t rows, cols, rank;
} qz_low_rank_target;
/* E‖D x‖² and what the product leaves of it. */
typedef struct { double before, after; } qz_low_rank_gain;
/* E‖D x‖² alone; rank is not read. */
qz_status qz_low_rank_energy(qz_mm *mm, const qz_low_rank_target *t, double *out, qz_error *err);
/* left [rows, rank] and right [rank, cols], their columns and rows balanced in length; zeros beyond the rank of D. */
qz_status qz_low_rank_fit(qz_mm *mm, const qz_low_rank_target *t, float *left, float *right, qz_low_rank_gain *gain,
                          qz_error *err);
#endif
