#include "eval/logprob.h"
#include "base/mathx.h"
#include <math.h>

enum { LANES = 8 };

double qz_log_sum_exp(const float *logits, size_t n, uint32_t *argmax) {
    size_t best = 0;
    for (size_t k = 1; k < n; k++)
        if (logits[k] > logits[best]) best = k;
    float max = logits[best];
    double acc[LANES] = {0}, sum = 0;
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t i = 0; i < LANES; i++) acc[i] += (double)qz_expf(logits[k + i] - max);
    for (size_t i = 0; k + i < n; i++) acc[i] += (double)qz_expf(logits[k + i] - max);
    for (size_t i = 0; i < LANES; i++) sum += acc[i];
    if (argmax) *argmax = (uint32_t)best;
    return (double)max + qz_log(sum);
}

/* Σ p (a−b) + (lse_q − lse_p): the difference of logits is small where p is large, so nothing cancels badly. */
double qz_kl_row(const float *a, double a_lse, const float *b, double b_lse, size_t n) {
    double acc[LANES] = {0}, sum = 0, shift = b_lse - a_lse;
    float base = (float)a_lse;
    size_t k = 0;
    double mass[LANES] = {0}, total = 0;
    for (; k < n; k += LANES) {
        size_t m = n - k < LANES ? n - k : LANES;
        for (size_t i = 0; i < m; i++) {
            double p = (double)qz_expf(a[k + i] - base);
            acc[i] += p * ((double)a[k + i] - (double)b[k + i]);
            mass[i] += p;
        }
    }
    for (size_t i = 0; i < LANES; i++) sum += acc[i], total += mass[i];
    double kl = sum / total + shift; /* normalised by the float probabilities' own sum */
    return kl < 0 ? 0 : kl; /* rounding below zero; a NaN stays one */
}
