#include "artifacts/block_errors.h"
#include "artifacts/diff_int.h"
#include "base/json_write.h"
#include <math.h>

#define STEP 0.002
#define LEAST 5e-4 /* what the text can say */

bool qz_block_errors_begin(qz_block_errors *e, const qz_tensor_view *y) {
    if (y->coded == NULL || y->coded->ops->layout == NULL) return false;
    const qz_code_layout l = y->coded->ops->layout(y->coded);
    if (l.form != QZ_CODES_FLOAT || l.bits != 4 || l.group == 0 || y->cols % l.group != 0) return false;
    e->block = l.group;
    return true;
}

void qz_block_errors_row(qz_block_errors *e, const qz_tensor_view *y, size_t row, const float *w, const float *v) {
    for (size_t b = 0; b < y->cols / e->block; b++) {
        double error = 0, energy = 0;
        for (size_t k = b * e->block; k < (b + 1) * e->block; k++) {
            const double d = (double)w[k] - (double)v[k];
            error += d * d;
            energy += (double)w[k] * (double)w[k];
        }
        if (!(energy > 0)) continue;
        const double r = sqrt(error / energy);
        e->blocks++;
        e->sum += r;
        e->lost += r >= 1;
        e->bin[r < STEP * (QZ_BLOCK_BINS - 1) ? (size_t)(r / STEP) : QZ_BLOCK_BINS - 1]++;
        if (r <= e->worst && e->worst_tensor) continue;
        e->worst = r;
        e->worst_tensor = y->name;
        e->worst_row = row;
        e->worst_block = b;
    }
}

double qz_block_errors_p99(const qz_block_errors *e) {
    uint64_t below = 0;
    for (size_t i = 0; i + 1 < QZ_BLOCK_BINS; i++) {
        below += e->bin[i];
        if ((double)below >= 0.99 * (double)e->blocks) return fmin(STEP * (double)(i + 1), e->worst);
    }
    return e->worst;
}

qz_status qz_block_errors_of(const qz_artifact_plan *plan, const qz_source *s, qz_model *m, qz_block_errors *out,
                             qz_error *err) {
    const qz_source made = {.model = m};
    qz_arena arena = {0};
    qz_diff_folds folds = {0};
    qz_status st = s->model->loose ? QZ_OK : qz_diff_folds_find(s, &made, &arena, &folds, err);
    *out = (qz_block_errors){0};
    for (size_t i = 0; i < plan->n_items && st == QZ_OK; i++) {
        const qz_artifact_item *it = &plan->items[i];
        const qz_tensor_view *y = it->type == QZ_TYPE_CODED && it->source ? qz_model_find(m, it->name) : NULL;
        qz_diff_sums sums = {.blocks = out};
        if (y == NULL || y->rows != it->rows || y->cols != it->cols || !qz_block_errors_begin(out, y)) continue;
        const qz_tensor_view *first = s->model->tensors, *x = it->source;
        const bool listed = folds.of && x >= first && x < first + s->model->n_tensors;
        st = qz_diff_compare(s, &made, x, y, listed ? &folds.of[x - first] : NULL, &sums, err);
    }
    qz_arena_release(&arena);
    return st;
}

void qz_block_errors_text(const qz_block_errors *e, qz_str *s) {
    if (e->worst < LEAST) return;
    qz_str_printf(s,
                  "error of blocks of %zu: mean %.1f %%, 99 %% below %.1f %%, worst %.1f %% (%s, row %zu, block %zu); "
                  "of %llu blocks %llu lose%s everything",
                  e->block, 100 * e->sum / (double)e->blocks, 100 * qz_block_errors_p99(e), 100 * e->worst,
                  e->worst_tensor, e->worst_row, e->worst_block, (unsigned long long)e->blocks,
                  (unsigned long long)e->lost, e->lost == 1 ? "s" : "");
}

void qz_block_errors_json(const qz_block_errors *e, qz_str *s) {
    qz_json_writer w = {.out = s};
    qz_jw_open(&w, NULL, '{');
    qz_jw_count(&w, "block", e->block);
    qz_jw_count(&w, "blocks", e->blocks);
    qz_jw_count(&w, "lost", e->lost);
    qz_jw_real(&w, "mean", e->blocks ? e->sum / (double)e->blocks : 0);
    qz_jw_real(&w, "p99", qz_block_errors_p99(e));
    qz_jw_real(&w, "max", e->worst);
    if (e->worst_tensor) {
        qz_jw_text(&w, "max_tensor", e->worst_tensor);
        qz_jw_count(&w, "max_row", e->worst_row);
        qz_jw_count(&w, "max_block", e->worst_block);
    }
    qz_jw_close(&w, '}');
}
