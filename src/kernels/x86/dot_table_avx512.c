/* Types written out as places in a table of 16 values (layout.h) times 8-bit activations, AVX-512 VNNI. Values are made
 * unsigned (+128); the sum starts at minus 128 times the sum of the activations. */
#include "kernels/x86/dot_avx512.h"

enum { WIDE = sizeof(qz_act256), NARROW = sizeof(qz_act32) };
enum { BODY_256 = 144 * QZ_PANEL, BODY_32 = 16 * QZ_PANEL };

INLINE __m512i table_of(const qz_layout_table *t) {
    const __m128i v = _mm_loadu_si128((const __m128i *)t->values);
    return _mm512_broadcast_i32x4(_mm_xor_si128(v, _mm_set1_epi8(-128)));
}
INLINE __m512i values(__m512i table, __m512i places, const bool high) {
    if (high) places = _mm512_srli_epi16(places, 4);
    return _mm512_shuffle_epi8(table, _mm512_and_si512(places, _mm512_set1_epi8(15)));
}

#define S_NEG(i) \
    if (T > i) s##i = _mm512_set1_epi32(4 * qz_i32(a + i * SIZE + offsetof(qz_act256, neg32) + 4 * g));
#define B_DECLARE(i) __m512 b##i = _mm512_setzero_ps();
#define B_ZERO(i) b##i = _mm512_setzero_ps();
#define B_ADD(i) \
    if (T > i) b##i = _mm512_fmadd_ps(scale, _mm512_cvtepi32_ps(s##i), b##i);
#define F_WIDE(i) \
    if (T > i) f##i = _mm512_fmadd_ps(b##i, _mm512_set1_ps(qz_f32(a + i * SIZE + offsetof(qz_act256, d))), f##i);

/* 256 values: a word of scales for four groups of 16. */
#define SIZE WIDE
INLINE void wide(const size_t T, const qz_layout_table *t, const uint8_t *panel, size_t blocks, const uint8_t *a,
                 float *out) {
    const __m512i table = table_of(t);
    TOK(F_OPEN)
    TOK(B_DECLARE)
    TOK(S_DECLARE)
    for (size_t n = 0; n < blocks; ++n, panel += 32 + BODY_256, a += T * SIZE) {
        const uint8_t *codes = panel + 32 + 4 * 64;
        const __m512 d = _mm512_mul_ps(qz_halves(panel), _mm512_set1_ps(t->unit));
        __m512i scales = _mm512_setzero_si512();
        TOK(B_ZERO)
        for (size_t g = 0; g < 16; ++g, codes += 128) {
            if (g % 4 == 0) scales = qz_load(panel + 32 + 16 * g);
            TOK(S_NEG)
            for (size_t q = 0; q < 2; ++q) {
                size_t at = 16 * g + 8 * q;
                const __m512i places = qz_load(codes + 64 * q);
                __m512i w = values(table, places, false);
                TOK(DP)
                at += 4;
                w = values(table, places, true);
                TOK(DP)
            }
            const __m512 scale = _mm512_mul_ps(d, _mm512_cvtepi32_ps(
                                                      _mm512_srai_epi32(_mm512_slli_epi32(scales, 24), 24)));
            scales = _mm512_srli_epi32(scales, 8);
            TOK(B_ADD)
        }
        TOK(F_WIDE)
    }
    TOK(F_STORE)
}
void qz_dot_written_256_avx512(QZ_DOT_ARGS) {
    qz_layout_table t;
    qz_layout_table_get(l, &t);
    QZ_TOKEN_SWITCH(wide, &t, panel, blocks, act, out)
}
#undef SIZE

/* 32 values with one scale, or one for each half: halves have no sum of activations of their own, so theirs is made. */
#define SIZE NARROW
#define S_START(i) \
    if (T > i) s##i = _mm512_set1_epi32(halves ? 0 : qz_i32(a + i * SIZE + offsetof(qz_act32, neg128)));
#define DP_OFFSET(i)                                                                                     \
    if (T > i)                                                                                           \
        s##i = _mm512_sub_epi32(s##i, _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(-128), \
                                                          _mm512_set1_epi32(qz_i32(a + i * SIZE + at))));
#define F_NARROW(i)                                                                                       \
    if (T > i)                                                                                            \
        f##i = _mm512_fmadd_ps(_mm512_mul_ps(d, _mm512_set1_ps(qz_f32(a + i * SIZE + offsetof(qz_act32, d)))), \
                               _mm512_cvtepi32_ps(s##i), f##i);
INLINE __m512 scales_at(const bool bf16, const uint8_t *p) {
    if (!bf16) return qz_halves(p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
enum { F16_SCALE, BF16_SCALE, TWO_SCALES };
INLINE void narrow(const size_t T, const int kind, const qz_layout_table *t, const uint8_t *panel, size_t blocks,
                   const uint8_t *a, float *out) {
    const bool bf16 = kind == BF16_SCALE, halves = kind == TWO_SCALES;
    const __m512i table = table_of(t);
    const size_t heads = halves ? 2 : 1, steps = 4 / heads;
    TOK(F_OPEN)
    TOK(S_DECLARE)
    for (size_t n = 0; n < blocks; ++n, panel += 32 * heads + BODY_32, a += T * SIZE)
        for (size_t h = 0; h < heads; ++h) {
            TOK(S_START)
            for (size_t q = steps * h; q < steps * (h + 1); ++q) {
                size_t at = 8 * q;
                const __m512i places = qz_load(panel + 32 * heads + 64 * q);
                __m512i w = values(table, places, false);
                TOK(DP)
                if (halves) { TOK(DP_OFFSET) }
                at += 4;
                w = values(table, places, true);
                TOK(DP)
                if (halves) { TOK(DP_OFFSET) }
            }
            const __m512 d = scales_at(bf16, panel + 32 * h);
            TOK(F_NARROW)
        }
    TOK(F_STORE)
}
void qz_dot_written_32_avx512(QZ_DOT_ARGS) {
    qz_layout_table t;
    qz_layout_table_get(l, &t);
    if (l->heads == 2) { QZ_TOKEN_SWITCH(narrow, TWO_SCALES, &t, panel, blocks, act, out) }
    else if (l->bf16) { QZ_TOKEN_SWITCH(narrow, BF16_SCALE, &t, panel, blocks, act, out) }
    else { QZ_TOKEN_SWITCH(narrow, F16_SCALE, &t, panel, blocks, act, out) }
}
