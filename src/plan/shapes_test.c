/* Shapes against outside truth: the reference quantizer's tensor lists and byte sums (tests/golden/mixes: names,
 * dimensions, sizes of every file type), parameter counts of published models, and the zoo's checkpoints. */
#include "plan/shapes.h"
#include "artifacts/artifact.h"
#include "artifacts/schemes.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "formats/safetensors.h"
#include "formats/gguf.h"
#include "plan/levels.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <cmocka.h>

/* expr ends in &e_ */
#define OK(expr) do { qz_error e_ = {0}; if ((expr) != QZ_OK) fail_msg("%s", e_.text); } while (0)

static qz_shape *from_text(const char *text) {
    qz_error err = {0};
    json_t *root = NULL;
    qz_shape *s = NULL;
    if (qz_json_parse(text, strlen(text), "test", &root, &err) != QZ_OK) fail_msg("%s", err.text);
    qz_status st = qz_shape_from_json(root, "test", &s, &err);
    json_decref(root);
    if (st != QZ_OK) fail_msg("%s", err.text);
    return s;
}

/* The shapes of tests/golden/mixes/README.md as configurations. */
static const struct { const char *name, *config;
} mixes[] = {
    {"llama-8L-gqa4-tied",
     "{\"model_type\":\"llama\",\"vocab_size\":4096,\"hidden_size\":1024,\"intermediate_size\":2816,"
     "\"num_hidden_layers\":8,"
     "\"num_attention_heads\":16,\"num_key_value_heads\":4,\"tie_word_embeddings\":true}"},
    {"llama-32L-8B-untied",
     "{\"model_type\":\"llama\",\"vocab_size\":128256,\"hidden_size\":4096,\"intermediate_size\":14336,"
     "\"num_hidden_layers\":32,"
     "\"num_attention_heads\":32,\"num_key_value_heads\":8,\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,"
     "\"low_freq_factor\":1,\"high_freq_factor\":4,"
     "\"original_max_position_embeddings\":8192}}"},
    {"qwen3moe-12L-128e",
     "{\"model_type\":\"qwen3_moe\",\"vocab_size\":8192,\"hidden_size\":1024,\"intermediate_size\":2048,"
     "\"num_hidden_layers\":12,"
     "\"num_attention_heads\":16,\"num_key_value_heads\":4,\"head_dim\":128,\"num_experts\":128,"
     "\"num_experts_per_tok\":8,\"moe_intermediate_size\":768}"},
    {"gemma3-26L-1b",
     "{\"model_type\":\"gemma3_text\",\"vocab_size\":262144,\"hidden_size\":1152,\"intermediate_size\":6912,"
     "\"num_hidden_layers\":26,"
     "\"num_attention_heads\":4,\"num_key_value_heads\":1,\"head_dim\":256,\"sliding_window\":512}"},
    {"mixtral-8L-8e",
     "{\"model_type\":\"mixtral\",\"vocab_size\":4096,\"hidden_size\":1024,\"intermediate_size\":3584,"
     "\"num_hidden_layers\":8,"
                      "\"num_attention_heads\":16,\"num_key_value_heads\":4,\"num_local_experts\":8,"
                      "\"num_experts_per_tok\":2}"},
    {"phi3-8L-fused",
     "{\"model_type\":\"phi3\",\"vocab_size\":4096,\"hidden_size\":1024,\"intermediate_size\":2816,"
     "\"num_hidden_layers\":8,"
     "\"num_attention_heads\":16,\"num_key_value_heads\":16}"},
    {"example-4L-tied",
     "{\"model_type\":\"llama\",\"vocab_size\":2048,\"hidden_size\":512,\"intermediate_size\":1536,"
     "\"num_hidden_layers\":4,"
     "\"num_attention_heads\":8,\"num_key_value_heads\":4,\"tie_word_embeddings\":true}"},
    {"example-4L-untied",
     "{\"model_type\":\"llama\",\"vocab_size\":2048,\"hidden_size\":512,\"intermediate_size\":1536,"
     "\"num_hidden_layers\":4,"
     "\"num_attention_heads\":8,\"num_key_value_heads\":4}"},
};
enum { N_MIXES = sizeof mixes / sizeof mixes[0] };

static char *read_all(const char *path) {
    qz_error err = {0};
    char *text = NULL;
    if (qz_read_file(path, 4 << 20, &text, NULL, &err) != QZ_OK) fail_msg("%s", err.text);
    return text;
}

/* Every tensor of the reference's list is in the shape with its dimensions, and none is missing. */
static void names_and_dims(void **state) {
    (void)state;
    for (size_t i = 0; i < N_MIXES; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "tests/golden/mixes/%s.tsv", mixes[i].name);
        char *text = read_all(path), *p = text;
        qz_shape *s = from_text(mixes[i].config);
        size_t n = 0;
        (void)strsep(&p, "\n");
        for (char *line; (line = strsep(&p, "\n")) != NULL && *line; n++) {
            const char *name = strsep(&line, "\t"), *dims = strsep(&line, "\t");
            char have[64] = "?";
            for (size_t k = 0; k < s->n_tensors; k++) {
                const qz_shape_tensor *t = &s->tensors[k];
                if (strcmp(t->gguf, name) != 0) continue;
                if (t->n_dims == 1) (void)snprintf(have, sizeof have, "%llu", (unsigned long long)t->cols);
                else if (t->n_dims == 2)
                    (void)snprintf(have, sizeof have, "%llux%llu", (unsigned long long)t->cols,
                                   (unsigned long long)t->rows);
                else
                    (void)snprintf(have, sizeof have, "%llux%llux%llu", (unsigned long long)t->cols,
                                   (unsigned long long)t->rows, (unsigned long long)t->count);
            }
            if (strcmp(have, dims) != 0)
                fail_msg("%s: tensor %s: expected %s, found %s", mixes[i].name, name, dims, have);
        }
        assert_int_equal(n, s->n_tensors);
        qz_shape_free(s);
        qz_free(text);
    }
}

/* sizes.tsv: every file type × shape, with and without imatrix, to the byte. */
static void sizes_of_every_file_type(void **state) {
    (void)state;
    char *text = read_all("tests/golden/mixes/sizes.tsv"), *p = text, *head = strsep(&p, "\n"), *name[16];
    size_t cols = 0, compared = 0;
    for (char *c; (c = strsep(&head, "\t")) != NULL;) name[cols++] = c;
    for (char *line; (line = strsep(&p, "\n")) != NULL && *line;) {
        const char *ftype = strsep(&line, "\t");
        (void)strsep(&line, "\t");
        bool imatrix = strcmp(strsep(&line, "\t"), "yes") == 0;
        for (size_t c = 3; c < cols; c++) {
            uint64_t want = strtoull(strsep(&line, "\t"), NULL, 10);
            for (size_t i = 0; i < N_MIXES; i++) {
                if (strcmp(mixes[i].name, name[c]) != 0) continue;
                qz_shape *s = from_text(mixes[i].config);
                qz_level l;
                qz_weighed w;
                char level[32];
                (void)snprintf(level, sizeof level, "gguf:%s", ftype);
                OK(qz_level_parse(level, &l, &e_));
                OK(qz_level_weigh(s, l, imatrix, NULL, &w, &e_));
                if (w.bytes != want)
                    fail_msg("%s %s imatrix=%d: expected %llu, found %llu", name[c], ftype, imatrix,
                             (unsigned long long)want, (unsigned long long)w.bytes);
                qz_shape_free(s);
                compared++;
            }
        }
    }
    assert_true(compared > 35 * N_MIXES);
    qz_free(text);
}

/* The checklist's own models in all 35 file types, to the byte. */
static void sizes_of_the_checklists_models(void **state) {
    (void)state;
    char *text = read_all("tests/golden/plan/reference_sizes.tsv"), *p = text, *name[8], *model;
    size_t cols = 0, compared = 0;
    (void)strsep(&p, "\n"); /* its origin */
    char *head = strsep(&p, "\n");
    (void)strsep(&head, "\t");
    while (cols < 8 && (model = strsep(&head, "\t")) != NULL) name[cols++] = model;
    for (char *line; (line = strsep(&p, "\n")) != NULL && *line;) {
        const char *level = strsep(&line, "\t");
        for (size_t c = 0; c < cols; c++) {
            uint64_t want = strtoull(strsep(&line, "\t"), NULL, 10);
            qz_shape *s = NULL;
            qz_level l;
            qz_weighed w;
            char full[32];
            (void)snprintf(full, sizeof full, "gguf:%s", level);
            OK(qz_shape_builtin(name[c], &s, &e_));
            OK(qz_level_parse(full, &l, &e_));
            OK(qz_level_weigh(s, l, false, NULL, &w, &e_));
            if (w.bytes != want)
                fail_msg("%s %s: expected %llu, found %llu", name[c], level, (unsigned long long)want,
                         (unsigned long long)w.bytes);
            qz_shape_free(s);
            compared++;
        }
    }
    assert_int_equal(compared, 35 * 5);
    qz_free(text);
}

/* Published parameter counts (checklist, test models; model cards for the others). */
static void parameter_counts(void **state) {
    (void)state;
    static const struct { const char *name; uint64_t params; } want[] = {
        {"llama-2-7b", 6738415616}, {"llama-2-13b", 13015864320}, {"llama-3-8b", 8030261248}, {"qwen3-4b", 4022468096},
        {"llama-3-70b", 70553706496}, {"qwen2.5-0.5b", 494032768}, {"qwen3-0.6b", 596049920},
        {"llama-3.2-1b", 1235814400}, {"llama-3.2-3b", 3212749824}, {"qwen2.5-7b", 7615616512},
        {"mixtral-8x7b", 46702792704}, {"qwen3-30b-a3b", 30532122624}, {"llama-3.1-405b", 405853388800},
        {"qwen2.5-72b", 72706203648}, {"deepseek-v3", 671026419200}, {"gpt-oss-20b", 20914757184},
        {"qwen3-235b-a22b", 235093634560}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        qz_shape *s = NULL;
        OK(qz_shape_builtin(want[i].name, &s, &e_));
        if (s->params != want[i].params)
            print_error("%s: expected %llu, found %llu\n", want[i].name, (unsigned long long)want[i].params,
                        (unsigned long long)s->params);
        assert_int_equal(s->params, want[i].params);
        qz_shape_free(s);
    }
}

/* Zoo checkpoints of transformers 5.23.0 (tests/golden/plan/README.md): weights counted in their safetensors files. */
static void zoo_configs(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint64_t params;
    } want[] = {{"gemma2", 171280}, {"gemma3", 171472}, {"mixtral", 156480}, {"phi3", 94528}, {"qwen3_moe", 187936}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        char path[64];
        qz_shape *s = NULL;
        (void)snprintf(path, sizeof path, "tests/golden/plan/%s.json", want[i].name);
        OK(qz_shape_load(path, &s, &e_));
        assert_int_equal(s->params, want[i].params);
        qz_shape_free(s);
    }
}

/* Exactly the tensors of the checkpoints, with their shapes: none missing, none too many. */
static void zoo_tensors(void **state) {
    (void)state;
    static const char *const folders[] = {"glm4_moe", "phimoe",
                                          "llama", "llama3-rope", "mistral", "qwen2", "qwen3", "qwen3_moe",
                                          "qwen3_moe-sparse", "gemma2", "gemma3", "gemma3-6", "phi3", "mixtral",
                                          "smollm3", "granite", "ministral3", "olmo2", "olmo3",
                                          "deepseek_v3", "deepseek_v2", "cohere2", "opt", "gemma4"};
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        char path[64], name[160];
        qz_shape *s = NULL;
        qz_st_dir d;
        size_t n = 0;
        (void)snprintf(path, sizeof path, "tests/golden/zoo/%s", folders[f]);
        OK(qz_shape_load(path, &s, &e_));
        OK(qz_st_dir_open(&d, path, &e_));
        for (size_t i = 0; i < s->n_tensors; i++) {
            const qz_shape_tensor *t = &s->tensors[i];
            const char *star = strchr(t->name, '*');
            if (t->role == QZ_ROLE_ROPE_FREQS) continue; /* made for GGUF */
            for (uint64_t e = 0; e < (star ? t->count : 1); e++, n++) {
                if (star)
                    (void)snprintf(name, sizeof name, "%.*s%llu%s", (int)(star - t->name), t->name,
                                   (unsigned long long)e, star + 1);
                else (void)snprintf(name, sizeof name, "%s", t->name);
                const qz_st_tensor *x = qz_st_dir_find(&d, name, NULL);
                if (!x) fail_msg("%s: no tensor '%s' in the checkpoint", folders[f], name);
                assert_int_equal(x->n_dims, t->rows == 1 ? 1 : 2);
                assert_int_equal(x->dims[x->n_dims - 1], t->cols);
                assert_int_equal(x->n_dims == 2 ? x->dims[0] : 1, t->rows);
            }
        }
        if (n != d.n_tensors) fail_msg("%s: %zu tensors planned, %zu stored", folders[f], n, d.n_tensors);
        qz_st_dir_release(&d);
        qz_shape_free(s);
    }
}

/* A stored tensor of the layout file under its name in the shape: experts of one matrix are several there. */
static const qz_shape_tensor *hf_tensor(const qz_shape *s, const char *name) {
    for (size_t i = 0; i < s->n_tensors; i++)
        if (strcmp(s->tensors[i].name, name) == 0) return &s->tensors[i];
    return NULL;
}
static uint64_t product(const char *dims) {
    uint64_t n = 1;
    for (char *end; *dims; dims = end) n *= strtoull(dims, &end, 10);
    return n;
}
/* One line of a layout: 1 if it is a tensor of that kind that the shape has. */
static size_t layout_line(const qz_shape *s, char *const cell[5], const uint64_t *const bytes[2]) {
    if (strcmp(cell[0], "hf") == 0 && strstr(cell[1], "mlp.experts.") == NULL) {
        const qz_shape_tensor *t = hf_tensor(s, cell[1]);
        if (t == NULL) fail_msg("no '%s' in the shape", cell[1]);
        assert_int_equal(t->rows * t->cols * t->count, product(cell[2]));
        return 1;
    }
    if (strcmp(cell[0], "gguf") != 0) return 0;
    for (size_t i = 0; i < s->n_tensors; i++) {
        const qz_shape_tensor *t = &s->tensors[i];
        if (strcmp(t->gguf, cell[1]) != 0) continue;
        assert_int_equal(t->rows * t->cols * t->count, product(cell[2]));
        assert_int_equal(strtoull(cell[2], NULL, 10), t->cols);
        for (size_t k = 0; k < 2 && *cell[3] != '-'; k++) { /* one file type each */
            const qz_gguf_type *type = NULL;
            for (uint32_t y = 0; y < 64 && type == NULL; y++)
                if (qz_gguf_type_get(y) && strcasecmp(qz_gguf_type_get(y)->name, cell[3 + k]) == 0)
                    type = qz_gguf_type_get(y);
            assert_non_null(type);
            if (bytes[k][i] != product(cell[2]) / type->elems * type->bytes)
                fail_msg("%s: not as %s: %llu bytes", cell[1], cell[3 + k], (unsigned long long)bytes[k][i]);
        }
        return 1;
    }
    fail_msg("no '%s' in the shape", cell[1]);
    return 0;
}

/* Qwen3.5: names and shapes of the checkpoints of transformers 5.24.0, names, shapes and types of the reference
 * converter and quantizer (tests/golden/plan/README.md). */
static void hybrid_layouts(void **state) {
    (void)state;
    static const struct { const char *name; uint64_t params, stored; } want[] = {{"qwen3_5", 114208, 28},
                                                                                 {"qwen3_5_moe", 121228, 31}};
    for (size_t f = 0; f < 2; f++) {
        char path[64], *text = NULL;
        size_t len, hf = 0, gguf = 0;
        qz_shape *s = NULL;
        qz_weighed w;
        (void)snprintf(path, sizeof path, "tests/golden/plan/%s.json", want[f].name);
        OK(qz_shape_load(path, &s, &e_));
        assert_int_equal(s->params, want[f].params);
        assert_true(s->runs);
        assert_int_equal(s->attn[0], QZ_ATTN_LINEAR);
        assert_int_equal(s->attn[1], QZ_ATTN_FULL);
        uint64_t *bytes[2];
        for (size_t k = 0; k < 2; k++) assert_non_null(bytes[k] = calloc(s->n_tensors, sizeof *bytes[k]));
        OK(qz_level_weigh(s, QZ_LEVEL_GGUF_Q8_0, false, bytes[0], &w, &e_));
        OK(qz_level_weigh(s, QZ_LEVEL_GGUF_Q4_K_M, false, bytes[1], &w, &e_));
        (void)snprintf(path, sizeof path, "tests/golden/plan/%s.tsv", want[f].name);
        OK(qz_read_file(path, 1 << 20, &text, &len, &e_));
        for (char *line = text, *next; *line; line = next) {
            char *cell[5] = {"", "", "", "-", "-"};
            size_t n = 0;
            next = line + strcspn(line, "\n");
            if (*next) *next++ = 0;
            for (char *p = line; p && n < 5; n++) {
                cell[n] = p;
                if ((p = strchr(p, '\t')) != NULL) *p++ = 0;
            }
            const size_t one = layout_line(s, cell, (const uint64_t *const[]){bytes[0], bytes[1]});
            *(strcmp(cell[0], "hf") == 0 ? &hf : &gguf) += one;
        }
        assert_int_equal(gguf, s->n_tensors);
        assert_int_equal(hf, want[f].stored);
        free(bytes[0]);
        free(bytes[1]);
        qz_free(text);
        qz_shape_free(s);
    }
}

static void every_builtin_shape_loads(void **state) {
    (void)state;
    const qz_shape_row *r;
    size_t n = 0;
    for (; (r = qz_shape_row_at(n)) != NULL; n++) {
        qz_shape *s = NULL;
        qz_weighed w;
        OK(qz_shape_builtin(r->name, &s, &e_));
        OK(qz_level_weigh(s, QZ_LEVEL_GGUF_Q4_K_M, false, NULL, &w, &e_));
        assert_true(w.bpw > 4 && w.bpw < 7);
        assert_true(s->active_params <= s->params && *r->source);
        qz_shape_free(s);
    }
    assert_true(n >= 30);
}

/* What the artifact planner lays out from a configuration is what the shape weighs, and what the real
 * checkpoint has. */
static void shape_equals_the_writers_plan(void **state) {
    (void)state;
    static const char *const folders[] = {"tests/golden/zoo/llama", "tests/golden/zoo/qwen2", "tests/golden/zoo/qwen3",
                                          "tests/golden/zoo/mistral",
                                          "tests/golden/zoo/gemma3-6", "tests/golden/zoo/phi3",
                                          "tests/golden/zoo/mixtral", "tests/golden/zoo/qwen3_moe-sparse",
                                          "tests/golden/zoo/gemma2", "tests/golden/zoo/qwen3_5",
                                          "tests/golden/zoo/qwen3_5_moe", "tests/golden/zoo/qwen3_next",
                                          "tests/golden/zoo/smollm3", "tests/golden/zoo/granite",
                                          "tests/golden/zoo/glm4_moe", "tests/golden/zoo/phimoe",
                                          "tests/golden/zoo/gpt_oss", "tests/golden/zoo/llama4",
                                          "tests/golden/zoo/deepseek_v3", "tests/golden/zoo/deepseek_v2",
                                          "tests/golden/zoo/mistral4", "tests/golden/zoo/ministral3",
                                          "tests/golden/zoo/olmo2", "tests/golden/zoo/olmo3",
                                          "tests/golden/zoo/cohere2", "tests/golden/zoo/opt",
                                          "tests/golden/zoo/gemma4", "tests/golden/zoo/gemma4-moe",
                                          "tests/golden/zoo/qwen2_moe", "models/market"};
    static const qz_level levels[] = {QZ_LEVEL_GGUF_Q4_K_M, QZ_LEVEL_GGUF_Q2_K, QZ_LEVEL_GGUF_Q8_0, QZ_LEVEL_GGUF_F16,
                                      QZ_LEVEL_AWQ_G32, QZ_LEVEL_GPTQ_G32};
    size_t planned = 0;
    for (size_t f = 0; f < sizeof folders / sizeof *folders; f++) {
        qz_shape *s = NULL;
        qz_model *m = NULL;
        OK(qz_shape_load(folders[f], &s, &e_));
        OK(qz_model_open(NULL, folders[f], &m, &e_));
        uint64_t params = 0;
        for (size_t i = 0; i < m->n_tensors; i++) params += m->tensors[i].rows * m->tensors[i].cols;
        assert_int_equal(s->params, params);
        for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
            qz_level_files file;
            qz_weighed w;
            qz_error misfit = {0}, misfit2 = {0};
            qz_status a = qz_level_weigh(s, levels[l], false, NULL, &w, &misfit),
                      b = qz_level_file(NULL, s, levels[l], false, NULL, &file, &misfit2);
            if (a != QZ_OK || b != QZ_OK) {
                assert_int_equal(a == QZ_OK ? b : a, QZ_EUNSUPPORTED);
                continue;
            }
            if (!file.known) continue;
            if (w.bytes != file.weight_bytes)
                fail_msg("%s, %s: %llu bytes, the writer lays out %llu", folders[f], qz_level_get(levels[l])->name,
                         (unsigned long long)w.bytes, (unsigned long long)file.weight_bytes);
            assert_true(file.file_bytes > file.weight_bytes);
            planned++;
        }
        qz_model_free(m);
        qz_shape_free(s);
    }
    assert_true(planned >= 15);
}

/* Every level that quantize writes is a format that plan knows, and weighs what the writer lays out. */
static void plan_knows_what_quantize_writes(void **state) {
    (void)state;
    qz_shape *s = NULL;
    size_t compared = 0;
    OK(qz_shape_load("models/market", &s, &e_));
    for (qz_scheme k = 0; k < QZ_SCHEME_COUNT; k++)
        for (size_t i = 0; qz_scheme_level(k, i); i++) {
            char name[64];
            qz_level l;
            qz_weighed w;
            qz_scheme_spec spec;
            qz_model *m = NULL;
            qz_arena arena = {0};
            qz_artifact_plan p;
            const qz_artifact_context ctx = {.has_imatrix = true, .source_dir = "models/market", .name = "market"};
            (void)snprintf(name, sizeof name, "%s:%s", qz_scheme_get(k)->name, qz_scheme_level(k, i));
            OK(qz_level_parse(name, &l, &e_));
            assert_string_equal(qz_level_get(l)->name, name);
            OK(qz_level_weigh(s, l, true, NULL, &w, &e_));
            OK(qz_scheme_parse(name, &spec, &e_));
            OK(qz_model_from_config(&s->config, "market", &m, &e_));
            OK(qz_artifact_plan_make(NULL, m, &spec, &ctx, &arena, &p, &e_));
            /* bitsandbytes: the text of a tensor's state is not counted */
            const double far = (double)w.bytes / (double)p.weight_bytes - 1;
            if (!(far < 1e-3 && far > -1e-3) || (k != QZ_SCHEME_BNB && w.bytes != p.weight_bytes))
                fail_msg("%s: %llu planned, %llu written", name, (unsigned long long)w.bytes,
                         (unsigned long long)p.weight_bytes);
            compared++;
            qz_model_free(m);
            qz_arena_release(&arena);
        }
    assert_true(compared >= 40);
    qz_shape_free(s);
}

/* One clear line for each impossible configuration. */
static void refuses(void **state) {
    (void)state;
#define DIMS "\"vocab_size\":1000,\"intermediate_size\":256"
    static const struct { const char *config, *part;
    } bad[] = {
        {"{\"model_type\":\"llama\"," DIMS ",\"num_hidden_layers\":2,\"num_attention_heads\":4}",
         "key 'hidden_size' is missing"},
        {"{\"model_type\":\"llama\"," DIMS ",\"hidden_size\":64,\"num_hidden_layers\":0,\"num_attention_heads\":4}",
         "num_hidden_layers out of range"},
        {"{\"model_type\":\"llama\"," DIMS ",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,"
         "\"num_key_value_heads\":3}",
         "not a multiple of num_key_value_heads"},
        {"{\"model_type\":\"llama\"," DIMS ",\"hidden_size\":66,\"num_hidden_layers\":2,\"num_attention_heads\":4}",
         "not a multiple of num_attention_heads"},
        {"{\"model_type\":\"llama\",\"vocab_size\":128000,\"intermediate_size\":1000000,\"hidden_size\":100000,"
         "\"num_hidden_layers\":100,\"num_attention_heads\":1000}",
         "impossible shape"},
        {"{\"model_type\":\"llama\",\"vocab_size\":16777216,\"intermediate_size\":4194304,\"hidden_size\":1048576,"
         "\"num_hidden_layers\":512,\"num_attention_heads\":4096}",
         "impossible shape"},
        {"{\"model_type\":\"lama\"," DIMS ",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4}",
         "nearest known is 'llama'"},
        {"{" DIMS ",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4}", "'model_type' is missing"},
        {"{\"model_type\":\"mixtral\"," DIMS ",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4}",
         "'num_experts' is missing"},
        {"{\"model_type\":\"mixtral\"," DIMS
         ",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_local_experts\":4,"
         "\"num_experts_per_tok\":5}",
         "num_experts_per_tok out of range"},
        {"{\"model_type\":\"gemma3_text\"," DIMS
         ",\"hidden_size\":64,\"num_hidden_layers\":2,\"num_attention_heads\":4,\"layer_types\":[\"full_attention\"]}",
         "expected 2 entries"},
        {"{\"model_type\":\"llama\"," DIMS ",\"hidden_size\":\"64\",\"num_hidden_layers\":2,\"num_attention_heads\":4}",
         "hidden_size"},
        {"[1]", "expected a JSON object"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        qz_error err = {0};
        json_t *root = NULL;
        qz_shape *s = NULL;
        OK(qz_json_parse(bad[i].config, strlen(bad[i].config), "test", &root, &e_));
        assert_int_not_equal(qz_shape_from_json(root, "test", &s, &err), QZ_OK);
        if (strstr(err.text, bad[i].part) == NULL) fail_msg("expected '%s', found '%s'", bad[i].part, err.text);
        assert_null(s);
        json_decref(root);
    }
}

static void builtin_names(void **state) {
    (void)state;
    qz_shape *s = NULL;
    qz_error err = {0};
    OK(qz_shape_builtin("Llama 3 70B", &s, &e_));
    assert_string_equal(s->name, "llama-3-70b");
    qz_shape_free(s);
    assert_int_equal(qz_shape_builtin("lama-3-70b", &s, &err), QZ_EUSAGE);
    assert_non_null(strstr(err.text, "llama-3-70b"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_dims),
        cmocka_unit_test(sizes_of_every_file_type),
        cmocka_unit_test(sizes_of_the_checklists_models),
        cmocka_unit_test(parameter_counts),
        cmocka_unit_test(zoo_configs),
        cmocka_unit_test(zoo_tensors),
        cmocka_unit_test(hybrid_layouts),
        cmocka_unit_test(every_builtin_shape_loads),
        cmocka_unit_test(shape_equals_the_writers_plan),
        cmocka_unit_test(plan_knows_what_quantize_writes),
        cmocka_unit_test(refuses),
        cmocka_unit_test(builtin_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
