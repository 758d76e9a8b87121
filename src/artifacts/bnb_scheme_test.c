/* bitsandbytes folders. Outside truth: tensors and quant_state texts of bitsandbytes 0.50.2
 * (tests/golden/bnb/bnb.safetensors); the config keys of transformers 5.23 (formats/hf-bitsandbytes.md section 7). */
#include "artifacts/bnb_int.h"
#include "artifacts/testing.h"
#include "base/half.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <stdlib.h>

static qz_st golden;
static char dir[] = "/tmp/qz_bnb_XXXXXX", folder[64];

static const qz_st_tensor *get(const char *set, const char *name) { return golden_tensor(&golden, set, name); }

/* The text of the library; ours may go on with spaces where a shorter number leaves room. */
static void state_texts(void **state) {
    (void)state;
    static const struct { const char *set, *scheme, *kind; qz_type dtype; } cases[] = {
        { "nf4_f32", "bnb:nf4", "nf4", QZ_TYPE_F32 }, { "fp4_f32", "bnb:fp4", "fp4", QZ_TYPE_F32 },
        { "nf4_dq_f32", "bnb:nf4+double", "nf4", QZ_TYPE_F32 }, { "nf4_dq_f16", "bnb:nf4+double", "nf4", QZ_TYPE_F16 },
        { "nf4_dq_bf16", "bnb:nf4+double", "nf4", QZ_TYPE_BF16 },
        { "fp4_dq_f32", "bnb:fp4+double", "fp4", QZ_TYPE_F32 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[64], text[QZ_BNB_STATE];
        qz_scheme_spec s;
        qz_tensor_view v = { .type = cases[i].dtype };
        qz_artifact_item it = { .source = &v, .rows = 96, .cols = 192 };
        float offset = 0;
        snprintf(name, sizeof name, "weight.quant_state.bitsandbytes__%s", cases[i].kind);
        const qz_st_tensor *want = get(cases[i].set, name);
        OK(qz_scheme_parse(cases[i].scheme, &s, err));
        if (s.nested)
            assert_int_equal(sscanf(strstr((const char *)want->data, "nested_offset\": ") + 16, "%f", &offset), 1);
        size_t n = qz_bnb_state_text(&s, &it, offset, text), pad = n;
        assert_true(n >= want->bytes && n <= want->bytes + 4);
        assert_memory_equal(text, want->data, want->bytes);
        while (pad > want->bytes) assert_int_equal(text[--pad], ' ');
        assert_int_equal(n, qz_bnb_state_text(&s, &it, 0, text)); /* the plan's length */
        assert_int_equal(n, qz_bnb_state_text(&s, &it, 1.17549435e-38f, text));
    }
}

/* Folder of zoo/qwen2 in a scheme. */
static void write_folder(const char *scheme) { convert("tests/golden/zoo/qwen2", scheme, folder); }

static void config(void **state) {
    (void)state;
    qz_folder_config c;
    write_folder("bnb:nf4+double");
    OK(qz_folder_config_load(folder, &c, err));
    json_t *want = json_loads(
        "{\"quant_method\":\"bitsandbytes\",\"_load_in_8bit\":false,\"_load_in_4bit\":true,\"llm_int8_threshold\":6.0,"
        "\"llm_int8_skip_modules\":null,\"llm_int8_enable_fp32_cpu_offload\":false,\"llm_int8_has_fp16_weight\":false,"
        "\"bnb_4bit_quant_type\":\"nf4\",\"bnb_4bit_use_double_quant\":true,\"bnb_4bit_compute_dtype\":\"bfloat16\","
        "\"bnb_4bit_quant_storage\":\"uint8\",\"load_in_4bit\":true,\"load_in_8bit\":false}",
        0, NULL);
    char *a = json_dumps(c.q, 0), *b = json_dumps(want, 0);
    assert_string_equal(a, b); /* keys in the library's order too */
    free(a);
    free(b);
    json_decref(want);
    qz_folder_config_release(&c);
}

/* Changes of the file's header or data; each is one lie. */
typedef struct {
    const char *name, *new_name; /* tensor and what becomes of it */
    qz_st_dtype dtype;           /* 0: as it is (F64 is no type of these files) */
    uint32_t n_dims;
    uint64_t dims[2];
    const char *from, *to;       /* text of equal length in its data */
    const char *error;
} lie;

static void edit(const void *arg, qz_st_item *item, uint8_t *data, size_t bytes) {
    const lie *l = arg;
    if (strcmp(item->name, l->name)) return;
    for (size_t k = 0, n = l->from ? strlen(l->from) : 0; data && n && k + n <= bytes; k++)
        if (memcmp(data + k, l->from, n) == 0) memcpy(data + k, l->to, n);
    if (l->new_name) item->name = l->new_name;
    if (l->dtype) item->dtype = l->dtype;
    if (l->n_dims) item->n_dims = l->n_dims, item->dims[0] = l->dims[0], item->dims[1] = l->dims[1];
}
static void tell(const char *scheme, const lie *l) {
    write_folder(scheme);
    edit_weights(folder, "model.safetensors", edit, l);
    open_lie(l->name, folder, l->error, NULL);
}

#define UP "model.layers.1.mlp.up_proj"
#define STATE UP ".weight.quant_state.bitsandbytes__nf4"
static void lies(void **state) {
    (void)state;
    static const lie four[] = {
        { .name = STATE, .new_name = UP ".weight.quant_stale", .error = "no quant_state" },
        { .name = STATE, .from = "\"nf4\"", .to = "\"nf5\"", .error = "quant_type" },
        { .name = STATE, .from = "bfloat16\", \"shape", .to = "bfloat17\", \"shape", .error = "dtype" },
        { .name = STATE, .from = "blocksize\": 64", .to = "blocksize\": 65", .error = "blocksize" },
        { .name = STATE, .from = "blocksize\": 64", .to = "blocksize\": 32", .error = "absmax" },
        { .name = STATE, .from = "[160, 64]", .to = "[161, 64]", .error = "packed weight" },
        { .name = STATE, .from = "[160, 64]", .to = "[80, 128]", .error = "wrong shape" },
        { .name = STATE, .from = "[160, 64]", .to = "[-60, 64]", .error = "two positive" },
        { .name = STATE, .from = "[160, 64]", .to = "[160, 6 ", .error = UP },
        { .name = STATE, .from = "nested_blocksize\": 256", .to = "nested_blocksize\": 128", .error = "nested_absmax" },
        { .name = STATE, .from = "nested_offset\": 0.", .to = "nested_offset\": tr", .error = UP },
        { .name = UP ".weight.absmax", .new_name = UP ".weight.other", .dtype = 0, .error = UP ".weight" },
        /* a column is as good as a row */
        { .name = UP ".weight.absmax", .n_dims = 2, .dims = { 160, 1 }, .error = NULL },
        {.name = UP ".weight.nested_quant_map", .new_name = UP ".weight.nested_quant_mop",
         .error = "nested_quant_map" },
    };
    for (size_t i = 0; i < sizeof four / sizeof *four; i++) tell("bnb:nf4+double", &four[i]);
    static const lie eight[] = {
        { .name = UP ".SCB", .n_dims = 1, .dims = { 80, 0 }, .dtype = QZ_ST_F64, .error = "SCB" },
        { .name = UP ".SCB", .new_name = UP ".SCD", .error = "SCB" },
        { .name = UP ".weight_format", .error = NULL }, /* unharmed */
        { .name = UP ".weight", .n_dims = 2, .dims = { 64, 160 }, .error = UP },
    };
    for (size_t i = 0; i < sizeof eight / sizeof *eight; i++) tell("bnb:int8", &eight[i]);
}

static int setup(void **state) {
    (void)state;
    qz_error err = {0};
    if (!mkdtemp(dir)) return -1;
    snprintf(folder, sizeof folder, "%s/out", dir);
    return qz_st_open(&golden, "tests/golden/bnb/bnb.safetensors", &err) == QZ_OK
               ? 0
               : (fprintf(stderr, "%s\n", err.text), -1);
}
static int teardown(void **state) {
    (void)state;
    qz_error err = {0};
    qz_st_release(&golden);
    (void)qz_remove_tree(folder, &err);
    return qz_remove_tree(dir, &err) == QZ_OK ? 0 : -1;
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(state_texts), cmocka_unit_test(config),
                                       cmocka_unit_test(lies) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
