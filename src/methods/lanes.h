/* Sums in eight fixed lanes: the compiler may vectorize them, the order of additions is always the same. */
#ifndef QZ_METHODS_LANES_H
#define QZ_METHODS_LANES_H
#include <stddef.h>

static inline float qz_dot_lanes(const float *a, const float *b, size_t n) {
    float s[8] = {0};
    size_t k = 0;
    for (; k + 8 <= n; k += 8)
        for (size_t i = 0; i < 8; i++) s[i] += a[k + i] * b[k + i];
    for (size_t i = 0; k + i < n; i++) s[i] += a[k + i] * b[k + i];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}
static inline void qz_axpy(float *y, float a, const float *x, size_t n) {
    for (size_t k = 0; k < n; k++) y[k] += a * x[k];
}
#endif
