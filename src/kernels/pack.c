/* Packed weights (matmul.h, layout.h): block types become panels of 16 interleaved rows, int group and bitsandbytes codes likewise
 * with their scales and zero points in front; float types are used where they are. */
#include <stdio.h>
#include <string.h>
#include "kernels/matmul.h"
#include "kernels/mm_int.h"

typedef struct {
    qz_packed *p;
    uint8_t *rows; /* [threads][cols] codes of a row, int group only */
} pack_job;

static uint8_t *panel_at(const qz_packed *p, size_t panel) { return p->data + panel * p->panel_bytes; }

static void pack_rows(void *arg, qz_part part) {
    const qz_packed *p = ((pack_job *)arg)->p;
    const qz_layout *l = p->layout;
    size_t row_bytes = p->blocks * l->bytes, lo, hi;
    qz_split(p->panels, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; ++i) {
        const uint8_t *src = (const uint8_t *)p->w.data + i * QZ_PANEL * row_bytes;
        uint8_t *panel = panel_at(p, i);
        size_t rows = qz_min_size(QZ_PANEL, p->w.rows - i * QZ_PANEL);
        for (size_t b = 0; b < p->blocks; ++b)
            qz_layout_pack(l, src + b * l->bytes, row_bytes, rows, panel + b * p->block_bytes);
    }
}

/* Row r of a panel: words of 32/bits codes, the first in the lowest bits. */
static void pack_group_row(const qz_packed *p, size_t row, uint8_t *codes, uint8_t *panel) {
    const qz_int_group *g = p->w.group;
    const size_t lane = row % QZ_PANEL, per_word = 32 / g->bits, words = g->group_size / per_word; /* of a group */
    for (size_t b = 0; b < p->blocks; ++b) {
        memcpy(panel + b * p->block_bytes + 2 * lane, &g->scales[row * g->groups + b], 2);
        panel[b * p->block_bytes + QZ_GROUP_ZEROS + lane] = g->zero_points[row * g->groups + b];
    }
    qz_int_unpack_row(g->codes + row * qz_int_group_row_bytes(g->bits, g->cols), g->cols, g->bits, codes);
    for (size_t w = 0; w < g->cols / per_word; ++w) {
        uint32_t word = 0;
        for (size_t i = 0; i < per_word; ++i) {
            size_t col = w * per_word + i;
            word |= (uint32_t)codes[p->order ? p->order[col] : col] << (g->bits * i);
        }
        uint8_t *block = panel + w / words * p->block_bytes + QZ_GROUP_HEAD;
        memcpy(block + (w % words * QZ_PANEL + lane) * 4, &word, 4);
    }
}

static void pack_group(void *arg, qz_part part) {
    const pack_job *j = arg;
    const qz_packed *p = j->p;
    size_t lo, hi;
    qz_split(p->panels, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; ++i) {
        size_t rows = qz_min_size(QZ_PANEL, p->w.rows - i * QZ_PANEL);
        if (rows < QZ_PANEL) memset(panel_at(p, i), 0, p->panel_bytes);
        for (size_t r = 0; r < rows; ++r) pack_group_row(p, i * QZ_PANEL + r, j->rows + part.thread * p->w.cols, panel_at(p, i));
    }
}

static qz_status place(qz_mm *mm, qz_packed *p, qz_error *err) {
    size_t total = 0;
    p->panels = (p->w.rows + QZ_PANEL - 1) / QZ_PANEL;
    if (qz_mul_size(p->blocks, p->block_bytes, &p->panel_bytes) && qz_mul_size(p->panels, p->panel_bytes, &total))
        p->data = qz_slab_alloc(mm, total, &p->slab);
    if (!p->data)
        return qz_fail(err, QZ_EMEMORY, "out of memory for packed weights [%zu, %zu]: %zu bytes", p->w.rows, p->w.cols, total);
    p->bytes += total;
    return QZ_OK;
}

/* ---- bitsandbytes ---- */
static unsigned table_code(const qz_bnb *b, size_t i) { return b->kind == QZ_BNB_INT8 ? b->codes[i] : i % 2 ? b->codes[i / 2] & 15u : b->codes[i / 2] >> 4; }

static void pack_table(void *arg, qz_part part) {
    const qz_packed *p = ((pack_job *)arg)->p;
    const qz_bnb *b = p->w.bnb;
    const size_t bits = b->kind == QZ_BNB_INT8 ? 8 : 4, per_word = 32 / bits, block = b->cols / p->blocks;
    size_t lo, hi;
    qz_split(p->panels, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; ++i) {
        size_t rows = qz_min_size(QZ_PANEL, p->w.rows - i * QZ_PANEL);
        if (rows < QZ_PANEL) memset(panel_at(p, i), 0, p->panel_bytes);
        for (size_t r = 0; r < rows; ++r)
            for (size_t g = 0; g < p->blocks; ++g) {
                uint8_t *out = panel_at(p, i) + g * p->block_bytes;
                size_t first = (i * QZ_PANEL + r) * b->cols + g * block;
                float scale = b->kind == QZ_BNB_INT8 ? b->absmax[i * QZ_PANEL + r] * 7.874015718698502e-3f : b->absmax[first / b->block];
                memcpy(out + 4 * r, &scale, 4);
                for (size_t w = 0; w < block / per_word; ++w) {
                    uint32_t word = 0;
                    for (size_t k = 0; k < per_word; ++k) word |= (uint32_t)table_code(b, first + w * per_word + k) << (bits * k);
                    memcpy(out + QZ_TABLE_HEAD + (w * QZ_PANEL + r) * 4, &word, 4);
                }
            }
    }
}

/* Stays QZ_PACK_EXACT where a block runs over the end of a row. Values are not rounded to the matrix's own type here. */
static qz_status open_table(qz_mm *mm, qz_packed *p, qz_error *err) {
    const qz_bnb *b = p->w.bnb;
    p->kind = QZ_PACK_EXACT;
    if (!b) return qz_fail(err, QZ_EBUG, "bitsandbytes weights without a description");
    size_t block = b->kind == QZ_BNB_INT8 ? b->cols : b->block, bits = b->kind == QZ_BNB_INT8 ? 8 : 4;
    if (b->cols % block || block * bits % 32) return QZ_OK;
    p->blocks = b->cols / block;
    p->block_bytes = QZ_TABLE_HEAD + block * bits / 8 * QZ_PANEL;
    QZ_TRY(place(mm, p, err));
    p->kind = QZ_PACK_TABLE;
    pack_job job = {.p = p};
    qz_pool_run(mm->pool, 0, pack_table, &job);
    return QZ_OK;
}

/* Columns sorted by group (stable). False if the groups are not all of group_size columns: then the order does not exist. */
static bool group_order(const qz_int_group *g, uint32_t *order) {
    for (size_t i = 0; i < g->cols; ++i) order[i] = UINT32_MAX;
    for (size_t k = 0; k < g->cols; ++k) {
        size_t i = (size_t)g->g_idx[k] * g->group_size, end = i + g->group_size;
        if (end > g->cols) return false;
        while (i < end && order[i] != UINT32_MAX) ++i; /* short: a group */
        if (i == end) return false;
        order[i] = (uint32_t)k;
    }
    return true;
}

/* Leaves p as QZ_PACK_EXACT where the codes do not fit the kernels' words. */
static qz_status open_group(qz_mm *mm, qz_packed *p, qz_error *err) {
    const qz_int_group *g = p->w.group;
    p->kind = QZ_PACK_EXACT;
    if (!g) return qz_fail(err, QZ_EBUG, "int group weights without a group description");
    if ((g->bits != 4 && g->bits != 8) || (size_t)g->group_size * g->bits % 32 != 0 || g->groups * g->group_size != g->cols)
        return QZ_OK;
    if (g->g_idx) {
        p->order = qz_alloc_array(g->cols, sizeof *p->order);
        if (!p->order) return qz_fail(err, QZ_EMEMORY, "out of memory for the column order of %zu columns", g->cols);
        if (!group_order(g, p->order)) return QZ_OK;
        p->bytes += g->cols * sizeof *p->order;
    }
    pack_job job = {.p = p, .rows = qz_alloc_array(mm->threads * g->cols, 1)};
    if (!job.rows) return qz_fail(err, QZ_EMEMORY, "out of memory for a row of %zu codes", g->cols);
    p->blocks = g->groups;
    p->block_bytes = QZ_GROUP_HEAD + g->group_size * g->bits / 8 * QZ_PANEL;
    qz_status st = place(mm, p, err);
    if (st == QZ_OK) {
        p->kind = QZ_PACK_GROUP;
        qz_pool_run(mm->pool, 0, pack_group, &job);
    }
    qz_free(job.rows);
    return st;
}

static qz_status open_kind(qz_mm *mm, qz_packed *p, qz_error *err) {
    const qz_weights *w = &p->w;
    if (w->type == QZ_TYPE_INT_GROUP) return open_group(mm, p, err);
    if (w->type == QZ_TYPE_BNB) return open_table(mm, p, err);
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
    const char *type = p->w.type == QZ_TYPE_INT_GROUP ? "int_group" : p->w.type == QZ_TYPE_BNB ? "bitsandbytes" : qz_type_get(p->w.type)->name;
    if (p->kind == QZ_PACK_ROWS)
        (void)snprintf(p->kernel, sizeof p->kernel, "%s×%s %s", type, p->layout->elems == 256 ? "q8_k" : "q8_0",
                       mm->ops.dot[p->w.type] == ref.dot[p->w.type] ? qz_cpu_name(QZ_CPU_REF) : level);
    else if (p->kind == QZ_PACK_TABLE)
        (void)snprintf(p->kernel, sizeof p->kernel, "%s×f32 %s", p->w.bnb->kind == QZ_BNB_INT8 ? "int8" : p->w.bnb->kind == QZ_BNB_NF4 ? "nf4" : "fp4", level);
    else if (p->kind == QZ_PACK_GROUP)
        (void)snprintf(p->kernel, sizeof p->kernel, "int%u×f32 %s", p->w.group->bits, level);
    else
        (void)snprintf(p->kernel, sizeof p->kernel, "%s×f32 %s", type, level);
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
