/* safetensors writer: header from a plan, then data in plan order. Source: formats/safetensors.md section 5. */
#include "formats/safetensors.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/size.h"
#include <stdlib.h>
#include <string.h>

qz_status qz_st_item_bytes(const qz_st_item *item, uint64_t *bytes, qz_error *err) {
    uint64_t n = 1;
    if (item->n_dims > QZ_ST_MAX_DIMS)
        return qz_fail(err, QZ_EUSAGE, "too many dimensions: tensor '%s': expected at most %d, found %u", item->name,
                       QZ_ST_MAX_DIMS, item->n_dims);
    for (uint32_t i = 0; i < item->n_dims; i++)
        if (!qz_mul_u64(n, item->dims[i], &n))
            return qz_fail(err, QZ_EUSAGE, "shape overflows 64 bits: tensor '%s'", item->name);
    if (!qz_mul_u64(n, qz_st_dtype_bits(item->dtype), &n) || n % 8)
        return qz_fail(err, QZ_EUSAGE, "size is no whole number of bytes: tensor '%s'", item->name);
    *bytes = n / 8;
    return QZ_OK;
}

static int cmp_meta(const void *a, const void *b) {
    return strcmp(((const qz_st_meta *)a)->key, ((const qz_st_meta *)b)->key);
}
static int cmp_item(const void *a, const void *b) {
    const qz_st_item *x = a, *y = b;
    if (x->dtype != y->dtype) return x->dtype > y->dtype ? -1 : 1;
    return strcmp(x->name, y->name);
}
void qz_st_sort_items(qz_st_item *items, size_t n) {
    if (n) qsort(items, n, sizeof *items, cmp_item);
}

static qz_status put_meta(const qz_st_meta *meta, size_t n, qz_str *out, qz_error *err) {
    qz_st_meta *sorted = qz_alloc_array(n, sizeof *sorted);
    if (!sorted) return qz_fail(err, QZ_EMEMORY, "out of memory");
    memcpy(sorted, meta, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, cmp_meta);
    qz_str_puts(out, "\"__metadata__\":{");
    for (size_t i = 0; i < n; i++) {
        if (i) qz_str_putc(out, ',');
        qz_json_quote(out, sorted[i].key, strlen(sorted[i].key));
        qz_str_putc(out, ':');
        qz_json_quote(out, sorted[i].value, strlen(sorted[i].value));
    }
    qz_str_putc(out, '}');
    qz_free(sorted);
    return QZ_OK;
}

qz_status qz_st_header(const qz_st_item *items, size_t n, const qz_st_meta *meta, size_t n_meta, qz_str *out,
                       uint64_t *data_bytes, qz_error *err) {
    size_t base = out->len;
    uint64_t at = 0, bytes = 0;
    uint8_t length[8] = {0};
    qz_str_append(out, length, 8);
    qz_str_putc(out, '{');
    if (n_meta) QZ_TRY(put_meta(meta, n_meta, out, err));
    for (size_t i = 0; i < n; i++) {
        const qz_st_item *t = &items[i];
        QZ_TRY(qz_st_item_bytes(t, &bytes, err));
        if (i || n_meta) qz_str_putc(out, ',');
        qz_json_quote(out, t->name, strlen(t->name));
        qz_str_printf(out, ":{\"dtype\":\"%s\",\"shape\":[", qz_st_dtype_name(t->dtype));
        for (uint32_t k = 0; k < t->n_dims; k++)
            qz_str_printf(out, "%s%llu", k ? "," : "", (unsigned long long)t->dims[k]);
        uint64_t end = 0;
        if (!qz_add_u64(at, bytes, &end))
            return qz_fail(err, QZ_EUSAGE, "data overflows 64 bits: tensor '%s'", t->name);
        qz_str_printf(out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)at, (unsigned long long)end);
        at = end;
    }
    qz_str_putc(out, '}');
    while ((out->len - base) % 8) qz_str_putc(out, ' ');
    if (out->failed) return qz_fail(err, QZ_EMEMORY, "out of memory: safetensors header");
    if (out->len - base - 8 > QZ_ST_MAX_HEADER)
        return qz_fail(err, QZ_EUNSUPPORTED, "header too large: %zu bytes; write more shards", out->len - base - 8);
    qz_store_u64le(out->ptr + base, out->len - base - 8);
    *data_bytes = at;
    return QZ_OK;
}

/* Header bytes into `head`, absolute item ends into w->ends. */
static qz_status lay_out(qz_st_writer *w, const qz_st_plan *plan, qz_str *head, qz_error *err) {
    const size_t n = plan->n;
    uint64_t total = 0;
    memset(w, 0, sizeof *w);
    w->out.fd = -1;
    QZ_TRY(qz_st_header(plan->items, n, plan->meta, plan->n_meta, head, &total, err));
    w->ends = qz_alloc_array(n, sizeof *w->ends);
    if (!w->ends) return qz_fail(err, QZ_EMEMORY, "out of memory: %zu tensors", n);
    w->start = head->len;
    w->n = n;
    uint64_t at = head->len, bytes = 0;
    for (size_t i = 0; i < n; i++) {
        QZ_TRY(qz_st_item_bytes(&plan->items[i], &bytes, err));
        w->ends[i] = at += bytes;
    }
    return QZ_OK;
}

static void skip_full(qz_st_writer *w) {
    while (w->next < w->n && w->ends[w->next] <= w->out.size) w->next++;
}

qz_status qz_st_writer_open(qz_st_writer *w, const char *path, const qz_st_plan *plan, qz_error *err) {
    qz_str head = {0};
    qz_status st = QZ_OK;
    QZ_GOTO(lay_out(w, plan, &head, err));
    QZ_GOTO(qz_out_open(&w->out, path, err));
    QZ_GOTO(qz_out_write(&w->out, head.ptr, head.len, err));
    skip_full(w);
out:
    qz_str_release(&head);
    if (st != QZ_OK) qz_st_writer_abort(w, false);
    return st;
}

/* The partial file must begin with exactly this header: another plan cannot be continued. */
static qz_status same_header(const char *path, const qz_str *head, qz_error *err) {
    qz_map m = {0};
    char *partial = NULL;
    qz_str p = {0};
    qz_str_printf(&p, "%s.partial", path);
    partial = p.ptr;
    if (p.failed || !partial) {
        qz_str_release(&p);
        return qz_fail(err, QZ_EMEMORY, "out of memory");
    }
    qz_status st = qz_map_open(&m, partial, err);
    if (st == QZ_OK && (m.size < head->len || memcmp(m.ptr, head->ptr, head->len)))
        st = qz_fail(err, QZ_EUSAGE,
                     "cannot resume: file '%s': its header belongs to another plan; start again with --force", partial);
    qz_map_release(&m);
    qz_str_release(&p);
    return st;
}

qz_status qz_st_writer_resume(qz_st_writer *w, const char *path, const qz_st_plan *plan, size_t done,
                              qz_error *err) {
    qz_str head = {0};
    qz_status st = QZ_OK;
    QZ_GOTO(lay_out(w, plan, &head, err));
    if (done > plan->n) {
        st = qz_fail(err, QZ_EBUG, "cannot resume: file '%s': %zu of %zu tensors", path, done, plan->n);
        goto out;
    }
    QZ_GOTO(same_header(path, &head, err));
    QZ_GOTO(qz_out_resume(&w->out, path, done ? w->ends[done - 1] : w->start, err));
    w->next = done;
    skip_full(w);
out:
    qz_str_release(&head);
    if (st != QZ_OK) qz_st_writer_abort(w, true);
    return st;
}

qz_status qz_st_writer_write(qz_st_writer *w, const void *bytes, size_t n, qz_error *err) {
    if (n > qz_st_writer_left(w))
        return qz_fail(err, QZ_EBUG, "too many bytes: file '%s', item %zu: %llu left, %zu given", w->out.path, w->next,
                       (unsigned long long)qz_st_writer_left(w), n);
    QZ_TRY(qz_out_write(&w->out, bytes, n, err));
    skip_full(w);
    return QZ_OK;
}

uint64_t qz_st_writer_left(const qz_st_writer *w) { return w->next < w->n ? w->ends[w->next] - w->out.size : 0; }

qz_status qz_st_writer_commit(qz_st_writer *w, char sha_hex[65], qz_error *err) {
    if (w->next < w->n)
        return qz_fail(err, QZ_EBUG, "incomplete file: file '%s': %zu of %zu tensors written", w->out.path, w->next,
                       w->n);
    QZ_TRY(qz_out_commit(&w->out, sha_hex, err));
    qz_st_writer_abort(w, false); /* a committed stream is only released */
    return QZ_OK;
}

void qz_st_writer_abort(qz_st_writer *w, bool keep_partial) {
    qz_out_abort(&w->out, keep_partial);
    qz_free(w->ends);
    memset(w, 0, sizeof *w);
    w->out.fd = -1;
}
