/* An AWQ folder as a qz_model: linears are repacked into integer groups (codes along the row), the rest are views.
 * Reads "gemm" and "gemv" files of AutoAWQ and of this program. Source: formats/hf-awq.md sections 7 and 8. */
#include "artifacts/awq_int.h"
#include "base/json.h"
#include "base/size.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CONFIG_LIMIT ((size_t)16 << 20)

typedef struct { uint64_t bits, group; bool gemv; } awq_config;
typedef struct { qz_st_dir dir; } awq_state;

static const char *method_of(const json_t *root) {
    return json_string_value(json_object_get(json_object_get(root, "quantization_config"), "quant_method"));
}

static qz_status load_config(const char *dir, json_t **root, qz_error *err) {
    char *path = qz_path_join(dir, "config.json");
    if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", dir);
    *root = NULL;
    qz_status st = qz_path_exists(path) ? qz_json_load(path, CONFIG_LIMIT, root, err) : QZ_OK;
    qz_free(path);
    return st;
}

qz_status qz_awq_detect(const char *path, bool *yes, qz_error *err) {
    json_t *root = NULL;
    *yes = false;
    if (!qz_path_is_dir(path)) return QZ_OK;
    QZ_TRY(load_config(path, &root, err));
    const char *method = method_of(root);
    *yes = method && strcasecmp(method, "awq") == 0;
    json_decref(root);
    return QZ_OK;
}

static qz_status read_quantization(const json_t *root, const char *name, awq_config *c, qz_error *err) {
    const json_t *q = json_object_get(root, "quantization_config");
    const char *version = "gemm", *format = NULL;
    bool zero_point = true;
    *c = (awq_config){ .bits = 4, .group = 128 };
    QZ_TRY(qz_json_u64(q, "w_bit", name, &c->bits, err));
    QZ_TRY(qz_json_u64(q, "bits", name, &c->bits, err));
    QZ_TRY(qz_json_u64(q, "q_group_size", name, &c->group, err));
    QZ_TRY(qz_json_u64(q, "group_size", name, &c->group, err));
    QZ_TRY(qz_json_bool(q, "zero_point", name, &zero_point, err));
    QZ_TRY(qz_json_str(q, "format", name, &format, err));
    if (format) version = format;
    QZ_TRY(qz_json_str(q, "version", name, &version, err));
    c->gemv = strcasecmp(version, "gemv") == 0;
    if (!c->gemv && strcasecmp(version, "gemm"))
        return qz_fail(err, QZ_EUNSUPPORTED, "unsupported AWQ layout '%s': file '%s': expected gemm or gemv", version, name);
    if (c->bits != 4 || !zero_point)
        return qz_fail(err, QZ_EUNSUPPORTED, "unsupported AWQ kind: file '%s': expected 4 bits with zero points, found %llu bits%s", name,
                       (unsigned long long)c->bits, zero_point ? "" : " without zero points");
    if (c->group < 8 || c->group > 65536 || c->group % 8)
        return qz_fail(err, QZ_EUNSUPPORTED, "unsupported AWQ group size: file '%s': found %llu", name, (unsigned long long)c->group);
    return QZ_OK;
}

typedef struct {
    const awq_config *c;
    const qz_st_tensor *w, *z, *s;
    size_t rows, cols, groups, z_words;
    uint8_t *codes, *zeros;
    uint16_t *scales;
} job;

static void unpack(void *arg, size_t i, size_t n) {
    const job *j = arg;
    size_t lo, hi;
    qz_split(j->rows, 8, i, n, &lo, &hi);
    if (j->c->gemv) qz_awq_unpack_gemv(j->w->data, j->z->data, j->s->data, j->cols, j->groups, j->z_words, lo, hi, j->codes, j->zeros, j->scales);
    else qz_awq_unpack_gemm(j->w->data, j->z->data, j->s->data, j->rows, j->cols, j->groups, lo, hi, j->codes, j->zeros, j->scales);
}

static bool shaped(const qz_st_tensor *t, qz_st_dtype d, uint64_t a, uint64_t b) {
    return t && t->dtype == d && t->n_dims == 2 && t->dims[0] == a && t->dims[1] == b;
}

/* Shapes from qweight; the other two must agree. */
static qz_status shape_job(const qz_st *file, const char *module, job *j, qz_error *err) {
    uint64_t a = j->w->dims[0], b = j->w->dims[1], limit = (uint64_t)1 << 40;
    bool ok = j->w->dtype == QZ_ST_I32 && j->w->n_dims == 2 && a && b && a < limit && b < limit / 8;
    uint64_t rows = j->c->gemv ? a : b * 8, cols = j->c->gemv ? b * 8 : a;
    ok = ok && rows % 8 == 0 && cols % j->c->group == 0;
    uint64_t groups = ok ? cols / j->c->group : 0, unit = j->c->group >= 128 ? 1 : j->c->group == 64 ? 2 : 4;
    j->z_words = (size_t)(((groups + 7) / 8 + unit - 1) / unit * unit);
    if (j->c->gemv) ok = ok && shaped(j->z, QZ_ST_I32, rows, j->z_words) && shaped(j->s, QZ_ST_F16, rows, 8 * (uint64_t)j->z_words);
    else ok = ok && shaped(j->z, QZ_ST_I32, groups, rows / 8) && shaped(j->s, QZ_ST_F16, groups, rows);
    if (!ok)
        return qz_fail(err, QZ_EFORMAT, "wrong shape: file '%s', module '%s': qweight, qzeros and scales do not fit %s with groups of %llu", file->path, module,
                       j->c->gemv ? "gemv" : "gemm", (unsigned long long)j->c->group);
    j->rows = (size_t)rows;
    j->cols = (size_t)cols;
    j->groups = (size_t)groups;
    return QZ_OK;
}

static const qz_st_tensor *part(const qz_st_dir *d, const char *module, const char *suffix) {
    char name[1100];
    if (snprintf(name, sizeof name, "%s.%s", module, suffix) >= (int)sizeof name) return NULL;
    return qz_st_dir_find(d, name, NULL);
}

static qz_status add_linear(qz_run *run, qz_model *m, const qz_st_dir *d, const qz_st *file, const qz_st_tensor *t, const awq_config *c, qz_error *err) {
    char *module = qz_arena_strndup(&m->arena, t->name, strlen(t->name) - strlen(".qweight"));
    qz_int_group *g = qz_arena_calloc(&m->arena, 1, sizeof *g);
    if (!module || !g) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    job j = { .c = c, .w = t, .z = part(d, module, "qzeros"), .s = part(d, module, "scales") };
    QZ_TRY(shape_job(file, module, &j, err));
    j.codes = qz_arena_alloc(&m->arena, j.rows, j.cols / 2);
    j.zeros = qz_arena_alloc(&m->arena, j.rows, j.groups);
    j.scales = qz_arena_alloc(&m->arena, j.rows * j.groups, sizeof *j.scales);
    char *name = qz_arena_printf(&m->arena, "%s.weight", module);
    if (!j.codes || !j.zeros || !j.scales || !name) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    qz_pool_run(run ? run->pool : NULL, unpack, &j);
    qz_map_forget(t->data, (size_t)t->bytes);
    *g = (qz_int_group){ .bits = 4, .group_size = (uint32_t)c->group, .rows = j.rows, .cols = j.cols, .groups = j.groups, .codes = j.codes,
                         .scales = j.scales, .zero_points = j.zeros };
    m->tensors[m->n_tensors++] = (qz_tensor_view){ .name = name, .file_name = t->name, .type = QZ_TYPE_INT_GROUP, .rows = j.rows, .cols = j.cols,
                                                   .n_dims = 2, .bytes = (size_t)(t->bytes + j.z->bytes + j.s->bytes), .group = g,
                                                   .file = file->path, .offset = t->offset };
    return QZ_OK;
}

static qz_status add_float(qz_model *m, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    qz_type type = t->dtype == QZ_ST_F16 ? QZ_TYPE_F16 : t->dtype == QZ_ST_BF16 ? QZ_TYPE_BF16 : t->dtype == QZ_ST_F32 ? QZ_TYPE_F32 : QZ_TYPE_NONE;
    if (type == QZ_TYPE_NONE || t->n_dims < 1 || t->n_dims > 2)
        return qz_fail(err, QZ_EUNSUPPORTED, "unexpected tensor: file '%s', tensor '%s': %s with %u dimensions", file->path, t->name,
                       qz_st_dtype_name(t->dtype), t->n_dims);
    m->tensors[m->n_tensors++] = (qz_tensor_view){ .name = t->name, .file_name = t->name, .type = type, .n_dims = t->n_dims,
                                                   .rows = t->n_dims == 2 ? (size_t)t->dims[0] : 1, .cols = (size_t)t->dims[t->n_dims - 1],
                                                   .data = t->data, .bytes = (size_t)t->bytes, .file = file->path, .offset = t->offset };
    return QZ_OK;
}

static qz_status add_tensors(qz_run *run, qz_model *m, const qz_st_dir *d, const awq_config *c, qz_error *err) {
    m->tensors = qz_arena_calloc(&m->arena, d->n_tensors + 1, sizeof *m->tensors);
    if (!m->tensors) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    for (size_t f = 0; f < d->n_files; f++)
        for (size_t i = 0; i < d->files[f].n; i++) {
            const qz_st_tensor *t = &d->files[f].tensors[i];
            if (qz_str_ends(t->name, ".qweight")) QZ_TRY(add_linear(run, m, d, &d->files[f], t, c, err));
            else if (!qz_str_ends(t->name, ".qzeros") && !qz_str_ends(t->name, ".scales") && !strstr(t->name, "rotary_emb.inv_freq"))
                QZ_TRY(add_float(m, &d->files[f], t, err));
        }
    return QZ_OK;
}

static void close_awq(qz_model *m) {
    awq_state *s = m->impl;
    qz_st_dir_release(&s->dir);
    qz_free(s);
    m->impl = NULL;
}

static qz_status fill(qz_run *run, qz_model *m, awq_state *s, qz_error *err) {
    char *config = qz_arena_printf(&m->arena, "%s/config.json", m->path);
    json_t *root = NULL;
    awq_config c;
    if (!config) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    QZ_TRY(qz_json_load(config, CONFIG_LIMIT, &root, err));
    qz_status st = read_quantization(root, config, &c, err);
    json_decref(root);
    QZ_TRY(st);
    QZ_TRY(qz_config_load(config, &m->config, err));
    QZ_TRY(qz_st_dir_open(&s->dir, m->path, err));
    QZ_TRY(add_tensors(run, m, &s->dir, &c, err));
    QZ_TRY(qz_model_bind(m, err));
    m->container = "awq";
    m->encoding = qz_arena_printf(&m->arena, "W4 g%llu asym", (unsigned long long)c.group);
    m->contract = "W4A16";
    m->file_bytes = s->dir.file_bytes;
    m->config.dtype = QZ_TYPE_F16;
    return m->encoding ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
}

qz_status qz_awq_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    *out = NULL;
    qz_model *m = qz_calloc_array(1, sizeof *m);
    awq_state *s = qz_calloc_array(1, sizeof *s);
    if (!m || !s) {
        qz_free(m);
        qz_free(s);
        return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    }
    m->impl = s;
    m->close = close_awq;
    m->path = qz_arena_strdup(&m->arena, path);
    qz_status st = m->path ? fill(run, m, s, err) : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", path);
    if (st != QZ_OK) {
        qz_model_free(m);
        return st;
    }
    *out = m;
    return QZ_OK;
}
