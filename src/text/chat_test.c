/* Truth from outside: renderings recorded from transformers 5.23.0 with jinja2 3.1.6 (tests/golden/chat),
 * byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "text/chat.h"

#define DIR "tests/golden/chat/"

/* What came out: text or error; both are compared with the record. */
static bool matches(const json_t *record, qz_status st, const qz_str *out, const qz_error *err) {
    const json_t *want = json_object_get(record, "output");
    if (want)
        return st == QZ_OK && out->len == json_string_length(want) &&
               memcmp(out->ptr ? out->ptr : "", json_string_value(want), out->len) == 0;
    const char *message = json_string_value(json_object_get(record, "message"));
    return st == QZ_EFORMAT && strstr(err->text, json_string_value(json_object_get(record, "error"))) &&
           (!message || strstr(err->text, message));
}

static size_t for_lines(const char *path, size_t (*fn)(const json_t *, void *), void *arg, size_t *bad) {
    char *text = NULL;
    size_t n = 0, count = 0;
    qz_error err = {0};
    if (qz_read_file(path, 1 << 24, &text, &n, &err) != QZ_OK) fail_msg("%s", err.text);
    for (char *p = text; p < text + n; count++) {
        char *end = memchr(p, '\n', (size_t)(text + n - p));
        size_t len = end ? (size_t)(end - p) : (size_t)(text + n - p);
        json_t *j = json_loadb(p, len, JSON_ALLOW_NUL, NULL);
        assert_non_null(j);
        *bad += fn(j, arg);
        json_decref(j);
        p += len + 1;
    }
    qz_free(text);
    return count;
}

static size_t check_expression(const json_t *j, void *arg) {
    (void)arg;
    const json_t *src = json_object_get(j, "template");
    qz_chat *c = NULL;
    qz_error err = {0};
    qz_str out = {0};
    json_t *empty = json_object();
    qz_status st = qz_chat_compile(json_string_value(src), json_string_length(src), &c, &err);
    if (st == QZ_OK) st = qz_chat_render(c, empty, NULL, &out, &err);
    bool ok = matches(j, st, &out, &err);
    if (!ok) printf("WRONG %s\n  found %s %s\n", json_string_value(src), out.ptr ? out.ptr : "", err.text);
    json_decref(empty);
    qz_chat_free(c);
    qz_str_release(&out);
    return !ok;
}

static void expressions(void **state) {
    (void)state;
    size_t bad = 0, n = for_lines(DIR "expressions.jsonl", check_expression, NULL, &bad);
    printf("%zu expressions, %zu wrong\n", n, bad);
    assert_true(n > 90);
    assert_int_equal(bad, 0);
}

typedef struct { json_t *data; qz_chat *chat; const char *name; } template_case;

static size_t check_case(const json_t *j, void *arg) {
    template_case *t = arg;
    json_t *arguments = json_object(), *kwargs = json_object_get(j, "kwargs");
    qz_error err = {0};
    qz_str out = {0};
    json_object_set(arguments, "bos_token", json_object_get(t->data, "bos_token"));
    json_object_set(arguments, "eos_token", json_object_get(t->data, "eos_token"));
    json_object_update(arguments, kwargs);
    json_object_del(arguments, "documents");
    const qz_conversation c = {.messages = json_object_get(json_object_get(t->data, "conversations"),
                                                           json_string_value(json_object_get(j, "conversation"))),
                               .add_generation_prompt = json_is_true(json_object_get(j, "add_generation_prompt")),
                               .tools = json_object_get(j, "tools") ? json_object_get(t->data, "tools") : NULL,
                               .documents = json_object_get(kwargs, "documents"),
                               .now = json_string_value(json_object_get(t->data, "now")),
                               .arguments = arguments};
    qz_status st = qz_chat_apply_with(t->chat, NULL, &c, &out, &err);
    bool ok = matches(j, st, &out, &err);
    if (!ok) {
        char *line = json_dumps(j, 0);
        printf("WRONG %s: %s\n  found %s\n  %s\n", t->name, line, out.ptr ? out.ptr : "", err.text);
        free(line);
    }
    json_decref(arguments);
    qz_str_release(&out);
    return !ok;
}

/* NAME.jinja and NAME.cases.jsonl of a folder over its conversations.json. Returns the templates. */
static size_t run_folder(const char *dir, size_t *total, size_t *bad) {
    char **files = NULL, path[600];
    size_t n_files = 0, found = 0;
    qz_error err = {0};
    json_t *data = NULL;
    assert_int_equal(qz_list_dir(dir, &files, &n_files, &err), QZ_OK);
    snprintf(path, sizeof path, "%s/conversations.json", dir);
    assert_int_equal(qz_json_load(path, 1 << 20, &data, &err), QZ_OK);
    for (size_t i = 0; i < n_files; i++) {
        char *text = NULL;
        size_t n = 0, stem = strlen(files[i]) - 6, before = *bad;
        template_case t = {.data = data, .name = files[i]};
        if (!qz_str_ends(files[i], ".jinja")) continue;
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        assert_int_equal(qz_read_file(path, 1 << 20, &text, &n, &err), QZ_OK);
        if (qz_chat_compile(text, n, &t.chat, &err) != QZ_OK) fail_msg("%s: %s", files[i], err.text);
        snprintf(path, sizeof path, "%s/%.*s.cases.jsonl", dir, (int)stem, files[i]);
        const size_t cases = for_lines(path, check_case, &t, bad);
        *total += cases;
        found++;
        printf("%s: %zu renderings, %zu wrong\n", files[i], cases, *bad - before);
        qz_chat_free(t.chat);
        qz_free(text);
    }
    json_decref(data);
    qz_free_names(files, n_files);
    return found;
}

static void templates(void **state) {
    size_t total = 0, bad = 0;
    (void)state;
    assert_int_equal(run_folder(DIR, &total, &bad), 12);
    assert_true(total >= 160);
    assert_int_equal(bad, 0);
}

/* Published templates: tools, thinking, dates, roles (tests/golden/chat/record_families.py). */
static void families(void **state) {
    size_t total = 0, bad = 0;
    (void)state;
    assert_true(run_folder(DIR "families", &total, &bad) >= 7);
    assert_true(total >= 200);
    assert_int_equal(bad, 0);
}

static void expect_error(const char *source, const qz_chat_limits *l, const char *word) {
    qz_chat *c = NULL;
    qz_error err = {0};
    qz_str out = {0};
    json_t *empty = json_object();
    qz_status st = qz_chat_compile(source, strlen(source), &c, &err);
    if (st == QZ_OK) st = qz_chat_render(c, empty, l, &out, &err);
    if (st != QZ_EFORMAT || !strstr(err.text, word))
        fail_msg("%.60s: expected %s, found %d %s", source, word, st, err.text);
    json_decref(empty);
    qz_chat_free(c);
    qz_str_release(&out);
}

/* Hostile templates end soon, with an error: endless work, memory, recursion. */
static void limits(void **state) {
    (void)state;
    const qz_chat_limits small = {.max_steps = 100000, .max_bytes = 1 << 20};
    char deep[5000];
    expect_error("{{ 'x' * 1000000000 }}", NULL, "LimitError");
    expect_error("{% set a = 'xxxxxxxxxxxxxxxx' %}{% set a = a * 100000 %}{{ a * 100000 }}", NULL, "LimitError");
    expect_error("{% for i in range(100000) %}{% for j in range(100000) %}x{% endfor %}{% endfor %}", &small,
                 "LimitError");
    expect_error("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", NULL, "LimitError");
    expect_error("{% set ns = namespace(l=[1]) %}{% for i in range(100) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
                 &small, "LimitError");
    expect_error("{% set ns = namespace(l=[1]) %}{% for i in range(1000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l "
                 "}}",
                 NULL, "LimitError");
    memset(deep, '(', sizeof deep);
    memcpy(deep, "{{ ", 3);
    deep[sizeof deep - 1] = 0;
    expect_error(deep, NULL, "SyntaxError");
    memset(deep, '-', sizeof deep);
    memcpy(deep, "{{ ", 3);
    deep[sizeof deep - 1] = 0;
    expect_error(deep, NULL, "SyntaxError");
    expect_error("{{ 9223372036854775807 + 1 }}", NULL, "OverflowError");
    expect_error("{{ 1 // 0 }}", NULL, "ZeroDivisionError");
    expect_error("{% include 'x' %}", NULL, "SyntaxError");
    expect_error("{{ 'a", NULL, "SyntaxError");
    expect_error("{% if x %}", NULL, "SyntaxError");
    expect_error("{{ 1 | nosuch }}", NULL, "no filter named");
}

/* Every allocation fails once: an error with words each time, no crash, nothing leaked (sanitizers see it). */
static void failing_memory(void **state) {
    (void)state;
    char *text = NULL;
    size_t n = 0;
    qz_error first = {0};
    assert_int_equal(qz_read_file(DIR "08-filters-tests.jinja", 1 << 20, &text, &n, &first), QZ_OK);
    json_t *ctx = json_pack("{s:[{s:s,s:s}]}", "messages", "role", "user", "content", "Hello there");
    qz_status st = QZ_EMEMORY;
    for (long k = 1; st != QZ_OK; k++) {
        qz_chat *c = NULL;
        qz_str out = {0};
        qz_error err = {0};
        qz_alloc_fail_after(k);
        st = qz_chat_compile(text, n, &c, &err);
        if (st == QZ_OK) st = qz_chat_render(c, ctx, NULL, &out, &err);
        qz_alloc_fail_after(0);
        if (st != QZ_OK && (st != QZ_EMEMORY || !err.text[0])) fail_msg("allocation %ld: %d '%s'", k, st, err.text);
        qz_chat_free(c);
        qz_str_release(&out);
        assert_true(k < 100000);
    }
    json_decref(ctx);
    qz_free(text);
}

/* A conversation in a file says what the golden record says: the same rendering. */
static void write_text(const char *path, const char *text) {
    qz_error err = {0};
    if (qz_write_file(path, text, strlen(text), &err) != QZ_OK) fail_msg("%s", err.text);
}
static void conversation_files(void **state) {
    static const char path[] = "/tmp/qz_chat_test.json";
    static const struct { const char *text, *says; } bad[] = {
        {"3", "no conversation"},
        {"{}", "key 'messages': expected a non-empty array"},
        {"[]", "key 'messages': expected a non-empty array"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tool\":[]}", "unknown key 'tool'"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"tools\":{}}", "key 'tools': expected an array"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"date\":\"29.11.2026\"}", "bad value '29.11.2026'"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"date\":\"2026-13-01\"}", "no such date '2026-13-01'"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"date\":\"2026-02-29\"}", "no such date '2026-02-29'"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"date\":\"2026-11-31\"}", "no such date '2026-11-31'"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"date\":\"2026-00-10\"}", "no such date '2026-00-10'"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"date\":\"2026-11-29T24:00:00\"}",
         "no such date '2026-11-29T24:00:00'"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"date\":\"2026-11-29T12:60:00\"}",
         "no such date '2026-11-29T12:60:00'"},
        {"{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"chat_template_kwargs\":[]}",
         "key 'chat_template_kwargs': expected an object"}};
    static const char source[] = "{{ strftime_now('%d %m %Y %H') }} {{ mood }} {{ tools|length }} {{ "
                                 "messages[0].content }}{% if add_generation_prompt %}>{% endif %}";
    qz_conversation c;
    qz_chat *chat = NULL;
    qz_str out = {0};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        qz_error err = {0};
        write_text(path, bad[i].text);
        assert_int_equal(qz_conversation_read(path, &c, &err), QZ_EFORMAT);
        if (strstr(err.text, bad[i].says) == NULL) fail_msg("%s: %s", bad[i].text, err.text);
        qz_conversation_release(&c);
    }
    qz_error err = {0};
    write_text(path, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
                     "\"image_url\"},{\"type\":\"text\",\"text\":\"b\"}]}],"
                     "\"tools\":[{},{}],\"date\":\"2026-11-29\",\"chat_template_kwargs\":{\"mood\":\"dry\"}}");
    assert_int_equal(qz_conversation_read(path, &c, &err), QZ_OK);
    assert_true(c.left_out == 1 && strcmp(c.left_names, "image_url") == 0);
    assert_int_equal(qz_chat_compile(source, strlen(source), &chat, &err), QZ_OK);
    assert_int_equal(qz_chat_apply_with(chat, NULL, &c, &out, &err), QZ_OK);
    assert_string_equal(out.ptr, "29 11 2026 12 dry 2 a\nb>");
    json_t *wrong = json_pack("{s:[]}", "messages"); /* would replace the conversation */
    c.arguments = wrong;
    assert_int_equal(qz_chat_apply_with(chat, NULL, &c, &out, &err), QZ_EUSAGE);
    json_decref(wrong);
    qz_conversation_release(&c);
    qz_str_release(&out);
    qz_chat_free(chat);
    (void)remove(path);
}

/* chat_test FOLDER: another folder of that form (tests/interop/chat_templates.py); exit 1 if a rendering differs. */
int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(expressions), cmocka_unit_test(templates),
                                       cmocka_unit_test(families),    cmocka_unit_test(limits),
                                       cmocka_unit_test(failing_memory), cmocka_unit_test(conversation_files)};
    size_t total = 0, bad = 0;
    if (argc < 2) return cmocka_run_group_tests(tests, NULL, NULL);
    const size_t n = run_folder(argv[1], &total, &bad);
    printf("%zu templates, %zu renderings, %zu wrong\n", n, total, bad);
    return bad != 0;
}
