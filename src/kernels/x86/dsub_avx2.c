/* c −= a·bᵀ in double (dense.h), AVX2: 4 x 12 sums in registers, one chain each. */
#include <immintrin.h>
#include "kernels/x86/dsub_tiles.h"

enum { DSUB_ROWS = 4, DSUB_COLS = 12, WIDE = 4, VECTORS = DSUB_COLS / WIDE };

/* c −= a [DSUB_ROWS, steps] (lda) times b [steps, DSUB_COLS]. */
DSUB_INLINE void dsub_tile(const double *a, size_t lda, size_t steps, const double *b, double *c, size_t ldc) {
    __m256d s[DSUB_ROWS][VECTORS];
    for (size_t i = 0; i < DSUB_ROWS; ++i)
        for (size_t j = 0; j < VECTORS; ++j) s[i][j] = _mm256_loadu_pd(c + i * ldc + j * WIDE);
    for (size_t k = 0; k < steps; ++k, b += DSUB_COLS) {
        __m256d v[VECTORS];
        for (size_t j = 0; j < VECTORS; ++j) v[j] = _mm256_loadu_pd(b + j * WIDE);
        for (size_t i = 0; i < DSUB_ROWS; ++i) {
            const __m256d x = _mm256_broadcast_sd(a + i * lda + k);
            for (size_t j = 0; j < VECTORS; ++j) s[i][j] = _mm256_fnmadd_pd(x, v[j], s[i][j]);
        }
    }
    for (size_t i = 0; i < DSUB_ROWS; ++i)
        for (size_t j = 0; j < VECTORS; ++j) _mm256_storeu_pd(c + i * ldc + j * WIDE, s[i][j]);
}

void qz_dsub_avx2(const qz_dproduct *d) {
    dsub_all((dsub_level){DSUB_ROWS, DSUB_COLS, dsub_tile}, d);
}
