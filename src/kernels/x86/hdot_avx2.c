/* Rows of 16-bit floats times one token in float16 (ops.h), AVX2. */
#include <immintrin.h>
#include "base/half.h"
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m256 load_f16(const uint8_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p)); }
INLINE __m256 load_bf16(const uint8_t *p) {
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)), 16));
}
INLINE __m256 load_x(const uint16_t *x) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)x)); }
INLINE float one_f16(const uint8_t *p) { return qz_f16_to_f32(qz_load_u16le(p)); }
INLINE float one_bf16(const uint8_t *p) { return qz_bf16_to_f32(qz_load_u16le(p)); }
INLINE float total(__m256 v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}

#define HDOT(name)                                                                                   \
    void qz_hdot_##name##_avx2(QZ_HDOT_ARGS) {                                                       \
        for (size_t r = 0; r < rows; ++r) {                                                          \
            const uint8_t *p = w + r * 2 * cols;                                                     \
            __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;                              \
            size_t k = 0;                                                                            \
            for (; k + 32 <= cols; k += 32, p += 64) {                                               \
                s0 = _mm256_fmadd_ps(load_x(x + k), load_##name(p), s0);                             \
                s1 = _mm256_fmadd_ps(load_x(x + k + 8), load_##name(p + 16), s1);                    \
                s2 = _mm256_fmadd_ps(load_x(x + k + 16), load_##name(p + 32), s2);                   \
                s3 = _mm256_fmadd_ps(load_x(x + k + 24), load_##name(p + 48), s3);                   \
            }                                                                                        \
            float sum = total(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));          \
            for (; k < cols; ++k, p += 2) sum += one_##name(p) * qz_f16_to_f32(x[k]);                \
            out[r] = sum * unit;                                                                     \
        }                                                                                            \
    }
HDOT(f16)
HDOT(bf16)

/* Largest magnitude first (as integers: NaN and infinity sort above), then one exact power of two for all. */
float qz_halve_avx2(const float *x, size_t cols, uint16_t *out) {
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    __m256i max = _mm256_setzero_si256();
    size_t k = 0;
    for (; k + 8 <= cols; k += 8)
        max = _mm256_max_epi32(max,
                               _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(const void *)(x + k)), magnitude));
    uint32_t lane[8], top = 0;
    _mm256_storeu_si256((__m256i *)(void *)lane, max);
    for (size_t i = 0; i < 8; ++i) top = lane[i] > top ? lane[i] : top;
    for (size_t i = k; i < cols; ++i)
        top = (qz_f32_bits(x[i]) & 0x7fffffffu) > top ? qz_f32_bits(x[i]) & 0x7fffffffu : top;
    const float up = qz_halve_factor(top), unit = 1 / up;
    for (k = 0; k + 8 <= cols; k += 8)
        _mm_storeu_si128((__m128i *)(void *)(out + k),
                         _mm256_cvtps_ph(_mm256_mul_ps(_mm256_loadu_ps(x + k), _mm256_set1_ps(up)),
                                         _MM_FROUND_TO_NEAREST_INT));
    for (; k < cols; ++k) out[k] = qz_f32_to_f16(x[k] * up);
    return unit;
}
