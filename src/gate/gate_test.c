/* Rules and candidates: source B's table (C-175 to C-178), the caution levels (C-180), insufficient data, bad rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>
#include "base/json.h"
#include "eval/intervals.h"
#include "base/rng.h"
#include "gate/gate.h"
#include "gate/sequence.h"

static qz_arena arena;
static qz_error err;

static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}
static void near(double a, double b, double tol) {
    if (!(fabs(a - b) <= tol)) fail_msg("%.12g, expected %.12g", a, b);
}
static qz_gate_rules rules_of(const char *text) {
    qz_gate_rules r;
    err = (qz_error){0};
    must(qz_gate_rules_parse(text, "rules.json", &arena, &r, &err));
    return r;
}
static void add(qz_gate_candidates *c, const char *text, const char *file) {
    json_t *root = NULL;
    err = (qz_error){0};
    must(qz_json_parse(text, strlen(text), file, &root, &err));
    must(qz_gate_candidates_add(c, root, file, &err));
    json_decref(root);
}
static void bad_candidates(const char *first, const char *text, const char *word) {
    qz_gate_candidates c = {.arena = &arena};
    json_t *root = NULL;
    err = (qz_error){0};
    if (first) add(&c, first, "first.json");
    must(qz_json_parse(text, strlen(text), "second.json", &root, &err));
    const qz_status st = qz_gate_candidates_add(&c, root, "second.json", &err);
    json_decref(root);
    if (st == QZ_OK || !strstr(err.text, word)) fail_msg("%s: expected '%s', found '%s'", text, word, err.text);
}

static const char table[] = "{\"candidates\":[{\"name\":\"FP16\",\"accuracy\":0.93,\"memory_gb\":14.0,\"p95_ms\":70},"
                            "{\"name\":\"AWQ-4bit\",\"quality\":0.92,\"vram_gb\":4.1,\"p95\":49},"
                            "{\"name\":\"GPTQ-3bit\",\"score\":0.85,\"memory\":3.2,\"p95_ms\":43}]}";

static void table_of_source_b(void **state) {
    (void)state;
    static const char *const rules[] = {"{\"min_accuracy\":0.90,\"max_memory_gb\":8.0}",
                                        "{\"min_quality\":0.90,\"max_vram_gb\":8.0,\"max_p95_ms\":60}"};
    for (size_t k = 0; k < 2; k++) {
        qz_gate_rules r = rules_of(rules[k]);
        qz_gate_candidates c = {.arena = &arena};
        add(&c, table, "table.json");
        qz_gate_result x[3][3];
        assert_int_equal(c.n, 3);
        for (size_t i = 0; i < 3; i++) assert_int_equal(qz_gate_judge(&r, &c.at[i], x[i]), i == 1);
        assert_int_equal(x[0][0].verdict, QZ_GATE_PASS); /* FP16 fails memory */
        assert_int_equal(x[0][1].verdict, QZ_GATE_FAIL);
        assert_int_equal(x[2][0].verdict, QZ_GATE_FAIL); /* 3 bits fail quality */
        assert_int_equal(x[2][1].verdict, QZ_GATE_PASS);
        assert_true(x[1][0].exact);
        if (k) assert_int_equal(x[0][2].verdict, QZ_GATE_FAIL);
        qz_str why = {0};
        qz_gate_reason(&r.rule[0], &x[2][0], &why);
        assert_non_null(strstr(why.ptr, " 0.85, limit >= 0.9"));
        qz_str_release(&why);
    }
}

/* C-178: 19 of 20 is above 0.9, its interval is not; 200 of the same share would decide. */
static void insufficient_data(void **state) {
    (void)state;
    qz_gate_rules r = rules_of("{\"min_accuracy\":0.90}");
    qz_gate_candidates c = {.arena = &arena};
    add(&c,
        "[{\"name\":\"a\",\"tasks_solved\":19,\"tasks\":20},{\"name\":\"b\",\"accuracy\":{\"value\":0.95,\"n\":20}},"
        "{\"name\":\"c\",\"tasks_solved\":950,\"tasks\":1000},{\"name\":\"d\",\"tasks_solved\":90,\"tasks\":100},"
        "{\"name\":\"e\",\"tasks_solved\":700,\"tasks\":1000},{\"name\":\"f\",\"kl\":0.1}]",
        "t.json");
    static const qz_gate_verdict want[] = {QZ_GATE_OPEN, QZ_GATE_OPEN, QZ_GATE_PASS,
                                           QZ_GATE_OPEN, QZ_GATE_FAIL, QZ_GATE_MISSING};
    qz_gate_result x[6];
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(qz_gate_judge(&r, &c.at[i], &x[i]), want[i] == QZ_GATE_PASS);
        assert_int_equal(x[i].verdict, want[i]);
    }
    double low, high;
    qz_share_interval(0.95 * x[0].needed, x[0].needed, 0.95, &low, &high);
    assert_true(low >= 0.9);
    qz_share_interval(0.95 * (x[0].needed - 1), x[0].needed - 1, 0.95, &low, &high);
    assert_true(low < 0.9);
    assert_true(x[3].needed <= 0); /* its value is the limit */
    /* a wider interval for more confidence */
    r = rules_of("{\"rules\":[{\"metric\":\"accuracy\",\"min\":0.93,\"confidence\":0.9}]}");
    assert_true(qz_gate_judge(&r, &c.at[2], x));
    r = rules_of("{\"confidence\":0.999,\"rules\":[{\"metric\":\"accuracy\",\"min\":0.93}]}");
    assert_false(qz_gate_judge(&r, &c.at[2], x));
}

static void intervals(void **state) {
    (void)state;
    double low, high;
    near(qz_normal_quantile(0.975), 1.959963984540054, 1e-11);
    qz_share_interval(92, 100, 0.95, &low, &high); /* Wilson, by hand */
    near(low, 0.850018923, 1e-9);
    near(high, 0.958906539, 1e-9);
    qz_drop_interval(8, 2, 100, 0.95, &low, &high); /* (9 − 3) / 102 ± 1.96 sqrt((12 − 36 / 102) / 102²) */
    near((low + high) / 2, 6.0 / 102, 1e-12);
    near((high - low) / 2, 1.959964 * sqrt(12.0 / 102 - 36.0 / (102.0 * 102)) / sqrt(102), 1e-7);
}

/* C-180: 8.08, 8.24 and 8.40 against 8.00. */
static void caution_levels(void **state) {
    (void)state;
    qz_gate_rules r;
    qz_gate_candidates c = {.arena = &arena};
    err = (qz_error){0};
    must(qz_gate_rules_load(NULL, &arena, &r, &err));
    add(&c, "{\"baseline\":{\"ppl\":8.0},\"candidates\":[{\"name\":\"0\",\"ppl\":8.07},{\"name\":\"1\",\"ppl\":8.08},"
            "{\"name\":\"2\",\"ppl\":8.24},{\"name\":\"3\",\"ppl\":8.40},"
            "{\"name\":\"4\",\"ppl\":8.40,\"tasks_lost\":1,\"tasks_won\":2,\"tasks\":800},"
            "{\"name\":\"5\",\"ppl\":8.00,\"tasks_lost\":90,\"tasks_won\":2,\"tasks\":800}]}", "p.json");
    qz_gate_result x[6][2];
    for (size_t i = 0; i < 6; i++) assert_int_equal(qz_gate_judge(&r, &c.at[i], x[i]), i != 3 && i != 5);
    assert_false(x[0][0].note || x[0][0].warn);
    assert_true(x[1][0].note && !x[1][0].warn);
    assert_true(x[2][0].warn);
    assert_int_equal(x[3][0].verdict, QZ_GATE_FAIL);
    assert_int_equal(x[4][0].verdict, QZ_GATE_WAIVED);
    assert_int_equal(x[5][1].verdict, QZ_GATE_FAIL);
}

/* n of a row stands behind its shares, under the names that tables use; keys that no metric is are named. */
static void table_samples(void **state) {
    (void)state;
    static const char *const keys[] = {"n", "samples", "n_tasks", "count", "tasks"};
    qz_gate_rules r = rules_of("{\"min_accuracy\":0.90}");
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char text[128];
        qz_gate_candidates c = {.arena = &arena};
        qz_gate_result x;
        (void)snprintf(text, sizeof text, "[{\"name\":\"a\",\"accuracy\":0.91,\"%s\":100,\"vibes\":7}]", keys[i]);
        add(&c, text, "t.json");
        assert_false(qz_gate_judge(&r, &c.at[0], &x));
        assert_int_equal(x.verdict, QZ_GATE_OPEN);
        assert_string_equal(c.unread, "vibes");
    }
}

/* Rows of several reports are one candidate; the source's row is not judged; kinds by name. */
static void reports(void **state) {
    (void)state;
    qz_gate_candidates c = {.arena = &arena};
    add(&c,
        "{\"schema\":2,\"protocol\":\"p\",\"token_hash\":\"t\",\"rows\":[{\"artifact\":\"src\",\"ppl\":8},"
        "{\"artifact\":\"x/q.gguf\",\"kl\":0.04,\"kl_low\":0.03,\"kl_high\":0.05,\"kl_p99\":1,\"tokens_scored\":100,"
        "\"tasks_solved\":90,\"tasks\":100,\"kinds\":{\"json\":[10,50]}}]}",
        "eval.json");
    add(&c,
        "{\"machine\":\"m\",\"rows\":[{\"artifact\":\"q.gguf\",\"peak_rss_bytes\":2000000000,\"ttft_ms\":{\"median\":"
        "5,\"min\":4,"
        "\"max\":6,\"p95\":5.9}}]}",
        "bench.json");
    assert_int_equal(c.n, 2);
    assert_true(c.at[0].baseline && !c.at[1].baseline);
    qz_gate_result x[8];
    qz_gate_rules r = rules_of("{\"max_kl\":0.06,\"max_memory_gb\":2,\"max_ttft_ms\":6,\"max_p95_ms\":6,\"rules\":["
                               "{\"metric\":\"accuracy:json\",\"min\":0.5},{\"metric\":\"kl_p99\",\"max\":0.5}]}");
    assert_false(qz_gate_judge(&r, &c.at[1], x));
    for (size_t i = 0; i < 6; i++) assert_int_equal(x[i].verdict, i < 4 ? QZ_GATE_PASS : QZ_GATE_FAIL);
    r = rules_of("{\"max_kl\":0.045}"); /* 0.04 [0.03, 0.05]: (0.01 / 0.005)² as much */
    assert_false(qz_gate_judge(&r, &c.at[1], x));
    assert_int_equal(x[0].verdict, QZ_GATE_OPEN);
    near(x[0].needed, 400, 1);
}

static void bad_rules(void **state) {
    (void)state;
    static const struct { const char *text, *word;
    } all[] = {{"[]", "expected an object"},
               {"{}", "no rules"},
               {"{\"max_klx\":1}", "nearest is 'kl'"},
               {"{\"min_kl\":0.1}", "wrong side"},
               {"{\"max_accuracy\":0.9}", "wrong side"},
               {"{\"min_accuracy\":1.5}", "impossible limit"},
               {"{\"max_kl\":-1}", "impossible limit"},
               {"{\"max_kl\":\"a\"}", "expected a number"},
               {"{\"max_kl\":0.1,\"max_kld\":0.2}", "two rules"},
               {"{\"rules\":[{\"metric\":\"kl\"}]}", "without a limit"},
               {"{\"rules\":[{\"metric\":\"kl\",\"max\":1,\"fail\":2}]}", "two limits"},
               {"{\"rules\":[{\"metric\":\"kl\",\"max\":1,\"levl\":2}]}", "unknown key 'levl'"},
               {"{\"rules\":{}}", "expected a list"},
               {"{\"confidence\":1,\"max_kl\":1}", "bad confidence"},
               {"{\"limit\":1}", "unknown key 'limit'"},
               {"{\"rules\":[{\"metric\":\"kl:json\",\"max\":1}]}", "behind accuracy only"},
               {"{\"rules\":[5]}", "expected an object"},
        {"{\"rules\":[{\"metric\":\"kl\",\"max\":1,\"note\":5}]}", "levels out of order"},
        {"{\"rules\":[{\"metric\":\"kl\",\"max\":1,\"unless\":\"ppl\"}]}", "metric without a rule"}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        qz_gate_rules r;
        err = (qz_error){0};
        const qz_status st = qz_gate_rules_parse(all[i].text, "rules.json", &arena, &r, &err);
        if (st == QZ_OK || !strstr(err.text, all[i].word))
            fail_msg("%s: expected '%s', found '%s'", all[i].text, all[i].word, err.text);
    }
}

static void bad_tables(void **state) {
    (void)state;
    bad_candidates(NULL, "{\"x\":1}", "no candidates");
    bad_candidates(NULL, "[]", "empty list");
    bad_candidates(NULL, "[{\"name\":\"a\",\"kl\":-1}]", "expected 0 to");
    bad_candidates(NULL, "[{\"name\":\"a\",\"memory_gb\":-4}]", "expected 0 to");
    bad_candidates(NULL, "[{\"name\":\"a\",\"kl\":0.02,\"kl_low\":0.001,\"kl_high\":0.002}]",
                   "inside its own interval");
    bad_candidates(NULL, "[{\"name\":\"a\\u001b[31m\\napproved\",\"kl\":0.02}]", "control characters");
    bad_candidates(NULL, "[{\"name\":\"a\",\"accuracy\":0.91,\"n\":-5}]", "1 and more samples");
    bad_candidates(NULL, "[5]", "expected an object");
    bad_candidates(NULL, "[{\"kl\":1}]", "without a name");
    bad_candidates(NULL, "[{\"name\":\"a\",\"accuracy\":93}]", "share from 0 to 1");
    bad_candidates(NULL, "[{\"name\":\"a\",\"kl\":\"low\"}]", "expected a number");
    bad_candidates(NULL, "[{\"name\":\"a\",\"tasks_solved\":7,\"tasks\":5}]", "count of the tasks");
    bad_candidates(NULL, "[{\"name\":\"a\",\"kl\":{\"value\":1,\"low\":2,\"high\":3}}]", "low <= value <= high");
    bad_candidates("[{\"name\":\"a\",\"kl\":1}]", "[{\"name\":\"a\",\"kl\":2}]", "two values of kl");
    bad_candidates("{\"token_hash\":\"x\",\"rows\":[]}", "{\"token_hash\":\"y\",\"rows\":[]}", "unlike tokens");
    bad_candidates("{\"machine\":\"x\",\"rows\":[]}", "{\"machine\":\"y\",\"rows\":[]}", "unlike machines");
}

/* 1,000 gates each: decisions that are wrong, and the median share of the fixed test that was needed. */
typedef struct { double wrong, length; } simulated;
static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}
static simulated simulate_means(double sd, double ratio) {
    enum { GATES = 1000, FIXED = 60 };
    static double length[GATES];
    qz_rng rng;
    size_t wrong = 0;
    qz_rng_seed(&rng, 7);
    for (size_t g = 0; g < GATES; g++) {
        qz_sequence_sums s = {0};
        int is = 0;
        while (s.n < FIXED && is == 0) {
            qz_sequence_add(&s, ratio * exp(sd * (double)qz_rng_normal(&rng) - sd * sd / 2));
            is = qz_sequence_mean(&s, 1, 0.05, NULL, NULL);
        }
        wrong += is != 0 && (is > 0) != (ratio < 1);
        length[g] = s.n / FIXED;
    }
    qsort(length, GATES, sizeof *length, by_size);
    return (simulated){(double)wrong / GATES, length[GATES / 2]};
}
static simulated simulate_shares(double p, double limit, size_t fixed) {
    enum { GATES = 1000 };
    static double length[GATES];
    qz_rng rng;
    size_t wrong = 0;
    qz_rng_seed(&rng, 8);
    for (size_t g = 0; g < GATES; g++) {
        double k = 0, n = 0;
        int is = 0;
        while (n < (double)fixed && is == 0) {
            for (int i = 0; i < 5; i++, n++) k += qz_rng_unit(&rng) < p; /* looked at after every five */
            is = qz_sequence_share(k, n, limit, 0.05);
        }
        wrong += is != 0 && (is > 0) != (p < limit);
        length[g] = n / (double)fixed;
    }
    qsort(length, GATES, sizeof *length, by_size);
    return (simulated){(double)wrong / GATES, length[GATES / 2]};
}
/* B-05: at most 5 % wrong, close to the limit too; at most 30 % of the fixed test where the value is twice the limit or
 * half of it (failures: twice the limit away). Spread of windows: 0.28 (docs, Q4_0 of text-13m) to 0.6 (short
 * texts). */
static void sequences(void **state) {
    (void)state;
    static const double spreads[] = {0.28, 0.6}, near_limit[] = {0.9, 0.98, 1.02, 1.1}, far[] = {0.5, 1.0 / 3, 2, 3};
    for (size_t i = 0; i < 2; i++) {
        for (size_t k = 0; k < 4; k++) {
            simulated s = simulate_means(spreads[i], near_limit[k]);
            if (!(s.wrong <= 0.05))
                fail_msg("spread %g, %g of the limit: %g wrong", spreads[i], near_limit[k], s.wrong);
            s = simulate_means(spreads[i], far[k]);
            if (!(s.wrong <= 0.05 && s.length <= 0.3))
                fail_msg("spread %g, %g of the limit: %g wrong, length %g", spreads[i], far[k], s.wrong, s.length);
        }
    }
    static const struct { double p, limit; bool far;
    } shares[] = {{0.90, 0.9, false}, {0.89, 0.9, false}, {0.91, 0.9, false},
                  {0.52, 0.5, false}, {0.80, 0.9, true},  {0.98, 0.9, true}};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        const simulated s = simulate_shares(shares[i].p, shares[i].limit, 800);
        if (!(s.wrong <= 0.05) || (shares[i].far && !(s.length <= 0.3)))
            fail_msg("share %g, limit %g: %g wrong, length %g", shares[i].p, shares[i].limit, s.wrong, s.length);
    }
    /* by hand: 30 of 30 at a limit of 0.9: integral (1 − 0.9^31) / 31 / 0.1 against 0.9^30 */
    assert_int_equal(qz_sequence_share(30, 30, 0.9, 0.05),
                     log((1 - pow(0.9, 31)) / 3.1) - 30 * log(0.9) >= log(20) ? -1 : 0);
    assert_int_equal(qz_sequence_share(60, 60, 0.9, 0.05), -1);
    assert_int_equal(qz_sequence_share(0, 1, 0.9, 0.05), 0);
}

static int release(void **state) {
    (void)state;
    qz_arena_release(&arena);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_of_source_b), cmocka_unit_test(insufficient_data), cmocka_unit_test(intervals),
        cmocka_unit_test(caution_levels),    cmocka_unit_test(reports),           cmocka_unit_test(table_samples),
        cmocka_unit_test(bad_rules),         cmocka_unit_test(sequences),         cmocka_unit_test(bad_tables)};
    return cmocka_run_group_tests(tests, NULL, release);
}
