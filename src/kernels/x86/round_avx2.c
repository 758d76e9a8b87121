/* round_sub, eight values at a time: the lanes are the reference's eight sums. */
#include "kernels/ops_int.h"
#include <immintrin.h>

float qz_round_sub_avx2(const qz_block_shape *s, const float *x, const float *w, float scale, float min, int16_t *q) {
    const __m256 step = _mm256_set1_ps(scale), low = _mm256_set1_ps(min), big = _mm256_set1_ps(12582912.0f),
                 inv = _mm256_set1_ps(scale != 0 ? 1.0f / scale : 0), lo = _mm256_set1_ps((float)s->q_min),
                 hi = _mm256_set1_ps((float)s->q_max);
    __m256 sum = _mm256_setzero_ps();
    for (size_t k = 0; k < s->sub_len; k += 8) {
        const __m256 v = _mm256_loadu_ps(x + k);
        __m256 c = _mm256_mul_ps(_mm256_add_ps(v, low), inv);
        c = _mm256_min_ps(hi, _mm256_max_ps(lo, c)); /* the second operand where one is NaN, as the reference */
        c = _mm256_sub_ps(_mm256_add_ps(c, big), big);
        const __m256 e = _mm256_sub_ps(v, _mm256_sub_ps(_mm256_mul_ps(step, c), low));
        sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(w + k), e), e));
        if (q) {
            const __m256i n = _mm256_and_si256(_mm256_cvttps_epi32(c), _mm256_set1_epi32(0xffff));
            const __m256i p = _mm256_permute4x64_epi64(_mm256_packus_epi32(n, n), 0x08);
            _mm_storeu_si128((__m128i *)(void *)(q + k), _mm256_castsi256_si128(p));
        }
    }
    float a[8];
    _mm256_storeu_ps(a, sum);
    return ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]));
}
