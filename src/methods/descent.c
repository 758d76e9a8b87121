/* Refinement of codes under the true quadratic loss of a row, e H eᵀ with e = w − ŵ: steps of single codes and of
 * whole groups while they help (sweep.h), then scales in closed form (refit.h). */
#include "base/size.h"
#include "methods/feedback_int.h"
#include "methods/lanes.h"
#include "methods/refit.h"
#include "methods/sweep.h"
#include <math.h>

typedef struct {
    qz_solver *s;
    qz_add_rows_fn add_rows;
    float *grad;        /* [rows, cols] e·H */
    float *group_sum;   /* [groups] Σ of H over the group's square: cost of a step of the whole group */
    float *group_rows;  /* [groups, cols] Σ of H's rows over the group: what such a step does; NULL: there are none */
    qz_sweep *scratch;  /* [threads] */
    float *old;         /* [rows, groups] scales before those that are tried */
    bool last;
} descent_job;

/* Would a change of the value by `step` lower the loss by more than rounding? */
static bool helps(float step, float grad, float curvature) {
    return 2.0f * fabsf(step * grad) - step * step * curvature > 1e-6f * step * step * curvature;
}

/* Codes of the strip, each to the one beside it where that lowers the loss. */
static void sweep_codes(void *ctx, qz_sweep *w, size_t i) {
    qz_solver *s = ((const descent_job *)ctx)->s;
    const qz_code_grid *grid = s->grid;
    const size_t k = s->h->cols, g = grid->group, groups = k / g, row = w->first + i;
    uint8_t *q = s->codes + row * k, next;
    float *e = s->err + row * k, step;
    const float *grad = w->grad + row * k;
    for (size_t j = w->j0; j < w->j1; j++) {
        if (!grid->ops->move(grid, s->range[row * groups + j / g], q[j], grad[j], &next, &step)) continue;
        if (!helps(step, grad[j], s->h->h[j * k + j])) continue;
        q[j] = next;
        e[j] -= step;
        qz_sweep_take(w, i, j, -step);
    }
}

/* Whole groups of the strip, with all codes kept. */
static void shift_groups(void *ctx, qz_sweep *w, size_t i) {
    const descent_job *d = ctx;
    qz_solver *s = d->s;
    const size_t k = s->h->cols, g = s->grid->group, groups = k / g, row = w->first + i;
    const float *grad = w->grad + row * k;
    for (size_t p = w->j0 / g; p < w->j1 / g; p++) {
        float sum = 0, step;
        qz_code_range *range = s->range + row * groups + p, next;
        for (size_t j = p * g; j < (p + 1) * g; j++) sum += grad[j];
        if (!s->grid->ops->shift(s->grid, *range, sum, &next, &step) || !helps(step, sum, d->group_sum[p])) continue;
        *range = next;
        for (size_t j = p * g; j < (p + 1) * g; j++) s->err[row * k + j] -= step;
        qz_sweep_take(w, i, p, -step);
    }
}

static void refine_batch(void *arg, qz_part part) {
    descent_job *d = arg;
    qz_solver *s = d->s;
    const size_t k = s->h->cols, g = s->grid->group,
                 wide = g < QZ_SWEEP_COLUMNS ? QZ_SWEEP_COLUMNS / g * g : g; /* whole groups */
    qz_sweep *w = &d->scratch[part.thread];
    qz_sweep_open(w, d->add_rows, d->grad, k, part.i, s->rows);
    for (size_t t = 0; t < s->o->sweeps; t++) {
        if (d->group_rows) qz_sweep_pass(w, wide, d->group_rows, shift_groups, d);
        for (size_t i = 0; i < w->rows; i++) w->moved[i] = 0; /* codes decide whether a row goes on */
        qz_sweep_pass(w, QZ_SWEEP_COLUMNS, s->h->h, sweep_codes, d);
        if (!qz_sweep_more(w)) break;
    }
    for (size_t r = w->first; r < w->first + w->rows && d->last; r++)
        s->row_error[r] = (double)qz_dot_lanes(s->err + r * k, d->grad + r * k, k);
}

/* w − ŵ of a row, in column order. */
static void row_errors(const qz_solver *s, size_t row) {
    const size_t k = s->h->cols, g = s->grid->group;
    for (size_t c = 0; c < k; c++)
        s->err[row * k + c] = s->w[row * k + c] -
                              qz_code_value(s->grid, s->range[row * (k / g) + c / g], s->codes[row * k + c]);
}
static void errors(void *arg, qz_part part) {
    const qz_solver *s = arg;
    size_t lo, hi;
    qz_split(s->rows, 4, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++) row_errors(s, r);
}

/* ---- scales ---- */
static void units_of(void *ctx, size_t row, size_t i, float *v) {
    const qz_solver *s = ((const descent_job *)ctx)->s;
    const size_t k = s->h->cols, g = s->grid->group;
    (void)i;
    for (size_t c = 0; c < k; c++)
        v[c] = s->grid->ops->unit(s->grid, s->range[row * (k / g) + c / g], s->codes[row * k + c]);
}
static bool apply(void *ctx, size_t row, const double *change) {
    const descent_job *d = ctx;
    qz_solver *s = d->s;
    const size_t n = s->h->cols / s->grid->group;
    qz_code_range *range = s->range + row * n;
    for (size_t q = 0; q < n; q++) { /* a scale keeps its sign */
        const double was = (double)range[q].scale, now = was + change[q];
        if (!(now * was > 0) || !isfinite(now)) return false;
    }
    for (size_t q = 0; q < n; q++) {
        d->old[row * n + q] = range[q].scale;
        range[q].scale = s->grid->ops->scale(s->grid, (float)((double)range[q].scale + change[q]));
    }
    row_errors(s, row);
    return true;
}
static void undo(void *ctx, size_t row) {
    const descent_job *d = ctx;
    const size_t n = d->s->h->cols / d->s->grid->group;
    for (size_t q = 0; q < n; q++) d->s->range[row * n + q].scale = d->old[row * n + q];
    row_errors(d->s, row);
}

/* A band of groups: sums of H over each one's rows, and over its square. */
static void group_sums(void *arg, qz_part part) {
    const descent_job *d = arg;
    const size_t k = d->s->h->cols, g = d->s->grid->group;
    size_t lo, hi;
    qz_split(k / g, 1, part, &lo, &hi);
    for (size_t b = lo; b < hi; b++) {
        for (size_t i = b * g; i < (b + 1) * g; i++)
            for (size_t j = b * g; j < (b + 1) * g; j++) d->group_sum[b] += d->s->h->h[i * k + j];
        for (size_t i = b * g; i < (b + 1) * g && d->group_rows; i++)
            qz_axpy(d->group_rows + b * k, 1, d->s->h->h + i * k, k);
    }
}

static qz_status rounds(descent_job *d, qz_mm *mm, qz_error *err) {
    qz_solver *s = d->s;
    const size_t k = s->h->cols;
    const bool scales = !s->o->no_refit && !s->fixed && !s->grid->few_scales;
    const qz_refit_rows rows = {.run = s->run, .rows = s->rows, .cols = k, .block = s->grid->group, .per = 1,
                                .ridge = 1e-9, .h = s->h->h, .err = s->err, .grad = d->grad, .ctx = d,
                                .units = units_of, .apply = apply, .undo = undo};
    qz_refit refit = {0};
    qz_status st = QZ_OK;
    for (size_t round = 0; round <= s->o->rounds && st == QZ_OK; round++) {
        /* gradients are made anew in every round: single steps drift in float */
        st = qz_mm_gemm_nt(mm, &(qz_product){s->rows, k, k, s->err, k, s->h->h, k, d->grad, k}, false, err);
        if (st == QZ_OK) st = qz_refit_judge(&refit, &rows, mm, err);
        d->last = round == s->o->rounds;
        if (st == QZ_OK) qz_pool_run(s->run->pool, qz_sweep_batches(s->rows), refine_batch, d);
        if (st == QZ_OK && !d->last && scales) st = qz_refit_try(&refit, &rows, mm, err);
    }
    qz_refit_release(&refit);
    return st;
}

qz_status qz_descent_refine(qz_solver *s, qz_mm *mm, float *grad, qz_error *err) {
    const size_t k = s->h->cols, groups = k / s->grid->group;
    const bool shifts = s->grid->ops->shift && s->o->sweeps;
    descent_job d = {.s = s, .grad = grad, .add_rows = qz_rows_adder(s->run->cpu)};
    qz_pool_run(s->run->pool, 0, errors, s);
    d.group_sum = qz_calloc_array(groups, sizeof(float));
    d.group_rows = shifts ? qz_calloc_array(groups * k, sizeof(float)) : NULL;
    d.old = qz_alloc_array(s->rows * groups, sizeof *d.old);
    d.scratch = qz_alloc_array(qz_pool_size(s->run->pool), sizeof *d.scratch);
    qz_status st = d.group_sum && d.old && d.scratch && (d.group_rows || !shifts)
                       ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory refining codes");
    if (st == QZ_OK) qz_pool_run(s->run->pool, 0, group_sums, &d);
    if (st == QZ_OK) st = rounds(&d, mm, err);
    qz_free(d.group_sum);
    qz_free(d.group_rows);
    qz_free(d.old);
    qz_free(d.scratch);
    return st;
}
