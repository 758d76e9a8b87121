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

bool qz_all_finite_ref(const float *x, size_t n) { return qz_finite_bits(x, n); }
