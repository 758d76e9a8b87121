/* bitsandbytes codecs. Outside truth: tensors of bitsandbytes 0.50.2 (tests/golden/bnb/bnb.safetensors), compared byte
 * for byte; where the library's CPU path departs from its own CUDA rule (FP4 zeros, nested codes) the test
 * says how far. */
#include "codecs/bnb.h"
#include "base/bytes.h"
#include "base/half.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "formats/safetensors.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <string.h>

static qz_st golden;
static qz_arena arena;

static const qz_st_tensor *get(const char *set, const char *name) {
    char full[96];
    snprintf(full, sizeof full, "%s%s%s", set, *set && *name ? "." : "", name);
    const qz_st_tensor *t = qz_st_find(&golden, full);
    if (!t) fail_msg("no tensor %s", full);
    return t;
}
static float f32_at(const qz_st_tensor *t, size_t i) {
    float v;
    memcpy(&v, t->data + 4 * i, 4);
    return v;
}
static float value_at(const qz_st_tensor *t, size_t i) {
    return t->dtype == QZ_ST_F32   ? f32_at(t, i)
           : t->dtype == QZ_ST_F16 ? qz_f16_to_f32(qz_load_u16le(t->data + 2 * i))
                                   : qz_bf16_to_f32(qz_load_u16le(t->data + 2 * i));
}
/* A float32 copy, aligned, rounded to the type the library was given. */
static float *floats(const qz_st_tensor *t, qz_type dtype) {
    float *x = qz_arena_alloc(&arena, (size_t)t->elems, sizeof *x);
    for (size_t i = 0; i < t->elems; i++) {
        x[i] = f32_at(t, i);
        if (dtype == QZ_TYPE_F16) x[i] = qz_f16_to_f32(qz_f32_to_f16(x[i]));
        if (dtype == QZ_TYPE_BF16) x[i] = qz_bf16_to_f32(qz_f32_to_bf16(x[i]));
    }
    return x;
}
static void quantize(qz_bnb_kind k, bool nested, qz_type dtype, const float *x, size_t rows, size_t cols, qz_bnb *b) {
    qz_error err = {0};
    if (qz_bnb_quantize(NULL, &(qz_bnb_setting){k, nested, dtype, rows, cols}, x, &arena, b, &err) != QZ_OK)
        fail_msg("%s", err.text);
}

static void four_bits(void **state) {
    (void)state;
    static const struct { const char *set; qz_bnb_kind kind; bool nested; qz_type dtype; } cases[] = {
        { "nf4_f32", QZ_BNB_NF4, false, QZ_TYPE_F32 }, { "nf4_dq_f32", QZ_BNB_NF4, true, QZ_TYPE_F32 },
        { "nf4_dq_f16", QZ_BNB_NF4, true, QZ_TYPE_F16 }, { "nf4_dq_bf16", QZ_BNB_NF4, true, QZ_TYPE_BF16 },
        { "fp4_f32", QZ_BNB_FP4, false, QZ_TYPE_F32 }, { "fp4_dq_f32", QZ_BNB_FP4, true, QZ_TYPE_F32 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const char *set = cases[c].set;
        const qz_st_tensor *want = get(set, "weight"), *amax = get(set, "weight.absmax"),
                           *map = get(set, "weight.quant_map");
        qz_bnb b;
        quantize(cases[c].kind, cases[c].nested, cases[c].dtype, floats(get("weight", ""), cases[c].dtype), 96, 192,
                 &b);
        assert_int_equal(want->bytes, qz_bnb_code_bytes(cases[c].kind, 96, 192));
        assert_memory_equal(b.table, map->data, 64);
        size_t zeros = 0;
        for (size_t i = 0; i < want->bytes; i++)
            for (int shift = 0; shift < 8; shift += 4) {
                unsigned a = b.codes[i] >> shift & 15, w = want->data[i] >> shift & 15;
                if (a == w) continue;
                if (cases[c].kind == QZ_BNB_NF4 || (a & 7) || (w & 7))
                    fail_msg("%s: byte %zu: %02x, expected %02x", set, i, b.codes[i], want->data[i]);
                zeros++;
            }
        /* code 8 for small positive values: the CPU path's rule */
        assert_true(zeros == (cases[c].kind == QZ_BNB_FP4 ? 99 : 0));
        if (!cases[c].nested) {
            assert_memory_equal(b.absmax, amax->data, amax->bytes);
            continue;
        }
        assert_memory_equal(get(set, "weight.nested_quant_map")->data, qz_bnb_map8, 1024);
        assert_memory_equal(b.nested_absmax, get(set, "weight.nested_absmax")->data, 8);
        size_t off = 0;
        for (size_t i = 0; i < b.n_absmax; i++) off += b.absmax_codes[i] != amax->data[i];
        /* the library's table look-up is not the nearest there */
        if (off > 4) fail_msg("%s: %zu nested codes differ", set, off);
        if (cases[c].dtype == QZ_TYPE_F32) assert_true(b.nested_offset == 0.11270184069871902f);
    }
}

/* From the library's own tensors every value decodes to the library's, bit for bit. */
static void decoded(void **state) {
    (void)state;
    static const struct { const char *set; const float *table; bool nested; qz_type dtype; float offset; } cases[] = {
        { "nf4_f32", qz_bnb_nf4, false, QZ_TYPE_F32, 0 },
        { "nf4_dq_f32", qz_bnb_nf4, true, QZ_TYPE_F32, 0.11270184069871902f },
        { "nf4_dq_f16", qz_bnb_nf4, true, QZ_TYPE_F16, 0.11270184069871902f },
        { "nf4_dq_bf16", qz_bnb_nf4, true, QZ_TYPE_BF16, 0 },
        { "fp4_f32", qz_bnb_fp4, false, QZ_TYPE_F32, 0 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const char *set = cases[c].set;
        const qz_st_tensor *amax = get(set, "weight.absmax"), *want = get(set, "dequant");
        float *absmax = qz_arena_alloc(&arena, (size_t)amax->elems, 4), y[192], offset = cases[c].offset;
        if (!cases[c].nested) memcpy(absmax, amax->data, amax->bytes);
        else {
            float nested[2];
            memcpy(nested, get(set, "weight.nested_absmax")->data, 8);
            if (offset == 0) { /* the bfloat16 weight has a mean of its own */
                char text[200] = "";
                const qz_st_tensor *q = get(set, "weight.quant_state.bitsandbytes__nf4");
                memcpy(text, q->data, q->bytes);
                assert_int_equal(sscanf(strstr(text, "nested_offset") + 15, "%f", &offset), 1);
            }
            qz_bnb_decode_nested(amax->data, 288, qz_bnb_map8, nested, 256, offset, absmax);
        }
        qz_bnb b = { .kind = QZ_BNB_NF4, .rows = 96, .cols = 192, .block = 64, .n_absmax = 288,
                     .codes = get(set, "weight")->data, .absmax = absmax,
                     .table = cases[c].table, .dtype = cases[c].dtype };
        for (size_t r = 0; r < 96; r++) {
            qz_bnb_decode_part(&b, r, 0, 101, y); /* in two parts, the second at an odd column */
            qz_bnb_decode_part(&b, r, 101, 91, y + 101);
            for (size_t k = 0; k < 192; k++)
                if (y[k] != value_at(want, r * 192 + k))
                    fail_msg("%s [%zu, %zu]: %.9g, expected %.9g", set, r, k, (double)y[k],
                             (double)value_at(want, r * 192 + k));
        }
    }
}

/* Values at every boundary, and one unit in the last place to either side. */
static void boundaries(void **state) {
    (void)state;
    qz_bnb b;
    quantize(QZ_BNB_NF4, false, QZ_TYPE_F32, floats(get("probe_nf4", "x"), QZ_TYPE_F32), 1, 64, &b);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(b.codes[i / 2] >> (i % 2 ? 0 : 4) & 15, get("probe_nf4", "codes_cpu")->data[i]);
    /* FP4 after the CUDA thresholds: the CPU's midpoints lie a few units away, so only neighbours in value may
     * differ, and zeros */
    static const uint8_t rank[8] = { 0, 1, 6, 7, 4, 5, 2, 3 };
    quantize(QZ_BNB_FP4, false, QZ_TYPE_F32, floats(get("probe_fp4", "x"), QZ_TYPE_F32), 1, 64, &b);
    size_t same = 0;
    for (size_t i = 0; i < 64; i++) {
        unsigned a = b.codes[i / 2] >> (i % 2 ? 0 : 4) & 15, w = get("probe_fp4", "codes_cpu")->data[i];
        int ra = 0, rw = 0;
        for (int k = 0; k < 8; k++) ra = rank[k] == (a & 7) ? k : ra, rw = rank[k] == (w & 7) ? k : rw;
        if ((a & 8) != (w & 8) && (ra || rw)) assert_true(ra + rw <= 1);
        assert_true(ra - rw <= 1 && rw - ra <= 1);
        same += a == w;
    }
    assert_true(same >= 40);
}

static void odd_end(void **state) {
    (void)state;
    qz_bnb b;
    float y[33];
    quantize(QZ_BNB_NF4, false, QZ_TYPE_F32, floats(get("odd_nf4", "x"), QZ_TYPE_F32), 3, 33, &b);
    assert_int_equal(get("odd_nf4", "weight")->bytes, 50);
    assert_memory_equal(b.codes, get("odd_nf4", "weight")->data, 50);
    assert_memory_equal(b.absmax, get("odd_nf4", "absmax")->data, 8);
    for (size_t r = 0; r < 3; r++) {
        qz_bnb_decode_row(&b, r, y);
        for (size_t k = 0; k < 33; k++) assert_true(y[k] == f32_at(get("odd_nf4", "dequant"), r * 33 + k));
    }
    float zero[64] = {0};
    quantize(QZ_BNB_NF4, false, QZ_TYPE_F32, zero, 1, 64, &b);
    assert_int_equal(b.codes[0], 0x77);
    assert_true(b.absmax[0] == 0);
}

static void int8_rows(void **state) {
    (void)state;
    qz_bnb b;
    float y[64];
    quantize(QZ_BNB_INT8, false, QZ_TYPE_F16, floats(get("int8", "weight_in"), QZ_TYPE_F32), 24, 64, &b);
    assert_memory_equal(b.codes, get("int8", "weight")->data, 24 * 64);
    assert_memory_equal(b.absmax, get("int8", "SCB")->data, 24 * 4);
    for (size_t r = 0; r < 24; r++) {
        qz_bnb_decode_row(&b, r, y);
        for (size_t k = 0; k < 64; k++)
            if (y[k] != f32_at(get("int8", "dequant"), r * 64 + k))
                fail_msg("[%zu, %zu]: %.9g, expected %.9g", r, k, (double)y[k],
                         (double)f32_at(get("int8", "dequant"), r * 64 + k));
    }
    float zero[64] = {0};
    quantize(QZ_BNB_INT8, false, QZ_TYPE_F16, zero, 1, 64, &b);
    assert_true(b.codes[0] == 0 && b.absmax[0] == 0);
}

static int setup(void **state) {
    (void)state;
    qz_error err = {0};
    return qz_st_open(&golden, "tests/golden/bnb/bnb.safetensors", &err) == QZ_OK
               ? 0
               : (fprintf(stderr, "%s\n", err.text), -1);
}
static int teardown(void **state) {
    (void)state;
    qz_st_release(&golden);
    qz_arena_release(&arena);
    return 0;
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(four_bits), cmocka_unit_test(decoded),
                                       cmocka_unit_test(boundaries), cmocka_unit_test(odd_end),
                                       cmocka_unit_test(int8_rows)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
