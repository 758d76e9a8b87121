/* GGUF scheme: levels, plan (names, types by the reference's mixes, order, exact offsets) and sink.
 * Source: formats/gguf-metadata.md, gguf-mixes.md. Tensors are written in the quantizer's order: outside the blocks first,
 * then block by block, names sorted. */
#include "artifacts/artifacts_int.h"
#include "base/size.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct { qz_gguf_meta meta; qz_gguf_item *items; } gguf_plan;

/* A file type is offered when all its usual types have an encoder here. */
static bool writable(qz_ftype f) {
    const char *n = qz_ftype_get(f)->name;
    qz_type t = qz_type_by_ggml_id((int)qz_ftype_get(f)->type);
    return n[0] != 'I' && t != QZ_TYPE_NONE && qz_type_get(t)->encode != NULL;
}
static const char *level_at(size_t i) {
    for (int f = 0; f < QZ_FTYPE_COUNT; f++)
        if (writable((qz_ftype)f) && i-- == 0) return qz_ftype_get((qz_ftype)f)->name;
    return NULL;
}

static qz_status parse(qz_scheme_spec *s, const char *level, const char *flags, qz_error *err) {
    s->ftype = qz_ftype_by_name(level);
    if (s->ftype == QZ_FTYPE_COUNT) return QZ_EUSAGE; /* the caller names the nearest */
    if (!writable(s->ftype))
        return qz_fail(err, QZ_EUNSUPPORTED, "no encoder yet for GGUF level '%s': use Q2_K to Q8_0, or F16, BF16, F32", qz_ftype_get(s->ftype)->name);
    snprintf(s->level, sizeof s->level, "%s", qz_ftype_get(s->ftype)->name);
    if (strcasecmp(flags, "pure") == 0) s->mix.pure = true;
    else if (*flags) return qz_fail(err, QZ_EUSAGE, "unknown flag '+%s' of scheme 'gguf': expected +pure", flags);
    return QZ_OK;
}

static int cmp_item(const void *a, const void *b) {
    return qz_gguf_name_cmp(((const qz_artifact_item *)a)->out_name, ((const qz_artifact_item *)b)->out_name);
}

static qz_status make_items(const qz_model *m, qz_arena *arena, qz_artifact_plan *out, qz_error *err) {
    qz_slot *slots = NULL;
    size_t n = 0;
    const qz_config *c = &m->config;
    bool interleaved = qz_family_get(c->family)->gguf_permuted;
    QZ_TRY(qz_collect_slots(m, arena, &slots, &n, err));
    out->items = qz_arena_calloc(arena, n + 1, sizeof *out->items);
    if (!out->items) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    for (size_t i = 0; i < n; i++) {
        const qz_tensor_view *t = slots[i].t;
        char name[128];
        if (!qz_gguf_name_from_hf(t->name, name, sizeof name))
            return qz_fail(err, QZ_EUNSUPPORTED, "no GGUF name: tensor '%s', file '%s'", t->name, t->file);
        qz_artifact_item *it = &out->items[out->n_items++];
        *it = (qz_artifact_item){ .source = t, .name = t->name, .out_name = qz_arena_strdup(arena, name), .rows = t->rows, .cols = t->cols,
                                  .n_dims = t->rows == 1 ? 1 : 2, .layer = slots[i].layer, .linear = slots[i].linear,
                                  .permute = qz_slot_permute(m, &slots[i], interleaved), .heads = qz_slot_heads(m, &slots[i]) };
        if (!it->out_name) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    }
    if (c->rope.kind == QZ_ROPE_LLAMA3 || c->rope.has_freq_factors) {
        float *factors = qz_arena_alloc(arena, (size_t)c->head_dim / 2, sizeof *factors);
        if (!factors) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
        qz_gguf_rope_factors(&c->rope, (size_t)c->head_dim, factors);
        out->items[out->n_items++] = (qz_artifact_item){ .name = "rope_freqs.weight", .out_name = "rope_freqs.weight", .type = QZ_TYPE_F32, .rows = 1,
                                                         .cols = (size_t)c->head_dim / 2, .n_dims = 1, .layer = -1, .linear = -1, .generated = factors };
    }
    qsort(out->items, out->n_items, sizeof *out->items, cmp_item);
    return QZ_OK;
}

static qz_status set_type(const qz_artifact_context *ctx, qz_artifact_item *it, const qz_mix_choice *ch, qz_arena *arena, qz_artifact_plan *out,
                          qz_error *err) {
    it->type = qz_type_by_ggml_id((int)ch->type);
    if (it->type == QZ_TYPE_NONE || !qz_type_get(it->type)->encode)
        return qz_fail(err, QZ_EUNSUPPORTED, "no encoder yet: tensor '%s' needs type %s under level %s", it->out_name, qz_gguf_type_get(ch->type)->name,
                       out->spec.level);
    it->importance_matters = qz_type_get(it->type)->uses_importance && it->layer >= 0;
    it->importance_required = ch->needs_imatrix;
    if (ch->needs_imatrix && !ctx->has_imatrix)
        return qz_fail(err, QZ_EUSAGE, "level %s needs an importance matrix for tensor '%s': calibrate first or give --imatrix", out->spec.level, it->out_name);
    if (ch->type == ch->wanted) return QZ_OK;
    out->n_fallbacks++;
    it->note = qz_arena_printf(arena, "rows of %zu values do not fit %s, stored as %s", it->cols, qz_gguf_type_get(ch->wanted)->name,
                               qz_gguf_type_get(ch->type)->name);
    return it->note ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", out->model->path);
}

/* One line per kind of fallback with its count and first tensor. */
static qz_status note_fallbacks(qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    for (size_t i = 0; i < p->n_items; i++) {
        size_t n = 0;
        bool seen = false;
        if (!p->items[i].note) continue;
        for (size_t k = 0; k < p->n_items; k++) {
            if (!p->items[k].note || strcmp(p->items[k].note, p->items[i].note)) continue;
            seen |= k < i;
            n++;
        }
        if (!seen) QZ_TRY(qz_plan_note(p, arena, err, "%zu tensor%s: %s (first '%s')", n, qz_plural(n), p->items[i].note, p->items[i].out_name));
    }
    return QZ_OK;
}

/* What the model has and the container cannot say (design.md decision 13). */
static qz_status note_losses(qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    const qz_config *c = &p->model->config;
    if (c->sliding_window)
        QZ_TRY(qz_plan_note(p, arena, err, "the sliding window of %llu tokens cannot be stored in GGUF: the file runs with full attention",
                            (unsigned long long)c->sliding_window));
    if (c->rope.kind == QZ_ROPE_DYNAMIC)
        QZ_TRY(qz_plan_note(p, arena, err, "dynamic rope scaling (factor %g) cannot be stored in GGUF: the file runs without scaling", c->rope.factor));
    if (c->rope.kind == QZ_ROPE_YARN && !c->rope.truncate)
        QZ_TRY(qz_plan_note(p, arena, err, "yarn scaling with 'truncate': false cannot be stored in GGUF: the file runs with truncated bounds"));
    const char *arch = qz_family_get(c->family)->gguf_arch;
    if (c->rope.kind == QZ_ROPE_YARN && (c->rope.beta_fast != 32 || c->rope.beta_slow != 1)) /* llama.cpp b11549: for grok and mistral3 alone */
        QZ_TRY(qz_plan_note(p, arena, err, "yarn scaling with beta_fast %g and beta_slow %g: llama.cpp does not read the keys for architecture %s and runs with 32 and 1: other log-probabilities there",
                            c->rope.beta_fast, c->rope.beta_slow, arch));
    return QZ_OK;
}

static qz_status choose_types(const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena, qz_artifact_plan *out, qz_error *err) {
    const qz_config *c = &m->config;
    size_t n = out->n_items;
    qz_mix_tensor *t = qz_arena_calloc(arena, n, sizeof *t);
    qz_mix_choice *ch = qz_arena_calloc(arena, n, sizeof *ch);
    if (!t || !ch) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    for (size_t i = 0; i < n; i++)
        t[i] = (qz_mix_tensor){ .name = out->items[i].out_name, .ne = { out->items[i].cols, out->items[i].rows, 1, 1 }, .source = 0 };
    qz_mix_model mm = { qz_family_get(c->family)->gguf_arch, c->layers, c->heads, c->kv_heads, 0, ctx->has_imatrix };
    QZ_TRY(qz_gguf_mix(&mm, out->spec.ftype, &out->spec.mix, t, n, ch, err));
    for (size_t i = 0; i < n; i++) QZ_TRY(set_type(ctx, &out->items[i], &ch[i], arena, out, err));
    QZ_TRY(note_fallbacks(out, arena, err));
    return note_losses(out, arena, err);
}

static qz_status place(qz_artifact_plan *out, const gguf_plan *gp, qz_error *err) {
    uint64_t size = 0, data = 0;
    for (size_t i = 0; i < out->n_items; i++) {
        QZ_TRY(qz_gguf_item_bytes(&gp->items[i], &out->items[i].bytes, err));
        data += (out->items[i].bytes + QZ_GGUF_ALIGNMENT - 1) / QZ_GGUF_ALIGNMENT * QZ_GGUF_ALIGNMENT;
    }
    QZ_TRY(qz_gguf_file_size(&gp->meta, gp->items, out->n_items, &size, err));
    uint64_t at = size - data;
    for (size_t i = 0; i < out->n_items; i++) {
        out->items[i].offset = at;
        at += (out->items[i].bytes + QZ_GGUF_ALIGNMENT - 1) / QZ_GGUF_ALIGNMENT * QZ_GGUF_ALIGNMENT;
    }
    out->files[0] = (qz_artifact_file){ .bytes = size, .weights = true };
    out->n_files = 1;
    return QZ_OK;
}

static qz_status plan(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena, qz_artifact_plan *out, qz_error *err) {
    (void)run;
    QZ_TRY(make_items(m, arena, out, err));
    QZ_TRY(choose_types(m, ctx, arena, out, err));
    gguf_plan *gp = qz_arena_calloc(arena, 1, sizeof *gp);
    qz_gguf_item *items = qz_arena_calloc(arena, out->n_items, sizeof *items);
    out->files = qz_arena_calloc(arena, 1, sizeof *out->files);
    if (!gp || !items || !out->files) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    for (size_t i = 0; i < out->n_items; i++) {
        const qz_artifact_item *it = &out->items[i];
        items[i] = (qz_gguf_item){ .name = it->out_name, .type = (uint32_t)qz_type_get(it->type)->ggml_id, .n_dims = it->n_dims, .dims = { it->cols, it->rows } };
    }
    gp->items = items;
    qz_gguf_meta meta = {0};
    qz_status st = qz_gguf_meta_build(out, arena, &meta, err);
    if (st == QZ_OK) { /* the arena owns the bytes from here on */
        gp->meta = meta;
        char *copy = qz_arena_alloc(arena, meta.bytes.len + 1, 1);
        if (copy) memcpy(copy, meta.bytes.ptr, meta.bytes.len);
        else st = qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
        gp->meta.bytes.ptr = copy;
    }
    qz_gguf_meta_release(&meta);
    QZ_TRY(st);
    out->impl = gp;
    return place(out, gp, err);
}

/* ---- sink ---- */
static qz_status sink_open(qz_artifact_writer *w, size_t done, qz_error *err) {
    const gguf_plan *gp = w->plan->impl;
    if (done == 0) return qz_gguf_writer_open(&w->sink.gguf, w->path, &gp->meta, gp->items, w->plan->n_items, err);
    return qz_gguf_writer_resume(&w->sink.gguf, w->path, &gp->meta, gp->items, w->plan->n_items, done, err);
}
static qz_status sink_write(qz_artifact_writer *w, const void *bytes, size_t n, qz_error *err) {
    return qz_gguf_writer_write(&w->sink.gguf, bytes, n, err);
}
static qz_status sink_flush(qz_artifact_writer *w, qz_error *err) { return qz_out_flush(&w->sink.gguf.out, err); }
static qz_status sink_commit(qz_artifact_writer *w, qz_error *err) { return qz_gguf_writer_commit(&w->sink.gguf, w->file_sha[0], err); }
static void sink_close(qz_artifact_writer *w, bool keep) { qz_gguf_writer_abort(&w->sink.gguf, keep); }

const qz_scheme_ops qz_gguf_scheme = {
    .parse = parse, .level = level_at, .plan = plan, .open = sink_open, .write = sink_write, .flush = sink_flush, .finish = sink_flush,
    .commit = sink_commit, .close = sink_close, .detect = qz_gguf_detect, .read = qz_gguf_read_model,
};
