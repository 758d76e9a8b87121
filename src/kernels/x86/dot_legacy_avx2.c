/* The 32-value types times 8-bit activations, AVX2. */
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
/* s = -8 (or -16) * sum of the activations */
#define S_NEG8(i) \
    if (T > i) s##i = _mm256_srai_epi32(_mm256_set1_epi32(qz_i32(a + i * SIZE + A_NEG)), 4);
#define S_NEG16(i) \
    if (T > i) s##i = _mm256_srai_epi32(_mm256_set1_epi32(qz_i32(a + i * SIZE + A_NEG)), 3);
/* minimum * scale * sum of the activations */
#define F_MIN(i)                                                            \
    if (T > i)                                                              \
        f##i = _mm256_fmadd_ps(m, _mm256_mul_ps(qz_f32(a + i * SIZE + A_D), \
                               _mm256_set1_ps((float)qz_i32(a + i * SIZE + A_NEG) / -128.0f)), f##i);

INLINE void q8_0(const size_t T, const qz_dot_half *p) {
    QZ_HALF_LOCALS
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

/* w with 16 added where the fifth bit is on. spread: every byte of a lane gets the byte of the lane that
 * holds its bit. */
INLINE __m256i add_fifth(__m256i w, __m256i bits, __m256i spread, __m256i mine) {
    __m256i on = _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(bits, spread), mine), mine);
    return _mm256_or_si256(w, _mm256_and_si256(on, _mm256_set1_epi8(16)));
}

/* Nibble types: with a fifth bit (Q5_x), with a minimum (Qx_1). Four steps of at most 31·127·2 stay below 2^15. */
INLINE void nibbles(const size_t T, const bool five, const bool min, const qz_dot_half *p) {
    QZ_HALF_LOCALS
    const size_t bytes = (min ? 320u : 288u) + (five ? 64u : 0u);
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i places = _mm256_broadcastsi128_si256(_mm_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c));
    TOK(F_OPEN)
    TOK(S_DECLARE)
    for (size_t b = 0; b < blocks; ++b, head += bytes, body += bytes, a += stride) {
        const uint8_t *codes = five ? body + 64 : body;
        const __m256i bits = five ? qz_load(body) : low;
        if (min) { TOK(S_ZERO) }
        else if (five) { TOK(S_NEG16) }
        else { TOK(S_NEG8) }
        for (size_t part = 0; part < 2; ++part) {
            TOK(H_ZERO)
            for (size_t q = 2 * part; q < 2 * part + 2; ++q) {
                size_t at = 4 * q;
                /* value 4q+i: bit 4·(q%2)+i of byte q/2, its partner 16 bits on */
                const __m256i spread = _mm256_add_epi8(places, _mm256_set1_epi8((char)(q / 2)));
                const __m256i mine = _mm256_set1_epi32(q % 2 ? (int)0x80402010 : 0x08040201);
                const __m256i both = qz_load(codes + 64 * q);
                __m256i w = _mm256_and_si256(both, low);
                if (five) w = add_fifth(w, bits, spread, mine);
                TOK(DP)
                at += 16;
                w = _mm256_and_si256(_mm256_srli_epi16(both, 4), low);
                if (five) w = add_fifth(w, bits, _mm256_add_epi8(spread, _mm256_set1_epi8(2)), mine);
                TOK(DP)
            }
            TOK(FLUSH)
        }
        const __m256 d = qz_halves(head), m = min ? qz_halves(head + 32) : d;
        TOK(F_ADD)
        if (min) { TOK(F_MIN) }
    }
    TOK(F_STORE)
}

void qz_dot_q8_0_avx2(QZ_DOT_ARGS) {
    QZ_HALVES(32, q8_0, )
}
#define NIBBLES(name, five, min)                                 \
    void qz_dot_##name##_avx2(QZ_DOT_ARGS) {                     \
        QZ_HALVES((min ? 64 : 32), nibbles, five, min, )         \
    }
NIBBLES(q4_0, false, false)
NIBBLES(q4_1, false, true)
NIBBLES(q5_0, true, false)
NIBBLES(q5_1, true, true)
