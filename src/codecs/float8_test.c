/* FP8 codec. Outside truth: tensors of compressed-tensors 0.20.0 and transformers 5.23 (tests/golden/fp8, from
 * data/hf-vectors-b), codes, scales and decoded values compared bit for bit. */
#include "codecs/float8.h"
#include "base/bytes.h"
#include "base/half.h"
#include "formats/safetensors.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

static qz_arena arena;

static float at(const qz_st_tensor *t, size_t i) {
    float v;
    memcpy(&v, t->data + 4 * i * (t->dtype == QZ_ST_F32), 4);
    return t->dtype == QZ_ST_F32 ? v : qz_bf16_to_f32(qz_load_u16le(t->data + 2 * i));
}

static void check(const char *path, qz_float8_rule rule, size_t block_rows, size_t block_cols, const char *scale_name) {
    qz_error err = {0};
    qz_st st;
    if (qz_st_open(&st, path, &err) != QZ_OK) fail_msg("%s", err.text);
    const qz_st_tensor *in = qz_st_find(&st, "in.weight"), *want = qz_st_find(&st, "ref.dequant"),
                       *codes = qz_st_find(&st, "model.layers.0.mlp.down_proj.weight"),
                       *scales = qz_st_find(&st, scale_name);
    assert_true(in && want && codes && scales);
    const size_t rows = (size_t)in->dims[0], cols = (size_t)in->dims[1];
    float *w = qz_arena_alloc(&arena, rows * cols, sizeof *w), *y = qz_arena_alloc(&arena, cols, sizeof *y);
    for (size_t i = 0; i < rows * cols; i++) w[i] = at(in, i);
    qz_float8 f = {.base = {.rows = rows, .cols = cols}};
    const qz_type dtype = rule == QZ_FLOAT8_FINE ? QZ_TYPE_F32 : QZ_TYPE_BF16;
    const qz_float8_setting how = {rule, dtype, block_rows ? block_rows : rows, block_cols ? block_cols : cols};
    assert_int_equal(qz_float8_round(NULL, &how, w, &f, &arena, &err), QZ_OK);
    for (size_t i = 0; i < scales->elems; i++)
        if (f.scales[i] != at(scales, i))
            fail_msg("%s: scale %zu: expected %a, found %a", path, i, (double)at(scales, i), (double)f.scales[i]);
    for (size_t i = 0; i < rows * cols; i++)
        if (f.codes[i] != codes->data[i])
            fail_msg("%s: code %zu: expected %02x, found %02x", path, i, codes->data[i], f.codes[i]);
    for (size_t r = 0; r < rows; r++) {
        qz_coded_decode_row(&f.base, r, y);
        for (size_t k = 0; k < cols; k++) { /* the library's result has the weight's own type */
            const float v = want->dtype == QZ_ST_F32 ? y[k] : qz_bf16_to_f32(qz_f32_to_bf16(y[k]));
            if (v != at(want, r * cols + k))
                fail_msg("%s: value %zu, %zu: expected %a, found %a", path, r, k, (double)at(want, r * cols + k),
                         (double)v);
        }
    }
    qz_st_release(&st);
    qz_arena_reset(&arena);
}

static void golden(void **state) {
    (void)state;
    check("tests/golden/fp8/fp8_channel_bf16.safetensors", QZ_FLOAT8_CT, 1, 0,
          "model.layers.0.mlp.down_proj.weight_scale");
    check("tests/golden/fp8/fp8_tensor_bf16.safetensors", QZ_FLOAT8_CT, 0, 0,
          "model.layers.0.mlp.down_proj.weight_scale");
    check("tests/golden/fp8/fp8_block128_bf16_136x200.safetensors", QZ_FLOAT8_CT, 128, 128,
          "model.layers.0.mlp.down_proj.weight_scale");
    check("tests/golden/fp8/transformers_fp8_block16x32_float.safetensors", QZ_FLOAT8_FINE, 16, 32,
          "model.layers.0.mlp.down_proj.weight_scale_inv");
}

/* Blocks of values so small that their scale is subnormal, or that 448 / amax overflows, keep their values to the
 * format's own precision (half a step of three bits). Truth: the definition, value = code x scale. */
static void small_scales(void **state) {
    (void)state;
    enum { COLS = 64 };
    static const float sizes[] = {1e-30f, 1e-36f, 1e-37f, 3e-38f, 1e-39f};
    qz_error err = {0};
    float w[COLS], y[COLS];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        qz_float8 f = {.base = {.rows = 1, .cols = COLS}};
        for (size_t k = 0; k < COLS; k++) w[k] = sizes[i] * (float)(k + 1) / COLS;
        const qz_float8_setting how = {QZ_FLOAT8_FINE, QZ_TYPE_F32, 1, COLS};
        assert_int_equal(qz_float8_round(NULL, &how, w, &f, &arena, &err), QZ_OK);
        assert_true(f.scales[0] > 0);
        qz_coded_decode_row(&f.base, 0, y);
        for (size_t k = 0; k < COLS; k++)
            if (fabsf(y[k] - w[k]) > 0.07f * w[k])
                fail_msg("size %g, value %zu: expected %g, found %g", (double)sizes[i], k, (double)w[k], (double)y[k]);
    }
    qz_arena_reset(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden), cmocka_unit_test(small_scales)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    qz_arena_release(&arena);
    return failed;
}
