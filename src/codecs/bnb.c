/* bitsandbytes encoders and decoders (bnb.h). Codes follow the library's CPU path for NF4 and its CUDA thresholds for
 * FP4 (the two differ in the sign bit of zeros only); nested codes are the exact nearest, which the CPU path
 * misses in about 1 %. */
#include "codecs/bnb.h"
#include "base/size.h"
#include <math.h>
#include <stdio.h>
#include "codecs/codecs_int.h"
#include "codecs/round_float.h"
#include "codecs/types.h"

/* Times what the scales of a tensor usually are: no model has such a block; and below zero, what nested codes round. */
#define ABSURD 1000.0
#define ROUNDS 0.1

size_t qz_bnb_code_bytes(qz_bnb_kind k, size_t rows, size_t cols) {
    return k == QZ_BNB_INT8 ? rows * cols : rows * cols / 2 + rows * cols % 2;
}

/* ---- 4-bit codes ---- */
/* (t[i] + t[i+1]) / 2 of NF4 in float32; a tie goes to the lower code. */
static const float nf4_bounds[15] = {
    -0.8480963706970215f, -0.6106328964233398f, -0.4599952697753906f, -0.33967941999435425f, -0.23460739850997925f,
    -0.13791173696517944f, -0.045525018125772476f, 0.03979014977812767f, 0.120255246758461f, 0.2035212516784668f,
    0.2920137643814087f, 0.3893125355243683f, 0.5016634464263916f, 0.6427869200706482f, 0.8614784479141235f };
/* Magnitudes of FP4 by value: a > bound[i] gives code[i + 1]. */
static const float fp4_bounds[7] = { 0x1.5555720p-9f, 0.0859375f, 0x1.aaaaaap-3f, 0x1.2aaaaap-2f, 0x1.aaaaacp-2f,
                                     0x1.2aaaa0p-1f, 0x1.aaaaaap-1f };
static const uint8_t fp4_codes[8] = { 0, 1, 6, 7, 4, 5, 2, 3 };

static uint8_t nf4_code(float v) {
    unsigned c = 0;
    for (size_t i = 0; i < 15; i++) c += nf4_bounds[i] < v;
    return (uint8_t)c;
}
static uint8_t fp4_code(float v) {
    unsigned i = 0;
    float a = fabsf(v);
    for (size_t k = 0; k < 7; k++) i += a > fp4_bounds[k];
    return (uint8_t)(fp4_codes[i] | (v < 0 ? 8 : 0));
}

typedef struct {
    qz_bnb_kind kind;
    const float *x;
    size_t n, rows, cols;
    uint8_t *codes;
    float *absmax;
} bnb_rounding;

static void encode_block(const bnb_rounding *j, size_t b) {
    size_t first = b * QZ_BNB_BLOCK, n = qz_min_size(QZ_BNB_BLOCK, j->n - first);
    const float *x = j->x + first;
    float amax = 0;
    for (size_t i = 0; i < n; i++) amax = fmaxf(amax, fabsf(x[i]));
    j->absmax[b] = amax;
    float inv = 1.0f / amax;
    uint8_t pair = 0;
    for (size_t i = 0; i < n + n % 2; i++) { /* an odd end is filled with the code of 0 */
        float v = 0;
        /* the library divides in a short last block */
        if (amax > 0 && i < n) v = n == QZ_BNB_BLOCK ? x[i] * inv : x[i] / amax;
        v = v < -1 ? -1 : v > 1 ? 1 : v;
        uint8_t c = j->kind == QZ_BNB_NF4 ? nf4_code(v) : fp4_code(v);
        if (i % 2 == 0) pair = (uint8_t)(c << 4);
        else j->codes[(first + i) / 2] = (uint8_t)(pair | c);
    }
}

/* LLM.int8: the weight as float16, 127 steps to the row's largest. */
static void encode_row(const bnb_rounding *j, size_t r) {
    const float *x = j->x + r * j->cols;
    float amax = 0;
    for (size_t i = 0; i < j->cols; i++) amax = fmaxf(amax, fabsf(qz_f16_to_f32(qz_f32_to_f16(x[i]))));
    j->absmax[r] = amax;
    float scale = amax > 0 ? 127.0f / amax : 0;
    for (size_t i = 0; i < j->cols; i++)
        j->codes[r * j->cols + i] =
            (uint8_t)(int8_t)qz_clamp_int(qz_nearest(qz_f16_to_f32(qz_f32_to_f16(x[i])) * scale), -127, 127);
}

static void encode(void *arg, qz_part part) {
    const bnb_rounding *j = arg;
    size_t lo, hi;
    bool rows = j->kind == QZ_BNB_INT8;
    qz_split(rows ? j->rows : (j->n + QZ_BNB_BLOCK - 1) / QZ_BNB_BLOCK, 1, part, &lo, &hi);
    for (size_t b = lo; b < hi; b++) {
        if (rows) encode_row(j, b);
        else encode_block(j, b);
    }
}

/* ---- nested scales ---- */
/* Nearest entry of the map; the lower of two at the same distance. */
static uint8_t nearest_code(float v) {
    size_t lo = 0, hi = 255; /* map[lo] <= v < map[hi] while inside */
    if (v <= qz_bnb_map8[0]) return 0;
    if (v >= qz_bnb_map8[255]) return 255;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;
        if (qz_bnb_map8[mid] <= v) lo = mid;
        else hi = mid;
    }
    return (uint8_t)(v - qz_bnb_map8[lo] <= qz_bnb_map8[hi] - v ? lo : hi);
}

void qz_bnb_decode_nested(const uint8_t *codes, size_t n, const float *map, const float *nested_absmax,
                          size_t nested_block, float offset, float *out) {
    for (size_t i = 0; i < n; i++) out[i] = map[codes[i]] * nested_absmax[i / nested_block] + offset;
}

static qz_status nest(qz_bnb *b, float *absmax, qz_arena *arena, qz_error *err) {
    size_t n = b->n_absmax, blocks = (n + QZ_BNB_NESTED - 1) / QZ_BNB_NESTED;
    uint8_t *codes = qz_arena_alloc(arena, n, 1);
    float *outer = qz_arena_alloc(arena, blocks, sizeof *outer);
    if (!codes || !outer) return qz_fail(err, QZ_EMEMORY, "out of memory for nested scales");
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)absmax[i];
    b->nested_offset = (float)(sum / (double)n);
    for (size_t k = 0; k < blocks; k++) {
        size_t end = qz_min_size((k + 1) * QZ_BNB_NESTED, n);
        outer[k] = 0;
        for (size_t i = k * QZ_BNB_NESTED; i < end; i++)
            outer[k] = fmaxf(outer[k], fabsf(absmax[i] - b->nested_offset));
        float inv = outer[k] > 0 ? 1.0f / outer[k] : 0;
        for (size_t i = k * QZ_BNB_NESTED; i < end; i++) codes[i] = nearest_code((absmax[i] - b->nested_offset) * inv);
    }
    b->absmax_codes = codes;
    b->nested_absmax = outer;
    qz_bnb_decode_nested(codes, n, qz_bnb_map8, outer, QZ_BNB_NESTED, b->nested_offset, absmax);
    return QZ_OK;
}

qz_status qz_bnb_quantize(qz_run *run, const qz_bnb_setting *how, const float *x, qz_arena *arena, qz_bnb *b,
                          qz_error *err) {
    const qz_bnb_kind kind = how->kind;
    const size_t rows = how->rows, cols = how->cols;
    size_t n = rows * cols, units = kind == QZ_BNB_INT8 ? rows : (n + QZ_BNB_BLOCK - 1) / QZ_BNB_BLOCK;
    uint8_t *codes = qz_arena_alloc(arena, qz_bnb_code_bytes(kind, rows, cols), 1);
    float *absmax = qz_arena_alloc(arena, units, sizeof *absmax);
    if (!codes || !absmax) return qz_fail(err, QZ_EMEMORY, "out of memory for codes of [%zu, %zu]", rows, cols);
    bnb_rounding j = { .kind = kind, .x = x, .n = n, .rows = rows, .cols = cols, .codes = codes, .absmax = absmax };
    qz_pool_run(run ? run->pool : NULL, 0, encode, &j);
    *b = (qz_bnb){ .base = { &qz_bnb_ops, rows, cols }, .kind = kind, .rows = rows, .cols = cols,
                   .block = kind == QZ_BNB_INT8 ? cols : QZ_BNB_BLOCK, .n_absmax = units, .codes = codes,
                   .absmax = absmax, .table = kind == QZ_BNB_FP4 ? qz_bnb_fp4 : qz_bnb_nf4, .dtype = how->dtype };
    return how->nested && kind != QZ_BNB_INT8 ? nest(b, absmax, arena, err) : QZ_OK;
}

/* ---- decoding ---- */

void qz_bnb_decode_part(const qz_bnb *b, size_t row, size_t first, size_t n, float *y) {
    size_t at = row * b->cols + first, end = at + n;
    if (b->kind == QZ_BNB_INT8) {
        for (size_t i = at; i < end; i++) *y++ = (float)(int8_t)b->codes[i] * b->absmax[row] * 7.874015718698502e-3f;
        return;
    }
    while (at < end) { /* one block: sixteen products, then look-ups */
        size_t block = at / b->block, stop = qz_min_size((block + 1) * b->block, end);
        float v[16];
        for (size_t c = 0; c < 16; c++) v[c] = qz_round_float(b->dtype, b->table[c] * b->absmax[block]);
        for (; at < stop; at++) *y++ = v[at % 2 ? b->codes[at / 2] & 15 : b->codes[at / 2] >> 4];
    }
}

void qz_bnb_decode_row(const qz_bnb *b, size_t row, float *y) { qz_bnb_decode_part(b, row, 0, b->cols, y); }

/* ---- as a coded matrix ---- */
static const qz_bnb *bnb(const qz_coded *c) { return (const qz_bnb *)(const void *)c; }
static const char *const names[] = {[QZ_BNB_NF4] = "nf4", [QZ_BNB_FP4] = "fp4", [QZ_BNB_INT8] = "int8"};

static qz_code_layout layout(const qz_coded *c) {
    const qz_bnb *b = bnb(c);
    const size_t group = b->kind == QZ_BNB_INT8 ? b->cols : b->cols % b->block ? 0 : b->block;
    return (qz_code_layout){.form = QZ_CODES_TABLE, .name = names[b->kind], .bits = b->kind == QZ_BNB_INT8 ? 8 : 4,
                            .group = group, .groups = group ? b->cols / group : 0,
                            .table = b->kind == QZ_BNB_INT8 ? NULL : b->table};
}
static void decode(const qz_coded *c, size_t row, size_t first, size_t n, float *y) {
    qz_bnb_decode_part(bnb(c), row, first, n, y);
}
static uint8_t code_at(const qz_bnb *b, size_t i) {
    return b->kind == QZ_BNB_INT8 ? b->codes[i] : i % 2 ? b->codes[i / 2] & 15 : b->codes[i / 2] >> 4;
}
static void codes(const qz_coded *c, size_t row, uint8_t *out) {
    for (size_t k = 0; k < c->cols; k++) out[k] = code_at(bnb(c), row * c->cols + k);
}
static float scale(const qz_coded *c, size_t row, size_t group, int *zero) {
    const qz_bnb *b = bnb(c);
    *zero = 0;
    return b->kind == QZ_BNB_INT8 ? b->absmax[row] * 7.874015718698502e-3f
                                  : b->absmax[(row * b->cols + group * b->block) / b->block];
}
static uint64_t held(const qz_coded *c) { return 4 * (uint64_t)bnb(c)->n_absmax; }
static void text(const qz_coded *c, char out[32]) {
    const qz_bnb *b = bnb(c);
    (void)snprintf(out, 32, "%s%s%s", names[b->kind], b->kind == QZ_BNB_INT8 ? " rows" : "",
                   b->absmax_codes ? " double" : "");
}
static void hash(const qz_coded *c, qz_sha256 *h) {
    const qz_bnb *b = bnb(c);
    qz_sha256_update(h, b->codes, qz_bnb_code_bytes(b->kind, b->rows, b->cols));
}
static qz_type float_type(const qz_coded *c) { return bnb(c)->kind == QZ_BNB_INT8 ? QZ_TYPE_F16 : bnb(c)->dtype; }
static void explain(const qz_coded *c, size_t row, size_t col, uint64_t offset, qz_str *out) {
    const qz_bnb *b = bnb(c);
    const size_t i = row * b->cols + col, byte = b->kind == QZ_BNB_INT8 ? i : i / 2;
    const uint8_t code = code_at(b, i);
    if (b->kind == QZ_BNB_INT8) {
        qz_str_printf(out, "  scale        row %zu: %.9g / 127\n", row, (double)b->absmax[row]);
        qz_str_printf(out, "  integer      %d\n", (int8_t)code);
    } else {
        qz_str_printf(out, "  block        %zu (%zu values of the flattened matrix)\n", i / b->block, b->block);
        qz_str_printf(out, "  scale        largest of the block: %.9g%s\n", (double)b->absmax[i / b->block],
                      b->absmax_codes ? " (itself from an 8-bit code)" : "");
        qz_str_printf(out, "  integer      %u: table value %.9g\n", code, (double)b->table[code]);
    }
    qz_str_printf(out, "  %-12s byte %llu: %02x\n", "code", (unsigned long long)(offset + byte), b->codes[byte]);
    if (b->kind != QZ_BNB_INT8) qz_str_printf(out, "  code bits    %s of that byte\n", i % 2 ? "0 to 3" : "4 to 7");
}
/* An absmax is the largest magnitude of its block: finite, not below zero (nested ones by what their codes
 * round), and not a thousand times what the tensor has. */
static bool bad_scale(const qz_coded *c, size_t *row, size_t *group, float *out) {
    const qz_bnb *b = bnb(c);
    double logs = 0;
    size_t n = 0;
    for (size_t i = 0; i < b->n_absmax; i++)
        if (isfinite(b->absmax[i]) && b->absmax[i] > 0) logs += log2((double)b->absmax[i]), n++;
    const double usual = n ? exp2(logs / (double)n) : 1;
    const float least = b->nested_absmax ? -(float)(ROUNDS * usual) : 0, most = (float)(ABSURD * usual);
    for (size_t i = 0; i < b->n_absmax; i++) {
        const float s = b->absmax[i];
        if (isfinite(s) && s >= least && s <= most) continue;
        *row = b->kind == QZ_BNB_INT8 ? i : i * b->block / b->cols;
        *group = b->kind == QZ_BNB_INT8 ? 0 : i * b->block % b->cols / b->block;
        *out = s;
        return true;
    }
    return false;
}

const qz_coded_ops qz_bnb_ops = {.name = "bitsandbytes", .number = 16, .layout = layout, .decode = decode,
                                 .codes = codes, .scale = scale, .held = held, .text = text,
                                 .hash = hash, .float_type = float_type, .explain = explain,
                                 .bad_scale = bad_scale};
const qz_bnb *qz_bnb_of(const qz_coded *c) { return c && c->ops == &qz_bnb_ops ? bnb(c) : NULL; }
