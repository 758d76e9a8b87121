/* Table K of mission/checklist.md: every figure that this program can compute is computed here, read with the digits
 * printed there, and must stand in the row of `explain corrections`. Figures that others published (K-12, K-19) are
 * only looked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "codecs/types.h"
#include "formats/gguf.h"
#include "plan/memory.h"
#include "plan/roofline.h"
#include "text/lint.h"

static const struct { const char *id, *truth; } rows[] = {
#define QZ_CORRECTION(id, claim, truth) {id, truth},
#include "explain/corrections.def"
#undef QZ_CORRECTION
};
#define GIB 1073741824.0

static void stands(const char *id, const char *text) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(rows[i].id, id) == 0) {
            if (strstr(rows[i].truth, text) == NULL)
                fail_msg("%s: '%s' does not stand in '%s'", id, text, rows[i].truth);
            return;
        }
    fail_msg("%s has no row", id);
}
/* found reads like want with its digits, and want stands in the row. */
static void figure(const char *id, const char *want, double found) {
    char text[64];
    const char *dot = strchr(want, '.');
    (void)snprintf(text, sizeof text, "%.*f", dot ? (int)strlen(dot + 1) : 0, found);
    if (strcmp(text, want) != 0) fail_msg("%s: expected %s, found %s (%.9g)", id, want, text, found);
    stands(id, want);
}

typedef struct { double gb, bpw, bits, params; } weight;
static weight weigh(const char *name, const char *level) {
    qz_shape *s = NULL;
    qz_error err = {0};
    qz_level l;
    qz_weighed w;
    if (qz_shape_builtin(name, &s, &err) != QZ_OK || qz_level_parse(level, &l, &err) != QZ_OK ||
        qz_level_weigh(s, l, false, NULL, &w, &err) != QZ_OK)
        fail_msg("%s", err.text);
    weight out = {.gb = (double)w.bytes / 1e9, .bpw = w.bpw, .bits = 8.0 * (double)w.bytes,
                  .params = (double)s->params};
    qz_shape_free(s);
    return out;
}
static double cache(const char *name, const char *type, uint64_t users, uint64_t ctx) {
    qz_shape *s = NULL;
    qz_error err = {0};
    qz_kv_types t;
    qz_kv_plan_result r;
    if (qz_shape_builtin(name, &s, &err) != QZ_OK || qz_kv_types_parse(type, &t, &err) != QZ_OK ||
        qz_kv_plan(s, t, users, ctx, &r, &err) != QZ_OK)
        fail_msg("%s", err.text);
    qz_shape_free(s);
    return (double)r.bytes;
}

static void cache_sizes(void **state) {
    (void)state;
    figure("K-01", "327680", cache("llama-3-70b", "f16", 1, 1));
    figure("K-01", "85.90", cache("llama-3-70b", "f16", 128, 2048) / 1e9);
    figure("K-01", "80.0", cache("llama-3-70b", "f16", 128, 2048) / GIB);
    figure("K-01", "42.95", cache("llama-3-70b", "fp8", 128, 2048) / 1e9);
    figure("K-01", "40.0", cache("llama-3-70b", "fp8", 128, 2048) / GIB);
    figure("K-01", "16", cache("llama-3-8b", "fp8", 128, 2048) / GIB);
    figure("K-01", "32", cache("llama-3-8b", "f16", 128, 2048) / GIB);
    figure("K-25", "2", cache("llama-2-7b", "f16", 1, 4096) / cache("llama-2-7b", "fp8", 1, 4096));
    figure("K-25", "1.88", cache("llama-2-7b", "f16", 1, 4096) / cache("llama-2-7b", "q8_0", 1, 4096));
    figure("K-25", "3.56", cache("llama-2-7b", "f16", 1, 4096) / cache("llama-2-7b", "q4_0", 1, 4096));
    figure("K-25", "4", cache("llama-2-7b", "f32", 1, 4096) / cache("llama-2-7b", "fp8", 1, 4096));
    figure("K-31", "819200", cache("llama-2-13b", "f16", 1, 1));
    figure("K-31", "1.68", cache("llama-2-13b", "f16", 1, 2048) / 1e9);
    figure("K-31", "3.36", cache("llama-2-13b", "f16", 1, 4096) / 1e9);
    figure("K-31", "7.865", weigh("llama-2-13b", "Q4_K_M").gb);
    figure("K-31", "11.2", weigh("llama-2-13b", "Q4_K_M").gb + cache("llama-2-13b", "f16", 1, 4096) / 1e9);
}

static void levels(void **state) {
    (void)state;
    const weight q2 = weigh("llama-2-13b", "Q2_K"), q5 = weigh("llama-2-13b", "Q5_K_M");
    figure("K-03", "2.983", q2.bpw);
    figure("K-03", "4.854", q2.gb);
    figure("K-03", "4.23", q2.params * 2.6 / 8e9);
    const qz_gguf_type *b2 = qz_gguf_type_get((uint32_t)qz_type_get(QZ_TYPE_Q2_K)->ggml_id),
                       *b8 = qz_gguf_type_get((uint32_t)qz_type_get(QZ_TYPE_Q8_0)->ggml_id);
    figure("K-03", "2.625", 8.0 * b2->bytes / b2->elems);
    figure("K-07", "2.625", 8.0 * b2->bytes / b2->elems);
    figure("K-04", "9.229", q5.gb);
    figure("K-04", "5.673", q5.bpw);
    figure("K-04", "6.08", 9.9e9 * 8 / q5.params);
    static const char *const models[][2] = {{"llama-2-7b", "4.844"}, {"llama-2-13b", "4.834"}, {"llama-3-70b", "4.820"},
                                            {"llama-3-8b", "4.894"}, {"qwen3-4b", "4.955"}};
    for (size_t i = 0; i < 5; i++) figure("K-05", models[i][1], weigh(models[i][0], "Q4_K_M").bpw);
    figure("K-05", "4.856", 7.9e9 * 8 / q5.params);
    figure("K-06", "8.5", 8.0 * b8->bytes / b8->elems);
    figure("K-06", "34", b8->bytes);
    figure("K-06", "8.55", 7.2e9 * 8 / weigh("llama-2-7b", "Q8_0").params);
    figure("K-07", "2.532", weigh("llama-2-7b", "Q2_K").gb);
    figure("K-07", "3.006", weigh("llama-2-7b", "Q2_K").bpw);
    static const char *const larger[][2] = {{"llama-2-7b", "17.2"}, {"llama-2-13b", "17.3"}, {"llama-3-8b", "16.5"},
                                            {"qwen3-4b", "15.74"}};
    for (size_t i = 0; i < 4; i++)
        figure("K-08", larger[i][1], 100 * (weigh(larger[i][0], "Q5_K_M").gb / weigh(larger[i][0], "Q4_K_M").gb - 1));
    /* the checklist's, from GB with three digits */
    figure("K-08", "15.8",
           100 * (round(1000 * weigh("qwen3-4b", "Q5_K_M").gb) / round(1000 * weigh("qwen3-4b", "Q4_K_M").gb) - 1));
    double low[2] = {9, 9}, high[2] = {0, 0};
    for (size_t i = 0; i < 5; i++)
        for (size_t k = 0; k < 2; k++) {
            double bpw = weigh(models[i][0], k ? "Q3_K_S" : "Q2_K").bpw;
            if (strcmp(models[i][0], "llama-3-70b") == 0) continue; /* the 70B has a rule of its own: 2.990 */
            low[k] = fmin(low[k], bpw);
            high[k] = fmax(high[k], bpw);
        }
    figure("K-09", "2.98", low[0]);
    figure("K-09", "3.31", high[0]);
    figure("K-09", "3.48", low[1]);
    figure("K-09", "3.74", high[1]);
}

static void folders(void **state) {
    (void)state;
    const weight bf16 = weigh("qwen3-4b", "bf16"), awq = weigh("qwen3-4b", "awq");
    const double twice = awq.gb + 151936.0 * 2560 * 2 / 1e9;
    figure("K-10", "8.045", bf16.gb);
    figure("K-10", "2.666", awq.gb);
    figure("K-10", "3.02", bf16.gb / awq.gb);
    figure("K-10", "7.49", bf16.gb * 1e9 / GIB);
    figure("K-10", "2.48", awq.gb * 1e9 / GIB);
    figure("K-10", "3.444", twice);
    figure("K-10", "2.34", bf16.gb / twice);
    figure("K-11", "2.75", 110.0 / 40);
    figure("K-24", "3.85", 16 / (4 + 20.0 / 128));
    figure("K-24", "3.88", 16 / (4 + 16.0 / 128));
    double least = 9, most = 0;
    static const char *const models[] = {"llama-2-7b", "llama-2-13b", "llama-3-8b", "qwen3-4b", "llama-3-70b"};
    for (size_t i = 0; i < 5; i++) {
        double times = weigh(models[i], "bf16").gb / weigh(models[i], "awq").gb;
        least = fmin(least, times);
        most = fmax(most, times);
    }
    figure("K-24", "2.80", least);
    figure("K-24", "3.59", most);
    figure("K-26", "50", 100 * (1 - 8.0 / 16));
    figure("K-26", "75", 100 * (1 - 4.0 / 16));
    stands("K-26", "two thirds"); /* 50 / 75 */
    const qz_level_info *mx = qz_level_get(QZ_LEVEL_CT_MXFP4), *nv = qz_level_get(QZ_LEVEL_CT_NVFP4);
    figure("K-27", "4.25", mx->bits + mx->scale_bits / mx->group);
    figure("K-27", "1.88", 8 / (mx->bits + mx->scale_bits / mx->group));
    figure("K-27", "4.5", nv->bits + nv->scale_bits / nv->group);
    figure("K-27", "1.78", 8 / (nv->bits + nv->scale_bits / nv->group));
    /* code tables of each of the 224 matrices: the file has them, the checklist's 5.702 not */
    const double tables = 7 * 32 * 1092 / 1e9;
    figure("K-32", "5.702", weigh("llama-3-8b", "bnb:nf4+double").gb - tables);
    figure("K-32", "5.311", weigh("llama-3-8b", "bnb:nf4+double").gb * 1e9 / GIB);
    figure("K-32", "5.7025", weigh("llama-3-8b", "bnb:nf4+double").gb);
    figure("K-32", "6.028", weigh("llama-3-8b", "bnb:nf4").gb);
    const qz_level_info *plain = qz_level_get(QZ_LEVEL_BNB_NF4), *dbl = qz_level_get(QZ_LEVEL_NF4_DOUBLE);
    figure("K-33", "0.126953", dbl->bits + dbl->scale_bits / dbl->group - 4);
    figure("K-33", "0.5", plain->bits + plain->scale_bits / plain->group - 4);
    figure("K-33", "0.373", plain->scale_bits / plain->group - (dbl->bits + dbl->scale_bits / dbl->group - 4));
}

static void claims(void **state) {
    (void)state;
    figure("K-15", "20.0855", exp((2.0 + 4.0) / 2));
    figure("K-15", "7.5368", exp((2.0 * 1000 + 4.0 * 10) / 1010)); /* eval/metrics_test.c asserts the program's own */
    figure("K-28", "68", 741 / 10.9);
    figure("K-28", "274", 712 / 2.6);
    figure("K-28", "2.88", qz_effective_gbps(weigh("llama-2-7b", "awq").gb * 1e9, 741) / 1e3);
    figure("K-28", "4.1", 100 * (741.0 / 712 - 1));
    figure("K-35", "65536", 128 * 512);
    figure("K-35", "98304", 96 * 1024);
    figure("K-35", "262144", 128 * 2048);
    char text[16];
    (void)snprintf(text, sizeof text, "%.1f", 70e9 * 3 / 8 / 1e9); /* K-39: 26.25, ties to even */
    assert_string_equal(text, "26.2");
    figure("K-39", "26.25", 70e9 * 3 / 8 / 1e9);
    figure("K-38", "3.3", 7e9 * 4 / 8 / GIB);
    figure("K-38", "3.5", 7e9 * 4 / 8 / 1e9);
    static const char *const published[] = {"1.42", "2.82", "1.20", "0.91", "0.24", "0.35", "0.07", "0.04", "10.8",
                                            "56"};
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) stands("K-12", published[i]);
    stands("K-19", "0.0313");
    stands("K-19", "0.0282");
    assert_int_equal(sizeof rows / sizeof rows[0], 42);
}

/* K-34: C's sentence under the Llama-3 vocabulary, 128 times; E's three sentences of 15, 11 and 10 tokens
 * and a shared BOS. */
static void ranks(void **state) {
    (void)state;
    uint32_t c[5] = {128000, 791, 4062, 14198, 39935}, e[3][16];
    static const size_t lengths[3] = {16, 12, 11};
    qz_sample s[128];
    qz_lint l;
    qz_error err = {0};
    for (size_t i = 0; i < 128; i++) s[i] = (qz_sample){.text = "", .ids = c, .n_ids = 5};
    qz_dataset d = {.kind = QZ_DATA_JSONL_IDS, .samples = s, .n = 128, .path = "memory"};
    assert_int_equal(qz_lint_run(NULL, &d, &(qz_lint_options){.largest_in = 14336}, &l, &err), QZ_OK);
    bool dup = false, rank = false;
    for (size_t i = 0; i < l.n; i++) {
        dup |= strcmp(l.findings[i].text, "CAL-DUP 1 unique of 128") == 0 && l.findings[i].severity == QZ_LINT_REFUSE;
        rank |= strcmp(l.findings[i].text, "CAL-RANK 5 distinct rows < 14336 columns") == 0 &&
                l.findings[i].severity == QZ_LINT_REFUSE;
    }
    assert_true(dup && rank); /* C-09 */
    figure("K-34", "5", (double)l.data.distinct_rows);
    qz_lint_release(&l);
    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t k = 0; k < 16; k++) e[i][k] = k ? 1000 * i + k : 128000;
        s[i] = (qz_sample){.text = "", .ids = e[i], .n_ids = lengths[i]};
    }
    d.n = 3;
    assert_int_equal(qz_lint_run(NULL, &d, &(qz_lint_options){.largest_in = 11008}, &l, &err), QZ_OK);
    figure("K-34", "37", (double)l.data.distinct_rows);
    qz_lint_release(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cache_sizes), cmocka_unit_test(levels),
                                       cmocka_unit_test(folders), cmocka_unit_test(claims), cmocka_unit_test(ranks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
