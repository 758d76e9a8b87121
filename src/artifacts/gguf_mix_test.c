/* The mixes of llama-quantize. Outside truth: the reference's own choice for 8 model shapes and every file type, with
 * and without an imatrix, and the byte sums it prints (tests/golden/mixes, llama.cpp 0c1e57098). Every
 * cell is compared. */
#include "artifacts/gguf_ftypes.h"
#include "artifacts/gguf_mix.h"
#include "model/kinds.h"
#include "base/io.h"
#include "base/size.h"
#include "formats/gguf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_TENSORS 600
#define MAX_COLS 40

static const struct { const char *shape, *arch; uint64_t layers, heads, kv, experts; } shapes[] = {
    { "llama-8L-gqa4-tied", "llama", 8, 16, 4, 0 },  { "llama-32L-8B-untied", "llama", 32, 32, 8, 0 },
    { "qwen3moe-12L-128e", "qwen3moe", 12, 16, 4, 128 }, { "gemma3-26L-1b", "gemma3", 26, 4, 1, 0 },
    { "mixtral-8L-8e", "llama", 8, 16, 4, 8 },       { "phi3-8L-fused", "phi3", 8, 16, 16, 0 },
    { "example-4L-tied", "llama", 4, 8, 4, 0 },      { "example-4L-untied", "llama", 4, 8, 4, 0 },
};
#define N_SHAPES (sizeof shapes / sizeof *shapes)

typedef struct {
    char *text;
    size_t cols, rows;
    char *head[MAX_COLS];
    char *cell[MAX_TENSORS][MAX_COLS];
} tsv;

static void load(tsv *t, const char *path) {
    qz_error err = {0};
    size_t len;
    memset(t, 0, sizeof *t);
    if (qz_read_file(path, 1 << 20, &t->text, &len, &err) != QZ_OK) fail_msg("%s", err.text);
    char *line, *p = t->text;
    for (size_t r = 0; (line = strsep(&p, "\n")) != NULL && *line; r++) {
        char *c;
        for (size_t k = 0; (c = strsep(&line, "\t")) != NULL; k++) {
            assert_true(k < MAX_COLS && r <= MAX_TENSORS);
            if (r == 0) t->head[k] = c, t->cols = k + 1;
            else t->cell[r - 1][k] = c;
        }
        t->rows = r;
    }
}

static void tensors_of(const tsv *t, qz_mix_tensor *out) {
    for (size_t i = 0; i < t->rows; i++) {
        out[i] = (qz_mix_tensor){ .name = t->cell[i][0], .ne = { 1, 1, 1, 1 },
                                  .source = qz_gguf_type_by_name(t->cell[i][2])->id };
        unsigned long long a = 1, b = 1, c = 1;
        sscanf(t->cell[i][1], "%llux%llux%llu", &a, &b, &c);
        out[i].ne[0] = a, out[i].ne[1] = b, out[i].ne[2] = c;
    }
}

/* One file type of one shape; returns the sum of bytes. */
static uint64_t check(const tsv *t, size_t shape, size_t col, bool imatrix) {
    static qz_mix_tensor tensors[MAX_TENSORS], turned[MAX_TENSORS];
    static qz_mix_choice choices[MAX_TENSORS];
    qz_error err = {0};
    uint64_t sum = 0, bytes;
    qz_ftype f = qz_ftype_by_name(t->head[col]);
    assert_true(f != QZ_FTYPE_COUNT);
    qz_mix_model m = {shapes[shape].arch, shapes[shape].layers,  shapes[shape].heads,
                      shapes[shape].kv,   shapes[shape].experts, imatrix};
    tensors_of(t, tensors);
    for (size_t i = 0; i < t->rows; i++) turned[i] = tensors[t->rows - 1 - i]; /* the order given must not matter */
    if (qz_gguf_mix(&m, f, NULL, turned, t->rows, choices, &err) != QZ_OK) fail_msg("%s", err.text);
    for (size_t i = 0; i < t->rows; i++) {
        const qz_mix_choice *c = &choices[t->rows - 1 - i];
        const char *got = qz_gguf_type_get(c->type)->name;
        if (strcasecmp(got, t->cell[i][col]))
            fail_msg("%s %s%s, tensor %s: expected %s, found %s", shapes[shape].shape, t->head[col],
                     imatrix ? " with imatrix" : "", tensors[i].name, t->cell[i][col], got);
        qz_gguf_item item = { .name = tensors[i].name, .type = c->type, .n_dims = 4 };
        memcpy(item.dims, tensors[i].ne, sizeof item.dims);
        assert_int_equal(qz_gguf_item_bytes(&item, &bytes, &err), QZ_OK);
        sum += bytes;
    }
    return sum;
}

static uint64_t size_of(const tsv *sizes, const char *ftype, const char *shape, bool imatrix) {
    for (size_t i = 0; i < sizes->rows; i++) {
        if (strcmp(sizes->cell[i][0], ftype) || (strcmp(sizes->cell[i][2], "yes") == 0) != imatrix) continue;
        for (size_t k = 3; k < sizes->cols; k++)
            if (strcmp(sizes->head[k], shape) == 0) return strtoull(sizes->cell[i][k], NULL, 10);
    }
    fail_msg("no size for %s %s", ftype, shape);
    return 0;
}

static void cells(void **unused) {
    (void)unused;
    static tsv t, sizes;
    size_t cells_checked = 0;
    load(&sizes, "tests/golden/mixes/sizes.tsv");
    for (size_t s = 0; s < N_SHAPES; s++)
        for (int imatrix = 0; imatrix < 2; imatrix++) {
            char path[128];
            snprintf(path, sizeof path, "tests/golden/mixes/%s%s.tsv", shapes[s].shape, imatrix ? ".imatrix" : "");
            load(&t, path);
            for (size_t c = 3; c < t.cols; c++) {
                uint64_t sum = check(&t, s, c, imatrix), want = size_of(&sizes, t.head[c], shapes[s].shape, imatrix);
                if (sum != want)
                    fail_msg("%s %s: expected %llu bytes, found %llu", shapes[s].shape, t.head[c],
                             (unsigned long long)want, (unsigned long long)sum);
                cells_checked += t.rows;
            }
            qz_free(t.text);
        }
    qz_free(sizes.text);
    assert_true(cells_checked > 40000);
    print_message("%zu cells\n", cells_checked);
}

/* Rules that the tables do not reach: options, importance needs, refusals. */
static void options(void **unused) {
    (void)unused;
    qz_error err = {0};
    qz_mix_model m = { "llama", 8, 8, 8, 0, false };
    qz_mix_tensor t[] = { { "output.weight", { 256, 8, 1, 1 }, 1, QZ_USE_UNKNOWN, -1 },
                          { "token_embd.weight", { 256, 8, 1, 1 }, 1, QZ_USE_UNKNOWN, -1 },
                          { "blk.0.attn_v.weight", { 256, 8, 1, 1 }, 1, QZ_USE_UNKNOWN, -1 },
                          { "blk.0.attn_v.bias", { 8, 1, 1, 1 }, 0, QZ_USE_UNKNOWN, -1 },
                          { "blk.0.ffn_down.weight", { 96, 8, 1, 1 }, 1, QZ_USE_UNKNOWN, -1 },
                          { "blk.0.ffn_up.weight", { 100, 8, 1, 1 }, 1, QZ_USE_UNKNOWN, -1 } };
    qz_mix_choice c[6];
    qz_mix_options o = { .pure = true, .output_type = -1, .embedding_type = 8 };
    assert_int_equal(qz_gguf_mix(&m, QZ_FTYPE_Q4_K_M, &o, t, 6, c, &err), QZ_OK);
    assert_int_equal(c[0].type, 12); /* pure: no q6_K output */
    assert_int_equal(c[1].type, 8);
    assert_int_equal(c[2].type, 12);
    assert_false(c[3].quantizable);
    assert_int_equal(c[4].type, 6); /* q4_K -> q5_0 */
    assert_int_equal(c[4].wanted, 12);
    assert_int_equal(c[5].type, 1); /* not even a multiple of 32: f16 */
    o = (qz_mix_options){ .keep_output = true, .output_type = -1, .embedding_type = -1 };
    assert_int_equal(qz_gguf_mix(&m, QZ_FTYPE_Q2_K_S, &o, t, 6, c, &err), QZ_OK);
    assert_false(c[0].quantizable);
    assert_true(c[2].needs_imatrix); /* q2_K in Q2_K_S */
    assert_int_equal(qz_gguf_mix(&m, QZ_FTYPE_Q2_K, NULL, t, 6, c, &err), QZ_OK);
    assert_false(c[2].needs_imatrix);
    assert_int_equal(qz_gguf_mix(&m, QZ_FTYPE_Q1_0, NULL, t, 6, c, &err), QZ_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "blk.0.ffn_down.weight"));
    err = (qz_error){0};
    m.experts = 8;
    t[4].name = "ffn_down_exps.weight";
    assert_int_equal(qz_gguf_mix(&m, QZ_FTYPE_Q4_K_M, NULL, t, 6, c, &err), QZ_EFORMAT);
    /* our own mix: matrices NVFP4, embedding and output Q8_0; rows that are no multiple of 64 too */
    m.experts = 0;
    t[4].ne[0] = 64;
    t[5].ne[0] = 96;
    assert_int_equal(qz_gguf_mix(&m, QZ_FTYPE_NVFP4, NULL, t, 6, c, &err), QZ_OK);
    for (size_t i = 0; i < 6; i++) assert_int_equal(c[i].type, ((const uint32_t[]){8, 8, 40, 0, 40, 8})[i]);
    assert_int_equal(qz_ftype_by_number(39), QZ_FTYPE_NVFP4);
    /* what needs importance is a column of codecs/types.def; embedding and output are exempt */
    assert_int_equal(qz_gguf_mix(&m, QZ_FTYPE_IQ2_XXS, NULL, t, 4, c, &err), QZ_OK);
    assert_false(c[0].needs_imatrix);
    assert_int_equal(qz_gguf_mix(&m, QZ_FTYPE_IQ1_M, &(qz_mix_options){.pure = true, .output_type = -1,
                                                                       .embedding_type = -1}, t, 4, c, &err), QZ_OK);
    assert_true(c[2].needs_imatrix && !c[1].needs_imatrix);
    assert_int_equal(qz_ftype_by_name("q4_k"), QZ_FTYPE_Q4_K_M);
    assert_int_equal(qz_ftype_by_name("q6_k"), QZ_FTYPE_Q6_K);
    assert_int_equal(qz_ftype_by_name("Q7"), QZ_FTYPE_COUNT);
    assert_int_equal(qz_ftype_by_number(18), QZ_FTYPE_Q6_K);
}

/* Tensors of a model as its sites say what they are for. */
static size_t tensors_of_model(const qz_config *c, char names[MAX_TENSORS][64], qz_mix_tensor *out) {
    size_t n = 0;
    out[n++] = (qz_mix_tensor){ "token_embd.weight", { c->hidden_size, c->vocab_size, 1, 1 }, 1, QZ_USE_EMBED, -1 };
    for (size_t l = 0; l < c->layers; l++) {
        qz_site s[QZ_MAX_SITES];
        for (size_t i = 0, k = qz_sites(c, l, s); i < k; i++, n++) {
            assert_true(n < MAX_TENSORS);
            (void)snprintf(names[n], 64, "blk.%zu.%s%s", l, s[i].gguf, s[i].kind == QZ_SITE_PART ? "" : ".weight");
            out[n] = (qz_mix_tensor){names[n],
                                     {s[i].cols, s[i].rows, s[i].experts ? s[i].experts : 1, 1},
                                     1,
                                     s[i].use,
                                     (long)l};
        }
    }
    return n;
}

/* What a site is for decides as the reference's words in its name do, in every family and file type. */
static void uses_are_the_names(void **unused) {
    (void)unused;
    static const char *const models[] = { "llama", "qwen2", "qwen3", "gemma2", "gemma3", "phi3", "mixtral", "qwen3_moe",
                                          "smollm3", "granite", "ministral3", "olmo2", "olmo3",
                                          "deepseek_v3", "cohere2" };
    static qz_mix_tensor t[MAX_TENSORS], named[MAX_TENSORS];
    static qz_mix_choice a[MAX_TENSORS], b[MAX_TENSORS];
    static char names[MAX_TENSORS][64];
    for (size_t m = 0; m <= sizeof models / sizeof *models; m++) {
        qz_error err = {0};
        qz_config c = { .layers = 8, .vocab_size = 512, .hidden_size = 256, .intermediate_size = 512, .heads = 4,
                        .kv_heads = 2, .head_dim = 64, .experts = 8,
                        .experts_used = 2, .expert_width = 256, .shared_width = 256, .ffn = QZ_KIND_SHARED_EXPERTS,
                        .latent = { 256, 256, 64, 64, 64 },
                        .delta = { .k_heads = 4, .v_heads = 4, .k_dim = 64, .v_dim = 64, .taps = 4 },
                        .layer_mixer = { QZ_KIND_DELTA, QZ_KIND_LATENT, QZ_KIND_ATTENTION, QZ_KIND_LATENT },
                        .parts = 15 };
        char path[96];
        if (m > 0) { /* the first: kinds that are only planned */
            (void)snprintf(path, sizeof path, "tests/golden/zoo/%s/config.json", models[m - 1]);
            if (qz_config_load(path, &c, &err) != QZ_OK) fail_msg("%s", err.text);
        }
        const qz_mix_model mm = { "llama", c.layers, c.heads, c.kv_heads, c.experts, true };
        const size_t n = tensors_of_model(&c, names, t);
        for (size_t i = 0; i < n; i++) named[i] = t[i], named[i].use = QZ_USE_UNKNOWN;
        for (qz_ftype f = 0; f < QZ_FTYPE_COUNT; f++) {
            const qz_status x = qz_gguf_mix(&mm, f, NULL, t, n, a, &err),
                            y = qz_gguf_mix(&mm, f, NULL, named, n, b, &err);
            assert_int_equal(x, y);
            for (size_t i = 0; x == QZ_OK && i < n; i++)
                if (a[i].type != b[i].type || a[i].quantizable != b[i].quantizable)
                    fail_msg("%s, %s: its use gives %u, its name %u", qz_ftype_get(f)->name, t[i].name, a[i].type,
                             b[i].type);
        }
    }
    /* a name that says nothing, or something else */
    qz_mix_tensor odd[] = { { "blk.0.values.weight", { 256, 256, 1, 1 }, 1, QZ_USE_V, 0 },
                            { "blk.0.ffn_down_of_no_block.weight", { 256, 256, 1, 1 }, 1, QZ_USE_OTHER, 0 } };
    const qz_mix_model one = { "llama", 1, 4, 1, 0, false };
    qz_error err = {0};
    assert_int_equal(qz_gguf_mix(&one, QZ_FTYPE_Q3_K_L, NULL, odd, 2, a, &err), QZ_OK);
    assert_int_equal(a[0].type, 13); /* Q5_K, as every v */
    assert_int_equal(a[1].type, 11); /* Q3_K, the level's own */
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(cells), cmocka_unit_test(uses_are_the_names),
                                       cmocka_unit_test(options) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
