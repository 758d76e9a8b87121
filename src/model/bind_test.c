/* Binding of checkpoints: the fused experts of transformers 5 are the same views as one tensor an expert, and every
 * contradiction between tensors and configuration is one line with file, tensor, expected and found. Checkpoints are
 * made from the zoo's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/io.h"
#include "base/size.h"
#include "formats/safetensors.h"
#include "model/leftovers.h"

enum { MAX = 256 };
typedef struct { qz_st_item item[MAX]; const uint8_t *data[MAX]; size_t n; qz_arena arena; } set;
static char dir[] = "/tmp/quantz-bind-XXXXXX";
static qz_error err;

static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}
static size_t at(const set *s, const char *name) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->item[i].name, name) == 0) return i;
    fail_msg("no tensor '%s'", name);
    return 0;
}
static void add(set *s, const char *name, const uint8_t *data, uint32_t n_dims, const uint64_t dims[3],
                qz_st_dtype d) {
    assert_true(s->n < MAX);
    s->item[s->n] = (qz_st_item){.name = qz_arena_strdup(&s->arena, name), .dtype = d, .n_dims = n_dims,
                                 .dims = {dims[0], dims[1], dims[2]}};
    s->data[s->n++] = data;
}
static void copy(set *s, const char *from, const char *to) {
    const size_t i = at(s, from);
    s->item[s->n] = s->item[i];
    s->item[s->n].name = to;
    s->data[s->n++] = s->data[i];
}
static void drop(set *s, const char *part) {
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        if (strstr(s->item[i].name, part)) continue;
        s->item[n] = s->item[i];
        s->data[n++] = s->data[i];
    }
    s->n = n;
}
/* Before each name that holds `part`: prefix in front of what follows "model." */
static void wrap(set *s, const char *part, bool keep) {
    const size_t n = s->n;
    for (size_t i = 0; i < n; i++) {
        if (!strstr(s->item[i].name, part) || strncmp(s->item[i].name, "model.", 6) != 0) continue;
        const char *name = qz_arena_printf(&s->arena, "model.language_model.%s", s->item[i].name + 6);
        if (keep) copy(s, s->item[i].name, name);
        else s->item[i].name = name;
    }
}
/* n experts of a layer as two tensors; the single ones stay. */
static void fuse(set *s, const char *const parts[3], size_t layer, size_t n) {
    char name[160];
    uint64_t bytes;
    for (int down = 0; down < 2; down++) {
        const qz_st_item *one = NULL;
        uint8_t *all = NULL;
        size_t used = 0;
        for (size_t e = 0; e < n; e++)
            for (int p = down ? 2 : 0; p < (down ? 3 : 2); p++) {
                (void)snprintf(name, sizeof name, "model.layers.%zu.", layer);
                (void)snprintf(name + strlen(name), sizeof name - strlen(name), parts[p], e);
                const size_t i = at(s, name);
                one = &s->item[i];
                must(qz_st_item_bytes(one, &bytes, &err));
                if (!all) all = qz_arena_alloc(&s->arena, (size_t)bytes * n * 2, 1);
                memcpy(all + used, s->data[i], (size_t)bytes);
                used += (size_t)bytes;
            }
        (void)snprintf(name, sizeof name, "model.layers.%zu.mlp.experts.%s", layer,
                       down ? "down_proj" : "gate_up_proj");
        assert_non_null(one);
        add(s, name, all, 3, (const uint64_t[]){n, one->dims[0] * (down ? 1 : 2), one->dims[1]}, one->dtype);
    }
}

static void write_model(const set *s, const char *family, const char *find, const char *put) {
    char path[256], *text, *hit;
    size_t n;
    (void)snprintf(path, sizeof path, "tests/golden/zoo/%s/config.json", family);
    must(qz_read_file(path, 1 << 20, &text, &n, &err));
    hit = find ? strstr(text, find) : NULL;
    if (find && !hit) fail_msg("no '%s' in %s", find, path);
    char *all = qz_alloc_array(n + 200, 1);
    if (hit) n = (size_t)snprintf(all, n + 200, "%.*s%s%s", (int)(hit - text), text, put, hit + strlen(find));
    else memcpy(all, text, n);
    (void)snprintf(path, sizeof path, "%s/config.json", dir);
    must(qz_write_file(path, all, n, &err));
    qz_free(all);
    qz_free(text);
    qz_st_writer w;
    (void)snprintf(path, sizeof path, "%s/model.safetensors", dir);
    must(qz_st_writer_open(&w, path, &(qz_st_plan){s->item, s->n, NULL, 0}, &err));
    for (size_t i = 0; i < s->n; i++) {
        uint64_t bytes;
        must(qz_st_item_bytes(&s->item[i], &bytes, &err));
        must(qz_st_writer_write(&w, s->data[i], (size_t)bytes, &err));
    }
    char sha[65];
    must(qz_st_writer_commit(&w, sha, &err));
}
static void read_set(const char *family, qz_st *st, set *s) {
    char path[256];
    (void)snprintf(path, sizeof path, "tests/golden/zoo/%s/model.safetensors", family);
    must(qz_st_open(st, path, &err));
    *s = (set){0};
    for (size_t i = 0; i < st->n; i++) {
        const qz_st_tensor *t = &st->tensors[i];
        add(s, t->name, t->data, t->n_dims, t->dims, t->dtype);
    }
}

static const char *const qwen[3] = {"mlp.experts.%zu.gate_proj.weight", "mlp.experts.%zu.up_proj.weight",
                                    "mlp.experts.%zu.down_proj.weight"};
static const char *const mix[3] = {"block_sparse_moe.experts.%zu.w1.weight", "block_sparse_moe.experts.%zu.w3.weight",
                                   "block_sparse_moe.experts.%zu.w2.weight"};

/* All tensors of the model have the same bytes whichever way the experts are stored. */
static void fused_experts(void **state) {
    (void)state;
    static const struct {
        const char *family, *const *parts;
        size_t layers, step, experts;
    } rows[] = {{"qwen3_moe", qwen, 3, 2, 8}, {"mixtral", mix, 2, 1, 4}};
    for (size_t i = 0; i < 2; i++) {
        qz_st st;
        set s;
        char path[256];
        qz_model *a, *b;
        read_set(rows[i].family, &st, &s);
        for (size_t l = 0; l < rows[i].layers; l += rows[i].step) fuse(&s, rows[i].parts, l, rows[i].experts);
        drop(&s, "experts.0."), drop(&s, "experts.1."), drop(&s, "experts.2."), drop(&s, "experts.3.");
        drop(&s, "experts.4."), drop(&s, "experts.5."), drop(&s, "experts.6."), drop(&s, "experts.7.");
        for (size_t k = 0; k < s.n && i == 1; k++) /* the router's name in memory */
            if (strstr(s.item[k].name, "block_sparse_moe.gate"))
                s.item[k].name = qz_arena_printf(&s.arena, "model.layers.%c.mlp.gate.weight", s.item[k].name[13]);
        write_model(&s, rows[i].family, NULL, NULL);
        (void)snprintf(path, sizeof path, "tests/golden/zoo/%s", rows[i].family);
        must(qz_model_open(NULL, path, &a, &err));
        must(qz_model_open(NULL, dir, &b, &err));
        assert_int_equal(a->n_tensors, b->n_tensors);
        assert_int_equal(b->n_left, 0);
        for (size_t k = 0; k < a->n_tensors; k++) {
            const qz_tensor_view *x = &a->tensors[k], *y = qz_model_find(b, x->name);
            assert_non_null(y);
            assert_int_equal(x->rows, y->rows);
            assert_int_equal(x->cols, y->cols);
            assert_int_equal(x->bytes, y->bytes);
            assert_memory_equal(x->data, y->data, x->bytes);
        }
        qz_model_free(a);
        qz_model_free(b);
        qz_st_release(&st);
        qz_arena_release(&s.arena);
    }
}

/* One contradiction: opening fails, or what is left over is refused, with all the words. */
static void refused(const char *family, const set *s, const char *find, const char *put, const char *const words[3]) {
    qz_model *m = NULL;
    qz_run run = {0};
    err = (qz_error){0};
    write_model(s, family, find, put);
    qz_status st = qz_model_open(NULL, dir, &m, &err);
    if (st == QZ_OK) st = qz_leftovers_judge(&run, m, &err);
    if (st == QZ_OK) fail_msg("accepted: %s", words[0]);
    assert_true(st == QZ_EFORMAT || st == QZ_EUNSUPPORTED);
    for (size_t i = 0; i < 3; i++)
        if (!strstr(err.text, words[i])) fail_msg("'%s' is not in: %s", words[i], err.text);
    qz_model_free(m);
}

static void by_tensors(void **state) {
    (void)state;
    qz_st st;
    set s;
#define CASE(family) read_set(family, &st, &s);
#define END(family, ...) \
    refused(family, &s, NULL, NULL, (const char *const[3]){__VA_ARGS__}), qz_st_release(&st), qz_arena_release(&s.arena)
    CASE("qwen3_moe") fuse(&s, qwen, 0, 8);
    END("qwen3_moe", "two tensors for one site", "model.layers.0.mlp.experts.down_proj'", "found both");
    CASE("qwen3_moe") fuse(&s, qwen, 0, 7);
    END("qwen3_moe", "wrong shape", "mlp.experts.gate_up_proj'",
        "expected [8, 64, 64] (num_local_experts first), found [7, 64, 64]");
    CASE("mixtral") drop(&s, "experts.3.");
    END("mixtral", "numbers of experts do not match", "experts.3.w1.weight'",
        "expected 4 experts as the configuration says, found 3; correct num_local_experts, or");
    CASE("mixtral") drop(&s, "experts.1.");
    END("mixtral", "numbers of experts do not match", "experts.1.w1.weight'", "found 3; the checkpoint is incomplete");
    CASE("mixtral") copy(&s, "model.layers.0.block_sparse_moe.gate.weight", "model.layers.0.mlp.gate.weight");
    END("mixtral", "two tensors for one site", "block_sparse_moe.gate.weight'", "found both");
    CASE("mixtral")
    copy(&s, "model.layers.0.block_sparse_moe.experts.0.w1.weight",
         "model.layers.0.block_sparse_moe.experts.4.w1.weight");
    END("mixtral", "nothing uses 1 stored tensor", "experts.4.w1.weight'", "with a larger num_local_experts");
    CASE("glm4_moe") drop(&s, "e_score_correction_bias");
    END("glm4_moe", "tensor 'model.layers.1.mlp.gate.e_score_correction_bias' is missing", "model '", "incomplete");
    CASE("gpt_oss") drop(&s, "layers.1.self_attn.sinks");
    END("gpt_oss", "tensor 'model.layers.1.self_attn.sinks' is missing", "model '", "incomplete");
    CASE("gpt_oss") drop(&s, "layers.0.mlp.experts.gate_up_proj_bias");
    END("gpt_oss", "tensor 'model.layers.0.mlp.experts.0.gate_proj.bias' is missing", "model '", "incomplete");
    CASE("deepseek_v3") drop(&s, "layers.1.self_attn.kv_b_proj");
    END("deepseek_v3", "tensor 'model.layers.1.self_attn.kv_b_proj.weight' is missing", "model '", "incomplete");
    CASE("deepseek_v3") drop(&s, "layers.0.self_attn.kv_a_layernorm");
    END("deepseek_v3", "tensor 'model.layers.0.self_attn.kv_a_layernorm.weight' is missing", "model '", "incomplete");
    CASE("opt") drop(&s, "embed_positions");
    END("opt", "tensor 'model.decoder.embed_positions.weight' is missing", "model '", "incomplete");
    CASE("opt") drop(&s, "layers.2.final_layer_norm.bias");
    END("opt", "tensor 'model.decoder.layers.2.final_layer_norm.bias' is missing", "model '", "incomplete");
    CASE("cohere2") copy(&s, "model.layers.0.input_layernorm.weight", "model.layers.0.post_attention_layernorm.weight");
    END("cohere2", "nothing uses 1 stored tensor", "post_attention_layernorm.weight'", "expected parts of this model");
    CASE("gemma4") drop(&s, "layers.0.layer_scalar");
    END("gemma4", "tensor 'model.layers.0.layer_scalar' is missing", "model '", "incomplete");
    CASE("gemma4") drop(&s, "per_layer_model_projection");
    END("gemma4", "tensor 'model.per_layer_model_projection.weight' is missing", "model '", "incomplete");
    CASE("gemma4-moe") drop(&s, "layers.1.router.per_expert_scale");
    END("gemma4-moe", "tensor 'model.layers.1.router.per_expert_scale' is missing", "model '", "incomplete");
    CASE("phi3") copy(&s, "model.layers.0.self_attn.o_proj.weight", "model.layers.0.self_attn.q_proj.weight");
    END("phi3", "two tensors for one site", "'model.layers.0.self_attn.q_proj.weight'",
        "expected it or 'model.layers.0.self_attn.qkv_proj.weight', found both");
    CASE("phi3") copy(&s, "model.layers.1.mlp.down_proj.weight", "model.layers.1.mlp.up_proj.weight");
    END("phi3", "two tensors for one site", "'model.layers.1.mlp.up_proj.weight'",
        "expected it or 'model.layers.1.mlp.gate_up_proj.weight', found both");
    CASE("qwen3") copy(&s, "model.layers.1.self_attn.q_proj.weight", "model.layers.1.self_attn.qkv_proj.weight");
    END("qwen3", "two tensors for one site", "'model.layers.1.self_attn.qkv_proj.weight'",
        "expected it or 'model.layers.1.self_attn.q_proj.weight', found both");
    CASE("gemma3") wrap(&s, "", false);
    END("gemma3", "names of a wrapper", "'model.language_model.embed_tokens.weight'",
        "expected 'model.embed_tokens.weight'");
    CASE("gemma3") wrap(&s, "layers.1.", false);
    END("gemma3", "names of a wrapper", "'model.language_model.layers.1.input_layernorm.weight'",
        "expected 'model.layers.1.input_layernorm.weight'");
    CASE("gemma3") wrap(&s, "layers.1.", true);
    END("gemma3", "two tensors for one site", "'model.language_model.layers.1.",
        "found both (13 tensors that nothing uses)");
}

static const struct { const char *family, *find, *put, *words[3]; } by_keys[] = {
    {"qwen3_moe", "\"mlp_only_layers\": [1]", "\"mlp_only_layers\": []",
     {"layer 1 is dense", "'model.layers.1.mlp.gate_proj.weight'", "expected experts"}},
    {"qwen3_moe", "\"mlp_only_layers\": [1]", "\"mlp_only_layers\": [0, 1]",
     {"layer 0 is one of experts", "'model.layers.0.mlp.gate.weight'", "expected a dense feed-forward"}},
    {"qwen3_moe", "\"mlp_only_layers\": [1]", "\"mlp_only_layers\": 1",
     {"wrong kind", "key 'mlp_only_layers'", "expected a list of layers or null, found an integer"}},
    {"qwen3_moe", "\"decoder_sparse_step\": 1", "\"decoder_sparse_step\": 2",
     {"layer 0 is one of experts", "'model.layers.0.mlp.gate.weight'", "decoder_sparse_step"}},
    {"qwen3_moe", "\"num_local_experts\": 8", "\"num_local_experts\": 16",
     {"numbers of experts do not match", "'model.layers.0.mlp.gate.weight'",
      "each of 16 experts, found 8; correct num_local_experts"}},
    {"qwen3_moe", "\"num_local_experts\": 8", "\"num_local_experts\": 0",
     {"layer 0 is one of experts", "'model.layers.0.mlp.gate.weight'", "or num_local_experts"}},
    {"qwen3_moe", "\"num_local_experts\": 8",
     "\"num_local_experts\": 8, \"scoring_func\": \"sigmoid\", \"n_shared_experts\": 1",
     {"2 keys", "'scoring_func' = \"sigmoid\"", "'n_shared_experts' = 1"}},
    {"mixtral", "\"num_local_experts\": 4", "\"num_local_experts\": 0",
     {"experts out of range", "key 'num_local_experts'", "expected 1 to 1024, found 0"}},
    {"mixtral", "\"num_local_experts\": 4", "\"num_local_experts\": 4, \"num_experts\": 8",
     {"two numbers of experts", "'num_experts' and 'num_local_experts'", "found 8 and 4"}},
    {"mixtral", "\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 9",
     {"experts out of range", "key 'num_experts_per_tok'", "expected 1 to 4, found 9"}},
    {"mixtral", "\"num_local_experts\": 4", "\"num_local_experts\": 4, \"norm_topk_prob\": false",
     {"1 key", "'norm_topk_prob' = false", "MOD-KEYS"}},
    {"gpt_oss", "\"num_local_experts\": 5", "\"num_local_experts\": 6",
     {"wrong shape", "mlp.experts.down_proj'",
      "expected [6, 32, 64] (num_local_experts first), found [5, 32, 64]"}},
    {"gpt_oss", "\"attention_bias\": true", "\"attention_bias\": false",
     {"nothing uses 8 stored tensors", "self_attn.k_proj.bias'", "attention_bias"}},
    {"glm4_moe", "\"n_routed_experts\": 5", "\"n_routed_experts\": 4",
     {"numbers of experts do not match", "'model.layers.1.mlp.gate.weight'",
      "each of 4 experts, found 5; correct n_routed_experts"}},
    {"glm4_moe", "\"first_k_dense_replace\": 1", "\"first_k_dense_replace\": 0",
     {"layer 0 is dense", "'model.layers.0.mlp.gate_proj.weight'", "correct first_k_dense_replace or"}},
    {"glm4_moe", "\"n_group\": 1", "\"n_group\": 2",
     {"groups of experts", "keys 'n_group' and 'topk_group'", "that hold 3 of 5, found 2"}},
    {"glm4_moe", "\"n_shared_experts\": 1", "\"n_shared_experts\": 2",
     {"wrong shape", "mlp.shared_experts.gate_proj.weight'", "expected [64, 64], found [32, 64]"}},
    {"glm4_moe", "\"routed_scaling_factor\": 2.5", "\"routed_scaling_factor\": 2.5, \"scoring_func\": \"softmax\"",
     {"1 key", "'scoring_func' = \"softmax\"", "MOD-KEYS"}},
    {"deepseek_v3", "\"kv_lora_rank\": 32", "\"kv_lora_rank\": 16",
     {"wrong shape", "self_attn.kv_a_proj_with_mqa.weight'", "expected [24, 64], found [40, 64]"}},
    {"deepseek_v3", "\"kv_lora_rank\": 32", "\"kv_lora_rank\": null",
     {"key 'kv_lora_rank' is missing", "found none", "add it from the model's card"}},
    {"deepseek_v3", "\"qk_head_dim\": 40", "\"qk_head_dim\": 48",
     {"two sizes of heads", "key 'qk_head_dim'", "qk_nope_head_dim + qk_rope_head_dim = 40, found 48"}},
    {"deepseek_v3", "\"q_lora_rank\": 32", "\"q_lora_rank\": null",
     {"is missing", "tensor 'model.layers.0.self_attn.q_proj.weight'", "incomplete"}},
    {"deepseek_v3", "\"factor\": 8.0", "\"factor\": 0",
     {"rotary scaling out of range", "key 'factor'", "above 0, found 0"}},
    {"deepseek_v3", "\"beta_fast\": 32", "\"beta_fast\": -32",
     {"rotary scaling out of range", "key 'beta_fast'", "found -32"}},
    {"deepseek_v3", "\"num_nextn_predict_layers\": 0", "\"num_nextn_predict_layers\": -1",
     {"wrong", "'num_nextn_predict_layers'", "a non-negative integer, found -1"}},
    {"deepseek_v3", "\"topk_group\": 2", "\"topk_group\": 4", {"groups of experts", "found 3, of which 4", "kept"}},
    {"mistral4", "\"n_routed_experts\": 4", "\"n_routed_experts\": 5",
     {"wrong shape", "mlp.experts.", "(n_routed_experts first)"}},
    {"mistral4", "\"partial_rotary_factor\": 0.25", "\"partial_rotary_factor\": 0.5",
     {"two numbers of rotating values", "qk_rope_head_dim = 8", "partial_rotary_factor = 16"}},
    {"ministral3", "\"llama_4_scaling_beta\": 0.3", "\"llama_4_scaling_beta\": -1",
     {"growth of queries out of range", "expected a number from 0 on", "found -1"}},
    {"olmo3", "\"full_attention\", \"sliding_attention\"]", "\"full_attention\", \"linear_attention\"]",
     {"unknown layer type 'linear_attention'", "entry 2", "expected full_attention or sliding_attention"}},
    {"cohere2", "\"logit_scale\": 0.75", "\"logit_scale\": 0.75, \"use_parallel_block\": false",
     {"1 key", "'use_parallel_block' = false", "MOD-KEYS"}},
    {"cohere2", "\"layer_norm_eps\": 1e-05", "\"layer_norm_eps\": 2",
     {"layer_norm_eps out of range", "expected above 0 and below 1", "found 2"}},
    {"opt", "\"do_layer_norm_before\": true", "\"do_layer_norm_before\": false",
     {"1 key", "'do_layer_norm_before' = false", "MOD-KEYS"}},
    {"opt", "\"word_embed_proj_dim\": 64", "\"word_embed_proj_dim\": 32",
     {"1 key", "'word_embed_proj_dim' = 32", "MOD-KEYS"}},
    {"opt", "\"activation_function\": \"relu\"", "\"activation_function\": \"gelu\"",
     {"unknown activation 'gelu'", "key 'activation_function'", "expected 'relu'"}},
    {"opt", "\"ffn_dim\": 160", "\"ffn_dim\": 128",
     {"wrong shape", "layers.0.fc1.weight'", "expected [128, 64], found [160, 64]"}},
    {"opt", "\"max_position_embeddings\": 128", "\"max_position_embeddings\": 130",
     {"wrong shape", "embed_positions.weight'", "expected [132, 64], found [130, 64]"}},
    {"qwen3_5", "[\"linear_attention\", \"full_attention\"]", "[\"full_attention\", \"linear_attention\"]",
     {"is missing", "tensor 'model.layers.0.self_attn.q_proj.weight'", "the checkpoint is incomplete"}},
    {"qwen3_5", "\"linear_value_head_dim\": 24", "\"linear_value_head_dim\": 16",
     {"wrong shape", "linear_attn.in_proj_qkv.weight'", "expected [128, 64], found [160, 64]"}},
    {"qwen3_5", "\"linear_conv_kernel_dim\": 4", "\"linear_conv_kernel_dim\": 3",
     {"wrong shape", "linear_attn.conv1d.weight'", "expected [160, 3], found [160, 4]"}},
    {"qwen3_5_moe", "\"num_experts\": 4", "\"num_experts\": 5",
     {"wrong shape", "mlp.experts.", "(num_experts first)"}},
    {"qwen3_next", "\"num_experts\": 4", "\"num_experts\": 5",
     {"numbers of experts do not match", "'model.layers.0.mlp.gate.weight'", "each of 5 experts, found 4"}},
    {"gemma4-moe", "\"num_experts\": 5", "\"num_experts\": 6",
     {"wrong shape", "experts.", "(num_experts first)"}},
    {"gemma4-moe", "\"enable_moe_block\": true", "\"enable_moe_block\": false",
     {"nothing uses", "layers.0.experts.down_proj'", "expected a configuration with num_experts"}},
    {"gemma4-moe", "\"top_k_experts\": 3", "\"top_k_experts\": 6",
     {"experts out of range", "key 'top_k_experts'", "expected 1 to 5, found 6"}},
    {"gemma4-moe", "\"attention_k_eq_v\": true", "\"attention_k_eq_v\": false",
     {"is missing", "tensor 'model.layers.1.self_attn.v_proj.weight'", "incomplete"}},
    {"gemma4-moe", "\"hidden_size_per_layer_input\": 0", "\"hidden_size_per_layer_input\": 8",
     {"experts beside inputs of tokens", "(hidden_size_per_layer_input)", "expected one of them"}},
    {"gemma4", "\"full_attention\", \"sliding_attention\"", "\"full_attention\", \"linear_attention\"",
     {"unknown layer type 'linear_attention'", "key 'layer_types'", "expected full_attention or sliding_attention"}},
    {"gemma4", "\"num_kv_shared_layers\": 2", "\"num_kv_shared_layers\": 5",
     {"num_kv_shared_layers out of range", "expected 0 to 4", "found 5"}},
    {"gemma4", "\"num_kv_shared_layers\": 2", "\"num_kv_shared_layers\": 3",
     {"keys to borrow are missing", "key 'num_kv_shared_layers', layer 2", "a layer of full attention"}},
    {"gemma4", "\"num_kv_shared_layers\": 2", "\"num_kv_shared_layers\": 1",
     {"is missing", "tensor 'model.layers.3.self_attn.k_proj.weight'", "incomplete"}},
    {"gemma4", "\"use_double_wide_mlp\": true", "\"use_double_wide_mlp\": false",
     {"wrong shape", "layers.3.mlp.gate_proj.weight'", "expected [32, 64], found [64, 64]"}},
    {"gemma4", "\"use_bidirectional_attention\": null", "\"use_bidirectional_attention\": \"all\"",
     {"tokens that see later ones", "key 'use_bidirectional_attention'", "found 'all'"}},
    {"gemma4", "\"sliding_window\": 13", "\"sliding_window\": null",
     {"layers without a window alone", "key 'sliding_window'", "expected 1 or more"}},
    {"gemma4", "\"vocab_size_per_layer_input\": 256", "\"vocab_size_per_layer_input\": 255",
     {"wrong shape", "embed_tokens_per_layer.weight'", "expected [255, 40], found [256, 40]"}},
    {"gemma4", "\"rope_type\": \"proportional\"", "\"rope_type\": \"proportional\", \"factor\": 2.0",
     {"rope_type 'proportional'", "factor 1", "and 2"}},
    {"gemma2", "\"full_attention\"", "\"chunked_attention\"",
     {"unknown layer type 'chunked_attention'", "key 'layer_types', entry 1",
      "expected full_attention or sliding_attention"}},
    {"gemma2", "\"layer_types\"", "\"layer_types\": \"full_attention\", \"was\"",
     {"wrong kind", "key 'layer_types'", "expected a list or null, found a string"}},
    {"gemma3", "\"gemma3_text\"", "\"gemma3\"",
     {"unknown model family 'gemma3'", "key 'model_type'", "'gemma3_text'"}},
    {"gemma2", "\"use_bidirectional_attention\": null", "\"use_bidirectional_attention\": true",
     {"1 key", "'use_bidirectional_attention' = true", "MOD-KEYS"}},
    {"phi3", "\"use_cache\": true",
     "\"use_cache\": true, \"layer_types\": [\"sliding_attention\", \"full_attention\"]",
     {"1 key", "'layer_types' = full_attention", "MOD-KEYS"}}};
static void by_configuration(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof by_keys / sizeof by_keys[0]; i++) {
        qz_st st;
        set s;
        read_set(by_keys[i].family, &st, &s);
        refused(by_keys[i].family, &s, by_keys[i].find, by_keys[i].put, by_keys[i].words);
        qz_st_release(&st);
        qz_arena_release(&s.arena);
    }
}

/* A layer behind the last one (it predicts the token after the next) is left out with a count; in a family without such
 * layers it is a part that nothing uses. */
static void beyond_the_last(void **state) {
    (void)state;
    qz_st st;
    set s;
    qz_run run = {0};
    qz_model *m = NULL;
    read_set("glm4_moe", &st, &s);
    copy(&s, "model.layers.1.mlp.gate.weight", "model.layers.2.mlp.gate.weight");
    copy(&s, "model.layers.1.input_layernorm.weight", "model.layers.2.enorm.weight");
    copy(&s, "model.layers.0.mlp.up_proj.weight", "model.layers.2.eh_proj.weight");
    write_model(&s, "glm4_moe", "\"num_nextn_predict_layers\": 0", "\"num_nextn_predict_layers\": 1");
    must(qz_model_open(NULL, dir, &m, &err));
    must(qz_leftovers_judge(&run, m, &err));
    assert_int_equal(qz_leftovers_count(m, QZ_LEFT_MTP), 3);
    assert_int_equal(m->n_left, 3);
    qz_model_free(m);
    qz_st_release(&st);
    qz_arena_release(&s.arena);
    read_set("qwen3_moe", &st, &s);
    copy(&s, "model.layers.0.mlp.gate.weight", "model.layers.3.mlp.gate.weight");
    refused("qwen3_moe", &s, NULL, NULL,
            (const char *const[3]){"nothing uses 1 stored tensor", "layers.3.mlp.gate.weight'", "num_hidden_layers"});
    qz_st_release(&st);
    qz_arena_release(&s.arena);
}

/* Keys of a layer that reads an earlier one's are in some files, and nothing uses them. */
static void borrowed_keys(void **state) {
    (void)state;
    qz_st st;
    set s;
    qz_run run = {0};
    qz_model *m = NULL;
    read_set("gemma4", &st, &s);
    copy(&s, "model.layers.0.self_attn.k_proj.weight", "model.layers.3.self_attn.k_proj.weight");
    copy(&s, "model.layers.0.self_attn.v_proj.weight", "model.layers.3.self_attn.v_proj.weight");
    copy(&s, "model.layers.2.self_attn.k_norm.weight", "model.layers.4.self_attn.k_norm.weight");
    write_model(&s, "gemma4", NULL, NULL);
    must(qz_model_open(NULL, dir, &m, &err));
    must(qz_leftovers_judge(&run, m, &err));
    assert_int_equal(qz_leftovers_count(m, QZ_LEFT_BORROWED), 3);
    assert_int_equal(m->n_left, 3);
    qz_model_free(m);
    qz_st_release(&st);
    qz_arena_release(&s.arena);
}

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}
static int remove_dir(void **state) {
    (void)state;
    return qz_remove_tree(dir, &err) == QZ_OK ? 0 : -1;
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(fused_experts), cmocka_unit_test(by_tensors),
                                       cmocka_unit_test(by_configuration), cmocka_unit_test(beyond_the_last),
                                       cmocka_unit_test(borrowed_keys)};
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
