#include "pipeline/proof.h"
#include "base/size.h"
#include <string.h>

/* Checksum of one row of floats; rows are added, so their order does not matter. -0 counts as 0. */
static uint64_t row_sum(const float *x, size_t n) {
    uint64_t h = 0x9e3779b97f4a7c15u;
    for (size_t k = 0; k < n; k++) {
        uint32_t u;
        float v = x[k] + 0.0f;
        memcpy(&u, &v, 4);
        h = (h ^ u) * 0x100000001b3u;
        h ^= h >> 29;
    }
    return h;
}

qz_status qz_proof_open(qz_proof *p, const qz_artifact_plan *plan, qz_error *err) {
    *p = (qz_proof){.plan = plan, .sums = qz_calloc_array(plan->n_items, sizeof *p->sums), .known = qz_calloc_array(plan->n_items, 1)};
    return p->sums && p->known ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for the proof of '%s'", plan->spec.name);
}
void qz_proof_release(qz_proof *p) {
    qz_free(p->sums);
    qz_free(p->known);
    *p = (qz_proof){0};
}
void qz_proof_begin(qz_proof *p, size_t item) {
    p->current = item;
    p->known[item] = 1;
}
void qz_proof_skip(qz_proof *p) { p->known[p->current] = 0; }

void qz_proof_blocks(qz_proof *p, const qz_quantized *q) {
    float *y = qz_alloc_array(q->cols, sizeof *y);
    if (y == NULL) {
        qz_proof_skip(p);
        return;
    }
    size_t row_bytes = q->bytes / q->rows;
    for (size_t r = 0; r < q->rows; r++) {
        qz_type_get(q->type)->decode(q->blocks + r * row_bytes, q->cols, y);
        p->sums[p->current] += row_sum(y, q->cols);
    }
    qz_free(y);
}

void qz_proof_codes(qz_proof *p, const qz_quantized *q) {
    float *y = qz_alloc_array(q->cols, sizeof *y);
    if (y == NULL) {
        qz_proof_skip(p);
        return;
    }
    size_t groups = q->cols / q->group_size;
    for (size_t r = 0; r < q->rows; r++) {
        if (q->bnb) qz_bnb_decode_row(q->bnb, r, y);
        for (size_t k = 0; !q->bnb && k < q->cols; k++) {
            size_t g = r * groups + (q->g_idx ? q->g_idx[k] : k / q->group_size);
            y[k] = (float)((int)q->codes[r * q->cols + k] - (int)q->zero_points[g]) * q->scales[g];
        }
        p->sums[p->current] += row_sum(y, q->cols);
    }
    qz_free(y);
}

/* Value a float tensor has after conversion to the item's type. */
static void convert_row(qz_type type, const float *x, size_t n, uint8_t *tmp, float *y) {
    const qz_type_info *info = qz_type_get(type);
    info->encode(x, NULL, n, tmp);
    info->decode(tmp, n, y);
}
void qz_proof_float(qz_proof *p, const qz_artifact_item *item) {
    if (item->source == NULL) {
        qz_proof_skip(p);
        return;
    }
    float *x = qz_alloc_array(item->cols, 3 * sizeof *x);
    if (x == NULL) {
        qz_proof_skip(p);
        return;
    }
    float *y = x + 2 * item->cols;
    for (size_t r = 0; r < item->rows; r++) {
        qz_tensor_decode(item->source, r, 1, item->rows == 1 ? y : x);
        for (size_t k = 0; item->rows == 1 && k < item->cols; k++) x[k] = y[qz_item_source_row(item, item->cols, k)]; /* a bias moves by element */
        convert_row(item->type, x, item->cols, (uint8_t *)(x + item->cols), y);
        p->sums[p->current] += row_sum(y, item->cols);
    }
    qz_free(x);
}

static qz_status compare(const qz_proof *p, const qz_model *m, qz_error *err) {
    size_t widest = 1;
    for (size_t i = 0; i < p->plan->n_items; i++) widest = qz_max_size(widest, p->plan->items[i].cols);
    float *y = qz_alloc_array(widest, sizeof *y);
    if (y == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for the proof");
    qz_status st = QZ_OK;
    for (size_t i = 0; i < p->plan->n_items && st == QZ_OK; i++) {
        const qz_artifact_item *item = &p->plan->items[i];
        if (!p->known[i] || item->source == NULL) continue;
        const qz_tensor_view *t = qz_model_find(m, item->name);
        uint64_t sum = 0;
        if (t == NULL || t->rows != item->rows || t->cols != item->cols) {
            st = qz_fail(err, QZ_EBUG, "proof failed: tensor '%s' is missing or has another shape in the written artifact", item->name);
            break;
        }
        for (size_t r = 0; r < t->rows; r++) {
            qz_tensor_decode(t, r, 1, y);
            sum += row_sum(y, t->cols);
        }
        if (sum != p->sums[i])
            st = qz_fail(err, QZ_EBUG, "proof failed: tensor '%s' decodes to other values than the method meant: file '%s', offset %llu", item->name,
                         t->file, (unsigned long long)t->offset);
    }
    qz_free(y);
    return st;
}

qz_status qz_proof_check(qz_run *run, const qz_proof *p, const qz_source *s, const char *partial, qz_produced *out, qz_error *err) {
    qz_model *m = NULL;
    QZ_TRY(qz_artifact_open(run, partial, &m, err));
    qz_status st = compare(p, m, err);
    if (st == QZ_OK) st = qz_proof_text(run, s, m, out, err);
    qz_model_free(m);
    return st;
}
