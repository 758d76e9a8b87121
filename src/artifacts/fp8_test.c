/* Readers of FP8 folders that others write: one folder of ours under the names and settings of each layout must give
 * the same values. Truth: formats/hf-fp8.md section 1 (E, F, J), hf-fp4.md section 2 (Quark). Lies are refused. */
#include "artifacts/testing.h"
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/qz_fp8_XXXXXX", folder[64], other[64];
#define QWEN2 "tests/golden/zoo/qwen2"

typedef struct {
    const char *scheme;          /* that writes */
    const char *from[2], *to[2]; /* in config.json */
    const char *suffix, *renamed; /* of tensors, NULL: as they are */
    const char *is;              /* what it is taken for, or the error */
    bool refused;
} layout;

static void rename_all(const void *arg, qz_st_item *it, uint8_t *data, size_t bytes) {
    const layout *l = arg;
    static char names[512][128];
    static size_t n;
    (void)bytes;
    if (data || !l->suffix || !qz_str_ends(it->name, l->suffix)) return;
    snprintf(names[n % 512], sizeof names[0], "%.*s%s", (int)(strlen(it->name) - strlen(l->suffix)), it->name,
             l->renamed);
    it->name = names[n++ % 512];
}

static void same_values(const qz_model *a, const qz_model *b) {
    float x[160], y[160];
    size_t coded = 0;
    for (size_t l = 0; l < a->config.layers; l++)
        for (size_t i = 0; i < QZ_LINEARS; i++) {
            const qz_tensor_view *t = a->blocks[l].linear[i], *u = b->blocks[l].linear[i];
            if (!t) continue;
            assert_true(t->coded && u->coded && t->cols <= 160);
            for (size_t r = 0; r < t->rows; r++) {
                qz_tensor_decode(t, r, 1, x), qz_tensor_decode(u, r, 1, y);
                assert_memory_equal(x, y, t->cols * sizeof *x);
            }
            coded++;
        }
    assert_true(coded >= 21);
}

#define BLOCKS "\"weight_block_size\": null"
#define MO_METHOD "\"quant_method\": \"modelopt\""
#define QUARK(type) "\"quant_method\": \"quark\", \"global_quant_config\": {\"weight\": {\"dtype\": \"" type "\"}}"
static void layouts(void **state) {
    (void)state;
    static const layout cases[] = {
        { .scheme = "fp8:tensor", .is = "fp8:tensor" },
        { .scheme = "fp8:tensor", .suffix = ".weight_scale", .renamed = ".weight_scale_inv", .is = "fp8:tensor" },
        { .scheme = "fp8:tensor", .from = { BLOCKS }, .to = { "\"weight_block_size\": [160, 200]" },
          .suffix = ".weight_scale", .renamed = ".weight_scale_inv", .is = "fp8:block" },
        { .scheme = "fp8:tensor", .from = { BLOCKS }, .to = { "\"weight_block_size\": [64, 128]" },
          .suffix = ".weight_scale", .renamed = ".weight_scale_inv", .is = "expected scales [3, 1]", .refused = true },
        { .scheme = "fp8:tensor", .from = { BLOCKS }, .to = { "\"weight_block_size\": [0, 128]" },
          .is = "weight_block_size", .refused = true },
        { .scheme = "fp8:tensor", .from = { "\"dynamic\"" }, .to = { "\"static\"" },
          .is = "a scale of the inputs is missing", .refused = true },
        { .scheme = "fp8:tensor", .suffix = ".weight_scale", .renamed = ".scale",
          .is = "weight_scale' is missing", .refused = true },
        { .scheme = "fp8:block", .is = "fp8:block" },
        { .scheme = "fp8:block+ue8m0", .is = "fp8:block" },
        { .scheme = "fp8:block", .from = { "\"weight_block_size\"" }, .to = { "\"weight_blocks\"" },
          .is = "fp8:tensor" },
        { .scheme = "modelopt:fp8_dynamic", .from = { MO_METHOD }, .to = { "\"quant_method\": \"fbgemm_fp8\"" },
          .is = "fbgemm_fp8" },
        { .scheme = "modelopt:fp8_dynamic", .from = { MO_METHOD }, .to = { QUARK("fp8_e4m3") }, .is = "quark" },
        { .scheme = "modelopt:mxfp4", .from = { MO_METHOD }, .to = { QUARK("fp4") }, .is = "quark" },
        { .scheme = "modelopt:mxfp4", .from = { MO_METHOD }, .to = { QUARK("int4") }, .is = "found int4",
          .refused = true },
        { .scheme = "modelopt:mxfp4", .from = { MO_METHOD, "\"ignore\"" },
          .to = { QUARK("fp4"), "\"layer_quant_config\": {\"a\": {}}, \"ignore\"" }, .is = "layer_quant_config",
          .refused = true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const layout *c = &cases[i];
        qz_model *a, *b;
        convert(QWEN2, c->scheme, folder);
        convert(QWEN2, c->scheme, other);
        edit_weights(other, "model.safetensors", rename_all, c);
        for (int k = 0; k < 2 && c->from[k]; k++) replace_text(other, "config.json", c->from[k], c->to[k]);
        open_lie(c->scheme, other, c->refused ? c->is : NULL, NULL);
        if (c->refused) continue;
        OK(qz_artifact_open(NULL, folder, &a, err));
        OK(qz_artifact_open(NULL, other, &b, err));
        assert_string_equal(b->scheme, c->is);
        same_values(a, b);
        qz_model_free(a), qz_model_free(b);
    }
}

/* Merged matrices share a scale, so that no server codes them again. */
static void shared_scales(void **state) {
    (void)state;
    static const char *const names[] = { "q_proj", "k_proj", "v_proj" };
    float scale[3];
    qz_model *m;
    convert(QWEN2, "fp8:tensor", folder);
    OK(qz_artifact_open(NULL, folder, &m, err));
    for (int i = 0; i < 3; i++) {
        int zero;
        const qz_coded *c = m->blocks[1].linear[i]->coded;
        assert_non_null(strstr(m->blocks[1].linear[i]->name, names[i]));
        scale[i] = c->ops->scale(c, 0, 0, &zero);
    }
    assert_true(scale[0] == scale[1] && scale[1] == scale[2]);
    qz_model_free(m);
}

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return -1;
    snprintf(folder, sizeof folder, "%s/a", dir);
    snprintf(other, sizeof other, "%s/b", dir);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    qz_error err = {0};
    return qz_remove_tree(dir, &err) == QZ_OK ? 0 : -1;
}
int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(layouts), cmocka_unit_test(shared_scales) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
