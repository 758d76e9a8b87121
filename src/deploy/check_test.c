/* Pitfalls as codes (mission/checklist.md section 10): every code that a judgement can give fires on one input and
 * rests on another. Figures of C-162, C-164, C-171, C-172, K-01 as printed there. Codes that come from reading files
 * are tested in tests/cli/check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "base/str.h"
#include "deploy/check.h"

static const qz_deploy_spec awq = {.kind = QZ_DEPLOY_AWQ, .bits = 4, .group_size = 128, .zero_point = true},
                                   bf16 = {.kind = QZ_DEPLOY_FLOAT, .bits = 16, .sym = true},
                            gemv = {.kind = QZ_DEPLOY_AWQ, .bits = 4, .group_size = 128, .zero_point = true,
                                    .version = "gemv_fast"}, gguf = {.kind = QZ_DEPLOY_GGUF},
                            strange = {.kind = QZ_DEPLOY_UNKNOWN, .method = "quip"}, fp4 = {.kind = QZ_DEPLOY_NVFP4,
                                       .bits = 4}, fp8 = {.kind = QZ_DEPLOY_FP8, .bits = 8};

typedef struct { const char *code; bool fires; qz_check_facts x; } row;
static const row rows[] = {
    {"CHK-NAME", true, {.spec = &strange}}, {"CHK-NAME", false, {.spec = &awq}},
    {"CHK-GGUF", true, {.spec = &gguf, .gguf = true}},
    {"CHK-GGUF", false, {.spec = &gguf, .gguf = true, .level = "Q4_K_M"}},
    {"CHK-GGUF", true, {.spec = &gguf, .gguf = true, .level = "IQ2_XS", .bits_per_weight = 2.4}},
    {"CHK-GGUF", false, {.spec = &gguf, .gguf = true, .level = "IQ2_XS", .bits_per_weight = 2.4, .imatrix = 1}},
    {"CHK-LAYOUT", true, {.spec = &gemv}}, {"CHK-LAYOUT", false, {.spec = &awq}},
    {"CHK-REQUANT", true, {.spec = &awq, .wanted = &gguf}}, {"CHK-REQUANT", false, {.spec = &bf16, .wanted = &gguf}},
    {"CHK-REQUANT", false, {.spec = &awq}},
    {"CHK-REQUANT", false, {.spec = &gguf, .gguf = true, .level = "F16", .bits_per_weight = 16, .wanted = &gguf}},
    {"CHK-REASON", true, {.spec = &awq, .workload = "math"}}, {"CHK-REASON", false, {.spec = &awq, .workload = "chat"}},
    {"CHK-REASON", false, {.spec = &fp8, .workload = "math"}},
    {"CHK-REASON", true, {.spec = &gguf, .gguf = true, .level = "Q4_K_M", .bits_per_weight = 4.89, .workload = "code"}},
    {"CHK-REASON", false, {.spec = &gguf, .gguf = true, .level = "Q6_K", .bits_per_weight = 6.56, .workload = "code"}},
    {"CHK-FP4", true, {.spec = &fp4}}, {"CHK-FP4", false, {.spec = &fp4, .block_report = true}},
    {"CHK-FP4", false, {.spec = &fp4, .block_report = true, .blocks = 1e6, .blocks_lost = 900}},
    {"CHK-FP4", true, {.spec = &fp4, .block_report = true, .blocks = 1e6, .blocks_lost = 1100}},
    {"CHK-FP4", false, {.spec = &awq}},
    {"CHK-SMALL", true,
     {.spec = &awq, .params = 600000000, .float_bytes = 1200000000, .budget = 24000000000, .floats_fit = true}},
    /* needed: 16 bits do not fit */
    {"CHK-SMALL", false, {.spec = &awq, .params = 600000000, .float_bytes = 1200000000, .budget = 1000000000}},
    {"CHK-SMALL", false,
     {.spec = &bf16, .params = 600000000, .float_bytes = 1200000000, .budget = 24000000000, .floats_fit = true}},
    {"CHK-SMALL", false,
     {.spec = &awq, .params = 8000000000, .float_bytes = 16000000000, .budget = 24000000000, .floats_fit = true}},
    {"CHK-PROV", true, {.spec = &awq, .artifact = true}},
    {"CHK-PROV", false, {.spec = &awq, .artifact = true, .provenance = true}},
    {"CHK-PROV", false, {.spec = &bf16, .artifact = true}}, {"CHK-LORA", true, {.spec = &awq, .adapter = 2}},
    {"CHK-LORA", false, {.spec = &awq, .adapter = 1}}, {"CHK-LORA", false, {.spec = &awq}},
    {"CHK-PAIR", true, {.spec = &awq, .artifact = true, .engine = "vllm"}},
    {"CHK-PAIR", false, {.spec = &awq, .artifact = true, .engine = "vllm", .verified_with = "quantz, vLLM 0.33"}},
    {"CHK-PAIR", false, {.spec = &awq, .artifact = true}},
    /* U-19: 97.9 % under the name Q4_K_M */
    {"CHK-FALLBACK", true, {.spec = &gguf, .gguf = true, .level = "Q4_K_M", .params = 1000, .substituted = 979}},
    {"CHK-FALLBACK", false, {.spec = &gguf, .gguf = true, .level = "Q4_K_M", .params = 1000, .substituted = 20}},
    {"CHK-SMALL", false, {.spec = &awq, .params = 600000000, .budget = 24000000000, .floats_fit = true,
                          .workload = "training"}},
    {"CHK-SMALL", false, {.spec = &fp8, .params = 600000000, .budget = 24000000000, .floats_fit = true}},
    {"CHK-CONTEXT", true, {.spec = &bf16, .ctx = 4097, .max_ctx = 4096}},
    {"CHK-CONTEXT", false, {.spec = &bf16, .ctx = 4096, .max_ctx = 4096}},
    {"CHK-RAM", true, {.spec = &gguf, .offloaded = true, .system_bytes = 38000000000, .system_usable = 25600000000}},
    {"CHK-RAM", false, {.spec = &gguf, .offloaded = true, .system_bytes = 20000000000, .system_usable = 25600000000}},
    {"CHK-KV", true, {.spec = &awq, .weight_bytes = 10, .kv_bytes = 10, .buffers = 2, .budget = 21}},
    {"CHK-LORA", true, {.spec = &awq, .adapter = 3}},
    {"CHK-KV", true,
     {.spec = &awq, .weight_bytes = 39770000000, .kv_bytes = 85899345920, .budget = 85520000000, .users = 128,
      .ctx = 2048}},
    {"CHK-KV", false,
     {.spec = &awq, .weight_bytes = 39770000000, .kv_bytes = 8589934592, .budget = 85520000000, .users = 13,
      .ctx = 2048}},
};

static void deployments(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        qz_arena a = {0};
        qz_findings f = {.arena = &a};
        qz_check_deployment(&rows[i].x, &f);
        if (qz_findings_has(&f, rows[i].code) != rows[i].fires)
            fail_msg("row %zu: %s %s", i, rows[i].code, rows[i].fires ? "is missing" : "fired");
        qz_arena_release(&a);
    }
}

/* C-164 as printed: "39.8 GB weights + 85.9 GB KV". */
static void kv_figures(void **state) {
    (void)state;
    qz_arena a = {0};
    qz_findings f = {.arena = &a};
    qz_check_deployment(&(qz_check_facts){.spec = &awq, .weight_bytes = 39769000000, .kv_bytes = 128ull * 2048 * 327680,
                                          .budget = 85520000000, .users = 128, .ctx = 2048}, &f);
    assert_int_equal(f.n, 1);
    assert_non_null(strstr(f.rows[0].problem, "39.8 GB weights + 85.9 GB KV"));
    assert_non_null(strstr(f.rows[0].problem, "the weights alone fit"));
    qz_arena_release(&a);
}

static void notes(void **state) {
    (void)state;
    static const struct { const char *text; const char *codes; } v[] = {
        {"We serve the 4-bit model.", "CHK-NAME CHK-CONTRACT "},
        {"A 4 bit model on vLLM", "CHK-NAME CHK-CONTRACT "},
        {"int4 weights by AWQ g128 on vLLM 0.33; activations fp16, accumulate fp32, KV cache bf16", ""},
        {"4-bit AWQ on vLLM, W4A16", "CHK-CONTRACT "},
        {"We use GGUF quantization.", "CHK-GGUF "},
        {"GGUF Q4_K_M without imatrix, 20 GPU layers, llama.cpp", ""},
        {"print4 24-bit audio, 16-bit floats", "CHK-NAME CHK-CONTRACT "},
        {"nothing about it", ""},
    };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        qz_arena a = {0};
        qz_findings f = {.arena = &a};
        qz_str got = {0};
        qz_check_note(v[i].text, strlen(v[i].text), "design.md", &f);
        qz_str_puts(&got, "");
        for (size_t k = 0; k < f.n; k++) qz_str_printf(&got, "%s ", f.rows[k].code);
        if (i == 6) assert_string_equal(got.ptr, ""); /* two-digit widths are no claim of a quantized model */
        else assert_string_equal(got.ptr, v[i].codes);
        qz_str_release(&got);
        qz_arena_release(&a);
    }
}

static void reports(void **state) {
    (void)state;
    static const qz_check_row src = {"source", true, 16e9, 10, 160, NAN, 90, -1, ""},
                              good = {"a", false, 5e9, 29, 145, 0.3, 89.5, -1, ""},
                              json = {"b", false, 5e9, 29, 145, 0.5, 82, -1, ""},
                              slow = {"c", false, 4e9, 12, 48, 0.3, 90, -1, ""},
                              small_src = {"source", true, 1e8, 100, 10, NAN, -1, -1, ""},
                              small = {"d", false, 3e7, 110, 3.3, 0.1, -1, -1, ""},
                              decoded = {"e", false, 6e7, 2, 0.1, 0.1, -1, -1, "fp8×f32 avx512"};
    const struct { qz_check_row r[2]; size_t n; const char *sha, *other, *codes; } v[] = {
        {{src, good}, 2, "ab", "ab", "CHK-TASK1 "},
        {{src, json}, 2, "", "", "CHK-TASK "},           /* C-162: PPL +0.5 %, -8 points */
        {{src, slow}, 2, "", "", "CHK-SPEED "},          /* C-161, U-12 */
        {{good, json}, 2, "", "", "CHK-BASE "},          /* no baseline row */
        {{src, good}, 2, "ab", "cd", "CHK-BASE CHK-TASK1 "},       /* of another revision */
        {{small_src, small}, 2, "", "", "CHK-SPEED CHK-NOTASK "},
        {{small_src, decoded}, 2, "", "", "CHK-SPEED CHK-NOTASK "},
    };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        qz_arena a = {0};
        qz_findings f = {.arena = &a};
        qz_str got = {0};
        qz_check_report(v[i].r, v[i].n, v[i].sha, v[i].other, "report.json", &f);
        qz_str_puts(&got, "");
        for (size_t k = 0; k < f.n; k++) qz_str_printf(&got, "%s ", f.rows[k].code);
        assert_string_equal(got.ptr, v[i].codes);
        qz_str_release(&got);
        if (i == 2) assert_non_null(strstr(f.rows[0].problem, "4.00x smaller, 1.20x faster: compute-bound"));
        if (i == 5) assert_non_null(strstr(f.rows[0].problem, "small model"));
        if (i == 6) assert_non_null(strstr(f.rows[0].problem, "decodes the weights for every product (fp8×f32 "));
        qz_arena_release(&a);
    }
}

/* C-180: 8.08, 8.24 and 8.40 against 8.00 are a note, a warning and an error; a task metric that passes makes the error
 * a warning, one that fails does not, and its loss speaks at any perplexity. */
static void levels(void **state) {
    (void)state;
    const struct { double ppl, tasks; const char *codes; qz_finding_level level; } v[] = {
        {8.0, -1, "CHK-NOTASK ", QZ_FINDING_NOTE}, {8.07, -1, "CHK-NOTASK ", QZ_FINDING_NOTE},
        {8.08, -1, "CHK-PPL1 CHK-NOTASK ", QZ_FINDING_NOTE}, {8.24, -1, "CHK-PPL3 CHK-NOTASK ", QZ_FINDING_WARN},
        {8.40, -1, "CHK-PPL5 CHK-NOTASK ", QZ_FINDING_ERROR}, {8.8, 98, "CHK-PPL3 ", QZ_FINDING_WARN},
        {8.8, 97.5, "CHK-PPL3 CHK-TASK1 ", QZ_FINDING_WARN}, {8.8, 78, "CHK-PPL5 CHK-TASK ", QZ_FINDING_ERROR},
        {7.9, 78, "CHK-TASK ", QZ_FINDING_WARN},
        {8.3, 90, "CHK-PPL3 CHK-TASK ", QZ_FINDING_WARN}};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        for (int given = 0; given < 2; given++) { /* as a difference, or as two perplexities */
            qz_arena a = {0};
            qz_findings f = {.arena = &a};
            qz_str got = {0};
            qz_check_row pair[2] = {{.name = "source", .source = true, .bytes = -1, .gen_tps = -1, .bandwidth = -1,
                                     .delta_ppl = NAN, .ppl = 8, .tasks_pct = v[i].tasks < 0 ? -1 : 98},
                                    {.name = "a", .bytes = -1, .gen_tps = -1, .bandwidth = -1,
                                     .delta_ppl = given ? 100 * (v[i].ppl / 8 - 1) : NAN, .ppl = given ? -1 : v[i].ppl,
                                     .tasks_pct = v[i].tasks}};
            qz_check_report(pair, 2, "", "", "report.json", &f);
            for (size_t k = 0; k < f.n; k++) qz_str_printf(&got, "%s ", f.rows[k].code);
            assert_string_equal(got.ptr ? got.ptr : "", v[i].codes);
            if (f.n) assert_int_equal(f.rows[0].level, v[i].level);
            qz_str_release(&got);
            qz_arena_release(&a);
        }
}

static void table(void **state) {
    (void)state;
    size_t n = 0;
    for (; qz_pitfall_at(n); n++) {
        const qz_pitfall *p = qz_pitfall_at(n);
        assert_true(p->symptom[0] && p->cause[0] && p->fix[0] && p->source[0]);
        assert_ptr_equal(qz_pitfall_get(p->code), p); /* no code twice */
    }
    assert_true(n > 25);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(deployments), cmocka_unit_test(kv_figures),
                                       cmocka_unit_test(notes), cmocka_unit_test(reports), cmocka_unit_test(levels),
                                       cmocka_unit_test(table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
