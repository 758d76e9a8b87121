/* The 32-value types times 8-bit activations, AVX-512 VNNI. Codes are or become unsigned (+128, +8, +16); the sum starts at
 * minus the offset times the sum of the activations, or the type's minimum is added at the end. */
#include "kernels/x86/dot_avx512.h"

enum { SIZE = sizeof(qz_act32), A_D = offsetof(qz_act32, d), A_NEG = offsetof(qz_act32, neg128) };

#define S_NEG128(i) \
    if (T > i) s##i = _mm512_set1_epi32(qz_i32(a + i * SIZE + A_NEG));
#define S_NEG8(i) \
    if (T > i) s##i = _mm512_srai_epi32(_mm512_set1_epi32(qz_i32(a + i * SIZE + A_NEG)), 4);
#define F_ADD(i) \
    if (T > i)   \
        f##i = _mm512_fmadd_ps(_mm512_mul_ps(d, _mm512_set1_ps(qz_f32(a + i * SIZE + A_D))), _mm512_cvtepi32_ps(s##i), f##i);

INLINE void q8_0(const size_t T, const uint8_t *head, const uint8_t *body, size_t blocks, const uint8_t *a, float *out) {
    TOK(F_OPEN)
    TOK(S_DECLARE)
    for (size_t b = 0; b < blocks; ++b, head += 544, body += 544, a += T * SIZE) {
        TOK(S_NEG128)
        for (size_t q = 0; q < 8; ++q) {
            const size_t at = 4 * q;
            __m512i w = _mm512_xor_si512(qz_load(body + 64 * q), _mm512_set1_epi8(-128));
            TOK(DP)
        }
        __m512 d = qz_halves(head);
        TOK(F_ADD)
    }
    TOK(F_STORE)
}

#define S_NEG16(i) \
    if (T > i) s##i = _mm512_srai_epi32(_mm512_set1_epi32(qz_i32(a + i * SIZE + A_NEG)), 3);
#define S_ZERO_T(i) \
    if (T > i) s##i = _mm512_setzero_si512();
/* minimum * scale * sum of the activations */
#define F_MIN(i)                                                                                                         \
    if (T > i)                                                                                                           \
        f##i = _mm512_fmadd_ps(m, _mm512_set1_ps(qz_f32(a + i * SIZE + A_D) * (float)qz_i32(a + i * SIZE + A_NEG) / -128.0f), f##i);

/* Bits 0..3 of each lane to bit 4 of its four bytes: copies at 0, 7, 14, 21 put bit i at 8·i. */
INLINE __m512i fifth_bits(__m512i bits) {
    __m512i x = _mm512_mullo_epi32(_mm512_and_si512(bits, _mm512_set1_epi32(15)), _mm512_set1_epi32(0x204081));
    return _mm512_slli_epi32(_mm512_and_si512(x, _mm512_set1_epi32(0x01010101)), 4);
}

/* Nibble types: with a fifth bit (Q5_x), with a minimum (Qx_1). */
INLINE void nibbles(const size_t T, const bool five, const bool min, const uint8_t *panel, size_t blocks, const uint8_t *a,
                    float *out) {
    const __m512i low = _mm512_set1_epi8(15);
    TOK(F_OPEN)
    TOK(S_DECLARE)
    for (size_t b = 0; b < blocks; ++b, a += T * SIZE) {
        const __m512 d = qz_halves(panel), m = min ? qz_halves(panel + 32) : d;
        panel += min ? 64 : 32;
        __m512i bits = five ? qz_load(panel) : low;
        if (five) panel += 64;
        if (min) { TOK(S_ZERO_T) }
        else if (five) { TOK(S_NEG16) }
        else { TOK(S_NEG8) }
        for (size_t q = 0; q < 4; ++q, panel += 64) {
            size_t at = 4 * q;
            const __m512i both = qz_load(panel);
            __m512i w = _mm512_and_si512(both, low);
            if (five) w = _mm512_or_si512(w, fifth_bits(bits));
            TOK(DP)
            at += 16;
            w = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
            if (five) w = _mm512_or_si512(w, fifth_bits(_mm512_srli_epi32(bits, 16)));
            TOK(DP)
            bits = _mm512_srli_epi32(bits, 4);
        }
        TOK(F_ADD)
        if (min) { TOK(F_MIN) }
    }
    TOK(F_STORE)
}

void qz_dot_q8_0_avx512(QZ_DOT_ARGS) {
    (void)l;
    QZ_TOKEN_SWITCH(q8_0, panel, panel + 32, blocks, act, out)
}
#define NIBBLES(name, five, min)                            \
    void qz_dot_##name##_avx512(QZ_DOT_ARGS) {              \
        (void)l;                                            \
        QZ_TOKEN_SWITCH(nibbles, five, min, panel, blocks, act, out) \
    }
NIBBLES(q4_0, false, false)
NIBBLES(q4_1, false, true)
NIBBLES(q5_0, true, false)
NIBBLES(q5_1, true, true)
