/* AWQ scheme: plan and sink of a checkpoint folder in the "gemm" layout. Source: formats/hf-awq.md (AutoAWQ 0.2.9).
 * Tensors stand in the model's order, so that a block is written as soon as it is ready; a linear becomes qweight, qzeros,
 * scales. Embedding, norms, biases and head stay float16. */
#include "artifacts/awq_int.h"
#include "base/half.h"
#include "base/size.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHARD_BYTES ((uint64_t)5000000000)
#define PACK_ROWS 64

static const char *const levels[] = { "w4g128", "w4g64", "w4g32" };
static const char *level_at(size_t i) { return i < sizeof levels / sizeof *levels ? levels[i] : NULL; }

static qz_status parse(qz_scheme_spec *s, const char *level, const char *flags, qz_error *err) {
    unsigned bits = 0, group = 0;
    char tail = 0, low[16] = "";
    for (size_t i = 0; i < sizeof low - 1 && level[i]; i++) low[i] = (char)tolower((unsigned char)level[i]);
    if (sscanf(low, "w%ug%u%c", &bits, &group, &tail) != 2) return QZ_EUSAGE; /* the caller names the nearest */
    if (bits != 4) return qz_fail(err, QZ_EUSAGE, "AWQ has a file format for 4 bits only: expected w4g128, w4g64 or w4g32, found '%s'", level);
    if (group != 128 && group != 64 && group != 32)
        return qz_fail(err, QZ_EUSAGE, "group size %u of AWQ is not read by its runtimes: expected 128, 64 or 32", group);
    if (*flags) return qz_fail(err, QZ_EUSAGE, "unknown flag '+%s' of scheme 'awq': it has none", flags);
    s->bits = bits;
    s->group_size = group;
    s->sym = false;
    snprintf(s->level, sizeof s->level, "w%ug%u", bits, group);
    return QZ_OK;
}

/* ---- plan ---- */
static qz_status check_divides(const qz_tensor_view *t, uint32_t g, qz_error *err) {
    if (t->cols % g == 0 && t->rows % 32 == 0) return QZ_OK;
    const char *hint = t->rows % 32 ? "this tensor cannot be stored in AWQ's layout; use gguf"
                       : t->cols % 64 == 0 ? "use awq:w4g64" : t->cols % 32 == 0 ? "use awq:w4g32" : "use gguf";
    return qz_fail(err, QZ_EUNSUPPORTED, "shape does not fit AWQ: tensor '%s' [%zu, %zu]: expected columns in groups of %u and rows in multiples of 32; %s",
                   t->name, t->rows, t->cols, g, hint);
}

static qz_status make_item(const qz_model *m, const qz_slot *s, const qz_scheme_spec *spec, qz_arena *arena, qz_artifact_item *it, qz_error *err) {
    const qz_tensor_view *t = s->t;
    *it = (qz_artifact_item){ .source = t, .name = t->name, .out_name = t->name, .type = QZ_TYPE_F16, .rows = t->rows, .cols = t->cols,
                              .n_dims = t->rows == 1 ? 1 : 2, .layer = s->layer, .linear = s->linear, .permute = qz_slot_permute(m, s, false),
                              .heads = qz_slot_heads(m, s) };
    if (s->linear < 0) {
        it->bytes = 2 * (uint64_t)t->rows * t->cols;
        return QZ_OK;
    }
    QZ_TRY(check_divides(t, spec->group_size, err));
    size_t groups = t->cols / spec->group_size;
    it->type = QZ_TYPE_INT_GROUP;
    it->bits = 4;
    it->group_size = spec->group_size;
    it->out_name = qz_arena_strndup(arena, t->name, strlen(t->name) - strlen(".weight"));
    if (!it->out_name) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    it->bytes = (uint64_t)t->cols * t->rows / 2 + (uint64_t)groups * t->rows / 2 + 2 * (uint64_t)groups * t->rows;
    return QZ_OK;
}

/* The file-level tensors of an item; returns how many. */
static size_t file_tensors(const qz_artifact_item *it, qz_arena *arena, qz_st_item *out, bool *failed) {
    if (it->type != QZ_TYPE_INT_GROUP) {
        *out = (qz_st_item){ it->out_name, QZ_ST_F16, it->n_dims, { it->rows, it->cols } };
        if (it->n_dims == 1) out->dims[0] = it->cols;
        return 1;
    }
    uint64_t k = it->cols, n = it->rows, g = it->cols / it->group_size;
    out[0] = (qz_st_item){ qz_arena_printf(arena, "%s.qweight", it->out_name), QZ_ST_I32, 2, { k, n / 8 } };
    out[1] = (qz_st_item){ qz_arena_printf(arena, "%s.qzeros", it->out_name), QZ_ST_I32, 2, { g, n / 8 } };
    out[2] = (qz_st_item){ qz_arena_printf(arena, "%s.scales", it->out_name), QZ_ST_F16, 2, { g, n } };
    *failed |= !out[0].name || !out[1].name || !out[2].name;
    return 3;
}

static const qz_st_meta st_meta[] = { { "format", "pt" } };

/* Shards by size in order; names; absolute offsets. */
static qz_status lay_out(qz_artifact_plan *p, awq_plan *ap, qz_st_item *items, qz_arena *arena, qz_error *err) {
    uint64_t limit = p->context->shard_bytes ? p->context->shard_bytes : SHARD_BYTES, used = 0;
    size_t n = 0;
    bool failed = false;
    ap->n_shards = 1;
    ap->first[0] = 0;
    for (size_t i = 0; i < p->n_items; i++) {
        if (used && used + p->items[i].bytes > limit) {
            ap->first[ap->n_shards++] = n;
            used = 0;
        }
        p->items[i].file = ap->n_shards - 1;
        used += p->items[i].bytes;
        n += file_tensors(&p->items[i], arena, items + n, &failed);
    }
    ap->first[ap->n_shards] = n;
    p->files = qz_arena_calloc(arena, ap->n_shards + 2, sizeof *p->files);
    if (failed || !p->files) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    size_t item = 0;
    for (size_t f = 0; f < ap->n_shards; f++) {
        qz_str head = {0};
        uint64_t data = 0;
        qz_status st = qz_st_header(items + ap->first[f], ap->first[f + 1] - ap->first[f], st_meta, 1, &head, &data, err);
        uint64_t at = head.len;
        qz_str_release(&head);
        QZ_TRY(st);
        char *name = ap->n_shards == 1 ? qz_arena_strdup(arena, "model.safetensors")
                                       : qz_arena_printf(arena, "model-%05zu-of-%05zu.safetensors", f + 1, ap->n_shards);
        if (!name) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
        p->files[p->n_files++] = (qz_artifact_file){ .name = name, .bytes = at + data, .weights = true };
        for (; item < p->n_items && p->items[item].file == f; item++) {
            p->items[item].offset = at;
            at += p->items[item].bytes;
        }
    }
    return QZ_OK;
}

static qz_status plan(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena, qz_artifact_plan *out, qz_error *err) {
    (void)run;
    (void)ctx;
    qz_slot *slots = NULL;
    size_t n = 0;
    QZ_TRY(qz_collect_slots(m, arena, &slots, &n, err));
    awq_plan *ap = qz_arena_calloc(arena, 1, sizeof *ap);
    qz_st_item *items = qz_arena_calloc(arena, 3 * n + 1, sizeof *items);
    out->items = qz_arena_calloc(arena, n + 1, sizeof *out->items);
    if (ap) ap->first = qz_arena_calloc(arena, n + 2, sizeof *ap->first);
    if (!ap || !items || !out->items || !ap->first) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    if (m->config.rope.has_freq_factors)
        return qz_fail(err, QZ_EUNSUPPORTED, "rope frequency factors cannot be stored in config.json: model '%s'; start from the checkpoint", m->path);
    for (size_t i = 0; i < n; i++) QZ_TRY(make_item(m, &slots[i], &out->spec, arena, &out->items[out->n_items++], err));
    QZ_TRY(lay_out(out, ap, items, arena, err));
    ap->items = items;
    out->impl = ap;
    return qz_awq_add_files(out, ap, arena, err);
}

/* ---- sink ---- */
static char *shard_path(const qz_artifact_writer *w, size_t f) { return qz_path_join(w->partial, w->plan->files[f].name); }

static qz_status open_shard(qz_artifact_writer *w, size_t f, size_t done, qz_error *err) {
    const awq_plan *ap = w->plan->impl;
    const qz_st_item *items = ap->items + ap->first[f];
    size_t n = ap->first[f + 1] - ap->first[f];
    char *path = shard_path(w, f);
    if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    qz_status st = done ? qz_st_writer_resume(&w->sink.shards.st, path, items, n, st_meta, 1, done, err)
                        : qz_st_writer_open(&w->sink.shards.st, path, items, n, st_meta, 1, err);
    qz_free(path);
    QZ_TRY(st);
    w->sink.shards.open = true;
    w->sink.shards.file = f;
    return QZ_OK;
}
static qz_status commit_shard(qz_artifact_writer *w, qz_error *err) {
    if (!w->sink.shards.open) return QZ_OK;
    QZ_TRY(qz_st_writer_commit(&w->sink.shards.st, w->file_sha[w->sink.shards.file], err));
    w->sink.shards.open = false;
    return QZ_OK;
}

/* A shard may have its final name while the journal misses its last items: it goes back to its temporary name. */
static qz_status reopen_committed(qz_artifact_writer *w, size_t f, qz_error *err) {
    char *path = shard_path(w, f);
    qz_str partial = {0};
    qz_status st = QZ_OK;
    if (path && qz_path_exists(path)) {
        qz_str_printf(&partial, "%s.partial", path);
        if (!partial.failed) st = qz_rename_dir(path, partial.ptr, err);
    }
    if (!path || partial.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    qz_free(path);
    qz_str_release(&partial);
    return st;
}

/* Opens the shard of the first missing item; shards before it are complete and get their names here if a crash came between. */
static qz_status sink_open(qz_artifact_writer *w, size_t done, qz_error *err) {
    const awq_plan *ap = w->plan->impl;
    const qz_artifact_plan *p = w->plan;
    size_t current = done < p->n_items ? p->items[done].file : ap->n_shards, st_done = 0;
    for (size_t f = 0; f < current && f < ap->n_shards; f++) {
        char *path = shard_path(w, f);
        if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
        qz_status st = QZ_OK;
        if (qz_path_exists(path)) st = qz_sha256_file_hex(path, w->file_sha[f], err);
        else {
            st = open_shard(w, f, ap->first[f + 1] - ap->first[f], err);
            if (st == QZ_OK) st = commit_shard(w, err);
        }
        qz_free(path);
        QZ_TRY(st);
    }
    if (current == ap->n_shards) return QZ_OK;
    QZ_TRY(reopen_committed(w, current, err));
    for (size_t i = 0; i < done; i++)
        if (p->items[i].file == current) st_done += p->items[i].type == QZ_TYPE_INT_GROUP ? 3 : 1;
    return open_shard(w, current, st_done, err);
}

static qz_status sink_write(qz_artifact_writer *w, const void *bytes, size_t n, qz_error *err) {
    const uint8_t *p = bytes;
    size_t f = w->plan->items[w->next].file;
    if (!w->sink.shards.open || w->sink.shards.file != f) {
        QZ_TRY(commit_shard(w, err));
        QZ_TRY(open_shard(w, f, 0, err));
    }
    while (n) { /* the writer counts file tensors, an item may span three of them */
        uint64_t left = qz_st_writer_left(&w->sink.shards.st);
        size_t k = left < n ? (size_t)left : n;
        if (k == 0) return qz_fail(err, QZ_EBUG, "too many bytes for '%s'", w->plan->items[w->next].out_name);
        QZ_TRY(qz_st_writer_write(&w->sink.shards.st, p, k, err));
        p += k;
        n -= k;
    }
    return QZ_OK;
}
static qz_status sink_flush(qz_artifact_writer *w, qz_error *err) {
    return w->sink.shards.open ? qz_out_flush(&w->sink.shards.st.out, err) : QZ_OK;
}
static qz_status sink_finish(qz_artifact_writer *w, qz_error *err) {
    QZ_TRY(commit_shard(w, err));
    for (size_t i = 0; i < w->plan->n_files; i++) {
        const qz_artifact_file *f = &w->plan->files[i];
        if (f->weights) continue;
        char *path = shard_path(w, i);
        if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
        qz_status st = f->text ? qz_write_file(path, f->text, (size_t)f->bytes, err) : qz_copy_file(f->copy_from, path, err);
        if (st == QZ_OK) st = qz_sha256_file_hex(path, w->file_sha[i], err);
        qz_free(path);
        QZ_TRY(st);
    }
    return QZ_OK;
}
static void sink_close(qz_artifact_writer *w, bool keep) {
    if (w->sink.shards.open) qz_st_writer_abort(&w->sink.shards.st, keep);
    w->sink.shards.open = false;
}

/* ---- packing ---- */
static qz_status check_codes(const qz_quantized *q, qz_error *err) {
    if (q->g_idx) return qz_fail(err, QZ_EUNSUPPORTED, "AWQ cannot store act_order: tensor '%s'", q->name);
    for (size_t i = 0; i < q->rows * q->cols; i++)
        if (q->codes[i] > 15) return qz_fail(err, QZ_EBUG, "code out of range: tensor '%s', element %zu: found %u", q->name, i, q->codes[i]);
    size_t groups = q->cols / q->group_size;
    for (size_t i = 0; i < q->rows * groups; i++) {
        if (q->zero_points[i] > 15) return qz_fail(err, QZ_EBUG, "zero point out of range: tensor '%s', group %zu: found %u", q->name, i, q->zero_points[i]);
        if (!isfinite(q->scales[i]) || fabsf(q->scales[i]) >= 65520.0f)
            return qz_fail(err, QZ_ENUMERIC, "scale does not fit float16: tensor '%s', row %zu, group %zu: found %g", q->name, i / groups, i % groups,
                           (double)q->scales[i]);
    }
    return QZ_OK;
}

static qz_status pack_words(qz_artifact_writer *w, const qz_quantized *q, const size_t *map, uint32_t *words, qz_error *err) {
    size_t groups = q->cols / q->group_size;
    for (size_t k = 0; k < q->cols; k += PACK_ROWS) {
        size_t k1 = qz_min_size(k + PACK_ROWS, q->cols);
        qz_awq_pack_codes(q->codes, q->rows, q->cols, map, k, k1, words);
        QZ_TRY(qz_artifact_writer_bytes(w, words, (k1 - k) * q->rows / 2, err));
    }
    for (size_t j = 0; j < groups; j++) {
        qz_awq_pack_zeros(q->zero_points, q->rows, groups, map, j, words);
        QZ_TRY(qz_artifact_writer_bytes(w, words, q->rows / 2, err));
    }
    uint16_t *half = (uint16_t *)words;
    for (size_t j = 0; j < groups; j++) {
        for (size_t n = 0; n < q->rows; n++) half[n] = qz_f32_to_f16(q->scales[(map ? map[n] : n) * groups + j]);
        QZ_TRY(qz_artifact_writer_bytes(w, half, 2 * q->rows, err));
    }
    return QZ_OK;
}

static qz_status pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, qz_error *err) {
    QZ_TRY(check_codes(q, err));
    size_t *map = NULL;
    uint32_t *words = qz_alloc_array(q->rows * PACK_ROWS / 8, sizeof *words);
    qz_status st = words ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    if (st == QZ_OK && it->permute != QZ_PERMUTE_NONE) {
        map = qz_alloc_array(q->rows, sizeof *map);
        if (!map) st = qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
        for (size_t n = 0; map && n < q->rows; n++) map[n] = qz_item_source_row(it, q->rows, n);
    }
    if (st == QZ_OK) st = pack_words(w, q, map, words, err);
    qz_free(words);
    qz_free(map);
    return st;
}

const qz_scheme_ops qz_awq_scheme = {
    .parse = parse, .level = level_at, .plan = plan, .open = sink_open, .write = sink_write, .flush = sink_flush, .pack = pack,
    .finish = sink_finish, .close = sink_close, .detect = qz_awq_detect, .read = qz_awq_read_model,
};
