/* Decoders of IQ2 and IQ3 (codecs/iq_form.h): eight values at a time, the same two products a value as the codecs'. */
#include <string.h>
#include "base/half.h"
#include "codecs/iq_form.h"
#include "kernels/ops_int.h"
#include <immintrin.h>

static inline __attribute__((always_inline)) void row(const qz_iq_form *t, const size_t size, const size_t n,
                                                      const void *in, size_t cols, float *y) {
    const __m256i shift = _mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24), top = _mm256_set1_epi32(INT32_MIN);
    const __m256 one = _mm256_set1_ps(1);
    const uint8_t *p = in;
    qz_iq_group g;
    for (size_t k = 0; k < cols; k += QZ_IQ_BLOCK, p += t->bytes) {
        const float d = qz_f16_to_f32(qz_load_u16le(p));
        for (size_t b = 0; b < QZ_IQ_BLOCK / n; ++b) {
            t->get(p, b, &g);
            const __m256 scale = _mm256_set1_ps(d * (float)(2 * g.scale + 1) * t->unit);
            for (size_t i = 0; i < n; i += 8, y += 8) {
                int64_t v = 0;
                for (size_t at = 0; at < 8; at += size)
                    memcpy((uint8_t *)&v + at, t->grid->values + g.points[(i + at) / size] * size, size);
                const __m256i minus = _mm256_sllv_epi32(_mm256_set1_epi32(g.signs[i / 8]), shift);
                const __m256 sign = _mm256_or_ps(one, _mm256_castsi256_ps(_mm256_and_si256(minus, top)));
                const __m256 q = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(v)));
                _mm256_storeu_ps(y, _mm256_mul_ps(_mm256_mul_ps(scale, q), sign));
            }
        }
    }
}
void qz_decode_iq2_xxs_avx2(const void *in, size_t cols, float *y) { row(&qz_iq2_xxs_form, 8, 32, in, cols, y); }
void qz_decode_iq2_xs_avx2(const void *in, size_t cols, float *y) { row(&qz_iq2_xs_form, 8, 16, in, cols, y); }
void qz_decode_iq2_s_avx2(const void *in, size_t cols, float *y) { row(&qz_iq2_s_form, 8, 16, in, cols, y); }
void qz_decode_iq3_xxs_avx2(const void *in, size_t cols, float *y) { row(&qz_iq3_xxs_form, 4, 32, in, cols, y); }
void qz_decode_iq3_s_avx2(const void *in, size_t cols, float *y) { row(&qz_iq3_s_form, 4, 32, in, cols, y); }
