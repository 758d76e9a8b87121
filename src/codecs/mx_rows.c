#include "codecs/mx_rows.h"
#include "base/map.h"
#include "codecs/int_group.h"
#include "codecs/types.h"
#include <math.h>
#include <stdio.h>

enum { GROUP = 32, HALF = GROUP / 2, NOT_A_NUMBER = 255 };
typedef struct { qz_coded base; qz_mx_rows m; } stored;
static const qz_mx_rows *rows_of(const qz_coded *c) { return &((const stored *)(const void *)c)->m; }
static const uint8_t *codes_at(const qz_mx_rows *m, size_t row) { return m->codes + row * m->step * (m->cols / 2); }
static const uint8_t *scales_at(const qz_mx_rows *m, size_t row) {
    return m->scales + row * m->step * (m->cols / GROUP);
}

static qz_code_layout layout(const qz_coded *c) {
    return (qz_code_layout){.form = QZ_CODES_FLOAT, .name = "fp4", .bits = 4, .group = GROUP,
                            .groups = c->cols / GROUP, .element = QZ_E2M1, .stored = QZ_SCALE_E8M0, .tensor = 1};
}
static void codes(const qz_coded *c, size_t row, uint8_t *out) {
    qz_int_unpack_row(codes_at(rows_of(c), row), c->cols, 4, out);
}
static void decode(const qz_coded *c, size_t row, size_t first, size_t n, float *y) {
    const uint8_t *q = codes_at(rows_of(c), row), *s = scales_at(rows_of(c), row);
    for (size_t k = first; k < first + n; k++)
        y[k - first] = qz_small_decode(QZ_E2M1, (uint8_t)(q[k / 2] >> (k % 2 * 4) & 15)) * qz_e8m0_decode(s[k / GROUP]);
}
static float scale(const qz_coded *c, size_t row, size_t group, int *zero) {
    *zero = 0;
    return qz_e8m0_decode(scales_at(rows_of(c), row)[group]);
}
static uint64_t held(const qz_coded *c) {
    (void)c;
    return 0;
}
static void text(const qz_coded *c, char out[32]) {
    (void)c;
    (void)snprintf(out, 32, "mxfp4 g%d", GROUP);
}
static void hash(const qz_coded *c, qz_sha256 *h) {
    for (size_t r = 0; r < c->rows; r++) {
        qz_sha256_update(h, codes_at(rows_of(c), r), c->cols / 2);
        qz_sha256_update(h, scales_at(rows_of(c), r), c->cols / GROUP);
    }
}
static qz_type float_type(const qz_coded *c) {
    (void)c;
    return QZ_TYPE_BF16;
}
static void explain(const qz_coded *c, size_t row, size_t col, uint64_t offset, qz_str *out) {
    const qz_mx_rows *m = rows_of(c);
    const size_t at = row * m->step * (m->cols / 2) + col / 2;
    const uint8_t byte = m->codes[at], q = (uint8_t)(byte >> (col % 2 * 4) & 15),
                  e = scales_at(m, row)[col / GROUP];
    qz_str_printf(out, "  scale        2^%d (byte %u; of %d values)\n", e - 127, e, GROUP);
    qz_str_printf(out, "  code         byte %llu: %02x, %s nibble %u, E2M1 %.9g: %.9g x %.9g\n",
                  (unsigned long long)(offset + at), byte, col % 2 ? "high" : "low", q,
                  (double)qz_small_decode(QZ_E2M1, q), (double)qz_small_decode(QZ_E2M1, q),
                  (double)qz_e8m0_decode(e));
}
static void forget(const qz_coded *c) {
    const qz_mx_rows *m = rows_of(c);
    const size_t all = (m->rows - 1) * m->step + 1; /* others' rows between them too */
    qz_map_forget(m->codes, all * (m->cols / 2));
    qz_map_forget(m->scales, all * (m->cols / GROUP));
}
static bool bad_scale(const qz_coded *c, size_t *row, size_t *group, float *s) {
    for (*row = 0; *row < c->rows; ++*row)
        for (*group = 0; *group < c->cols / GROUP; ++*group)
            if (scales_at(rows_of(c), *row)[*group] == NOT_A_NUMBER) return *s = NAN, true;
    return false;
}
/* A GGUF block: the scale's byte, then elements 0 to 15 in the low and 16 to 31 in the high nibbles. */
static bool blocks(const qz_coded *c, qz_type type, uint8_t *out) {
    if (type != QZ_TYPE_MXFP4) return false;
    for (size_t r = 0; out && r < c->rows; r++)
        for (size_t g = 0; g < c->cols / GROUP; g++) {
            const uint8_t *q = codes_at(rows_of(c), r) + g * HALF;
            *out++ = scales_at(rows_of(c), r)[g];
            for (size_t k = 0; k < HALF; k++) {
                const unsigned shift = k % 2 * 4;
                *out++ = (uint8_t)((q[k / 2] >> shift & 15) | (q[HALF / 2 + k / 2] >> shift & 15) << 4);
            }
        }
    return true;
}

static const qz_coded_ops ops = {.name = "mxfp4 rows", .number = 21, .layout = layout, .decode = decode, .codes = codes,
                                 .scale = scale, .held = held, .text = text, .hash = hash, .float_type = float_type,
                                 .explain = explain, .forget = forget, .bad_scale = bad_scale, .blocks = blocks};

const qz_coded *qz_mx_rows_coded(const qz_mx_rows *m, qz_arena *arena) {
    stored *x = qz_arena_alloc(arena, 1, sizeof *x);
    if (x == NULL) return NULL;
    *x = (stored){{&ops, m->rows, m->cols}, *m};
    return &x->base;
}
bool qz_mx_rows_is(const qz_coded *c) { return c && c->ops == &ops; }
