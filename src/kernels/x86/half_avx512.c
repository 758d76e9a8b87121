/* 16-bit floats to float32, AVX512: the same bits as base/half.h (NaN becomes quiet in both). */
#include <immintrin.h>
#include "base/half.h"
#include "kernels/ops_int.h"

void qz_decode_f16_avx512(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    size_t i = 0;
    for (; i + 16 <= cols; i += 16)
        _mm512_storeu_ps(y + i, _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p + 2 * i))));
    for (; i < cols; ++i) y[i] = qz_f16_to_f32(qz_load_u16le(p + 2 * i));
}

void qz_decode_bf16_avx512(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    size_t i = 0;
    for (; i + 16 <= cols; i += 16) {
        __m512i w = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(p + 2 * i))), 16);
        _mm512_storeu_ps(y + i, _mm512_castsi512_ps(w));
    }
    for (; i < cols; ++i) y[i] = qz_bf16_to_f32(qz_load_u16le(p + 2 * i));
}
