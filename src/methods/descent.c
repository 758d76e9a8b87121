/* Refinement of integer codes under the true quadratic loss of a row, e H eᵀ with e = w − ŵ: single-code steps and
 * zero_point steps while they help, then scales in closed form (least squares in the row's group scales). */
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
    float *group_sum; /* [groups] Σ of H over the group's square: cost of a zero_point step */
    bool last;
} descent_job;

/* Moves code j of the row by ±1 where that lowers the loss; returns the number of moves. */
static size_t sweep_codes(qz_solver *s, size_t row, float *grad) {
    size_t k = s->h->cols, g = s->o->group_size, groups = k / g, moved = 0;
    uint8_t *q = s->codes + row * k;
    float *e = s->err + row * k;
    for (size_t j = 0; j < k; j++) {
        float sc = s->scale[row * groups + j / g], hjj = s->h->h[j * k + j];
        float dir = (grad[j] > 0) == (sc > 0) ? 1.0f : -1.0f; /* ŵ += dir·s lowers e */
        float gain = 2.0f * fabsf(sc * grad[j]) - sc * sc * hjj;
        float next = (float)q[j] + dir;
        if (!(gain > 1e-6f * sc * sc * hjj) || next < 0 || next > s->qmax) continue;
        q[j] = (uint8_t)next;
        e[j] -= dir * sc;
        qz_axpy(grad, -dir * sc, s->h->h + j * k, k);
        moved++;
    }
    return moved;
}

/* A zero_point step with all codes kept moves the whole group by one scale. */
static void sweep_zeros(const descent_job *d, size_t row, float *grad) {
    qz_solver *s = d->s;
    size_t k = s->h->cols, g = s->o->group_size, groups = k / g;
    for (size_t b = 0; b < groups; b++) {
        float sum = 0, sc = s->scale[row * groups + b], *z = s->zero + row * groups + b;
        for (size_t j = b * g; j < (b + 1) * g; j++) sum += grad[j];
        float dir = sum > 0 ? -1.0f : 1.0f; /* z−1 raises ŵ by one scale */
        if (!(2.0f * sc * fabsf(sum) - sc * sc * d->group_sum[b] > 1e-6f * sc * sc * d->group_sum[b])) continue;
        if (*z + dir < s->o->least_zero || *z + dir > s->qmax) continue;
        *z += dir;
        for (size_t j = b * g; j < (b + 1) * g; j++) {
            s->err[row * k + j] += dir * sc;
            qz_axpy(grad, dir * sc, s->h->h + j * k, k);
        }
    }
}

/* Scales of one row by least squares with codes fixed; kept only if the loss falls. work: 2·cols floats. */
static void refit_row(const descent_job *d, size_t row, float *work, double *a, double *b) {
    qz_solver *s = d->s;
    size_t k = s->h->cols, g = s->o->group_size, n = k / g;
    float *v = work, *hv = work + k, *e = s->err + row * k, *grad = d->grad + row * k;
    const float *w = s->w + row * k;
    for (size_t j = 0; j < k; j++) v[j] = (float)s->codes[row * k + j] - s->zero[row * n + j / g];
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
        if (!(b[q] * (double)s->scale[row * n + q] > 0) || !isfinite(b[q])) return; /* a scale keeps its sign */
    for (size_t j = 0; j < k; j++) trial[j] = w[j] - v[j] * qz_round_scale((float)b[j / g]);
    memset(hv, 0, k * sizeof *hv);
    for (size_t j = 0; j < k; j++) qz_axpy(hv, trial[j], s->h->h + j * k, k);
    after = (double)qz_dot_lanes(trial, hv, k);
    if (!(after < before)) return;
    for (size_t q = 0; q < n; q++) s->scale[row * n + q] = qz_round_scale((float)b[q]);
    memcpy(e, trial, k * sizeof *e);
    memcpy(grad, hv, k * sizeof *grad);
}

static void refine_worker(void *arg, qz_part part) {
    const descent_job *d = arg;
    qz_solver *s = d->s;
    size_t k = s->h->cols, groups = k / s->o->group_size, lo, hi;
    qz_split(s->rows, 4, part, &lo, &hi);
    double *a = groups <= MAX_GROUPS ? qz_alloc_array(groups * groups + groups, sizeof *a) : NULL;
    for (size_t r = lo; r < hi; r++) {
        float *grad = d->grad + r * k;
        for (size_t t = 0; t < s->o->sweeps; t++) {
            if (!s->o->sym) sweep_zeros(d, r, grad);
            if (sweep_codes(s, r, grad) == 0) break;
        }
        if (!d->last && a != NULL && !s->o->no_refit) refit_row(d, r, s->scratch + part.thread * s->scratch_n, a, a + groups * groups);
        if (d->last) s->row_error[r] = (double)qz_dot_lanes(s->err + r * k, grad, k);
    }
    qz_free(a);
}

/* w − ŵ in column order. */
static void errors(void *arg, qz_part part) {
    qz_solver *s = arg;
    size_t k = s->h->cols, g = s->o->group_size, lo, hi;
    qz_split(s->rows, 4, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++)
        for (size_t c = 0; c < k; c++) {
            size_t b = r * (k / g) + c / g;
            s->err[r * k + c] = s->w[r * k + c] - ((float)s->codes[r * k + c] - s->zero[b]) * s->scale[b];
        }
}

qz_status qz_descent_refine(qz_solver *s, qz_mm *mm, float *grad, qz_error *err) {
    size_t k = s->h->cols, g = s->o->group_size, groups = k / g;
    qz_pool_run(s->run->pool, 0, errors, s);
    float *sums = qz_calloc_array(groups, sizeof *sums);
    if (sums == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory refining codes");
    for (size_t b = 0; b < groups; b++)
        for (size_t i = b * g; i < (b + 1) * g; i++)
            for (size_t j = b * g; j < (b + 1) * g; j++) sums[b] += s->h->h[i * k + j];
    qz_status st = QZ_OK;
    for (size_t round = 0; round <= s->o->rounds && st == QZ_OK; round++) {
        /* gradients are made anew in every round: single steps drift in float */
        st = qz_mm_gemm_nt(mm, s->rows, k, k, s->err, k, s->h->h, k, grad, k, false, err);
        descent_job d = {.s = s, .grad = grad, .group_sum = sums, .last = round == s->o->rounds};
        if (st == QZ_OK) qz_pool_run(s->run->pool, 0, refine_worker, &d);
    }
    qz_free(sums);
    return st;
}
