/* model_open: a Hugging Face checkpoint directory as a qz_model (views into the mapped safetensors files). */
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "formats/safetensors.h"
#include "model/leftovers.h"
#include "model/checkpoint.h"
#include "model/kinds.h"
#include <stdlib.h>
#include <string.h>

qz_type qz_st_float_type(qz_st_dtype d) {
    switch ((int)d) {
    case QZ_ST_F32: return QZ_TYPE_F32;
    case QZ_ST_F16: return QZ_TYPE_F16;
    case QZ_ST_BF16: return QZ_TYPE_BF16;
    default: return QZ_TYPE_NONE;
    }
}

static void close_checkpoint(qz_model *m) {
    qz_st_dir_release(m->impl);
    qz_free(m->impl);
    m->impl = NULL;
}

static qz_status add_matrix(qz_model *m, const qz_st *file, const qz_st_tensor *t, const char *name, uint64_t row,
                            uint64_t rows, qz_error *err) {
    const uint64_t row_bytes = t->bytes / t->dims[0] / t->dims[1], at = row * row_bytes;
    name = qz_arena_strdup(&m->arena, name);
    if (name == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    m->tensors[m->n_tensors++] = (qz_tensor_view){
        .name = name, .file_name = t->name, .type = qz_st_float_type(t->dtype), .n_dims = t->n_dims, .rows = (size_t)rows,
        .cols = (size_t)t->dims[2],
        .data = t->data + at, .bytes = (size_t)(rows * row_bytes), .file = file->path, .offset = t->offset + at};
    return QZ_OK;
}

/* All experts of a layer in one tensor, as transformers 5 holds them in memory: gate_up_proj [E, 2I, D] (rows 0..I of
 * each gate, the rest up) and down_proj [E, D, I]. Views of each under the names of a checkpoint; *mine: it was one. */
static qz_status add_experts(qz_model *m, const qz_st *file, const qz_st_tensor *t, bool *mine, qz_error *err) {
    static const char prefix[] = "model.layers.", *const inner[] = {"mlp.experts.", "block_sparse_moe.experts."};
    const qz_config *c = &m->config;
    char *end;
    *mine = false;
    if (t->n_dims != 3 || c->experts == 0 || qz_st_float_type(t->dtype) == QZ_TYPE_NONE ||
        strncmp(t->name, prefix, sizeof prefix - 1) != 0)
        return QZ_OK;
    const unsigned long layer = strtoul(t->name + sizeof prefix - 1, &end, 10);
    if (*end++ != '.' || layer >= c->layers || !qz_config_sparse(c, layer)) return QZ_OK;
    for (size_t i = 0; i < 2; i++)
        if (strncmp(end, inner[i], strlen(inner[i])) == 0) end += strlen(inner[i]), i = 2;
    const bool down = strcmp(end, "down_proj") == 0 || strcmp(end, "down_proj.weight") == 0;
    if (!down && strcmp(end, "gate_up_proj") != 0 && strcmp(end, "gate_up_proj.weight") != 0) return QZ_OK;
    const uint64_t rows = down ? c->hidden_size : 2 * c->expert_width, cols = down ? c->expert_width : c->hidden_size;
    if (t->dims[0] != c->experts || t->dims[1] != rows || t->dims[2] != cols)
        return qz_fail(err, QZ_EFORMAT,
                       "wrong shape: file '%s', tensor '%s', offset %llu: expected [%llu, %llu, %llu] (%s first), "
                       "found [%llu, %llu, %llu]",
                       file->path, t->name, (unsigned long long)t->offset, (unsigned long long)c->experts,
                       (unsigned long long)rows, (unsigned long long)cols, c->experts_key,
                       (unsigned long long)t->dims[0], (unsigned long long)t->dims[1], (unsigned long long)t->dims[2]);
    qz_site sites[QZ_MAX_SITES];
    char name[QZ_SITE_NAME];
    *mine = true;
    for (size_t i = 0, n = qz_sites(c, layer, sites); i < n; i++) {
        if (sites[i].kind != QZ_SITE_EXPERT || (sites[i].part == QZ_MLP_DOWN) != down) continue;
        for (uint64_t e = 0; e < c->experts; e++) {
            (void)qz_site_name(&sites[i], layer, (size_t)e, "weight", name, sizeof name);
            QZ_TRY(add_matrix(m, file, t, name, e * rows + (sites[i].part == QZ_MLP_UP ? c->expert_width : 0),
                              sites[i].rows, err));
        }
    }
    return QZ_OK;
}

/* transformers 5 calls every router mlp.gate in memory; a checkpoint that was saved so has its family's name here. */
static qz_status router_name(qz_model *m, const char **name, qz_error *err) {
    static const char suffix[] = ".mlp.gate.weight";
    const char *own = qz_family_get(m->config.family)->router_name;
    const size_t n = strlen(*name), k = sizeof suffix - 1;
    if (own == NULL || n < k || strcmp(*name + n - k, suffix) != 0) return QZ_OK;
    *name = qz_arena_printf(&m->arena, "%.*s.%s.weight", (int)(n - k), *name, own);
    return *name ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
}

qz_status qz_model_add_tensor(qz_model *m, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    qz_type type = qz_st_float_type(t->dtype);
    /* a buffer, or an error once it is known what the name stands for */
    if (type == QZ_TYPE_NONE || t->n_dims < 1 || t->n_dims > 2)
        return qz_model_leave(m, &(qz_leftover){.name = t->name, .file_name = t->name, .file = file->path,
                                                .offset = t->offset,
                                                .type = qz_st_dtype_name(t->dtype), .n_dims = t->n_dims}, err);
    const char *name = t->name;
    QZ_TRY(router_name(m, &name, err));
    m->tensors[m->n_tensors++] = (qz_tensor_view){
        .name = name, .file_name = t->name, .type = type, .n_dims = t->n_dims,
        .rows = t->n_dims == 2 ? (size_t)t->dims[0] : 1, .cols = (size_t)t->dims[t->n_dims - 1],
        .data = t->data, .bytes = (size_t)t->bytes, .file = file->path, .offset = t->offset};
    return QZ_OK;
}

static qz_status add_views(qz_model *m, const qz_st_dir *d, qz_error *err) {
    size_t views = d->n_tensors;
    for (size_t f = 0; f < d->n_files; f++)
        for (size_t i = 0; i < d->files[f].n; i++) {
            const qz_st_tensor *t = &d->files[f].tensors[i];
            /* add_experts */
            if (t->n_dims == 3 && t->elems && t->dims[0] == m->config.experts) views += 2 * (size_t)t->dims[0];
        }
    m->tensors = qz_arena_calloc(&m->arena, views, sizeof *m->tensors);
    if (m->tensors == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    for (size_t f = 0; f < d->n_files; f++)
        for (size_t i = 0; i < d->files[f].n; i++) {
            bool mine = false;
            QZ_TRY(add_experts(m, &d->files[f], &d->files[f].tensors[i], &mine, err));
            if (!mine) QZ_TRY(qz_model_add_tensor(m, &d->files[f], &d->files[f].tensors[i], err));
        }
    m->file_bytes = d->file_bytes;
    m->n_other_files = d->n_others;
    m->other_file = d->other;
    return QZ_OK;
}

/* The linears' dtype names the encoding; config.dtype may be absent or differ. */
static void describe(qz_model *m) {
    qz_type t = qz_model_linear(m)->type;
    m->container = "safetensors";
    m->encoding = t == QZ_TYPE_BF16 ? "BF16" : t == QZ_TYPE_F16 ? "F16" : "F32";
    m->contract = t == QZ_TYPE_F32 ? "W32A32" : "W16A16";
    m->config.dtype = t;
}

qz_status qz_model_open(qz_run *run, const char *dir, qz_model **out, qz_error *err) {
    (void)run;
    *out = NULL;
    qz_model *m = qz_calloc_array(1, sizeof *m);
    if (m == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", dir);
    qz_status st = QZ_OK;
    char *config = qz_path_join(dir, "config.json");
    m->path = qz_arena_strdup(&m->arena, dir);
    if (config == NULL || m->path == NULL) {
        st = qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", dir);
        goto out;
    }
    if (!qz_path_is_dir(dir) || !qz_path_exists(config)) {
        st = qz_fail(err, QZ_EUSAGE,
                     "no model at '%s': expected a folder with config.json and *.safetensors (a Hugging Face "
                     "checkpoint)",
                     dir);
        goto out;
    }
    QZ_GOTO(qz_config_load(config, &m->config, err));
    m->impl = qz_calloc_array(1, sizeof(qz_st_dir));
    if (m->impl == NULL) {
        st = qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", dir);
        goto out;
    }
    st = qz_st_dir_open(m->impl, dir, err);
    if (st != QZ_OK) {
        qz_free(m->impl);
        m->impl = NULL;
        goto out;
    }
    m->close = close_checkpoint;
    QZ_GOTO(add_views(m, m->impl, err));
    QZ_GOTO(qz_model_bind(m, err));
    describe(m);
out:
    qz_free(config);
    if (st != QZ_OK) {
        qz_model_free(m);
        return st;
    }
    *out = m;
    return QZ_OK;
}
