/* Refinement of codes under the true quadratic loss of a row, e H eᵀ with e = w − ŵ: steps of single codes and of
 * whole groups while they help, then scales in closed form (least squares in the row's group scales). */
#include "base/size.h"
#include "methods/feedback_int.h"
#include "methods/lanes.h"
#include "methods/solve_small.h"
#include <math.h>
#include <string.h>

enum { MAX_GROUPS = 1024 };

typedef struct {
    qz_solver *s;
    float *grad;      /* [rows, cols] e·H */
    float *group_sum; /* [groups] Σ of H over the group's square: cost of a step of the whole group */
    bool last;
} descent_job;

/* Would a change of the value by `step` lower the loss by more than rounding? */
static bool helps(float step, float grad, float curvature) {
    return 2.0f * fabsf(step * grad) - step * step * curvature > 1e-6f * step * step * curvature;
}

/* Moves code j of the row to the one beside it where that lowers the loss; returns the number of moves. */
static size_t sweep_codes(qz_solver *s, size_t row, float *grad) {
    const qz_code_grid *grid = s->grid;
    size_t k = s->h->cols, g = grid->group, groups = k / g, moved = 0;
    uint8_t *q = s->codes + row * k, next;
    float *e = s->err + row * k, step;
    for (size_t j = 0; j < k; j++) {
        if (!grid->ops->move(grid, s->range[row * groups + j / g], q[j], grad[j], &next, &step)) continue;
        if (!helps(step, grad[j], s->h->h[j * k + j])) continue;
        q[j] = next;
        e[j] -= step;
        qz_axpy(grad, -step, s->h->h + j * k, k);
        moved++;
    }
    return moved;
}

/* Whole groups, with all codes kept. */
static void sweep_groups(const descent_job *d, size_t row, float *grad) {
    qz_solver *s = d->s;
    size_t k = s->h->cols, g = s->grid->group, groups = k / g;
    for (size_t b = 0; b < groups; b++) {
        float sum = 0, step;
        qz_code_range *range = s->range + row * groups + b, next;
        for (size_t j = b * g; j < (b + 1) * g; j++) sum += grad[j];
        if (!s->grid->ops->shift(s->grid, *range, sum, &next, &step) || !helps(step, sum, d->group_sum[b])) continue;
        *range = next;
        for (size_t j = b * g; j < (b + 1) * g; j++) {
            s->err[row * k + j] -= step;
            qz_axpy(grad, -step, s->h->h + j * k, k);
        }
    }
}

/* Scales of one row by least squares with codes fixed; kept only if the loss falls. work: 2·cols floats. */
static void refit_row(const descent_job *d, size_t row, float *work, double *a, double *b) {
    qz_solver *s = d->s;
    const qz_code_grid *grid = s->grid;
    size_t k = s->h->cols, g = grid->group, n = k / g;
    qz_code_range *range = s->range + row * n;
    float *v = work, *hv = work + k, *e = s->err + row * k, *grad = d->grad + row * k;
    const float *w = s->w + row * k;
    for (size_t j = 0; j < k; j++) v[j] = grid->ops->unit(grid, range[j / g], s->codes[row * k + j]);
    for (size_t p = 0; p < n; p++) { /* hv = H v_p */
        memset(hv, 0, k * sizeof *hv);
        for (size_t j = p * g; j < (p + 1) * g; j++)
            if (v[j] != 0) qz_axpy(hv, v[j], s->h->h + j * k, k);
        for (size_t q = 0; q < n; q++) a[p * n + q] = (double)qz_dot_lanes(hv + q * g, v + q * g, g);
        b[p] = (double)qz_dot_lanes(hv, w, k);
        a[p * n + p] += 1e-9 * a[p * n + p] + 1e-30;
    }
    if (!qz_solve_small(a, b, n)) return;
    double before = (double)qz_dot_lanes(e, grad, k), after;
    float *trial = v; /* v becomes the new error */
    for (size_t q = 0; q < n; q++)
        if (!(b[q] * (double)range[q].scale > 0) || !isfinite(b[q])) return; /* a scale keeps its sign */
    for (size_t j = 0; j < k; j++) trial[j] = w[j] - v[j] * grid->ops->scale(grid, (float)b[j / g]);
    memset(hv, 0, k * sizeof *hv);
    for (size_t j = 0; j < k; j++) qz_axpy(hv, trial[j], s->h->h + j * k, k);
    after = (double)qz_dot_lanes(trial, hv, k);
    if (!(after < before)) return;
    for (size_t q = 0; q < n; q++) range[q].scale = grid->ops->scale(grid, (float)b[q]);
    memcpy(e, trial, k * sizeof *e);
    memcpy(grad, hv, k * sizeof *grad);
}

static void refine_worker(void *arg, qz_part part) {
    const descent_job *d = arg;
    qz_solver *s = d->s;
    size_t k = s->h->cols, groups = k / s->grid->group, lo, hi;
    qz_split(s->rows, 4, part, &lo, &hi);
    double *a = groups <= MAX_GROUPS ? qz_alloc_array(groups * groups + groups, sizeof *a) : NULL;
    for (size_t r = lo; r < hi; r++) {
        float *grad = d->grad + r * k;
        for (size_t t = 0; t < s->o->sweeps; t++) {
            if (s->grid->ops->shift) sweep_groups(d, r, grad);
            if (sweep_codes(s, r, grad) == 0) break;
        }
        if (!d->last && a != NULL && !s->o->no_refit && !s->fixed && !s->grid->few_scales)
            refit_row(d, r, s->scratch + part.thread * s->scratch_n, a, a + groups * groups);
        if (d->last) s->row_error[r] = (double)qz_dot_lanes(s->err + r * k, grad, k);
    }
    qz_free(a);
}

/* w − ŵ in column order. */
static void errors(void *arg, qz_part part) {
    qz_solver *s = arg;
    size_t k = s->h->cols, g = s->grid->group, lo, hi;
    qz_split(s->rows, 4, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++)
        for (size_t c = 0; c < k; c++)
            s->err[r * k + c] = s->w[r * k + c] -
                                qz_code_value(s->grid, s->range[r * (k / g) + c / g], s->codes[r * k + c]);
}

qz_status qz_descent_refine(qz_solver *s, qz_mm *mm, float *grad, qz_error *err) {
    size_t k = s->h->cols, g = s->grid->group, groups = k / g;
    qz_pool_run(s->run->pool, 0, errors, s);
    float *sums = qz_calloc_array(groups, sizeof *sums);
    if (sums == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory refining codes");
    for (size_t b = 0; b < groups; b++)
        for (size_t i = b * g; i < (b + 1) * g; i++)
            for (size_t j = b * g; j < (b + 1) * g; j++) sums[b] += s->h->h[i * k + j];
    qz_status st = QZ_OK;
    for (size_t round = 0; round <= s->o->rounds && st == QZ_OK; round++) {
        /* gradients are made anew in every round: single steps drift in float */
        st = qz_mm_gemm_nt(mm, &(qz_product){s->rows, k, k, s->err, k, s->h->h, k, grad, k}, false, err);
        descent_job d = {.s = s, .grad = grad, .group_sum = sums, .last = round == s->o->rounds};
        if (st == QZ_OK) qz_pool_run(s->run->pool, 0, refine_worker, &d);
    }
    qz_free(sums);
    return st;
}
