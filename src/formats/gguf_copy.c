/* Tensors of open files as they are, into a new file; and a header that is not written yet, read as if it were. */
#include "base/io.h"
#include "base/size.h"
#include "formats/gguf_int.h"
#include <string.h>

#define STEP ((uint64_t)8 << 20)

static qz_status copy_data(qz_gguf_writer *w, const qz_gguf_tensor *t, qz_error *err) {
    for (uint64_t at = 0; at < t->bytes; at += STEP) {
        const size_t n = (size_t)(t->bytes - at < STEP ? t->bytes - at : STEP);
        QZ_TRY(qz_gguf_writer_write(w, t->data + at, n, err));
        qz_map_forget(t->data + at, n);
    }
    return QZ_OK;
}

qz_status qz_gguf_copy(const char *path, const qz_gguf_meta *m, const qz_gguf_tensor *const *tensors, size_t n,
                       char sha_hex[65], qz_error *err) {
    qz_gguf_writer w = {.out.fd = -1};
    qz_gguf_item *items = qz_calloc_array(n + 1, sizeof *items);
    qz_status st = items ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", path);
    for (size_t i = 0; i < n && items; i++) {
        items[i] = (qz_gguf_item){.name = tensors[i]->name, .type = tensors[i]->type->id, .n_dims = tensors[i]->n_dims};
        memcpy(items[i].dims, tensors[i]->dims, sizeof items[i].dims);
    }
    if (st == QZ_OK) st = qz_gguf_writer_open(&w, path, m, items, n, err);
    for (size_t i = 0; i < n && st == QZ_OK; i++) st = copy_data(&w, tensors[i], err);
    if (st == QZ_OK) st = qz_gguf_writer_close(&w, sha_hex, err);
    qz_gguf_writer_abort(&w, false); /* a closed stream is only released */
    qz_free(items);
    return st;
}

qz_status qz_gguf_open_edited(qz_gguf *edited, const qz_gguf *g, const uint8_t *head, qz_error *err) {
    *edited = (qz_gguf){.map = {.ptr = head, .size = g->map.size}, .path = g->path};
    qz_status st = qz_gguf_parse(edited, err);
    if (st == QZ_OK && (edited->n != g->n || edited->data_start != g->data_start))
        st = qz_fail(err, QZ_EBUG, "edited header moves the data: file '%s'", g->path);
    for (size_t i = 0; i < edited->n && st == QZ_OK; i++) edited->tensors[i].data = g->tensors[i].data;
    if (st != QZ_OK) qz_gguf_release(edited);
    return st;
}
