/* A bitsandbytes folder as a qz_model: codes are views into the file, scales are decoded. Reads NF4 and FP4 with and
 * without nested scales in any storage type, and LLM.int8 rows. Source: formats/hf-bitsandbytes.md sections 5 and 6. */
#include "artifacts/bnb_int.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LIMIT ((uint64_t)1 << 31)
static const char state_mark[] = ".quant_state.bitsandbytes__";

typedef struct {
    bool nf4, nested;
    uint64_t block, rows, cols, nested_block;
    qz_type dtype;
    double offset;
} state;

/* ---- the quant_state ---- */
static qz_status bad_state(const qz_st *file, const qz_st_tensor *t, const char *what, qz_error *err) {
    return qz_fail(err, QZ_EFORMAT, "bad quant_state: file '%s', tensor '%s': %s", file->path, t->name, what);
}

static qz_type dtype_of(const char *name) {
    if (name && strcmp(name, "float16") == 0) return QZ_TYPE_F16;
    if (name && strcmp(name, "bfloat16") == 0) return QZ_TYPE_BF16;
    return name && strcmp(name, "float32") == 0 ? QZ_TYPE_F32 : QZ_TYPE_NONE;
}

static qz_status fill_state(const json_t *o, const qz_st *file, const qz_st_tensor *t, state *s, qz_error *err) {
    const char *type = NULL, *dtype = NULL;
    const json_t *shape = json_object_get(o, "shape"), *r = json_array_get(shape, 0), *c = json_array_get(shape, 1);
    *s = (state){ .block = 0, .nested_block = 0 };
    QZ_TRY(qz_json_str(o, "quant_type", t->name, &type, err));
    QZ_TRY(qz_json_str(o, "dtype", t->name, &dtype, err));
    QZ_TRY(qz_json_u64(o, "blocksize", t->name, &s->block, err));
    QZ_TRY(qz_json_u64(o, "nested_blocksize", t->name, &s->nested_block, err));
    QZ_TRY(qz_json_f64(o, "nested_offset", t->name, &s->offset, err));
    s->nested = s->nested_block > 0;
    s->dtype = dtype_of(dtype);
    s->nf4 = type && strcmp(type, "nf4") == 0;
    if (!type || (!s->nf4 && strcmp(type, "fp4"))) return bad_state(file, t, "expected quant_type nf4 or fp4", err);
    if (s->dtype == QZ_TYPE_NONE) return bad_state(file, t, "expected dtype float16, bfloat16 or float32", err);
    if (s->block < 32 || s->block > 4096 || (s->block & (s->block - 1)))
        return bad_state(file, t, "expected a blocksize of 32, 64, … 4096", err);
    if (s->nested && (s->nested_block < 32 || s->nested_block > 4096 || !isfinite((float)s->offset)))
        return bad_state(file, t, "expected a nested_blocksize of 32 to 4096 and a finite nested_offset", err);
    if (json_array_size(shape) != 2 || !json_is_integer(r) || !json_is_integer(c) || json_integer_value(r) < 1 ||
        json_integer_value(c) < 1 || (uint64_t)json_integer_value(r) > LIMIT || (uint64_t)json_integer_value(c) > LIMIT)
        return bad_state(file, t, "expected a shape of two positive numbers", err);
    s->rows = (uint64_t)json_integer_value(r);
    s->cols = (uint64_t)json_integer_value(c);
    return QZ_OK;
}

static qz_status read_state(const qz_st *file, const qz_st_tensor *t, state *s, qz_error *err) {
    json_t *o = NULL;
    if (t->dtype != QZ_ST_U8 || t->bytes > 4096) return bad_state(file, t, "expected up to 4096 bytes of JSON", err);
    QZ_TRY(qz_json_parse((const char *)t->data, (size_t)t->bytes, t->name, &o, err));
    qz_status st = fill_state(o, file, t, s, err);
    json_decref(o);
    return st;
}

/* ---- one 4-bit linear ---- */
/* expected: "16 F32 values". */
static qz_status wrong_part(const qz_st *file, const char *weight, const char *part, uint64_t n, const char *unit,
                            const qz_st_tensor *t, qz_error *err) {
    char found[80];
    if (!t) {
        /* SCB stands beside "weight", not under it */
        const bool itself = strchr(part, ' ') != NULL, beside = strcmp(part, "SCB") == 0;
        const int n_name = (int)(strlen(weight) - (beside ? strlen(".weight") : 0));
        return qz_fail(err, QZ_EFORMAT, "tensor '%.*s%s%s' is missing: file '%s'; the checkpoint is incomplete", n_name,
                       weight, itself ? "" : ".", itself ? "" : part, file->path);
    }
    (void)snprintf(found, sizeof found, "%llu %s values in %llu bytes", (unsigned long long)t->elems,
                   qz_st_dtype_name(t->dtype), (unsigned long long)t->bytes);
    return qz_fail(err, QZ_EFORMAT,
                   "wrong shape: file '%s', tensor '%s', offset %llu: expected %s of %llu %s, found %s; the checkpoint "
                   "is incomplete or its quant_state is another's",
                   file->path, weight, (unsigned long long)t->offset, part, (unsigned long long)n, unit, found);
}

/* A tensor beside a weight. */
typedef struct { const qz_st *file; const char *weight, *part; const qz_st_tensor *t; } part_of;
/* Its n floats, aligned and finite. */
static qz_status floats(const part_of *p, uint64_t n, qz_arena *arena, float **out, qz_error *err) {
    const qz_st *file = p->file;
    const qz_st_tensor *t = p->t;
    if (!t || t->dtype != QZ_ST_F32 || t->elems != n)
        return wrong_part(file, p->weight, p->part, n, "F32 values", t, err);
    float *x = qz_arena_alloc(arena, (size_t)n, sizeof *x);
    if (!x) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", file->path);
    memcpy(x, t->data, (size_t)t->bytes);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return qz_fail(err, QZ_EFORMAT, "non-finite scale: file '%s', tensor '%s', element %zu: found %f",
                           file->path, t->name, i, (double)x[i]);
    *out = x;
    return QZ_OK;
}

static qz_status read_absmax(const qz_folder_reader *r, const qz_st *file, const char *weight, const state *s,
                             uint64_t n, qz_bnb *b, qz_error *err) {
    qz_arena *arena = &r->m->arena;
    const qz_st_tensor *t = qz_folder_part(r->dir, weight, "absmax");
    float *absmax = NULL, *outer = NULL, *map = NULL;
    uint64_t blocks = s->nested ? (n + s->nested_block - 1) / s->nested_block : 0;
    if (!s->nested) QZ_TRY(floats(&(part_of){file, weight, "absmax", t}, n, arena, &absmax, err));
    else {
        if (!t || t->dtype != QZ_ST_U8 || t->elems != n)
            return wrong_part(file, weight, "absmax", n, "U8 values", t, err);
        part_of p = {file, weight, "nested_absmax", qz_folder_part(r->dir, weight, "nested_absmax")};
        QZ_TRY(floats(&p, blocks, arena, &outer, err));
        p = (part_of){file, weight, "nested_quant_map", qz_folder_part(r->dir, weight, "nested_quant_map")};
        QZ_TRY(floats(&p, 256, arena, &map, err));
        absmax = qz_arena_alloc(arena, (size_t)n, sizeof *absmax);
        if (!absmax) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", file->path);
        qz_bnb_decode_nested(t->data, (size_t)n, map, outer, (size_t)s->nested_block, (float)s->offset, absmax);
        b->absmax_codes = t->data;
        b->nested_absmax = outer;
        b->nested_offset = (float)s->offset;
    }
    b->absmax = absmax;
    return QZ_OK;
}

static qz_status add_view(qz_model *m, const qz_st *file, const qz_st_tensor *t, const char *name, qz_bnb *b,
                          size_t bytes) {
    b->base = (qz_coded){ &qz_bnb_ops, b->rows, b->cols };
    m->tensors[m->n_tensors++] = (qz_tensor_view){ .name = name, .file_name = t->name, .type = QZ_TYPE_CODED,
                                                   .rows = b->rows, .cols = b->cols, .n_dims = 2,
                                                   .bytes = bytes, .coded = &b->base, .file = file->path,
                                                   .offset = t->offset };
    return QZ_OK;
}

static qz_status add_four_bits(const qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    static const char *const names[] = { "absmax", "quant_map", "nested_absmax", "nested_quant_map" };
    qz_model *m = r->m;
    state s;
    const qz_st *home = NULL;
    float *table = NULL;
    QZ_TRY(read_state(file, t, &s, err));
    char *weight = qz_arena_strndup(&m->arena, t->name, (size_t)(strstr(t->name, state_mark) - t->name));
    qz_bnb *b = qz_arena_calloc(&m->arena, 1, sizeof *b);
    if (!weight || !b) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    uint64_t elems = s.rows * s.cols, n = (elems + s.block - 1) / s.block; /* both below 2^31 each: no overflow */
    const qz_st_tensor *w = qz_st_dir_find(r->dir, weight, &home);
    if (!w || w->bytes != elems / 2 + elems % 2)
        return wrong_part(file, weight, "a packed weight", elems / 2 + elems % 2, "bytes", w, err);
    const part_of map = {file, weight, "quant_map", qz_folder_part(r->dir, weight, "quant_map")};
    QZ_TRY(floats(&map, 16, &m->arena, &table, err));
    *b = (qz_bnb){ .kind = s.nf4 ? QZ_BNB_NF4 : QZ_BNB_FP4, .rows = (size_t)s.rows, .cols = (size_t)s.cols,
                   .block = (size_t)s.block, .n_absmax = (size_t)n,
                   .codes = w->data, .table = table, .dtype = s.dtype };
    QZ_TRY(read_absmax(r, file, weight, &s, n, b, err));
    size_t bytes = (size_t)(w->bytes + t->bytes);
    for (size_t i = 0; i < 4; i++) {
        const qz_st_tensor *p = qz_folder_part(r->dir, weight, names[i]);
        bytes += p ? (size_t)p->bytes : 0;
    }
    return add_view(m, home, w, weight, b, bytes);
}

/* ---- one int8 linear ---- */
static qz_status add_int8(const qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    qz_model *m = r->m;
    char *module = qz_arena_strndup(&m->arena, t->name, strlen(t->name) - strlen(".weight"));
    qz_bnb *b = qz_arena_calloc(&m->arena, 1, sizeof *b);
    float *scb = NULL;
    if (!module || !b) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    const qz_st_tensor *s = qz_folder_part(r->dir, module, "SCB"), *f = qz_folder_part(r->dir, module, "weight_format");
    if (t->n_dims != 2 || !t->dims[0] || !t->dims[1] || t->dims[0] > LIMIT || t->dims[1] > LIMIT)
        return wrong_part(file, t->name, "an int8 weight in two dimensions", t->elems, "values", t, err);
    if (f && (f->dtype != QZ_ST_U8 || f->elems != 1 || f->data[0] != 0))
        return qz_fail(err, QZ_EUNSUPPORTED, "unsupported order: file '%s', tensor '%s': expected rows (0), found %d",
                       file->path, f->name, f->elems ? f->data[0] : -1);
    QZ_TRY(floats(&(part_of){file, t->name, "SCB", s}, t->dims[0], &m->arena, &scb, err));
    *b = (qz_bnb){ .kind = QZ_BNB_INT8, .rows = (size_t)t->dims[0], .cols = (size_t)t->dims[1],
                   .block = (size_t)t->dims[1], .n_absmax = (size_t)t->dims[0],
                   .codes = t->data, .absmax = scb, .dtype = QZ_TYPE_F32 };
    return add_view(m, file, t, t->name, b, (size_t)(t->bytes + s->bytes + (f ? f->bytes : 0)));
}

static qz_status add(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    static const char *const parts[] = { ".weight.absmax", ".weight.quant_map", ".weight.nested_absmax",
                                         ".weight.nested_quant_map", ".SCB", ".weight_format" };
    if (strstr(t->name, state_mark)) return add_four_bits(r, file, t, err);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (qz_str_ends(t->name, parts[i])) return qz_folder_add_part(r, file, t, parts[i], "weight", err);
    if (qz_str_ends(t->name, ".weight")) {
        if (qz_folder_part(r->dir, t->name, "quant_state.bitsandbytes__nf4") ||
            qz_folder_part(r->dir, t->name, "quant_state.bitsandbytes__fp4"))
            return QZ_OK;
        if (t->dtype == QZ_ST_I8) return add_int8(r, file, t, err);
        if (t->dtype == QZ_ST_U8)
            return qz_fail(err, QZ_EFORMAT,
                           "no quant_state: file '%s', tensor '%s': the packed weight cannot be read without it; the "
                           "checkpoint is incomplete",
                           file->path, t->name);
    }
    return qz_model_add_tensor(r->m, file, t, err);
}

/* The settings name one kind of codes; the first tensor's must be it. Keys that are absent say nothing. */
static qz_status check_kind(const qz_folder_config *f, const qz_tensor_view *t, const qz_bnb *b, qz_error *err) {
    const char *type = json_string_value(json_object_get(f->q, "bnb_4bit_quant_type"));
    const bool four = b->kind != QZ_BNB_INT8;
    const struct { const char *key; bool wrong; const char *expected, *found;
    } checks[] = {
        { "load_in_8bit", four && json_is_true(json_object_get(f->q, "load_in_8bit")), "int8 codes", "4-bit codes" },
        { "load_in_4bit", !four && json_is_true(json_object_get(f->q, "load_in_4bit")), "4-bit codes", "int8 codes" },
        { "bnb_4bit_quant_type", four && type && strcmp(type, b->kind == QZ_BNB_NF4 ? "nf4" : "fp4") != 0, type,
          b->kind == QZ_BNB_NF4 ? "nf4" : "fp4" },
        { "bnb_4bit_use_double_quant",
          four && json_is_true(json_object_get(f->q, "bnb_4bit_use_double_quant")) && !b->absmax_codes,
          "nested scales", "plain scales" },
        { "bnb_4bit_use_double_quant",
          four && json_is_false(json_object_get(f->q, "bnb_4bit_use_double_quant")) && b->absmax_codes,
          "plain scales", "nested scales" }
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (checks[i].wrong)
            return qz_fail(err, QZ_EFORMAT,
                           "settings against the data: file '%s', tensor '%s', offset %llu: key "
                           "'quantization_config.%s' of '%s': expected %s, found %s; correct the settings",
                           t->file, t->file_name, (unsigned long long)t->offset, checks[i].key, f->file,
                           checks[i].expected, checks[i].found);
    return QZ_OK;
}

static qz_status fill(qz_run *run, qz_model *m, qz_error *err) {
    qz_folder_config f;
    QZ_TRY(qz_folder_config_load(m->path, &f, err));
    qz_folder_reader r = { .run = run, .m = m, .config = &f, .add = add };
    qz_status st = qz_folder_read_into(&r, err);
    const qz_bnb *b = NULL;
    for (size_t i = 0; i < m->n_tensors && !b && st == QZ_OK; i++) {
        b = qz_bnb_of(m->tensors[i].coded);
        if (b) st = check_kind(&f, &m->tensors[i], b, err);
    }
    qz_folder_config_release(&f);
    QZ_TRY(st);
    if (!b)
        return qz_fail(err, QZ_EFORMAT,
                       "no tensor has codes: folder '%s', key 'quantization_config': expected bitsandbytes codes, "
                       "found floats; delete 'quantization_config' from config.json if the weights are meant to be "
                       "16-bit", m->path);
    m->scheme = "bnb";
    m->container = "bitsandbytes";
    m->encoding = b->kind == QZ_BNB_INT8  ? "INT8 rows"
                  : b->absmax_codes       ? (b->kind == QZ_BNB_NF4 ? "NF4 double" : "FP4 double")
                  : b->kind == QZ_BNB_NF4 ? "NF4"
                                          : "FP4";
    m->contract = b->kind == QZ_BNB_INT8 ? "W8A16" : "W4A16";
    return QZ_OK;
}

qz_status qz_bnb_detect(const char *path, bool *yes, qz_error *err) {
    qz_folder_config c;
    QZ_TRY(qz_folder_detect(path, "bitsandbytes", yes, err));
    if (!*yes) return QZ_OK;
    QZ_TRY(qz_folder_config_load(path, &c, err));
    if (qz_folder_bnb_off(c.q)) *yes = qz_folder_holds_codes(path); /* else a plain checkpoint (open.c) */
    qz_folder_config_release(&c);
    return QZ_OK;
}
qz_status qz_bnb_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    return qz_folder_read(run, path, fill, out, err);
}
