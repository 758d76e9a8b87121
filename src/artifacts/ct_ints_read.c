/* Reading of the integer formats of compressed-tensors: codes become groups along the row (int_group.h). Files of older
 * releases too: words of 32/bits codes with a gap behind them (3, 5, 6, 7 bits), weight_g_idx of activation order,
 * zero points of nothing beside symmetric codes. Source: formats/hf-compressed-tensors.md sections 2 to 4, 6. */
#include "artifacts/ct_ints.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LIMIT ((uint64_t)1 << 31)

typedef struct {
    qz_folder_reader *r;
    const qz_ct_setting *s;
    const qz_st *file;
    const char *module;
    const qz_st_tensor *w, *scale, *zero, *g_idx;
    uint32_t bits;
    bool gaps;             /* words as older releases packed them */
    size_t rows, cols, groups, group;
} reading;

static qz_status no_memory(const reading *j, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", j->r->m->path);
}
/* Words of n codes, 32/bits in each. */
static uint64_t gap_words(uint64_t n, uint32_t bits) { return (n + 32 / bits - 1) / (32 / bits); }

static qz_status wrong_shape(const reading *j, const char *expected, const qz_st_tensor *t, qz_error *err) {
    const qz_st_tensor *parts[] = { j->w, t };
    return qz_folder_misfit(j->file, j->module, expected, parts, t ? 2 : 1, err);
}

/* Codes of a stream of 32-bit words: dense, or with a gap behind the last of each word. step: words from one to the
 * next. */
static void unpack_words(const uint8_t *words, size_t step, size_t n, uint32_t bits, bool gaps, uint8_t *out) {
    const uint32_t per_word = 32 / bits, mask = (1u << bits) - 1;
    for (size_t i = 0; i < n; i++) {
        const size_t bit = gaps ? i / per_word * 32 + i % per_word * bits : i * bits, word = bit / 32;
        const uint32_t shift = (uint32_t)(bit % 32);
        uint64_t v = qz_load_u32le(words + word * step * 4);
        if (shift + bits > 32) v |= (uint64_t)qz_load_u32le(words + (word + 1) * step * 4) << 32;
        out[i] = (uint8_t)(v >> shift & mask);
    }
}

/* ---- shapes ---- */
/* Scales of the setting's shape; j->group and groups follow. */
static qz_status shape_scales(reading *j, qz_error *err) {
    const qz_ct_args *w = &j->s->weights;
    char expected[96];
    j->scale = qz_folder_part(j->r->dir, j->module, "weight_scale");
    j->zero = qz_folder_part(j->r->dir, j->module, "weight_zero_point");
    j->g_idx = qz_folder_part(j->r->dir, j->module, "weight_g_idx");
    if (!j->scale || j->scale->dtype != QZ_ST_F32)
        QZ_TRY(qz_folder_typed(j->file, j->module, "weight_scale", j->scale, QZ_ST_BF16, QZ_ST_F16, err));
    j->group = w->group_size ? w->group_size : j->cols;
    if (j->cols % j->group) {
        (void)snprintf(expected, sizeof expected, "columns in groups of %zu, found %zu", j->group, j->cols);
        return wrong_shape(j, expected, j->scale, err);
    }
    j->groups = j->cols / j->group;
    const bool one = w->strategy == QZ_CT_TENSOR;
    if (one ? j->scale->elems == 1 : qz_folder_shaped(j->scale, j->scale->dtype, 2, j->rows, j->groups)) return QZ_OK;
    if (one) (void)snprintf(expected, sizeof expected, "one scale");
    else (void)snprintf(expected, sizeof expected, "scales [%zu, %zu]", j->rows, j->groups);
    return wrong_shape(j, expected, j->scale, err);
}

static qz_status shape_packed(reading *j, qz_error *err) {
    const qz_st_tensor *shape = qz_folder_part(j->r->dir, j->module, "weight_shape");
    char expected[96];
    QZ_TRY(qz_folder_typed(j->file, j->module, "weight_packed", j->w, QZ_ST_I32, QZ_ST_I32, err));
    QZ_TRY(qz_folder_typed(j->file, j->module, "weight_shape", shape, QZ_ST_I64, QZ_ST_I64, err));
    if (shape->elems != 2) return wrong_shape(j, "weight_shape [2]", shape, err);
    const uint64_t rows = qz_load_u64le(shape->data), cols = qz_load_u64le(shape->data + 8);
    if (j->w->n_dims != 2 || !rows || !cols || rows > LIMIT || cols > LIMIT || rows != j->w->dims[0]) {
        (void)snprintf(expected, sizeof expected, "as many rows as weight_shape says (%lld, %lld)", (long long)rows,
                       (long long)cols);
        return wrong_shape(j, expected, shape, err);
    }
    j->rows = (size_t)rows, j->cols = (size_t)cols;
    j->gaps = j->w->dims[1] != qz_ct_words(cols, j->bits);
    if (!j->gaps || j->w->dims[1] == gap_words(cols, j->bits)) return shape_scales(j, err);
    (void)snprintf(expected, sizeof expected, "weight_packed [%llu, %llu] for %llu columns of %u bits",
                   (unsigned long long)rows, (unsigned long long)qz_ct_words(cols, j->bits), (unsigned long long)cols,
                   j->bits);
    return wrong_shape(j, expected, NULL, err);
}

static qz_status shape_bytes(reading *j, qz_error *err) {
    QZ_TRY(qz_folder_typed(j->file, j->module, "weight", j->w, QZ_ST_I8, QZ_ST_I8, err));
    if (j->w->n_dims != 2 || !j->w->dims[0] || !j->w->dims[1] || j->w->dims[0] > LIMIT || j->w->dims[1] > LIMIT)
        return wrong_shape(j, "a weight in two dimensions", NULL, err);
    j->rows = (size_t)j->w->dims[0], j->cols = (size_t)j->w->dims[1];
    return shape_scales(j, err);
}

/* ---- scales, zero points, order ---- */
static qz_status read_scales(const reading *j, qz_int_group *g, qz_error *err) {
    const qz_st_tensor *s = j->scale;
    const size_t size = s->dtype == QZ_ST_F32 ? 4 : 2, n = j->rows * j->groups;
    uint8_t *out = qz_arena_alloc(&j->r->m->arena, n, size);
    if (!out) return no_memory(j, err);
    for (size_t i = 0; i < s->elems; i++) {
        const float v = s->dtype == QZ_ST_F32   ? qz_bits_f32(qz_load_u32le(s->data + 4 * i))
                        : s->dtype == QZ_ST_F16 ? qz_f16_to_f32(qz_load_u16le(s->data + 2 * i))
                                                : qz_bf16_to_f32(qz_load_u16le(s->data + 2 * i));
        if (!isfinite(v) || v <= 0)
            return qz_fail(err, QZ_EFORMAT,
                           "bad scale: file '%s', tensor '%s', element %zu: expected a finite number above 0, found %g",
                           j->file->path, s->name, i, (double)v);
    }
    if (s->elems == n) memcpy(out, s->data, n * size);
    else
        for (size_t i = 0; i < n; i++) memcpy(out + i * size, s->data, size); /* one of the tensor */
    g->scales = out;
    g->scale_type = s->dtype == QZ_ST_F32 ? QZ_SCALE_F32 : s->dtype == QZ_ST_F16 ? QZ_SCALE_F16 : QZ_SCALE_BF16;
    return QZ_OK;
}

static uint64_t zero_words(const reading *j) {
    return j->gaps ? gap_words(j->rows, j->bits) : qz_ct_words(j->rows, j->bits);
}
static qz_status wrong_zeros(const reading *j, qz_error *err) {
    char expected[96];
    (void)snprintf(expected, sizeof expected, "zero points I32 [%llu, %zu] or I8 [%zu, %zu]",
                   (unsigned long long)zero_words(j), j->groups, j->rows, j->groups);
    return wrong_shape(j, expected, j->zero, err);
}

static qz_status zeros_of_bytes(const reading *j, uint8_t *out, qz_error *err) {
    const qz_st_tensor *z = j->zero;
    const int half = 1 << (j->bits - 1);
    if (z->elems != j->rows * j->groups && z->elems != 1) return wrong_zeros(j, err);
    for (size_t i = 0; i < j->rows * j->groups; i++) {
        const int v = (int8_t)z->data[z->elems == 1 ? 0 : i];
        if (v < -half || v >= half)
            return qz_fail(err, QZ_EFORMAT,
                           "zero point out of range: file '%s', tensor '%s', element %zu: expected %d to %d, found %d",
                           j->file->path, z->name, i, -half, half - 1, v);
        out[i] = (uint8_t)(v + half);
    }
    return QZ_OK;
}

/* Packed down the rows, column by column. */
static qz_status zeros_of_words(const reading *j, uint8_t *out, qz_error *err) {
    const qz_st_tensor *z = j->zero;
    if (!qz_folder_shaped(z, QZ_ST_I32, 2, zero_words(j), j->groups)) return wrong_zeros(j, err);
    uint8_t *column = qz_alloc_array(j->rows, 1);
    if (!column) return no_memory(j, err);
    for (size_t g = 0; g < j->groups; g++) {
        unpack_words(z->data + 4 * g, j->groups, j->rows, j->bits, j->gaps, column);
        for (size_t n = 0; n < j->rows; n++) out[n * j->groups + g] = column[n];
    }
    qz_free(column);
    return QZ_OK;
}

/* Old files have zero points beside symmetric codes: zeros, or the middle code. Others say that the settings lie. */
static qz_status judge_symmetric(const reading *j, const uint8_t *zeros, qz_error *err) {
    const int half = 1 << (j->bits - 1);
    for (size_t i = 0; i < j->rows * j->groups; i++)
        if (zeros[i] != half)
            return qz_fail(err, QZ_EFORMAT,
                           "zero points against the settings: file '%s', tensor '%s': 'symmetric' is true in '%s', "
                           "expected none other than 0, found %d in row %zu, group %zu; correct the settings",
                           j->file->path, j->zero->name, j->r->config->file, zeros[i] - half, i / j->groups,
                           i % j->groups);
    return QZ_OK;
}
static bool all_zero(const qz_st_tensor *t) {
    for (uint64_t i = 0; i < t->bytes; i++)
        if (t->data[i] != 0) return false;
    return true;
}

static qz_status read_zeros(const reading *j, qz_int_group *g, qz_error *err) {
    uint8_t *out = qz_arena_alloc(&j->r->m->arena, j->rows * j->groups, 1);
    if (!out) return no_memory(j, err);
    g->zero_points = out;
    g->sym = !j->s->weights.asym;
    memset(out, 1 << (j->bits - 1), j->rows * j->groups);
    if (g->sym && (!j->zero || all_zero(j->zero))) return QZ_OK;
    if (!j->zero)
        return qz_fail(err, QZ_EFORMAT,
                       "zero points against the settings: file '%s', module '%s': 'symmetric' is false in '%s', "
                       "expected '%s.weight_zero_point', found none; correct the settings",
                       j->file->path, j->module, j->r->config->file, j->module);
    QZ_TRY((j->zero->dtype == QZ_ST_I8 ? zeros_of_bytes : zeros_of_words)(j, out, err));
    return g->sym ? judge_symmetric(j, out, err) : QZ_OK;
}

/* Column k uses the scale of group g_idx[k]; all -1: never filled. */
static qz_status read_g_idx(const reading *j, qz_int_group *g, qz_error *err) {
    const qz_st_tensor *x = j->g_idx;
    bool trivial = true;
    if (!x) return QZ_OK;
    if (!qz_folder_shaped(x, QZ_ST_I32, 1, j->cols, 0))
        return wrong_shape(j, "weight_g_idx I32 of every column", x, err);
    if ((int32_t)qz_load_u32le(x->data) == -1) return QZ_OK;
    uint32_t *out = qz_arena_alloc(&j->r->m->arena, j->cols, sizeof *out);
    if (!out) return no_memory(j, err);
    for (size_t k = 0; k < j->cols; k++) {
        out[k] = qz_load_u32le(x->data + 4 * k);
        trivial &= out[k] == k / j->group;
        if (out[k] >= j->groups)
            return qz_fail(err, QZ_EFORMAT,
                           "group out of range: file '%s', tensor '%s', element %zu: expected below %zu, found %d",
                           j->file->path, x->name, k, j->groups, (int)out[k]);
    }
    if (!trivial) g->g_idx = out;
    return QZ_OK;
}

/* ---- codes ---- */
static qz_status codes_of_words(const reading *j, uint8_t *out, qz_error *err) {
    const size_t row_bytes = qz_int_group_row_bytes(j->bits, j->cols), words = (size_t)j->w->dims[1];
    uint8_t *row = j->gaps ? qz_alloc_array(j->cols, 1) : NULL;
    if (j->gaps && !row) return no_memory(j, err);
    for (size_t n = 0; n < j->rows; n++) {
        const uint8_t *from = j->w->data + n * words * 4;
        if (!j->gaps) {
            memcpy(out + n * row_bytes, from, row_bytes);
            continue;
        }
        unpack_words(from, 1, j->cols, j->bits, true, row);
        qz_int_pack_row(row, j->cols, j->bits, out + n * row_bytes);
    }
    qz_free(row);
    return QZ_OK;
}

static qz_status codes_of_bytes(const reading *j, uint8_t *out, qz_error *err) {
    const size_t row_bytes = qz_int_group_row_bytes(j->bits, j->cols);
    const int half = 1 << (j->bits - 1);
    uint8_t *row = qz_alloc_array(j->cols, 1);
    qz_status st = row ? QZ_OK : no_memory(j, err);
    for (size_t n = 0; n < j->rows && st == QZ_OK; n++) {
        const uint8_t *from = j->w->data + n * j->cols;
        for (size_t k = 0; k < j->cols && st == QZ_OK; k++) {
            const int v = (int8_t)from[k];
            row[k] = (uint8_t)(v + half);
            if (v < -half || v >= half)
                st = qz_fail(err, QZ_EFORMAT,
                             "code out of range: file '%s', tensor '%s', offset %llu: expected %d to %d, found %d",
                             j->file->path, j->w->name, (unsigned long long)(j->w->offset + n * j->cols + k), -half,
                             half - 1, v);
        }
        if (st == QZ_OK) qz_int_pack_row(row, j->cols, j->bits, out + n * row_bytes);
    }
    qz_free(row);
    return st;
}

static qz_status add(reading *j, bool words, qz_error *err) {
    qz_model *m = j->r->m;
    const qz_input_rounding *inputs;
    j->bits = j->s->weights.bits;
    QZ_TRY(qz_ct_inputs(j->r, &j->s->inputs, j->file, j->module, &inputs, err));
    QZ_TRY(words ? shape_packed(j, err) : shape_bytes(j, err));
    qz_int_group *g = qz_arena_calloc(&m->arena, 1, sizeof *g);
    uint8_t *codes = qz_arena_alloc(&m->arena, j->rows, qz_int_group_row_bytes(j->bits, j->cols));
    char *name = qz_arena_printf(&m->arena, "%s.weight", j->module);
    if (!g || !codes || !name) return no_memory(j, err);
    *g = (qz_int_group){ .base = { &qz_int_group_ops, j->rows, j->cols }, .bits = j->bits,
                         .group_size = (uint32_t)j->group, .rows = j->rows, .cols = j->cols, .groups = j->groups,
                         .codes = codes, .rounded = true };
    QZ_TRY(read_scales(j, g, err));
    QZ_TRY(read_zeros(j, g, err));
    QZ_TRY(read_g_idx(j, g, err));
    QZ_TRY(words ? codes_of_words(j, codes, err) : codes_of_bytes(j, codes, err));
    qz_map_forget(j->w->data, (size_t)j->w->bytes);
    uint64_t bytes = j->w->bytes + j->scale->bytes + (words ? 16 : 0);
    if (!g->sym) bytes += j->zero->bytes;
    if (j->g_idx) bytes += j->g_idx->bytes;
    m->tensors[m->n_tensors++] = (qz_tensor_view){ .name = name, .file_name = j->w->name, .type = QZ_TYPE_CODED,
                                                   .rows = j->rows, .cols = j->cols, .n_dims = 2,
                                                   .bytes = (size_t)bytes, .coded = &g->base, .file = j->file->path,
                                                   .offset = j->w->offset, .inputs = inputs };
    return QZ_OK;
}

qz_status qz_ct_add_packed(qz_folder_reader *r, const qz_ct_setting *s, const qz_st *file, const qz_st_tensor *t,
                           const char *module, qz_error *err) {
    return add(&(reading){ .r = r, .s = s, .file = file, .module = module, .w = t }, true, err);
}
qz_status qz_ct_add_bytes(qz_folder_reader *r, const qz_ct_setting *s, const qz_st *file, const qz_st_tensor *t,
                          const char *module, qz_error *err) {
    return add(&(reading){ .r = r, .s = s, .file = file, .module = module, .w = t }, false, err);
}
