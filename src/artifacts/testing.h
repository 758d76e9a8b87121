/* For the tests of this folder: feeds a writer from a model with the reference encoders and round to nearest. */
#ifndef QZ_ARTIFACTS_TESTING_H
#define QZ_ARTIFACTS_TESTING_H
#include "artifacts/artifacts_int.h"
#include "base/size.h"
#include "formats/imatrix.h"

/* Round to nearest; with act_order the groups are made of columns that do not stand side by side. */
static inline qz_status put_int_group(qz_artifact_writer *w, const qz_artifact_item *it, const float *x, qz_error *err) {
    size_t groups = it->cols / it->group_size;
    bool act = w->plan->spec.act_order && !w->plan->spec.static_groups;
    uint8_t *codes = qz_alloc_array(it->rows, it->cols), *zeros = qz_alloc_array(it->rows, groups), *in_order = qz_alloc_array(it->cols, 1);
    float *scales = qz_alloc_array(it->rows * groups, sizeof *scales), *row = qz_alloc_array(it->cols, sizeof *row);
    uint32_t *g_idx = qz_alloc_array(it->cols, sizeof *g_idx);
    size_t *at = qz_alloc_array(it->cols, sizeof *at);
    for (size_t k = 0; k < it->cols; k++) { /* column at[k] stands at place k; 11 is prime to every width of the zoo */
        at[k] = act ? (k * 11 + 5) % it->cols : k;
        g_idx[at[k]] = (uint32_t)(k / it->group_size);
    }
    for (size_t r = 0; r < it->rows; r++) {
        for (size_t k = 0; k < it->cols; k++) row[k] = x[r * it->cols + at[k]];
        qz_int_group_rtn_row(row, it->cols, it->group_size, it->bits, it->sym, in_order, scales + r * groups, zeros + r * groups);
        for (size_t k = 0; k < it->cols; k++) codes[r * it->cols + at[k]] = in_order[k];
    }
    qz_quantized q = { .name = it->name, .type = it->type, .rows = it->rows, .cols = it->cols, .codes = codes, .scales = scales, .zero_points = zeros,
                       .g_idx = act ? g_idx : NULL, .bits = it->bits, .group_size = it->group_size };
    qz_status st = qz_artifact_writer_put(w, &q, err);
    void *all[] = { codes, zeros, in_order, scales, row, g_idx, at };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) qz_free(all[i]);
    return st;
}

static inline qz_status put_block_rows(qz_artifact_writer *w, const qz_artifact_item *it, const float *x, const float *importance, qz_error *err) {
    size_t row_bytes = 0, step = it->permute == QZ_PERMUTE_NONE ? 7 : it->rows; /* unpermuted tensors come in pieces */
    QZ_TRY(qz_row_bytes(it->type, it->cols, &row_bytes, err));
    uint8_t *blocks = qz_alloc_array(it->rows, row_bytes);
    qz_status st = QZ_OK;
    for (size_t r = 0; r < it->rows; r++) qz_type_get(it->type)->encode(x + r * it->cols, importance, it->cols, blocks + r * row_bytes);
    for (size_t r = 0; r < it->rows && st == QZ_OK; r += step) {
        size_t n = qz_min_size(step, it->rows - r);
        qz_quantized q = { .name = it->name, .type = it->type, .rows = n, .cols = it->cols, .blocks = blocks + r * row_bytes, .bytes = n * row_bytes };
        st = qz_artifact_writer_put(w, &q, err);
    }
    qz_free(blocks);
    return st;
}

static inline qz_status put_bnb(qz_artifact_writer *w, const qz_artifact_item *it, const float *x, qz_error *err) {
    qz_arena a = {0};
    qz_bnb b;
    qz_quantized q = { .name = it->name, .type = it->type, .rows = it->rows, .cols = it->cols, .bnb = &b, .bits = it->bits, .group_size = it->group_size };
    qz_status st = qz_bnb_quantize(NULL, w->plan->spec.bnb, w->plan->spec.nested, it->source->type, x, it->rows, it->cols, &a, &b, err);
    if (st == QZ_OK) st = qz_artifact_writer_put(w, &q, err);
    qz_arena_release(&a);
    return st;
}

static inline qz_status put_encoded(qz_artifact_writer *w, const qz_artifact_item *it, const qz_imatrix *im, qz_error *err) {
    float *x = qz_alloc_array(it->rows * it->cols, sizeof *x), *imp = NULL;
    qz_status st = QZ_OK;
    qz_tensor_decode(it->source, 0, it->rows, x);
    if (im && it->importance_matters) {
        imp = qz_alloc_array(it->cols, sizeof *imp);
        st = qz_imatrix_weights(im, it->out_name, it->cols, imp, err);
    }
    if (st == QZ_OK) st = it->type == QZ_TYPE_BNB ? put_bnb(w, it, x, err) : it->type == QZ_TYPE_INT_GROUP ? put_int_group(w, it, x, err) : put_block_rows(w, it, x, imp, err);
    qz_free(imp);
    qz_free(x);
    return st;
}

/* Puts items until `until` are complete; im may be NULL. */
static inline qz_status feed_weighted(qz_artifact_writer *w, size_t until, const qz_imatrix *im, qz_error *err) {
    while (qz_artifact_writer_next(w) < until) {
        const qz_artifact_item *it = &w->plan->items[qz_artifact_writer_next(w)];
        bool plain = it->type < QZ_TYPE_COUNT && qz_type_get(it->type)->kind == QZ_KIND_FLOAT;
        QZ_TRY(plain ? qz_artifact_writer_put_view(w, it->source, err) : put_encoded(w, it, im, err));
    }
    return QZ_OK;
}
static inline qz_status feed(qz_artifact_writer *w, size_t until, qz_error *err) { return feed_weighted(w, until, NULL, err); }
#endif
