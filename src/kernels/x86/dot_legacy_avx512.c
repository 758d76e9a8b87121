/* The 32-value types times 8-bit activations, AVX-512 VNNI. Codes are or become unsigned (+128, +8, +16); the sum
 * starts at minus the offset times the sum of the activations, or the type's minimum is added at the end. */
#include "kernels/x86/dot_avx512.h"

enum { SIZE = sizeof(qz_act32), A_D = offsetof(qz_act32, d), A_NEG = offsetof(qz_act32, neg128) };

#define S_NEG128(i) \
    if (T > i) s##i = _mm512_set1_epi32(qz_i32(a + i * SIZE + A_NEG));
#define S_NEG8(i) \
    if (T > i) s##i = _mm512_srai_epi32(_mm512_set1_epi32(qz_i32(a + i * SIZE + A_NEG)), 4);
#define F_ADD(i)                                                                             \
    if (T > i)                                                                               \
        f##i = _mm512_fmadd_ps(_mm512_mul_ps(d, _mm512_set1_ps(qz_f32(a + i * SIZE + A_D))), \
                               _mm512_cvtepi32_ps(s##i), f##i);

INLINE void q8_0(const size_t T, const uint8_t *head, const uint8_t *body, size_t blocks, const uint8_t *a,
                 float *out) {
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
#define F_MIN(i)                \
    if (T > i)                  \
        f##i = _mm512_fmadd_ps( \
            m, _mm512_set1_ps(qz_f32(a + i * SIZE + A_D) * (float)qz_i32(a + i * SIZE + A_NEG) / -128.0f), f##i);

/* w with 16 added where the fifth bit is on. spread: every byte of a lane gets the byte of the lane that
 * holds its bit. */
INLINE __m512i add_fifth(__m512i w, __m512i bits, __m512i spread, __m512i mine) {
    return _mm512_mask_add_epi8(w, _mm512_test_epi8_mask(_mm512_shuffle_epi8(bits, spread), mine), w,
                                _mm512_set1_epi8(16));
}

/* Nibble types: with a fifth bit (Q5_x), with a minimum (Qx_1). */
INLINE void nibbles(const size_t T, const bool five, const bool min, const uint8_t *panel, size_t blocks,
                    const uint8_t *a, float *out) {
    const __m512i low = _mm512_set1_epi8(15);
    TOK(F_OPEN)
    TOK(S_DECLARE)
    for (size_t b = 0; b < blocks; ++b, a += T * SIZE) {
        const __m512 d = qz_halves(panel), m = min ? qz_halves(panel + 32) : d;
        panel += min ? 64 : 32;
        const __m512i bits = five ? qz_load(panel) : low;
        if (five) panel += 64;
        if (min) { TOK(S_ZERO_T) }
        else if (five) { TOK(S_NEG16) }
        else { TOK(S_NEG8) }
        for (size_t q = 0; q < 4; ++q, panel += 64) {
            size_t at = 4 * q;
            /* value 4q+i: bit 4·(q%2)+i of byte q/2, its partner 16 bits on */
            const __m512i spread = _mm512_add_epi8(_mm512_set4_epi32(0x0c0c0c0c, 0x08080808, 0x04040404, 0),
                                                   _mm512_set1_epi8((char)(q / 2)));
            const __m512i mine = _mm512_set1_epi32(q % 2 ? (int)0x80402010 : 0x08040201);
            const __m512i both = qz_load(panel);
            __m512i w = _mm512_and_si512(both, low);
            if (five) w = add_fifth(w, bits, spread, mine);
            TOK(DP)
            at += 16;
            w = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
            if (five) w = add_fifth(w, bits, _mm512_add_epi8(spread, _mm512_set1_epi8(2)), mine);
            TOK(DP)
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
