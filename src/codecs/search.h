/* Scale searches shared by the reference encoders (formats/ggml-quants.md section 4): plain float32, sums strictly in
 * index order, so that the bytes equal the reference library's. Private to codecs/. n <= 32 everywhere. */
#ifndef QZ_CODECS_SEARCH_H
#define QZ_CODECS_SEARCH_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "codecs/encode_steps.h"

/* Symmetric: x ≈ scale·(L − nmax), L in 0..2·nmax−1; returns the least-squares scale (may be negative). A block without
 * a value above 1e-15 gives scale 0 and L = 0. */
float qz_search_sym(size_t n, int nmax, const float *x, const float *w, uint8_t *L);
/* The same by coordinate sweeps with weights x² (Q3_K without importance). */
float qz_search_sweep(size_t n, int nmax, const float *x, uint8_t *L);

/* Asymmetric: x ≈ scale·L − *the_min, *the_min >= 0, L in 0..nmax. */
float qz_search_asym(size_t n, const qz_search_grid *grid, const float *x, const float *w, uint8_t *L, float *the_min);
/* Scales of scales: x >= 0, x ≈ result·L, L in 0..nmax. */
float qz_search_pos(size_t n, int nmax, const float *x, const float *w, uint8_t *L);
/* w[i] = importance[i]·sqrt(sigma2 + x[i]²); returns Σ w. */
float qz_importance_weights(const float *x, const float *importance, size_t n, float sigma2, float *w);
#endif
