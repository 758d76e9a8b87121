/* Coded matrices into panels (op_types.h). Integers of 2 to 4 bits take four, of 5 to 8 bits eight; E2M1 takes four;
 * FP8 and FP6 (E2M3 values are E4M3 values) take eight. Scales keep their value: in 16 bits where all of them do, else
 * in float32. What has no such form goes through the exact product. Values of codes are not rounded to the matrix's
 * own type here. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>
#include "base/bytes.h"
#include "base/half.h"
#include "codecs/scaled_float.h"
#include "kernels/mm_int.h"

static float scale_of(const qz_packed *p, size_t row, size_t group, int *zero) {
    return p->w.coded->ops->scale(p->w.coded, p->w.first_row + row, group, zero);
}

/* ---- what holds the scales ---- */
enum { AS_F16 = 1, AS_BF16 = 2, AS_E4M3 = 4, AS_SMALL = 8 }; /* E4M3: under the tensor's scale */

static bool under_tensor(const qz_code_layout *l) {
    return l->form == QZ_CODES_FLOAT && (l->stored == QZ_SCALE_E4M3 || l->stored == QZ_SCALE_E4M3_TIMES);
}
static float own_scale(const qz_code_layout *l, float scale) { /* E4M3, of what multiplies */
    return qz_small_decode(QZ_E4M3FN, qz_scale_byte(l->stored, l->tensor, scale));
}
/* What qz_sdot_fn reads E4M3 codes too small by. */
static float small_unit(const qz_code_layout *l) { return l->element == QZ_E5M2 ? 1 : 256; }

static unsigned holders(const qz_code_layout *l, float s) {
    unsigned h = 0;
    if (qz_f16_to_f32(qz_f32_to_f16(s)) == s) h |= AS_F16;
    if (qz_bf16_to_f32(qz_f32_to_bf16(s)) == s) h |= AS_BF16;
    if (under_tensor(l) && qz_scale_under(l->stored, l->tensor, own_scale(l, s)) == s) h |= AS_E4M3;
    if (isfinite(s * small_unit(l))) h |= AS_SMALL;
    return h;
}
typedef struct { const qz_packed *p; _Atomic unsigned all; } scale_job;
static void see_scales(void *arg, qz_part part) {
    scale_job *j = arg;
    size_t lo, hi;
    unsigned all = ~0u;
    qz_split(j->p->w.rows, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi; ++r)
        for (size_t g = 0; g < j->p->codes.groups; ++g) {
            int zero;
            all &= holders(&j->p->codes, scale_of(j->p, r, g, &zero));
        }
    atomic_fetch_and(&j->all, all);
}

/* ---- rows ---- */
static size_t head_bytes(const qz_packed *p) {
    return p->kind == QZ_PACK_WHOLE ? qz_qdot_head(p->codes.form == QZ_CODES_FLOAT, p->wide) : (size_t)QZ_TABLE_HEAD;
}

static void pack_scale(const qz_packed *p, size_t row, size_t group, uint8_t *block) {
    const size_t lane = row % QZ_PANEL;
    int zero = 0;
    float s = scale_of(p, row, group, &zero);
    if (p->kind == QZ_PACK_SMALL) s *= small_unit(&p->codes);
    if (p->kind == QZ_PACK_WHOLE && p->codes.form == QZ_CODES_AFFINE)
        block[head_bytes(p) - QZ_QDOT_ZEROS + lane] = (uint8_t)zero;
    if (p->kind != QZ_PACK_WHOLE || p->wide) qz_store_f32le(block + 4 * lane, s);
    else {
        if (p->own) s = own_scale(&p->codes, s);
        qz_store_u16le(block + 2 * lane, p->brain ? qz_f32_to_bf16(s) : qz_f32_to_f16(s));
    }
}

/* Where code k of a word has its lowest bit. */
static unsigned shift_of(const qz_packed *p, size_t k) {
    if (p->kind == QZ_PACK_TABLE) return (unsigned)(p->width * k);
    return (unsigned)(p->width == 8 ? QZ_BYTE(k) : QZ_NIBBLE(k));
}
static void pack_words(const qz_packed *p, size_t lane, const uint8_t *codes, uint8_t *block) {
    const size_t per_word = 32 / p->width;
    for (size_t k = 0; k < p->codes.group; k += per_word, block += 4 * QZ_PANEL) {
        uint32_t word = 0;
        for (size_t i = 0; i < per_word; ++i) word |= (uint32_t)codes[k + i] << shift_of(p, i);
        memcpy(block + 4 * lane, &word, 4);
    }
}
static void pack_pairs(const qz_packed *p, size_t lane, const uint8_t *codes, uint8_t *block) {
    for (size_t k = 0; k < p->codes.group; k += 2, block += 2 * QZ_PANEL) memcpy(block + 2 * lane, codes + k, 2);
}

/* codes: [2][cols], scratch. */
static void pack_row(const qz_packed *p, size_t row, uint8_t *codes, uint8_t *panel) {
    const qz_coded *c = p->w.coded;
    const qz_code_layout *l = &p->codes;
    uint8_t *raw = codes + (p->order ? c->cols : 0);
    c->ops->codes(c, p->w.first_row + row, raw);
    for (size_t k = 0; p->order && k < c->cols; ++k) codes[k] = raw[p->order[k]];
    if (p->kind == QZ_PACK_SMALL && l->bits < 8) {
        uint8_t e4m3[64];
        for (unsigned v = 0; v < 1u << l->bits; ++v)
            e4m3[v] = qz_small_encode(QZ_E4M3FN, qz_small_decode(l->element, (uint8_t)v));
        for (size_t k = 0; k < c->cols; ++k) codes[k] = e4m3[codes[k]];
    }
    for (size_t g = 0; g < l->groups; ++g, codes += l->group, panel += p->block_bytes) {
        pack_scale(p, row, g, panel);
        (p->kind == QZ_PACK_SMALL ? pack_pairs : pack_words)(p, row % QZ_PANEL, codes, panel + head_bytes(p));
    }
}

typedef struct {
    qz_packed *p;
    uint8_t *rows; /* [threads][2][cols] codes of a row */
} pack_job;
static void pack_panels(void *arg, qz_part part) {
    const pack_job *j = arg;
    const qz_packed *p = j->p;
    size_t lo, hi;
    qz_split(p->panels, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; ++i) {
        const size_t rows = qz_min_size(QZ_PANEL, p->w.rows - i * QZ_PANEL);
        uint8_t *panel = p->data + i * p->panel_bytes;
        if (rows < QZ_PANEL) memset(panel, 0, p->panel_bytes);
        for (size_t r = 0; r < rows; ++r)
            pack_row(p, i * QZ_PANEL + r, j->rows + 2 * part.thread * p->w.cols, panel);
    }
}

/* ---- which form ---- */
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

static size_t step_of(size_t group) { return group % 32 == 0 ? 32 : group % 16 == 0 ? 16 : group % 8 == 0 ? 8 : 0; }

static void choose_whole(qz_packed *p, unsigned scales) {
    const qz_code_layout *l = &p->codes;
    const bool e2m1 = l->form == QZ_CODES_FLOAT;
    p->kind = QZ_PACK_WHOLE;
    p->step = step_of(l->group);
    p->width = l->bits <= 4 ? 4 : 8;
    p->own = scales & AS_E4M3;
    p->brain = !p->own && !(scales & AS_F16) && scales & AS_BF16;
    p->wide = !(scales & (AS_F16 | AS_BF16 | AS_E4M3));
    p->unit = (e2m1 ? 0.5f : 1) * (p->own ? qz_scale_under(l->stored, l->tensor, 1) : 1);
}

/* kind, width and what else the form has; QZ_PACK_EXACT where there is none. */
static void choose(qz_packed *p, unsigned scales) {
    const qz_code_layout *l = &p->codes;
    const size_t group = l->group;
    if (!group || l->groups * group != p->w.cols) return;
    if (l->form == QZ_CODES_TABLE) {
        if ((l->bits != 4 && l->bits != 8) || group * l->bits % 32 != 0 || l->g_idx) return;
        p->kind = QZ_PACK_TABLE;
        p->width = l->bits;
    } else if (step_of(group) && (l->form == QZ_CODES_AFFINE || l->element == QZ_E2M1)) choose_whole(p, scales);
    else if (l->form == QZ_CODES_FLOAT && group % 4 == 0 && scales & AS_SMALL) {
        p->kind = QZ_PACK_SMALL;
        p->width = 8;
    }
}

qz_status qz_packed_open_coded(qz_mm *mm, qz_packed *p, qz_error *err) {
    const qz_coded *c = p->w.coded;
    p->kind = QZ_PACK_EXACT;
    if (!c) return qz_fail(err, QZ_EBUG, "coded weights without a description");
    p->codes = c->ops->layout(c);
    if (p->codes.g_idx) {
        p->order = qz_alloc_array(c->cols, sizeof *p->order);
        if (!p->order) return qz_fail(err, QZ_EMEMORY, "out of memory for the column order of %zu columns", c->cols);
        if (!group_order(&p->codes, c->cols, p->order)) return QZ_OK;
        p->bytes += c->cols * sizeof *p->order;
    }
    scale_job seen = {.p = p, .all = ~0u};
    if (p->codes.form != QZ_CODES_TABLE) qz_pool_run(mm->pool, 0, see_scales, &seen);
    choose(p, atomic_load(&seen.all));
    if (p->kind == QZ_PACK_EXACT) return QZ_OK;
    pack_job job = {.p = p, .rows = qz_alloc_array(mm->threads * 2, c->cols)};
    if (!job.rows) return qz_fail(err, QZ_EMEMORY, "out of memory for a row of %zu codes", c->cols);
    p->blocks = p->codes.groups;
    p->block_bytes = head_bytes(p) + p->codes.group * p->width / 8 * QZ_PANEL;
    qz_status st = qz_packed_place(mm, p, err);
    if (st == QZ_OK) qz_pool_run(mm->pool, 0, pack_panels, &job);
    qz_free(job.rows);
    return st;
}
