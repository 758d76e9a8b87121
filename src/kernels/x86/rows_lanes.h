/* Rows of the forward pass, LANES values at a time: every value goes through the operations of ref/rows_ref.c and
 * base/mathx.h in their order, so the bits are the same. Included once per level (rows_avx2.c, rows_avx512.c), which
 * defines LEVEL(name), INLINE, LANES, vf, load(p), store(p, v), all(x), less(a, b), pick(m, yes, no), power(p, k): p
 * times 2^k (k whole, added to the exponent). Private to x86/. */
#ifndef QZ_KERNELS_X86_ROWS_LANES_H
#define QZ_KERNELS_X86_ROWS_LANES_H
#include <math.h>
#include <string.h>
#include "base/mathx.h"
#include "kernels/ops_int.h"

enum { SETS = QZ_ROW_LANES / LANES };

INLINE vf load_some(const float *p, size_t n, float rest) {
    float t[LANES];
    for (size_t i = 0; i < LANES; i++) t[i] = rest;
    memcpy(t, p, n * sizeof *t);
    return load(t);
}
INLINE void store_some(float *p, size_t n, vf v) {
    float t[LANES];
    store(t, v);
    memcpy(p, t, n * sizeof *t);
}

INLINE vf exp_of(vf x) {
    const vf high = all(88.72f), low = all(-87.33f);
    const vf c = pick(less(high, x), high, pick(less(x, low), low, x));
    const vf k = c * 1.44269504f + 12582912.0f - 12582912.0f, r = (c - k * 0.693359375f) + k * 2.12194440e-4f;
    vf p = all(1.98412698e-4f);
    p = p * r + 1.38888889e-3f;
    p = p * r + 8.33333333e-3f;
    p = p * r + 4.16666667e-2f;
    p = p * r + 1.66666667e-1f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return pick(less(x, low), all(0), power(p, k));
}

INLINE float sum_of(const vf acc[SETS]) {
    float t[QZ_ROW_LANES];
    for (size_t i = 0; i < SETS; i++) store(t + i * LANES, acc[i]);
    return qz_lane_sum(t);
}

void LEVEL(rms_norm)(const float *x, const float *w, size_t n, float eps, float *y) {
    vf acc[SETS] = {0};
    size_t k = 0;
    for (; k + QZ_ROW_LANES <= n; k += QZ_ROW_LANES)
        for (size_t i = 0; i < SETS; i++) acc[i] += load(x + k + i * LANES) * load(x + k + i * LANES);
    for (size_t i = 0; k + i * LANES < n; i++) {
        const size_t left = n - k - i * LANES;
        const vf v = load_some(x + k + i * LANES, left < LANES ? left : LANES, 0);
        acc[i] += v * v;
    }
    const vf r = all(qz_rms_factor(sum_of(acc), n, eps));
    for (k = 0; k + LANES <= n; k += LANES) store(y + k, load(x + k) * r * load(w + k));
    if (k < n) store_some(y + k, n - k, load_some(x + k, n - k, 0) * r * load_some(w + k, n - k, 0));
}

INLINE float largest(const float *s, size_t lo, size_t hi) {
    vf max = all(-INFINITY);
    size_t k = lo;
    for (; k + LANES <= hi; k += LANES) {
        const vf v = load(s + k);
        max = pick(less(max, v), v, max);
    }
    if (k < hi) {
        const vf v = load_some(s + k, hi - k, -INFINITY);
        max = pick(less(max, v), v, max);
    }
    float t[LANES], m = -INFINITY;
    store(t, max);
    for (size_t i = 0; i < LANES; i++) m = t[i] > m ? t[i] : m;
    return m;
}

void LEVEL(softmax)(float *s, size_t n, size_t lo, size_t hi, float scale) {
    const vf top = all(largest(s, lo, hi) * scale), by = all(scale);
    for (size_t k = 0; k < lo; k++) s[k] = 0;
    for (size_t k = hi; k < n; k++) s[k] = 0;
    size_t k = lo;
    for (; k + LANES <= hi; k += LANES) store(s + k, exp_of(load(s + k) * by - top));
    if (k < hi) store_some(s + k, hi - k, exp_of(load_some(s + k, hi - k, 0) * by - top));
    vf acc[SETS] = {0};
    for (k = lo - lo % QZ_ROW_LANES; k + QZ_ROW_LANES <= n && k < hi; k += QZ_ROW_LANES)
        for (size_t i = 0; i < SETS; i++) acc[i] += load(s + k + i * LANES);
    for (size_t i = 0; k < hi && k + i * LANES < n; i++) {
        const size_t left = n - k - i * LANES;
        acc[i] += load_some(s + k + i * LANES, left < LANES ? left : LANES, 0);
    }
    const float part = 1.0f / sum_of(acc);
    for (k = lo; k + LANES <= hi; k += LANES) store(s + k, load(s + k) * part);
    for (; k < hi; k++) s[k] *= part;
}

INLINE vf silu_of(vf x) { return x / (1.0f + exp_of(-x)); }
void LEVEL(silu_mul)(float *g, const float *u, size_t n) {
    size_t k = 0;
    for (; k + LANES <= n; k += LANES) store(g + k, silu_of(load(g + k)) * load(u + k));
    if (k < n) store_some(g + k, n - k, silu_of(load_some(g + k, n - k, 0)) * load_some(u + k, n - k, 0));
}

/* Exponentials of whole vectors go through memory: the compiler widens and adds eight at a time. */
double LEVEL(exp_sum)(const float *x, size_t n, float *max) {
    const float top = largest(x, 0, n);
    double acc[QZ_WIDE_LANES] = {0};
    float t[LANES];
    size_t k = 0;
    for (; k + LANES <= n; k += LANES) {
        store(t, exp_of(load(x + k) - all(top)));
        for (size_t j = 0; j < LANES; j += QZ_WIDE_LANES)
            for (size_t i = 0; i < QZ_WIDE_LANES; i++) acc[i] += (double)t[j + i];
    }
    for (size_t i = 0; k + i < n; i++) acc[i % QZ_WIDE_LANES] += (double)qz_expf(x[k + i] - top);
    *max = top;
    return qz_wide_sum(acc);
}

void LEVEL(kl_sums)(const float *a, const float *b, size_t n, float base, double out[2]) {
    double acc[QZ_WIDE_LANES] = {0}, mass[QZ_WIDE_LANES] = {0};
    float t[LANES];
    size_t k = 0;
    for (; k + LANES <= n; k += LANES) {
        store(t, exp_of(load(a + k) - all(base)));
        for (size_t j = 0; j < LANES; j += QZ_WIDE_LANES)
            for (size_t i = 0; i < QZ_WIDE_LANES; i++) {
                acc[i] += (double)t[j + i] * ((double)a[k + j + i] - (double)b[k + j + i]);
                mass[i] += (double)t[j + i];
            }
    }
    for (size_t i = 0; k + i < n; i++) {
        const double p = (double)qz_expf(a[k + i] - base);
        acc[i % QZ_WIDE_LANES] += p * ((double)a[k + i] - (double)b[k + i]);
        mass[i % QZ_WIDE_LANES] += p;
    }
    out[0] = qz_wide_sum(acc);
    out[1] = qz_wide_sum(mass);
}

bool LEVEL(all_finite)(const float *x, size_t n) { return qz_finite_bits(x, n); }
#endif
