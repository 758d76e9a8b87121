/* Truth from outside: ids that huggingface tokenizers 0.23.3 gives under the pipeline of each family's published
 * tokenizer (tests/golden/text/record_families.py); the name that GGUF gets for it; and the ids of the GGUF metadata
 * read back, by our own key and by the name alone, which is what a runtime has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include "base/io.h"
#include "base/size.h"
#include "text/tokenizer_int.h"

#define DIR "tests/golden/text/families/"

/* not_composed: the pipeline composes a text first (NFC), which no key of GGUF says: those texts differ by name. */
static const struct { const char *name, *usual, *model, *pre; size_t not_composed; } rows[] = {
    {"gpt_oss", NULL, "gpt2", "gpt-4o", 0},      {"qwen3_5", NULL, "gpt2", "qwen35", 2},
    {"glm4_moe", "glm4", "gpt2", "glm4", 0},     {"glm4_moe", NULL, "gpt2", "llama-bpe", 0},
    {"deepseek_v3", NULL, "gpt2", "deepseek-v3", 0}, {"tekken", NULL, "gpt2", "tekken", 0},
    {"llama4", "llama4", "gpt2", "llama4", 0},   {"gemma3", NULL, "llama", "default", 0},
    {"gemma4", "gemma4", "gemma4", NULL, 0},     {"gemma4", NULL, "llama", "default", 0},
};

static size_t differ(const qz_tokenizer *t, const char *name, const json_t *texts, const char *ids) {
    size_t bad = 0;
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *text = json_array_get(texts, i);
        qz_ids got = {0};
        qz_error err = {0};
        qz_str line = {0};
        if (qz_tokenizer_encode(t, json_string_value(text), json_string_length(text), QZ_ENCODE_PARSE_SPECIAL, &got,
                                &err) != QZ_OK)
            fail_msg("%s: %s", name, err.text);
        for (size_t k = 0; k < got.n; k++) qz_str_printf(&line, k ? " %u" : "%u", got.ids[k]);
        qz_str_putc(&line, '\n');
        if (strncmp(ids, line.ptr, line.len) != 0) {
            printf("  %s, text %zu '%s': found %s", name, i, json_string_value(text), line.ptr);
            bad++;
        }
        ids = strchr(ids, '\n') + 1;
        qz_str_release(&line);
        qz_ids_release(&got);
    }
    assert_int_equal(*ids, 0);
    return bad;
}

static char *path_of(const char *name, const char *end, char path[128]) {
    snprintf(path, 128, DIR "%s%s", name, end);
    return path;
}

static void families(void **state) {
    (void)state;
    json_t *texts = json_load_file(DIR "texts.json", 0, NULL);
    assert_true(json_array_size(texts) > 120);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char path[128], *ids = NULL;
        size_t n;
        qz_tokenizer *t = NULL, *g = NULL;
        qz_arena a = {0};
        qz_gguf_vocab v;
        qz_error err = {0};
        if (qz_tokenizer_load(path_of(rows[i].name, ".json", path), &t, &err) != QZ_OK ||
            qz_read_file(path_of(rows[i].name, ".ids", path), 1 << 20, &ids, &n, &err) != QZ_OK)
            fail_msg("%s", err.text);
        assert_int_equal(differ(t, rows[i].name, texts, ids), 0);
        const qz_gguf_pre_wish wish = {.usual = rows[i].usual};
        if (qz_tokenizer_to_gguf(t, qz_tokenizer_vocab_size(t) + 4, wish, &a, &v, &err) != QZ_OK)
            fail_msg("%s", err.text);
        assert_string_equal(v.model, rows[i].model);
        if (rows[i].pre) assert_string_equal(v.pre, rows[i].pre);
        else assert_null(v.pre);
        assert_int_equal(qz_tokenizer_from_gguf(&v, "ours", &g, &err), QZ_OK);
        assert_int_equal(differ(g, rows[i].name, texts, ids), 0);
        qz_tokenizer_free(g);
        v.pipeline = NULL;
        assert_int_equal(qz_tokenizer_from_gguf(&v, "by name", &g, &err), QZ_OK);
        const size_t bad = differ(g, rows[i].name, texts, ids);
        printf("%s as %s %s: %zu texts, by name %zu differ\n", rows[i].name, v.model, v.pre ? v.pre : "-",
               json_array_size(texts), bad);
        assert_int_equal(bad, rows[i].not_composed);
        qz_tokenizer_free(g);
        qz_tokenizer_free(t);
        qz_arena_release(&a);
        qz_free(ids);
    }
    json_decref(texts);
}

/* A tokenizer with an id that the embedding has no row for is refused; rows without an id are padding. */
static void sizes(void **state) {
    (void)state;
    char path[128];
    qz_tokenizer *t = NULL;
    qz_arena a = {0};
    qz_gguf_vocab v;
    qz_error err = {0};
    assert_int_equal(qz_tokenizer_load(path_of("gpt_oss", ".json", path), &t, &err), QZ_OK);
    const size_t n = qz_tokenizer_vocab_size(t);
    assert_int_equal(qz_tokenizer_to_gguf(t, n - 1, (qz_gguf_pre_wish){0}, &a, &v, &err), QZ_EFORMAT);
    assert_non_null(strstr(err.text, "tokenizer larger than the model"));
    err = (qz_error){0};
    assert_int_equal(qz_tokenizer_to_gguf(t, n, (qz_gguf_pre_wish){0}, &a, &v, &err), QZ_OK);
    assert_int_equal(v.types[n - 1], QZ_GGUF_CONTROL);
    assert_int_equal(qz_tokenizer_to_gguf(t, n + 1, (qz_gguf_pre_wish){0}, &a, &v, &err), QZ_OK);
    assert_int_equal(v.types[n], QZ_GGUF_UNUSED);
    qz_arena_release(&a);
    qz_tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(families), cmocka_unit_test(sizes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
