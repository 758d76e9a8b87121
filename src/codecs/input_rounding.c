#include "codecs/input_rounding.h"
#include "base/bytes.h"
#include "base/size.h"
#include "codecs/int_ct.h"
#include "codecs/round_float.h"
#include "codecs/scaled_float.h"
#include "codecs/types.h"
#include <math.h>
#include <stdio.h>

#define ROUND 12582912.0f /* v + ROUND − ROUND: to the nearest whole number, halves to even */
enum { PART = 256 };

/* Of n values that share a scale: what divides or multiplies them, and what multiplies their codes. */
typedef struct { float by, scale, zero; bool times; } shared_scale;

static bool is_int(const qz_input_rounding *how) { return how->element == QZ_ELEMENT_INT; }
static qz_small_float element_of(const qz_input_rounding *how) {
    return how->element == QZ_ELEMENT_E4M3   ? QZ_E4M3FN
           : how->element == QZ_ELEMENT_E5M2 ? QZ_E5M2
           : how->element == QZ_ELEMENT_E2M3 ? QZ_E2M3
                                             : QZ_E2M1;
}
/* Largest code of integers: they go one further below 0. */
static float top_of(const qz_input_rounding *how) {
    return is_int(how) ? (float)((1 << (how->bits - 1)) - 1) : qz_small_max(element_of(how));
}
static bool under_tensor(const qz_input_rounding *how) {
    return how->stored == QZ_SCALE_E4M3 || how->stored == QZ_SCALE_E4M3_TIMES;
}

/* Bits of positive floats are in their order, so the largest is an integer's (NaN lies above all). */
static float amax_of(const float *x, size_t n) {
    int32_t most = 0;
    for (size_t k = 0; k < n; k++) {
        const int32_t a = (int32_t)(qz_f32_bits(x[k]) & 0x7fffffffu);
        most = a > most ? a : most;
    }
    return qz_bits_f32((uint32_t)most);
}
static void ends_of(const float *x, size_t n, float *lo, float *hi) {
    *lo = *hi = x[0];
    for (size_t k = 1; k < n; k++) {
        *lo = x[k] < *lo ? x[k] : *lo;
        *hi = x[k] > *hi ? x[k] : *hi;
    }
}

/* ---- scales of the served kernels ---- */
static shared_scale served_int(const qz_input_rounding *how, const float *x, size_t n) {
    const float top = top_of(how), step = 2 * top + 1;
    if (how->fixed)
        return how->sym ? (shared_scale){how->scale, how->scale, 0, false}
                        : (shared_scale){1 / how->scale, how->scale, (float)how->zero, true};
    if (how->sym) {
        const float amax = amax_of(x, n);
        return (shared_scale){amax == 0 ? 0 : top / amax, amax / top, 0, true};
    }
    float lo, hi;
    ends_of(x, n, &lo, &hi);
    const float s = (hi - lo) / step;
    if (s == 0) return (shared_scale){0, 0, 0, true}; /* deviates: the kernel divides by 0 where all values are equal */
    return (shared_scale){1 / s, s, rintf(-top - 1 - lo / s), true};
}

/* The power of two at or above v. */
static float power_above(float v) {
    int e;
    const float m = frexpf(v, &e);
    return isfinite(v) ? ldexpf(1, m == 0.5f ? e - 1 : e) : v;
}

static shared_scale served_float(const qz_input_rounding *how, const float *x, size_t n) {
    const float top = top_of(how);
    if (under_tensor(how)) {
        const float G = how->scale, full = G * (amax_of(x, n) * (1 / top)),
                    e4m3 = qz_small_nearest(QZ_E4M3FN, full < 448 ? full : 448), s = e4m3 * (1 / G);
        return (shared_scale){e4m3 == 0 ? 0 : 1 / s, s, 0, true};
    }
    if (how->fixed) return (shared_scale){1 / how->scale, how->scale, 0, true};
    const float amax = amax_of(x, n);
    if (how->by == QZ_INPUT_TOKEN) {
        const float s = amax / top, least = 1 / (top * 512);
        return (shared_scale){s < least ? least : s, s < least ? least : s, 0, false};
    }
    if (how->stored == QZ_SCALE_E8M0 && how->group_size == 32) {
        const float s = qz_float_rule_scale(&(qz_float_rounding){.rule = QZ_ROUND_CT, .dtype = QZ_TYPE_F32,
                                                                 .element = element_of(how), .stored = QZ_SCALE_E8M0},
                                            1, amax);
        return (shared_scale){s, s, 0, false};
    }
    const float s = (amax < 1e-10f ? 1e-10f : amax) / top, up = how->stored == QZ_SCALE_E8M0 ? power_above(s) : s;
    return (shared_scale){up, up, 0, false};
}

/* ---- those of the library ---- */
static shared_scale library_scale(const qz_input_rounding *how, const float *x, size_t n) {
    if (!is_int(how)) {
        const qz_float_rounding r = {.rule = QZ_ROUND_CT, .dtype = how->dtype, .element = element_of(how),
                                     .stored = how->stored};
        const bool own = how->fixed && !under_tensor(how);
        const float s = own ? how->scale : qz_float_rule_scale(&r, how->scale, amax_of(x, n));
        return (shared_scale){s, s, 0, false};
    }
    if (how->fixed) return (shared_scale){how->scale, how->scale, how->sym ? 0 : (float)how->zero, false};
    float lo, hi;
    uint8_t zero;
    ends_of(x, n, &lo, &hi);
    const float s = qz_int_ct_range(&(qz_int_ct){how->dtype, how->bits, how->sym}, lo, hi, &zero);
    return (shared_scale){s, s, (float)zero - top_of(how) - 1, false};
}

/* ---- values ---- */
static void scaled(shared_scale s, const float *x, size_t n, float *q) {
    if (s.times)
        for (size_t k = 0; k < n; k++) q[k] = x[k] * s.by;
    else
        for (size_t k = 0; k < n; k++) q[k] = x[k] / s.by;
}
static void to_dtype(qz_type t, float *q, size_t n) {
    for (size_t k = 0; k < n && t != QZ_TYPE_F32; k++) q[k] = qz_round_float(t, q[k]);
}
/* t a constant of each loop */
static inline void to_element(qz_small_float t, float top, float scale, size_t n, float *q) {
    for (size_t k = 0; k < n; k++) {
        const float v = q[k] > top ? top : q[k] < -top ? -top : q[k];
        q[k] = qz_small_nearest(t, v) * scale;
    }
}
/* Served: the code is rounded before the zero point is added; the library adds it in its own type and clamps first. */
static void to_int(const qz_input_rounding *how, shared_scale s, size_t n, float *q) {
    const float top = top_of(how), low = -top - 1;
    for (size_t k = 0; k < n; k++) {
        const float r = how->library ? s.zero == 0 ? q[k] : qz_round_float(how->dtype, q[k] + s.zero)
                                     : rintf(q[k]) + s.zero,
                    c = r > top ? top : r < low ? low : r;
        q[k] = (rintf(c) - s.zero) * s.scale;
    }
}
/* The same in line, for the one that runs over every activation of int8. */
static void to_int_sym(float top, float scale, size_t n, float *q) {
    for (size_t k = 0; k < n; k++) {
        const float v = q[k] > top ? top : q[k] < -top - 1 ? -top - 1 : q[k];
        q[k] = copysignf(fabsf(v) + 0x1p23f - 0x1p23f, v) * scale;
    }
}

static void round_shared(const qz_input_rounding *how, shared_scale s, const float *x, size_t n, float *y) {
    const float top = top_of(how);
    for (size_t k = 0; k < n; k += PART) {
        const size_t m = qz_min_size(PART, n - k);
        float *q = y + k;
        scaled(s, x + k, m, q);
        /* the library divides by scales of FP4 and MX in float32 */
        if (how->library && how->stored != QZ_SCALE_E8M0 && !under_tensor(how)) to_dtype(how->dtype, q, m);
        if (!is_int(how)) switch (element_of(how)) {
            case QZ_E4M3FN: to_element(QZ_E4M3FN, top, s.scale, m, q); break;
            case QZ_E5M2: to_element(QZ_E5M2, top, s.scale, m, q); break;
            case QZ_E2M3: to_element(QZ_E2M3, top, s.scale, m, q); break;
            case QZ_E2M1: to_element(QZ_E2M1, top, s.scale, m, q); break;
            }
        else if (how->library || !how->sym) to_int(how, s, m, q);
        else to_int_sym(top, s.scale, m, q);
        if (how->library) to_dtype(how->dtype, q, m);
    }
}

void qz_input_round_row(const qz_input_rounding *how, const float *x, size_t cols, float *y, float *scales) {
    const size_t group = how->by == QZ_INPUT_GROUP ? how->group_size : cols;
    for (size_t k = 0; k < cols; k += group) {
        const size_t n = qz_min_size(group, cols - k);
        shared_scale s = how->library    ? library_scale(how, x + k, n)
                         : is_int(how) ? served_int(how, x + k, n)
                                       : served_float(how, x + k, n);
        if (s.times && isinf(s.by)) s.by = s.scale = 0; /* deviates: kernels make 0 * infinity of such small values */
        if (scales) scales[k / group] = under_tensor(how) ? s.scale * how->scale : s.scale;
        round_shared(how, s, x + k, n, y + k);
    }
}

typedef struct { const qz_input_rounding *how; const float *x; float *y; size_t rows, cols; } rounding;
static void round_rows(void *arg, qz_part part) {
    const rounding *j = arg;
    size_t lo, hi;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++)
        qz_input_round_row(j->how, j->x + r * j->cols, j->cols, j->y + r * j->cols, NULL);
}

/* A tensor's own scale becomes a fixed one: s of these values, or G that puts the largest on the largest. */
static qz_input_rounding of_tensor(const qz_input_rounding *how, const float *x, size_t n) {
    qz_input_rounding fixed = *how;
    const float amax = amax_of(x, n), full = top_of(how) * 448;
    fixed.fixed = true;
    if (under_tensor(how)) fixed.scale = amax > 0 && isfinite(full / amax) ? full / amax : 1;
    else if (how->library) fixed.scale = library_scale(how, x, n).scale;
    else if (is_int(how)) {
        const shared_scale s = served_int(how, x, n);
        fixed.scale = s.scale > 0 ? s.scale : 1, fixed.zero = (int)s.zero;
    } else fixed.scale = amax > 0 ? amax / top_of(how) : 1;
    return fixed;
}

void qz_input_round(qz_pool *pool, const qz_input_rounding *how, const float *x, size_t rows, size_t cols, float *y) {
    const bool whole = !how->fixed && (how->by == QZ_INPUT_TENSOR || under_tensor(how));
    const qz_input_rounding own = whole ? of_tensor(how, x, rows * cols) : *how;
    rounding j = {&own, x, y, rows, cols};
    qz_pool_run(pool, 0, round_rows, &j);
}

bool qz_input_rounding_same(const qz_input_rounding *a, const qz_input_rounding *b) {
    if (a == b || !a || !b) return a == b;
    return a->element == b->element && a->bits == b->bits && a->by == b->by && a->group_size == b->group_size &&
           a->stored == b->stored && a->fixed == b->fixed && a->scale == b->scale && a->sym == b->sym &&
           a->zero == b->zero && a->library == b->library && a->dtype == b->dtype;
}

void qz_input_rounding_text(const qz_input_rounding *how, char out[32]) {
    static const char *const names[] = {[QZ_ELEMENT_INT] = "int", [QZ_ELEMENT_E4M3] = "fp8", [QZ_ELEMENT_E5M2] = "fp8",
                                        [QZ_ELEMENT_E2M1] = "fp4", [QZ_ELEMENT_E2M3] = "fp6"};
    char name[12], group[12];
    const bool mx = how->stored == QZ_SCALE_E8M0 && how->group_size == 32;
    (void)snprintf(name, sizeof name, is_int(how) ? "%s%s%u" : "%s%s", under_tensor(how) ? "nv" : mx ? "mx" : "",
                   names[how->element], how->bits);
    (void)snprintf(group, sizeof group, "g%u", how->group_size);
    (void)snprintf(out, 32, "%s %s", name,
                   how->by == QZ_INPUT_GROUP   ? group
                   : how->fixed                ? "static"
                   : how->by == QZ_INPUT_TOKEN ? "token"
                                               : "tensor");
}
