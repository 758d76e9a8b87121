/* Rows of the forward pass, plain C. */
#include "base/mathx.h"
#include "kernels/ops_int.h"

enum { LANES = QZ_ROW_LANES };

void qz_rms_norm_ref(const float *x, const float *w, size_t n, float eps, float *y) {
    float acc[LANES] = {0};
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t i = 0; i < LANES; i++) acc[i] += x[k + i] * x[k + i];
    for (size_t i = 0; k + i < n; i++) acc[i] += x[k + i] * x[k + i];
    const float r = qz_rms_factor(qz_lane_sum(acc), n, eps);
    for (k = 0; k < n; k++) y[k] = x[k] * r * w[k];
}

void qz_softmax_ref(float *s, size_t n, size_t lo, size_t hi, float scale) {
    float max = -INFINITY;
    for (size_t k = lo; k < hi; k++) max = s[k] > max ? s[k] : max;
    max *= scale;
    for (size_t k = 0; k < lo; k++) s[k] = 0;
    for (size_t k = hi; k < n; k++) s[k] = 0;
    for (size_t k = lo; k < hi; k++) s[k] = qz_expf(s[k] * scale - max);
    float acc[LANES] = {0}; /* lanes by absolute index: the zeros outside change nothing */
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t i = 0; i < LANES; i++) acc[i] += s[k + i];
    for (size_t i = 0; k + i < n; i++) acc[i] += s[k + i];
    const float r = 1.0f / qz_lane_sum(acc);
    for (k = lo; k < hi; k++) s[k] *= r;
}

void qz_silu_mul_ref(float *g, const float *u, size_t n) {
    for (size_t k = 0; k < n; k++) g[k] = qz_silu(g[k]) * u[k];
}

double qz_exp_sum_ref(const float *x, size_t n, float *max) {
    float top = -INFINITY;
    double acc[QZ_WIDE_LANES] = {0};
    for (size_t k = 0; k < n; k++) top = x[k] > top ? x[k] : top;
    for (size_t k = 0; k < n; k++) acc[k % QZ_WIDE_LANES] += (double)qz_expf(x[k] - top);
    *max = top;
    return qz_wide_sum(acc);
}

void qz_kl_sums_ref(const float *a, const float *b, size_t n, float base, double out[2]) {
    double acc[QZ_WIDE_LANES] = {0}, mass[QZ_WIDE_LANES] = {0};
    for (size_t k = 0; k < n; k++) {
        const double p = (double)qz_expf(a[k] - base);
        acc[k % QZ_WIDE_LANES] += p * ((double)a[k] - (double)b[k]);
        mass[k % QZ_WIDE_LANES] += p;
    }
    out[0] = qz_wide_sum(acc);
    out[1] = qz_wide_sum(mass);
}

bool qz_all_finite_ref(const float *x, size_t n) { return qz_finite_bits(x, n); }
