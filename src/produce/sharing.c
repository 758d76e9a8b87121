#include "produce/sharing.h"
#include "artifacts/folder_floats.h"
#include "artifacts/module_rules.h"
#include "base/json_write.h"
#include "base/size.h"
#include <math.h>
#include <stdio.h>

enum { ROWS = 64 };

/* One scale of the whole tensor: alone, or above the scales of blocks. */
static qz_status shares(const qz_artifact_plan *plan, const qz_artifact_item *it, bool *yes, qz_error *err) {
    qz_code_setting s;
    *yes = false;
    if (it->type != QZ_TYPE_CODED || it->source == NULL) return QZ_OK;
    QZ_TRY(qz_module_setting_of(&plan->spec, it->name, &s, err));
    *yes = !s.keep && s.element != QZ_ELEMENT_INT && (s.scale >= QZ_SCALE_E4M3 || s.block_rows == QZ_ALL_ROWS);
    return QZ_OK;
}

/* Squared error of plain rounding of w, rows of the item, under a scale for `amax`. */
static qz_status error_under(qz_run *run, const qz_artifact_plan *plan, qz_artifact_item it, const float *w,
                             double *error, qz_error *err) {
    qz_arena arena = {0};
    const qz_coded *c = NULL;
    float *y = qz_arena_alloc(&arena, it.cols, sizeof *y);
    qz_status st = y ? qz_artifact_round(run, plan, &it, w, &arena, &c, err)
                     : qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", it.name);
    *error = 0;
    for (size_t r = 0; r < it.rows && st == QZ_OK; r++) {
        qz_coded_decode_row(c, r, y);
        for (size_t k = 0; k < it.cols; k++) {
            const double d = (double)y[k] - (double)w[r * it.cols + k];
            *error += d * d;
        }
    }
    qz_arena_release(&arena);
    return st;
}

static float amax_of(const qz_artifact_item *it, float *row) {
    float most = 0;
    for (size_t r = 0; r < it->rows; r++) {
        qz_tensor_decode(it->source, r, 1, row);
        for (size_t k = 0; k < it->cols; k++) most = fmaxf(most, fabsf(row[k]));
    }
    return most;
}

static qz_status measure(qz_run *run, const qz_artifact_plan *plan, const qz_artifact_item *it, qz_sharing *out,
                         qz_error *err) {
    const size_t n = qz_min_size(ROWS, it->rows);
    float merged, *w = qz_alloc_array(n * it->cols, sizeof *w);
    double shared, own;
    if (w == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", it->name);
    qz_status st = qz_folder_merged_amax(plan, it, &merged, err);
    const float most = st == QZ_OK ? amax_of(it, w) : 0;
    out->linears++;
    if (st == QZ_OK && most > 0 && most < merged) {
        qz_artifact_item part = *it;
        part.rows = n;
        for (size_t i = 0; i < n; i++) qz_tensor_decode(it->source, i * it->rows / n, 1, w + i * it->cols);
        part.scale_amax = merged;
        st = error_under(run, plan, part, w, &shared, err);
        part.scale_amax = most;
        if (st == QZ_OK) st = error_under(run, plan, part, w, &own, err);
        if (st == QZ_OK) {
            out->raised++;
            out->shared += shared;
            out->own += own;
            if (own > 0 && (shared / own - 1 > out->worst || out->worst_name[0] == 0)) {
                out->worst = shared / own - 1;
                (void)snprintf(out->worst_name, sizeof out->worst_name, "%s", it->name);
            }
        }
    }
    qz_free(w);
    return st;
}

qz_status qz_sharing_measure(qz_run *run, const qz_artifact_plan *plan, qz_sharing *out, qz_error *err) {
    *out = (qz_sharing){0};
    for (size_t i = 0; i < plan->n_items && !plan->own_scales; i++) {
        bool yes;
        QZ_TRY(shares(plan, &plan->items[i], &yes, err));
        if (yes) QZ_TRY(measure(run, plan, &plan->items[i], out, err));
    }
    return QZ_OK;
}

static double rise(const qz_sharing *s) { return s->own > 0 ? s->shared / s->own - 1 : 0; }

void qz_sharing_line(const qz_sharing *s, qz_str *out) {
    if (s->linears == 0) return;
    if (s->raised == 0) {
        qz_str_printf(out, "  shared scales (q k v; gate up): none of %zu linears has a smaller range of its own\n",
                      s->linears);
        return;
    }
    qz_str_printf(out,
                  "  shared scales (q k v; gate up): %zu of %zu linears take a larger scale than their own; plain "
                  "rounding's squared error there %+.2f %%, most %+.2f %% (%s)\n",
                  s->raised, s->linears, 100 * rise(s), 100 * s->worst, s->worst_name);
}

void qz_sharing_json(const qz_sharing *s, qz_str *out) {
    qz_json_writer w = {.out = out};
    qz_jw_open(&w, NULL, '{');
    qz_jw_count(&w, "linears", s->linears);
    qz_jw_count(&w, "raised", s->raised);
    qz_jw_real(&w, "error_rise", rise(s));
    qz_jw_real(&w, "worst_rise", s->worst);
    qz_jw_text(&w, "worst", s->worst_name);
    qz_jw_close(&w, '}');
}
