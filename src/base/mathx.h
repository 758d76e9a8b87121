/* exp, log, pow, tanh, sin, cos with one implementation: plain double arithmetic in a fixed order (no FMA, no libm),
 * so an artifact does not depend on the machine's math library (design.md decision 3).
 * Double results within 2 ulp over the ranges the engine uses. */
#ifndef QZ_BASE_MATHX_H
#define QZ_BASE_MATHX_H
#include "base/bytes.h"

double qz_exp(double x);
double qz_log(double x);      /* x > 0 */
double qz_pow(double x, double y); /* x > 0 */
double qz_sin(double x);      /* |x| < 2^31 */
double qz_cos(double x);
double qz_tanh(double x);
/* Float exp in plain float arithmetic (Cody-Waite, degree 7), written so that compilers vectorize loops over it:
 * 0 below -87.33, clamped at 88.72; within 2 ulp. */
static inline float qz_expf(float x) {
    float c = x > 88.72f ? 88.72f : x < -87.33f ? -87.33f : x;
    float t = c * 1.44269504f + 12582912.0f; /* adds 1.5*2^23: rounds to nearest even */
    float k = t - 12582912.0f;
    float r = (c - k * 0.693359375f) + k * 2.12194440e-4f;
    float p = 1.98412698e-4f;
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    float y = qz_bits_f32(qz_f32_bits(p) + ((uint32_t)(int32_t)k << 23));
    return x < -87.33f ? 0.0f : y;
}
static inline float qz_silu(float x) { return x / (1.0f + qz_expf(-x)); }
float qz_gelu_tanh(float x);
#endif
