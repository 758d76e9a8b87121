#include "base/mathx.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

static double scale2(double x, int64_t k) { /* x·2^k in two exact steps, k within ±2100 */
    int64_t a = k / 2, b = k - a;
    uint64_t ua = (uint64_t)(a + 1023) << 52, ub = (uint64_t)(b + 1023) << 52;
    double fa, fb;
    memcpy(&fa, &ua, 8);
    memcpy(&fb, &ub, 8);
    return x * fa * fb;
}

/* exp(x) = 2^k · exp(r), |r| <= ln2/2; Taylor to r^13 (error below 2^-56). */
double qz_exp(double x) {
    if (!(x == x)) return x;
    if (x > 709.782712893384) return INFINITY;
    if (x < -745.2) return 0.0;
    const double inv_ln2 = 1.44269504088896338700, hi = 6.93147180369123816490e-01, lo = 1.90821492927058770002e-10;
    double kd = floor(x * inv_ln2 + 0.5);
    double r = (x - kd * hi) - kd * lo;
    double p = 1.0 / 6227020800.0;
    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    return scale2(p, (int64_t)kd);
}

/* log(x) = k·ln2 + 2·atanh(s), s = (m-1)/(m+1), m in [sqrt(1/2), sqrt(2)). */
double qz_log(double x) {
    if (!(x > 0.0)) return x == 0.0 ? -INFINITY : (double)NAN;
    if (x > 1.7976931348623157e308) return x;
    int k;
    double m = frexp(x, &k); /* exact */
    if (m < 0.70710678118654752440) {
        m *= 2.0;
        k--;
    }
    double s = (m - 1.0) / (m + 1.0), z = s * s, p = 1.0 / 23.0;
    for (int n = 21; n >= 1; n -= 2) p = p * z + 1.0 / (double)n;
    const double hi = 6.93147180369123816490e-01, lo = 1.90821492927058770002e-10;
    return (double)k * hi + ((double)k * lo + 2.0 * s * p);
}

double qz_pow(double x, double y) {
    if (y == 0.0 || x == 1.0) return 1.0;
    if (x == 0.0) return y > 0 ? 0.0 : INFINITY;
    return qz_exp(y * qz_log(x));
}

/* Argument reduction to |r| <= pi/4 with pi/2 in three parts, then Taylor polynomials. */
static double reduce(double x, int *quadrant) {
    const double inv = 0.63661977236758134308, p1 = 1.57079632673412561417e+00, p2 = 6.07710050630396597660e-11,
                 p3 = 2.02226624879595063154e-21;
    double k = floor(x * inv + 0.5);
    *quadrant = (int)((int64_t)k & 3);
    return ((x - k * p1) - k * p2) - k * p3;
}
static double sin_poly(double r) {
    double z = r * r, p = 1.0 / 355687428096000.0;
    p = p * z - 1.0 / 1307674368000.0;
    p = p * z + 1.0 / 6227020800.0;
    p = p * z - 1.0 / 39916800.0;
    p = p * z + 1.0 / 362880.0;
    p = p * z - 1.0 / 5040.0;
    p = p * z + 1.0 / 120.0;
    p = p * z - 1.0 / 6.0;
    return r + r * z * p;
}
static double cos_poly(double r) {
    double z = r * r, p = -1.0 / 6402373705728000.0;
    p = p * z + 1.0 / 20922789888000.0;
    p = p * z - 1.0 / 87178291200.0;
    p = p * z + 1.0 / 479001600.0;
    p = p * z - 1.0 / 3628800.0;
    p = p * z + 1.0 / 40320.0;
    p = p * z - 1.0 / 720.0;
    p = p * z + 1.0 / 24.0;
    p = p * z - 0.5;
    return 1.0 + z * p;
}
double qz_sin(double x) {
    int q;
    double r = reduce(x, &q);
    switch (q) {
    case 0: return sin_poly(r);
    case 1: return cos_poly(r);
    case 2: return -sin_poly(r);
    default: return -cos_poly(r);
    }
}
double qz_cos(double x) {
    int q;
    double r = reduce(x, &q);
    switch (q) {
    case 0: return cos_poly(r);
    case 1: return -sin_poly(r);
    case 2: return -cos_poly(r);
    default: return sin_poly(r);
    }
}
double qz_tanh(double x) {
    if (x > 20.0) return 1.0;
    if (x < -20.0) return -1.0;
    if (fabs(x) < 1e-4) return x - x * x * x / 3.0;
    double e = qz_exp(2.0 * x);
    return (e - 1.0) / (e + 1.0);
}
float qz_gelu_tanh(float x) {
    double v = x;
    return (float)(0.5 * v * (1.0 + qz_tanh(0.79788456080286535588 * (v + 0.044715 * v * v * v))));
}
