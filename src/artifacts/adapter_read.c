/* A LoRA adapter from a GGUF file, back in the names and orders of checkpoints: adapter_gguf.c the other way. */
#include "artifacts/adapter.h"
#include "artifacts/artifacts_int.h"
#include "base/hash.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "formats/gguf.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 600 };

static qz_status no_memory(const qz_adapter *a, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory opening adapter '%s'", a->path);
}

/* ---- header ---- */
static qz_status expect(const qz_adapter *a, const char *key, const char *want, qz_error *err) {
    qz_gguf_text t = {"", 0};
    QZ_TRY(qz_gguf_str(a->gguf, key, true, &t, err));
    if (t.n == strlen(want) && memcmp(t.ptr, want, t.n) == 0) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED, "not a LoRA adapter for this model: file '%s', key '%s': expected %s, found "
                   "'%.*s'", a->path, key, want, (int)qz_min_size(t.n, 60), t.ptr);
}

qz_status qz_adapter_open_gguf(qz_adapter *a, qz_error *err) {
    qz_gguf *g = qz_arena_calloc(&a->arena, 1, sizeof *g);
    if (g == NULL) return no_memory(a, err);
    QZ_TRY(qz_gguf_open_part(g, a->path, err));
    a->gguf = g;
    a->file.path = a->path;
    QZ_TRY(expect(a, "general.type", "adapter", err));
    QZ_TRY(expect(a, "adapter.type", "lora", err));
    for (size_t i = 0; i < g->n_kv; i++)
        if (qz_str_starts(g->kv[i].key, "adapter.alora."))
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "adapter with an option that is not computed here: file '%s', key '%s' (it works behind "
                           "certain tokens only): expected none", a->path, g->kv[i].key);
    QZ_TRY(qz_gguf_f64(g, "adapter.lora.alpha", false, &a->alpha, err));
    if (!isfinite(a->alpha))
        return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key 'adapter.lora.alpha': expected a number, found %g",
                       a->path, a->alpha);
    if (g->n == 0)
        return qz_fail(err, QZ_EFORMAT, "adapter that targets nothing: file '%s': expected tensors, found none",
                       a->path);
    return qz_sha256_file_hex(a->path, a->sha, err);
}

void qz_adapter_close_gguf(qz_adapter *a) {
    if (a->gguf) qz_gguf_release(a->gguf);
    a->gguf = NULL;
}

/* ---- tensors ---- */
/* One of a pair: which, and the letters of the base's tensor. */
static qz_status stem_of(const qz_adapter *a, const qz_gguf_tensor *t, bool *second, size_t *n, qz_error *err) {
    *second = qz_str_ends(t->name, ".lora_b");
    *n = strlen(t->name) - strlen(".lora_a");
    if (*second || qz_str_ends(t->name, ".lora_a")) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED, "adapter with a tensor that is no LoRA: file '%s', tensor '%s': expected "
                   "NAME.lora_a or NAME.lora_b", a->path, t->name);
}

static const qz_gguf_tensor *other_half(const qz_adapter *a, const qz_gguf_tensor *t, size_t stem) {
    char name[NAME];
    if (snprintf(name, sizeof name, "%.*s.lora_b", (int)stem, t->name) >= (int)sizeof name) return NULL;
    return qz_gguf_find(a->gguf, name);
}

/* Matrix `expert` of the stack as float32, [rows, cols]. */
static qz_status floats_of(qz_adapter *a, const qz_gguf_tensor *t, size_t expert, const float **out, qz_error *err) {
    const qz_type type = qz_type_by_ggml_id((int)t->type->id);
    size_t n, each, skip;
    if (type == QZ_TYPE_NONE || !qz_type_get(type)->decode)
        return qz_fail(err, QZ_EUNSUPPORTED, "adapter with a tensor of another kind: file '%s', tensor '%s', offset "
                       "%llu: found %s", a->path, t->name, (unsigned long long)t->offset, t->type->name);
    const size_t cols = (size_t)t->dims[0], rows = (size_t)t->dims[1];
    float *x = qz_mul_size(rows, cols, &n) ? qz_arena_alloc(&a->arena, n, sizeof *x) : NULL;
    if (x == NULL) return no_memory(a, err);
    QZ_TRY(qz_row_bytes(type, cols, &each, err));
    if (!qz_mul_size(each, rows, &skip) || !qz_mul_size(skip, expert, &skip))
        return qz_fail(err, QZ_EFORMAT, "size overflows: file '%s', tensor '%s'", a->path, t->name);
    const uint8_t *from = t->data + skip;
    for (size_t r = 0; r < rows; r++) qz_type_get(type)->decode(from + r * each, cols, x + r * cols);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return qz_fail(err, QZ_ENONFINITE, "adapter with values that are not finite: file '%s', tensor '%s', "
                           "offset %llu; train it again", a->path, t->name, (unsigned long long)t->offset);
    *out = x;
    return QZ_OK;
}

static qz_status keep(qz_adapter *a, const qz_gguf_tensor *t, size_t rows, size_t cols, const float *x,
                      const qz_st_tensor **out, qz_error *err) {
    qz_st_tensor *s = qz_arena_alloc(&a->arena, 1, sizeof *s);
    if (s == NULL) return no_memory(a, err);
    *s = (qz_st_tensor){.name = t->name, .dtype = QZ_ST_F32, .n_dims = 2, .dims = {rows, cols},
                        .elems = (uint64_t)rows * cols, .data = (const uint8_t *)x, .offset = t->offset,
                        .bytes = (uint64_t)rows * cols * sizeof *x};
    *out = s;
    return QZ_OK;
}

static void unswap_columns(const qz_tensor_view *v, float *row) {
    for (size_t i = v->n_swaps; i-- > 0;) {
        const float was = row[v->swaps[i][0]];
        row[v->swaps[i][0]] = row[v->swaps[i][1]];
        row[v->swaps[i][1]] = was;
    }
}

static qz_status misfit(const qz_adapter *a, const qz_gguf_tensor *t, const qz_artifact_item *it, bool second,
                        uint64_t rank, qz_error *err) {
    return qz_fail(err, QZ_EFORMAT,
                   "adapter of another model: file '%s', tensor '%s', offset %llu: expected %s = %llu of %zu matrices "
                   "for '%s', found [%llu, %llu] of %llu", a->path, t->name, (unsigned long long)t->offset,
                   second ? "[rank, rows]" : "[columns, rank]", (unsigned long long)rank,
                   qz_max_size(1, it->experts), it->name, (unsigned long long)t->dims[0],
                   (unsigned long long)t->dims[1], (unsigned long long)t->dims[2]);
}

typedef struct { const qz_gguf_tensor *a, *b; bool embedding; } pair;

static qz_status check_pair(const qz_adapter *a, const pair *x, const qz_artifact_item *it, qz_error *err) {
    const uint64_t n = qz_max_size(1, it->experts), rank = x->b->dims[0];
    const uint64_t in = x->embedding ? it->rows : it->cols, out = x->embedding ? it->cols : it->rows;
    const uint64_t want[2] = {x->embedding ? rank : in, x->embedding ? in : rank};
    const bool deep = x->a->dims[2] != n || x->b->dims[2] != n || x->a->dims[3] != 1 || x->b->dims[3] != 1;
    if (rank == 0 || deep || x->a->dims[0] != want[0] || x->a->dims[1] != want[1])
        return misfit(a, x->a, it, false, want[0], err);
    if (x->b->dims[1] != out) return misfit(a, x->b, it, true, out, err);
    if (!it->halves && !it->source->row_from) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED, "adapter of a matrix that GGUF stores otherwise: file '%s', tensor '%s': the "
                   "checkpoint's '%s' is %s; give the adapter's folder", a->path, x->a->name, it->name,
                   it->halves ? "stored together with another" : "stored as two");
}

/* Both matrices in the checkpoint's order. */
static qz_status add_part(qz_adapter *a, const pair *x, const qz_artifact_item *it, qz_error *err) {
    const size_t rank = (size_t)x->b->dims[0], e = it->experts ? it->expert : 0;
    const size_t in = x->embedding ? it->rows : it->cols, out = x->embedding ? it->cols : it->rows;
    const float *fa, *fb;
    QZ_TRY(floats_of(a, x->a, e, &fa, err));
    QZ_TRY(floats_of(a, x->b, e, &fb, err));
    qz_adapter_part *p = &a->parts[a->n];
    float *ca = qz_arena_alloc(&a->arena, rank * in, sizeof *ca), *cb = qz_arena_alloc(&a->arena, rank * out,
                                                                                       sizeof *cb);
    *p = (qz_adapter_part){.target = qz_arena_strdup(&a->arena, it->name), .embedding = x->embedding,
                           .scale = a->alpha != 0 ? a->alpha / (double)rank * a->weight : a->weight};
    if (!ca || !cb || !p->target) return no_memory(a, err);
    if (x->embedding) qz_adapter_turn(fa, in, rank, ca);
    else memcpy(ca, fa, rank * in * sizeof *ca);
    for (size_t r = 0; r < rank && !x->embedding; r++) unswap_columns(it->source, ca + r * in);
    for (size_t r = 0; r < out; r++) {
        const size_t to = x->embedding ? r : qz_item_source_row(it, out, r);
        memcpy(cb + to * rank, fb + r * rank, rank * sizeof *cb);
    }
    QZ_TRY(keep(a, x->a, rank, in, ca, &p->a, err));
    QZ_TRY(keep(a, x->b, out, rank, cb, &p->b, err));
    a->rank = qz_max_size((size_t)a->rank, rank);
    a->n++;
    return QZ_OK;
}

static qz_status add_tensor(qz_adapter *a, const qz_artifact_plan *plan, const qz_gguf_tensor *t, qz_error *err) {
    bool second, found = false;
    size_t stem;
    QZ_TRY(stem_of(a, t, &second, &stem, err));
    const qz_gguf_tensor *b = second ? NULL : other_half(a, t, stem);
    if (second) { /* goes with its first */
        char name[NAME];
        (void)snprintf(name, sizeof name, "%.*s.lora_a", (int)qz_min_size(stem, NAME - 8), t->name);
        if (qz_gguf_find(a->gguf, name)) return QZ_OK;
    }
    if (b == NULL)
        return qz_fail(err, QZ_EFORMAT, "half of an adapter: file '%s', tensor '%s': expected lora_a and lora_b, found "
                       "one of them", a->path, t->name);
    for (size_t i = 0; i < plan->n_items; i++) {
        const qz_artifact_item *it = &plan->items[i];
        if (!it->source || strncmp(it->out_name, t->name, stem) != 0 || it->out_name[stem]) continue;
        const pair x = {t, b, it->source == plan->model->embed};
        QZ_TRY(check_pair(a, &x, it, err));
        QZ_TRY(add_part(a, &x, it, err));
        found = true;
    }
    if (found) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT, "adapter of another model: file '%s', tensor '%s', offset %llu: the model (%s) has "
                   "no tensor '%.*s' of its own", a->path, t->name, (unsigned long long)t->offset,
                   qz_family_get(plan->model->config.family)->name, (int)stem, t->name);
}

qz_status qz_adapter_settle(qz_run *run, qz_adapter *a, const qz_config *base, qz_error *err) {
    static const qz_artifact_context nothing = {0};
    const qz_family_info *f = qz_family_get(base->family);
    qz_config c = *base; /* in the checkpoint's orders */
    qz_model *m = NULL;
    qz_arena scratch = {0};
    qz_artifact_plan plan;
    qz_scheme_spec spec;
    if (a->gguf == NULL || a->parts) return QZ_OK;
    c.rope.interleaved = f->rope_pairs;
    c.delta.tiled = false;
    const char *arch = f->gguf_arch ? f->gguf_arch : "a folder (its family is not in GGUF)";
    QZ_TRY(expect(a, "general.architecture", arch, err));
    QZ_TRY(qz_scheme_parse("gguf:F32", &spec, err));
    QZ_TRY(qz_model_from_config(&c, a->path, &m, err));
    qz_status st = qz_artifact_plan_make(run, m, &spec, &nothing, &scratch, &plan, err);
    const size_t most = st == QZ_OK ? qz_max_size(a->gguf->n, plan.n_items) : 0;
    if (st == QZ_OK && (a->parts = qz_arena_calloc(&a->arena, most + 1, sizeof *a->parts)) == NULL)
        st = no_memory(a, err);
    for (size_t i = 0; st == QZ_OK && i < a->gguf->n; i++) st = add_tensor(a, &plan, &a->gguf->tensors[i], err);
    qz_arena_release(&scratch);
    qz_model_free(m);
    return st;
}
