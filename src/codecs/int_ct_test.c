/* Integer codes of compressed-tensors. Outside truth: checkpoints of compressed-tensors 0.20.0 (tests/golden/ct):
 * codes, scales, zero points, packed words and decoded values bit for bit.
 * Properties of the search over seeded values. */
#include "codecs/int_ct.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "base/half.h"
#include "codecs/round_float.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "formats/safetensors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

static qz_arena arena;

typedef struct { const char *name; qz_type dtype; uint32_t bits; size_t group; bool sym; } test_case;
enum { ROW = 0, TENSOR = 1 };
static const test_case cases[] = {
    {"w2a16_g32_sym_bf16", QZ_TYPE_BF16, 2, 32, true},        {"w3a16_g32_sym_bf16", QZ_TYPE_BF16, 3, 32, true},
    {"w3a16_g32_asym_bf16", QZ_TYPE_BF16, 3, 32, false},      {"w4a16_g128_sym_bf16", QZ_TYPE_BF16, 4, 128, true},
    {"w4a16_g32_sym_fp16", QZ_TYPE_F16, 4, 32, true},         {"w4a16_g32_asym_bf16", QZ_TYPE_BF16, 4, 32, false},
    {"w4a16_g128_asym_fp32", QZ_TYPE_F32, 4, 128, false},
    {"w4a16_channel_sym_bf16_k100", QZ_TYPE_BF16, 4, ROW, true},
    {"w5a16_g32_sym_bf16", QZ_TYPE_BF16, 5, 32, true},        {"w6a16_g32_sym_bf16", QZ_TYPE_BF16, 6, 32, true},
    {"w7a16_g32_sym_bf16", QZ_TYPE_BF16, 7, 32, true},        {"w8a16_g128_sym_bf16", QZ_TYPE_BF16, 8, 128, true},
    {"w8a16_g32_asym_bf16", QZ_TYPE_BF16, 8, 32, false},
    {"w8a16_channel_sym_bf16_k98", QZ_TYPE_BF16, 8, ROW, true},
    {"w8a8_int8_channel_bf16", QZ_TYPE_BF16, 8, ROW, true},   {"w8a8_int8_tensor_bf16", QZ_TYPE_BF16, 8, TENSOR, true},
    {"w4a8_int8_channel_bf16", QZ_TYPE_BF16, 4, ROW, true},   {"w4a8_g128_sym_bf16", QZ_TYPE_BF16, 4, 128, true},
    {"w5a16_g128_sym_bf16", QZ_TYPE_BF16, 5, 128, true},      {"w6a16_g128_sym_bf16", QZ_TYPE_BF16, 6, 128, true},
    {"w7a16_g128_sym_bf16", QZ_TYPE_BF16, 7, 128, true},      {"w4afp8_g128_sym_bf16", QZ_TYPE_BF16, 4, 128, true},
};

static float at(const qz_st_tensor *t, size_t i) {
    return t->dtype == QZ_ST_F32   ? qz_bits_f32(qz_load_u32le(t->data + 4 * i))
           : t->dtype == QZ_ST_F16 ? qz_f16_to_f32(qz_load_u16le(t->data + 2 * i))
                                   : qz_bf16_to_f32(qz_load_u16le(t->data + 2 * i));
}
static const qz_st_tensor *part(const qz_st *st, const char *suffix) {
    char name[96];
    (void)snprintf(name, sizeof name, "model.layers.0.mlp.down_proj.%s", suffix);
    return qz_st_find(st, name);
}
static uint32_t bits_of(const uint8_t *p, size_t bit, uint32_t n) {
    uint32_t v = 0;
    for (uint32_t i = 0; i < n; i++) v |= (uint32_t)(p[(bit + i) / 8] >> (bit + i) % 8 & 1) << i;
    return v;
}

typedef struct { size_t rows, cols, groups; uint8_t *codes, *zeros; float *scales, *w; } made;

static void quantize(const test_case *c, const qz_st_tensor *in, made *m) {
    const qz_int_ct how = {c->dtype, c->bits, c->sym};
    m->rows = (size_t)in->dims[0], m->cols = (size_t)in->dims[1];
    m->groups = c->group <= TENSOR ? 1 : m->cols / c->group;
    m->codes = qz_arena_alloc(&arena, m->rows, m->cols);
    m->zeros = qz_arena_alloc(&arena, m->rows, m->groups);
    m->scales = qz_arena_alloc(&arena, m->rows * m->groups, sizeof(float));
    m->w = qz_arena_alloc(&arena, m->rows * m->cols, sizeof(float));
    float lo = 0, hi = 0;
    for (size_t i = 0; i < m->rows * m->cols; i++) {
        m->w[i] = at(in, i);
        lo = m->w[i] < lo ? m->w[i] : lo, hi = m->w[i] > hi ? m->w[i] : hi;
    }
    for (size_t r = 0; r < m->rows; r++) {
        const qz_int_row row = {m->codes + r * m->cols, m->scales + r * m->groups, m->zeros + r * m->groups};
        if (c->group != TENSOR) qz_int_ct_row(&how, m->w + r * m->cols, m->cols, m->cols / m->groups, row);
        else {
            *row.scales = qz_int_ct_range(&how, lo, hi, row.zeros);
            qz_int_ct_codes(&how, m->w + r * m->cols, m->cols, *row.scales, *row.zeros, row.codes);
        }
    }
}

static void check_stored(const test_case *c, const qz_st *st, const made *m) {
    const qz_st_tensor *packed = part(st, "weight_packed"), *plain = part(st, "weight"), *s = part(st, "weight_scale"),
                       *z = qz_st_find(st, "ref.zero_point"), *zp = part(st, "weight_zero_point");
    const unsigned half = 1u << (c->bits - 1);
    assert_true(s && (packed || plain) && (c->sym || (z && zp)));
    for (size_t i = 0; i < s->elems; i++)
        if (m->scales[i] != at(s, i))
            fail_msg("%s: scale %zu: expected %a, found %a", c->name, i, (double)at(s, i), (double)m->scales[i]);
    for (size_t i = 0; i < m->rows * m->cols; i++) {
        const size_t r = i / m->cols, k = i % m->cols;
        const unsigned want = packed ? bits_of(packed->data + r * packed->dims[1] * 4, k * c->bits, c->bits)
                                     : (unsigned)(plain->data[i] + half) & 0xff;
        if (m->codes[i] != want) fail_msg("%s: code %zu, %zu: expected %u, found %u", c->name, r, k, want, m->codes[i]);
    }
    for (size_t i = 0; i < m->rows * m->groups; i++)
        if (m->zeros[i] != (c->sym ? half : ((z->data[i] + half) & 0xff)))
            fail_msg("%s: zero point %zu: found %u", c->name, i, m->zeros[i]);
    if (!packed) return;
    /* the packed row, word for word, its tail zero */
    uint8_t *row = qz_arena_calloc(&arena, (size_t)packed->dims[1], 4);
    for (size_t r = 0; r < m->rows; r++) {
        qz_int_pack_row(m->codes + r * m->cols, m->cols, c->bits, row);
        assert_memory_equal(row, packed->data + r * packed->dims[1] * 4, packed->dims[1] * 4);
    }
}

/* As read and as made, decoded. */
static void check_decoded(const test_case *c, const qz_st *st, const made *m) {
    const qz_st_tensor *want = qz_st_find(st, "ref.dequant");
    const size_t row_bytes = qz_int_group_row_bytes(c->bits, m->cols), n = m->rows * m->groups;
    const qz_scale_type type = c->dtype == QZ_TYPE_F32 ? QZ_SCALE_F32 : c->dtype == QZ_TYPE_F16 ? QZ_SCALE_F16
                                                                                                : QZ_SCALE_BF16;
    uint8_t *packed = qz_arena_alloc(&arena, m->rows, row_bytes), *scales = qz_arena_alloc(&arena, n, 4);
    float *y = qz_arena_alloc(&arena, m->cols, sizeof *y);
    qz_type_get(c->dtype)->encode(m->scales, NULL, n, scales);
    for (size_t r = 0; r < m->rows; r++)
        qz_int_pack_row(m->codes + r * m->cols, m->cols, c->bits, packed + r * row_bytes);
    const qz_int_group g = {.base = {&qz_int_group_ops, m->rows, m->cols}, .bits = c->bits, .sym = c->sym,
                            .group_size = (uint32_t)(m->cols / m->groups), .rows = m->rows, .cols = m->cols,
                            .groups = m->groups, .codes = packed, .scales = scales, .zero_points = m->zeros,
                            .scale_type = type, .rounded = true};
    const qz_coded *own = qz_int_codes_keep((qz_int_codes){.bits = c->bits, .group_size = g.group_size, .sym = c->sym,
                                                           .codes = m->codes, .scales = m->scales,
                                                           .zero_points = m->zeros, .scale_type = type,
                                                           .rounded = true},
                                            m->rows, m->cols, &arena);
    const qz_coded *both[] = {&g.base, own};
    for (size_t b = 0; b < 2; b++) {
        assert_int_equal(both[b]->ops->float_type(both[b]), c->dtype);
        for (size_t r = 0; r < m->rows; r++) {
            qz_coded_decode_row(both[b], r, y);
            for (size_t k = 0; k < m->cols; k++) {
                const float v = at(want, r * m->cols + k);
                if (memcmp(&y[k], &v, 4) != 0)
                    fail_msg("%s: value %zu, %zu: expected %a, found %a", c->name, r, k, (double)v, (double)y[k]);
            }
        }
    }
}

static void golden(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[96];
        qz_error err = {0};
        qz_st st;
        made m;
        (void)snprintf(path, sizeof path, "tests/golden/ct/%s.safetensors", cases[i].name);
        if (qz_st_open(&st, path, &err) != QZ_OK) fail_msg("%s", err.text);
        quantize(&cases[i], qz_st_find(&st, "in.weight"), &m);
        check_stored(&cases[i], &st, &m);
        check_decoded(&cases[i], &st, &m);
        qz_st_release(&st);
        qz_arena_reset(&arena);
    }
}

static double squares(const qz_int_ct *how, const float *w, size_t cols, size_t group, qz_int_row x) {
    double sum = 0;
    for (size_t k = 0; k < cols; k++) {
        const float q = (float)x.codes[k] - (float)x.zeros[k / group],
                    v = qz_round_float(how->dtype, q * x.scales[k / group]);
        sum += ((double)w[k] - (double)v) * ((double)w[k] - (double)v);
    }
    return sum;
}

/* Never above the error of the library's rounding, and below it over many groups; scales are values of the
 * type, above 0. */
static void least_error(void **state) {
    (void)state;
    enum { COLS = 256, GROUP = 64, N = COLS / GROUP };
    static const qz_type types[] = {QZ_TYPE_F32, QZ_TYPE_F16, QZ_TYPE_BF16};
    qz_rng rng;
    qz_rng_seed(&rng, 7);
    for (uint32_t bits = 2; bits <= 8; bits++)
        for (int sym = 0; sym < 2; sym++) {
            double best = 0, plain = 0;
            for (int turn = 0; turn < 24; turn++) {
                const qz_int_ct how = {types[turn % 3], bits, sym};
                static const float sizes[] = {0.05f, 1e-5f, 300, 0};
                float w[COLS], s[2][N];
                uint8_t codes[2][COLS], zeros[2][N];
                for (size_t k = 0; k < COLS; k++) {
                    float sum = 0;
                    for (int i = 0; i < 6; i++) sum += (float)qz_rng_below(&rng, 1001) / 500 - 1;
                    w[k] = qz_round_float(how.dtype, (sum + (turn % 5 ? 0 : 9)) * sizes[turn / 3 % 4]);
                }
                const qz_int_row a = {codes[0], s[0], zeros[0]}, b = {codes[1], s[1], zeros[1]};
                qz_int_ct_row(&how, w, COLS, GROUP, a);
                qz_int_ct_best_row(&how, w, COLS, GROUP, b);
                for (size_t g = 0; g < N; g++) {
                    assert_true(s[1][g] > 0 && qz_round_float(how.dtype, s[1][g]) == s[1][g]);
                    assert_true(zeros[1][g] < 1u << bits && (!sym || zeros[1][g] == 1u << (bits - 1)));
                    const qz_int_row ag = {codes[0] + g * GROUP, s[0] + g, zeros[0] + g},
                                     bg = {codes[1] + g * GROUP, s[1] + g, zeros[1] + g};
                    const double ea = squares(&how, w + g * GROUP, GROUP, GROUP, ag),
                                 eb = squares(&how, w + g * GROUP, GROUP, GROUP, bg);
                    assert_true(eb <= ea);
                    if (turn / 3 % 4 == 0) best += eb, plain += ea;
                }
                for (size_t k = 0; k < COLS; k++) assert_true(codes[1][k] < 1u << bits);
            }
            assert_true(best < 0.95 * plain);
        }
}

/* Edges: infinite and subnormal ranges give codes and scales that are numbers, values that are no number a code. */
static void edges(void **state) {
    (void)state;
    static const qz_type types[] = {QZ_TYPE_F32, QZ_TYPE_F16, QZ_TYPE_BF16};
    const float odd[][8] = {{3e38f, -3e38f, 1, 2, 3, 4, 5, 6}, {1e-40f, -1e-40f}, {NAN, 1, 2}, {5e-8f, 6e-8f}};
    for (size_t t = 0; t < 3; t++)
        for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
            for (int sym = 0; sym < 2; sym++) {
                const qz_int_ct how = {types[t], 4, sym};
                uint8_t codes[8], zero;
                float s;
                qz_int_ct_row(&how, odd[i], 8, 8, (qz_int_row){codes, &s, &zero});
                for (size_t k = 0; k < 8; k++) assert_true(codes[k] < 16);
                qz_int_ct_best_row(&how, odd[i], 8, 8, (qz_int_row){codes, &s, &zero});
                for (size_t k = 0; k < 8; k++) assert_true(codes[k] < 16 && zero < 16 && s > 0);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden), cmocka_unit_test(least_error),
                                       cmocka_unit_test(edges)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    qz_arena_release(&arena);
    return failed;
}
