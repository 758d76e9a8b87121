#include "methods/refit.h"
#include "base/size.h"
#include "methods/lanes.h"
#include "methods/solve_small.h"
#include <string.h>

enum { MAX_ROWS = 512, ROOM = 4 << 20 }; /* of a batch; doubles of A at most */

void qz_refit_release(qz_refit *f) {
    qz_free(f->v);
    qz_free(f->t);
    qz_free(f->a);
    qz_free(f->before);
    qz_free(f->tried);
    *f = (qz_refit){0};
}

static size_t unknowns(const qz_refit_rows *x) { return x->cols / x->block * x->per; }

static qz_status reserve(qz_refit *f, const qz_refit_rows *x, qz_error *err) {
    const size_t n = unknowns(x);
    if (f->batch) return QZ_OK;
    f->batch = qz_min_size(qz_min_size(x->rows, MAX_ROWS), qz_max_size(4, ROOM / (n * n)));
    f->v = qz_alloc_aligned(f->batch * x->cols, x->per * sizeof *f->v);
    f->t = qz_alloc_aligned(f->batch * x->cols, x->per * sizeof *f->t);
    f->a = qz_alloc_array(f->batch * (n * n + n), sizeof *f->a);
    f->before = qz_alloc_array(x->rows, sizeof *f->before);
    f->tried = qz_calloc_array(x->rows, 1);
    return f->v && f->t && f->a && f->before && f->tried
               ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory refitting scales of %zu blocks", n);
}

typedef struct {
    qz_refit *f;
    const qz_refit_rows *x;
    size_t r0, rows, p; /* the batch; the block whose products f->t holds from its own columns on */
} job;
static double *matrix_of(const job *j, size_t i) {
    const size_t n = unknowns(j->x);
    return j->f->a + i * (n * n + n);
}
static float *row_of(const job *j, float *v, size_t s, size_t i) {
    return v + (s * j->f->batch + i) * j->x->cols;
}

/* Units of the batch's rows, and the right sides. */
static void units(void *arg, qz_part part) {
    const job *j = arg;
    const size_t k = j->x->cols, g = j->x->block, per = j->x->per, n = unknowns(j->x);
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; i++)
        for (size_t s = 0; s < per; s++) {
            float *v = row_of(j, j->f->v, s, i);
            const float *grad = j->x->grad + (j->r0 + i) * k;
            j->x->units(j->x->ctx, j->r0 + i, s, v);
            for (size_t p = 0; p < k / g; p++)
                matrix_of(j, i)[n * n + p * per + s] = (double)qz_dot_lanes(v + p * g, grad + p * g, g);
        }
}

/* The columns of block p in the lower triangles. */
static void dots(void *arg, qz_part part) {
    const job *j = arg;
    const size_t k = j->x->cols, g = j->x->block, per = j->x->per, n = unknowns(j->x);
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; i++) {
        double *a = matrix_of(j, i);
        for (size_t s = 0; s < per; s++) {
            const float *t = row_of(j, j->f->t, s, i);
            const size_t at = j->p * per + s;
            for (size_t q = j->p; q < k / g; q++)
                for (size_t z = 0; z < per; z++)
                    a[(q * per + z) * n + at] = (double)qz_dot_lanes(t + q * g, row_of(j, j->f->v, z, i) + q * g, g);
            a[at * n + at] += j->x->ridge * a[at * n + at] + 1e-30;
        }
    }
}

static void solve(void *arg, qz_part part) {
    const job *j = arg;
    const size_t k = j->x->cols, n = unknowns(j->x);
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; i++) {
        const size_t row = j->r0 + i;
        double *a = matrix_of(j, i), *b = a + n * n;
        j->f->before[row] = (double)qz_dot_lanes(j->x->err + row * k, j->x->grad + row * k, k);
        j->f->tried[row] = qz_solve_small(a, b, n) && j->x->apply(j->x->ctx, row, b);
    }
}

qz_status qz_refit_try(qz_refit *f, const qz_refit_rows *x, qz_mm *mm, qz_error *err) {
    const size_t k = x->cols, g = x->block;
    if (unknowns(x) > QZ_REFIT_MOST) return QZ_OK;
    QZ_TRY(reserve(f, x, err));
    for (size_t r0 = 0; r0 < x->rows; r0 += f->batch) {
        job j = {f, x, r0, qz_min_size(f->batch, x->rows - r0), 0};
        qz_pool_run(x->run->pool, 0, units, &j);
        for (j.p = 0; j.p < k / g; j.p++) {
            const size_t c = j.p * g; /* H is symmetric: its columns of the block are its rows */
            for (size_t s = 0; s < x->per; s++)
                QZ_TRY(qz_mm_gemm_nt(mm, &(qz_product){j.rows, k - c, g, row_of(&j, f->v, s, 0) + c, k,
                                                       x->h + c * k + c, k, row_of(&j, f->t, s, 0) + c, k}, false,
                                     err));
            qz_pool_run(x->run->pool, 0, dots, &j);
        }
        qz_pool_run(x->run->pool, 0, solve, &j);
    }
    return QZ_OK;
}

qz_status qz_refit_judge(qz_refit *f, const qz_refit_rows *x, qz_mm *mm, qz_error *err) {
    const size_t k = x->cols;
    size_t row = 0, back[MAX_ROWS];
    if (f->batch == 0) return QZ_OK;
    while (row < x->rows) {
        size_t m = 0;
        for (; row < x->rows && m < f->batch; row++) {
            if (!f->tried[row]) continue;
            f->tried[row] = 0;
            if ((double)qz_dot_lanes(x->err + row * k, x->grad + row * k, k) < f->before[row]) continue;
            x->undo(x->ctx, row);
            memcpy(f->v + m * k, x->err + row * k, k * sizeof(float));
            back[m++] = row;
        }
        if (m == 0) break;
        QZ_TRY(qz_mm_gemm_nt(mm, &(qz_product){m, k, k, f->v, k, x->h, k, f->t, k}, false, err));
        for (size_t i = 0; i < m; i++) memcpy(x->grad + back[i] * k, f->t + i * k, k * sizeof(float));
    }
    return QZ_OK;
}
