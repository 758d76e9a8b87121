/* The inputs of a block and the sites that read them: every site finds an input of its own width, every
 * input is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "model/families.h"
#include "model/kinds.h"
#include "model/model.h"

static void must(qz_status st, const qz_error *err) {
    if (st != QZ_OK) fail_msg("%s", err->text);
}

/* The linears of a block by number: each is a site, or a part of one, with the same rows and the same input. */
static void check_linears(const qz_config *c, const qz_input_widths *w, size_t layer, const qz_site *sites, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t rows = 0;
        for (int l = sites[i].part; qz_site_linear(&sites[i]) && l < sites[i].part + sites[i].parts; l++) {
            qz_site s;
            assert_true(qz_site_of(c, layer, (size_t)l, &s));
            assert_int_equal(s.stage, sites[i].stage);
            assert_int_equal(s.shard, sites[i].shard);
            assert_int_equal(qz_input_of(w, layer, (size_t)l, s.experts ? 0 : -1),
                             qz_site_input(w, layer, &sites[i], 0));
            rows += s.rows;
        }
        if (qz_site_linear(&sites[i])) assert_int_equal(rows, sites[i].rows);
    }
}

/* What folds takes as many scales as the input has columns; every row of the earlier linear gets one, each column's
 * scale goes somewhere. */
static void check_fold(const qz_config *c, size_t layer, const qz_input *in) {
    enum { MOST = 4096 };
    static bool taken[MOST];
    const qz_fold f = qz_fold_of(c, layer, in);
    qz_site before;
    assert_int_equal(f.kind, in->fold);
    if (f.kind != QZ_FOLD_ROWS) return;
    assert_true(qz_site_of(c, layer, f.linear, &before));
    assert_in_range(in->cols, 1, MOST);
    memset(taken, 0, sizeof taken);
    for (size_t r = 0; r < before.rows; r++) taken[qz_fold_column(&f, r)] = true;
    for (size_t k = 0; k < in->cols; k++) assert_int_equal(taken[k], f.width == 0 || k / f.width % f.share == 0);
    assert_int_equal(before.rows * f.share, in->cols);
}

static bool reads(const qz_site *s) { return qz_site_linear(s) || s->kind == QZ_SITE_ROUTER; }
static void check_layer(const qz_config *c, const qz_input_widths *w, size_t layer, size_t stages, size_t inputs) {
    enum { MOST = 64 };
    size_t read[MOST] = {0};
    qz_site sites[QZ_MAX_SITES];
    const size_t n = qz_sites(c, layer, sites);
    assert_int_equal(qz_stages(w, layer), stages);
    assert_int_equal(qz_inputs(w, layer), inputs);
    assert_in_range(inputs, 1, MOST);
    for (size_t i = 0; i < n; i++)
        for (size_t e = 0; reads(&sites[i]) && e < (sites[i].experts ? sites[i].experts : 1); e++) {
            const size_t at = qz_site_input(w, layer, &sites[i], e);
            assert_in_range(at, 0, inputs - 1);
            const qz_input in = qz_input_at(w, layer, at);
            assert_int_equal(in.cols, sites[i].cols);
            assert_int_equal(in.stage, sites[i].stage);
            assert_int_equal(in.expert, sites[i].experts ? (long)e : -1);
            if (qz_site_linear(&sites[i])) assert_in_range(sites[i].part, in.first, in.first + in.n - 1);
            read[at] += qz_site_linear(&sites[i]) ? (size_t)sites[i].parts : 0;
        }
    for (size_t i = 0; i < inputs; i++) {
        const qz_input in = qz_input_at(w, layer, i);
        assert_int_equal(in.n, read[i]);
        if (in.n) check_fold(c, layer, &in);
    }
    check_linears(c, w, layer, sites, n);
}

static void sites_and_inputs_fit(void **state) {
    (void)state;
    static const char *const models[] = {"llama", "phi3", "gemma3", "mixtral", "qwen3_moe"};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        char path[128];
        qz_config c;
        qz_input_widths w;
        qz_error err = {0};
        (void)snprintf(path, sizeof path, "tests/golden/zoo/%s/config.json", models[m]);
        must(qz_config_load(path, &c, &err), &err);
        qz_input_widths_of(&c, &w);
        for (size_t l = 0; l < c.layers; l++)
            check_layer(&c, &w, l, 4, qz_config_sparse(&c, l) ? 3 + 2 * c.experts : 4);
        assert_int_equal(qz_inputs(&w, c.layers), 1);
        assert_int_equal(qz_input_at(&w, c.layers, 0).cols, c.hidden_size);
    }
}

/* Layers of several kinds in one model: each answers for itself. */
static void kinds_by_layer(void **state) {
    (void)state;
    static const qz_config c = {.layers = 4, .hidden_size = 64, .intermediate_size = 96, .heads = 4, .kv_heads = 2,
                                .head_dim = 16,
                                .experts = 3, .experts_used = 2, .expert_width = 32, .shared_width = 48,
                                .ffn = QZ_KIND_SHARED_EXPERTS,
                                .delta = {.k_heads = 2, .v_heads = 4, .k_dim = 8, .v_dim = 12, .taps = 4},
                                .layer_mixer = {QZ_KIND_DELTA, QZ_KIND_ATTENTION, QZ_KIND_DELTA},
                                .layer_dense = {0, 0, 1, 0}, .parts = QZ_PART_SHARED_GATE};
    static const struct { size_t stages, inputs; const char *out, *part; } want[] = {
        {6, 2 + 1 + 2 * 3 + 2, "linear_attn.out_proj", "model.layers.0.linear_attn.A_log"},
        {6, 11, "self_attn.o_proj", NULL}, {4, 4, "linear_attn.out_proj", "model.layers.2.linear_attn.A_log"},
        {6, 11, "self_attn.o_proj", NULL}};
    qz_input_widths w;
    qz_input_widths_of(&c, &w);
    for (size_t l = 0; l < c.layers; l++) {
        char name[QZ_SITE_NAME];
        qz_site sites[QZ_MAX_SITES];
        bool found = false;
        check_layer(&c, &w, l, want[l].stages, want[l].inputs);
        const qz_input in = qz_stage_input(&w, l, 1);
        assert_string_equal(qz_input_text(&w, l, &in, name), want[l].out);
        for (size_t i = 0, n = qz_sites(&c, l, sites); i < n; i++) {
            assert_true(qz_site_name(&sites[i], l, 0, "weight", name, sizeof name));
            found |= want[l].part && strcmp(name, want[l].part) == 0;
        }
        assert_int_equal(found, want[l].part != NULL);
    }
    /* what all tokens go through comes behind the experts, and reads what they read */
    const qz_input shared = qz_input_at(&w, 0, 9), inner = qz_input_at(&w, 0, 10);
    assert_int_equal(shared.expert, -1);
    assert_int_equal(shared.cols, 64);
    assert_int_equal(inner.cols, 48);
    assert_int_equal(qz_stage_input(&w, 0, 3).expert, 0);
    assert_int_equal(qz_stage_input(&w, 0, 6).n, 0); /* behind the last */
}

/* A family's row says which layers are of which kind; one that says nothing has the usual. */
static void kinds_of_families(void **state) {
    (void)state;
    qz_config c = {.family = QZ_FAMILY_QWEN3_NEXT, .layers = 8};
    qz_config_kinds(&c);
    for (size_t l = 0; l < c.layers; l++)
        assert_int_equal(qz_kind_of(&c, l, QZ_SUB_MIXER), l % 4 == 3 ? QZ_KIND_ATTENTION : QZ_KIND_DELTA);
    for (qz_family f = 0; f < QZ_FAMILY_COUNT; f++) { /* what runs here has a step for all of it */
        c = (qz_config){.family = f, .layers = 8, .experts = qz_family_get(f)->experts};
        qz_config_kinds(&c);
        for (size_t l = 0; l < c.layers; l++)
            for (int s = 0; s < QZ_SUBS; s++) {
                const qz_kind_id k = qz_kind_of(&c, l, (qz_sub)s);
                assert_int_equal(qz_kind_sub(k), s);
                assert_true(qz_kind_runs(k));
            }
    }
}

static const char *text_of(size_t linear, long expert, char buf[QZ_SITE_NAME]) {
    const qz_input_widths w = {.layers = 2, .experts = 16, .kind = {[QZ_SUB_FFN] = {QZ_KIND_MLP, QZ_KIND_EXPERTS}}};
    const size_t layer = expert < 0 ? 0 : 1;
    const qz_input in = qz_input_at(&w, layer, qz_input_of(&w, layer, linear, expert));
    return qz_input_text(&w, layer, &in, buf);
}
static void inputs_have_words(void **state) {
    (void)state;
    char buf[QZ_SITE_NAME];
    assert_string_equal(text_of(QZ_MLP_DOWN, -1, buf), "mlp.down_proj");
    assert_string_equal(text_of(QZ_MLP_DOWN, 3, buf), "expert 3 down");
    assert_string_equal(text_of(QZ_MLP_GATE, 12, buf), "expert 12 gate");
}

/* Names of other models' files: each linear once for each kind and each family's own spelling. */
static void known_sites(void **state) {
    (void)state;
    static const struct { const char *hf, *gguf, *set; qz_shard shard; } want[] = {
        {"self_attn.q_proj", "attn_q", "qkv", QZ_SHARD_COLUMN},
        {"self_attn.o_proj", "attn_output", NULL, QZ_SHARD_ROW},
        {"self_attn.qkv_proj", "attn_qkv", NULL, QZ_SHARD_COLUMN},
        {"self_attn.k_norm", "attn_k_norm", NULL, QZ_SHARD_NONE},
        {"mlp.gate_up_proj", "ffn_up", NULL, QZ_SHARD_COLUMN},
        {"mlp.experts.%zu.down_proj", "ffn_down_exps", NULL, QZ_SHARD_ROW},
        {"block_sparse_moe.experts.%zu.w3", "ffn_up_exps", "gate_up", QZ_SHARD_COLUMN}};
    qz_site s;
    for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
        size_t i = 0;
        while (qz_site_known(i, &s) && strcmp(s.hf, want[k].hf) != 0) i++;
        assert_true(qz_site_known(i, &s));
        assert_string_equal(s.gguf, want[k].gguf);
        assert_int_equal(s.shard, want[k].shard);
        assert_true(want[k].set ? s.fused && strcmp(s.fused->set, want[k].set) == 0 : s.fused == NULL);
    }
}

/* Buffers follow from the linears that are there: none for a dense feed-forward that no layer has. The widest input is
 * the widest site of a layer. */
static void widths_follow_the_sites(void **state) {
    (void)state;
    static const char *const models[] = {"llama", "qwen3_moe", "qwen3_moe-sparse"};
    for (size_t m = 0; m < sizeof models / sizeof *models; m++) {
        char path[128];
        qz_config c;
        qz_input_widths w;
        qz_error err = {0};
        qz_site sites[QZ_MAX_SITES];
        uint64_t widest = 0;
        (void)snprintf(path, sizeof path, "tests/golden/zoo/%s/config.json", models[m]);
        must(qz_config_load(path, &c, &err), &err);
        qz_input_widths_of(&c, &w);
        for (size_t l = 0; l < c.layers; l++)
            for (size_t i = 0, n = qz_sites(&c, l, sites); i < n; i++)
                if (qz_site_linear(&sites[i]) && sites[i].cols > widest) widest = sites[i].cols;
        assert_int_equal(qz_widest_input(&w), widest);
        const bool dense = c.experts == 0 || c.layer_dense[0] || c.layer_dense[1];
        const uint64_t ffn = dense ? c.intermediate_size : c.expert_width;
        assert_int_equal(qz_step_floats(&c), 3 * c.hidden_size + 2 * (c.heads + c.kv_heads) * c.head_dim + 2 * ffn);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sites_and_inputs_fit),
                                       cmocka_unit_test(widths_follow_the_sites),
                                       cmocka_unit_test(kinds_by_layer), cmocka_unit_test(kinds_of_families),
                                       cmocka_unit_test(inputs_have_words),
                                       cmocka_unit_test(known_sites)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
