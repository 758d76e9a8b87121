/* Artifacts that lie: valid containers whose content contradicts itself. Each is one change to a good file and must be
 * refused with the key or tensor in the text, before any work. */
#include "artifacts/testing.h"
#include "base/rng.h"
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/qz_lie_XXXXXX";
static char good[64], bad[64], folder[64];

typedef struct {
    const char *what;
    const char *drop_key, *drop_tensor; /* left out */
    /* replaced or added: 'u' u32, 's' string "zzz", 'f' f32 nan, 'a' array {value, 1}, 'l' u64 */
    const char *key; int kind; uint64_t value;
    const char *add_tensor; uint64_t dims[2]; uint32_t type;
    const char *error;
} change;

static void put_changed(qz_gguf_meta *m, const change *c) {
    const int32_t two[2] = { (int32_t)c->value, 1 };
    if (c->kind == 'u') qz_gguf_put_u32(m, c->key, (uint32_t)c->value);
    else if (c->kind == 'l') qz_gguf_put_u64(m, c->key, c->value);
    else if (c->kind == 's') qz_gguf_put_str(m, c->key, "zzz");
    else if (c->kind == 'f') qz_gguf_put_f32(m, c->key, -1.0f);
    else if (c->kind == 'a') qz_gguf_put_i32s(m, c->key, two, 2);
}

static void rewrite(const change *c) {
    qz_gguf g;
    qz_gguf_meta m = {0};
    qz_gguf_item items[64];
    const qz_gguf_tensor *from[64];
    size_t n = 0;
    bool done = false;
    OK(qz_gguf_open(&g, good, err));
    for (size_t i = 0; i < g.n_kv; i++) {
        if (c->drop_key && strcmp(g.kv[i].key, c->drop_key) == 0) continue;
        if (c->key && strcmp(g.kv[i].key, c->key) == 0) {
            put_changed(&m, c);
            done = true;
        } else qz_gguf_put_kv(&m, &g.kv[i]);
    }
    if (c->key && !done) put_changed(&m, c);
    for (size_t i = 0; i < g.n; i++) {
        if (c->drop_tensor && strcmp(g.tensors[i].name, c->drop_tensor) == 0) continue;
        items[n] = (qz_gguf_item){g.tensors[i].name,
                                  g.tensors[i].type->id,
                                  g.tensors[i].n_dims,
                                  {g.tensors[i].dims[0], g.tensors[i].dims[1]}};
        from[n++] = &g.tensors[i];
    }
    if (c->add_tensor) {
        items[n] = (qz_gguf_item){ c->add_tensor, c->type, 2, { c->dims[0], c->dims[1] } };
        from[n++] = NULL;
    }
    qz_gguf_writer w;
    OK(qz_gguf_writer_open(&w, bad, &m, items, n, err));
    for (size_t i = 0; i < n; i++) {
        if (from[i]) OK(qz_gguf_writer_write(&w, from[i]->data, (size_t)from[i]->bytes, err));
        while (!from[i] && w.next == i) OK(qz_gguf_writer_write(&w, "", 1, err));
    }
    OK(qz_gguf_writer_commit(&w, NULL, err));
    qz_gguf_meta_release(&m);
    qz_gguf_release(&g);
}

static void gguf_lies(void **state) {
    (void)state;
    static const change cases[] = {
        { .what = "unchanged", .error = NULL },
        { .what = "no architecture", .drop_key = "general.architecture", .error = "general.architecture" },
        { .what = "no layers key", .drop_key = "qwen2.block_count", .error = "qwen2.block_count" },
        { .what = "no eps", .drop_key = "qwen2.attention.layer_norm_rms_epsilon", .error = "layer_norm_rms_epsilon" },
        {.what = "eps below zero", .key = "qwen2.attention.layer_norm_rms_epsilon", .kind = 'f',
         .error = "rms_norm_eps" },
        { .what = "unknown architecture", .key = "general.architecture", .kind = 's', .error = "'zzz'" },
        { .what = "too many layers", .key = "qwen2.block_count", .kind = 'u', .value = 600, .error = "block_count" },
        { .what = "layers 2^40", .key = "qwen2.block_count", .kind = 'l', .value = 1ull << 40, .error = "block_count" },
        {.what = "one layer more than there is", .key = "qwen2.block_count", .kind = 'u', .value = 4,
         .error = "model.layers.3." },
        {.what = "no heads", .key = "qwen2.attention.head_count", .kind = 'u', .value = 0,
         .error = "num_attention_heads" },
        {.what = "head count as text", .key = "qwen2.attention.head_count", .kind = 's',
         .error = "qwen2.attention.head_count" },
        {.what = "layers of different shape", .key = "qwen2.attention.head_count_kv", .kind = 'a', .value = 2,
         .error = "head_count_kv" },
        {.what = "kv heads above heads", .key = "qwen2.attention.head_count_kv", .kind = 'u', .value = 8,
         .error = "num_key_value_heads" },
        {.what = "other width", .key = "qwen2.embedding_length", .kind = 'u', .value = 128,
         .error = "token_embd.weight" },
        { .what = "head dim zero", .key = "qwen2.attention.key_length", .kind = 'u', .value = 0, .error = "head_dim" },
        {.what = "partial rotary", .key = "qwen2.rope.dimension_count", .kind = 'u', .value = 8,
         .error = "rope.dimension_count" },
        { .what = "unknown scaling", .key = "qwen2.rope.scaling.type", .kind = 's', .error = "rope.scaling.type" },
        { .what = "experts", .key = "qwen2.expert_count", .kind = 'u', .value = 8, .error = "expert_count" },
        { .what = "split", .key = "split.count", .kind = 'u', .value = 3, .error = "key 'split.no'" },
        {.what = "missing tensor", .drop_tensor = "blk.1.ffn_up.weight", .error = "model.layers.1.mlp.up_proj.weight" },
        { .what = "missing bias", .drop_tensor = "blk.2.attn_k.bias", .error = "model.layers.2.self_attn.k_proj.bias" },
        { .what = "no embedding", .drop_tensor = "token_embd.weight", .error = "token_embd.weight" },
        {.what = "unknown tensor", .add_tensor = "blk.0.attn_sinks.weight", .dims = { 32, 1 },
         .error = "blk.0.attn_sinks.weight" },
        {.what = "head of another shape", .add_tensor = "output.weight", .dims = { 64, 32 }, .error = "output.weight" },
        {.what = "rope table of another length", .add_tensor = "rope_freqs.weight", .dims = { 64, 1 },
         .error = "rope_freqs.weight" },
    };
    convert("tests/golden/zoo/qwen2", "gguf:F32", good);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        qz_error e;
        rewrite(&cases[i]);
        open_lie(cases[i].what, bad, cases[i].error, &e);
        if (cases[i].error && !strstr(e.text, bad)) fail_msg("%s: %s", cases[i].what, e.text);
    }
}

static void replace(const char *name, const char *from, const char *to) { replace_text(folder, name, from, to); }

/* One tensor renamed or given other dimensions (same bytes). */
typedef struct { const char *name, *new_name; uint64_t rows, cols; } other_header;
static void edit_header(const void *arg, qz_st_item *item, uint8_t *data, size_t bytes) {
    const other_header *o = arg;
    (void)data, (void)bytes;
    if (strcmp(item->name, o->name)) return;
    item->name = o->new_name;
    item->dims[0] = o->rows, item->dims[1] = o->cols;
}
static void retensor(const char *name, const char *new_name, uint64_t rows, uint64_t cols) {
    edit_weights(folder, "model.safetensors", edit_header, &(other_header){ name, new_name, rows, cols });
}

/* One 32-bit word of a tensor's data gets another value. */
static void flip_word(const char *name, size_t word, uint32_t value) {
    char path[128];
    qz_st st;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    OK(qz_st_open(&st, path, err));
    const qz_st_tensor *t = qz_st_find(&st, name);
    assert_non_null(t);
    long at = (long)(t->offset + 4 * word);
    qz_st_release(&st);
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(&value, 4, 1, f), 1);
    fclose(f);
}

static void expect(const char *fragment) { open_lie("changed folder", folder, fragment, NULL); }

static void awq_lies(void **state) {
    (void)state;
    static const struct { const char *from, *to, *error; } configs[] = {
        { "\"version\": \"gemm\"", "\"version\": \"exllama\"", "'exllama'" },
        { "\"version\": \"gemm\"", "\"version\": \"marlin\"", "unless marlin" },
        { "\"version\": \"gemm\"", "\"version\": \"gemv_fast\"", "expected I16, found I32" },
        { "\"version\": \"gemm\"", "\"version\": \"gemv\"", "expected layout gemv" },
        { "\"bits\": 4", "\"bits\": 3", "with 3 bits" },
        { "\"group_size\": 32", "\"group_size\": 7", "group size" },
        { "\"group_size\": 32", "\"group_size\": 64", "groups of 64" },
        { "\"zero_point\": true", "\"zero_point\": false", "without zero points" },
        { "\"quant_method\": \"awq\"", "\"quant_method\": \"exl9\"", "'exl9'" },
        { "\"hidden_size\": 64", "\"hidden_size\": 96", "wrong shape" },
    };
    convert("tests/golden/zoo/qwen2", "awq:w4g32", folder);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        replace("config.json", configs[i].from, configs[i].to);
        expect(configs[i].error);
        replace("config.json", configs[i].to, configs[i].from);
    }
    static const char q[] = "model.layers.1.mlp.up_proj.qzeros", s[] = "model.layers.0.self_attn.k_proj.scales";
    retensor(q, "model.layers.1.mlp.up_proj.other_zeros", 2, 20);
    expect("model.layers.1.mlp.up_proj");
    convert("tests/golden/zoo/qwen2", "awq:w4g32", folder);
    retensor(s, s, 1, 64); /* same bytes, half the groups */
    expect("model.layers.0.self_attn.k_proj");
    convert("tests/golden/zoo/qwen2", "awq:w4g32", folder);
    qz_model *m;
    OK(qz_artifact_open(NULL, folder, &m, err)); /* and unharmed it opens */
    qz_model_free(m);
}

static void gptq_lies(void **state) {
    (void)state;
    static const struct { const char *from, *to, *error; } configs[] = {
        { "\"checkpoint_format\": \"gptq\"", "\"checkpoint_format\": \"marlin\"", "'marlin'" },
        { "\"checkpoint_format\": \"gptq\"", "\"is_marlin_format\": true", "'marlin'" },
        { "\"bits\": 4", "\"bits\": 3", "expected 3 bits" },
        { "\"bits\": 4", "\"bits\": 9", "found 9" },
        { "\"bits\": 4", "\"bits\": \"4\"", "key 'bits'" },
        { "\"group_size\": 32", "\"group_size\": 0", "found 0" },
        { "\"group_size\": 32", "\"group_size\": 64", "groups of 64" },
        { "\"group_size\": 32", "\"group_size\": -1", "groups of -1" },
        { "\"sym\": true", "\"sym\": 3", "key 'sym'" },
        { "\"quant_method\": \"gptq\"", "\"quant_method\": \"awq\"", "expected layout gemm" },
        { "\"hidden_size\": 64", "\"hidden_size\": 96", "wrong shape" },
    };
    static const struct { const char *from, *to; uint64_t rows, cols; } tensors[] = {
        { "model.layers.1.mlp.up_proj.qzeros", "model.layers.1.mlp.up_proj.other_zeros", 2, 20 },
        { "model.layers.1.mlp.up_proj.qweight", "model.layers.1.mlp.up_proj.qweight", 160, 8 },
        { "model.layers.1.mlp.up_proj.scales", "model.layers.1.mlp.up_proj.scales", 1, 320 },
        { "model.layers.1.mlp.up_proj.qzeros", "model.layers.1.mlp.up_proj.qzeros", 20, 2 },
    };
    convert("tests/golden/zoo/qwen2", "gptq:w4g32", folder);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        replace("config.json", configs[i].from, configs[i].to);
        expect(configs[i].error);
        replace("config.json", configs[i].to, configs[i].from);
    }
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        convert("tests/golden/zoo/qwen2", "gptq:w4g32", folder);
        retensor(tensors[i].from, tensors[i].to, tensors[i].rows, tensors[i].cols);
        expect("model.layers.1.mlp.up_proj");
    }
    convert("tests/golden/zoo/qwen2", "gptq:w4g32", folder);
    flip_word("model.layers.0.self_attn.k_proj.g_idx", 5, 2);
    expect("k_proj.g_idx', element 5: expected below 2, found 2");
    flip_word("model.layers.0.self_attn.k_proj.g_idx", 5, 0xffffffffu);
    expect("element 5: expected below 2, found -1");
    flip_word("model.layers.0.self_attn.k_proj.g_idx", 5, 0);
    qz_model *m;
    OK(qz_artifact_open(NULL, folder, &m, err));
    qz_model_free(m);
}

/* Integers of compressed-tensors: settings, shapes, scales and zero points that contradict each other. */
static void ct_lies(void **state) {
    (void)state;
    static const struct { const char *from, *to, *error; } configs[] = {
        { "\"type\": \"int\"", "\"type\": \"complex\"", "'complex'" },
        { "\"num_bits\": 4", "\"num_bits\": 5", "weight_packed [" },
        { "\"num_bits\": 4", "\"num_bits\": 1", "integers of 1 bits" },
        { "\"num_bits\": 4", "\"num_bits\": 9", "integers of 9 bits" },
        { "\"group_size\": 32", "\"group_size\": 16", "expected scales [" },
        { "\"group_size\": 32", "\"group_size\": 48", "columns in groups of 48" },
        { "\"group_size\": 32", "\"group_size\": 0", "group_size" },
        { "\"strategy\": \"group\"", "\"strategy\": \"row\"", "'row'" },
        { "\"strategy\": \"group\"", "\"strategy\": \"channel\"", "group_size" },
        { "\"symmetric\": false", "\"symmetrical\": false", "'symmetrical'" },
        { "\"hidden_size\": 64", "\"hidden_size\": 96", "wrong shape" },
    };
    static const char scheme[] = "ct:w4a16+g32+asym", x[] = "model.layers.1.mlp.up_proj";
    static const char *const suffixes[] = { "weight_packed", "weight_scale", "weight_zero_point" };
    char name[96];
    convert("tests/golden/zoo/qwen2", scheme, folder);
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        replace("config.json", configs[i].from, configs[i].to);
        expect(configs[i].error);
        replace("config.json", configs[i].to, configs[i].from);
    }
    for (size_t i = 0; i < 3; i++) { /* the same bytes in one row */
        convert("tests/golden/zoo/qwen2", scheme, folder);
        snprintf(name, sizeof name, "%s.%s", x, suffixes[i]);
        static const uint64_t words[] = { 160 * 8, 160 * 2, 20 * 2 };
        retensor(name, name, 1, words[i]);
        expect(x);
    }
    convert("tests/golden/zoo/qwen2", scheme, folder);
    retensor("model.layers.1.mlp.up_proj.weight_shape", "model.layers.1.mlp.up_proj.other_shape", 2, 0);
    expect("up_proj.weight_shape' is missing");
    convert("tests/golden/zoo/qwen2", scheme, folder);
    retensor("model.layers.1.mlp.up_proj.weight_zero_point", "model.layers.1.mlp.up_proj.other", 20, 2);
    expect("expected 'model.layers.1.mlp.up_proj.weight_zero_point', found none");
    static const uint32_t scales[] = { 0, 0xbf800000u, 0x7fc00000u, 0x7f800000u };
    for (size_t i = 0; i < 4; i++) {
        convert("tests/golden/zoo/qwen2", scheme, folder);
        flip_word("model.layers.1.mlp.up_proj.weight_scale", 3, scales[i]);
        expect("expected a finite number above 0");
    }
    convert("tests/golden/zoo/qwen2", scheme, folder);
    flip_word("model.layers.1.mlp.up_proj.weight_shape", 2, 63);
    expect("up_proj");
    flip_word("model.layers.1.mlp.up_proj.weight_shape", 3, 0x80000000u);
    expect("weight_shape says");
}

static void put_bytes(const char *path, const char *bytes, size_t n) { /* without the fsync of qz_write_file */
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Bytes changed at random in config.json or anywhere in the weights, the header mostly: a folder opens or is refused,
 * and what opens decodes within its bounds (sanitizers watch). */
static void random_damage(void **state) {
    (void)state;
    static const char *const schemes[] = { "awq:w4g32", "gptq:w4g32+asym+act_order", "gptq:w3g32", "bnb:nf4+double",
                                           "bnb:int8", "ct:w3a16+g32+asym", "ct:int8",
                                           "ct:nvfp4", "ct:nvfp4a16", "ct:fp8", "ct:mxfp4", "ct:mxfp8" };
    static float row[4096];
    qz_rng rng;
    qz_rng_seed(&rng, 42);
    for (size_t s = 0; s < sizeof schemes / sizeof *schemes; s++) {
        static const char *const names[] = { "config.json", "model.safetensors" };
        char path[2][128], *good_bytes[2];
        size_t n[2], opened = 0, refused = 0;
        convert("tests/golden/zoo/qwen2", schemes[s], folder);
        for (int f = 0; f < 2; f++) {
            snprintf(path[f], sizeof path[f], "%s/%s", folder, names[f]);
            OK(qz_read_file(path[f], 1 << 24, &good_bytes[f], &n[f], err));
        }
        for (size_t round = 0; round < 120; round++) {
            int f = (int)qz_rng_below(&rng, 3) > 0;
            char *bytes = qz_alloc_array(n[f], 1);
            memcpy(bytes, good_bytes[f], n[f]);
            size_t reach = f && qz_rng_below(&rng, 3) ? 20000 : n[f];
            for (size_t k = 1 + (size_t)qz_rng_below(&rng, 4); k--;) {
                size_t at = (size_t)qz_rng_below(&rng, qz_min_size(reach, n[f]));
                /* digits keep JSON whole */
                bytes[at] = (char)(qz_rng_below(&rng, 2) ? '0' + qz_rng_below(&rng, 10) : qz_rng_below(&rng, 256));
            }
            put_bytes(path[f], bytes, n[f]);
            qz_free(bytes);
            qz_model *m = NULL;
            qz_error e = { 0 };
            if (qz_artifact_open(NULL, folder, &m, &e) != QZ_OK) refused++;
            else {
                for (size_t i = 0; i < m->n_tensors; i++)
                    for (size_t r = 0; r < m->tensors[i].rows && m->tensors[i].cols <= 4096; r++)
                        qz_tensor_decode(&m->tensors[i], r, 1, row);
                qz_model_free(m);
                opened++;
            }
            put_bytes(path[f], good_bytes[f], n[f]);
        }
        if (opened < 10 || refused < 10)
            fail_msg("%s: %zu opened, %zu refused: the damage is too small or too large to tell", schemes[s], opened,
                     refused);
        for (int f = 0; f < 2; f++) qz_free(good_bytes[f]);
    }
}

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return -1;
    snprintf(good, sizeof good, "%s/good.gguf", dir);
    snprintf(bad, sizeof bad, "%s/bad.gguf", dir);
    snprintf(folder, sizeof folder, "%s/awq", dir);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    qz_error err = {0};
    (void)qz_remove_tree(folder, &err);
    return qz_remove_tree(dir, &err) == QZ_OK ? 0 : -1;
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(gguf_lies), cmocka_unit_test(awq_lies),
                                       cmocka_unit_test(gptq_lies), cmocka_unit_test(ct_lies),
                                       cmocka_unit_test(random_damage) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
