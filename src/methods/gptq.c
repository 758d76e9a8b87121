#include "methods/gptq.h"
#include "codecs/int_group.h"
#include "base/size.h"
#include "methods/feedback_int.h"
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
    if (g->o.codes.group_size == 0) g->o.codes.group_size = (uint32_t)cols;
    if (cols % g->o.codes.group_size != 0)
        return qz_fail(err, QZ_EUSAGE, "group_size %u does not divide in_features %zu; use a smaller group_size", g->o.codes.group_size, cols);
    g->o.codes.static_groups = o->static_groups && o->codes.reference;
    return QZ_OK;
}

qz_status qz_gptq_without(qz_gptq *g, qz_run *run, size_t cols, const qz_gptq_options *o, const char *reason, qz_error *err) {
    QZ_TRY(begin(g, run, cols, o, err));
    if (o->strict) return qz_fail(err, QZ_ENUMERIC, "%s", reason);
    g->fallback = true;
    (void)snprintf(g->reason, sizeof g->reason, "%.150s", reason);
    return QZ_OK;
}

qz_status qz_gptq_prepare(qz_gptq *g, qz_run *run, const double *gram, size_t cols, const qz_gptq_options *o, qz_error *err) {
    QZ_TRY(begin(g, run, cols, o, err));
    const bool grouped = g->o.codes.group_size < cols, reference = o->codes.reference;
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
    if (st == QZ_OK) st = qz_hessian_init(&g->h, run, permuted ? permuted : gram, cols, g->o.codes.group_size, o->damp > 0 ? o->damp : QZ_DAMP_USUAL, order, &why);
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

typedef struct {
    const qz_gptq *g;
    const float *w;
    size_t rows;
    uint8_t *codes, *zeros;
    float *scales;
} rtn_job;
static void rtn_rows(void *arg, qz_part part) {
    const rtn_job *j = arg;
    const qz_feedback_options *o = &j->g->o.codes;
    size_t k = j->g->cols, gs = o->group_size, groups = k / gs, lo, hi;
    qz_feedback_options shrink = *o;
    shrink.mse_norm = 2.4f;
    float qmax = (float)((1u << o->bits) - 1);
    qz_split(j->rows, 4, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++)
        for (size_t b = 0; b < groups; b++) {
            const float *t = j->w + r * k + b * gs;
            float s, z;
            qz_gptq_params(t, gs, &shrink, &s, &z);
            s = qz_round_scale(s);
            for (size_t c = 0; c < gs; c++) {
                float q = rintf(t[c] / s) + z;
                j->codes[r * k + b * gs + c] = (uint8_t)(q < 0 ? 0 : q > qmax ? qmax : q);
            }
            j->scales[r * groups + b] = s;
            j->zeros[r * groups + b] = (uint8_t)(z < 0 ? 0 : z > qmax ? qmax : z);
        }
}

static qz_status fall_back(const qz_gptq *g, const float *w, size_t rows, qz_arena *arena, qz_quantized *out, qz_error *err) {
    const qz_feedback_options *o = &g->o.codes;
    size_t k = g->cols, groups = k / o->group_size;
    rtn_job j = {g, w, rows, qz_arena_alloc(arena, rows * k, 1), qz_arena_alloc(arena, rows * groups, 1), qz_arena_alloc(arena, rows * groups, sizeof(float))};
    if (!j.codes || !j.zeros || !j.scales) return qz_fail(err, QZ_EMEMORY, "out of memory for codes");
    qz_pool_run(g->run->pool, 0, rtn_rows, &j);
    const qz_int_codes c = {.bits = o->bits, .group_size = o->group_size, .sym = o->sym, .codes = j.codes, .scales = j.scales, .zero_points = j.zeros};
    *out = (qz_quantized){.type = QZ_TYPE_CODED, .rows = rows, .cols = k, .coded = qz_int_codes_keep(c, rows, k, arena)};
    return out->coded ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for codes");
}

/* Codes of permuted columns back in place, with the group of every column. */
static qz_status unpermute(const qz_gptq *g, qz_arena *arena, qz_quantized *q, qz_error *err) {
    size_t k = g->cols;
    uint8_t *codes = qz_arena_alloc(arena, q->rows * k, 1);
    uint32_t *idx = qz_arena_alloc(arena, k, sizeof *idx);
    if (!codes || !idx) return qz_fail(err, QZ_EMEMORY, "out of memory for codes");
    qz_int_codes c = *qz_int_codes_of(q->coded);
    for (size_t i = 0; i < k; i++) idx[g->perm[i]] = (uint32_t)(i / c.group_size);
    for (size_t r = 0; r < q->rows; r++)
        for (size_t i = 0; i < k; i++) codes[r * k + g->perm[i]] = c.codes[r * k + i];
    c.codes = codes;
    c.g_idx = idx;
    q->coded = qz_int_codes_keep(c, q->rows, k, arena);
    return q->coded ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for codes");
}

enum { PART = 256 }; /* columns decoded at a time */

static void measure(const float *w, qz_quantized *q) {
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

qz_status qz_gptq_quantize(qz_gptq *g, qz_mm *mm, const float *w, size_t rows, qz_arena *arena, qz_quantized *out, qz_error *err) {
    size_t k = g->cols;
    if (g->fallback) QZ_TRY(fall_back(g, w, rows, arena, out, err));
    else if (g->perm) {
        float *p = qz_alloc_array(rows * k, sizeof *p);
        if (!p) return qz_fail(err, QZ_EMEMORY, "out of memory ordering a [%zu, %zu] tensor", rows, k);
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < k; i++) p[r * k + i] = w[r * k + g->perm[i]];
        qz_status st = qz_feedback_quantize(g->run, mm, p, rows, &g->h, &g->o.codes, arena, out, err);
        qz_free(p);
        if (st == QZ_OK) st = unpermute(g, arena, out, err);
        if (st != QZ_OK) return st;
    } else QZ_TRY(qz_feedback_quantize(g->run, mm, w, rows, &g->h, &g->o.codes, arena, out, err));
    measure(w, out);
    return QZ_OK;
}

void qz_quantized_decode(const qz_quantized *q, float *w) {
    for (size_t r = 0; r < q->rows; r++) qz_coded_decode_row(q->coded, r, w + r * q->cols);
}

/* Below it float16 scales have under four bits: W4 of weights around 1e-5. */
#define LEAST_SCALE 0x1p-20f

qz_status qz_quantized_check_scales(const qz_quantized *q, bool any, qz_error *err) {
    const qz_code_layout l = q->coded->ops->layout(q->coded);
    float largest = 0;
    for (size_t i = 0; i < q->rows * l.groups; i++) {
        int zero;
        float s = fabsf(q->coded->ops->scale(q->coded, i / l.groups, i % l.groups, &zero));
        largest = s > largest ? s : largest;
        if (s < 65504) continue; /* not a number fails too */
        return qz_fail(err, QZ_EUNSUPPORTED, "values do not fit int%u with float16 scales: tensor '%s', row %zu, group %zu: expected a scale below 65504, found %g or more; choose gguf:BF16 or F32",
                       l.bits, q->name, i / l.groups, i % l.groups, (double)s);
    }
    if (!any || largest >= LEAST_SCALE) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED, "values do not fit int%u with float16 scales: tensor '%s': expected scales of %g and more, found at most %g; choose gguf:BF16 or F32", l.bits, q->name,
                   (double)LEAST_SCALE, (double)largest);
}
