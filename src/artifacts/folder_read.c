/* The reader of folder artifacts: finds the quantization's description in any of its historic places, opens the weights
 * and lets the scheme turn its tensors into views. Source: formats/hf-config.md, hf-awq.md section 8,
 * hf-gptq.md section 6. */
#include "artifacts/folder.h"
#include "artifacts/loose.h"
#include "base/json.h"
#include "base/size.h"
#include "formats/dtypes.h"
#include "model/leftovers.h"
#include "model/stacks.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CONFIG_LIMIT ((size_t)16 << 20)

static qz_status load(const char *dir, const char *name, qz_folder_config *c, qz_error *err) {
    if (snprintf(c->file, sizeof c->file, "%s/%s", dir, name) >= (int)sizeof c->file)
        return qz_fail(err, QZ_EUSAGE, "path too long: '%s'", dir);
    return qz_path_exists(c->file) ? qz_json_load(c->file, CONFIG_LIMIT, &c->root, err) : QZ_OK;
}

qz_status qz_folder_config_load(const char *dir, qz_folder_config *c, qz_error *err) {
    static const char *const legacy[] = { "quantize_config.json", "quant_config.json", "hf_quant_config.json" };
    *c = (qz_folder_config){ .root = NULL };
    QZ_TRY(load(dir, "config.json", c, err));
    if (!c->root) return QZ_OK; /* no checkpoint at all */
    c->q = json_object_get(c->root, "quantization_config");
    /* AutoGPTQ, old AutoAWQ, old ModelOpt: a file of its own */
    for (size_t i = 0; i < sizeof legacy / sizeof *legacy && json_object_size(c->q) == 0; i++) {
        json_decref(c->root);
        c->root = NULL;
        QZ_TRY(load(dir, legacy[i], c, err));
        c->q = i == 2 ? json_object_get(c->root, "quantization") : c->root;
    }
    if (json_object_size(c->q) == 0) c->q = NULL; /* {} is as good as null */
    return QZ_OK;
}

void qz_folder_config_release(qz_folder_config *c) {
    json_decref(c->root);
    *c = (qz_folder_config){ .root = NULL };
}

const char *qz_folder_method(const qz_folder_config *c) {
    if (!c->q) return NULL;
    if (json_is_true(json_object_get(c->q, "load_in_4bit")) || json_is_true(json_object_get(c->q, "load_in_8bit")))
        return "bitsandbytes";
    const char *method = json_string_value(json_object_get(c->q, "quant_method"));
    const bool own = method ? strncasecmp(method, QZ_FOLDER_MODELOPT, strlen(QZ_FOLDER_MODELOPT)) == 0
                            : json_object_get(c->q, "quant_algo") != NULL;
    if (own) return QZ_FOLDER_MODELOPT;
    if (method) return method;
    const char *version = json_string_value(json_object_get(c->q, "version"));
    if (version && (strncasecmp(version, "gem", 3) == 0 || strcasecmp(version, "marlin") == 0)) return "awq";
    return json_object_get(c->q, "bits") || json_object_get(c->q, "wbits") || json_object_get(c->q, "w_bit") ? "gptq"
                                                                                                             : "?";
}

bool qz_folder_bnb_off(const json_t *q) {
    const char *method = json_string_value(json_object_get(q, "quant_method"));
    return method && strcasecmp(method, "bitsandbytes") == 0 && json_is_false(json_object_get(q, "load_in_4bit")) &&
           json_is_false(json_object_get(q, "load_in_8bit"));
}

bool qz_folder_holds_codes(const char *dir) {
    qz_st_dir d = {0};
    qz_error ignored = {0};
    bool yes = false;
    if (qz_st_dir_open(&d, dir, &ignored) != QZ_OK) return false;
    for (size_t f = 0; f < d.n_files && !yes; f++)
        for (size_t i = 0; i < d.files[f].n && !yes; i++) {
            const qz_st_tensor *t = &d.files[f].tensors[i];
            yes = t->n_dims == 2 && t->dtype != QZ_ST_F32 && t->dtype != QZ_ST_F16 && t->dtype != QZ_ST_BF16;
        }
    qz_st_dir_release(&d);
    return yes;
}

qz_status qz_folder_detect(const char *path, const char *method, bool *yes, qz_error *err) {
    qz_folder_config c;
    *yes = false;
    if (!qz_path_is_dir(path)) return QZ_OK;
    qz_status st = qz_folder_config_load(path, &c, err);
    const char *found = st == QZ_OK ? qz_folder_method(&c) : NULL;
    *yes = found && strcasecmp(found, method) == 0;
    qz_folder_config_release(&c);
    return st;
}

const qz_st_tensor *qz_folder_part(const qz_st_dir *d, const char *module, const char *suffix) {
    char name[QZ_ST_MAX_NAME + 64];
    if (snprintf(name, sizeof name, "%s.%s", module, suffix) >= (int)sizeof name) return NULL;
    return qz_st_dir_find(d, name, NULL);
}

qz_status qz_folder_typed(const qz_st *file, const char *module, const char *suffix, const qz_st_tensor *t,
                          qz_st_dtype a, qz_st_dtype b, qz_error *err) {
    if (!t)
        return qz_fail(err, QZ_EFORMAT, "tensor '%s.%s' is missing: file '%s'; the checkpoint is incomplete", module,
                       suffix, file->path);
    if (t->dtype == a || t->dtype == b) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT, "wrong dtype: file '%s', tensor '%s', offset %llu: expected %s%s%s, found %s",
                   file->path, t->name, (unsigned long long)t->offset, qz_st_dtype_name(a), a == b ? "" : " or ",
                   a == b ? "" : qz_st_dtype_name(b), qz_st_dtype_name(t->dtype));
}

qz_status qz_folder_misfit(const qz_st *file, const char *module, const char *expected,
                           const qz_st_tensor *const *parts, size_t n, qz_error *err) {
    qz_str found = {0};
    for (size_t i = 0; i < n; i++) {
        if (!parts[i]) continue;
        const char *dot = strrchr(parts[i]->name, '.');
        qz_str_printf(&found, "%s%s [", found.len ? ", " : "", dot ? dot + 1 : parts[i]->name);
        for (uint32_t d = 0; d < parts[i]->n_dims; d++)
            qz_str_printf(&found, "%s%llu", d ? ", " : "", (unsigned long long)parts[i]->dims[d]);
        qz_str_puts(&found, "]");
    }
    qz_status st = qz_fail(err, QZ_EFORMAT,
                           "wrong shape: file '%s', module '%s', offset %llu: expected %s, found %s; compare the "
                           "quantization settings with the file",
                           file->path, module, (unsigned long long)(n && parts[0] ? parts[0]->offset : 0), expected,
                           found.ptr ? found.ptr : "none");
    qz_str_release(&found);
    return st;
}

bool qz_folder_shaped(const qz_st_tensor *t, qz_st_dtype d, uint32_t n_dims, uint64_t a, uint64_t b) {
    return t && t->dtype == d && t->n_dims == n_dims && t->dims[0] == a && (n_dims == 1 || t->dims[1] == b);
}

qz_status qz_folder_add_part(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, const char *suffix,
                             const char *owner, qz_error *err) {
    char *module = qz_arena_strndup(&r->m->arena, t->name, strlen(t->name) - strlen(suffix));
    if (!module) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", r->m->path);
    if (qz_folder_part(r->dir, module, owner)) return QZ_OK;
    return qz_model_leave(r->m, &(qz_leftover){ .name = t->name, .file_name = t->name, .file = file->path,
                                                .offset = t->offset, .type = qz_st_dtype_name(t->dtype),
                                                .n_dims = t->n_dims }, err);
}

qz_status qz_folder_read_into(qz_folder_reader *r, qz_error *err) {
    qz_model *m = r->m;
    qz_st_dir *d = m->impl;
    const bool loose = r->run && r->run->loose;
    char *config = qz_arena_printf(&m->arena, "%s/config.json", m->path);
    if (!config) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    QZ_TRY(loose ? qz_loose_begin(m, err) : qz_config_load(config, &m->config, err));
    QZ_TRY(qz_folder_claims(r, err));
    QZ_TRY(qz_st_dir_open(d, m->path, err));
    if (loose) qz_loose_settle(m, d);
    r->dir = d;
    size_t views = d->n_tensors + 1;
    for (size_t f = 0; f < d->n_files; f++)
        for (size_t i = 0; i < d->files[f].n; i++) views += qz_stack_views(m, &d->files[f].tensors[i]);
    m->tensors = qz_arena_calloc(&m->arena, views, sizeof *m->tensors);
    if (!m->tensors) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    for (size_t f = 0; f < d->n_files; f++)
        for (size_t i = 0; i < d->files[f].n; i++) QZ_TRY(r->add(r, &d->files[f], &d->files[f].tensors[i], err));
    QZ_TRY(qz_folder_claims_lists(r, err));
    if (!loose) QZ_TRY(qz_model_bind(m, err));
    m->file_bytes = d->file_bytes;
    m->n_other_files = d->n_others;
    m->other_file = d->other;
    return QZ_OK;
}

static void close_folder(qz_model *m) {
    qz_st_dir_release(m->impl);
    qz_free(m->impl);
    m->impl = NULL;
}

qz_status qz_folder_read(qz_run *run, const char *path, qz_status (*fill)(qz_run *run, qz_model *m, qz_error *err),
                         qz_model **out, qz_error *err) {
    *out = NULL;
    qz_model *m = qz_calloc_array(1, sizeof *m);
    qz_st_dir *d = qz_calloc_array(1, sizeof *d);
    if (!m || !d) {
        qz_free(m);
        qz_free(d);
        return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    }
    m->impl = d;
    m->close = close_folder;
    m->path = qz_arena_strdup(&m->arena, path);
    qz_status st = m->path ? fill(run, m, err) : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    if (st != QZ_OK) {
        qz_model_free(m);
        return st;
    }
    *out = m;
    return QZ_OK;
}
