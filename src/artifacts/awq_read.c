/* An AWQ folder as a qz_model: linears are repacked into integer groups (codes along the row), the rest are views.
 * Reads "gemm", "gemv", "gemv_fast" and "marlin" files of AutoAWQ and of this program. Source: formats/hf-awq.md
 * sections 7 and 8. */
#include "artifacts/awq_int.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/json.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <string.h>
#include <strings.h>

typedef enum { GEMM, GEMV, FAST, MARLIN, LAYOUTS } awq_layout;
static const char *const layout_names[LAYOUTS] = { "gemm", "gemv", "gemv_fast", "marlin" };
typedef struct { uint64_t bits, group; awq_layout layout; } awq_config; /* group: or QZ_WHOLE_ROW */

qz_status qz_awq_detect(const char *path, bool *yes, qz_error *err) { return qz_folder_detect(path, "awq", yes, err); }

static qz_status read_group(const json_t *q, const char *name, awq_config *c, qz_error *err) {
    static const char *const keys[] = { "q_group_size", "group_size" };
    for (size_t i = 0; i < 2; i++) {
        if (json_integer_value(json_object_get(q, keys[i])) == -1) c->group = QZ_WHOLE_ROW;
        else QZ_TRY(qz_json_u64(q, keys[i], name, &c->group, err));
    }
    if (c->group && (c->group < 8 || c->group > 65536 || c->group % 8))
        return qz_fail(err, QZ_EUNSUPPORTED, "unsupported AWQ group size: file '%s': found %llu", name,
                       (unsigned long long)c->group);
    return QZ_OK;
}

static qz_status read_quantization(const json_t *q, const char *name, awq_config *c, qz_error *err) {
    const char *version = "gemm";
    bool zero_point = true;
    *c = (awq_config){ .bits = 4, .group = 128, .layout = LAYOUTS };
    QZ_TRY(qz_json_u64(q, "w_bit", name, &c->bits, err));
    QZ_TRY(qz_json_u64(q, "bits", name, &c->bits, err));
    QZ_TRY(read_group(q, name, c, err));
    QZ_TRY(qz_json_bool(q, "zero_point", name, &zero_point, err));
    QZ_TRY(qz_json_str(q, "format", name, &version, err));
    QZ_TRY(qz_json_str(q, "version", name, &version, err));
    for (int l = 0; l < LAYOUTS; l++)
        if (strcasecmp(version, layout_names[l]) == 0) c->layout = (awq_layout)l;
    if (strcasecmp(version, "llm-awq") == 0) c->layout = FAST;
    if (c->layout == LAYOUTS)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "unsupported AWQ layout '%s': file '%s': expected gemm, gemv, gemv_fast, llm-awq or marlin",
                       version, name);
    if (c->bits != 4 || zero_point == (c->layout == MARLIN))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "unsupported AWQ kind: file '%s': expected 4 bits, with zero points unless marlin; found %s "
                       "with %llu bits%s",
                       name, layout_names[c->layout], (unsigned long long)c->bits,
                       zero_point ? "" : " without zero points");
    return QZ_OK;
}

typedef struct {
    const awq_config *c;
    const qz_st_tensor *w, *z, *s;
    size_t rows, cols, groups, z_words, group;
    uint8_t *codes, *zeros;
    uint16_t *scales;
} awq_reading;

static void unpack(void *arg, qz_part part) {
    const awq_reading *j = arg;
    size_t lo, hi;
    const bool zeros = j->c->layout == GEMM || j->c->layout == GEMV;
    const qz_awq_words words = {j->w->data, zeros ? j->z->data : NULL, j->s->data, j->rows, j->cols, j->groups,
                                j->z_words, j->codes, j->zeros, j->scales};
    qz_split(j->rows, j->c->layout == MARLIN ? 64 : 8, part, &lo, &hi);
    switch (j->c->layout) {
    case GEMV: qz_awq_unpack_gemv(&words, lo, hi); break;
    case FAST: qz_awq_unpack_fast(j->w->data, j->cols, lo, hi, j->codes); break;
    case MARLIN: qz_awq_unpack_marlin(j->w->data, j->rows, j->cols, lo, hi, j->codes); break;
    default: qz_awq_unpack_gemm(&words, lo, hi); break;
    }
}

static bool halves(const qz_st_tensor *t, uint64_t a, uint64_t b) {
    return qz_folder_shaped(t, QZ_ST_F16, 2, a, b) || qz_folder_shaped(t, QZ_ST_BF16, 2, a, b);
}

/* Shapes from qweight; the others must agree. */
static qz_status shape_job(const qz_st *file, const char *module, awq_reading *j, qz_error *err) {
    awq_layout l = j->c->layout;
    const qz_st_dtype code = l == FAST ? QZ_ST_I16 : QZ_ST_I32, wide = l == FAST ? QZ_ST_BF16 : QZ_ST_F16;
    QZ_TRY(qz_folder_typed(file, module, "qweight", j->w, code, code, err));
    QZ_TRY(qz_folder_typed(file, module, "scales", j->s, QZ_ST_F16, wide, err));
    if (l != MARLIN)
        QZ_TRY(qz_folder_typed(file, module, "qzeros", j->z, l == FAST ? QZ_ST_F16 : QZ_ST_I32,
                               l == FAST ? QZ_ST_BF16 : QZ_ST_I32, err));
    uint64_t a = j->w->dims[0], b = j->w->dims[1], limit = (uint64_t)1 << 27;
    bool ok = j->w->dtype == (l == FAST ? QZ_ST_I16 : QZ_ST_I32) && j->w->n_dims == 2 && a && b && a < limit &&
              b < limit;
    uint64_t rows = l == GEMM   ? b * 8
                    : l == GEMV ? a
                    : l == FAST ? a * 4
                                : b / 2,
             cols = l == GEMM   ? a
                    : l == GEMV ? b * 8
                    : l == FAST ? b
                                : a * 16;
    uint64_t g = qz_group_columns((uint32_t)j->c->group, cols);
    ok = ok && rows % (l == MARLIN ? 64 : 8) == 0 && cols % g == 0 && cols % (l == FAST ? 64 : 2) == 0 &&
         (l != MARLIN || b % 2 == 0);
    uint64_t groups = ok ? cols / g : 0,
             unit = g >= 128  ? 1
                    : g == 64 ? 2
                              : 4,
             z = ((groups + 7) / 8 + unit - 1) / unit * unit;
    if (l == GEMV)
        ok = ok && qz_folder_shaped(j->z, QZ_ST_I32, 2, rows, z) && qz_folder_shaped(j->s, QZ_ST_F16, 2, rows, 8 * z);
    else if (l == FAST) ok = ok && halves(j->z, 8 * z, rows) && halves(j->s, 8 * z, rows) && j->z->dtype == j->s->dtype;
    else if (l == MARLIN) ok = ok && qz_folder_shaped(j->s, QZ_ST_F16, 2, groups, rows);
    else
        ok = ok && qz_folder_shaped(j->z, QZ_ST_I32, 2, groups, rows / 8) &&
             qz_folder_shaped(j->s, QZ_ST_F16, 2, groups, rows);
    if (!ok) {
        const qz_st_tensor *const parts[] = { j->w, j->z, j->s };
        char expected[160];
        (void)snprintf(expected, sizeof expected,
                       "layout %s in groups of %llu (%llu outputs, %llu inputs, %llu groups)", layout_names[l],
                       (unsigned long long)g, (unsigned long long)rows, (unsigned long long)cols,
                       (unsigned long long)(g ? cols / g : 0));
        return qz_folder_misfit(file, module, expected, parts, 3, err);
    }
    j->rows = (size_t)rows;
    j->cols = (size_t)cols;
    j->groups = (size_t)groups;
    j->group = (size_t)g;
    j->z_words = (size_t)z;
    return QZ_OK;
}

static float float_at(const qz_st_tensor *t, size_t i) {
    uint16_t h = qz_load_u16le(t->data + 2 * i);
    return t->dtype == QZ_ST_BF16 ? qz_bf16_to_f32(h) : qz_f16_to_f32(h);
}

/* "gemv_fast" keeps −(s·z) instead of z. */
static qz_status read_fast(const qz_st *file, const awq_reading *j, qz_error *err) {
    for (size_t g = 0; g < j->groups; g++)
        for (size_t n = 0; n < j->rows; n++) {
            float s = float_at(j->s, g * j->rows + n), scaled = float_at(j->z, g * j->rows + n);
            size_t at = n * j->groups + g;
            j->scales[at] = qz_f32_to_f16(s);
            if (!qz_awq_scaled_zero(s, scaled, &j->zeros[at]) || qz_f16_to_f32(j->scales[at]) != s)
                return qz_fail(err, QZ_EUNSUPPORTED,
                               "no zero point fits: file '%s', tensor '%s', group %zu, output %zu: scale %g, scaled "
                               "zero %g",
                               file->path, j->z->name, g, n, (double)s, (double)scaled);
        }
    return QZ_OK;
}

static void read_marlin_scales(const awq_reading *j) {
    for (size_t g = 0; g < j->groups; g++)
        for (size_t n = 0; n < j->rows; n++)
            j->scales[n * j->groups + g] = qz_load_u16le(j->s->data +
                                                         2 * (g * j->rows + qz_awq_marlin_scale(n, j->groups == 1)));
    memset(j->zeros, 8, j->rows * j->groups);
}

/* Layout gemm: [K, N/8] words. */
static bool place(size_t rows, uint32_t bits, size_t row, size_t col, size_t *word, unsigned *shift) {
    static const uint8_t slot[8] = { 0, 4, 1, 5, 2, 6, 3, 7 };
    *word = col * (rows / 8) + row / 8;
    *shift = 4u * slot[row % 8];
    return bits == 4;
}

static qz_status add_linear(const qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    qz_model *m = r->m;
    const awq_config *c = r->options;
    char *module = qz_arena_strndup(&m->arena, t->name, strlen(t->name) - strlen(".qweight"));
    qz_int_group *g = qz_arena_calloc(&m->arena, 1, sizeof *g);
    if (!module || !g) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    awq_reading j = { .c = c, .w = t, .z = qz_folder_part(r->dir, module, "qzeros"),
                      .s = qz_folder_part(r->dir, module, "scales") };
    if (!j.z) j.z = qz_folder_part(r->dir, module, "scaled_zeros"); /* llm-awq's own files */
    QZ_TRY(shape_job(file, module, &j, err));
    j.codes = qz_arena_calloc(&m->arena, j.rows, j.cols / 2);
    j.zeros = qz_arena_alloc(&m->arena, j.rows, j.groups);
    j.scales = qz_arena_alloc(&m->arena, j.rows * j.groups, sizeof *j.scales);
    char *name = qz_arena_printf(&m->arena, "%s.weight", module);
    if (!j.codes || !j.zeros || !j.scales || !name)
        return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    qz_pool_run(r->run ? r->run->pool : NULL, 0, unpack, &j);
    if (c->layout == FAST) QZ_TRY(read_fast(file, &j, err));
    if (c->layout == MARLIN) read_marlin_scales(&j);
    qz_map_forget(t->data, (size_t)t->bytes);
    *g = (qz_int_group){ .base = { &qz_int_group_ops, j.rows, j.cols }, .place = c->layout == GEMM ? place : NULL,
                         .bits = 4, .group_size = (uint32_t)j.group, .sym = c->layout == MARLIN, .rows = j.rows,
                         .cols = j.cols, .groups = j.groups,
                         .codes = j.codes, .scales = j.scales, .zero_points = j.zeros };
    m->tensors[m->n_tensors++] = (qz_tensor_view){ .name = name, .file_name = t->name, .type = QZ_TYPE_CODED,
                                                   .rows = j.rows, .cols = j.cols,
                                                   .n_dims = 2,
                                                   .bytes = (size_t)(t->bytes + (j.z ? j.z->bytes : 0) + j.s->bytes),
                                                   .coded = &g->base,
                                                   .file = file->path, .offset = t->offset };
    return QZ_OK;
}

static qz_status add(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    static const char *const parts[] = { ".qzeros", ".scales", ".scaled_zeros" };
    if (qz_str_ends(t->name, ".qweight")) return add_linear(r, file, t, err);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (qz_str_ends(t->name, parts[i])) return qz_folder_add_part(r, file, t, parts[i], "qweight", err);
    return qz_model_add_tensor(r->m, file, t, err);
}

static qz_status fill(qz_run *run, qz_model *m, qz_error *err) {
    awq_config c;
    qz_folder_config f;
    qz_status st = qz_folder_config_load(m->path, &f, err);
    if (st == QZ_OK) st = read_quantization(f.q, f.file, &c, err);
    qz_folder_reader r = { .run = run, .m = m, .config = &f, .options = &c, .add = add };
    if (st == QZ_OK) st = qz_folder_read_into(&r, err);
    bool codes = false;
    for (size_t i = 0; st == QZ_OK && i < m->n_tensors; i++) codes |= m->tensors[i].coded != NULL;
    if (st == QZ_OK && !codes)
        st = qz_fail(err, QZ_EFORMAT, "no tensor has codes: folder '%s': file '%s' says AWQ, and every tensor is float",
                     m->path, f.file);
    qz_folder_config_release(&f);
    QZ_TRY(st);
    m->container = m->scheme = "awq";
    m->encoding = qz_arena_printf(&m->arena, "W4 g%ld %s", qz_group_written((uint32_t)c.group),
                                  c.layout == MARLIN ? "sym" : "asym");
    m->contract = "W4A16";
    m->config.dtype = QZ_TYPE_F16;
    return m->encoding ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
}

qz_status qz_awq_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    return qz_folder_read(run, path, fill, out, err);
}
