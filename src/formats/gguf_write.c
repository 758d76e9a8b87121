/* GGUF v3 writer: header from metadata and a tensor plan, then data in plan order, each tensor padded to the
 * alignment that its own keys say (32 without general.alignment; the reference pads to 32 whatever the key says, and
 * cannot read that file). Source: formats/gguf-container.md sections 1 and 7. */
#include "formats/gguf.h"
#include "base/bytes.h"
#include "base/size.h"
#include <string.h>

qz_status qz_gguf_item_bytes(const qz_gguf_item *t, uint64_t *bytes, qz_error *err) {
    const qz_gguf_type *type = qz_gguf_type_get(t->type);
    uint64_t elems = 1;
    bool ok = type && t->n_dims >= 1 && t->n_dims <= QZ_GGUF_MAX_DIMS && t->dims[0] % type->elems == 0;
    for (uint32_t i = 0; ok && i < t->n_dims; i++) ok = t->dims[i] >= 1 && qz_mul_u64(elems, t->dims[i], &elems);
    if (!ok || !qz_mul_u64(elems / type->elems, type->bytes, bytes))
        return qz_fail(err, QZ_EUSAGE, "bad tensor plan: tensor '%s': row of %llu values, type %u (%s)", t->name,
                       (unsigned long long)t->dims[0], t->type, type ? type->name : "unknown");
    return QZ_OK;
}

static void put_u32(qz_str *s, uint32_t v) {
    uint8_t b[4];
    qz_store_u32le(b, v);
    qz_str_append(s, b, 4);
}
static void put_u64(qz_str *s, uint64_t v) {
    uint8_t b[8];
    qz_store_u64le(b, v);
    qz_str_append(s, b, 8);
}
static uint32_t alignment_of(const qz_gguf_meta *m) { return m->alignment ? m->alignment : QZ_GGUF_ALIGNMENT; }
static bool pad(uint64_t v, uint32_t a, uint64_t *out) {
    return qz_add_u64(v, a - 1, out) && ((*out = *out / a * a), true);
}

/* Header with padding into head; *end = bytes of the data section, all tensors padded. */
static qz_status build(const qz_gguf_meta *m, const qz_gguf_item *items, size_t n, qz_str *head, uint64_t *end,
                       qz_error *err) {
    uint64_t at = 0, bytes = 0;
    qz_str_append(head, "GGUF", 4);
    put_u32(head, 3);
    put_u64(head, n);
    put_u64(head, m->n);
    qz_str_append(head, m->bytes.ptr ? m->bytes.ptr : "", m->bytes.len);
    for (size_t i = 0; i < n; i++) {
        const qz_gguf_item *t = &items[i];
        if (strlen(t->name) > 63)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "tensor name too long for GGUF: tensor '%s': expected at most 63 bytes", t->name);
        QZ_TRY(qz_gguf_item_bytes(t, &bytes, err));
        put_u64(head, strlen(t->name));
        qz_str_puts(head, t->name);
        put_u32(head, t->n_dims);
        for (uint32_t k = 0; k < t->n_dims; k++) put_u64(head, t->dims[k]);
        put_u32(head, t->type);
        put_u64(head, at);
        if (!qz_add_u64(at, bytes, &at) || !pad(at, alignment_of(m), &at))
            return qz_fail(err, QZ_EUSAGE, "data overflows 64 bits: tensor '%s'", t->name);
    }
    while (head->len % alignment_of(m) && !head->failed) qz_str_putc(head, 0);
    if (head->failed || m->bytes.failed) return qz_fail(err, QZ_EMEMORY, "out of memory: GGUF header");
    *end = at;
    return QZ_OK;
}

qz_status qz_gguf_file_size(const qz_gguf_meta *m, const qz_gguf_item *items, size_t n, uint64_t *size, qz_error *err) {
    qz_str head = {0};
    uint64_t data = 0;
    qz_status st = build(m, items, n, &head, &data, err);
    *size = head.len + data;
    qz_str_release(&head);
    return st;
}

static qz_status lay_out(qz_gguf_writer *w, const qz_gguf_meta *m, const qz_gguf_item *items, size_t n, qz_str *head,
                         qz_error *err) {
    uint64_t total = 0, bytes = 0;
    memset(w, 0, sizeof *w);
    w->out.fd = -1;
    QZ_TRY(build(m, items, n, head, &total, err));
    w->starts = qz_alloc_array(n, sizeof *w->starts);
    w->ends = qz_alloc_array(n, sizeof *w->ends);
    if (!w->starts || !w->ends) return qz_fail(err, QZ_EMEMORY, "out of memory: %zu tensors", n);
    w->data_start = head->len;
    w->alignment = alignment_of(m);
    w->n = n;
    uint64_t at = head->len;
    for (size_t i = 0; i < n; i++) {
        QZ_TRY(qz_gguf_item_bytes(&items[i], &bytes, err));
        w->starts[i] = at;
        w->ends[i] = at + bytes; /* build() has checked the sum */
        pad(w->ends[i], w->alignment, &at);
    }
    return QZ_OK;
}

qz_status qz_gguf_writer_open(qz_gguf_writer *w, const char *path, const qz_gguf_meta *m, const qz_gguf_item *items,
                              size_t n, qz_error *err) {
    qz_str head = {0};
    qz_status st = QZ_OK;
    QZ_GOTO(lay_out(w, m, items, n, &head, err));
    QZ_GOTO(qz_out_open(&w->out, path, err));
    QZ_GOTO(qz_out_write(&w->out, head.ptr, head.len, err));
out:
    qz_str_release(&head);
    if (st != QZ_OK) qz_gguf_writer_abort(w, false);
    return st;
}

static qz_status begins(const char *path, const qz_str *head, bool *yes, qz_error *err) {
    qz_map map = {0};
    QZ_TRY(qz_map_open(&map, path, err));
    *yes = map.size >= head->len && memcmp(map.ptr, head->ptr, head->len) == 0;
    qz_map_release(&map);
    return QZ_OK;
}

qz_status qz_gguf_begins(const char *path, const qz_gguf_meta *m, const qz_gguf_item *items, size_t n, bool *yes,
                         qz_error *err) {
    qz_str head = {0};
    uint64_t data = 0;
    qz_status st = build(m, items, n, &head, &data, err);
    if (st == QZ_OK) st = begins(path, &head, yes, err);
    qz_str_release(&head);
    return st;
}

static qz_status same_header(const char *path, const qz_str *head, qz_error *err) {
    qz_str p = {0};
    bool yes = false;
    qz_str_printf(&p, "%s.partial", path);
    qz_status st = p.failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : begins(p.ptr, head, &yes, err);
    if (st == QZ_OK && !yes)
        st = qz_fail(err, QZ_EUSAGE,
                     "cannot resume: file '%s': its header belongs to another plan; start again with --force", p.ptr);
    qz_str_release(&p);
    return st;
}

qz_status qz_gguf_writer_resume(qz_gguf_writer *w, const char *path, const qz_gguf_meta *m, const qz_gguf_item *items,
                                size_t n, size_t done, qz_error *err) {
    qz_str head = {0};
    qz_status st = QZ_OK;
    QZ_GOTO(lay_out(w, m, items, n, &head, err));
    if (done > n) {
        st = qz_fail(err, QZ_EBUG, "cannot resume: file '%s': %zu of %zu tensors", path, done, n);
        goto out;
    }
    QZ_GOTO(same_header(path, &head, err));
    uint64_t at = done ? w->ends[done - 1] : w->data_start;
    QZ_GOTO(qz_out_resume(&w->out, path, at, err));
    w->next = done;
    if (done) {
        pad(at, w->alignment, &at);
        QZ_GOTO(qz_out_zeros(&w->out, (size_t)(at - w->ends[done - 1]), err));
    }
out:
    qz_str_release(&head);
    if (st != QZ_OK) qz_gguf_writer_abort(w, true);
    return st;
}

qz_status qz_gguf_writer_write(qz_gguf_writer *w, const void *bytes, size_t n, qz_error *err) {
    if (n > qz_gguf_writer_left(w))
        return qz_fail(err, QZ_EBUG, "too many bytes: file '%s', item %zu: %llu left, %zu given", w->out.path, w->next,
                       (unsigned long long)qz_gguf_writer_left(w), n);
    if (n == 0) return QZ_OK;
    QZ_TRY(qz_out_write(&w->out, bytes, n, err));
    if (w->out.size < w->ends[w->next]) return QZ_OK;
    uint64_t padded;
    pad(w->ends[w->next], w->alignment, &padded);
    QZ_TRY(qz_out_zeros(&w->out, (size_t)(padded - w->ends[w->next]), err));
    w->next++;
    return QZ_OK;
}

uint64_t qz_gguf_writer_left(const qz_gguf_writer *w) { return w->next < w->n ? w->ends[w->next] - w->out.size : 0; }

static qz_status complete(const qz_gguf_writer *w, qz_error *err) {
    return w->next == w->n ? QZ_OK
                           : qz_fail(err, QZ_EBUG, "incomplete file: file '%s': %zu of %zu tensors written",
                                     w->out.path, w->next, w->n);
}
qz_status qz_gguf_writer_close(qz_gguf_writer *w, char sha_hex[65], qz_error *err) {
    QZ_TRY(complete(w, err));
    return qz_out_close(&w->out, sha_hex, err);
}
qz_status qz_gguf_writer_commit(qz_gguf_writer *w, char sha_hex[65], qz_error *err) {
    QZ_TRY(complete(w, err));
    QZ_TRY(qz_out_commit(&w->out, sha_hex, err));
    qz_gguf_writer_abort(w, false); /* a committed stream is only released */
    return QZ_OK;
}

void qz_gguf_writer_abort(qz_gguf_writer *w, bool keep_partial) {
    qz_out_abort(&w->out, keep_partial);
    qz_free(w->starts);
    qz_free(w->ends);
    memset(w, 0, sizeof *w);
    w->out.fd = -1;
}
