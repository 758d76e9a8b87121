/* Small floats (16 rows in two vectors) times tokens, AVX2 (op_types.h). */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))
#define HALVES(M, t) M(0, t) M(1, t)

/* ---- E4M3 and E5M2 ---- */
#define CHAINS(h, t) __m256 c0##h##t = _mm256_setzero_ps(), c1##h##t = c0##h##t, c2##h##t = c0##h##t, c3##h##t = c0##h##t;
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

/* ---- E2M1 ---- */
/* Eight numbers of x times up, half to even as the reference rounds, in 32-bit lanes. */
INLINE __m256i nearest(const float *x, __m256 up) {
    const __m256 v = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(x), up), _mm256_set1_ps(12582912.0f));
    return _mm256_sub_epi32(_mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffff)),
                            _mm256_set1_epi32(0x400000));
}
void qz_act_16_avx2(const float *x, size_t groups, size_t group_size, int16_t *q, qz_act16 *act) {
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    const float most = 32767;
    for (size_t g = 0; g < groups; ++g, x += group_size, q += group_size) {
        __m256 top = _mm256_setzero_ps();
        __m256i sum = _mm256_setzero_si256();
        for (size_t k = 0; k < group_size; k += 8) /* the first operand is lost if it is no number */
            top = _mm256_max_ps(_mm256_and_ps(_mm256_loadu_ps(x + k), magnitude), top);
        __m128 four = _mm_max_ps(_mm256_castps256_ps128(top), _mm256_extractf128_ps(top, 1));
        four = _mm_max_ps(four, _mm_movehl_ps(four, four));
        const float amax = _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
        const __m256 up = _mm256_set1_ps(amax > 0x1p-100f ? most / amax : 0);
        for (size_t k = 0; k < group_size; k += 8) {
            const __m256i v = nearest(x + k, up);
            sum = _mm256_add_epi32(sum, v);
            _mm_storeu_si128((__m128i *)(void *)(q + k),
                             _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
        }
        __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
        half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
        act[g] = (qz_act16){amax / most / 2, -12 * _mm_cvtsi128_si32(half)};
    }
}

INLINE __m256 scales(const uint8_t *head, bool brain) {
    const __m128i h = _mm_loadu_si128((const __m128i *)(const void *)head);
    return brain ? _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16)) : _mm256_cvtph_ps(h);
}
/* Columns [2p, 2p+2) of eight of a token: a pair of 16-bit numbers. */
INLINE __m256i two(const int16_t *q, size_t p) {
    int32_t v;
    __builtin_memcpy(&v, q + 2 * p, sizeof v);
    return _mm256_set1_epi32(v);
}

#define Q_SUM(h, t) __m256i s##h##t = _mm256_setzero_si256();
#define Q_ADD(h, t, p, w) \
    if (T > t) s##h##t = _mm256_add_epi32(s##h##t, _mm256_madd_epi16(w, two(q + t * cols + k, p)));
/* Nibbles of eight rows looked up, their bytes as 16-bit lanes. */
#define Q_HALF(h)                                                                                       \
    {                                                                                                   \
        const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(panel + 32 * h));          \
        const __m256i lo = _mm256_shuffle_epi8(table, _mm256_and_si256(v, low)),                        \
                      hi = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi32(v, 4), low));  \
        const __m256i lo0 = _mm256_and_si256(lo, byte), lo1 = _mm256_srli_epi16(lo, 8),                 \
                      hi0 = _mm256_and_si256(hi, byte), hi1 = _mm256_srli_epi16(hi, 8);                 \
        Q_ADD(h, 0, 0, lo0) Q_ADD(h, 0, 1, lo1) Q_ADD(h, 0, 2, hi0) Q_ADD(h, 0, 3, hi1)                 \
        Q_ADD(h, 1, 0, lo0) Q_ADD(h, 1, 1, lo1) Q_ADD(h, 1, 2, hi0) Q_ADD(h, 1, 3, hi1)                 \
    }
#define Q_CLOSE(h, t)                                                                                          \
    if (T > t)                                                                                                 \
        f##h##t = _mm256_fmadd_ps(                                                                             \
            _mm256_mul_ps(scales(head + 16 * h, brain), _mm256_set1_ps(act[t * groups].d)),                    \
            _mm256_cvtepi32_ps(_mm256_add_epi32(s##h##t, _mm256_set1_epi32(act[t * groups].less))), f##h##t);
#define Q_STORE(h, t) \
    if (T > t) _mm256_storeu_ps(out + t * QZ_PANEL + 8 * h, _mm256_mul_ps(f##h##t, _mm256_set1_ps(j->unit)));

INLINE void e2m1(const size_t T, const bool brain, const qz_qdot_call *j, size_t t0) {
    const size_t groups = j->groups, group_size = j->group_size, cols = groups * group_size;
    const uint8_t *panel = j->panel;
    const int16_t *q = j->q + t0 * cols;
    const qz_act16 *act = j->act + t0 * groups;
    float *out = j->out + t0 * QZ_PANEL;
    const __m256i low = _mm256_set1_epi8(15), byte = _mm256_set1_epi16(255),
                  table = _mm256_broadcastsi128_si256(
                      _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
    ALL(OPEN)
    for (size_t g = 0; g < groups; ++g, q += group_size, ++act) {
        const uint8_t *head = panel;
        panel += QZ_E2M1_HEAD;
        ALL(Q_SUM)
        for (size_t k = 0; k < group_size; k += 8, panel += 4 * QZ_PANEL) {
            Q_HALF(0)
            Q_HALF(1)
        }
        ALL(Q_CLOSE)
    }
    ALL(Q_STORE)
}

INLINE void qdot(const bool brain, const qz_qdot_call *j) {
    size_t t = 0;
    for (; t + 2 <= j->tokens; t += 2) e2m1(2, brain, j, t);
    if (t < j->tokens) e2m1(1, brain, j, t);
}
void qz_qdot_e2m1_avx2(const qz_qdot_call *j) {
    if (j->brain) qdot(true, j);
    else qdot(false, j);
}
