/* Grids: reading them from codes, placing them in other codes. Whole numbers only: what comes out equals what went in,
 * or the caller is told why it cannot. */
#include "methods/convert_grid.h"
#include "base/half.h"
#include "codecs/round_float.h"
#include "base/size.h"
#include "codecs/fields.h"
#include "codecs/types.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 32 }; /* values of a legacy GGUF block */

/* Not a grid, or not there: why. */
QZ_PRINTF(2, 3) static qz_status no(qz_grid_fit *fit, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(fit->why, sizeof fit->why, fmt, args);
    va_end(args);
    fit->ok = false;
    return QZ_OK;
}

static qz_status grid_alloc(qz_grid *g, qz_arena *arena, qz_error *err) {
    size_t n = 0, s = 0;
    bool fits = qz_mul_size(g->rows, g->cols, &n) && qz_mul_size(g->rows, g->groups, &s);
    g->u = fits ? qz_arena_alloc(arena, n, sizeof *g->u) : NULL;
    g->scales = fits ? qz_arena_alloc(arena, s, sizeof *g->scales) : NULL;
    g->zeros = fits ? qz_arena_alloc(arena, s, sizeof *g->zeros) : NULL;
    return g->u && g->scales && g->zeros
               ? QZ_OK
               : qz_fail(err, QZ_EMEMORY, "out of memory converting [%zu, %zu]", g->rows, g->cols);
}

static size_t group_of(const qz_grid *g, size_t k) { return g->g_idx ? g->g_idx[k] : k / g->group; }

/* What rounding to a type takes of a value at most; the smallest numbers aside. */
static double share_of(qz_type t) { return t == QZ_TYPE_BF16 ? 0x1p-9 : t == QZ_TYPE_F16 ? 0x1p-12 : 0x1p-25; }

/* Any affine kind. */
static qz_status read_codes(const qz_coded *c, const qz_code_layout *l, qz_arena *arena, qz_grid *g, qz_error *err) {
    *g = (qz_grid){.rows = c->rows, .cols = c->cols, .group = l->group, .groups = l->groups, .g_idx = l->g_idx,
                   .rounding = l->rounded ? share_of(c->ops->float_type(c)) : 0};
    QZ_TRY(grid_alloc(g, arena, err));
    uint8_t *row = qz_arena_alloc(arena, c->cols, 1);
    if (row == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory converting [%zu, %zu]", g->rows, g->cols);
    for (size_t r = 0; r < c->rows; r++) {
        for (size_t j = 0; j < g->groups; j++) {
            int zero;
            g->scales[r * g->groups + j] = c->ops->scale(c, r, j, &zero);
            g->zeros[r * g->groups + j] = (int16_t)zero;
        }
        c->ops->codes(c, r, row);
        for (size_t k = 0; k < c->cols; k++)
            g->u[r * c->cols + k] = (int16_t)(row[k] - g->zeros[r * g->groups + group_of(g, k)]);
    }
    return QZ_OK;
}

/* Zero point of a type without minimum, or the one a float minimum stands for (w = d·q + m, z = −m/d). */
static bool block_zero(const qz_block_shape *shape, const qz_block_fields *f, int16_t *zero) {
    *zero = (int16_t)-shape->q_min;
    if (!shape->float_min) return true;
    float z = f->d != 0 ? -f->dmin / f->d : 0;
    *zero = (int16_t)lrintf(fabsf(z) < 1000 ? z : 0);
    return (double)f->d * (double)*zero == -(double)f->dmin;
}

static qz_status read_blocks(const qz_tensor_view *t, qz_arena *arena, qz_grid *g, qz_grid_fit *fit, qz_error *err) {
    const qz_block_shape *shape = qz_block_shape_get(t->type);
    *g = (qz_grid){.rows = t->rows, .cols = t->cols, .group = BLOCK, .groups = t->cols / BLOCK};
    QZ_TRY(grid_alloc(g, arena, err));
    size_t bytes = qz_type_get(t->type)->bytes;
    qz_block_fields f;
    for (size_t i = 0; i < g->rows * g->groups; i++) {
        qz_block_unpack(t->type, (const uint8_t *)t->data + i * bytes, &f);
        g->scales[i] = f.d;
        if (!block_zero(shape, &f, &g->zeros[i])) return no(fit, "its minimum is no multiple of its step");
        int16_t shift = shape->float_min ? g->zeros[i] : 0;
        for (size_t j = 0; j < BLOCK; j++) g->u[i * BLOCK + j] = (int16_t)(f.q[j] - shift);
    }
    return QZ_OK;
}

qz_status qz_grid_read(const qz_tensor_view *t, qz_arena *arena, qz_grid *g, qz_grid_fit *fit, qz_error *err) {
    *fit = (qz_grid_fit){.ok = true};
    const qz_code_layout l = t->coded ? t->coded->ops->layout(t->coded) : (qz_code_layout){0};
    if (t->coded && l.form == QZ_CODES_AFFINE) return read_codes(t->coded, &l, arena, g, err);
    const qz_block_shape *shape = t->type < QZ_TYPE_COUNT ? qz_block_shape_get(t->type) : NULL;
    if (shape && !shape->book && shape->subs == 1 && shape->sub_len == BLOCK) return read_blocks(t, arena, g, fit, err);
    if (t->coded) return no(fit, "%s codes are no grid of equal steps", t->coded->ops->name);
    return no(fit, shape ? "the scales of a K type are products that float16 cannot hold"
                         : "it is float and would have to be rounded");
}

/* ---- integer groups ---- */
/* Range of the whole numbers in target group j of a row. */
/* n columns from the first, or those of a group by g_idx */
typedef struct { size_t first, n; bool by_index; size_t group; } stretch;
static void range_of(const qz_grid *g, size_t r, const stretch *x, int *lo, int *hi) {
    const size_t first = x->first, n = x->n;
    const bool by_index = x->by_index;
    *lo = INT16_MAX, *hi = INT16_MIN;
    const int16_t *u = g->u + r * g->cols;
    for (size_t k = by_index ? 0 : first; k < (by_index ? g->cols : first + n); k++) {
        if (by_index && g->g_idx[k] != x->group) continue;
        *lo = u[k] < *lo ? u[k] : *lo;
        *hi = u[k] > *hi ? u[k] : *hi;
    }
    if (*lo > *hi) *lo = *hi = 0; /* a group without columns */
}

/* Zero point for numbers lo..hi: the source's if it fits, else the nearest that does. */
static bool pick_zero(int lo, int hi, int wanted, const qz_code_setting *to, uint8_t *zero) {
    const bool sym = to->sym;
    int top = (1 << to->bits) - 1, z = sym ? 1 << (to->bits - 1) : wanted, least = sym ? 0 : to->least_zero;
    int z_lo = -lo > least ? -lo : least, z_hi = hi > 0 ? top - hi : top; /* codes 0..top, zero points least..top */
    if (!sym) z = z < z_lo ? z_lo : z > z_hi ? z_hi : z;
    *zero = (uint8_t)(z & 255);
    return z_lo <= z_hi && z >= z_lo && z <= z_hi;
}

/* One group's sign and zero point: −scale with −u is the same grid. A scale that is not negative is tried first: Q4_0
 * has negative ones, which kernels multiply by all the same but readers of files wonder about. */
static bool place_group(int lo, int hi, float scale, int wanted, const qz_code_setting *to, int *sign, uint8_t *zero) {
    for (int attempt = 0; attempt < 2; attempt++) {
        *sign = (scale < 0) == (attempt == 0) ? -1 : 1;
        bool keep = *sign > 0;
        if (pick_zero(keep ? lo : -hi, keep ? hi : -lo, keep ? wanted : (1 << to->bits) - 1 - wanted, to, zero))
            return true;
    }
    return false;
}

static const char *middle(const qz_code_setting *to) {
    return to->sym ? "around a fixed middle" : to->least_zero ? "with a zero point of at least 1" : "with a zero point";
}

/* Arrays of the codes to be, and what each group of a row is multiplied by. */
typedef struct { uint8_t *codes, *zeros; float *scales; int8_t *signs; size_t group, groups; } placed;

static qz_status reserve(const qz_grid *g, const qz_grid_target *to, qz_arena *arena, placed *x, qz_error *err) {
    size_t n = 0;
    *x = (placed){.group = qz_group_columns(to->codes.group_size, g->cols)};
    x->groups = g->cols / x->group;
    x->codes = qz_mul_size(g->rows, g->cols, &n) ? qz_arena_alloc(arena, n, 1) : NULL;
    x->zeros = qz_arena_alloc(arena, g->rows * x->groups, 1);
    x->scales = qz_arena_alloc(arena, g->rows * x->groups, sizeof *x->scales);
    x->signs = qz_arena_alloc(arena, x->groups, 1);
    return x->codes && x->zeros && x->scales && x->signs
               ? QZ_OK
               : qz_fail(err, QZ_EMEMORY, "out of memory converting '%s'", to->name);
}

/* Can the file say the scale as it is? Legacy blocks and AWQ and GPTQ have float16. */
static bool scale_fits(const qz_grid_target *to, float s) {
    const qz_scale_type t = to->type == QZ_TYPE_CODED ? to->codes.scale : QZ_SCALE_F16;
    return qz_round_float(qz_int_scale_type(t), s) == s && !(to->codes.rounded && s <= 0);
}

/* One row; false and why if some group does not fit. */
static bool place_row(const qz_grid *g, const qz_grid_target *to, size_t r, placed *x, qz_grid_fit *fit) {
    const bool act = g->g_idx != NULL;
    for (size_t j = 0; j < x->groups; j++) {
        const size_t from = r * g->groups + (act ? j : j * x->group / g->group), at = r * x->groups + j;
        int lo, hi, sign;
        range_of(g, r, &(stretch){j * x->group, x->group, act, j}, &lo, &hi);
        if (!place_group(lo, hi, g->scales[from], g->zeros[from], &to->codes, &sign, &x->zeros[at]))
            return no(fit, "its steps do not fit %u bits %s: row %zu, group %zu has %d to %d", to->codes.bits,
                      middle(&to->codes), r, j, lo, hi),
                   false;
        x->scales[at] = (float)sign * g->scales[from];
        if (!scale_fits(to, x->scales[at]))
            return no(fit, "its scale %g is none of the file: row %zu, group %zu", (double)x->scales[at], r, j), false;
        x->signs[j] = (int8_t)sign;
    }
    for (size_t k = 0; k < g->cols; k++) {
        const size_t j = act ? g->g_idx[k] : k / x->group;
        x->codes[r * g->cols + k] = (uint8_t)(x->signs[j] * g->u[r * g->cols + k] + x->zeros[r * x->groups + j]);
    }
    return true;
}

static qz_status to_group(const qz_grid *g, const qz_grid_target *to, qz_arena *arena, qz_quantized *q,
                          qz_grid_fit *fit, qz_error *err) {
    const size_t target = qz_group_columns(to->codes.group_size, g->cols);
    const bool act = g->g_idx != NULL;
    placed x;
    if (act && !to->g_idx)
        return no(fit, "its groups are spread over the row (act_order); expected a target with g_idx, such as "
                       "gptq:…+act_order");
    if (act ? target != g->group || g->groups != g->cols / target : g->group % target != 0)
        return no(fit, "groups of %zu cannot be cut from groups of %zu", target, g->group);
    QZ_TRY(reserve(g, to, arena, &x, err));
    for (size_t r = 0; r < g->rows; r++)
        if (!place_row(g, to, r, &x, fit)) return QZ_OK;
    const qz_int_codes c = {.codes = x.codes, .scales = x.scales, .zero_points = x.zeros, .g_idx = g->g_idx,
                            .bits = to->codes.bits, .scale_type = to->codes.scale, .rounded = to->codes.rounded,
                            .group_size = (uint32_t)target, .sym = to->codes.sym};
    q->coded = qz_int_codes_keep(c, g->rows, g->cols, arena);
    return q->coded ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory converting '%s'", to->name);
}

/* ---- legacy blocks ---- */
/* Minimum m = −scale·z with the float16 value nearest to it; z shifts the codes and is free within the range. Returns
 * how far off the best choice is, in steps. */
static double pick_minimum(float scale, int lo, int hi, int top, int wanted, int *zero, float *minimum) {
    double best = INFINITY;
    for (int d = 0; d <= top && best > 0; d++)
        for (int sign = 1; sign >= -1; sign -= 2) {
            int z = wanted + sign * d;
            if (z < -lo || z > top - hi) continue;
            double want = -(double)scale * z, m = (double)qz_f16_to_f32(qz_f32_to_f16((float)want));
            double off = scale != 0 ? fabs((m - want) / (double)scale) : 0;
            if (!(off < best)) continue;
            best = off;
            *zero = z;
            *minimum = (float)m;
        }
    return best;
}

/* Block b of row r in f's codes, scale and minimum; false: it does not fit. */
static bool place_block(const qz_grid *g, const qz_block_shape *shape, size_t r, size_t b, qz_block_fields *f,
                        double *bound, int range[2]) {
    const int16_t *u = g->u + r * g->cols + b * BLOCK;
    const size_t at = r * g->groups + b * BLOCK / g->group;
    int lo, hi, zero = 0, sign = 1;
    range_of(g, r, &(stretch){.first = b * BLOCK, .n = BLOCK}, &lo, &hi);
    /* 8 steps up are 8 steps down of the opposite scale */
    if (!shape->float_min && (lo < shape->q_min || hi > shape->q_max)) {
        int top = -lo;
        lo = -hi, hi = top, sign = -1;
    }
    range[0] = lo, range[1] = hi;
    f->d = (float)sign * g->scales[at];
    f->dmin = 0;
    if (shape->float_min)
        *bound = fmax(*bound, pick_minimum(f->d, lo, hi, shape->q_max, g->zeros[at], &zero, &f->dmin));
    if (lo + zero < shape->q_min || hi + zero > shape->q_max || !isfinite(*bound)) return false;
    for (size_t j = 0; j < BLOCK; j++) f->q[j] = (int16_t)(sign * u[j] + zero);
    return true;
}

static qz_status to_blocks(const qz_grid *g, const qz_grid_target *to, qz_arena *arena, qz_quantized *q,
                           qz_grid_fit *fit, qz_error *err) {
    const qz_block_shape *shape = qz_block_shape_get(to->type);
    size_t row_bytes = 0, bytes = qz_type_get(to->type)->bytes, total = 0;
    if (!shape || shape->book || shape->subs != 1 || shape->sub_len != BLOCK)
        return no(fit, "a K type has scales of its own and must be searched");
    if (g->g_idx) return no(fit, "its groups are spread over the row (act_order); GGUF has no g_idx");
    if (g->group % BLOCK) return no(fit, "groups of %zu do not hold whole blocks of %d", g->group, BLOCK);
    QZ_TRY(qz_row_bytes(to->type, g->cols, &row_bytes, err));
    uint8_t *out = qz_mul_size(g->rows, row_bytes, &total) ? qz_arena_alloc(arena, total, 1) : NULL;
    if (!out) return qz_fail(err, QZ_EMEMORY, "out of memory converting '%s'", to->name);
    qz_block_fields f = {.sc = {1}, .m = {(int16_t)(shape->float_min ? -1 : 0)}};
    int range[2];
    for (size_t r = 0; r < g->rows; r++)
        for (size_t b = 0; b < g->cols / BLOCK; b++) {
            if (!scale_fits(to, g->scales[r * g->groups + b * BLOCK / g->group]))
                return no(fit, "its scale %g is no float16: row %zu, block %zu",
                          (double)g->scales[r * g->groups + b * BLOCK / g->group], r, b);
            if (!place_block(g, shape, r, b, &f, &fit->bound, range))
                return no(fit, "its steps do not fit %s: row %zu, block %zu has %d to %d", qz_type_get(to->type)->name,
                          r, b, range[0], range[1]);
            qz_block_pack(to->type, &f, out + r * row_bytes + b * bytes);
        }
    q->blocks = out;
    q->bytes = total;
    return QZ_OK;
}

qz_status qz_grid_place(const qz_grid *g, const qz_grid_target *to, qz_arena *arena, qz_quantized *q, qz_grid_fit *fit,
                        qz_error *err) {
    *fit = (qz_grid_fit){.ok = true};
    *q = (qz_quantized){.name = to->name, .type = to->type, .rows = g->rows, .cols = g->cols};
    QZ_TRY(to->type == QZ_TYPE_CODED ? to_group(g, to, arena, q, fit, err) : to_blocks(g, to, arena, q, fit, err));
    const bool rounded = to->type == QZ_TYPE_CODED && to->codes.rounded;
    const double share = g->rounding + (rounded ? share_of(qz_int_scale_type(to->codes.scale)) : 0);
    if (!fit->ok || share == 0) return QZ_OK;
    int widest = 0;
    for (size_t i = 0; i < g->rows * g->cols; i++) widest = abs(g->u[i]) > widest ? abs(g->u[i]) : widest;
    fit->bound += share * widest;
    (void)snprintf(fit->why, sizeof fit->why, "codes and scales are the same, values are rounded to the scales' type");
    return QZ_OK;
}
