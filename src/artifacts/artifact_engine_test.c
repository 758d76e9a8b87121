/* The engine cannot tell an artifact from its checkpoint: logits of a float32 GGUF file equal those of the source
 * (whose logits are checked against transformers in engine_test). This is what catches a wrong row permutation,
 * rope table or key. */
#include "artifacts/module_rules.h"
#include "artifacts/testing.h"
#include "base/json.h"
#include "engine/engine.h"
#include "model/leftovers.h"
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#define TOKENS 80
static char out[] = "/tmp/qz_aet_XXXXXX";

/* [TOKENS, vocab], owned by the caller. */
static float *logits_by(const char *path, qz_arith arith, size_t *vocab) {
    qz_model *m;
    qz_engine *e;
    qz_kv *kv;
    qz_run run;
    qz_engine_options o = { .arith = arith };
    uint32_t ids[TOKENS];
    OK(qz_run_init(&run, 1, err));
    OK(qz_artifact_open(&run, path, &m, err));
    OK(qz_engine_open(&run, m, &o, &e, err));
    OK(qz_kv_open(e, 1, TOKENS, &kv, err));
    *vocab = (size_t)m->config.vocab_size;
    for (size_t i = 0; i < TOKENS; i++) ids[i] = (uint32_t)((i * i + 37 * i + 11) % *vocab);
    float *y = qz_alloc_array(TOKENS * *vocab, sizeof *y);
    qz_batch b = { .ids = ids, .n = TOKENS };
    OK(qz_engine_forward(e, kv, &b, y, err));
    qz_kv_free(kv);
    qz_engine_free(e);
    qz_model_free(m);
    qz_run_release(&run);
    return y;
}

static float *logits(const char *path, size_t *vocab) { return logits_by(path, QZ_ARITH_EXACT, vocab); }

/* Nothing may be left unsaid, except widths that are no multiple of 64 in bitsandbytes, and key and value heads of two
 * widths, which llama.cpp does not load. */
static void write_noted(const char *source, const char *floats, const char *scheme, const char *path) {
    size_t notes = convert_to(source, floats, scheme, path);
    assert_true(notes == 0 || strncmp(scheme, "bnb", 3) == 0 || (notes == 1 && strstr(source, "/qwen3_5")));
}

static void same_logits(const char *source) {
    size_t v1, v2;
    write_noted(source, source, "gguf:F32", out);
    float *x = logits(source, &v1), *y = logits(out, &v2);
    double diff = 0, peak = 0;
    assert_int_equal(v1, v2);
    for (size_t i = 0; i < TOKENS * v1; i++) {
        double d = fabs((double)x[i] - (double)y[i]), p = fabs((double)x[i]);
        diff = d > diff ? d : diff;
        peak = p > peak ? p : peak;
    }
    if (!(diff <= 1e-4 * peak)) fail_msg("%s: logits differ by %g of %g", source, diff, peak);
    qz_free(x);
    qz_free(y);
}

/* llama.cpp's converter's own file of the zoo's glm4_moe with a layer that predicts the token after the next
 * (tests/interop/make_mtp.py): that layer is known, not run, and
 * written again as it is. */
static void prediction_head(void **state) {
    (void)state;
    static const char file[] = "tests/golden/mtp/glm4_moe.gguf";
    size_t v1, v2;
    qz_model *m;
    qz_gguf g, was;
    OK(qz_artifact_open(NULL, file, &m, err));
    assert_int_equal(m->config.layers, 2);
    assert_int_equal(qz_leftovers_count(m, QZ_LEFT_PART), 0);
    assert_true(qz_leftovers_count(m, QZ_LEFT_MTP) > 6);
    qz_model_free(m);
    float *x = logits("tests/golden/zoo/glm4_moe", &v1), *y = logits(file, &v2);
    assert_int_equal(v1, v2);
    for (size_t i = 0; i < TOKENS * v1; i++)
        if (fabs((double)x[i] - (double)y[i]) > 1e-4) fail_msg("logit %zu: %g, expected %g", i, (double)y[i],
                                                               (double)x[i]);
    assert_int_equal(convert_to(file, NULL, "gguf:BF16", out), 1); /* a note counts them */
    OK(qz_gguf_open(&g, out, err));
    OK(qz_gguf_open(&was, file, err));
    assert_int_equal(g.n, was.n);
    for (size_t i = 0; i < was.n; i++) {
        const qz_gguf_tensor *a = &was.tensors[i], *b = qz_gguf_find(&g, a->name);
        if (b == NULL || a->bytes != b->bytes || memcmp(a->data, b->data, (size_t)a->bytes) != 0)
            fail_msg("tensor '%s' is not what it was", a->name);
    }
    qz_gguf_release(&g);
    qz_gguf_release(&was);
    qz_free(x);
    qz_free(y);
}

static void zoo(void **state) {
    (void)state;
    same_logits("tests/golden/zoo/llama"); /* rows of q and k permuted, sharded source */
    same_logits("tests/golden/zoo/llama3-rope"); /* rope_freqs, head_dim of its own */
    same_logits("tests/golden/zoo/qwen2"); /* biases, tied */
    same_logits("tests/golden/zoo/qwen3"); /* q and k norms */
    same_logits("tests/golden/zoo/granite"); /* multipliers */
    same_logits("tests/golden/zoo/qwen3_5_moe"); /* experts, value heads of which a key head has three */
    same_logits("tests/golden/zoo/gemma4"); /* borrowed keys, inputs of tokens, heads of two sizes */
    same_logits("tests/golden/zoo/gemma4-moe"); /* keys as values, experts beside the MLP */
    same_logits("tests/golden/zoo/qwen3_next"); /* projections of a delta net in one matrix */
    same_logits("tests/golden/zoo/qwen3_5"); /* value heads in another order, decays as rates, gated attention */
    same_logits("tests/golden/zoo/olmo2"); /* norms behind alone, of all heads */
    same_logits("tests/golden/zoo/olmo3"); /* yarn on full layers alone */
    same_logits("tests/golden/zoo/cohere2"); /* LayerNorm, parallel halves, pairs on sliding layers */
    same_logits("tests/golden/zoo/deepseek_v3"); /* latent attention: kv_b in two stacks, one turned */
    same_logits("tests/golden/zoo/qwen2_moe"); /* weights of the chosen experts as they are */
    same_logits("tests/golden/zoo/ministral3"); /* yarn with mscale, growing queries */
    same_logits("tests/golden/zoo/glm4_moe"); /* sigmoid router, shared expert, a dense layer, partial rotary */
}

/* The weights of a golden model in a fresh folder, under one of its configurations. */
static void folder_of(const char *model, const char *config, char dir[]) {
    char from[96], to[64];
    assert_non_null(mkdtemp(dir));
    snprintf(from, sizeof from, "tests/golden/zoo/%s/model.safetensors", model);
    snprintf(to, sizeof to, "%s/model.safetensors", dir);
    OK(qz_copy_file(from, to, err));
    snprintf(from, sizeof from, "tests/golden/zoo/%s/%s", model, config);
    snprintf(to, sizeof to, "%s/config.json", dir);
    OK(qz_copy_file(from, to, err));
}

/* gpt-oss with yarn's bounds as GGUF has them: sinks, biases and the clamped gate come back. */
static void gpt_oss(void **state) {
    char dir[] = "/tmp/qz_aeo_XXXXXX";
    (void)state;
    folder_of("gpt_oss", "config.json", dir);
    replace_text(dir, "config.json", "\"truncate\": false", "\"truncate\": true");
    same_logits(dir);
    OK(qz_remove_tree(dir, err));
}

/* llama4 with the constants that its loader has: chunks, layers without positions, experts that read scaled inputs. */
static void llama4(void **state) {
    char dir[] = "/tmp/qz_ael_XXXXXX";
    (void)state;
    folder_of("llama4", "variants/released-constants.config.json", dir);
    same_logits(dir);
    OK(qz_remove_tree(dir, err));
}

/* gpt-oss as released: log-probabilities of transformers' own loader, and the same experts as blocks in GGUF. */
static void released_mxfp4(void **state) {
    (void)state;
    static const char source[] = "tests/golden/zoo/gpt_oss-mxfp4";
    qz_run run;
    qz_model *m;
    qz_engine *e;
    qz_kv *kv;
    json_t *golden;
    uint32_t ids[160];
    OK(qz_run_init(&run, 2, err));
    OK(qz_artifact_open(&run, source, &m, err));
    OK(qz_engine_open(&run, m, NULL, &e, err));
    OK(qz_json_load("tests/golden/zoo/gpt_oss-mxfp4/golden.json", 1 << 24, &golden, err));
    const json_t *seqs = json_object_get(golden, "sequences");
    assert_true(json_array_size(seqs) > 0);
    for (size_t s = 0; s < json_array_size(seqs); s++) {
        const json_t *seq = json_array_get(seqs, s), *in = json_object_get(seq, "input_ids"),
                     *want = json_object_get(seq, "logprob_next");
        const size_t n = json_array_size(in), v = (size_t)m->config.vocab_size;
        float *y = qz_alloc_array(n * v, sizeof *y);
        assert_true(n > 1 && n <= 160 && json_array_size(want) == n - 1);
        for (size_t t = 0; t < n; t++) ids[t] = (uint32_t)json_integer_value(json_array_get(in, t));
        OK(qz_kv_open(e, 1, n, &kv, err));
        OK(qz_engine_forward(e, kv, &(qz_batch){ .ids = ids, .n = n }, y, err));
        for (size_t t = 0; t + 1 < n; t++) {
            double max = -1e30, sum = 0;
            for (size_t i = 0; i < v; i++) max = fmax(max, (double)y[t * v + i]);
            for (size_t i = 0; i < v; i++) sum += exp((double)y[t * v + i] - max);
            const double d = (double)y[t * v + ids[t + 1]] - max - log(sum) -
                             json_number_value(json_array_get(want, t));
            if (fabs(d) > 2e-3) fail_msg("sequence %zu, log-probability at %zu differs by %g", s, t, d);
        }
        qz_kv_free(kv);
        qz_free(y);
    }
    json_decref(golden);
    qz_engine_free(e);
    qz_model_free(m);
    qz_run_release(&run);
}

/* Scaled ropes of the variants: linear and yarn live in metadata. */
static void ropes(void **state) {
    (void)state;
    static const char *const files[] = { "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
                                         "model.safetensors.index.json" };
    static const char *const variants[] = { "rope-linear4", "rope-yarn4" };
    char dir[] = "/tmp/qz_aer_XXXXXX", from[160], to[160];
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < 3; i++) {
        snprintf(from, sizeof from, "tests/golden/zoo/llama/%s", files[i]);
        snprintf(to, sizeof to, "%s/%s", dir, files[i]);
        OK(qz_copy_file(from, to, err));
    }
    for (size_t i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "tests/golden/zoo/llama/variants/%s.config.json", variants[i]);
        snprintf(to, sizeof to, "%s/config.json", dir);
        OK(qz_copy_file(from, to, err));
        same_logits(dir);
    }
    OK(qz_remove_tree(dir, err));
}

/* A quantized folder gives the logits of a float file with its decoded weights: bit for bit in exact arithmetic, and
 * within rounding through the packed kernels (act_order: permuted activations). */
static void packed_as_decoded(const char *source, const char *folder, const char *what) {
    size_t v;
    write_noted(folder, source, "gguf:F32", out);
    float *x = logits(folder, &v), *y = logits(out, &v), *z = logits_by(folder, QZ_ARITH_RUNTIME, &v);
    double diff = 0, peak = 0;
    for (size_t k = 0; k < TOKENS * v; k++) {
        if (x[k] != y[k]) fail_msg("%s: logit %zu is %g, with decoded weights %g", what, k, (double)x[k], (double)y[k]);
        peak = fmax(peak, fabs((double)x[k]));
        diff = fmax(diff, fabs((double)x[k] - (double)z[k]));
    }
    /* float16 cache: 2.2e-3 at 2 bits */
    if (!(diff <= 4e-3 * peak)) fail_msg("%s: packed kernels differ by %g of %g", what, diff, peak);
    qz_free(x);
    qz_free(y);
    qz_free(z);
}

static void quantized_folders(void **state) {
    (void)state;
    static const char *const schemes[] = { "awq:w4g32", "gptq:w4g32", "gptq:w4g32+act_order",
                                           "gptq:w8g32+asym+act_order", "gptq:w8g-1", "gptq:w3g32+asym",
                                           "gptq:w2g32+act_order+static_groups", "bnb:nf4", "bnb:fp4+double",
                                           "bnb:int8" };
    /* rows of q and k keep their order in GGUF: sums are equal */
    static const char source[] = "tests/golden/zoo/qwen2";
    char folder[] = "/tmp/qz_aef_XXXXXX";
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        write_noted(source, source, schemes[i], folder);
        packed_as_decoded(source, folder, schemes[i]);
    }
    /* modules of one block with four settings, one of them float16 */
    static const char *const rules[] = { "self_attn.{q,k,v}_proj=bits:8,asym", "o_proj=keep",
                                         "down_proj=bits:3,group_size:-1,act_order" };
    qz_model *m;
    qz_arena a = {0};
    qz_scheme_spec spec;
    OK(qz_model_open(NULL, source, &m, err));
    OK(qz_scheme_parse("gptq:w4g32", &spec, err));
    OK(qz_module_rules_parse(&spec, rules, 3, &a, err));
    (void)write_artifact(m, &spec, source, folder);
    packed_as_decoded(source, folder, "modules with settings of their own");
    qz_arena_release(&a);
    qz_model_free(m);
    OK(qz_remove_tree(folder, err));
}

static int setup(void **state) {
    (void)state;
    return close(mkstemp(out));
}
static int teardown(void **state) {
    (void)state;
    return remove_file_artifact(out);
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(prediction_head), cmocka_unit_test(zoo),
                                       cmocka_unit_test(gpt_oss), cmocka_unit_test(llama4),
                                       cmocka_unit_test(released_mxfp4), cmocka_unit_test(ropes),
                                       cmocka_unit_test(quantized_folders) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
