/* Who made an artifact, as it says itself. Outside truth: keys as llama-quantize and Hugging Face's model cards spell
 * them (gguf-py constants GENERAL_QUANTIZED_BY, LLAMA_KV_QUANTIZE_IMATRIX_*; front matter of cards). */
#include "artifacts/maker.h"
#include "artifacts/testing.h"
#include "base/io.h"
#include "formats/gguf.h"

static void put(const char *dir, const char *name, const char *text) {
    char path[sizeof(qz_scratch) + 64];
    qz_error err = {0};
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(qz_write_file(path, text, strlen(text), &err), QZ_OK);
}
static void test_readme(void **state) {
    static const struct { const char *text, *by, *base; } all[] = {
        {"---\nquantized_by: bartowski\nbase_model: org/m\n---\n", "bartowski", "org/m"},
        {"---\nbase_model:\n- org/m\n- org/n\nquantized_by: \"a b\"\n---\n", "a b", "org/m"},
        {"---\nlicense: mit\n---\nquantized_by: no\n", "", ""}, /* behind the front matter */
        {"quantized_by: no\n---\n", "", ""},                     /* no front matter */
        {"---\nquantized_by: no", "", ""},                       /* it does not end */
        {"---\nquantized_by:\n---\n", "", ""},
        {"---\nquantized_by: a\001b\n---\n", "a?b", ""},
        {"---\nxquantized_by: no\nquantized_by_me: no\n---\n", "", ""}};
    qz_scratch scratch;
    const char *dir = scratch.path;
    qz_error err = {0};
    qz_maker m;
    (void)state;
    assert_int_equal(qz_scratch_make("maker", &scratch, &err), QZ_OK);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        put(dir, "README.md", all[i].text);
        qz_maker_read(dir, &m);
        assert_string_equal(m.by, all[i].by);
        assert_string_equal(m.base, all[i].base);
        assert_int_equal(qz_maker_known(&m), *all[i].by || *all[i].base);
    }
    put(dir, "config.json", "{\"quantization_config\":{\"meta\":{\"quantizer\":[\"gptqmodel:2.0.0\"]}}}");
    qz_maker_read(dir, &m);
    assert_string_equal(m.by, "gptqmodel:2.0.0");
    assert_string_equal(m.where, "quantization_config.meta");
    put(dir, "config.json", "{\"quantization_config\":[]"); /* what cannot be read says nothing */
    qz_maker_read(dir, &m);
    assert_string_equal(m.by, "");
    assert_int_equal(qz_scratch_remove(&scratch, &err), QZ_OK);
}
static void test_gguf(void **state) {
    qz_scratch scratch;
    const char *dir = scratch.path;
    char path[sizeof scratch + 16], longer[400];
    qz_error err = {0};
    qz_maker m;
    qz_gguf_meta meta = {0};
    qz_gguf_writer w;
    (void)state;
    memset(longer, 'z', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(qz_scratch_make("maker", &scratch, &err), QZ_OK);
    (void)snprintf(path, sizeof path, "%s/m.gguf", dir);
    qz_gguf_put_str(&meta, "general.architecture", "llama");
    qz_gguf_put_str(&meta, "general.quantized_by", "Unsloth");
    qz_gguf_put_str(&meta, "general.base_model.0.repo_url", longer);
    qz_gguf_put_str(&meta, "quantize.imatrix.dataset", "calibration_v3");
    qz_gguf_put_i32(&meta, "quantize.imatrix.entries_count", 224);
    assert_int_equal(qz_gguf_writer_open(&w, path, &meta, NULL, 0, &err), QZ_OK);
    assert_int_equal(qz_gguf_writer_commit(&w, NULL, &err), QZ_OK);
    qz_maker_read(path, &m);
    assert_string_equal(m.by, "Unsloth");
    assert_string_equal(m.where, "general.quantized_by");
    assert_int_equal(strlen(m.base), sizeof m.base - 1);
    assert_string_equal(m.data, "imatrix unnamed of calibration_v3, 224 entries, 0 chunks");
    qz_maker_read("/nowhere.gguf", &m);
    assert_false(qz_maker_known(&m));
    qz_gguf_meta_release(&meta);
    assert_int_equal(qz_scratch_remove(&scratch, &err), QZ_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_readme), cmocka_unit_test(test_gguf)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
