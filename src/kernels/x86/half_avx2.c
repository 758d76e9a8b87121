/* 16-bit floats to float32 and back, AVX2: the same bits as base/half.h (NaN becomes quiet in both). */
#include <immintrin.h>
#include "base/half.h"
#include "kernels/ops_int.h"

void qz_decode_f16_avx2(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    size_t i = 0;
    for (; i + 8 <= cols; i += 8)
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 2 * i))));
    for (; i < cols; ++i) y[i] = qz_f16_to_f32(qz_load_u16le(p + 2 * i));
}

void qz_decode_bf16_avx2(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    size_t i = 0;
    for (; i + 8 <= cols; i += 8) {
        __m256i w = _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(p + 2 * i))), 16);
        _mm256_storeu_ps(y + i, _mm256_castsi256_ps(w));
    }
    for (; i < cols; ++i) y[i] = qz_bf16_to_f32(qz_load_u16le(p + 2 * i));
}

void qz_encode_f16_avx2(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    size_t i = 0;
    for (; i + 8 <= cols; i += 8)
        _mm_storeu_si128((__m128i *)(o + 2 * i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < cols; ++i) qz_store_u16le(o + 2 * i, qz_f32_to_f16(x[i]));
}

/* Eight results in the low halves of 32-bit lanes. */
static __m256i round_bf16(const float *x) {
    const __m256i v = _mm256_castps_si256(_mm256_loadu_ps(x)), one = _mm256_set1_epi32(1);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(v, 16), one);
    const __m256i r = _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(v, _mm256_set1_epi32(0x7fff)), odd), 16);
    const __m256i nan = _mm256_cmpgt_epi32(_mm256_and_si256(v, _mm256_set1_epi32(0x7fffffff)),
                                           _mm256_set1_epi32(0x7f800000));
    return _mm256_blendv_epi8(r, _mm256_or_si256(_mm256_srli_epi32(v, 16), _mm256_set1_epi32(0x40)), nan);
}
void qz_encode_bf16_avx2(const float *x, const float *importance, size_t cols, void *out) {
    (void)importance;
    uint8_t *o = out;
    size_t i = 0;
    for (; i + 16 <= cols; i += 16) {
        __m256i p = _mm256_packus_epi32(round_bf16(x + i), round_bf16(x + i + 8)); /* lanes 0 2 1 3 */
        _mm256_storeu_si256((__m256i *)(o + 2 * i), _mm256_permute4x64_epi64(p, 0xd8));
    }
    for (; i < cols; ++i) qz_store_u16le(o + 2 * i, qz_f32_to_bf16(x[i]));
}
