/* Activations to 8 bits, AVX2: the same bits as ref/act_ref.c. */
#include <immintrin.h>
#include <string.h>
#include "kernels/ops_int.h"

static inline float max_of(__m256 v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_shuffle_ps(m, m, 1)));
}
static inline int sum_of(__m256i v) {
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}
/* max(v, x): the second operand wins for NaN, so a NaN in v never spreads. */
static inline __m256 abs_max(const float *x, __m256 m) {
    return _mm256_max_ps(_mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_loadu_ps(x)), m);
}
/* nearest() and clamp127() of the reference, eight at a time. */
static inline __m256i codes8(const float *x, __m256 id) {
    __m256 t = _mm256_add_ps(_mm256_mul_ps(_mm256_loadu_ps(x), id), _mm256_set1_ps(12582912.0f));
    __m256i bits = _mm256_and_si256(_mm256_castps_si256(t), _mm256_set1_epi32(0x7fffff));
    __m256i q = _mm256_sub_epi32(bits, _mm256_set1_epi32(0x400000));
    return _mm256_max_epi32(_mm256_min_epi32(q, _mm256_set1_epi32(127)), _mm256_set1_epi32(-127));
}
/* 32 codes in order. */
static inline __m256i pack32(__m256i a, __m256i b, __m256i c, __m256i d) {
    __m256i p = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
    return _mm256_permutevar8x32_epi32(p, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

void qz_act_q8_0_avx2(const float *x, size_t cols, uint8_t *out, size_t stride) {
    for (size_t k = 0; k < cols; k += 32, x += 32, out += stride) {
        __m256 m = _mm256_setzero_ps();
        for (size_t i = 0; i < 32; i += 8) m = abs_max(x + i, m);
        float amax = max_of(m), d = amax / 127.0f;
        __m256 id = _mm256_set1_ps(amax > 0 ? 127.0f / amax : 0);
        __m256i a = codes8(x, id), b = codes8(x + 8, id), c = codes8(x + 16, id), e = codes8(x + 24, id);
        int32_t neg = -128 * sum_of(_mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, e)));
        _mm256_storeu_si256((__m256i *)out, pack32(a, b, c, e));
        memcpy(out + offsetof(qz_act32, d), &d, 4);
        memcpy(out + offsetof(qz_act32, neg128), &neg, 4);
    }
}

/* The value of largest magnitude, the first of equals. */
static float signed_max(const float *x) {
    __m256 m = _mm256_setzero_ps(), amax;
    for (size_t i = 0; i < 256; i += 8) m = abs_max(x + i, m);
    amax = _mm256_set1_ps(max_of(m));
    for (size_t i = 0; i < 256; i += 8) {
        __m256 v = _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_loadu_ps(x + i));
        int hit = _mm256_movemask_ps(_mm256_cmp_ps(v, amax, _CMP_EQ_OQ));
        if (hit) return x[i + (size_t)__builtin_ctz((unsigned)hit)];
    }
    return 0;
}

void qz_act_q8_k_avx2(const float *x, size_t cols, uint8_t *out, size_t stride) {
    for (size_t k = 0; k < cols; k += 256, x += 256, out += stride) {
        float max = signed_max(x), is = max != 0 ? -127.0f / max : 0, d = max != 0 ? 1 / is : 0;
        __m256 id = _mm256_set1_ps(is);
        for (size_t b = 0; b < 8; ++b) {
            const float *v = x + 32 * b;
            __m256i q0 = codes8(v, id), q1 = codes8(v + 8, id), q2 = codes8(v + 16, id), q3 = codes8(v + 24, id);
            int lo = sum_of(_mm256_add_epi32(q0, q1)), hi = sum_of(_mm256_add_epi32(q2, q3));
            int32_t neg[2] = {-32 * lo, -32 * hi};
            int16_t halves[2] = {(int16_t)lo, (int16_t)hi}, both = (int16_t)(lo + hi);
            _mm256_storeu_si256((__m256i *)(out + 32 * b), pack32(q0, q1, q2, q3));
            memcpy(out + offsetof(qz_act256, neg32) + 8 * b, neg, 8);
            memcpy(out + offsetof(qz_act256, sum16) + 4 * b, halves, 4);
            memcpy(out + offsetof(qz_act256, sum32) + 2 * b, &both, 2);
        }
        memcpy(out + offsetof(qz_act256, d), &d, 4);
    }
}
