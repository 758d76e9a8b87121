#include "produce/proof.h"
#include "artifacts/artifact.h"
#include "artifacts/block_errors.h"
#include "artifacts/folder.h"
#include "artifacts/loose.h"
#include "artifacts/open.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"
#include "methods/block_search.h"
#include <string.h>

/* The file is not what was put into it: the machine's fault far more often than the program's. */
#define DAMAGED \
    "; the disk, the memory or another program changed them: look at the disk, then run again, and report it if it " \
    "comes back"
enum { KEYS = 2048, LANES = 8, SMALL = 1 << 14 }; /* SMALL: values that one thread reads faster than two wake up */

static uint64_t mix(uint64_t h) { /* splitmix64 */
    h = (h ^ h >> 30) * 0xbf58476d1ce4e5b9u;
    h = (h ^ h >> 27) * 0x94d049bb133111ebu;
    return h ^ h >> 31;
}

/* Hash of one row: sums of products of keyed neighbours (NH of UMAC), eight lanes at a time, so that it runs as fast as
 * the decoder writes. -0 counts as 0. *bad: the row holds NaN or an infinity. */
static uint64_t row_hash(const uint32_t *restrict keys, const float *restrict x, size_t n, bool *bad) {
    uint64_t h = n;
    uint32_t wild = 0;
    for (size_t at = 0; at < n; at += KEYS) {
        size_t m = qz_min_size(n - at, KEYS), k = 0;
        uint64_t acc[LANES] = {0};
        for (; k + 2 * LANES <= m; k += 2 * LANES) {
            uint32_t u[2 * LANES];
            float v[2 * LANES];
            for (size_t t = 0; t < 2 * LANES; t++) v[t] = x[at + k + t] + 0.0f;
            memcpy(u, v, sizeof u);
            /* top bit: exponent is all ones */
            for (size_t t = 0; t < 2 * LANES; t++) wild |= (u[t] & 0x7fffffffu) + 0x00800000u;
            for (size_t t = 0; t < LANES; t++)
                acc[t] += (uint64_t)(u[t] + keys[k + t]) * (u[t + LANES] + keys[k + t + LANES]);
        }
        for (; k < m; k++) {
            uint32_t u;
            float v = x[at + k] + 0.0f;
            memcpy(&u, &v, sizeof u);
            wild |= (u & 0x7fffffffu) + 0x00800000u;
            /* odd factor: each value counts */
            acc[k % LANES] += (uint64_t)(u + keys[k]) * (keys[KEYS + k % LANES] | 1u);
        }
        for (size_t t = 0; t < LANES; t++) h = mix(h + acc[t]);
    }
    *bad = wild >> 31;
    return h;
}

/* The same of a row as it is stored: what it decodes to follows from its bytes and its type. */
static uint64_t byte_hash(const uint8_t *p, size_t n) {
    qz_sum64 sum = {0};
    qz_sum64_update(&sum, p, n);
    return qz_sum64_final(&sum);
}

/* ---- rows from anywhere, over all threads ---- */
typedef struct row_source {
    void (*decode)(const struct row_source *s, size_t r, float *y, float *scratch); /* scratch: 2·widest */
    /* NULL: the values are summed, else these bytes */
    const uint8_t *(*stored)(const struct row_source *s, size_t r, float *scratch);
    const qz_artifact_item *item;
    const qz_quantized *q;
    const float *data;
    const qz_tensor_view *view;
    qz_decoder_fn decoder; /* of the type that the rows are stored in */
    bool as_filed;        /* rows come in the order of the file */
    size_t row_bytes;     /* where stored */
    size_t rows, cols, first; /* first: place of row 0 among the item's */
} row_source;
typedef struct { const qz_proof *p; const row_source *s; size_t threads; } sum_job;

/* A vector that is permuted moves its elements. */
static void unpermute(const qz_artifact_item *it, size_t n, float *y, float *scratch) {
    memcpy(scratch, y, n * sizeof *y);
    for (size_t i = 0; i < n; i++) y[qz_item_source_row(it, n, i)] = scratch[i];
}

static void sum_rows(void *arg, qz_part part) {
    const sum_job *j = arg;
    const row_source *s = j->s;
    float *y = j->p->rows + part.thread * 3 * j->p->widest, *scratch = y + j->p->widest;
    size_t lo, hi, bad_row = SIZE_MAX;
    uint64_t sum = 0;
    bool bad;
    qz_split(s->rows, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++) {
        size_t place = s->first + r;
        if (!s->stored) s->decode(s, r, y, scratch);
        if (s->as_filed && s->item->permute != QZ_PERMUTE_NONE) {
            if (s->item->rows == 1) unpermute(s->item, s->cols, y, scratch);
            else place = qz_item_source_row(s->item, s->item->rows, place);
        }
        bad = false;
        const uint64_t h = s->stored ? byte_hash(s->stored(s, r, scratch), s->row_bytes)
                                     : row_hash(j->p->keys, y, s->cols, &bad);
        sum += mix(h + 0x9e3779b97f4a7c15u * (place + 1));
        if (bad && bad_row == SIZE_MAX) bad_row = place;
    }
    j->p->parts[2 * part.thread] += sum;
    j->p->parts[2 * part.thread + 1] = qz_min_size(bad_row, j->p->parts[2 * part.thread + 1]);
}

/* *bad_row: the first row with a non-finite value, or SIZE_MAX. */
static uint64_t sum_of(const qz_proof *p, const row_source *s, size_t *bad_row) {
    bool alone = s->rows < 2 || s->rows * s->cols < SMALL;
    qz_pool *pool = alone ? NULL : p->run->pool;
    sum_job j = {p, s, qz_pool_size(pool)};
    uint64_t sum = 0;
    *bad_row = SIZE_MAX;
    for (size_t i = 0; i < j.threads; i++) p->parts[2 * i] = 0, p->parts[2 * i + 1] = SIZE_MAX;
    qz_pool_run(pool, 0, sum_rows, &j);
    for (size_t i = 0; i < j.threads; i++) {
        sum += p->parts[2 * i];
        *bad_row = qz_min_size(*bad_row, p->parts[2 * i + 1]);
    }
    return sum;
}

static const uint8_t *stored_row(const qz_tensor_view *t, size_t r) {
    const qz_type_info *info = qz_type_get(t->type);
    return (const uint8_t *)t->data + r * (t->cols / info->elems * info->bytes);
}

/* Blocks, and matrices of 16-bit floats, are proved by their bytes: both sides would go through one decoder. Vectors,
 * to which a reader may add, and what is coded as a whole are proved by their values. */
static bool by_bytes(const qz_artifact_item *it, size_t *row_bytes) {
    if (it->type >= QZ_TYPE_COUNT) return false;
    const qz_type_info *info = qz_type_get(it->type);
    *row_bytes = it->cols / info->elems * info->bytes;
    return info->kind != QZ_KIND_FLOAT || (it->type != QZ_TYPE_F32 && it->rows > 1);
}

/* ---- what is meant ---- */
static const uint8_t *bytes_of_blocks(const row_source *s, size_t r, float *scratch) {
    (void)scratch;
    return s->q->blocks + r * s->row_bytes;
}
static void decode_blocks(const row_source *s, size_t r, float *y, float *scratch) {
    (void)scratch;
    s->decoder(s->q->blocks + r * (s->q->bytes / s->q->rows), s->cols, y);
}
static void decode_codes(const row_source *s, size_t r, float *y, float *scratch) {
    (void)scratch;
    qz_coded_decode_row(s->q->coded, r, y);
}
/* A row of a float tensor converted to the item's type. */
static const uint8_t *bytes_of_float(const row_source *s, size_t r, float *scratch) {
    const float *x = s->data ? s->data + r * s->cols : scratch;
    uint8_t *coded = (uint8_t *)(scratch + s->cols);
    const qz_tensor_view *t = s->item->source;
    if (!s->data && t->type == s->item->type && t->data && qz_tensor_as_stored(t))
        return stored_row(t, r); /* as it is */
    if (!s->data) qz_tensor_decode(t, r, 1, scratch);
    qz_type_get(s->item->type)->encode(x, NULL, s->cols, coded);
    return coded;
}
static void decode_float(const row_source *s, size_t r, float *y, float *scratch) {
    s->decoder(bytes_of_float(s, r, scratch), s->cols, y);
}

static qz_status add(qz_proof *p, row_source s, qz_error *err) {
    const qz_artifact_item *it = &p->plan->items[p->current];
    size_t bad = SIZE_MAX;
    s.item = it;
    s.first = p->row;
    if (!by_bytes(it, &s.row_bytes)) s.stored = NULL;
    if (s.cols != it->cols || s.rows > it->rows - p->row)
        return qz_fail(err, QZ_EBUG, "proof of '%s': expected %zu rows of %zu values, found %zu of %zu", it->name,
                       it->rows - p->row, it->cols, s.rows, s.cols);
    if (s.stored && s.q && !s.q->finite) { /* nobody has looked at the values yet */
        row_source values = s;
        values.stored = NULL;
        (void)sum_of(p, &values, &bad);
    }
    size_t bad_value;
    p->sums[p->current] += sum_of(p, &s, &bad_value);
    bad = qz_min_size(bad, bad_value);
    p->row += s.rows;
    if (bad != SIZE_MAX && s.q != NULL) /* float tensors: the writer says which element does not fit */
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "values do not fit %s: tensor '%s', row %zu: expected finite numbers after coding, found none; "
                       "choose a level with bf16 or f32",
                       it->type < QZ_TYPE_COUNT ? qz_type_get(it->type)->name : p->plan->spec.name, it->name, bad);
    p->known[p->current] = p->row == it->rows;
    if (p->writer) qz_artifact_writer_meant(p->writer, p->current, p->sums[p->current]);
    return QZ_OK;
}

qz_status qz_proof_blocks(qz_proof *p, const qz_quantized *q, qz_error *err) {
    return add(p, (row_source){.decode = decode_blocks, .stored = bytes_of_blocks,
                               .decoder = qz_block_decoder(p->run, q->type), .q = q, .rows = q->rows, .cols = q->cols},
               err);
}
qz_status qz_proof_codes(qz_proof *p, const qz_quantized *q, qz_error *err) {
    return add(p, (row_source){.decode = decode_codes, .q = q, .rows = q->rows, .cols = q->cols,
                               .as_filed = qz_item_code_kind(p->plan, &p->plan->items[p->current])->as_filed}, err);
}
qz_status qz_proof_float(qz_proof *p, qz_error *err) {
    const qz_artifact_item *it = &p->plan->items[p->current];
    return add(p, (row_source){.decode = decode_float, .stored = bytes_of_float,
                               .decoder = qz_block_decoder(p->run, it->type), .rows = it->rows, .cols = it->cols}, err);
}
qz_status qz_proof_folded(qz_proof *p, const qz_folded *f, qz_error *err) {
    const qz_type type = p->plan->items[p->current].type;
    return add(p, (row_source){.decode = decode_float, .stored = bytes_of_float,
                               .decoder = qz_block_decoder(p->run, type), .data = f->data, .rows = f->rows,
                               .cols = f->cols}, err);
}

qz_status qz_proof_open(qz_proof *p, qz_run *run, const qz_artifact_plan *plan, qz_error *err) {
    size_t widest = 1, threads = qz_pool_size(run->pool), total = 0;
    for (size_t i = 0; i < plan->n_items; i++)
        if (!plan->items[i].raw) widest = qz_max_size(widest, plan->items[i].cols);
    *p = (qz_proof){.run = run, .plan = plan, .widest = widest, .sums = qz_calloc_array(plan->n_items, sizeof *p->sums),
                    .known = qz_calloc_array(plan->n_items, 1),
                    .keys = qz_alloc_array(KEYS + LANES, sizeof *p->keys),
                    .parts = qz_alloc_array(2 * threads, sizeof *p->parts)};
    if (qz_mul_size(widest, 3 * threads, &total)) p->rows = qz_alloc_aligned(total, sizeof *p->rows);
    if (!p->sums || !p->known || !p->keys || !p->parts || !p->rows) {
        qz_proof_release(p);
        return qz_fail(err, QZ_EMEMORY, "out of memory for the proof of '%s'", plan->spec.name);
    }
    for (size_t i = 0; i < KEYS + LANES; i++) p->keys[i] = (uint32_t)(mix(0x9e3779b97f4a7c15u * (i + 1)) >> 32);
    return QZ_OK;
}
void qz_proof_attach(qz_proof *p, qz_artifact_writer *w) {
    p->writer = w;
    for (size_t i = 0; i < qz_artifact_writer_next(w); i++) {
        p->sums[i] = qz_artifact_writer_meant_of(w, i);
        p->known[i] = 1;
    }
}
void qz_proof_release(qz_proof *p) {
    qz_free(p->sums);
    qz_free(p->known);
    qz_free(p->keys);
    qz_free(p->parts);
    qz_free(p->rows);
    *p = (qz_proof){0};
}
void qz_proof_begin(qz_proof *p, size_t item) {
    p->current = item;
    p->row = 0;
    p->sums[item] = 0;
    p->known[item] = 0;
}

/* ---- what the file holds ---- */
static void decode_view(const row_source *s, size_t r, float *y, float *scratch) {
    (void)scratch;
    if (s->decoder) s->decoder(stored_row(s->view, r), s->cols, y);
    else qz_tensor_decode(s->view, r, 1, y);
}

static const uint8_t *bytes_of_view(const row_source *s, size_t r, float *scratch) {
    (void)scratch;
    return stored_row(s->view, r);
}

/* A tensor that the plan made itself stands in the file byte by byte. */
static qz_status compare_generated(const qz_artifact_plan *plan, const qz_artifact_item *it, const char *partial,
                                   qz_error *err) {
    char *path = qz_artifact_file_path(plan, partial, it->file);
    qz_map m = {0};
    if (path == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for the proof");
    qz_status st = qz_map_open(&m, path, err);
    if (st == QZ_OK && (it->offset > m.size || it->bytes > m.size - it->offset ||
                        memcmp(m.ptr + it->offset, it->generated, (size_t)it->bytes) != 0))
        st = qz_fail(err, QZ_EIO,
                     "proof failed: tensor '%s' holds other values than were written: file '%s', offset %llu" DAMAGED,
                     it->out_name, path, (unsigned long long)it->offset);
    qz_map_release(&m);
    qz_free(path);
    return st;
}

/* t: what the file holds of it, or NULL. */
static qz_status compare_view(const qz_proof *p, size_t i, const qz_tensor_view *t, qz_error *err) {
    const qz_artifact_item *it = &p->plan->items[i];
    size_t bad;
    if (!p->known[i]) return qz_fail(err, QZ_EBUG, "proof failed: nobody said what tensor '%s' is to hold", it->name);
    if (t == NULL || t->rows != it->rows || t->cols != it->cols)
        return qz_fail(err, QZ_EBUG,
                       "proof failed: tensor '%s' is missing or has another shape in the written artifact", it->name);
    const bool plain = t->data && qz_tensor_as_stored(t) && t->type < QZ_TYPE_COUNT;
    row_source s = {.decode = decode_view, .decoder = plain ? qz_block_decoder(p->run, t->type) : NULL, .item = it,
                    .view = t, .as_filed = true, .rows = t->rows, .cols = t->cols};
    if (by_bytes(it, &s.row_bytes)) {
        if (!plain || t->type != it->type)
            return qz_fail(err, QZ_EBUG, "proof failed: tensor '%s' is not stored as %s: file '%s', offset %llu",
                           it->name, qz_type_get(it->type)->name, t->file, (unsigned long long)t->offset);
        s.stored = bytes_of_view;
    }
    const uint64_t sum = sum_of(p, &s, &bad);
    if (sum != p->sums[i] && s.stored) { /* the more telling reason */
        s.stored = NULL;
        (void)sum_of(p, &s, &bad);
    }
    if (bad != SIZE_MAX)
        return qz_fail(err, QZ_ENUMERIC,
                       "proof failed: tensor '%s' holds a non-finite value, row %zu: file '%s', offset %llu", it->name,
                       bad, t->file, (unsigned long long)t->offset);
    if (sum != p->sums[i])
        return qz_fail(err, QZ_EIO,
                       "proof failed: tensor '%s' decodes to other values than were written (checksum %016llx "
                       "expected, found %016llx): file '%s', offset %llu" DAMAGED,
                       it->name, (unsigned long long)p->sums[i], (unsigned long long)sum, t->file,
                       (unsigned long long)t->offset);
    if (t->data) qz_map_forget(t->data, t->bytes);
    return QZ_OK;
}

/* A layer that predicts more tokens is no part of the model that reads the file: it stands at its place. */
static qz_status compare_head(const qz_proof *p, size_t i, const char *partial, qz_error *err) {
    const qz_artifact_item *it = &p->plan->items[i];
    char *path = qz_artifact_file_path(p->plan, partial, it->file);
    qz_map m = {0};
    if (path == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for the proof");
    qz_status st = qz_map_open(&m, path, err);
    if (st == QZ_OK) {
        const bool there = it->offset <= m.size && it->bytes <= m.size - it->offset;
        const qz_tensor_view t = {.name = it->name, .file_name = it->out_name, .type = it->type, .n_dims = it->n_dims,
                                  .rows = it->rows, .cols = it->cols, .data = (const uint8_t *)m.ptr + it->offset,
                                  .bytes = (size_t)it->bytes, .file = path, .offset = it->offset};
        st = compare_view(p, i, there ? &t : NULL, err);
    }
    qz_map_release(&m);
    qz_free(path);
    return st;
}

/* What was carried over is stored as it was. */
static qz_status compare_raw(const qz_artifact_item *it, const qz_model *m, qz_error *err) {
    const qz_st_tensor *a = it->raw, *b = qz_folder_stored(m, it->out_name);
    if (!b || b->dtype != a->dtype || b->n_dims != a->n_dims || memcmp(a->dims, b->dims, a->n_dims * sizeof *a->dims))
        return qz_fail(err, QZ_EBUG,
                       "proof failed: tensor '%s' is missing or has another shape or type in the written artifact",
                       it->name);
    if (a->bytes && memcmp(a->data, b->data, (size_t)a->bytes) != 0)
        return qz_fail(err, QZ_EIO, "proof failed: tensor '%s' holds other values than its source: '%s'" DAMAGED,
                       it->name, m->path);
    qz_map_forget(a->data, (size_t)a->bytes);
    qz_map_forget(b->data, (size_t)b->bytes);
    return QZ_OK;
}

qz_status qz_proof_compare_item(const qz_proof *p, size_t i, const qz_model *m, const char *partial, qz_error *err) {
    const qz_artifact_item *it = &p->plan->items[i];
    if (it->raw) return compare_raw(it, m, err);
    if (it->generated) return compare_generated(p->plan, it, partial, err);
    if (it->head) return compare_head(p, i, partial, err);
    return compare_view(p, i, qz_model_find(m, it->name), err);
}

qz_status qz_proof_compare(const qz_proof *p, const qz_model *m, const char *partial, qz_error *err) {
    for (size_t i = 0; i < p->plan->n_items; i++) QZ_TRY(qz_proof_compare_item(p, i, m, partial, err));
    return QZ_OK;
}

/* What single blocks lose, which no mean shows. */
static qz_status measure_blocks(const qz_proof *p, const qz_source *s, qz_model *m, qz_produced *out, qz_error *err) {
    qz_block_errors e;
    qz_str text = {0}, json = {0};
    QZ_TRY(qz_block_errors_of(p->plan, s, m, &e, err));
    if (e.blocks == 0) return QZ_OK;
    qz_block_errors_text(&e, &text);
    qz_block_errors_json(&e, &json);
    out->block_text = text.ptr;
    out->block_json = json.failed ? NULL : qz_strdup(json.ptr);
    if (p->writer && !json.failed) qz_artifact_writer_block_errors(p->writer, &json);
    qz_str_release(&json);
    return !text.failed && out->block_json ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
}

qz_status qz_proof_check(qz_run *run, const qz_proof *p, const qz_source *s, const char *partial, const char *data,
                         qz_produced *out, qz_error *err) {
    qz_model *m = NULL;
    /* what there is to say of the model was said of the source; this file's name is not its last */
    qz_run silent = *run;
    silent.log = NULL;
    silent.hook = NULL;
    silent.loose = s->model->loose != NULL;
    QZ_TRY(qz_artifact_open(&silent, partial, &m, err));
    qz_status st = qz_artifact_as_planned(p->plan, partial, err);
    if (st == QZ_OK) st = qz_proof_compare(p, m, partial, err);
    if (st == QZ_OK) st = measure_blocks(p, s, m, out, err);
    if (st == QZ_OK && silent.loose) qz_proof_not_run(s, out);
    else if (st == QZ_OK) st = qz_proof_text(run, s, m, data, out, err);
    qz_model_free(m);
    return st;
}
