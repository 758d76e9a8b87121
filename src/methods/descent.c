/* Refinement of codes under the true quadratic loss of a row, e H eᵀ with e = w − ŵ: steps of single codes and of
 * whole groups while they help, then scales in closed form (refit.c). Rows go in batches: steps are decided in a strip
 * of columns, row by row, and then change the gradient of all other columns strip by strip, so that H is read once for
 * a batch and a sweep and what is read stays in the cache. Every gradient sees the steps in the order of their columns:
 * a row's codes do not depend on its batch. */
#include "base/size.h"
#include "methods/feedback_int.h"
#include "methods/lanes.h"
#include <math.h>

/* rows of a batch at most; columns of a strip; columns that its steps change at a time (512 KiB of H) */
enum { BATCH = 256, STRIP = 256, SPAN = 512 };

typedef struct {
    uint8_t open[BATCH];                /* the last sweep moved something */
    size_t moved[BATCH];                /* in this sweep */
    size_t n[BATCH];                    /* steps of this strip */
    qz_row_step steps[BATCH][STRIP];
} batch;

typedef struct {
    qz_solver *s;
    qz_add_rows_fn add_rows;
    float *grad;        /* [rows, cols] e·H */
    float *group_sum;   /* [groups] Σ of H over the group's square: cost of a step of the whole group */
    float *group_rows;  /* [groups, cols] Σ of H's rows over the group: what such a step does; NULL: there are none */
    batch *scratch;     /* [threads] */
    bool last;
} descent_job;

/* Would a change of the value by `step` lower the loss by more than rounding? */
static bool helps(float step, float grad, float curvature) {
    return 2.0f * fabsf(step * grad) - step * step * curvature > 1e-6f * step * step * curvature;
}

/* Codes of columns [j0, j1) of a row, each to the one beside it where that lowers the loss. */
static void sweep_strip(const descent_job *d, batch *b, size_t i, size_t row, size_t j0, size_t j1) {
    qz_solver *s = d->s;
    const qz_code_grid *grid = s->grid;
    const size_t k = s->h->cols, g = grid->group, groups = k / g;
    uint8_t *q = s->codes + row * k, next;
    float *e = s->err + row * k, *grad = d->grad + row * k, step;
    b->n[i] = 0;
    for (size_t j = j0; j < j1; j++) {
        if (!grid->ops->move(grid, s->range[row * groups + j / g], q[j], grad[j], &next, &step)) continue;
        if (!helps(step, grad[j], s->h->h[j * k + j])) continue;
        q[j] = next;
        e[j] -= step;
        const qz_row_step taken = {(uint32_t)j, -step};
        d->add_rows(grad + j0, j1 - j0, s->h->h + j0, k, &taken, 1);
        b->steps[i][b->n[i]++] = taken;
    }
    b->moved[i] += b->n[i];
}

/* Whole groups of columns [j0, j1), with all codes kept. */
static void shift_strip(const descent_job *d, batch *b, size_t i, size_t row, size_t j0, size_t j1) {
    qz_solver *s = d->s;
    const size_t k = s->h->cols, g = s->grid->group, groups = k / g;
    float *grad = d->grad + row * k;
    b->n[i] = 0;
    for (size_t p = j0 / g; p < j1 / g; p++) {
        float sum = 0, step;
        qz_code_range *range = s->range + row * groups + p, next;
        for (size_t j = p * g; j < (p + 1) * g; j++) sum += grad[j];
        if (!s->grid->ops->shift(s->grid, *range, sum, &next, &step) || !helps(step, sum, d->group_sum[p])) continue;
        *range = next;
        for (size_t j = p * g; j < (p + 1) * g; j++) s->err[row * k + j] -= step;
        const qz_row_step taken = {(uint32_t)p, -step};
        d->add_rows(grad + j0, j1 - j0, d->group_rows + j0, k, &taken, 1);
        b->steps[i][b->n[i]++] = taken;
    }
}

/* The strip's steps in the gradients of columns [c0, c1) of the batch; x [.., cols]: the rows that they name. */
static void spread(const descent_job *d, const batch *b, size_t lo, size_t n, const float *x, size_t c0, size_t c1) {
    const size_t k = d->s->h->cols;
    for (size_t c = c0; c < c1; c += SPAN)
        for (size_t i = 0; i < n; i++)
            if (b->n[i])
                d->add_rows(d->grad + (lo + i) * k + c, qz_min_size(SPAN, c1 - c), x + c, k, b->steps[i], b->n[i]);
}

/* One pass over the columns in strips of `wide` for the batch's rows that still move. */
typedef void (*strip_fn)(const descent_job *d, batch *b, size_t i, size_t row, size_t j0, size_t j1);
static void pass(const descent_job *d, batch *b, size_t lo, size_t n, strip_fn strip, size_t wide, const float *x) {
    const size_t k = d->s->h->cols;
    for (size_t j0 = 0; j0 < k; j0 += wide) {
        const size_t j1 = qz_min_size(k, j0 + wide);
        for (size_t i = 0; i < n; i++) {
            b->n[i] = 0;
            if (b->open[i]) strip(d, b, i, lo + i, j0, j1);
        }
        spread(d, b, lo, n, x, 0, j0);
        spread(d, b, lo, n, x, j1, k);
    }
}

static void refine_batch(void *arg, qz_part part) {
    const descent_job *d = arg;
    qz_solver *s = d->s;
    const size_t k = s->h->cols, g = s->grid->group, lo = part.i * BATCH, n = qz_min_size(BATCH, s->rows - lo);
    batch *b = &d->scratch[part.thread];
    for (size_t i = 0; i < n; i++) b->open[i] = 1;
    bool any = true;
    for (size_t t = 0; t < s->o->sweeps && any; t++) {
        for (size_t i = 0; i < n; i++) b->moved[i] = 0;
        if (d->group_rows) pass(d, b, lo, n, shift_strip, g < STRIP ? STRIP / g * g : g, d->group_rows);
        pass(d, b, lo, n, sweep_strip, STRIP, s->h->h);
        any = false;
        for (size_t i = 0; i < n; i++) any |= (b->open[i] = b->moved[i] > 0);
    }
    for (size_t r = lo; r < lo + n && d->last; r++)
        s->row_error[r] = (double)qz_dot_lanes(s->err + r * k, d->grad + r * k, k);
}

void qz_solver_errors(const qz_solver *s, size_t row) {
    const size_t k = s->h->cols, g = s->grid->group;
    for (size_t c = 0; c < k; c++)
        s->err[row * k + c] = s->w[row * k + c] -
                              qz_code_value(s->grid, s->range[row * (k / g) + c / g], s->codes[row * k + c]);
}
static void errors(void *arg, qz_part part) {
    const qz_solver *s = arg;
    size_t lo, hi;
    qz_split(s->rows, 4, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++) qz_solver_errors(s, r);
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

qz_status qz_descent_refine(qz_solver *s, qz_mm *mm, float *grad, qz_error *err) {
    const size_t k = s->h->cols, groups = k / s->grid->group;
    descent_job d = {.s = s, .grad = grad, .add_rows = qz_rows_adder(s->run->cpu)};
    qz_refit refit = {0};
    qz_pool_run(s->run->pool, 0, errors, s);
    d.group_sum = qz_calloc_array(groups, sizeof(float));
    if (s->grid->ops->shift && s->o->sweeps) d.group_rows = qz_calloc_array(groups * k, sizeof(float));
    d.scratch = qz_alloc_array(qz_pool_size(s->run->pool), sizeof *d.scratch);
    qz_status st = d.group_sum && d.scratch && (d.group_rows || !s->grid->ops->shift || !s->o->sweeps)
                       ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory refining codes");
    if (st == QZ_OK) qz_pool_run(s->run->pool, 0, group_sums, &d);
    for (size_t round = 0; round <= s->o->rounds && st == QZ_OK; round++) {
        /* gradients are made anew in every round: single steps drift in float */
        st = qz_mm_gemm_nt(mm, &(qz_product){s->rows, k, k, s->err, k, s->h->h, k, grad, k}, false, err);
        if (st == QZ_OK) st = qz_refit_judge(&refit, s, mm, grad, err);
        d.last = round == s->o->rounds;
        if (st == QZ_OK) qz_pool_run(s->run->pool, (s->rows + BATCH - 1) / BATCH, refine_batch, &d);
        if (st == QZ_OK && !d.last) st = qz_refit_try(&refit, s, mm, grad, err);
    }
    qz_refit_release(&refit);
    qz_free(d.group_sum);
    qz_free(d.group_rows);
    qz_free(d.scratch);
    return st;
}
