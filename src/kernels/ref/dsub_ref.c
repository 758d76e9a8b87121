/* c −= a·bᵀ in double, eight lanes (dense.h). */
#include <math.h>
#include "kernels/ops_int.h"

void qz_dsub_ref(const qz_dproduct *d) {
    for (size_t i = 0; i < d->m; ++i)
        for (size_t j = 0; j < d->n; ++j) {
            const double *x = d->a + i * d->lda, *y = d->b + j * d->ldb;
            double s[8] = {0};
            for (size_t p = 0; p < d->k; ++p) s[p % 8] = fma(x[p], y[p], s[p % 8]);
            d->c[i * d->ldc + j] -= ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
        }
}
