/* The oracle: every next-token log-probability of the zoo models within 2e-3 of transformers 5.23 (float32, eager),
 * argmax where the gap is clear, 16 greedy tokens; with the KV cache in pieces, batched, and with one and two
 * threads bit-identical. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/json.h"
#include "base/size.h"
#include "codecs/input_rounding.h"
#include "codecs/types.h"
#include "engine/engine.h"
#include "engine/sampler.h"
#include "model/kinds.h"

typedef struct { qz_run run; qz_model *m; qz_engine *e; json_t *golden; } rig;

static void must(qz_status st, const qz_error *err) {
    if (st != QZ_OK) fail_msg("%s", err->text);
}
/* config NULL: the folder's own */
static void rig_open(rig *r, const char *dir, const char *config, const char *golden, size_t threads) {
    char path[256];
    qz_error err = {0};
    must(qz_run_init(&r->run, threads, &err), &err);
    (void)snprintf(path, sizeof path, "tests/golden/zoo/%s", dir);
    must(qz_model_open(&r->run, path, &r->m, &err), &err);
    if (config) {
        (void)snprintf(path, sizeof path, "tests/golden/zoo/%s/%s", dir, config);
        must(qz_config_load(path, &r->m->config, &err), &err);
        for (size_t l = 0; !r->m->config.qk_norm && l < r->m->config.layers; l++)
            r->m->blocks[l].norm[QZ_NORM_Q] = r->m->blocks[l].norm[QZ_NORM_K] = NULL; /* bound by the folder's own */
    }
    (void)snprintf(path, sizeof path, "tests/golden/zoo/%s/%s", dir, golden);
    must(qz_json_load(path, 1 << 24, &r->golden, &err), &err);
    must(qz_engine_open(&r->run, r->m, NULL, &r->e, &err), &err);
}
static void rig_close(rig *r) {
    qz_engine_free(r->e);
    qz_model_free(r->m);
    json_decref(r->golden);
    qz_run_release(&r->run);
}
static double logprob(const float *logits, size_t v, size_t id) {
    double max = (double)logits[qz_argmax(logits, v)], sum = 0;
    for (size_t i = 0; i < v; i++) sum += exp((double)logits[i] - max);
    return (double)logits[id] - max - log(sum);
}
static size_t read_ids(const json_t *a, uint32_t *ids, size_t cap) {
    size_t n = json_array_size(a);
    assert_true(n > 0 && n <= cap);
    for (size_t i = 0; i < n; i++) ids[i] = (uint32_t)json_integer_value(json_array_get(a, i));
    return n;
}

static void check_sequence(rig *r, const json_t *seq) {
    enum { CAP = 160 };
    uint32_t ids[CAP];
    size_t n = read_ids(json_object_get(seq, "input_ids"), ids, CAP - 16), v = r->m->config.vocab_size;
    float *logits = qz_alloc_array(n * v, sizeof *logits);
    qz_error err = {0};
    qz_kv *kv;
    must(qz_kv_open(r->e, 1, CAP, &kv, &err), &err);
    must(qz_engine_forward(r->e, kv, &(qz_batch){.ids = ids, .n = n}, logits, &err), &err);
    const json_t *lp = json_object_get(seq, "logprob_next"), *am = json_object_get(seq, "argmax");
    assert_int_equal(json_array_size(lp), n - 1);
    for (size_t t = 0; t < n; t++) {
        const float *row = logits + t * v;
        uint32_t want = (uint32_t)json_integer_value(json_array_get(am, t)), got = qz_argmax(row, v);
        if (got != want && logprob(row, v, got) - logprob(row, v, want) > 4e-3)
            fail_msg("argmax at %zu: %u, expected %u", t, got, want);
        if (t + 1 == n) break;
        double d = logprob(row, v, ids[t + 1]) - json_number_value(json_array_get(lp, t));
        if (fabs(d) > 2e-3) fail_msg("log-probability at %zu differs by %g", t, d);
    }
    const json_t *greedy = json_object_get(seq, "greedy16");
    /* the reference recomputes the whole sequence for each token: with dynamic NTK that changes the frequencies */
    bool recompute = qz_rope_by_call(&r->m->config);
    uint32_t id = qz_argmax(logits + (n - 1) * v, v);
    float *last = qz_alloc_array(CAP * v, sizeof *last);
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(id, json_integer_value(json_array_get(greedy, i)));
        ids[n + i] = id;
        size_t from = recompute ? 0 : n + i, count = n + i + 1 - from;
        if (recompute) {
            qz_kv_free(kv);
            must(qz_kv_open(r->e, 1, CAP, &kv, &err), &err);
        }
        must(qz_engine_forward(r->e, kv, &(qz_batch){.ids = ids + from, .n = count}, last, &err), &err);
        id = qz_argmax(last + (count - 1) * v, v);
    }
    qz_free(last);
    qz_free(logits);
    qz_kv_free(kv);
}
static void oracle(const char *dir, const char *config, const char *golden) {
    rig r = {0};
    rig_open(&r, dir, config, golden, 2);
    const json_t *seqs = json_object_get(r.golden, "sequences");
    assert_true(json_array_size(seqs) >= 1);
    for (size_t i = 0; i < json_array_size(seqs); i++) check_sequence(&r, json_array_get(seqs, i));
    rig_close(&r);
}
/* The same model in other words of config.json. */
static void other_spellings(const char *dir) {
    static const char *const names[] = {"old", "new", "interval", "released"};
    size_t found = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char config[40], path[96];
        (void)snprintf(config, sizeof config, "config.%s-style.json", names[i]);
        (void)snprintf(path, sizeof path, "tests/golden/zoo/%s/%s", dir, config);
        if (access(path, R_OK) != 0) continue;
        oracle(dir, config, "golden.json");
        found++;
    }
    if (found == 0 && strcmp(dir, "llama") == 0) fail_msg("no other spelling of '%s'", dir);
}
static void families(void **state) {
    (void)state;
    static const char *const dirs[] = {"gpt_oss", "phimoe", "llama4",
                                       "llama", "llama3-rope", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3",
                                       "mixtral", "qwen3_moe", "smollm3", "granite", "olmo2", "olmo3",
                                       "glm4_moe", "qwen3_5", "deepseek_v3", "deepseek_v2", "qwen2_moe",
                                       "cohere2",
                                       "qwen3_5_moe", "qwen3_next", "gemma4", "gemma4-moe"};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        oracle(dirs[i], NULL, "golden.json");
        other_spellings(dirs[i]);
    }
}
/* Models of tests/interop/make_variants.py, in the form that GGUF can say. */
static void made(void **state) {
    (void)state;
    oracle("gemma3-6", NULL, "golden.json");
    oracle("qwen3_moe-sparse", NULL, "golden.json");
}
/* Families with one spelling of their configuration. */
static void one_spelling(void **state) {
    (void)state;
    static const char *const dirs[] = {"ministral3", "mistral4", "opt"};
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) oracle(dirs[i], NULL, "golden.json");
}
static void variants(void **state) {
    (void)state;
    static const char *const v[][2] = {{"gpt_oss", "swiglu-limit2"}, {"phimoe", "default-rope-jitter0.01"},
                                       {"llama4", "released-constants"},
                                       {"llama", "rms-eps-0.05"}, {"llama", "rope-dynamic4-max64"},
                                       {"llama", "rope-linear4"},
        {"llama", "rope-yarn4"}, {"llama", "rope-yarn4-mscale"}, {"mistral", "no-window"},
        {"qwen2", "sliding16-from-layer1"}, {"qwen3", "rms-eps-0.05"}, {"gemma2", "no-softcap"},
        {"gemma3", "rms-eps-0.05"}, {"mixtral", "window16"}, {"qwen3_moe", "norm-topk-false"},
        {"gemma2", "query-head-dim"}, {"phi3", "no-window"}, {"phi3", "no-window-plain"},
        {"smollm3", "nope-layer1-sliding17"}, {"smollm3", "window8-no-layer-types"},
        {"glm4_moe", "no-qk-norm"}, {"olmo2", "rms-eps-0.05"}, {"qwen3_5", "rms-eps-0.02"},
        {"deepseek_v3", "half-split-rope-norm-topk-false"}, {"deepseek_v3", "mscale-differs"}};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        char c[96], g[96];
        (void)snprintf(c, sizeof c, "variants/%s.config.json", v[i][1]);
        (void)snprintf(g, sizeof g, "variants/%s.golden.json", v[i][1]);
        oracle(v[i][0], c, g);
    }
}

/* One pass, pieces through the cache, and three sequences in one batch give the same bits; so do 1 and 2 threads. */
static void batching_changes_nothing(void **state) {
    (void)state;
    static const char *const dirs[] = {"mistral", "qwen3", "gemma2", "gemma3", "mixtral", "qwen3_moe"};
    for (size_t d = 0; d < sizeof dirs / sizeof dirs[0]; d++) {
        rig one = {0}, two = {0};
        rig_open(&one, dirs[d], NULL, "golden.json", 1);
        rig_open(&two, dirs[d], NULL, "golden.json", 2);
        uint32_t ids[96], all[3 * 60], seq[3 * 60];
        size_t n = read_ids(json_object_get(json_array_get(json_object_get(one.golden, "sequences"), 0), "input_ids"),
                            ids, 96),
               v = 256;
        n = n > 60 ? 60 : n;
        float *a = qz_alloc_array(n * v, 4), *b = qz_alloc_array(n * v, 4), *c = qz_alloc_array(3 * n * v, 4);
        qz_error err = {0};
        qz_kv *ka, *kb;
        must(qz_kv_open(one.e, 1, 96, &ka, &err), &err);
        must(qz_kv_open(two.e, 3, 96, &kb, &err), &err);
        must(qz_engine_forward(one.e, ka, &(qz_batch){.ids = ids, .n = n}, a, &err), &err);
        for (size_t t = 0; t < n;) { /* pieces 1, 2, 3, … in sequence 2 */
            size_t k = t % 7 + 1 < n - t ? t % 7 + 1 : n - t;
            uint32_t s[8] = {2, 2, 2, 2, 2, 2, 2, 2};
            must(qz_engine_forward(two.e, kb, &(qz_batch){.ids = ids + t, .seq = s, .n = k}, b + t * v, &err), &err);
            t += k;
        }
        assert_memory_equal(a, b, n * v * 4);
        qz_kv_reset(kb, 2);
        for (size_t t = 0; t < n; t++)
            for (size_t s = 0; s < 3; s++) {
                all[s * n + t] = s == 1 ? ids[t] : ids[n - 1 - t];
                seq[s * n + t] = (uint32_t)s;
            }
        must(qz_engine_forward(two.e, kb, &(qz_batch){.ids = all, .seq = seq, .n = 3 * n}, c, &err), &err);
        assert_memory_equal(a, c + n * v, n * v * 4);
        assert_memory_equal(c, c + 2 * n * v, n * v * 4);
        qz_free(a);
        qz_free(b);
        qz_free(c);
        qz_kv_free(ka);
        qz_kv_free(kb);
        rig_close(&one);
        rig_close(&two);
    }
}
static void bad_input(void **state) {
    (void)state;
    rig r = {0};
    rig_open(&r, "qwen3", NULL, "golden.json", 1);
    qz_error err = {0};
    qz_kv *kv;
    must(qz_kv_open(r.e, 1, 8, &kv, &err), &err);
    uint32_t ids[9] = {0, 1, 2, 3, 4, 5, 6, 7, 300};
    float logits[9 * 256];
    assert_int_equal(qz_engine_forward(r.e, kv, &(qz_batch){.ids = ids + 8, .n = 1}, logits, &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "out of range"));
    err = (qz_error){0};
    assert_int_equal(qz_kv_length(kv, 0), 0);
    ids[8] = 1;
    assert_int_equal(qz_engine_forward(r.e, kv, &(qz_batch){.ids = ids, .n = 9}, logits, &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "context is full"));
    qz_kv_free(kv);
    rig_close(&r);
}
/* Runtime arithmetic keeps the cache in half the bytes, near the exact one, and refuses what float16 cannot hold. */
static void cache_types(void **state) {
    (void)state;
    static const char *const dirs[] = {"llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3"};
    enum { N = 48, V = 256 };
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        rig r = {0};
        qz_error err = {0};
        qz_engine *fast;
        qz_kv *ka, *kb;
        static float a[N * V], b[N * V];
        uint32_t ids[N];
        rig_open(&r, dirs[i], NULL, "golden.json", 2);
        for (uint32_t t = 0; t < N; t++) ids[t] = (t * 37 + t * t) % V;
        must(qz_engine_open(&r.run, r.m, &(qz_engine_options){.arith = QZ_ARITH_RUNTIME}, &fast, &err), &err);
        must(qz_kv_open(r.e, 1, N, &ka, &err), &err);
        must(qz_kv_open(fast, 1, N, &kb, &err), &err);
        const qz_config *c = &r.m->config;
        assert_int_equal(qz_kv_bytes(ka), 8 * c->layers * c->kv_heads * c->head_dim * N);
        assert_int_equal(2 * qz_kv_bytes(kb), qz_kv_bytes(ka));
        must(qz_engine_forward(r.e, ka, &(qz_batch){.ids = ids, .n = N}, a, &err), &err);
        must(qz_engine_forward(fast, kb, &(qz_batch){.ids = ids, .n = N - 8}, b, &err), &err);
        for (size_t t = N - 8; t < N; t++)
            must(qz_engine_forward(fast, kb, &(qz_batch){.ids = ids + t, .n = 1}, b + t * V, &err), &err);
        double diff = 0, peak = 0;
        for (size_t k = 0; k < N * V; k++)
            diff = fmax(diff, fabs((double)a[k] - (double)b[k])), peak = fmax(peak, fabs((double)a[k]));
        if (!(diff > 0 && diff <= 4e-3 * peak))
            fail_msg("%s: a float16 cache moves logits by %g of %g", dirs[i], diff, peak);
        qz_kv_free(ka);
        qz_kv_free(kb);
        qz_engine_free(fast);
        rig_close(&r);
    }
}
/* A layer with a state keeps no keys, its bytes are counted; a call that fails before its layers changes nothing, one
 * that fails between them leaves its sequence empty, and what follows is as from a fresh cache. */
static void states(void **state) {
    (void)state;
    enum { N = 12, V = 256 };
    rig r = {0};
    qz_error err = {0};
    qz_kv *kv, *fresh;
    static float a[N * V], b[N * V];
    uint32_t ids[N];
    rig_open(&r, "qwen3_5", NULL, "golden.json", 2);
    for (uint32_t t = 0; t < N; t++) ids[t] = (t * 29 + 3) % V;
    must(qz_kv_open(r.e, 2, N, &kv, &err), &err);
    must(qz_kv_open(r.e, 1, N, &fresh, &err), &err);
    /* keys and values of layer 1, state and three inputs of the convolution of layer 0 */
    assert_int_equal(qz_kv_bytes(fresh), 4 * (2 * 2 * 32 * N + 4 * 16 * 24 + 3 * (2 * 2 * 16 + 4 * 24)));
    must(qz_engine_forward(r.e, fresh, &(qz_batch){.ids = ids, .n = N}, a, &err), &err);
    const uint32_t bad = V + 1;
    must(qz_engine_forward(r.e, kv, &(qz_batch){.ids = ids, .n = 5}, b, &err), &err);
    assert_int_equal(qz_engine_forward(r.e, kv, &(qz_batch){.ids = &bad, .n = 1}, b, &err), QZ_EUSAGE);
    assert_int_equal(qz_kv_length(kv, 0), 5);
    err = (qz_error){0};
    must(qz_engine_forward(r.e, kv, &(qz_batch){.ids = ids + 5, .n = N - 5}, b, &err), &err);
    assert_memory_equal(a + 5 * V, b, (N - 5) * V * sizeof *a);
    /* a weight of layer 1 that is none: layer 0 has gone on */
    const qz_tensor_view *t = r.m->blocks[1].linear[QZ_MLP_DOWN];
    float *wild = qz_calloc_array(t->rows * t->cols, sizeof *wild);
    for (size_t i = 0; i < t->rows * t->cols; i++) wild[i] = 1e38f;
    qz_layer_weights *w = (qz_layer_weights *)(uintptr_t)qz_engine_layer(r.e, 1);
    const qz_weights own = w->lin[QZ_MLP_DOWN];
    w->lin[QZ_MLP_DOWN] = (qz_weights){.type = QZ_TYPE_F32, .rows = t->rows, .cols = t->cols, .data = wild};
    qz_kv_reset(kv, 0);
    assert_int_equal(qz_engine_forward(r.e, kv, &(qz_batch){.ids = ids, .n = 4}, b, &err), QZ_ENUMERIC);
    assert_int_equal(qz_kv_length(kv, 0), 0);
    w->lin[QZ_MLP_DOWN] = own;
    err = (qz_error){0};
    must(qz_engine_forward(r.e, kv, &(qz_batch){.ids = ids, .n = N}, b, &err), &err);
    assert_memory_equal(a, b, N * V * sizeof *a);
    qz_free(wild);
    qz_kv_free(kv);
    qz_kv_free(fresh);
    rig_close(&r);
}
static void beyond_float16(void **state) {
    (void)state;
    rig r = {0};
    qz_error err = {0};
    rig_open(&r, "qwen2", NULL, "golden.json", 1);
    static float huge[4096], logits[4 * 256];
    const qz_tensor_view *bias = r.m->blocks[1].bias[QZ_ATTN_K];
    qz_tensor_view mine = *bias;
    assert_true(mine.cols <= 4096);
    for (size_t i = 0; i < mine.cols; i++) huge[i] = 1e5f;
    mine.type = QZ_TYPE_F32, mine.data = huge, r.m->blocks[1].bias[QZ_ATTN_K] = &mine;
    const uint32_t ids[4] = {5, 6, 7, 8};
    for (int fast = 0; fast < 2; fast++) {
        qz_engine *e;
        qz_kv *kv;
        must(qz_engine_open(&r.run, r.m, &(qz_engine_options){.arith = fast ? QZ_ARITH_RUNTIME : QZ_ARITH_EXACT}, &e,
                                                              &err), &err);
        must(qz_kv_open(e, 1, 8, &kv, &err), &err);
        assert_int_equal(qz_engine_forward(e, kv, &(qz_batch){.ids = ids, .n = 4}, logits, &err),
                                                              fast ? QZ_ENUMERIC : QZ_OK);
        if (fast && (strstr(err.text, "a key is beyond float16") == NULL || strstr(err.text, "layer 1:") == NULL))
            fail_msg("%s", err.text);
        assert_int_equal(qz_kv_length(kv, 0), fast ? 0 : 4);
        qz_kv_free(kv);
        qz_engine_free(e);
    }
    r.m->blocks[1].bias[QZ_ATTN_K] = bias;
    rig_close(&r);
}
/* ---- inputs as servers round them ---- */
static const qz_input_rounding fp8_token = {.element = QZ_ELEMENT_E4M3, .bits = 8, .by = QZ_INPUT_TOKEN,
                                            .stored = QZ_SCALE_F32, .sym = true},
                               nvfp4 = {.element = QZ_ELEMENT_E2M1, .bits = 4, .by = QZ_INPUT_GROUP, .group_size = 16,
                                        .stored = QZ_SCALE_E4M3, .fixed = true, .scale = 300, .sym = true},
                               mxfp4 = {.element = QZ_ELEMENT_E2M1, .bits = 4, .by = QZ_INPUT_GROUP, .group_size = 32,
                                        .stored = QZ_SCALE_E8M0, .sym = true};

static void set_inputs(const qz_tensor_view *t, const qz_input_rounding *how) {
    ((qz_tensor_view *)(uintptr_t)t)->inputs = how;
}
static qz_engine *runtime_engine(rig *r) {
    qz_error err = {0};
    qz_engine *e;
    must(qz_engine_open(&r->run, r->m, &(qz_engine_options){.arith = QZ_ARITH_RUNTIME}, &e, &err), &err);
    return e;
}
/* y = x of the given rounding times the float weights, by the codec and the exact product. */
static void by_hand(rig *r, const qz_tensor_view *t, const float *x, size_t n, float *y) {
    qz_error err = {0};
    float *in = qz_alloc_array(n * t->cols, sizeof *in);
    memcpy(in, x, n * t->cols * sizeof *in);
    if (t->inputs) qz_input_round(NULL, t->inputs, x, n, t->cols, in);
    const qz_weights w = {.type = t->type, .rows = t->rows, .cols = t->cols, .data = t->data};
    must(qz_mm_exact(qz_engine_mm(r->e), &w, in, n, y, &err), &err);
    qz_free(in);
}

/* A feed-forward in runtime arithmetic is the product of rounded inputs, each linear by its own rule; exact arithmetic
 * and linears without a rule are as before. Truth: the codec (input_rounding_test) and the exact products. */
static void rounded_inputs(void **state) {
    (void)state;
    enum { N = 9 };
    rig r = {0};
    qz_error err = {0};
    rig_open(&r, "qwen2", NULL, "golden.json", 2);
    const size_t d = r.m->config.hidden_size;
    const qz_tensor_view *const *lin = r.m->blocks[0].linear;
    const qz_tensor_view *gate = lin[QZ_MLP_GATE], *up = lin[QZ_MLP_UP], *down = lin[QZ_MLP_DOWN];
    const size_t f = gate->rows;
    float *h = qz_alloc_array(N * d, sizeof *h), *g = qz_alloc_array(2 * N * f, sizeof *g), *u = g + N * f,
          *want = qz_alloc_array(4 * N * d, sizeof *want), *plain = want + N * d, *found = plain + N * d,
          *exact = found + N * d;
    for (size_t i = 0; i < N * d; i++) h[i] = (float)sin(0.37 * (double)i) * (i % 31 ? 0.4F : 3);
    must(qz_engine_ffn(r.e, 0, NULL, h, N, plain, &err), &err);
    set_inputs(gate, &nvfp4), set_inputs(up, &fp8_token), set_inputs(down, &mxfp4);
    by_hand(&r, gate, h, N, g);
    by_hand(&r, up, h, N, u);
    for (size_t i = 0; i < N * f; i++) g[i] = g[i] / (1 + expf(-g[i])) * u[i];
    by_hand(&r, down, g, N, want);
    qz_engine *e = runtime_engine(&r);
    assert_string_equal(qz_engine_inputs(e), "nvfp4 g16 and others");
    assert_non_null(strstr(qz_engine_kernel(e), ", nvfp4 g16 and others inputs"));
    must(qz_engine_ffn(e, 0, NULL, h, N, found, &err), &err);
    qz_engine_free(e);
    must(qz_engine_open(&r.run, r.m, NULL, &e, &err), &err);
    assert_string_equal(qz_engine_inputs(e), "");
    must(qz_engine_ffn(e, 0, NULL, h, N, exact, &err), &err);
    double far = 0, peak = 0, moved = 0;
    for (size_t i = 0; i < N * d; i++) {
        far = fmax(far, fabs((double)found[i] - (double)want[i]));
        moved = fmax(moved, fabs((double)found[i] - (double)plain[i]));
        peak = fmax(peak, fabs((double)plain[i]));
    }
    assert_memory_equal(exact, plain, N * d * sizeof *exact);
    /* a value on the edge of two codes may fall otherwise in the last bits of silu: one step of one of them */
    if (!(far < 2e-2 * peak) || !(moved > 5e-2 * peak)) fail_msg("%g of %g, without %g", far, peak, moved);
    qz_engine_free(e);
    set_inputs(gate, NULL), set_inputs(up, NULL), set_inputs(down, NULL);
    qz_free(h), qz_free(g), qz_free(want);
    rig_close(&r);
}

/* Every linear and the head, experts too: the same bits on 1 and 2 threads and in pieces of a batch, other than without
 * and near them. */
static void rounded_models(void **state) {
    (void)state;
    static const char *const dirs[] = {"llama", "qwen3_moe", "gemma2"};
    enum { N = 24 };
    for (size_t i = 0; i < 3; i++) {
        float *y[3] = {0};
        size_t v = 0;
        for (size_t k = 0; k < 3; k++) { /* two threads, one, without */
            rig r = {0};
            qz_error err = {0};
            qz_kv *kv;
            uint32_t ids[N];
            rig_open(&r, dirs[i], NULL, "golden.json", k == 0 ? 2 : 1);
            v = r.m->config.vocab_size;
            for (size_t t = 0; t < r.m->n_tensors; t++)
                if (r.m->tensors[t].n_dims == 2 && k < 2) r.m->tensors[t].inputs = &fp8_token;
            for (size_t t = 0; t < N; t++) ids[t] = (uint32_t)((t * t + 5 * t) % v);
            qz_engine *e = runtime_engine(&r);
            assert_string_equal(qz_engine_inputs(e), k < 2 ? "fp8 token" : "");
            y[k] = qz_alloc_array(N * v, sizeof *y[k]);
            must(qz_kv_open(e, 1, N, &kv, &err), &err);
            must(qz_engine_forward(e, kv, &(qz_batch){.ids = ids, .n = N}, y[k], &err), &err);
            qz_kv_free(kv);
            qz_engine_free(e);
            rig_close(&r);
        }
        double moved = 0, peak = 0;
        for (size_t k = 0; k < N * v; k++) {
            moved = fmax(moved, fabs((double)y[0][k] - (double)y[2][k]));
            peak = fmax(peak, fabs((double)y[2][k]));
        }
        assert_memory_equal(y[0], y[1], N * v * sizeof **y);
        if (!(moved > 1e-4 * peak) || !(moved < 0.3 * peak)) fail_msg("%s: %g of %g", dirs[i], moved, peak);
        for (size_t k = 0; k < 3; k++) qz_free(y[k]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(families), cmocka_unit_test(variants), cmocka_unit_test(made),
                                       cmocka_unit_test(one_spelling),
                                       cmocka_unit_test(batching_changes_nothing),
                                       cmocka_unit_test(bad_input),
                                       cmocka_unit_test(cache_types), cmocka_unit_test(states),
                                       cmocka_unit_test(beyond_float16),
                                       cmocka_unit_test(rounded_inputs), cmocka_unit_test(rounded_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
