/* Exact product, AVX2 + FMA: 6 x 16 outputs in 12 registers, one FMA chain each. */
#include <immintrin.h>
#include "kernels/ops_int.h"

/* Rows are named registers, not an array: compilers keep an array of sums in memory. mr is a constant in every call, so
 * the tests vanish. */
#define ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5)
#define OPEN(i)                                                 \
    __m256 p##i = _mm256_setzero_ps(), q##i = _mm256_setzero_ps(); \
    if (mr > i && load) {                                       \
        p##i = _mm256_loadu_ps(c + i * ldc);                    \
        q##i = _mm256_loadu_ps(c + i * ldc + 8);                \
    }
#define STEP(i)                               \
    if (mr > i) {                             \
        __m256 b = _mm256_broadcast_ss(s + i * ss); \
        p##i = _mm256_fmadd_ps(b, v0, p##i);  \
        q##i = _mm256_fmadd_ps(b, v1, q##i);  \
    }
#define STORE(i)                                   \
    if (mr > i) {                                  \
        _mm256_storeu_ps(c + i * ldc, p##i);       \
        _mm256_storeu_ps(c + i * ldc + 8, q##i);   \
    }

static inline __attribute__((always_inline)) void tile(const size_t mr, size_t kc, const qz_tile *t, bool load) {
    const float *s = t->s, *v = t->v;
    float *c = t->c;
    const size_t ss = t->s_stride, vs = t->v_stride, ldc = t->ldc;
    ROWS(OPEN)
    for (size_t k = 0; k < kc; ++k, v += vs, ++s) {
        __m256 v0 = _mm256_loadu_ps(v), v1 = _mm256_loadu_ps(v + 8);
        ROWS(STEP)
    }
    ROWS(STORE)
}

void qz_gemm_tile_avx2(size_t mr, size_t kc, const qz_tile *t, bool load) {
    switch (mr) {
    case 6: tile(6, kc, t, load); break;
    case 5: tile(5, kc, t, load); break;
    case 4: tile(4, kc, t, load); break;
    case 3: tile(3, kc, t, load); break;
    case 2: tile(2, kc, t, load); break;
    case 1: tile(1, kc, t, load); break;
    default: break;
    }
}

/* 8 x 8 transpose. Columns k < n are written. */
static void transpose8(const float *src, size_t ld, size_t rows, size_t n, float *dst, size_t ds) {
    static const int32_t bits[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    __m256 a[8], b[8];
    __m256i m = _mm256_loadu_si256((const __m256i *)(bits + 8 - n));
    for (size_t r = 0; r < 8; ++r) a[r] = r < rows ? _mm256_maskload_ps(src + r * ld, m) : _mm256_setzero_ps();
    for (size_t r = 0; r < 8; r += 2) {
        b[r] = _mm256_unpacklo_ps(a[r], a[r + 1]);
        b[r + 1] = _mm256_unpackhi_ps(a[r], a[r + 1]);
    }
    for (size_t r = 0; r < 8; r += 4)
        for (size_t h = 0; h < 2; ++h) {
            a[r + 2 * h] = _mm256_shuffle_ps(b[r + h], b[r + h + 2], 0x44);
            a[r + 2 * h + 1] = _mm256_shuffle_ps(b[r + h], b[r + h + 2], 0xee);
        } /* a[r + q], half l: column 4l + q of rows r..r+3 */
    for (size_t q = 0; q < 4; ++q) {
        b[q] = _mm256_permute2f128_ps(a[q], a[q + 4], 0x20);
        b[q + 4] = _mm256_permute2f128_ps(a[q], a[q + 4], 0x31);
    }
    for (size_t k = 0; k < 8 && k < n; ++k) _mm256_storeu_ps(dst + k * ds, b[k]);
}

void qz_transpose_avx2(const float *src, size_t ld, size_t rows, size_t n, float *dst, size_t ds) {
    for (size_t r = 0; r < QZ_AVX2_COLS; r += 8) {
        size_t have = rows > r ? rows - r : 0;
        if (have > 8) have = 8;
        for (size_t k = 0; k < n; k += 8)
            transpose8(have ? src + r * ld + k : src, ld, have, n - k < 8 ? n - k : 8, dst + k * ds + r, ds);
    }
}
