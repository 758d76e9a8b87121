/* An AWQ folder as a qz_model: linears are repacked into integer groups (codes along the row), the rest are views.
 * Reads "gemm" and "gemv" files of AutoAWQ and of this program. Source: formats/hf-awq.md sections 7 and 8. */
#include "artifacts/awq_int.h"
#include "base/size.h"
#include <string.h>
#include <strings.h>

typedef struct { uint64_t bits, group; bool gemv; } awq_config;

qz_status qz_awq_detect(const char *path, bool *yes, qz_error *err) { return qz_folder_detect(path, "awq", yes, err); }

static qz_status read_quantization(const json_t *q, const char *name, awq_config *c, qz_error *err) {
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

/* Shapes from qweight; the other two must agree. */
static qz_status shape_job(const qz_st *file, const char *module, job *j, qz_error *err) {
    uint64_t a = j->w->dims[0], b = j->w->dims[1], limit = (uint64_t)1 << 40;
    bool ok = j->w->dtype == QZ_ST_I32 && j->w->n_dims == 2 && a && b && a < limit && b < limit / 8;
    uint64_t rows = j->c->gemv ? a : b * 8, cols = j->c->gemv ? b * 8 : a;
    ok = ok && rows % 8 == 0 && cols % j->c->group == 0;
    uint64_t groups = ok ? cols / j->c->group : 0, unit = j->c->group >= 128 ? 1 : j->c->group == 64 ? 2 : 4;
    j->z_words = (size_t)(((groups + 7) / 8 + unit - 1) / unit * unit);
    if (j->c->gemv) ok = ok && qz_folder_shaped(j->z, QZ_ST_I32, 2, rows, j->z_words) && qz_folder_shaped(j->s, QZ_ST_F16, 2, rows, 8 * (uint64_t)j->z_words);
    else ok = ok && qz_folder_shaped(j->z, QZ_ST_I32, 2, groups, rows / 8) && qz_folder_shaped(j->s, QZ_ST_F16, 2, groups, rows);
    if (!ok)
        return qz_fail(err, QZ_EFORMAT, "wrong shape: file '%s', module '%s': qweight, qzeros and scales do not fit %s with groups of %llu", file->path, module,
                       j->c->gemv ? "gemv" : "gemm", (unsigned long long)j->c->group);
    j->rows = (size_t)rows;
    j->cols = (size_t)cols;
    j->groups = (size_t)groups;
    return QZ_OK;
}

static qz_status add_linear(const qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    qz_model *m = r->m;
    const awq_config *c = r->options;
    char *module = qz_arena_strndup(&m->arena, t->name, strlen(t->name) - strlen(".qweight"));
    qz_int_group *g = qz_arena_calloc(&m->arena, 1, sizeof *g);
    if (!module || !g) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    job j = { .c = c, .w = t, .z = qz_folder_part(r->dir, module, "qzeros"), .s = qz_folder_part(r->dir, module, "scales") };
    QZ_TRY(shape_job(file, module, &j, err));
    j.codes = qz_arena_alloc(&m->arena, j.rows, j.cols / 2);
    j.zeros = qz_arena_alloc(&m->arena, j.rows, j.groups);
    j.scales = qz_arena_alloc(&m->arena, j.rows * j.groups, sizeof *j.scales);
    char *name = qz_arena_printf(&m->arena, "%s.weight", module);
    if (!j.codes || !j.zeros || !j.scales || !name) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    qz_pool_run(r->run ? r->run->pool : NULL, unpack, &j);
    qz_map_forget(t->data, (size_t)t->bytes);
    *g = (qz_int_group){ .bits = 4, .group_size = (uint32_t)c->group, .rows = j.rows, .cols = j.cols, .groups = j.groups, .codes = j.codes,
                         .scales = j.scales, .zero_points = j.zeros };
    m->tensors[m->n_tensors++] = (qz_tensor_view){ .name = name, .file_name = t->name, .type = QZ_TYPE_INT_GROUP, .rows = j.rows, .cols = j.cols,
                                                   .n_dims = 2, .bytes = (size_t)(t->bytes + j.z->bytes + j.s->bytes), .group = g,
                                                   .file = file->path, .offset = t->offset };
    return QZ_OK;
}

static qz_status add(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    if (qz_str_ends(t->name, ".qweight")) return add_linear(r, file, t, err);
    if (qz_str_ends(t->name, ".qzeros") || qz_str_ends(t->name, ".scales")) return QZ_OK;
    return qz_folder_add_float(r->m, file, t, err);
}

static qz_status fill(qz_run *run, qz_model *m, qz_error *err) {
    awq_config c;
    qz_folder_config f;
    qz_status st = qz_folder_config_load(m->path, &f, err);
    if (st == QZ_OK) st = read_quantization(f.q, f.file, &c, err);
    qz_folder_reader r = { .run = run, .m = m, .config = &f, .options = &c, .add = add };
    if (st == QZ_OK) st = qz_folder_read_into(&r, err);
    qz_folder_config_release(&f);
    QZ_TRY(st);
    m->container = "awq";
    m->encoding = qz_arena_printf(&m->arena, "W4 g%llu asym", (unsigned long long)c.group);
    m->contract = "W4A16";
    m->config.dtype = QZ_TYPE_F16;
    return m->encoding ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
}

qz_status qz_awq_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err) { return qz_folder_read(run, path, fill, out, err); }
