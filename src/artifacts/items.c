/* Helpers of plans: the tensors every scheme must place, permutations of q and k, notes and totals. */
#include "artifacts/artifacts_int.h"
#include "base/size.h"
#include <stdarg.h>
#include <string.h>

static void add(qz_slot *s, size_t *n, const qz_slot *slot) {
    if (slot->t) s[(*n)++] = *slot;
}

static size_t count(const qz_model *m) {
    size_t n = 4;
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
    *out = s;
    return QZ_OK;
}

qz_status qz_slot_source(const qz_model *m, const qz_slot *s, bool gguf, qz_arena *arena, const qz_tensor_view **out,
                         qz_error *err) {
    const bool norm = s->t == m->final_norm || (s->site && s->site->site.kind == QZ_SITE_NORM);
    const bool less = !gguf && qz_family_get(m->config.family)->norm_plus_one; /* how the container stores them */
    *out = s->t;
    if (!norm || less == m->config.norm_plus_one) return QZ_OK;
    qz_tensor_view *v = qz_arena_alloc(arena, 1, sizeof *v);
    if (!v) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    *v = *s->t;
    v->add = less ? -1 : 1;
    *out = v;
    return QZ_OK;
}

size_t qz_slot_heads(const qz_slot *s) { return s->site ? (size_t)s->site->site.rotary_heads : 0; }
qz_use qz_slot_use(const qz_model *m, const qz_slot *s) {
    if (s->site) return s->bias ? QZ_USE_KEPT : s->site->site.use;
    return s->t == m->embed  ? QZ_USE_EMBED
           : s->t == m->head ? QZ_USE_HEAD
                             : QZ_USE_KEPT;
}
qz_permute qz_slot_permute(const qz_model *m, const qz_slot *s, bool file_interleaved) {
    if (qz_slot_heads(s) == 0) return QZ_PERMUTE_NONE;
    if (m->config.rope.interleaved == file_interleaved) return QZ_PERMUTE_NONE;
    return file_interleaved ? QZ_PERMUTE_INTERLEAVE : QZ_PERMUTE_SPLIT;
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
    p->weight_bytes = p->total_bytes = 0;
    uint64_t weights = 0;
    for (size_t i = 0; i < p->n_items; i++) {
        p->weight_bytes += p->items[i].bytes;
        if (p->items[i].source || p->items[i].raw) weights += (uint64_t)p->items[i].rows * p->items[i].cols;
    }
    for (size_t i = 0; i < p->n_files; i++) p->total_bytes += p->files[i].bytes;
    p->bits_per_weight = weights ? 8.0 * (double)p->weight_bytes / (double)weights : 0;
}

qz_status qz_artifact_plan_make(qz_run *run, const qz_model *m, const qz_scheme_spec *spec,
                                const qz_artifact_context *ctx, qz_arena *arena, qz_artifact_plan *out, qz_error *err) {
    *out = (qz_artifact_plan){ .spec = *spec, .model = m, .context = ctx };
    QZ_TRY(qz_scheme_ops_get(spec->scheme)->plan(run, m, ctx, arena, out, err));
    qz_plan_totals(out);
    return QZ_OK;
}
