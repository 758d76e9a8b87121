/* Intervals of counted shares at any confidence (two-sided, 0 < confidence < 1). */
#ifndef QZ_EVAL_INTERVALS_H
#define QZ_EVAL_INTERVALS_H

/* Standard normal quantile, |error| < 1e-12 (bisection of erfc). */
double qz_normal_quantile(double p);
/* Wilson score interval of k of n. n = 0: 0 to 1. */
void qz_share_interval(double k, double n, double confidence, double *low, double *high);
/* Difference of two paired shares, (lost − won) / n: Bonett and Price, Statistics in Medicine 31 (2012). */
void qz_drop_interval(double lost, double won, double n, double confidence, double *low, double *high);
#endif
