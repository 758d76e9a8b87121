/* exp, log, pow, tanh, sin, cos with one implementation: plain double arithmetic in a fixed order (no FMA, no libm),
 * so an artifact does not depend on the machine's math library (design.md decision 3).
 * Float results are within 1 ulp; double results within 2 ulp over the ranges the engine uses. */
#ifndef QZ_BASE_MATHX_H
#define QZ_BASE_MATHX_H
double qz_exp(double x);
double qz_log(double x);      /* x > 0 */
double qz_pow(double x, double y); /* x > 0 */
double qz_sin(double x);      /* |x| < 2^31 */
double qz_cos(double x);
double qz_tanh(double x);
static inline float qz_expf(float x) { return (float)qz_exp((double)x); }
static inline float qz_silu(float x) { return (float)((double)x / (1.0 + qz_exp(-(double)x))); }
float qz_gelu_tanh(float x);
#endif
