#include "methods/feedback.h"
#include "codecs/int_group.h"
#include "base/half.h"
#include "base/size.h"
#include "methods/feedback_int.h"
#include "methods/lanes.h"
#include <math.h>
#include <string.h>

const qz_feedback_options qz_feedback_default = {.bits = 4, .group_size = 128, .sym = false, .shrink_steps = 40, .rounds = 3, .sweeps = 4};

enum { BLOCK = 128, TOP = 4 };

float qz_round_scale(float s) {
    float r = qz_f16_to_f32(qz_f32_to_f16(s));
    return r != 0 && isfinite(r) ? r : s < 0 ? -0x1p-24f : 0x1p-24f; /* never 0: an all-zero group keeps a valid file */
}
static float clampf(float v, float lo, float hi) { return v < lo ? lo : v > hi ? hi : v; }

/* Weighted squared rounding error of targets t for a scale and zero, no feedback inside the group. */
static float plain_error(const float *t, const float *weight, size_t g, float s, float z, float qmax) {
    float inv = 1.0f / s, acc[8] = {0};
    for (size_t k = 0; k < g; k += 8)
        for (size_t i = 0; i < 8 && k + i < g; i++) {
            float q = clampf(t[k + i] * inv + 12582912.0f - 12582912.0f + z, 0.0f, qmax);
            float d = t[k + i] - (q - z) * s;
            acc[i] += weight[k + i] * d * d;
        }
    return ((acc[0] + acc[4]) + (acc[2] + acc[6])) + ((acc[1] + acc[5]) + (acc[3] + acc[7]));
}

/* The same with feedback inside the group: what the group will really cost. m: feedback rows of the group's steps. */
static float group_error(const qz_solver *s, const float *t, size_t u0, size_t g, float scale, float z, float *e) {
    float inv = 1.0f / scale, sum = 0;
    for (size_t j = 0; j < g; j++) {
        const float *m = s->h->feedback + (u0 + j) * s->h->cols + u0;
        float c = t[j] + qz_dot_lanes(e, m, j);
        float q = clampf(rintf(c * inv) + z, 0.0f, s->qmax), d = c - (q - z) * scale;
        e[j] = d;
        sum += s->h->weight[u0 + j] * d * d;
    }
    return sum;
}

typedef struct { float error, scale, zero; } candidate;
static void keep(candidate *top, candidate c) {
    size_t i = TOP;
    if (!(c.error < top[TOP - 1].error)) return;
    while (--i > 0 && c.error < top[i - 1].error) top[i] = top[i - 1];
    top[i] = c;
}

/* Scale and zero of one group from its targets: a grid over shrunken ranges, the best few judged with feedback. */
static void search_group(const qz_solver *s, const float *t, size_t u0, size_t g, float *e, float *scale, float *zero) {
    const float *w = s->h->weight + u0;
    float lo = t[0], hi = t[0], half = (s->qmax + 1) / 2;
    for (size_t k = 1; k < g; k++) {
        lo = t[k] < lo ? t[k] : lo;
        hi = t[k] > hi ? t[k] : hi;
    }
    candidate top[TOP];
    for (size_t i = 0; i < TOP; i++) top[i] = (candidate){INFINITY, 0x1p-24f, s->o->sym ? half : s->o->least_zero};
    size_t steps = s->o->shrink_steps ? s->o->shrink_steps : 40;
    for (size_t i = 0; i < steps; i++) {
        float p = 1.04f - 0.60f * (float)i / (float)steps;
        if (s->o->sym) {
            float m = -lo > hi ? -lo : hi, sc = qz_round_scale(2 * m * p / s->qmax);
            keep(top, (candidate){plain_error(t, w, g, sc, half, s->qmax), sc, half});
            if (!s->o->positive) keep(top, (candidate){plain_error(t, w, g, -sc, half, s->qmax), -sc, half});
            continue;
        }
        float sc = qz_round_scale((hi - lo) * p / s->qmax), z0 = rintf(-(lo + hi) / (2 * sc) + s->qmax / 2);
        for (int dz = -1; dz <= 1; dz++) {
            float z = clampf(z0 + (float)dz, s->o->least_zero, s->qmax);
            keep(top, (candidate){plain_error(t, w, g, sc, z, s->qmax), sc, z});
        }
    }
    float best = INFINITY;
    for (size_t i = 0; i < TOP; i++) {
        if (!isfinite(top[i].error)) continue;
        float x = group_error(s, t, u0, g, top[i].scale, top[i].zero, e);
        if (x < best) {
            best = x;
            *scale = top[i].scale;
            *zero = top[i].zero;
        }
    }
    if (!isfinite(best)) *scale = top[0].scale, *zero = top[0].zero;
}

/* One row through one block of steps; target [nb] holds w plus the feedback of all blocks before. s->err collects what rounding
 * took from each target. */
static void solve_row_block(qz_solver *s, size_t row, float *target, float *scratch) {
    size_t k = s->h->cols, g = s->o->group_size, groups = k / g;
    float *lost = s->err + row * k, *local = scratch;
    for (size_t j = 0; j < s->nb; j++) {
        size_t u = s->u0 + j, col = s->h->order[u], grp = col / g;
        float *scale = s->scale + row * groups + grp, *zero = s->zero + row * groups + grp;
        if (s->o->reference) {
            if (j % g == 0 && g <= BLOCK && !s->o->static_groups) qz_gptq_params(target + j, g, s->o, scale, zero);
        } else if (j % g == 0 && g <= s->nb) { /* a group starts: its targets with the feedback of this block so far */
            for (size_t i = 0; i < g; i++)
                local[i] = target[j + i] + qz_dot_lanes(lost + s->u0, s->h->feedback + (u + i) * k + s->u0, j);
            search_group(s, local, u, g, local + g, scale, zero);
        }
        float c = target[j] + qz_dot_lanes(lost + s->u0, s->h->feedback + u * k + s->u0, j);
        float q = clampf(rintf(c / *scale) + *zero, 0.0f, s->qmax);
        s->codes[row * k + col] = (uint8_t)q;
        lost[u] = c - (q - *zero) * *scale;
        s->row_error[row] += (double)(s->h->weight[u] * lost[u] * lost[u]);
    }
}

static void solve_worker(void *arg, qz_part part) {
    qz_solver *s = arg;
    size_t lo, hi;
    qz_split(s->rows, 4, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++) solve_row_block(s, r, s->target + r * s->nb, s->scratch + part.thread * s->scratch_n);
}
/* Groups wider than a block: scale and zero from the plain weights, before the first block. */
static void wide_worker(void *arg, qz_part part) {
    qz_solver *s = arg;
    size_t k = s->h->cols, g = s->o->group_size, groups = k / g, lo, hi;
    float *t = s->scratch + part.thread * s->scratch_n;
    qz_split(s->rows, 4, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++)
        for (size_t b = 0; b < groups; b++) {
            if (s->o->reference) { /* whole rows: dead columns count, as in the reference */
                for (size_t j = 0; j < g; j++) t[j] = g < k && s->h->is_dead[b * g + j] ? 0 : s->w[r * k + b * g + j];
                qz_gptq_params(t, g, s->o, s->scale + r * groups + b, s->zero + r * groups + b);
                continue;
            }
            for (size_t j = 0; j < g; j++) t[j] = s->w[r * k + s->h->order[b * g + j]];
            size_t grp = s->h->order[b * g] / g;
            search_group(s, t, b * g, g, t + g, s->scale + r * groups + grp, s->zero + r * groups + grp);
        }
}

static qz_status run_blocks(qz_solver *s, qz_mm *mm, float *permuted, qz_error *err) {
    size_t k = s->h->cols, g = s->o->group_size;
    size_t most = s->o->block ? s->o->block : BLOCK, block = g <= most ? most / g * g : most;
    if (g > BLOCK || (s->o->reference && s->o->static_groups)) qz_pool_run(s->run->pool, 0, wide_worker, s);
    for (size_t r = 0; r < s->rows; r++)
        for (size_t t = 0; t < k; t++) {
            size_t col = s->h->order[t];
            permuted[r * k + t] = s->o->reference && s->h->is_dead[col] ? 0 : s->w[r * k + col];
        }
    for (s->u0 = 0; s->u0 < k; s->u0 += s->nb) {
        s->nb = qz_min_size(block, k - s->u0);
        for (size_t r = 0; r < s->rows; r++) memcpy(s->target + r * s->nb, permuted + r * k + s->u0, s->nb * sizeof(float));
        if (s->u0 > 0)
            QZ_TRY(qz_mm_gemm_nt(mm, s->rows, s->nb, s->u0, s->err, k, s->h->feedback + s->u0 * k, k, s->target, s->nb, true, err));
        qz_pool_run(s->run->pool, 0, solve_worker, s);
    }
    return QZ_OK;
}

qz_status qz_quadratic_error(qz_mm *mm, const float *e, size_t rows, const float *h, size_t cols, float *scratch, double *out, qz_error *err) {
    QZ_TRY(qz_mm_gemm_nt(mm, rows, cols, cols, e, cols, h, cols, scratch, cols, false, err));
    double sum = 0;
    for (size_t r = 0; r < rows; r++) sum += (double)qz_dot_lanes(e + r * cols, scratch + r * cols, cols);
    *out = sum;
    return QZ_OK;
}

static qz_status finish(qz_solver *s, qz_arena *arena, qz_quantized *out, qz_error *err) {
    size_t k = s->h->cols, groups = k / s->o->group_size;
    float *scales = qz_arena_alloc(arena, s->rows * groups, sizeof *scales);
    uint8_t *zeros = qz_arena_alloc(arena, s->rows * groups, 1);
    if (scales == NULL || zeros == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for codes");
    for (size_t i = 0; i < s->rows * groups; i++) s->scale[i] = scales[i] = qz_round_scale(s->scale[i]);
    for (size_t i = 0; i < s->rows * groups; i++) zeros[i] = (uint8_t)s->zero[i];
    double mse = 0, total = 0;
    for (size_t r = 0; r < s->rows; r++) {
        total += s->row_error[r];
        for (size_t c = 0; c < k; c++) {
            size_t g = r * groups + c / s->o->group_size;
            float d = s->w[r * k + c] - ((float)s->codes[r * k + c] - s->zero[g]) * s->scale[g];
            mse += (double)(d * d);
        }
    }
    const qz_int_codes c = {.bits = s->o->bits, .group_size = s->o->group_size, .sym = s->o->sym, .codes = s->codes, .scales = scales, .zero_points = zeros};
    *out = (qz_quantized){.type = QZ_TYPE_CODED, .rows = s->rows, .cols = k, .coded = qz_int_codes_keep(c, s->rows, k, arena), .error = total,
                          .weight_mse = mse / (double)(s->rows * k)};
    return out->coded ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for codes");
}

qz_status qz_feedback_quantize(qz_run *run, qz_mm *mm, const float *w, size_t rows, const qz_hessian *h, const qz_feedback_options *o,
                               qz_arena *arena, qz_quantized *out, qz_error *err) {
    size_t k = h->cols, g = o->group_size, n, threads = qz_pool_size(run->pool);
    if (g == 0 || k % g != 0 || !qz_mul_size(rows, k, &n))
        return qz_fail(err, QZ_EUSAGE, "group_size %zu does not divide %zu columns; use a smaller group_size", g, k);
    qz_solver s = {.run = run, .h = h, .o = o, .w = w, .rows = rows, .qmax = (float)((1u << o->bits) - 1), .scratch_n = 2 * k + 64};
    size_t groups = k / g;
    float *permuted = qz_alloc_aligned(n, sizeof(float));
    s.codes = qz_arena_alloc(arena, n, 1);
    s.err = qz_alloc_aligned(n, sizeof(float));
    s.target = qz_alloc_aligned(rows, qz_max_size(BLOCK, o->block) * sizeof(float));
    s.scale = qz_alloc_array(rows * groups, sizeof(float));
    s.zero = qz_alloc_array(rows * groups, sizeof(float));
    s.row_error = qz_calloc_array(rows, sizeof(double));
    s.scratch = qz_alloc_aligned(threads * s.scratch_n, sizeof(float));
    qz_status st = permuted && s.codes && s.err && s.target && s.scale && s.zero && s.row_error && s.scratch
                       ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory rounding a [%zu, %zu] tensor", rows, k);
    if (st == QZ_OK) st = run_blocks(&s, mm, permuted, err);
    if (st == QZ_OK && !o->reference) st = qz_descent_refine(&s, mm, permuted, err); /* permuted is free to use as its gradient buffer */
    if (st == QZ_OK) st = finish(&s, arena, out, err);
    if (st == QZ_OK) st = qz_quadratic_error(mm, w, rows, h->h, k, permuted, &out->energy, err);
    qz_free(permuted);
    qz_free(s.err);
    qz_free(s.target);
    qz_free(s.scale);
    qz_free(s.zero);
    qz_free(s.row_error);
    qz_free(s.scratch);
    return st;
}
