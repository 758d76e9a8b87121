/* What one text gives depends on nothing but the text: not on what stood before it, beside it, on the pieces that a
 * long call is cut into, nor on threads. Every family and rope kind of the zoo; bits are compared with each text alone
 * in a fresh engine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/rng.h"
#include "base/size.h"
#include "engine/engine.h"

enum { TEXTS = 4, CAP = 160, VOCAB = 256 };
typedef struct { uint32_t ids[CAP]; size_t n; float *want; } text;
typedef struct { qz_run run; qz_model *m; qz_engine *e; } rig;
static qz_error err;

static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}
static void rig_open(rig *r, const char *dir, const char *config, size_t threads, size_t batch_tokens) {
    char path[256];
    *r = (rig){0};
    must(qz_run_init(&r->run, threads, &err));
    (void)snprintf(path, sizeof path, "tests/golden/zoo/%s", dir);
    must(qz_model_open(&r->run, path, &r->m, &err));
    (void)snprintf(path, sizeof path, "tests/golden/zoo/%s/%s", dir, config);
    must(qz_config_load(path, &r->m->config, &err));
    assert_int_equal(r->m->config.vocab_size, VOCAB);
    must(qz_engine_open(&r->run, r->m, &(qz_engine_options){.batch_tokens = batch_tokens}, &r->e, &err));
}
static void rig_close(rig *r) {
    qz_engine_free(r->e);
    qz_model_free(r->m);
    qz_run_release(&r->run);
}

/* Lengths on both sides of every window and original length of the zoo (16, 32, 64), and one text twice. */
static void make_texts(text t[TEXTS]) {
    static const size_t lengths[TEXTS] = {9, 97, 65, 97};
    for (size_t i = 0; i < TEXTS; i++) {
        qz_rng rng;
        qz_rng_seed(&rng, lengths[i]);
        t[i].n = lengths[i];
        for (size_t k = 0; k < t[i].n; k++) t[i].ids[k] = (uint32_t)qz_rng_below(&rng, VOCAB);
    }
}

static void same(const text *t, const float *got, const char *how, const char *dir, const char *config) {
    if (memcmp(t->want, got, t->n * VOCAB * sizeof *got))
        fail_msg("%s/%s: a text of %zu tokens gives other logits %s", dir, config, t->n, how);
}

/* One after another in one cache slot, in the order given. */
static void in_a_row(rig *r, const text *t, const size_t *order, const char *how, const char *dir, const char *config) {
    float *logits = qz_alloc_array((size_t)CAP * VOCAB, sizeof *logits);
    qz_kv *kv;
    must(qz_kv_open(r->e, 1, CAP, &kv, &err));
    for (size_t i = 0; i < TEXTS; i++) {
        const text *x = &t[order[i]];
        qz_kv_reset(kv, 0);
        must(qz_engine_forward(r->e, kv, &(qz_batch){.ids = x->ids, .n = x->n}, logits, &err));
        same(x, logits, how, dir, config);
    }
    qz_kv_free(kv);
    qz_free(logits);
}

/* All in one call: whole texts side by side, or token by token in turns. */
static void at_once(rig *r, const text *t, const size_t *order, bool turns, const char *dir, const char *config) {
    static uint32_t ids[TEXTS * CAP], seq[TEXTS * CAP];
    size_t n = 0, at[TEXTS] = {0};
    for (size_t k = 0; k < CAP; k++)
        for (size_t i = 0; i < TEXTS; i++) {
            const text *x = &t[order[i]];
            size_t first = turns ? k : 0, end = turns ? k + 1 : k == 0 ? x->n : 0;
            for (size_t p = first; p < end && p < x->n; p++) ids[n] = x->ids[p], seq[n++] = (uint32_t)i;
        }
    float *logits = qz_alloc_array(n * VOCAB, sizeof *logits), *one = qz_alloc_array((size_t)CAP * VOCAB, sizeof *one);
    qz_kv *kv;
    must(qz_kv_open(r->e, TEXTS, CAP, &kv, &err));
    must(qz_engine_forward(r->e, kv, &(qz_batch){.ids = ids, .seq = seq, .n = n}, logits, &err));
    for (size_t i = 0; i < TEXTS; i++) {
        for (size_t k = 0; k < n; k++)
            if (seq[k] == i) memcpy(one + at[i]++ * VOCAB, logits + k * VOCAB, VOCAB * sizeof *one);
        same(&t[order[i]], one, turns ? "in turns with others" : "beside others", dir, config);
    }
    qz_kv_free(kv);
    qz_free(logits);
    qz_free(one);
}

/* Calibration's way: the cache of one layer is the engine's own and stays from call to call. */
static void block_wise(rig *r, const text *t, const size_t *order, const char *dir, const char *config) {
    const size_t d = (size_t)r->m->config.hidden_size;
    float *x = qz_alloc_array(CAP * d, sizeof *x), *logits = qz_alloc_array((size_t)CAP * VOCAB, sizeof *logits);
    for (size_t i = 0; i < TEXTS; i++) {
        const text *u = &t[order[i]];
        must(qz_engine_embed(r->e, u->ids, u->n, u->n, x, &err));
        for (size_t l = 0; l < r->m->config.layers; l++) must(qz_engine_block(r->e, l, NULL, x, 1, u->n, &err));
        must(qz_engine_logits(r->e, x, u->n, logits, &err));
        same(u, logits, "block by block", dir, config);
    }
    qz_free(x);
    qz_free(logits);
}

static void independent(const char *dir, const char *config) {
    static const size_t orders[][TEXTS] = {{0, 2, 1, 3}, {3, 1, 2, 0}, {1, 0, 3, 2}};
    static const struct { size_t threads, piece; } setups[] = {{1, 512}, {2, 61}, {2, 8}};
    text t[TEXTS];
    rig r;
    make_texts(t);
    for (size_t i = 0; i < TEXTS; i++) {
        rig_open(&r, dir, config, 1, 512);
        qz_kv *kv;
        t[i].want = qz_alloc_array(t[i].n * VOCAB, sizeof *t[i].want);
        must(qz_kv_open(r.e, 1, t[i].n, &kv, &err));
        must(qz_engine_forward(r.e, kv, &(qz_batch){.ids = t[i].ids, .n = t[i].n}, t[i].want, &err));
        qz_kv_free(kv);
        rig_close(&r);
    }
    /* a setup with an order of its own, the first with all */
    for (size_t p = 0; p < sizeof setups / sizeof setups[0]; p++) {
        rig_open(&r, dir, config, setups[p].threads, setups[p].piece);
        for (size_t o = p; o < (p ? p + 1 : sizeof orders / sizeof orders[0]); o++) {
            in_a_row(&r, t, orders[o], o == 0 ? "after shorter ones" : "in another order", dir, config);
            at_once(&r, t, orders[o], o % 2 == 1, dir, config);
            if (p == 0) block_wise(&r, t, orders[o], dir, config);
        }
        rig_close(&r);
    }
    for (size_t i = 0; i < TEXTS; i++) qz_free(t[i].want);
}

static void zoo(void **state) {
    (void)state;
    static const char *const v[][2] = {
        {"gpt_oss", "config.json"}, {"phimoe", "config.json"}, {"llama4", "config.json"},
        {"llama", "config.json"}, {"llama", "variants/rms-eps-0.05.config.json"},
        {"llama", "variants/rope-dynamic4-max64.config.json"}, {"llama", "variants/rope-linear4.config.json"},
        {"llama", "variants/rope-yarn4.config.json"}, {"llama", "variants/rope-yarn4-mscale.config.json"},
        {"llama3-rope", "config.json"}, {"mistral", "config.json"}, {"mistral", "variants/no-window.config.json"},
        {"qwen2", "config.json"}, {"qwen2", "variants/sliding16-from-layer1.config.json"}, {"qwen3", "config.json"},
        {"qwen3", "variants/rms-eps-0.05.config.json"}, {"gemma2", "config.json"},
        {"gemma2", "variants/no-softcap.config.json"}, {"gemma2", "variants/query-head-dim.config.json"},
        {"gemma3", "config.json"}, {"gemma3", "variants/rms-eps-0.05.config.json"}, {"gemma3-6", "config.json"},
        {"phi3", "config.json"}, {"phi3", "variants/no-window.config.json"},
        {"phi3", "variants/no-window-plain.config.json"}, {"mixtral", "config.json"},
        {"mixtral", "variants/window16.config.json"}, {"qwen3_moe", "config.json"},
        {"qwen3_moe", "variants/norm-topk-false.config.json"}, {"qwen3_moe-sparse", "config.json"},
        {"granite", "config.json"}, {"ministral3", "config.json"}, {"olmo2", "config.json"},
        {"olmo3", "config.json"}, {"glm4_moe", "config.json"}, {"qwen3_5", "config.json"},
        {"deepseek_v3", "config.json"}, {"deepseek_v2", "config.json"},
        {"qwen2_moe", "config.json"}, {"mistral4", "config.json"}, {"cohere2", "config.json"},
        {"qwen3_5_moe", "config.json"}, {"qwen3_next", "config.json"}, {"opt", "config.json"},
        {"gemma4", "config.json"}, {"gemma4-moe", "config.json"}};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) independent(v[i][0], v[i][1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(zoo)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
