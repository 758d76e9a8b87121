/* Rows of 16-bit floats times one token in float16 (ops.h), AVX-512. */
#include <immintrin.h>
#include "base/half.h"
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))

INLINE __m512 load_f16(const uint8_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
INLINE __m512 load_bf16(const uint8_t *p) {
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p)), 16));
}
INLINE __m512 load_x(const uint16_t *x) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)x));
}
INLINE float one_f16(const uint8_t *p) { return qz_f16_to_f32(qz_load_u16le(p)); }
INLINE float one_bf16(const uint8_t *p) { return qz_bf16_to_f32(qz_load_u16le(p)); }

#define HDOT(name)                                                                                   \
    void qz_hdot_##name##_avx512(QZ_HDOT_ARGS) {                                                     \
        for (size_t r = 0; r < rows; ++r) {                                                          \
            const uint8_t *p = w + r * 2 * cols;                                                     \
            __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;                              \
            size_t k = 0;                                                                            \
            for (; k + 64 <= cols; k += 64, p += 128) {                                              \
                s0 = _mm512_fmadd_ps(load_x(x + k), load_##name(p), s0);                             \
                s1 = _mm512_fmadd_ps(load_x(x + k + 16), load_##name(p + 32), s1);                   \
                s2 = _mm512_fmadd_ps(load_x(x + k + 32), load_##name(p + 64), s2);                   \
                s3 = _mm512_fmadd_ps(load_x(x + k + 48), load_##name(p + 96), s3);                   \
            }                                                                                        \
            float sum = _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3))); \
            for (; k < cols; ++k, p += 2) sum += one_##name(p) * qz_f16_to_f32(x[k]);                \
            out[r] = sum * unit;                                                                     \
        }                                                                                            \
    }
HDOT(f16)
HDOT(bf16)
