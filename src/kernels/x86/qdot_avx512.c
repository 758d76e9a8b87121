/* E2M1 and integer groups (16 rows in the lanes) times tokens of 16-bit integers, AVX-512 and VNNI (op_types.h). */
#include <immintrin.h>
#include "kernels/ops_int.h"

#define INLINE static inline __attribute__((always_inline))
#define TOK(M) M(0) M(1) M(2) M(3)
typedef enum { E2M1, U4, U8 } form;

INLINE __m512 scales(const qz_qdot_call *j, const uint8_t *head) {
    if (j->wide) return _mm512_loadu_ps(head);
    const __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)head);
    return j->brain ? _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16)) : _mm512_cvtph_ps(h);
}
INLINE __m512 zeros(const uint8_t *at) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)at)));
}
/* A pair of 16-bit numbers in every lane. */
INLINE __m512i two(const int16_t *q) {
    int32_t v;
    __builtin_memcpy(&v, q, sizeof v);
    return _mm512_set1_epi32(v);
}

#define OPEN(t) __m512 f##t = _mm512_setzero_ps();
#define GROUP(t) __m512 c##t = _mm512_setzero_ps();
#define STEP(t) __m512i s##t = _mm512_setzero_si512(), o##t = s##t;
#define ADD(t, sum, p, w) \
    if (T > t) sum##t = _mm512_dpwssd_epi32(sum##t, w, two(q + t * cols + k + 2 * (p)));
/* Bytes as 16-bit lanes: two pairs of columns. */
#define BYTES(p, v)                                                                        \
    {                                                                                      \
        const __m512i even = _mm512_and_si512(v, byte), odd = _mm512_srli_epi16(v, 8);     \
        ADD(0, s, p, even) ADD(1, s, p, even) ADD(2, s, p, even) ADD(3, s, p, even)        \
        ADD(0, o, p + 1, odd) ADD(1, o, p + 1, odd) ADD(2, o, p + 1, odd) ADD(3, o, p + 1, odd) \
    }
/* Codes of E2M1 are looked up as 2v + 12, which has no sign. */
#define CLOSE(t)                                                                                                 \
    if (T > t) {                                                                                                 \
        s##t = _mm512_add_epi32(s##t, o##t);                                                                     \
        if (F == E2M1) s##t = _mm512_sub_epi32(s##t, _mm512_set1_epi32(12 * act[t * steps].sum));                \
        c##t = _mm512_fmadd_ps(_mm512_set1_ps(act[t * steps].d), _mm512_cvtepi32_ps(s##t), c##t);                \
    }
#define ONTO(t)                                                                                                  \
    if (T > t) {                                                                                                 \
        if (F != E2M1) c##t = _mm512_fnmadd_ps(zero, _mm512_set1_ps(sums[t * groups + g]), c##t);                \
        f##t = _mm512_fmadd_ps(scale, c##t, f##t);                                                               \
    }
#define STORE(t) \
    if (T > t) _mm512_storeu_ps(out + t * QZ_PANEL, _mm512_mul_ps(f##t, _mm512_set1_ps(j->unit)));

/* F and T are constants in every call. */
INLINE void panel_of(const form F, const size_t T, const qz_qdot_call *j) {
    const size_t groups = j->groups, cols = groups * j->group_size, steps = cols / j->step, per_word = F == U8 ? 4 : 8,
                 head_bytes = qz_qdot_head(F == E2M1, j->wide);
    const uint8_t *panel = j->panel;
    const int16_t *q = j->q;
    const qz_act16 *act = j->act;
    const float *sums = j->sums;
    float *out = j->out;
    const __m512i low = _mm512_set1_epi8(15), byte = _mm512_set1_epi16(255),
                  table = _mm512_broadcast_i32x4(
                      _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0));
    TOK(OPEN)
    for (size_t g = 0; g < groups; ++g) {
        const __m512 scale = scales(j, panel),
                     zero = F == E2M1 ? _mm512_setzero_ps() : zeros(panel + head_bytes - QZ_QDOT_ZEROS);
        panel += head_bytes;
        TOK(GROUP)
        for (size_t done = 0; done < j->group_size; done += j->step, q += j->step, ++act) {
            TOK(STEP)
            for (size_t k = 0; k < j->step; k += per_word, panel += 4 * QZ_PANEL) {
                const __m512i v = _mm512_loadu_si512(panel);
                if (F == U8) BYTES(0, v)
                else {
                    __m512i lo = _mm512_and_si512(v, low), hi = _mm512_and_si512(_mm512_srli_epi32(v, 4), low);
                    if (F == E2M1) lo = _mm512_shuffle_epi8(table, lo), hi = _mm512_shuffle_epi8(table, hi);
                    BYTES(0, lo)
                    BYTES(2, hi)
                }
            }
            TOK(CLOSE)
        }
        TOK(ONTO)
    }
    TOK(STORE)
}

INLINE void qdot(const form F, const qz_qdot_call *j) {
    switch (j->tokens) {
    case 4: panel_of(F, 4, j); break;
    case 3: panel_of(F, 3, j); break;
    case 2: panel_of(F, 2, j); break;
    case 1: panel_of(F, 1, j); break;
    default: break;
    }
}
void qz_qdot_e2m1_avx512(const qz_qdot_call *j) { qdot(E2M1, j); }
void qz_qdot_4_avx512(const qz_qdot_call *j) { qdot(U4, j); }
void qz_qdot_8_avx512(const qz_qdot_call *j) { qdot(U8, j); }
