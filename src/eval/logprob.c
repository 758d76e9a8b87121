#include "eval/logprob.h"
#include "base/mathx.h"
#include "kernels/rows.h"

double qz_log_sum_exp(const qz_mm *mm, const float *logits, size_t n, uint32_t *argmax) {
    float max;
    const double sum = qz_mm_exp_sum(mm, logits, n, &max);
    size_t best = 0;
    if (argmax) {
        while (best + 1 < n && !(logits[best] == max)) best++;
        *argmax = (uint32_t)best;
    }
    return (double)max + qz_log(sum);
}

/* Σ p (a−b) + (lse_q − lse_p): the difference of logits is small where p is large, so nothing cancels badly. */
double qz_kl_row(const qz_mm *mm, const float *a, double a_lse, const float *b, double b_lse, size_t n) {
    double sums[2];
    qz_mm_kl_sums(mm, a, b, n, (float)a_lse, sums);
    const double kl = sums[0] / sums[1] + (b_lse - a_lse); /* normalised by the float probabilities' own sum */
    return kl < 0 ? 0 : kl;                               /* rounding below zero; a NaN stays one */
}
