/* Layers behind the last that predict tokens beyond the next (MTP), in GGUF: blocks of their own, whose tensors have
 * the names of any block and a few of nextn's. They are no part of the model that runs, so they are bound here, where a
 * file is planned. Source: formats/families-2.md section 13; llama.cpp conversion/glm.py, qwen.py (0c1e57098). */
#include "artifacts/gguf_nextn.h"
#include "base/size.h"
#include "codecs/types.h"
#include "model/checkpoint.h"
#include "model/kinds.h"
#include "model/leftovers.h"
#include "model/stacks.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beside the parts of a block: as a layer behind the last has it, as a module "mtp" does, as GGUF does. */
static const struct { const char *layer, *module, *gguf; bool norm; } rows[] = {
    {"eh_proj", "fc", "nextn.eh_proj", false}, /* the first NEEDED: llama.cpp asks for them */
    {"enorm", "pre_fc_norm_embedding", "nextn.enorm", true},
    {"hnorm", "pre_fc_norm_hidden", "nextn.hnorm", true},
    {"shared_head.norm", "norm", "nextn.shared_head_norm", true},
    {"shared_head.head", NULL, "nextn.shared_head_head", false},
    {"embed_tokens", NULL, "nextn.embed_tokens", false}};
enum { ROWS = sizeof rows / sizeof *rows, NEEDED = 3 };

typedef struct { size_t layer; const char *inner; bool module; } place; /* module: beside its layers */

/* "model.layers.46.X", "mtp.layers.0.X", "mtp.X" and GGUF's "blk.46.X"; false: none of these. */
static bool place_of(const char *name, size_t layers, place *out) {
    const bool module = qz_str_starts(name, "mtp.");
    const char *at = module ? name + 4 : qz_str_starts(name, "model.") ? name + 6 : name;
    char *end;
    if (module && !qz_str_starts(at, "layers.")) return *out = (place){layers, at, true}, true;
    if (!qz_str_starts(at, "layers.") && !qz_str_starts(at, "blk.")) return false;
    at = strchr(at, '.') + 1;
    if (!isdigit((unsigned char)*at)) return false;
    const unsigned long n = strtoul(at, &end, 10);
    if (*end != '.' || n >= QZ_MAX_LAYERS) return false;
    *out = (place){module ? layers + n : n, end + 1, false};
    return out->layer >= layers && out->layer < QZ_MAX_LAYERS;
}

/* The row of "eh_proj.weight", -1: of a part of a block. */
static int row_of(const place *p, bool gguf) {
    for (int i = 0; i < ROWS; i++) {
        const char *own = gguf ? rows[i].gguf : p->module ? rows[i].module : rows[i].layer;
        const size_t n = own ? strlen(own) : 0;
        if (n && strncmp(p->inner, own, n) == 0 && strcmp(p->inner + n, ".weight") == 0) return i;
    }
    return -1;
}

/* The configuration with those layers: attention and the feed-forward of the last layer. */
static qz_status configure(const qz_model *m, size_t layers, qz_config *c, qz_error *err) {
    const size_t first = (size_t)m->config.layers;
    *c = m->config;
    if (layers > QZ_MAX_LAYERS) return qz_fail(err, QZ_EUNSUPPORTED, "more than %d layers", QZ_MAX_LAYERS);
    c->layers = layers;
    for (size_t l = first; l < layers; l++) {
        c->layer_mixer[l] = QZ_KIND_ATTENTION;
        c->layer_ffn[l] = c->layer_ffn[first - 1];
        c->layer_dense[l] = 0;
    }
    return QZ_OK;
}

typedef struct { const qz_model *m; const qz_gguf *g; qz_model *of; qz_gguf_heads *out; qz_arena *arena; } finder;

/* A tensor beside the parts of a block. */
static qz_status add_row(finder *f, const place *p, int row, const qz_tensor_view *view, qz_error *err) {
    qz_tensor_view *v = qz_arena_alloc(f->arena, 1, sizeof *v);
    char *name = qz_arena_printf(f->arena, "blk.%zu.%s.weight", p->layer, rows[row].gguf);
    if (v == NULL || name == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", f->m->path);
    *v = *view;
    if (rows[row].norm && f->m->config.norm_plus_one) v->add = 1;
    f->out->rows[f->out->n_rows++] = (qz_gguf_head_row){v, name, rows[row].norm};
    return QZ_OK;
}

/* The same of a GGUF file, whose reader knows no name for it. */
static qz_status add_stored(finder *f, const place *p, int row, const qz_gguf_tensor *t, qz_error *err) {
    const qz_type type = qz_type_by_ggml_id((int)t->type->id);
    if (type == QZ_TYPE_NONE || t->n_dims > 2) return f->out->left++, QZ_OK;
    const qz_tensor_view v = {.name = t->name, .file_name = t->name, .type = type, .n_dims = t->n_dims,
                              .rows = (size_t)t->dims[1], .cols = (size_t)t->dims[0], .data = t->data,
                              .bytes = (size_t)t->bytes, .file = t->file, .offset = t->offset};
    return add_row(f, p, row, &v, err);
}

static qz_status add(finder *f, const qz_leftover *left, const place *p, qz_error *err) {
    const size_t before = f->of->n_tensors;
    const int row = row_of(p, f->g != NULL);
    if (f->g) {
        const qz_gguf_tensor *t = qz_gguf_find(f->g, left->file_name);
        if (t == NULL) return QZ_OK;
        if (row >= 0) return add_stored(f, p, row, t, err);
        return qz_gguf_add_view(f->of, f->g, t, err);
    } else {
        const qz_st *file = NULL;
        const qz_st_tensor *t = qz_st_dir_find(f->m->impl, left->file_name, &file);
        if (t == NULL || file == NULL) return QZ_OK;
        qz_st_tensor own = *t; /* under the name of a layer */
        own.name = qz_arena_printf(f->arena, "model.layers.%zu.%s", p->layer, p->inner);
        if (own.name == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", f->m->path);
        QZ_TRY(qz_model_add_tensor(f->of, file, &own, err));
    }
    if (row < 0 || f->of->n_tensors != before + 1) return QZ_OK;
    return add_row(f, p, row, &f->of->tensors[--f->of->n_tensors], err);
}

/* Views of all heads; GGUF's leftovers of nextn have no view of their own there. */
static qz_status add_all(finder *f, qz_error *err) {
    const qz_model *m = f->m;
    place p;
    for (size_t i = 0; i < m->n_left; i++) {
        if (m->left[i].kind != QZ_LEFT_MTP) continue;
        const char *name = f->g ? m->left[i].file_name : m->left[i].name;
        if (place_of(name, (size_t)m->config.layers, &p)) QZ_TRY(add(f, &m->left[i], &p, err));
        else f->out->left++;
    }
    return QZ_OK;
}

/* A module "mtp", not layers behind the last. */
static bool module_heads(const qz_model *m) {
    for (size_t i = 0; i < m->n_left; i++)
        if (m->left[i].kind == QZ_LEFT_MTP && !qz_gguf_of(m) && qz_str_starts(m->left[i].name, "mtp.")) return true;
    return false;
}

/* Layers, and room for views. */
static void count(const qz_model *m, size_t *layers, size_t *views) {
    place p;
    *layers = (size_t)m->config.layers;
    *views = 1;
    for (size_t i = 0; i < m->n_left; i++) {
        const char *name = qz_gguf_of(m) ? m->left[i].file_name : m->left[i].name;
        if (m->left[i].kind != QZ_LEFT_MTP || !place_of(name, (size_t)m->config.layers, &p)) continue;
        *layers = qz_max_size(*layers, p.layer + 1);
        *views += 1 + 2 * (size_t)m->config.experts;
    }
}

/* What joins the last state with the token: a block without it is none. A module's stands once, for all its blocks. */
static qz_status need_rows(const finder *f, size_t layers, bool module, qz_error *err) {
    const size_t first = (size_t)f->m->config.layers;
    for (size_t l = first; l < (module ? first + 1 : layers); l++)
        for (size_t k = 0; k < NEEDED; k++) {
            char name[64];
            size_t i = 0;
            (void)snprintf(name, sizeof name, "blk.%zu.%s.weight", l, rows[k].gguf);
            while (i < f->out->n_rows && strcmp(f->out->rows[i].out_name, name) != 0) i++;
            if (i < f->out->n_rows) continue;
            return qz_fail(err, QZ_EFORMAT, "missing tensor: file '%s', block %zu has no '%s.weight'", f->m->path, l,
                           f->g ? rows[k].gguf : module ? rows[k].module : rows[k].layer);
        }
    return QZ_OK;
}

static qz_status bind(finder *f, size_t layers, size_t views, qz_error *err) {
    qz_model *of = f->of;
    QZ_TRY(configure(f->m, layers, &of->config, err));
    of->tensors = qz_arena_calloc(&of->arena, views, sizeof *of->tensors);
    of->blocks = qz_arena_calloc(&of->arena, layers, sizeof *of->blocks);
    f->out->rows = qz_arena_calloc(&of->arena, qz_leftovers_count(f->m, QZ_LEFT_MTP), sizeof *f->out->rows);
    if (of->tensors == NULL || of->blocks == NULL || f->out->rows == NULL)
        return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", f->m->path);
    QZ_TRY(add_all(f, err));
    QZ_TRY(need_rows(f, layers, module_heads(f->m), err));
    QZ_TRY(qz_model_bind_blocks(of, (size_t)f->m->config.layers, err));
    f->out->left += of->n_left;
    f->out->layers = layers - (size_t)f->m->config.layers;
    return QZ_OK;
}

qz_status qz_gguf_heads_find(const qz_model *m, qz_arena *arena, qz_gguf_heads *out, qz_error *err) {
    size_t layers, views;
    *out = (qz_gguf_heads){0};
    if (!qz_family_get(m->config.family)->gguf_heads || m->impl == NULL) return QZ_OK;
    count(m, &layers, &views);
    if (layers == m->config.layers) return QZ_OK;
    qz_model *of = qz_arena_calloc(arena, 1, sizeof *of);
    if (of == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    *of = (qz_model){.path = m->path, .expected_types = m->expected_types, .arena = *arena}; /* lent */
    finder f = {.m = m, .g = qz_gguf_of(m), .of = of, .out = out, .arena = &of->arena};
    qz_error why = {0};
    const qz_status st = bind(&f, layers, views, &why);
    *arena = of->arena;
    out->model = of;
    if (st == QZ_OK) return QZ_OK;
    if (st == QZ_EMEMORY) return qz_fail(err, st, "%s", why.text);
    *out = (qz_gguf_heads){.why = qz_arena_strdup(arena, why.text)}; /* no block of this family: left out */
    return out->why ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
}
