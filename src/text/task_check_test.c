/* Checks of answers. Truths: tests/golden/tasks/math.jsonl, what lm-evaluation-harness 0.4.13 makes of MATH answers;
 * checks.jsonl, cases by hand (JSON Schema 2020-12; 20 answers in the manner of GSM8K: 11 strict, 13 flexible;
 * C-92, C-94 to C-96). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/json.h"
#include "base/size.h"
#include "text/schema.h"
#include "text/task_int.h"

static qz_error err;
static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}

static qz_status load(const char *text, qz_taskset *s) {
    char path[64] = "/tmp/qz_tasks_XXXXXX.jsonl";
    const int fd = mkstemps(path, 6);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    err = (qz_error){0};
    const qz_status st = qz_taskset_load(path, NULL, 0, s, &err);
    unlink(path);
    return st;
}

typedef void (*row_fn)(const json_t *row, const char *line);
static size_t each(const char *path, row_fn fn) {
    char line[4096];
    size_t n = 0;
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (; fgets(line, sizeof line, f); n++) {
        json_t *row = json_loads(line, 0, NULL);
        assert_non_null(row);
        fn(row, line);
        json_decref(row);
    }
    (void)fclose(f);
    return n;
}

static void check_row(const json_t *row, const char *line) {
    qz_taskset s;
    bool solved;
    const json_t *a = json_object_get(row, "answer");
    char *task = json_dumps(json_object_get(row, "task"), JSON_COMPACT);
    must(load(task, &s));
    free(task);
    must(qz_task_solved(&s.tasks[0], json_string_value(a), json_string_length(a), &solved, &err));
    if (solved != json_is_true(json_object_get(row, "solved"))) fail_msg("%d: %s", solved, line);
    qz_taskset_release(&s);
}
static void checks(void **state) {
    (void)state;
    assert_true(each("tests/golden/tasks/checks.jsonl", check_row) > 80);
}

static void math_row(const json_t *row, const char *line) {
    const json_t *a = json_object_get(row, "answer"), *b = json_object_get(row, "output");
    const char *want = json_string_value(json_object_get(row, "normal"));
    qz_str x = {0}, y = {0};
    qz_math_normal(json_string_value(a), json_string_length(a), &x);
    qz_math_normal(json_string_value(b), json_string_length(b), &y);
    if (x.len != strlen(want) || memcmp(x.ptr ? x.ptr : "", want, x.len) != 0)
        fail_msg("'%.*s': %s", (int)x.len, x.ptr ? x.ptr : "", line);
    const bool same = x.len == y.len && memcmp(x.ptr ? x.ptr : "", y.ptr ? y.ptr : "", x.len) == 0;
    if (same != json_is_true(json_object_get(row, "solved"))) fail_msg("%d: %s", same, line);
    qz_str_release(&x);
    qz_str_release(&y);
}
static void math(void **state) {
    (void)state;
    assert_true(each("tests/golden/tasks/math.jsonl", math_row) > 30);
}

static void refused(void **state) {
    static const struct { const char *task, *says; } all[] = {
        {"{\"context\":\"q\",\"check\":\"json_schema\",\"schema\":{\"anyOf\":[]}}", "unknown keyword 'anyOf'"},
        {"{\"context\":\"q\",\"check\":\"json_schema\",\"schema\":{\"properties\":{\"a\":{\"format\":\"x\"}}}}",
         "'format'"},
        {"{\"context\":\"q\",\"check\":\"json_schema\",\"schema\":{\"type\":\"int\"}}", "found int"},
        {"{\"context\":\"q\",\"check\":\"json_schema\"}", "needs key 'schema'"},
        {"{\"context\":\"q\",\"check\":\"tool_call\",\"tools\":[]}", "expected a list of functions"},
        {"{\"context\":\"q\",\"check\":\"tool_call\",\"tools\":[{\"parameters\":{}}]}", "function 0 has no name"},
        {"{\"context\":\"q\",\"check\":\"regex\",\"pattern\":\"(\"}", "bad pattern '('"},
        {"{\"context\":\"q\",\"check\":\"exact\",\"output\":\"a\",\"extract\":\"strict\"}", "'extract'"},
        {"{\"context\":\"q\",\"check\":\"number\",\"output\":\"1\",\"extract\":\"loose\"}", "found 'loose'"},
        {"{\"context\":\"q\",\"choices\":[\"a\"],\"answer\":0}", "2 to 256 strings"},
        {"{\"context\":\"q\",\"choices\":[\"a\",\"b\"],\"answer\":2}", "expected 0 to 1"},
        {"{\"context\":\"q\",\"choices\":[\"a\",\"b\"]}", "key 'answer'"},
        {"{\"context\":\"q\",\"choices\":[\"a\",\"\"],\"answer\":0}", "choice 1 is empty"},
        {"{\"context\":\"q\",\"choices\":[\"a\",7],\"answer\":0}", "list of strings"},
        {"{\"context\":\"q\",\"output\":\"a\",\"until\":[1]}", "key 'until'"},
        {"{\"check\":\"exact\",\"output\":\"a\"}", "no question"}};
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        qz_taskset s;
        if (load(all[i].task, &s) == QZ_OK) fail_msg("taken: %s", all[i].task);
        if (!strstr(err.text, all[i].says) || !strstr(err.text, ".jsonl:1")) fail_msg("%s: %s", all[i].task, err.text);
    }
}
static void deep_schema(void **state) {
    json_t *s = json_object(), *at = s;
    (void)state;
    for (size_t i = 0; i < 80; i++) {
        json_t *inner = json_object();
        json_object_set_new(at, "items", inner);
        at = inner;
    }
    err = (qz_error){0};
    assert_int_equal(qz_schema_check(s, &err), QZ_EFORMAT);
    assert_non_null(strstr(err.text, "deeper than 64"));
    json_decref(s);
}

static void choices(void **state) {
    qz_taskset s;
    (void)state;
    must(load("{\"context\":\"q\",\"choices\":[\"a\",\"b\\u00e9\"],\"answer\":\"B\",\"language\":\"fr\"}\n"
              "{\"context\":\"q\",\"choices\":[\"A\",\"B\"],\"answer\":\"A\",\"between\":\"\"}", &s));
    assert_int_equal(s.tasks[0].answer, 1);
    assert_string_equal(s.tasks[0].choices[1], " b\xc3\xa9");
    assert_int_equal(s.tasks[0].choice_chars[1], 2);
    assert_int_equal(s.tasks[0].choice_bytes[1], 3);
    assert_string_equal(s.tasks[0].language, "fr");
    assert_int_equal(s.tasks[1].answer, 0);
    assert_string_equal(s.tasks[1].choices[0], "A");
    qz_taskset_release(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(checks),      cmocka_unit_test(math), cmocka_unit_test(refused),
                                       cmocka_unit_test(deep_schema), cmocka_unit_test(choices)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
