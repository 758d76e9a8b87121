/* 16-bit floats to float32, AVX2: the same bits as base/half.h (NaN becomes quiet in both). */
#include <immintrin.h>
#include "base/half.h"
#include "kernels/ops_int.h"

void qz_decode_f16_avx2(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    size_t i = 0;
    for (; i + 8 <= cols; i += 8) _mm256_storeu_ps(y + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 2 * i))));
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
