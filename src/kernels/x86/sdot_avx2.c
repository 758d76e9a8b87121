/* Small floats (16 rows in two vectors) times tokens, AVX2 (op_types.h). */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))

/* ---- E4M3 and E5M2 ---- */
#define CHAINS(h, t)                        \
    __m256 c0##h##t = _mm256_setzero_ps();  \
    __m256 c1##h##t = c0##h##t, c2##h##t = c0##h##t, c3##h##t = c0##h##t;
#define OPEN(h, t) __m256 f##h##t = _mm256_setzero_ps();
#define MUL(h, t, chain, w)                                                                                        \
    if (H > h && T > t)                                                                                            \
        c##chain##h##t = _mm256_fmadd_ps(w##h, _mm256_broadcast_ss(x + t * ldx + k + chain), c##chain##h##t);
#define CLOSE(h, t)                                                                                               \
    if (H > h && T > t)                                                                                           \
        f##h##t = _mm256_fmadd_ps(                                                                                \
            _mm256_loadu_ps((const float *)(const void *)head + first + 8 * h),                                   \
            _mm256_add_ps(_mm256_add_ps(c0##h##t, c1##h##t), _mm256_add_ps(c2##h##t, c3##h##t)), f##h##t);
#define STORE(h, t) \
    if (H > h && T > t) _mm256_storeu_ps(out + t * QZ_PANEL + 8 * h, f##h##t);
#define ALL(M) M(0, 0) M(1, 0) M(0, 1) M(1, 1)

/* 16 bytes of a pair of columns: the float16 of the first or the second column of eight rows; 32 bytes: of 16 rows. */
INLINE __m128i pair8(__m128i v, bool e4m3, bool second) {
    const __m128i top = second ? v : _mm_slli_epi16(v, 8);
    return e4m3 ? _mm_and_si128(_mm_srai_epi16(top, 1), _mm_set1_epi16((short)0xbf80))
                : _mm_and_si128(top, _mm_set1_epi16((short)0xff00));
}
INLINE __m256i pair16(__m256i v, bool e4m3, bool second) {
    const __m256i top = second ? v : _mm256_slli_epi16(v, 8);
    return e4m3 ? _mm256_and_si256(_mm256_srai_epi16(top, 1), _mm256_set1_epi16((short)0xbf80))
                : _mm256_and_si256(top, _mm256_set1_epi16((short)0xff00));
}

/* Column k + chain: rows of half 0 (and 1) in w0 (and w1). */
#define COLUMN(chain)                                                                                              \
    {                                                                                                              \
        const uint8_t *at = panel + chain / 2 * 2 * QZ_PANEL + 2 * first;                                          \
        __m256 w0, w1;                                                                                             \
        if (H == 2) {                                                                                              \
            const __m256i p = pair16(_mm256_loadu_si256((const __m256i *)(const void *)at), e4m3, chain % 2);      \
            w0 = _mm256_cvtph_ps(_mm256_castsi256_si128(p));                                                       \
            w1 = _mm256_cvtph_ps(_mm256_extracti128_si256(p, 1));                                                  \
        } else {                                                                                                   \
            w0 = w1 = _mm256_cvtph_ps(pair8(_mm_loadu_si128((const __m128i *)(const void *)at), e4m3, chain % 2)); \
        }                                                                                                          \
        MUL(0, 0, chain, w) MUL(1, 0, chain, w) MUL(0, 1, chain, w) MUL(1, 1, chain, w)                            \
    }

/* 8 H rows from row `first`, T tokens from t0 on: constants in every call but t0. */
INLINE void small(const size_t H, const size_t T, const size_t first, const bool e4m3, const qz_group_call *j,
                  size_t t0) {
    const uint8_t *panel = j->panel;
    const float *x = j->x + t0 * j->ldx;
    const size_t ldx = j->ldx, group_size = j->group_size;
    float *out = j->out + t0 * QZ_PANEL + first;
    ALL(OPEN)
    for (size_t g = 0; g < j->groups; ++g, x += group_size) {
        const uint8_t *head = panel;
        panel += QZ_TABLE_HEAD;
        ALL(CHAINS)
        for (size_t k = 0; k < group_size; k += 4, panel += 4 * QZ_PANEL) {
            COLUMN(0) COLUMN(1) COLUMN(2) COLUMN(3)
        }
        ALL(CLOSE)
    }
    ALL(STORE)
}

INLINE void sdot(const bool e4m3, const qz_group_call *j) {
    size_t t = 0;
    for (; t + 2 <= j->tokens; t += 2) {
        small(1, 2, 0, e4m3, j, t);
        small(1, 2, 8, e4m3, j, t);
    }
    if (t < j->tokens) small(2, 1, 0, e4m3, j, t);
}
void qz_sdot_e4m3_avx2(const qz_group_call *j) { sdot(true, j); }
void qz_sdot_e5m2_avx2(const qz_group_call *j) { sdot(false, j); }
