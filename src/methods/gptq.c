#include "methods/gptq.h"
#include "base/size.h"
#include "codecs/types.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct { double key; uint32_t index; } ranked;
static int heavier(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? 1 : -1;
    return x->index < y->index ? -1 : 1;
}

/* Columns by falling diagonal: groups are then formed along that order, which g_idx records. */
static qz_status permute(qz_gptq *g, const double *gram, double **permuted, qz_error *err) {
    size_t k = g->cols, sq = 0;
    ranked *r = qz_alloc_array(k, sizeof *r);
    g->perm = qz_alloc_array(k, sizeof *g->perm);
    *permuted = qz_mul_size(k, k, &sq) ? qz_alloc_aligned(sq, sizeof **permuted) : NULL;
    if (r && g->perm && *permuted) {
        for (size_t i = 0; i < k; i++) r[i] = (ranked){gram[i * k + i], (uint32_t)i};
        qsort(r, k, sizeof *r, heavier);
        for (size_t i = 0; i < k; i++) g->perm[i] = r[i].index;
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j < k; j++) (*permuted)[i * k + j] = gram[g->perm[i] * k + g->perm[j]];
    }
    qz_free(r);
    return g->perm && *permuted ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory ordering %zu columns", k);
}

static qz_status begin(qz_gptq *g, qz_run *run, size_t cols, const qz_gptq_options *o, qz_error *err) {
    *g = (qz_gptq){.run = run, .o = *o, .cols = cols};
    if (o->codes.grid->group == 0 || cols % o->codes.grid->group != 0)
        return qz_fail(err, QZ_EUSAGE, "group_size %zu does not divide in_features %zu; use a smaller group_size",
                       o->codes.grid->group, cols);
    g->o.codes.static_groups = o->static_groups && o->codes.reference;
    return QZ_OK;
}

qz_status qz_gptq_without(qz_gptq *g, qz_run *run, size_t cols, const qz_gptq_options *o, const char *reason,
                          qz_error *err) {
    QZ_TRY(begin(g, run, cols, o, err));
    if (o->strict) return qz_fail(err, QZ_ENUMERIC, "%s", reason);
    g->fallback = true;
    (void)snprintf(g->reason, sizeof g->reason, "%.150s", reason);
    return QZ_OK;
}

qz_status qz_gptq_prepare(qz_gptq *g, qz_run *run, const double *gram, size_t cols, const qz_gptq_options *o,
                          qz_error *err) {
    QZ_TRY(begin(g, run, cols, o, err));
    const bool grouped = o->codes.grid->group < cols, reference = o->codes.reference;
    double *permuted = NULL;
    qz_order order = reference || o->natural ? QZ_ORDER_NATURAL : QZ_ORDER_GROUPS;
    qz_status st = QZ_OK;
    /* Ours with static groups is the usual order: groups by importance, columns by importance inside, g_idx trivial. */
    if (o->act_order && (!grouped || (o->static_groups && reference))) order = QZ_ORDER_COLUMNS;
    else if (o->act_order && !o->static_groups) {
        st = permute(g, gram, &permuted, err);
        order = QZ_ORDER_NATURAL;
    }
    qz_error why = {0};
    if (st == QZ_OK)
        st = qz_hessian_init(&g->h, run, permuted ? permuted : gram,
                             &(qz_hessian_how){cols, o->codes.grid->group, o->damp > 0 ? o->damp : QZ_DAMP_USUAL,
                                               order, 0},
                             &why);
    qz_free(permuted);
    if (st == QZ_OK) return QZ_OK;
    if (st != QZ_ENUMERIC || o->strict) {
        qz_gptq_release(g);
        return why.text[0] ? qz_fail(err, st, "%s", why.text) : st;
    }
    g->fallback = true;
    (void)snprintf(g->reason, sizeof g->reason, "%.150s", why.text);
    return QZ_OK;
}

void qz_gptq_release(qz_gptq *g) {
    qz_hessian_release(&g->h);
    qz_free(g->perm);
    *g = (qz_gptq){0};
}

/* ---- rounding to nearest ---- */
#define SHRINK 2.4f /* norm of the range search: the reference's */

typedef struct {
    const qz_code_grid *grid; /* of this matrix */
    const float *w, *ones;
    size_t rows, cols;
    uint8_t *codes;
    qz_code_range *ranges;
} rtn_job;

/* The published range, or of a kind without one the candidate that is nearest by itself. */
static qz_code_range range_of(const rtn_job *j, const float *t) {
    const qz_code_grid *grid = j->grid;
    if (grid->ops->reference) return grid->ops->reference(grid, t, grid->group, SHRINK);
    qz_code_range all[QZ_RANGES_MOST], best = grid->ops->least(grid);
    float least = INFINITY;
    const size_t n = grid->ops->candidates(grid, t, grid->group, QZ_RANGE_STEPS, all);
    for (size_t i = 0; i < n; i++) {
        const float e = grid->ops->error(grid, t, j->ones, grid->group, all[i]);
        if (e < least) least = e, best = all[i];
    }
    return best;
}

static void rtn_rows(void *arg, qz_part part) {
    const rtn_job *j = arg;
    const qz_code_grid *grid = j->grid;
    size_t k = j->cols, gs = grid->group, groups = k / gs, lo, hi;
    qz_split(j->rows, 4, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++)
        for (size_t b = 0; b < groups; b++) {
            const float *t = j->w + r * k + b * gs;
            const qz_code_range *fixed = qz_code_fixed(grid, r, b, groups);
            qz_code_range range = fixed ? *fixed : range_of(j, t);
            range.scale = grid->ops->scale(grid, range.scale);
            for (size_t c = 0; c < gs; c++) j->codes[r * k + b * gs + c] = grid->ops->nearest(grid, range, t[c]);
            j->ranges[r * groups + b] = range;
        }
}

static qz_status fall_back(const qz_gptq *g, const float *w, size_t rows, qz_arena *arena, qz_feedback_result *out,
                           qz_error *err) {
    const qz_code_grid *any = g->o.codes.grid,
                       *grid = any->ops->fit ? any->ops->fit(any, w, rows, g->cols, arena) : any;
    if (!grid) return qz_fail(err, QZ_EMEMORY, "out of memory for codes");
    float *ones = qz_arena_alloc(arena, grid->group, sizeof *ones);
    rtn_job j = {grid, w, ones, rows, g->cols, qz_arena_alloc(arena, rows * g->cols, 1),
                 qz_arena_alloc(arena, rows * (g->cols / grid->group), sizeof(qz_code_range))};
    if (!ones || !j.codes || !j.ranges) return qz_fail(err, QZ_EMEMORY, "out of memory for codes");
    for (size_t i = 0; i < grid->group; i++) ones[i] = 1;
    qz_pool_run(g->run->pool, 0, rtn_rows, &j);
    *out = (qz_feedback_result){.codes = {.rows = rows, .cols = g->cols, .codes = j.codes, .ranges = j.ranges}};
    return QZ_OK;
}

/* ---- the columns' order ---- */
/* Codes of permuted columns back in place, with the group of every column. */
static qz_status unpermute(const qz_gptq *g, qz_arena *arena, qz_code_result *x, qz_error *err) {
    size_t k = g->cols;
    uint8_t *codes = qz_arena_alloc(arena, x->rows * k, 1);
    uint32_t *idx = qz_arena_alloc(arena, k, sizeof *idx);
    if (!codes || !idx) return qz_fail(err, QZ_EMEMORY, "out of memory for codes");
    for (size_t i = 0; i < k; i++) idx[g->perm[i]] = (uint32_t)(i / g->o.codes.grid->group);
    for (size_t r = 0; r < x->rows; r++)
        for (size_t i = 0; i < k; i++) codes[r * k + g->perm[i]] = x->codes[r * k + i];
    x->codes = codes;
    x->g_idx = idx;
    return QZ_OK;
}

static qz_status solve_permuted(const qz_gptq *g, const qz_feedback_job *j, const float *w, size_t rows,
                                qz_feedback_result *out, qz_error *err) {
    size_t k = g->cols;
    float *p = qz_alloc_array(rows * k, sizeof *p);
    if (!p) return qz_fail(err, QZ_EMEMORY, "out of memory ordering a [%zu, %zu] tensor", rows, k);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < k; i++) p[r * k + i] = w[r * k + g->perm[i]];
    qz_status st = qz_feedback_solve(j, p, rows, out, err);
    qz_free(p);
    return st == QZ_OK ? unpermute(g, j->arena, &out->codes, err) : st;
}

enum { PART = 256 }; /* columns decoded at a time */

void qz_quantized_measure(const float *w, qz_quantized *q) {
    double sum = 0;
    for (size_t r = 0; r < q->rows; r++)
        for (size_t at = 0; at < q->cols; at += PART) {
            float y[PART];
            const size_t n = q->cols - at < PART ? q->cols - at : PART;
            q->coded->ops->decode(q->coded, r, at, n, y);
            for (size_t c = 0; c < n; c++) {
                float d = w[r * q->cols + at + c] - y[c];
                sum += (double)(d * d);
            }
        }
    q->weight_mse = sum / (double)(q->rows * q->cols);
}

qz_status qz_gptq_quantize(qz_gptq *g, qz_mm *mm, const float *w, size_t rows, qz_arena *arena, qz_quantized *out,
                           qz_error *err) {
    const qz_feedback_job j = {.run = g->run, .mm = mm, .h = &g->h, .o = &g->o.codes, .arena = arena};
    const qz_code_grid *grid = g->o.codes.grid;
    qz_feedback_result x;
    if (g->fallback) QZ_TRY(fall_back(g, w, rows, arena, &x, err));
    else if (g->perm) QZ_TRY(solve_permuted(g, &j, w, rows, &x, err));
    else QZ_TRY(qz_feedback_solve(&j, w, rows, &x, err));
    *out = (qz_quantized){.type = QZ_TYPE_CODED, .rows = rows, .cols = g->cols,
                          .coded = grid->ops->pack(grid, &x.codes, arena), .error = x.error,
                          .energy = x.energy};
    if (out->coded == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for codes");
    qz_quantized_measure(w, out);
    return QZ_OK;
}

void qz_quantized_decode(const qz_quantized *q, float *w) {
    if (q->coded == NULL) qz_type_get(q->type)->decode(q->blocks, q->rows * q->cols, w);
    for (size_t r = 0; q->coded && r < q->rows; r++) qz_coded_decode_row(q->coded, r, w + r * q->cols);
}

/* Below it float16 scales have under four bits: W4 of weights around 1e-5. */
#define LEAST_SCALE 0x1p-20f

qz_status qz_quantized_check_scales(const qz_quantized *q, bool any, qz_error *err) {
    const qz_code_layout l = q->coded->ops->layout(q->coded);
    float largest = 0;
    if (l.form != QZ_CODES_AFFINE) return QZ_OK; /* other kinds have scales of a wider range */
    for (size_t i = 0; i < q->rows * l.groups; i++) {
        int zero;
        float s = fabsf(q->coded->ops->scale(q->coded, i / l.groups, i % l.groups, &zero));
        largest = s > largest ? s : largest;
        if (s < 65504) continue; /* not a number fails too */
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "values do not fit int%u with float16 scales: tensor '%s', row %zu, group %zu: expected a scale "
                       "below 65504, found %g or more; choose gguf:BF16 or F32",
                       l.bits, q->name, i / l.groups, i % l.groups, (double)s);
    }
    if (!any || largest >= LEAST_SCALE) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "values do not fit int%u with float16 scales: tensor '%s': expected scales of %g and more, found at "
                   "most %g; choose gguf:BF16 or F32",
                   l.bits, q->name, (double)LEAST_SCALE, (double)largest);
}
