/* ModelOpt folders. Outside truth: exports of Model-Optimizer 0.47.0 (tests/golden/modelopt), every tensor by its hash
 * and the settings word for word; lies are one change to a good folder each. Round trips: ct_ints_test.c. */
#include "artifacts/testing.h"
#include "base/hash.h"
#include "base/json.h"
#include "formats/dtypes.h"
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/qz_mo_XXXXXX", folder[64];
#define QWEN2 "tests/golden/zoo/qwen2"

/* ---- the library's exports ---- */
static void write_as_reference(const char *scheme) {
    qz_model *m;
    qz_scheme_spec spec;
    qz_arena a = {0};
    qz_artifact_plan plan;
    const qz_artifact_context ctx = { .source_dir = QWEN2, .as_reference = true };
    OK(qz_artifact_open(NULL, QWEN2, &m, err));
    OK(qz_scheme_parse(scheme, &spec, err));
    OK(qz_artifact_plan_make(NULL, m, &spec, &ctx, &a, &plan, err));
    for (size_t i = 0; i < plan.n_items; i++) plan.items[i].input_amax = 1; /* input_scale is not compared */
    write_plan(&plan, NULL, folder);
    qz_arena_release(&a);
    qz_model_free(m);
}

static void same_settings(const char *file, const char *wanted) {
    char path[256];
    json_t *root, *want = json_loads(wanted, 0, NULL);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    OK(qz_json_load(path, 1 << 20, &root, err));
    const json_t *q = strcmp(file, "config.json") == 0 ? json_object_get(root, "quantization_config") : root;
    char *have = json_dumps(q, JSON_COMPACT);
    if (!json_equal(q, want)) fail_msg("%s: expected %s, found %s", file, wanted, have);
    free(have);
    json_decref(root), json_decref(want);
}

static void same_tensor(const qz_st *st, const char *algo, const char *name, const char *shape, const char *sha) {
    const qz_st_tensor *t = qz_st_find(st, name);
    char found[96], hex[65];
    qz_sha256 h = {0};
    if (!t) fail_msg("%s: no tensor '%s'", algo, name);
    int n = snprintf(found, sizeof found, "%s [", qz_st_dtype_name(t->dtype));
    for (uint32_t d = 0; d < t->n_dims; d++)
        n += snprintf(found + n, sizeof found - (size_t)n, "%s%llu", d ? ", " : "", (unsigned long long)t->dims[d]);
    snprintf(found + n, sizeof found - (size_t)n, "]");
    qz_sha256_update(&h, t->data, t->bytes);
    qz_sha256_final_hex(&h, hex);
    if (strcmp(found, shape) != 0) fail_msg("%s: tensor '%s': expected %s, found %s", algo, name, shape, found);
    if (strcmp(sha, "-") != 0 && strcmp(hex, sha) != 0)
        fail_msg("%s: tensor '%s': other bytes than the library's", algo, name);
}

static void exports(void **state) {
    (void)state;
    static const struct { const char *algo, *scheme; } cases[] = {
        { "W4A16_NVFP4", "modelopt:nvfp4a16" },
        { "FP8_PER_CHANNEL_PER_TOKEN", "modelopt:fp8_dynamic" },
        { "mxfp4", "modelopt:mxfp4" },
        { "MXFP8", "modelopt:mxfp8" },
        { "FP8", "modelopt:fp8" },
        { "NVFP4", "modelopt:nvfp4" },
        { "FP8+kv", "modelopt:fp8+kv" },
    };
    char *text, path[128];
    size_t n, compared = 0;
    OK(qz_read_file("tests/golden/modelopt/qwen2.tsv", 1 << 20, &text, &n, err));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qz_st st;
        write_as_reference(cases[i].scheme);
        snprintf(path, sizeof path, "%s/model.safetensors", folder);
        OK(qz_st_open(&st, path, err));
        size_t tensors = 0;
        for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
            char algo[64], name[128], shape[640], sha[80];
            const size_t wide = strcspn(line, "\t");
            if (strncmp(line, cases[i].algo, wide) != 0 || cases[i].algo[wide] != 0) continue;
            const int fields = sscanf(line, "%63[^\t\n]\t%127[^\t\n]\t%639[^\t\n]\t%79[^\t\n]", algo, name, shape, sha);
            assert_true(fields >= 3);
            if (qz_str_ends(name, ".json")) same_settings(name, shape);
            else same_tensor(&st, algo, name, shape, sha), tensors++;
        }
        size_t inputs = 0;
        for (size_t t = 0; t < st.n; t++) inputs += qz_str_ends(st.tensors[t].name, ".input_scale");
        assert_int_equal(tensors + inputs, st.n); /* nor is there one more */
        compared += tensors;
        qz_st_release(&st);
    }
    assert_true(compared >= 200);
    qz_free(text);
}

/* ---- lies ---- */
typedef struct { const char *name, *new_name; uint64_t rows; int byte; } edit; /* rows, byte: 0: as they are */
static void change(const void *arg, qz_st_item *it, uint8_t *data, size_t bytes) {
    const edit *e = arg;
    if (strcmp(it->name, e->name) != 0) return;
    if (data && e->byte) memset(data, e->byte, bytes < 4 ? bytes : 4);
    if (data) return;
    if (e->new_name) it->name = e->new_name;
    if (e->rows) it->dims[1] = it->dims[0] * it->dims[1] / e->rows, it->dims[0] = e->rows;
}
static void expect(const char *what, const char *fragment) { open_lie(what, folder, fragment, NULL); }

#define UP "model.layers.1.mlp.up_proj"
static void lies(void **state) {
    (void)state;
    static const struct { const char *scheme; edit e; const char *error; } tensors[] = {
        { "modelopt:nvfp4a16", { UP ".weight_scale", UP ".other_scale", 0, 0 }, UP ".weight_scale' is missing" },
        { "modelopt:nvfp4a16", { UP ".weight_scale_2", UP ".scale_2", 0, 0 }, UP ".weight_scale_2' is missing" },
        { "modelopt:nvfp4a16", { UP ".weight_scale", NULL, 320, 0 }, "expected scales [160, 4]" },
        { "modelopt:nvfp4a16", { UP ".weight_scale", NULL, 0, 0x7f }, "expected a finite number above 0" },
        { "modelopt:nvfp4a16", { UP ".weight_scale", NULL, 0, 0x81 }, "expected a finite number above 0" },
        { "modelopt:nvfp4a16", { UP ".weight_scale_2", NULL, 0, 0xff }, "expected a finite number above 0" },
        { "modelopt:nvfp4a16", { "model.layers.0.input_layernorm.weight", UP ".weight_global_scale", 0, 0 },
          "scales of two conventions" },
        { "modelopt:nvfp4a16", { "model.layers.0.input_layernorm.weight", UP ".pre_quant_scale", 0, 0 },
          "inputs are multiplied" },
        { "modelopt:mxfp4", { UP ".weight_scale", NULL, 0, 0xff }, "expected a finite number above 0" },
        { "modelopt:fp8_dynamic", { UP ".weight", NULL, 0, 0x7f }, "code that is no number" },
        { "modelopt:mxfp8", { UP ".weight", NULL, 0, 0xff }, "code that is no number" },
    };
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        convert(QWEN2, tensors[i].scheme, folder);
        edit_weights(folder, "model.safetensors", change, &tensors[i].e);
        expect(tensors[i].e.name, tensors[i].error);
    }
    static const struct { const char *scheme, *file, *from, *to, *error; } settings[] = {
        { "modelopt:nvfp4a16", NULL, "\"W4A16_NVFP4\"", "\"NVFP4\"", "a scale of the inputs is missing" },
        { "modelopt:nvfp4a16", NULL, "\"W4A16_NVFP4\"", "\"NVFP4_AWQ\"", "found 'NVFP4_AWQ'" },
        { "modelopt:nvfp4a16", "config.json", "\"W4A16_NVFP4\"", "\"MXFP4\"", "settings of two files" },
        { "modelopt:nvfp4a16", NULL, "\"W4A16_NVFP4\"", "\"MIXED_PRECISION\"", "key 'quantized_layers'" },
        { "modelopt:nvfp4a16", "config.json", "\"lm_head\"", "\"model.layers.1*\"", "leaves it float" },
        { "modelopt:nvfp4a16", "config.json", "\"lm_head\"", "\"*.layers.?.mlp.up*\"", "leaves it float" },
        { "modelopt:nvfp4a16", "config.json", "\"lm_head\"", "\"*.layers.?.mlp.up\"", NULL },
        { "modelopt:nvfp4a16", "config.json", "\"quant_method\": \"modelopt\"",
          "\"quant_method\": \"modelopt_fp4\"", NULL },
        { "modelopt:nvfp4a16", "hf_quant_config.json", "\"group_size\": 16", "\"group_size\": 32", NULL },
        { "modelopt:nvfp4a16", "config.json", "\"quantization_config\"", "\"generic_config\"", NULL }, /* old exports */
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        convert(QWEN2, settings[i].scheme, folder);
        for (int twin = 0; twin < 2; twin++) { /* file NULL: both */
            const char *name = twin ? "hf_quant_config.json" : "config.json";
            if (settings[i].file && strcmp(settings[i].file, name) != 0) continue;
            replace_text(folder, name, settings[i].from, settings[i].to);
        }
        expect(settings[i].to, settings[i].error);
    }
    replace_text(folder, "hf_quant_config.json", "\"group_size\": 16", "\"group_size\": 32");
    expect("groups of the old file", "key 'group_size': expected 16");
}

/* Settings for each module: a folder of two formats, put together of two. */
static void mixed(void **state) {
    (void)state;
    convert(QWEN2, "modelopt:fp8_dynamic", folder);
    replace_text(folder, "config.json", "\"FP8_PER_CHANNEL_PER_TOKEN\"",
                 "\"MIXED_PRECISION\", \"quantized_layers\": {\"" UP "\": {\"quant_algo\": \"FP8\"}}");
    replace_text(folder, "hf_quant_config.json", "FP8_PER_CHANNEL_PER_TOKEN", "MIXED_PRECISION");
    expect("one of them named", "'quantized_layers' in");
    qz_str s = {0};
    const char *const linears[] = { "self_attn.q", "self_attn.k", "self_attn.v", "self_attn.o", "mlp.gate", "mlp.up",
                                    "mlp.down" };
    for (int l = 0; l < 3; l++)
        for (size_t i = 0; i < sizeof linears / sizeof *linears; i++)
            qz_str_printf(&s, "\"model.layers.%d.%s_proj\": {\"quant_algo\": \"FP8_PER_CHANNEL_PER_TOKEN\"}, ", l,
                          linears[i]);
    qz_str_puts(&s, "\"x\": {\"quant_algo\": \"FP8\"}");
    replace_text(folder, "config.json", "\"" UP "\": {\"quant_algo\": \"FP8\"}", s.ptr);
    expect("all of them named", NULL);
    qz_str_release(&s);
}

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return -1;
    snprintf(folder, sizeof folder, "%s/a", dir);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    qz_error err = {0};
    return qz_remove_tree(dir, &err) == QZ_OK ? 0 : -1;
}
int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(exports), cmocka_unit_test(lies), cmocka_unit_test(mixed) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
