/* pack-quantized and int-quantized of compressed-tensors, N outputs, K inputs, G groups of a row. The first:
 * X.weight_packed I32 [N, ceil(K·bits/32)], X.weight_scale [N, G] in the weights' type, X.weight_shape I64 [2] and,
 * where asymmetric, X.weight_zero_point I32 [ceil(N·bits/32), G] packed along N. The second: X.weight I8 [N, K] and
 * X.weight_scale [N, 1]. Source: formats/hf-compressed-tensors.md sections 3 and 4. */
#include "artifacts/ct_ints.h"
#include "base/bytes.h"
#include "base/size.h"
#include "codecs/int_ct.h"
#include "codecs/observer.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <stdio.h>
#include <string.h>

static qz_type scale_type(const qz_artifact_plan *p, const qz_artifact_item *it) {
    return qz_int_scale_type(qz_item_spec(p, it)->scale);
}

/* ---- settings ---- */
static bool integers(const qz_ct_setting *s) {
    const qz_ct_args *w = &s->weights;
    const bool known = w->strategy == QZ_CT_GROUP || w->strategy == QZ_CT_CHANNEL || w->strategy == QZ_CT_TENSOR;
    return !w->is_float && known && w->bits >= 2 && w->bits <= 8 && w->scale == QZ_CT_SCALE_OWN;
}

static qz_status describe(const qz_ct_setting *s, qz_model *m, qz_error *err) {
    const qz_ct_args *w = &s->weights, *in = &s->inputs;
    const bool coded = in->strategy != QZ_CT_NONE;
    char group[24] = "rows";
    if (w->group_size) (void)snprintf(group, sizeof group, "g%u", w->group_size);
    if (w->strategy == QZ_CT_TENSOR) (void)snprintf(group, sizeof group, "tensor");
    m->scheme = coded && !in->is_float && w->bits == 8 ? "ct:int8" : "ct";
    m->encoding = qz_arena_printf(&m->arena, "W%u %s %s", w->bits, group, w->asym ? "asym" : "sym");
    m->contract = qz_ct_contract(s, m);
    return m->encoding && m->contract ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
}

/* ---- plan ---- */
static qz_status shape_item(const qz_artifact_plan *p, const qz_ct_setting *s, qz_artifact_item *it, qz_error *err) {
    const qz_ct_args *w = &s->weights;
    const size_t g = w->group_size ? w->group_size : it->cols;
    if (it->cols > UINT32_MAX || it->cols % g) {
        const int fits = it->cols % 64 == 0 && g > 64 ? 64 : it->cols % 32 == 0 && g > 32 ? 32 : -1;
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "shape does not fit compressed-tensors: tensor '%s' [%zu, %zu]: expected columns in groups of "
                       "%zu; use +g%d",
                       it->name, it->rows, it->cols, g, fits);
    }
    it->type = QZ_TYPE_CODED;
    it->bits = w->bits;
    it->group_size = (uint32_t)g;
    it->sym = !w->asym;
    it->bytes = (uint64_t)it->rows * (it->cols / g) * qz_type_get(scale_type(p, it))->bytes;
    return QZ_OK;
}
static qz_status packed_item(const qz_artifact_plan *p, const qz_ct_setting *s, qz_artifact_item *it, qz_error *err) {
    QZ_TRY(shape_item(p, s, it, err));
    it->bytes += it->rows * qz_ct_words(it->cols, it->bits) * 4 + 16;
    if (!it->sym) it->bytes += qz_ct_words(it->rows, it->bits) * (it->cols / it->group_size) * 4;
    return QZ_OK;
}
static qz_status bytes_item(const qz_artifact_plan *p, const qz_ct_setting *s, qz_artifact_item *it, qz_error *err) {
    QZ_TRY(shape_item(p, s, it, err));
    it->bytes += (uint64_t)it->rows * it->cols;
    return QZ_OK;
}

static qz_st_dtype scale_dtype(const qz_artifact_plan *p, const qz_artifact_item *it) {
    return qz_folder_dtype(scale_type(p, it));
}
static size_t packed_parts(const qz_artifact_plan *p, const qz_ct_setting *s, const qz_artifact_item *it,
                           qz_arena *arena, qz_st_item *out) {
    const uint64_t groups = it->cols / it->group_size;
    const char *x = it->out_name;
    size_t n = 0;
    (void)s;
    out[n++] = (qz_st_item){ qz_arena_printf(arena, "%s.weight_packed", x), QZ_ST_I32, 2,
                             { it->rows, qz_ct_words(it->cols, it->bits) } };
    out[n++] = (qz_st_item){ qz_arena_printf(arena, "%s.weight_scale", x), scale_dtype(p, it), 2,
                             { it->rows, groups } };
    out[n++] = (qz_st_item){ qz_arena_printf(arena, "%s.weight_shape", x), QZ_ST_I64, 1, { 2 } };
    if (!it->sym)
        out[n++] = (qz_st_item){ qz_arena_printf(arena, "%s.weight_zero_point", x), QZ_ST_I32, 2,
                                 { qz_ct_words(it->rows, it->bits), groups } };
    for (size_t i = 0; i < n; i++)
        if (!out[i].name) return 0;
    return n;
}
static size_t bytes_parts(const qz_artifact_plan *p, const qz_ct_setting *s, const qz_artifact_item *it,
                          qz_arena *arena, qz_st_item *out) {
    (void)s;
    out[0] = (qz_st_item){ qz_arena_printf(arena, "%s.weight", it->out_name), QZ_ST_I8, 2, { it->rows, it->cols } };
    out[1] = (qz_st_item){ qz_arena_printf(arena, "%s.weight_scale", it->out_name), scale_dtype(p, it), 2,
                           { it->rows, it->cols / it->group_size } };
    return out[0].name && out[1].name ? 2 : 0;
}

/* ---- packing ---- */
typedef struct {
    qz_artifact_writer *w;
    const qz_artifact_item *it;
    const qz_quantized *q;
    const qz_int_codes *c;
    size_t groups, *map;      /* NULL: rows as they are */
    uint8_t *row;             /* room for a row of words or scales, and for a row of words of zero points */
} packing;
static size_t row_of(const packing *k, size_t n) { return k->map ? k->map[n] : n; }

static qz_status put_packed(const packing *k, qz_error *err) {
    const size_t bytes = (size_t)qz_ct_words(k->q->cols, k->c->bits) * 4;
    for (size_t n = 0; n < k->q->rows; n++) {
        memset(k->row, 0, bytes);
        qz_int_pack_row(k->c->codes + row_of(k, n) * k->q->cols, k->q->cols, k->c->bits, k->row);
        QZ_TRY(qz_artifact_writer_bytes(k->w, k->row, bytes, err));
    }
    return QZ_OK;
}
static qz_status put_bytes(const packing *k, qz_error *err) {
    const unsigned half = 1u << (k->c->bits - 1);
    for (size_t n = 0; n < k->q->rows; n++) {
        const uint8_t *codes = k->c->codes + row_of(k, n) * k->q->cols;
        for (size_t i = 0; i < k->q->cols; i++) k->row[i] = (uint8_t)(codes[i] - half);
        QZ_TRY(qz_artifact_writer_bytes(k->w, k->row, k->q->cols, err));
    }
    return QZ_OK;
}

/* Scales must be what the type holds, above 0: engines multiply by them, and readers refuse others. */
static qz_status put_scales(const packing *k, qz_error *err) {
    const qz_type_info *type = qz_type_get(scale_type(k->w->plan, k->it));
    float *back = qz_alloc_array(k->groups, sizeof *back);
    qz_status st = back ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", k->w->path);
    for (size_t n = 0; n < k->q->rows && st == QZ_OK; n++) {
        const float *s = k->c->scales + row_of(k, n) * k->groups;
        type->encode(s, NULL, k->groups, k->row);
        type->decode(k->row, k->groups, back);
        for (size_t j = 0; j < k->groups && st == QZ_OK; j++)
            if (!(s[j] > 0) || back[j] != s[j])
                st = qz_fail(err, QZ_ENUMERIC,
                             "scale does not fit %s: tensor '%s', row %zu, group %zu: expected a value of the type "
                             "above 0, found %g",
                             type->name, k->q->name, row_of(k, n), j, (double)s[j]);
        if (st == QZ_OK) st = qz_artifact_writer_bytes(k->w, k->row, k->groups * type->bytes, err);
    }
    qz_free(back);
    return st;
}
static qz_status put_shape(const packing *k, qz_error *err) {
    uint8_t shape[16];
    qz_store_u64le(shape, k->q->rows), qz_store_u64le(shape + 8, k->q->cols);
    return qz_artifact_writer_bytes(k->w, shape, sizeof shape, err);
}

/* Word r of column g holds the zero points of the rows whose bits lie in it; columns are packed one by one, so all of
 * them are kept at once. */
static qz_status put_zeros(const packing *k, qz_error *err) {
    const size_t rows = k->q->rows, words = (size_t)qz_ct_words(rows, k->c->bits);
    size_t all = 0;
    uint8_t *column = qz_alloc_array(rows, 1), *stream = qz_calloc_array(words, 4), *out = NULL;
    if (qz_mul_size(words * 4, k->groups, &all)) out = qz_alloc_array(all, 1);
    qz_status st = column && stream && out ? QZ_OK
                                           : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", k->w->path);
    for (size_t g = 0; g < k->groups && st == QZ_OK; g++) {
        for (size_t n = 0; n < rows; n++) column[n] = k->c->zero_points[row_of(k, n) * k->groups + g];
        qz_int_pack_row(column, rows, k->c->bits, stream);
        for (size_t i = 0; i < words; i++) memcpy(out + (i * k->groups + g) * 4, stream + 4 * i, 4);
    }
    if (st == QZ_OK) st = qz_artifact_writer_bytes(k->w, out, all, err);
    qz_free(column), qz_free(stream), qz_free(out);
    return st;
}

static qz_status pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, bool words,
                      qz_error *err) {
    packing k = { .w = w, .it = it, .q = q, .groups = it->cols / it->group_size };
    QZ_TRY(qz_folder_int_codes(q, "this compressed-tensors file", false, &k.c, err));
    QZ_TRY(qz_folder_row_map(w, it, &k.map, err));
    k.row = qz_alloc_array(qz_max_size((size_t)qz_ct_words(it->cols, it->bits) * 4, 4 * k.groups) + it->cols, 1);
    qz_status st = k.row ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    if (st == QZ_OK) st = words ? put_packed(&k, err) : put_bytes(&k, err);
    if (st == QZ_OK) st = put_scales(&k, err);
    if (st == QZ_OK && words) st = put_shape(&k, err);
    if (st == QZ_OK && words && !it->sym) st = put_zeros(&k, err);
    qz_free(k.row);
    qz_free(k.map);
    return st;
}
static qz_status pack_words(qz_artifact_writer *w, const qz_ct_setting *s, const qz_artifact_item *it,
                            const qz_quantized *q, qz_error *err) {
    (void)s;
    return pack(w, it, q, true, err);
}
static qz_status pack_bytes(qz_artifact_writer *w, const qz_ct_setting *s, const qz_artifact_item *it,
                            const qz_quantized *q, qz_error *err) {
    (void)s;
    return pack(w, it, q, false, err);
}

/* ---- round to nearest ---- */
typedef struct {
    qz_int_ct how;
    bool reference;
    const qz_range *ranges; /* of an observer, or NULL */
    const float *w;
    size_t rows, cols, group;
    uint8_t *codes, *zeros;
    float *scales;
} rounding;

static void round_rows(void *arg, qz_part part) {
    const rounding *j = arg;
    const size_t groups = j->cols / j->group;
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t i = lo * groups; i < hi * groups && j->ranges; i++) {
        j->scales[i] = qz_int_ct_range(&j->how, j->ranges[i].lo, j->ranges[i].hi, &j->zeros[i]);
        qz_int_ct_codes(&j->how, j->w + i * j->group, j->group, j->scales[i], j->zeros[i], j->codes + i * j->group);
    }
    for (size_t r = lo; r < hi && !j->ranges; r++)
        (j->reference ? qz_int_ct_row : qz_int_ct_best_row)(
            &j->how, j->w + r * j->cols, j->cols, j->group,
            (qz_int_row){ j->codes + r * j->cols, j->scales + r * groups, j->zeros + r * groups });
}

static qz_status round_codes(qz_run *run, const qz_artifact_plan *p, const qz_artifact_item *it, const float *w,
                             qz_arena *arena, const qz_coded **out, qz_error *err) {
    const size_t groups = it->cols / it->group_size;
    rounding j = { .how = { scale_type(p, it), it->bits, it->sym },
                         .reference = p->context && p->context->as_reference, .w = w, .rows = it->rows,
                         .cols = it->cols, .group = it->group_size,
                         .codes = qz_arena_alloc(arena, it->rows, it->cols),
                         .zeros = qz_arena_alloc(arena, it->rows, groups),
                         .scales = qz_arena_alloc(arena, it->rows * groups, sizeof(float)) };
    if (!j.codes || !j.zeros || !j.scales) return qz_fail(err, QZ_EMEMORY, "out of memory for codes of '%s'", it->name);
    if (j.reference && p->context->mse_norm > 0) {
        const qz_observer how = { QZ_OBSERVER_MSE(p->context->mse_norm), .ints = &j.how, .block = it->group_size };
        qz_range *ranges = qz_arena_alloc(arena, it->rows * groups, sizeof *ranges);
        if (!ranges) return qz_fail(err, QZ_EMEMORY, "out of memory for codes of '%s'", it->name);
        QZ_TRY(qz_observe_mse(run, &how, w, it->rows * groups, ranges, err));
        j.ranges = ranges;
    }
    qz_pool_run(run ? run->pool : NULL, 0, round_rows, &j);
    const qz_int_codes c = { .codes = j.codes, .scales = j.scales, .zero_points = j.zeros, .bits = it->bits,
                             .group_size = it->group_size, .sym = it->sym, .scale_type = qz_item_spec(p, it)->scale,
                             .rounded = true };
    *out = qz_int_codes_keep(c, it->rows, it->cols, arena);
    return *out ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for codes of '%s'", it->name);
}

static const char *const beside[] = { "weight_scale", "weight_zero_point", "weight_shape", "weight_g_idx",
                                      "input_scale",  "input_zero_point",  NULL };
const qz_ct_format qz_ct_packed = { .name = "pack-quantized", .codes = "weight_packed", .beside = beside,
                                    .holds = integers, .item = packed_item, .parts = packed_parts, .pack = pack_words,
                                    .round = round_codes, .add = qz_ct_add_packed, .describe = describe };
const qz_ct_format qz_ct_bytes = { .name = "int-quantized", .codes = "weight", .beside = beside, .holds = integers,
                                   .item = bytes_item, .parts = bytes_parts, .pack = pack_bytes,
                                   .round = round_codes, .add = qz_ct_add_bytes, .describe = describe };
