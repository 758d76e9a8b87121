/* Ranges by llm-compressor's search. Outside truth: tests/golden/ct/mse_observer_fp32.safetensors (llm-compressor
 * ab1ba3e, torch 2.15.0, eager mode): chosen ranges and scales of int4 groups, FP8 rows and FP4 blocks, bit for bit. */
#include "codecs/observer.h"
#include "codecs/types.h"
#include "formats/safetensors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>

static const float *values(const qz_st *st, const char *name) {
    const qz_st_tensor *t = qz_st_find(st, name);
    if (!t) fail_msg("no tensor %s", name);
    return (const float *)(const void *)t->data;
}
static void same(const char *what, size_t i, float want, float found) {
    if (want != found) fail_msg("%s, block %zu: expected %a, found %a", what, i, (double)want, (double)found);
}

typedef struct { const char *name; qz_observer how; } test_case;

static void golden(void **state) {
    (void)state;
    enum { ROWS = 12, COLS = 128 };
    static const qz_int_ct int4 = {QZ_TYPE_F32, 4, true};
    static const test_case cases[] = {
        {"int4_g32", {QZ_OBSERVER_MSE(2.4f), .block = 32, .ints = &int4}},
        {"fp8_channel", {QZ_OBSERVER_MSE(2.4f), .block = COLS, .element = QZ_E4M3FN}},
        {"nvfp4", {QZ_OBSERVER_MSE(2.4f), .block = 16, .element = QZ_E2M1}},
        {"nvfp4_expanded", {QZ_OBSERVER_NVFP4_EXPANDED, .block = 16, .element = QZ_E2M1}},
    };
    qz_error err = {0};
    qz_st st;
    if (qz_st_open(&st, "tests/golden/ct/mse_observer_fp32.safetensors", &err) != QZ_OK) fail_msg("%s", err.text);
    const float *w = values(&st, "in.weight");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const test_case *t = &cases[c];
        char name[64];
        qz_range r[ROWS * 8];
        const size_t n = ROWS * COLS / t->how.block;
        if (qz_observe_mse(NULL, &t->how, w, n, r, &err) != QZ_OK)
            fail_msg("%s", err.text);
        (void)snprintf(name, sizeof name, "%s.min", t->name);
        const float *min = values(&st, name);
        (void)snprintf(name, sizeof name, "%s.max", t->name);
        const float *max = values(&st, name);
        for (size_t i = 0; i < n; i++) {
            same(t->name, i, min[i], r[i].lo);
            same(t->name, i, max[i], r[i].hi);
        }
        if (t->how.block == 16) continue;
        (void)snprintf(name, sizeof name, "%s.scale", t->name);
        const float *scale = values(&st, name);
        for (size_t i = 0; i < n; i++) {
            uint8_t zero;
            const float s = qz_range_amax(r[i]) / qz_small_max(QZ_E4M3FN);
            same(name, i, scale[i],
                 t->how.ints ? qz_int_ct_range(t->how.ints, r[i].lo, r[i].hi, &zero)
                 : s > 0     ? s
                             : 0x1p-23f);
        }
    }
    qz_st_release(&st);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
