#include "methods/float_grid.h"
#include "base/bytes.h"
#include "base/half.h"
#include "codecs/scaled_float.h"
#include "codecs/types.h"
#include <math.h>

static const qz_float_grid *grid_of(const qz_code_grid *g) { return (const qz_float_grid *)(const void *)g; }

static bool by_e4m3(const qz_float_grid *g) { return g->scale == QZ_SCALE_E4M3 || g->scale == QZ_SCALE_E4M3_TIMES; }
/* What multiplies under the E4M3 value nearest to v, with the file's own arithmetic. */
static float under(const qz_float_grid *g, float v) {
    return qz_scale_under(g->scale, g->tensor, qz_small_decode(QZ_E4M3FN, qz_small_encode(QZ_E4M3FN, v)));
}

/* The nearest E4M3 value times the tensor's scale, or the nearest power of two, or the nearest of a float type: above
 * 0, since an all-zero group keeps a valid file. */
static float round_scale(const qz_code_grid *base, float s) {
    const qz_float_grid *g = grid_of(base);
    float r = s;
    switch (g->scale) {
    case QZ_SCALE_E4M3:
    case QZ_SCALE_E4M3_TIMES: return under(g, fminf(fmaxf(s / qz_scale_under(g->scale, g->tensor, 1), 0x1p-9f), 448));
    case QZ_SCALE_E8M0: {
        int e;
        const float m = frexpf(s, &e); /* s = m · 2^e, m in [0.5, 1): the nearer of 2^(e−1) and 2^e */
        if (!(s > 0) || !isfinite(s)) return s > 0 ? 0x1p127f : 0x1p-126f;
        e = m < 0.75f ? e - 1 : e;
        return ldexpf(1, e < -126 ? -126 : e > 127 ? 127 : e);
    }
    case QZ_SCALE_F16: r = qz_f16_to_f32(qz_f32_to_f16(s)); break;
    case QZ_SCALE_BF16: r = qz_bf16_to_f32(qz_f32_to_bf16(s)); break;
    case QZ_SCALE_F32: break;
    }
    const float least = g->scale == QZ_SCALE_F16 ? 0x1p-24f : 0x1p-126f;
    return r >= least && isfinite(r) ? r : least;
}

static float amax_of(const float *t, size_t n) {
    float most = 0;
    for (size_t k = 0; k < n; k++) most = fabsf(t[k]) > most ? fabsf(t[k]) : most;
    return most;
}

/* E4M3: all scales from 0.7 to 1.7 of what puts the largest value on the largest code (six to four of FP4 lie within).
 * Powers of two: the four around it. Free scales: one octave, as scales an octave apart give the same codes but at the
 * ends. */
static size_t candidates(const qz_code_grid *base, const float *t, size_t n, size_t steps,
                         qz_code_range out[QZ_RANGES_MOST]) {
    const qz_float_grid *g = grid_of(base);
    const float full = amax_of(t, n) / g->most;
    size_t found = 0;
    if (by_e4m3(g)) {
        const float one = qz_scale_under(g->scale, g->tensor, 1), lo = fminf(fmaxf(0.7f * full / one, 0x1p-9f), 448),
                    hi = fminf(fmaxf(1.7f * full / one, 0x1p-9f), 448);
        for (uint8_t c = qz_small_encode(QZ_E4M3FN, lo); c <= qz_small_encode(QZ_E4M3FN, hi); c++)
            out[found++] = (qz_code_range){under(g, qz_small_decode(QZ_E4M3FN, c)), 0};
        return found;
    }
    if (g->scale == QZ_SCALE_E8M0) {
        const float s = round_scale(base, full);
        for (int e = -1; e <= 2; e++) out[found++] = (qz_code_range){round_scale(base, ldexpf(s, e)), 0};
        return found;
    }
    for (size_t i = 0; i < steps && i < QZ_RANGE_STEPS; i++)
        out[found++] = (qz_code_range){round_scale(base, full * (0.95f + (float)i / (float)steps)), 0};
    return found;
}

static qz_code_range least(const qz_code_grid *base) { return (qz_code_range){round_scale(base, 0), 0}; }

/* |v| on the element's grid, halves to even; without branches, so that a group is rounded in lanes. */
static inline float round_magnitude(const qz_float_grid *g, float m) {
    m = m > g->most ? g->most : m;
    const uint32_t u = qz_f32_bits(m), half = (1u << (g->cut - 1)) - 1;
    const float normal = qz_bits_f32((u + half + (u >> g->cut & 1u)) & ~((1u << g->cut) - 1)),
                small = m + g->guard - g->guard;
    return m < g->normal ? small : normal;
}

static float error(const qz_code_grid *base, const float *t, const float *weight, size_t n, qz_code_range r) {
    const qz_float_grid g = *grid_of(base);
    const float inv = 1.0f / r.scale;
    float acc[8] = {0};
    for (size_t k = 0; k < n; k += 8)
        for (size_t i = 0; i < 8 && k + i < n; i++) {
            const float m = fabsf(t[k + i]), d = m - round_magnitude(&g, m * inv) * r.scale;
            acc[i] += weight[k + i] * d * d;
        }
    return ((acc[0] + acc[4]) + (acc[2] + acc[6])) + ((acc[1] + acc[5]) + (acc[3] + acc[7]));
}

static float near(const qz_code_grid *base, qz_code_range r, float v) {
    const float m = round_magnitude(grid_of(base), fabsf(v) * (1.0f / r.scale)) * r.scale;
    return v < 0 ? -m : m;
}

static uint8_t nearest(const qz_code_grid *base, qz_code_range r, float v) {
    const qz_float_grid *g = grid_of(base);
    const float x = v / r.scale;
    return qz_small_encode(g->type, x > g->most ? g->most : x < -g->most ? -g->most : x);
}

static float unit(const qz_code_grid *base, qz_code_range r, uint8_t code) {
    (void)r;
    return qz_small_decode(grid_of(base)->type, code);
}

/* The next value up or down; from the smallest across zero (whose sign is dropped). */
static bool move(const qz_code_grid *base, qz_code_range r, uint8_t code, float grad, uint8_t *next, float *step) {
    const qz_float_grid *g = grid_of(base);
    const uint8_t sign = qz_small_encode(g->type, -0.0f), size = code & (uint8_t)(sign - 1),
                  top = qz_small_encode(g->type, g->most);
    const bool negative = code & sign, up = grad > 0;
    if (size == 0) *next = up ? 1 : (uint8_t)(sign | 1);
    else if (negative != up) { /* away from zero */
        if (size == top) return false;
        *next = (uint8_t)(code + 1);
    } else *next = size == 1 ? 0 : (uint8_t)(code - 1);
    *step = (qz_small_decode(g->type, *next) - qz_small_decode(g->type, code)) * r.scale;
    return true;
}

/* Rows that share a scale cannot choose it one by one: each block has the candidate that is nearest by itself. */
static const qz_code_grid *fit(const qz_code_grid *base, const float *w, size_t rows, size_t cols, qz_arena *arena) {
    const qz_float_grid *g = grid_of(base);
    const size_t n = base->group, groups = cols / n, down = (rows + g->block_rows - 1) / g->block_rows;
    if (g->block_rows <= 1 || g->whole.scale > 0) return base;
    qz_float_grid *own = qz_arena_alloc(arena, 1, sizeof *own);
    qz_code_range *fixed = qz_arena_alloc(arena, down * groups, sizeof *fixed), all[QZ_RANGES_MOST];
    float *ones = qz_arena_alloc(arena, n, sizeof *ones);
    if (!own || !fixed || !ones) return NULL;
    for (size_t k = 0; k < n; k++) ones[k] = 1;
    for (size_t b = 0; b < down; b++)
        for (size_t j = 0; j < groups; j++) {
            const size_t end = (b + 1) * g->block_rows < rows ? (b + 1) * g->block_rows : rows;
            size_t widest = b * g->block_rows;
            float most = -1, best = INFINITY;
            for (size_t r = widest; r < end; r++) {
                const float m = amax_of(w + r * cols + j * n, n);
                if (m > most) most = m, widest = r;
            }
            const size_t found = candidates(base, w + widest * cols + j * n, n, 16, all);
            fixed[b * groups + j] = least(base);
            for (size_t i = 0; i < found; i++) {
                float sum = 0;
                for (size_t r = b * g->block_rows; r < end; r++)
                    sum += error(base, w + r * cols + j * n, ones, n, all[i]);
                if (sum < best) best = sum, fixed[b * groups + j] = all[i];
            }
        }
    *own = *g;
    own->fixed = fixed;
    return &own->base;
}

static const qz_code_range *fixed_range(const qz_code_grid *base, size_t row, size_t group, size_t groups) {
    const qz_float_grid *g = grid_of(base);
    if (g->whole.scale > 0) return &g->whole;
    return g->fixed ? &g->fixed[row / g->block_rows * groups + group] : NULL;
}

static const qz_coded *pack(const qz_code_grid *base, const qz_code_result *x, qz_arena *arena) {
    const qz_float_grid *g = grid_of(base);
    const bool whole = g->whole.scale > 0;
    const size_t groups = x->cols / base->group, high = whole ? x->rows : g->block_rows,
                 down = (x->rows + high - 1) / high;
    qz_scaled_float *f = qz_arena_calloc(arena, 1, sizeof *f);
    float *scales = qz_arena_alloc(arena, down * groups, sizeof *scales);
    if (!f || !scales) return NULL;
    for (size_t b = 0; b < down; b++)
        for (size_t j = 0; j < groups; j++) scales[b * groups + j] = x->ranges[b * high * groups + j].scale;
    *f = (qz_scaled_float){.base = {qz_scaled_float_ops(g->type), x->rows, x->cols}, .element = g->type, .bits = 8,
                           .block_rows = high, .block_cols = g->block_cols, .whole = whole, .codes = x->codes,
                           .scales = scales, .stored = g->scale, .tensor = g->tensor, .dtype = g->values};
    return &f->base;
}

static const qz_code_grid_ops ops = {.candidates = candidates, .least = least, .error = error, .near = near,
                                     .nearest = nearest, .unit = unit, .scale = round_scale, .move = move, .fit = fit,
                                     .fixed = fixed_range, .pack = pack};

bool qz_float_grid_of(const qz_code_setting *s, size_t cols, float amax, qz_float_grid *out) {
    static const struct { qz_element element; qz_small_float type; uint32_t mantissa; int first; } types[] = {
        {QZ_ELEMENT_E4M3, QZ_E4M3FN, 3, -6},
        {QZ_ELEMENT_E5M2, QZ_E5M2, 2, -14},
        {QZ_ELEMENT_E2M1, QZ_E2M1, 1, 0},
        {QZ_ELEMENT_E2M3, QZ_E2M3, 3, 0},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].element != s->element) continue;
        const float most = qz_small_max(types[i].type);
        /* an E4M3 scale with room for one that is half as large again (FP4's largest value on 4 instead of 6) */
        const float room = amax > 0 ? amax / (most * 256) : 1,
                    tensor = s->scale == QZ_SCALE_E4M3         ? 1 / room
                             : s->scale == QZ_SCALE_E4M3_TIMES ? room
                                                               : 1;
        const size_t group = qz_group_columns(s->group_size, cols);
        *out = (qz_float_grid){.base = {.ops = &ops, .group = group < cols ? group : cols,
                                        .few_scales = s->scale >= QZ_SCALE_E8M0},
                               .type = types[i].type, .scale = s->scale, .values = s->values, .tensor = tensor,
                               .most = most,
                               .cut = 23 - types[i].mantissa, .normal = ldexpf(1, types[i].first),
                               .guard = ldexpf(1.5f, types[i].first - (int)types[i].mantissa + 23),
                               .block_cols = group, .block_rows = s->block_rows ? s->block_rows : 1};
        if (s->block_rows == QZ_ALL_ROWS) out->whole.scale = round_scale(&out->base, amax / most);
        return true;
    }
    return false;
}
