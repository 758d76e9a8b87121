/* Rules for single modules. Outside truth: GPTQModel 7.7.0 and vLLM resolve `dynamic` by the first key whose expression
 * matches the name from its start, engines under the fused name; tests/interop loads such folders in
 * GPTQModel itself. */
#include "codecs/int_group.h"
#include "base/json.h"
#include "artifacts/module_rules.h"
#include "artifacts/testing.h"
#include "base/half.h"
#include "codecs/types.h"
#include "model/kinds.h"
#include <stdlib.h>

static const char source[] = "tests/golden/zoo/qwen2";
static char dir[] = "/tmp/qz_rules_XXXXXX";
static char folder[64];
static qz_model *model;
static qz_arena arena;

static qz_status parse(const char *scheme, const char *const *texts, size_t n, qz_scheme_spec *spec, qz_error *err) {
    QZ_TRY(qz_scheme_parse(scheme, spec, err));
    return qz_module_rules_parse(spec, texts, n, &arena, err);
}

static void patterns(void **state) {
    (void)state;
    static const struct { const char *rule, *module; bool yes; } cases[] = {
        { "down_proj=keep", "model.layers.3.mlp.down_proj", true },
        { "down_proj=keep", "model.layers.3.mlp.down_proj2", false },
        { "own_proj=keep", "model.layers.3.mlp.down_proj", false }, /* whole parts */
        { "layers.1=keep", "model.layers.1.mlp.up_proj", true },
        { "layers.1=keep", "model.layers.10.mlp.up_proj", false },
        { "layers.{0,11}.mlp=keep", "model.layers.11.mlp.up_proj", true },
        { "layers.{0,11}.mlp=keep", "model.layers.1.mlp.up_proj", false },
        { "layers.[0-3].*_proj=keep", "model.layers.2.self_attn.q_proj", true },
        { "layers.[!0-3].*_proj=keep", "model.layers.2.self_attn.q_proj", false },
        { "self_attn.{q,k}_proj=keep", "model.layers.2.self_attn.k_proj", true },
        { "?_proj=keep", "model.layers.2.self_attn.v_proj", true },
        { "?_proj=keep", "model.layers.2.mlp.up_proj", false },
        { "model.layers.2=keep", "model.layers.2.self_attn.v_proj", true },
        { "re:model\\.layers\\.2\\.=keep", "model.layers.2.self_attn.v_proj", true },
        { "re:layers\\.2\\.=keep", "model.layers.2.self_attn.v_proj", false }, /* from the start, as in the file */
        { "re:(?=model)model=keep", "model.layers.2.self_attn.v_proj", true }, /* the last = ends the pattern */
        { "q.proj=keep", "model.layers.2.self_attn.q_proj", false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qz_scheme_spec s;
        qz_code_setting x;
        OK(parse("gptq", &cases[i].rule, 1, &s, err));
        OK(qz_module_setting_of(&s, cases[i].module, &x, err));
        if (x.keep != cases[i].yes)
            fail_msg("%s on %s: pattern %s", cases[i].rule, cases[i].module, s.modules[0].pattern);
    }
}

static void settings(void **state) {
    (void)state;
    static const char *const rules[] = { "layers.0=bits:8", "mlp=group_size:-1,asym",
                                         "o_proj=bits:3,act_order,sym,group_size:64" };
    qz_scheme_spec s;
    qz_code_setting x;
    char text[64];
    OK(parse("gptq:w4g32", rules, 3, &s, err));
    assert_true(s.v2); /* one asymmetric module: the whole file says zero points as they are */
    OK(qz_module_setting_of(&s, "model.layers.0.mlp.down_proj", &x, err)); /* the first rule decides alone */
    assert_string_equal(qz_module_setting_text(&x, text), "8 bits, groups of 32, symmetric");
    OK(qz_module_setting_of(&s, "model.layers.1.mlp.down_proj", &x, err));
    assert_string_equal(qz_module_setting_text(&x, text), "4 bits, whole rows, asymmetric");
    OK(qz_module_setting_of(&s, "model.layers.1.self_attn.o_proj", &x, err));
    assert_string_equal(qz_module_setting_text(&x, text), "3 bits, groups of 64, symmetric, act_order");
    OK(qz_module_setting_of(&s, "model.layers.1.self_attn.q_proj", &x, err));
    assert_string_equal(qz_module_setting_text(&x, text), "4 bits, groups of 32, symmetric");
    assert_null(x.rule);
    OK(parse("gptq:w4g32+v1", &rules[1], 1, &s, err));
    assert_false(s.v2);
}

static void refused(void **state) {
    (void)state;
    static const struct { const char *rule, *text; } cases[] = {
        { "down_proj", "expected PATTERN=SETTINGS" }, { "=bits:8", "expected PATTERN=SETTINGS" },
        { "down_proj=", "expected PATTERN=SETTINGS" }, { "down_proj=bits:5", "expected bits:2, 3, 4 or 8" },
        { "down_proj=bits:", "bad value" }, { "down_proj=bits:8x", "bad value" },
        { "down_proj=group_size:0", "expected group_size:-1" }, { "down_proj=group_size:48", "expected group_size:-1" },
        { "down_proj=sym,asym", "contradict" }, { "down_proj=bits:8,bits:8", "twice" },
        { "down_proj=keep,bits:8", "unknown setting 'keep'" }, { "down_proj=bits:8,", "unknown setting ''" },
        { "down_proj=size:8", "unknown setting 'size:8'" }, { "l[=keep", "bad pattern" },
        { "l[!]=keep", "bad pattern" }, { "l{a=keep", "bad pattern" }, { "l}=keep", "bad pattern" },
        { "a,b=keep", "bad pattern" }, { "a\\b=keep", "bad pattern" }, { "re:((=keep", "not a regular expression" },
        { "re:(((model|m)+)+)+x=keep", NULL } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qz_scheme_spec s;
        qz_error e = {0};
        qz_status st = parse("gptq", &cases[i].rule, 1, &s, &e);
        if (!cases[i].text) continue; /* slow, not wrong: must end */
        if (st != QZ_EUSAGE || !strstr(e.text, cases[i].text)) fail_msg("%s: %d %s", cases[i].rule, (int)st, e.text);
    }
    /* what each kind of file can say */
    static const char *const keep = "down_proj=keep", *const bits = "down_proj=bits:8";
    qz_scheme_spec s;
    qz_error e = {0};
    OK(parse("awq:w4g32", &keep, 1, &s, err));
    assert_int_equal(parse("awq:w4g32", &bits, 1, &s, &e), QZ_EUSAGE);
    assert_non_null(strstr(e.text, "'awq:w4g32'"));
    e = (qz_error){0};
    assert_int_equal(parse("gguf:Q8_0", &keep, 1, &s, &e), QZ_EUSAGE);
    assert_non_null(strstr(e.text, "--tensor-type"));
}

/* What rules must do on a model before anything is written. */
static void on_a_model(void **state) {
    (void)state;
    static const struct { const char *rules[2]; qz_status st; const char *text; } cases[] = {
        { { "down_proj=bits:8" }, QZ_OK, "" },
        { { "nothing=bits:8" }, QZ_EUSAGE, "matches no module" },
        { { "lm_head=bits:8" }, QZ_EUSAGE, "with +lm_head" },
        { { "mlp=bits:8", "down_proj=keep" }, QZ_EUSAGE, "has no effect" },
        { { "*=keep" }, QZ_EUSAGE, "no module is left" },
        { { "q_proj=bits:8" }, QZ_EUNSUPPORTED, "{q,k,v}_proj" },
        { { "layers.1.mlp.up_proj=sym,group_size:64" }, QZ_EUNSUPPORTED, "{gate,up}_proj" },
        { { "layers.0.mlp.gate_proj=keep" }, QZ_EUNSUPPORTED, "kept float" },
        { { "{q,k}_proj=bits:8", "v_proj=bits:8" }, QZ_OK, "" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qz_scheme_spec s;
        qz_error e = {0};
        OK(parse("gptq:w4g32", cases[i].rules, cases[i].rules[1] ? 2 : 1, &s, err));
        qz_status st = qz_module_rules_check(&s, model, &e);
        if (st != cases[i].st || !strstr(e.text, cases[i].text))
            fail_msg("%s: %d %s", cases[i].rules[0], (int)st, e.text);
    }
}

/* As GPTQModel and vLLM look a name up. NULL: no key; a key "-:…": not quantized. */
static const char *look_up(json_t *dynamic, const char *name, json_t **value) {
    const char *key;
    json_t *v;
    *value = NULL;
    json_object_foreach(dynamic, key, v) {
        bool yes;
        OK(qz_module_match(key + 2, name, "key", &yes, err));
        *value = v;
        if (yes) return key;
    }
    return *value = NULL, NULL;
}

static void write_with(const char *scheme, const char *const *rules, size_t n) {
    qz_scheme_spec spec;
    OK(parse(scheme, rules, n, &spec, err));
    write_artifact(model, &spec, source, folder);
}

static json_t *read_dynamic(const char *file, json_t **root) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    OK(qz_json_load(path, 1 << 20, root, err));
    json_t *q = json_object_get(*root, "quantization_config");
    json_t *d = json_object_get(q ? q : *root, "dynamic");
    if (!d) fail_msg("%s has no key dynamic", file);
    return d;
}

/* Keys, both files, fused names. */
static void object(void **state) {
    (void)state;
    static const char *const rules[] = { "{q,k,v}_proj=bits:8", "layers.0.mlp.*_proj=keep",
                                         "down_proj=group_size:16,asym" };
    write_with("gptq:w4g32", rules, 3);
    json_t *root, *twin, *v, *d = read_dynamic("config.json", &root),
                             *same = read_dynamic("quantize_config.json", &twin);
    assert_true(json_equal(d, same));
    assert_string_equal(look_up(d, "model.layers.0.mlp.up_proj", &v),
                        "-:(?:.*\\.)?layers\\.0\\.mlp\\..*_proj(?:\\.|$)");
    assert_string_equal(look_up(d, "model.layers.1.self_attn.k_proj", &v), "+:(?:.*\\.)?(?:q|k|v)_proj(?:\\.|$)");
    assert_int_equal(json_integer_value(json_object_get(v, "bits")), 8);
    assert_int_equal(json_object_size(v), 1);
    look_up(d, "model.layers.1.mlp.down_proj", &v);
    assert_int_equal(json_integer_value(json_object_get(v, "group_size")), 16);
    assert_true(json_is_false(json_object_get(v, "sym")));
    assert_null(look_up(d, "model.layers.1.mlp.gate_proj", &v));
    /* engines ask for the fused layer: every layer's qkv_proj has 8 bits, gate_up_proj of layer 0 is float by
     * the rule itself */
    assert_string_equal(look_up(d, "model.layers.1.self_attn.qkv_proj", &v),
                        "+:model\\.layers\\.\\d+\\.self_attn\\.qkv_proj$");
    assert_int_equal(json_integer_value(json_object_get(v, "bits")), 8);
    assert_int_equal(json_integer_value(json_object_get(v, "group_size")), 32);
    assert_int_equal(look_up(d, "model.layers.0.mlp.gate_up_proj", &v)[0], '-');
    assert_null(look_up(d, "model.layers.1.mlp.gate_up_proj", &v));
    json_decref(root);
    json_decref(twin);
}

/* A rule that hits a fused name but not its parts must not decide there; layers are named when they differ. */
static void fused_names(void **state) {
    (void)state;
    static const char *const rules[] = { "re:.*qkv_proj|.*o_proj=bits:8", "layers.1.mlp.{gate,up}_proj=keep" };
    write_with("gptq:w4g32+asym", rules, 2);
    json_t *root, *v, *d = read_dynamic("config.json", &root);
    assert_string_equal(look_up(d, "model.layers.0.self_attn.qkv_proj", &v),
                        "+:model\\.layers\\.\\d+\\.self_attn\\.qkv_proj$");
    assert_int_equal(json_integer_value(json_object_get(v, "bits")), 4);
    assert_true(json_is_false(json_object_get(v, "sym")));
    assert_string_equal(look_up(d, "model.layers.1.mlp.gate_up_proj", &v),
                        "-:model\\.layers\\.(?:1)\\.mlp\\.gate_up_proj$");
    assert_null(look_up(d, "model.layers.0.mlp.gate_up_proj", &v));
    json_decref(root);
}

/* Each linear comes back with its own setting and the values its own rounding gives; what is kept equals the
 * source in float16. */
static void read_back(void **state) {
    (void)state;
    static const char *const rules[] = { "self_attn=bits:8,group_size:64", "layers.0.mlp.down_proj=keep",
                                         "down_proj=asym,act_order,group_size:16",
                                         "layers.1.mlp=bits:3,group_size:-1" };
    qz_model *m;
    write_with("gptq:w4g32", rules, 4);
    OK(qz_artifact_open(NULL, folder, &m, err));
    static const struct { int lin; size_t layer; uint32_t bits, group; bool sym; } want[] = {
        { QZ_ATTN_Q, 0, 8, 64, true }, { QZ_ATTN_O, 1, 8, 64, true }, { QZ_MLP_DOWN, 0, 0, 0, false },
        { QZ_MLP_DOWN, 1, 4, 16, false },
        { QZ_MLP_GATE, 0, 4, 32, true }, { QZ_MLP_UP, 1, 3, 0, true } };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const qz_tensor_view *t = m->blocks[want[i].layer].linear[want[i].lin],
                             *src = model->blocks[want[i].layer].linear[want[i].lin];
        uint32_t group = want[i].group ? want[i].group : (uint32_t)t->cols;
        float x[512], y[512], scales[64];
        uint8_t codes[512], zeros[64];
        if (!want[i].bits) {
            assert_int_equal(t->type, QZ_TYPE_F16);
            qz_tensor_decode(t, 3, 1, y);
            qz_tensor_decode(src, 3, 1, x);
            for (size_t k = 0; k < t->cols; k++) assert_true(y[k] == qz_f16_to_f32(qz_f32_to_f16(x[k])));
            continue;
        }
        assert_int_equal(t->type, QZ_TYPE_CODED);
        assert_int_equal(qz_int_group_of(t->coded)->bits, want[i].bits);
        assert_int_equal(qz_int_group_of(t->coded)->group_size, group);
        assert_int_equal(qz_int_group_of(t->coded)->sym, want[i].sym);
        assert_true((qz_int_group_of(t->coded)->g_idx != NULL) == (want[i].lin == QZ_MLP_DOWN));
        if (qz_int_group_of(t->coded)->g_idx) continue;
        qz_tensor_decode(t, 3, 1, y);
        qz_tensor_decode(src, 3, 1, x);
        qz_int_group_rtn_row(x, t->cols, group, want[i].bits, want[i].sym, (qz_int_row){codes, scales, zeros});
        for (size_t k = 0; k < t->cols; k++) {
            float s = qz_f16_to_f32(qz_f32_to_f16(scales[k / group]));
            assert_true(y[k] == ((float)codes[k] - (float)zeros[k / group]) * s);
        }
    }
    assert_non_null(strstr(m->encoding, "of 21 linears otherwise"));
    assert_string_equal(m->contract, "W3-16A16");
    qz_model_free(m);
}

static int setup(void **state) {
    (void)state;
    qz_error err = {0};
    if (!mkdtemp(dir)) return -1;
    snprintf(folder, sizeof folder, "%s/out", dir);
    return qz_model_open(NULL, source, &model, &err) == QZ_OK ? 0 : (fprintf(stderr, "%s\n", err.text), -1);
}
static int teardown(void **state) {
    (void)state;
    qz_error err = {0};
    qz_model_free(model);
    qz_arena_release(&arena);
    return qz_remove_tree(dir, &err) == QZ_OK ? 0 : -1;
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(patterns), cmocka_unit_test(settings),
                                       cmocka_unit_test(refused), cmocka_unit_test(on_a_model),
                                        cmocka_unit_test(object), cmocka_unit_test(fused_names),
                                        cmocka_unit_test(read_back) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
