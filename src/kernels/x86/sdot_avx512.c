/* Small floats of 8 bits (16 rows in the lanes) times float tokens, AVX-512 (op_types.h). */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))
#define TOK(M) M(0) M(1) M(2) M(3)

#define OPEN(t) __m512 f##t = _mm512_setzero_ps();
#define CHAINS(t) __m512 c0##t = _mm512_setzero_ps(), c1##t = c0##t, c2##t = c0##t, c3##t = c0##t;
#define MUL(t, chain) \
    if (T > t) c##chain##t = _mm512_fmadd_ps(w, _mm512_set1_ps(x[t * ldx + k + chain]), c##chain##t);
#define CLOSE(t)                                                                                                   \
    if (T > t)                                                                                                     \
        f##t = _mm512_fmadd_ps(scale, _mm512_add_ps(_mm512_add_ps(c0##t, c1##t), _mm512_add_ps(c2##t, c3##t)), f##t);
#define STORE(t) \
    if (T > t) _mm512_storeu_ps(out + t * QZ_PANEL, f##t);

/* 32 bytes of a pair of columns: the first or the second column of 16 rows. */
INLINE __m512 column(const uint8_t *at, bool e4m3, bool second) {
    const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)at), top = second ? v : _mm256_slli_epi16(v, 8);
    return _mm512_cvtph_ps(e4m3 ? _mm256_and_si256(_mm256_srai_epi16(top, 1), _mm256_set1_epi16((short)0xbf80))
                                : _mm256_and_si256(top, _mm256_set1_epi16((short)0xff00)));
}
#define COLUMN(chain)                                                                   \
    {                                                                                   \
        const __m512 w = column(panel + chain / 2 * 2 * QZ_PANEL, e4m3, chain % 2);     \
        MUL(0, chain) MUL(1, chain) MUL(2, chain) MUL(3, chain)                         \
    }

/* T and e4m3 are constants in every call. */
INLINE void small(const size_t T, const bool e4m3, const qz_group_call *j) {
    const uint8_t *panel = j->panel;
    const float *x = j->x;
    const size_t ldx = j->ldx, group_size = j->group_size;
    float *out = j->out;
    TOK(OPEN)
    for (size_t g = 0; g < j->groups; ++g, x += group_size) {
        const __m512 scale = _mm512_loadu_ps(panel);
        panel += QZ_TABLE_HEAD;
        TOK(CHAINS)
        for (size_t k = 0; k < group_size; k += 4, panel += 4 * QZ_PANEL) {
            COLUMN(0) COLUMN(1) COLUMN(2) COLUMN(3)
        }
        TOK(CLOSE)
    }
    TOK(STORE)
}

INLINE void sdot(const bool e4m3, const qz_group_call *j) {
    switch (j->tokens) {
    case 4: small(4, e4m3, j); break;
    case 3: small(3, e4m3, j); break;
    case 2: small(2, e4m3, j); break;
    case 1: small(1, e4m3, j); break;
    default: break;
    }
}
void qz_sdot_e4m3_avx512(const qz_group_call *j) { sdot(true, j); }
void qz_sdot_e5m2_avx512(const qz_group_call *j) { sdot(false, j); }
