/* Confidence sequences: tests that may be looked at after every window or task, and stop when they are certain.
 * Each is one-sided at level alpha on either side: with probability 1 − alpha or more a decision, whenever it falls, is
 * right. −1: the true value is above the limit, 1: below it, 0: not certain yet. */
#ifndef QZ_GATE_SEQUENCE_H
#define QZ_GATE_SEQUENCE_H
#include <stddef.h>

/* k of n, each independent: the likelihood ratio against a uniform prior on the far side of the limit (Robbins 1970; an
 * exact test: Ville's inequality). */
int qz_sequence_share(double k, double n, double limit, double alpha);
/* Mean of n values that are not negative (KL of windows): a normal mixture with estimated variance (Waudby-Smith,
 * Arbour, Sinha, Kennedy and Ramdas, arXiv 2103.06476, theorem 2.2). It is asymptotic, so nothing is decided before
 * QZ_SEQUENCE_FIRST values, the variance is widened by n / (n − 3), and "below the limit" must hold for the mean of a
 * log-normal law as well (Cox's method): values of a long right tail look smaller than they are while the tail is not
 * seen. What no test of a mean can see is a window among hundreds that alone decides it. */
enum { QZ_SEQUENCE_FIRST = 8 };
typedef struct { double n, sum, squares, log_sum, log_squares; } qz_sequence_sums;
void qz_sequence_add(qz_sequence_sums *s, double value);
/* low and high: the sequence of the mean itself, clipped at 0; NULL: not asked. */
int qz_sequence_mean(const qz_sequence_sums *s, double limit, double alpha, double *low, double *high);
#endif
