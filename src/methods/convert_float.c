#include "methods/convert_float.h"
#include "base/size.h"
#include "codecs/round_float.h"
#include "codecs/types.h"
#include "methods/float_grid.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const qz_scaled_float *from;
    qz_scaled_float to;          /* codes a byte each */
    uint8_t *codes;
    float *scales;
    size_t across;
    bool moved;                  /* a scale is not the same float: the tensor's is a reciprocal */
} placing;

QZ_PRINTF(2, 3) static bool no(qz_grid_fit *fit, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(fit->why, sizeof fit->why, fmt, args);
    va_end(args);
    return fit->ok = false;
}

static bool under_tensor(qz_scale_type t) { return t == QZ_SCALE_E4M3 || t == QZ_SCALE_E4M3_TIMES; }

static qz_type values_of(const qz_code_setting *s) {
    return s->scale == QZ_SCALE_F32 ? QZ_TYPE_F32 : s->scale == QZ_SCALE_BF16 ? QZ_TYPE_BF16
                                                : s->scale == QZ_SCALE_F16 ? QZ_TYPE_F16
                                                                           : s->values;
}

/* The largest block's power of two is 2^8 under it, the largest that E4M3 has. */
static float power_of_tensor(float top, float most) {
    int e;
    const float m = frexpf(top / most, &e);
    if (!(m > 0) || !isfinite(top)) return 1;
    e = (m == 0.5f ? e - 1 : e) - 8;
    return ldexpf(1, e < -126 ? -126 : e > 118 ? 118 : e);
}

static float tensor_of(const placing *x, float top) {
    const qz_scale_type a = x->from->stored, b = x->to.stored;
    if (!under_tensor(b)) return 1;
    if (under_tensor(a)) return a == b ? x->from->tensor : 1 / x->from->tensor;
    const float power = power_of_tensor(top, qz_small_max(x->from->element));
    return b == QZ_SCALE_E4M3 ? 1 / power : power;
}

typedef struct { size_t r0, r1, k0, k1; } span;

static bool zeros(const placing *x, span s) {
    const uint8_t sign = qz_small_encode(x->from->element, -0.0f);
    for (size_t r = s.r0; r < s.r1; r++)
        for (size_t k = s.k0; k < s.k1; k++)
            if (x->codes[r * x->from->base.cols + k] & (uint8_t)~sign) return false;
    return true;
}

/* The one scale of the source under a block of the target. */
static bool common(const placing *x, span s, float *out) {
    const qz_scaled_float *f = x->from;
    const size_t across = (f->base.cols + f->block_cols - 1) / f->block_cols;
    *out = f->scales[s.r0 / f->block_rows * across + s.k0 / f->block_cols];
    for (size_t b = s.r0 / f->block_rows; b <= (s.r1 - 1) / f->block_rows; b++)
        for (size_t j = s.k0 / f->block_cols; j <= (s.k1 - 1) / f->block_cols; j++)
            if (f->scales[b * across + j] != *out) return false;
    return true;
}

/* What multiplies in the target's file for a scale of the source; false: it cannot say that. */
static bool hold(placing *x, float s, float *out) {
    const qz_scale_type t = x->to.stored;
    int e;
    *out = s;
    if (t == QZ_SCALE_F32) return true;
    if (t == QZ_SCALE_BF16 || t == QZ_SCALE_F16)
        return qz_round_float(t == QZ_SCALE_F16 ? QZ_TYPE_F16 : QZ_TYPE_BF16, s) == s;
    if (t == QZ_SCALE_E8M0) return frexpf(s, &e) == 0.5f && s >= 0x1p-127f;
    const bool both = under_tensor(x->from->stored);
    const uint8_t byte = both ? qz_scale_byte(x->from->stored, x->from->tensor, s)
                              : qz_scale_byte(t, x->to.tensor, s);
    *out = qz_scale_under(t, x->to.tensor, qz_small_decode(QZ_E4M3FN, byte));
    x->moved |= both && *out != s;
    return both || *out == s;
}

static bool place_block(placing *x, size_t b, size_t j, qz_grid_fit *fit) {
    const size_t rows = x->from->base.rows, cols = x->from->base.cols, high = x->to.block_rows, wide = x->to.block_cols;
    const span s = {b * high, qz_min_size((b + 1) * high, rows), j * wide, qz_min_size((j + 1) * wide, cols)};
    float scale, *out = &x->scales[b * x->across + j];
    if (!common(x, s, &scale))
        return no(fit, "its scales differ within what would share one: row %zu, column %zu", s.r0, s.k0);
    if (hold(x, scale, out)) return true;
    if (x->to.stored < QZ_SCALE_E8M0 || !zeros(x, s))
        return no(fit, "its scale %g is none of the file: row %zu, column %zu", (double)scale, s.r0, s.k0);
    *out = x->to.stored == QZ_SCALE_E8M0 ? 1 : qz_scale_under(x->to.stored, x->to.tensor, 1); /* zeros under any */
    return true;
}

/* Values as either library decodes them: equal, or why not. */
static void compare(const placing *x, float *a, float *b, qz_grid_fit *fit) {
    const qz_type coarse = x->to.dtype == QZ_TYPE_F32 ? x->from->dtype : x->to.dtype;
    bool equal = true;
    for (size_t r = 0; r < x->from->base.rows && equal; r++) {
        qz_coded_decode_row(&x->from->base, r, a);
        qz_coded_decode_row(&x->to.base, r, b);
        for (size_t k = 0; k < x->from->base.cols; k++) equal &= a[k] == b[k];
    }
    if (equal && x->moved)
        (void)snprintf(fit->why, sizeof fit->why,
                       "the same numbers under a tensor's scale that is the float32 reciprocal");
    if (equal) return;
    fit->bound = coarse == QZ_TYPE_BF16 ? 0x1p-7 : coarse == QZ_TYPE_F16 ? 0x1p-10 : 0x1p-22;
    if (x->moved)
        (void)snprintf(fit->why, sizeof fit->why,
                       "codes and block scales are equal, the tensor's scale is the float32 reciprocal");
    else
        (void)snprintf(fit->why, sizeof fit->why, "codes and scales are equal, values are rounded to %s and %s",
                       qz_type_get(x->from->dtype)->name, qz_type_get(x->to.dtype)->name);
}

static qz_status reserve(placing *x, size_t down, qz_arena *arena, const char *name, qz_error *err) {
    const size_t rows = x->from->base.rows, cols = x->from->base.cols;
    size_t n = 0, m = 0;
    const bool fits = qz_mul_size(rows, cols, &n) && qz_mul_size(down, x->across, &m);
    x->codes = fits ? qz_arena_alloc(arena, n, 1) : NULL;
    x->scales = fits ? qz_arena_alloc(arena, m, sizeof *x->scales) : NULL;
    if (!x->codes || !x->scales) return qz_fail(err, QZ_EMEMORY, "out of memory converting '%s'", name);
    x->to.codes = x->codes, x->to.scales = x->scales;
    for (size_t r = 0; r < rows; r++) x->from->base.ops->codes(&x->from->base, r, x->codes + r * cols);
    return QZ_OK;
}

qz_status qz_floats_place(const qz_scaled_float *from, const qz_grid_target *to, float top, qz_arena *arena,
                          qz_quantized *q, qz_grid_fit *fit, qz_error *err) {
    const size_t rows = from->base.rows, cols = from->base.cols;
    qz_float_grid g;
    placing x = {.from = from};
    *fit = (qz_grid_fit){.ok = true};
    if (!qz_float_grid_of(&to->codes, cols, top, &g) || g.type != from->element)
        return (void)no(fit, "its codes are %s, which the target has not", from->base.ops->name), QZ_OK;
    const size_t high = to->codes.block_rows == QZ_ALL_ROWS ? rows : g.block_rows, down = (rows + high - 1) / high;
    x.to = (qz_scaled_float){.base = {from->base.ops, rows, cols}, .element = from->element, .bits = 8,
                             .block_rows = high, .block_cols = g.block_cols, .whole = high == rows && rows > 1,
                             .stored = to->codes.scale, .dtype = values_of(&to->codes)};
    x.across = (cols + g.block_cols - 1) / g.block_cols;
    x.to.tensor = tensor_of(&x, top);
    if (!isfinite(x.to.tensor) || !(x.to.tensor > 0))
        return (void)no(fit, "its tensor's scale %g has no reciprocal", (double)from->tensor), QZ_OK;
    QZ_TRY(reserve(&x, down, arena, to->name, err));
    for (size_t b = 0; b < down; b++)
        for (size_t j = 0; j < x.across; j++)
            if (!place_block(&x, b, j, fit)) return QZ_OK;
    qz_scaled_float *made = qz_arena_alloc(arena, 1, sizeof *made);
    float *a = qz_arena_alloc(arena, 2 * cols, sizeof *a);
    if (!made || !a) return qz_fail(err, QZ_EMEMORY, "out of memory converting '%s'", to->name);
    *made = x.to;
    compare(&x, a, a + cols, fit);
    *q = (qz_quantized){.name = to->name, .type = to->type, .rows = rows, .cols = cols, .coded = &made->base};
    return QZ_OK;
}
