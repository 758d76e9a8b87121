#include "artifacts/gguf_sink.h"
#include "base/size.h"

/* Tensors of part f behind the first `done` items. */
static size_t tensors_of(const qz_artifact_plan *p, size_t f, size_t done) {
    size_t n = 0;
    for (size_t i = 0; i < done; i++) n += p->items[i].file == f && qz_item_place(&p->items[i]) == 0;
    return n;
}
size_t qz_gguf_sink_resume_at(const qz_artifact_plan *p, size_t done) {
    while (done < p->n_items && qz_item_place(&p->items[done])) done--;
    return done;
}

/* Opens part f behind its first `done` tensors. */
static qz_status open_part(qz_artifact_writer *w, size_t f, size_t done, qz_error *err) {
    const qz_gguf_part *part = &((const qz_gguf_plan *)w->plan->impl)->parts[f];
    qz_gguf_writer *g = &w->sink.gguf.out;
    char *path = qz_artifact_file_path(w->plan, w->path, f);
    if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    qz_status st = done ? qz_gguf_writer_resume(g, path, &part->meta, part->items, part->n, done, err)
                        : qz_gguf_writer_open(g, path, &part->meta, part->items, part->n, err);
    qz_free(path);
    if (st == QZ_OK && w->run && qz_pool_size(w->run->pool) > 1) qz_out_aside(&g->out);
    w->sink.gguf.open = st == QZ_OK;
    w->sink.gguf.part = f;
    return st;
}

static qz_status close_part(qz_artifact_writer *w, qz_error *err) {
    QZ_TRY(qz_gguf_writer_close(&w->sink.gguf.out, w->file_sha[w->sink.gguf.part], err));
    qz_gguf_writer_abort(&w->sink.gguf.out, true); /* a closed stream is only released */
    w->sink.gguf.open = false;
    return QZ_OK;
}

/* Closes what is open and writes parts without tensors until part f is open. */
static qz_status reach(qz_artifact_writer *w, size_t f, qz_error *err) {
    while (!w->sink.gguf.open || w->sink.gguf.part < f) {
        const size_t next = w->sink.gguf.part + (w->sink.gguf.open || w->sink.gguf.closed);
        if (w->sink.gguf.open) QZ_TRY(close_part(w, err));
        w->sink.gguf.closed = false;
        QZ_TRY(open_part(w, next, 0, err));
    }
    return QZ_OK;
}

/* *yes: part f of an interrupted run is whole on the disk, and its hash is taken. */
static qz_status whole(qz_artifact_writer *w, size_t f, bool *yes, qz_error *err) {
    uint64_t size = 0;
    *yes = false;
    char *path = qz_artifact_file_written(w, f);
    if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    qz_status st = qz_path_exists(path) ? qz_file_size(path, &size, err) : QZ_OK;
    *yes = st == QZ_OK && size == w->plan->files[f].bytes;
    if (*yes) st = qz_sha256_file_hex(path, w->file_sha[f], err);
    qz_free(path);
    return st;
}

qz_status qz_gguf_sink_open(qz_artifact_writer *w, size_t done, qz_error *err) {
    const qz_gguf_plan *gp = w->plan->impl;
    if (gp->n == 1 || done == 0) return open_part(w, 0, tensors_of(w->plan, 0, done), err);
    const size_t last = w->plan->items[done - 1].file;
    for (size_t f = 0; f <= last; f++) {
        const size_t n = tensors_of(w->plan, f, done);
        bool yes = false;
        w->sink.gguf.part = f;
        if (n == gp->parts[f].n) QZ_TRY(whole(w, f, &yes, err));
        w->sink.gguf.closed = yes;
        if (!yes) return open_part(w, f, n, err);
    }
    return QZ_OK;
}

qz_status qz_gguf_sink_write(qz_artifact_writer *w, const void *bytes, size_t n, qz_error *err) {
    QZ_TRY(reach(w, w->plan->items[w->next].file, err));
    return qz_gguf_writer_write(&w->sink.gguf.out, bytes, n, err);
}
qz_status qz_gguf_sink_flush(qz_artifact_writer *w, qz_error *err) {
    return w->sink.gguf.open ? qz_out_flush(&w->sink.gguf.out.out, err) : QZ_OK;
}
qz_status qz_gguf_sink_finish(qz_artifact_writer *w, qz_error *err) {
    const size_t last = ((const qz_gguf_plan *)w->plan->impl)->n - 1;
    if (!w->sink.gguf.open && w->sink.gguf.closed && w->sink.gguf.part == last) return QZ_OK;
    QZ_TRY(reach(w, last, err));
    return close_part(w, err);
}

qz_status qz_gguf_sink_file_begins(const qz_artifact_plan *p, size_t f, const char *path, bool *yes, qz_error *err) {
    const qz_gguf_part *part = &((const qz_gguf_plan *)p->impl)->parts[f];
    return qz_gguf_begins(path, &part->meta, part->items, part->n, yes, err);
}
qz_status qz_gguf_sink_begins(const qz_artifact_plan *p, const char *path, bool *yes, qz_error *err) {
    *yes = true;
    for (size_t f = 0; f < p->n_files && *yes; f++) {
        char *name = qz_artifact_file_path(p, path, f);
        qz_status st = name ? qz_gguf_sink_file_begins(p, f, name, yes, err)
                            : qz_fail(err, QZ_EMEMORY, "out of memory looking at '%s'", path);
        qz_free(name);
        QZ_TRY(st);
    }
    return QZ_OK;
}

void qz_gguf_sink_close(qz_artifact_writer *w, bool keep) {
    if (w->sink.gguf.open) qz_gguf_writer_abort(&w->sink.gguf.out, keep);
    w->sink.gguf.open = false;
}
