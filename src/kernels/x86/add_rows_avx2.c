/* Rows added to a row (dense.h), AVX2: 64 columns in 8 registers while all rows pass. */
#include <immintrin.h>
#include "kernels/ops_int.h"

enum { WIDE = 8, SUMS = 8 };

/* N is a constant: all sums stay in registers. */
static inline __attribute__((always_inline)) void strip(const size_t N, float *y, const float *x, size_t ld,
                                                        const qz_row_step *steps, size_t n_steps) {
    __m256 s[SUMS];
    for (size_t j = 0; j < N; ++j) s[j] = _mm256_loadu_ps(y + j * WIDE);
    for (size_t i = 0; i < n_steps; ++i) {
        const float *row = x + steps[i].row * ld;
        const __m256 a = _mm256_set1_ps(steps[i].times);
        for (size_t j = 0; j < N; ++j) s[j] = _mm256_add_ps(s[j], _mm256_mul_ps(a, _mm256_loadu_ps(row + j * WIDE)));
    }
    for (size_t j = 0; j < N; ++j) _mm256_storeu_ps(y + j * WIDE, s[j]);
}

void qz_add_rows_avx2(float *y, size_t n, const float *x, size_t ld, const qz_row_step *steps, size_t n_steps) {
    size_t c = 0;
    for (; c + SUMS * WIDE <= n; c += SUMS * WIDE) strip(SUMS, y + c, x + c, ld, steps, n_steps);
    for (; c + 4 * WIDE <= n; c += 4 * WIDE) strip(4, y + c, x + c, ld, steps, n_steps);
    if (c < n) qz_add_rows_ref(y + c, n - c, x + c, ld, steps, n_steps);
}
