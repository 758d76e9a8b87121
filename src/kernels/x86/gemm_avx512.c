/* Exact product, AVX-512: 12 x 32 outputs in 24 registers, one FMA chain each. */
#include <immintrin.h>
#include "kernels/ops_int.h"

/* Rows are named registers, not an array: compilers keep an array of sums in memory. mr is a constant in every call, so
 * the tests vanish. */
#define ROWS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#define OPEN(i)                                                 \
    __m512 p##i = _mm512_setzero_ps(), q##i = _mm512_setzero_ps(); \
    if (mr > i && load) {                                       \
        p##i = _mm512_loadu_ps(c + i * ldc);                    \
        q##i = _mm512_loadu_ps(c + i * ldc + 16);                \
    }
#define STEP(i)                               \
    if (mr > i) {                             \
        __m512 b = _mm512_set1_ps(s[i * ss]); \
        p##i = _mm512_fmadd_ps(b, v0, p##i);  \
        q##i = _mm512_fmadd_ps(b, v1, q##i);  \
    }
#define STORE(i)                                   \
    if (mr > i) {                                  \
        _mm512_storeu_ps(c + i * ldc, p##i);       \
        _mm512_storeu_ps(c + i * ldc + 16, q##i);   \
    }

static inline __attribute__((always_inline)) void tile(const size_t mr, size_t kc, const qz_tile *t, bool load) {
    const float *s = t->s, *v = t->v;
    float *c = t->c;
    const size_t ss = t->s_stride, vs = t->v_stride, ldc = t->ldc;
    ROWS(OPEN)
    for (size_t k = 0; k < kc; ++k, v += vs, ++s) {
        __m512 v0 = _mm512_loadu_ps(v), v1 = _mm512_loadu_ps(v + 16);
        ROWS(STEP)
    }
    ROWS(STORE)
}

void qz_gemm_tile_avx512(size_t mr, size_t kc, const qz_tile *t, bool load) {
    switch (mr) {
    case 12: tile(12, kc, t, load); break;
    case 11: tile(11, kc, t, load); break;
    case 10: tile(10, kc, t, load); break;
    case 9: tile(9, kc, t, load); break;
    case 8: tile(8, kc, t, load); break;
    case 7: tile(7, kc, t, load); break;
    case 6: tile(6, kc, t, load); break;
    case 5: tile(5, kc, t, load); break;
    case 4: tile(4, kc, t, load); break;
    case 3: tile(3, kc, t, load); break;
    case 2: tile(2, kc, t, load); break;
    case 1: tile(1, kc, t, load); break;
    default: break;
    }
}

/* 16 x 16 transpose: 32-bit, 64-bit, then 128-bit interleaves. Columns k < n are written. */
static void transpose16(const float *src, size_t ld, size_t rows, size_t n, float *dst, size_t ds) {
    __m512 a[16], b[16];
    __mmask16 m = (__mmask16)((1u << (n < 16 ? n : 16)) - 1u);
    for (size_t r = 0; r < 16; ++r) a[r] = r < rows ? _mm512_maskz_loadu_ps(m, src + r * ld) : _mm512_setzero_ps();
    for (size_t r = 0; r < 16; r += 2) {
        b[r] = _mm512_unpacklo_ps(a[r], a[r + 1]);
        b[r + 1] = _mm512_unpackhi_ps(a[r], a[r + 1]);
    }
    for (size_t r = 0; r < 16; r += 4)
        for (size_t h = 0; h < 2; ++h) {
            __m512d lo = _mm512_castps_pd(b[r + h]), hi = _mm512_castps_pd(b[r + h + 2]);
            a[r + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(lo, hi));
            a[r + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(lo, hi));
        } /* a[r + q], lane l: column 4l + q of rows r..r+3 */
    for (size_t q = 0; q < 4; ++q) {
        __m512 x0 = _mm512_shuffle_f32x4(a[q], a[q + 4], 0x44), x1 = _mm512_shuffle_f32x4(a[q], a[q + 4], 0xee);
        __m512 y0 = _mm512_shuffle_f32x4(a[q + 8], a[q + 12], 0x44),
               y1 = _mm512_shuffle_f32x4(a[q + 8], a[q + 12], 0xee);
        b[q] = _mm512_shuffle_f32x4(x0, y0, 0x88);
        b[q + 4] = _mm512_shuffle_f32x4(x0, y0, 0xdd);
        b[q + 8] = _mm512_shuffle_f32x4(x1, y1, 0x88);
        b[q + 12] = _mm512_shuffle_f32x4(x1, y1, 0xdd);
    }
    for (size_t k = 0; k < 16 && k < n; ++k) _mm512_storeu_ps(dst + k * ds, b[k]);
}

void qz_transpose_avx512(const float *src, size_t ld, size_t rows, size_t n, float *dst, size_t ds) {
    for (size_t r = 0; r < QZ_AVX512_COLS; r += 16) {
        size_t have = rows > r ? rows - r : 0;
        if (have > 16) have = 16;
        for (size_t k = 0; k < n; k += 16)
            transpose16(have ? src + r * ld + k : src, ld, have, n - k < 16 ? n - k : 16, dst + k * ds + r, ds);
    }
}
