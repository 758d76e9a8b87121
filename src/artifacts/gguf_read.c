/* A GGUF file as a qz_model: tensors are views into the mapping under their Hugging Face names. */
#include "artifacts/artifacts_int.h"
#include "artifacts/gguf_ftypes.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/formats.h"
#include "model/kinds.h"
#include "model/leftovers.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void close_gguf(qz_model *m) {
    qz_gguf_release(m->impl);
    qz_free(m->impl);
    m->impl = NULL;
}

/* A stack of experts: a view for each, under the names of a checkpoint. */
static qz_status add_stack(qz_model *m, const qz_gguf *g, const qz_gguf_tensor *t, qz_type type, size_t experts,
                           qz_error *err) {
    const bool both = qz_family_get(m->config.family)->gguf_gate_up && strstr(t->name, "_gate_up_") && t->n_dims == 3;
    const size_t halves = both ? 2 : 1, bytes = (size_t)t->bytes / experts / halves;
    for (size_t i = 0; i < experts * halves; i++) {
        char name[256];
        const size_t e = i / halves;
        qz_site up;
        (void)qz_gguf_name_to_hf(&m->config, t->name, e, &experts, name, sizeof name);
        const size_t layer = strtoul(t->name + 4, NULL, 10); /* of "blk.3.…"; one too many is named all the same */
        if (i % halves && qz_site_of(&m->config, layer < m->config.layers ? layer : 0, QZ_MLP_UP, &up))
            (void)qz_site_name(&up, layer, e, "weight", name, sizeof name);
        const char *hf = qz_arena_strdup(&m->arena, name);
        if (!hf) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", g->path);
        const size_t rows = t->n_dims == 3 ? (size_t)t->dims[1] / halves : 1; /* of a matrix, of a bias */
        m->tensors[m->n_tensors++] = (qz_tensor_view){ .name = hf, .file_name = t->name, .type = type,
                                                       .n_dims = t->n_dims - 1,
                                                       .rows = rows, .cols = (size_t)t->dims[0],
                                                       .data = t->data + i * bytes, .bytes = bytes, .file = t->file,
                                                       .offset = t->offset + i * bytes };
    }
    return QZ_OK;
}

qz_status qz_gguf_add_view(qz_model *m, const qz_gguf *g, const qz_gguf_tensor *t, qz_error *err) {
    char name[256];
    if (strncmp(t->name, "rope_f", 6) == 0) return QZ_OK; /* rope_freqs, rope_factors_…: read with the configuration */
    qz_type type = qz_type_by_ggml_id((int)t->type->id);
    size_t experts = 0;
    bool known = qz_gguf_name_to_hf(&m->config, t->name, 0, &experts, name, sizeof name);
    const bool bias = qz_str_ends(t->name, ".bias");
    if (known && experts && type != QZ_TYPE_NONE && t->n_dims == (bias ? 2 : 3) && t->dims[bias ? 1 : 2] == experts)
        return add_stack(m, g, t, type, experts, err);
    const char *hf = known ? qz_arena_strdup(&m->arena, name) : t->name;
    if (hf && (!known || type == QZ_TYPE_NONE || t->n_dims > 2))
        return qz_model_leave(m, &(qz_leftover){ .name = hf, .file_name = t->name, .file = t->file, .offset = t->offset,
                                                 .type = t->type->name, .n_dims = t->n_dims }, err);
    if (!hf) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", g->path);
    m->tensors[m->n_tensors++] = (qz_tensor_view){
        .name = hf, .file_name = t->name, .type = type, .n_dims = t->n_dims, .rows = (size_t)t->dims[1],
        .cols = (size_t)t->dims[0],
        .data = t->data, .bytes = (size_t)t->bytes, .file = t->file, .offset = t->offset };
    return QZ_OK;
}

/* "Q4_K_M", "W4A16": by the file type, or the type of the first linear when the file does not say. */
static qz_status describe(qz_model *m, const qz_gguf *g, qz_error *err) {
    uint64_t number = UINT64_MAX;
    QZ_TRY(qz_gguf_u64(g, "general.file_type", false, &number, err));
    qz_ftype f = qz_ftype_by_number(number & ~(uint64_t)1024); /* 1024: "guessed" */
    qz_type t = qz_model_linear(m)->type;
    const char *name = f != QZ_FTYPE_COUNT ? qz_ftype_get(f)->name : qz_type_get(t)->name;
    const char *digit = strpbrk(name, "0123456789");
    int bits = strcmp(name, "F32") == 0 ? 32 : strstr(name, "F16") ? 16 : digit ? *digit - '0' : 16;
    m->container = g->version == 2 ? "gguf v2" : "gguf v3";
    if (g->n_more) m->container = qz_arena_printf(&m->arena, "%s in %zu parts", m->container, g->n_more + 1);
    m->encoding = qz_arena_strdup(&m->arena, name);
    m->contract = qz_arena_printf(&m->arena, "W%dA%d", bits, bits == 32 ? 32 : 16);
    m->file_bytes = g->file_bytes;
    m->config.dtype = t;
    return m->encoding && m->contract && m->container ? QZ_OK
                                                      : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
}

static qz_status fill(qz_model *m, const qz_gguf *g, qz_error *err) {
    QZ_TRY(qz_gguf_config_read(g, &m->config, err));
    m->expected_types = "a type that 'quantz types' lists";
    uint64_t heads = 0;
    QZ_TRY(qz_gguf_prediction_layers(g, qz_family_get(m->config.family)->gguf_arch, &m->config, &heads, err));
    m->tensors = qz_arena_calloc(&m->arena, g->n + 1 + (size_t)(6 * (m->config.layers + heads) * m->config.experts) +
                                 qz_gguf_head_items(&m->config),
                                 sizeof *m->tensors);
    if (!m->tensors) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    for (size_t i = 0; i < g->n; i++) {
        bool mine = false;
        QZ_TRY(qz_gguf_add_heads(m, &g->tensors[i], &mine, err));
        if (!mine) QZ_TRY(qz_gguf_add_view(m, g, &g->tensors[i], err));
    }
    QZ_TRY(qz_model_bind(m, err));
    return describe(m, g, err);
}

qz_status qz_gguf_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    *out = NULL;
    qz_model *m = qz_calloc_array(1, sizeof *m);
    qz_gguf *g = qz_calloc_array(1, sizeof *g);
    qz_status st = m && g ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    if (st == QZ_OK) st = qz_gguf_open(g, path, err);
    if (st != QZ_OK) {
        qz_free(g);
        qz_free(m);
        return st;
    }
    m->impl = g;
    m->close = close_gguf;
    m->path = qz_arena_strdup(&m->arena, path);
    st = m->path ? fill(m, g, err) : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    if (st != QZ_OK) {
        qz_model_free(m);
        return st;
    }
    if (g->trailing)
        qz_warn_once(run, "%llu byte%s after the tensor data: file '%s'", (unsigned long long)g->trailing,
                     qz_plural(g->trailing), path);
    *out = m;
    return QZ_OK;
}

qz_status qz_artifact_announced(const char *path, qz_model **out, qz_error *err) {
    qz_gguf g;
    qz_config c = {0};
    *out = NULL;
    QZ_TRY(qz_gguf_open(&g, path, err));
    qz_status st = qz_gguf_config_read(&g, &c, err);
    if (st == QZ_OK) st = qz_model_from_config(&c, path, out, err);
    qz_gguf_release(&g);
    return st;
}

const qz_gguf *qz_gguf_of(const qz_model *m) { return m->close == close_gguf ? m->impl : NULL; }

qz_status qz_gguf_sound(const qz_gguf *g, qz_config_keys *keys, qz_error *err) {
    qz_config c = {0};
    qz_tokenizer *t = NULL;
    QZ_TRY(qz_gguf_config_read(g, &c, err));
    for (int ours = 1; ours >= 0; ours--) { /* other runtimes know the names alone */
        QZ_TRY(qz_gguf_vocab_read(g, ours, &t, err));
        qz_tokenizer_free(t);
        t = NULL;
    }
    *keys = c.keys;
    return QZ_OK;
}

qz_status qz_gguf_detect(const char *path, bool *yes, qz_error *err) {
    qz_format f = QZ_FORMAT_COUNT;
    *yes = false;
    if (qz_path_is_dir(path)) return QZ_OK;
    QZ_TRY(qz_format_probe(path, &f, err));
    *yes = f == QZ_FORMAT_GGUF;
    return QZ_OK;
}
