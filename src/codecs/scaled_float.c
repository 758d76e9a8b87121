#include "codecs/scaled_float.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/size.h"
#include "codecs/int_group.h"
#include "codecs/round_float.h"
#include "codecs/small_float.h"
#include "codecs/types.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- scales as files hold them ---- */
float qz_scale_under(qz_scale_type stored, float tensor, float e4m3) {
    return stored == QZ_SCALE_E4M3 ? e4m3 / tensor : e4m3 * tensor;
}
uint8_t qz_scale_byte(qz_scale_type stored, float tensor, float scale) {
    if (stored == QZ_SCALE_E8M0) return (uint8_t)(qz_f32_bits(scale) >> 23 & 255);
    return qz_small_encode(QZ_E4M3FN, stored == QZ_SCALE_E4M3 ? scale * tensor : scale / tensor);
}

/* ---- encoding ---- */
typedef struct {
    const qz_float_rounding *how;
    const float *w;
    const qz_scaled_float *f;
    float most;                  /* of the element */
    bool to_zero;                /* ties, and zero is the negative one */
    uint8_t *codes;
    float *scales;
} rounding;

static float clamped(float v, float most) { return v > most ? most : v < -most ? -most : v; }

/* The power of two of compressed-tensors: the exponent goes up where rounding amax to the element's mantissa does. */
static float even_power(const rounding *j, float amax) {
    const bool wide = j->how->element == QZ_E2M3; /* three bits of mantissa under the same exponent */
    const uint32_t t = qz_f32_bits(amax) + (wide ? 1u << 19 : 1u << 21),
                   off = j->how->element == QZ_E4M3FN ? 8 : j->how->element == QZ_E5M2 ? 15 : 2, e = t >> 23;
    return qz_e8m0_decode((uint8_t)(e <= off ? 0 : e - off > 254 ? 254 : e - off));
}

/* ModelOpt's: the next one above, so that nothing saturates. Deviates: exact where the reference takes the float32
 * logarithm, which rounds a number just above a power of two down to it. */
static float ceil_power(const rounding *j, float amax) {
    int e;
    const float m = frexpf(amax / j->most, &e);
    if (!(m > 0)) return 0x1p-127f;
    e = m == 0.5f ? e - 1 : e;
    return ldexpf(1, e < -127 ? -127 : e > 127 ? 127 : e);
}

/* An E4M3 scale under the tensor's; what the libraries give zero blocks and those too small for E4M3. */
static float under_tensor(const rounding *j, float amax) {
    const float G = j->f->tensor;
    if (j->how->rule == QZ_ROUND_MODELOPT) {
        const float s = amax > 0 ? amax / (j->most * G) : 1;
        return qz_small_decode(QZ_E4M3FN, qz_small_encode(QZ_E4M3FN, fminf(fmaxf(s, 0x1p-9f), 448))) * G;
    }
    const float full = clamped(qz_round_float(j->how->dtype, amax / j->most) * G, 448),
                s = qz_small_decode(QZ_E4M3FN, qz_small_encode(QZ_E4M3FN, full));
    return (s == 0 ? 0.125f : s) / G;
}

typedef struct { float scale, times; bool multiply, plain; } block_scale; /* multiply by `times`; plain: in float32 */

static block_scale scale_of(const rounding *j, float amax) {
    static const float eps[] = {[QZ_TYPE_F32] = 0x1p-23f, [QZ_TYPE_F16] = 0x1p-10f, [QZ_TYPE_BF16] = 0x1p-7f};
    const qz_float_rounding *how = j->how;
    if (how->stored == QZ_SCALE_E8M0 && how->rule == QZ_ROUND_CT)
        return (block_scale){even_power(j, amax), 1, false, true};
    if (how->stored == QZ_SCALE_E8M0 && how->rule == QZ_ROUND_MODELOPT)
        return (block_scale){ceil_power(j, amax), 1, false, true};
    if (how->stored == QZ_SCALE_E4M3 || how->stored == QZ_SCALE_E4M3_TIMES)
        return (block_scale){under_tensor(j, amax), 1, false, true};
    if (how->rule != QZ_ROUND_FINE) {
        const float s = how->rule == QZ_ROUND_MODELOPT ? amax / j->most : qz_round_float(how->dtype, amax / j->most);
        return (block_scale){s == 0 ? eps[how->dtype] : s, 1, false, false};
    }
    block_scale b = {0, amax > 0 ? 1.0f / amax * j->most : 1, true, true};
    b.scale = 1.0f / b.times;
    if (how->stored == QZ_SCALE_E8M0 && isfinite(b.times)) { /* the next power of two above */
        int e;
        const float m = frexpf(b.scale, &e);
        b.scale = ldexpf(1, m == 0.5f ? e - 1 : e);
        b.times = 1.0f / b.scale;
    }
    /* deviates: below 1e-36 the reference's factor is infinite and its scale 0; a subnormal scale says them */
    if (!isfinite(b.times)) b = (block_scale){fmaxf(amax / j->most, FLT_TRUE_MIN), 1, false, true};
    return b;
}

float qz_float_rule_scale(const qz_float_rounding *how, float tensor, float amax) {
    const qz_scaled_float f = {.tensor = tensor};
    return scale_of(&(rounding){.how = how, .f = &f, .most = qz_small_max(how->element)}, amax).scale;
}

static float block_error(const rounding *j, const float *w, size_t n, float scale) {
    float sum = 0;
    for (size_t k = 0; k < n; k++) {
        const uint8_t q = qz_small_encode(j->f->element, clamped(w[k] / scale, j->most));
        const float d = w[k] - qz_small_decode(j->f->element, q) * scale;
        sum += d * d;
    }
    return sum;
}

/* Of the powers of two around the rule, or of all E4M3 scales from 0.7 to 1.7 of what puts the largest value on
 * the largest code, the one of least squared error; the rule's where none is better. */
static float search_scale(const rounding *j, const float *w, size_t n, float amax, float rule) {
    float best = rule, least = block_error(j, w, n, rule);
    const bool power = j->how->stored == QZ_SCALE_E8M0;
    const float one = power ? 1 : qz_scale_under(j->how->stored, j->f->tensor, 1), full = amax / j->most / one;
    const uint8_t lo = power ? 0 : qz_small_encode(QZ_E4M3FN, fminf(fmaxf(0.7f * full, 0x1p-9f), 448)),
                  hi = power ? 3 : qz_small_encode(QZ_E4M3FN, fminf(fmaxf(1.7f * full, 0x1p-9f), 448));
    for (unsigned c = lo; c <= hi && amax > 0; c++) {
        const float s = power ? ldexpf(rule, (int)c - 1)
                              : qz_scale_under(j->how->stored, j->f->tensor, qz_small_decode(QZ_E4M3FN, (uint8_t)c));
        if (power && (s < 0x1p-126f || s > 0x1p127f)) continue;
        const float e = block_error(j, w, n, s);
        if (e < least) least = e, best = s;
    }
    return best;
}

/* ModelOpt's MXFP4 counts the bounds that lie below a magnitude, and a zero has no sign that is positive. */
static uint8_t code_of(const rounding *j, float v) {
    static const float bounds[] = {0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5};
    if (!j->to_zero) return qz_small_encode(j->f->element, v);
    uint8_t c = v > 0 ? 0 : 8;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) c = (uint8_t)(c + (fabsf(v) > bounds[i]));
    return c;
}

typedef struct { size_t r0, r1, k0, k1; } span;

static void encode_span(const rounding *j, const block_scale *b, span s) {
    const size_t cols = j->f->base.cols;
    for (size_t r = s.r0; r < s.r1; r++)
        for (size_t k = s.k0; k < s.k1; k++) {
            const float x = j->w[r * cols + k], q = b->multiply ? x * b->times : x / b->scale,
                        v = clamped(b->plain ? q : qz_round_float(j->how->dtype, q), j->most);
            j->codes[r * cols + k] = code_of(j, v);
        }
}

static float amax_of(const rounding *j, span s) {
    float amax = 0;
    for (size_t r = s.r0; r < s.r1; r++)
        for (size_t k = s.k0; k < s.k1; k++) amax = fmaxf(amax, fabsf(j->w[r * j->f->base.cols + k]));
    return amax;
}

/* One block; zero blocks get the scale that the reference gives them. */
static void encode_block(const rounding *j, size_t bi, size_t bk, size_t across) {
    const qz_scaled_float *f = j->f;
    const size_t cols = f->base.cols, k0 = bk * f->block_cols;
    const span s = {bi * f->block_rows, qz_min_size((bi + 1) * f->block_rows, f->base.rows), k0,
                    qz_min_size(k0 + f->block_cols, cols)};
    const float amax = j->how->block_amax ? j->how->block_amax[bi * across + bk] : amax_of(j, s);
    block_scale b = scale_of(j, amax);
    if (j->how->search && f->block_rows == 1)
        b.scale = search_scale(j, j->w + bi * cols + k0, s.k1 - k0, amax, b.scale);
    j->scales[bi * across + bk] = b.scale;
    encode_span(j, &b, s);
}

static void encode(void *arg, qz_part part) {
    const rounding *j = arg;
    const size_t down = (j->f->base.rows + j->f->block_rows - 1) / j->f->block_rows,
                 across = (j->f->base.cols + j->f->block_cols - 1) / j->f->block_cols;
    size_t lo, hi;
    qz_split(down, 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; i++)
        for (size_t k = 0; k < across; k++) encode_block(j, i, k, across);
}

/* One scale for the matrix: its rows go over the threads. */
typedef struct { const rounding *j; block_scale b; } whole;
static void encode_rows(void *arg, qz_part part) {
    const whole *x = arg;
    span s = {.k1 = x->j->f->base.cols};
    qz_split(x->j->f->base.rows, 1, part, &s.r0, &s.r1);
    encode_span(x->j, &x->b, s);
}
static void encode_whole(qz_run *run, const rounding *j) {
    const span all = {0, j->f->base.rows, 0, j->f->base.cols};
    const float amax = j->how->amax > 0 ? j->how->amax : amax_of(j, all);
    whole x = {j, scale_of(j, amax)};
    j->scales[0] = x.b.scale;
    qz_pool_run(run ? run->pool : NULL, 0, encode_rows, &x);
}

/* Compressed-tensors: reciprocal first, each step in the weights' type; ModelOpt in float32. */
static float tensor_scale(const qz_float_rounding *how, const float *w, size_t n) {
    float amax = how->amax;
    if (how->stored != QZ_SCALE_E4M3 && how->stored != QZ_SCALE_E4M3_TIMES) return 1;
    for (size_t i = 0; how->amax == 0 && i < n; i++) amax = fmaxf(amax, fabsf(w[i]));
    const float top = how->search ? 256 : 448, /* a search wants room for half as large a scale again */
                full = top * qz_small_max(how->element);
    if (how->stored == QZ_SCALE_E4M3_TIMES) return amax > 0 ? amax / full : 1;
    const float G = amax > 0 ? qz_round_float(how->dtype, qz_round_float(how->dtype, 1 / amax) * full) : 1;
    return isfinite(G) && G > 0 ? G : 1;
}

qz_status qz_scaled_float_round(qz_run *run, const qz_float_rounding *how, const float *w, qz_scaled_float *f,
                                qz_arena *arena, qz_error *err) {
    const size_t rows = f->base.rows, cols = f->base.cols, block_rows = how->block_rows, block_cols = how->block_cols,
                 n = (rows + block_rows - 1) / block_rows * ((cols + block_cols - 1) / block_cols);
    uint8_t *codes = qz_arena_alloc(arena, rows, cols);
    float *scales = qz_arena_alloc(arena, n, sizeof *scales);
    if (!codes || !scales) return qz_fail(err, QZ_EMEMORY, "out of memory for codes of [%zu, %zu]", rows, cols);
    *f = (qz_scaled_float){.base = {qz_scaled_float_ops(how->element), rows, cols}, .element = how->element, .bits = 8,
                           .whole = block_rows == rows && block_cols == cols && rows > 1,
                           .block_rows = block_rows, .block_cols = block_cols, .codes = codes, .scales = scales,
                           .stored = how->stored, .tensor = tensor_scale(how, w, rows * cols),
                           .dtype = how->stored == QZ_SCALE_F32 ? QZ_TYPE_F32 : how->dtype};
    rounding j = {.how = how, .w = w, .f = f, .most = qz_small_max(how->element), .codes = codes, .scales = scales,
                  .to_zero = how->rule == QZ_ROUND_MODELOPT && how->stored == QZ_SCALE_E8M0 &&
                             how->element == QZ_E2M1 && !how->search};
    if (block_rows >= rows && block_cols >= cols && how->stored < QZ_SCALE_E8M0) encode_whole(run, &j);
    else qz_pool_run(run ? run->pool : NULL, 0, encode, &j);
    return QZ_OK;
}

/* ---- as a coded matrix ---- */
static const qz_scaled_float *scaled(const qz_coded *c) { return (const qz_scaled_float *)(const void *)c; }

static size_t across(const qz_scaled_float *f) { return (f->base.cols + f->block_cols - 1) / f->block_cols; }
static float scale_at(const qz_scaled_float *f, size_t row, size_t col) {
    return f->scales[row / f->block_rows * across(f) + col / f->block_cols];
}
static const uint8_t *row_of(const qz_scaled_float *f, size_t row) {
    return f->codes + row * qz_scaled_row_bytes(f->base.cols, f->bits);
}

typedef struct { const char *name, *title; uint32_t bits; } element_info;
static const element_info *info_of(const qz_scaled_float *f) {
    static const element_info all[] = {[QZ_E4M3FN] = {"fp8", "E4M3", 8}, [QZ_E5M2] = {"fp8 e5m2", "E5M2", 8},
                                       [QZ_E2M1] = {"fp4", "E2M1", 4}, [QZ_E2M3] = {"fp6", "E2M3", 6}};
    return &all[f->element];
}

static qz_code_layout layout(const qz_coded *c) {
    const qz_scaled_float *f = scaled(c);
    const bool even = c->cols % f->block_cols == 0;
    return (qz_code_layout){.form = QZ_CODES_FLOAT, .name = info_of(f)->name, .bits = info_of(f)->bits,
                            .group = even ? f->block_cols : 0, .groups = even ? across(f) : 0,
                            .element = f->element, .stored = f->stored, .tensor = f->tensor};
}
static void codes(const qz_coded *c, size_t row, uint8_t *out) {
    qz_int_unpack_row(row_of(scaled(c), row), c->cols, scaled(c)->bits, out);
}
/* Magnitude bits of any of these elements, moved to where float32 has them, are the value times 2^(bias − 127). */
typedef struct { uint32_t sign, shift; float power; } element_bits;
static element_bits bits_of(qz_small_float t) {
    static const element_bits all[] = {[QZ_E4M3FN] = {0x80, 20, 0x1p120f}, [QZ_E5M2] = {0x80, 21, 0x1p112f},
                                       [QZ_E2M1] = {8, 22, 0x1p126f}, [QZ_E2M3] = {0x20, 20, 0x1p126f}};
    return all[t];
}
/* n codes under one scale; no code is NaN (readers refuse them, encoders make none). */
/* Three plain loops, which compilers make wide: elements, scales, the type's rounding. */
static void elements(element_bits b, const uint8_t *q, size_t n, float *y) {
    const uint32_t up = (uint32_t)__builtin_clz(b.sign);
    for (size_t i = 0; i < n; i++) {
        const uint32_t sign = (uint32_t)(q[i] & b.sign) << up, most = (uint32_t)(q[i] & (b.sign - 1)) << b.shift;
        y[i] = qz_bits_f32(sign | most) * b.power;
    }
}
static void round_values(qz_type dtype, float *y, size_t n) {
    if (dtype == QZ_TYPE_BF16)
        for (size_t i = 0; i < n; i++) y[i] = qz_bf16_to_f32(qz_f32_to_bf16(y[i]));
    else if (dtype == QZ_TYPE_F16)
        for (size_t i = 0; i < n; i++) y[i] = qz_f16_nearest(y[i]);
}
static void decode(const qz_coded *c, size_t row, size_t first, size_t n, float *y) {
    enum { PART = 256 };
    const qz_scaled_float *f = scaled(c);
    const float *scales = f->scales + row / f->block_rows * across(f);
    uint8_t q[PART];
    for (size_t k = 0; k < n; k += PART) { /* first is a multiple of 8: whole bytes */
        const size_t m = qz_min_size(PART, n - k), at = first + k;
        qz_int_unpack_row(row_of(f, row) + at / 8 * f->bits, m, f->bits, q);
        elements(bits_of(f->element), q, m, y + k);
        size_t block = at / f->block_cols;
        for (size_t i = 0, end; i < m; i = end, block++) {
            end = qz_min_size(m, (block + 1) * f->block_cols - at);
            for (size_t x = i; x < end; x++) y[k + x] *= scales[block];
        }
        round_values(f->dtype, y + k, m);
    }
}
static float scale(const qz_coded *c, size_t row, size_t group, int *zero) {
    *zero = 0;
    return scale_at(scaled(c), row, group * scaled(c)->block_cols);
}
static uint64_t held(const qz_coded *c) {
    const qz_scaled_float *f = scaled(c);
    return 4 * (uint64_t)((c->rows + f->block_rows - 1) / f->block_rows * across(f));
}
static void text(const qz_coded *c, char out[32]) {
    const qz_scaled_float *f = scaled(c);
    const char *name = info_of(f)->name;
    if (f->stored == QZ_SCALE_E4M3 || f->stored == QZ_SCALE_E4M3_TIMES)
        (void)snprintf(out, 32, "nv%s g%zu", name, f->block_cols);
    else if (f->stored == QZ_SCALE_E8M0 && f->block_rows == 1)
        (void)snprintf(out, 32, "mx%s g%zu", name, f->block_cols);
    else if (f->block_rows == 1 && f->block_cols == c->cols) (void)snprintf(out, 32, "%s rows", name);
    else if (f->whole) (void)snprintf(out, 32, "%s tensor", name);
    else (void)snprintf(out, 32, "%s %zux%zu", name, f->block_rows, f->block_cols);
}
static void hash(const qz_coded *c, qz_sha256 *h) {
    qz_sha256_update(h, scaled(c)->codes, c->rows * qz_scaled_row_bytes(c->cols, scaled(c)->bits));
}
static qz_type float_type(const qz_coded *c) { return scaled(c)->dtype; }
static void explain(const qz_coded *c, size_t row, size_t col, uint64_t offset, qz_str *out) {
    const qz_scaled_float *f = scaled(c);
    const size_t at = row * qz_scaled_row_bytes(c->cols, f->bits) + col * f->bits / 8;
    uint8_t eight[8];
    qz_int_unpack_row(row_of(f, row) + col / 8 * f->bits, col % 8 + 1, f->bits, eight);
    const uint8_t q = eight[col % 8];
    const float v = qz_small_decode(f->element, q), s = scale_at(f, row, col);
    qz_str_printf(out, "  scale        %.9g (of %zu x %zu values)\n", (double)s, f->block_rows, f->block_cols);
    if (f->stored == QZ_SCALE_E4M3 || f->stored == QZ_SCALE_E4M3_TIMES)
        qz_str_printf(out, "               E4M3 %.9g %s %.9g of the tensor\n",
                      (double)qz_small_decode(QZ_E4M3FN, qz_scale_byte(f->stored, f->tensor, s)),
                      f->stored == QZ_SCALE_E4M3 ? "over" : "times", (double)f->tensor);
    qz_str_printf(out, "  code         byte %llu: %02x, %s %.9g: %.9g x %.9g\n", (unsigned long long)(offset + at), q,
                  info_of(f)->title, (double)v, (double)v, (double)s);
}
/* Matrices that have one scale each: of the whole below each other there is one, too, where all are the same. */
static bool single(const qz_coded *const *parts, size_t n, bool *same) {
    *same = true;
    for (size_t i = 0; i < n; i++) {
        const qz_scaled_float *x = scaled(parts[i]);
        if (x->block_rows != x->base.rows || x->block_cols != x->base.cols) return false;
        *same = *same && memcmp(x->scales, scaled(parts[0])->scales, sizeof *x->scales) == 0;
    }
    return n > 1;
}

/* Blocks of rows must not cross from one matrix to the next. */
static const qz_coded *stack(const qz_coded *const *parts, size_t n, qz_arena *arena) {
    const qz_scaled_float *first = scaled(parts[0]);
    const size_t cols = first->base.cols, wide = across(first), high = first->block_rows;
    size_t rows = 0, row = 0, block = 0;
    bool same;
    const bool one = single(parts, n, &same);
    if (one && !same) return NULL;
    for (size_t i = 0; i < n; rows += parts[i++]->rows)
        if (!one && rows % high != 0) return NULL;
    const size_t bytes = qz_scaled_row_bytes(cols, first->bits);
    uint8_t *codes = qz_arena_alloc(arena, rows, bytes);
    float *scales = qz_arena_alloc(arena, one ? 1 : (rows + high - 1) / high * wide, sizeof *scales);
    qz_scaled_float *all = qz_arena_alloc(arena, 1, sizeof *all);
    if (!codes || !scales || !all) return NULL;
    for (size_t i = 0; i < n; row += parts[i++]->rows) {
        const qz_scaled_float *x = scaled(parts[i]);
        const size_t down = (x->base.rows + high - 1) / high;
        memcpy(codes + row * bytes, x->codes, x->base.rows * bytes);
        memcpy(scales + block * wide, x->scales, down * wide * sizeof *scales);
        block += one ? 0 : down;
    }
    *all = *first;
    all->base.rows = rows;
    if (one) all->block_rows = rows;
    all->codes = codes, all->scales = scales;
    return &all->base;
}
/* Weights that float16 cannot hold, or a matrix whose weights are all nothing beside any other: no trained model has
 * them, a wrong tensor scale gives them. */
static bool bad_scale(const qz_coded *c, size_t *row, size_t *group, float *out) {
    const qz_scaled_float *f = scaled(c);
    const size_t n = (c->rows + f->block_rows - 1) / f->block_rows * across(f);
    float largest = 0;
    for (size_t i = 0; i < n; i++) {
        largest = fmaxf(largest, f->scales[i]);
        if (f->scales[i] * qz_small_max(f->element) <= 65504) continue;
        *row = i / across(f) * f->block_rows, *group = i % across(f), *out = f->scales[i];
        return true;
    }
    const size_t bytes = largest < 1e-20f ? c->rows * qz_scaled_row_bytes(c->cols, f->bits) : 0;
    bool some = false;
    for (size_t i = 0; i < bytes; i++) some |= f->codes[i] != 0;
    *row = *group = 0, *out = largest;
    return some;
}
#define OPS(name_, number_)                                                                                          \
    { .name = name_, .number = number_, .layout = layout, .decode = decode, .codes = codes, .scale = scale,          \
      .held = held, .text = text, .hash = hash, .float_type = float_type, .explain = explain, .stack = stack, \
      .bad_scale = bad_scale }
static const qz_coded_ops all_ops[] = {[QZ_E4M3FN] = OPS("fp8", 17), [QZ_E5M2] = OPS("fp8 e5m2", 18),
                                       [QZ_E2M1] = OPS("fp4", 19), [QZ_E2M3] = OPS("fp6", 20)};
const qz_coded_ops *qz_scaled_float_ops(qz_small_float element) { return &all_ops[element]; }
const qz_scaled_float *qz_scaled_float_of(const qz_coded *c) {
    return c && c->ops->decode == decode ? scaled(c) : NULL;
}
