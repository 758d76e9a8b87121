/* Adapters beside linears (model/lora.h): y += scale · B (A x). Both products are exact in either arithmetic, an
 * element one chain along k whatever stands beside it: batches, pieces and threads change nothing. */
#include "base/size.h"
#include "engine/engine_int.h"
#include <math.h>

enum { PIECE = 1 << 18 }; /* floats of a piece of B (A x) */

qz_status qz_step_low(qz_engine *e, const qz_low *l, const float *x, size_t n, float *y, qz_error *err) {
    for (; l; l = l->next) {
        const size_t most = qz_min_size(n, qz_max_size(1, PIECE / l->rows)), need = n * l->rank + most * l->rows;
        if (need > e->step.low_room) {
            qz_free(e->step.low);
            e->step.low = qz_alloc_aligned(need, sizeof *e->step.low);
            e->step.low_room = e->step.low ? need : 0;
            if (e->step.low == NULL)
                return qz_fail(err, QZ_EMEMORY, "out of memory for a step of %zu tokens; use a smaller batch", n);
        }
        float *t = e->step.low, *u = t + n * l->rank;
        const qz_product down = {n, l->rank, l->cols, x, l->cols, l->a, l->cols, t, l->rank};
        QZ_TRY(qz_mm_gemm_nt(e->mm, &down, false, err));
        for (size_t i = 0; i < n; i += most) {
            const size_t m = qz_min_size(most, n - i);
            const qz_product up = {m, l->rows, l->rank, t + i * l->rank, l->rank, l->b, l->rank, u, l->rows};
            QZ_TRY(qz_mm_gemm_nt(e->mm, &up, false, err));
            for (size_t k = 0; k < m * l->rows; k++) y[i * l->rows + k] += l->scale * u[k];
        }
    }
    return QZ_OK;
}

void qz_step_low_embed(const qz_low *l, uint32_t id, float *x) {
    for (; l; l = l->next) {
        const float *t = l->a + (size_t)id * l->rank;
        for (size_t r = 0; r < l->rows; r++) {
            float sum = 0;
            for (size_t k = 0; k < l->rank; k++) sum = fmaf(t[k], l->b[r * l->rank + k], sum);
            x[r] += l->scale * sum;
        }
    }
}
