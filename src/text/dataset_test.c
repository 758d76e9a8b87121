/* Readers, windows and checks against the mission's examples (C-01 … C-05, C-13, C-95) and the bundled
 * model's files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "text/dataset.h"
#include "text/tasks.h"

static qz_error err;

static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}

static qz_tokenizer *market(void) {
    qz_tokenizer *t = NULL;
    err = (qz_error){0};
    must(qz_tokenizer_load("models/market", &t, &err));
    return t;
}

typedef struct { char path[40]; } temp;
static temp put(const char *text, const char *suffix) {
    temp f;
    (void)snprintf(f.path, sizeof f.path, "/tmp/qz-data-XXXXXX%s", suffix);
    int fd = mkstemps(f.path, (int)strlen(suffix));
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return f;
}

static qz_status load(const char *text, const char *suffix, const qz_tokenizer *t, const qz_dataset_options *o,
                      qz_dataset *d) {
    temp f = put(text, suffix);
    err = (qz_error){0};
    qz_status st = qz_dataset_load(f.path, t, o, d, &err);
    remove(f.path);
    return st;
}

static void one_record(const char *text, const qz_tokenizer *t, const qz_dataset_options *o, const char *want) {
    qz_dataset d;
    must(load(text, ".jsonl", t, o, &d));
    assert_int_equal(d.n, 1);
    assert_int_equal(d.samples[0].n, strlen(want));
    assert_string_equal(d.samples[0].text, want);
    qz_dataset_release(&d);
}

static void records(void **state) {
    (void)state;
    qz_tokenizer *t = market();
    const char *full = "{\"instruction\":\"Convert temperature.\",\"input\":\"75 F\",\"output\":\"23.9 C\"}\n";
    /* C-01 */
    one_record("{\"instruction\":\"Convert temperature.\",\"input\":\"75 F\"}\n", NULL, NULL,
               "Convert temperature.\n\n75 F");
    /* C-02 */
    one_record("\n{\"instruction\":\"Say hello.\",\"input\":\"\"}\n\n", NULL, NULL, "Say hello.");
    one_record(full, t, NULL,
               "<|im_start|>user\nConvert temperature.\n\n75 F<|im_end|>\n<|im_start|>assistant\n23.9 C<|im_end|>\n");
    one_record(full, t, &(qz_dataset_options){.without_output = true},
                                              "<|im_start|>user\nConvert temperature.\n\n75 F<|im_end|>\n");
    one_record(full, t, &(qz_dataset_options){.raw = true, .without_output = true}, "Convert temperature.\n\n75 F");
    one_record("{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}", t, NULL, "<|im_start|>user\nHi<|im_end|>\n");
    one_record("{\"text\":\"<|im_start|>x\"}", t, NULL, "<|im_start|>x");
    qz_tokenizer_free(t);
}

static void readers(void **state) {
    (void)state;
    static const struct { const char *text, *suffix; qz_data_kind kind; } all[] = {
        {"{\"text\":\"a\"}\n", ".jsonl", QZ_DATA_JSONL_TEXT},
        {"{\"instruction\":\"a\"}\n", ".jsonl", QZ_DATA_JSONL_INSTRUCTION},
        {"{\"messages\":[{\"content\":\"a\"}]}\n", ".jsonl", QZ_DATA_JSONL_MESSAGES},
        {"{\"ids\":[1,2]}\n", ".jsonl", QZ_DATA_JSONL_IDS},
        {"{not json, just text", ".txt", QZ_DATA_TEXT_FILE}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        qz_dataset d;
        must(load(all[i].text, all[i].suffix, NULL, NULL, &d));
        assert_int_equal(d.kind, all[i].kind);
        assert_true(strlen(d.reader) > 3);
        assert_int_equal(strlen(d.sha_hex), 64);
        qz_dataset_release(&d);
    }
}

static void refuse(const char *text, qz_status want, const char *word) {
    qz_dataset d;
    qz_status st = load(text, ".jsonl", NULL, NULL, &d);
    if (st != want || !strstr(err.text, word)) fail_msg("%s: expected '%s', found %d '%s'", text, word, st, err.text);
}

static void bad_lines(void **state) {
    (void)state;
    qz_dataset d;
    refuse("{\"text\":\"a\"}\n\n{\"text\":\n", QZ_EFORMAT, ".jsonl:3:"); /* C-02: file and line */
    refuse("{\"text\":\"a\"}\n{\"ids\":[1]}\n", QZ_EFORMAT, ".jsonl:2:");
    refuse("{\"other\":1}\n", QZ_EFORMAT, "'instruction'");
    refuse("{\"text\":5}\n", QZ_EFORMAT, ".jsonl:1:");
    refuse("{\"ids\":[-1]}\n", QZ_EFORMAT, "token id");
    refuse("\n\n", QZ_EUSAGE, "empty");
    err = (qz_error){0};
    assert_int_equal(qz_dataset_load("c4", NULL, NULL, &d, &err), QZ_EUSAGE); /* C-13 */
    assert_non_null(strstr(err.text, "c4.jsonl"));
    err = (qz_error){0};
    assert_int_equal(qz_dataset_load("/nonexistent/x.jsonl", NULL, NULL, &d, &err), QZ_EIO);
}

/* Samples of 5, 40 and 7 ids at a window of 16, by policy. */
static void windows(void **state) {
    (void)state;
    char text[1000] = "{\"ids\":[1,1,1,1,1]}\n{\"ids\":[2";
    size_t at = strlen(text);
    for (int i = 1; i < 40; i++) at += (size_t)snprintf(text + at, sizeof text - at, ",2");
    (void)snprintf(text + at, sizeof text - at, "]}\n{\"ids\":[3,3,3,3,3,3,3]}\n");
    static const struct { qz_length_policy policy; size_t max, n, used, truncated, dropped, cut; } want[] = {
        {QZ_PACK, 0, 3, 3, 0, 0, 4}, {QZ_PACK, 2, 2, 2, 1, 1, 13}, {QZ_TRUNCATE, 0, 1, 3, 1, 0, 36},
        {QZ_DROP, 0, 1, 2, 0, 1, 40}};
    qz_dataset d;
    must(load(text, ".jsonl", NULL, NULL, &d));
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        qz_windows w;
        must(qz_windows_build(NULL, &d, &(qz_window_options){16, want[i].max, want[i].policy, true}, &w, &err));
        assert_int_equal(w.n_windows, want[i].n);
        assert_int_equal(w.seq_len, want[i].policy == QZ_DROP ? 12 : 16); /* 5 + 7 tokens are one short window */
        assert_int_equal(w.samples_read, 3);
        assert_int_equal(w.samples_used, want[i].used);
        assert_int_equal(w.samples_truncated, want[i].truncated);
        assert_int_equal(w.samples_dropped, want[i].dropped);
        if (want[i].max == 0) assert_int_equal(w.tokens_cut, want[i].cut);
        assert_int_equal(w.ids[4], 1);
        assert_int_equal(w.ids[5], want[i].policy == QZ_DROP ? 3 : 2);
        qz_windows_release(&w);
    }
    qz_dataset_release(&d);
}

static void bundled_files(void **state) {
    (void)state;
    qz_tokenizer *t = market();
    qz_dataset d;
    qz_windows w;
    qz_taskset s;
    must(qz_dataset_load("models/market/calibration.jsonl", t, &(qz_dataset_options){.max_samples = 100}, &d, &err));
    assert_int_equal(d.n, 100);
    qz_dataset_release(&d);
    must(qz_dataset_load("models/market/calibration.jsonl", t, NULL, &d, &err));
    assert_int_equal(d.n, 128);
    must(qz_windows_build(t, &d, &(qz_window_options){512, 0, QZ_PACK, false}, &w, &err));
    assert_int_equal(w.tokens_used, w.n_windows * 512);
    assert_int_equal(w.tokens_used + w.tokens_cut, w.tokens_total);
    qz_windows_release(&w);
    qz_dataset_release(&d);
    must(qz_taskset_load("models/market/tasks.jsonl", t, 0, &s, &err));
    assert_int_equal(s.n, 800);
    for (size_t i = 0; i < s.n; i++) {
        bool solved;
        assert_true(s.tasks[i].templated);
        assert_non_null(strstr(s.tasks[i].prompt, "<|im_end|>\n<|im_start|>assistant\n"));
        must(qz_task_solved(&s.tasks[i], s.tasks[i].output, strlen(s.tasks[i].output), &solved, &err));
        assert_true(solved);
        must(qz_task_solved(&s.tasks[i], "no", 2, &solved, &err));
        assert_false(solved);
    }
    qz_taskset_release(&s);
    qz_tokenizer_free(t);
}

static void checks(void **state) {
    (void)state;
    static const struct { const char *task, *answer; bool solved; } all[] = {
        {"{\"prompt\":\"p\",\"output\":\"49 EUR\"}", " 49 EUR\n", true},
        {"{\"prompt\":\"p\",\"output\":\"49 EUR\",\"check\":\"exact\"}", "49 EUR.", false},
        {"{\"prompt\":\"p\",\"output\":\"{\\\"a\\\":1,\\\"b\\\":[2]}\",\"check\":\"json\"}", "{ \"b\": [2], \"a\": 1 }",
         true},
        /* C-95: trailing prose */
        {"{\"prompt\":\"p\",\"output\":\"{\\\"a\\\":1}\",\"check\":\"json\"}", "{\"a\":1} Done.", false},
        {"{\"prompt\":\"p\",\"output\":\"{\\\"a\\\":1}\",\"check\":\"json\"}", "{\"a\":\"1\"}", false},
        {"{\"prompt\":\"p\",\"output\":\"3.14\",\"scorer\":\"number\",\"tolerance\":0.01}", "it is 3.1416", true},
        {"{\"prompt\":\"p\",\"output\":\"3.14\",\"check\":\"number\",\"tolerance\":0.001}", "3.2", false},
        {"{\"prompt\":\"p\",\"output\":\"1234.5\",\"check\":\"number\"}", "The total is 1,234.50 EUR.", true},
        {"{\"prompt\":\"p\",\"output\":\"-7\",\"check\":\"number\"}", "7", false},
        {"{\"prompt\":\"p\",\"output\":\"Friday\",\"check\":\"contains\"}", "on Friday, then", true},
        {"{\"prompt\":\"p\",\"pattern\":\"^[A-Z]{3}-\\\\d+$\",\"check\":\"regex\"}", "ABC-12", true},
        {"{\"prompt\":\"p\",\"pattern\":\"^[A-Z]{3}-\\\\d+$\",\"check\":\"regex\"}", "ABC-12x", false}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        temp f = put(all[i].task, ".jsonl");
        qz_taskset s;
        bool solved;
        must(qz_taskset_load(f.path, NULL, 0, &s, &err));
        remove(f.path);
        must(qz_task_solved(&s.tasks[0], all[i].answer, strlen(all[i].answer), &solved, &err));
        if (solved != all[i].solved) fail_msg("%s with '%s'", all[i].task, all[i].answer);
        qz_taskset_release(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(readers),
                                       cmocka_unit_test(bad_lines), cmocka_unit_test(windows),
                                       cmocka_unit_test(bundled_files), cmocka_unit_test(checks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
