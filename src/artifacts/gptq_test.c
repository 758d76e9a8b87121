/* GPTQ packing, reader and writer. Outside truth: files, zero points and dequantizations of AutoGPTQ and GPTQModel
 * (tests/golden/gptq/gptq.safetensors): every word and every dequantized value is compared bit for bit in
 * all 22 cases. */
#include "artifacts/gptq_int.h"
#include "artifacts/testing.h"
#include "base/bytes.h"
#include "base/half.h"
#include "model/kinds.h"
#include <stdlib.h>

enum { N = 32, K = 128 };
static qz_st golden;
static char dir[] = "/tmp/qz_gptq_XXXXXX";

static const char *const cases[] = { "b2_asym_g32", "b2_asym_g32_act", "b2_sym_g32", "b2_sym_g32_act", "b3_asym_g32",
                                     "b3_asym_g32_act", "b3_sym_g32",
                                     "b3_sym_g32_act", "b4_asym_g32", "b4_asym_g32_act", "b4_asym_g32_act_static",
                                     "b4_asym_g32_mse", "b4_sym_g32",
                                     "b4_sym_g32_act", "b4_sym_g32_bs32", "b4_sym_g32_mse", "b4_sym_gm1",
                                     "b4_sym_gm1_act", "b8_asym_g32",
                                     "b8_asym_g32_act", "b8_sym_g32", "b8_sym_g32_act" };

static const qz_st_tensor *get(const char *set, const char *name) { return golden_tensor(&golden, set, name); }

/* Codes and zero points of a case, one byte each, [N, K] and [N, groups]. */
static void read_case(const char *set, uint32_t bits, uint8_t *codes, uint8_t *zeros, size_t groups) {
    const qz_st_tensor *w = get(set, "qweight"), *z = get(set, "qzeros_v2");
    uint8_t row[N];
    size_t lost = 0;
    assert_int_equal(w->dims[0], K * bits / 32);
    for (size_t n = 0; n < N; n++) qz_gptq_unpack_stream(w->data + 4 * n, K, bits, N, false, codes + n * K);
    for (size_t g = 0; g < groups; g++) {
        qz_gptq_unpack_zeros(z->data + g * N * bits / 8, N, bits, false, QZ_GPTQ_V2, row, &lost);
        for (size_t n = 0; n < N; n++) zeros[n * groups + g] = row[n];
    }
    assert_int_equal(lost, 0);
}

static void dequantized(void **state) {
    (void)state;
    static uint8_t codes[N * K], zeros[N * 4], packed[N * K];
    static uint16_t scales[N * 4];
    static uint32_t g_idx[K];
    float y[K];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *set = cases[i];
        uint32_t bits = (uint32_t)(set[1] - '0');
        const qz_st_tensor *s = get(set, "scales"), *d = get(set, "dequant_in_out"), *zero = get(set, "zeros_oc_g");
        size_t groups = (size_t)s->dims[0], row_bytes = qz_int_group_row_bytes(bits, K);
        read_case(set, bits, codes, zeros, groups);
        for (size_t k = 0; k < K; k++) g_idx[k] = qz_load_u32le(get(set, "g_idx")->data + 4 * k);
        for (size_t n = 0; n < N; n++) {
            qz_int_pack_row(codes + n * K, K, bits, packed + n * row_bytes);
            for (size_t g = 0; g < groups; g++) {
                float z;
                memcpy(&z, zero->data + 4 * (n * groups + g), 4);
                assert_true((float)zeros[n * groups + g] == z);
                scales[n * groups + g] = qz_load_u16le(s->data + 2 * (g * N + n));
            }
        }
        qz_int_group g = { .bits = bits, .group_size = (uint32_t)(K / groups), .rows = N, .cols = K, .groups = groups,
                           .codes = packed, .scales = scales,
                           .zero_points = zeros, .g_idx = g_idx };
        for (size_t n = 0; n < N; n++) {
            qz_int_group_decode_row(&g, n, y);
            for (size_t k = 0; k < K; k++) {
                uint16_t want = qz_load_u16le(d->data + 2 * (k * N + n)), got = qz_f32_to_f16(y[k]);
                if (got != want && ((got | want) & 0x7fff))
                    fail_msg("%s [%zu, %zu]: %04x, expected %04x", set, n, k, got, want);
            }
        }
    }
}

static void packed(void **state) {
    (void)state;
    static uint8_t codes[N * K], zeros[N * 4], row[N];
    static uint32_t words[K * N], zero_words[N];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *set = cases[i];
        uint32_t bits = (uint32_t)(set[1] - '0');
        size_t groups = (size_t)get(set, "scales")->dims[0], lost = 0;
        bool sym = strstr(set, "_sym") != NULL;
        read_case(set, bits, codes, zeros, groups);
        memset(words, 0, sizeof words);
        for (size_t n = 0; n < N; n++) qz_gptq_pack_stream(codes + n * K, K, bits, N, words + n);
        assert_memory_equal(words, get(set, "qweight")->data, K * N * bits / 8);
        for (size_t g = 0; g < groups; g++) {
            const uint8_t *v1 = get(set, "qzeros_v1")->data + g * N * bits / 8,
                          *v2 = get(set, "qzeros_v2")->data + g * N * bits / 8;
            for (size_t n = 0; n < N; n++) row[n] = zeros[n * groups + g];
            memset(zero_words, 0, sizeof zero_words);
            qz_gptq_pack_stream(row, N, bits, 1, zero_words);
            assert_memory_equal(zero_words, v2, N * bits / 8);
            /* as the maker converts */
            qz_gptq_unpack_zeros(v1, N, bits, false, bits == 3 ? QZ_GPTQ_V1_FIELDS : QZ_GPTQ_V1_WORDS, row, &lost);
            for (size_t n = 0; n < N; n++) assert_int_equal(row[n], zeros[n * groups + g]);
            if (!sym) continue;
            for (size_t n = 0; n < N; n++) row[n]--;
            memset(zero_words, 0, sizeof zero_words);
            qz_gptq_pack_stream(row, N, bits, 1, zero_words);
            assert_memory_equal(zero_words, v1, N * bits / 8);
        }
    }
}

/* The words worked out in formats/hf-gptq.md: a zero point 0 makes the makers disagree. */
static void ambiguous_zeros(void **state) {
    (void)state;
    static const uint8_t z[8] = { 0, 15, 7, 4, 10, 8, 11, 2 };
    const uint32_t v1_words = 0x1a7936dfu, v1_autogptq = 0xffffffffu;
    uint32_t v2 = 0;
    uint8_t got[8];
    size_t lost = 0;
    qz_gptq_pack_stream(z, 8, 4, 1, &v2);
    assert_int_equal(v2, 0x2b8a47f0u);
    qz_gptq_unpack_zeros((const uint8_t *)&v1_words, 8, 4, false, QZ_GPTQ_V1_WORDS, got, &lost);
    assert_memory_equal(got, z, 8);
    qz_gptq_unpack_zeros((const uint8_t *)&v1_autogptq, 8, 4, false, QZ_GPTQ_V1_FIELDS, got, &lost);
    assert_int_equal(lost, 8);
}

static void planar(void **state) {
    (void)state;
    for (uint32_t bits = 3; bits <= 7; bits++) {
        char set[16];
        uint8_t got[32];
        if (bits == 4) continue;
        snprintf(set, sizeof set, "planar%u", bits);
        const qz_st_tensor *codes = get(set, "codes"), *words = get(set, "packed");
        for (size_t n = 0; n < 4; n++) {
            qz_gptq_unpack_stream(words->data + 4 * n, 32, bits, 4, true, got);
            for (size_t k = 0; k < 32; k++) assert_int_equal(got[k], qz_load_u32le(codes->data + 4 * (4 * k + n)));
        }
    }
}

/* ---- whole folders: what the reader must make of files in other spellings than ours ---- */
static char folder[64];

static void write_folder(const char *scheme) { convert("tests/golden/zoo/qwen2", scheme, folder); }

/* Decoded values of one linear. */
static void decode(float *y) {
    qz_model *m;
    OK(qz_artifact_open(NULL, folder, &m, err));
    qz_tensor_decode(m->blocks[1].linear[QZ_MLP_UP], 0, m->blocks[1].linear[QZ_MLP_UP]->rows, y);
    qz_model_free(m);
}

static void replace(const char *name, const char *from, const char *to) { replace_text(folder, name, from, to); }

/* Every qzeros word minus *arg. */
static void lower_zeros(const void *arg, qz_st_item *item, uint8_t *data, size_t bytes) {
    for (size_t k = 0; data && qz_str_ends(item->name, ".qzeros") && k < bytes; k += 4) {
        uint32_t v = qz_load_u32le(data + k) - *(const uint32_t *)arg;
        memcpy(data + k, &v, 4);
    }
}
static void rewrite(const char *name, uint32_t less) { edit_weights(folder, name, lower_zeros, &less); }

static void spellings(void **state) {
    (void)state;
    static float want[160 * 64], got[160 * 64];
    write_folder("gptq:w4g32+asym");
    decode(want);
    rewrite("model.safetensors", 0x11111111u); /* GPTQModel's v1 */
    replace("config.json", "\"checkpoint_format\": \"gptq_v2\"", "\"checkpoint_format\": \"gptq\"");
    replace("config.json", "quantz:0", "gptqmodel:7.3.4");
    decode(got);
    assert_memory_equal(got, want, sizeof want);
    /* old names of keys, a file of its own for the quantization, the old name of the weights; no word about symmetry */
    write_folder("gptq:w4g32");
    decode(want);
    rewrite("gptq_model-4bit-32g.safetensors", 0);
    replace("config.json", "\"quantization_config\"", "\"other_config\"");
    replace("quantize_config.json", "\"bits\"", "\"wbits\"");
    replace("quantize_config.json", "\"group_size\"", "\"q_group_size\"");
    replace("quantize_config.json", "\"sym\"", "\"was_sym\"");
    replace("quantize_config.json", "\"quant_method\": \"gptq\",", "");
    memset(got, 0, sizeof got);
    decode(got);
    assert_memory_equal(got, want, sizeof want);
    OK(qz_remove_tree(folder, err));
}

static void overrides(void **state) {
    (void)state;
    static float want[160 * 64], got[160 * 64];
    write_folder("gptq:w4g32");
    decode(want);
    replace("config.json", "\"group_size\": 32",
            "\"group_size\": 64, \"dynamic\": {\"-:nothing\": {}, \"+:.*\\\\.(self_attn|mlp)\\\\..*\": "
            "{\"group_size\": 32}}");
    decode(got);
    assert_memory_equal(got, want, sizeof want);
    qz_model *m;
    qz_error e = {0};
    replace("config.json", "-:nothing", "-:model\\\\.layers\\\\.1\\\\.");
    assert_int_equal(qz_artifact_open(NULL, folder, &m, &e), QZ_EFORMAT);
    assert_non_null(strstr(e.text, "model.layers.1."));
    e = (qz_error){0};
    replace("config.json", "-:model\\\\.layers\\\\.1\\\\.", "(((");
    assert_int_equal(qz_artifact_open(NULL, folder, &m, &e), QZ_EFORMAT);
    assert_non_null(strstr(e.text, "not a regular expression"));
    OK(qz_remove_tree(folder, err));
}

static void names(void **state) {
    (void)state;
    static const struct { const char *text, *name; bool sym, v2, act; uint32_t group; } good[] = {
        { "gptq", "gptq:w4g128", true, false, false, 128 },
        { "GPTQ:W3G-1", "gptq:w3g-1", true, false, false, 0 },
        { "gptq:w4g128+asym", "gptq:w4g128+asym", false, true, false, 128 },
        { "gptq:w2g64+asym+v1", "gptq:w2g64+asym+v1", false, false, false, 64 },
        {"gptq:w4g128+asym+act_order+static_groups+v2+lm_head", "gptq:w4g128+asym+act_order+static_groups+v2+lm_head",
         false, true, true, 128 },
    };
    static const char *const bad[] = { "gptq:w5g128", "gptq:w4g100", "gptq:w4", "gptq:w4g128+sym+asym",
                                       "gptq:w4g128+v1+v2", "gptq:w4g128+static_groups",
                                       "gptq:w4g128+nothing", "gptq:w4g128+act_order+x" };
    qz_scheme_spec s;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        OK(qz_scheme_parse(good[i].text, &s, err));
        assert_string_equal(s.name, good[i].name);
        assert_true(s.sym == good[i].sym && s.v2 == good[i].v2 && s.act_order == good[i].act &&
                    s.group_size == good[i].group);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        qz_error e = {0};
        if (qz_scheme_parse(bad[i], &s, &e) != QZ_EUSAGE) fail_msg("%s: accepted", bad[i]);
    }
}

static int setup(void **state) {
    (void)state;
    qz_error err = {0};
    if (!mkdtemp(dir)) return -1;
    snprintf(folder, sizeof folder, "%s/out", dir);
    return qz_st_open(&golden, "tests/golden/gptq/gptq.safetensors", &err) == QZ_OK
               ? 0
               : (fprintf(stderr, "%s\n", err.text), -1);
}
static int teardown(void **state) {
    (void)state;
    qz_error err = {0};
    qz_st_release(&golden);
    return qz_remove_tree(dir, &err) == QZ_OK ? 0 : -1;
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(dequantized), cmocka_unit_test(packed),
                                       cmocka_unit_test(ambiguous_zeros), cmocka_unit_test(planar),
                                        cmocka_unit_test(spellings), cmocka_unit_test(overrides),
                                        cmocka_unit_test(names) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
