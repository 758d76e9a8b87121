#include "methods/int_grid.h"
#include "codecs/round_float.h"
#include <math.h>

#define ROUND 12582912.0f /* v + ROUND − ROUND: to the nearest whole number, halves to even */

static const qz_int_grid *grid_of(const qz_code_grid *g) { return (const qz_int_grid *)(const void *)g; }
static float clampf(float v, float lo, float hi) { return v < lo ? lo : v > hi ? hi : v; }
static float middle(const qz_int_grid *g) { return (g->top + 1) / 2; }

/* To the file's type, never 0: an all-zero group keeps a valid file. */
static float round_scale(const qz_code_grid *base, float s) {
    const qz_int_grid *g = grid_of(base);
    const float r = qz_round_float(qz_int_scale_type(g->scale), s);
    if (r != 0 && isfinite(r) && !(g->rounded && r < 0)) return r;
    return s < 0 && !g->rounded ? -0x1p-24f : 0x1p-24f;
}

static size_t candidates(const qz_code_grid *base, const float *t, size_t n, size_t steps,
                         qz_code_range out[QZ_RANGES_MOST]) {
    const qz_int_grid *g = grid_of(base);
    float lo = t[0], hi = t[0];
    size_t found = 0;
    for (size_t k = 1; k < n; k++) {
        lo = t[k] < lo ? t[k] : lo;
        hi = t[k] > hi ? t[k] : hi;
    }
    for (size_t i = 0; i < steps && i < QZ_RANGE_STEPS; i++) {
        const float p = 1.04f - 0.60f * (float)i / (float)steps;
        if (g->sym) {
            const float m = -lo > hi ? -lo : hi, s = round_scale(base, 2 * m * p / g->top);
            out[found++] = (qz_code_range){s, middle(g)};
            if (!g->positive && !g->rounded) out[found++] = (qz_code_range){-s, middle(g)};
            continue;
        }
        const float s = round_scale(base, (hi - lo) * p / g->top), z0 = rintf(-(lo + hi) / (2 * s) + g->top / 2);
        for (int dz = -1; dz <= 1; dz++)
            out[found++] = (qz_code_range){s, clampf(z0 + (float)dz, g->least_zero, g->top)};
    }
    return found;
}

static qz_code_range least(const qz_code_grid *base) {
    const qz_int_grid *g = grid_of(base);
    return (qz_code_range){0x1p-24f, g->sym ? middle(g) : g->least_zero};
}

static float error(const qz_code_grid *base, const float *t, const float *weight, size_t n, qz_code_range r) {
    const float inv = 1.0f / r.scale, top = grid_of(base)->top;
    float acc[8] = {0};
    for (size_t k = 0; k < n; k += 8)
        for (size_t i = 0; i < 8 && k + i < n; i++) {
            const float q = clampf(t[k + i] * inv + ROUND - ROUND + r.zero, 0.0f, top);
            const float d = t[k + i] - (q - r.zero) * r.scale;
            acc[i] += weight[k + i] * d * d;
        }
    return ((acc[0] + acc[4]) + (acc[2] + acc[6])) + ((acc[1] + acc[5]) + (acc[3] + acc[7]));
}

static float near(const qz_code_grid *base, qz_code_range r, float v) {
    const float inv = 1.0f / r.scale;
    return (clampf(rintf(v * inv) + r.zero, 0.0f, grid_of(base)->top) - r.zero) * r.scale;
}

static uint8_t nearest(const qz_code_grid *base, qz_code_range r, float v) {
    return (uint8_t)clampf(rintf(v / r.scale) + r.zero, 0.0f, grid_of(base)->top);
}

static float unit(const qz_code_grid *base, qz_code_range r, uint8_t code) {
    (void)base;
    return (float)code - r.zero;
}

static bool move(const qz_code_grid *base, qz_code_range r, uint8_t code, float grad, uint8_t *next, float *step) {
    const float dir = (grad > 0) == (r.scale > 0) ? 1.0f : -1.0f, to = (float)code + dir;
    *step = dir * r.scale;
    if (to < 0 || to > grid_of(base)->top) return false;
    *next = (uint8_t)to;
    return true;
}

/* A step of the zero point moves the whole group by one scale. */
static bool shift(const qz_code_grid *base, qz_code_range r, float grad, qz_code_range *next, float *step) {
    const qz_int_grid *g = grid_of(base);
    const float dir = grad > 0 ? -1.0f : 1.0f; /* z − 1 raises the values by one scale */
    if (g->sym) return false;
    *step = -dir * r.scale;
    *next = (qz_code_range){r.scale, r.zero + dir};
    return next->zero >= g->least_zero && next->zero <= g->top;
}

static qz_code_range reference(const qz_code_grid *base, const float *t, size_t n, float norm) {
    return qz_int_reference_range(grid_of(base), t, n, norm);
}

static const qz_coded *pack(const qz_code_grid *base, const qz_code_result *x, qz_arena *arena) {
    const qz_int_grid *g = grid_of(base);
    const size_t n = x->rows * (x->cols / base->group);
    float *scales = qz_arena_alloc(arena, n, sizeof *scales);
    uint8_t *zeros = qz_arena_alloc(arena, n, 1);
    if (scales == NULL || zeros == NULL) return NULL;
    for (size_t i = 0; i < n; i++) {
        const float z = x->ranges[i].zero;
        scales[i] = x->ranges[i].scale;
        zeros[i] = (uint8_t)clampf(z, 0, g->top);
    }
    const qz_int_codes c = {.bits = g->bits, .group_size = (uint32_t)base->group, .sym = g->sym, .codes = x->codes,
                            .scales = scales, .zero_points = zeros,
                            .g_idx = x->g_idx, .scale_type = g->scale, .rounded = g->rounded};
    return qz_int_codes_keep(c, x->rows, x->cols, arena);
}

static const qz_code_grid_ops ops = {.candidates = candidates, .least = least, .error = error, .near = near,
                                     .nearest = nearest, .unit = unit,
                                     .scale = round_scale, .move = move, .shift = shift, .reference = reference,
                                     .pack = pack};

qz_int_grid qz_int_grid_of(const qz_code_setting *s, size_t cols) {
    return (qz_int_grid){.base = {.ops = &ops, .group = qz_group_columns(s->group_size, cols)}, .bits = s->bits,
                         .sym = s->sym, .scale = s->scale, .rounded = s->rounded, .least_zero = s->least_zero,
                         .top = (float)((1u << s->bits) - 1)};
}
