/* Integer group codec (int_group.h): bit fields along the row, little endian, as one long bit stream per row. */
#include "codecs/int_group.h"
#include "codecs/codecs_int.h"
#include "codecs/types.h"
#include <math.h>
#include <stdio.h>

size_t qz_int_group_row_bytes(uint32_t bits, size_t cols) { return cols / 8 * bits + (cols % 8 * bits + 7) / 8; }

void qz_int_pack_row(const uint8_t *codes, size_t cols, uint32_t bits, uint8_t *out) {
    uint32_t mask = (1u << bits) - 1u, acc = 0, have = 0;
    for (size_t i = 0; i < cols; ++i) {
        acc |= (codes[i] & mask) << have;
        for (have += bits; have >= 8; have -= 8, acc >>= 8) *out++ = (uint8_t)acc;
    }
    if (have) *out = (uint8_t)acc;
}

void qz_int_unpack_row(const uint8_t *packed, size_t cols, uint32_t bits, uint8_t *codes) {
    if (bits == 8) {
        memcpy(codes, packed, cols);
        return;
    }
    if (bits == 4) { /* the common width without a bit buffer */
        for (size_t i = 0; i + 1 < cols; i += 2) {
            codes[i] = packed[i / 2] & 15;
            codes[i + 1] = packed[i / 2] >> 4;
        }
        if (cols % 2) codes[cols - 1] = packed[cols / 2] & 15;
        return;
    }
    uint32_t mask = (1u << bits) - 1u, acc = 0, have = 0;
    for (size_t i = 0; i < cols; ++i) {
        if (have < bits) {
            acc |= (uint32_t)*packed++ << have;
            have += 8;
        }
        codes[i] = (uint8_t)(acc & mask);
        acc >>= bits;
        have -= bits;
    }
}

/* ---- scales and values ---- */
qz_type qz_int_scale_type(qz_scale_type s) {
    return s == QZ_SCALE_F16 ? QZ_TYPE_F16 : s == QZ_SCALE_BF16 ? QZ_TYPE_BF16 : QZ_TYPE_F32;
}
static float scale_at(const qz_int_group *g, size_t i) {
    if (g->scale_type == QZ_SCALE_F32) return ((const float *)g->scales)[i];
    const uint16_t bits = ((const uint16_t *)g->scales)[i];
    return g->scale_type == QZ_SCALE_F16 ? qz_f16_to_f32(bits) : qz_bf16_to_f32(bits);
}
static void round_values(qz_scale_type s, float *y, size_t n) {
    for (size_t k = 0; k < n && s == QZ_SCALE_F16; k++) y[k] = qz_f16_nearest(y[k]);
    for (size_t k = 0; k < n && s == QZ_SCALE_BF16; k++) y[k] = qz_bf16_to_f32(qz_f32_to_bf16(y[k]));
}

void qz_int_group_decode_part(const qz_int_group *g, size_t row, size_t first, size_t n, float *y) {
    enum { CHUNK = 256 };
    uint8_t codes[CHUNK];
    const uint8_t *packed = g->codes + row * qz_int_group_row_bytes(g->bits, g->cols);
    const uint8_t *zeros = g->zero_points + row * g->groups;
    for (size_t k = first; k < first + n;) {
        size_t m = first + n - k < CHUNK ? first + n - k : CHUNK; /* first is a multiple of 8: whole bytes */
        qz_int_unpack_row(packed + k / 8 * g->bits, m, g->bits, codes);
        for (size_t i = 0; i < m;) {
            size_t group = g->g_idx ? g->g_idx[k + i] : (k + i) / g->group_size;
            size_t end = g->g_idx ? i + 1 : (group + 1) * g->group_size - k;
            if (end > m) end = m;
            float s = scale_at(g, row * g->groups + group);
            int z = zeros[group];
            for (; i < end; ++i) y[k - first + i] = (float)((int)codes[i] - z) * s;
        }
        k += m;
    }
    if (g->rounded) round_values(g->scale_type, y, n);
}

void qz_int_group_decode_row(const qz_int_group *g, size_t row, float *y) {
    qz_int_group_decode_part(g, row, 0, g->cols, y);
}

/* Nearest-even of v, clamped to a range far beyond every code so that the rounding trick stays exact. */
static int nearest_code(float v) {
    v = v > 4.0e6f ? 4.0e6f : v < -4.0e6f ? -4.0e6f : v;
    return qz_nearest(v);
}

int qz_int_group_code(float w, float scale, int zero, int lo, int hi) {
    return qz_clamp_int(nearest_code(w / scale) + zero, lo, hi);
}

void qz_int_group_rtn_row(const float *w, size_t cols, size_t group_size, uint32_t bits, bool sym, qz_int_row out) {
    const int half = 1 << (bits - 1), top = sym ? half - 1 : 2 * half - 1;
    for (size_t g = 0; g < cols / group_size; ++g, w += group_size, out.codes += group_size) {
        float mx = w[0], mn = w[0];
        for (size_t i = 1; i < group_size; ++i) {
            mx = w[i] > mx ? w[i] : mx;
            mn = w[i] < mn ? w[i] : mn;
        }
        float range = sym ? (-mn > mx ? -mn : mx) : mx - mn;
        float s = (range > 1e-5f ? range : 1e-5f) / (float)top;
        int z = sym ? half : qz_clamp_int(-nearest_code(mn / s), 0, top);
        for (size_t i = 0; i < group_size; ++i)
            out.codes[i] = (uint8_t)qz_int_group_code(w[i], s, z, 0, 2 * half - 1);
        out.scales[g] = s;
        out.zeros[g] = (uint8_t)z;
    }
}

/* ---- as coded matrices ---- */
static const char *const names[] = {"int0", "int1", "int2", "int3", "int4", "int5", "int6", "int7", "int8"};

static const char *const names_of_scales[] = {[QZ_SCALE_F16] = "float16", [QZ_SCALE_BF16] = "bfloat16",
                                              [QZ_SCALE_F32] = "float32"};

static void text(const qz_code_layout *l, char out[32]) {
    (void)snprintf(out, 32, "%s g%zu%s%s", l->name, l->group, l->sym ? " sym" : "", l->g_idx ? " act" : "");
}

static const qz_int_group *group(const qz_coded *c) { return (const qz_int_group *)(const void *)c; }
static qz_type group_float_type(const qz_coded *c) { return qz_int_scale_type(group(c)->scale_type); }

static qz_code_layout group_layout(const qz_coded *c) {
    const qz_int_group *g = group(c);
    return (qz_code_layout){.form = QZ_CODES_AFFINE, .name = names[g->bits], .bits = g->bits, .group = g->group_size,
                            .groups = g->groups, .sym = g->sym, .rounded = g->rounded, .g_idx = g->g_idx,
                            .stored = g->scale_type};
}
static void group_text(const qz_coded *c, char out[32]) {
    qz_code_layout l = group_layout(c);
    text(&l, out);
}
static void group_decode(const qz_coded *c, size_t row, size_t first, size_t n, float *y) {
    qz_int_group_decode_part(group(c), row, first, n, y);
}
static void group_codes(const qz_coded *c, size_t row, uint8_t *out) {
    const qz_int_group *g = group(c);
    qz_int_unpack_row(g->codes + row * qz_int_group_row_bytes(g->bits, g->cols), g->cols, g->bits, out);
}
static float group_scale(const qz_coded *c, size_t row, size_t k, int *zero) {
    const qz_int_group *g = group(c);
    *zero = g->zero_points[row * g->groups + k];
    return scale_at(g, row * g->groups + k);
}
static uint64_t group_held(const qz_coded *c) {
    const qz_int_group *g = group(c);
    uint64_t heads = (uint64_t)(g->rows + 15) / 16 * 16 * g->groups;
    return (uint64_t)g->rows * qz_int_group_row_bytes(g->bits, g->cols) +
           heads * (qz_type_get(qz_int_scale_type(g->scale_type))->bytes + 1);
}
static void group_hash(const qz_coded *c, qz_sha256 *h) {
    const qz_int_group *g = group(c);
    qz_sha256_update(h, g->codes, g->rows * qz_int_group_row_bytes(g->bits, g->cols));
}
static bool group_place(const qz_coded *c, size_t row, size_t col, size_t *word, unsigned *shift) {
    const qz_int_group *g = group(c);
    return g->place && g->place(g->rows, g->bits, row, col, word, shift);
}
static void group_explain(const qz_coded *c, size_t row, size_t col, uint64_t offset, qz_str *out) {
    const qz_int_group *g = group(c);
    const size_t k = g->g_idx ? g->g_idx[col] : col / g->group_size;
    uint8_t eight[8];
    int zero;
    float scale = group_scale(c, row, k, &zero);
    (void)offset;
    qz_int_unpack_row(g->codes + row * qz_int_group_row_bytes(g->bits, g->cols) + col / 8 * g->bits, col % 8 + 1,
                      g->bits, eight);
    int q = eight[col % 8];
    qz_str_printf(out, "  group        %zu of %zu (%u columns%s)\n", k, g->groups, g->group_size,
                  g->g_idx ? ", by g_idx" : "");
    const char *type = names_of_scales[g->scale_type];
    qz_str_printf(out, "  scale        %.9g (%s)\n", (double)scale, type);
    qz_str_printf(out, "  zero point   %d%s\n", zero, g->sym ? " (symmetric)" : "");
    qz_str_printf(out, "  integer      %d (range 0 to %u): (%d - %d) x %.9g%s%s\n", q, (1u << g->bits) - 1, q, zero,
                  (double)scale, g->rounded ? ", rounded to " : "", g->rounded ? type : "");
}
/* Finite, not far beyond any weight, and 0 only where every code is the zero point. Below zero is legitimate:
 * symmetric files made from Q4_0 have such. */
static bool group_bad_scale(const qz_coded *c, size_t *row, size_t *at, float *scale) {
    const qz_int_group *g = group(c);
    for (size_t r = 0; r < g->rows; r++)
        for (size_t k = 0; k < g->groups; k++) {
            int z;
            float s = group_scale(c, r, k, &z);
            bool wrong = !isfinite(s) || fabsf(s) * (float)(1u << (g->bits - 1)) > 65504; /* what no model has */
            for (size_t i = 0; s == 0 && i < g->cols && !wrong; i++) {
                uint8_t eight[8];
                if ((g->g_idx ? g->g_idx[i] : i / g->group_size) != k) continue;
                qz_int_unpack_row(g->codes + r * qz_int_group_row_bytes(g->bits, g->cols) + i / 8 * g->bits, i % 8 + 1,
                                  g->bits, eight);
                wrong = eight[i % 8] != z;
            }
            if (!wrong) continue;
            *row = r, *at = k, *scale = s;
            return true;
        }
    return false;
}
const qz_coded_ops qz_int_group_ops = {.name = "int group", .number = 15, .copied = true, .layout = group_layout,
                                       .decode = group_decode, .codes = group_codes,
                                       .scale = group_scale, .held = group_held, .text = group_text, .hash = group_hash,
                                       .float_type = group_float_type, .explain = group_explain,
                                       .place = group_place, .bad_scale = group_bad_scale};
const qz_int_group *qz_int_group_of(const qz_coded *c) { return c && c->ops == &qz_int_group_ops ? group(c) : NULL; }

static const qz_int_codes *made(const qz_coded *c) { return (const qz_int_codes *)(const void *)c; }
static qz_code_layout made_layout(const qz_coded *c) {
    const qz_int_codes *g = made(c);
    return (qz_code_layout){.form = QZ_CODES_AFFINE, .name = names[g->bits], .bits = g->bits, .group = g->group_size,
                            .groups = c->cols / g->group_size, .sym = g->sym, .rounded = g->rounded,
                            .g_idx = g->g_idx, .stored = g->scale_type};
}
static void made_text(const qz_coded *c, char out[32]) {
    qz_code_layout l = made_layout(c);
    text(&l, out);
}
static void made_codes(const qz_coded *c, size_t row, uint8_t *out) {
    memcpy(out, made(c)->codes + row * c->cols, c->cols);
}
static float made_scale(const qz_coded *c, size_t row, size_t k, int *zero) {
    const qz_int_codes *g = made(c);
    const size_t at = row * (c->cols / g->group_size) + k;
    *zero = g->zero_points[at];
    return g->scales[at];
}
static void made_decode(const qz_coded *c, size_t row, size_t first, size_t n, float *y) {
    const qz_int_codes *g = made(c);
    const size_t groups = c->cols / g->group_size;
    for (size_t k = first; k < first + n; k++) {
        size_t at = row * groups + (g->g_idx ? g->g_idx[k] : k / g->group_size);
        y[k - first] = (float)((int)g->codes[row * c->cols + k] - (int)g->zero_points[at]) * g->scales[at];
    }
    if (g->rounded) round_values(g->scale_type, y, n);
}
static qz_type made_float_type(const qz_coded *c) { return qz_int_scale_type(made(c)->scale_type); }
static void made_hash(const qz_coded *c, qz_sha256 *h) { qz_sha256_update(h, made(c)->codes, c->rows * c->cols); }
static const qz_coded *made_stack(const qz_coded *const *parts, size_t n, qz_arena *arena) {
    qz_int_codes all = *made(parts[0]);
    const size_t cols = parts[0]->cols, groups = cols / all.group_size;
    size_t rows = 0, at = 0;
    for (size_t i = 0; i < n; i++) rows += parts[i]->rows;
    uint8_t *codes = qz_arena_alloc(arena, rows, cols), *zeros = qz_arena_alloc(arena, rows, groups);
    float *scales = qz_arena_alloc(arena, rows * groups, sizeof *scales);
    if (!codes || !zeros || !scales) return NULL;
    for (size_t i = 0; i < n; at += parts[i++]->rows) {
        const qz_int_codes *x = made(parts[i]);
        memcpy(codes + at * cols, x->codes, parts[i]->rows * cols);
        memcpy(zeros + at * groups, x->zero_points, parts[i]->rows * groups);
        memcpy(scales + at * groups, x->scales, parts[i]->rows * groups * sizeof *scales);
    }
    all.codes = codes, all.zero_points = zeros, all.scales = scales;
    return qz_int_codes_keep(all, rows, cols, arena);
}
const qz_coded_ops qz_int_codes_ops = {.name = "int group", .number = 15, .layout = made_layout, .decode = made_decode,
                                       .codes = made_codes, .scale = made_scale,
                                       .text = made_text, .hash = made_hash, .float_type = made_float_type,
                                       .stack = made_stack};
const qz_int_codes *qz_int_codes_of(const qz_coded *c) { return c && c->ops == &qz_int_codes_ops ? made(c) : NULL; }

const qz_coded *qz_int_codes_keep(qz_int_codes g, size_t rows, size_t cols, qz_arena *arena) {
    qz_int_codes *kept = qz_arena_alloc(arena, 1, sizeof *kept);
    g.base = (qz_coded){&qz_int_codes_ops, rows, cols};
    if (kept == NULL) return NULL;
    *kept = g;
    return &kept->base;
}
