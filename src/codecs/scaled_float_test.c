/* Small floats under shared scales. Outside truth: tensors of compressed-tensors 0.20.0, transformers 5.23 and
 * Model-Optimizer 0.47.0 (tests/golden/fp8 and ct, from data/hf-vectors-b), codes, scales and decoded values compared
 * bit for bit. */
#include "codecs/scaled_float.h"
#include "base/bytes.h"
#include "base/half.h"
#include "formats/safetensors.h"
#include "codecs/int_group.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static qz_arena arena;

static float at(const qz_st_tensor *t, size_t i) {
    float v;
    memcpy(&v, t->data + 4 * i * (t->dtype == QZ_ST_F32), 4);
    return t->dtype == QZ_ST_F32 ? v : qz_bf16_to_f32(qz_load_u16le(t->data + 2 * i));
}

typedef struct {
    const char *file;
    qz_float_rounding how;
    const char *codes, *scale, *tensor; /* behind the module's name */
} vector;

static const qz_st_tensor *of(const qz_st *st, const char *part) {
    char name[96];
    (void)snprintf(name, sizeof name, "model.layers.0.mlp.down_proj.%s", part);
    const qz_st_tensor *t = qz_st_find(st, name);
    return t ? t : qz_st_find(st, part); /* ModelOpt's MXFP4 was recorded without a module */
}

/* What the file holds of scale i: floats, or bytes. */
static void same_scale(const vector *v, const qz_scaled_float *f, const qz_st_tensor *s, size_t i) {
    const bool bytes = f->stored == QZ_SCALE_E8M0 || f->stored == QZ_SCALE_E4M3 || f->stored == QZ_SCALE_E4M3_TIMES;
    const float want = bytes ? s->data[i] : at(s, i),
                found = bytes ? qz_scale_byte(f->stored, f->tensor, f->scales[i]) : f->scales[i];
    if (found != want) fail_msg("%s: scale %zu: expected %a, found %a", v->file, i, (double)want, (double)found);
}

static void check(const vector *v) {
    qz_error err = {0};
    qz_st st;
    if (qz_st_open(&st, v->file, &err) != QZ_OK) fail_msg("%s", err.text);
    const qz_st_tensor *in = qz_st_find(&st, "in.weight"), *want = qz_st_find(&st, "ref.dequant"),
                       *codes = of(&st, v->codes), *scales = of(&st, v->scale),
                       *tensor = v->tensor ? of(&st, v->tensor) : NULL;
    assert_true(in && want && codes && scales);
    const size_t rows = (size_t)in->dims[0], cols = (size_t)in->dims[1];
    float *w = qz_arena_alloc(&arena, rows * cols, sizeof *w), *y = qz_arena_alloc(&arena, cols, sizeof *y);
    for (size_t i = 0; i < rows * cols; i++) w[i] = at(in, i);
    qz_scaled_float f = {.base = {.rows = rows, .cols = cols}};
    qz_float_rounding how = v->how;
    how.block_rows = how.block_rows ? how.block_rows : rows;
    how.block_cols = how.block_cols ? how.block_cols : cols;
    assert_int_equal(qz_scaled_float_round(NULL, &how, w, &f, &arena, &err), QZ_OK);
    if (v->tensor && f.tensor != at(tensor, 0))
        fail_msg("%s: tensor's scale: expected %a, found %a", v->file, (double)at(tensor, 0), (double)f.tensor);
    for (size_t i = 0; i < scales->elems; i++) same_scale(v, &f, scales, i);
    const uint32_t bits = how.element == QZ_E2M1 ? 4 : how.element == QZ_E2M3 ? 6 : 8;
    uint8_t packed[1024];
    for (size_t r = 0; r < rows; r++) {
        const size_t n = qz_scaled_row_bytes(cols, bits);
        qz_int_pack_row(f.codes + r * cols, cols, bits, packed);
        for (size_t i = 0; i < n; i++)
            if (packed[i] != codes->data[r * n + i])
                fail_msg("%s: row %zu, byte %zu: expected %02x, found %02x", v->file, r, i, codes->data[r * n + i],
                         packed[i]);
    }
    qz_scaled_float read = f; /* as a reader has it: the file's codes */
    read.codes = codes->data, read.bits = bits;
    for (size_t r = 0; r < rows; r++)
        for (int from = 0; from < 2; from++) {
            qz_coded_decode_row(from ? &read.base : &f.base, r, y);
            for (size_t k = 0; k < cols; k++) { /* the library's result has the weight's own type */
                const float x = want->dtype == QZ_ST_F32 ? y[k] : qz_bf16_to_f32(qz_f32_to_bf16(y[k]));
                if (x != at(want, r * cols + k))
                    fail_msg("%s: value %zu, %zu: expected %a, found %a", v->file, r, k,
                             (double)at(want, r * cols + k), (double)x);
            }
        }
    qz_st_release(&st);
    qz_arena_reset(&arena);
}

#define FP8 "tests/golden/fp8/"
#define CT "tests/golden/ct/"
static void golden(void **state) {
    static const vector vectors[] = {
        {FP8 "fp8_channel_bf16.safetensors", {QZ_ROUND_CT, QZ_TYPE_BF16, 1, 0, .stored = QZ_SCALE_BF16}, "weight",
         "weight_scale", NULL},
        {FP8 "fp8_tensor_bf16.safetensors", {QZ_ROUND_CT, QZ_TYPE_BF16, 0, 0, .stored = QZ_SCALE_BF16}, "weight",
         "weight_scale", NULL},
        {FP8 "fp8_block128_bf16_136x200.safetensors", {QZ_ROUND_CT, QZ_TYPE_BF16, 128, 128, .stored = QZ_SCALE_BF16},
         "weight", "weight_scale", NULL},
        {FP8 "transformers_fp8_block16x32_float.safetensors",
         {QZ_ROUND_FINE, QZ_TYPE_F32, 16, 32, .stored = QZ_SCALE_F32}, "weight", "weight_scale_inv", NULL},
        {CT "transformers_fp8_block16x32_ue8m0.safetensors",
         {QZ_ROUND_FINE, QZ_TYPE_F32, 16, 32, .stored = QZ_SCALE_E8M0}, "weight", "weight_scale_inv", NULL},
        {CT "nvfp4_bf16.safetensors",
         {QZ_ROUND_CT, QZ_TYPE_BF16, 1, 16, QZ_E2M1, QZ_SCALE_E4M3, 0, false, NULL}, "weight_packed",
         "weight_scale", "weight_global_scale"},
        {CT "nvfp4_bf16_mild.safetensors", {QZ_ROUND_CT, QZ_TYPE_BF16, 1, 16, QZ_E2M1, QZ_SCALE_E4M3, 0, false, NULL},
         "weight_packed", "weight_scale", "weight_global_scale"},
        {CT "nvfp4_bf16_fused_gmax12.safetensors",
         {QZ_ROUND_CT, QZ_TYPE_BF16, 1, 16, QZ_E2M1, QZ_SCALE_E4M3, 12, false, NULL},
         "weight_packed", "weight_scale", "weight_global_scale"},
        {CT "mxfp4_bf16.safetensors",
         {QZ_ROUND_CT, QZ_TYPE_BF16, 1, 32, QZ_E2M1, QZ_SCALE_E8M0, 0, false, NULL}, "weight_packed",
         "weight_scale", NULL},
        {CT "mxfp4_fp32.safetensors",
         {QZ_ROUND_CT, QZ_TYPE_F32, 1, 32, QZ_E2M1, QZ_SCALE_E8M0, 0, false, NULL}, "weight_packed",
         "weight_scale", NULL},
        {CT "mxfp6_bf16.safetensors",
         {QZ_ROUND_CT, QZ_TYPE_BF16, 1, 32, QZ_E2M3, QZ_SCALE_E8M0, 0, false, NULL}, "weight_packed",
         "weight_scale", NULL},
        {CT "mxfp8_bf16.safetensors",
         {QZ_ROUND_CT, QZ_TYPE_BF16, 1, 32, QZ_E4M3FN, QZ_SCALE_E8M0, 0, false, NULL}, "weight",
         "weight_scale", NULL},
        {CT "modelopt_nvfp4_bf16.safetensors",
         {QZ_ROUND_MODELOPT, QZ_TYPE_BF16, 1, 16, QZ_E2M1, QZ_SCALE_E4M3_TIMES, 0, false, NULL}, "weight",
         "weight_scale",
         "weight_scale_2"},
        {CT "modelopt_nvfp4_bf16_range.safetensors",
         {QZ_ROUND_MODELOPT, QZ_TYPE_BF16, 1, 16, QZ_E2M1, QZ_SCALE_E4M3_TIMES, 0, false, NULL}, "weight",
         "weight_scale",
         "weight_scale_2"},
        {CT "modelopt_mxfp4_bf16.safetensors",
         {QZ_ROUND_MODELOPT, QZ_TYPE_BF16, 1, 32, QZ_E2M1, QZ_SCALE_E8M0, 0, false, NULL}, "weight",
         "weight_scale", NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) check(&vectors[i]);
}

/* gpt-oss: experts [E, rows, cols / 32, 16 bytes] and a power of two for each 32 columns are rows of this kind, one
 * below the other. Truth: transformers 5.23, which hands them on transposed, [E, cols, rows]. */
static void gpt_oss_blocks(void **state) {
    (void)state;
    qz_error err = {0};
    qz_st st;
    if (qz_st_open(&st, CT "gptoss_mxfp4_moe.safetensors", &err) != QZ_OK) fail_msg("%s", err.text);
    const qz_st_tensor *blocks = qz_st_find(&st, "model.layers.0.mlp.experts.gate_up_proj_blocks"),
                       *powers = qz_st_find(&st, "model.layers.0.mlp.experts.gate_up_proj_scales"),
                       *want = qz_st_find(&st, "ref.dequant");
    assert_true(blocks && powers && want);
    const size_t experts = (size_t)blocks->dims[0], rows = (size_t)blocks->dims[1], cols = 32 * (size_t)blocks->dims[2];
    float *scales = qz_arena_alloc(&arena, (size_t)powers->elems, sizeof *scales), y[96];
    assert_int_equal(cols, 96);
    for (size_t i = 0; i < powers->elems; i++) scales[i] = qz_e8m0_decode(powers->data[i]);
    const qz_scaled_float f = {.base = {qz_scaled_float_ops(QZ_E2M1), experts * rows, cols}, .element = QZ_E2M1,
                               .bits = 4, .block_rows = 1, .block_cols = 32, .codes = blocks->data, .scales = scales,
                               .stored = QZ_SCALE_E8M0, .tensor = 1, .dtype = QZ_TYPE_BF16};
    for (size_t r = 0; r < experts * rows; r++) {
        qz_coded_decode_row(&f.base, r, y);
        for (size_t k = 0; k < cols; k++) {
            const float v = at(want, (r / rows * cols + k) * rows + r % rows);
            if (y[k] != v) fail_msg("row %zu, column %zu: expected %a, found %a", r, k, (double)v, (double)y[k]);
        }
    }
    qz_st_release(&st);
    qz_arena_reset(&arena);
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
        qz_scaled_float f = {.base = {.rows = 1, .cols = COLS}};
        for (size_t k = 0; k < COLS; k++) w[k] = sizes[i] * (float)(k + 1) / COLS;
        const qz_float_rounding how = {QZ_ROUND_FINE, QZ_TYPE_F32, 1, COLS, .stored = QZ_SCALE_F32};
        assert_int_equal(qz_scaled_float_round(NULL, &how, w, &f, &arena, &err), QZ_OK);
        assert_true(f.scales[0] > 0);
        qz_coded_decode_row(&f.base, 0, y);
        for (size_t k = 0; k < COLS; k++)
            if (fabsf(y[k] - w[k]) > 0.07f * w[k])
                fail_msg("size %g, value %zu: expected %g, found %g", (double)sizes[i], k, (double)w[k], (double)y[k]);
    }
    qz_arena_reset(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden), cmocka_unit_test(gpt_oss_blocks),
                                       cmocka_unit_test(small_scales)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    qz_arena_release(&arena);
    return failed;
}
