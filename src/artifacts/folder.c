/* The writer of folder artifacts: plan of shards and parts, resumable sink. Source of the layout: safetensors
 * checkpoints as transformers 5.x writes them (formats/safetensors.md, formats/hf-awq.md section 8,
 * formats/hf-gptq.md section 6). */
#include "artifacts/folder.h"
#include "artifacts/loose.h"
#include "artifacts/module_rules.h"
#include "artifacts/schemes.h"
#include "base/half.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "model/leftovers.h"
#include "model/steps.h"
#include <math.h>
#include <string.h>

#define SHARD_BYTES ((uint64_t)5000000000)

static const qz_st_meta st_meta[] = { { "format", "pt" } };

/* ---- plan ---- */
qz_status qz_folder_linears(const qz_artifact_plan *p, const qz_slot *s, bool *yes, qz_error *err) {
    (void)p;
    (void)err;
    *yes = s->linear >= 0 && !s->site->site.few;
    return QZ_OK;
}

/* Norms, biases and matrices kept float are written block by block, the last of them after all the work: what float16
 * cannot hold is found before it. (The embedding is the first tensor written, and the writer checks every
 * value again.) */
static qz_status check_half(const qz_folder_kind *kind, const qz_artifact_item *it, qz_error *err) {
    const qz_tensor_view *t = it->source;
    if (t->data == NULL && t->coded == NULL) return QZ_OK; /* planned from a configuration alone */
    if ((it->n_dims != 1 && it->linear < 0) || it->type != QZ_TYPE_F16 || t->type == QZ_TYPE_F16) return QZ_OK;
    float *x = qz_alloc_array(t->cols, sizeof *x);
    if (!x) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", t->name);
    qz_status st = QZ_OK;
    for (size_t r = 0; r < t->rows && st == QZ_OK; r++) {
        qz_tensor_decode(t, r, 1, x);
        for (size_t k = 0; k < t->cols && st == QZ_OK; k++)
            if (isfinite(x[k]) && fabsf(x[k]) >= 65520.0f)
                st = qz_fail(err, QZ_EUNSUPPORTED,
                             "value does not fit float16: tensor '%s', element %zu: found %g; %s folder is float16 "
                             "beside its codes, use bnb or gguf",
                             t->name, r * t->cols + k, (double)x[k], kind->name);
    }
    qz_free(x);
    return st;
}

static qz_status plan_item(const qz_folder_kind *kind, const qz_artifact_plan *p, const qz_slot *s, qz_arena *arena,
                           qz_artifact_item *it, qz_error *err) {
    const qz_tensor_view *t = s->t;
    QZ_TRY(qz_slot_source(p->model, s, false, arena, &t, err));
    const bool as_source = kind->keeps_dtype && qz_tensor_floats(t);
    bool coded = false;
    *it = (qz_artifact_item){ .source = t, .name = t->name, .out_name = t->name,
                              .type = as_source ? qz_tensor_float_type(t) : QZ_TYPE_F16, .rows = t->rows,
                              .cols = t->cols, .n_dims = t->rows == 1 && t->n_dims < 2 ? 1 : 2,
                              .layer = s->layer, .linear = s->linear,
                              .expert = s->expert, .experts = s->site ? s->site->site.experts : 0 };
    qz_slot_order(p->model, s, false, it);
    if (s->site && s->site->site.taps) it->n_dims = 3; /* [rows, 1, cols] */
    QZ_TRY(kind->quantizes(p, s, &coded, err));
    if (!coded && s->site && s->site->site.few)
        it->note = "a row or two for each head: recipes of servers leave it float";
    return qz_folder_settle(kind, p, coded, arena, it, err);
}

qz_status qz_folder_settle(const qz_folder_kind *kind, const qz_artifact_plan *p, bool coded, qz_arena *arena,
                           qz_artifact_item *it, qz_error *err) {
    if (coded && p->spec.n_modules) {
        qz_code_setting x;
        QZ_TRY(qz_module_setting_of(&p->spec, it->name, &x, err));
        coded = !x.keep;
        it->as = x.rule ? qz_module_rule_of(&x)->as : NULL;
        if (x.keep) it->note = "--module: kept";
    }
    if (!coded) {
        it->bytes = qz_type_get(it->type)->bytes * (uint64_t)it->rows * it->cols;
        return check_half(kind, it, err);
    }
    it->out_name = qz_arena_strndup(arena, it->name, strlen(it->name) - strlen(".weight"));
    if (!it->out_name) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    return kind->item(p, it, err);
}

const char *qz_folder_dtype_name(qz_type t) {
    return t == QZ_TYPE_F32 ? "float32" : t == QZ_TYPE_BF16 ? "bfloat16" : "float16";
}
qz_st_dtype qz_folder_dtype(qz_type t) {
    return t == QZ_TYPE_F32 ? QZ_ST_F32 : t == QZ_TYPE_BF16 ? QZ_ST_BF16 : QZ_ST_F16;
}

static size_t item_parts(const qz_folder_kind *kind, const qz_artifact_plan *p, const qz_artifact_item *it,
                         qz_arena *arena, qz_st_item *out) {
    if (it->out_name != it->name) return kind->parts(p, it, arena, out);
    if (it->raw) {
        *out = (qz_st_item){ it->out_name, it->raw->dtype, it->raw->n_dims, { 0 } };
        memcpy(out->dims, it->raw->dims, sizeof out->dims);
        return 1;
    }
    qz_st_dtype d = qz_folder_dtype(it->type);
    *out = (qz_st_item){ it->out_name, d, it->n_dims, { it->rows, it->cols, 1 } };
    if (it->n_dims == 1) out->dims[0] = it->cols;
    if (it->n_dims == 3) out->dims[1] = 1, out->dims[2] = it->cols;
    return 1;
}

const qz_st_tensor *qz_folder_stored(const qz_model *m, const char *name) {
    return m->impl && qz_gguf_of(m) == NULL ? qz_st_dir_find(m->impl, name, NULL) : NULL;
}

/* What predicts tokens beyond the next is no part of the model that runs: it is carried as it is stored. */
static qz_status add_heads(qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    const qz_model *m = p->model;
    size_t n = 0, dropped = 0;
    qz_str names = {0};
    for (size_t i = 0; i < m->n_left; i++) {
        if (m->left[i].kind != QZ_LEFT_MTP) continue;
        const qz_st_tensor *t = qz_folder_stored(m, m->left[i].file_name);
        const qz_type type = t ? qz_st_float_type(t->dtype) : QZ_TYPE_NONE;
        if (p->spec.no_mtp || type == QZ_TYPE_NONE || t->elems == 0) {
            dropped++;
            continue;
        }
        const size_t rows = t->n_dims > 1 ? (size_t)t->dims[0] : 1;
        p->items[p->n_items++] = (qz_artifact_item){
            .raw = t, .name = t->name, .out_name = t->name, .type = type, .rows = rows, .cols = (size_t)t->elems / rows,
            .n_dims = t->n_dims, .layer = -1, .linear = -1, .bytes = t->bytes,
            .note = "it predicts tokens beyond the next (MTP): carried as it is, not counted" };
        n++;
    }
    if (n + dropped) qz_leftovers_names(m, QZ_LEFT_MTP, &names);
    qz_status st = QZ_OK;
    if (n)
        st = qz_plan_note(p, arena, err,
                          "%zu tensor%s that predict%s tokens beyond the next (MTP) carried as stored: %s", n,
                          n == 1 ? "" : "s", n == 1 ? "s" : "", names.ptr ? names.ptr : "");
    if (st == QZ_OK && dropped)
        st = qz_plan_note(p, arena, err,
                          "%zu tensor%s that predict%s tokens beyond the next (MTP) left out%s: %s", dropped,
                          dropped == 1 ? "" : "s", dropped == 1 ? "s" : "", p->spec.no_mtp ? " (--no-mtp)" : "",
                          names.ptr ? names.ptr : "");
    qz_str_release(&names);
    return st;
}

/* Names and absolute offsets of the shards. */
static qz_status lay_out_files(qz_artifact_plan *p, const qz_folder_plan_state *fp, qz_arena *arena, qz_error *err) {
    size_t item = 0;
    for (size_t f = 0; f < fp->n_shards; f++) {
        qz_str head = {0};
        uint64_t data = 0;
        qz_status st = qz_st_header(fp->parts + fp->first[f], fp->first[f + 1] - fp->first[f], st_meta, 1, &head, &data,
                                    err);
        uint64_t at = head.len;
        qz_str_release(&head);
        QZ_TRY(st);
        char *name = fp->n_shards == 1
                         ? qz_arena_strdup(arena, "model.safetensors")
                         : qz_arena_printf(arena, "model-%05zu-of-%05zu.safetensors", f + 1, fp->n_shards);
        if (!name) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
        p->files[p->n_files++] = (qz_artifact_file){ .name = name, .bytes = at + data, .weights = true };
        for (; item < p->n_items && p->items[item].file == f; item++) {
            p->items[item].offset = at;
            at += p->items[item].bytes;
        }
    }
    return QZ_OK;
}

/* Shards by size in order. */
static qz_status lay_out(qz_artifact_plan *p, qz_folder_plan_state *fp, qz_arena *arena, qz_error *err) {
    uint64_t limit = p->context->shard_bytes ? p->context->shard_bytes : SHARD_BYTES, used = 0;
    size_t n = 0;
    fp->n_shards = 1;
    fp->first[0] = 0;
    for (size_t i = 0; i < p->n_items; i++) {
        if (used && used + p->items[i].bytes > limit) {
            fp->first[fp->n_shards++] = n;
            used = 0;
        }
        p->items[i].file = fp->n_shards - 1;
        used += p->items[i].bytes;
        fp->item_part[i] = n;
        size_t k = item_parts(fp->kind, p, &p->items[i], arena, fp->parts + n);
        if (k == 0) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
        n += k;
    }
    fp->first[fp->n_shards] = fp->item_part[p->n_items] = n;
    /* room for index, config.json and its twin */
    p->files = qz_arena_calloc(arena, fp->n_shards + 3, sizeof *p->files);
    if (!p->files) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    return lay_out_files(p, fp, arena, err);
}

/* Scales of keys and values, float32: [1] of a layer or [kv_heads, 1, 1]; of ModelOpt a scalar in each projection.
 * Behind the model's own tensors. */
static qz_status add_cache_scales(const qz_folder_kind *kind, qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    const qz_config *c = &p->model->config;
    if (p->spec.kv && qz_family_get(c->family)->by_layer)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "scales of an FP8 cache: model '%s': layers have key heads of other sizes or borrow those of "
                       "earlier layers, and no engine's layout for that is known; leave +kv out",
                       p->model->path);
    const size_t heads = (size_t)c->kv_heads, n = p->spec.kv == QZ_KV_SCALES_HEAD ? heads : 1;
    const uint32_t dims = kind->cache_in_projections ? 0 : n == 1 ? 1 : 3;
    for (size_t l = 0; l < c->layers && p->spec.kv; l++)
        for (int value = 0; value < 2; value++) {
            const float *most = value ? p->context->v_largest : p->context->k_largest;
            float *scale = qz_arena_calloc(arena, n, sizeof *scale);
            const char which = value ? 'v' : 'k';
            char *name = kind->cache_in_projections
                             ? qz_arena_printf(arena, "model.layers.%zu.self_attn.%c_proj.%c_scale", l, which, which)
                             : qz_arena_printf(arena, "model.layers.%zu.self_attn.%c_scale", l, which);
            if (!scale || !name) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
            for (size_t h = 0; h < heads && most; h++) {
                float *s = &scale[n == 1 ? 0 : h];
                *s = fmaxf(*s, most[l * heads + h] / 448);
            }
            for (size_t h = 0; h < n; h++)
                if (!(scale[h] > 0)) scale[h] = 1; /* as without a calibration */
            p->items[p->n_items++] = (qz_artifact_item){ .name = name, .out_name = name, .type = QZ_TYPE_F32, .rows = n,
                                                         .cols = 1, .n_dims = dims, .layer = -1, .linear = -1,
                                                         .generated = scale, .bytes = 4 * n };
        }
    return QZ_OK;
}

/* Experts of a layer that the source stores in one tensor and the folder one by one. (Items of a stack stand one behind
 * the other.) */
static qz_status say_split(qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    size_t tensors = 0, linears = 0;
    const char *last = "";
    for (size_t i = 0; i + 1 < p->n_items; i++) {
        const qz_artifact_item *a = &p->items[i], *b = a + 1;
        const bool begins = a->linear >= 0 && a->experts && a->expert == 0 && b->expert == 1;
        if (!begins || strcmp(a->source->file_name, b->source->file_name) != 0) continue;
        linears += a->experts;
        tensors += strcmp(last, a->source->file_name) != 0; /* gate and up of one */
        last = a->source->file_name;
    }
    if (tensors == 0) return QZ_OK;
    return qz_plan_note(p, arena, err,
                        "%zu tensors that hold the experts of a layer in one become %zu linears of their own", tensors,
                        linears);
}

qz_status qz_folder_plan(const qz_folder_kind *kind, const qz_model *m, qz_arena *arena, qz_artifact_plan *out,
                         qz_error *err) {
    qz_slot *slots = NULL;
    size_t n = 0;
    if (!m->loose) QZ_TRY(qz_collect_slots(m, arena, &slots, &n, err));
    /* scales of the cache, prediction heads */
    const size_t most = m->loose ? qz_loose_most(m) : n + 2 * (size_t)m->config.layers + m->n_left;
    qz_folder_plan_state *fp = qz_arena_calloc(arena, 1, sizeof *fp);
    out->items = qz_arena_calloc(arena, most + 1, sizeof *out->items);
    if (fp) {
        fp->kind = kind;
        fp->parts = qz_arena_calloc(arena, QZ_FOLDER_PARTS * most + 1, sizeof *fp->parts);
        fp->first = qz_arena_calloc(arena, most + 2, sizeof *fp->first);
        fp->item_part = qz_arena_calloc(arena, most + 1, sizeof *fp->item_part);
    }
    if (!fp || !out->items || !fp->parts || !fp->first || !fp->item_part)
        return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    if (out->spec.kv && m->config.latent.kv_rank)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "latent attention keeps one vector for all heads, and nothing stores scales of it: model '%s'; "
                       "leave out --kv",
                       m->path);
    if (m->config.rope.has_freq_factors)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "rope frequency factors cannot be stored in config.json: model '%s'; start from the checkpoint",
                       m->path);
    for (size_t l = 0; l < m->config.layers; l++)
        if (m->config.layer_mixer[l] == QZ_KIND_DELTA_GATED)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "projections taken apart: model '%s', layer %zu: expected linear_attn.in_proj_qkvz as "
                           "checkpoints store it, found it as two; start from the checkpoint",
                           m->path, l);
    QZ_TRY(qz_module_rules_check(&out->spec, m, err));
    QZ_TRY(qz_module_rules_note(out, arena, err));
    if (m->loose) QZ_TRY(qz_loose_items(kind, out, arena, err));
    for (size_t i = 0; i < n; i++) QZ_TRY(plan_item(kind, out, &slots[i], arena, &out->items[out->n_items++], err));
    if (n) QZ_TRY(say_split(out, arena, err));
    if (!m->loose) QZ_TRY(add_heads(out, arena, err));
    QZ_TRY(add_cache_scales(kind, out, arena, err));
    QZ_TRY(lay_out(out, fp, arena, err));
    out->impl = fp;
    return qz_folder_add_files(out, arena, err);
}

const char *qz_plan_provenance(const qz_artifact_plan *p, const char *key) {
    for (size_t i = 0; i < p->context->n_provenance; i++)
        if (strcmp(p->context->provenance[i].key, key) == 0) return p->context->provenance[i].value;
    return NULL;
}

/* ---- sink ---- */
static char *file_path(const qz_artifact_writer *w, size_t f) {
    return qz_path_join(w->partial, w->plan->files[f].name);
}

static qz_status open_shard(qz_artifact_writer *w, size_t f, size_t done, qz_error *err) {
    const qz_folder_plan_state *fp = w->plan->impl;
    const qz_st_plan plan = {fp->parts + fp->first[f], fp->first[f + 1] - fp->first[f], st_meta, 1};
    char *path = file_path(w, f);
    if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    qz_status st = done ? qz_st_writer_resume(&w->sink.shards.st, path, &plan, done, err)
                        : qz_st_writer_open(&w->sink.shards.st, path, &plan, err);
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
    char *path = file_path(w, f);
    qz_str partial = {0};
    qz_status st = QZ_OK;
    if (path && qz_path_exists(path)) {
        qz_str_printf(&partial, "%s.partial", path);
        if (!partial.failed) st = qz_commit(&(qz_move){path, partial.ptr}, 1, err);
    }
    if (!path || partial.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    qz_free(path);
    qz_str_release(&partial);
    return st;
}

/* Opens the shard of the first missing item; shards before it are complete and get their names here if a
 * crash came between. */
qz_status qz_folder_open(qz_artifact_writer *w, size_t done, qz_error *err) {
    const qz_folder_plan_state *fp = w->plan->impl;
    const qz_artifact_plan *p = w->plan;
    size_t current = done < p->n_items ? p->items[done].file : fp->n_shards;
    for (size_t f = 0; f < current && f < fp->n_shards; f++) {
        char *path = file_path(w, f);
        if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
        qz_status st = QZ_OK;
        if (qz_path_exists(path)) st = qz_sha256_file_hex(path, w->file_sha[f], err);
        else {
            st = open_shard(w, f, fp->first[f + 1] - fp->first[f], err);
            if (st == QZ_OK) st = commit_shard(w, err);
        }
        qz_free(path);
        QZ_TRY(st);
    }
    if (current == fp->n_shards) return QZ_OK;
    QZ_TRY(reopen_committed(w, current, err));
    return open_shard(w, current, fp->item_part[done] - fp->first[current], err);
}

qz_status qz_folder_write(qz_artifact_writer *w, const void *bytes, size_t n, qz_error *err) {
    const uint8_t *p = bytes;
    size_t f = w->plan->items[w->next].file;
    if (!w->sink.shards.open || w->sink.shards.file != f) {
        QZ_TRY(commit_shard(w, err));
        QZ_TRY(open_shard(w, f, 0, err));
    }
    while (n) { /* the writer counts file tensors, an item may span several of them */
        uint64_t left = qz_st_writer_left(&w->sink.shards.st);
        size_t k = left < n ? (size_t)left : n;
        if (k == 0) return qz_fail(err, QZ_EBUG, "too many bytes for '%s'", w->plan->items[w->next].out_name);
        QZ_TRY(qz_st_writer_write(&w->sink.shards.st, p, k, err));
        p += k;
        n -= k;
    }
    return QZ_OK;
}
qz_status qz_folder_flush(qz_artifact_writer *w, qz_error *err) {
    return w->sink.shards.open ? qz_out_flush(&w->sink.shards.st.out, err) : QZ_OK;
}
qz_status qz_folder_finish(qz_artifact_writer *w, qz_error *err) {
    QZ_TRY(commit_shard(w, err));
    for (size_t i = 0; i < w->plan->n_files; i++) {
        const qz_artifact_file *f = &w->plan->files[i];
        if (f->weights) continue;
        char *path = file_path(w, i);
        if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
        qz_status st = f->text ? qz_write_file(path, f->text, (size_t)f->bytes, err)
                               : qz_copy_file(f->copy_from, path, err);
        if (st == QZ_OK) st = qz_sha256_file_hex(path, w->file_sha[i], err);
        qz_free(path);
        QZ_TRY(st);
    }
    return QZ_OK;
}
void qz_folder_close(qz_artifact_writer *w, bool keep) {
    if (w->sink.shards.open) qz_st_writer_abort(&w->sink.shards.st, keep);
    w->sink.shards.open = false;
}

/* ---- integer groups ---- */
qz_status qz_folder_int_codes(const qz_quantized *q, const char *scheme, bool act_order, const qz_int_codes **out,
                              qz_error *err) {
    const qz_int_codes *c = *out = qz_int_codes_of(q->coded);
    if (c == NULL) return qz_fail(err, QZ_EBUG, "tensor '%s' comes in another type than planned", q->name);
    unsigned top = (1u << c->bits) - 1u;
    size_t groups = q->cols / c->group_size;
    for (size_t k = 0; c->g_idx && k < q->cols; k++) {
        if (c->g_idx[k] >= groups)
            return qz_fail(err, QZ_EBUG, "group out of range: tensor '%s', column %zu: found %u of %zu", q->name, k,
                           c->g_idx[k], groups);
        if (!act_order && c->g_idx[k] != k / c->group_size)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "%s cannot store act_order: tensor '%s', column %zu stands in group %u", scheme, q->name, k,
                           c->g_idx[k]);
    }
    for (size_t i = 0; i < q->rows * q->cols; i++)
        if (c->codes[i] > top)
            return qz_fail(err, QZ_EBUG, "code out of range: tensor '%s', element %zu: found %u", q->name, i,
                           c->codes[i]);
    for (size_t i = 0; i < q->rows * groups; i++) {
        if (c->zero_points[i] > top)
            return qz_fail(err, QZ_EBUG, "zero point out of range: tensor '%s', group %zu: found %u", q->name, i,
                           c->zero_points[i]);
        if (!isfinite(c->scales[i]) || (c->scale_type == QZ_SCALE_F16 && fabsf(c->scales[i]) >= 65520.0f))
            return qz_fail(err, QZ_ENUMERIC, "scale does not fit the file: tensor '%s', row %zu, group %zu: found %g",
                           q->name, i / groups, i % groups, (double)c->scales[i]);
    }
    return QZ_OK;
}

/* Round to nearest on float16 scales, as a file holds them. */
qz_status qz_folder_round(qz_run *run, const qz_artifact_plan *plan, const qz_artifact_item *it, const float *w,
                          qz_arena *arena, const qz_coded **out, qz_error *err) {
    const qz_scheme_spec *spec = &plan->spec;
    (void)run;
    size_t g = it->group_size, groups = it->cols / g, top = (1u << it->bits) - 1;
    uint8_t *codes = qz_arena_alloc(arena, it->rows, it->cols), *zeros = qz_arena_alloc(arena, it->rows, groups);
    const uint8_t least = spec->sym ? 0 : qz_scheme_least_zero(spec);
    float *scales = qz_arena_alloc(arena, it->rows * groups, sizeof *scales);
    if (!codes || !zeros || !scales) return qz_fail(err, QZ_EMEMORY, "out of memory for codes of '%s'", it->name);
    for (size_t r = 0; r < it->rows; r++) {
        qz_int_group_rtn_row(w + r * it->cols, it->cols, g, it->bits, it->sym,
                             (qz_int_row){codes + r * it->cols, scales + r * groups, zeros + r * groups});
        for (size_t j = 0; j < groups; j++) {
            float s = qz_f16_to_f32(qz_f32_to_f16(scales[r * groups + j]));
            uint8_t *z = &zeros[r * groups + j];
            *z = *z < least ? least : *z;
            scales[r * groups + j] = s;
            for (size_t k = j * g; k < (j + 1) * g; k++) {
                float c = rintf(w[r * it->cols + k] / s) + (float)*z;
                codes[r * it->cols + k] = (uint8_t)(c > 0 ? c < (float)top ? c : (float)top : 0);
            }
        }
    }
    const qz_int_codes c = {.codes = codes, .scales = scales, .zero_points = zeros, .bits = it->bits,
                            .group_size = it->group_size, .sym = it->sym};
    *out = qz_int_codes_keep(c, it->rows, it->cols, arena);
    return *out ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for codes of '%s'", it->name);
}

qz_status qz_folder_row_map(const qz_artifact_writer *w, const qz_artifact_item *it, size_t **map, qz_error *err) {
    *map = NULL;
    if (it->permute == QZ_PERMUTE_NONE) return QZ_OK;
    *map = qz_alloc_array(it->rows, sizeof **map);
    if (!*map) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    for (size_t n = 0; n < it->rows; n++) (*map)[n] = qz_item_source_row(it, it->rows, n);
    return QZ_OK;
}

qz_status qz_folder_put_scales(qz_artifact_writer *w, const qz_quantized *q, const size_t *map, qz_error *err) {
    const qz_int_codes *c = qz_int_codes_of(q->coded);
    size_t groups = q->cols / c->group_size;
    uint16_t *half = qz_alloc_array(q->rows, sizeof *half);
    qz_status st = half ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    for (size_t j = 0; j < groups && st == QZ_OK; j++) {
        for (size_t n = 0; n < q->rows; n++) half[n] = qz_f32_to_f16(c->scales[(map ? map[n] : n) * groups + j]);
        st = qz_artifact_writer_bytes(w, half, 2 * q->rows, err);
    }
    qz_free(half);
    return st;
}
