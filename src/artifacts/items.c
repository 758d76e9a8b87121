/* Helpers of plans: the tensors every scheme must place, permutations of q and k, notes and totals. */
#include "artifacts/artifacts_int.h"
#include "base/size.h"
#include <stdarg.h>
#include <string.h>

static void add(qz_slot *s, size_t *n, const qz_slot *slot) {
    if (slot->t) s[(*n)++] = *slot;
}

static size_t count(const qz_model *m) {
    size_t n = 6 + QZ_TOKEN_SITES;
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t i = 0; i < m->blocks[l].n_sites; i++)
            n += qz_max_size(1, m->blocks[l].sites[i].site.experts) * (m->blocks[l].sites[i].bias ? 2 : 1);
    return n;
}

qz_status qz_collect_slots(const qz_model *m, qz_arena *arena, qz_slot **out, size_t *n, qz_error *err) {
    qz_slot *s = qz_arena_alloc(arena, count(m), sizeof *s);
    if (!s) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    *n = 0;
    add(s, n, &(qz_slot){ .t = m->embed, .layer = -1, .linear = -1 });
    for (int k = 0; k < QZ_TOKEN_SITES; k++)
        if (m->token[k]) add(s, n, &(qz_slot){ .t = m->token[k], .layer = -1, .linear = -1 });
    if (m->positions) add(s, n, &(qz_slot){ .t = m->positions, .layer = -1, .linear = -1 });
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t i = 0; i < m->blocks[l].n_sites; i++) {
            const qz_bound *b = &m->blocks[l].sites[i];
            const int linear = qz_site_linear(&b->site) ? b->site.part : -1;
            const size_t all = qz_max_size(1, b->site.experts);
            for (size_t e = 0; e < all; e++)
                add(s, n, &(qz_slot){ .t = b->weight[e], .layer = (long)l, .linear = linear, .site = b, .expert = e });
            for (size_t e = 0; b->bias && e < all; e++)
                add(s, n, &(qz_slot){ .t = b->bias[e], .layer = (long)l, .linear = -1, .site = b, .expert = e,
                                      .bias = true });
        }
    add(s, n, &(qz_slot){ .t = m->final_norm, .layer = -1, .linear = -1 });
    if (m->final_bias) add(s, n, &(qz_slot){ .t = m->final_bias, .layer = -1, .linear = -1 });
    if (m->head != m->embed) add(s, n, &(qz_slot){ .t = m->head, .layer = -1, .linear = -1 });
    if (m->head_bias) add(s, n, &(qz_slot){ .t = m->head_bias, .layer = -1, .linear = -1 });
    *out = s;
    return QZ_OK;
}

/* In the file value heads stand in turns over their key heads; the model has them so, or the other way. */
static bool other_heads(const qz_config *c, bool gguf) {
    const bool file = gguf && qz_family_get(c->family)->gguf_tiled && c->delta.v_heads != c->delta.k_heads;
    return c->delta.k_heads && file != c->delta.tiled;
}

bool qz_gguf_columns(const qz_config *c, const qz_site *s, qz_artifact_item *order) {
    *order = (qz_artifact_item){.permute = QZ_PERMUTE_TILE, .heads = (size_t)c->delta.v_heads,
                                .groups = (size_t)c->delta.k_heads, .moved = (size_t)s->value_cols};
    return s->value_cols && other_heads(c, true);
}

/* Exchanges that bring columns from the model's order to the file's: each place takes what belongs there, wherever the
 * exchanges before have put it. */
static qz_status column_order(const qz_artifact_item *order, qz_arena *arena, qz_tensor_view *v, qz_error *err) {
    const size_t n = v->cols;
    uint32_t(*swaps)[2] = qz_arena_alloc(arena, n, sizeof *swaps);
    uint32_t *at = qz_alloc_array(2 * n, sizeof *at), *place = at ? at + n : NULL; /* where x is; what is at i */
    if (!swaps || !at) {
        qz_free(at);
        return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", v->name);
    }
    for (size_t i = 0; i < n; i++) at[i] = place[i] = (uint32_t)i;
    for (size_t i = 0; i < n; i++) {
        const uint32_t want = (uint32_t)qz_item_source_row(order, n, i), from = at[want], here = place[i];
        if (from == i) continue;
        swaps[v->n_swaps][0] = (uint32_t)i, swaps[v->n_swaps++][1] = from;
        place[i] = want, at[want] = (uint32_t)i;
        place[from] = here, at[here] = from;
    }
    qz_free(at);
    v->swaps = (const uint32_t(*)[2])swaps;
    return QZ_OK;
}

qz_status qz_slot_source(const qz_model *m, const qz_slot *s, bool gguf, qz_arena *arena, const qz_tensor_view **out,
                         qz_error *err) {
    const qz_config *c = &m->config;
    const qz_site *site = s->site ? &s->site->site : NULL;
    const bool norm = s->t == m->final_norm || (site && site->kind == QZ_SITE_NORM);
    const bool less = !gguf && qz_family_get(c->family)->norm_plus_one; /* how the container stores them */
    const bool gains = norm && less != c->norm_plus_one, rates = site && site->rates && gguf != c->delta.rates,
               heads = site && site->value_cols && s->t == s->site->weight[0] && other_heads(&m->config, gguf);
    *out = s->t;
    if (!gains && !rates && !heads) return QZ_OK;
    qz_tensor_view *v = qz_arena_alloc(arena, 1, sizeof *v);
    if (!v) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    *v = *s->t;
    if (gains) v->add = less ? -1 : 1;
    if (rates) v->map = gguf ? QZ_MAP_RATE : QZ_MAP_LOG;
    *out = v;
    const qz_artifact_item order = {.permute = gguf ? QZ_PERMUTE_TILE : QZ_PERMUTE_GROUP,
                                    .heads = (size_t)c->delta.v_heads, .groups = (size_t)c->delta.k_heads,
                                    .moved = v->cols};
    return heads ? column_order(&order, arena, v, err) : QZ_OK;
}

qz_use qz_slot_use(const qz_model *m, const qz_slot *s) {
    if (s->site) return s->bias ? QZ_USE_KEPT : s->site->site.use;
    return s->t == m->embed  ? QZ_USE_EMBED
           : s->t == m->head ? QZ_USE_HEAD
           : m->token[QZ_TOKEN_EMBED] && s->t == m->token[QZ_TOKEN_EMBED] ? QZ_USE_EMBED
                             : QZ_USE_KEPT;
}
void qz_slot_order(const qz_model *m, const qz_slot *s, bool gguf, qz_artifact_item *it) {
    const qz_site *site = s->site ? &s->site->site : NULL;
    const qz_family_info *f = qz_family_get(m->config.family);
    const bool interleaved = f->rope_pairs || (gguf && f->gguf_permuted);
    if (site && site->rotary_heads) it->heads = (size_t)site->rotary_heads;
    if (site && site->rotary_heads && m->config.rope.interleaved != interleaved)
        it->permute = interleaved ? QZ_PERMUTE_INTERLEAVE : QZ_PERMUTE_SPLIT;
    if (site && site->value_rows && other_heads(&m->config, gguf)) {
        it->permute = gguf ? QZ_PERMUTE_TILE : QZ_PERMUTE_GROUP;
        it->heads = (size_t)m->config.delta.v_heads;
        it->groups = (size_t)m->config.delta.k_heads;
        it->moved = (size_t)site->value_rows;
    }
}

qz_status qz_plan_note(qz_artifact_plan *p, qz_arena *arena, qz_error *err, const char *fmt, ...) {
    qz_str s = {0};
    va_list ap;
    va_start(ap, fmt);
    qz_str_vprintf(&s, fmt, ap);
    va_end(ap);
    const char **notes = qz_arena_alloc(arena, p->n_notes + 1, sizeof *notes);
    char *text = s.failed ? NULL : qz_arena_strdup(arena, s.ptr);
    qz_str_release(&s);
    if (!notes || !text) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    if (p->n_notes) memcpy(notes, p->notes, p->n_notes * sizeof *notes);
    notes[p->n_notes++] = text;
    p->notes = notes;
    return QZ_OK;
}

void qz_plan_totals(qz_artifact_plan *p) {
    p->weight_bytes = p->head_bytes = p->total_bytes = 0;
    uint64_t weights = 0;
    for (size_t i = 0; i < p->n_items; i++) {
        p->weight_bytes += p->items[i].bytes;
        if (qz_item_is_head(&p->items[i])) p->head_bytes += p->items[i].bytes;
        else if (p->items[i].source || p->items[i].raw) weights += (uint64_t)p->items[i].rows * p->items[i].cols;
    }
    for (size_t i = 0; i < p->n_files; i++) p->total_bytes += p->files[i].bytes;
    p->bits_per_weight = weights ? 8.0 * (double)(p->weight_bytes - p->head_bytes) / (double)weights : 0;
}

qz_status qz_artifact_plan_make(qz_run *run, const qz_model *m, const qz_scheme_spec *spec,
                                const qz_artifact_context *ctx, qz_arena *arena, qz_artifact_plan *out, qz_error *err) {
    *out = (qz_artifact_plan){ .spec = *spec, .model = m, .context = ctx };
    QZ_TRY(qz_scheme_ops_get(spec->scheme)->plan(run, m, ctx, arena, out, err));
    qz_plan_totals(out);
    return QZ_OK;
}
