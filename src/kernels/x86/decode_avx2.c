/* Decoders of the plain block types: one product a value, as the codecs'. */
#include "base/half.h"
#include "kernels/ops_int.h"
#include <immintrin.h>

static void put(float *y, __m128i eight_bytes, __m256 d) {
    _mm256_storeu_ps(y, _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(eight_bytes)), d));
}

/* q·d */
void qz_decode_q8_0_avx2(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    for (size_t k = 0; k < cols; k += 32, p += 34, y += 32) {
        const __m256 d = _mm256_set1_ps(qz_f16_to_f32(qz_load_u16le(p)));
        for (size_t j = 0; j < 32; j += 8) put(y + j, _mm_loadl_epi64((const __m128i *)(const void *)(p + 2 + j)), d);
    }
}

/* (q − 8)·d; the low halves of the bytes are the first 16 values */
void qz_decode_q4_0_avx2(const void *in, size_t cols, float *y) {
    const uint8_t *p = in;
    const __m128i low = _mm_set1_epi8(15), eight = _mm_set1_epi8(8);
    for (size_t k = 0; k < cols; k += 32, p += 18, y += 32) {
        const __m256 d = _mm256_set1_ps(qz_f16_to_f32(qz_load_u16le(p)));
        const __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + 2));
        const __m128i a = _mm_sub_epi8(_mm_and_si128(b, low), eight),
                      c = _mm_sub_epi8(_mm_and_si128(_mm_srli_epi16(b, 4), low), eight);
        put(y, a, d);
        put(y + 8, _mm_srli_si128(a, 8), d);
        put(y + 16, c, d);
        put(y + 24, _mm_srli_si128(c, 8), d);
    }
}
