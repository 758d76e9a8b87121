#include "artifacts/adapter_bind.h"
#include "artifacts/artifact.h"
#include "artifacts/diff.h"
#include "base/size.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 600 };

typedef struct {
    const qz_adapter *a;           /* at work */
    const qz_adapter_part *p;
    const qz_model *m;
    const qz_source *base;
    qz_diff_folds folds;
    qz_lora *lora;
} binder;

static qz_status no_memory(const binder *b, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory for adapter '%s'", b->a->path);
}

static qz_status no_place(const binder *b, const char *why, qz_error *err) {
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "adapter that has no place beside a linear: file '%s', tensor '%s', model '%s': %s; merge it into "
                   "the float checkpoint ('quantz merge') and quantize that",
                   b->a->file.path, b->p->target, b->m->path, why);
}

/* ---- orders ---- */
/* How the model has rows or columns that checkpoints have otherwise (permute NONE: as they). */
static qz_artifact_item order_of(const qz_config *c, const qz_site *s, bool columns) {
    const qz_family_info *f = qz_family_get(c->family);
    const bool tiled = c->delta.k_heads && c->delta.tiled && (columns ? s->value_cols : s->value_rows);
    if (tiled)
        return (qz_artifact_item){.permute = QZ_PERMUTE_TILE, .heads = (size_t)c->delta.v_heads,
                                  .groups = (size_t)c->delta.k_heads,
                                  .moved = (size_t)(columns ? s->value_cols : s->value_rows)};
    if (columns || !s->rotary_heads || c->rope.interleaved == f->rope_pairs) return (qz_artifact_item){0};
    return (qz_artifact_item){.permute = c->rope.interleaved ? QZ_PERMUTE_INTERLEAVE : QZ_PERMUTE_SPLIT,
                              .heads = (size_t)s->rotary_heads};
}

/* What the artifact multiplied the linear with; NULL: nothing. */
static const qz_diff_scale *scale_of(const binder *b, const qz_tensor_view *t) {
    const qz_tensor_view *x = b->base && t ? qz_model_find(b->base->model, t->name) : NULL;
    return x ? &b->folds.of[x - b->base->model->tensors] : NULL;
}

/* A place in the model: its linear, rows [first, first + rows) of the part's B. */
typedef struct { const qz_site *site; const qz_tensor_view *t; size_t first, rows, cols; const qz_low **at; } place;

static qz_status add(binder *b, const place *x, qz_error *err) {
    const qz_adapter_part *p = b->p;
    const size_t rank = (size_t)p->a->dims[0], cols = x->cols, rows = x->rows;
    float *all_b = qz_alloc_array((size_t)p->b->elems + 1, sizeof *all_b), *row = qz_alloc_array(cols, sizeof *row);
    float *a = qz_arena_alloc(&b->lora->arena, rank * cols, sizeof *a),
          *out = qz_arena_alloc(&b->lora->arena, rank * rows, sizeof *out);
    qz_low *low = qz_arena_alloc(&b->lora->arena, 1, sizeof *low);
    const bool ok = all_b && row && a && out && low;
    const qz_diff_scale *s = scale_of(b, x->t);
    const qz_artifact_item by_row = x->site ? order_of(&b->m->config, x->site, false) : (qz_artifact_item){0},
                           by_col = x->site ? order_of(&b->m->config, x->site, true) : (qz_artifact_item){0};
    if (ok) {
        qz_adapter_floats(p->a, a);
        qz_adapter_floats(p->b, all_b);
    }
    for (size_t r = 0; ok && r < rank; r++) {
        memcpy(row, a + r * cols, cols * sizeof *row);
        for (size_t k = 0; k < cols; k++)
            a[r * cols + k] = row[qz_item_source_row(&by_col, cols, k)] / (s && s->col ? s->col[k] : 1);
    }
    for (size_t r = 0; ok && r < rows; r++)
        for (size_t k = 0; k < rank; k++)
            out[r * rank + k] = all_b[(x->first + qz_item_source_row(&by_row, rows, r)) * rank + k] /
                                (s && s->row ? s->row[r] : 1);
    qz_free(all_b);
    qz_free(row);
    if (!ok) return no_memory(b, err);
    *low = (qz_low){a, out, rank, rows, cols, (float)p->scale, *x->at};
    b->lora->linears += *x->at == NULL;
    *x->at = low;
    return QZ_OK;
}

static qz_status fits(const binder *b, uint64_t rows, uint64_t cols, qz_error *err) {
    const qz_adapter_part *p = b->p;
    if (p->b->dims[0] == rows && p->a->dims[1] == cols) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT,
                   "adapter of another model: file '%s', tensor '%s', offset %llu: expected what fits '%s' [%llu, "
                   "%llu] of '%s', found lora_B · lora_A [%llu, %llu]",
                   b->a->file.path, p->a->name, (unsigned long long)p->a->offset, p->target, (unsigned long long)rows,
                   (unsigned long long)cols, b->m->path, (unsigned long long)p->b->dims[0],
                   (unsigned long long)p->a->dims[1]);
}

/* ---- places ---- */
static const qz_low **slot(binder *b, size_t layer, size_t linear, bool expert, size_t which) {
    qz_lora_layer *l = &b->lora->layers[layer];
    if (!expert) return &l->linear[linear];
    if (l->expert[linear] == NULL)
        l->expert[linear] = qz_arena_calloc(&b->lora->arena, (size_t)b->m->config.experts, sizeof *l->expert[linear]);
    return l->expert[linear] ? &l->expert[linear][which] : NULL;
}

/* The part is of the site: of one linear, of an expert's, or of a fused one's, whose rows stand one below the other. */
static qz_status add_site(binder *b, size_t layer, const qz_site *s, size_t expert, qz_error *err) {
    const qz_block *block = &b->m->blocks[layer];
    if (!qz_site_linear(s)) return no_place(b, "it is no linear that is quantized", err);
    if (s->inside) return no_place(b, "its kind multiplies with it piece by piece", err);
    QZ_TRY(fits(b, s->rows, s->cols, err));
    size_t first = 0;
    for (size_t i = 0; i < (size_t)(s->kind == QZ_SITE_FUSED ? s->parts : 1); i++) {
        const size_t linear = (size_t)s->part + i;
        qz_site one = *s;
        if (s->kind == QZ_SITE_FUSED && !qz_site_of(&b->m->config, layer, linear, &one)) return QZ_OK;
        const bool of_expert = s->kind == QZ_SITE_EXPERT;
        place x = {&one, qz_block_linear(block, linear, of_expert ? (long)expert : -1), first, (size_t)one.rows,
                   (size_t)one.cols, slot(b, layer, linear, of_expert, expert)};
        if (x.at == NULL) return no_memory(b, err);
        QZ_TRY(add(b, &x, err));
        first += x.rows;
    }
    return QZ_OK;
}

bool qz_adapter_place_of(const qz_config *c, const char *target, qz_adapter_place *out) {
    char name[NAME], buf[QZ_SITE_NAME];
    for (size_t k = 0; qz_adapter_spelling(target, k, name, sizeof name); k++) {
        const char *at = strstr(name, "layers.");
        if (at == NULL || !isdigit((unsigned char)at[7])) continue;
        out->layer = strtoul(at + 7, NULL, 10);
        if (out->layer >= c->layers) continue;
        qz_site s[QZ_MAX_SITES];
        const size_t n = qz_sites(c, out->layer, s);
        for (size_t i = 0; i < n; i++)
            for (out->expert = 0; out->expert < qz_max_size(1, s[i].experts); out->expert++) {
                out->site = s[i];
                if (qz_site_name(&s[i], out->layer, out->expert, "weight", buf, sizeof buf) && strcmp(buf, name) == 0)
                    return true;
            }
    }
    return false;
}

/* The embedding: a lookup instead of a product. */
static qz_status add_embedding(binder *b, qz_error *err) {
    const qz_adapter_part *p = b->p;
    const size_t rank = (size_t)p->a->dims[0], tokens = (size_t)p->a->dims[1], rows = (size_t)p->b->dims[0];
    if (!p->embedding) return no_place(b, "it is no embedding's adapter", err);
    QZ_TRY(fits(b, b->m->config.hidden_size, b->m->embed->rows, err));
    float *a = qz_arena_alloc(&b->lora->arena, rank * tokens, sizeof *a),
          *at = qz_arena_alloc(&b->lora->arena, rank * tokens, sizeof *at),
          *v = qz_arena_alloc(&b->lora->arena, rank * rows, sizeof *v);
    qz_low *low = qz_arena_alloc(&b->lora->arena, 1, sizeof *low);
    if (!a || !at || !v || !low) return no_memory(b, err);
    qz_adapter_floats(p->a, a);
    qz_adapter_turn(a, rank, tokens, at);
    qz_adapter_floats(p->b, v);
    *low = (qz_low){at, v, rank, rows, tokens, (float)p->scale, b->lora->embed};
    b->lora->linears += b->lora->embed == NULL;
    b->lora->embed = low;
    return QZ_OK;
}

static qz_status add_head(binder *b, qz_error *err) {
    const place x = {NULL, b->m->head == b->m->embed ? NULL : b->m->head, 0, b->m->head->rows, b->m->head->cols,
                     &b->lora->head};
    QZ_TRY(fits(b, x.rows, x.cols, err));
    return add(b, &x, err);
}

static qz_status bind_part(binder *b, qz_error *err) {
    char name[NAME], embed[QZ_SITE_NAME];
    qz_adapter_place at;
    if (b->p->whole || b->p->add || !b->p->a)
        return no_place(b, "expected lora_A and lora_B, found a whole tensor", err);
    const char *outer = qz_outer_name(&b->m->config, QZ_OUTER_EMBED, "weight", embed);
    for (size_t k = 0; qz_adapter_spelling(b->p->target, k, name, sizeof name); k++) {
        if (strcmp(name, outer) == 0) return add_embedding(b, err);
        if (strcmp(name, "lm_head.weight") == 0) return add_head(b, err);
    }
    if (qz_adapter_place_of(&b->m->config, b->p->target, &at)) return add_site(b, at.layer, &at.site, at.expert, err);
    return qz_fail(err, QZ_EFORMAT,
                   "adapter of another model: file '%s', tensor '%s': model '%s' (%s) has no linear '%s' of its own",
                   b->a->file.path, b->p->a->name, b->m->path, qz_family_get(b->m->config.family)->name, b->p->target);
}

static qz_status bind_all(binder *b, const qz_adapter *a, size_t n, qz_error *err) {
    for (size_t i = 0; i < n; i++) {
        b->a = &a[i];
        for (size_t k = 0; k < a[i].n; k++) {
            b->p = &a[i].parts[k];
            QZ_TRY(bind_part(b, err));
        }
    }
    return QZ_OK;
}

qz_status qz_adapter_bind(const qz_adapter *a, size_t n, qz_bind_to *to, qz_lora **out, qz_error *err) {
    qz_arena scratch = {0};
    binder b = {.a = a, .m = to->model->model, .base = to->base};
    *out = NULL;
    b.lora = qz_calloc_array(1, sizeof *b.lora);
    if (b.lora == NULL) return no_memory(&b, err);
    b.lora->layers = qz_arena_calloc(&b.lora->arena, (size_t)b.m->config.layers, sizeof *b.lora->layers);
    qz_status st = b.lora->layers ? QZ_OK : no_memory(&b, err);
    if (st == QZ_OK && b.m->loose)
        st = qz_fail(err, QZ_EUNSUPPORTED, "nothing here runs model '%s', with an adapter or without", b.m->path);
    if (st == QZ_OK && to->base) st = qz_diff_folds_find(to->base, to->model, &scratch, &b.folds, err);
    to->folds = b.folds.n;
    if (st == QZ_OK) st = bind_all(&b, a, n, err);
    qz_arena_release(&scratch);
    if (st == QZ_OK) *out = b.lora;
    else qz_lora_free(b.lora);
    return st;
}

void qz_lora_free(qz_lora *l) {
    if (l == NULL) return;
    qz_arena_release(&l->arena);
    qz_free(l);
}
