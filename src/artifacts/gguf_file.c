/* GGUF scheme: levels, plan (names, types by the reference's mixes, order, exact offsets) and sink.
 * Source: formats/gguf-metadata.md, gguf-mixes.md. Tensors are written in the quantizer's order: outside the blocks
 * first, then block by block, names sorted. */
#include "artifacts/gguf_deviations.h"
#include "artifacts/gguf_layout.h"
#include "artifacts/gguf_nextn.h"
#include "artifacts/gguf_sink.h"
#include "artifacts/provenance.h"
#include "artifacts/tensor_types.h"
#include "artifacts/artifacts_int.h"
#include "artifacts/gguf_ftypes.h"
#include "base/size.h"
#include "codecs/types.h"
#include "model/kinds.h"
#include "model/leftovers.h"
#include "model/steps.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *level_at(size_t i) { return i < QZ_FTYPE_COUNT ? qz_ftype_get((qz_ftype)i)->name : NULL; }

static qz_status parse(qz_scheme_spec *s, const char *level, const char *flags, qz_error *err) {
    s->ftype = qz_ftype_by_name(level);
    s->layout.room_as_usual = true;
    if (s->ftype == QZ_FTYPE_COUNT) return QZ_EUSAGE; /* the caller names the nearest */
    snprintf(s->level, sizeof s->level, "%s", qz_ftype_get(s->ftype)->name);
    if (strcasecmp(flags, "pure") == 0) s->mix.pure = true;
    else if (*flags) return qz_fail(err, QZ_EUSAGE, "unknown flag '+%s' of scheme 'gguf': expected +pure", flags);
    return QZ_OK;
}

static int cmp_item(const void *a, const void *b) {
    const qz_artifact_item *x = a, *y = b;
    int by_name = qz_gguf_name_cmp(x->out_name, y->out_name);
    const size_t a_place = qz_item_place(x), b_place = qz_item_place(y);
    return by_name ? by_name : a_place < b_place ? -1 : a_place > b_place;
}

static int cmp_part(const void *a, const void *b) {
    const qz_artifact_item *x = a, *y = b;
    return x->file != y->file ? (x->file < y->file ? -1 : 1) : cmp_item(a, b);
}

static void add_factors(qz_artifact_plan *out, const char *name, const float *factors, size_t n) {
    out->items[out->n_items++] = (qz_artifact_item){ .name = name, .out_name = name, .type = QZ_TYPE_F32, .rows = 1,
                                                     .cols = n, .n_dims = 1, .layer = -1, .linear = -1,
                                                     .use = QZ_USE_KEPT,
                                                     .generated = factors };
}

/* --keep-split: every tensor in the part that its source has; what the plan makes itself in the first. The types are
 * those of one file (deviates: the reference visits tensors by part, so that a mix that counts may differ there). */
static qz_status keep_parts(qz_artifact_plan *p, qz_error *err) {
    size_t no, count;
    for (size_t i = 0; i < p->n_items; i++) {
        const qz_tensor_view *t = p->items[i].source;
        if (t == NULL) continue;
        if (t->file == NULL || !qz_gguf_part_named(t->file, &no, &count))
            return qz_fail(err, QZ_EUSAGE,
                           "--keep-split keeps the parts of a split GGUF source, and '%s' is none; give "
                           "--split-max-size",
                           p->model->path);
        p->items[i].file = no;
        p->n_files = count;
    }
    qsort(p->items, p->n_items, sizeof *p->items, cmp_part);
    return QZ_OK;
}

/* A matrix that GGUF stores as two: q, k and v of all key heads, and the gates, which stand head by head in the source
 * (formats/families-2.md section 13). The item's becomes the first of them, `rest` the other. */
static qz_status take_apart(const qz_config *c, const qz_site *s, qz_arena *arena, qz_artifact_item *it,
                            qz_artifact_item *rest, qz_error *err) {
    const size_t nk = (size_t)c->delta.k_heads, dk = (size_t)c->delta.k_dim, values = (size_t)s->rest_rows / nk,
                 group = 2 * (dk + values), parts[] = {dk, dk, values, values};
    uint32_t *from = qz_arena_alloc(arena, it->rows, sizeof *from);
    qz_tensor_view *v = qz_arena_alloc(arena, 2, sizeof *v);
    char *name = qz_arena_printf(arena, "blk.%ld.%s.weight", it->layer, s->gguf_rest);
    if (!from || !v || !name) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", it->name);
    for (size_t p = 0, n = 0, at = 0; p < 4; at += parts[p++])
        for (size_t g = 0; g < nk; g++)
            for (size_t r = 0; r < parts[p]; r++) from[n++] = (uint32_t)(g * group + at + r);
    const size_t rest_rows = (size_t)s->rest_rows, first = it->rows - rest_rows;
    v[0] = v[1] = *it->source;
    v[0].row_from = from, v[0].rows = first, v[0].bytes = v[0].bytes / it->rows * first;
    v[1].row_from = from + first, v[1].rows = rest_rows, v[1].bytes = v[1].bytes / it->rows * rest_rows;
    /* as they are named when the file is opened */
    const qz_linear_row *apart = qz_kind_get(QZ_KIND_DELTA_GATED)->linears;
    for (size_t i = 0; i < 2; i++) {
        v[i].name = qz_arena_printf(arena, "model.layers.%ld.%s.weight", it->layer, apart[i].name);
        if (!v[i].name) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", it->name);
    }
    *rest = *it;
    it->source = &v[0], it->name = v[0].name, it->rows = first;
    rest->source = &v[1], rest->name = v[1].name, rest->rows = rest_rows, rest->out_name = name;
    rest->use = QZ_USE_OTHER;
    return QZ_OK;
}

/* The item of a slot, or the two that stand for its matrix. */
static qz_status put_slot(const qz_model *m, const qz_slot *slot, qz_arena *arena, qz_artifact_plan *out,
                          qz_error *err) {
    const qz_tensor_view *t = slot->t;
    const qz_bound *site = slot->site;
    char name[128];
    if (qz_gguf_is_kv_b(slot)) return qz_gguf_put_heads(m, slot, arena, out, err);
    QZ_TRY(qz_slot_source(m, slot, true, arena, &t, err));
    if (!qz_gguf_name_of(m, slot, name, sizeof name))
        return qz_fail(err, QZ_EUNSUPPORTED, "no GGUF name: tensor '%s', file '%s'", t->name, t->file);
    qz_artifact_item *it = &out->items[out->n_items++];
    *it = (qz_artifact_item){ .source = t, .name = t->name, .out_name = qz_arena_strdup(arena, name),
                              .rows = t->rows, .cols = t->cols,
                              .n_dims = t->rows == 1 ? 1 : 2, .layer = slot->layer, .linear = slot->linear,
                              .use = qz_slot_use(m, slot) };
    qz_slot_order(m, slot, true, it);
    if (site && site->site.experts) {
        it->experts = site->site.experts;
        it->expert = slot->expert;
        it->halves = site->site.gguf_half ? 2 : 0;
        it->half = site->site.gguf_half == 2;
    }
    if (!it->out_name) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    if (site && site->site.gguf_rest && !slot->bias)
        return take_apart(&m->config, &site->site, arena, it, &out->items[out->n_items++], err);
    return QZ_OK;
}

/* Layers that predict more tokens: no method sees them, whatever they are to their block. */
static qz_status put_heads(const qz_gguf_heads *h, const qz_slot *slots, size_t n, qz_arena *arena,
                           qz_artifact_plan *out, qz_error *err) {
    const size_t first = out->n_items;
    for (size_t i = 0; i < n; i++) QZ_TRY(put_slot(h->model, &slots[i], arena, out, err));
    for (size_t i = 0; i < h->n_rows; i++) {
        const qz_tensor_view *t = h->rows[i].source;
        out->items[out->n_items++] = (qz_artifact_item){
            .source = t, .name = t->name, .out_name = h->rows[i].out_name, .rows = t->rows, .cols = t->cols,
            .n_dims = t->rows == 1 ? 1 : 2, .use = h->rows[i].norm ? QZ_USE_KEPT : QZ_USE_STORED };
    }
    for (size_t i = first; i < out->n_items; i++) {
        qz_artifact_item *it = &out->items[i];
        it->head = true, it->layer = it->linear = -1;
        if (it->use != QZ_USE_KEPT) it->use = QZ_USE_STORED;
    }
    out->head_layers = h->layers;
    return QZ_OK;
}

/* Those that stay out are counted, by a line. */
static qz_status note_heads(const qz_model *m, const qz_gguf_heads *h, qz_artifact_plan *out, qz_arena *arena,
                            qz_error *err) {
    const size_t all = qz_leftovers_count(m, QZ_LEFT_MTP), left = h->layers ? h->left : all;
    const char *why = out->spec.no_mtp ? "--no-mtp"
                      : h->why         ? h->why
                      : h->layers      ? "no name for them there"
                                       : "llama.cpp has no place for them in this architecture";
    const uint64_t announced = m->config.mtp_layers;
    if (all == 0) return QZ_OK;
    if (h->layers && announced && announced != h->layers)
        QZ_TRY(qz_plan_note(out, arena, err,
                            "config.json announces %llu blocks that predict tokens beyond the next (MTP), stored %s "
                            "%zu: nextn_predict_layers is %zu",
                            (unsigned long long)announced, h->layers == 1 ? "is" : "are", h->layers, h->layers));
    if (h->layers)
        QZ_TRY(qz_plan_note(out, arena, err,
                            "%zu tensor%s that predict%s tokens beyond the next (MTP) written as %zu block%s behind "
                            "the last (nextn), in the floats of the source unless --tensor-type says otherwise",
                            all - left, all - left == 1 ? "" : "s", all - left == 1 ? "s" : "", h->layers,
                            qz_plural(h->layers)));
    if (left == 0) return QZ_OK;
    return qz_plan_note(out, arena, err, "%zu tensor%s that predict%s tokens beyond the next (MTP) left out (%s)", left,
                        left == 1 ? "" : "s", left == 1 ? "s" : "", why);
}

static qz_status add_rotary(const qz_model *m, qz_arena *arena, qz_artifact_plan *out, qz_error *err) {
    const qz_config *c = &m->config;
    if (qz_gguf_has_factors(c)) {
        const size_t width = (size_t)qz_rotary_dim(c, false);
        float *factors = qz_arena_alloc(arena, width / 2, sizeof *factors);
        if (!factors) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
        qz_gguf_rope_factors(&c->rope, width, factors);
        add_factors(out, "rope_freqs.weight", factors, width / 2);
    }
    if (c->rope.kind == QZ_ROPE_LONGROPE) {
        add_factors(out, "rope_factors_long.weight", c->rope.long_factor, (size_t)c->rotary_dim / 2);
        add_factors(out, "rope_factors_short.weight", c->rope.short_factor, (size_t)c->rotary_dim / 2);
    }
    return QZ_OK;
}

static qz_status make_items(const qz_model *m, qz_arena *arena, qz_artifact_plan *out, qz_error *err) {
    qz_slot *slots = NULL, *more = NULL;
    size_t n = 0, n_more = 0;
    qz_gguf_heads heads = {0};
    const qz_config *c = &m->config;
    QZ_TRY(qz_collect_slots(m, arena, &slots, &n, err));
    if (!out->spec.no_mtp) QZ_TRY(qz_gguf_heads_find(m, arena, &heads, err));
    if (heads.layers) QZ_TRY(qz_collect_slots(heads.model, arena, &more, &n_more, err));
    out->items = qz_arena_calloc(arena, n + (size_t)c->layers + 2 + qz_gguf_head_items(c) + n_more + heads.n_rows,
                                 sizeof *out->items);
    if (!out->items) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    for (size_t i = 0; i < n; i++) QZ_TRY(put_slot(m, &slots[i], arena, out, err));
    if (heads.layers) QZ_TRY(put_heads(&heads, more, n_more, arena, out, err));
    QZ_TRY(note_heads(m, &heads, out, arena, err));
    QZ_TRY(add_rotary(m, arena, out, err));
    qsort(out->items, out->n_items, sizeof *out->items, cmp_item);
    return out->spec.layout.keep ? keep_parts(out, err) : QZ_OK;
}

/* The first rule that matches gives the type: then it is what asks for importance, not the level. */
static qz_status refuse_without(const qz_artifact_plan *p, const qz_artifact_item *it, const qz_mix_choice *ch,
                                qz_error *err) {
    const qz_mix_options *mix = &p->spec.mix;
    bool yes = false;
    size_t r = 0;
    for (; r < mix->n_rules && !yes; r++) QZ_TRY(qz_mix_rule_match(&mix->rules[r], it->out_name, &yes, err));
    if (yes && mix->rules[r - 1].type == ch->wanted)
        return qz_fail(err, QZ_EUSAGE,
                       "--tensor-type '%.200s' needs an importance matrix for tensor '%s': calibrate first or give "
                       "--imatrix",
                       mix->rules[r - 1].text, it->out_name);
    return qz_fail(err, QZ_EUSAGE,
                   "level %s needs an importance matrix for tensor '%s': calibrate first or give --imatrix",
                   p->spec.level, it->out_name);
}

/* What was asked for and met no tensor. */
static qz_status note_unmet(qz_artifact_plan *p, const qz_mix_tensor *t, const qz_mix_choice *ch, size_t n,
                            qz_arena *arena, qz_error *err) {
    size_t heads = 0, given = 0, experts = 0, coded = 0;
    for (size_t i = 0; i < n; i++) {
        heads += t[i].use == QZ_USE_HEAD;
        given += t[i].use == QZ_USE_EMBED && p->spec.mix.output_type >= 0 &&
                 ch[i].wanted == (uint32_t)p->spec.mix.output_type;
        experts += t[i].ne[2] > 1;
        coded += ch[i].quantizable;
    }
    if (p->spec.mix.output_type >= 0 && heads + given == 0)
        QZ_TRY(qz_plan_note(p, arena, err,
                            "--output-tensor-type had no effect: the model has no output matrix of its own "
                            "(tied), and the embedding's type is --token-embedding-type's or the level's"));
    if (p->spec.ftype == QZ_FTYPE_MXFP4_MOE && experts == 0)
        QZ_TRY(qz_plan_note(p, arena, err,
                            "no experts: every matrix is Q8_0 (%zu of %zu tensors), as MXFP4_MOE codes experts alone",
                            coded, n));
    return QZ_OK;
}

static qz_status set_type(const qz_artifact_context *ctx, qz_artifact_item *it, const qz_mix_choice *ch,
                          qz_arena *arena, qz_artifact_plan *out, qz_error *err) {
    it->type = qz_type_by_ggml_id((int)ch->type);
    if (out->spec.mix.keep_floats && it->n_dims == 2 && it->source && qz_tensor_floats(it->source) && ch->quantizable) {
        it->type = qz_tensor_float_type(it->source);
        return QZ_OK;
    }
    if (it->type == QZ_TYPE_NONE || !qz_type_get(it->type)->encode)
        return qz_fail(err, QZ_EBUG, "no encoder: tensor '%s' needs type %s under level %s", it->out_name,
                       qz_gguf_type_get(ch->type)->name, out->spec.level);
    it->importance_matters = qz_type_get(it->type)->uses_importance && it->layer >= 0;
    it->importance_required = ch->needs_imatrix;
    if (ch->needs_imatrix && !ctx->has_imatrix) return refuse_without(out, it, ch, err);
    if (ch->type == ch->wanted) return QZ_OK;
    if (qz_item_place(it) == 0) out->n_fallbacks++; /* a stack is one tensor */
    it->note = qz_arena_printf(arena, "rows of %zu values do not fit %s, stored as %s", it->cols,
                               qz_gguf_type_get(ch->wanted)->name, qz_gguf_type_get(ch->type)->name);
    it->misfit = qz_type_get(it->type)->kind == QZ_KIND_FLOAT;
    return it->note ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", out->model->path);
}

/* One line per kind of fallback with its count and first tensor. */
static qz_status note_fallbacks(qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    for (size_t i = 0; i < p->n_items; i++) {
        size_t n = 0;
        bool seen = false;
        if (!p->items[i].note) continue;
        for (size_t k = 0; k < p->n_items; k++) {
            if (qz_item_place(&p->items[k]) || !p->items[k].note ||
                strcmp(p->items[k].note, p->items[i].note)) continue;
            seen |= k < i;
            n++;
        }
        if (!seen)
            QZ_TRY(qz_plan_note(p, arena, err, "%zu tensor%s: %s (first '%s')", n, qz_plural(n), p->items[i].note,
                                p->items[i].out_name));
    }
    return QZ_OK;
}

/* What the model has and the container cannot say (design.md decision 13). */
static qz_status note_losses(qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    qz_gguf_deviation x;
    for (size_t i = 0; qz_gguf_deviation_at(&p->model->config, i, &x); i++)
        QZ_TRY(qz_plan_note(p, arena, err, "%s%s%s", x.text, *x.size ? ", " : "", x.size));
    return QZ_OK;
}

/* The type of a tensor that stays as it is: float32 like the converter's norms; an output matrix left alone
 * keeps its 16 bits. */
static uint32_t stored_type(const qz_artifact_item *it, const qz_artifact_plan *p) {
    const qz_mix_options *o = &p->spec.mix;
    const bool gains = it->use == QZ_USE_KEPT || it->n_dims == 1;
    if (it->head) return gains ? 0 : (uint32_t)qz_type_get(it->source->type < QZ_TYPE_COUNT ? it->source->type
                                                           : qz_tensor_float_type(it->source))->ggml_id;
    if (it->use == QZ_USE_KEPT) return qz_ftype_kept(p->spec.ftype, it->layer, it->n_dims);
    const qz_tensor_view *v = o->keep_output && it->use == QZ_USE_HEAD ? it->source : NULL;
    return v && (v->type == QZ_TYPE_F16 || v->type == QZ_TYPE_BF16) ? (uint32_t)qz_type_get(v->type)->ggml_id : 0;
}

/* A stack of experts is one tensor: matrices one behind the other, biases one below the other. */
static size_t height(const qz_artifact_item *it) {
    return it->experts && it->n_dims == 1 ? it->experts : it->rows * qz_max_size(1, it->halves);
}
static size_t depth(const qz_artifact_item *it) { return it->n_dims == 1 ? 1 : qz_max_size(1, it->experts); }

static qz_status choose_types(const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena, qz_artifact_plan *out,
                              qz_error *err) {
    const qz_config *c = &m->config;
    size_t n = out->n_items;
    qz_mix_tensor *t = qz_arena_calloc(arena, n, sizeof *t);
    qz_mix_choice *ch = qz_arena_calloc(arena, n, sizeof *ch);
    if (!t || !ch) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    size_t k = 0; /* a stack of experts is one tensor */
    for (size_t i = 0; i < n; i++)
        if (qz_item_place(&out->items[i]) == 0)
            t[k++] = (qz_mix_tensor){ .name = out->items[i].out_name,
                                      .ne = {out->items[i].cols, height(&out->items[i]), depth(&out->items[i]), 1 },
                                      .source = stored_type(&out->items[i], out),
                                      .use = out->items[i].use, .layer = out->items[i].layer };
    qz_mix_model mm =
        {qz_family_get(c->family)->gguf_arch, c->layers, c->heads, c->kv_heads, (uint32_t)c->experts, ctx->has_imatrix};
    QZ_TRY(qz_mix_rules_check(&out->spec.mix, t, k, err));
    QZ_TRY(qz_gguf_mix(&mm, out->spec.ftype, &out->spec.mix, t, k, ch, err));
    QZ_TRY(qz_mix_rules_note(out, t, ch, k, arena, err));
    QZ_TRY(note_unmet(out, t, ch, k, arena, err));
    if (out->spec.mix.keep_output && m->head == m->embed)
        QZ_TRY(qz_plan_note(out, arena, err,
                            "--leave-output-tensor has no effect: the output matrix is the embedding (tied), and its "
                            "type is the embedding's"));
    k = 0;
    for (size_t i = 0; i < n; i++) {
        k += i > 0 && qz_item_place(&out->items[i]) == 0;
        QZ_TRY(set_type(ctx, &out->items[i], &ch[k], arena, out, err));
    }
    QZ_TRY(note_fallbacks(out, arena, err));
    return note_losses(out, arena, err);
}

#define ALIGNED(n) (((n) + QZ_GGUF_ALIGNMENT - 1) / QZ_GGUF_ALIGNMENT * QZ_GGUF_ALIGNMENT)

/* Offsets in each part: the experts of a stack stand one behind the other, padding follows the last. */
static qz_status place(qz_artifact_plan *out, const qz_gguf_plan *gp, qz_error *err) {
    for (size_t f = 0, i = 0; f < gp->n; f++) {
        const qz_gguf_part *part = &gp->parts[f];
        uint64_t size = 0, data = 0, all = 0;
        for (size_t k = 0; k < part->n; k++) {
            QZ_TRY(qz_gguf_item_bytes(&part->items[k], &all, err));
            data += ALIGNED(all);
        }
        QZ_TRY(qz_gguf_file_size(&part->meta, part->items, part->n, &size, err));
        uint64_t at = size - data;
        for (; i < out->n_items && out->items[i].file == f; i++) {
            qz_artifact_item *it = &out->items[i];
            it->offset = at;
            at += it->bytes;
            const size_t place_at = qz_item_place(it);
            if (place_at + 1 >= qz_item_places(it))
                at = it->offset - place_at * it->bytes + ALIGNED((place_at + 1) * it->bytes);
        }
        out->files[f] = (qz_artifact_file){ .bytes = size, .weights = true };
    }
    out->n_files = gp->n;
    return QZ_OK;
}

/* The tensors of the file, a stack of experts is one; sizes of their items. */
static qz_status list_tensors(qz_artifact_plan *out, qz_gguf_item *items, uint64_t *padded, size_t *n, qz_error *err) {
    *n = 0;
    for (size_t i = 0; i < out->n_items; i++) {
        qz_artifact_item *it = &out->items[i];
        uint64_t all = 0;
        if (qz_item_place(it)) {
            it->bytes = out->items[i - 1].bytes;
            continue;
        }
        items[*n] = (qz_gguf_item){ .name = it->out_name, .type = (uint32_t)qz_type_get(it->type)->ggml_id,
                                    .n_dims = it->n_dims + (it->experts > 0),
                                    .dims = { it->cols, height(it), depth(it), 1 } };
        QZ_TRY(qz_gguf_item_bytes(&items[*n], &all, err));
        padded[(*n)++] = ALIGNED(all);
        it->bytes = all / qz_item_places(it);
    }
    return QZ_OK;
}

/* Numbers of the parts, unless --keep-split has given them. */
static qz_status give_parts(qz_artifact_plan *out, const uint64_t *padded, size_t n, qz_arena *arena, qz_error *err) {
    size_t *part = qz_arena_alloc(arena, n + 1, sizeof *part);
    if (!part) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", out->model->path);
    if (out->spec.layout.keep) return QZ_OK;
    QZ_TRY(qz_gguf_layout_parts(&out->spec.layout, padded, n, part, &out->n_files, err));
    for (size_t i = 0, k = 0; i < out->n_items; i++) {
        k += i > 0 && qz_item_place(&out->items[i]) == 0;
        out->items[i].file = part[k];
    }
    return QZ_OK;
}

static uint64_t room_of(const qz_artifact_plan *p, const uint64_t *padded, size_t n) {
    uint64_t data = 0;
    for (size_t i = 0; i < n; i++) data += padded[i];
    if (!p->spec.layout.room_as_usual) return p->spec.layout.room;
    return p->context->as_reference || data < QZ_GGUF_ROOM_FROM ? 0 : QZ_GGUF_ROOM;
}

/* Moves the entries into the arena. */
static qz_status keep_meta(qz_gguf_meta *m, qz_arena *arena, qz_error *err) {
    char *copy = m->bytes.failed ? NULL : qz_arena_alloc(arena, m->bytes.len + 1, 1);
    const qz_gguf_meta was = *m;
    if (copy && was.bytes.len) memcpy(copy, was.bytes.ptr, was.bytes.len);
    *m = (qz_gguf_meta){ .bytes = { .ptr = copy, .len = was.bytes.len }, .n = was.n, .alignment = was.alignment };
    qz_gguf_meta whole = was;
    qz_gguf_meta_release(&whole);
    return copy ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory planning");
}

/* What tells the parts of two models of equal shapes apart. */
static void put_identity(const qz_artifact_context *c, qz_gguf_meta *m) {
    for (size_t i = 0; i < c->n_provenance; i++) {
        const qz_provenance *v = &c->provenance[i];
        char key[96];
        if (strcmp(v->key, "source_sha256") != 0 && strcmp(v->key, QZ_RECIPE_KEY) != 0) continue;
        (void)snprintf(key, sizeof key, "quantz.%.80s", v->key);
        qz_gguf_put_str(m, key, v->value);
    }
}

/* The first part says all of the model, the others say which part they are, and of which model. */
static qz_status make_metas(qz_artifact_plan *out, qz_gguf_plan *gp, size_t tensors, uint64_t room, qz_arena *arena,
                            qz_error *err) {
    for (size_t f = 0; f < gp->n; f++) {
        qz_gguf_meta meta = {0};
        qz_status st = f == 0 ? qz_gguf_meta_build(out, arena, &meta, err) : QZ_OK;
        if (st == QZ_OK && f == 0) st = qz_gguf_meta_carry(out, arena, &meta, err);
        if (qz_gguf_is_split(&out->spec)) qz_gguf_put_split(&meta, f, gp->n, tensors);
        if (f == 0) qz_gguf_put_room(&meta, room);
        else put_identity(out->context, &meta);
        gp->parts[f].meta = meta;
        if (st == QZ_OK) st = keep_meta(&gp->parts[f].meta, arena, err);
        else qz_gguf_meta_release(&meta);
        QZ_TRY(st);
    }
    return QZ_OK;
}

static qz_status plan(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena,
                      qz_artifact_plan *out, qz_error *err) {
    (void)run;
    QZ_TRY(qz_gguf_refuse(m, err));
    QZ_TRY(make_items(m, arena, out, err));
    QZ_TRY(choose_types(m, ctx, arena, out, err));
    qz_gguf_plan *gp = qz_arena_calloc(arena, 1, sizeof *gp);
    qz_gguf_item *items = qz_arena_calloc(arena, out->n_items, sizeof *items);
    uint64_t *padded = qz_arena_calloc(arena, out->n_items, sizeof *padded);
    if (!gp || !items || !padded) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    size_t n = 0;
    QZ_TRY(list_tensors(out, items, padded, &n, err));
    QZ_TRY(give_parts(out, padded, n, arena, err));
    gp->n = out->n_files;
    gp->parts = qz_arena_calloc(arena, gp->n, sizeof *gp->parts);
    out->files = qz_arena_calloc(arena, gp->n, sizeof *out->files);
    if (!gp->parts || !out->files) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    for (size_t i = 0, k = 0; i < out->n_items; i++) {
        qz_gguf_part *part = &gp->parts[out->items[i].file];
        if (qz_item_place(&out->items[i])) continue;
        if (part->n++ == 0) part->items = items + k;
        k++;
    }
    QZ_TRY(make_metas(out, gp, n, room_of(out, padded, n), arena, err));
    out->impl = gp;
    return place(out, gp, err);
}

const qz_scheme_ops qz_gguf_scheme = {
    .parse = parse, .level = level_at, .plan = plan, .open = qz_gguf_sink_open, .write = qz_gguf_sink_write,
    .flush = qz_gguf_sink_flush, .finish = qz_gguf_sink_finish, .begins = qz_gguf_sink_begins,
    .file_begins = qz_gguf_sink_file_begins,
    .resume_at = qz_gguf_sink_resume_at, .close = qz_gguf_sink_close, .detect = qz_gguf_detect,
    .read = qz_gguf_read_model,
};
