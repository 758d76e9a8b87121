/* For the tests of this folder: feeds a writer from a model with the reference encoders and round to nearest. */
#ifndef QZ_ARTIFACTS_TESTING_H
#define QZ_ARTIFACTS_TESTING_H
#include "artifacts/artifacts_int.h"
#include "base/size.h"

static inline qz_status put_int_group(qz_artifact_writer *w, const qz_artifact_item *it, const float *x, qz_error *err) {
    size_t groups = it->cols / it->group_size;
    uint8_t *codes = qz_alloc_array(it->rows, it->cols), *zeros = qz_alloc_array(it->rows, groups);
    float *scales = qz_alloc_array(it->rows * groups, sizeof *scales);
    for (size_t r = 0; r < it->rows; r++)
        qz_int_group_rtn_row(x + r * it->cols, it->cols, it->group_size, it->bits, it->sym, codes + r * it->cols, scales + r * groups, zeros + r * groups);
    qz_quantized q = { .name = it->name, .type = it->type, .rows = it->rows, .cols = it->cols, .codes = codes, .scales = scales, .zero_points = zeros,
                       .bits = it->bits, .group_size = it->group_size };
    qz_status st = qz_artifact_writer_put(w, &q, err);
    qz_free(codes);
    qz_free(zeros);
    qz_free(scales);
    return st;
}

static inline qz_status put_block_rows(qz_artifact_writer *w, const qz_artifact_item *it, const float *x, qz_error *err) {
    size_t row_bytes = 0, step = it->permute == QZ_PERMUTE_NONE ? 7 : it->rows; /* unpermuted tensors come in pieces */
    QZ_TRY(qz_row_bytes(it->type, it->cols, &row_bytes, err));
    uint8_t *blocks = qz_alloc_array(it->rows, row_bytes);
    qz_status st = QZ_OK;
    for (size_t r = 0; r < it->rows; r++) qz_type_get(it->type)->encode(x + r * it->cols, NULL, it->cols, blocks + r * row_bytes);
    for (size_t r = 0; r < it->rows && st == QZ_OK; r += step) {
        size_t n = qz_min_size(step, it->rows - r);
        qz_quantized q = { .name = it->name, .type = it->type, .rows = n, .cols = it->cols, .blocks = blocks + r * row_bytes, .bytes = n * row_bytes };
        st = qz_artifact_writer_put(w, &q, err);
    }
    qz_free(blocks);
    return st;
}

/* Puts items until `until` are complete. */
static inline qz_status feed(qz_artifact_writer *w, size_t until, qz_error *err) {
    while (qz_artifact_writer_next(w) < until) {
        const qz_artifact_item *it = &w->plan->items[qz_artifact_writer_next(w)];
        if (it->type != QZ_TYPE_INT_GROUP && qz_type_get(it->type)->kind == QZ_KIND_FLOAT) {
            QZ_TRY(qz_artifact_writer_put_view(w, it->source, err));
            continue;
        }
        float *x = qz_alloc_array(it->rows * it->cols, sizeof *x);
        qz_tensor_decode(it->source, 0, it->rows, x);
        qz_status st = it->type == QZ_TYPE_INT_GROUP ? put_int_group(w, it, x, err) : put_block_rows(w, it, x, err);
        qz_free(x);
        QZ_TRY(st);
    }
    return QZ_OK;
}
#endif
