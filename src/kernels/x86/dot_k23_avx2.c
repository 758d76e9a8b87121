/* Q2_K and Q3_K times Q8_K activations, AVX2: sixteen sub-blocks of 16 values. Body of Q2_K: 4 words of scales and mins
 * (nibbles), 16 words of codes; of Q3_K: 3 words of scales, 8 words of top bits, 16 words of codes. */
#include "kernels/x86/dot_avx2.h"

enum {
    SIZE = sizeof(qz_act256),
    A_NEG = offsetof(qz_act256, neg32),
    A_SUM = offsetof(qz_act256, sum16),
    A_D = offsetof(qz_act256, d)
};

#define B_DECLARE(i) __m256 b##i = _mm256_setzero_ps();
#define B_ZERO(i) b##i = _mm256_setzero_ps();
#define B_ADD(i) \
    if (T > i) b##i = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(s##i), b##i);
/* s = sum of mins times sums of activations: pairs of mins (16-bit) of groups 4i..4i+3 */
#define S_MIN(i)                                                                            \
    if (T > i)                                                                              \
        s##i = _mm256_add_epi32(s##i, _mm256_add_epi32(                                     \
            _mm256_madd_epi16(lo, _mm256_set1_epi32(qz_i32(a + i * SIZE + A_SUM + 8 * k))), \
            _mm256_madd_epi16(hi, _mm256_set1_epi32(qz_i32(a + i * SIZE + A_SUM + 8 * k + 4)))));
#define B_MIN(i) \
    if (T > i) b##i = _mm256_mul_ps(dmin, _mm256_cvtepi32_ps(s##i));
#define F_ADD(i) \
    if (T > i) f##i = _mm256_fmadd_ps(b##i, qz_f32(a + i * SIZE + A_D), f##i);
/* Q3_K: codes are 4 too large */
#define S_NEG4(i) \
    if (T > i) s##i = _mm256_srai_epi32(_mm256_set1_epi32(qz_i32(a + i * SIZE + A_NEG + 4 * g)), 3);

/* Scales of groups 4i..4i+3 as bytes: Q2_K unsigned 0..15, Q3_K signed -32..31. */
INLINE __m256i scales_of(const bool three, const uint8_t *body, size_t i) {
    const __m256i low = _mm256_set1_epi8(15);
    if (!three) return _mm256_and_si256(qz_load(body + 64 * i), low);
    __m256i s = _mm256_and_si256(_mm256_srl_epi16(qz_load(body + 64 * (i % 2)), _mm_cvtsi32_si128(i < 2 ? 0 : 4)), low);
    __m256i h = _mm256_srl_epi16(qz_load(body + 128), _mm_cvtsi32_si128(2 * (int)i));
    h = _mm256_slli_epi16(_mm256_and_si256(h, _mm256_set1_epi8(3)), 4);
    return _mm256_sub_epi8(_mm256_or_si256(s, h), _mm256_set1_epi8(32));
}

INLINE void k23(const size_t T, const bool three, const qz_dot_half *p) {
    QZ_HALF_LOCALS
    /* bytes 0, 1 (and 2, 3) of each lane as 16-bit numbers */
    const __m256i first = _mm256_setr_epi32((int)0x80018000, (int)0x80058004, (int)0x80098008, (int)0x800d800c,
                                            (int)0x80018000, (int)0x80058004, (int)0x80098008, (int)0x800d800c);
    const __m256i second = _mm256_add_epi32(first, _mm256_set1_epi32(0x00020002));
    const __m256i two = _mm256_set1_epi8(3), four = _mm256_set1_epi8(4);
    TOK(F_OPEN)
    TOK(B_DECLARE)
    TOK(S_DECLARE)
    for (size_t n = 0; n < blocks; ++n, head += three ? 1760 : 1344, body += three ? 1760 : 1344, a += stride) {
        const uint8_t *tops = body + 192, *codes = three ? tops + 512 : body + 256;
        const __m256 d = qz_halves(head);
        const __m256 dmin = _mm256_sub_ps(_mm256_setzero_ps(), qz_halves(head + (three ? 0 : 32)));
        TOK(B_ZERO)
        if (!three) {
            TOK(S_ZERO)
            for (size_t k = 0; k < 4; ++k) {
                const __m256i m = _mm256_and_si256(_mm256_srli_epi16(qz_load(body + 64 * k), 4), _mm256_set1_epi8(15));
                const __m256i lo = _mm256_shuffle_epi8(m, first), hi = _mm256_shuffle_epi8(m, second);
                TOK(S_MIN)
            }
            TOK(B_MIN)
        }
        __m256i scales = _mm256_setzero_si256();
        for (size_t g = 0; g < 16; ++g) {
            const size_t j = g / 2; /* group of 32 */
            const __m128i shift = _mm_cvtsi32_si128(2 * (int)(j % 4)), top = _mm_cvtsi32_si128((int)j);
            if (three) { TOK(S_NEG4) }
            else { TOK(S_ZERO) }
            TOK(H_ZERO)
            for (size_t q = g % 2 * 4; q < g % 2 * 4 + 4; ++q) {
                const size_t at = 32 * j + 4 * q;
                __m256i w = _mm256_and_si256(_mm256_srl_epi16(qz_load(codes + 512 * (j / 4) + 64 * q), shift), two);
                if (three) {
                    __m256i h = _mm256_slli_epi16(_mm256_srl_epi16(qz_load(tops + 64 * q), top), 2);
                    w = _mm256_or_si256(w, _mm256_and_si256(h, four));
                }
                TOK(DP)
            }
            TOK(FLUSH)
            if (g % 4 == 0) scales = scales_of(three, body, g / 4);
            const __m256 scale = _mm256_mul_ps(d, _mm256_cvtepi32_ps(
                                                      _mm256_srai_epi32(_mm256_slli_epi32(scales, 24), 24)));
            scales = _mm256_srli_epi32(scales, 8);
            TOK(B_ADD)
        }
        TOK(F_ADD)
    }
    TOK(F_STORE)
}

/* 4 steps of at most 7·127·2 stay far below 2^15. */
void qz_dot_q2_k_avx2(QZ_DOT_ARGS) {
    QZ_HALVES(64, k23, false, )
}
void qz_dot_q3_k_avx2(QZ_DOT_ARGS) {
    QZ_HALVES(32, k23, true, )
}
