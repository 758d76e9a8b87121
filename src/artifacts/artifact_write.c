/* The writer common to all schemes: order, conversion of float tensors, permutation of q and k rows, finishing. */
#include "artifacts/artifacts_int.h"
#include "artifacts/item_journal.h"
#include "base/size.h"
#include "codecs/types.h"
#include <math.h>
#include <string.h>

#define FLUSH_BYTES ((uint64_t)4 << 20)
#define FLUSH_ITEMS 16
#define PIECE ((size_t)8 << 20)

static bool directory(const qz_artifact_writer *w) { return qz_scheme_get(w->plan->spec.scheme)->directory; }

size_t qz_artifact_writer_next(const qz_artifact_writer *w) { return w->next; }
void qz_artifact_writer_meant(qz_artifact_writer *w, size_t i, uint64_t sum) { w->meant[i] = sum; }
uint64_t qz_artifact_writer_meant_of(const qz_artifact_writer *w, size_t i) { return w->meant[i]; }

static qz_status flush(qz_artifact_writer *w, qz_error *err) {
    QZ_TRY(w->ops->flush(w, err));
    QZ_TRY(qz_item_journal_append(w, err));
    w->pending_bytes = 0;
    w->pending_items = 0;
    return QZ_OK;
}

/* Bytes of the current item; closes it when it is full. */
static qz_status emit(qz_artifact_writer *w, const void *bytes, size_t n, qz_error *err) {
    const qz_artifact_item *it = &w->plan->items[w->next];
    if (n > it->bytes - w->in_item)
        return qz_fail(err, QZ_EBUG, "too many bytes for tensor '%s': %llu expected", it->out_name,
                       (unsigned long long)it->bytes);
    qz_sum64_update(&w->sum, bytes, n);
    QZ_TRY(w->ops->write(w, bytes, n, err));
    w->in_item += n;
    return QZ_OK;
}

static qz_status close_item(qz_artifact_writer *w, qz_error *err) {
    const qz_artifact_item *it = &w->plan->items[w->next];
    if (w->in_item != it->bytes)
        return qz_fail(err, QZ_EBUG, "tensor '%s' is incomplete: expected %llu bytes, found %llu", it->out_name,
                       (unsigned long long)it->bytes, (unsigned long long)w->in_item);
    qz_item_journal_line(&w->pending, w->next, qz_sum64_final(&w->sum), w->meant[w->next]);
    w->pending_bytes += it->bytes;
    w->pending_items++;
    w->next++;
    w->row = 0;
    w->in_item = 0;
    return w->pending_bytes >= FLUSH_BYTES || w->pending_items >= FLUSH_ITEMS ? flush(w, err) : QZ_OK;
}

/* Tensors that the plan itself made (rope_freqs) need no caller. */
static qz_status put_generated(qz_artifact_writer *w, qz_error *err) {
    while (w->next < w->plan->n_items && w->plan->items[w->next].generated) {
        const qz_artifact_item *it = &w->plan->items[w->next];
        QZ_TRY(emit(w, it->generated, (size_t)it->bytes, err));
        QZ_TRY(close_item(w, err));
    }
    return QZ_OK;
}

size_t qz_item_source_row(const qz_artifact_item *it, size_t n, size_t to) {
    if (it->permute == QZ_PERMUTE_NONE) return to;
    if (it->permute == QZ_PERMUTE_TILE || it->permute == QZ_PERMUTE_GROUP) {
        const size_t first = n - it->moved, unit = it->moved / it->heads, share = it->heads / it->groups;
        if (to < first) return to;
        const size_t at = (to - first) / unit, inner = (to - first) % unit;
        const size_t from = it->permute == QZ_PERMUTE_TILE ? at % it->groups * share + at / it->groups
                                                           : at % share * it->groups + at / share;
        return first + from * unit + inner;
    }
    size_t d = n / it->heads, h = to / d, r = to % d;
    if (it->permute == QZ_PERMUTE_INTERLEAVE) return h * d + r / 2 + (r % 2 ? d / 2 : 0);
    return h * d + (r < d / 2 ? 2 * r : 2 * (r - d / 2) + 1);
}

void qz_item_decode_as_filed(const qz_artifact_item *it, float *x) {
    if (it->permute == QZ_PERMUTE_NONE) qz_tensor_decode(it->source, 0, it->rows, x);
    else
        for (size_t r = 0; r < it->rows; r++)
            qz_tensor_decode(it->source, qz_item_source_row(it, it->rows, r), 1, x + r * it->cols);
}

static qz_status expect(const qz_artifact_writer *w, const char *name, size_t rows, size_t cols, bool part,
                        qz_error *err) {
    if (w->finished || w->next >= w->plan->n_items)
        return qz_fail(err, QZ_EBUG, "tensor '%s' comes after the last one of the plan", name);
    const qz_artifact_item *it = &w->plan->items[w->next];
    bool rows_ok = part ? rows <= it->rows - w->row : rows == it->rows;
    if (strcmp(name, it->name) || cols != it->cols || !rows_ok)
        return qz_fail(err, QZ_EBUG, "unexpected tensor '%s' [%zu, %zu]: the plan has '%s' [%zu, %zu] next", name, rows,
                       cols, it->name, it->rows, it->cols);
    return QZ_OK;
}

static qz_status put_blocks(qz_artifact_writer *w, const qz_artifact_item *it, const uint8_t *blocks, size_t rows,
                            qz_error *err) {
    size_t row_bytes = 0;
    QZ_TRY(qz_row_bytes(it->type, it->cols, &row_bytes, err));
    if (it->permute == QZ_PERMUTE_NONE) QZ_TRY(emit(w, blocks, rows * row_bytes, err));
    else {
        if (rows != it->rows)
            return qz_fail(err, QZ_EBUG, "tensor '%s' is permuted and must come as a whole", it->name);
        for (size_t r = 0; r < rows; r++)
            QZ_TRY(emit(w, blocks + qz_item_source_row(it, rows, r) * row_bytes, row_bytes, err));
    }
    w->row += rows;
    return w->row == it->rows ? close_item(w, err) : QZ_OK;
}

qz_status qz_artifact_writer_put(qz_artifact_writer *w, const qz_quantized *q, qz_error *err) {
    bool whole = q->coded != NULL; /* not row by row */
    QZ_TRY(expect(w, q->name, q->rows, q->cols, !whole, err));
    const qz_artifact_item *it = &w->plan->items[w->next];
    const qz_code_layout l = whole ? q->coded->ops->layout(q->coded) : (qz_code_layout){0};
    if (q->type != it->type || (whole && (l.bits != it->bits || (l.group && l.group != it->group_size))))
        return qz_fail(err, QZ_EBUG, "tensor '%s' comes in another type than planned", q->name);
    if (whole) {
        if (!w->ops->pack) return qz_fail(err, QZ_EBUG, "tensor '%s': the scheme has no such codes", q->name);
        QZ_TRY(w->ops->pack(w, it, q, err));
        QZ_TRY(close_item(w, err));
    } else QZ_TRY(put_blocks(w, it, q->blocks, q->rows, err));
    return put_generated(w, err);
}

qz_status qz_artifact_writer_bytes(qz_artifact_writer *w, const void *bytes, size_t n, qz_error *err) {
    return emit(w, bytes, n, err);
}

/* A finite value must stay finite in the file's type. */
static qz_status check_range(const qz_artifact_item *it, const float *x, size_t row, qz_error *err) {
    /* rounds to infinity from here */
    float limit = it->type == QZ_TYPE_F16 ? 65520.0f : it->type == QZ_TYPE_BF16 ? 0x1.ffp127f : INFINITY;
    for (size_t i = 0; i < it->cols; i++) {
        if (fabsf(x[i]) < limit) continue;
        if (!isfinite(x[i]))
            return qz_fail(err, QZ_ENONFINITE, "non-finite value: tensor '%s', row %zu, column %zu: found %f", it->name,
                           row, i, (double)x[i]);
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "value does not fit %s: tensor '%s', row %zu, column %zu: found %g; use a level with bf16",
                       qz_type_get(it->type)->name, it->name, row, i, (double)x[i]);
    }
    return QZ_OK;
}

/* Values below half of float16's smallest step: they are written as 0. */
static uint64_t count_flushed(const qz_artifact_item *it, const float *x) {
    uint64_t n = 0;
    if (it->type != QZ_TYPE_F16) return 0;
    for (size_t i = 0; i < it->cols; i++) n += x[i] != 0 && fabsf(x[i]) <= 0x1p-25f;
    return n;
}

/* Vector: elements move instead of rows. x is the permuted copy. */
static void permute_vector(const qz_artifact_item *it, const float *x, float *y) {
    for (size_t i = 0; i < it->cols; i++) y[i] = x[qz_item_source_row(it, it->cols, i)];
}

/* Float data row by row: from memory or decoded from a view. */
static qz_status put_float(qz_artifact_writer *w, const float *data, const qz_tensor_view *t, qz_error *err) {
    const qz_artifact_item *it = &w->plan->items[w->next];
    const qz_type_info *info = it->type < QZ_TYPE_COUNT ? qz_type_get(it->type) : NULL;
    if (!info || info->kind != QZ_KIND_FLOAT)
        return qz_fail(err, QZ_EBUG, "tensor '%s' is planned as %s and must come encoded", it->name,
                       info ? info->name : "integer groups");
    size_t row_bytes = it->cols * info->bytes;
    float *x = qz_alloc_array(it->cols, sizeof *x), *y = qz_alloc_array(it->cols, sizeof *y);
    uint8_t *out = qz_alloc_array(it->cols, info->bytes);
    uint64_t flushed = 0;
    qz_status st = x && y && out ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    for (size_t r = 0; r < it->rows && st == QZ_OK; r++) {
        size_t from = it->rows == 1 ? 0 : qz_item_source_row(it, it->rows, r);
        const float *row = x;
        if (data) row = data + from * it->cols;
        else qz_tensor_decode(t, from, 1, x);
        if (it->rows == 1 && it->permute != QZ_PERMUTE_NONE) {
            permute_vector(it, row, y);
            row = y;
        }
        st = check_range(it, row, from, err);
        if (st != QZ_OK) break;
        flushed += count_flushed(it, row);
        info->encode(row, NULL, it->cols, out);
        st = emit(w, out, row_bytes, err);
    }
    qz_free(x);
    qz_free(y);
    qz_free(out);
    QZ_TRY(st);
    w->flushed += flushed;
    w->flushed_tensors += flushed > 0;
    QZ_TRY(close_item(w, err));
    return put_generated(w, err);
}

/* Written in its own type nothing of it changes. */
static bool finite_floats(const qz_tensor_view *t) {
    return t->data && qz_tensor_as_stored(t) && qz_floats_known(t->type) &&
           qz_floats_finite(t->type, t->data, t->rows * t->cols);
}

qz_status qz_artifact_writer_put_folded(qz_artifact_writer *w, const qz_folded *f, qz_error *err) {
    QZ_TRY(expect(w, f->name, f->rows, f->cols, false, err));
    return put_float(w, f->data, NULL, err);
}

qz_status qz_artifact_writer_put_view(qz_artifact_writer *w, const qz_tensor_view *t, qz_error *err) {
    QZ_TRY(expect(w, t->name, t->rows, t->cols, false, err));
    const qz_artifact_item *it = &w->plan->items[w->next];
    if (t->type == it->type && it->permute == QZ_PERMUTE_NONE && finite_floats(t)) {
        for (size_t at = 0; at < t->bytes; at += PIECE) /* floats as they are */
            QZ_TRY(emit(w, (const uint8_t *)t->data + at, qz_min_size(PIECE, t->bytes - at), err));
        QZ_TRY(close_item(w, err));
        QZ_TRY(put_generated(w, err));
    } else if (t->type != it->type || t->type >= QZ_TYPE_COUNT || qz_type_get(t->type)->kind == QZ_KIND_FLOAT ||
             !qz_tensor_as_stored(t))
        QZ_TRY(put_float(w, NULL, t, err));
    else {
        QZ_TRY(put_blocks(w, it, t->data, t->rows, err)); /* the same block type: bytes as they are */
        QZ_TRY(put_generated(w, err));
    }
    /* the model's own lie in its mapping; what a plan has changed (norms) does not */
    const qz_model *m = w->plan->model;
    if (t->data && t >= m->tensors && t < m->tensors + m->n_tensors) qz_map_forget(t->data, t->bytes);
    return QZ_OK;
}

qz_status qz_artifact_writer_put_raw(qz_artifact_writer *w, qz_error *err) {
    const qz_artifact_item *it = &w->plan->items[w->next];
    const qz_st_tensor *t = it->raw;
    QZ_TRY(expect(w, it->name, it->rows, it->cols, false, err));
    for (uint64_t at = 0; at < t->bytes; at += PIECE)
        QZ_TRY(emit(w, t->data + at, (size_t)(t->bytes - at < PIECE ? t->bytes - at : PIECE), err));
    QZ_TRY(close_item(w, err));
    qz_map_forget(t->data, (size_t)t->bytes);
    return put_generated(w, err);
}

void qz_artifact_writer_block_errors(qz_artifact_writer *w, qz_str *json) {
    qz_str_release(&w->block_errors);
    w->block_errors = *json;
    *json = (qz_str){0};
}
uint64_t qz_artifact_writer_flushed(const qz_artifact_writer *w, size_t *tensors) {
    *tensors = w->flushed_tensors;
    return w->flushed;
}

/* ---- opening and ending ---- */
static char *joined(const char *a, const char *suffix) {
    size_t n = strlen(a), k = strlen(suffix);
    char *p = qz_alloc_array(n + k + 1, 1);
    if (p) {
        memcpy(p, a, n);
        memcpy(p + n, suffix, k + 1);
    }
    return p;
}

char *qz_artifact_file_path(const qz_artifact_plan *p, const char *path, size_t i) {
    if (p->files[i].name) return qz_path_join(path, p->files[i].name);
    return p->n_files > 1 ? qz_gguf_part_path(path, i, p->n_files) : qz_strdup(path);
}

char *qz_artifact_file_written(const qz_artifact_writer *w, size_t i) {
    char *p = qz_artifact_file_path(w->plan, w->partial, i);
    if (p == NULL || !directory(w) || qz_path_exists(p)) return p;
    char *other = joined(p, ".partial");
    qz_free(p);
    return other;
}

/* Only an empty folder or one of ours may be replaced; journal: of an unfinished one, beside it (NULL: none). */
static qz_status check_replace(const char *path, const char *journal, qz_error *err) {
    char **names = NULL;
    size_t n = 0;
    bool ours = journal && qz_path_exists(journal);
    QZ_TRY(qz_list_dir(path, &names, &n, err));
    for (size_t i = 0; i < n; i++) ours |= strcmp(names[i], "quantz-manifest.json") == 0;
    qz_free_names(names, n);
    if (n == 0 || ours) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "folder '%s' is not an artifact of quantz and will not be replaced; choose another output", path);
}

static qz_status check_paths(const qz_artifact_writer *w, qz_error *err) {
    if (qz_path_exists(w->path)) {
        if (!(w->flags & QZ_WRITE_FORCE))
            return qz_fail(err, QZ_EUSAGE, "output exists: '%s'; choose another name or give --force", w->path);
        if (qz_path_is_dir(w->path) != directory(w))
            return qz_fail(err, QZ_EUSAGE, "output '%s' is a %s and will not be replaced; choose another name", w->path,
                           directory(w) ? "file" : "folder");
        if (directory(w)) QZ_TRY(check_replace(w->path, NULL, err));
    }
    /* of an unfinished job of either kind */
    return qz_path_is_dir(w->partial) ? check_replace(w->partial, w->journal_path, err) : QZ_OK;
}

static qz_status begin(qz_artifact_writer *w, qz_error *err) {
    size_t done = 0;
    QZ_TRY(check_paths(w, err));
    if (w->flags & QZ_WRITE_RESUME) QZ_TRY(qz_item_journal_find(w, &done, err));
    else qz_item_journal_mourn(w);
    if (w->ops->resume_at) done = w->ops->resume_at(w->plan, done);
    QZ_TRY(qz_disk_check(w->path, w->plan->total_bytes, err));
    QZ_TRY(qz_item_journal_start(w, done, err)); /* first made and last removed: what it stands beside is ours */
    if (done == 0 && qz_path_exists(w->partial)) QZ_TRY(qz_remove_tree(w->partial, err));
    if (directory(w)) QZ_TRY(qz_make_dirs(w->partial, err));
    QZ_TRY(w->ops->open(w, done, err));
    w->next = done;
    return put_generated(w, err);
}

qz_status qz_artifact_writer_open(qz_run *run, const qz_artifact_plan *plan, const char *path, unsigned flags,
                                  qz_artifact_writer **out, qz_error *err) {
    *out = NULL;
    qz_artifact_writer *w = qz_calloc_array(1, sizeof *w);
    if (!w) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", path);
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    w->run = run;
    w->plan = plan;
    w->flags = flags;
    w->path = qz_strndup(path, n);
    w->partial = w->path ? joined(w->path, ".partial") : NULL;
    w->journal_path = w->partial ? joined(w->partial, ".journal") : NULL;
    w->file_sha = qz_calloc_array(plan->n_files + 1, sizeof *w->file_sha);
    w->meant = qz_calloc_array(plan->n_items + 1, sizeof *w->meant);
    qz_status st = w->journal_path && w->file_sha && w->meant
                       ? QZ_OK
                       : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", path);
    if (st == QZ_OK) {
        w->ops = qz_scheme_ops_get(plan->spec.scheme);
        st = begin(w, err);
    }
    if (st != QZ_OK) {
        qz_artifact_writer_free(w);
        return st;
    }
    *out = w;
    return QZ_OK;
}

qz_status qz_artifact_writer_finish(qz_artifact_writer *w, const char **partial, qz_error *err) {
    if (w->next < w->plan->n_items)
        return qz_fail(err, QZ_EBUG, "output '%s' is incomplete: %zu of %zu tensors", w->path, w->next,
                       w->plan->n_items);
    QZ_TRY(flush(w, err));
    QZ_TRY(w->ops->finish(w, err));
    w->finished = true;
    if (partial) *partial = w->partial;
    return QZ_OK;
}

/* Manifest, then the files: where it has its name and they have not, they are still there to go on with. Of several the
 * first comes last: until then the artifact is not there. */
static qz_status commit_files(qz_artifact_writer *w, qz_error *err) {
    const size_t n = w->plan->n_files;
    char **names = qz_calloc_array(2 * (n + 1), sizeof *names);
    qz_move *moves = qz_calloc_array(n + 1, sizeof *moves);
    size_t k = 0;
    bool ok = names && moves;
    for (size_t i = n + 1; ok && i-- > 0;) { /* i == n: the manifest */
        char *to = i == n ? qz_manifest_path(w->path) : qz_artifact_file_path(w->plan, w->path, i);
        char *from = to == NULL ? NULL : i == n ? joined(to, ".partial") : qz_artifact_file_written(w, i);
        names[2 * i] = to;
        names[2 * i + 1] = from;
        ok = from != NULL;
        if (ok && strcmp(from, to) != 0) moves[k++] = (qz_move){from, to};
    }
    qz_status st = ok ? qz_commit(moves, k, err) : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    for (size_t i = 0; names && i < 2 * (n + 1); i++) qz_free(names[i]);
    qz_free(names);
    qz_free(moves);
    return st;
}

static qz_status commit(qz_artifact_writer *w, qz_error *err) {
    QZ_TRY(qz_manifest_stage(w, err));
    if (directory(w)) {
        QZ_TRY(qz_sync_dir(w->partial, err));
        return qz_commit(&(qz_move){w->partial, w->path}, 1, err);
    }
    return commit_files(w, err);
}

qz_status qz_artifact_writer_commit(qz_artifact_writer *w, qz_error *err) {
    if (!w->finished) QZ_TRY(qz_artifact_writer_finish(w, NULL, err));
    QZ_TRY(commit(w, err));
    qz_journal_close(&w->journal, true);
    w->committed = true;
    return QZ_OK;
}

void qz_artifact_writer_discard(qz_artifact_writer *w) {
    if (!w || w->committed) return;
    if (w->ops) w->ops->close(w, false);
    w->ops = NULL;
    for (size_t i = 0; i < w->plan->n_files && !directory(w); i++) {
        char *p = qz_artifact_file_path(w->plan, w->partial, i);
        if (p && qz_path_exists(p)) (void)qz_remove_tree(p, &(qz_error){0});
        qz_free(p);
    }
    if (qz_path_exists(w->partial)) (void)qz_remove_tree(w->partial, &(qz_error){0});
    qz_journal_close(&w->journal, true);
}

void qz_artifact_writer_free(qz_artifact_writer *w) {
    if (!w) return;
    if (w->ops) w->ops->close(w, true);
    qz_journal_close(&w->journal, false);
    qz_str_release(&w->pending);
    qz_str_release(&w->block_errors);
    qz_free(w->path);
    qz_free(w->partial);
    qz_free(w->journal_path);
    qz_free(w->file_sha);
    qz_free(w->meant);
    qz_free(w);
}
