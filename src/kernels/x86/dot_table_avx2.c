/* Types written out as places in a table of 16 values (layout.h) times 8-bit activations, AVX2. |v|·(a with the sign of
 * v): one step is at most 127·127·2, so its 16-bit sums are scaled and widened at once; tables within ±63 (all but
 * IQ4's) add two steps first. */
#include "kernels/x86/dot_avx2.h"

enum { WIDE = sizeof(qz_act256), A_WIDE = offsetof(qz_act256, d) };
enum { NARROW = sizeof(qz_act32), A_NARROW = offsetof(qz_act32, d) };
enum { BODY_256 = 144 * QZ_PANEL, BODY_32 = 16 * QZ_PANEL };

INLINE __m256i table_of(const qz_layout_table *tab) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)tab->values));
}
/* Values of the low (high) nibbles. */
INLINE __m256i values(__m256i table, __m256i places, const bool high) {
    if (high) places = _mm256_srli_epi16(places, 4);
    return _mm256_shuffle_epi8(table, _mm256_and_si256(places, _mm256_set1_epi8(15)));
}

#define PAIRS(i, w, mag, at)                                                                  \
    _mm256_maddubs_epi16(mag, _mm256_sign_epi8(_mm256_set1_epi32(qz_i32(a + i * SIZE + (at))), w))
/* two steps, scaled by 16-bit numbers and widened */
#define DP_SCALED(i)                                                                          \
    if (T > i) {                                                                              \
        const __m256i lo = PAIRS(i, w0, m0, at), hi = PAIRS(i, w1, m1, at + 4);               \
        s##i = _mm256_add_epi32(s##i, fine ? _mm256_madd_epi16(_mm256_add_epi16(lo, hi), sc)  \
                                           : _mm256_add_epi32(_mm256_madd_epi16(lo, sc), _mm256_madd_epi16(hi, sc))); \
    }
#define F_WIDE(i)                                                                             \
    if (T > i)                                                                                \
        f##i = _mm256_fmadd_ps(_mm256_mul_ps(d, qz_f32(a + i * SIZE + A_WIDE)), _mm256_cvtepi32_ps(s##i), f##i);
#define F_NARROW(i)                                                                           \
    if (T > i)                                                                                \
        f##i = _mm256_fmadd_ps(_mm256_mul_ps(d, qz_f32(a + i * SIZE + A_NARROW)), _mm256_cvtepi32_ps(s##i), f##i);

/* 256 values: a word of scales for four groups of 16. fine: the table lies within ±63. */
#define SIZE WIDE
INLINE void wide(const size_t T, const bool fine, const qz_layout_table *tab, const qz_dot_half *p) {
    QZ_HALF_LOCALS
    const __m256i table = table_of(tab);
    const __m256 unit = _mm256_set1_ps(tab->unit);
    /* byte 0 of each lane, twice, at the top of 16 bits */
    const __m256i spread = _mm256_setr_epi32((int)0x00800080, (int)0x04800480, (int)0x08800880, (int)0x0c800c80,
                                             (int)0x00800080, (int)0x04800480, (int)0x08800880, (int)0x0c800c80);
    TOK(F_OPEN)
    for (size_t n = 0; n < blocks; ++n, head += 32 + BODY_256, body += 32 + BODY_256, a += stride) {
        const uint8_t *codes = body + 4 * 64;
        __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0, scales = s0;
        for (size_t g = 0; g < 16; ++g, codes += 128) {
            if (g % 4 == 0) scales = qz_load(body + 16 * g);
            const __m256i sc = _mm256_srai_epi16(_mm256_shuffle_epi8(scales, spread), 8);
            scales = _mm256_srli_epi32(scales, 8);
            for (size_t q = 0; q < 2; ++q) {
                const size_t at = 16 * g + 8 * q;
                const __m256i places = qz_load(codes + 64 * q);
                const __m256i w0 = values(table, places, false), w1 = values(table, places, true);
                const __m256i m0 = _mm256_abs_epi8(w0), m1 = _mm256_abs_epi8(w1);
                TOK(DP_SCALED)
            }
        }
        const __m256 d = _mm256_mul_ps(qz_halves(head), unit);
        TOK(F_WIDE)
    }
    TOK(F_STORE)
}
void qz_dot_written_256_avx2(QZ_DOT_ARGS) {
    qz_layout_table tab;
    qz_layout_table_get(l, &tab);
    if (tab.fine) { QZ_HALVES(32, wide, true, &tab, ) }
    else { QZ_HALVES(32, wide, false, &tab, ) }
}
#undef SIZE

/* 32 values with one scale, or one for each half. */
#define SIZE NARROW
INLINE __m256 scales_at(const bool bf16, const uint8_t *p) {
    if (!bf16) return qz_halves(p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}
INLINE void narrow(const size_t T, const bool bf16, const bool fine, const size_t heads, const qz_layout_table *tab,
                   const qz_dot_half *p) {
    QZ_HALF_LOCALS
    const __m256i table = table_of(tab), sc = _mm256_set1_epi16(1);
    TOK(F_OPEN)
    for (size_t n = 0; n < blocks; ++n, a += stride) {
        for (size_t h = 0; h < heads; ++h) {
            __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
            for (size_t q = 4 / heads * h; q < 4 / heads * (h + 1); ++q) {
                const size_t at = 8 * q;
                const __m256i places = qz_load(body + 64 * q);
                const __m256i w0 = values(table, places, false), w1 = values(table, places, true);
                const __m256i m0 = _mm256_abs_epi8(w0), m1 = _mm256_abs_epi8(w1);
                TOK(DP_SCALED)
            }
            const __m256 d = scales_at(bf16, head + 32 * h);
            TOK(F_NARROW)
        }
        head += 32 * heads + BODY_32;
        body += 32 * heads + BODY_32;
    }
    TOK(F_STORE)
}
void qz_dot_written_32_avx2(QZ_DOT_ARGS) {
    qz_layout_table tab;
    qz_layout_table_get(l, &tab);
    if (l->heads == 2) { QZ_HALVES(64, narrow, false, true, 2, &tab, ) }
    else if (l->bf16) { QZ_HALVES(32, narrow, true, true, 1, &tab, ) }
    else if (tab.fine) { QZ_HALVES(32, narrow, false, true, 1, &tab, ) }
    else { QZ_HALVES(32, narrow, false, false, 1, &tab, ) }
}
