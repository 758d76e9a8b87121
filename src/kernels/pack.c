/* Packed weights (matmul.h, layout.h): block types become panels of 16 interleaved rows, coded matrices likewise with
 * their scales and zero points in front; float types are used where they are. */
#include <stdio.h>
#include <string.h>
#include "base/half.h"
#include "codecs/types.h"
#include "kernels/matmul.h"
#include "kernels/mm_int.h"

typedef struct {
    qz_packed *p;
    uint8_t *rows; /* [threads][cols] codes of a row of a coded matrix */
} pack_job;

static uint8_t *panel_at(const qz_packed *p, size_t panel) { return p->data + panel * p->panel_bytes; }

static void pack_rows(void *arg, qz_part part) {
    const qz_packed *p = ((pack_job *)arg)->p;
    const qz_layout *l = p->layout;
    size_t row_bytes = p->w.cols / l->source_elems * l->source_bytes, lo, hi;
    qz_split(p->panels, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; ++i) {
        const uint8_t *src = (const uint8_t *)p->w.data + i * QZ_PANEL * row_bytes;
        uint8_t *panel = panel_at(p, i);
        size_t rows = qz_min_size(QZ_PANEL, p->w.rows - i * QZ_PANEL);
        for (size_t b = 0; b < p->blocks; ++b)
            qz_layout_pack(l, src, row_bytes, rows, b, panel + b * p->block_bytes);
    }
}

/* The codes of a row as words of 32/bits, the first in the lowest bits, at lane `row` of its panel's blocks. */
static void pack_words(const qz_packed *p, size_t lane, const uint8_t *codes, size_t head, uint8_t *panel) {
    const size_t bits = p->codes.bits, per_word = 32 / bits, words = p->codes.group / per_word; /* of a group */
    for (size_t w = 0; w < p->w.cols / per_word; ++w) {
        uint32_t word = 0;
        for (size_t i = 0; i < per_word; ++i) {
            size_t col = w * per_word + i;
            word |= (uint32_t)codes[p->order ? p->order[col] : col] << (bits * i);
        }
        uint8_t *block = panel + w / words * p->block_bytes + head;
        memcpy(block + (w % words * QZ_PANEL + lane) * 4, &word, 4);
    }
}

/* AFFINE: float16 scales, zero points, words. TABLE: float scales, words. */
static void pack_code_row(const qz_packed *p, size_t row, uint8_t *codes, uint8_t *panel) {
    const qz_coded *c = p->w.coded;
    const size_t lane = row % QZ_PANEL;
    if (p->kind == QZ_PACK_SMALL || p->kind == QZ_PACK_E2M1) {
        c->ops->codes(c, p->w.first_row + row, codes);
        qz_small_pack_row(p, row, codes, panel);
        return;
    }
    for (size_t b = 0; b < p->blocks; ++b) {
        int zero = 0;
        const float scale = c->ops->scale(c, p->w.first_row + row, b, &zero);
        uint8_t *block = panel + b * p->block_bytes;
        if (p->kind == QZ_PACK_GROUP) {
            const uint16_t half = qz_f32_to_f16(scale);
            memcpy(block + 2 * lane, &half, 2);
            block[QZ_GROUP_ZEROS + lane] = (uint8_t)zero;
        } else memcpy(block + 4 * lane, &scale, 4);
    }
    c->ops->codes(c, p->w.first_row + row, codes);
    pack_words(p, lane, codes, p->kind == QZ_PACK_GROUP ? QZ_GROUP_HEAD : QZ_TABLE_HEAD, panel);
}

static void pack_codes(void *arg, qz_part part) {
    const pack_job *j = arg;
    const qz_packed *p = j->p;
    size_t lo, hi;
    qz_split(p->panels, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; ++i) {
        size_t rows = qz_min_size(QZ_PANEL, p->w.rows - i * QZ_PANEL);
        if (rows < QZ_PANEL) memset(panel_at(p, i), 0, p->panel_bytes);
        for (size_t r = 0; r < rows; ++r)
            pack_code_row(p, i * QZ_PANEL + r, j->rows + part.thread * p->w.cols, panel_at(p, i));
    }
}

static qz_status place(qz_mm *mm, qz_packed *p, qz_error *err) {
    size_t total = 0;
    p->panels = (p->w.rows + QZ_PANEL - 1) / QZ_PANEL;
    if (qz_mul_size(p->blocks, p->block_bytes, &p->panel_bytes) && qz_mul_size(p->panels, p->panel_bytes, &total))
        p->data = qz_slab_alloc(mm, total, &p->slab);
    if (!p->data)
        return qz_fail(err, QZ_EMEMORY, "out of memory for packed weights [%zu, %zu]: %zu bytes", p->w.rows, p->w.cols,
                       total);
    p->bytes += total;
    return QZ_OK;
}

/* Columns sorted by group (stable). False if the groups are not all of `group` columns: then the order
 * does not exist. */
static bool group_order(const qz_code_layout *l, size_t cols, uint32_t *order) {
    for (size_t i = 0; i < cols; ++i) order[i] = UINT32_MAX;
    for (size_t k = 0; k < cols; ++k) {
        size_t i = (size_t)l->g_idx[k] * l->group, end = i + l->group;
        if (end > cols) return false;
        while (i < end && order[i] != UINT32_MAX) ++i; /* short: a group */
        if (i == end) return false;
        order[i] = (uint32_t)k;
    }
    return true;
}

/* Do all scales keep their value in the kernels' float16? Files with other scales go through the exact product. */
static bool scales_fit(const qz_packed *p) {
    const qz_coded *c = p->w.coded;
    for (size_t r = 0; r < p->w.rows; ++r)
        for (size_t g = 0; g < p->codes.groups; ++g) {
            int zero;
            const float s = c->ops->scale(c, p->w.first_row + r, g, &zero);
            if (qz_f16_to_f32(qz_f32_to_f16(s)) != s) return false;
        }
    return true;
}

/* kind, codes and block_bytes are set. */
static qz_status pack_coded(qz_mm *mm, qz_packed *p, qz_error *err) {
    pack_job job = {.p = p, .rows = qz_alloc_array(mm->threads * p->w.cols, 1)};
    if (!job.rows) return qz_fail(err, QZ_EMEMORY, "out of memory for a row of %zu codes", p->w.cols);
    p->blocks = p->codes.groups;
    qz_status st = place(mm, p, err);
    if (st == QZ_OK) qz_pool_run(mm->pool, 0, pack_codes, &job);
    qz_free(job.rows);
    return st;
}

static qz_status open_small(qz_mm *mm, qz_packed *p, qz_error *err) {
    p->kind = qz_small_kind(p);
    if (p->kind == QZ_PACK_EXACT) return QZ_OK;
    p->unit = qz_small_unit(p);
    p->block_bytes = qz_small_block_bytes(p);
    return pack_coded(mm, p, err);
}

/* Leaves p as QZ_PACK_EXACT where codes or scales do not fit the kernels' words. Values of codes are not rounded
 * to the matrix's own type here. */
static qz_status open_codes(qz_mm *mm, qz_packed *p, qz_error *err) {
    const qz_coded *c = p->w.coded;
    p->kind = QZ_PACK_EXACT;
    if (!c) return qz_fail(err, QZ_EBUG, "coded weights without a description");
    p->codes = c->ops->layout(c);
    const qz_code_layout *l = &p->codes;
    if (l->form == QZ_CODES_FLOAT) return open_small(mm, p, err);
    if ((l->bits != 4 && l->bits != 8) || !l->group || l->group * l->bits % 32 != 0 ||
        l->groups * l->group != c->cols || (l->form == QZ_CODES_TABLE && l->g_idx) ||
        (l->form == QZ_CODES_AFFINE && !scales_fit(p)))
        return QZ_OK;
    if (l->g_idx) {
        p->order = qz_alloc_array(c->cols, sizeof *p->order);
        if (!p->order) return qz_fail(err, QZ_EMEMORY, "out of memory for the column order of %zu columns", c->cols);
        if (!group_order(l, c->cols, p->order)) return QZ_OK;
        p->bytes += c->cols * sizeof *p->order;
    }
    p->block_bytes = (l->form == QZ_CODES_AFFINE ? QZ_GROUP_HEAD : QZ_TABLE_HEAD) + l->group * l->bits / 8 * QZ_PANEL;
    p->kind = l->form == QZ_CODES_AFFINE ? QZ_PACK_GROUP : QZ_PACK_TABLE;
    return pack_coded(mm, p, err);
}

static qz_status open_kind(qz_mm *mm, qz_packed *p, qz_error *err) {
    const qz_weights *w = &p->w;
    if (w->type == QZ_TYPE_CODED) return open_codes(mm, p, err);
    size_t row_bytes = 0;
    QZ_TRY(qz_row_bytes(w->type, w->cols, &row_bytes, err));
    p->layout = qz_layout_get(w->type);
    p->kind = p->layout ? QZ_PACK_ROWS : qz_type_get(w->type)->kind == QZ_KIND_FLOAT ? QZ_PACK_FLOAT : QZ_PACK_EXACT;
    if (!p->layout) return QZ_OK;
    p->blocks = w->cols / p->layout->elems;
    p->block_bytes = p->layout->block_bytes;
    QZ_TRY(place(mm, p, err));
    pack_job job = {.p = p};
    qz_pool_run(mm->pool, 0, pack_rows, &job);
    return QZ_OK;
}

static void name_kernel(const qz_mm *mm, qz_packed *p) {
    qz_ops ref;
    (void)qz_ops_for(QZ_CPU_REF, &ref);
    const char *level = qz_cpu_name(mm->ops.level);
    const char *type = p->w.coded ? p->codes.name : qz_type_get(p->w.type)->name;
    if (p->kind == QZ_PACK_ROWS)
        (void)snprintf(p->kernel, sizeof p->kernel, "%s×%s %s", type, p->layout->elems == 256 ? "q8_k" : "q8_0",
                       mm->ops.dot[p->w.type] == ref.dot[p->w.type] ? qz_cpu_name(QZ_CPU_REF) : level);
    else
        (void)snprintf(p->kernel, sizeof p->kernel, "%s×%s %s", type, p->kind == QZ_PACK_E2M1 ? "i16" : "f32", level);
}

qz_status qz_packed_open(qz_mm *mm, const qz_weights *w, qz_packed **out, qz_error *err) {
    *out = NULL;
    qz_packed *p = qz_calloc_array(1, sizeof *p);
    if (!p) return qz_fail(err, QZ_EMEMORY, "out of memory for packed weights");
    p->w = *w;
    qz_status st = open_kind(mm, p, err);
    if (st != QZ_OK) {
        qz_packed_free(p);
        return st;
    }
    name_kernel(mm, p);
    *out = p;
    return QZ_OK;
}

void qz_packed_free(qz_packed *p) {
    if (!p) return;
    qz_slab_release(p->slab);
    qz_free(p->order);
    qz_free(p);
}

uint64_t qz_packed_bytes(const qz_packed *p) { return p->bytes; }
const char *qz_packed_kernel(const qz_packed *p) { return p->kernel; }
