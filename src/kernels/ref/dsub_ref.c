/* c −= a·bᵀ in double, one chain an element (dense.h). */
#include <math.h>
#include "kernels/ops_int.h"

void qz_dsub_ref(const qz_dproduct *d) {
    for (size_t i = 0; i < d->m; ++i)
        for (size_t j = 0; j < d->n; ++j) {
            const double *x = d->a + i * d->lda, *y = d->b + j * d->ldb;
            double s = d->c[i * d->ldc + j];
            for (size_t p = 0; p < d->k; ++p) s = fma(-x[p], y[p], s);
            d->c[i * d->ldc + j] = s;
        }
}
