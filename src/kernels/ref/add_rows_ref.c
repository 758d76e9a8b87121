/* Rows added to a row (dense.h). */
#include "kernels/ops_int.h"

void qz_add_rows_ref(float *y, size_t n, const float *x, size_t ld, const qz_row_step *steps, size_t n_steps) {
    for (size_t i = 0; i < n_steps; ++i) {
        const float *row = x + steps[i].row * ld, a = steps[i].times;
        for (size_t c = 0; c < n; ++c) y[c] += a * row[c];
    }
}
