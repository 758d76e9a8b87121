/* Rows added to a row (dense.h), AVX-512: 256 columns in 16 registers while all rows pass. */
#include <immintrin.h>
#include "kernels/ops_int.h"

enum { WIDE = 16, SUMS = 16 };

/* N is a constant: all sums stay in registers. */
static inline __attribute__((always_inline)) void strip(const size_t N, float *y, const float *x, size_t ld,
                                                        const qz_row_step *steps, size_t n_steps) {
    __m512 s[SUMS];
    for (size_t j = 0; j < N; ++j) s[j] = _mm512_loadu_ps(y + j * WIDE);
    for (size_t i = 0; i < n_steps; ++i) {
        const float *row = x + steps[i].row * ld;
        const __m512 a = _mm512_set1_ps(steps[i].times);
        for (size_t j = 0; j < N; ++j) s[j] = _mm512_add_ps(s[j], _mm512_mul_ps(a, _mm512_loadu_ps(row + j * WIDE)));
    }
    for (size_t j = 0; j < N; ++j) _mm512_storeu_ps(y + j * WIDE, s[j]);
}

void qz_add_rows_avx512(float *y, size_t n, const float *x, size_t ld, const qz_row_step *steps, size_t n_steps) {
    size_t c = 0;
    for (; c + SUMS * WIDE <= n; c += SUMS * WIDE) strip(SUMS, y + c, x + c, ld, steps, n_steps);
    for (; c + 4 * WIDE <= n; c += 4 * WIDE) strip(4, y + c, x + c, ld, steps, n_steps);
    for (; c < n; c += 16) {
        const __mmask16 m = (__mmask16)(n - c >= 16 ? 0xffffu : (1u << (n - c)) - 1u);
        __m512 s = _mm512_maskz_loadu_ps(m, y + c);
        for (size_t i = 0; i < n_steps; ++i)
            s = _mm512_add_ps(s, _mm512_mul_ps(_mm512_set1_ps(steps[i].times),
                                               _mm512_maskz_loadu_ps(m, x + steps[i].row * ld + c)));
        _mm512_mask_storeu_ps(y + c, m, s);
    }
}
