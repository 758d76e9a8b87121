/* c −= a·bᵀ in double (dense.h), AVX-512: 4 x 4 sums of eight lanes in registers. */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))

INLINE double total(__m512d v) {
    __m256d s = _mm256_add_pd(_mm512_castpd512_pd256(v), _mm512_extractf64x4_pd(v, 1)); /* 0+4 1+5 2+6 3+7 */
    __m128d t = _mm_add_pd(_mm256_castpd256_pd128(s), _mm256_extractf128_pd(s, 1));
    return _mm_cvtsd_f64(t) + _mm_cvtsd_f64(_mm_unpackhi_pd(t, t));
}

/* M and N are compile-time constants: all sums stay in registers. */
INLINE void tile(const size_t M, const size_t N, const qz_dproduct *d, size_t i0, size_t j0) {
    const size_t k = d->k, lda = d->lda, ldb = d->ldb, ldc = d->ldc;
    const double *a = d->a + i0 * lda, *b = d->b + j0 * ldb;
    double *c = d->c + i0 * ldc + j0;
    __m512d s[4][4];
    for (size_t i = 0; i < M; ++i)
        for (size_t j = 0; j < N; ++j) s[i][j] = _mm512_setzero_pd();
    for (size_t p = 0; p < k; p += 8) {
        const __mmask8 mask = (__mmask8)(k - p >= 8 ? 0xffu : (1u << (k - p)) - 1u);
        __m512d y[4];
        for (size_t j = 0; j < N; ++j) y[j] = _mm512_maskz_loadu_pd(mask, b + j * ldb + p);
        for (size_t i = 0; i < M; ++i) {
            const __m512d x = _mm512_maskz_loadu_pd(mask, a + i * lda + p);
            for (size_t j = 0; j < N; ++j) s[i][j] = _mm512_mask3_fmadd_pd(x, y[j], s[i][j], mask);
        }
    }
    for (size_t i = 0; i < M; ++i)
        for (size_t j = 0; j < N; ++j) c[i * ldc + j] -= total(s[i][j]);
}

void qz_dsub_avx512(const qz_dproduct *d) {
    size_t i = 0;
    for (; i + 4 <= d->m; i += 4) {
        size_t j = 0;
        for (; j + 4 <= d->n; j += 4) tile(4, 4, d, i, j);
        for (; j < d->n; ++j) tile(4, 1, d, i, j);
    }
    for (; i < d->m; ++i) {
        size_t j = 0;
        for (; j + 4 <= d->n; j += 4) tile(1, 4, d, i, j);
        for (; j < d->n; ++j) tile(1, 1, d, i, j);
    }
}
