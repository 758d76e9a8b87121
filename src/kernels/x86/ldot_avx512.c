/* bitsandbytes weights (16 rows in the lanes) times float tokens, AVX-512. A 4-bit code becomes a
 * float by a table look-up in a register (the permute reads only the low four bits of a lane); several chains hide the
 * latency for one token. */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))
#define TOK(M) M(0) M(1) M(2) M(3)

#define F_OPEN(t) __m512 f##t = _mm512_setzero_ps();
#define F_STORE(t) \
    if (T > t) _mm512_storeu_ps(out + t * QZ_PANEL, f##t);
#define CHAINS(t) __m512 e##t = _mm512_setzero_ps(), o##t = e##t, g##t = e##t, h##t = e##t;
#define MUL(t, chain, w, k) \
    if (T > t) chain##t = _mm512_fmadd_ps(w, _mm512_set1_ps(x[t * ldx + (k)]), chain##t);
#define EVEN(t) MUL(t, e, w0, k) MUL(t, o, w1, k + 1)
#define ODD(t) MUL(t, g, w0, k) MUL(t, h, w1, k + 1)
/* scale * sum: table codes carry their zero */
#define CLOSE_TABLE(t) \
    if (T > t) f##t = _mm512_fmadd_ps(scale, _mm512_add_ps(_mm512_add_ps(e##t, o##t), _mm512_add_ps(g##t, h##t)), f##t);

/* What the macros below name. */
#define OPERANDS                                                                       \
    const uint8_t *panel = j->panel;                                                   \
    const float *x = j->x;                                                             \
    const size_t ldx = j->ldx, groups = j->groups, group_size = j->group_size;         \
    float *out = j->out;

/* Places in a table. */
INLINE void four(const size_t T, const qz_group_call *j) {
    OPERANDS
    const __m512 codes = _mm512_loadu_ps(j->table);
    TOK(F_OPEN)
    for (size_t g = 0; g < groups; ++g, x += group_size) {
        const __m512 scale = _mm512_loadu_ps(panel);
        panel += QZ_TABLE_HEAD;
        TOK(CHAINS)
        for (size_t c = 0; c < group_size; c += 8, panel += 64) {
            __m512i v = _mm512_loadu_si512(panel);
            for (size_t i = 0; i < 8; i += 4) {
                size_t k = c + i;
                __m512 w0 = _mm512_permutexvar_ps(v, codes), w1 = _mm512_permutexvar_ps(_mm512_srli_epi32(v, 4), codes);
                TOK(EVEN)
                k += 2;
                w0 = _mm512_permutexvar_ps(_mm512_srli_epi32(v, 8), codes);
                w1 = _mm512_permutexvar_ps(_mm512_srli_epi32(v, 12), codes);
                TOK(ODD)
                v = _mm512_srli_epi32(v, 16);
            }
        }
        TOK(CLOSE_TABLE)
    }
    TOK(F_STORE)
}

/* Signed bytes with one float32 scale a block. */
INLINE void bytes(const size_t T, const qz_group_call *j) {
    OPERANDS
    TOK(F_OPEN)
    for (size_t g = 0; g < groups; ++g, x += group_size) {
        const __m512 scale = _mm512_loadu_ps(panel);
        panel += QZ_TABLE_HEAD;
        TOK(CHAINS)
        for (size_t k = 0; k < group_size; panel += 64) {
            __m512i v = _mm512_loadu_si512(panel);
            __m512 w0 = _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(v, 24), 24));
            __m512 w1 = _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(v, 16), 24));
            TOK(EVEN)
            k += 2;
            w0 = _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(v, 8), 24));
            w1 = _mm512_cvtepi32_ps(_mm512_srai_epi32(v, 24));
            TOK(ODD)
            k += 2;
        }
        TOK(CLOSE_TABLE)
    }
    TOK(F_STORE)
}

#define SWITCH(call)                  \
    switch (j->tokens) {                 \
    case 4: call(4); break;           \
    case 3: call(3); break;           \
    case 2: call(2); break;           \
    case 1: call(1); break;           \
    default: break;                   \
    }
#define TABLE(T) four(T, j)
#define BYTES(T) bytes(T, j)
void qz_ldot_4_avx512(const qz_group_call *j) { SWITCH(TABLE) }
void qz_ldot_8_avx512(const qz_group_call *j) { SWITCH(BYTES) }
