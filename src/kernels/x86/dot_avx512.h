/* Shape of the AVX-512 VNNI products: 16 rows in the lanes, up to 8 tokens in named registers (arrays of sums end up in
 * memory). Include, define an always-inline body(T, ...), then QZ_TOKEN_SWITCH. Private to x86/. */
#ifndef QZ_KERNELS_X86_DOT_AVX512_H
#define QZ_KERNELS_X86_DOT_AVX512_H
#include <immintrin.h>
#include <string.h>
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))
#define TOK(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7)

INLINE int qz_i32(const uint8_t *p) {
    int v;
    memcpy(&v, p, 4);
    return v;
}
INLINE float qz_f32(const uint8_t *p) {
    float v;
    memcpy(&v, p, 4);
    return v;
}
INLINE __m512i qz_load(const uint8_t *p) { return _mm512_loadu_si512(p); }
/* 16 half floats. */
INLINE __m512 qz_halves(const uint8_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

/* Asks for n lines at p: for what the hardware prefetcher does not foresee. Any address will do. */
INLINE void qz_ahead(const uint8_t *p, size_t n) {
    for (size_t i = 0; i < n; ++i) _mm_prefetch((const char *)((uintptr_t)p + 64 * i), _MM_HINT_T0);
}

/* f: float sums of the call; s: integer sums of a sub-block; b: float sums of a block of 256. a:
 * activations of token 0. */
#define F_OPEN(i) __m512 f##i = _mm512_setzero_ps();
#define F_STORE(i) \
    if (T > i) _mm512_storeu_ps(out + i * QZ_PANEL, f##i);
#define S_DECLARE(i) __m512i s##i = _mm512_setzero_si512();
#define S_ZERO(i) s##i = _mm512_setzero_si512();
#define DP(i) \
    if (T > i) s##i = _mm512_dpbusd_epi32(s##i, w, _mm512_set1_epi32(qz_i32(a + i * SIZE + at)));

#define QZ_TOKEN_SWITCH(body, ...)                 \
    switch (tokens) {                              \
    case 8: body(8, __VA_ARGS__); break;           \
    case 7: body(7, __VA_ARGS__); break;           \
    case 6: body(6, __VA_ARGS__); break;           \
    case 5: body(5, __VA_ARGS__); break;           \
    case 4: body(4, __VA_ARGS__); break;           \
    case 3: body(3, __VA_ARGS__); break;           \
    case 2: body(2, __VA_ARGS__); break;           \
    case 1: body(1, __VA_ARGS__); break;           \
    default: break;                                \
    }
#endif
