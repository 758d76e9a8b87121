/* c −= a·bᵀ in double, eight lanes (dense.h). */
#include <math.h>
#include "kernels/ops_int.h"

void qz_dsub_ref(QZ_DSUB_ARGS) {
    for (size_t i = 0; i < m; ++i)
        for (size_t j = 0; j < n; ++j) {
            const double *x = a + i * lda, *y = b + j * ldb;
            double s[8] = {0};
            for (size_t p = 0; p < k; ++p) s[p % 8] = fma(x[p], y[p], s[p % 8]);
            c[i * ldc + j] -= ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
        }
}
