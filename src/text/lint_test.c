/* Verdicts on data whose faults are known: mission C-06, C-07, C-09, C-10, C-15, K-34, and the bundled
 * model's files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "text/accepted.h"
#include "text/lint.h"
#include "text/lint_int.h"

#define MARKET "models/market/"
static qz_error err;

static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}

static qz_tokenizer *market(void) {
    qz_tokenizer *t = NULL;
    must(qz_tokenizer_load(MARKET, &t, &err));
    return t;
}

static const qz_lint_finding *find(const qz_lint *l, const char *code) {
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->findings[i].code, code) == 0) return &l->findings[i];
    return NULL;
}

static void write_lines(char path[], const char *line, size_t n) {
    int fd = mkstemps(path, 6);
    FILE *f = fdopen(fd, "w");
    for (size_t i = 0; i < n; i++) fputs(line, f);
    fclose(f);
}

static void one_sentence_many_times(void **state) {
    (void)state;
    qz_tokenizer *t = market();
    qz_dataset d;
    qz_lint l;
    must(qz_dataset_load(MARKET "calibration-bad.jsonl", t, NULL, &d, &err));
    must(qz_lint_run(t, &d, &(qz_lint_options){.largest_in = 768}, &l, &err));
    const qz_lint_finding *dup = find(&l, "CAL-DUP"), *rank = find(&l, "CAL-RANK");
    assert_non_null(dup);
    assert_string_equal(dup->text, "CAL-DUP 1 unique of 128");
    assert_string_equal(dup->told, "127 of 128 samples equal");
    assert_int_equal(dup->severity, QZ_LINT_REFUSE);
    assert_non_null(rank);
    assert_int_equal(rank->severity, QZ_LINT_REFUSE);
    /* all samples are the same 21 tokens: 2688 / 128 */
    assert_int_equal(l.data.tokens, 2688);
    assert_string_equal(rank->text, "CAL-RANK 21 distinct rows < 768 columns");
    qz_lint_release(&l);
    qz_dataset_release(&d);
    qz_tokenizer_free(t);
}

/* K-34: rows are equal after equal prefixes only, a shared BOS counts once: sentences of 15, 11 and 10
 * tokens give 37. */
static void rank_counts_contexts(void **state) {
    (void)state;
    uint32_t a[16], b[12], c[11];
    for (uint32_t i = 0; i < 16; i++) a[i] = i;
    for (uint32_t i = 0; i < 12; i++) b[i] = i ? i + 100 : 0;
    for (uint32_t i = 0; i < 11; i++) c[i] = i ? 1 + i % 2 + 200 : 0; /* tokens repeat, contexts do not */
    qz_sample s[6] = {{.ids = a, .n_ids = 16}, {.ids = b, .n_ids = 12}, {.ids = c, .n_ids = 11},
                      {.ids = a, .n_ids = 16}, {.ids = b, .n_ids = 12},
                      {.ids = c, .n_ids = 11}};
    for (size_t i = 0; i < 6; i++) s[i].text = "";
    qz_dataset d = {.kind = QZ_DATA_JSONL_IDS, .samples = s, .n = 6, .path = "memory"};
    qz_lint l;
    must(qz_lint_run(NULL, &d, &(qz_lint_options){.largest_in = 11008}, &l, &err));
    assert_string_equal(find(&l, "CAL-RANK")->text, "CAL-RANK 37 distinct rows < 11008 columns");
    assert_string_equal(find(&l, "CAL-DUP")->text, "CAL-DUP 3 unique of 6");
    assert_non_null(find(&l, "CAL-COUNT"));
    qz_lint_release(&l);
}

/* The bundled calibration file fits its evaluation file; the French one does not. */
static void domains(void **state) {
    (void)state;
    static const struct { const char *data, *other; bool far; } pairs[] = {
        {"calibration.jsonl", "eval.jsonl", false}, {"calibration-fr.jsonl", "eval.jsonl", true},
        {"calibration-en.jsonl", "calibration-fr.jsonl", true},
        {"calibration-en.jsonl", "calibration-en.jsonl", false}};
    qz_tokenizer *t = market();
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char path[2][128];
        qz_dataset d, o;
        qz_lint l;
        (void)snprintf(path[0], sizeof path[0], MARKET "%s", pairs[i].data);
        (void)snprintf(path[1], sizeof path[1], MARKET "%s", pairs[i].other);
        must(qz_dataset_load(path[0], t, NULL, &d, &err));
        must(qz_dataset_load(path[1], t, NULL, &o, &err));
        must(qz_lint_run(t, &d, &(qz_lint_options){.traffic = &o, .largest_in = 768}, &l, &err));
        const qz_lint_finding *f = find(&l, "CAL-DOMAIN");
        if ((f != NULL) != pairs[i].far)
            fail_msg("%s against %s: %.3f bit", pairs[i].data, pairs[i].other, l.divergence);
        if (f) assert_non_null(strstr(strstr(f->text, "fr ") + 1, "fr ")); /* both shares are shown */
        assert_null(find(&l, "CAL-DUP"));
        assert_null(find(&l, "CAL-RANK"));
        qz_lint_release(&l);
        qz_dataset_release(&d);
        qz_dataset_release(&o);
    }
    qz_tokenizer_free(t);
}

static void divergence(void **state) {
    (void)state;
    const uint64_t a[] = {1, 1}, b[] = {0, 0, 5}, c[] = {3, 1};
    assert_true(qz_jensen_shannon(a, 2, a, 2) == 0);
    assert_true(qz_jensen_shannon(a, 2, b, 3) == 1);
    /* (1/2, 1/2) and (3/4, 1/4): H(5/8) - (1 + H(3/4)) / 2 = 0.954434 - 0.905639 */
    double js = qz_jensen_shannon(a, 2, c, 2);
    assert_true(js > 0.048794 && js < 0.048796);
}

static void leaks(void **state) {
    (void)state;
    qz_tokenizer *t = market();
    qz_dataset d, e;
    qz_taskset tasks;
    qz_lint l;
    char path[] = "/tmp/qz-lint-XXXXXX.jsonl";
    must(qz_dataset_load(MARKET "eval.jsonl", t, NULL, &e, &err));
    must(qz_taskset_load(MARKET "tasks.jsonl", t, 0, &tasks, &err));
    must(qz_lint_run(t, &e, &(qz_lint_options){.eval = &e}, &l, &err));
    assert_int_equal(l.leaks_eval.n, 300); /* the file against itself */
    assert_non_null(strstr(find(&l, "CAL-LEAK")->text, "CAL-LEAK 300 of 300 samples also in the evaluation file"));
    assert_non_null(strstr(find(&l, "CAL-LEAK")->text, "first line 1 (there line 1)"));
    qz_lint_release(&l);
    /* one of the tasks as a calibration record, with an answer of its own */
    write_lines(path,
                "{\"instruction\":\"Create the shipping request as JSON.\",\"input\":\"Priya Vogel (87 Orchard Avenue, "
                "51321 Torval) wants 9 x grey mug, "
                "pickup shipping, order 83951.\",\"output\":\"x\"}\n{\"instruction\":\"Nothing of the kind.\"}\n",
                1);
    must(qz_dataset_load(path, t, NULL, &d, &err));
    remove(path);
    must(qz_lint_run(t, &d, &(qz_lint_options){.eval = &e, .tasks = &tasks}, &l, &err));
    assert_int_equal(l.leaks_tasks.n, 1);
    assert_int_equal(l.leaks_eval.n, 0);
    qz_lint_release(&l);
    qz_dataset_release(&d);
    qz_dataset_release(&e);
    qz_taskset_release(&tasks);
    qz_tokenizer_free(t);
}

/* What leaks hides behind: other blanks, other case, a paragraph inside a longer text. */
static void leaks_normalized(void **state) {
    (void)state;
    static const char para[] = "The quick brown fox jumps over the lazy dog "
                               "while the slow green turtle sleeps under it.";
    static const char wrapped[] = "  the Quick  brown fox jumps over the lazy dog\n"
                                  "while the slow green turtle\tsleeps under it.\n";
    char inside[300], file[300];
    (void)snprintf(inside, sizeof inside, "Another beginning.\n \n%s\n\nAnother end.", wrapped);
    (void)snprintf(file, sizeof file, "Title\n\n\n%s\nnext\n", para);
    qz_sample a[] = {{.text = "x", .n = 1, .line = 1}, {.text = inside, .n = strlen(inside), .line = 2}};
    qz_sample b[] = {{.text = "y", .n = 1, .line = 1}, {.text = "z", .n = 1, .line = 2},
                     {.text = para, .n = sizeof para - 1, .line = 3}};
    qz_sample c[] = {{.text = file, .n = strlen(file), .line = 1}};
    const qz_dataset da = {.kind = QZ_DATA_JSONL_TEXT, .samples = a, .n = 2, .path = "a"};
    const qz_dataset db = {.kind = QZ_DATA_JSONL_TEXT, .samples = b, .n = 3, .path = "b"};
    qz_dataset dc = {.kind = QZ_DATA_TEXT_FILE, .samples = c, .n = 1, .path = "c"};
    qz_leak x;
    must(qz_data_overlap(&da, &db, &x, &err));
    assert_true(x.n == 1 && x.of == 2 && x.line == 2 && x.other_line == 3);
    must(qz_data_overlap(&da, &dc, &x, &err)); /* "next" joins the paragraph of the file: no blank line between */
    assert_int_equal(x.n, 0);
    qz_sample twice[] = {a[1], a[1]}; /* a paragraph of several samples is a form, no leak */
    const qz_dataset dt = {.kind = QZ_DATA_JSONL_TEXT, .samples = twice, .n = 2, .path = "t"};
    must(qz_data_overlap(&dt, &db, &x, &err));
    assert_int_equal(x.n, 0);
    must(qz_data_overlap(&dt, &da, &x, &err)); /* a whole sample is one however often it comes */
    assert_int_equal(x.n, 2);
    c[0].n -= 6;
    must(qz_data_overlap(&da, &dc, &x, &err));
    assert_true(x.n == 1 && x.line == 2 && x.other_line == 4);
    must(qz_data_overlap(&dc, &da, &x, &err)); /* of a text file its long paragraphs are counted */
    assert_true(x.n == 1 && x.of == 1 && x.line == 4 && x.other_line == 2);
}

static void accepted(void **state) {
    (void)state;
    qz_str s = {0};
    qz_accepted_add(&s, "CAL-DUP", "127 of 128 samples equal");
    qz_accepted_add(&s, "CAL-LEAK", "3 of 9 samples also in 'a;b).txt'\n");
    assert_string_equal(s.ptr, "CAL-DUP (127 of 128 samples equal); CAL-LEAK (3 of 9 samples also in 'a,b).txt' )");
    assert_true(qz_accepted_has(s.ptr, "CAL-LEAK") && !qz_accepted_has(s.ptr, "CAL"));
    assert_false(qz_accepted_has(NULL, "CAL-DUP"));
    const char *at = s.ptr;
    qz_accepted x;
    assert_true(qz_accepted_next(&at, &x) && x.count == 127);
    assert_string_equal(x.finding, "127 of 128 samples equal");
    assert_true(qz_accepted_next(&at, &x) && x.count == 3 && !qz_accepted_next(&at, &x));
    static const char *const bad[] = {"", "CAL-DUP", "cal (1)", "CAL-DUP (", "CAL-DUP (1", " CAL-DUP (1)", "A)"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        at = bad[i];
        assert_false(qz_accepted_next(&at, &x));
    }
    qz_str_clear(&s);
    qz_accepted_json("CAL-RANK (21 \"x\"); MOD-KEYS (none)", &s);
    assert_string_equal(s.ptr, "[{\"code\":\"CAL-RANK\",\"count\":21,\"finding\":\"21 \\\"x\\\"\"},"
                               "{\"code\":\"MOD-KEYS\",\"count\":0,\"finding\":\"none\"}]");
    qz_str_release(&s);
}

static void lengths(void **state) {
    (void)state;
    qz_tokenizer *t = market();
    qz_dataset d, o;
    qz_lint l;
    char path[] = "/tmp/qz-lint-XXXXXX.jsonl", line[2100];
    memset(line, ' ', sizeof line);
    memcpy(line, "{\"text\":\"", 9);
    for (size_t i = 9; i < 2009; i += 4) memcpy(line + i, "7 x ", 4);
    memcpy(line + 2009, "\"}\n", 4);
    write_lines(path, line, 3);
    must(qz_dataset_load(path, t, NULL, &o, &err));
    remove(path);
    must(qz_dataset_load(MARKET "calibration.jsonl", t, NULL, &d, &err));
    must(qz_lint_run(t, &d, &(qz_lint_options){.traffic = &o}, &l, &err));
    const qz_lint_finding *f = find(&l, "CAL-LEN");
    char want[80];
    (void)snprintf(want, sizeof want, "CAL-LEN real prompts median %.0f, calibration median %.0f tokens",
                   l.other.median, l.data.median);
    assert_non_null(f);
    assert_string_equal(f->text, want);
    assert_true(l.other.median > 2 * l.data.median);
    size_t all = 0;
    for (size_t i = 0; i < 16; i++) all += l.data.histogram[i];
    assert_int_equal(all, 128);
    qz_lint_release(&l);
    qz_dataset_release(&d);
    qz_dataset_release(&o);
    qz_tokenizer_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_sentence_many_times),
                                       cmocka_unit_test(rank_counts_contexts), cmocka_unit_test(domains),
                                       cmocka_unit_test(divergence), cmocka_unit_test(leaks),
                                       cmocka_unit_test(leaks_normalized),
                                       cmocka_unit_test(accepted), cmocka_unit_test(lengths)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
