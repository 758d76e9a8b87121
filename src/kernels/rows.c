#include "kernels/rows.h"
#include "kernels/mm_int.h"

void qz_mm_rms_norm(const qz_mm *mm, const float *x, const float *w, size_t n, float eps, float *y) {
    mm->ops.rms_norm(x, w, n, eps, y);
}
void qz_mm_softmax(const qz_mm *mm, float *s, size_t n, size_t lo, size_t hi, float scale) {
    mm->ops.softmax(s, n, lo, hi, scale);
}
void qz_mm_silu_mul(const qz_mm *mm, float *g, const float *u, size_t n) { mm->ops.silu_mul(g, u, n); }
bool qz_mm_all_finite(const qz_mm *mm, const float *x, size_t n) { return mm->ops.all_finite(x, n); }
double qz_mm_exp_sum(const qz_mm *mm, const float *x, size_t n, float *max) { return mm->ops.exp_sum(x, n, max); }
void qz_mm_kl_sums(const qz_mm *mm, const float *a, const float *b, size_t n, float base, double out[2]) {
    mm->ops.kl_sums(a, b, n, base, out);
}
