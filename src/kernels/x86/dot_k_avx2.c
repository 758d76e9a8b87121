/* Q4_K, Q5_K and Q6_K times Q8_K activations, AVX2. */
#include "kernels/x86/dot_avx2.h"

enum {
    SIZE = sizeof(qz_act256),
    A_NEG = offsetof(qz_act256, neg32),
    A_SUM = offsetof(qz_act256, sum32),
    A_D = offsetof(qz_act256, d)
};

#define B_DECLARE(i) __m256 b##i = _mm256_setzero_ps();
#define B_ZERO(i) b##i = _mm256_setzero_ps();
#define PAIR(p, i, at) _mm256_madd_epi16(p, _mm256_set1_epi32(qz_i32(a + i * SIZE + A_SUM + at)))
/* b = -dmin * sum of mins times sums of activations; p01..p67: pairs of mins as 16-bit. */
#define B_MINS(i)                                                                          \
    if (T > i)                                                                             \
        b##i = _mm256_mul_ps(dmin, _mm256_cvtepi32_ps(_mm256_add_epi32(                    \
                                       _mm256_add_epi32(PAIR(p01, i, 0), PAIR(p23, i, 4)), \
                                       _mm256_add_epi32(PAIR(p45, i, 8), PAIR(p67, i, 12)))));
#define B_ADD(i) \
    if (T > i) b##i = _mm256_fmadd_ps(scale, _mm256_cvtepi32_ps(s##i), b##i);
#define F_ADD(i) \
    if (T > i) f##i = _mm256_fmadd_ps(b##i, qz_f32(a + i * SIZE + A_D), f##i);

#define K45_HEAD                                                                                              \
    const __m256 d = qz_halves(head), dmin = _mm256_sub_ps(_mm256_setzero_ps(), qz_halves(head + 32));        \
    const __m256i h0_ = qz_load(body), h1_ = qz_load(body + 64), h2_ = qz_load(body + 128);                   \
    const __m256i six = _mm256_set1_epi8(63), top = _mm256_set1_epi8(48);                                     \
    __m256i sc[2] = {_mm256_and_si256(h0_, six), _mm256_or_si256(_mm256_and_si256(h2_, low),                  \
                     _mm256_and_si256(_mm256_srli_epi16(h0_, 2), top))};                                      \
    const __m256i m03 = _mm256_and_si256(h1_, six);                                                           \
    const __m256i m47 = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(h2_, 4), low),                     \
                                        _mm256_and_si256(_mm256_srli_epi16(h1_, 2), top));                    \
    const __m256i p01 = _mm256_shuffle_epi8(m03, first), p23 = _mm256_shuffle_epi8(m03, second);              \
    const __m256i p45 = _mm256_shuffle_epi8(m47, first), p67 = _mm256_shuffle_epi8(m47, second);              \
    TOK(B_MINS)

/* Scale of the next sub-block: the lowest byte of each lane of a word of scales, which moves on. */
INLINE __m256 next_scale(__m256i *words, __m256 d) {
    __m256 s = _mm256_mul_ps(d, _mm256_cvtepi32_ps(_mm256_and_si256(*words, _mm256_set1_epi32(255))));
    *words = _mm256_srli_epi32(*words, 8);
    return s;
}

/* 16-bit sums: 8 steps of 15·127·2 or 4 steps of 31·127·2 stay below 2^15. five: the type has a fifth bit (Q5_K). */
INLINE void k45(const size_t T, const bool five, const qz_dot_half *p) {
    QZ_HALF_LOCALS
    const __m256i low = _mm256_set1_epi8(15), sixteen = _mm256_set1_epi8(16);
    /* bytes 0, 1 (and 2, 3) of each lane as 16-bit numbers */
    const __m256i first = _mm256_setr_epi32((int)0x80018000, (int)0x80058004, (int)0x80098008, (int)0x800d800c,
                                            (int)0x80018000, (int)0x80058004, (int)0x80098008, (int)0x800d800c);
    const __m256i second = _mm256_add_epi32(first, _mm256_set1_epi32(0x00020002));
    TOK(F_OPEN)
    TOK(B_DECLARE)
    TOK(S_DECLARE)
    for (size_t n = 0; n < blocks; ++n, head += five ? 2816 : 2304, body += 64, a += stride) {
        K45_HEAD
        body += 192;
        const uint8_t *fifth = body;
        if (five) body += 512;
        __m256i bit = _mm256_set1_epi8(1);
        for (size_t j = 0; j < 8; ++j, body += j % 2 ? 0 : 512) {
            const __m128i shift = _mm_cvtsi32_si128(j % 2 ? 4 : 0);
            TOK(S_ZERO)
            for (size_t part = 0; part < (five ? 2 : 1); ++part) {
                const size_t steps = five ? 4 : 8;
                TOK(H_ZERO)
                for (size_t q = part * 4; q < part * 4 + steps; ++q) {
                    const size_t at = 32 * j + 4 * q;
                    __m256i w = _mm256_and_si256(_mm256_srl_epi16(qz_load(body + 64 * q), shift), low);
                    if (five) {
                        __m256i on = _mm256_cmpeq_epi8(_mm256_and_si256(qz_load(fifth + 64 * q), bit), bit);
                        w = _mm256_or_si256(w, _mm256_and_si256(on, sixteen));
                    }
                    TOK(DP)
                }
                TOK(FLUSH)
            }
            const __m256 scale = next_scale(&sc[j / 4], d);
            TOK(B_ADD)
            bit = _mm256_add_epi8(bit, bit);
        }
        TOK(F_ADD)
    }
    TOK(F_STORE)
}

#define S_NEG32(i) \
    if (T > i) s##i = _mm256_set1_epi32(qz_i32(a + i * SIZE + A_NEG + 4 * g));

/* Layout as in dot_k_avx512.c. 2 steps of 63·127·2 stay below 2^15. g: group of 16 values. */
INLINE void q6(const size_t T, const qz_dot_half *p) {
    QZ_HALF_LOCALS
    const __m256i low = _mm256_set1_epi8(15), top = _mm256_set1_epi8(48);
    TOK(F_OPEN)
    TOK(B_DECLARE)
    TOK(S_DECLARE)
    for (size_t n = 0; n < blocks; ++n, head += 3360, body += 3360, a += stride) {
        const __m256 d = qz_halves(head);
        TOK(B_ZERO)
        for (size_t g = 0; g < 16; ++g) {
            const size_t j = g / 2;
            /* the next block in order: this one is read back and forth */
            if (g % 2) qz_ahead(body + 3328 + 448 * j, 7);
            const __m128i nib = _mm_cvtsi32_si128(j % 4 < 2 ? 0 : 4), down = _mm_cvtsi32_si128(2 * (int)(j % 4));
            const uint8_t *high = body + 256 + 512 * (j / 4), *nibbles = body + 1280 + 1024 * (j / 4) + 512 * (j % 2);
            TOK(S_NEG32)
            for (size_t q = g % 2 * 4; q < g % 2 * 4 + 4; q += 2) {
                TOK(H_ZERO)
                for (size_t r = q; r < q + 2; ++r) {
                    const size_t at = 32 * j + 4 * r;
                    __m256i x = _mm256_slli_epi16(_mm256_srl_epi16(qz_load(high + 64 * r), down), 4);
                    __m256i w = _mm256_and_si256(_mm256_srl_epi16(qz_load(nibbles + 64 * r), nib), low);
                    w = _mm256_or_si256(w, _mm256_and_si256(x, top));
                    TOK(DP)
                }
                TOK(FLUSH)
            }
            const __m128i place = _mm_cvtsi32_si128(24 - 8 * (int)(g % 4));
            const __m256i sc = _mm256_srai_epi32(_mm256_sll_epi32(qz_load(body + 64 * (g / 4)), place), 24);
            const __m256 scale = _mm256_mul_ps(d, _mm256_cvtepi32_ps(sc));
            TOK(B_ADD)
        }
        TOK(F_ADD)
    }
    TOK(F_STORE)
}

void qz_dot_q4_k_avx2(QZ_DOT_ARGS) {
    QZ_HALVES(64, k45, false, )
}
void qz_dot_q5_k_avx2(QZ_DOT_ARGS) {
    QZ_HALVES(64, k45, true, )
}
void qz_dot_q6_k_avx2(QZ_DOT_ARGS) {
    QZ_HALVES(32, q6, )
}
