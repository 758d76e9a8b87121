/* The glass box: one element of one tensor from the bytes of its file to its value. Codes are read through the codecs;
 * the bits that hold a code are found by letting the codec pack other codes and looking at what changes, and for packed
 * words the code is read again from the file's own bytes and must agree. */
#include "model/leftovers.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/io.h"
#include "base/size.h"
#include "codecs/fields.h"
#include "codecs/types.h"
#include "explain/explain.h"
#include "report/fit.h"
#include "artifacts/source.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* all: matrices under the tensor's name in its file (experts, or linears of experts), 0: it is one; at:
 * which of them. */
typedef struct { size_t at, all; } stack_place;
typedef struct { qz_explained *x; const qz_tensor_view *t; size_t row, col; } element;

static qz_status parse_elem(qz_explained *x, const char *text, size_t *row, size_t *col) {
    char *end;
    const char *p = text;
    unsigned long long r = 0, c = 0;
    bool ok = isdigit((unsigned char)*p);
    if (ok) r = strtoull(p, &end, 10), ok = *end == ',' && isdigit((unsigned char)end[1]);
    if (ok) c = strtoull(end + 1, &end, 10), ok = *end == 0;
    if (!ok)
        return qz_fail(x->err, QZ_EUSAGE, "bad element '%s': expected ROW,COLUMN counted from 0, for example 17,300",
                       text);
    *row = (size_t)r;
    *col = (size_t)c;
    return QZ_OK;
}

/* Either spelling, with or without ".weight". */
static const qz_tensor_view *find(const qz_model *m, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < m->n_tensors; i++) {
        const char *both[2] = {m->tensors[i].name, m->tensors[i].file_name};
        for (int k = 0; k < 2; k++)
            if (strncmp(both[k], name, n) == 0 && (both[k][n] == 0 || strcmp(both[k] + n, ".weight") == 0))
                return &m->tensors[i];
    }
    return NULL;
}
static stack_place place_in_stack(const qz_model *m, const qz_tensor_view *t) {
    stack_place p = {0};
    for (size_t i = 0; i < m->n_tensors; i++) {
        if (strcmp(m->tensors[i].file_name, t->file_name) != 0) continue;
        if (&m->tensors[i] < t) p.at++;
        p.all++;
    }
    return p.all > 1 ? p : (stack_place){0};
}
/* Which expert's is shown, and how to ask for another: coordinates are within one. */
static void say_stack(qz_explained *x, const qz_tensor_view *t, stack_place p) {
    const size_t asked = strlen(x->o.tensor);
    if (p.all == 0) return;
    qz_fit_printf(&x->text, 13, "  stacked      matrix %zu of 0 to %zu under this name: %s", p.at, p.all - 1, t->name);
    if (strncmp(x->o.tensor, t->file_name, asked) == 0)
        qz_fit_printf(&x->text, 0, "               for another give its own name in --tensor");
}
static qz_status unknown_tensor(qz_explained *x, const qz_model *m, const char *name) {
    qz_near near = {.word = name};
    for (size_t i = 0; i < m->n_tensors; i++) (void)qz_near_see(&near, m->tensors[i].file_name);
    return qz_fail(x->err, QZ_EUSAGE, "no tensor '%s' in '%s': nearest is '%s' ('quantz inspect --tensors' lists all)",
                   name, m->path, near.best ? near.best : "");
}

static void hex(qz_explained *x, const char *what, uint64_t at, const uint8_t *p, size_t n) {
    qz_str_printf(&x->text, "  %-12s byte %llu:", what, (unsigned long long)at);
    for (size_t i = 0; i < n; i++) qz_str_printf(&x->text, " %02x", p[i]);
    qz_str_putc(&x->text, '\n');
}

/* Bits of a block that change with one field: OR of the differences when it runs through its range. */
static void bits_of(qz_type type, const qz_block_fields *f, int16_t *field, int lo, int hi, uint8_t mask[512]) {
    uint8_t base[512], other[512];
    size_t n = qz_type_get(type)->bytes;
    int16_t keep = *field;
    memset(mask, 0, n);
    *field = (int16_t)lo;
    qz_block_pack(type, f, base);
    for (int v = lo; v <= hi; v++) {
        *field = (int16_t)v;
        qz_block_pack(type, f, other);
        for (size_t i = 0; i < n; i++) mask[i] |= base[i] ^ other[i];
    }
    *field = keep;
}
/* "byte 1234 bits 0-3, byte 1300 bit 2" */
static void say_bits(element *e, const char *what, uint64_t at, const uint8_t *block, const uint8_t *mask, size_t n) {
    qz_str line = {0};
    qz_str_printf(&line, "  %-12s", what);
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (!mask[i]) continue;
        qz_str_printf(&line, "%s byte %llu (0x%02x) bits", any ? "," : "", (unsigned long long)(at + i), block[i]);
        for (int b = 7; b >= 0; b--)
            if (mask[i] >> b & 1) qz_str_printf(&line, " %d=%d", b, block[i] >> b & 1);
        any = true;
    }
    e->x->text.failed |= line.failed;
    qz_fit_line(&e->x->text, line.ptr ? line.ptr : "", 13);
    qz_str_release(&line);
}

static qz_status show_block(element *e) {
    const qz_tensor_view *t = e->t;
    const qz_type_info *i = qz_type_get(t->type);
    const qz_block_shape *shape = qz_block_shape_get(t->type);
    size_t row_bytes = t->cols / i->elems * i->bytes, at = e->row * row_bytes + e->col / i->elems * i->bytes,
           j = e->col % i->elems;
    const uint8_t *block = (const uint8_t *)t->data + at;
    uint64_t offset = t->offset + at;
    if (shape == NULL || i->bytes > 512) {
        hex(e->x, "bytes", offset, block, i->bytes);
        return QZ_OK;
    }
    qz_block_fields f;
    uint8_t mask[512];
    qz_block_unpack(t->type, block, &f);
    size_t sub = j / shape->sub_len;
    qz_explain_line(e->x, "  block        %zu of the row, value %zu of %u: bytes %llu to %llu", e->col / i->elems, j,
                    i->elems, (unsigned long long)offset, (unsigned long long)(offset + i->bytes - 1));
    hex(e->x, "block starts", offset, block, qz_min_size(i->bytes, 16));
    float scale = qz_block_step(shape, &f, sub), minimum = f.dmin * (float)f.m[sub];
    if (shape->sc_min == shape->sc_max) qz_explain_line(e->x, "  scale        %.9g", (double)f.d);
    else
        qz_explain_line(e->x, "  scale        group %zu: %.9g x %.9g = %.9g", sub,
                        (double)qz_block_scale(shape, f.sc[sub]), (double)(f.d * shape->unit), (double)scale);
    if (shape->float_min) qz_explain_line(e->x, "  minimum      %.9g", (double)f.dmin);
    else if (shape->m_max)
        qz_explain_line(e->x, "  minimum      group %zu: %d x %.9g = %.9g, subtracted", sub, f.m[sub], (double)f.dmin,
                        (double)minimum);
    if (shape->book) { /* values of a table or a point, not a range of integers: their bits are not told apart */
        qz_explain_line(e->x, "  value        %d of the type's %u", f.q[j], shape->book->n_values);
        return QZ_OK;
    }
    if (shape->sc_min != shape->sc_max) {
        bits_of(t->type, &f, &f.sc[sub], shape->sc_min, shape->sc_max, mask);
        say_bits(e, "scale bits", offset, block, mask, i->bytes);
    }
    if (shape->m_max) {
        bits_of(t->type, &f, &f.m[sub], 0, shape->m_max, mask);
        say_bits(e, "minimum bits", offset, block, mask, i->bytes);
    }
    qz_explain_line(e->x, "  integer      %d (range %d to %d)", f.q[j], shape->q_min, shape->q_max);
    bits_of(t->type, &f, &f.q[j], shape->q_min, shape->q_max, mask);
    say_bits(e, "code bits", offset, block, mask, i->bytes);
    return QZ_OK;
}

/* The word of the file that holds the code, if the reader knows its packing. */
static qz_status show_word(element *e, size_t word, unsigned shift) {
    const qz_tensor_view *t = e->t;
    const qz_code_layout l = t->coded->ops->layout(t->coded);
    uint8_t *codes = qz_arena_alloc(&e->x->arena, t->cols, 1);
    qz_map map = {0};
    uint64_t at = t->offset + 4 * (uint64_t)word;
    if (codes == NULL) return qz_fail(e->x->err, QZ_EMEMORY, "out of memory");
    t->coded->ops->codes(t->coded, e->row, codes);
    QZ_TRY(qz_map_open(&map, t->file, e->x->err));
    bool inside = at + 4 <= map.size;
    uint32_t w = inside ? qz_load_u32le((const uint8_t *)map.ptr + at) : 0;
    uint32_t again = w >> shift & ((1u << l.bits) - 1);
    if (inside && again == codes[e->col]) {
        hex(e->x, "word", at, (const uint8_t *)map.ptr + at, 4);
        qz_explain_line(e->x, "  code bits    %u to %u of that word (byte %llu): %u", shift, shift + l.bits - 1,
                        (unsigned long long)(at + shift / 8), again);
    } else qz_explain_line(e->x, "  code bits    this packing is not the usual one: no offset is shown");
    qz_map_release(&map);
    return QZ_OK;
}

static qz_status show_coded(element *e) {
    const qz_coded *c = e->t->coded;
    size_t word = 0;
    unsigned shift = 0;
    if (c->ops->explain) c->ops->explain(c, e->row, e->col, e->t->offset, &e->x->text);
    return c->ops->place && c->ops->place(c, e->row, e->col, &word, &shift) ? show_word(e, word, shift) : QZ_OK;
}

/* Row of the source that stands at this row: GGUF llama files interleave the rows of q and k for their rotary order. */
static size_t source_row(const qz_model *m, const qz_model *src, const qz_tensor_view *t, size_t row) {
    const qz_config *c = &m->config;
    if (qz_model_rotary_heads(m, t->name) == 0 || c->rope.interleaved == src->config.rope.interleaved) return row;
    size_t d = (size_t)c->head_dim, head = row / d, o = row % d;
    return head * d + (c->rope.interleaved ? o % 2 * (d / 2) + o / 2 : o % (d / 2) * 2 + o / (d / 2));
}

static qz_status show_source(element *e, const qz_model *m, double value) {
    qz_source s = {0};
    QZ_TRY(qz_source_open(e->x->run, e->x->o.against, &s, e->x->err));
    const qz_tensor_view *t = qz_model_find(s.model, e->t->name);
    qz_status st = QZ_OK;
    if (t == NULL || t->cols != e->t->cols || t->rows != e->t->rows)
        st = qz_fail(e->x->err, QZ_EUSAGE, "the source has no tensor '%s' of that shape: '%s'", e->t->name,
                     e->x->o.against);
    float *y = st == QZ_OK ? qz_arena_alloc(&e->x->arena, t->cols, sizeof *y) : NULL;
    if (st == QZ_OK && y == NULL) st = qz_fail(e->x->err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) {
        size_t row = source_row(m, s.model, e->t, e->row);
        qz_tensor_decode(t, row, 1, y);
        const float more = qz_model_lacks(s.model, t->name) - qz_model_lacks(m, t->name); /* gains are compared */
        if (more != 0)
            qz_fit_printf(&e->x->text, 0,
                          "               one of the two stores gains minus one: the source's value below is as the "
                          "artifact's");
        y[e->col] += more;
        qz_fit_printf(&e->x->text, 13, "  source       %.9g (%s row %zu%s), difference %.3g", (double)y[e->col],
                        s.model->encoding, row, row == e->row ? "" : ": rotary order differs",
                        value - (double)y[e->col]);
        if (m->scheme && strcmp(m->scheme, "awq") == 0)
            qz_fit_printf(&e->x->text, 0,
                          "               AWQ scales channels before rounding: the inverse is in the norm or linear "
                          "before");
    }
    qz_source_release(&s);
    return st;
}

qz_status qz_explain_element(qz_explained *x, const char *path) {
    qz_source s = {0};
    element e = {.x = x};
    char type[32];
    QZ_TRY(parse_elem(x, x->o.elem, &e.row, &e.col));
    QZ_TRY(qz_source_open(x->run, path, &s, x->err));
    qz_status st = QZ_OK;
    qz_unread_json(&s.model->config.keys, "", &(qz_json_writer){.out = &x->unread, .comma = true});
    e.t = find(s.model, x->o.tensor);
    if (e.t == NULL) {
        st = unknown_tensor(x, s.model, x->o.tensor);
        goto out;
    }
    if (e.row >= e.t->rows || e.col >= e.t->cols) {
        st = qz_fail(x->err, QZ_EUSAGE,
                     "element %zu,%zu is outside tensor '%s': expected rows below %zu and columns below %zu", e.row,
                     e.col, e.t->file_name, e.t->rows, e.t->cols);
        goto out;
    }
    float *y = qz_arena_alloc(&x->arena, e.t->cols, sizeof *y);
    if (y == NULL) {
        st = qz_fail(x->err, QZ_EMEMORY, "out of memory");
        goto out;
    }
    qz_tensor_decode(e.t, e.row, 1, y);
    qz_fit_printf(&x->text, 2, "%s [%zu, %zu], %s, row %zu, column %zu", e.t->file_name, e.t->rows, e.t->cols,
                    qz_tensor_type_text(e.t, type), e.row, e.col);
    say_stack(x, e.t, place_in_stack(s.model, e.t));
    qz_fit_printf(&x->text, 13, "  file         %s, tensor data from byte %llu", qz_path_base(e.t->file),
                    (unsigned long long)e.t->offset);
    if (e.t->coded) QZ_GOTO(show_coded(&e));
    else QZ_GOTO(show_block(&e));
    qz_explain_line(x, "  value        %.9g", (double)y[e.col]);
    if (x->o.against) QZ_GOTO(show_source(&e, s.model, (double)y[e.col]));
out:
    qz_source_release(&s);
    return st;
}
