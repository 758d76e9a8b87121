/* Scales of all groups of a row by least squares with the codes held, kept only where the loss falls. With v the units
 * of the codes (value = unit · scale), A = [v_p H v_qᵀ] and the gradient e·H at hand, the best change of the scales
 * solves A·δ = [v_p (e·H)ᵀ]. A comes from products over batches of rows, group by group, the triangle alone; the loss
 * of what is tried from the product that the next round of the descent makes anyway. */
#include "base/size.h"
#include "methods/feedback_int.h"
#include "methods/lanes.h"
#include "methods/solve_small.h"
#include <math.h>
#include <string.h>

enum { MAX_GROUPS = 1024, MAX_ROWS = 512, ROOM = 4 << 20 }; /* rows of a batch: at most ROOM doubles of A */

void qz_refit_release(qz_refit *f) {
    qz_free(f->v);
    qz_free(f->t);
    qz_free(f->a);
    qz_free(f->old);
    qz_free(f->before);
    qz_free(f->tried);
    *f = (qz_refit){0};
}

static qz_status reserve(qz_refit *f, const qz_solver *s, qz_error *err) {
    const size_t k = s->h->cols, n = k / s->grid->group;
    if (f->batch) return QZ_OK;
    f->batch = qz_min_size(qz_min_size(s->rows, MAX_ROWS), qz_max_size(16, ROOM / (n * n)));
    f->v = qz_alloc_aligned(f->batch * k, sizeof *f->v);
    f->t = qz_alloc_aligned(f->batch * k, sizeof *f->t);
    f->a = qz_alloc_array(f->batch * (n * n + n), sizeof *f->a);
    f->old = qz_alloc_array(s->rows * n, sizeof *f->old);
    f->before = qz_alloc_array(s->rows, sizeof *f->before);
    f->tried = qz_calloc_array(s->rows, 1);
    return f->v && f->t && f->a && f->old && f->before && f->tried
               ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory refitting scales of %zu groups", n);
}

typedef struct {
    qz_refit *f;
    qz_solver *s;
    const float *grad;
    size_t r0, rows, p; /* the batch; the group whose products f->t holds from its own columns on */
} refit_job;
static double *matrix_of(const refit_job *j, size_t i) {
    const size_t n = j->s->h->cols / j->s->grid->group;
    return j->f->a + i * (n * n + n);
}

/* Units of the batch's codes, and the right sides. */
static void units(void *arg, qz_part part) {
    const refit_job *j = arg;
    const qz_code_grid *grid = j->s->grid;
    const size_t k = j->s->h->cols, g = grid->group, n = k / g;
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; i++) {
        const size_t row = j->r0 + i;
        float *v = j->f->v + i * k;
        double *b = matrix_of(j, i) + n * n;
        for (size_t c = 0; c < k; c++)
            v[c] = grid->ops->unit(grid, j->s->range[row * n + c / g], j->s->codes[row * k + c]);
        for (size_t p = 0; p < n; p++) b[p] = (double)qz_dot_lanes(v + p * g, j->grad + row * k + p * g, g);
    }
}

/* Column p of the lower triangles. */
static void dots(void *arg, qz_part part) {
    const refit_job *j = arg;
    const size_t k = j->s->h->cols, g = j->s->grid->group, n = k / g, p = j->p;
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; i++) {
        const float *t = j->f->t + i * k, *v = j->f->v + i * k;
        double *a = matrix_of(j, i);
        for (size_t q = p; q < n; q++) a[q * n + p] = (double)qz_dot_lanes(t + q * g, v + q * g, g);
        a[p * n + p] += 1e-9 * a[p * n + p] + 1e-30;
    }
}

/* The scales that solve the batch's rows, tried: errors are theirs, old ones at hand. */
static void solve(void *arg, qz_part part) {
    const refit_job *j = arg;
    qz_solver *s = j->s;
    const size_t k = s->h->cols, n = k / s->grid->group;
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; i++) {
        const size_t row = j->r0 + i;
        qz_code_range *range = s->range + row * n;
        double *a = matrix_of(j, i), *b = a + n * n;
        bool ok = qz_solve_small(a, b, n);
        for (size_t q = 0; q < n && ok; q++) { /* a scale keeps its sign */
            b[q] += (double)range[q].scale;
            ok = b[q] * (double)range[q].scale > 0 && isfinite(b[q]);
        }
        j->f->tried[row] = ok;
        if (!ok) continue;
        j->f->before[row] = (double)qz_dot_lanes(s->err + row * k, j->grad + row * k, k);
        for (size_t q = 0; q < n; q++) {
            j->f->old[row * n + q] = range[q].scale;
            range[q].scale = s->grid->ops->scale(s->grid, (float)b[q]);
        }
        qz_solver_errors(s, row);
    }
}

qz_status qz_refit_try(qz_refit *f, qz_solver *s, qz_mm *mm, const float *grad, qz_error *err) {
    const size_t k = s->h->cols, g = s->grid->group, n = k / g;
    if (s->o->no_refit || s->fixed || s->grid->few_scales || n > MAX_GROUPS) return QZ_OK;
    QZ_TRY(reserve(f, s, err));
    for (size_t r0 = 0; r0 < s->rows; r0 += f->batch) {
        refit_job j = {f, s, grad, r0, qz_min_size(f->batch, s->rows - r0), 0};
        qz_pool_run(s->run->pool, 0, units, &j);
        for (j.p = 0; j.p < n; j.p++) {
            const size_t c = j.p * g; /* H is symmetric: its columns of the group are its rows */
            QZ_TRY(qz_mm_gemm_nt(mm, &(qz_product){j.rows, k - c, g, f->v + c, k, s->h->h + c * k + c, k, f->t + c, k},
                                 false, err));
            qz_pool_run(s->run->pool, 0, dots, &j);
        }
        qz_pool_run(s->run->pool, 0, solve, &j);
    }
    return QZ_OK;
}

qz_status qz_refit_judge(qz_refit *f, qz_solver *s, qz_mm *mm, float *grad, qz_error *err) {
    const size_t k = s->h->cols, n = k / s->grid->group;
    size_t row = 0, back[MAX_ROWS];
    if (f->batch == 0) return QZ_OK;
    while (row < s->rows) {
        size_t m = 0;
        for (; row < s->rows && m < f->batch; row++) {
            if (!f->tried[row]) continue;
            f->tried[row] = 0;
            const double after = (double)qz_dot_lanes(s->err + row * k, grad + row * k, k);
            if (after < f->before[row]) continue;
            for (size_t q = 0; q < n; q++) s->range[row * n + q].scale = f->old[row * n + q];
            qz_solver_errors(s, row);
            memcpy(f->v + m * k, s->err + row * k, k * sizeof(float));
            back[m++] = row;
        }
        if (m == 0) break;
        QZ_TRY(qz_mm_gemm_nt(mm, &(qz_product){m, k, k, f->v, k, s->h->h, k, f->t, k}, false, err));
        for (size_t i = 0; i < m; i++) memcpy(grad + back[i] * k, f->t + i * k, k * sizeof(float));
    }
    return QZ_OK;
}
