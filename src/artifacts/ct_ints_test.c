/* Integer folders of compressed-tensors. Outside truth: checkpoints of compressed-tensors 0.20.0 (tests/golden/ct),
 * read through the scheme's reader, and rewritten as older releases stored them (a gap behind the last code of a
 * word; group indices). What is written reads back, and written again from what was read it is the same file. */
#include "codecs/scaled_float.h"
#include "artifacts/ct_ints.h"
#include "artifacts/testing.h"
#include "base/bytes.h"
#include "base/half.h"
#include "formats/dtypes.h"
#include <stdlib.h>
#include <sys/stat.h>

static char dir[] = "/tmp/qz_ct_XXXXXX", folder[64], again[64], given[64];
#define MODULE "model.layers.0.mlp.down_proj"

/* ---- the library's checkpoints ---- */
typedef struct { const char *name; uint32_t bits, group; bool asym, words; } test_case;
static const test_case cases[] = {
    { "w2a16_g32_sym_bf16", 2, 32, false, true },  { "w3a16_g32_sym_bf16", 3, 32, false, true },
    { "w3a16_g32_asym_bf16", 3, 32, true, true },  { "w4a16_g128_sym_bf16", 4, 128, false, true },
    { "w4a16_g32_sym_fp16", 4, 32, false, true },  { "w4a16_g32_asym_bf16", 4, 32, true, true },
    { "w4a16_g128_asym_fp32", 4, 128, true, true }, { "w4a16_channel_sym_bf16_k100", 4, 0, false, true },
    { "w5a16_g32_sym_bf16", 5, 32, false, true },  { "w6a16_g32_sym_bf16", 6, 32, false, true },
    { "w7a16_g32_sym_bf16", 7, 32, false, true },  { "w8a16_g128_sym_bf16", 8, 128, false, true },
    { "w8a16_g32_asym_bf16", 8, 32, true, true },  { "w8a16_channel_sym_bf16_k98", 8, 0, false, true },
    { "w8a8_int8_channel_bf16", 8, 0, false, false }, { "w8a8_int8_tensor_bf16", 8, 1, false, false },
    { "w4a8_int8_channel_bf16", 4, 0, false, false },
    { "w4a8_g128_sym_bf16", 4, 128, false, false },
    { "w5a16_g128_sym_bf16", 5, 128, false, true },
    { "w6a16_g128_sym_bf16", 6, 128, false, true },
    { "w7a16_g128_sym_bf16", 7, 128, false, true },
    { "w4afp8_g128_sym_bf16", 4, 128, false, true },
};

static float at(const qz_st_tensor *t, size_t i) {
    return t->dtype == QZ_ST_F32   ? qz_bits_f32(qz_load_u32le(t->data + 4 * i))
           : t->dtype == QZ_ST_F16 ? qz_f16_to_f32(qz_load_u16le(t->data + 2 * i))
                                   : qz_bf16_to_f32(qz_load_u16le(t->data + 2 * i));
}
static uint32_t field(const uint8_t *words, size_t step, size_t i, uint32_t bits) {
    uint32_t v = 0;
    for (uint32_t b = 0; b < bits; b++) {
        const size_t bit = i * bits + b;
        v |= (qz_load_u32le(words + bit / 32 * step * 4) >> bit % 32 & 1) << b;
    }
    return v;
}

/* n codes, 32/bits to a word; step: words from one to the next in both. */
static void with_gaps(const uint8_t *from, size_t step, size_t n, uint32_t bits, uint8_t *to) {
    for (size_t i = 0; i < n; i++) {
        uint8_t *word = to + i / (32 / bits) * step * 4;
        qz_store_u32le(word, qz_load_u32le(word) | field(from, step, i, bits) << i % (32 / bits) * bits);
    }
}

/* The checkpoint as a folder's file; gaps: as older releases packed it; order: groups turned round by an index. */
static void store(const qz_st *st, const test_case *c, bool gaps, bool order) {
    static uint8_t room[3][1 << 16];
    qz_st_item items[16];
    const uint8_t *data[16];
    size_t n = 0, bytes[16];
    char path[128];
    qz_st_writer w;
    memset(room, 0, sizeof room);
    for (size_t i = 0; i < st->n && n < 8; i++) {
        const qz_st_tensor *t = &st->tensors[i];
        const size_t per_word = 32 / c->bits;
        qz_st_item *it = &items[n];
        *it = (qz_st_item){ t->name, t->dtype, t->n_dims, { t->dims[0], t->dims[1] } };
        data[n] = t->data, bytes[n] = (size_t)t->bytes;
        if (gaps && qz_str_ends(t->name, "weight_packed")) {
            const size_t cols = (size_t)qz_st_find(st, "in.weight")->dims[1], wide = (cols + per_word - 1) / per_word;
            for (size_t r = 0; r < t->dims[0]; r++)
                with_gaps(t->data + r * t->dims[1] * 4, 1, cols, c->bits, room[0] + r * wide * 4);
            it->dims[1] = wide, data[n] = room[0], bytes[n] = (size_t)t->dims[0] * wide * 4;
        }
        if (gaps && qz_str_ends(t->name, "weight_zero_point")) {
            const size_t rows = (size_t)qz_st_find(st, "in.weight")->dims[0], high = (rows + per_word - 1) / per_word;
            for (size_t g = 0; g < t->dims[1]; g++)
                with_gaps(t->data + 4 * g, (size_t)t->dims[1], rows, c->bits, room[1] + 4 * g);
            it->dims[0] = high, data[n] = room[1], bytes[n] = high * (size_t)t->dims[1] * 4;
        }
        n++;
    }
    if (order) {
        const size_t cols = (size_t)qz_st_find(st, "in.weight")->dims[1];
        for (size_t k = 0; k < cols; k++) qz_store_u32le(room[2] + 4 * k, (uint32_t)((cols - 1 - k) / c->group));
        items[n] = (qz_st_item){ MODULE ".weight_g_idx", QZ_ST_I32, 1, { cols } };
        data[n] = room[2], bytes[n++] = 4 * cols;
    }
    snprintf(path, sizeof path, "%s/model.safetensors", given);
    (void)remove(path);
    OK(qz_st_writer_open(&w, path, &(qz_st_plan){ items, n, NULL, 0 }, err));
    for (size_t i = 0; i < n; i++) OK(qz_st_writer_write(&w, data[i], bytes[i], err));
    OK(qz_st_writer_commit(&w, NULL, err));
}

/* Every value as the library decompresses it; with an index: under the scale and zero point of the other group. */
static void check_values(const qz_st *st, const test_case *c, const qz_coded *coded, bool order) {
    const qz_st_tensor *want = qz_st_find(st, "ref.dequant"), *s = qz_st_find(st, MODULE ".weight_scale"),
                       *z = qz_st_find(st, "ref.zero_point");
    float *y = qz_alloc_array(coded->cols, sizeof *y);
    uint8_t *codes = qz_alloc_array(coded->cols, 1);
    const size_t groups = c->group > 1 ? coded->cols / c->group : 1;
    assert_int_equal(coded->rows * coded->cols, want->elems);
    for (size_t r = 0; r < coded->rows; r++) {
        qz_coded_decode_row(coded, r, y);
        coded->ops->codes(coded, r, codes);
        for (size_t k = 0; k < coded->cols; k++) {
            float v = at(want, r * coded->cols + k);
            if (order) {
                const size_t g = r * groups + (coded->cols - 1 - k) / c->group;
                const int zero = (z ? (int8_t)z->data[g] : 0) + (1 << (c->bits - 1));
                v = qz_bf16_to_f32(qz_f32_to_bf16((float)(codes[k] - zero) * at(s, g)));
            }
            if (y[k] != v) fail_msg("%s: %zu, %zu: expected %a, found %a", c->name, r, k, (double)v, (double)y[k]);
        }
    }
    qz_free(y), qz_free(codes);
}

static void read_golden(const test_case *c, bool gaps, bool order) {
    char path[128], module[QZ_ST_MAX_NAME] = MODULE;
    qz_st st;
    qz_st_dir d = {0};
    qz_model m = { .path = given };
    qz_folder_config config = { .file = "config.json" };
    qz_tensor_view views[1];
    const qz_ct_strategy how = c->group > 1 ? QZ_CT_GROUP : c->group ? QZ_CT_TENSOR : QZ_CT_CHANNEL;
    const qz_ct_setting s = { .weights = { .strategy = how, .bits = c->bits, .asym = c->asym,
                                           .group_size = c->group > 1 ? c->group : 0 },
                              .format = c->words ? &qz_ct_packed : &qz_ct_bytes };
    snprintf(path, sizeof path, "tests/golden/ct/%s.safetensors", c->name);
    OK(qz_st_open(&st, path, err));
    store(&st, c, gaps, order);
    OK(qz_st_dir_open(&d, given, err));
    qz_folder_reader r = { .m = &m, .dir = &d, .config = &config };
    m.tensors = views;
    const qz_st *file = NULL;
    const qz_st_tensor *t = qz_st_dir_find(&d, c->words ? MODULE ".weight_packed" : MODULE ".weight", &file);
    assert_non_null(t);
    assert_true(s.format->holds(&s));
    OK(s.format->add(&r, &s, file, t, module, err));
    assert_int_equal(m.n_tensors, 1);
    check_values(&st, c, views[0].coded, order);
    qz_arena_release(&m.arena);
    qz_st_dir_release(&d);
    qz_st_release(&st);
}

static void golden(void **state) {
    (void)state;
    assert_int_equal(mkdir(given, 0700), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const test_case *c = &cases[i];
        read_golden(c, false, false);
        if (c->words) read_golden(c, true, false);
        if (c->words && c->group == 32 && strstr(c->name, "bf16")) read_golden(c, false, true);
    }
}

/* ---- round trips ---- */
static qz_status put_read(qz_artifact_writer *w, const qz_artifact_item *it, qz_error *err) {
    const qz_coded *c = it->source->coded;
    const size_t groups = it->cols / it->group_size;
    qz_arena a = {0};
    uint8_t *codes = qz_arena_alloc(&a, it->rows, it->cols), *zeros = qz_arena_alloc(&a, it->rows, groups);
    float *scales = qz_arena_alloc(&a, it->rows * groups, sizeof *scales);
    for (size_t r = 0; r < it->rows; r++) {
        c->ops->codes(c, r, codes + r * it->cols);
        for (size_t g = 0; g < groups; g++) {
            int zero;
            scales[r * groups + g] = c->ops->scale(c, r, g, &zero);
            zeros[r * groups + g] = (uint8_t)zero;
        }
    }
    const qz_int_codes made = { .bits = it->bits, .group_size = it->group_size, .sym = it->sym, .codes = codes,
                                .scales = scales, .zero_points = zeros, .scale_type = QZ_SCALE_F32 };
    const qz_quantized q = { .name = it->name, .type = it->type, .rows = it->rows, .cols = it->cols,
                             .coded = qz_int_codes_keep(made, it->rows, it->cols, &a) };
    const qz_status st = qz_artifact_writer_put(w, &q, err);
    qz_arena_release(&a);
    return st;
}

/* Small floats as they were read: the codes a byte each, the scales as they are. */
static qz_status put_floats(qz_artifact_writer *w, const qz_artifact_item *it, const qz_scaled_float *f,
                            qz_error *err) {
    qz_arena a = {0};
    uint8_t *codes = qz_arena_alloc(&a, it->rows, it->cols);
    qz_scaled_float made = *f;
    assert_non_null(codes);
    for (size_t r = 0; r < it->rows; r++) f->base.ops->codes(&f->base, r, codes + r * it->cols);
    made.codes = codes, made.bits = 8;
    const qz_quantized q = { .name = it->name, .type = it->type, .rows = it->rows, .cols = it->cols,
                             .coded = &made.base };
    const qz_status st = qz_artifact_writer_put(w, &q, err);
    qz_arena_release(&a);
    return st;
}

static void write_read_write(const char *source, const char *scheme) {
    qz_model *m;
    qz_scheme_spec spec;
    qz_arena a = {0};
    qz_artifact_plan plan;
    qz_artifact_writer *w;
    char path[2][128], *bytes[2];
    size_t n[2];
    convert(source, scheme, folder);
    OK(qz_artifact_open(NULL, folder, &m, err));
    OK(qz_scheme_parse(scheme, &spec, err));
    qz_artifact_context ctx = { .source_dir = source };
    OK(qz_artifact_plan_make(NULL, m, &spec, &ctx, &a, &plan, err));
    as_calibrated(&plan);
    OK(qz_artifact_writer_open(NULL, &plan, again, QZ_WRITE_FORCE, &w, err));
    for (size_t i = 0; i < plan.n_items; i++) {
        const qz_artifact_item *it = &plan.items[i];
        const qz_scaled_float *f = qz_scaled_float_of(it->source->coded);
        if (f) OK(put_floats(w, it, f, err));
        else if (it->type == QZ_TYPE_CODED) OK(put_read(w, it, err));
        else OK(qz_artifact_writer_put_view(w, it->source, err));
    }
    OK(qz_artifact_writer_commit(w, err));
    qz_artifact_writer_free(w);
    for (int f = 0; f < 2; f++) {
        snprintf(path[f], sizeof path[f], "%s/model.safetensors", f ? again : folder);
        OK(qz_read_file(path[f], 1 << 24, &bytes[f], &n[f], err));
    }
    if (n[0] != n[1] || memcmp(bytes[0], bytes[1], n[0]) != 0) fail_msg("%s of %s: files differ", scheme, source);
    assert_int_equal(plan.weight_bytes, n[0] - 8 - qz_load_u64le(bytes[0])); /* planned bytes are written bytes */
    qz_free(bytes[0]), qz_free(bytes[1]);
    qz_arena_release(&a);
    qz_model_free(m);
}

static void round_trips(void **state) {
    (void)state;
    static const char *const schemes[] = {
        "ct:w4a16+g32", "ct:w4a16_asym+g32", "ct:w4a16+g16+asym", "ct:w4a16+g-1", "ct:w8a16+g32", "ct:w8a16+g-1+asym",
        "ct:w2a16+g32", "ct:w3a16+g32+asym", "ct:w5a16+g16", "ct:w6a16+g32+asym", "ct:w7a16+g-1", "ct:int8",
        "ct:int8+static", "ct:fp8", "ct:nvfp4", "ct:nvfp4a16", "ct:mxfp4", "ct:mxfp4a16", "ct:mxfp6a16", "ct:mxfp8",
        "ct:w4a8+g32", "modelopt:fp8", "modelopt:nvfp4", "modelopt:nvfp4a16",
        "modelopt:fp8_dynamic", "modelopt:mxfp4", "modelopt:mxfp8",
        "fp8:tensor", "fp8:block", "fp8:block+ue8m0",
    };
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        write_read_write("tests/golden/zoo/qwen2", schemes[i]);
        write_read_write("tests/golden/zoo/llama", schemes[i]);
    }
}

/* ---- what the file says ---- */
static void config_of(const char *scheme, const char *wanted) {
    qz_folder_config c;
    convert("tests/golden/zoo/qwen2", scheme, folder);
    OK(qz_folder_config_load(folder, &c, err));
    char *text = json_dumps(json_object_get(json_object_get(c.q, "config_groups"), "group_0"), JSON_COMPACT);
    assert_string_equal(text, wanted);
    free(text);
    qz_folder_config_release(&c);
}
static void configs(void **state) {
    (void)state;
    config_of("ct:w4a16+g32+asym",
              "{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":4,\"type\":\"int\",\"symmetric\":false,"
              "\"group_size\":32,\"strategy\":\"group\",\"dynamic\":false},\"input_activations\":null,"
              "\"output_activations\":null,\"format\":\"pack-quantized\"}");
    config_of("ct:int8",
              "{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":8,\"type\":\"int\",\"symmetric\":true,"
              "\"group_size\":null,\"strategy\":\"channel\",\"dynamic\":false},\"input_activations\":{\"num_bits\":8,"
              "\"type\":\"int\",\"symmetric\":true,\"group_size\":null,\"strategy\":\"token\",\"dynamic\":true},"
              "\"output_activations\":null,\"format\":\"int-quantized\"}");
    config_of("ct:int8+static",
              "{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":8,\"type\":\"int\",\"symmetric\":true,"
              "\"group_size\":null,\"strategy\":\"channel\",\"dynamic\":false},\"input_activations\":{\"num_bits\":8,"
              "\"type\":\"int\",\"symmetric\":true,\"group_size\":null,\"strategy\":\"tensor\",\"dynamic\":false},"
              "\"output_activations\":null,\"format\":\"int-quantized\"}");
    config_of("ct:nvfp4",
              "{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":4,\"type\":\"float\",\"symmetric\":true,"
              "\"group_size\":16,\"strategy\":\"tensor_group\",\"dynamic\":false,\"scale_dtype\":"
              "\"torch.float8_e4m3fn\"},\"input_activations\":{\"num_bits\":4,\"type\":\"float\",\"symmetric\":true,"
              "\"group_size\":16,\"strategy\":\"tensor_group\",\"dynamic\":\"local\",\"scale_dtype\":"
              "\"torch.float8_e4m3fn\"},\"output_activations\":null,\"format\":\"nvfp4-pack-quantized\"}");
    config_of("ct:w4a8+g-1",
              "{\"targets\":[\"Linear\"],\"weights\":{\"num_bits\":4,\"type\":\"int\",\"symmetric\":true,"
              "\"group_size\":null,\"strategy\":\"channel\",\"dynamic\":false},\"input_activations\":{\"num_bits\":8,"
              "\"type\":\"int\",\"symmetric\":true,\"group_size\":null,\"strategy\":\"token\",\"dynamic\":true},"
              "\"output_activations\":null,\"format\":\"pack-quantized\"}");
}

static void flags(void **state) {
    (void)state;
    static const struct { const char *scheme, *error; } bad[] = {
        { "ct:w4a16+g48", "+g48" },        { "ct:w4a16+g32+g64", "two group sizes" }, { "ct:int8+g32", "+static" },
        { "ct:w4afp8+g32", "one layout" }, { "ct:w4a8+asym", "+asym" },
        { "ct:fp8_block+g32", "one layout" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        qz_scheme_spec s;
        qz_error e = {0};
        assert_int_equal(qz_scheme_parse(bad[i].scheme, &s, &e), QZ_EUSAGE);
        if (!strstr(e.text, bad[i].error)) fail_msg("%s: %s", bad[i].scheme, e.text);
    }
    qz_model *m;
    qz_scheme_spec s;
    qz_arena a = {0};
    qz_artifact_plan plan;
    qz_error e = {0};
    OK(qz_artifact_open(NULL, "tests/golden/zoo/qwen2", &m, err));
    OK(qz_scheme_parse("ct:w4a16", &s, err));
    assert_int_equal(qz_artifact_plan_make(NULL, m, &s, &(qz_artifact_context){0}, &a, &plan, &e), QZ_EUNSUPPORTED);
    assert_non_null(strstr(e.text, "expected columns in groups of 128; use +g64"));
    qz_arena_release(&a);
    qz_model_free(m);
}

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(dir)) return -1;
    snprintf(folder, sizeof folder, "%s/a", dir);
    snprintf(again, sizeof again, "%s/b", dir);
    snprintf(given, sizeof given, "%s/c", dir);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    qz_error err = {0};
    (void)qz_remove_tree(folder, &err), (void)qz_remove_tree(again, &err), (void)qz_remove_tree(given, &err);
    return qz_remove_tree(dir, &err) == QZ_OK ? 0 : -1;
}
int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(golden), cmocka_unit_test(round_trips),
                                        cmocka_unit_test(configs), cmocka_unit_test(flags) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
