/* Grids: on exact edges the decoded numbers are equal, on the bounded one no value is further off than the bound (B-08:
 * 0.0073 of a step for Q4_1). Outside truth: the decoders of codecs/, which are checked against llama.cpp and the
 * Python libraries. */
#include "artifacts/artifact.h"
#include "codecs/int_group.h"
#include "codecs/types.h"
#include "methods/convert_float.h"
#include "produce/convert.h"
#include "artifacts/testing.h"
#include "base/half.h"
#include "base/rng.h"
#include "codecs/fields.h"
#include <math.h>

enum { ROWS = 48, COLS = 256 };
static qz_arena arena;

/* Random codes; the zero points of every fourth row are 0, of the next 2^bits - 1. */
static qz_tensor_view random_groups(uint64_t seed, uint32_t bits, uint32_t group, bool sym, bool act) {
    qz_rng rng;
    qz_rng_seed(&rng, seed);
    size_t groups = COLS / group, row_bytes = qz_int_group_row_bytes(bits, COLS);
    qz_int_group *g = qz_arena_calloc(&arena, 1, sizeof *g);
    uint8_t *codes = qz_arena_alloc(&arena, ROWS, row_bytes), *zeros = qz_arena_alloc(&arena, ROWS, groups), row[COLS];
    uint16_t *scales = qz_arena_alloc(&arena, ROWS * groups, sizeof *scales);
    uint32_t *idx = act ? qz_arena_alloc(&arena, COLS, sizeof *idx) : NULL;
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t k = 0; k < COLS; k++) row[k] = (uint8_t)qz_rng_below(&rng, 1u << bits);
        qz_int_pack_row(row, COLS, bits, codes + r * row_bytes);
        for (size_t j = 0; j < groups; j++) {
            scales[r * groups + j] = qz_f32_to_f16(
                ldexpf(1.0f + (float)qz_rng_below(&rng, 1000) / 1000.0f, -(int)qz_rng_below(&rng, 12)));
            zeros[r * groups + j] = (uint8_t)(sym          ? 1u << (bits - 1)
                                              : r % 4 == 0 ? 0
                                              : r % 4 == 1 ? (1u << bits) - 1
                                                           : qz_rng_below(&rng, 1u << bits));
        }
    }
    for (size_t k = 0; act && k < COLS; k++) idx[k] = (uint32_t)(k * 7 % COLS / group);
    *g = (qz_int_group){.base = {&qz_int_group_ops, ROWS, COLS}, .bits = bits, .group_size = group, .sym = sym,
                        .rows = ROWS, .cols = COLS, .groups = groups, .codes = codes, .scales = scales,
                        .zero_points = zeros, .g_idx = idx};
    return (qz_tensor_view){.name = "t", .type = QZ_TYPE_CODED, .rows = ROWS, .cols = COLS, .coded = &g->base};
}

static qz_grid grid(const qz_tensor_view *t) {
    qz_grid g;
    qz_grid_fit fit;
    OK(qz_grid_read(t, &arena, &g, &fit, err));
    if (!fit.ok) fail_msg("%s", fit.why);
    return g;
}

static bool to_group(const qz_tensor_view *t, const char *scheme, qz_quantized *q) {
    qz_scheme_spec spec;
    qz_grid_fit fit;
    OK(qz_scheme_parse(scheme, &spec, err));
    qz_artifact_item item = {.name = "t", .type = QZ_TYPE_CODED, .rows = ROWS, .cols = COLS, .bits = spec.bits,
                             .group_size = spec.group_size, .sym = spec.sym};
    qz_grid g = grid(t);
    const qz_grid_target to = qz_convert_target(&item, &spec);
    OK(qz_grid_place(&g, &to, &arena, q, &fit, err));
    return fit.ok;
}

static void equal_values(const qz_tensor_view *t, const qz_quantized *q) {
    float x[COLS];
    const qz_int_codes *c = qz_int_codes_of(q->coded);
    size_t groups = COLS / c->group_size;
    for (size_t r = 0; r < ROWS; r++) {
        qz_tensor_decode(t, r, 1, x);
        for (size_t k = 0; k < COLS; k++) {
            size_t at = r * groups + (c->g_idx ? c->g_idx[k] : k / c->group_size);
            assert_true(c->codes[r * COLS + k] < 1u << c->bits);
            assert_true(((float)c->codes[r * COLS + k] - (float)c->zero_points[at]) * c->scales[at] == x[k]);
        }
    }
}

static void groups_to_groups(void **state) {
    (void)state;
    static const struct { uint32_t bits, group; bool sym, act; const char *to; bool ok; } cases[] = {
        {4, 128, false, false, "gptq:w4g128+asym", true}, {4, 128, false, false, "gptq:w4g32+asym", true},
        {4, 64, false, false, "awq:w4g64", true},
        {4, 128, false, false, "gptq:w8g128", true}, /* any 4-bit grid fits the middle of 8 bits */
        {4, 128, true, false, "gptq:w4g128", true}, {4, 128, true, false, "gptq:w4g128+v2", true},
        {4, 128, true, false, "awq:w4g128", true}, {3, 32, false, false, "awq:w4g32", true},
        {2, 32, true, false, "gptq:w4g32", true}, {8, 64, true, false, "gptq:w8g64", true},
        {4, 128, false, false, "gptq:w4g128", false}, {4, 128, false, false, "gptq:w3g128+asym", false},
        {4, 32, true, false, "gptq:w4g64", false},
        {4, 128, false, false, "gptq:w4g128+asym+v1", true}, /* full groups above zero point 0: the
                                                              * opposite scale, zero point 15 */
        {4, 64, false, true, "gptq:w4g64+asym+act_order", true}, {4, 64, false, true, "gptq:w4g64+asym", false},
        {4, 64, false, true, "awq:w4g64", false},
        {4, 64, false, true, "gptq:w4g32+asym+act_order", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            qz_quantized q;
            qz_arena_reset(&arena);
            qz_tensor_view t = random_groups(seed * 100 + i, cases[i].bits, cases[i].group, cases[i].sym, cases[i].act);
            bool ok = to_group(&t, cases[i].to, &q);
            if (ok != cases[i].ok) fail_msg("case %zu to %s: %s", i, cases[i].to, ok ? "accepted" : "refused");
            if (ok) equal_values(&t, &q);
        }
}

/* Q4_0 with negative scales: asymmetric groups take the positive one, symmetric ones keep what they must, and all
 * decode the same. */
static void negative_scales(void **state) {
    (void)state;
    static float x[ROWS * COLS];
    static uint8_t blocks[ROWS * COLS / 32 * 18];
    static const char *const targets[] = {"gptq:w4g32", "awq:w4g32"};
    qz_rng rng;
    qz_rng_seed(&rng, 3);
    for (size_t i = 0; i < ROWS * COLS; i++) x[i] = qz_rng_normal(&rng);
    for (size_t r = 0; r < ROWS; r++)
        qz_type_get(QZ_TYPE_Q4_0)->encode(x + r * COLS, NULL, COLS, blocks + r * (COLS / 32 * 18));
    qz_tensor_view t = {.name = "t", .type = QZ_TYPE_Q4_0, .rows = ROWS, .cols = COLS, .data = blocks,
                        .bytes = sizeof blocks};
    for (size_t k = 0; k < 2; k++) {
        qz_quantized q;
        size_t negative = 0;
        qz_arena_reset(&arena);
        assert_true(to_group(&t, targets[k], &q));
        equal_values(&t, &q);
        for (size_t i = 0; i < ROWS * COLS / 32; i++) negative += qz_int_codes_of(q.coded)->scales[i] < 0;
        assert_true(k ? negative == 0 : negative > 0);
        if (!k) continue;
        /* and back to blocks from the positive scales */
        uint16_t half[ROWS * COLS / 32];
        uint8_t packed_codes[ROWS * COLS / 2];
        for (size_t i = 0; i < ROWS * COLS / 32; i++) half[i] = qz_f32_to_f16(qz_int_codes_of(q.coded)->scales[i]);
        for (size_t r = 0; r < ROWS; r++)
            qz_int_pack_row(qz_int_codes_of(q.coded)->codes + r * COLS, COLS, 4, packed_codes + r * (COLS / 2));
        qz_int_group g = {.base = {&qz_int_group_ops, ROWS, COLS}, .bits = 4, .group_size = 32, .rows = ROWS,
                          .cols = COLS, .groups = COLS / 32, .codes = packed_codes, .scales = half,
                          .zero_points = qz_int_codes_of(q.coded)->zero_points};
        qz_tensor_view v = {.name = "t", .type = QZ_TYPE_CODED, .rows = ROWS, .cols = COLS, .coded = &g.base};
        const qz_grid_target to = {.name = "t", .type = QZ_TYPE_Q4_0};
        qz_grid h = grid(&v);
        qz_quantized back;
        qz_grid_fit fit;
        OK(qz_grid_place(&h, &to, &arena, &back, &fit, err));
        assert_true(fit.ok);
        float y[COLS], want[COLS];
        for (size_t r = 0; r < ROWS; r++) {
            qz_tensor_decode(&t, r, 1, want);
            qz_type_get(QZ_TYPE_Q4_0)->decode(back.blocks + r * (COLS / 32 * 18), COLS, y);
            for (size_t c = 0; c < COLS; c++) assert_true(y[c] == want[c]);
        }
    }
}

/* v1 has no zero point 0: where codes leave room they move up by one, and the values stay. */
static void v1_zero(void **state) {
    (void)state;
    qz_tensor_view t = random_groups(7, 3, 32, false, false); /* 3-bit codes in a 4-bit file: room above */
    qz_quantized q;
    assert_true(to_group(&t, "gptq:w4g32+asym+v1", &q));
    equal_values(&t, &q);
    for (size_t i = 0; i < ROWS * COLS / 32; i++) assert_true(qz_int_codes_of(q.coded)->zero_points[i] >= 1);
}

static void groups_to_blocks(void **state) {
    (void)state;
    static const struct { uint32_t bits; bool sym; qz_type type; bool ok; double bound; } cases[] = {
        {4, true, QZ_TYPE_Q4_0, true, 0}, {4, false, QZ_TYPE_Q4_0, false, 0}, {4, false, QZ_TYPE_Q5_0, true, 0},
        {4, false, QZ_TYPE_Q8_0, true, 0}, {8, true, QZ_TYPE_Q8_0, true, 0}, {3, true, QZ_TYPE_Q4_0, true, 0},
        {4, false, QZ_TYPE_Q4_1, true, 0.00733}, {4, false, QZ_TYPE_Q5_1, true, 0.00733},
        {8, true, QZ_TYPE_Q4_1, false, 0}, {4, true, QZ_TYPE_Q4_K, false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (uint64_t seed = 1; seed <= 5; seed++) {
            qz_arena_reset(&arena);
            qz_tensor_view t = random_groups(seed * 1000 + i, cases[i].bits, 64, cases[i].sym, false);
            qz_grid g = grid(&t);
            const qz_grid_target to = {.name = "t", .type = cases[i].type};
            qz_quantized q;
            qz_grid_fit fit;
            float x[COLS], y[COLS];
            OK(qz_grid_place(&g, &to, &arena, &q, &fit, err));
            if (fit.ok != cases[i].ok) fail_msg("case %zu: %s", i, fit.ok ? "accepted" : fit.why);
            if (!fit.ok) continue;
            const double bound = fit.bound;
            assert_true(bound <= cases[i].bound);
            for (size_t r = 0; r < ROWS; r++) {
                qz_tensor_decode(&t, r, 1, x);
                qz_type_get(q.type)->decode(q.blocks + r * (q.bytes / ROWS), COLS, y);
                for (size_t k = 0; k < COLS; k++) {
                    double off = fabs((double)y[k] - (double)x[k]) / (double)g.scales[r * g.groups + k / 64];
                    if (off > (cases[i].bound > 0 ? bound * (1 + 1e-6) + 1e-6 : 0))
                        fail_msg("case %zu [%zu, %zu]: off by %g of a step, bound %g", i, r, k, off, bound);
                }
            }
            /* and back: blocks are grids again (a minimum that was rounded is none) */
            qz_tensor_view back = {.name = "t", .type = q.type, .rows = ROWS, .cols = COLS, .data = q.blocks,
                                   .bytes = q.bytes};
            qz_grid h;
            OK(qz_grid_read(&back, &arena, &h, &fit, err));
            assert_true(fit.ok || bound > 0);
            for (size_t k = 0; fit.ok && k < ROWS * COLS; k++) assert_int_equal(h.u[k], g.u[k]);
        }
}

/* ---- small floats ---- */
/* The vector's linear as a reader has it: codes packed, the file's scales under the tensor's. */
static qz_scaled_float golden_floats(const qz_st *st, const char *prefix, qz_scale_type stored) {
    char name[96];
    const char *const parts[] = {stored == QZ_SCALE_E4M3_TIMES ? "weight" : "weight_packed", "weight_scale",
                                 stored == QZ_SCALE_E4M3_TIMES ? "weight_scale_2" : "weight_global_scale"};
    const qz_st_tensor *t[3];
    for (int i = 0; i < 3; i++) {
        (void)snprintf(name, sizeof name, "%s%s", prefix, parts[i]);
        t[i] = qz_st_find(st, name);
    }
    assert_true(t[0] && t[1]);
    float *scales = qz_arena_alloc(&arena, (size_t)t[1]->elems, sizeof *scales), tensor = 1;
    if (stored >= QZ_SCALE_E4M3) memcpy(&tensor, t[2]->data, sizeof tensor);
    for (size_t i = 0; i < t[1]->elems; i++)
        scales[i] = stored == QZ_SCALE_E8M0
                        ? qz_e8m0_decode(t[1]->data[i])
                        : qz_scale_under(stored, tensor, qz_small_decode(QZ_E4M3FN, t[1]->data[i]));
    return (qz_scaled_float){.base = {qz_scaled_float_ops(QZ_E2M1), (size_t)t[0]->dims[0], 2 * (size_t)t[0]->dims[1]},
                             .element = QZ_E2M1, .bits = 4, .block_rows = 1,
                             .block_cols = stored == QZ_SCALE_E8M0 ? 32 : 16, .codes = t[0]->data, .scales = scales,
                             .stored = stored, .tensor = tensor, .dtype = QZ_TYPE_BF16};
}
static qz_grid_target float_target(qz_scale_type scale, uint32_t group, uint32_t block_rows) {
    return (qz_grid_target){.name = "t", .type = QZ_TYPE_CODED,
                            .codes = {.element = QZ_ELEMENT_E2M1, .scale = scale, .values = QZ_TYPE_BF16, .bits = 4,
                                      .group_size = group, .block_rows = block_rows, .sym = true}};
}
static void same_codes(const qz_scaled_float *a, const qz_scaled_float *b) {
    uint8_t x[256], y[256];
    for (size_t r = 0; r < a->base.rows; r++) {
        a->base.ops->codes(&a->base, r, x), b->base.ops->codes(&b->base, r, y);
        assert_memory_equal(x, y, a->base.cols);
    }
}

/* Between the conventions: nibbles and E4M3 bytes unchanged, the tensor's scale the float32 reciprocal. */
static void nvfp4_conventions(void **state) {
    (void)state;
    static const struct { const char *file; qz_scale_type from, to; } cases[] = {
        {"nvfp4_bf16_mild", QZ_SCALE_E4M3, QZ_SCALE_E4M3_TIMES},
        {"nvfp4_bf16", QZ_SCALE_E4M3, QZ_SCALE_E4M3_TIMES},
        {"modelopt_nvfp4_bf16", QZ_SCALE_E4M3_TIMES, QZ_SCALE_E4M3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[96];
        qz_st st;
        qz_quantized q;
        qz_grid_fit fit;
        (void)snprintf(path, sizeof path, "tests/golden/ct/%s.safetensors", cases[i].file);
        OK(qz_st_open(&st, path, err));
        const qz_scaled_float f = golden_floats(&st, "model.layers.0.mlp.down_proj.", cases[i].from);
        const qz_grid_target to = float_target(cases[i].to, 16, 0);
        OK(qz_floats_place(&f, &to, 0, &arena, &q, &fit, err));
        if (!fit.ok) fail_msg("%s: %s", cases[i].file, fit.why);
        assert_true(fit.bound <= 0x1p-7);
        const qz_scaled_float *x = qz_scaled_float_of(q.coded);
        assert_true(x->tensor == 1 / f.tensor);
        same_codes(&f, x);
        for (size_t k = 0; k < f.base.rows * f.base.cols / 16; k++)
            assert_int_equal(qz_scale_byte(x->stored, x->tensor, x->scales[k]),
                             qz_scale_byte(f.stored, f.tensor, f.scales[k]));
        qz_st_release(&st);
    }
}

/* Powers of two as E4M3 values: the same numbers, or refused; and what no block of the target can say. */
static void mx_to_nvfp4(void **state) {
    (void)state;
    qz_st st;
    qz_quantized q;
    qz_grid_fit fit;
    OK(qz_st_open(&st, "tests/golden/ct/mxfp4_bf16.safetensors", err));
    qz_scaled_float f = golden_floats(&st, "model.layers.0.mlp.down_proj.", QZ_SCALE_E8M0);
    float y[256], z[256];
    const qz_grid_target times = float_target(QZ_SCALE_E4M3_TIMES, 16, 0), mx = float_target(QZ_SCALE_E8M0, 32, 0),
                         wide = float_target(QZ_SCALE_E8M0, 64, 0), over = float_target(QZ_SCALE_E4M3, 16, 0);
    OK(qz_floats_place(&f, &times, 1e5f, &arena, &q, &fit, err));
    assert_false(fit.ok); /* rows times 1e-6 and times 1e4 under one tensor's scale */
    assert_non_null(strstr(fit.why, "is none of the file: row"));
    f.base.rows = 6; /* zeros, outliers, ramp, both signs, ties */
    OK(qz_floats_place(&f, &times, 2, &arena, &q, &fit, err));
    if (!fit.ok) fail_msg("%s", fit.why);
    assert_true(fit.bound == 0);
    const qz_scaled_float *x = qz_scaled_float_of(q.coded), nv = *x;
    assert_int_equal(x->block_cols, 16);
    for (size_t r = 0; r < f.base.rows; r++) {
        qz_coded_decode_row(&f.base, r, y), qz_coded_decode_row(&x->base, r, z);
        for (size_t k = 0; k < f.base.cols; k++) assert_true(y[k] == z[k]);
    }
    OK(qz_floats_place(&nv, &mx, 0, &arena, &q, &fit, err)); /* and back */
    if (!fit.ok) fail_msg("%s", fit.why);
    same_codes(&f, qz_scaled_float_of(q.coded));
    OK(qz_floats_place(&f, &over, 2, &arena, &q, &fit, err));
    assert_true(fit.ok && fit.bound == 0 && qz_scaled_float_of(q.coded)->tensor == 1 / nv.tensor);
    OK(qz_floats_place(&f, &wide, 0, &arena, &q, &fit, err));
    assert_false(fit.ok);
    assert_non_null(strstr(fit.why, "would share one"));
    qz_st_release(&st);
}

static int teardown(void **state) {
    (void)state;
    qz_arena_release(&arena);
    return 0;
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(groups_to_groups), cmocka_unit_test(v1_zero),
                                       cmocka_unit_test(negative_scales), cmocka_unit_test(groups_to_blocks),
                                       cmocka_unit_test(nvfp4_conventions), cmocka_unit_test(mx_to_nvfp4)};
    return cmocka_run_group_tests(tests, NULL, teardown);
}
