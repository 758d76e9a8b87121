#include "codecs/float8.h"
#include "base/half.h"
#include "base/size.h"
#include "codecs/small_float.h"
#include "codecs/types.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static float round_to(qz_type t, float v) {
    if (t == QZ_TYPE_F16) return qz_f16_to_f32(qz_f32_to_f16(v));
    return t == QZ_TYPE_BF16 ? qz_bf16_to_f32(qz_f32_to_bf16(v)) : v;
}
static float clamped(float v) { return v > 448 ? 448 : v < -448 ? -448 : v; }

/* ---- encoding ---- */
typedef struct {
    qz_float8_rule rule;
    qz_type dtype;
    const float *w;
    const qz_float8 *f;
    uint8_t *codes;
    float *scales;
} float8_rounding;

/* One block; zero blocks get the scale that the reference gives them. */
static void encode_block(const float8_rounding *j, size_t bi, size_t bk, size_t across) {
    static const float eps[] = {[QZ_TYPE_F32] = 0x1p-23f, [QZ_TYPE_F16] = 0x1p-10f, [QZ_TYPE_BF16] = 0x1p-7f};
    const qz_float8 *f = j->f;
    const size_t cols = f->base.cols, r1 = qz_min_size((bi + 1) * f->block_rows, f->base.rows),
                 k1 = qz_min_size((bk + 1) * f->block_cols, cols);
    float amax = 0;
    for (size_t r = bi * f->block_rows; r < r1; r++)
        for (size_t k = bk * f->block_cols; k < k1; k++) amax = fmaxf(amax, fabsf(j->w[r * cols + k]));
    float s = round_to(j->dtype, amax / 448.0f), times = 1;
    bool small = false;
    if (s == 0) s = eps[j->dtype];
    if (j->rule == QZ_FLOAT8_FINE) {
        times = amax > 0 ? 1.0f / amax * 448.0f : 1;
        s = 1.0f / times;
        /* deviates: below 1e-36 the reference's factor is infinite and its scale 0; a subnormal scale says them */
        small = !isfinite(times);
        if (small) s = fmaxf(amax / 448.0f, FLT_TRUE_MIN);
    }
    j->scales[bi * across + bk] = s;
    for (size_t r = bi * f->block_rows; r < r1; r++)
        for (size_t k = bk * f->block_cols; k < k1; k++) {
            const float x = j->w[r * cols + k];
            j->codes[r * cols + k] =
                qz_small_encode(QZ_E4M3FN, clamped(small                       ? x / s
                                                   : j->rule == QZ_FLOAT8_FINE ? x * times
                                                                               : round_to(j->dtype, x / s)));
        }
}

static void encode(void *arg, qz_part part) {
    const float8_rounding *j = arg;
    const size_t down = (j->f->base.rows + j->f->block_rows - 1) / j->f->block_rows,
                 across = (j->f->base.cols + j->f->block_cols - 1) / j->f->block_cols;
    size_t lo, hi;
    qz_split(down, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; i++)
        for (size_t k = 0; k < across; k++) encode_block(j, i, k, across);
}

qz_status qz_float8_round(qz_run *run, const qz_float8_setting *how, const float *w, qz_float8 *f, qz_arena *arena,
                          qz_error *err) {
    const size_t rows = f->base.rows, cols = f->base.cols, block_rows = how->block_rows, block_cols = how->block_cols,
                 n = (rows + block_rows - 1) / block_rows * ((cols + block_cols - 1) / block_cols);
    uint8_t *codes = qz_arena_alloc(arena, rows, cols);
    float *scales = qz_arena_alloc(arena, n, sizeof *scales);
    if (!codes || !scales) return qz_fail(err, QZ_EMEMORY, "out of memory for codes of [%zu, %zu]", rows, cols);
    *f = (qz_float8){.base = {&qz_float8_ops, rows, cols}, .block_rows = block_rows, .block_cols = block_cols,
                     .codes = codes, .scales = scales, .dtype = how->dtype};
    float8_rounding j = {.rule = how->rule, .dtype = how->dtype, .w = w, .f = f, .codes = codes, .scales = scales};
    qz_pool_run(run ? run->pool : NULL, 0, encode, &j);
    return QZ_OK;
}

/* ---- as a coded matrix ---- */
static const qz_float8 *float8(const qz_coded *c) { return (const qz_float8 *)(const void *)c; }
const qz_float8 *qz_float8_of(const qz_coded *c) { return c && c->ops == &qz_float8_ops ? float8(c) : NULL; }

static size_t across(const qz_float8 *f) { return (f->base.cols + f->block_cols - 1) / f->block_cols; }
static float scale_at(const qz_float8 *f, size_t row, size_t col) {
    return f->scales[row / f->block_rows * across(f) + col / f->block_cols];
}

static qz_code_layout layout(const qz_coded *c) {
    const qz_float8 *f = float8(c);
    const bool whole = c->cols % f->block_cols == 0;
    return (qz_code_layout){.form = QZ_CODES_FLOAT, .name = "fp8", .bits = 8, .group = whole ? f->block_cols : 0,
                            .groups = whole ? across(f) : 0};
}
static void decode(const qz_coded *c, size_t row, size_t first, size_t n, float *y) {
    const qz_float8 *f = float8(c);
    for (size_t k = first; k < first + n; k++)
        y[k - first] = round_to(f->dtype,
                                qz_small_decode(QZ_E4M3FN, f->codes[row * c->cols + k]) * scale_at(f, row, k));
}
static void codes(const qz_coded *c, size_t row, uint8_t *out) {
    for (size_t k = 0; k < c->cols; k++) out[k] = float8(c)->codes[row * c->cols + k];
}
static float scale(const qz_coded *c, size_t row, size_t group, int *zero) {
    *zero = 0;
    return scale_at(float8(c), row, group * float8(c)->block_cols);
}
static uint64_t held(const qz_coded *c) {
    const qz_float8 *f = float8(c);
    return 4 * (uint64_t)((c->rows + f->block_rows - 1) / f->block_rows * across(f));
}
static void text(const qz_coded *c, char out[32]) {
    const qz_float8 *f = float8(c);
    if (f->block_rows == 1 && f->block_cols == c->cols) (void)snprintf(out, 32, "fp8 rows");
    else if (f->whole) (void)snprintf(out, 32, "fp8 tensor");
    else (void)snprintf(out, 32, "fp8 %zux%zu", f->block_rows, f->block_cols);
}
static void hash(const qz_coded *c, qz_sha256 *h) { qz_sha256_update(h, float8(c)->codes, c->rows * c->cols); }
static qz_type float_type(const qz_coded *c) { return float8(c)->dtype; }
static void explain(const qz_coded *c, size_t row, size_t col, uint64_t offset, qz_str *out) {
    const qz_float8 *f = float8(c);
    const size_t i = row * c->cols + col;
    const float v = qz_small_decode(QZ_E4M3FN, f->codes[i]);
    qz_str_printf(out, "  scale        %.9g (of %zu x %zu values)\n", (double)scale_at(f, row, col), f->block_rows,
                  f->block_cols);
    qz_str_printf(out, "  code         byte %llu: %02x, E4M3 %.9g: %.9g x %.9g\n", (unsigned long long)(offset + i),
                  f->codes[i], (double)v, (double)v, (double)scale_at(f, row, col));
}
/* Blocks of rows must not cross from one matrix to the next. */
static const qz_coded *stack(const qz_coded *const *parts, size_t n, qz_arena *arena) {
    const qz_float8 *first = float8(parts[0]);
    const size_t cols = first->base.cols, wide = across(first), high = first->block_rows;
    size_t rows = 0, row = 0, block = 0;
    for (size_t i = 0; i < n; rows += parts[i++]->rows)
        if (rows % high != 0) return NULL;
    uint8_t *codes = qz_arena_alloc(arena, rows, cols);
    float *scales = qz_arena_alloc(arena, (rows + high - 1) / high * wide, sizeof *scales);
    qz_float8 *all = qz_arena_alloc(arena, 1, sizeof *all);
    if (!codes || !scales || !all) return NULL;
    for (size_t i = 0; i < n; row += parts[i++]->rows) {
        const qz_float8 *x = float8(parts[i]);
        const size_t down = (x->base.rows + high - 1) / high;
        memcpy(codes + row * cols, x->codes, x->base.rows * cols);
        memcpy(scales + block * wide, x->scales, down * wide * sizeof *scales);
        block += down;
    }
    *all = *first;
    all->base.rows = rows;
    all->codes = codes, all->scales = scales;
    return &all->base;
}
const qz_coded_ops qz_float8_ops = {.name = "fp8", .number = 17, .layout = layout, .decode = decode, .codes = codes,
                                    .scale = scale, .held = held, .text = text, .hash = hash,
                                    .float_type = float_type, .explain = explain, .stack = stack};
