#include "artifacts/source.h"
#include "artifacts/loose.h"
#include "artifacts/open.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/size.h"
#include "formats/gguf.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Last part of the path; of '.' and '..' that of the folder they stand for. */
static void name_of(const char *given, char out[128]) {
    char real[PATH_MAX];
    const char *last = qz_path_base(given);
    const bool place = *last == 0 || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
    const char *path = place && realpath(given, real) ? real : given;
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    size_t start = n;
    while (start > 0 && path[start - 1] != '/') start--;
    (void)snprintf(out, 128, "%.*s", (int)qz_min_size(n - start, 127), path + start);
    size_t len = strlen(out);
    size_t no, count;
    if (qz_gguf_part_named(out, &no, &count)) len -= sizeof "-00001-of-00001" - 1;
    else if (len <= 5 || strcmp(out + len - 5, ".gguf") != 0) return;
    out[len - 5] = 0;
}

/* What was read of the tokenizer otherwise than it stands there. */
static void say_empty(qz_run *run, const char *path, const qz_tokenizer *t) {
    const size_t n = t ? qz_tokenizer_empty_added(t) : 0;
    if (n)
        qz_warn_once(run,
                     "tokenizer of '%s': %zu added token%s without text left out (expected a text in \"content\"); it "
                     "was never part of any text",
                     path, n, n > 1 ? "s" : "");
}

qz_status qz_source_open(qz_run *run, const char *path, qz_source *s, qz_error *err) {
    *s = (qz_source){0};
    name_of(path, s->name);
    QZ_TRY(qz_artifact_open(run, path, &s->model, err));
    qz_status st = qz_artifact_tokenizer(path, &s->tokenizer, err);
    if (st == QZ_OK && s->tokenizer) st = qz_artifact_fits(s->model, s->tokenizer, path, err);
    if (st == QZ_OK) say_empty(run, path, s->tokenizer);
    if (st != QZ_OK) qz_source_release(s);
    return st;
}
qz_status qz_source_open_loose(qz_run *run, const char *path, qz_source *s, qz_error *err) {
    *s = (qz_source){0};
    name_of(path, s->name);
    return qz_loose_open(run, path, &s->model, err);
}
void qz_source_release(qz_source *s) {
    qz_tokenizer_free(s->tokenizer);
    qz_model_free(s->model);
    *s = (qz_source){0};
}

#define PIECE ((size_t)8 << 20)

static int by_name(const void *a, const void *b) {
    return strcmp((*(const qz_tensor_view *const *)a)->name, (*(const qz_tensor_view *const *)b)->name);
}
qz_status qz_source_hash(qz_run *run, qz_source *s, qz_error *err) {
    const qz_model *m = s->model;
    if (m->loose) {
        qz_sha256 all = {0};
        QZ_TRY(qz_loose_hash(run, m, &all, err));
        qz_sha256_final_hex(&all, s->sha_hex);
        return QZ_OK;
    }
    const qz_tensor_view **order = qz_alloc_array(m->n_tensors, sizeof *order);
    if (order == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory hashing the source");
    for (size_t i = 0; i < m->n_tensors; i++) order[i] = &m->tensors[i];
    qsort(order, m->n_tensors, sizeof *order, by_name);
    qz_sha256 h = {0};
    qz_progress_begin(run);
    for (size_t i = 0; i < m->n_tensors; i++) {
        const qz_tensor_view *t = order[i];
        uint64_t facts[3] = {t->coded ? t->coded->ops->number : (uint64_t)t->type, t->rows, t->cols};
        qz_sha256_update(&h, t->name, strlen(t->name) + 1);
        qz_sha256_update(&h, facts, sizeof facts);
        if (t->data) {
            for (size_t at = 0; at < t->bytes; at += PIECE) { /* block data always lie in a mapped file */
                const size_t n = qz_min_size(PIECE, t->bytes - at);
                qz_sha256_update(&h, (const uint8_t *)t->data + at, n);
                qz_map_forget((const uint8_t *)t->data + at, n);
            }
        } else t->coded->ops->hash(t->coded, &h);
        qz_progress_step(run, "hashing the source", i + 1, m->n_tensors, "tensors");
    }
    qz_progress_end(run);
    qz_sha256_final_hex(&h, s->sha_hex);
    qz_free(order);
    return QZ_OK;
}

size_t qz_source_beyond(const qz_source *s, size_t n) {
    const qz_config *c = &s->model->config;
    return c->rope.kind != QZ_ROPE_DYNAMIC && n > c->max_position ? n - (size_t)c->max_position : 0;
}

void qz_source_warn_beyond(qz_run *run, const qz_source *s, const char *file, size_t positions, size_t texts) {
    if (positions == 0) return;
    qz_warn(run,
            "%s: %zu position%s of %zu text%s or window%s lie beyond the %llu of '%s' (max_position_embeddings): the "
            "model was not made for them; use shorter windows",
            file, positions, qz_plural(positions), texts, qz_plural(texts), qz_plural(texts),
            (unsigned long long)s->model->config.max_position, s->name);
}
