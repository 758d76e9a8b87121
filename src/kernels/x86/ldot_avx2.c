/* bitsandbytes weights (16 rows in two vectors) times float tokens, AVX2. */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))
#define TOK(M) M(0) M(1)

#define OPEN(t) __m256 f##t = _mm256_setzero_ps();
#define CHAINS(t) __m256 e##t = _mm256_setzero_ps(), o##t = e##t;
#define MUL(t, chain, w, k) \
    if (T > t) chain##t = _mm256_fmadd_ps(w, _mm256_broadcast_ss(x + t * ldx + (k)), chain##t);
#define PAIR(t) MUL(t, e, w0, k) MUL(t, o, w1, k + 1)
#define STORE(t) \
    if (T > t) _mm256_storeu_ps(out + t * QZ_PANEL, f##t);

#define CLOSE_TABLE(t) \
    if (T > t) f##t = _mm256_fmadd_ps(scale, _mm256_add_ps(e##t, o##t), f##t);

/* Lowest four bits: a place in lo (0..7) or hi; bit 3 chooses. */
INLINE __m256 place(__m256i v, __m256 lo, __m256 hi) {
    return _mm256_blendv_ps(_mm256_permutevar8x32_ps(lo, v), _mm256_permutevar8x32_ps(hi, v),
                            _mm256_castsi256_ps(_mm256_slli_epi32(v, 28)));
}
/* Byte i of each word, with its sign. */
INLINE __m256 sbyte(__m256i v) { return _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(v, 24), 24)); }

/* Tokens t0 and on, rows from `first` on. */
#define OPERANDS                                                                                       \
    const uint8_t *panel = j->panel;                                                                   \
    const float *x = j->x + t0 * j->ldx;                                                               \
    const size_t ldx = j->ldx, groups = j->groups, group_size = j->group_size;                         \
    float *out = j->out + t0 * QZ_PANEL + first;

#define BOTH(body, bits)                                                   \
    for (size_t t = 0; t < j->tokens; t += 2)                              \
        for (size_t first = 0; first < QZ_PANEL; first += 8) {             \
            if (t + 1 < j->tokens) {                                       \
                if (first) body(2, bits, 8, j, t);                         \
                else body(2, bits, 0, j, t);                               \
            } else if (first) body(1, bits, 8, j, t);                      \
            else body(1, bits, 0, j, t);                                   \
        }

/* Eight rows of table codes (bits 4) or signed bytes (bits 8). */
INLINE void coded(const size_t T, const size_t bits, const size_t first, const qz_group_call *j, size_t t0) {
    OPERANDS
    const float *table = j->table;
    const __m256 lo = bits == 4 ? _mm256_loadu_ps(table) : _mm256_setzero_ps(),
                 hi = bits == 4 ? _mm256_loadu_ps(table + 8) : lo;
    const int step = (int)bits;
    TOK(OPEN)
    for (size_t g = 0; g < groups; ++g, x += group_size) {
        const __m256 scale = _mm256_loadu_ps((const float *)(const void *)panel + first);
        panel += QZ_TABLE_HEAD;
        TOK(CHAINS)
        for (size_t c = 0; c < group_size; c += 32 / bits, panel += 64) {
            __m256i v = _mm256_loadu_si256((const __m256i *)(panel + 4 * first));
            for (size_t k = c; k < c + 32 / bits; k += 2) {
                __m256i next = _mm256_srli_epi32(v, step);
                __m256 w0 = bits == 4 ? place(v, lo, hi) : sbyte(v), w1 = bits == 4 ? place(next, lo, hi) : sbyte(next);
                TOK(PAIR)
                v = _mm256_srli_epi32(v, 2 * step);
            }
        }
        TOK(CLOSE_TABLE)
    }
    TOK(STORE)
}

void qz_ldot_4_avx2(const qz_group_call *j) { BOTH(coded, 4) }
void qz_ldot_8_avx2(const qz_group_call *j) { BOTH(coded, 8) }
