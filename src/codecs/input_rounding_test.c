/* Rounding of inputs. Outside truth: the emulation of compressed-tensors 0.20.0 (tests/golden/ct/
 * dynamic_activations.safetensors from data/hf-vectors-b), scales and values bit for bit; for the served kernels values
 * worked out by hand from their formulas (input_rounding.h), and the codecs' own encoders. */
#include "codecs/input_rounding.h"
#include "base/bytes.h"
#include "base/half.h"
#include "base/rng.h"
#include "codecs/small_float.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "formats/safetensors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BY(by_) .by = QZ_INPUT_##by_, .sym = true
static const qz_input_rounding int8_token = {.element = QZ_ELEMENT_INT, .bits = 8, .stored = QZ_SCALE_F32, BY(TOKEN)},
                               fp8_token = {.element = QZ_ELEMENT_E4M3, .bits = 8, .stored = QZ_SCALE_F32, BY(TOKEN)},
                               fp8_group = {.element = QZ_ELEMENT_E4M3, .bits = 8, .group_size = 128,
                                            .stored = QZ_SCALE_F32, BY(GROUP)},
                               mxfp4 = {.element = QZ_ELEMENT_E2M1, .bits = 4, .group_size = 32,
                                        .stored = QZ_SCALE_E8M0, BY(GROUP)},
                               nvfp4 = {.element = QZ_ELEMENT_E2M1, .bits = 4, .group_size = 16,
                                        .stored = QZ_SCALE_E4M3, .fixed = true, .scale = 1, BY(GROUP)};

/* ---- the library ---- */
enum { ROWS = 6, COLS = 128 };
static float at(const qz_st_tensor *t, size_t i) {
    float v;
    memcpy(&v, t->data + 4 * i * (t->dtype == QZ_ST_F32), 4);
    return t->dtype == QZ_ST_F32 ? v : qz_bf16_to_f32(qz_load_u16le(t->data + 2 * i));
}
static void same(const char *what, const qz_st_tensor *want, size_t i, float found) {
    if (qz_f32_bits(at(want, i)) != qz_f32_bits(found))
        fail_msg("%s: %s %zu: expected %a, found %a", what, want->name, i, (double)at(want, i), (double)found);
}

static void as_library(void **state) {
    static const struct { const char *name; const qz_input_rounding *how; size_t groups; } cases[] = {
        {"int8_token", &int8_token, 1}, {"fp8_token", &fp8_token, 1}, {"fp8_group128", &fp8_group, 1},
        {"mxfp4", &mxfp4, 4},           {"nvfp4", &nvfp4, 8}};
    qz_error err = {0};
    qz_st st;
    float x[ROWS * COLS], y[COLS], scales[8];
    (void)state;
    if (qz_st_open(&st, "tests/golden/ct/dynamic_activations.safetensors", &err) != QZ_OK) fail_msg("%s", err.text);
    const qz_st_tensor *in = qz_st_find(&st, "in.x"), *G = qz_st_find(&st, "nvfp4.global_scale");
    assert_true(in && G && in->elems == ROWS * COLS);
    for (size_t i = 0; i < ROWS * COLS; i++) x[i] = at(in, i);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char name[48];
        (void)snprintf(name, sizeof name, "%s.scale", cases[c].name);
        const qz_st_tensor *s = qz_st_find(&st, name);
        (void)snprintf(name, sizeof name, "%s.fake_quant", cases[c].name);
        const qz_st_tensor *v = qz_st_find(&st, name);
        assert_true(s && v && s->elems == ROWS * cases[c].groups);
        qz_input_rounding how = *cases[c].how;
        how.library = true, how.dtype = QZ_TYPE_BF16;
        if (how.fixed) how.scale = at(G, 0);
        for (size_t r = 0; r < ROWS; r++) {
            qz_input_round_row(&how, x + r * COLS, COLS, y, scales);
            for (size_t g = 0; g < cases[c].groups; g++) same(cases[c].name, s, r * cases[c].groups + g, scales[g]);
            for (size_t k = 0; k < COLS; k++) same(cases[c].name, v, r * COLS + k, y[k]);
        }
    }
    qz_st_release(&st);
}

/* One scale for the tensor, as the library's observer fixes it (tests/interop/make_ct_static.py), with a zero point. */
static void static_as_library(void **state) {
    static const struct { const char *name, *x; qz_element element; bool sym; } cases[] = {
        {"int8", "in.x", QZ_ELEMENT_INT, true},
        {"int8_asym", "in.x", QZ_ELEMENT_INT, false},
        {"int8_asym_moved", "in.moved", QZ_ELEMENT_INT, false},
        {"fp8", "in.x", QZ_ELEMENT_E4M3, true}};
    qz_error err = {0};
    qz_st st;
    float x[ROWS * COLS], y[ROWS * COLS];
    (void)state;
    if (qz_st_open(&st, "tests/golden/ct/static_activations.safetensors", &err) != QZ_OK) fail_msg("%s", err.text);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char name[48];
        const qz_st_tensor *in = qz_st_find(&st, cases[c].x);
        (void)snprintf(name, sizeof name, "%s.scale", cases[c].name);
        const qz_st_tensor *s = qz_st_find(&st, name);
        (void)snprintf(name, sizeof name, "%s.fake_quant", cases[c].name);
        const qz_st_tensor *v = qz_st_find(&st, name);
        (void)snprintf(name, sizeof name, "%s.zero_point", cases[c].name);
        const qz_st_tensor *zero = qz_st_find(&st, name);
        assert_true(in && s && v && zero && in->elems == ROWS * COLS);
        for (size_t i = 0; i < ROWS * COLS; i++) x[i] = at(in, i);
        const qz_input_rounding how = {.element = cases[c].element, .bits = 8, .by = QZ_INPUT_TENSOR, .fixed = true,
                                       .stored = QZ_SCALE_F32, .scale = at(s, 0), .sym = cases[c].sym,
                                       .zero = cases[c].sym ? 0 : (int8_t)zero->data[0], .library = true,
                                       .dtype = QZ_TYPE_BF16};
        assert_true(cases[c].sym || how.zero != 0);
        qz_input_round(NULL, &how, x, ROWS, COLS, y);
        for (size_t i = 0; i < ROWS * COLS; i++) same(cases[c].name, v, i, y[i]);
    }
    qz_st_release(&st);
}

/* ---- the served kernels ---- */
typedef struct { qz_input_rounding how; float x[4], want[4]; } worked;
static void by_hand(void **state) {
    static const worked cases[] = {
        /* s = 1: halves to even, the largest is 127 */
        {{.element = QZ_ELEMENT_INT, .bits = 8, BY(TOKEN)}, {127, 0.5f, 1.5f, -126.5f}, {127, 0, 2, -126}},
        /* s = 1/127 of the library would be 1/127.5: 63.75/127 is between its codes; here 63.5 is a tie, to 64 */
        {{.element = QZ_ELEMENT_INT, .bits = 8, BY(TOKEN)},
         {2, 1, -1, 0},
         {2, 64 * (2 / 127.f), -64 * (2 / 127.f), 0}},
        {{.element = QZ_ELEMENT_INT, .bits = 4, BY(TOKEN)}, {7, 2.5f, -3.5f, -0.4f}, {7, 2, -4, 0}},
        /* a fixed scale saturates: -128 below, 127 above */
        {{.element = QZ_ELEMENT_INT, .bits = 8, BY(TENSOR), .fixed = true, .scale = 0.5f},
         {100, -100, 0.75f, 0.25f},
         {63.5f, -64, 1, 0}},
        /* 0 .. 255: s = 1, zero = -128 */
        {{.element = QZ_ELEMENT_INT, .bits = 8, .by = QZ_INPUT_TOKEN}, {0, 255, 3.25f, 9.75f}, {0, 255, 3, 10}},
        {{.element = QZ_ELEMENT_INT, .bits = 8, .by = QZ_INPUT_TENSOR, .fixed = true, .scale = 2, .zero = -100},
         {-60, 500, 3, 4.5f},
         {-56, 454, 4, 4}},
        /* s = 1: steps of 2 from 16 to 32, ties to the even code */
        {{.element = QZ_ELEMENT_E4M3, .bits = 8, BY(TOKEN)}, {448, 17, 19, -0x1p-10f}, {448, 16, 20, 0}},
        /* the least scale, 1 / (448 * 512): amax is 2^-9 steps of it */
        {{.element = QZ_ELEMENT_E4M3, .bits = 8, BY(TOKEN)},
         {0x1p-9f * (1 / (448 * 512.f)), 0, 0, 0},
         {0x1p-9f * (1 / (448 * 512.f)), 0, 0, 0}},
        {{.element = QZ_ELEMENT_E4M3, .bits = 8, BY(TENSOR), .fixed = true, .scale = 0.5f},
         {1000, -17, 9.5f, 8.5f},
         {224, -16, 10, 8}},
        {{.element = QZ_ELEMENT_E4M3, .bits = 8, .group_size = 2, .stored = QZ_SCALE_F32, BY(GROUP)},
         {448, 19, 44.8f, 0},
         {448, 20, 44.8f, 0}},
        /* E8M0 above 500 / 448 is 2 */
        {{.element = QZ_ELEMENT_E4M3, .bits = 8, .group_size = 128, .stored = QZ_SCALE_E8M0, BY(GROUP)},
         {500, 38, 6, 0},
         {512, 40, 6, 0}},
        /* amax 6: s = 1; amax 7: rounds to 8, s = 2 */
        {{.element = QZ_ELEMENT_E2M1, .bits = 4, .group_size = 32, .stored = QZ_SCALE_E8M0, BY(GROUP)},
         {6, 2.5f, 5, -0.25f},
         {6, 2, 4, 0}},
        {{.element = QZ_ELEMENT_E2M1, .bits = 4, .group_size = 32, .stored = QZ_SCALE_E8M0, BY(GROUP)},
         {7, 2.5f, 5, 1},
         {8, 2, 4, 1}},
        /* G = 1: s = e4m3(amax / 6) */
        {{.element = QZ_ELEMENT_E2M1,
          .bits = 4,
          .group_size = 16,
          .stored = QZ_SCALE_E4M3,
          .fixed = true,
          .scale = 1,
          BY(GROUP)},
         {6, 2.5f, 5, -1.75f},
         {6, 2, 4, -2}},
        /* the scale rounds to 0: so do the values */
        {{.element = QZ_ELEMENT_E2M1,
          .bits = 4,
          .group_size = 16,
          .stored = QZ_SCALE_E4M3,
          .fixed = true,
          .scale = 1,
          BY(GROUP)},
         {0x1p-9f, 0x1p-10f, 0, 0},
         {0, 0, 0, 0}},
        /* G = 2688 / 6 of the tensor: s = 448 / 448 */
        {{.element = QZ_ELEMENT_E2M1, .bits = 4, .group_size = 16, .stored = QZ_SCALE_E4M3, BY(GROUP)},
         {-6, 1.25f, 3.5f, 0.75f},
         {-6, 1, 4, 1}},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        float y[4];
        qz_input_round(NULL, &cases[c].how, cases[c].x, 1, 4, y);
        for (size_t k = 0; k < 4; k++)
            if (fabsf(y[k] - cases[c].want[k]) > 1e-6f * fabsf(cases[c].want[k]))
                fail_msg("case %zu, value %zu: expected %.9g, found %.9g", c, k, (double)cases[c].want[k],
                         (double)y[k]);
    }
}

/* In line as through the codes: every float whose last 11 bits are 0 or next to a half. */
static void nearest_is_coded(void **state) {
    static const qz_small_float all[] = {QZ_E4M3FN, QZ_E5M2, QZ_E2M1, QZ_E2M3};
    (void)state;
    for (size_t t = 0; t < 4; t++)
        for (uint32_t u = 0; u < 0x7f800000u; u += 0x8000)
            for (uint32_t d = 0; d < 3; d++) {
                const float x = qz_bits_f32(u + d - (u > 0));
                if (fabsf(x) > qz_small_max(all[t])) continue;
                for (int neg = 0; neg < 2; neg++) {
                    const float v = neg ? -x : x, want = qz_small_decode(all[t], qz_small_encode(all[t], v)),
                                found = qz_small_nearest(all[t], v);
                    if (qz_f32_bits(want) != qz_f32_bits(found))
                        fail_msg("element %zu of %a: expected %a, found %a", t, (double)v, (double)want,
                                 (double)found);
                }
            }
}

/* The same bits on any number of threads, in place, and whatever lies beside a row; tails of groups are groups. */
static void same_bits(void **state) {
    static const qz_input_rounding *const all[] = {&int8_token, &fp8_token, &fp8_group, &mxfp4, &nvfp4};
    enum { N = 37, K = 200 };
    static float x[N * K], y[N * K], z[N * K];
    qz_pool *pool;
    qz_rng rng;
    (void)state;
    qz_rng_seed(&rng, 7);
    for (size_t i = 0; i < N * K; i++) x[i] = (float)(qz_rng_unit(&rng) - 0.5) * (i % 29 ? 1 : 40);
    assert_int_equal(qz_pool_open(&pool, 3, NULL), QZ_OK);
    for (size_t a = 0; a < sizeof all / sizeof *all; a++) {
        qz_input_round(pool, all[a], x, N, K, y);
        memcpy(z, x, sizeof z);
        qz_input_round(NULL, all[a], z, N, K, z);
        assert_memory_equal(y, z, sizeof y);
        for (size_t i = 0; i < N * K; i++) /* half a step: a quarter of a value, or of the least that 20 leaves */
            if (fabsf(y[i] - x[i]) > fmaxf(0.26f * fabsf(x[i]), 1))
                fail_msg("%zu: %g of %g", i, (double)y[i], (double)x[i]);
        qz_input_round(NULL, all[a], x + (N - 1) * K, 1, K, z);
        assert_memory_equal(y + (N - 1) * K, z, K * sizeof *z);
    }
    qz_pool_free(pool);
}

static void texts(void **state) {
    char s[32];
    (void)state;
    qz_input_rounding_text(&int8_token, s), assert_string_equal(s, "int8 token");
    qz_input_rounding_text(&fp8_token, s), assert_string_equal(s, "fp8 token");
    qz_input_rounding_text(&fp8_group, s), assert_string_equal(s, "fp8 g128");
    qz_input_rounding_text(&mxfp4, s), assert_string_equal(s, "mxfp4 g32");
    qz_input_rounding_text(&nvfp4, s), assert_string_equal(s, "nvfp4 g16");
    assert_true(qz_input_rounding_same(&nvfp4, &nvfp4) && !qz_input_rounding_same(&nvfp4, &mxfp4));
    assert_true(!qz_input_rounding_same(NULL, &mxfp4) && qz_input_rounding_same(NULL, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_library), cmocka_unit_test(static_as_library),
                                       cmocka_unit_test(by_hand),    cmocka_unit_test(nearest_is_coded),
                                       cmocka_unit_test(same_bits),  cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
