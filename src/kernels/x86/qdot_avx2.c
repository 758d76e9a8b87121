/* E2M1 and integer groups (16 rows in two vectors) times tokens of 16-bit integers, AVX2 (op_types.h). */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))
#define ALL(M) M(0, 0) M(1, 0) M(0, 1) M(1, 1)

/* Eight numbers of x times up, half to even as the reference rounds, in 32-bit lanes. */
INLINE __m256i nearest(const float *x, __m256 up) {
    const __m256 v = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(x), up), _mm256_set1_ps(12582912.0f));
    return _mm256_sub_epi32(_mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffff)),
                            _mm256_set1_epi32(0x400000));
}
void qz_act_16_avx2(const float *x, size_t steps, size_t step, int16_t *q, qz_act16 *act) {
    const __m256 magnitude = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    const float most = 32767;
    for (size_t s = 0; s < steps; ++s, x += step, q += step) {
        __m256 top = _mm256_setzero_ps();
        __m256i sum = _mm256_setzero_si256();
        for (size_t k = 0; k < step; k += 8) /* the first operand is lost if it is no number */
            top = _mm256_max_ps(_mm256_and_ps(_mm256_loadu_ps(x + k), magnitude), top);
        __m128 four = _mm_max_ps(_mm256_castps256_ps128(top), _mm256_extractf128_ps(top, 1));
        four = _mm_max_ps(four, _mm_movehl_ps(four, four));
        const float amax = _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
        const __m256 up = _mm256_set1_ps(amax > 0x1p-100f ? most / amax : 0);
        for (size_t k = 0; k < step; k += 8) {
            const __m256i v = nearest(x + k, up);
            sum = _mm256_add_epi32(sum, v);
            _mm_storeu_si128((__m128i *)(void *)(q + k),
                             _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)));
        }
        __m128i half = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
        half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
        act[s] = (qz_act16){amax / most, _mm_cvtsi128_si32(half)};
    }
}

typedef enum { E2M1, U4, U8 } form;

INLINE __m256 scales(const qz_qdot_call *j, const uint8_t *head, size_t first) {
    if (j->wide) return _mm256_loadu_ps((const float *)(const void *)head + first);
    const __m128i h = _mm_loadu_si128((const __m128i *)(const void *)(head + 2 * first));
    return j->brain ? _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16)) : _mm256_cvtph_ps(h);
}
INLINE __m256 zeros(const uint8_t *at) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)at)));
}
/* A pair of 16-bit numbers in every lane. */
INLINE __m256i two(const int16_t *q) {
    int32_t v;
    __builtin_memcpy(&v, q, sizeof v);
    return _mm256_set1_epi32(v);
}

/* Half h of the rows, token t. */
#define OPEN(h, t) __m256 f##h##t = _mm256_setzero_ps();
#define GROUP(h, t) __m256 c##h##t = _mm256_setzero_ps();
#define STEP(h, t) __m256i s##h##t = _mm256_setzero_si256();
#define ADD(h, t, p, w) \
    if (T > t) s##h##t = _mm256_add_epi32(s##h##t, _mm256_madd_epi16(w, two(q + t * cols + k + 2 * (p))));
/* Bytes as 16-bit lanes: two pairs of columns. */
#define BYTES(h, p, v)                                                                             \
    {                                                                                              \
        const __m256i even = _mm256_and_si256(v, byte), odd = _mm256_srli_epi16(v, 8);             \
        ADD(h, 0, p, even) ADD(h, 0, p + 1, odd) ADD(h, 1, p, even) ADD(h, 1, p + 1, odd)          \
    }
#define HALF(h)                                                                                                \
    {                                                                                                          \
        const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(panel + 32 * h));                 \
        if (F == U8) BYTES(h, 0, v)                                                                            \
        else {                                                                                                 \
            __m256i lo = _mm256_and_si256(v, low), hi = _mm256_and_si256(_mm256_srli_epi32(v, 4), low);        \
            if (F == E2M1) lo = _mm256_shuffle_epi8(table, lo), hi = _mm256_shuffle_epi8(table, hi);           \
            BYTES(h, 0, lo)                                                                                    \
            BYTES(h, 2, hi)                                                                                    \
        }                                                                                                      \
    }
/* Codes of E2M1 are looked up as 2v + 12, which has no sign. */
#define CLOSE(h, t)                                                                                                 \
    if (T > t) {                                                                                                    \
        if (F == E2M1) s##h##t = _mm256_sub_epi32(s##h##t, _mm256_set1_epi32(12 * act[t * steps].sum));             \
        c##h##t = _mm256_fmadd_ps(_mm256_set1_ps(act[t * steps].d), _mm256_cvtepi32_ps(s##h##t), c##h##t);          \
    }
#define ONTO(h, t)                                                                                              \
    if (T > t) {                                                                                                \
        if (F != E2M1)                                                                                          \
            c##h##t = _mm256_fnmadd_ps(zeros(head + zero_at + 8 * h), _mm256_set1_ps(sums[t * groups + g]), c##h##t); \
        f##h##t = _mm256_fmadd_ps(scales(j, head, 8 * h), c##h##t, f##h##t);                                    \
    }
#define STORE(h, t) \
    if (T > t) _mm256_storeu_ps(out + t * QZ_PANEL + 8 * h, _mm256_mul_ps(f##h##t, _mm256_set1_ps(j->unit)));

/* T tokens (1 or 2) from t0 on. F and T are constants in every call. */
INLINE void panel_of(const form F, const size_t T, const qz_qdot_call *j, size_t t0) {
    const size_t groups = j->groups, cols = groups * j->group_size, steps = cols / j->step, per_word = F == U8 ? 4 : 8,
                 head_bytes = qz_qdot_head(F == E2M1, j->wide), zero_at = head_bytes - QZ_QDOT_ZEROS;
    const uint8_t *panel = j->panel;
    const int16_t *q = j->q + t0 * cols;
    const qz_act16 *act = j->act + t0 * steps;
    const float *sums = F == E2M1 ? NULL : j->sums + t0 * groups;
    float *out = j->out + t0 * QZ_PANEL;
    const __m256i low = _mm256_set1_epi8(15), byte = _mm256_set1_epi16(255),
                  table = _mm256_broadcastsi128_si256(
                      _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
    ALL(OPEN)
    for (size_t g = 0; g < groups; ++g) {
        const uint8_t *head = panel;
        panel += head_bytes;
        ALL(GROUP)
        for (size_t done = 0; done < j->group_size; done += j->step, q += j->step, ++act) {
            ALL(STEP)
            for (size_t k = 0; k < j->step; k += per_word, panel += 4 * QZ_PANEL) {
                HALF(0)
                HALF(1)
            }
            ALL(CLOSE)
        }
        ALL(ONTO)
    }
    ALL(STORE)
}

INLINE void qdot(const form F, const qz_qdot_call *j) {
    size_t t = 0;
    for (; t + 2 <= j->tokens; t += 2) panel_of(F, 2, j, t);
    if (t < j->tokens) panel_of(F, 1, j, t);
}
void qz_qdot_e2m1_avx2(const qz_qdot_call *j) { qdot(E2M1, j); }
void qz_qdot_4_avx2(const qz_qdot_call *j) { qdot(U4, j); }
void qz_qdot_8_avx2(const qz_qdot_call *j) { qdot(U8, j); }
