/* Every golden number of the checklist's sections 6 (C-109, C-110), 7, 8, 11 (C-175, C-176) and 12 that memory
 * arithmetic can answer, to the digits printed there. Outside truth: the checklist's own table (computed from the
 * references), llama.cpp's published bits per weight (C-45), kv-cache.md. */
#include "plan/job.h"
#include "plan/memory.h"
#include "plan/roofline.h"
#include "plan/split.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* expr ends in &e_ */
#define OK(expr) do { qz_error e_ = {0}; if ((expr) != QZ_OK) fail_msg("%s", e_.text); } while (0)
#define H100 85520809984ull /* 81 559 MiB */

/* found, printed with the digits of `want`, must read like it. */
static void digits(const char *what, const char *want, double found) {
    char text[64];
    const char *dot = strchr(want, '.');
    (void)snprintf(text, sizeof text, "%.*f", dot ? (int)strlen(dot + 1) : 0, found);
    if (strcmp(text, want) != 0) fail_msg("%s: expected %s, found %s (%.9g)", what, want, text, found);
}
static qz_shape *shape(const char *name) {
    qz_shape *s = NULL;
    OK(qz_shape_builtin(name, &s, &e_));
    return s;
}
static qz_level level(const char *name) {
    qz_level l = QZ_LEVEL_BF16;
    OK(qz_level_parse(name, &l, &e_));
    return l;
}
static qz_kv_types kv(const char *name) {
    qz_kv_types t = {QZ_KV_F16, QZ_KV_F16};
    OK(qz_kv_types_parse(name, &t, &e_));
    return t;
}
static qz_memory plan(const qz_shape *s, const char *l, const char *k, uint64_t users, uint64_t ctx,
                      uint64_t capacity) {
    qz_memory_query q = {.shape = s, .level = level(l), .kv = kv(k), .users = users, .ctx = ctx, .capacity = capacity};
    qz_memory m;
    OK(qz_memory_plan(&q, &m, &e_));
    return m;
}

/* C-126 to C-129, C-122, C-101: GB of weights, level by level. */
static void weights_in_gb(void **state) {
    (void)state;
    static const struct { const char *shape, *level, *gb; bool imatrix;
    } want[] = {
        {"llama-3-8b", "bf16", "16.06", false}, {"llama-3-8b", "bnb:nf4", "6.03", false},
        {"llama-3-8b", "bnb:nf4+double", "5.70", false}, {"llama-3-8b", "awq", "5.73", false},
        {"qwen3-4b", "bf16", "8.045", false}, {"qwen3-4b", "awq", "2.666", false},
        {"qwen3-4b", "Q4_K_M", "2.491", false}, {"qwen3-4b", "Q5_K_M", "2.884", false},
        {"qwen3-4b", "Q8_0", "4.274", false}, {"llama-2-7b", "Q2_K", "2.532", false},
        {"llama-2-7b", "Q3_K_S", "2.948", false}, {"llama-2-7b", "Q3_K_M", "3.297", false},
        {"llama-2-7b", "Q4_K_S", "3.856", false}, {"llama-2-7b", "Q4_K_M", "4.080", false},
        {"llama-2-7b", "Q5_K_M", "4.782", false}, {"llama-2-7b", "Q6_K", "5.528", false},
        {"llama-2-7b", "Q8_0", "7.160", false}, {"llama-2-7b", "F16", "13.477", false},
        {"llama-2-13b", "Q2_K", "4.854", false}, {"llama-2-13b", "Q3_K_S", "5.658", false},
        {"llama-2-13b", "Q3_K_M", "6.337", false}, {"llama-2-13b", "Q4_K_S", "7.422", false},
        {"llama-2-13b", "Q4_K_M", "7.865", false}, {"llama-2-13b", "Q5_K_M", "9.229", false},
        {"llama-2-13b", "Q6_K", "10.678", false}, {"llama-2-13b", "Q8_0", "13.831", false},
        {"llama-2-13b", "F16", "26.033", false}, {"llama-3-70b", "Q2_K", "26.37", false},
        {"llama-3-70b", "Q3_K_M", "34.26", false}, {"llama-3-70b", "IQ4_XS", "38.26", false},
        {"llama-3-70b", "IQ4_XS", "37.895", true}, {"llama-3-70b", "Q4_K_S", "40.34", false},
        {"llama-3-70b", "Q4_K_M", "42.51", false}, {"llama-3-70b", "Q5_K_M", "49.94", false},
        {"llama-3-70b", "Q6_K", "57.88", false}, {"llama-3-70b", "Q8_0", "74.97", false},
        {"llama-3-70b", "bf16", "141.11", false}, {"llama-3-70b", "fp8:tensor", "72.66", false},
        {"llama-3-70b", "awq", "39.77", false}, {"llama-3-70b", "gptq", "39.79", false},
        {"llama-3-70b", "ct:w4a16", "39.50", false}, {"llama-3-70b", "ct:mxfp4", "40.57", false},
        {"llama-3-70b", "ct:nvfp4", "42.71", false}, {"llama-2-7b", "awq", "3.89", false}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        qz_shape *s = shape(want[i].shape);
        qz_weighed w;
        char what[80];
        OK(qz_level_weigh(s, level(want[i].level), want[i].imatrix, NULL, &w, &e_));
        (void)snprintf(what, sizeof what, "%s %s GB", want[i].shape, want[i].level);
        digits(what, want[i].gb, (double)w.bytes / 1e9);
        qz_shape_free(s);
    }
}

/* C-45 (llama.cpp's own table for Llama-3-8B), table 15, K-05, K-09. */
static void bits_per_weight(void **state) {
    (void)state;
    static const struct { const char *shape, *level, *bpw;
    } want[] = {{"llama-3-8b", "Q2_K", "3.1593"}, {"llama-3-8b", "Q3_K_S", "3.6429"},
                {"llama-3-8b", "Q3_K_L", "4.2979"},
                {"llama-3-8b", "IQ4_XS", "4.4597"}, {"llama-3-8b", "Q4_K_S", "4.6672"},
                {"llama-3-8b", "Q4_K_M", "4.8944"}, {"llama-3-8b", "Q5_K_S", "5.5704"},
                {"llama-3-8b", "Q5_K_M", "5.7036"}, {"llama-3-8b", "Q6_K", "6.5633"}, {"llama-3-8b", "Q8_0", "8.5008"},
                {"llama-2-7b", "Q2_K", "3.006"}, {"llama-2-7b", "Q3_K_S", "3.499"}, {"llama-2-7b", "Q4_K_M", "4.844"},
                {"llama-2-7b", "Q5_K_M", "5.678"}, {"llama-2-7b", "Q6_K", "6.564"}, {"llama-2-7b", "Q8_0", "8.501"},
                {"llama-2-13b", "Q2_K", "2.983"}, {"llama-2-13b", "Q3_K_S", "3.478"},
                {"llama-2-13b", "Q4_K_M", "4.834"}, {"llama-2-13b", "Q5_K_M", "5.673"},
                {"llama-2-13b", "Q6_K", "6.563"}, {"llama-2-13b", "Q8_0", "8.501"}, {"llama-3-70b", "Q4_K_M", "4.820"},
                {"qwen3-4b", "Q4_K_M", "4.955"}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        qz_shape *s = shape(want[i].shape);
        qz_weighed w;
        char what[80];
        OK(qz_level_weigh(s, level(want[i].level), false, NULL, &w, &e_));
        (void)snprintf(what, sizeof what, "%s %s bits/weight", want[i].shape, want[i].level);
        digits(what, want[i].bpw, w.bpw);
        qz_shape_free(s);
    }
}

/* C-118 to C-120, C-125. */
static void kv_cache(void **state) {
    (void)state;
    static const struct { const char *shape; uint64_t token; const char *gib;
    } per[] = {{"llama-2-7b", 524288, "2.0"},
               {"llama-2-13b", 819200, "3.125"},
               {"llama-3-8b", 131072, "0.5"},
               {"llama-3-70b", 327680, "1.25"},
               {"qwen3-4b", 147456, "0.5625"}};
    for (size_t i = 0; i < sizeof per / sizeof *per; i++) {
        qz_shape *s = shape(per[i].shape);
        qz_kv_plan_result f, q8, q4, f8;
        OK(qz_kv_plan(s, kv("f16"), 1, 4096, &f, &e_));
        OK(qz_kv_plan(s, kv("q8_0"), 1, 4096, &q8, &e_));
        OK(qz_kv_plan(s, kv("q4_0"), 1, 4096, &q4, &e_));
        OK(qz_kv_plan(s, kv("fp8"), 1, 4096, &f8, &e_));
        assert_int_equal(f.per_token, per[i].token);
        digits(per[i].shape, per[i].gib, (double)f.bytes / 1073741824.0);
        digits("q8_0", "0.53125", (double)q8.bytes / (double)f.bytes);
        digits("q4_0", "0.28125", (double)q4.bytes / (double)f.bytes);
        digits("fp8", "0.5", (double)f8.bytes / (double)f.bytes);
        qz_shape_free(s);
    }
    qz_kv_plan_result r;
    qz_shape *s = shape("llama-3-8b"); /* C-118: 32 × 8192, 32 layers, 8 × 128 */
    OK(qz_kv_plan(s, kv("f16"), 32, 8192, &r, &e_));
    digits("C-118", "32.0", (double)r.bytes / 1073741824.0);
    OK(qz_kv_plan(s, kv("fp8"), 128, 2048, &r, &e_)); /* K-01: 8B, 128 × 2048 */
    digits("K-01 8B fp8", "16", (double)r.bytes / 1073741824.0);
    OK(qz_kv_plan(s, kv("q8_0/q4_0"), 1, 1000, &r, &e_)); /* K and V apart: (34 + 18)/32 bytes a pair of values */
    assert_int_equal(r.bytes, 1000ull * 32 * 8 * 128 * (34 + 18) / 32);
    qz_shape_free(s);
    s = shape("llama-3-70b");
    OK(qz_kv_plan(s, kv("f16"), 128, 2048, &r, &e_));
    digits("K-01", "80.0", (double)r.bytes / 1073741824.0);
    digits("K-01", "85.90", (double)r.bytes / 1e9);
    OK(qz_kv_plan(s, kv("fp8"), 128, 2048, &r, &e_));
    digits("K-01", "42.95", (double)r.bytes / 1e9);
    qz_shape_free(s);
    s = shape("gemma-3-27b"); /* C-120: both errors beside the truth */
    OK(qz_kv_plan(s, kv("f16"), 1, 131072, &r, &e_));
    digits("C-120", "11.17", (double)r.bytes / 1e9);
    digits("C-120", "10.41", (double)r.bytes / 1073741824.0);
    digits("C-120 windows ignored", "62.0", (double)r.without_windows / 1073741824.0);
    digits("C-120 head_dim guessed", "81.4", (double)r.guessed_head_dim / 1073741824.0);
    qz_shape_free(s);
    s = shape("deepseek-v3"); /* latent attention: 512 + 64 values a layer, once */
    OK(qz_kv_plan(s, kv("bf16"), 1, 1, &r, &e_));
    assert_int_equal(r.per_token, 61 * 576 * 2);
    qz_shape_free(s);
    s = shape("qwen3-next-80b-a3b"); /* hybrid: 12 of 48 layers keep keys, 36 a fixed state */
    OK(qz_kv_plan(s, kv("f16"), 1, 1000, &r, &e_));
    assert_int_equal(r.per_token, 12 * 2 * 256 * 2 * 2);
    assert_int_equal(r.state_bytes, 36ull * 4 * (32 * 128 * 128 + 3 * (2 * 16 * 128 + 32 * 128)));
    qz_shape_free(s);
}

/* C-122: 70B, 128 × 2048 on one H100. */
static void one_h100(void **state) {
    (void)state;
    static const struct { const char *level, *weights, *fp16, *fp8; bool fits_fp8; } want[] = {
        {"bf16", "141.11", "227.01", "184.06", false}, {"fp8:tensor", "72.66", "158.56", "115.61", false},
        {"awq", "39.77", "125.67", "82.72", true}, {"gptq", "39.79", "125.69", "82.74", true},
        {"ct:mxfp4", "40.57", "126.47", "83.52", true}, {"ct:nvfp4", "42.71", "128.61", "85.66", false},
        {"Q4_K_M", "42.51", "128.41", "85.46", false}, {"Q5_K_M", "49.94", "135.84", "92.89", false}};
    qz_shape *s = shape("llama-3-70b");
    digits("H100", "85.52", (double)H100 / 1e9);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        qz_memory a = plan(s, want[i].level, "f16", 128, 2048, H100),
                  b = plan(s, want[i].level, "fp8", 128, 2048, H100);
        digits(want[i].level, want[i].weights, (double)a.weights.bytes / 1e9);
        digits(want[i].level, want[i].fp16, (double)a.total / 1e9);
        digits(want[i].level, want[i].fp8, (double)b.total / 1e9);
        assert_false(a.fits);
        assert_int_equal(b.fits, want[i].fits_fp8);
        assert_true((double)b.total > 0.9 * (double)H100); /* none under a 90 % limit */
    }
    qz_memory k = plan(s, "Q4_K_M", "fp8", 128, 2048, H100);
    digits("room of Q4_K_M", "0.06", ((double)H100 - (double)k.total) / 1e9);
    digits("logits", "0.066", (double)k.logits / 1e9);
    assert_int_equal(plan(s, "awq", "f16", 1, 1, 0).crossover, 121361); /* C-124 */
    qz_shape_free(s);
}

/* C-123, C-192: most sequences at 2048 under 90 % minus 2 GB. */
static void most_users(void **state) {
    (void)state;
    static const struct {
        const char *level, *kv;
        uint64_t users;
    } want[] = {{"awq", "f16", 52},       {"awq", "fp8", 104},     {"fp8:tensor", "f16", 3},
                {"fp8:tensor", "fp8", 6}, {"ct:nvfp4", "f16", 48}, {"ct:nvfp4", "fp8", 96}};
    qz_shape *s = shape("llama-3-70b");
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        uint64_t n = 0;
        qz_memory_query q = {.shape = s,
                             .level = level(want[i].level),
                             .kv = kv(want[i].kv),
                             .users = 1,
                             .ctx = 2048,
                             .capacity = H100,
                             .reserve = 0.1,
                             .overhead = 2000000000};
        OK(qz_memory_max_users(&q, &n, &e_));
        if (n != want[i].users)
            fail_msg("%s %s: expected %llu, found %llu", want[i].level, want[i].kv, (unsigned long long)want[i].users,
                     (unsigned long long)n);
        q.users = n;
        uint64_t ctx = 0;
        OK(qz_memory_max_ctx(&q, &ctx, &e_)); /* the two inverses agree at the edge */
        assert_true(ctx >= 2048);
        q.users = n + 1;
        OK(qz_memory_max_ctx(&q, &ctx, &e_));
        assert_true(ctx < 2048);
    }
    qz_shape_free(s);
}

/* C-125, K-31: 13B Q4_K_M with its cache. */
static void thirteen_b(void **state) {
    (void)state;
    qz_shape *s = shape("llama-2-13b");
    digits("weights", "7.865", (double)plan(s, "Q4_K_M", "f16", 1, 2048, 0).weights.bytes / 1e9);
    digits("2048", "9.54", (double)plan(s, "Q4_K_M", "f16", 1, 2048, 0).total / 1e9);
    digits("4096", "11.22", (double)plan(s, "Q4_K_M", "f16", 1, 4096, 0).total / 1e9);
    digits("q8_0 (pick vector 3)", "9.65", (double)plan(s, "Q4_K_M", "q8_0", 1, 4096, 0).total / 1e9);
    digits("64k (pick vector 12)", "53.7", (double)plan(s, "Q4_K_M", "f16", 1, 65536, 0).kv.bytes / 1e9);
    digits("64k fp8", "26.8", (double)plan(s, "Q4_K_M", "fp8", 1, 65536, 0).kv.bytes / 1e9);
    qz_shape_free(s);
    s = shape("gqa-13b"); /* pick vector 13 */
    digits("kv", "5.4", (double)plan(s, "awq", "fp8", 1, 65536, 0).kv.bytes / 1e9);
    qz_shape_free(s);
    s = shape("llama-2-7b"); /* pick vectors 1 and 2 */
    digits("7B chat", "6.2", (double)plan(s, "Q4_K_M", "f16", 1, 4096, 0).total / 1e9);
    digits("7B Q6_K", "5.53", (double)plan(s, "Q6_K", "f16", 1, 4096, 0).weights.bytes / 1e9);
    digits("7B KV", "2.15", (double)plan(s, "Q6_K", "f16", 1, 4096, 0).kv.bytes / 1e9);
    digits("7B Q8_0", "9.3", (double)plan(s, "Q8_0", "f16", 1, 4096, 0).total / 1e9);
    qz_shape_free(s);
}

/* C-115, C-116, C-117, C-185, pick vector 9. */
static void offload(void **state) {
    (void)state;
    qz_shape *s = shape("llama-3-70b");
    qz_layer_split p;
    assert_int_equal(qz_split_even(4.0, 0.5, 5.0, 32), 22);
    assert_int_equal(qz_split_even(6.4, 0.5, 35.0, 80), 13);
    OK(qz_split_plan(&(qz_split_query){s, level("Q4_K_M"), kv("f16"), 0, 6400000000, 500000000}, &p, &e_));
    assert_int_equal(p.even, 11);
    assert_int_equal(p.layers, 10);
    digits("last 11", "5.985", (double)p.next_bytes / 1e9);
    digits("output", "0.862", (double)p.output_bytes / 1e9);
    assert_false(p.output_on_gpu);
    digits("system RAM", "37", (double)p.system_bytes / 1e9);
    OK(qz_split_plan(&(qz_split_query){s, level("Q4_K_M"), kv("q8_0"), 4096, 6400000000, 500000000}, &p, &e_));
    assert_int_equal(p.layers, 10);
    OK(qz_split_plan(&(qz_split_query){s, level("Q4_K_M"), kv("f16"), 4096, 80000000000, 500000000}, &p, &e_));
    assert_true(p.layers == 80 && p.output_on_gpu);
    /* C-115: nothing fits an 8 GB card with 20 % kept free */
    qz_level all[QZ_LEVEL_COUNT], best;
    uint64_t lacks = 0;
    for (int i = 0; i < QZ_LEVEL_COUNT; i++) all[i] = (qz_level)i;
    qz_memory_query q = {.shape = s, .kv = kv("f16"), .users = 1, .ctx = 4096, .capacity = 8000000000, .reserve = 0.2};
    qz_memory m;
    OK(qz_memory_plan(&q, &m, &e_));
    digits("C-115", "6.4", (double)m.usable / 1e9);
    OK(qz_memory_best_level(&q, all, QZ_LEVEL_COUNT, &best, &lacks, &e_));
    assert_int_equal(best, QZ_LEVEL_COUNT);
    assert_true(lacks > 1000000000);
    /* what is usable does not depend on the users; the buffers are part of the need, and every device holds them */
    q.overhead = 2000000000;
    q.level = level("Q4_K_M");
    for (q.users = 1; q.users < 30000; q.users *= 12) {
        OK(qz_memory_plan(&q, &m, &e_));
        digits("usable", "6.4", (double)m.usable / 1e9);
        assert_true(m.total_buffers == m.total + m.buffers && m.buffers >= 2000000000);
    }
    assert_true(m.buffers == m.logits + m.scratch); /* more than the runtime's share */
    q.users = 1, q.devices = 2;
    OK(qz_memory_plan(&q, &m, &e_));
    assert_true(m.buffers >= 4000000000 && m.total_buffers == 2 * m.per_device);
    q.overhead = 0, q.devices = 1;
    q.capacity = 80000000000;
    OK(qz_memory_best_level(&q, all, QZ_LEVEL_COUNT, &best, &lacks, &e_));
    assert_int_equal(best, QZ_LEVEL_GGUF_Q6_K);
    qz_shape_free(s);
}

/* C-109, C-110. */
static void speed(void **state) {
    (void)state;
    static const struct { double ms; const char *times; } over[] = {{0, "4.00"}, {1, "3.33"}, {3, "2.6153846"},
                                                                    {5, "2.24"}, {10, "1.78"}, {20, "1.45"}};
    for (size_t i = 0; i < sizeof over / sizeof *over; i++)
        digits("C-110", over[i].times, qz_roofline_speedup(14e9, 3.5e9, 1000, over[i].ms / 1e3));
    digits("C-110", "17.0", 1e3 * qz_roofline_seconds(14e9, 1000, 0.003));
    digits("C-110", "6.5", 1e3 * qz_roofline_seconds(3.5e9, 1000, 0.003));
    digits("C-109", "196.6", qz_effective_gbps(7.865e9, 25));
    digits("C-109", "321.8", qz_effective_gbps(8.045e9, 40));
    digits("C-109", "293.3", qz_effective_gbps(2.666e9, 110));
    qz_hardware_set set;
    const qz_hardware *h = NULL;
    qz_roofline r;
    qz_shape *s = shape("llama-2-7b");
    OK(qz_hardware_open(&set, NULL, &e_));
    OK(qz_hardware_find(&set, "rtx-4090", &h, &e_));
    qz_memory_query q = {.shape = s, .level = level("Q4_K_M"), .kv = kv("f16"), .users = 1, .ctx = 1};
    OK(qz_roofline_decode(&q, h, 0, &r, &e_));
    assert_true(r.tokens_s_user > 245 && r.tokens_s_user < 255); /* (4.080 − 0.074 GB) / 1008 GB/s */
    qz_shape_free(s);
    s = shape("mixtral-8x7b"); /* 2 of 8 experts: far less is read than stored, and more with a batch */
    q.shape = s;
    OK(qz_roofline_decode(&q, h, 0, &r, &e_));
    double one = r.weight_gb;
    q.users = 64;
    OK(qz_roofline_decode(&q, h, 0, &r, &e_));
    assert_true(one < 9 && r.weight_gb > 25 && r.weight_gb < 29);
    qz_shape_free(s);
    /* A100, Llama-2-7B, W4: 64 users compute 64 x 2 x 6.6e9 operations at 312e12 a second, while 3.6 GB at 2039 GB/s
     * are read; the cache of 1024 tokens is read besides. 16-bit weights are bound by memory until 312e12 / 2039e9
     * users. */
    s = shape("llama-2-7b");
    q = (qz_memory_query){.shape = s, .level = level("awq"), .kv = kv("f16"), .users = 64, .ctx = 1024};
    OK(qz_hardware_find(&set, "a100-80gb", &h, &e_));
    OK(qz_roofline_decode(&q, h, 0, &r, &e_));
    assert_string_equal(r.bound, "operations");
    digits("operations", "2.71", 1e3 * r.operations_s);
    digits("cache", "16.85", 1e3 * r.kv_s);
    assert_true(r.weights_s < r.operations_s && fabs(r.step_s - r.operations_s - r.kv_s) < 1e-12);
    q.users = r.bound_from;
    OK(qz_roofline_decode(&q, h, 0, &r, &e_));
    assert_string_equal(r.bound, "operations");
    q.users--;
    OK(qz_roofline_decode(&q, h, 0, &r, &e_));
    assert_string_equal(r.bound, "memory");
    assert_true(r.bound_from == q.users + 1 && r.bound_from > 35 && r.bound_from < 50);
    q.level = level("bf16");
    OK(qz_roofline_decode(&q, h, 0, &r, &e_));
    assert_int_equal(r.bound_from, 154); /* 153.02 */
    q.level = level("int8");
    OK(qz_roofline_decode(&q, h, 0, &r, &e_));
    assert_true(r.arithmetic == 8 && r.tflops > 623 && r.tflops < 625);
    q.level = level("fp8:channel"); /* no such arithmetic on that card */
    OK(qz_roofline_decode(&q, h, 0, &r, &e_));
    assert_int_equal(r.arithmetic, 16);
    OK(qz_hardware_find(&set, "laptop-16gb", &h, &e_)); /* nothing known of its operations */
    OK(qz_roofline_decode(&q, h, 0, &r, &e_));
    assert_true(r.tflops <= 0 && r.bound_from == 0);
    assert_string_equal(r.bound, "memory");
    qz_hardware_release(&set);
    qz_shape_free(s);
}

/* What cannot be: one clear error each. */
static void refuses(void **state) {
    (void)state;
    qz_shape *s = shape("llama-3-8b");
    qz_memory m;
    qz_error err = {0};
    qz_memory_query q = {.shape = s, .level = level("awq"), .kv = kv("f16"), .users = 1ull << 40, .ctx = 1ull << 40};
    assert_int_equal(qz_memory_plan(&q, &m, &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "more than can be counted"));
    qz_shape_free(s);
    qz_kv_types t;
    err = (qz_error){0};
    assert_int_equal(qz_kv_types_parse("q9_0", &t, &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "nearest known is 'q"));
    qz_level l;
    err = (qz_error){0};
    assert_int_equal(qz_level_parse("Q4_K_X", &l, &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "gguf:Q4_K"));
    json_t *root = json_pack("{s:s,s:i,s:i,s:i,s:i,s:i}", "model_type", "llama", "hidden_size", 640,
                             "intermediate_size", 1280, "num_hidden_layers", 2, "num_attention_heads", 8, "vocab_size",
                             1000);
    err = (qz_error){0};
    OK(qz_shape_from_json(root, "odd", &s, &e_)); /* head_dim 80: no multiple of 32 */
    json_decref(root);
    q = (qz_memory_query){.shape = s, .level = level("bf16"), .kv = {QZ_KV_Q8_0, QZ_KV_Q8_0}, .users = 1, .ctx = 1};
    assert_int_equal(qz_memory_plan(&q, &m, &err), QZ_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "head_dim 80"));
    qz_shape_free(s);
}

/* The job plan: sums hold, and a full disk is refused with the numbers. */
static void jobs(void **state) {
    (void)state;
    qz_shape *s = shape("llama-3-8b");
    qz_job g, a;
    qz_error err = {0};
    OK(qz_job_plan(s, level("Q4_K_M"), 128, 512, 2, &g, &e_));
    OK(qz_job_plan(s, level("awq"), 128, 512, 2, &a, &e_));
    assert_int_equal(g.source_bytes, 2 * s->params);
    assert_int_equal(g.peak_disk, g.output_bytes);
    assert_int_equal(a.stats_bytes, 32ull * 2 * (3ull * 4096 * 4096 + 14336ull * 14336) + 2ull * 4096 * 4096);
    assert_int_equal(a.peak_disk, a.output_bytes + a.stats_bytes);
    qz_shape *moe = shape("mixtral-8x7b"); /* every expert has inputs of its own */
    qz_job x;
    OK(qz_job_plan(moe, level("awq"), 128, 512, 2, &x, &e_));
    assert_int_equal(x.stats_bytes,
                     32ull * 2 * (3ull * 4096 * 4096 + 8 * (4096ull * 4096 + 14336ull * 14336)) + 2ull * 4096 * 4096);
    assert_true(x.peak_ram > 8ull * 8 * 14336 * 14336);
    qz_shape_free(moe);
    assert_true(a.calibrates && !g.calibrates && a.peak_ram > g.peak_ram && a.seconds > 60);
    assert_int_equal(qz_job_check_disk(&g, g.peak_disk, "/x", &err), QZ_OK);
    assert_int_equal(qz_job_check_disk(&g, 1000000000, "/x", &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "short of 3.91 GB"));
    qz_shape_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_in_gb), cmocka_unit_test(bits_per_weight), cmocka_unit_test(kv_cache),
        cmocka_unit_test(one_h100), cmocka_unit_test(most_users), cmocka_unit_test(thirteen_b),
        cmocka_unit_test(offload), cmocka_unit_test(speed), cmocka_unit_test(refuses),
        cmocka_unit_test(jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
