/* Scales that a method moved from one operation into the next (AWQ): found from the values of both models alone,
 * whatever container holds them, so that the product of the pair is compared. Input by input in the order of the
 * block, because the rows that give a scale are themselves columns of an earlier one. */
#include "artifacts/diff_int.h"
#include "base/size.h"
#include "model/sites.h"
#include <math.h>

/* A fold is one if the linears that read it then differ by clearly less; rounding alone never gives that. */
#define GAIN 0.9

static qz_status floats(qz_arena *arena, size_t n, float **out, qz_error *err) {
    *out = qz_arena_alloc(arena, n, sizeof **out);
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory comparing scales");
    for (size_t i = 0; i < n; i++) (*out)[i] = 1;
    return QZ_OK;
}

static qz_diff_scale *scale_of(qz_diff_folds *f, const qz_tensor_view *x) { return &f->of[x - f->a->model->tensors]; }

/* The tensor of each model under one name and of one shape; false: not both have it. */
typedef struct {
    const qz_tensor_view *x, *y;
} pair;
static bool both(const qz_diff_folds *f, const qz_tensor_view *view, pair *p) {
    p->x = view ? qz_model_find(f->a->model, view->name) : NULL;
    p->y = p->x ? qz_model_find(f->b->model, p->x->name) : NULL;
    return p->y && p->x->rows == p->y->rows && p->x->cols == p->y->cols;
}

/* ---- the scales of one input ---- */
/* From the norm: gain of a over gain of b. False: the norms are equal. */
static qz_status from_norm(qz_diff_folds *f, const pair *norm, float *s, bool *any, qz_error *err) {
    const size_t n = norm->x->cols;
    const float more_a = qz_model_lacks(f->a->model, norm->x->name),
                more_b = qz_model_lacks(f->b->model, norm->y->name);
    float *u = qz_alloc_array(n, sizeof *u), *v = qz_alloc_array(n, sizeof *v);
    qz_status st = u && v ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory comparing '%s'", norm->x->name);
    if (st == QZ_OK) {
        qz_tensor_decode(norm->x, 0, 1, u);
        qz_tensor_decode(norm->y, 0, 1, v);
    }
    for (size_t k = 0; k < n && st == QZ_OK; k++) {
        const float r = (u[k] + more_a) / (v[k] + more_b);
        if (!isfinite(r) || r == 0) continue;
        s[k] = r;
        *any |= fabsf(r - 1) > 1e-3f; /* beyond what a float type of 8 bits of fraction rounds */
    }
    qz_free(u);
    qz_free(v);
    return st;
}

/* From the rows of an earlier linear: how far each row of b must be stretched to be that of a. */
typedef struct { float *rows, *s; size_t cols; bool *any; } stretch; /* rows: of b; s [cols]: of the input after them */
static qz_status from_rows(qz_diff_folds *f, const pair *before, const qz_fold *fold, const stretch *out,
                           qz_error *err) {
    const size_t n = before->x->cols;
    const float *col = scale_of(f, before->x)->col;
    float *u = qz_alloc_array(n, sizeof *u), *v = qz_alloc_array(n, sizeof *v);
    qz_status st = u && v ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory comparing '%s'", before->x->name);
    for (size_t r = 0; r < before->x->rows && st == QZ_OK; r++) {
        double aa = 0, ab = 0, bb = 0;
        qz_tensor_decode(before->x, r, 1, u);
        qz_tensor_decode(before->y, r, 1, v);
        for (size_t k = 0; k < n; k++) {
            const double b = (double)v[k] * (col ? (double)col[k] : 1);
            aa += (double)u[k] * (double)u[k];
            ab += (double)u[k] * b;
            bb += b * b;
        }
        if (fabs(ab) > 0.1 * sqrt(aa * bb) && isfinite(aa / ab)) out->rows[r] = (float)(aa / ab);
        *out->any |= fabsf(out->rows[r] - 1) > 0.02f;
        const size_t first = qz_fold_column(fold, r);
        for (size_t k = 0; k < qz_max_size(fold->share, 1); k++)
            if (first + k * fold->width < out->cols) out->s[first + k * fold->width] = out->rows[r];
    }
    qz_free(u);
    qz_free(v);
    return st;
}

/* ---- is it a fold? ---- */
static qz_status judge(qz_diff_folds *f, const qz_block *block, const qz_input *in, const float *inverse, bool *folded,
                       qz_error *err) {
    double raw = 0, scaled = 0;
    for (size_t l = in->first; l < in->first + in->n; l++) {
        pair p;
        qz_diff_sums s = {0}, t = {0};
        if (!both(f, qz_block_linear(block, l, in->expert), &p) || p.x->cols != in->cols) continue;
        QZ_TRY(qz_diff_compare(f->a, f->b, p.x, p.y, NULL, &s, err));
        QZ_TRY(qz_diff_compare(f->a, f->b, p.x, p.y, &(qz_diff_scale){.col = inverse}, &t, err));
        raw += s.error;
        scaled += t.error;
    }
    *folded = scaled < GAIN * raw;
    return QZ_OK;
}

static void accept(qz_diff_folds *f, const qz_block *block, const qz_input *in, const float *inverse) {
    for (size_t l = in->first; l < in->first + in->n; l++) {
        pair p;
        if (both(f, qz_block_linear(block, l, in->expert), &p) && p.x->cols == in->cols)
            scale_of(f, p.x)->col = inverse;
    }
    f->n++;
}

static qz_status fold_of(qz_diff_folds *f, size_t layer, const qz_input *in, qz_arena *arena, qz_error *err) {
    const qz_block *block = &f->a->model->blocks[layer];
    const qz_fold fold = qz_fold_of(&f->a->model->config, layer, in);
    const bool norm = fold.kind == QZ_FOLD_NORM;
    bool any = false, folded = false;
    float *s, *inverse, *rows = NULL;
    pair p;
    if (fold.kind != QZ_FOLD_NORM && fold.kind != QZ_FOLD_ROWS) return QZ_OK;
    if (!both(f, norm ? block->norm[fold.norm] : qz_block_linear(block, fold.linear, in->expert), &p)) return QZ_OK;
    if (norm && p.x->cols != in->cols) return QZ_OK;
    QZ_TRY(floats(arena, in->cols, &s, err));
    QZ_TRY(floats(arena, in->cols, &inverse, err));
    if (!norm) QZ_TRY(floats(arena, p.x->rows, &rows, err));
    QZ_TRY(norm ? from_norm(f, &p, s, &any, err)
                : from_rows(f, &p, &fold, &(stretch){rows, s, in->cols, &any}, err));
    for (size_t k = 0; k < in->cols; k++) inverse[k] = 1 / s[k];
    if (any) QZ_TRY(judge(f, block, in, inverse, &folded, err));
    if (!folded) return QZ_OK;
    if (norm) scale_of(f, p.x)->col = s;
    else scale_of(f, p.x)->row = rows;
    const qz_tensor_view *bias = !norm && in->expert < 0 ? block->bias[fold.linear] : NULL;
    if (bias && both(f, bias, &p)) scale_of(f, p.x)->col = rows;
    accept(f, block, in, inverse);
    return QZ_OK;
}

qz_status qz_diff_folds_find(const qz_source *a, const qz_source *b, qz_arena *arena, qz_diff_folds *out,
                             qz_error *err) {
    qz_input_widths w;
    *out = (qz_diff_folds){.a = a, .b = b, .of = qz_arena_calloc(arena, a->model->n_tensors + 1, sizeof *out->of)};
    if (out->of == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory comparing");
    if (a->model->config.layers != b->model->config.layers) return QZ_OK;
    qz_input_widths_of(&a->model->config, &w);
    for (size_t l = 0; l < a->model->config.layers; l++)
        for (size_t i = 0; i < qz_inputs(&w, l); i++) {
            const qz_input in = qz_input_at(&w, l, i);
            QZ_TRY(fold_of(out, l, &in, arena, err));
        }
    return QZ_OK;
}
