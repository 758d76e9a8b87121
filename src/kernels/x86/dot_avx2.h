/* Shape of the AVX2 products: 8 of a panel's 16 rows in the lanes, up to 4 tokens in named registers. Unsigned codes
 * times signed activations give 16-bit pairs; their sums stay below 2^15 for as many steps as each type's comment says.
 * Include, define an always-inline body(T, ...) for 8 rows, then QZ_HALVES. Private to x86/. */
#ifndef QZ_KERNELS_X86_DOT_AVX2_H
#define QZ_KERNELS_X86_DOT_AVX2_H
#include <immintrin.h>
#include <string.h>
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))
#define TOK(M) M(0) M(1) M(2) M(3)

INLINE int qz_i32(const uint8_t *p) {
    int v;
    memcpy(&v, p, 4);
    return v;
}
INLINE __m256 qz_f32(const uint8_t *p) {
    float v;
    memcpy(&v, p, 4);
    return _mm256_set1_ps(v);
}
INLINE __m256i qz_load(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)p); }
/* 8 half floats. */
INLINE __m256 qz_halves(const uint8_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
/* 16-bit pair sums to 32 bits. */
INLINE __m256i qz_widen(__m256i h) { return _mm256_madd_epi16(h, _mm256_set1_epi16(1)); }

/* Asks for n lines at p: for what the hardware prefetcher does not foresee. Any address will do. */
INLINE void qz_ahead(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; ++i) _mm_prefetch((const char *)((uintptr_t)p + 64 * i), _MM_HINT_T0);
}

/* f: float sums of the call; s: integer sums of a sub-block; h: 16-bit sums. a: activations of token 0,
 * `stride` apart. */
#define F_OPEN(i) __m256 f##i = T > i ? _mm256_loadu_ps(out + i * QZ_PANEL) : _mm256_setzero_ps();
#define F_STORE(i) \
    if (T > i) _mm256_storeu_ps(out + i * QZ_PANEL, f##i);
#define S_DECLARE(i) __m256i s##i = _mm256_setzero_si256(), h##i = s##i;
#define S_ZERO(i) s##i = _mm256_setzero_si256();
#define H_ZERO(i) h##i = _mm256_setzero_si256();
#define DP(i) \
    if (T > i) h##i = _mm256_add_epi16(h##i, _mm256_maddubs_epi16(w, _mm256_set1_epi32(qz_i32(a + i * SIZE + at))));
#define FLUSH(i) \
    if (T > i) s##i = _mm256_add_epi32(s##i, qz_widen(h##i));

/* Eight rows for up to four tokens: scales of the first block's rows, its body, activations of token 0 (`stride` from
 * block to block), sums. Bodies take it apart by QZ_HALF_LOCALS. */
typedef struct {
    const uint8_t *head, *body, *a;
    size_t blocks, stride;
    float *out;
} qz_dot_half;
#define QZ_HALF_LOCALS                                          \
    const uint8_t *head = p->head, *body = p->body, *a = p->a;  \
    const size_t blocks = p->blocks, stride = p->stride;        \
    float *out = p->out;

/* head: bytes of a block's head. Both halves of the panel for `tokens` tokens, four at a time; activations of a block
 * lie `tokens` apart. The halves take turns on pieces that stay in the first-level cache: the panel is read once. */
enum { QZ_PIECE = 4096 };
#define QZ_HALVES(head, body_fn, ...)                                                                        \
    const size_t piece = (size_t)QZ_PIECE / l->block_bytes + 1;                                              \
    memset(out, 0, tokens * QZ_PANEL * sizeof *out);                                                         \
    for (size_t b = 0, n; b < blocks; b += n, panel += n * l->block_bytes, act += n * tokens * SIZE) {       \
        n = blocks - b < piece ? blocks - b : piece;                                                         \
        for (size_t t = 0; t < tokens; t += 4)                                                               \
            for (size_t half = 0; half < 2; ++half) {                                                        \
                const qz_dot_half p_ = {panel + 16 * half, panel + head + 32 * half, act + t * SIZE, n,      \
                                        tokens * SIZE, out + t * QZ_PANEL + 8 * half};                       \
                switch (tokens - t) {                                                                        \
                case 1: body_fn(1, __VA_ARGS__ &p_); break;                                                  \
                case 2: body_fn(2, __VA_ARGS__ &p_); break;                                                  \
                case 3: body_fn(3, __VA_ARGS__ &p_); break;                                                  \
                default: body_fn(4, __VA_ARGS__ &p_); break;                                                 \
                }                                                                                            \
            }                                                                                            \
    }
#endif
