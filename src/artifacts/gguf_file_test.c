/* The GGUF scheme. Outside truth: hashes of the tensors that llama-quantize writes
 * (tests/golden/artifacts/llama-quantize.tsv), key order and types of the reference converter, its rope factors and its
 * permutation (formats/gguf-metadata.md). */
#include "artifacts/testing.h"
#include "base/bytes.h"
#include "model/families.h"
#include "model/kinds.h"
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static char out[] = "/tmp/qz_gft_XXXXXX";
enum { TYPE_COLUMN = 2, Q8_0_COLUMN = 4, Q4_K_M_COLUMN = 5 }; /* of gguf.tsv */

static void write_weighted(const char *source, const char *level, bool with_tokenizer, const qz_imatrix *im) {
    qz_model *m;
    qz_arena a = {0};
    qz_scheme_spec spec;
    qz_artifact_plan plan;
    qz_tokenizer *t = NULL;
    OK(qz_model_open(NULL, source, &m, err));
    if (with_tokenizer) OK(qz_artifact_tokenizer(source, &t, err));
    qz_artifact_context ctx = { .source_dir = source, .tokenizer = t, .has_imatrix = im != NULL };
    OK(qz_scheme_parse(level, &spec, err));
    OK(qz_artifact_plan_make(NULL, m, &spec, &ctx, &a, &plan, err));
    write_plan(&plan, im, out);
    qz_tokenizer_free(t);
    qz_arena_release(&a);
    qz_model_free(m);
}

static void write_file(const char *source, const char *level, bool with_tokenizer) {
    write_weighted(source, level, with_tokenizer, NULL);
}

/* Every tensor of every recorded model and level has the reference quantizer's bytes. Returns how many. */
static size_t compare(const char *list, const qz_imatrix *im) {
    char *text, *line, model[64] = "", level[16] = "";
    size_t len, n = 0;
    qz_gguf g = {0};
    OK(qz_read_file(list, 1 << 20, &text, &len, err));
    for (char *p = text; (line = strsep(&p, "\n")) != NULL;) {
        char m[64], l[16], tensor[64], want[17], got[65];
        unsigned type;
        if (sscanf(line, "%63s %15s %63s %u %16s", m, l, tensor, &type, want) != 5 || line[0] == '#') continue;
        if (strcmp(m, model) || strcmp(l, level)) {
            qz_gguf_release(&g);
            memcpy(model, m, sizeof m);
            memcpy(level, l, sizeof l);
            write_weighted(m, l, false, im);
            OK(qz_gguf_open(&g, out, err));
        }
        const qz_gguf_tensor *t = qz_gguf_find(&g, tensor);
        if (!t) fail_msg("%s %s: no tensor %s", m, l, tensor);
        qz_sha256_bytes_hex(t->data, (size_t)t->bytes, got);
        if (t->type->id != type || memcmp(got, want, 16))
            fail_msg("%s %s %s: other bytes than the reference (%s)", m, l, tensor, t->type->name);
        n++;
    }
    qz_gguf_release(&g);
    qz_free(text);
    return n;
}
static void reference_bytes(void **state) {
    (void)state;
    assert_int_equal(compare("tests/golden/artifacts/llama-quantize.tsv", NULL), 518);
}
static void reference_bytes_imatrix(void **state) {
    (void)state;
    qz_imatrix im;
    OK(qz_imatrix_open(&im, "tests/golden/artifacts/market.imatrix.gguf", err)); /* written by llama-imatrix */
    assert_int_equal(im.n, 42);
    assert_int_equal(im.chunk_count, 8);
    assert_int_equal(im.chunk_size, 256);
    assert_int_equal(compare("tests/golden/artifacts/llama-quantize-imatrix.tsv", &im), 204);
    OK(qz_imatrix_write(&im, out, false, err)); /* and writing it again gives llama-imatrix's bytes */
    char a[65], b[65];
    OK(qz_sha256_file_hex(out, a, err));
    OK(qz_sha256_file_hex("tests/golden/artifacts/market.imatrix.gguf", b, err));
    assert_string_equal(a, b);
    qz_imatrix_release(&im);
}

static void expect_key(const qz_gguf *g, size_t i, const char *key, qz_gguf_kind kind) {
    if (i >= g->n_kv || strcmp(g->kv[i].key, key) || g->kv[i].kind != kind)
        fail_msg("key %zu: expected %s %s, found %s %s", i, key, qz_gguf_kind_name(kind),
                 i < g->n_kv ? g->kv[i].key : "nothing", i < g->n_kv ? qz_gguf_kind_name(g->kv[i].kind) : "");
}

static void metadata(void **state) {
    (void)state;
    static const struct { const char *key; qz_gguf_kind kind; } keys[] = {
        { "general.architecture", QZ_GGUF_STR }, { "general.type", QZ_GGUF_STR }, { "general.name", QZ_GGUF_STR },
        { "general.size_label", QZ_GGUF_STR }, { "llama.block_count", QZ_GGUF_U32 },
        { "llama.context_length", QZ_GGUF_U32 }, { "llama.embedding_length", QZ_GGUF_U32 },
        { "llama.feed_forward_length", QZ_GGUF_U32 }, { "llama.attention.head_count", QZ_GGUF_U32 },
        { "llama.attention.head_count_kv", QZ_GGUF_U32 }, { "llama.rope.freq_base", QZ_GGUF_F32 },
        { "llama.attention.layer_norm_rms_epsilon", QZ_GGUF_F32 }, { "llama.attention.key_length", QZ_GGUF_U32 },
        { "llama.attention.value_length", QZ_GGUF_U32 }, { "general.file_type", QZ_GGUF_U32 },
        { "llama.vocab_size", QZ_GGUF_U32 }, { "llama.rope.dimension_count", QZ_GGUF_U32 },
        { "general.quantization_version", QZ_GGUF_U32 }, { "tokenizer.ggml.model", QZ_GGUF_STR },
    };
    qz_gguf g;
    uint64_t v = 0;
    double eps = 0;
    qz_gguf_text s;
    write_file("tests/golden/zoo/llama", "Q4_K_M", false);
    OK(qz_gguf_open(&g, out, err));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) expect_key(&g, i, keys[i].key, keys[i].kind);
    OK(qz_gguf_u64(&g, "general.file_type", true, &v, err));
    assert_int_equal(v, 15);
    OK(qz_gguf_f64(&g, "llama.attention.layer_norm_rms_epsilon", true, &eps, err));
    assert_true(eps == 9.999999747378752e-06); /* the double rounded to f32 */
    OK(qz_gguf_str(&g, "general.name", true, &s, err));
    assert_int_equal(s.n, 5);
    assert_memory_equal(s.ptr, "Llama", 5);
    OK(qz_gguf_str(&g, "general.size_label", true, &s, err));
    assert_memory_equal(s.ptr, "312K", 4); /* 312,448 weights */
    assert_true(g.packed && !g.short_padding && g.trailing == 0);
    assert_non_null(qz_gguf_find(&g, "output.weight"));
    qz_gguf_release(&g);
    write_file("tests/golden/zoo/qwen3", "F16", false);
    OK(qz_gguf_open(&g, out, err));
    assert_null(qz_gguf_find(&g, "output.weight")); /* tied */
    assert_string_equal(qz_gguf_find(&g, "blk.2.attn_q_norm.weight")->type->name, "f32");
    assert_non_null(qz_gguf_key(&g, "qwen3.vocab_size")); /* without tokens the loader needs it */
    qz_gguf_release(&g);
}

/* The value of a key as gguf.tsv writes it, "True", "[true, false]", numbers and strings as they are. */
static void key_text(const qz_gguf *g, const qz_gguf_kv *kv, char *text, size_t size) {
    qz_gguf_text s;
    bool b;
    double x;
    uint64_t n;
    const uint8_t *list;
    size_t count, at;
    switch ((int)kv->kind) {
    case QZ_GGUF_STR:
        OK(qz_gguf_str(g, kv->key, true, &s, err));
        (void)snprintf(text, size, "%.*s", (int)s.n, s.ptr);
        break;
    case QZ_GGUF_BOOL:
        OK(qz_gguf_bool(g, kv->key, true, &b, err));
        (void)snprintf(text, size, b ? "True" : "False");
        break;
    case QZ_GGUF_F32:
        OK(qz_gguf_f64(g, kv->key, true, &x, err));
        (void)snprintf(text, size, "%.9g", x);
        break;
    case QZ_GGUF_ARR:
        OK(qz_gguf_array(g, kv->key, kv->elem, true, &list, &count, err));
        at = (size_t)snprintf(text, size, "[");
        for (size_t i = 0; i < count && at < size; i++)
            if (kv->elem == QZ_GGUF_BOOL)
                at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "", list[i] ? "true" : "false");
            else at += (size_t)snprintf(text + at, size - at, "%s%d", i ? ", " : "", (int)qz_load_u32le(list + 4 * i));
        if (at < size) (void)snprintf(text + at, size - at, "]");
        break;
    default:
        OK(qz_gguf_u64(g, kv->key, true, &n, err));
        (void)snprintf(text, size, "%llu", (unsigned long long)n);
    }
}

static void check_key(const qz_gguf *g, const char *folder, const char *key, const char *want) {
    const qz_gguf_kv *kv = qz_gguf_key(g, key);
    char text[256];
    if (!kv) fail_msg("%s: no key '%s'", folder, key);
    key_text(g, kv, text, sizeof text);
    const double x = strtod(text, NULL), y = strtod(want, NULL);
    const bool number = kv->kind == QZ_GGUF_F32 && fabs(x - y) <= 1e-7 * fabs(y);
    if (!number && strcmp(text, want) != 0) fail_msg("%s: key '%s': expected %s, found %s", folder, key, want, text);
}

/* Not vocab_size, which the loader needs without tokens, and head sizes, which say what it would take without them. */
static bool counts(const char *key) {
    static const char *const not[] = { ".vocab_size", ".attention.key_length", ".attention.value_length" };
    for (size_t i = 0; i < 3; i++)
        if (strlen(key) > strlen(not[i]) && strcmp(key + strlen(key) - strlen(not[i]), not[i]) == 0) return false;
    return strncmp(key, "general.", 8) && strncmp(key, "tokenizer.", 10);
}

/* What llama.cpp's converter wrote of the same checkpoint (gguf.tsv, from ../shared/data/zoo2): keys of the
 * architecture with their values, none besides, and every tensor's bytes; with a level, the types that llama-quantize
 * gives. */
/* Rotary factors: torch's power in float32 is not always the nearest number, so one value may be a unit in the last
 * place away. */
static bool one_unit_off(const qz_gguf *g, const qz_gguf_tensor *t, const char *want) {
    uint8_t bytes[256];
    char sha[65];
    if (strcmp(t->name, "rope_freqs.weight") != 0 || t->bytes > sizeof bytes) return false;
    for (size_t i = 0; i < t->bytes / 4; i++)
        for (int up = 0; up < 2; up++) {
            memcpy(bytes, (const uint8_t *)g->map.ptr + t->offset, (size_t)t->bytes);
            qz_store_u32le(bytes + 4 * i, qz_load_u32le(bytes + 4 * i) + (up ? 1 : UINT32_MAX));
            qz_sha256_bytes_hex(bytes, (size_t)t->bytes, sha);
            if (strncmp(sha, want, 12) == 0) return true;
        }
    return false;
}
static void check_file(const char *folder, const char *level, size_t column) {
    char path[96], *text = NULL, *p, sha[65];
    qz_gguf g;
    size_t tensors = 0, keys = 0, ours = 0;
    (void)snprintf(path, sizeof path, "%s/gguf.tsv", folder);
    OK(qz_read_file(path, 1 << 20, &text, NULL, err));
    write_file(folder, level, false);
    OK(qz_gguf_open(&g, out, err));
    p = text;
    for (char *line; (line = strsep(&p, "\n")) != NULL && *line;) {
        char *cell[7] = {0};
        for (size_t i = 0; i < 7 && (cell[i] = strsep(&line, "\t")) != NULL; i++) continue;
        if (strcmp(cell[0], "key") == 0 && strncmp(cell[1], "general.", 8) && strncmp(cell[1], "tokenizer.", 10)) {
            check_key(&g, folder, cell[1], cell[3]);
            keys += counts(cell[1]);
        }
        if (strcmp(cell[0], "tensor") != 0) continue;
        const qz_gguf_tensor *t = qz_gguf_find(&g, cell[1]);
        if (!t) fail_msg("%s: no tensor '%s'", folder, cell[1]);
        if (strcasecmp(t->type->name, cell[column]) != 0)
            fail_msg("%s %s: tensor '%s': expected %s, found %s", folder, level, cell[1], cell[column], t->type->name);
        qz_sha256_bytes_hex((const uint8_t *)g.map.ptr + t->offset, t->bytes, sha);
        if (column == TYPE_COLUMN && strncmp(sha, cell[6], 12) != 0 && !one_unit_off(&g, t, cell[6]))
            fail_msg("%s: tensor '%s': expected bytes %s, found %.12s", folder, cell[1], cell[6], sha);
        tensors++;
    }
    assert_int_equal(tensors, g.n);
    for (size_t i = 0; i < g.n_kv; i++) ours += counts(g.kv[i].key);
    if (ours != keys) fail_msg("%s: %zu keys beside the %zu of the converter", folder, ours, keys);
    qz_gguf_release(&g);
    qz_free(text);
}
static void check_reference(const char *folder) {
    check_file(folder, "BF16", TYPE_COLUMN);
    check_file(folder, "Q8_0", Q8_0_COLUMN);
    check_file(folder, "Q4_K_M", Q4_K_M_COLUMN);
}
static void reference_converter(void **state) {
    (void)state;
    check_reference("tests/golden/zoo/smollm3");
    check_reference("tests/golden/zoo/granite");
    check_reference("tests/golden/zoo/glm4_moe");
    check_reference("tests/golden/zoo/ministral3");
    check_reference("tests/golden/zoo/olmo2");
    check_reference("tests/golden/zoo/olmo3");
    check_reference("tests/golden/zoo/deepseek_v3");
    check_reference("tests/golden/zoo/deepseek_v2");
    check_reference("tests/golden/zoo/qwen2_moe");
    check_reference("tests/golden/zoo/cohere2");
    check_reference("tests/golden/zoo/mistral4");
    check_reference("tests/golden/zoo/gpt_oss");
    check_reference("tests/golden/zoo/qwen3_5_moe");
    check_reference("tests/golden/zoo/qwen3_next");
    check_reference("tests/golden/zoo/llama4");
    check_file("tests/golden/zoo/qwen3_5", "BF16", TYPE_COLUMN); /* the reference quantizes none */
    check_reference("tests/golden/zoo/phimoe");
    check_reference("tests/golden/zoo/gemma4");
    check_reference("tests/golden/zoo/gemma4-moe");
}

/* Layers that predict more tokens (tests/interop/make_mtp.py): the converter's blocks and keys, or none where it drops
 * them; in files of blocks they keep their 16 bits. */
static void prediction_heads(void **state) {
    (void)state;
    static const char *const families[] = { "glm4_moe", "qwen3_next", "qwen3_5", "qwen3_5_moe", "deepseek_v3" };
    char folder[96];
    qz_gguf g;
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        (void)snprintf(folder, sizeof folder, "tests/golden/mtp/%s", families[i]);
        check_file(folder, "BF16", TYPE_COLUMN);
    }
    write_file("tests/golden/mtp/glm4_moe", "Q8_0", false);
    OK(qz_gguf_open(&g, out, err));
    assert_string_equal(qz_gguf_find(&g, "blk.2.nextn.eh_proj.weight")->type->name, "bf16");
    assert_string_equal(qz_gguf_find(&g, "blk.2.ffn_up_exps.weight")->type->name, "bf16");
    assert_string_equal(qz_gguf_find(&g, "blk.1.ffn_up_exps.weight")->type->name, "q8_0");
    qz_gguf_release(&g);
}

/* Values of formats/gguf-metadata.md section 5: Llama-3.2-1B and Llama-3.1-8B, bytes included. */
static void rope_factors(void **state) {
    (void)state;
    float f[64];
    qz_rope r = { .kind = QZ_ROPE_LLAMA3, .theta = 500000, .factor = 32, .low_freq_factor = 1, .high_freq_factor = 4,
                  .original_max_position = 8192 };
    qz_gguf_rope_factors(&r, 64, f);
    static const uint32_t mid1[3] = { 0x3fd35ec2, 0x4052b46f, 0x411aaaee };
    for (size_t i = 0; i < 32; i++) {
        uint32_t want = i < 15 ? qz_f32_bits(1.0f) : i < 18 ? mid1[i - 15] : qz_f32_bits(32.0f);
        if (qz_f32_bits(f[i]) != want) fail_msg("1B value %zu: %.9g", i, (double)f[i]);
    }
    r.factor = 8;
    qz_gguf_rope_factors(&r, 128, f);
    static const uint32_t mid8[6] = { 0x3f9a8ed5, 0x3fc6d64a, 0x4001af1d, 0x402c732e, 0x406bcace, 0x40a83c06 };
    for (size_t i = 0; i < 64; i++) {
        uint32_t want = i < 29 ? qz_f32_bits(1.0f) : i < 35 ? mid8[i - 29] : qz_f32_bits(8.0f);
        if (qz_f32_bits(f[i]) != want) fail_msg("8B value %zu: %.9g", i, (double)f[i]);
    }
}

static void permutation(void **state) {
    (void)state;
    static const size_t want[16] = { 0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15 };
    qz_artifact_item in = { .permute = QZ_PERMUTE_INTERLEAVE, .heads = 2 }, back = { .permute = QZ_PERMUTE_SPLIT,
                            .heads = 2 };
    for (size_t i = 0; i < 16; i++) {
        assert_int_equal(qz_item_source_row(&in, 16, i), want[i]);
        assert_int_equal(qz_item_source_row(&in, 16, qz_item_source_row(&back, 16, i)), i);
    }
}

static void names(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        { "model.embed_tokens.weight", "token_embd.weight" }, { "lm_head.weight", "output.weight" },
        { "model.norm.weight", "output_norm.weight" },
        { "model.layers.31.self_attn.o_proj.weight", "blk.31.attn_output.weight" },
        { "model.layers.0.self_attn.q_proj.bias", "blk.0.attn_q.bias" },
        { "model.layers.7.post_attention_layernorm.weight", "blk.7.ffn_norm.weight" },
        { "model.layers.2.self_attn.k_norm.weight", "blk.2.attn_k_norm.weight" },
    };
    static const char *const bad[] = { "blk.weight", "blk..attn_q.weight", "blk.1.attn_q", "blk.1attn_q.weight",
                                       "blk.1.attn.weight", "", ".weight",
                                       "blk.99999999999999999999.attn_q.weight", "output.scale" };
    char buf[128], tiny[8];
    qz_config c = { .family = QZ_FAMILY_QWEN3, .layers = 40, .heads = 4, .kv_heads = 2, .head_dim = 8,
                    .hidden_size = 32, .intermediate_size = 64, .qk_norm = true, .qkv_bias = true };
    size_t experts;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_true(qz_gguf_name_to_hf(&c, pairs[i][1], 0, &experts, buf, sizeof buf));
        assert_string_equal(buf, pairs[i][0]);
        assert_int_equal(experts, 0);
        assert_false(qz_gguf_name_to_hf(&c, pairs[i][1], 0, &experts, tiny, sizeof tiny));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(qz_gguf_name_to_hf(&c, bad[i], 0, &experts, buf, sizeof buf));
    c.family = QZ_FAMILY_MIXTRAL, c.experts = 8, c.expert_width = 64;
    assert_true(qz_gguf_name_to_hf(&c, "blk.3.ffn_down_exps.weight", 5, &experts, buf, sizeof buf));
    assert_string_equal(buf, "model.layers.3.block_sparse_moe.experts.5.w2.weight");
    assert_int_equal(experts, 8);
}

/* Importance is asked for by name; lossy fields are noted. */
static void notes(void **state) {
    (void)state;
    qz_model *m;
    qz_arena a = {0};
    qz_scheme_spec spec;
    qz_artifact_plan plan;
    qz_error e = {0};
    qz_artifact_context ctx = { .source_dir = "models/market" };
    OK(qz_model_open(NULL, "models/market", &m, err));
    OK(qz_scheme_parse("Q2_K_S", &spec, err));
    assert_int_equal(qz_artifact_plan_make(NULL, m, &spec, &ctx, &a, &plan, &e), QZ_EUSAGE);
    assert_non_null(strstr(e.text, "blk.0.attn_k.weight"));
    ctx.has_imatrix = true;
    OK(qz_artifact_plan_make(NULL, m, &spec, &ctx, &a, &plan, err));
    assert_int_equal(plan.n_fallbacks, 0);
    assert_int_equal(plan.n_notes, 0);
    for (size_t i = 0; i < plan.n_items; i++)
        if (plan.items[i].linear == QZ_ATTN_Q)
            assert_true(plan.items[i].importance_required && plan.items[i].importance_matters);
    qz_model_free(m);
    OK(qz_model_open(NULL, "tests/golden/zoo/mistral", &m, err));
    ctx = (qz_artifact_context){ .source_dir = "tests/golden/zoo/mistral" };
    OK(qz_scheme_parse("Q4_K_M", &spec, err));
    OK(qz_artifact_plan_make(NULL, m, &spec, &ctx, &a, &plan, err));
    assert_true(plan.n_fallbacks > 0);
    bool window = false, rows = false;
    for (size_t i = 0; i < plan.n_notes; i++) {
        window |= strstr(plan.notes[i], "sliding window of 16") != NULL;
        rows |= strstr(plan.notes[i],
                       "12 tensors: rows of 64 values do not fit q4_K, stored as q5_0 (first 'token_embd.weight')") !=
                NULL;
    }
    assert_true(window && rows);
    qz_model_free(m);
    qz_arena_release(&a);
}

static int setup(void **state) {
    (void)state;
    return close(mkstemp(out));
}
/* Every family has a row of what its loader takes (gguf_limits.c). */
static void loaders(void **state) {
    (void)state;
    for (int f = 0; f < QZ_FAMILY_COUNT; f++) {
        const qz_model m = {.config = {.family = (qz_family)f, .tie_embeddings = true}, .path = "m"};
        qz_error e = {0};
        const qz_status st = qz_gguf_refuse(&m, &e);
        if (st == QZ_EBUG) fail_msg("%s", e.text);
    }
}

static int teardown(void **state) {
    (void)state;
    return remove_file_artifact(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_converter), cmocka_unit_test(prediction_heads),
        cmocka_unit_test(reference_bytes),
        cmocka_unit_test(reference_bytes_imatrix), cmocka_unit_test(metadata), cmocka_unit_test(rope_factors),
        cmocka_unit_test(permutation), cmocka_unit_test(names), cmocka_unit_test(notes), cmocka_unit_test(loaders),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
