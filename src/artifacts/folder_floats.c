/* Folders of small floats (ct_float.c, fp8.c): X.weight or X.weight_packed and its scales beside it; everything else
 * keeps its type. Scales by row go where the rows go; blocks of rows are coded in the order of the file. */
#include "artifacts/folder_floats.h"
#include "artifacts/loose.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/size.h"
#include "codecs/int_group.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct { uint64_t down, across; } extent;
static extent blocks(uint64_t rows, uint64_t cols, const qz_floats_form *f) {
    const uint64_t br = f->block_rows ? f->block_rows : rows, bk = f->block_cols ? f->block_cols : cols;
    return (extent){(rows + br - 1) / br, (cols + bk - 1) / bk};
}
static bool by_bytes(const qz_floats_form *f) { return f->stored >= QZ_SCALE_E8M0; }
static bool under_tensor(const qz_floats_form *f) { return f->stored >= QZ_SCALE_E4M3; }

static bool in_groups(const qz_floats_form *f) { return by_bytes(f) && f->block_rows == 1; }
static bool one_scale(const qz_floats_form *f) { return f->block_rows == 0 && f->block_cols == 0; }

static qz_st_dtype scale_dtype(const qz_floats_form *f) {
    static const qz_st_dtype all[] = {[QZ_SCALE_F16] = QZ_ST_F16, [QZ_SCALE_BF16] = QZ_ST_BF16,
                                      [QZ_SCALE_F32] = QZ_ST_F32, [QZ_SCALE_E8M0] = QZ_ST_U8,
                                      [QZ_SCALE_E4M3] = QZ_ST_F8_E4M3, [QZ_SCALE_E4M3_TIMES] = QZ_ST_F8_E4M3};
    return f->typed && f->stored == QZ_SCALE_E8M0 ? QZ_ST_F8_E8M0 : all[f->stored];
}
static size_t scale_bytes(const qz_floats_form *f) { return by_bytes(f) ? 1 : f->stored == QZ_SCALE_F32 ? 4 : 2; }
static qz_st_dtype codes_dtype(const qz_floats_form *f) { return f->bits == 8 ? QZ_ST_F8_E4M3 : QZ_ST_U8; }

/* ---- writing ---- */
qz_status qz_folder_floats_item(qz_artifact_item *it, const qz_floats_form *f, qz_error *err) {
    const extent e = blocks(it->rows, it->cols, f);
    if (in_groups(f) && it->cols % f->block_cols != 0)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "shape does not fit the format: tensor '%s' [%zu, %zu]: expected columns in groups of %zu; keep "
                       "the module (--module PATTERN=keep) or choose scales by row",
                       it->name, it->rows, it->cols, f->block_cols);
    it->type = QZ_TYPE_CODED;
    it->bits = f->bits;
    it->group_size = (uint32_t)(f->block_cols ? f->block_cols : it->cols);
    it->bytes = (uint64_t)it->rows * qz_scaled_row_bytes(it->cols, f->bits) + e.down * e.across * scale_bytes(f) +
                (under_tensor(f) ? 4 : 0);
    return QZ_OK;
}

size_t qz_folder_floats_parts(const qz_artifact_item *it, const qz_floats_form *f, qz_arena *arena, qz_st_item *out) {
    const extent e = blocks(it->rows, it->cols, f);
    size_t n = 0;
    out[n++] = (qz_st_item){qz_arena_printf(arena, "%s.%s", it->out_name, f->codes), codes_dtype(f), 2,
                            {it->rows, qz_scaled_row_bytes(it->cols, f->bits)}};
    out[n++] = (qz_st_item){qz_arena_printf(arena, "%s.%s", it->out_name, f->scale), scale_dtype(f),
                            one_scale(f) ? !f->scalar : f->flat ? 1 : 2, {e.down, e.across}};
    if (under_tensor(f))
        out[n++] = (qz_st_item){qz_arena_printf(arena, "%s.%s", it->out_name, f->tensor), QZ_ST_F32, f->scalar ? 0 : 1,
                                {1}};
    for (size_t i = 0; i < n; i++)
        if (!out[i].name) return 0;
    return n;
}

static qz_status put_codes(qz_artifact_writer *w, const qz_scaled_float *x, const size_t *map, uint32_t bits,
                           qz_error *err) {
    const size_t rows = x->base.rows, cols = x->base.cols, n = qz_scaled_row_bytes(cols, bits);
    if (bits == 8 && !map) return qz_artifact_writer_bytes(w, x->codes, rows * cols, err);
    uint8_t *row = qz_alloc_array(n, 1);
    qz_status st = row ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    for (size_t r = 0; r < rows && st == QZ_OK; r++) {
        qz_int_pack_row(x->codes + (map ? map[r] : r) * cols, cols, bits, row);
        st = qz_artifact_writer_bytes(w, row, n, err);
    }
    qz_free(row);
    return st;
}

static qz_status put_scales(qz_artifact_writer *w, const qz_artifact_item *it, const qz_scaled_float *x,
                            const size_t *map, const qz_floats_form *f, qz_error *err) {
    const extent e = blocks(it->rows, it->cols, f);
    const size_t across = (size_t)e.across, each = scale_bytes(f);
    uint8_t *out = qz_alloc_array(across, each);
    qz_status st = out ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    for (size_t b = 0; b < e.down && st == QZ_OK; b++) {
        const float *s = x->scales + (map && f->block_rows ? map[b] : b) * across;
        for (size_t k = 0; k < across && st == QZ_OK; k++) {
            if (!isfinite(s[k]))
                st = qz_fail(err, QZ_EUNSUPPORTED,
                             "values do not fit the format: tensor '%s', block %zu, %zu: found a scale of %g; the "
                             "weights are not finite",
                             it->name, b, k, (double)s[k]);
            else if (by_bytes(f)) out[k] = qz_scale_byte(f->stored, x->tensor, s[k]);
            else if (f->stored == QZ_SCALE_F32) memcpy(out + 4 * k, &s[k], 4);
            else qz_store_u16le(out + 2 * k, f->stored == QZ_SCALE_F16 ? qz_f32_to_f16(s[k]) : qz_f32_to_bf16(s[k]));
        }
        if (st == QZ_OK) st = qz_artifact_writer_bytes(w, out, across * each, err);
    }
    qz_free(out);
    return st;
}

qz_status qz_folder_floats_pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q,
                                const qz_floats_form *f, qz_error *err) {
    const qz_scaled_float *x = qz_scaled_float_of(q->coded);
    size_t *map = NULL;
    if (!x || x->bits != 8 || x->element != f->element ||
        (one_scale(f) ? x->block_rows < x->base.rows : (x->block_rows == 1) != (f->block_rows == 1)))
        return qz_fail(err, QZ_EBUG, "tensor '%s' comes in another type than planned", q->name);
    if (f->block_rows <= 1) QZ_TRY(qz_folder_row_map(w, it, &map, err));
    qz_status st = put_codes(w, x, map, f->bits, err);
    if (st == QZ_OK) st = put_scales(w, it, x, map, f, err);
    if (st == QZ_OK && under_tensor(f)) st = qz_artifact_writer_bytes(w, &x->tensor, 4, err);
    qz_free(map);
    return st;
}

qz_status qz_folder_floats_code(qz_run *run, const qz_float_rounding *how, const qz_artifact_item *it, const float *w,
                                qz_arena *arena, const qz_coded **out, qz_error *err) {
    qz_scaled_float *f = qz_arena_calloc(arena, 1, sizeof *f);
    if (!f) return qz_fail(err, QZ_EMEMORY, "out of memory for codes of '%s'", it->name);
    f->base.rows = it->rows, f->base.cols = it->cols;
    *out = &f->base;
    return qz_scaled_float_round(run, how, w, f, arena, err);
}

qz_status qz_folder_put_input_scale(qz_artifact_writer *w, const qz_artifact_item *it, qz_type type, float scale,
                                    qz_error *err) {
    const qz_type_info *info = qz_type_get(type);
    uint8_t bytes[4];
    float back;
    info->encode(&scale, NULL, 1, bytes);
    info->decode(bytes, 1, &back);
    if (!(it->input_amax > 0) || !(back > 0) || !isfinite(back))
        return qz_fail(err, QZ_ENUMERIC,
                       "no scale of inputs: tensor '%s': expected inputs up to a finite value above 0 in the "
                       "calibration, found %g; choose a level with scales at run time (ct:fp8_dynamic, ct:int8, "
                       "ct:nvfp4a16, modelopt:fp8_dynamic, modelopt:nvfp4a16), or --module PATTERN=keep",
                       it->name, (double)it->input_amax);
    return qz_artifact_writer_bytes(w, bytes, info->bytes, err);
}

static qz_status amax_of(const qz_tensor_view *t, float *most, qz_error *err) {
    float *x = qz_alloc_array(t->cols, sizeof *x);
    if (!x) return qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", t->name);
    for (size_t r = 0; r < t->rows; r++) {
        qz_tensor_decode(t, r, 1, x);
        for (size_t k = 0; k < t->cols; k++) *most = fabsf(x[k]) > *most ? fabsf(x[k]) : *most;
    }
    qz_free(x);
    return QZ_OK;
}

/* Largest scale of blocks that hold more than zeros, as the value of its largest code; of floats their own largest. */
static qz_status top_of(const qz_tensor_view *t, float *most, qz_error *err) {
    const qz_code_layout g = t->coded ? t->coded->ops->layout(t->coded) : (qz_code_layout){.form = QZ_CODES_TABLE};
    if (g.form != QZ_CODES_FLOAT || g.group == 0) return amax_of(t, most, err);
    float *x = qz_alloc_array(t->cols, sizeof *x);
    int zero;
    if (!x) return qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", t->name);
    for (size_t r = 0; r < t->rows; r++) {
        qz_tensor_decode(t, r, 1, x);
        for (size_t k = 0; k < t->cols; k++) {
            if (x[k] == 0) continue;
            const float top = t->coded->ops->scale(t->coded, r, k / g.group, &zero) * qz_small_max(g.element);
            if (top > *most) *most = top;
        }
    }
    qz_free(x);
    return QZ_OK;
}

typedef qz_status of_matrix(const qz_tensor_view *t, float *most, qz_error *err);
/* Of the matrices that share a tensor's scale with the item. */
static qz_status merged(const qz_artifact_plan *p, const qz_artifact_item *it, of_matrix *each, float *out,
                        qz_error *err) {
    qz_input_widths w;
    if (p->model->loose) {
        const qz_tensor_view *all[QZ_LOOSE_MERGED_MOST];
        const size_t n = qz_loose_merged(p->model, it->source, all);
        for (size_t i = 0; i < n; i++) QZ_TRY(each(all[i], out, err));
        return QZ_OK;
    }
    if (it->layer < 0 || it->linear < 0) return each(it->source, out, err);
    qz_input_widths_of(&p->model->config, &w);
    for (size_t i = 0; i < qz_inputs(&w, (size_t)it->layer); i++) {
        const qz_input in = qz_input_at(&w, (size_t)it->layer, i);
        const long expert = it->experts ? (long)it->expert : -1;
        if (in.n == 0 || in.expert != expert || (size_t)it->linear < in.first || (size_t)it->linear >= in.first + in.n)
            continue;
        for (size_t l = in.first; l < in.first + in.n; l++) {
            const qz_tensor_view *t = qz_block_linear(&p->model->blocks[it->layer], l, expert);
            if (t) QZ_TRY(each(t, out, err));
        }
        return QZ_OK;
    }
    return each(it->source, out, err);
}

qz_status qz_folder_merged_amax(const qz_artifact_plan *p, const qz_artifact_item *it, float *out, qz_error *err) {
    *out = it->scale_amax;
    return it->scale_amax > 0 ? QZ_OK : merged(p, it, amax_of, out, err);
}
qz_status qz_folder_merged_top(const qz_artifact_plan *p, const qz_artifact_item *it, float *out, qz_error *err) {
    *out = 0;
    return merged(p, it, top_of, out, err);
}

qz_type qz_folder_value_type(const qz_model *m, const qz_tensor_view *t) {
    const qz_type of = m->config.dtype;
    const bool said = of == QZ_TYPE_F32 || of == QZ_TYPE_F16 || of == QZ_TYPE_BF16;
    return t->coded && said ? of : qz_tensor_float_type(t);
}
qz_type qz_folder_values_type(const qz_model *m, bool as_said) {
    bool half = false, brain = false, full = false;
    const qz_tensor_view *loose;
    for (size_t i = 0; m->loose && (loose = qz_loose_next(m, &i)) != NULL;) {
        const qz_type t = qz_tensor_float_type(loose);
        half |= t == QZ_TYPE_F16, brain |= t == QZ_TYPE_BF16, full |= t != QZ_TYPE_F16 && t != QZ_TYPE_BF16;
    }
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t i = 0; i < m->blocks[l].n_sites; i++) {
            const qz_bound *b = &m->blocks[l].sites[i];
            if (!qz_site_linear(&b->site) || !b->weight[0]) continue;
            const qz_type t = as_said ? qz_folder_value_type(m, b->weight[0]) : qz_tensor_float_type(b->weight[0]);
            half |= t == QZ_TYPE_F16, brain |= t == QZ_TYPE_BF16, full |= t != QZ_TYPE_F16 && t != QZ_TYPE_BF16;
        }
    return full || half == brain ? QZ_TYPE_F32 : half ? QZ_TYPE_F16 : QZ_TYPE_BF16;
}

/* ---- reading ---- */
static qz_status bad_scale(const qz_st *file, const qz_st_tensor *s, size_t i, float v, qz_error *err) {
    return qz_fail(err, QZ_EFORMAT,
                   "bad scale: file '%s', tensor '%s', element %zu: expected a finite number above 0, found %g",
                   file->path, s->name, i, (double)v);
}

static float number_at(const qz_st_tensor *s, size_t i) {
    if (s->dtype == QZ_ST_F32) return qz_bits_f32(qz_load_u32le(s->data + 4 * i));
    return s->dtype == QZ_ST_BF16 ? qz_bf16_to_f32(qz_load_u16le(s->data + 2 * i))
                                  : qz_f16_to_f32(qz_load_u16le(s->data + 2 * i));
}

/* An E4M3 scale of 0 is a block of zeros (no reader divides by it); its sign bit and NaN are no scale. */
static qz_status read_scales(const qz_st *file, const qz_st_tensor *s, const qz_floats_form *f, float tensor,
                             float *out, qz_error *err) {
    for (size_t i = 0; i < s->elems; i++) {
        const uint8_t b = by_bytes(f) ? s->data[i] : 0;
        float v;
        if (f->stored == QZ_SCALE_E8M0) v = qz_e8m0_decode(b);
        else v = by_bytes(f) ? qz_small_decode(QZ_E4M3FN, b) : number_at(s, i);
        const bool zero = under_tensor(f) && b == 0;
        if (!isfinite(v) || (v <= 0 && !zero)) return bad_scale(file, s, i, v, err);
        out[i] = under_tensor(f) ? qz_scale_under(f->stored, tensor, v) : v;
        if (!isfinite(out[i])) return bad_scale(file, s, i, out[i], err);
    }
    return QZ_OK;
}

static qz_status read_tensor(const qz_folder_reader *r, const qz_st *file, const char *module, const qz_floats_form *f,
                             float *out, qz_error *err) {
    const qz_st_tensor *t = qz_folder_part(r->dir, module, f->tensor);
    *out = 1;
    if (!under_tensor(f)) return QZ_OK;
    QZ_TRY(qz_folder_typed(file, module, f->tensor, t, QZ_ST_F32, QZ_ST_F32, err));
    if (t->elems != 1) return qz_folder_misfit(file, module, "one scale of the tensor", &t, 1, err);
    *out = number_at(t, 0);
    return isfinite(*out) && *out > 0 ? QZ_OK : bad_scale(file, t, 0, *out, err);
}

static bool fits(const qz_st_tensor *s, extent e) {
    if (s->elems != e.down * e.across) return false;
    return s->n_dims == 2   ? s->dims[0] == e.down && s->dims[1] == e.across
           : s->n_dims == 4 ? s->dims[0] == e.down && s->dims[1] == 1 && s->dims[2] == e.across && s->dims[3] == 1
           : s->n_dims == 1 ? e.across == 1 || e.down == 1
                            : s->n_dims == 0;
}

/* Place of the first code that is no number, n without one. Pieces without a branch: at the speed of memory. */
static size_t first_nan(const uint8_t *codes, size_t n) {
    enum { PIECE = 4096 };
    for (size_t at = 0; at < n; at += PIECE) {
        const size_t end = n - at < PIECE ? n : at + PIECE;
        uint8_t bad = 0;
        for (size_t i = at; i < end; i++) bad |= (uint8_t)((codes[i] & 0x7f) == 0x7f);
        for (size_t i = at; bad && i < end; i++)
            if ((codes[i] & 0x7f) == 0x7f) return i;
    }
    return n;
}

static qz_status check_codes(const qz_st *file, const qz_st_tensor *t, const qz_floats_form *f, qz_error *err) {
    const size_t nan = f->bits == 8 ? first_nan(t->data, (size_t)t->elems) : (size_t)t->elems;
    if (nan == t->elems) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT,
                   "code that is no number: file '%s', tensor '%s', offset %llu: expected an E4M3 value, found 0x%02x",
                   file->path, t->name, (unsigned long long)(t->offset + nan), t->data[nan]);
}

/* Shapes of codes and scales against each other; *form with its blocks filled in. */
static qz_status check_shapes(const qz_st *file, const char *module, const qz_st_tensor *t, const qz_st_tensor *s,
                              qz_floats_form *f, qz_error *err) {
    const qz_st_tensor *parts[] = { t, s };
    char expected[96];
    if (t->n_dims != 2 || !t->dims[0] || !t->dims[1] || t->dims[1] > UINT32_MAX || t->dims[1] * 8 % f->bits != 0)
        return qz_folder_misfit(file, module, "a weight in two dimensions", &t, 1, err);
    const uint64_t rows = t->dims[0], cols = t->dims[1] * 8 / f->bits;
    if (f->block_rows == 1 && !f->block_cols && s->elems == 1) f->block_rows = 0; /* one scale for the whole matrix */
    const extent e = blocks(rows, cols, f);
    (void)snprintf(expected, sizeof expected, "scales [%llu, %llu]%s", (unsigned long long)e.down,
                   (unsigned long long)e.across, in_groups(f) && cols % f->block_cols ? " of whole groups" : "");
    if (!fits(s, e) || (in_groups(f) && cols % f->block_cols != 0))
        return qz_folder_misfit(file, module, expected, parts, 2, err);
    f->block_rows = f->block_rows ? f->block_rows : (size_t)rows;
    f->block_cols = f->block_cols ? f->block_cols : (size_t)cols;
    return QZ_OK;
}

static qz_status find_scales(const qz_folder_reader *r, const qz_st *file, const char *module, const qz_floats_form *f,
                             const qz_st_tensor **out, qz_error *err) {
    const qz_st_tensor *s = *out = qz_folder_part(r->dir, module, f->scale);
    if (f->stored == QZ_SCALE_E8M0) return qz_folder_typed(file, module, f->scale, s, QZ_ST_U8, QZ_ST_F8_E8M0, err);
    if (by_bytes(f)) return qz_folder_typed(file, module, f->scale, s, scale_dtype(f), scale_dtype(f), err);
    return s && s->dtype == QZ_ST_F32 ? QZ_OK : qz_folder_typed(file, module, f->scale, s, QZ_ST_BF16, QZ_ST_F16, err);
}

qz_status qz_folder_floats_add(const qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, const char *module,
                               const qz_floats_form *form, qz_error *err) {
    qz_model *m = r->m;
    qz_floats_form f = *form;
    qz_scaled_float *x = qz_arena_calloc(&m->arena, 1, sizeof *x);
    char *name = qz_arena_printf(&m->arena, "%s.weight", module);
    const qz_st_tensor *s;
    float tensor;
    if (!name || !x) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    QZ_TRY(qz_folder_typed(file, module, f.codes, t, codes_dtype(&f), codes_dtype(&f), err));
    QZ_TRY(find_scales(r, file, module, &f, &s, err));
    QZ_TRY(check_shapes(file, module, t, s, &f, err));
    QZ_TRY(check_codes(file, t, &f, err));
    QZ_TRY(read_tensor(r, file, module, &f, &tensor, err));
    float *scales = qz_arena_alloc(&m->arena, (size_t)s->elems, sizeof *scales);
    if (!scales) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    QZ_TRY(read_scales(file, s, &f, tensor, scales, err));
    const size_t rows = (size_t)t->dims[0], cols = (size_t)t->dims[1] * 8 / f.bits;
    *x = (qz_scaled_float){ .base = { qz_scaled_float_ops(f.element), rows, cols }, .element = f.element,
                            .bits = f.bits, .block_rows = f.block_rows, .block_cols = f.block_cols,
                            .whole = !form->block_rows || (form->block_rows == 1 && f.block_rows != 1),
                            .codes = t->data, .scales = scales, .stored = f.stored, .tensor = tensor,
                            .dtype = by_bytes(&f)             ? f.values
                                     : s->dtype == QZ_ST_F32  ? QZ_TYPE_F32
                                     : s->dtype == QZ_ST_BF16 ? QZ_TYPE_BF16
                                                              : QZ_TYPE_F16 };
    m->tensors[m->n_tensors++] = (qz_tensor_view){ .name = name, .file_name = t->name, .type = QZ_TYPE_CODED,
                                                   .rows = rows, .cols = cols, .n_dims = 2,
                                                   .bytes = (size_t)(t->bytes + s->bytes), .coded = &x->base,
                                                   .file = file->path, .offset = t->offset };
    return QZ_OK;
}
