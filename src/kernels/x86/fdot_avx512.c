/* Rows of 32- and 16-bit floats times float tokens, AVX-512: 4 rows by 4 tokens in registers, so a row is read once. */
#include <immintrin.h>
#include "base/half.h"
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))
#define TOK(M) M(0) M(1) M(2) M(3)

INLINE __m512 load_f32(const uint8_t *p) { return _mm512_loadu_ps((const float *)(const void *)p); }
INLINE __m512 load_f16(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(p))); }
INLINE __m512 load_bf16(const uint8_t *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(p))), 16));
}
INLINE float one_f32(const uint8_t *p) { return qz_load_f32le(p); }
INLINE float one_f16(const uint8_t *p) { return qz_f16_to_f32(qz_load_u16le(p)); }
INLINE float one_bf16(const uint8_t *p) { return qz_bf16_to_f32(qz_load_u16le(p)); }
INLINE float total(__m512 v) { return _mm512_reduce_add_ps(v); }

#define OPEN(t) __m512 a##t = _mm512_setzero_ps(), b##t = a##t, c##t = a##t, d##t = a##t;
#define STEP(t)                                             \
    if (T > t) {                                            \
        __m512 y = _mm512_loadu_ps(x + t * ldx + k);        \
        a##t = _mm512_fmadd_ps(y, w0, a##t);                \
        b##t = _mm512_fmadd_ps(y, w1, b##t);                \
        c##t = _mm512_fmadd_ps(y, w2, c##t);                \
        d##t = _mm512_fmadd_ps(y, w3, d##t);                \
    }
#define CLOSE(t)                   \
    if (T > t) {                   \
        out[4 * t] = total(a##t);  \
        out[4 * t + 1] = total(b##t); \
        out[4 * t + 2] = total(c##t); \
        out[4 * t + 3] = total(d##t); \
    }

/* One body per number format: `size` bytes a value. */
#define FDOT(name, size)                                                                                        \
    INLINE void body_##name(const size_t T, const uint8_t *const w[4], const float *x, size_t ldx, size_t cols, \
                            float *out) {                                                                       \
        TOK(OPEN)                                                                                               \
        size_t k = 0;                                                                                           \
        for (; k + 16 <= cols; k += 16) {                                                                       \
            const __m512 w0 = load_##name(w[0] + k * size), w1 = load_##name(w[1] + k * size);                  \
            const __m512 w2 = load_##name(w[2] + k * size), w3 = load_##name(w[3] + k * size);                  \
            TOK(STEP)                                                                                           \
        }                                                                                                       \
        TOK(CLOSE)                                                                                              \
        for (; k < cols; ++k)                                                                                   \
            for (size_t t = 0; t < T; ++t)                                                                      \
                for (size_t r = 0; r < 4; ++r) out[4 * t + r] += one_##name(w[r] + k * size) * x[t * ldx + k];  \
    }                                                                                                           \
    void qz_fdot_##name##_avx512(QZ_FDOT_ARGS) {                                                                \
        switch (tokens) {                                                                                       \
        case 4: body_##name(4, w, x, ldx, cols, out); break;                                                    \
        case 3: body_##name(3, w, x, ldx, cols, out); break;                                                    \
        case 2: body_##name(2, w, x, ldx, cols, out); break;                                                    \
        case 1: body_##name(1, w, x, ldx, cols, out); break;                                                    \
        default: break;                                                                                         \
        }                                                                                                       \
    }

FDOT(f32, 4)
FDOT(f16, 2)
FDOT(bf16, 2)
