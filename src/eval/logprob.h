/* Log-probabilities of a row of logits: float exponentials, sums in double in a fixed order (the result does not depend
 * on batch or threads). */
#ifndef QZ_EVAL_LOGPROB_H
#define QZ_EVAL_LOGPROB_H
#include <stddef.h>
#include <stdint.h>
#include "kernels/matmul.h"

/* log Σ exp(logits), and the index of the largest logit. */
double qz_log_sum_exp(const qz_mm *mm, const float *logits, size_t n, uint32_t *argmax);
/* Σ p·(log p − log q) with p, q given by logits and their log-sum-exp. */
double qz_kl_row(const qz_mm *mm, const float *p_logits, double p_lse, const float *q_logits, double q_lse, size_t n);
#endif
