/* Packed weights (matmul.h, layout.h): block types become panels of 16 interleaved rows, coded matrices likewise
 * (pack_coded.c); float types are used where they are. */
#include <stdio.h>
#include <string.h>
#include "codecs/types.h"
#include "kernels/matmul.h"
#include "kernels/mm_int.h"

static uint8_t *panel_at(const qz_packed *p, size_t panel) { return p->data + panel * p->panel_bytes; }

static void pack_rows(void *arg, qz_part part) {
    const qz_packed *p = arg;
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

qz_status qz_packed_place(qz_mm *mm, qz_packed *p, qz_error *err) {
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

static qz_status open_kind(qz_mm *mm, qz_packed *p, qz_error *err) {
    const qz_weights *w = &p->w;
    if (w->type == QZ_TYPE_CODED) return qz_packed_open_coded(mm, p, err);
    size_t row_bytes = 0;
    QZ_TRY(qz_row_bytes(w->type, w->cols, &row_bytes, err));
    p->layout = qz_layout_get(w->type);
    p->kind = p->layout ? QZ_PACK_ROWS : qz_type_get(w->type)->kind == QZ_KIND_FLOAT ? QZ_PACK_FLOAT : QZ_PACK_EXACT;
    if (!p->layout) return QZ_OK;
    p->blocks = w->cols / p->layout->elems;
    p->block_bytes = p->layout->block_bytes;
    QZ_TRY(qz_packed_place(mm, p, err));
    qz_pool_run(mm->pool, 0, pack_rows, p);
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
        (void)snprintf(p->kernel, sizeof p->kernel, "%s×%s %s", type, p->kind == QZ_PACK_WHOLE ? "i16" : "f32", level);
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
