/* Truth from outside: ids recorded from tokenizers 0.23.3 and transformers 5.24.0 by
 * tests/golden/text/record_pipelines.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/io.h"
#include "base/size.h"
#include "text/gguf_pre.h"
#include "text/tokenizer_int.h"

#define ROOT "tests/golden/text/"

static json_t *load_json(const char *path) {
    json_error_t e;
    json_t *j = json_load_file(path, 0, &e);
    if (!j) fail_msg("%s: %s", path, e.text);
    return j;
}

/* Number of texts whose ids differ. */
static size_t differ(const qz_tokenizer *t, const json_t *c, const char *name) {
    const json_t *texts = json_object_get(c, "texts"), *ids = json_object_get(c, "ids");
    size_t bad = 0;
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *text = json_array_get(texts, i), *want = json_array_get(ids, i);
        qz_ids got = {0};
        qz_error err = {0};
        if (qz_tokenizer_encode(t, json_string_value(text), json_string_length(text), QZ_ENCODE_PARSE_SPECIAL, &got,
                                &err) != QZ_OK)
            fail_msg("%s: %s", name, err.text);
        bool same = got.n == json_array_size(want);
        for (size_t k = 0; same && k < got.n; k++)
            same = got.ids[k] == (uint32_t)json_integer_value(json_array_get(want, k));
        if (!same) printf("%s: text %zu '%s' differs\n", name, i, json_string_value(text));
        bad += !same;
        qz_ids_release(&got);
    }
    return bad;
}

typedef size_t (*each_fn)(const json_t *c);
static size_t each(const char *path, size_t least, each_fn fn) {
    char line[65536];
    FILE *f = fopen(path, "r");
    size_t bad = 0, n = 0;
    assert_non_null(f);
    for (; fgets(line, sizeof line, f); n++) {
        json_t *c = json_loads(line, 0, NULL);
        assert_non_null(c);
        bad += fn(c);
        json_decref(c);
    }
    fclose(f);
    assert_true(n >= least);
    return bad;
}

static size_t split_case(const json_t *c) {
    json_t *root = load_json(ROOT "splits/base.json");
    json_object_set(root, json_string_value(json_object_get(c, "key")), json_object_get(c, "value"));
    char *text = json_dumps(root, 0), *name = json_dumps(json_object_get(c, "value"), JSON_COMPACT);
    qz_tokenizer *t = NULL;
    qz_error err = {0};
    if (qz_tok_load_text(text, strlen(text), "base.json", &t, &err) != QZ_OK) fail_msg("%s: %s", name, err.text);
    size_t bad = differ(t, c, name);
    qz_tokenizer_free(t);
    free(text);
    free(name);
    json_decref(root);
    return bad;
}
static void empty_matches(void **state) {
    (void)state;
    assert_int_equal(each(ROOT "splits/cases.jsonl", 150, split_case), 0);
}

static size_t companion_case(const json_t *c) {
    char dir[] = "/tmp/qz-companions-XXXXXX";
    const char *key, *name = json_string_value(json_object_get(c, "name"));
    json_t *v;
    qz_tokenizer *t = NULL;
    qz_error err = {0};
    assert_non_null(mkdtemp(dir));
    char *p = qz_path_join(dir, "tokenizer.json");
    assert_int_equal(qz_copy_file(ROOT "companions/tokenizer.json", p, &err), QZ_OK);
    qz_free(p);
    json_object_foreach(json_object_get(c, "files"), key, v) {
        p = qz_path_join(dir, key);
        assert_int_equal(json_dump_file(v, p, 0), 0);
        qz_free(p);
    }
    if (qz_tokenizer_load(dir, &t, &err) != QZ_OK) fail_msg("%s: %s", name, err.text);
    size_t bad = differ(t, c, name);
    assert_int_equal(qz_tokenizer_pad(t), json_integer_value(json_object_get(c, "pad")));
    assert_int_equal(qz_tokenizer_vocab_size(t), json_integer_value(json_object_get(c, "size")));
    qz_tokenizer_free(t);
    assert_int_equal(qz_remove_tree(dir, &err), QZ_OK);
    return bad;
}
static void companions(void **state) {
    (void)state;
    assert_int_equal(each(ROOT "companions/cases.jsonl", 25, companion_case), 0);
}

static qz_tokenizer *with(const char *key, json_t *value) {
    json_t *root = load_json(ROOT "splits/base.json");
    json_object_set_new(root, key, value);
    char *text = json_dumps(root, 0);
    qz_tokenizer *t = NULL;
    qz_error err = {0};
    if (qz_tok_load_text(text, strlen(text), "base.json", &t, &err) != QZ_OK) fail_msg("%s", err.text);
    free(text);
    json_decref(root);
    return t;
}

static qz_status encode_run(const qz_tokenizer *t, char c, size_t n, size_t *ids, qz_error *err) {
    char *s = qz_alloc_array(n, 1);
    qz_ids got = {0};
    memset(s, c, n);
    qz_status st = qz_tokenizer_encode(t, s, n, 0, &got, err);
    *ids = got.n;
    qz_ids_release(&got);
    qz_free(s);
    return st;
}

/* A run that a look-ahead reads to its end from every place is refused in one line; what is linear stays read, of any
 * length; and a match beyond the first window is the same as without windows. */
static void far_look_ahead(void **state) {
    (void)state;
    json_t *split = json_pack("{s:s,s:{s:s},s:s,s:b}", "type", "Split", "pattern", "Regex", "(?=(\\d{3})+(?!\\d))",
                              "behavior", "Isolated", "invert", 0);
    qz_tokenizer *t = with("pre_tokenizer",
                           json_pack("{s:s,s:[o,{s:s,s:b,s:b}]}", "type", "Sequence", "pretokenizers", split, "type",
                                     "ByteLevel", "add_prefix_space", 0, "use_regex", 0));
    qz_error err = {0};
    size_t short_ids, n;
    assert_int_equal(encode_run(t, '7', 300000, &n, &err), QZ_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "break the run"));
    err = (qz_error){0};
    assert_int_equal(encode_run(t, '7', 3, &short_ids, &err), QZ_OK);
    assert_int_equal(encode_run(t, '7', 9000, &n, &err), QZ_OK); /* three windows */
    assert_int_equal(n, 3000 * short_ids);
    assert_int_equal(encode_run(t, 'q', 300000, &n, &err), QZ_OK);
    assert_int_equal(encode_run(t, ' ', 300000, &n, &err), QZ_OK);
    qz_tokenizer_free(t);
}

/* Padding takes other names where a token has "[PAD9]" already. */
static void taken_pad_names(void **state) {
    (void)state;
    qz_tokenizer *t = NULL;
    qz_error err = {0};
    qz_arena a = {0};
    qz_gguf_vocab v;
    json_t *root = load_json(ROOT "companions/tokenizer.json");
    const size_t n = json_object_size(json_object_get(json_object_get(root, "model"), "vocab"));
    char name[32];
    snprintf(name, sizeof name, "[PAD%zu]", n + 1);
    json_array_append_new(json_object_get(root, "added_tokens"),
                          json_pack("{s:i,s:s,s:b}", "id", (int)n, "content", name, "special", 1));
    char *text = json_dumps(root, 0);
    assert_int_equal(qz_tok_load_text(text, strlen(text), "x", &t, &err), QZ_OK);
    assert_int_equal(qz_tokenizer_to_gguf(t, n + 3, (qz_gguf_pre_wish){0}, &a, &v, &err), QZ_OK);
    for (size_t i = 0; i < v.n_tokens; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(v.tokens[i].len != v.tokens[k].len ||
                        memcmp(v.tokens[i].ptr, v.tokens[k].ptr, v.tokens[i].len) != 0);
    free(text);
    json_decref(root);
    qz_tokenizer_free(t);
    qz_arena_release(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(empty_matches), cmocka_unit_test(companions),
                                       cmocka_unit_test(far_look_ahead), cmocka_unit_test(taken_pad_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
