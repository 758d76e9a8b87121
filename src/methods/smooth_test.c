/* SmoothQuant's formula and fold. Outside truth: mit-han-lab/smoothquant c61476d (tests/golden/smooth): folded norm and
 * weights within 2 ulp, int8 codes of weights and inputs equal. */
#include "methods/smooth.h"
#include "base/half.h"
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

enum { COLS = 16, W1 = 8, W2 = 4, TOKENS = 12, MOST = TOKENS * COLS };

static size_t take(const qz_st *st, const char *prefix, const char *name, float out[MOST]) {
    char full[48];
    (void)snprintf(full, sizeof full, "%s%s", prefix, name);
    const qz_st_tensor *t = qz_st_find(st, full);
    assert_non_null(t);
    assert_true(t->dtype == QZ_ST_F32 && t->elems <= MOST);
    memcpy(out, t->data, t->elems * sizeof *out);
    return t->elems;
}

static void near(const char *what, const float *want, const float *found, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const int64_t a = (int32_t)qz_f32_bits(want[i]), b = (int32_t)qz_f32_bits(found[i]);
        if (llabs(a - b) > 2) fail_msg("%s %zu: expected %a, found %a", what, i, (double)want[i], (double)found[i]);
    }
}

/* Values that are whole multiples of their row's amax / 127: the same multiples. */
static void same_codes(const char *what, const float *want, const float *found, size_t rows) {
    for (size_t r = 0; r < rows; r++) {
        float most[2] = {0, 0};
        for (size_t k = 0; k < COLS; k++) {
            most[0] = fmaxf(most[0], fabsf(want[r * COLS + k]));
            most[1] = fmaxf(most[1], fabsf(found[r * COLS + k]));
        }
        for (size_t k = 0; k < COLS; k++)
            if (lrintf(want[r * COLS + k] / most[0] * 127) != lrintf(found[r * COLS + k] / most[1] * 127))
                fail_msg("%s, row %zu, column %zu: expected %a, found %a", what, r, k, (double)want[r * COLS + k],
                         (double)found[r * COLS + k]);
    }
}

static void as_reference(void **state) {
    static const qz_input_rounding int8 = {.element = QZ_ELEMENT_INT, .bits = 8, .by = QZ_INPUT_TOKEN,
                                           .stored = QZ_SCALE_F32, .sym = true};
    static const struct { const char *prefix; double strength; } cases[] = {{"a0.5.", 0.5}, {"a0.8.", 0.8}};
    qz_error err = {0};
    qz_st st;
    (void)state;
    if (qz_st_open(&st, "tests/golden/smooth/smoothquant.safetensors", &err) != QZ_OK) fail_msg("%s", err.text);
    for (size_t c = 0; c < 2; c++) {
        const char *p = cases[c].prefix;
        float w1[MOST], w2[MOST], ln[MOST], a[MOST], x[MOST], want[MOST], y[MOST], w[COLS] = {0}, s[COLS];
        assert_int_equal(take(&st, p, "w1", w1), W1 * COLS);
        assert_int_equal(take(&st, p, "w2", w2), W2 * COLS);
        assert_int_equal(take(&st, p, "ln", ln), COLS);
        assert_int_equal(take(&st, p, "act_scales", a), COLS);
        assert_int_equal(take(&st, "", "x", x), TOKENS * COLS);
        for (size_t i = 0; i < W1 * COLS; i++) w[i % COLS] = fmaxf(w[i % COLS], fabsf(w1[i]));
        for (size_t i = 0; i < W2 * COLS; i++) w[i % COLS] = fmaxf(w[i % COLS], fabsf(w2[i]));
        qz_smooth_scales(a, w, COLS, cases[c].strength, s);
        qz_awq_block b = {.floats = QZ_TYPE_F32,
                          .linear = {{.w = w1, .rows = W1, .cols = COLS}, {.w = w2, .rows = W2, .cols = COLS}},
                          .input = {{.cols = COLS, .n = 2, .fold.kind = QZ_FOLD_NORM, .norm = ln}}};
        qz_awq_fold(&b, 0, s);
        (void)take(&st, p, "ln_out", want), near("norm", want, ln, COLS);
        (void)take(&st, p, "w1_out", want), near("w1", want, w1, W1 * COLS);
        (void)take(&st, p, "w2_out", want), near("w2", want, w2, W2 * COLS);
        for (size_t i = 0; i < TOKENS * COLS; i++) x[i] /= s[i % COLS];
        (void)take(&st, p, "x_smooth", want), near("x", want, x, TOKENS * COLS);
        qz_input_round(NULL, &int8, x, TOKENS, COLS, y);
        (void)take(&st, p, "x_fakeq", want), same_codes("x", want, y, TOKENS);
        qz_input_round(NULL, &int8, w1, W1, COLS, y); /* a row's scale is a token's: amax / 127 */
        (void)take(&st, p, "w1_fakeq", want), same_codes("w1", want, y, W1);
    }
    qz_st_release(&st);
}

/* A column that nothing was seen on, or without weights, keeps a scale that divides. */
static void dead_columns(void **state) {
    const float a[3] = {0, 2, INFINITY}, w[3] = {1, 0, 1};
    float s[3];
    (void)state;
    qz_smooth_scales(a, w, 3, 0.5, s);
    assert_true(s[0] == 1);
    for (size_t k = 0; k < 3; k++) assert_true(s[k] > 0 && isfinite(s[k]));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_reference), cmocka_unit_test(dead_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
