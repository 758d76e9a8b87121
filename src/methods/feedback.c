#include "methods/feedback.h"
#include "base/size.h"
#include "methods/feedback_int.h"
#include "methods/lanes.h"
#include <math.h>
#include <string.h>

const qz_feedback_options qz_feedback_default = {.shrink_steps = 40, .rounds = 3, .sweeps = 4};

enum { BLOCK = 128, TOP = 4, TOP_FEW = 16 }; /* candidates judged with feedback */

/* Weighted squared rounding error with feedback inside the group: what a range will really cost. */
static float group_error(const qz_solver *s, const float *t, size_t u0, qz_code_range r, float *e) {
    float sum = 0;
    for (size_t j = 0; j < s->grid->group; j++) {
        const float *m = s->h->feedback + (u0 + j) * s->h->cols + u0;
        float c = t[j] + qz_dot_lanes(e, m, j);
        float d = c - s->grid->ops->near(s->grid, r, c);
        e[j] = d;
        sum += s->h->weight[u0 + j] * d * d;
    }
    return sum;
}

typedef struct { float error; qz_code_range range; } candidate;
static void keep(candidate *top, size_t n, candidate c) {
    size_t i = n;
    if (!(c.error < top[n - 1].error)) return;
    while (--i > 0 && c.error < top[i - 1].error) top[i] = top[i - 1];
    top[i] = c;
}

/* Range of one group from its targets: the grid's candidates, the best few judged with feedback. e [group]: scratch. */
static qz_code_range search_group(const qz_solver *s, const float *t, size_t u0, float *e) {
    const qz_code_grid *grid = s->grid;
    const size_t g = grid->group, steps = s->o->shrink_steps ? s->o->shrink_steps : 40,
                 judged = grid->few_scales ? TOP_FEW : TOP;
    qz_code_range all[QZ_RANGES_MOST];
    candidate top[TOP_FEW];
    for (size_t i = 0; i < judged; i++) top[i] = (candidate){INFINITY, grid->ops->least(grid)};
    const size_t n = grid->ops->candidates(grid, t, g, steps, all);
    for (size_t i = 0; i < n; i++)
        keep(top, judged, (candidate){grid->ops->error(grid, t, s->h->weight + u0, g, all[i]), all[i]});
    float best = INFINITY;
    qz_code_range out = top[0].range;
    for (size_t i = 0; i < judged; i++) {
        if (!isfinite(top[i].error)) continue;
        float x = group_error(s, t, u0, top[i].range, e);
        if (x < best) {
            best = x;
            out = top[i].range;
        }
    }
    return out;
}

/* One row through one block of steps; target [nb] holds w plus the feedback of all blocks before. s->err collects what
 * rounding took from each target. */
static void solve_row_block(qz_solver *s, size_t row, float *target, float *scratch) {
    const qz_code_grid *grid = s->grid;
    size_t k = s->h->cols, g = grid->group, groups = k / g;
    float *lost = s->err + row * k, *local = scratch;
    for (size_t j = 0; j < s->nb; j++) {
        size_t u = s->u0 + j, col = s->h->order[u];
        qz_code_range *range = s->range + row * groups + col / g;
        if (s->o->reference) {
            if (j % g == 0 && g <= BLOCK && !s->o->static_groups)
                *range = grid->ops->reference(grid, target + j, g, s->o->mse_norm);
        } else if (s->fixed) *range = *qz_code_fixed(grid, row, col / g, groups);
        else if (j % g == 0 && g <= s->nb) { /* a group starts: its targets with the feedback of this block so far */
            for (size_t i = 0; i < g; i++)
                local[i] = target[j + i] + qz_dot_lanes(lost + s->u0, s->h->feedback + (u + i) * k + s->u0, j);
            *range = search_group(s, local, u, local + g);
        }
        float c = target[j] + qz_dot_lanes(lost + s->u0, s->h->feedback + u * k + s->u0, j);
        const uint8_t q = grid->ops->nearest(grid, *range, c);
        s->codes[row * k + col] = q;
        lost[u] = c - qz_code_value(grid, *range, q);
        s->row_error[row] += (double)(s->h->weight[u] * lost[u] * lost[u]);
    }
}

static void solve_worker(void *arg, qz_part part) {
    qz_solver *s = arg;
    size_t lo, hi;
    qz_split(s->rows, 4, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++)
        solve_row_block(s, r, s->target + r * s->nb, s->scratch + part.thread * s->scratch_n);
}
/* Groups wider than a block: ranges from the plain weights, before the first block. */
static void wide_worker(void *arg, qz_part part) {
    qz_solver *s = arg;
    size_t k = s->h->cols, g = s->grid->group, groups = k / g, lo, hi;
    float *t = s->scratch + part.thread * s->scratch_n;
    qz_split(s->rows, 4, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++)
        for (size_t b = 0; b < groups; b++) {
            if (s->o->reference) { /* whole rows: dead columns count, as in the reference */
                for (size_t j = 0; j < g; j++) t[j] = g < k && s->h->is_dead[b * g + j] ? 0 : s->w[r * k + b * g + j];
                s->range[r * groups + b] = s->grid->ops->reference(s->grid, t, g, s->o->mse_norm);
                continue;
            }
            for (size_t j = 0; j < g; j++) t[j] = s->w[r * k + s->h->order[b * g + j]];
            size_t grp = s->h->order[b * g] / g;
            s->range[r * groups + grp] = search_group(s, t, b * g, t + g);
        }
}

static qz_status run_blocks(qz_solver *s, qz_mm *mm, float *permuted, qz_error *err) {
    size_t k = s->h->cols, g = s->grid->group;
    size_t most = s->o->block ? s->o->block : BLOCK, block = g <= most ? most / g * g : most;
    if (!s->fixed && (g > BLOCK || (s->o->reference && s->o->static_groups)))
        qz_pool_run(s->run->pool, 0, wide_worker, s);
    for (size_t r = 0; r < s->rows; r++)
        for (size_t t = 0; t < k; t++) {
            size_t col = s->h->order[t];
            permuted[r * k + t] = s->o->reference && s->h->is_dead[col] ? 0 : s->w[r * k + col];
        }
    for (s->u0 = 0; s->u0 < k; s->u0 += s->nb) {
        s->nb = qz_min_size(block, k - s->u0);
        for (size_t r = 0; r < s->rows; r++)
            memcpy(s->target + r * s->nb, permuted + r * k + s->u0, s->nb * sizeof(float));
        if (s->u0 > 0)
            QZ_TRY(qz_mm_gemm_nt(mm, &(qz_product){s->rows, s->nb, s->u0, s->err, k, s->h->feedback + s->u0 * k, k,
                                                   s->target, s->nb}, true, err));
        qz_pool_run(s->run->pool, 0, solve_worker, s);
    }
    return QZ_OK;
}

static void finish(qz_solver *s, qz_feedback_result *out) {
    const qz_code_grid *grid = s->grid;
    size_t k = s->h->cols, groups = k / grid->group;
    for (size_t i = 0; i < s->rows * groups; i++) s->range[i].scale = grid->ops->scale(grid, s->range[i].scale);
    double mse = 0, total = 0;
    for (size_t r = 0; r < s->rows; r++) {
        total += s->row_error[r];
        for (size_t c = 0; c < k; c++) {
            float d = s->w[r * k + c] -
                      qz_code_value(grid, s->range[r * groups + c / grid->group], s->codes[r * k + c]);
            mse += (double)(d * d);
        }
    }
    *out = (qz_feedback_result){.codes = {.rows = s->rows, .cols = k, .codes = s->codes, .ranges = s->range},
                                .error = total,
                                .weight_mse = mse / (double)(s->rows * k)};
}

qz_status qz_feedback_solve(const qz_feedback_job *j, const float *w, size_t rows, qz_feedback_result *out,
                            qz_error *err) {
    const qz_feedback_options *o = j->o;
    size_t k = j->h->cols, g = o->grid->group, n, threads = qz_pool_size(j->run->pool);
    if (g == 0 || k % g != 0 || !qz_mul_size(rows, k, &n))
        return qz_fail(err, QZ_EUSAGE, "group_size %zu does not divide %zu columns; use a smaller group_size", g, k);
    if (o->reference && o->grid->ops->reference == NULL)
        return qz_fail(err, QZ_EUSAGE, "these codes have no published loop; use --search best");
    const qz_code_grid *grid = o->grid->ops->fit ? o->grid->ops->fit(o->grid, w, rows, k, j->arena) : o->grid;
    if (grid == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory rounding a [%zu, %zu] tensor", rows, k);
    qz_solver s = {.run = j->run, .h = j->h, .o = o, .grid = grid, .w = w, .rows = rows, .scratch_n = 2 * k + 64,
                   .fixed = qz_code_fixed(grid, 0, 0, k / g) != NULL};
    float *permuted = qz_alloc_aligned(n, sizeof(float));
    s.codes = qz_arena_alloc(j->arena, n, 1);
    s.range = qz_arena_alloc(j->arena, rows * (k / g), sizeof *s.range);
    s.err = qz_alloc_aligned(n, sizeof(float));
    s.target = qz_alloc_aligned(rows, qz_max_size(BLOCK, o->block) * sizeof(float));
    s.row_error = qz_calloc_array(rows, sizeof(double));
    s.scratch = qz_alloc_aligned(threads * s.scratch_n, sizeof(float));
    qz_status st = permuted && s.codes && s.range && s.err && s.target && s.row_error && s.scratch
                       ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory rounding a [%zu, %zu] tensor", rows, k);
    if (st == QZ_OK) st = run_blocks(&s, j->mm, permuted, err);
    /* permuted is free to use as its gradient buffer; without rounds or sweeps the errors of feedback are the loss */
    if (st == QZ_OK && !o->reference && (o->rounds || o->sweeps)) st = qz_descent_refine(&s, j->mm, permuted, err);
    if (st == QZ_OK) finish(&s, out);
    if (st == QZ_OK) st = qz_quadratic_error(j->mm, &(qz_quadratic){j->h->h, k, permuted}, w, rows, &out->energy, err);
    qz_free(permuted);
    qz_free(s.err);
    qz_free(s.target);
    qz_free(s.row_error);
    qz_free(s.scratch);
    return st;
}

qz_status qz_feedback_quantize(const qz_feedback_job *j, const float *w, size_t rows, qz_quantized *out,
                               qz_error *err) {
    qz_feedback_result x;
    QZ_TRY(qz_feedback_solve(j, w, rows, &x, err));
    *out = (qz_quantized){.type = QZ_TYPE_CODED, .rows = rows, .cols = x.codes.cols,
                          .coded = j->o->grid->ops->pack(j->o->grid, &x.codes, j->arena),
                          .error = x.error, .energy = x.energy, .weight_mse = x.weight_mse};
    return out->coded ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for codes");
}
