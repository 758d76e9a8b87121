/* Q2_K and Q3_K times Q8_K activations, AVX-512 VNNI: sixteen sub-blocks of 16 values. Body of Q2_K: 4 words of scales
 * and mins (nibbles), 16 words of codes; of Q3_K: 3 words of scales, 8 words of top bits, 16 words of codes. */
#include "kernels/x86/dot_avx512.h"

enum {
    SIZE = sizeof(qz_act256),
    A_NEG = offsetof(qz_act256, neg32),
    A_SUM = offsetof(qz_act256, sum16),
    A_D = offsetof(qz_act256, d)
};

#define B_DECLARE(i) __m512 b##i = _mm512_setzero_ps();
#define B_ZERO(i) b##i = _mm512_setzero_ps();
#define B_ADD(i) \
    if (T > i) b##i = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(s##i), b##i);
/* s = sum of mins times sums of activations: pairs of mins (16-bit) of groups 4i..4i+3 */
#define S_MIN(i)                                                                                                   \
    if (T > i) {                                                                                                   \
        s##i = _mm512_dpwssd_epi32(s##i, lo, _mm512_set1_epi32(qz_i32(a + i * SIZE + A_SUM + 8 * k)));             \
        s##i = _mm512_dpwssd_epi32(s##i, hi, _mm512_set1_epi32(qz_i32(a + i * SIZE + A_SUM + 8 * k + 4)));         \
    }
#define B_MIN(i) \
    if (T > i) b##i = _mm512_mul_ps(dmin, _mm512_cvtepi32_ps(s##i));
#define F_ADD(i) \
    if (T > i) f##i = _mm512_fmadd_ps(b##i, _mm512_set1_ps(qz_f32(a + i * SIZE + A_D)), f##i);
/* Q3_K: codes are 4 too large */
#define S_NEG4(i) \
    if (T > i) s##i = _mm512_srai_epi32(_mm512_set1_epi32(qz_i32(a + i * SIZE + A_NEG + 4 * g)), 3);

/* Scales of groups 4i..4i+3 as bytes: Q2_K unsigned 0..15, Q3_K signed -32..31. */
INLINE __m512i scales_of(const bool three, const uint8_t *body, size_t i) {
    const __m512i low = _mm512_set1_epi8(15);
    if (!three) return _mm512_and_si512(qz_load(body + 64 * i), low);
    __m512i s = _mm512_and_si512(_mm512_srl_epi16(qz_load(body + 64 * (i % 2)), _mm_cvtsi32_si128(i < 2 ? 0 : 4)), low);
    __m512i h = _mm512_srl_epi16(qz_load(body + 128), _mm_cvtsi32_si128(2 * (int)i));
    h = _mm512_slli_epi16(_mm512_and_si512(h, _mm512_set1_epi8(3)), 4);
    return _mm512_sub_epi8(_mm512_or_si512(s, h), _mm512_set1_epi8(32));
}

INLINE void k23(const size_t T, const bool three, const uint8_t *panel, size_t blocks, const uint8_t *a, float *out) {
    /* bytes 0, 1 (and 2, 3) of each lane as 16-bit numbers */
    const __m512i first = _mm512_set4_epi32((int)0x800d800c, (int)0x80098008, (int)0x80058004, (int)0x80018000);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(0x00020002));
    const __m512i two = _mm512_set1_epi8(3), four = _mm512_set1_epi8(4);
    TOK(F_OPEN)
    TOK(B_DECLARE)
    TOK(S_DECLARE)
    for (size_t n = 0; n < blocks; ++n, panel += three ? 1760 : 1344, a += T * SIZE) {
        const uint8_t *body = panel + (three ? 32 : 64), *tops = body + 192, *codes = three ? tops + 512 : body + 256;
        const __m512 d = qz_halves(panel);
        const __m512 dmin = _mm512_sub_ps(_mm512_setzero_ps(), qz_halves(panel + (three ? 0 : 32)));
        TOK(B_ZERO)
        if (!three) {
            TOK(S_ZERO)
            for (size_t k = 0; k < 4; ++k) {
                const __m512i m = _mm512_and_si512(_mm512_srli_epi16(qz_load(body + 64 * k), 4), _mm512_set1_epi8(15));
                const __m512i lo = _mm512_shuffle_epi8(m, first), hi = _mm512_shuffle_epi8(m, second);
                TOK(S_MIN)
            }
            TOK(B_MIN)
        }
        __m512i scales = _mm512_setzero_si512();
        for (size_t g = 0; g < 16; ++g) {
            const size_t j = g / 2; /* group of 32 */
            const __m128i shift = _mm_cvtsi32_si128(2 * (int)(j % 4)), top = _mm_cvtsi32_si128((int)j);
            if (three) { TOK(S_NEG4) }
            else { TOK(S_ZERO) }
            for (size_t q = g % 2 * 4; q < g % 2 * 4 + 4; ++q) {
                const size_t at = 32 * j + 4 * q;
                __m512i w = _mm512_and_si512(_mm512_srl_epi16(qz_load(codes + 512 * (j / 4) + 64 * q), shift), two);
                if (three) {
                    __m512i h = _mm512_slli_epi16(_mm512_srl_epi16(qz_load(tops + 64 * q), top), 2);
                    w = _mm512_or_si512(w, _mm512_and_si512(h, four));
                }
                TOK(DP)
            }
            if (g % 4 == 0) scales = scales_of(three, body, g / 4);
            const __m512 scale = _mm512_mul_ps(d, _mm512_cvtepi32_ps(
                                                      _mm512_srai_epi32(_mm512_slli_epi32(scales, 24), 24)));
            scales = _mm512_srli_epi32(scales, 8);
            TOK(B_ADD)
        }
        TOK(F_ADD)
    }
    TOK(F_STORE)
}

void qz_dot_q2_k_avx512(QZ_DOT_ARGS) {
    (void)l;
    QZ_TOKEN_SWITCH(k23, false, panel, blocks, act, out)
}
void qz_dot_q3_k_avx512(QZ_DOT_ARGS) {
    (void)l;
    QZ_TOKEN_SWITCH(k23, true, panel, blocks, act, out)
}
