/* Truth from outside: ids and texts recorded from huggingface tokenizers 0.23.3 (tests/golden/text). */
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
#include "base/utf8.h"

#define HF (QZ_ENCODE_PARSE_SPECIAL)
static const char *const sets[] = {"gemma-style", "gpt2-bytelevel", "gpt4o-bpe", "llama2-metaspace", "llama2-spbpe",
                                   "llama3-bpe", "qwen2-bpe", "unigram", "unigram-nfkc"};
#define N_SETS (sizeof sets / sizeof sets[0])

static qz_tokenizer *open_set(const char *set) {
    char path[256];
    qz_error err = {0};
    qz_tokenizer *t = NULL;
    snprintf(path, sizeof path, "tests/golden/text/%s/tokenizer.json", set);
    if (qz_tokenizer_load(path, &t, &err) != QZ_OK) fail_msg("%s", err.text);
    return t;
}

static size_t same_ids(const qz_ids *v, const json_t *want) {
    if (v->n != json_array_size(want)) return 1;
    for (size_t i = 0; i < v->n; i++)
        if (v->ids[i] != (uint32_t)json_integer_value(json_array_get(want, i))) return 1;
    return 0;
}

static size_t same_text(const qz_str *s, const json_t *want) {
    return s->len != json_string_length(want) || memcmp(s->ptr ? s->ptr : "", json_string_value(want), s->len) != 0;
}

/* Number of wrong answers for one recorded case. */
static size_t check_case(const qz_tokenizer *t, const json_t *c) {
    const json_t *text = json_object_get(c, "text");
    qz_error err = {0};
    qz_ids plain = {0}, special = {0};
    qz_str a = {0}, b = {0}, stream = {0};
    qz_decode_stream ds = {0};
    assert_int_equal(qz_tokenizer_encode(t, json_string_value(text), json_string_length(text), HF, &plain, &err),
                     QZ_OK);
    assert_int_equal(qz_tokenizer_encode(t, json_string_value(text), json_string_length(text), HF | QZ_ENCODE_SPECIAL,
                                         &special, &err),
                     QZ_OK);
    assert_int_equal(qz_tokenizer_decode(t, plain.ids, plain.n, false, &a, &err), QZ_OK);
    assert_int_equal(qz_tokenizer_decode(t, special.ids, special.n, true, &b, &err), QZ_OK);
    size_t bad = same_ids(&plain, json_object_get(c, "ids")) + same_ids(&special, json_object_get(c, "ids_special")) +
                 same_text(&a, json_object_get(c, "decoded")) + same_text(&b, json_object_get(c, "decoded_skip"));
    for (size_t i = 0; i < plain.n; i++) {
        assert_int_equal(qz_tokenizer_decode_next(t, &ds, plain.ids[i], false, &stream, &err), QZ_OK);
        assert_true(qz_utf8_valid(stream.ptr ? stream.ptr : "", stream.len));
    }
    qz_tokenizer_decode_end(&ds, &stream);
    /* runs that are no UTF-8 are counted differently as a stream */
    bool replaced = a.ptr && strstr(a.ptr, "\xef\xbf\xbd");
    if (!replaced) bad += same_text(&stream, json_object_get(c, "decoded"));
    qz_ids_release(&plain);
    qz_ids_release(&special);
    qz_str_release(&a);
    qz_str_release(&b);
    qz_str_release(&stream);
    return bad;
}

static size_t for_cases(const char *set, const qz_tokenizer *t, size_t (*fn)(const qz_tokenizer *, const json_t *),
                        size_t *count) {
    char path[256], *text = NULL;
    size_t n = 0, bad = 0;
    qz_error err = {0};
    snprintf(path, sizeof path, "tests/golden/text/%s/cases.jsonl", set);
    if (qz_read_file(path, 1 << 24, &text, &n, &err) != QZ_OK) fail_msg("%s", err.text);
    *count = 0;
    for (char *p = text; p < text + n;) {
        char *end = memchr(p, '\n', (size_t)(text + n - p));
        size_t len = end ? (size_t)(end - p) : (size_t)(text + n - p);
        json_t *c = json_loadb(p, len, JSON_ALLOW_NUL, NULL);
        assert_non_null(c);
        size_t k = fn(t, c);
        if (k) printf("%s case %zu: %.*s\n", set, *count, (int)len, p);
        bad += k;
        (*count)++;
        json_decref(c);
        p += len + 1;
    }
    qz_free(text);
    return bad;
}

static void golden_sets(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SETS; i++) {
        qz_tokenizer *t = open_set(sets[i]);
        size_t n, bad = for_cases(sets[i], t, check_case, &n);
        printf("%s: %zu cases, %zu wrong\n", sets[i], n, bad);
        assert_true(n > 300);
        assert_int_equal(bad, 0);
        qz_tokenizer_free(t);
    }
}

/* The rule of section 6 of formats/tokenizer-json.md by hand: " quantization" is one entry without a merge path. */
static void whole_word_without_merges(void **state) {
    (void)state;
    qz_tokenizer *t = open_set("llama3-bpe");
    qz_ids v = {0};
    qz_error err = {0};
    assert_int_equal(qz_tokenizer_encode(t, " quantization", 13, 0, &v, &err), QZ_OK);
    assert_int_equal(v.n, 1);
    assert_int_equal(v.ids[0], 2000);
    qz_ids_release(&v);
    qz_tokenizer_free(t);
}

/* A word of 100,000 characters takes the heap; its result must not depend on which of the two ways was taken:
 * the merges of "aaaa…" are checked by decoding, and by equality with the text. */
static void long_words(void **state) {
    (void)state;
    for (size_t s = 0; s < N_SETS; s++) {
        qz_tokenizer *t = open_set(sets[s]);
        enum { N = 100000 };
        char *text = malloc(N);
        qz_ids v = {0};
        qz_str back = {0};
        qz_error err = {0};
        for (size_t i = 0; i < N; i++) text[i] = "theinationaeer"[i * 7 % 13];
        assert_int_equal(qz_tokenizer_encode(t, text, N, 0, &v, &err), QZ_OK);
        assert_true(v.n < N);
        assert_int_equal(qz_tokenizer_decode(t, v.ids, v.n, false, &back, &err), QZ_OK);
        size_t skip = back.len > N; /* gemma keeps no prefix, the others strip it */
        assert_int_equal(back.len, N + skip);
        assert_memory_equal(back.ptr + skip, text, N);
        free(text);
        qz_ids_release(&v);
        qz_str_release(&back);
        qz_tokenizer_free(t);
    }
}

static void invalid_bytes_are_replaced(void **state) {
    (void)state;
    qz_tokenizer *t = open_set("llama3-bpe");
    qz_ids a = {0}, b = {0};
    qz_error err = {0};
    assert_int_equal(qz_tokenizer_encode(t, "a\xff\xe2\x82z", 5, 0, &a, &err), QZ_OK);
    assert_int_equal(qz_tokenizer_encode(t, "a\xef\xbf\xbd\xef\xbf\xbdz", 8, 0, &b, &err), QZ_OK);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.ids, b.ids, a.n * 4);
    qz_ids_release(&a);
    qz_ids_release(&b);
    qz_tokenizer_free(t);
}

static void refuse(const char *json, qz_status want, const char *word) {
    char path[] = "/tmp/qz-tokenizer-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    qz_tokenizer *t = NULL;
    qz_error err = {0};
    fputs(json, f);
    fclose(f);
    qz_status st = qz_tokenizer_load(path, &t, &err);
    remove(path);
    if (st != want || !strstr(err.text, word)) fail_msg("expected '%s', found %d '%s'", word, st, err.text);
}

static void hostile_files(void **state) {
    (void)state;
    refuse("[]", QZ_EFORMAT, "expected an object");
    refuse("{\"version\":\"2.0\"}", QZ_EUNSUPPORTED, "version");
    refuse("{\"model\":{\"type\":\"WordPiece\"}}", QZ_EUNSUPPORTED, "WordPiece");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}}", QZ_EFORMAT, "id used twice");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4294967295},\"merges\":[]}}", QZ_EFORMAT, "bad id");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4000000},\"merges\":[]}}", QZ_EFORMAT, "highest id");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[\"a b\"]}}", QZ_EFORMAT,
           "merge not in the vocabulary");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b c\"]}}", QZ_EFORMAT,
           "expected two parts");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"pre_tokenizer\":{\"type\":\"Split\","
           "\"pattern\":{\"Regex\":\"(\"},"
           "\"behavior\":\"Isolated\"}}",
           QZ_EFORMAT, "does not compile");
#define NORMALIZER(n) "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"normalizer\":{\"type\":" n "}}"
    refuse(NORMALIZER("\"Nmt\""), QZ_EUNSUPPORTED, "Nmt");
    refuse(NORMALIZER("\"Precompiled\""), QZ_EFORMAT, "precompiled_charsmap");
    refuse(NORMALIZER("\"Precompiled\",\"precompiled_charsmap\":\"AB!\""), QZ_EFORMAT, "base64");
    refuse(NORMALIZER("\"Precompiled\",\"precompiled_charsmap\":\"CAAAAAAAAAAAAAAA\""), QZ_EFORMAT, "8 of them");
#define PIECES(v) "{\"model\":{\"type\":\"Unigram\",\"vocab\":" v "}}"
    refuse(PIECES("{}"), QZ_EFORMAT, "expected an array");
    refuse(PIECES("[[\"a\"]]"), QZ_EFORMAT, "entry 0: expected [text, score]");
    refuse(PIECES("[[\"a\",0],[\"a\",1]]"), QZ_EFORMAT, "token listed twice");
    refuse(PIECES("[[\"a\",0]],\"unk_id\":1"), QZ_EFORMAT, "below 1, found 1");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"added_tokens\":[{\"id\":1,\"content\":"
           "\"a\"}]}",
           QZ_EFORMAT, "token listed twice");
    refuse("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"post_processor\":{\"type\":"
           "\"TemplateProcessing\",\"single\":"
           "[{\"SpecialToken\":{\"id\":\"x\"}}],\"special_tokens\":{}}}",
           QZ_EFORMAT, "special_tokens");
}

/* A table may point anywhere; a vocabulary may have no unknown token: one line each, found when a text comes there. */
static void hostile_unigram(void **state) {
    (void)state;
    /* a double array of 256 units in which 'a' is a key whose text lies far behind */
    uint8_t blob[4 + 1024 + 2] = {0};
    const uint32_t size = 1024, root = 0, a = 'a' | 1 << 8, far = 0x7fffffff;
    memcpy(blob, &size, 4);
    memcpy(blob + 4, &root, 4);
    memcpy(blob + 4 + 4 * 'a', &a, 4);
    qz_charsmap m = {0};
    qz_error err = {0};
    qz_str out = {0};
    assert_int_equal(qz_charsmap_open(blob, sizeof blob, &m, "x", &err), QZ_OK);
    assert_int_equal(qz_charsmap_apply(&m, true, "b", 1, &out, &err), QZ_OK);
    memcpy(blob + 4 + 4 * 'a', &far, 4); /* another label: not found */
    assert_int_equal(qz_charsmap_apply(&m, true, "a", 1, &out, &err), QZ_OK);
    assert_string_equal(out.ptr, "ba");
    memcpy(blob + 4 + 4 * 'a', (uint32_t[]){'a' | 1 << 8 | 1 << 10}, 4); /* value at 'a' ^ 1: text 0 */
    assert_int_equal(qz_charsmap_apply(&m, true, "a", 1, &out, &err), QZ_OK);
    memcpy(blob + 4 + 4 * ('a' ^ 1), &far, 4);
    assert_int_equal(qz_charsmap_apply(&m, true, "a", 1, &out, &err), QZ_EFORMAT);
    assert_int_equal(qz_charsmap_apply(&m, false, "a", 1, &out, &err), QZ_EFORMAT);
    qz_str_release(&out);
    static const char json[] = "{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]]}}";
    qz_tokenizer *t = NULL;
    qz_ids v = {0};
    err = (qz_error){0};
    assert_int_equal(qz_tok_load_text(json, sizeof json - 1, "x", &t, &err), QZ_OK);
    assert_int_equal(qz_tokenizer_encode(t, "aa", 2, 0, &v, &err), QZ_OK);
    assert_int_equal(v.n, 2);
    assert_int_equal(qz_tokenizer_encode(t, "ab", 2, 0, &v, &err), QZ_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "'b' has no piece"));
    qz_ids_release(&v);
    qz_tokenizer_free(t);
}

/* tokenizer.json -> GGUF arrays -> tokenizer: with our own key everything is equal to the recorded ids; without it, the
 * pipeline named by `pre` gives the recorded ids wherever the container can say what the source does. */
static size_t ids_only(const qz_tokenizer *t, const json_t *c) {
    const json_t *text = json_object_get(c, "text");
    qz_error err = {0};
    qz_ids v = {0};
    assert_int_equal(qz_tokenizer_encode(t, json_string_value(text), json_string_length(text), HF, &v, &err), QZ_OK);
    size_t bad = same_ids(&v, json_object_get(c, "ids"));
    qz_ids_release(&v);
    return bad;
}

/* By its keys alone a unigram vocabulary is sentencepiece's: ids recorded from sentencepiece, which knows no special
 * tokens in a text. */
static size_t sentencepiece_ids(const qz_tokenizer *t, const json_t *c) {
    const json_t *text = json_object_get(c, "text"), *want = json_object_get(c, "spm");
    qz_error err = {0};
    qz_ids v = {0};
    assert_non_null(want);
    assert_int_equal(qz_tokenizer_encode(t, json_string_value(text), json_string_length(text), 0, &v, &err), QZ_OK);
    size_t bad = same_ids(&v, want);
    qz_ids_release(&v);
    return bad;
}

/* What came through a GGUF file, as tokenizer.json again (for folders made of such files): the same tokenizer. */
static qz_tokenizer *as_json(const qz_tokenizer *g) {
    qz_str text = {0}, config = {0};
    qz_tokenizer *back = NULL;
    qz_error err = {0};
    if (qz_tokenizer_to_json(g, &text, &config, &err) != QZ_OK ||
        qz_tok_load_text(text.ptr, text.len, "rebuilt", &back, &err) != QZ_OK)
        fail_msg("%s", err.text);
    assert_non_null(strstr(config.ptr, "PreTrainedTokenizerFast"));
    qz_str_release(&text);
    qz_str_release(&config);
    return back;
}

static void through_gguf(void **state) {
    (void)state;
    static const char *const pre[] = {"default", "gpt-2", "gpt-4o", "default", "default", "llama-bpe", "qwen2",
                                      "default", "default"};
    /* by name alone; see below */
    static const bool exact[N_SETS] = {false, false, true, false, true, true, false, false, false};
    for (size_t i = 0; i < N_SETS; i++) {
        qz_tokenizer *t = open_set(sets[i]), *g = NULL;
        qz_arena a = {0};
        qz_gguf_vocab v;
        qz_error err = {0};
        size_t n, vocab = qz_tokenizer_vocab_size(t) + 7;
        if (qz_tokenizer_to_gguf(t, vocab, (qz_gguf_pre_wish){0}, &a, &v, &err) != QZ_OK) fail_msg("%s", err.text);
        assert_string_equal(v.pre, pre[i]);
        assert_int_equal(v.n_tokens, vocab);
        assert_int_equal(v.types[vocab - 1], 5);
        if (qz_tokenizer_from_gguf(&v, sets[i], &g, &err) != QZ_OK) fail_msg("%s", err.text);
        assert_int_equal(for_cases(sets[i], g, check_case, &n), 0);
        qz_tokenizer *back = as_json(g);
        assert_int_equal(for_cases(sets[i], back, ids_only, &n), 0);
        qz_tokenizer_free(back);
        qz_tokenizer_free(g);
        v.pipeline = NULL;
        if (qz_tokenizer_from_gguf(&v, sets[i], &g, &err) != QZ_OK) fail_msg("%s", err.text);
        if (exact[i]) assert_int_equal(for_cases(sets[i], g, ids_only, &n), 0);
        if (strcmp(v.model, "t5") == 0) assert_int_equal(for_cases(sets[i], g, sentencepiece_ids, &n), 0);
        qz_str text = {0};
        if (strcmp(v.model, "gpt2") != 0) { /* scores alone make no list of merges */
            assert_int_equal(qz_tokenizer_to_json(g, &text, &text, &err), QZ_EUNSUPPORTED);
            assert_non_null(strstr(err.text, "sentencepiece"));
        } else {
            back = as_json(g);
            if (exact[i]) assert_int_equal(for_cases(sets[i], back, ids_only, &n), 0);
            qz_tokenizer_free(back);
        }
        qz_str_release(&text);
        err = (qz_error){0};
        qz_tokenizer_free(g);
        qz_tokenizer_free(t);
        qz_arena_release(&a);
    }
}

static void unknown_pre_tokenizer(void **state) {
    (void)state;
    static const char json[] =
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[]},\"pre_tokenizer\":{\"type\":\"Sequence\","
        "\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[ab]+\"},\"behavior\":\"Isolated\"},{\"type\":"
        "\"ByteLevel\","
        "\"add_prefix_space\":false,\"use_regex\":false}]}}";
    qz_error err = {0}, other = {0};
    qz_tokenizer *t = NULL;
    qz_arena a = {0};
    qz_gguf_vocab v;
    char path[] = "/tmp/qz-tokenizer-XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fdopen(fd, "w");
    fputs(json, f);
    fclose(f);
    assert_int_equal(qz_tokenizer_load(path, &t, &err), QZ_OK);
    remove(path);
    assert_int_equal(qz_tokenizer_to_gguf(t, 4, (qz_gguf_pre_wish){0}, &a, &v, &err), QZ_EUNSUPPORTED);
    assert_non_null(strstr(err.text, "[ab]+"));
    assert_int_equal(qz_tokenizer_to_gguf(t, 4, (qz_gguf_pre_wish){.forced = "gpt-2"}, &a, &v, &other), QZ_OK);
    assert_true(v.pre_fallback);
    assert_string_equal(v.pre, "gpt-2");
    assert_int_equal(qz_tokenizer_to_gguf(t, 4, (qz_gguf_pre_wish){.forced = "nonsense"}, &a, &v, &other), QZ_EUSAGE);
    qz_arena_release(&a);
    qz_tokenizer_free(t);
}

/* What is not read is refused by its name: WordPiece of embedding models (llama.cpp's ggml-vocab-bert-bge), a model
 * that nobody knows, a pre-tokenizer that is not in the table; a unigram vocabulary needs its scores. */
static void other_gguf_models(void **state) {
    (void)state;
    static const qz_text_ref tokens[] = {{"a", 1}, {"b", 1}};
    static const struct { const char *model, *pre, *word; qz_status code; } cases[] = {
        {"bert", NULL, "found 'bert'", QZ_EUNSUPPORTED}, {"rwkv", NULL, "found 'rwkv'", QZ_EUNSUPPORTED},
        {NULL, NULL, "found 'nothing'", QZ_EUNSUPPORTED}, {"gpt2", "kimi-k2", "'kimi-k2'", QZ_EUNSUPPORTED},
        {"t5", NULL, "expected 'tokenizer.ggml.scores'", QZ_EFORMAT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const qz_gguf_vocab v = {.model = cases[i].model, .pre = cases[i].pre, .tokens = tokens, .n_tokens = 2,
                                 .bos = -1, .eos = -1, .pad = -1, .unk = -1, .add_bos = -1, .add_eos = -1};
        qz_tokenizer *t = NULL;
        qz_error err = {0};
        assert_int_equal(qz_tokenizer_from_gguf(&v, "x.gguf", &t, &err), cases[i].code);
        if (!strstr(err.text, cases[i].word)) fail_msg("%s", err.text);
        assert_null(t);
    }
}

/* Every allocation fails once: an error with words each time, no crash, nothing leaked (sanitizers see it). */
static void failing_memory(void **state) {
    (void)state;
    static const char *const some[] = {"llama3-bpe", "llama2-spbpe", "qwen2-bpe", "unigram-nfkc"};
    for (size_t s = 0; s < sizeof some / sizeof *some; s++) {
        qz_status st = QZ_EMEMORY;
        long n = 1;
        for (; st != QZ_OK; n++) {
            char path[256];
            qz_tokenizer *t = NULL;
            qz_ids v = {0};
            qz_str text = {0};
            qz_error err = {0};
            snprintf(path, sizeof path, "tests/golden/text/%s", some[s]);
            qz_alloc_fail_after(n);
            st = qz_tokenizer_load(path, &t, &err);
            if (st == QZ_OK) st = qz_tokenizer_encode(t, "e\xcc\x81 <s> Hello\xff", 15, HF, &v, &err);
            if (st == QZ_OK) st = qz_tokenizer_decode(t, v.ids, v.n, false, &text, &err);
            qz_alloc_fail_after(0);
            if (st != QZ_OK && (st != QZ_EMEMORY || !err.text[0])) fail_msg("allocation %ld: %d '%s'", n, st, err.text);
            qz_ids_release(&v);
            qz_str_release(&text);
            qz_tokenizer_free(t);
            assert_true(n < 100000);
        }
        assert_true(n > 10);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_sets),
        cmocka_unit_test(whole_word_without_merges), cmocka_unit_test(long_words), cmocka_unit_test(hostile_files),
        cmocka_unit_test(hostile_unigram), cmocka_unit_test(other_gguf_models),
        cmocka_unit_test(invalid_bytes_are_replaced), cmocka_unit_test(through_gguf),
        cmocka_unit_test(unknown_pre_tokenizer), cmocka_unit_test(failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
