/* FP8 folders (ct.c, fp8.c): X.weight F8_E4M3 [N, K] and its scales beside it; everything else keeps its type. Rows
 * as in the file. */
#include "artifacts/folder_float8.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static qz_st_dtype st_dtype(qz_type t) {
    return t == QZ_TYPE_F32 ? QZ_ST_F32 : t == QZ_TYPE_BF16 ? QZ_ST_BF16 : QZ_ST_F16;
}

void qz_float8_item(qz_artifact_item *it, size_t block_rows, size_t block_cols, qz_type scale) {
    const uint64_t down = (it->rows + block_rows - 1) / block_rows, across = (it->cols + block_cols - 1) / block_cols;
    it->type = QZ_TYPE_CODED;
    it->bits = 8;
    it->group_size = (uint32_t)block_cols;
    it->bytes = (uint64_t)it->rows * it->cols + down * across * qz_type_get(scale)->bytes;
}

size_t qz_float8_parts(const qz_artifact_item *it, size_t block_rows, size_t block_cols, qz_type scale,
                       const char *suffix, qz_arena *arena, qz_st_item *out) {
    const uint64_t down = (it->rows + block_rows - 1) / block_rows, across = (it->cols + block_cols - 1) / block_cols;
    out[0] = (qz_st_item){qz_arena_printf(arena, "%s.weight", it->out_name), QZ_ST_F8_E4M3, 2, {it->rows, it->cols}};
    out[1] = (qz_st_item){qz_arena_printf(arena, "%s.%s", it->out_name, suffix), st_dtype(scale), 2, {down, across}};
    return out[0].name && out[1].name ? 2 : 0;
}

qz_status qz_float8_pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, qz_type scale,
                         qz_error *err) {
    const qz_float8 *f = qz_float8_of(q->coded);
    if (!f) return qz_fail(err, QZ_EBUG, "tensor '%s' comes in another type than planned", q->name);
    const size_t n = (it->rows + f->block_rows - 1) / f->block_rows * ((it->cols + f->block_cols - 1) / f->block_cols),
                 bytes = qz_type_get(scale)->bytes;
    uint8_t *out = qz_alloc_array(n, bytes);
    if (!out) return qz_fail(err, QZ_EMEMORY, "out of memory writing '%s'", w->path);
    qz_type_get(scale)->encode(f->scales, NULL, n, out);
    qz_status st = QZ_OK;
    for (size_t i = 0; i < n && st == QZ_OK; i++)
        if (!isfinite(f->scales[i]))
            st = qz_fail(err, QZ_EUNSUPPORTED,
                         "values do not fit fp8: tensor '%s', block %zu: found a scale of %g; the weights are not "
                         "finite",
                         it->name, i, (double)f->scales[i]);
    if (st == QZ_OK) st = qz_artifact_writer_bytes(w, f->codes, it->rows * it->cols, err);
    if (st == QZ_OK) st = qz_artifact_writer_bytes(w, out, n * bytes, err);
    qz_free(out);
    return st;
}

qz_status qz_float8_code(qz_run *run, const qz_float8_setting *how, const qz_artifact_item *it, const float *w,
                         qz_arena *arena, const qz_coded **out, qz_error *err) {
    qz_float8 *f = qz_arena_calloc(arena, 1, sizeof *f);
    if (!f) return qz_fail(err, QZ_EMEMORY, "out of memory for codes of '%s'", it->name);
    f->base.rows = it->rows, f->base.cols = it->cols;
    *out = &f->base;
    return qz_float8_round(run, how, w, f, arena, err);
}

/* ---- reading ---- */
static qz_status read_scales(const qz_st *file, const qz_st_tensor *s, float *out, qz_error *err) {
    for (size_t i = 0; i < s->elems; i++) {
        float v;
        if (s->dtype == QZ_ST_F32) memcpy(&v, s->data + 4 * i, 4);
        else
            v = s->dtype == QZ_ST_BF16 ? qz_bf16_to_f32(qz_load_u16le(s->data + 2 * i))
                                       : qz_f16_to_f32(qz_load_u16le(s->data + 2 * i));
        if (!isfinite(v) || v <= 0)
            return qz_fail(err, QZ_EFORMAT,
                           "bad scale: file '%s', tensor '%s', element %zu: expected a finite number above 0, found %g",
                           file->path, s->name, i, (double)v);
        out[i] = v;
    }
    return QZ_OK;
}

static bool fits(const qz_st_tensor *s, uint64_t down, uint64_t across) {
    if (s->elems != down * across) return false;
    return s->n_dims == 2   ? s->dims[0] == down && s->dims[1] == across
           : s->n_dims == 1 ? across == 1 || down == 1
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

qz_status qz_float8_add(const qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, const char *suffix,
                        size_t block_rows, size_t block_cols, qz_error *err) {
    qz_model *m = r->m;
    char *module = qz_arena_strndup(&m->arena, t->name, strlen(t->name) - strlen(".weight"));
    qz_float8 *f = qz_arena_calloc(&m->arena, 1, sizeof *f);
    if (!module || !f) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    const qz_st_tensor *s = qz_folder_part(r->dir, module, suffix);
    if (!s || s->dtype != QZ_ST_F32) QZ_TRY(qz_folder_typed(file, module, suffix, s, QZ_ST_BF16, QZ_ST_F16, err));
    if (t->n_dims != 2 || !t->dims[0] || !t->dims[1])
        return qz_folder_misfit(file, module, "a weight in two dimensions", &t, 1, err);
    const uint64_t rows = t->dims[0], cols = t->dims[1];
    uint64_t br = block_rows ? block_rows : rows, bk = block_cols ? block_cols : cols;
    if (block_rows == 1 && s->elems == 1) br = rows; /* one scale for the whole matrix */
    const uint64_t down = (rows + br - 1) / br, across = (cols + bk - 1) / bk;
    if (!fits(s, down, across)) {
        const qz_st_tensor *parts[] = { t, s };
        char expected[80];
        (void)snprintf(expected, sizeof expected, "scales [%llu, %llu]", (unsigned long long)down,
                       (unsigned long long)across);
        return qz_folder_misfit(file, module, expected, parts, 2, err);
    }
    const size_t nan = first_nan(t->data, (size_t)t->elems);
    if (nan < t->elems)
        return qz_fail(err, QZ_EFORMAT,
                       "code that is no number: file '%s', tensor '%s', offset %llu: expected an E4M3 value, found "
                       "0x%02x",
                       file->path, t->name, (unsigned long long)(t->offset + nan), t->data[nan]);
    float *scales = qz_arena_alloc(&m->arena, (size_t)s->elems, sizeof *scales);
    if (!scales) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    QZ_TRY(read_scales(file, s, scales, err));
    *f = (qz_float8){ .base = { &qz_float8_ops, (size_t)rows, (size_t)cols }, .block_rows = (size_t)br,
                      .block_cols = (size_t)bk, .whole = !block_rows || br != block_rows,
                      .codes = t->data, .scales = scales,
                      .dtype = s->dtype == QZ_ST_F32    ? QZ_TYPE_F32
                               : s->dtype == QZ_ST_BF16 ? QZ_TYPE_BF16
                                                        : QZ_TYPE_F16 };
    m->tensors[m->n_tensors++] = (qz_tensor_view){ .name = t->name, .file_name = t->name, .type = QZ_TYPE_CODED,
                                                   .rows = (size_t)rows, .cols = (size_t)cols, .n_dims = 2,
                                                   .bytes = (size_t)(t->bytes + s->bytes), .coded = &f->base,
                                                   .file = file->path, .offset = t->offset };
    return QZ_OK;
}
