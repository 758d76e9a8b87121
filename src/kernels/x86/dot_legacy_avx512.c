/* Q8_0 and Q4_0 times 8-bit activations, AVX-512 VNNI. Codes become unsigned (+128, +8); the sum starts at minus the offset
 * times the sum of the activations. */
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

INLINE void q4_0(const size_t T, const uint8_t *head, const uint8_t *body, size_t blocks, const uint8_t *a, float *out) {
    const __m512i low = _mm512_set1_epi8(15);
    TOK(F_OPEN)
    TOK(S_DECLARE)
    for (size_t b = 0; b < blocks; ++b, head += 288, body += 288, a += T * SIZE) {
        TOK(S_NEG8)
        for (size_t q = 0; q < 4; ++q) {
            size_t at = 4 * q;
            __m512i both = qz_load(body + 64 * q), w = _mm512_and_si512(both, low);
            TOK(DP)
            at += 16;
            w = _mm512_and_si512(_mm512_srli_epi16(both, 4), low);
            TOK(DP)
        }
        __m512 d = qz_halves(head);
        TOK(F_ADD)
    }
    TOK(F_STORE)
}

void qz_dot_q8_0_avx512(QZ_DOT_ARGS) {
    (void)l;
    QZ_TOKEN_SWITCH(q8_0, panel, panel + 32, blocks, act, out)
}
void qz_dot_q4_0_avx512(QZ_DOT_ARGS) {
    (void)l;
    QZ_TOKEN_SWITCH(q4_0, panel, panel + 32, blocks, act, out)
}
