/* Q8_0 and Q4_0 times 8-bit activations, AVX2. */
#include "kernels/x86/dot_avx2.h"

enum { SIZE = sizeof(qz_act32), A_D = offsetof(qz_act32, d), A_NEG = offsetof(qz_act32, neg128) };

#define F_ADD(i) \
    if (T > i) f##i = _mm256_fmadd_ps(_mm256_mul_ps(d, qz_f32(a + i * SIZE + A_D)), _mm256_cvtepi32_ps(s##i), f##i);
/* |w|·(a with the sign of w): 128·127·2 fits 16 bits, and no offset is needed. */
#define DP_SIGNED(i)                                                                          \
    if (T > i) {                                                                              \
        __m256i v = _mm256_sign_epi8(_mm256_set1_epi32(qz_i32(a + i * SIZE + at)), w);        \
        s##i = _mm256_add_epi32(s##i, qz_widen(_mm256_maddubs_epi16(mag, v)));                \
    }
/* s = -8 * sum of the activations + what the 16-bit sums hold */
#define S_NEG8(i) \
    if (T > i) s##i = _mm256_add_epi32(_mm256_srai_epi32(_mm256_set1_epi32(qz_i32(a + i * SIZE + A_NEG)), 4), qz_widen(h##i));

INLINE void q8_0(const size_t T, const uint8_t *head, const uint8_t *body, size_t blocks, const uint8_t *a, size_t stride,
                 float *out) {
    TOK(F_OPEN)
    for (size_t b = 0; b < blocks; ++b, head += 544, body += 544, a += stride) {
        __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
        for (size_t q = 0; q < 8; ++q) {
            const size_t at = 4 * q;
            const __m256i w = qz_load(body + 64 * q), mag = _mm256_abs_epi8(w);
            TOK(DP_SIGNED)
        }
        const __m256 d = qz_halves(head);
        TOK(F_ADD)
    }
    TOK(F_STORE)
}

/* 8 steps of at most 15·127·2 stay below 2^15. */
INLINE void q4_0(const size_t T, const uint8_t *head, const uint8_t *body, size_t blocks, const uint8_t *a, size_t stride,
                 float *out) {
    const __m256i low = _mm256_set1_epi8(15);
    TOK(F_OPEN)
    TOK(S_DECLARE)
    for (size_t b = 0; b < blocks; ++b, head += 288, body += 288, a += stride) {
        TOK(H_ZERO)
        for (size_t q = 0; q < 4; ++q) {
            size_t at = 4 * q;
            const __m256i both = qz_load(body + 64 * q);
            __m256i w = _mm256_and_si256(both, low);
            TOK(DP)
            at += 16;
            w = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
            TOK(DP)
        }
        TOK(S_NEG8)
        const __m256 d = qz_halves(head);
        TOK(F_ADD)
    }
    TOK(F_STORE)
}

void qz_dot_q8_0_avx2(QZ_DOT_ARGS) {
    QZ_HALVES(32, q8_0, )
}
void qz_dot_q4_0_avx2(QZ_DOT_ARGS) {
    QZ_HALVES(32, q4_0, )
}
