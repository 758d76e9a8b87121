/* Checkpoints that are known by names and shapes alone. Outside truth: models of transformers 5.24 (tests/golden/zoo2),
 * whose experts stand in one tensor: every element of every expert is looked up by transformers' own indexing
 * (even and odd columns of gpt_oss, halves of the others), and names as llm-compressor's recipes list them. */
#include "artifacts/loose.h"
#include "artifacts/testing.h"
#include "base/bytes.h"
#include "base/half.h"
#include "formats/dtypes.h"
#include <stdlib.h>
#include <sys/stat.h>

#define ZOO "tests/golden/zoo2/"

static qz_model *opened(const char *path) {
    qz_model *m = NULL;
    OK(qz_loose_open(NULL, path, &m, err));
    return m;
}

/* ---- verdicts by name and shape ---- */
typedef struct { const char *name; uint32_t n_dims; qz_st_dtype dtype; const char *what; } verdict;
static void names_decide(void **state) {
    static const verdict rows[] = {
        { "model.layers.0.self_attn.q_proj.weight", 2, QZ_ST_BF16, NULL },
        { "model.language_model.layers.3.mlp.gate_proj.weight", 2, QZ_ST_BF16, NULL },
        { "model.layers.0.mlp.experts.7.w2.weight", 2, QZ_ST_F16, NULL },
        { "backbone.layers.0.mixer.in_proj.weight", 2, QZ_ST_F32, NULL },
        { "model.layers.2.conv.in_proj.weight", 2, QZ_ST_BF16, NULL },
        { "model.layers.0.self_attn.q_b_proj.weight", 2, QZ_ST_BF16, NULL },
        { "model.layers.0.mlp.experts.gate_up_proj", 3, QZ_ST_BF16, NULL },
        { "lm_head.weight", 2, QZ_ST_BF16, "output matrices" },
        { "model.embed_tokens.weight", 2, QZ_ST_BF16, "embeddings" },
        { "transformer.wte.weight", 2, QZ_ST_BF16, "embeddings" },
        { "model.layers.0.mlp.gate.weight", 2, QZ_ST_BF16, "routers" },
        { "model.layers.0.block_sparse_moe.gate.weight", 2, QZ_ST_BF16, "routers" },
        { "model.layers.0.router.proj.weight", 2, QZ_ST_BF16, "routers" },
        { "model.layers.0.mlp.shared_expert_gate.weight", 2, QZ_ST_BF16, "routers" },
        { "model.visual.blocks.0.attn.qkv.weight", 2, QZ_ST_BF16, "vision towers" },
        { "vision_tower.encoder.layers.0.fc1.weight", 2, QZ_ST_BF16, "vision towers" },
        { "audio_tower.layers.0.fc1.weight", 2, QZ_ST_BF16, "audio towers" },
        { "multi_modal_projector.linear_1.weight", 2, QZ_ST_BF16, "projectors" },
        { "mlp1.1.weight", 2, QZ_ST_BF16, "projectors" },
        { "mtp.layers.0.mlp.experts.gate_up_proj", 3, QZ_ST_BF16, "prediction heads" },
        { "backbone.layers.0.mixer.x_proj.weight", 2, QZ_ST_BF16, "state projections" },
        { "model.layers.0.linear_attn.in_proj_ba.weight", 2, QZ_ST_BF16, "state projections" },
        { "model.layers.0.linear_attn.conv1d.weight", 3, QZ_ST_BF16, "convolutions" },
        { "model.layers.0.input_layernorm.weight", 1, QZ_ST_BF16, "norms" },
        { "model.layers.0.self_attn.q_proj.bias", 1, QZ_ST_BF16, "biases" },
        { "model.layers.0.self_attn.sinks", 1, QZ_ST_BF16, "vectors" },
        { "model.layers.0.mixer.A_log", 2, QZ_ST_F32, "tables" },
        { ".weight", 2, QZ_ST_F32, "tables" },
        { "model.layers.0.mlp.other.weight", 3, QZ_ST_F32, "tensors of more dimensions" },
        { "model.layers.0.self_attn.q_proj.weight", 2, QZ_ST_I64, "tensors of other types" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const qz_st_tensor t = { .name = rows[i].name, .n_dims = rows[i].n_dims, .dtype = rows[i].dtype,
                                 .dims = { 4, 4, 4 }, .elems = 64 };
        const qz_loose_rule *r = qz_loose_judge(&t);
        if ((r == NULL) != (rows[i].what == NULL) || (r && strcmp(r->what, rows[i].what) != 0))
            fail_msg("'%s': expected %s, found %s", rows[i].name, rows[i].what ? rows[i].what : "a linear",
                     r ? r->what : "a linear");
        if (r) assert_true(strlen(r->why) > 8);
    }
}

/* ---- experts in one tensor ---- */
static float element(const qz_st_tensor *t, uint64_t e, uint64_t i, uint64_t k) {
    const uint64_t cols = t->n_dims == 3 ? t->dims[2] : 1;
    return qz_bf16_to_f32(qz_load_u16le(t->data + 2 * ((e * t->dims[1] + i) * cols + k)));
}

typedef struct { const char *model, *parent; size_t experts; bool turned, between, biases; } layout;
/* Row r, column c of expert e's gate (half 0), up (1) or down (2). */
static float expected(const layout *x, const qz_st_tensor *t, size_t e, int half, size_t r, size_t c) {
    const size_t rows = half == 2 ? r : x->between ? 2 * r + (size_t)half : r + (size_t)half * 32;
    return x->turned ? element(t, e, c, rows) : element(t, e, rows, c);
}

static void check_matrix(const qz_model *m, const layout *x, size_t e, int half) {
    static const char *const leaf[] = { "gate_proj", "up_proj", "down_proj" };
    char name[160], stored[160];
    float row[64];
    (void)snprintf(name, sizeof name, "%s.%zu.%s.weight", x->parent, e, leaf[half]);
    (void)snprintf(stored, sizeof stored, "%s.%s", x->parent, half == 2 ? "down_proj" : "gate_up_proj");
    const qz_tensor_view *v = qz_model_find(m, name);
    const qz_st_tensor *t = qz_folder_stored(m, stored);
    assert_non_null(v);
    assert_non_null(t);
    assert_int_equal(v->rows, half == 2 ? 64 : 32);
    assert_int_equal(v->cols, half == 2 ? 32 : 64);
    assert_int_equal(qz_tensor_float_type(v), QZ_TYPE_BF16);
    for (size_t r = 0; r < v->rows; r++) {
        qz_tensor_decode(v, r, 1, row);
        for (size_t c = 0; c < v->cols; c++)
            if (row[c] != expected(x, t, e, half, r, c))
                fail_msg("%s [%zu, %zu]: expected %g, found %g", name, r, c, (double)expected(x, t, e, half, r, c),
                         (double)row[c]);
    }
    if (!x->biases) return;
    (void)snprintf(name, sizeof name, "%s.%zu.%s.bias", x->parent, e, leaf[half]);
    (void)snprintf(stored, sizeof stored, "%s.%s_bias", x->parent, half == 2 ? "down_proj" : "gate_up_proj");
    const size_t n = v->rows;
    v = qz_model_find(m, name);
    t = qz_folder_stored(m, stored);
    assert_non_null(v);
    assert_int_equal(v->cols, n);
    qz_tensor_decode(v, 0, 1, row);
    for (size_t r = 0; r < n; r++) assert_true(row[r] == element(t, e, half == 2 ? r : 2 * r + (size_t)half, 0));
}

static void experts_come_apart(void **state) {
    static const layout rows[] = {
        { "../zoo/gpt_oss", "model.layers.1.mlp.experts", 5, true, true, true },
        { "../zoo/llama4", "model.layers.3.feed_forward.experts", 3, true, false, false },
        { "qwen3_5_moe", "model.layers.0.mlp.experts", 4, false, false, false },
    };
    char path[64], beyond[160];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        (void)snprintf(path, sizeof path, ZOO "%s", rows[i].model);
        qz_model *m = opened(path);
        for (size_t e = 0; e < rows[i].experts; e++)
            for (int half = 0; half < 3; half++) check_matrix(m, &rows[i], e, half);
        (void)snprintf(beyond, sizeof beyond, "%s.%zu.gate_proj.weight", rows[i].parent, rows[i].experts);
        assert_null(qz_model_find(m, beyond));
        assert_null(m->blocks);
        qz_model_free(m);
    }
}

/* ---- which side is the input ---- */
static char dir[] = "/tmp/qz_loose_XXXXXX", folder[64];
typedef struct { const char *name; uint32_t n_dims; uint64_t dims[3]; } made;

/* A checkpoint of BF16 zeros. */
static qz_model *made_model(const char *config, const made *t, size_t n) {
    static const uint8_t zeros[1 << 16];
    qz_st_item items[8];
    qz_st_writer w;
    char path[128], sha[65];
    for (size_t i = 0; i < n; i++) {
        items[i] = (qz_st_item){ t[i].name, QZ_ST_BF16, t[i].n_dims, { 0 } };
        memcpy(items[i].dims, t[i].dims, sizeof t[i].dims);
    }
    (void)snprintf(path, sizeof path, "%s/config.json", folder);
    OK(qz_write_file(path, config, strlen(config), err));
    (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
    (void)remove(path);
    OK(qz_st_writer_open(&w, path, &(qz_st_plan){ items, n, NULL, 0 }, err));
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = 0;
        OK(qz_st_item_bytes(&items[i], &bytes, err));
        OK(qz_st_writer_write(&w, zeros, (size_t)bytes, err));
    }
    OK(qz_st_writer_commit(&w, sha, err));
    return opened(folder);
}

#define E "model.layers.0.mlp.experts."
#define OTHER { "a", 1, { 8 } }
#define APART(gate, up, down, a, b)                                                                                  \
    { E gate, 3, { 2, a, b } }, { E up, 3, { 2, a, b } }, { E down, 3, { 2, b, a } }
#define FUSED(a, b, experts, c, d) { E "gate_up_proj", 3, { 2, a, b } }, { E "down_proj", 3, { experts, c, d } }, OTHER
static void sides_are_told_or_not(void **state) {
    static const char misfit[] = "do not fit each other", no_width[] = "{\"model_type\":\"x\"}",
                      width[] = "{\"model_type\":\"x\",\"text_config\":{\"hidden_size\":8}}";
    static const struct { const char *config; made t[3]; const char *what; size_t rows, cols; } rows[] = {
        /* gate, up and down apart: the width decides */
        { width, { APART("gate_proj", "up_proj", "down_proj", 4, 8) }, NULL, 4, 8 },
        { width, { APART("w1", "w3", "w2", 8, 4) }, NULL, 4, 8 },
        { no_width, { APART("gate_proj", "up_proj", "down_proj", 4, 8) }, "cannot be told", 0, 0 },
        { width, { APART("gate_proj", "up_proj", "down_proj", 8, 8) }, "cannot be told", 0, 0 },
        /* fused: the shapes alone do, square or not */
        { no_width, { FUSED(8, 8, 2, 8, 4) }, NULL, 4, 8 },
        { no_width, { FUSED(8, 8, 2, 4, 8) }, NULL, 4, 8 },
        { no_width, { FUSED(8, 16, 2, 8, 8) }, NULL, 8, 8 },
        { no_width, { FUSED(8, 8, 2, 8, 5) }, misfit, 0, 0 },
        { no_width, { FUSED(8, 8, 3, 8, 4) }, misfit, 0, 0 },
        { no_width, { { E "gate_up_proj", 3, { 2, 8, 8 } }, OTHER, { "b", 1, { 8 } } }, misfit, 0, 0 },
        { no_width,
          { { E "gate_up_proj", 3, { 2, 8, 8 } }, { E "down_proj", 3, { 2, 8, 4 } },
            { E "0.gate_proj.weight", 2, { 4, 8 } } },
          misfit, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qz_model *m = made_model(rows[i].config, rows[i].t, 3);
        const qz_loose_rule *r = m->loose->t[0].rule;
        if (rows[i].what) {
            assert_non_null(r);
            if (!strstr(r->why, rows[i].what)) fail_msg("row %zu: %s", i, r->why);
            assert_int_equal(m->loose->n_split, 0);
        } else {
            const qz_tensor_view *v = &m->tensors[m->loose->t[0].first];
            if (r) fail_msg("row %zu: %s", i, r->why);
            assert_int_equal(v->rows, rows[i].rows);
            assert_int_equal(v->cols, rows[i].cols);
        }
        qz_model_free(m);
    }
}

/* ---- merged by engines ---- */
static void merged_by_name(void **state) {
    qz_model *m = opened(ZOO "../zoo/llama4");
    const qz_tensor_view *all[QZ_LOOSE_MERGED_MOST];
    static const struct { const char *name; size_t n; } rows[] = {
        { "model.layers.0.self_attn.k_proj.weight", 3 },
        { "model.layers.0.self_attn.o_proj.weight", 1 },
        { "model.layers.1.feed_forward.experts.2.up_proj.weight", 2 },
        { "model.layers.1.feed_forward.experts.2.down_proj.weight", 1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const qz_tensor_view *t = qz_model_find(m, rows[i].name);
        bool self = false;
        const size_t n = qz_loose_merged(m, t, all);
        assert_int_equal(n, rows[i].n);
        for (size_t k = 0; k < n; k++) self |= all[k] == t;
        assert_true(self);
    }
    qz_model_free(m);
}

static int set_up(void **state) {
    (void)state;
    if (mkdtemp(dir) == NULL) return -1;
    (void)snprintf(folder, sizeof folder, "%s/m", dir);
    return mkdir(folder, 0755);
}
static int tear_down(void **state) {
    qz_error err = {0};
    (void)state;
    (void)qz_remove_tree(folder, &err);
    return qz_remove_tree(dir, &err) == QZ_OK ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_decide), cmocka_unit_test(experts_come_apart), cmocka_unit_test(sides_are_told_or_not),
        cmocka_unit_test(merged_by_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
