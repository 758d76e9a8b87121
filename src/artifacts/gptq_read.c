/* A GPTQ folder as a qz_model: linears are repacked into integer groups (codes along the row), the rest are views.
 * Reads files of AutoGPTQ, GPTQModel (v1, v2, planar) and of this program. Source: formats/hf-gptq.md
 * sections 4 and 6. */
#include "artifacts/gptq_int.h"
#include "artifacts/module_rules.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/json.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "model/leftovers.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { STRIP = 16 }; /* outputs unpacked together: one cache line of every row of words */
#define LIMIT ((uint64_t)1 << 31)

typedef struct {
    int64_t bits, group;           /* group -1: the whole row */
    int sym;                       /* -1: the file does not say */
} gptq_params;
typedef struct {
    gptq_params base;
    const char *file;              /* for texts */
    const json_t *dynamic;
    bool planar;
    qz_gptq_zeros zeros;
    int act_order;                 /* desc_act: 1, 0, -1 the file does not say */
    struct gptq_doubts *doubts;
} gptq_config;
/* What the data say against the flags, counted over modules. */
typedef struct gptq_doubts {
    size_t lost;                   /* v1 zero points whose meaning is lost */
    size_t zeros, zero_groups, ordered;
    unsigned zero_point;           /* first that a symmetric file should not have */
} gptq_doubts;

/* ---- configuration ---- */
static qz_status get_int(const json_t *q, const char *key, const char *file, int64_t *out, qz_error *err) {
    const json_t *v = json_object_get(q, key);
    if (!v || json_is_null(v)) return QZ_OK;
    if (!json_is_integer(v))
        return qz_fail(err, QZ_EFORMAT, "wrong kind: file '%s', key '%s': expected a whole number", file, key);
    *out = json_integer_value(v);
    return QZ_OK;
}
static qz_status get_sym(const json_t *q, const char *file, int *sym, qz_error *err) {
    bool yes = true;
    if (json_is_boolean(json_object_get(q, "zero_point"))) *sym = !json_is_true(json_object_get(q, "zero_point"));
    if (!json_object_get(q, "sym") || json_is_null(json_object_get(q, "sym"))) return QZ_OK;
    QZ_TRY(qz_json_bool(q, "sym", file, &yes, err));
    *sym = yes;
    return QZ_OK;
}
static qz_status get_params(const json_t *q, const char *file, gptq_params *p, qz_error *err) {
    static const char *const bits[] = { "wbits", "w_bit", "bits" }, *const groups[] = { "q_group_size", "group_size" };
    for (size_t i = 0; i < 3; i++) QZ_TRY(get_int(q, bits[i], file, &p->bits, err));
    for (size_t i = 0; i < 2; i++) QZ_TRY(get_int(q, groups[i], file, &p->group, err));
    QZ_TRY(get_sym(q, file, &p->sym, err));
    if (p->bits < 2 || p->bits > 8)
        return qz_fail(err, QZ_EUNSUPPORTED, "unsupported GPTQ bits: file '%s': expected 2 to 8, found %lld", file,
                       (long long)p->bits);
    if (p->group != -1 && (p->group < 1 || p->group > 1 << 24))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "unsupported GPTQ group size: file '%s': expected -1 or a positive number, found %lld", file,
                       (long long)p->group);
    return QZ_OK;
}

/* True if the maker is GPTQModel 0.9.0 or later: its v1 zero points are words minus a constant. */
static bool made_by_gptqmodel(const json_t *q) {
    const json_t *maker = json_object_get(json_object_get(q, "meta"), "quantizer");
    for (size_t i = 0; i < (json_is_array(maker) ? json_array_size(maker) : 1); i++) {
        const char *s = json_string_value(json_is_array(maker) ? json_array_get(maker, i) : maker);
        int major = 0, minor = 0;
        if (s && strncasecmp(s, "gptqmodel:", 10) == 0 && sscanf(s + 10, "%d.%d", &major, &minor) == 2 &&
            (major > 0 || minor >= 9))
            return true;
    }
    return false;
}

static qz_status read_quantization(const qz_folder_config *f, gptq_config *c, qz_error *err) {
    const char *format = "gptq";
    bool marlin = false, desc_act = false;
    c->base = (gptq_params){ .bits = 4, .group = 128, .sym = -1 };
    c->file = f->file;
    QZ_TRY(get_params(f->q, f->file, &c->base, err));
    QZ_TRY(qz_json_str(f->q, "version", f->file, &format, err));
    QZ_TRY(qz_json_str(f->q, "format", f->file, &format, err));
    QZ_TRY(qz_json_str(f->q, "checkpoint_format", f->file, &format, err));
    QZ_TRY(qz_json_bool(f->q, "is_marlin_format", f->file, &marlin, err));
    QZ_TRY(qz_json_bool(f->q, "desc_act", f->file, &desc_act, err));
    c->act_order = json_is_boolean(json_object_get(f->q, "desc_act")) ? desc_act : -1;
    bool v1 = strcasecmp(format, "gptq") == 0, v2 = strcasecmp(format, "gptq_v2") == 0;
    c->planar = strcasecmp(format, "gptq_p") == 0;
    if (marlin || !(v1 || v2 || c->planar))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "unsupported GPTQ layout '%s': file '%s': expected gptq, gptq_v2 or gptq_p; this one is "
                       "permuted for one kernel",
                       marlin ? "marlin" : format, f->file);
    c->zeros = v1 ? made_by_gptqmodel(f->q) ? QZ_GPTQ_V1_WORDS : QZ_GPTQ_V1_FIELDS : QZ_GPTQ_V2;
    c->dynamic = json_object_get(f->q, "dynamic");
    return QZ_OK;
}

/* First rule that matches wins; "-:" would mean a float module, so its codes are a contradiction. */
static qz_status params_of(const gptq_config *c, const char *module, gptq_params *p, qz_error *err) {
    const char *key;
    json_t *v;
    char where[560];
    (void)snprintf(where, sizeof where, "file '%.540s'", c->file);
    *p = c->base;
    if (!json_is_object(c->dynamic)) return QZ_OK;
    json_object_foreach((json_t *)(uintptr_t)c->dynamic, key, v) {
        bool minus = strncmp(key, "-:", 2) == 0, yes = false;
        QZ_TRY(qz_module_match(minus || strncmp(key, "+:", 2) == 0 ? key + 2 : key, module, where, &yes, err));
        if (!yes) continue;
        if (minus)
            return qz_fail(err, QZ_EFORMAT,
                           "module '%s' has codes, but key 'dynamic' of file '%s' leaves it float ('%.100s')", module,
                           c->file, key);
        return json_is_object(v) ? get_params(v, c->file, p, err) : QZ_OK;
    }
    return QZ_OK;
}

/* ---- one linear ---- */
typedef struct {
    const qz_st_tensor *w, *z, *s, *g;
    uint32_t bits;
    bool planar;
    size_t rows, cols, groups, row_bytes;
    uint8_t *strips;     /* [threads][STRIP][cols] */
    uint8_t *codes;
} gptq_reading;

static void unpack(void *arg, qz_part part) {
    const gptq_reading *j = arg;
    size_t lo, hi;
    qz_split(j->rows, STRIP, part, &lo, &hi);
    uint8_t *strip = j->strips + part.thread * STRIP * j->cols;
    for (size_t r = lo; r < hi; r += STRIP) {
        size_t m = qz_min_size(STRIP, hi - r);
        for (size_t k = 0; k < m; k++)
            qz_gptq_unpack_stream(j->w->data + 4 * (r + k), j->cols, j->bits, j->rows, j->planar, strip + k * j->cols);
        for (size_t k = 0; k < m; k++)
            qz_int_pack_row(strip + k * j->cols, j->cols, j->bits, j->codes + (r + k) * j->row_bytes);
    }
}

static qz_status wrong_shape(const qz_st *file, const char *module, const gptq_reading *j, const gptq_params *p,
                             qz_error *err) {
    const qz_st_tensor *const parts[] = { j->w, j->z, j->s, j->g };
    char expected[160];
    size_t n = (size_t)snprintf(expected, sizeof expected, "%u bits in groups of %lld", j->bits, (long long)p->group);
    if (j->w->n_dims == 2 && j->w->dims[0] < LIMIT && j->w->dims[1] < LIMIT) {
        const uint64_t rows = j->w->dims[1], cols = j->w->dims[0] * 32 / j->bits,
                       group = qz_group_columns(qz_group_read((long)p->group), cols),
                       groups = group ? (cols + group - 1) / group : 0;
        (void)snprintf(expected + n, sizeof expected - n, " (qzeros [%llu, %llu], scales [%llu, %llu], g_idx [%llu])",
                       (unsigned long long)groups, (unsigned long long)(rows * j->bits / 32),
                       (unsigned long long)groups, (unsigned long long)rows, (unsigned long long)cols);
    }
    return qz_folder_misfit(file, module, expected, parts, 4, err);
}

static qz_status shape_job(const qz_st *file, const char *module, const gptq_params *p, gptq_reading *j,
                           qz_error *err) {
    QZ_TRY(qz_folder_typed(file, module, "qweight", j->w, QZ_ST_I32, QZ_ST_I32, err));
    QZ_TRY(qz_folder_typed(file, module, "qzeros", j->z, QZ_ST_I32, QZ_ST_I32, err));
    if (!j->s || j->s->dtype != QZ_ST_F32)
        QZ_TRY(qz_folder_typed(file, module, "scales", j->s, QZ_ST_F16, QZ_ST_BF16, err));
    if (j->g) QZ_TRY(qz_folder_typed(file, module, "g_idx", j->g, QZ_ST_I32, QZ_ST_I32, err));
    if (j->w->dtype != QZ_ST_I32 || j->w->n_dims != 2 || !j->w->dims[0] || !j->w->dims[1] || j->w->dims[0] > LIMIT ||
        j->w->dims[1] > LIMIT)
        return wrong_shape(file, module, j, p, err);
    uint64_t bits = j->bits, n = j->w->dims[1], words = j->w->dims[0], k = words * 32 / bits;
    bool whole = k < LIMIT && words * 32 % bits == 0 && n * bits % 32 == 0 && (!j->planar || k % 32 == 0);
    uint64_t group = qz_group_columns(qz_group_read((long)p->group), k), groups = (k + group - 1) / group;
    bool scales = j->s && j->s->n_dims == 2 && j->s->dims[0] == groups && j->s->dims[1] == n;
    if (!whole || !scales || !qz_folder_shaped(j->z, QZ_ST_I32, 2, groups, n * bits / 32) ||
        (j->g && !qz_folder_shaped(j->g, QZ_ST_I32, 1, k, 0)))
        return wrong_shape(file, module, j, p, err);
    j->rows = (size_t)n;
    j->cols = (size_t)k;
    j->groups = (size_t)groups;
    j->row_bytes = qz_int_group_row_bytes(j->bits, j->cols);
    return QZ_OK;
}

/* Scales [groups, rows] of the file as float16 [rows, groups]; wider ones only if nothing is lost. */
static qz_status read_scales(const qz_st *file, const gptq_reading *j, uint16_t *out, qz_error *err) {
    for (size_t g = 0; g < j->groups; g++)
        for (size_t n = 0; n < j->rows; n++) {
            size_t i = g * j->rows + n;
            uint16_t half = 0;
            if (j->s->dtype == QZ_ST_F16) half = qz_load_u16le(j->s->data + 2 * i);
            else {
                uint32_t u = j->s->dtype == QZ_ST_BF16 ? (uint32_t)qz_load_u16le(j->s->data + 2 * i) << 16
                                                       : qz_load_u32le(j->s->data + 4 * i);
                float x;
                memcpy(&x, &u, 4);
                half = qz_f32_to_f16(x);
                if (qz_f16_to_f32(half) != x)
                    return qz_fail(err, QZ_EUNSUPPORTED,
                                   "scale is no float16: file '%s', tensor '%s', group %zu, output %zu: found %g",
                                   file->path, j->s->name, g, n, (double)x);
            }
            out[n * j->groups + g] = half;
        }
    return QZ_OK;
}

static qz_status read_zeros(const gptq_config *c, const gptq_params *p, const gptq_reading *j, uint8_t *out, bool *sym,
                            qz_error *err) {
    uint8_t half = (uint8_t)(1u << (j->bits - 1));
    size_t odd = 0, lost = 0;
    uint8_t *row = qz_alloc_array(j->rows, 1);
    if (!row) return qz_fail(err, QZ_EMEMORY, "out of memory for %zu zero points", j->rows);
    qz_gptq_zeros kind = c->zeros == QZ_GPTQ_V1_WORDS && 32 % j->bits ? QZ_GPTQ_V1_FIELDS : c->zeros;
    if (j->planar) kind = QZ_GPTQ_V2;
    for (size_t g = 0; g < j->groups; g++) {
        qz_gptq_unpack_zeros(j->z->data + g * (j->rows * j->bits / 32) * 4, j->rows, j->bits, j->planar, kind, row,
                             &lost);
        for (size_t n = 0; n < j->rows; n++) {
            out[n * j->groups + g] = row[n];
            if (row[n] != half && odd++ == 0 && p->sym == 1 && c->doubts->zeros++ == 0) c->doubts->zero_point = row[n];
        }
    }
    qz_free(row);
    *sym = p->sym == 1;
    /* whatever the file holds: most loaders of symmetric files do not read it; a doubt if it is another value */
    if (*sym) {
        memset(out, half, j->rows * j->groups);
        return QZ_OK;
    }
    *sym = p->sym < 0 && odd == 0; /* files without the key: the zero points say it */
    if (!*sym) c->doubts->lost += lost;
    return QZ_OK;
}

/* g_idx, or NULL where it says nothing new. One that puts every column into group 0 of several was never filled:
 * engines take it as absent (ExLlama, and vLLM where desc_act is false), and so do we. */
static qz_status read_g_idx(const qz_st *file, const gptq_config *c, gptq_reading *j, size_t group, qz_arena *arena,
                            const uint32_t **out, qz_error *err) {
    bool trivial = j->cols % group == 0; /* a short last group needs the list */
    bool unfilled = j->g && j->groups > 1;
    for (size_t k = 0; k < j->cols && unfilled; k++) unfilled = qz_load_u32le(j->g->data + 4 * k) == 0;
    if (unfilled) {
        c->doubts->zero_groups++;
        j->g = NULL;
    }
    bool ordered = false;
    uint32_t *g = qz_arena_alloc(arena, j->cols, sizeof *g);
    if (!g) return qz_fail(err, QZ_EMEMORY, "out of memory for g_idx of '%s'", j->w->name);
    for (size_t k = 0; k < j->cols; k++) {
        g[k] = j->g ? qz_load_u32le(j->g->data + 4 * k) : (uint32_t)(k / group);
        if (g[k] >= j->groups)
            return qz_fail(err, QZ_EFORMAT,
                           "group out of range: file '%s', tensor '%s', element %zu: expected below %zu, found %d",
                           file->path, j->g->name, k, j->groups, (int)g[k]);
        trivial &= g[k] == k / group;
        if (g[k] != k / group && c->act_order == 0) ordered = true;
    }
    c->doubts->ordered += ordered;
    *out = trivial ? NULL : g;
    return QZ_OK;
}

/* [K*bits/32, N] words. */
static bool place(size_t rows, uint32_t bits, size_t row, size_t col, size_t *word, unsigned *shift) {
    *word = col * bits / 32 * rows + row;
    *shift = (unsigned)(col * bits % 32);
    return 32 % bits == 0;
}

static qz_status add_linear(const qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    qz_model *m = r->m;
    const gptq_config *c = r->options;
    gptq_params p;
    char *module = qz_arena_strndup(&m->arena, t->name, strlen(t->name) - strlen(".qweight"));
    qz_int_group *g = qz_arena_calloc(&m->arena, 1, sizeof *g);
    char *name = module ? qz_arena_printf(&m->arena, "%s.weight", module) : NULL;
    if (!name || !g) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    QZ_TRY(params_of(c, module, &p, err));
    gptq_reading j = { .w = t, .z = qz_folder_part(r->dir, module, "qzeros"),
                       .s = qz_folder_part(r->dir, module, "scales"),
                       .g = qz_folder_part(r->dir, module, "g_idx"), .bits = (uint32_t)p.bits };
    j.planar = (c->planar && p.bits == 3) || p.bits == 5 || p.bits == 6 || p.bits == 7;
    QZ_TRY(shape_job(file, module, &p, &j, err));
    size_t threads = r->run ? qz_pool_size(r->run->pool) : 1, n_strips = 0;
    uint16_t *scales = qz_arena_alloc(&m->arena, j.rows * j.groups, sizeof *scales);
    uint8_t *zeros = qz_arena_alloc(&m->arena, j.rows, j.groups);
    j.codes = qz_arena_alloc(&m->arena, j.rows, j.row_bytes);
    j.strips = qz_mul_size(threads * STRIP, j.cols, &n_strips) ? qz_alloc_array(n_strips, 1) : NULL;
    qz_status st = scales && zeros && j.codes && j.strips
                       ? QZ_OK
                       : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    if (st == QZ_OK) qz_pool_run(r->run ? r->run->pool : NULL, 0, unpack, &j);
    qz_free(j.strips);
    QZ_TRY(st);
    size_t group = qz_group_columns(qz_group_read((long)p.group), j.cols);
    *g = (qz_int_group){ .base = { &qz_int_group_ops, j.rows, j.cols }, .place = place, .bits = j.bits,
                         .group_size = (uint32_t)group, .rows = j.rows, .cols = j.cols, .groups = j.groups,
                         .codes = j.codes,
                         .scales = scales, .zero_points = zeros };
    QZ_TRY(read_scales(file, &j, scales, err));
    QZ_TRY(read_zeros(c, &p, &j, zeros, &g->sym, err));
    const size_t g_bytes = j.g ? (size_t)j.g->bytes : 0;
    QZ_TRY(read_g_idx(file, c, &j, group, &m->arena, &g->g_idx, err));
    qz_map_forget(t->data, (size_t)t->bytes);
    m->tensors[m->n_tensors++] = (qz_tensor_view){ .name = name, .file_name = t->name, .type = QZ_TYPE_CODED,
                                                   .rows = j.rows, .cols = j.cols,
                                                   .n_dims = 2,
                                                   .bytes = (size_t)(t->bytes + j.z->bytes + j.s->bytes) + g_bytes,
                                                   .coded = &g->base, .file = file->path, .offset = t->offset };
    return QZ_OK;
}

static qz_status add(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    static const char *const parts[] = { ".qzeros", ".scales", ".g_idx" };
    if (qz_str_ends(t->name, ".qweight")) return add_linear(r, file, t, err);
    for (size_t i = 0; i < 3; i++)
        if (qz_str_ends(t->name, parts[i])) return qz_folder_add_part(r, file, t, parts[i], "qweight", err);
    return qz_model_add_tensor(r->m, file, t, err);
}

/* Linears that do not have the setting of `g`, in words; bits: fewest and most of all linears. */
static void count_others(const qz_model *m, const qz_int_group *g, char others[48], uint32_t bits[2]) {
    size_t n = 0, all = 0;
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t k = 0; k < QZ_LINEARS; k++) {
            if (m->blocks[l].linear[k] == NULL) continue;
            const qz_int_group *x = qz_int_group_of(m->blocks[l].linear[k]->coded);
            const uint32_t b = x ? x->bits : 16;
            bool whole = x && g->group_size == g->cols && x->group_size == x->cols;
            bits[0] = b < bits[0] ? b : bits[0];
            bits[1] = b > bits[1] ? b : bits[1];
            n += !x || x->bits != g->bits || x->sym != g->sym || (x->group_size != g->group_size && !whole);
            all++;
        }
    others[0] = 0;
    if (n) (void)snprintf(others, 48, ", %zu of %zu linears otherwise", n, all);
}

static qz_status describe(qz_model *m, const gptq_config *c, qz_error *err) {
    const qz_int_group *g = NULL, *first = NULL;
    bool act_order = false;
    for (size_t i = 0; i < m->n_tensors; i++) {
        const qz_int_group *x = qz_int_group_of(m->tensors[i].coded);
        if (!x) continue;
        if (!first) first = x;
        if (!g && x->bits == c->base.bits &&
            x->group_size == qz_group_columns(qz_group_read((long)c->base.group), x->cols))
            g = x;
        act_order |= x->g_idx != NULL;
    }
    if (!g) g = first;
    const char *version = c->planar ? "planar" : c->zeros == QZ_GPTQ_V2 ? "v2" : "v1";
    if (!g) return qz_fail(err, QZ_EFORMAT, "no tensor has codes: folder '%s': file '%s' says GPTQ", m->path, c->file);
    char size[24] = "-1", others[48];
    uint32_t bits[2] = { g->bits, g->bits };
    count_others(m, g, others, bits);
    if (g->group_size != g->cols || c->base.group > 0) snprintf(size, sizeof size, "%u", g->group_size);
    m->scheme = "gptq";
    m->container = qz_arena_printf(&m->arena, "gptq %s", version);
    m->encoding = qz_arena_printf(&m->arena, "W%u g%s %s%s%s", g->bits, size, g->sym ? "sym" : "asym",
                                  act_order ? " act_order" : "", others);
    m->contract = bits[0] == bits[1] ? qz_arena_printf(&m->arena, "W%uA16", bits[0])
                                     : qz_arena_printf(&m->arena, "W%u-%uA16", bits[0], bits[1]);
    m->config.dtype = QZ_TYPE_F16;
    return m->container && m->encoding && m->contract ? QZ_OK
                                                      : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
}

static qz_status say_doubts(qz_run *run, qz_model *m, const gptq_config *c, qz_error *err) {
    const gptq_doubts *d = c->doubts;
    const int half = 1 << (c->base.bits - 1);
    const bool v2 = c->zeros == QZ_GPTQ_V2;
    if (d->lost && run)
        qz_warn(run,
                "%s: %zu zero points of this v1 file may have lost their value (stored as %d); makers disagree about "
                "them",
                m->path, d->lost, (1 << c->base.bits) - 1);
    if (d->zeros)
        QZ_TRY(qz_model_doubt(run, m, err,
                              "%zu modules: symmetric codes need zero point %d, and the stored qzeros read as format "
                              "%s give %u%s: taken as %d here, engines that read them "
                              "(vLLM's exllama kernel) compute other weights",
                              d->zeros, half,
                              c->planar ? "gptq_p"
                              : v2      ? "gptq_v2"
                                        : "gptq",
                              d->zero_point,
                              d->zero_point == (unsigned)(v2 ? half - 1 : half + 1)
                                  ? v2 ? ", as a file of format gptq would hold"
                                       : ", as a file of format gptq_v2 would hold"
                                  : "",
                              half));
    if (d->zero_groups)
        QZ_TRY(qz_model_doubt(run, m, err,
                              "%zu modules: g_idx is all zeros over several groups%s: taken as absent (columns in "
                              "order) as vLLM and ExLlama do; AutoGPTQ would obey it",
                              d->zero_groups,
                              c->act_order == 0   ? " with desc_act false"
                              : c->act_order == 1 ? " with desc_act true"
                                                  : ""));
    if (d->ordered)
        QZ_TRY(qz_model_doubt(run, m, err,
                              "%zu modules: g_idx puts columns out of order, and desc_act is false: g_idx is obeyed "
                              "here, vLLM ignores it and computes other weights",
                              d->ordered));
    return QZ_OK;
}

static qz_status fill(qz_run *run, qz_model *m, qz_error *err) {
    gptq_doubts doubts = {0};
    gptq_config c = { .doubts = &doubts };
    qz_folder_config f;
    qz_status st = qz_folder_config_load(m->path, &f, err);
    if (st == QZ_OK) st = read_quantization(&f, &c, err);
    qz_folder_reader r = { .run = run, .m = m, .config = &f, .options = &c, .add = add };
    if (st == QZ_OK) st = qz_folder_read_into(&r, err);
    if (st == QZ_OK) st = describe(m, &c, err);
    if (st == QZ_OK) st = say_doubts(run, m, &c, err);
    qz_folder_config_release(&f);
    return st;
}

qz_status qz_gptq_detect(const char *path, bool *yes, qz_error *err) {
    return qz_folder_detect(path, "gptq", yes, err);
}
qz_status qz_gptq_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    return qz_folder_read(run, path, fill, out, err);
}
