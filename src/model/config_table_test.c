/* What each key of a configuration is taken for. tests/golden/configs/published.json: configurations as their makers
 * publish them, of which none may be refused; edits.tsv: one change to a small model's configuration each, and what is
 * said to it. Outside truth: the keys of the published files, and transformers 5.23's reading of them
 * (tests/golden/configs/README.md). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/io.h"
#include "base/json.h"
#include "model/config.h"

#define DIR "tests/golden/configs/"
enum { LIMIT = 1 << 20 };

/* "ok", "noted …", "refused …" or "error …". */
static void outcome(const json_t *root, const char *name, char *out, size_t room) {
    qz_config c;
    qz_error err = {0};
    if (qz_config_from_json(root, name, &c, &err) != QZ_OK) (void)snprintf(out, room, "error %s", err.text);
    else if (c.keys.n_refused) (void)snprintf(out, room, "refused %u: %s", c.keys.n_refused, c.keys.refused);
    else if (c.keys.n_noted) (void)snprintf(out, room, "noted %u: %s", c.keys.n_noted, c.keys.noted);
    else (void)snprintf(out, room, "ok");
}

static void published_are_accepted(void **state) {
    (void)state;
    json_t *all = NULL, *v;
    const char *name;
    qz_error err = {0};
    char got[1024];
    size_t n = 0;
    if (qz_json_load(DIR "published.json", LIMIT, &all, &err) != QZ_OK) fail_msg("%s", err.text);
    json_object_foreach(all, name, v) {
        outcome(v, name, got, sizeof got);
        /* what only a server or a sparse kernel uses is named; nothing else of these files is */
        const bool named = strcmp(got, "noted 1: 'dual_chunk_attention_config'") == 0 ||
                           strcmp(got, "noted 1: 'quantization_config.sparsity_config'") == 0;
        if (strcmp(got, "ok") != 0 && !named) fail_msg("%s: %s", name, got);
        n++;
    }
    assert_true(n > 40);
    json_decref(all);
}

/* "KEY": "-" in a patch takes the key away. */
static void apply(json_t *root, json_t *patch) {
    const char *key;
    json_t *v;
    void *next;
    json_object_foreach_safe(patch, next, key, v) {
        if (!json_is_string(v) || strcmp(json_string_value(v), "-") != 0) continue;
        (void)json_object_del(root, key);
        (void)json_object_del(patch, key);
    }
    assert_int_equal(json_object_update(root, patch), 0);
}

static void one_edit(char *line, size_t at) {
    char path[128], got[1024];
    json_t *root = NULL, *patch = NULL;
    qz_error err = {0};
    char *change = strchr(line, '\t'), *expected = change ? strchr(change + 1, '\t') : NULL;
    if (!expected) fail_msg("edits.tsv:%zu: expected three columns", at);
    *change++ = *expected++ = 0;
    (void)snprintf(path, sizeof path, "tests/golden/zoo/%.60s/config.json", line);
    if (qz_json_load(path, LIMIT, &root, &err) != QZ_OK ||
        qz_json_parse(change, strlen(change), "edits.tsv", &patch, &err) != QZ_OK)
        fail_msg("edits.tsv:%zu: %s", at, err.text);
    apply(root, patch);
    outcome(root, "config.json", got, sizeof got);
    if (strcmp(expected, got) != 0)
        fail_msg("edits.tsv:%zu: %s %s: expected '%s', found '%s'", at, line, change, expected, got);
    json_decref(patch);
    json_decref(root);
}

static void edits_are_judged(void **state) {
    (void)state;
    FILE *f = fopen(DIR "edits.tsv", "r");
    char line[2048];
    size_t at = 0, tried = 0;
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        at++;
        if (*line == 0 || *line == '#') continue;
        one_edit(line, at);
        tried++;
    }
    (void)fclose(f);
    assert_true(tried > 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(published_are_accepted), cmocka_unit_test(edits_are_judged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
