/* Two tokenizers by behaviour: equal ones show nothing, what GGUF cannot store is told from what is wrong, and the text
 * that is shown is minimal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/size.h"
#include "base/utf8.h"
#include "text/tokenizer_proof.h"

static qz_tokenizer *open_family(const char *name) {
    char path[128];
    qz_tokenizer *t = NULL;
    qz_error err = {0};
    snprintf(path, sizeof path, "tests/golden/text/families/%s.json", name);
    if (qz_tokenizer_load(path, &t, &err) != QZ_OK) fail_msg("%s", err.text);
    return t;
}

/* As a runtime reads it, under `pre` in place of its own name if one is given. */
static qz_tokenizer *by_keys(const qz_tokenizer *t, const char *usual, const char *pre) {
    qz_arena a = {0};
    qz_gguf_vocab v;
    qz_tokenizer *g = NULL;
    qz_error err = {0};
    const qz_gguf_pre_wish wish = {.usual = usual};
    if (qz_tokenizer_to_gguf(t, qz_tokenizer_vocab_size(t), wish, &a, &v, &err) != QZ_OK) fail_msg("%s", err.text);
    v.pipeline = NULL;
    if (pre) v.pre = pre;
    if (qz_tokenizer_from_gguf(&v, "keys", &g, &err) != QZ_OK) fail_msg("%s", err.text);
    qz_arena_release(&a);
    return g;
}

static void prove(const qz_tokenizer *a, const qz_tokenizer *b, const qz_tokenizer *s, qz_tokenizer_proof *p) {
    qz_error err = {0};
    if (qz_tokenizer_prove(a, b, s, 1, p, &err) != QZ_OK) fail_msg("%s", err.text);
    assert_true(p->texts > 100000);
}

static void equal(void **state) {
    (void)state;
    qz_tokenizer *t = open_family("gemma4"), *g = by_keys(t, "gemma4", NULL), *s = NULL;
    qz_tokenizer_proof p, again;
    qz_str lost = {0};
    qz_error err = {0};
    prove(t, t, NULL, &p);
    assert_int_equal(p.differ, 0);
    assert_int_equal(p.smallest.len, 0);
    prove(t, g, NULL, &again);
    assert_string_equal(p.ids_sha256, again.ids_sha256); /* the same texts */
    assert_int_equal(again.differ, 0);
    assert_int_equal(qz_tokenizer_storable(t, &s, &lost, &err), QZ_OK);
    assert_null(s);
    assert_int_equal(lost.len, 0);
    qz_str_release(&lost);
    qz_tokenizer_proof_release(&p);
    qz_tokenizer_proof_release(&again);
    qz_tokenizer_free(g);
    qz_tokenizer_free(t);
}

static bool differ(const qz_tokenizer *a, const qz_tokenizer *b, const char *s, size_t n) {
    const unsigned flags = QZ_ENCODE_SPECIAL | QZ_ENCODE_PARSE_SPECIAL;
    qz_ids x = {0}, y = {0};
    qz_error err = {0};
    assert_int_equal(qz_tokenizer_encode(a, s, n, flags, &x, &err), QZ_OK);
    assert_int_equal(qz_tokenizer_encode(b, s, n, flags, &y, &err), QZ_OK);
    const bool same = x.n == y.n && memcmp(x.ids, y.ids, x.n * sizeof *x.ids) == 0;
    qz_ids_release(&x);
    qz_ids_release(&y);
    return !same;
}

/* NFC alone is the container's; another pattern is a fault, and no character of the text shown can be left out. */
static void what_differs(void **state) {
    (void)state;
    qz_tokenizer *t = open_family("qwen3_5"), *keys = by_keys(t, NULL, NULL), *wrong = by_keys(t, NULL, "gpt-2");
    qz_tokenizer *s = NULL;
    qz_tokenizer_proof p;
    qz_str lost = {0};
    qz_error err = {0};
    assert_int_equal(qz_tokenizer_storable(t, &s, &lost, &err), QZ_OK);
    assert_string_equal(lost.ptr, "normalizer NFC");
    prove(t, keys, s, &p);
    assert_true(p.differ > 1000);
    assert_int_equal(p.differ, p.unstored);
    assert_int_equal(qz_utf8_count(p.smallest.ptr, p.smallest.len), 1); /* a character that is not composed */
    qz_tokenizer_proof_release(&p);
    prove(t, wrong, s, &p);
    assert_true(p.differ > p.unstored && p.unstored > 1000);
    char left[64];
    assert_true(differ(t, wrong, p.smallest.ptr, p.smallest.len) && p.smallest.len < sizeof left);
    for (size_t i = 0; i < p.smallest.len; i++) { /* ASCII here */
        memcpy(left, p.smallest.ptr, i);
        memcpy(left + i, p.smallest.ptr + i + 1, p.smallest.len - i - 1);
        assert_false(differ(t, wrong, left, p.smallest.len - 1));
    }
    assert_int_not_equal(p.want.n, 0);
    qz_tokenizer_proof_release(&p);
    qz_str_release(&lost);
    qz_tokenizer_free(s);
    qz_tokenizer_free(wrong);
    qz_tokenizer_free(keys);
    qz_tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equal), cmocka_unit_test(what_differs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
