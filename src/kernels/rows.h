/* Row-wise operations of the forward pass, on one thread (inside a pool job): sums run in 16 fixed lanes (by index) and
 * nothing is fused, so results do not depend on batch, threads or CPU level. Source: formats/families.md
 * sections 2, 4, 5. */
#ifndef QZ_KERNELS_ROWS_H
#define QZ_KERNELS_ROWS_H
#include "kernels/matmul.h"

/* y = x · (mean(x²) + eps)^(-1/2) · w; y may be x. NaN where the squares overflow. */
void qz_mm_rms_norm(const qz_mm *mm, const float *x, const float *w, size_t n, float eps, float *y);
/* In place softmax of s[lo..hi) times scale; everything outside within [0, n) becomes 0. */
void qz_mm_softmax(const qz_mm *mm, float *s, size_t n, size_t lo, size_t hi, float scale);
/* g = silu(g)·u */
void qz_mm_silu_mul(const qz_mm *mm, float *g, const float *u, size_t n);
bool qz_mm_all_finite(const qz_mm *mm, const float *x, size_t n);
/* Σ exp(x − max), and max = the largest of x (a NaN comes out in the sum). Float exponentials, sums in double in 8
 * lanes. */
double qz_mm_exp_sum(const qz_mm *mm, const float *x, size_t n, float *max);
/* out = {Σ p·(a − b), Σ p} with p = exp(a − base), likewise. */
void qz_mm_kl_sums(const qz_mm *mm, const float *a, const float *b, size_t n, float base, double out[2]);
#endif
