#include "codecs/split_rows.h"
#include "codecs/types.h"
#include <stdio.h>
#include <string.h>

enum { MOST_BLOCK = 256 }; /* values of a block of any type */

/* Values [first, first + n) of a row. */
static void part_of_row(const qz_matrix_ref *m, size_t row, size_t first, size_t n, float *y) {
    float block[MOST_BLOCK];
    if (m->coded) { /* from a multiple of 8 on */
        for (size_t k = first, take; n; k += take, y += take, n -= take) {
            const size_t from = k & ~(size_t)7, left = m->cols - from;
            m->coded->ops->decode(m->coded, m->first_row + row, from, left < 8 ? left : 8, block);
            take = from + 8 - k < n ? from + 8 - k : n;
            memcpy(y, block + (k - from), take * sizeof *y);
        }
        return;
    }
    const qz_type_info *t = qz_type_get(m->type);
    const uint8_t *at = (const uint8_t *)m->data + row * (m->cols / t->elems * t->bytes);
    for (size_t k = first, take; n; k += take, y += take, n -= take) {
        const size_t b = k / t->elems;
        take = (b + 1) * t->elems - k < n ? (b + 1) * t->elems - k : n;
        t->decode(at + b * t->bytes, t->elems, block);
        memcpy(y, block + (k - b * t->elems), take * sizeof *y);
    }
}
static float value_of(const qz_matrix_ref *m, size_t row, size_t col) {
    float y;
    part_of_row(m, row, col, 1, &y);
    return y;
}

static qz_type float_of(const qz_matrix_ref *m) {
    if (m->coded) return m->coded->ops->float_type(m->coded);
    return m->type == QZ_TYPE_F32 || m->type == QZ_TYPE_BF16 ? m->type : QZ_TYPE_F16;
}
static void text_of(const qz_matrix_ref *m, char out[32]) {
    if (m->coded) m->coded->ops->text(m->coded, out);
    else (void)snprintf(out, 32, "%s", qz_type_get(m->type)->name);
}
static void hash_rows(const qz_coded *c, qz_sha256 *h) { /* by what it decodes to: it has no bytes of its own */
    float x[64];
    for (size_t r = 0; r < c->rows; r++)
        for (size_t k = 0; k < c->cols; k += 64) {
            const size_t n = c->cols - k < 64 ? c->cols - k : 64;
            c->ops->decode(c, r, k, n, x);
            qz_sha256_update(h, x, n * sizeof *x);
        }
}
static uint64_t held(const qz_coded *c) {
    (void)c;
    return 0;
}

/* ---- turned ---- */
typedef struct { qz_coded base; qz_matrix_ref m; size_t row; } turned;
static void decode_turned(const qz_coded *c, size_t row, size_t first, size_t n, float *y) {
    const turned *t = (const turned *)c;
    for (size_t k = 0; k < n; k++) y[k] = value_of(&t->m, t->row + first + k, row);
}
static void text_turned(const qz_coded *c, char out[32]) { text_of(&((const turned *)c)->m, out); }
static qz_type float_turned(const qz_coded *c) { return float_of(&((const turned *)c)->m); }
static qz_code_layout layout_turned(const qz_coded *c) {
    return (qz_code_layout){.form = QZ_CODES_FLOAT, .name = "turned", .bits = 16, .group = c->cols, .groups = 1};
}
static const qz_coded_ops turned_ops = {.name = "turned rows", .number = 0x7475726eu, .layout = layout_turned,
                                        .decode = decode_turned, .held = held, .text = text_turned, .hash = hash_rows,
                                        .float_type = float_turned};

const qz_coded *qz_turned(const qz_matrix_ref *m, size_t row, size_t n, qz_arena *arena) {
    turned *t = qz_arena_alloc(arena, 1, sizeof *t);
    if (t) *t = (turned){{&turned_ops, m->cols, n}, *m, row};
    return t ? &t->base : NULL;
}

/* ---- joined ---- */
typedef struct { qz_coded base; qz_kv_sizes s; const qz_matrix_ref *k, *v; } joined;
static void decode_joined(const qz_coded *c, size_t row, size_t first, size_t n, float *y) {
    const joined *j = (const joined *)c;
    const size_t head = row / (j->s.nope + j->s.v), r = row % (j->s.nope + j->s.v);
    if (r >= j->s.nope) {
        part_of_row(&j->v[head], r - j->s.nope, first, n, y);
        return;
    }
    for (size_t k = 0; k < n; k++) y[k] = value_of(&j->k[head], first + k, r);
}
static void text_joined(const qz_coded *c, char out[32]) { text_of(((const joined *)c)->k, out); }
static qz_type float_joined(const qz_coded *c) { return float_of(((const joined *)c)->k); }
static const qz_coded_ops joined_ops = {.name = "joined heads", .number = 0x6a6f696eu, .layout = layout_turned,
                                        .decode = decode_joined, .held = held, .text = text_joined, .hash = hash_rows,
                                        .float_type = float_joined};

const qz_coded *qz_kv_joined(const qz_matrix_ref *k, const qz_matrix_ref *v, const qz_kv_sizes *s, qz_arena *arena) {
    joined *j = qz_arena_alloc(arena, 1, sizeof *j);
    qz_matrix_ref *all = qz_arena_alloc(arena, 2 * s->heads, sizeof *all);
    if (j == NULL || all == NULL) return NULL;
    memcpy(all, k, s->heads * sizeof *all);
    memcpy(all + s->heads, v, s->heads * sizeof *all);
    *j = (joined){{&joined_ops, s->heads * (s->nope + s->v), s->rank}, *s, all, all + s->heads};
    return &j->base;
}
