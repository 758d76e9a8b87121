/* Configuration: both spellings of config.json give the same values; rope frequencies equal the worked values of
 * formats/families.md; bad configurations are refused. Outside truth: transformers 5.23 (zoo files). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/io.h"
#include "base/json.h"
#include "model/config.h"
#include "model/families.h"

#define ZOO "tests/golden/zoo/"

static qz_config load(const char *path) {
    qz_config c;
    qz_error err = {0};
    if (qz_config_load(path, &c, &err) != QZ_OK) fail_msg("%s", err.text);
    return c;
}
static void same_in_both_spellings(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{ZOO "llama/config.json", ZOO "llama/config.old-style.json"},
                                           {ZOO "llama3-rope/config.json", ZOO "llama3-rope/config.new-style.json"},
                                           {ZOO "mistral/config.json", ZOO "mistral/config.old-style.json"},
                                           {ZOO "qwen2/config.json", ZOO "qwen2/config.old-style.json"},
                                           {ZOO "qwen3/config.json", ZOO "qwen3/config.old-style.json"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        qz_config a = load(pairs[i][0]), b = load(pairs[i][1]);
        assert_int_equal(a.family, b.family);
        assert_int_equal(a.hidden_size, b.hidden_size);
        assert_int_equal(a.kv_heads, b.kv_heads);
        assert_int_equal(a.head_dim, b.head_dim);
        assert_int_equal(a.dtype, b.dtype);
        assert_int_equal(a.tie_embeddings, b.tie_embeddings);
        assert_int_equal(a.sliding_window, b.sliding_window);
        assert_memory_equal(a.layer_sliding, b.layer_sliding, sizeof a.layer_sliding);
        float fa[QZ_MAX_ROPE_PAIRS], fb[QZ_MAX_ROPE_PAIRS], xa, xb;
        qz_rope_frequencies(&a, false, 96, fa, &xa);
        qz_rope_frequencies(&b, false, 96, fb, &xb);
        assert_memory_equal(fa, fb, a.head_dim / 2 * sizeof *fa);
        assert_true(xa == xb);
    }
}
static void rope_worked_values(void **state) {
    (void)state;
    qz_config c = load(ZOO "llama3-rope/config.json");
    float inv[QZ_MAX_ROPE_PAIRS], att;
    qz_rope_frequencies(&c, false, 96, inv, &att);
    assert_true(inv[0] == 1.0f);
    assert_true(fabs((double)inv[1] - 0.214667358) < 1e-8);
    assert_true(fabs((double)inv[2] - 0.0242403431) < 1e-9);
    assert_true(fabs((double)inv[3] - 0.0106746375) < 1e-9);
    c = load(ZOO "llama/variants/rope-yarn4.config.json");
    qz_rope_frequencies(&c, false, 96, inv, &att);
    assert_true(fabs((double)att - 1.138629436) < 1e-7);
}
static void mistral_null_is_not_absent(void **state) {
    (void)state;
    assert_int_equal(load(ZOO "mistral/config.json").sliding_window, 16);
    assert_int_equal(load(ZOO "mistral/variants/no-window.config.json").sliding_window, 0);
}
#define MOST "\"vocab_size\":300,\"intermediate_size\":64"
#define SHAPE MOST ",\"hidden_size\":64,\"num_attention_heads\":4"
/* Python takes true for 1: the layer has rotary positions (smollm3's use_rope). */
static void switches_are_numbers(void **state) {
    (void)state;
    static const char *const lists[] = {"[true, true, false]", "[1, 1, 0]"};
    char text[512];
    for (size_t i = 0; i < 2; i++) {
        json_t *root = NULL;
        qz_error err = {0};
        qz_config c;
        (void)snprintf(text, sizeof text,
                       "{\"model_type\":\"smollm3\"," SHAPE ",\"num_hidden_layers\":3,\"use_sliding_window\":true,"
                       "\"sliding_window\":8,\"no_rope_layers\":%s}", lists[i]);
        assert_int_equal(qz_json_parse(text, strlen(text), "x", &root, &err), QZ_OK);
        if (qz_config_from_json(root, "x", &c, &err) != QZ_OK) fail_msg("%s", err.text);
        assert_memory_equal(c.layer_no_rope, ((uint8_t[]){0, 0, 1}), 3);
        assert_memory_equal(c.layer_sliding, ((uint8_t[]){0, 0, 1}), 3);
        json_decref(root);
    }
}
/* A text model of Mistral3ForConditionalGeneration, whichever it is; keys of what looks are no matter. */
static void text_model_of_a_wrapper(void **state) {
    (void)state;
    static const struct { const char *type, *more; qz_family family; } rows[] = {
        {"mistral", "", QZ_FAMILY_MISTRAL}, {"ministral3", "", QZ_FAMILY_MINISTRAL3},
        {"mistral4", ",\"kv_lora_rank\":32,\"q_lora_rank\":32,\"qk_rope_head_dim\":8,\"qk_nope_head_dim\":8,"
                     "\"v_head_dim\":16,\"n_routed_experts\":8,\"moe_intermediate_size\":32", QZ_FAMILY_MISTRAL4}};
    char text[1024];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *root = NULL;
        qz_error err = {0};
        qz_config c;
        (void)snprintf(text, sizeof text,
                       "{\"model_type\":\"mistral3\",\"vision_config\":{\"hidden_size\":8},\"image_token_index\":10,"
                       "\"projector_hidden_act\":\"gelu\",\"multimodal_projector_bias\":true,"
                       "\"spatial_merge_size\":2,\"vision_feature_layer\":-1,"
                       "\"text_config\":{\"model_type\":\"%s\"," SHAPE ",\"num_hidden_layers\":1,"
                       "\"num_key_value_heads\":4%s}}",
                       rows[i].type, rows[i].more);
        assert_int_equal(qz_json_parse(text, strlen(text), "x", &root, &err), QZ_OK);
        if (qz_config_from_json(root, "x", &c, &err) != QZ_OK) fail_msg("%s", err.text);
        assert_int_equal(c.family, rows[i].family);
        assert_true(c.wrapped);
        if (c.keys.n_refused) fail_msg("%s", c.keys.refused);
        json_decref(root);
    }
}
static void refused(const char *text, qz_status code, const char *word) {
    qz_error err = {0};
    qz_config c;
    assert_int_equal(qz_write_file("/tmp/quantz-config-test.json", text, strlen(text), &err), QZ_OK);
    assert_int_equal(qz_config_load("/tmp/quantz-config-test.json", &c, &err), code);
    if (strstr(err.text, word) == NULL) fail_msg("'%s' not in '%s'", word, err.text);
}
static void bad_configs(void **state) {
    (void)state;
    refused("{\"model_type\":\"lama\"}", QZ_EUNSUPPORTED, "'llama'");
    refused("{\"model_type\":\"xx\",\"auto_map\":{}}", QZ_EUNSUPPORTED, "custom code is not run");
    refused("{\"model_type\":\"llama\"," MOST ",\"hidden_size\":64,\"num_attention_heads\":30,\"num_hidden_layers\":1}",
            QZ_EFORMAT, "multiple");
    refused("{\"model_type\":\"llama\"," SHAPE ",\"num_hidden_layers\":0}", QZ_EFORMAT, "num_hidden_layers");
    refused("{\"model_type\":\"llama\"," MOST
            ",\"num_attention_heads\":4,\"num_hidden_layers\":1,\"hidden_size\":\"x\"}",
            QZ_EFORMAT, "hidden_size");
    refused("{\"model_type\":\"llama\"," SHAPE ",\"num_hidden_layers\":1,\"rope_scaling\":{\"rope_type\":\"mrope\"}}",
            QZ_EUNSUPPORTED, "mrope");
    refused("{\"model_type\":\"llama\"," SHAPE
            ",\"num_hidden_layers\":1,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8}}",
            QZ_EFORMAT, "low_freq_factor");
    refused("{\"model_type\":\"llama\"," SHAPE "}", QZ_EFORMAT, "key 'num_hidden_layers' is missing");
    refused("{\"model_type\":\"llama\"," SHAPE ",\"num_hidden_layers\":null}", QZ_EFORMAT,
            "key 'num_hidden_layers' is missing");
    refused("{\"model_type\":\"mixtral\"," SHAPE ",\"num_hidden_layers\":1}", QZ_EFORMAT,
            "key 'num_experts' is missing");
    refused("{\"hidden_size\":1}", QZ_EFORMAT, "model_type");
    refused("[1]", QZ_EFORMAT, "object");
    refused("{", QZ_EFORMAT, "bad JSON");
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_in_both_spellings), cmocka_unit_test(rope_worked_values),
                                       cmocka_unit_test(mistral_null_is_not_absent),
                                       cmocka_unit_test(text_model_of_a_wrapper),
                                       cmocka_unit_test(switches_are_numbers), cmocka_unit_test(bad_configs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
