/* c −= a·bᵀ in double (dense.h), AVX2: 2 x 3 sums of eight lanes (two registers each). */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))

INLINE double total(__m256d lo, __m256d hi) {
    __m256d s = _mm256_add_pd(lo, hi); /* 0+4 1+5 2+6 3+7 */
    __m128d t = _mm_add_pd(_mm256_castpd256_pd128(s), _mm256_extractf128_pd(s, 1));
    return _mm_cvtsd_f64(t) + _mm_cvtsd_f64(_mm_unpackhi_pd(t, t));
}
INLINE __m256i lanes(size_t left) { /* of the next four */
    static const int64_t on[8] = {-1, -1, -1, -1, 0, 0, 0, 0};
    return _mm256_loadu_si256((const __m256i *)(const void *)(on + 4 - (left < 4 ? left : 4)));
}

INLINE void tile(const size_t M, const size_t N, const qz_dproduct *d, size_t i0, size_t j0) {
    const size_t k = d->k, lda = d->lda, ldb = d->ldb, ldc = d->ldc;
    const double *a = d->a + i0 * lda, *b = d->b + j0 * ldb;
    double *c = d->c + i0 * ldc + j0;
    __m256d s[2][3][2];
    for (size_t i = 0; i < M; ++i)
        for (size_t j = 0; j < N; ++j) s[i][j][0] = s[i][j][1] = _mm256_setzero_pd();
    size_t p = 0;
    for (; p + 8 <= k; p += 8)
        for (size_t h = 0; h < 2; ++h) {
            __m256d y[3];
            for (size_t j = 0; j < N; ++j) y[j] = _mm256_loadu_pd(b + j * ldb + p + 4 * h);
            for (size_t i = 0; i < M; ++i) {
                const __m256d x = _mm256_loadu_pd(a + i * lda + p + 4 * h);
                for (size_t j = 0; j < N; ++j) s[i][j][h] = _mm256_fmadd_pd(x, y[j], s[i][j][h]);
            }
        }
    for (size_t h = 0; p + 4 * h < k; ++h) { /* the last, partial group: lanes without a value keep their sums */
        const __m256i mask = lanes(k - p - 4 * h);
        for (size_t i = 0; i < M; ++i)
            for (size_t j = 0; j < N; ++j) {
                const __m256d x = _mm256_maskload_pd(a + i * lda + p + 4 * h, mask),
                              y = _mm256_maskload_pd(b + j * ldb + p + 4 * h, mask);
                s[i][j][h] = _mm256_blendv_pd(s[i][j][h], _mm256_fmadd_pd(x, y, s[i][j][h]), _mm256_castsi256_pd(mask));
            }
    }
    for (size_t i = 0; i < M; ++i)
        for (size_t j = 0; j < N; ++j) c[i * ldc + j] -= total(s[i][j][0], s[i][j][1]);
}

void qz_dsub_avx2(const qz_dproduct *d) {
    size_t i = 0;
    for (; i + 2 <= d->m; i += 2) {
        size_t j = 0;
        for (; j + 3 <= d->n; j += 3) tile(2, 3, d, i, j);
        for (; j < d->n; ++j) tile(2, 1, d, i, j);
    }
    for (; i < d->m; ++i)
        for (size_t j = 0; j < d->n; ++j) tile(1, 1, d, i, j);
}
