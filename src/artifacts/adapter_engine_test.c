/* Adapters beside linears. Truth: log-probabilities of base and adapter, unmerged, by PEFT 0.21.2 and transformers in
 * float32 (tests/golden/lora, tests/interop/make_lora.py); the same model from a float32 GGUF file, whose rows of
 * query, key and value heads stand in another order; one text against itself in pieces, beside others, on threads. */
#include "artifacts/adapter_bind.h"
#include "artifacts/adapter_gguf.h"
#include "artifacts/testing.h"
#include "base/json.h"
#include "base/rng.h"
#include "engine/engine.h"
#include "engine/sampler.h"
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { CAP = 96, MOST = 64 };
static char out[] = "/tmp/qz_adet_XXXXXX", low[] = "/tmp/qz_adet_XXXXXX.gguf";

typedef struct { qz_run run; qz_source s; qz_adapter a; qz_lora *lora; qz_engine *e; } rig;

static void open_with(rig *r, const char *path, qz_adapter *a, size_t threads) {
    OK(qz_run_init(&r->run, threads, err));
    OK(qz_source_open(&r->run, path, &r->s, err));
    qz_bind_to to = {&r->s, NULL, 0};
    OK(qz_adapter_settle(&r->run, a, &r->s.model->config, err));
    OK(qz_adapter_bind(a, 1, &to, &r->lora, err));
    OK(qz_engine_open(&r->run, r->s.model, &(qz_engine_options){.lora = r->lora}, &r->e, err));
}
static void open_rig(rig *r, const char *path, const char *adapter, size_t threads) {
    char name[96];
    *r = (rig){0};
    (void)snprintf(name, sizeof name, "%s%s", *adapter == '/' ? "" : "tests/golden/lora/", adapter);
    OK(qz_adapter_open(name, &r->a, err));
    open_with(r, path, &r->a, threads);
}
static void close_rig(rig *r) {
    qz_engine_free(r->e);
    qz_lora_free(r->lora);
    qz_source_release(&r->s);
    qz_adapter_release(&r->a);
    qz_run_release(&r->run);
}

static double logprob(const float *logits, size_t v, size_t id) {
    double max = (double)logits[qz_argmax(logits, v)], sum = 0;
    for (size_t i = 0; i < v; i++) sum += exp((double)logits[i] - max);
    return (double)logits[id] - max - log(sum);
}

/* file: the adapter, of the set's folder or with a path of its own. */
static void as_peft_from(const char *path, const char *adapter, const char *file) {
    rig r;
    char name[96];
    json_t *golden = NULL, *seq;
    size_t which;
    double worst = 0;
    (void)snprintf(name, sizeof name, "%s%s%s", *file == '/' ? "" : adapter, *file && *file != '/' ? "/" : "", file);
    open_rig(&r, path, name, 2);
    (void)snprintf(name, sizeof name, "tests/golden/lora/%s/golden.json", adapter);
    OK(qz_json_load(name, 1 << 20, &golden, err));
    const size_t v = (size_t)r.s.model->config.vocab_size;
    float *y = qz_alloc_array(CAP * v, sizeof *y);
    json_array_foreach(json_object_get(golden, "sequences"), which, seq) {
        const json_t *ids = json_object_get(seq, "input_ids"), *lp = json_object_get(seq, "logprob_next");
        uint32_t id[CAP];
        const size_t n = json_array_size(ids);
        qz_kv *kv;
        assert_in_range(n, 2, CAP);
        for (size_t i = 0; i < n; i++) id[i] = (uint32_t)json_integer_value(json_array_get(ids, i));
        OK(qz_kv_open(r.e, 1, CAP, &kv, err));
        OK(qz_engine_forward(r.e, kv, &(qz_batch){.ids = id, .n = n}, y, err));
        for (size_t t = 0; t + 1 < n; t++)
            worst = fmax(worst, fabs(logprob(y + t * v, v, id[t + 1]) - json_number_value(json_array_get(lp, t))));
        qz_kv_free(kv);
    }
    if (!(worst <= 2e-3)) fail_msg("%s on %s: log-probabilities differ by %g", adapter, path, worst);
    print_message("%s on %s: %.2g\n", adapter, path, worst);
    json_decref(golden);
    qz_free(y);
    close_rig(&r);
}

static void as_peft(const char *path, const char *adapter) { as_peft_from(path, adapter, ""); }

/* The adapter of the folder as this program writes it. */
static void write_gguf(const qz_adapter *a, const char *base, const char *path, qz_type type) {
    qz_config c;
    qz_run run;
    char config[160];
    (void)snprintf(config, sizeof config, "%s/config.json", base);
    OK(qz_run_init(&run, 1, err));
    OK(qz_config_load(config, &c, err));
    qz_adapter_gguf g = {.adapter = a, .base = &c, .type = type, .name = "made"};
    OK(qz_adapter_gguf_plan(&run, &g, err));
    OK(qz_adapter_gguf_write(&g, path, err));
    qz_adapter_gguf_release(&g);
    qz_run_release(&run);
}

/* The converter's own files, and those with scales that it does not write; beside folders and GGUF files. */
static void from_gguf(void **state) {
    (void)state;
    static const char *const sets[] = {"llama-plain", "llama-rslora"};
    as_peft_from("tests/golden/zoo/llama", "llama-embed", "adapter.f32.gguf");
    as_peft_from("tests/golden/zoo/qwen3_moe-sparse", "qwen3_moe-experts", "adapter.f32.gguf");
    for (size_t i = 0; i < 2; i++) {
        qz_adapter a;
        char name[96];
        (void)snprintf(name, sizeof name, "tests/golden/lora/%s", sets[i]);
        OK(qz_adapter_open(name, &a, err));
        write_gguf(&a, "tests/golden/zoo/llama", low, QZ_TYPE_F32);
        qz_adapter_release(&a);
        as_peft_from("tests/golden/zoo/llama", sets[i], low);
    }
    convert("tests/golden/zoo/llama", "gguf:F32", out);
    as_peft_from(out, "llama-rslora", low);
    as_peft_from(out, "llama-embed", "adapter.f32.gguf");
    convert("tests/golden/zoo/qwen3_moe-sparse", "gguf:F32", out);
    as_peft_from(out, "qwen3_moe-experts", "adapter.f32.gguf");
}

static void oracle(void **state) {
    (void)state;
    as_peft("tests/golden/zoo/llama", "llama-plain");
    as_peft("tests/golden/zoo/llama", "llama-rslora");
    as_peft("tests/golden/zoo/llama", "llama-embed");
    as_peft("tests/golden/zoo/qwen3", "qwen3-head");
    as_peft("tests/golden/zoo/qwen3_moe-sparse", "qwen3_moe-experts");
    convert("tests/golden/zoo/llama", "gguf:F32", out);
    as_peft(out, "llama-plain");
    as_peft(out, "llama-embed");
    convert("tests/golden/zoo/qwen3_moe-sparse", "gguf:F32", out);
    as_peft(out, "qwen3_moe-experts");
}

/* ---- files that lie ---- */
/* The file with the first `from` as `to` of the same length. NULL: *text of its errors. */
static void lie(const char *from, const char *to, size_t n, const char *says) {
    qz_adapter a;
    qz_config c;
    char *bytes;
    size_t all, at = 0;
    OK(qz_config_load("tests/golden/zoo/llama/config.json", &c, err));
    OK(qz_read_file("tests/golden/lora/llama-embed/adapter.f32.gguf", 1 << 22, &bytes, &all, err));
    while (at + n < all && memcmp(bytes + at, from, n) != 0) at++;
    assert_true(at + n < all);
    memcpy(bytes + at, to, n);
    OK(qz_write_file(low, bytes, all, err));
    qz_error e = {0};
    qz_status st = qz_adapter_open(low, &a, &e);
    if (st == QZ_OK) {
        st = qz_adapter_settle(NULL, &a, &c, &e);
        qz_adapter_release(&a);
    }
    if (st == QZ_OK || !strstr(e.text, says)) fail_msg("'%s': %s", says, st == QZ_OK ? "is read" : e.text);
    qz_free(bytes);
}

static void hostile(void **state) {
    (void)state;
    static const char nan[] = "\6\0\0\0\0\0\xc0\x7f";
    char *bytes;
    size_t n;
    qz_config c;
    lie("general.type", "general.tipe", 12, "general.type");
    lie("adapter.lora.alpha", "adapter.alora.alph", 18, "not computed here");
    lie("llama", "lla_a", 5, "expected llama");
    lie("lora_a", "lora_c", 6, "no LoRA");
    lie(".weight.lora_b", ".weighx.lora_b", 14, "half of an adapter");
    lie("token_embd.weight.lora_a", "token_embx.weight.lora_a", 24, "half of an adapter");
    lie("\6\0\0\0\0\0\x80\x40", nan, 8, "adapter.lora.alpha"); /* 4 */
    OK(qz_read_file("tests/golden/lora/llama-embed/adapter.f32.gguf", 1 << 22, &bytes, &n, err));
    OK(qz_config_load("tests/golden/zoo/llama/config.json", &c, err));
    for (size_t i = 0; i < 1200; i++) { /* each byte of the header another: an error or an adapter, never more */
        const char was = bytes[i];
        qz_adapter a;
        bytes[i] = (char)(was ^ (i % 3 ? 0x01 : 0xff));
        OK(qz_write_file(low, bytes, n, err));
        qz_error e = {0};
        if (qz_adapter_open(low, &a, &e) == QZ_OK) {
            (void)qz_adapter_settle(NULL, &a, &c, &e);
            qz_adapter_release(&a);
        }
        bytes[i] = was;
    }
    qz_free(bytes);
}

/* ---- nothing but the text ---- */
static void independent(const char *path, const char *adapter) {
    rig r;
    uint32_t ids[2 * MOST], seq[2 * MOST];
    qz_kv *kv;
    open_rig(&r, path, adapter, 1);
    const size_t v = (size_t)r.s.model->config.vocab_size;
    float *want = qz_alloc_array(MOST * v, sizeof *want), *y = qz_alloc_array(2 * MOST * v, sizeof *y);
    for (size_t i = 0; i < MOST; i++) ids[i] = (uint32_t)((i * i + 37 * i + 11) % v);
    OK(qz_kv_open(r.e, 1, MOST, &kv, err));
    OK(qz_engine_forward(r.e, kv, &(qz_batch){.ids = ids, .n = MOST}, want, err));
    qz_kv_reset(kv, 0);
    for (size_t i = 0; i < MOST; i++)
        OK(qz_engine_forward(r.e, kv, &(qz_batch){.ids = ids + i, .n = 1}, y + i * v, err));
    assert_memory_equal(y, want, MOST * v * sizeof *y);
    qz_kv_free(kv);
    close_rig(&r);
    open_rig(&r, path, adapter, 2);
    for (size_t i = MOST; i-- > 0;) { /* in turns with another text */
        ids[2 * i] = ids[i], seq[2 * i] = 0;
        ids[2 * i + 1] = (uint32_t)((3 * i + 5) % v), seq[2 * i + 1] = 1;
    }
    OK(qz_kv_open(r.e, 2, MOST, &kv, err));
    OK(qz_engine_forward(r.e, kv, &(qz_batch){.ids = ids, .seq = seq, .n = 2 * MOST}, y, err));
    for (size_t i = 0; i < MOST; i++) assert_memory_equal(y + 2 * i * v, want + i * v, v * sizeof *y);
    qz_kv_free(kv);
    close_rig(&r);
    qz_free(want);
    qz_free(y);
}

static void alone(void **state) {
    (void)state;
    independent("tests/golden/zoo/llama", "llama-plain");
    independent("tests/golden/zoo/llama", "llama-embed");
    independent("tests/golden/zoo/qwen3_moe-sparse", "qwen3_moe-experts");
}

/* ---- other orders ---- */
typedef struct { qz_adapter a; qz_st_tensor t[2 * MOST]; qz_adapter_part p[MOST]; float *values; } made;

/* Random factors of rank 3 for every plain linear of the model. */
static void make_adapter(const char *path, made *x) {
    qz_model *m;
    qz_rng g;
    enum { RANK = 3 };
    *x = (made){.a = {.path = "made up", .parts = x->p, .rank = RANK, .alpha = RANK, .weight = 1}};
    qz_rng_seed(&g, 5);
    OK(qz_artifact_open(NULL, path, &m, err));
    size_t room = 0, at = 0;
    for (size_t pass = 0; pass < 2; pass++) {
        if (pass) x->values = qz_alloc_array(room, sizeof *x->values);
        for (size_t l = 0; l < m->config.layers; l++)
            for (size_t i = 0; i < m->blocks[l].n_sites; i++) {
                const qz_bound *b = &m->blocks[l].sites[i];
                const size_t rows = (size_t)b->site.rows, cols = (size_t)b->site.cols, n = x->a.n;
                if (b->site.kind != QZ_SITE_LINEAR || b->site.inside) continue;
                room += RANK * (rows + cols);
                if (pass == 0) continue;
                assert_true(n < MOST);
                for (size_t k = 0; k < 2; k++) {
                    const size_t all = RANK * (k ? rows : cols);
                    for (size_t c = 0; c < all; c++) x->values[at + c] = (float)(0.1 * (qz_rng_unit(&g) - 0.5));
                    x->t[2 * n + k] = (qz_st_tensor){.name = "made", .dtype = qz_st_dtype_by_name("F32"), .n_dims = 2,
                                                     .dims = {k ? rows : RANK, k ? RANK : cols}, .elems = all,
                                                     .data = (const uint8_t *)(x->values + at)};
                    at += all;
                }
                x->p[n] = (qz_adapter_part){.target = qz_strdup(b->weight[0]->name), .a = &x->t[2 * n],
                                            .b = &x->t[2 * n + 1], .scale = 1};
                x->a.n++;
            }
    }
    qz_model_free(m);
}

static float *logits_of(const char *path, qz_adapter *a, size_t *v) {
    rig r = {0};
    uint32_t ids[MOST];
    qz_kv *kv;
    open_with(&r, path, a, 1);
    *v = (size_t)r.s.model->config.vocab_size;
    for (size_t i = 0; i < MOST; i++) ids[i] = (uint32_t)((i * i + 37 * i + 11) % *v);
    float *y = qz_alloc_array(MOST * *v, sizeof *y);
    OK(qz_kv_open(r.e, 1, MOST, &kv, err));
    OK(qz_engine_forward(r.e, kv, &(qz_batch){.ids = ids, .n = MOST}, y, err));
    qz_kv_free(kv);
    close_rig(&r);
    return y;
}

static void same_in_gguf(const char *path) {
    made x;
    size_t v;
    double worst = 0, moved = 0;
    make_adapter(path, &x);
    convert(path, "gguf:F32", out);
    qz_adapter none = {.path = "none", .n = 0}, read;
    write_gguf(&x.a, path, low, QZ_TYPE_F32);
    OK(qz_adapter_open(low, &read, err));
    float *folder = logits_of(path, &x.a, &v), *file = logits_of(out, &x.a, &v), *plain = logits_of(path, &none, &v),
          *again = logits_of(path, &read, &v);
    for (size_t i = 0; i < MOST * v; i++) {
        if (again[i] != folder[i]) fail_msg("%s: %g from the adapter's GGUF file", path, (double)again[i]);
        worst = fmax(worst, fabs((double)folder[i] - (double)file[i]));
        moved = fmax(moved, fabs((double)folder[i] - (double)plain[i]));
    }
    if (!(worst < 1e-3 * moved)) fail_msg("%s: %g of %g", path, worst, moved);
    for (size_t i = 0; i < x.a.n; i++) qz_free((void *)(uintptr_t)x.p[i].target);
    qz_free(x.values);
    qz_free(folder);
    qz_free(file);
    qz_free(plain);
    qz_free(again);
    qz_adapter_release(&read);
}

static void orders(void **state) {
    (void)state;
    same_in_gguf("tests/golden/zoo/llama");     /* pairs of query and key */
    same_in_gguf("tests/golden/zoo/qwen3_5");   /* value heads in turns: rows and columns */
    same_in_gguf("tests/golden/zoo/cohere2");   /* pairs in the checkpoint too */
    same_in_gguf("tests/golden/zoo/deepseek_v3"); /* latent attention, a shared expert */
}

static int make_name(void **state) {
    (void)state;
    const int fd = mkstemp(out), other = mkstemps(low, 5);
    return fd < 0 || other < 0 ? -1 : close(fd) | close(other);
}
static int drop(void **state) {
    (void)state;
    (void)remove(low);
    return remove_file_artifact(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(oracle), cmocka_unit_test(from_gguf),
                                       cmocka_unit_test(hostile),
                                       cmocka_unit_test(alone), cmocka_unit_test(orders)};
    return cmocka_run_group_tests(tests, make_name, drop);
}
