#include "artifacts/adapter_gguf.h"
#include "artifacts/artifacts_int.h"
#include "artifacts/gguf_card.h"
#include "base/size.h"
#include "codecs/types.h"
#include <float.h>
#include <math.h>
#include <string.h>

enum { NAME = 600 };

static qz_status no_memory(const qz_adapter_gguf *g, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory converting adapter '%s'", g->adapter->path);
}

/* ---- what goes where ---- */
static const qz_artifact_item *item_of(const qz_adapter_gguf *g, const qz_adapter_part *p) {
    char buf[NAME];
    for (size_t k = 0; qz_adapter_spelling(p->target, k, buf, sizeof buf); k++)
        for (size_t i = 0; i < g->plan.n_items; i++)
            if (g->plan.items[i].source && strcmp(g->plan.items[i].name, buf) == 0) return &g->plan.items[i];
    return NULL;
}

static qz_status refuse(const qz_adapter_gguf *g, const qz_adapter_part *p, const char *why, qz_error *err) {
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "adapter that a GGUF file cannot hold: file '%s', tensor '%s': %s; merge it into the base "
                   "('quantz merge') and convert that",
                   g->adapter->file.path, p->target, why);
}

static qz_status check_part(const qz_adapter_gguf *g, const qz_adapter_part *p, const qz_artifact_item *it,
                            qz_error *err) {
    bool turned;
    if (p->whole || p->add || !p->a) return refuse(g, p, "expected lora_A and lora_B, found a whole tensor", err);
    if (it == NULL) return refuse(g, p, "the base has no such matrix there (or its output matrix is tied)", err);
    QZ_TRY(qz_adapter_fits(g->adapter, p, it->rows, it->cols, &turned, err));
    if (it->halves) return refuse(g, p, "its matrix is stored together with another", err);
    if (it->source->row_from) return refuse(g, p, "its matrix is stored as two", err);
    return QZ_OK;
}

/* The pair that the part is of; a stack of experts is complete, and takes its place, with its last expert. */
static qz_status add_part(qz_adapter_gguf *g, qz_adapter_pair *open, size_t *n_open, const qz_adapter_part *p,
                          qz_error *err) {
    const qz_artifact_item *it = item_of(g, p);
    QZ_TRY(check_part(g, p, it, err));
    const size_t all = qz_max_size(1, it->experts);
    size_t i = 0;
    while (i < *n_open && strcmp(open[i].item->out_name, it->out_name) != 0) i++;
    if (i == *n_open) {
        open[i] = (qz_adapter_pair){.item = it, .n = all,
                                    .parts = qz_arena_calloc(&g->arena, all, sizeof *open[i].parts)};
        if (open[(*n_open)++].parts == NULL) return no_memory(g, err);
    }
    open[i].parts[it->experts ? it->expert : 0] = p;
    if (open[i].parts[0] && p->a->dims[0] != open[i].parts[0]->a->dims[0])
        return refuse(g, p, "experts of one layer have other ranks", err);
    if (++open[i].have == all) g->pairs[g->n++] = open[i];
    return QZ_OK;
}

static qz_status find_pairs(qz_adapter_gguf *g, qz_error *err) {
    const qz_adapter *a = g->adapter;
    qz_adapter_pair *open = qz_arena_calloc(&g->arena, a->n + 1, sizeof *open);
    size_t n = 0;
    g->pairs = qz_arena_calloc(&g->arena, a->n + 1, sizeof *g->pairs);
    if (!open || !g->pairs) return no_memory(g, err);
    for (size_t i = 0; i < a->n; i++) QZ_TRY(add_part(g, open, &n, &a->parts[i], err));
    for (size_t i = 0; i < n; i++) {
        if (open[i].have == open[i].n) continue;
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "adapter of some experts only: file '%s', '%s': expected all %zu experts, found %zu; merge it "
                       "into the base ('quantz merge') and convert that",
                       a->file.path, open[i].item->out_name, open[i].n, open[i].have);
    }
    return QZ_OK;
}

/* ---- scales ---- */
/* What the adapter says over what llama.cpp computes. */
static double ratio_of(const qz_adapter_gguf *g, const qz_adapter_part *p) {
    return p->scale / (g->adapter->alpha / (double)p->a->dims[0]);
}

static qz_status settle_scales(qz_adapter_gguf *g, qz_error *err) {
    const double first = ratio_of(g, g->pairs[0].parts[0]);
    bool same = first != 0;
    for (size_t i = 0; i < g->n; i++)
        for (size_t k = 0; k < g->pairs[i].n; k++) same &= (float)ratio_of(g, g->pairs[i].parts[k]) == (float)first;
    g->alpha = g->adapter->alpha * (same ? first : 1);
    for (size_t i = 0; i < g->n && !same; i++)
        for (size_t k = 0; k < g->pairs[i].n; k++) g->scaled += (float)ratio_of(g, g->pairs[i].parts[k]) != 1;
    bool holds = isfinite((float)g->alpha) && (float)g->alpha != 0;
    for (size_t i = 0; i < g->n && !same; i++)
        for (size_t k = 0; k < g->pairs[i].n; k++) holds &= isfinite((float)ratio_of(g, g->pairs[i].parts[k]));
    if (holds) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "scale that the file cannot hold: adapter '%s', lora_alpha %g: expected scales that are float32 "
                   "numbers other than 0; merge it into the base ('quantz merge')",
                   g->adapter->path, g->adapter->alpha);
}

/* ---- the file ---- */
static qz_type type_for(qz_type wanted, uint64_t cols) {
    return cols % qz_type_get(wanted)->elems ? QZ_TYPE_F16 : wanted;
}

static qz_status make_items(qz_adapter_gguf *g, qz_error *err) {
    g->items = qz_arena_calloc(&g->arena, 2 * g->n + 1, sizeof *g->items);
    if (!g->items) return no_memory(g, err);
    for (size_t i = 0; i < g->n; i++) {
        qz_adapter_pair *x = &g->pairs[i];
        const qz_adapter_part *p = x->parts[0];
        const uint64_t rank = p->a->dims[0], in = p->a->dims[1], out = p->b->dims[0];
        const uint64_t a[2] = {p->embedding ? rank : in, p->embedding ? in : rank}, b[2] = {rank, out};
        x->a_type = type_for(g->type, a[0]);
        x->b_type = type_for(g->type, b[0]);
        for (int k = 0; k < 2; k++) {
            qz_gguf_item *it = &g->items[2 * i + (size_t)k];
            *it = (qz_gguf_item){.name = qz_arena_printf(&g->arena, "%s.lora_%c", x->item->out_name, k ? 'b' : 'a'),
                                 .type = (uint32_t)qz_type_get(k ? x->b_type : x->a_type)->ggml_id,
                                 .n_dims = x->item->experts ? 3 : 2,
                                 .dims = {k ? b[0] : a[0], k ? b[1] : a[1], x->n, 1}};
            if (!it->name) return no_memory(g, err);
        }
    }
    return QZ_OK;
}

static qz_status make_meta(qz_adapter_gguf *g, qz_error *err) {
    qz_gguf_meta *m = &g->meta;
    qz_gguf_card card;
    if (!qz_gguf_card_read(g->name, strlen(g->name), 0, &g->arena, &card)) return no_memory(g, err);
    qz_gguf_put_str(m, "general.architecture", qz_family_get(g->base->family)->gguf_arch);
    qz_gguf_put_str(m, "general.type", "adapter");
    qz_gguf_put_str(m, "adapter.type", "lora");
    qz_gguf_put_str(m, "general.name", card.name);
    if (card.version) qz_gguf_put_str(m, "general.version", card.version);
    if (card.finetune) qz_gguf_put_str(m, "general.finetune", card.finetune);
    if (card.basename) qz_gguf_put_str(m, "general.basename", card.basename);
    if (card.size_label) qz_gguf_put_str(m, "general.size_label", card.size_label);
    qz_gguf_put_f32(m, "adapter.lora.alpha", (float)g->alpha);
    qz_gguf_put_u32(m, "general.quantization_version", 2);
    return m->bytes.failed ? no_memory(g, err) : QZ_OK;
}

qz_status qz_adapter_gguf_plan(qz_run *run, qz_adapter_gguf *g, qz_error *err) {
    qz_scheme_spec spec;
    static const qz_artifact_context nothing = {0};
    const qz_family_info *f = qz_family_get(g->base->family);
    if (f->gguf_arch == NULL)
        return qz_fail(err, QZ_EUNSUPPORTED, "no GGUF architecture: family '%s' has none; merge the adapter instead "
                       "('quantz merge')", f->name);
    QZ_TRY(qz_scheme_parse("gguf:F32", &spec, err));
    QZ_TRY(qz_model_from_config(g->base, g->adapter->path, &g->m, err));
    QZ_TRY(qz_artifact_plan_make(run, g->m, &spec, &nothing, &g->arena, &g->plan, err));
    QZ_TRY(find_pairs(g, err));
    QZ_TRY(settle_scales(g, err));
    QZ_TRY(make_items(g, err));
    QZ_TRY(make_meta(g, err));
    return qz_gguf_file_size(&g->meta, g->items, 2 * g->n, &g->bytes, err);
}

static qz_status put_rows(qz_gguf_writer *w, qz_type type, const float *x, size_t rows, size_t cols, uint8_t *buf,
                          qz_error *err) {
    const float most = type == QZ_TYPE_F32 || type == QZ_TYPE_BF16 ? FLT_MAX : 65504; /* Q8_0: float16 scales */
    size_t each = 0;
    QZ_TRY(qz_row_bytes(type, cols, &each, err));
    for (size_t i = 0; i < rows * cols; i++)
        if (!(fabsf(x[i]) <= most))
            return qz_fail(err, QZ_ENONFINITE,
                           "weight that does not fit %s: element %zu of an adapter's matrix: expected at most %g, "
                           "found %g after the adapter's scale; choose gguf:F32, or check the adapter",
                           qz_type_get(type)->name, i, (double)most, (double)x[i]);
    for (size_t r = 0; r < rows; r++) {
        qz_type_get(type)->encode(x + r * cols, NULL, cols, buf);
        QZ_TRY(qz_gguf_writer_write(w, buf, each, err));
    }
    return QZ_OK;
}

/* Columns in the file's order. */
static void swap_columns(const qz_tensor_view *v, float *row) {
    for (size_t i = 0; i < v->n_swaps; i++) {
        const float was = row[v->swaps[i][0]];
        row[v->swaps[i][0]] = row[v->swaps[i][1]];
        row[v->swaps[i][1]] = was;
    }
}

static qz_status put_a(const qz_adapter_pair *x, const qz_adapter_part *p, qz_gguf_writer *w, qz_arena *s,
                       qz_error *err) {
    const size_t rank = (size_t)p->a->dims[0], in = (size_t)p->a->dims[1];
    float *v = qz_arena_alloc(s, rank * in, sizeof *v), *t = qz_arena_alloc(s, rank * in, sizeof *t);
    uint8_t *buf = qz_arena_alloc(s, qz_max_size(rank, in) + 32, sizeof(float));
    if (!v || !t || !buf) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", p->target);
    qz_adapter_floats(p->a, v);
    if (p->embedding) {
        qz_adapter_turn(v, rank, in, t);
        return put_rows(w, x->a_type, t, in, rank, buf, err);
    }
    for (size_t r = 0; r < rank; r++) swap_columns(x->item->source, v + r * in);
    return put_rows(w, x->a_type, v, rank, in, buf, err);
}

static qz_status put_b(const qz_adapter_gguf *g, const qz_adapter_pair *x, const qz_adapter_part *p, qz_gguf_writer *w,
                       qz_arena *s, qz_error *err) {
    const size_t rank = (size_t)p->b->dims[1], out = (size_t)p->b->dims[0];
    float *v = qz_arena_alloc(s, rank * out, sizeof *v);
    uint8_t *buf = qz_arena_alloc(s, rank + 32, sizeof(float));
    const float by = g->scaled ? (float)ratio_of(g, p) : 1;
    if (!v || !buf) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", p->target);
    qz_adapter_floats(p->b, v);
    for (size_t i = 0; by != 1 && i < rank * out; i++) v[i] *= by;
    for (size_t r = 0; r < out; r++) {
        const size_t from = p->embedding ? r : qz_item_source_row(x->item, out, r);
        QZ_TRY(put_rows(w, x->b_type, v + from * rank, 1, rank, buf, err));
    }
    return QZ_OK;
}

qz_status qz_adapter_gguf_write(qz_adapter_gguf *g, const char *path, qz_error *err) {
    qz_gguf_writer w = {0};
    qz_arena s = {0};
    char sha[65];
    QZ_TRY(qz_gguf_writer_open(&w, path, &g->meta, g->items, 2 * g->n, err));
    qz_status st = QZ_OK;
    for (size_t i = 0; i < g->n && st == QZ_OK; i++)
        for (size_t k = 0; k < 2 * g->pairs[i].n && st == QZ_OK; k++) {
            const qz_adapter_pair *x = &g->pairs[i];
            const qz_adapter_part *p = x->parts[k % x->n];
            qz_arena_reset(&s);
            st = k < x->n ? put_a(x, p, &w, &s, err) : put_b(g, x, p, &w, &s, err);
        }
    qz_arena_release(&s);
    if (st == QZ_OK) return qz_gguf_writer_commit(&w, sha, err);
    qz_gguf_writer_abort(&w, false);
    return st;
}

void qz_adapter_gguf_release(qz_adapter_gguf *g) {
    qz_gguf_meta_release(&g->meta);
    qz_model_free(g->m);
    qz_arena_release(&g->arena);
    g->m = NULL;
}
