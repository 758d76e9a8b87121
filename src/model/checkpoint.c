/* model_open: a Hugging Face checkpoint directory as a qz_model (views into the mapped safetensors files). */
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "formats/safetensors.h"
#include "model/leftovers.h"
#include "model/checkpoint.h"
#include "model/stacks.h"
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
    bool mine = false;
    QZ_TRY(qz_stack_add(m, file, t, &mine, err));
    if (mine) return QZ_OK;
    const bool taps = t->n_dims == 3 && t->dims[1] == 1; /* a convolution over each channel alone */
    /* a buffer, or an error once it is known what the name stands for */
    if (type == QZ_TYPE_NONE || t->n_dims < 1 || (t->n_dims > 2 && !taps))
        return qz_model_leave(m, &(qz_leftover){.name = t->name, .file_name = t->name, .file = file->path,
                                                .offset = t->offset,
                                                .type = qz_st_dtype_name(t->dtype), .n_dims = t->n_dims}, err);
    const char *name = t->name;
    QZ_TRY(router_name(m, &name, err));
    m->tensors[m->n_tensors++] = (qz_tensor_view){
        .name = name, .file_name = t->name, .type = type, .n_dims = t->n_dims,
        .rows = t->n_dims > 1 ? (size_t)t->dims[0] : 1, .cols = (size_t)t->dims[t->n_dims - 1],
        .data = t->data, .bytes = (size_t)t->bytes, .file = file->path, .offset = t->offset};
    return QZ_OK;
}

static qz_status add_views(qz_model *m, const qz_st_dir *d, qz_error *err) {
    size_t views = d->n_tensors;
    for (size_t f = 0; f < d->n_files; f++)
        for (size_t i = 0; i < d->files[f].n; i++) views += qz_stack_views(m, &d->files[f].tensors[i]);
    m->tensors = qz_arena_calloc(&m->arena, views, sizeof *m->tensors);
    if (m->tensors == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    for (size_t f = 0; f < d->n_files; f++)
        for (size_t i = 0; i < d->files[f].n; i++)
            QZ_TRY(qz_model_add_tensor(m, &d->files[f], &d->files[f].tensors[i], err));
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
