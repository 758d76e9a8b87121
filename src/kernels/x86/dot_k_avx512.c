/* Q4_K, Q5_K and Q6_K times Q8_K activations, AVX-512 VNNI. Integer sums per sub-block, scaled in float; mins against
 * the sums of the activations by 16-bit dot products. */
#include "kernels/x86/dot_avx512.h"

enum {
    SIZE = sizeof(qz_act256),
    A_NEG = offsetof(qz_act256, neg32),
    A_SUM = offsetof(qz_act256, sum32),
    A_D = offsetof(qz_act256, d)
};

#define B_DECLARE(i) __m512 b##i = _mm512_setzero_ps();
/* b = -dmin * sum of mins times sums of activations; p01..p67: pairs of mins as 16-bit. */
#define B_MINS(i)                                                                                              \
    if (T > i) {                                                                                               \
        __m512i m = _mm512_dpwssd_epi32(_mm512_setzero_si512(), p01, _mm512_set1_epi32(qz_i32(a + i * SIZE + A_SUM))); \
        m = _mm512_dpwssd_epi32(m, p23, _mm512_set1_epi32(qz_i32(a + i * SIZE + A_SUM + 4)));                  \
        m = _mm512_dpwssd_epi32(m, p45, _mm512_set1_epi32(qz_i32(a + i * SIZE + A_SUM + 8)));                  \
        m = _mm512_dpwssd_epi32(m, p67, _mm512_set1_epi32(qz_i32(a + i * SIZE + A_SUM + 12)));                 \
        b##i = _mm512_mul_ps(dmin, _mm512_cvtepi32_ps(m));                                                     \
    }
#define B_ZERO(i) b##i = _mm512_setzero_ps();
#define B_ADD(i) \
    if (T > i) b##i = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(s##i), b##i);
#define F_ADD(i) \
    if (T > i) f##i = _mm512_fmadd_ps(b##i, _mm512_set1_ps(qz_f32(a + i * SIZE + A_D)), f##i);

/* Head of a block of 16 rows: dmin (negated) and d, 8 scales as bytes of two words, mins as 16-bit pairs. */
#define K45_HEAD                                                                                              \
    const __m512 d = qz_halves(head), dmin = _mm512_sub_ps(_mm512_setzero_ps(), qz_halves(head + 32));        \
    const __m512i h0 = qz_load(body), h1 = qz_load(body + 64), h2 = qz_load(body + 128);                      \
    const __m512i six = _mm512_set1_epi8(63), top = _mm512_set1_epi8(48);                                     \
    __m512i sc[2] = {_mm512_and_si512(h0, six), _mm512_or_si512(_mm512_and_si512(h2, low),                    \
                     _mm512_and_si512(_mm512_srli_epi16(h0, 2), top))};                                       \
    const __m512i m03 = _mm512_and_si512(h1, six);                                                            \
    const __m512i m47 = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(h2, 4), low),                      \
                                        _mm512_and_si512(_mm512_srli_epi16(h1, 2), top));                     \
    const __m512i p01 = _mm512_shuffle_epi8(m03, first), p23 = _mm512_shuffle_epi8(m03, second);              \
    const __m512i p45 = _mm512_shuffle_epi8(m47, first), p67 = _mm512_shuffle_epi8(m47, second);              \
    TOK(B_MINS)

/* Scale of the next sub-block: the lowest byte of each lane of a word of scales, which moves on. */
INLINE __m512 next_scale(__m512i *words, __m512 d) {
    __m512 s = _mm512_mul_ps(d, _mm512_cvtepi32_ps(_mm512_and_si512(*words, _mm512_set1_epi32(255))));
    *words = _mm512_srli_epi32(*words, 8);
    return s;
}

/* five: the type has a fifth bit (Q5_K). */
INLINE void k45(const size_t T, const bool five, const uint8_t *head, const uint8_t *body, size_t blocks,
                const uint8_t *a, float *out) {
    const __m512i low = _mm512_set1_epi8(15), sixteen = _mm512_set1_epi8(16);
    /* bytes 0, 1 (and 2, 3) of each lane as 16-bit numbers */
    const __m512i first = _mm512_set4_epi32((int)0x800d800c, (int)0x80098008, (int)0x80058004, (int)0x80018000);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(0x00020002));
    TOK(F_OPEN)
    TOK(B_DECLARE)
    TOK(S_DECLARE)
    for (size_t n = 0; n < blocks; ++n, head += five ? 2816 : 2304, body += 64, a += T * SIZE) {
        K45_HEAD
        body += 192;
        const uint8_t *fifth = body;
        if (five) body += 512;
        __m512i bit = _mm512_set1_epi8(1);
        for (size_t p = 0; p < 4; ++p, body += 512) {
            TOK(S_ZERO)
            for (size_t q = 0; q < 8; ++q) {
                const size_t at = 64 * p + 4 * q;
                __m512i w = _mm512_and_si512(qz_load(body + 64 * q), low);
                if (five) w = _mm512_mask_add_epi8(w, _mm512_test_epi8_mask(qz_load(fifth + 64 * q), bit), w, sixteen);
                TOK(DP)
            }
            __m512 scale = next_scale(&sc[p / 2], d);
            TOK(B_ADD)
            TOK(S_ZERO)
            bit = _mm512_add_epi8(bit, bit);
            for (size_t q = 0; q < 8; ++q) {
                const size_t at = 64 * p + 32 + 4 * q;
                __m512i w = _mm512_and_si512(_mm512_srli_epi16(qz_load(body + 64 * q), 4), low);
                if (five) w = _mm512_mask_add_epi8(w, _mm512_test_epi8_mask(qz_load(fifth + 64 * q), bit), w, sixteen);
                TOK(DP)
            }
            scale = next_scale(&sc[p / 2], d);
            TOK(B_ADD)
            bit = _mm512_add_epi8(bit, bit);
        }
        TOK(F_ADD)
    }
    TOK(F_STORE)
}

#define S_NEG32(i) \
    if (T > i) s##i = _mm512_set1_epi32(qz_i32(a + i * SIZE + A_NEG + 8 * j + 4 * h));

/* body: 4 words of signed scales, 2 x 8 words of top bits, 4 x 8 words of nibbles. 32 values j = 0..7: nibbles of word
 * group 2*(j/4) + j%2, low for j%4 < 2; top bits 2*(j%4) of group j/4. Scales per 16. */
INLINE void q6(const size_t T, const uint8_t *head, const uint8_t *body, size_t blocks, const uint8_t *a, float *out) {
    const __m512i low = _mm512_set1_epi8(15), top = _mm512_set1_epi8(48);
    TOK(F_OPEN)
    TOK(B_DECLARE)
    TOK(S_DECLARE)
    for (size_t n = 0; n < blocks; ++n, head += 3360, body += 3360, a += T * SIZE) {
        const __m512 d = qz_halves(head);
        TOK(B_ZERO)
        for (size_t j = 0; j < 8; ++j) {
            qz_ahead(body + 3328 + 448 * j, 7); /* the next block in order: this one is read back and forth */
            const __m128i nib = _mm_cvtsi32_si128(j % 4 < 2 ? 0 : 4);
            const __m512i turn = _mm512_set1_epi32((int)(36 - 2 * (j % 4)) % 32); /* left by 4, 2, 0, -2 */
            const uint8_t *high = body + 256 + 512 * (j / 4), *nibbles = body + 1280 + 1024 * (j / 4) + 512 * (j % 2);
            for (size_t h = 0; h < 2; ++h) {
                TOK(S_NEG32)
                for (size_t q = 4 * h; q < 4 * h + 4; ++q) {
                    const size_t at = 32 * j + 4 * q;
                    __m512i x = _mm512_rolv_epi32(qz_load(high + 64 * q), turn);
                    __m512i w = _mm512_and_si512(_mm512_srl_epi16(qz_load(nibbles + 64 * q), nib), low);
                    w = _mm512_ternarylogic_epi32(w, x, top, 0xf8); /* w | (x & top) */
                    TOK(DP)
                }
                const __m128i place = _mm_cvtsi32_si128(24 - 8 * (int)(2 * (j % 2) + h));
                __m512i sc = _mm512_srai_epi32(_mm512_sll_epi32(qz_load(body + 64 * (j / 2)), place), 24);
                __m512 scale = _mm512_mul_ps(d, _mm512_cvtepi32_ps(sc));
                TOK(B_ADD)
            }
        }
        TOK(F_ADD)
    }
    TOK(F_STORE)
}

void qz_dot_q4_k_avx512(QZ_DOT_ARGS) {
    (void)l;
    QZ_TOKEN_SWITCH(k45, false, panel, panel + 64, blocks, act, out)
}
void qz_dot_q5_k_avx512(QZ_DOT_ARGS) {
    (void)l;
    QZ_TOKEN_SWITCH(k45, true, panel, panel + 64, blocks, act, out)
}
void qz_dot_q6_k_avx512(QZ_DOT_ARGS) {
    (void)l;
    QZ_TOKEN_SWITCH(q6, panel, panel + 32, blocks, act, out)
}
