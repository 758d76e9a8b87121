/* Runtime products: packing and activation codes bit for bit, sums within rounding of a computation in double. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "codecs/bnb.h"
#include "codecs/int_group.h"
#include "base/half.h"
#include "base/size.h"
#include "check.h"
#include "codecs/fields.h"
#include "codecs/types.h"

/* want and room (sum of magnitudes) of one dot product of n terms. */
typedef struct { double want, room; size_t n; } sum;

static void expect_near(check *c, float got, const sum *s, const char *what, size_t a, size_t b) {
    double limit = (1 + sqrt((double)s->n)) * (double)FLT_EPSILON * s->room;
    expect(c, fabs((double)got - s->want) <= limit, "%s at %zu, %zu: %.9g, expected %.9g within %.3g", what, a, b,
           (double)got, s->want, limit);
}

/* ---- layout ---- */
static void check_layout(check *c) {
    c->op = "layout";
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t) {
        const qz_layout *l = qz_layout_get((qz_type)t);
        if (!l) continue;
        size_t body = 0;
        for (size_t s = 0; s < 3; ++s) body += l->body[s].bytes;
        expect(c, body + 2u * l->heads == l->bytes, "%s: spans cover %zu of %u bytes", qz_type_get((qz_type)t)->name,
               body, l->bytes);
        const size_t parts = l->source_elems / l->elems;
        for (size_t rows = 1; rows <= QZ_PANEL; ++rows)
            for (size_t at = 0; at < 2 * parts; ++at) {
                guarded gs, gb;
                size_t stride = 2u * l->source_bytes + 3u;
                uint8_t *src = guard_open(&gs, (rows - 1) * stride + 2u * l->source_bytes, 1, 1),
                        *packed = guard_open(&gb, l->block_bytes, 1, 0);
                float y[256], want[512];
                fill_bytes(c, src, (rows - 1) * stride + 2u * l->source_bytes);
                qz_layout_pack(l, src, stride, rows, at, packed);
                for (size_t r = 0; r < rows; ++r) {
                    qz_layout_values(l, packed, r, y);
                    qz_type_get((qz_type)t)->decode(src + r * stride, 2u * l->source_elems, want);
                    for (size_t k = 0; k < l->elems; ++k) /* a scale that is not finite says nothing */
                        if (isfinite(want[at * l->elems + k]))
                            expect(c, y[k] == want[at * l->elems + k], "row %zu of %zu, value %zu", r, rows, k);
                }
                for (size_t r = rows; r < QZ_PANEL; ++r) {
                    qz_layout_values(l, packed, r, y);
                    for (size_t k = 0; k < l->elems; ++k) expect(c, y[k] == 0, "row %zu behind %zu", r, rows);
                }
                guard_close(c, &gs), guard_close(c, &gb);
            }
    }
}

/* ---- activations ---- */
static void check_act(check *c, qz_act_fn fn, qz_act_fn ref, size_t elems, size_t size) {
    for (size_t blocks = 0; blocks < 6; ++blocks)
        for (int kind = 0; kind < DATA_KINDS; ++kind) {
            guarded gx, gy, gw;
            size_t stride = size * 3, bytes = blocks ? (blocks - 1) * stride + size : 0;
            float *x = guard_open(&gx, blocks * elems, 4, 4);
            uint8_t *y = guard_open(&gy, bytes, 1, 4), *w = guard_open(&gw, bytes, 1, 0);
            fill_floats(c, x, blocks * elems, kind);
            if (blocks > 2) x[elems] = (float)NAN, x[2 * elems + 1] = (float)INFINITY;
            fn(x, blocks * elems, y, stride);
            ref(x, blocks * elems, w, stride);
            for (size_t b = 0; b < blocks; ++b)
                expect(c, memcmp(y + b * stride, w + b * stride, size) == 0, "block %zu of %zu, data %d", b, blocks,
                       kind);
            guard_close(c, &gx), guard_close(c, &gy), guard_close(c, &gw);
        }
}

/* One block of activations in double. */
static double act_value(const uint8_t *act, size_t elems, size_t k) {
    float d;
    memcpy(&d, act + (elems == 32 ? offsetof(qz_act32, d) : offsetof(qz_act256, d)), 4);
    return (double)(int8_t)act[k] * (double)d;
}

/* ---- products of block types ---- */

/* Decoded values of a block whose codes are 0: minus the minimum of each value, for types that have one (two
 * 16-bit fields). */
static void block_minima(const qz_layout *l, const uint8_t *block, float *y) {
    uint8_t copy[256];
    memcpy(copy, block, l->bytes);
    /* K: span 0 = scales */
    for (size_t s = l->elems == 256 ? 1 : 0; s < 3; ++s) memset(copy + l->body[s].at, 0, l->body[s].bytes);
    qz_type_get(l->type)->decode(copy, l->elems, y);
}

/* Sums of a row and a token: weights from the codec, activations as quantized. Codes and minima are summed apart by the
 * kernels, so the room counts both of their magnitudes. */
static sum dot_sum(qz_type t, const uint8_t *row, size_t blocks, const uint8_t *act, size_t stride) {
    const qz_layout *l = qz_layout_get(t);
    const size_t cols = blocks * l->elems;
    float *w = qz_alloc_array(cols + 1, 4), m[256] = {0};
    sum s = {0, 0, cols};
    qz_type_get(t)->decode(row, cols, w);
    for (size_t b = 0; b < blocks; ++b, act += stride) {
        if (l->heads == 2 && !l->written) block_minima(l, row + b * l->bytes, m);
        for (size_t k = 0; k < l->elems; ++k) {
            double a = act_value(act, l->elems, k);
            s.want += (double)w[b * l->elems + k] * a;
            s.room += (fabs((double)w[b * l->elems + k] - (double)m[k]) + fabs((double)m[k])) * fabs(a);
        }
    }
    qz_free(w);
    return s;
}

/* Scales that are finite, among codes of any kind. */
static uint16_t some_half(check *c) {
    return (uint16_t)(0x1c00 + qz_rng_below(&c->rng, 0x1800) + (qz_rng_below(&c->rng, 2) << 15));
}
static void fill_heads(check *c, const qz_layout *l, uint8_t *data, size_t n) {
    for (size_t b = 0; b < n; ++b) {
        uint8_t *block = data + b * l->source_bytes;
        for (size_t f = 0; f < l->heads && !l->written; ++f) {
            uint16_t h = some_half(c);
            memcpy(block + l->head_at[f], &h, 2);
        }
        if (!l->written) continue;
        qz_block_fields f;
        qz_block_unpack(l->type, block, &f);
        f.d = l->heads == 2 ? 1 : qz_f16_to_f32(some_half(c));
        if (l->bf16) f.d = ldexpf(1, (int)qz_rng_below(&c->rng, 60) - 50);
        qz_block_pack(l->type, &f, block);
    }
}

/* extreme: activations of ±127 and weights of all ones bits, where narrow sums would overflow. */
static void check_dot(check *c, const qz_layout *l, size_t blocks, size_t tokens, bool extreme) {
    const size_t size = l->elems == 32 ? sizeof(qz_act32) : sizeof(qz_act256);
    const size_t own = blocks * l->elems / l->source_elems, row = own * l->source_bytes; /* blocks of the type itself */
    guarded gw, gp, ga, go;
    uint8_t *data = guard_open(&gw, QZ_PANEL, row, 0), *panel = guard_open(&gp, blocks, l->block_bytes, 2);
    uint8_t *act = guard_open(&ga, blocks * tokens, size, 4);
    float *out = guard_open(&go, tokens, QZ_PANEL * 4, 4), *x = qz_alloc_array(blocks * l->elems + 1, 4);
    fill_bytes(c, data, QZ_PANEL * row);
    for (size_t b = 0; extreme && b < QZ_PANEL * own; ++b) {
        uint8_t *block = data + b * l->source_bytes;
        if (l->written) memset(block, b % 3 ? 0xff : b % 2 ? 0 : 0x80, l->source_bytes);
        for (size_t s = 0; s < 3 && !l->written; ++s)
            memset(block + l->body[s].at, b % 3 ? 0xff : 0x80, l->body[s].bytes);
    }
    fill_heads(c, l, data, QZ_PANEL * own);
    for (size_t t = 0; t < tokens; ++t) {
        fill_floats(c, x, blocks * l->elems, extreme ? DATA_ZERO : DATA_NORMAL);
        for (size_t k = 0; extreme && k < blocks * l->elems; ++k)
            x[k] = t % 2 ? -1.0f : t % 4 == 2 && k % 2 ? -1.0f : 1.0f;
        (l->elems == 32 ? c->ref->act_q8_0 : c->ref->act_q8_k)(x, blocks * l->elems, act + t * size, tokens * size);
    }
    for (size_t b = 0; b < blocks; ++b)
        qz_layout_pack(l, data, row, QZ_PANEL, b, panel + b * l->block_bytes);
    c->ops->dot[l->type](l, panel, blocks, act, tokens, out);
    for (size_t t = 0; t < tokens; ++t)
        for (size_t r = 0; r < QZ_PANEL; ++r) {
            sum s = dot_sum(l->type, data + r * row, blocks, act + t * size, tokens * size);
            expect_near(c, out[t * QZ_PANEL + r], &s, "token, row", t, r);
        }
    qz_free(x);
    guard_close(c, &gw), guard_close(c, &gp), guard_close(c, &ga), guard_close(c, &go);
}

static void check_dots(check *c) {
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t) {
        if (!c->ops->dot[t] || (c->level != QZ_CPU_REF && c->ops->dot[t] == c->ref->dot[t])) continue;
        c->op = qz_type_get((qz_type)t)->name;
        const qz_layout *l = qz_layout_get((qz_type)t);
        const size_t parts = l->source_elems / l->elems;
        for (size_t tokens = 1; tokens <= QZ_TOKENS; ++tokens)
            for (size_t blocks = 0; blocks < 4; ++blocks)
                for (int extreme = 0; extreme < 2; ++extreme) check_dot(c, l, blocks * parts, tokens, extreme);
        check_dot(c, l, 30 * parts, 3, false);
    }
}

/* ---- float rows ---- */
static void check_fdot(check *c, qz_type t, qz_fdot_fn fn) {
    const size_t size = qz_type_get(t)->bytes;
    c->op = qz_type_get(t)->name;
    for (size_t cols = 0; cols < 1100; cols += cols < 80 ? 1 : 333)
        for (size_t tokens = 1; tokens <= 4; ++tokens) {
            guarded gw, gx, go;
            uint8_t *w = guard_open(&gw, 4 * cols, size, 2);
            float *x = guard_open(&gx, tokens * (cols + 1), 4, 4), *out = guard_open(&go, tokens, 16, 4),
                  *v = qz_alloc_array(cols + 1, 4);
            fill_floats(c, x, tokens * (cols + 1), DATA_NORMAL);
            const uint8_t *rows[4] = {w, w + cols * size, w + 2 * cols * size, w + 3 * cols * size};
            for (size_t r = 0; r < 4; ++r) {
                fill_floats(c, v, cols, DATA_NORMAL);
                qz_type_get(t)->encode(v, NULL, cols, w + r * cols * size);
            }
            fn(rows, x, cols + 1, tokens, cols, out);
            for (size_t r = 0; r < 4; ++r) {
                qz_type_get(t)->decode(rows[r], cols, v);
                for (size_t i = 0; i < tokens; ++i) {
                    sum s = {0, 0, cols};
                    for (size_t k = 0; k < cols; ++k) {
                        double p = (double)v[k] * (double)x[i * (cols + 1) + k];
                        s.want += p, s.room += fabs(p);
                    }
                    expect_near(c, out[4 * i + r], &s, "token, row", i, r);
                }
            }
            qz_free(v);
            guard_close(c, &gw), guard_close(c, &gx), guard_close(c, &go);
        }
}

/* ---- 16-bit rows times one token in float16 ---- */
static void check_halve(check *c) {
    c->op = "halve";
    for (size_t cols = 0; cols < 1100; cols += cols < 80 ? 1 : 333)
        for (int kind = DATA_NORMAL; kind <= DATA_LIMITS; ++kind) {
            guarded gx, ga, gb;
            float *x = guard_open(&gx, cols, 4, 4);
            uint16_t *a = guard_open(&ga, cols, 2, 2), *b = guard_open(&gb, cols, 2, 2);
            fill_floats(c, x, cols, kind);
            float ua = c->ops->halve(x, cols, a), ub = c->ref->halve(x, cols, b);
            expect(c, ua == ub && memcmp(a, b, 2 * cols) == 0, "differs from the reference at %zu columns", cols);
            for (size_t k = 0; k < cols && kind == DATA_NORMAL; ++k) {
                float v = qz_f16_to_f32(a[k]) * ua;
                expect(c, fabsf(v - x[k]) <= 0x1p-11f * fabsf(x[k]) + 0x1p-38f,
                       "column %zu of %zu came back as another value", k, cols);
            }
            guard_close(c, &gx), guard_close(c, &ga), guard_close(c, &gb);
        }
}

static void check_hdot(check *c, qz_type t, qz_hdot_fn fn) {
    c->op = qz_type_get(t)->name;
    for (size_t cols = 0; cols < 1100; cols += cols < 80 ? 1 : 333) {
        enum { ROWS = 3 };
        guarded gw, gx, go;
        uint8_t *w = guard_open(&gw, ROWS * cols, 2, 2);
        uint16_t *x = guard_open(&gx, cols, 2, 2);
        float *out = guard_open(&go, ROWS, 4, 4), *v = qz_alloc_array(ROWS * cols + 1, 4);
        fill_floats(c, v, cols, DATA_NORMAL);
        float unit = c->ref->halve(v, cols, x);
        fill_floats(c, v, ROWS * cols, DATA_NORMAL);
        qz_type_get(t)->encode(v, NULL, ROWS * cols, w);
        qz_type_get(t)->decode(w, ROWS * cols, v);
        fn(w, ROWS, cols, x, unit, out);
        for (size_t r = 0; r < ROWS; ++r) {
            sum s = {0, 0, cols};
            for (size_t k = 0; k < cols; ++k) {
                double p = (double)v[r * cols + k] * (double)qz_f16_to_f32(x[k]) * (double)unit;
                s.want += p, s.room += fabs(p);
            }
            expect_near(c, out[r], &s, "row", r, 0);
        }
        qz_free(v);
        guard_close(c, &gw), guard_close(c, &gx), guard_close(c, &go);
    }
}

/* ---- the whole call ---- */
enum { GROUPS = QZ_TYPE_NONE + 1, BNB, WIDE }; /* kinds of coded matrices among the types of a case */
typedef struct { qz_weights w; qz_int_group g; qz_bnb b; qz_packed *p; float *y; guarded gy; } matrix;

static void matrix_open(check *c, qz_mm *mm, matrix *m, qz_type t, size_t rows, size_t cols, size_t n) {
    size_t rb = 0;
    uint8_t *data = NULL;
    if (t < QZ_TYPE_COUNT) {
        (void)qz_row_bytes(t, cols, &rb, NULL);
        float *v = qz_alloc_array(cols, 4);
        data = qz_alloc_array(rows, rb);
        for (size_t r = 0; r < rows; ++r) {
            fill_floats(c, v, cols, DATA_NORMAL);
            qz_type_get(t)->encode(v, NULL, cols, data + r * rb);
        }
        qz_free(v);
    }
    const bool groups = (int)t == GROUPS || (int)t == WIDE, coded = groups || (int)t == BNB;
    m->w = (qz_weights){.type = coded ? QZ_TYPE_CODED : t, .rows = rows, .cols = cols, .data = data,
                        .coded = groups ? &m->g.base : coded ? &m->b.base : NULL};
    m->y = guard_open(&m->gy, n * rows, 4, 0);
    qz_error err = {0};
    expect(c, qz_packed_open(mm, &m->w, &m->p, &err) == QZ_OK, "open: %s", err.text);
}

static void group_fill(check *c, qz_int_group *g, uint32_t bits, size_t rows, size_t cols, uint32_t size,
                       bool act_order) {
    *g = (qz_int_group){.base = {&qz_int_group_ops, rows, cols}, .bits = bits, .group_size = size, .rows = rows,
                        .cols = cols, .groups = cols / size};
    size_t rb = qz_int_group_row_bytes(bits, cols), n = rows * g->groups;
    uint8_t *codes = qz_alloc_array(rows, rb), *zeros = qz_alloc_array(n, 1);
    uint16_t *scales = qz_alloc_array(n, 2);
    fill_bytes(c, codes, rows * rb), fill_bytes(c, zeros, n);
    for (size_t i = 0; i < n; ++i) scales[i] = (uint16_t)(0x1c00 + qz_rng_below(&c->rng, 0x1800));
    uint32_t *idx = act_order ? qz_alloc_array(cols, 4) : NULL;
    /* cols prime to 7: a permutation */
    for (size_t k = 0; act_order && k < cols; ++k) idx[k] = (uint32_t)(k * 7 % cols / size);
    g->codes = codes, g->scales = scales, g->zero_points = zeros, g->g_idx = idx;
}

/* Scales of other types: bfloat16 beyond float16 (i 0), float32 (1), bfloat16 that float16 holds (2). */
static void group_widen(check *c, qz_int_group *g, size_t i) {
    const size_t n = g->rows * g->groups;
    qz_free((void *)(uintptr_t)g->scales);
    float *wide = qz_alloc_array(n, 4);
    uint16_t *brain = (uint16_t *)(void *)wide;
    for (size_t k = 0; k < n; ++k) {
        const float s = 0.01f + 1e-5f * (float)qz_rng_below(&c->rng, 1000);
        if (i == 1) wide[k] = s;
        else brain[k] = qz_f32_to_bf16(i == 0 ? s * 0x1p30f : s);
    }
    g->scales = wide;
    g->scale_type = i == 1 ? QZ_SCALE_F32 : QZ_SCALE_BF16;
}

static void bnb_fill(check *c, qz_bnb *b, qz_bnb_kind kind, size_t rows, size_t cols) {
    size_t bytes = qz_bnb_code_bytes(kind, rows, cols), n = kind == QZ_BNB_INT8 ? rows : rows * cols / QZ_BNB_BLOCK;
    uint8_t *codes = qz_alloc_array(bytes, 1);
    float *absmax = qz_alloc_array(n, 4);
    fill_bytes(c, codes, bytes), fill_floats(c, absmax, n, DATA_NORMAL);
    *b = (qz_bnb){.base = {&qz_bnb_ops, rows, cols}, .kind = kind, .rows = rows, .cols = cols,
                  .block = kind == QZ_BNB_INT8 ? cols : QZ_BNB_BLOCK, .n_absmax = n, .codes = codes, .absmax = absmax,
                  .table = kind == QZ_BNB_FP4 ? qz_bnb_fp4 : qz_bnb_nf4, .dtype = QZ_TYPE_F32};
}

static void matrix_close(check *c, matrix *m) {
    qz_packed_free(m->p);
    qz_free((void *)(uintptr_t)m->w.data);
    if (qz_int_group_of(m->w.coded))
        qz_free((void *)(uintptr_t)m->g.codes), qz_free((void *)(uintptr_t)m->g.scales),
            qz_free((void *)(uintptr_t)m->g.zero_points), qz_free((void *)(uintptr_t)m->g.g_idx);
    if (qz_bnb_of(m->w.coded)) qz_free((void *)(uintptr_t)m->b.codes), qz_free((void *)(uintptr_t)m->b.absmax);
    guard_close(c, &m->gy);
}

/* A token as integer groups meet it: steps of 32 columns, in the order of the groups. */
static void sixteen(check *c, const qz_int_group *g, const float *x, float *out) {
    float *ordered = qz_alloc_array(g->cols, 4);
    size_t *order = qz_alloc_array(g->cols, sizeof *order), n = 0;
    int16_t *q = qz_alloc_array(g->cols, 2);
    qz_act16 *act = qz_alloc_array(g->cols / 32, sizeof *act);
    for (uint32_t i = 0; i < g->groups; ++i)
        for (size_t k = 0; k < g->cols; ++k)
            if ((g->g_idx ? g->g_idx[k] : k / g->group_size) == i) order[n++] = k;
    for (size_t k = 0; k < g->cols; ++k) ordered[k] = x[order[k]];
    c->ref->act_16(ordered, g->cols / 32, 32, q, act);
    for (size_t k = 0; k < g->cols; ++k) out[order[k]] = (float)q[k] * act[k / 32].d;
    qz_free(ordered), qz_free(order), qz_free(q), qz_free(act);
}

static void matrix_expect(check *c, const matrix *m, const float *x, size_t n) {
    const qz_layout *l = m->w.coded ? NULL : qz_layout_get(m->w.type);
    const size_t cols = m->w.cols;
    float *w = qz_alloc_array(cols, 4), *rounded = qz_alloc_array(cols, 4);
    uint8_t *act = qz_alloc_array(cols / 32 + 1, sizeof(qz_act256));
    if (n == 1 && (m->w.type == QZ_TYPE_F16 || m->w.type == QZ_TYPE_BF16)) { /* one token in float16 */
        uint16_t *half = qz_alloc_array(cols, 2);
        float unit = c->ref->halve(x, cols, half);
        for (size_t k = 0; k < cols; ++k) rounded[k] = qz_f16_to_f32(half[k]) * unit;
        qz_free(half);
        x = rounded;
    }
    for (size_t t = 0; t < n; ++t) {
        size_t size = l && l->elems == 32 ? sizeof(qz_act32) : sizeof(qz_act256);
        if (l) (l->elems == 32 ? c->ref->act_q8_0 : c->ref->act_q8_k)(x + t * cols, cols, act, size);
        for (size_t r = 0; r < m->w.rows; ++r) {
            sum s = {0, 0, cols};
            if (l) {
                s = dot_sum(m->w.type, (const uint8_t *)m->w.data + r * (cols / l->source_elems) * l->source_bytes,
                            cols / l->elems,
                            act, size);
            } else {
                double top = 0;
                const bool whole = n <= 24 && qz_int_group_of(m->w.coded) != NULL; /* tokens of 16 bits */
                if (whole) sixteen(c, &m->g, x + t * cols, rounded);
                const float *v = whole ? rounded : x + t * cols;
                if (m->w.coded) qz_coded_decode_row(m->w.coded, r, w);
                else
                    qz_type_get(m->w.type)->decode((const uint8_t *)m->w.data +
                                                       r * cols * qz_type_get(m->w.type)->bytes,
                                                   cols, w);
                /* code and zero cancel */
                for (size_t k = 0; qz_int_group_of(m->w.coded) && k < cols; ++k) top = fmax(top, fabs((double)w[k]));
                for (size_t k = 0; k < cols; ++k) {
                    s.want += (double)w[k] * (double)v[k];
                    s.room += (fabs((double)w[k]) + top) * fabs((double)v[k]);
                }
            }
            expect_near(c, m->y[t * m->w.rows + r], &s, qz_packed_kernel(m->p), t, r);
        }
    }
    qz_free(w), qz_free(act), qz_free(rounded);
}

/* Several matrices of different types that share the input. */
static void check_call(check *c, qz_mm *mm, const qz_type *types, size_t n_w, size_t cols, size_t n, bool act_order) {
    matrix m[4];
    const qz_packed *p[4];
    float *y[4], *x = qz_alloc_array(n * cols, 4);
    fill_floats(c, x, n * cols, DATA_NORMAL);
    for (size_t i = 0; i < n_w; ++i) {
        size_t rows = 13 + 20 * i;
        if ((int)types[i] == GROUPS) group_fill(c, &m[i].g, i % 2 ? 8 : i == 2 ? 3 : 4, rows, cols, 64, act_order);
        if ((int)types[i] == WIDE) {
            group_fill(c, &m[i].g, i == 1 ? 8 : 4, rows, cols, 64, act_order);
            group_widen(c, &m[i].g, i);
        }
        if ((int)types[i] == BNB)
            bnb_fill(c, &m[i].b, i == 0 ? QZ_BNB_NF4 : i == 1 ? QZ_BNB_INT8 : QZ_BNB_FP4, rows, cols);
        matrix_open(c, mm, &m[i], types[i], rows, cols, n);
        p[i] = m[i].p;
        y[i] = m[i].y;
    }
    qz_error err = {0};
    expect(c, qz_mm_packed(mm, p, n_w, x, n, y, &err) == QZ_OK, "call: %s", err.text);
    for (size_t i = 0; i < n_w; ++i) {
        matrix_expect(c, &m[i], x, n);
        matrix_close(c, &m[i]);
    }
    qz_free(x);
}

static void check_calls(check *c, size_t threads) {
    static const size_t tokens[] = {1, 2, 7, 8, 9, 29};
    static const qz_type mixes[][3] = {{QZ_TYPE_Q4_K, QZ_TYPE_Q6_K, QZ_TYPE_Q8_0},
                                       {QZ_TYPE_F16, QZ_TYPE_BF16, QZ_TYPE_F32},
                                       {QZ_TYPE_Q5_K, QZ_TYPE_F16, QZ_TYPE_Q4_0},
                                       {QZ_TYPE_Q2_K, QZ_TYPE_Q3_K, QZ_TYPE_Q5_1},
                                       {(qz_type)GROUPS, (qz_type)GROUPS, (qz_type)GROUPS},
                                       {(qz_type)BNB, (qz_type)BNB, (qz_type)BNB},
                                       {(qz_type)WIDE, (qz_type)WIDE, (qz_type)WIDE}};
    qz_run run;
    qz_mm *mm = NULL;
    qz_error err = {0};
    if (qz_run_init(&run, threads, &err) != QZ_OK) exit(3);
    run.cpu = c->level;
    if (qz_mm_open(&run, &mm, &err) != QZ_OK) exit(3);
    c->op = "packed";
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; ++i)
        for (size_t k = 0; k < sizeof tokens / sizeof *tokens; ++k)
            check_call(c, mm, mixes[i], 3, 512 * (1 + i % 2), tokens[k], k % 2 == 0);
    qz_mm_free(mm);
    qz_run_release(&run);
}

/* The n-th allocation fails, for n = 1, 2, … until everything succeeds: an error each time, nothing lost,
 * nothing freed twice. */
static void check_memory(check *c) {
    enum { ROWS = 20, COLS = 512, N = 3 };
    static float x[N * COLS], y[2][N * ROWS];
    static double gram[40 * 40];
    float *out[2] = {y[0], y[1]};
    uint8_t *data = qz_calloc_array(ROWS * COLS / 256, 144);
    qz_int_group g;
    group_fill(c, &g, 4, ROWS, COLS, 64, true);
    const qz_weights w[2] = {{.type = QZ_TYPE_Q4_K, .rows = ROWS, .cols = COLS, .data = data},
                             {.type = QZ_TYPE_CODED, .rows = ROWS, .cols = COLS, .coded = &g.base}};
    qz_run run = {.cpu = c->level};
    qz_status st = QZ_EMEMORY;
    c->op = "memory";
    for (long n = 1; st != QZ_OK && n < 100; ++n) {
        qz_mm *mm = NULL;
        qz_packed *p[2] = {NULL, NULL};
        qz_error err = {0};
        qz_alloc_fail_after(n);
        st = qz_mm_open(&run, &mm, &err);
        for (size_t i = 0; st == QZ_OK && i < 2; ++i) st = qz_packed_open(mm, &w[i], &p[i], &err);
        if (st == QZ_OK) st = qz_mm_packed(mm, (const qz_packed *const *)p, 2, x, N, out, &err);
        if (st == QZ_OK) st = qz_mm_gram(mm, x, 25, 40, gram, &err);
        qz_alloc_fail_after(0);
        expect(c, st == QZ_OK || (st == QZ_EMEMORY && err.text[0]), "allocation %ld: status %d, '%s'", n, (int)st,
               err.text);
        qz_packed_free(p[0]);
        qz_mm_free(mm); /* before the second packed matrix: either order is allowed */
        qz_packed_free(p[1]);
    }
    expect(c, st == QZ_OK, "never succeeded");
    qz_free(data), qz_free((void *)(uintptr_t)g.codes), qz_free((void *)(uintptr_t)g.scales);
    qz_free((void *)(uintptr_t)g.zero_points), qz_free((void *)(uintptr_t)g.g_idx);
}

void check_packed(check *c) {
    if (c->level == QZ_CPU_REF) check_layout(c);
    if (c->level == QZ_CPU_REF || c->ops->act_q8_0 != c->ref->act_q8_0) {
        c->op = "act_q8_0";
        check_act(c, c->ops->act_q8_0, c->ref->act_q8_0, 32, sizeof(qz_act32));
        c->op = "act_q8_k";
        check_act(c, c->ops->act_q8_k, c->ref->act_q8_k, 256, sizeof(qz_act256));
    }
    check_dots(c);
    check_fdot(c, QZ_TYPE_F32, c->ops->fdot_f32);
    check_fdot(c, QZ_TYPE_F16, c->ops->fdot_f16);
    check_fdot(c, QZ_TYPE_BF16, c->ops->fdot_bf16);
    check_halve(c);
    check_hdot(c, QZ_TYPE_F16, c->ops->hdot_f16);
    check_hdot(c, QZ_TYPE_BF16, c->ops->hdot_bf16);
    check_memory(c);
    check_calls(c, 1);
    check_calls(c, 3);
}
