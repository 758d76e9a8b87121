/* Log-likelihoods of continuations. Truths: the cache of a shared prompt gives bit for bit what each continuation gives
 * alone, for every kind of cache (keys and values, windows, latent, borrowed keys, convolution and delta states, and
 * where no prompt can be shared); tests/golden/tasks: lm-evaluation-harness 0.4.13 on the same items. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/json.h"
#include "base/size.h"
#include "eval/loglikelihood.h"
#include "eval/tasks.h"

static qz_error err;
static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}

enum { PROMPT = 24, MOST = 12, OPTIONS = 4, ITEMS = 5 };

static void family(const char *name) {
    char path[128];
    qz_run run;
    qz_model *m;
    qz_engine *e;
    qz_loglikelihood_info info;
    uint32_t ids[ITEMS][OPTIONS][PROMPT + MOST];
    qz_continuation all[ITEMS][OPTIONS], one;
    qz_branches items[ITEMS];
    (void)snprintf(path, sizeof path, "tests/golden/zoo/%s", name);
    must(qz_run_init(&run, 2, &err));
    must(qz_model_open(&run, path, &m, &err));
    must(qz_engine_open(&run, m, NULL, &e, &err));
    const uint32_t vocab = (uint32_t)m->config.vocab_size;
    for (uint32_t i = 0; i < ITEMS; i++) {
        items[i] = (qz_branches){all[i], OPTIONS};
        for (uint32_t k = 0; k < OPTIONS; k++) {
            for (uint32_t t = 0; t < PROMPT + MOST; t++)
                ids[i][k][t] = (7 + 31 * t + 5 * i * t + (t < PROMPT ? 0 : 11 * k * t)) % (vocab - 1) + 1;
            /* one token, several; a prompt that is longer than what all share */
            all[i][k] = (qz_continuation){.ids = ids[i][k], .n = PROMPT + 1 + (k * 5 + i) % MOST,
                                          .from = PROMPT + (size_t)(i == 2 && k == 1)};
        }
    }
    must(qz_loglikelihood_run(&run, e, items, ITEMS, &info, &err));
    assert_true(qz_kv_branches(e) ? info.tokens < info.whole / 2 : info.tokens == info.whole);
    for (size_t i = 0; i < ITEMS; i++)
        for (size_t k = 0; k < OPTIONS; k++) {
            one = all[i][k];
            one.logprob = 1;
            must(qz_loglikelihood_run(&run, e, &(qz_branches){&one, 1}, 1, &info, &err));
            if (memcmp(&one.logprob, &all[i][k].logprob, sizeof one.logprob) != 0 || one.greedy != all[i][k].greedy)
                fail_msg("%s, item %zu, option %zu: %.17g with others, %.17g alone", name, i, k, all[i][k].logprob,
                         one.logprob);
        }
    qz_engine_free(e);
    qz_model_free(m);
    qz_run_release(&run);
}
static void shared_prompts_are_exact(void **state) {
    static const char *const names[] = {"llama", "gemma3", "gpt_oss", "deepseek_v3", "qwen3_next", "llama4", "gemma4"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) family(names[i]);
}

static void pass_at_k(void **state) {
    (void)state; /* 1 - C(n-c, k) / C(n, k) */
    assert_true(fabs(qz_pass_at(5, 2, 1) - 0.4) < 1e-12);
    assert_true(fabs(qz_pass_at(5, 2, 2) - (1 - 3.0 / 10)) < 1e-12);
    assert_true(fabs(qz_pass_at(200, 3, 10) - 0.1433074463) < 1e-9);
    assert_true(fabs(qz_pass_at(4, 0, 4)) < 1e-12);
    assert_true(fabs(qz_pass_at(4, 1, 4) - 1) < 1e-12);
}

/* A row of the harness: "-1.2345*" is a log-likelihood, greedy. */
typedef struct { FILE *f; size_t rows; double worst; const qz_taskset *set; char lines[256][200]; } golden;
static qz_status compare(void *arg, const qz_answered *a, qz_error *e) {
    golden *g = arg;
    char *at = g->lines[a->task];
    (void)e;
    g->rows++;
    if (a->text) {
        json_t *want = json_loads(at, JSON_DECODE_ANY, NULL);
        const char *text = json_string_value(want);
        if (text == NULL || strlen(text) != a->n || memcmp(text, a->text, a->n) != 0)
            fail_msg("line %zu: '%.*s', expected %s", a->task + 1, (int)a->n, a->text, at);
        json_decref(want);
        return QZ_OK;
    }
    for (size_t k = 0; k < a->n_logprob; k++) {
        char *end;
        const double want = strtod(at, &end);
        if (fabs(want - a->logprob[k]) > 2e-3) fail_msg("line %zu: %.6f, expected %s", a->task + 1, a->logprob[k], at);
        g->worst = fmax(g->worst, fabs(want - a->logprob[k]));
        assert_int_equal(a->greedy[k], *end == '*');
        at = end + (*end == '*') + 1;
    }
    return QZ_OK;
}
static void same_share(const json_t *scores, const char *key, size_t k, double n) {
    const double want = json_number_value(json_object_get(scores, key)) * n;
    if (fabs(want - (double)k) > 1e-6) fail_msg("%s: %zu, expected %g", key, k, want);
}
static void equals_the_harness(void **state) {
    static const char *const names[] = {"choice", "next", "copy"};
    (void)state;
    qz_run run;
    qz_model *m;
    qz_engine *e;
    qz_tokenizer *t;
    json_t *scores;
    must(qz_run_init(&run, 2, &err));
    must(qz_model_open(&run, "models/market", &m, &err));
    must(qz_engine_open(&run, m, NULL, &e, &err));
    must(qz_tokenizer_load("models/market", &t, &err));
    must(qz_json_load("tests/golden/tasks/scores.json", 1 << 20, &scores, &err));
    for (size_t i = 0; i < 3; i++) {
        char path[128];
        golden *g = qz_calloc_array(1, sizeof *g);
        qz_taskset set;
        qz_task_score s;
        (void)snprintf(path, sizeof path, "tests/golden/tasks/%s.tsv", names[i]);
        g->f = fopen(path, "r");
        assert_non_null(g->f);
        for (size_t k = 0; k < 256 && fgets(g->lines[k], sizeof g->lines[k], g->f); k++) continue;
        (void)fclose(g->f);
        (void)snprintf(path, sizeof path, "tests/golden/tasks/%s.jsonl", names[i]);
        must(qz_taskset_load(path, t, 0, &set, &err));
        assert_in_range(set.n, 50, 256);
        g->set = &set;
        must(qz_tasks_run(&run, e, t, &set, &(qz_task_options){.answered = compare, .arg = g}, &s, &err));
        assert_int_equal(g->rows, set.n);
        const json_t *want = json_object_get(scores, names[i]);
        const double n = (double)set.n;
        if (i == 0) {
            same_share(want, "acc,none", s.acc, n);
            same_share(want, "acc_norm,none", s.acc_norm, n);
            same_share(want, "acc_bytes,none", s.acc_bytes, n);
            assert_true(s.computed < s.whole / 2);
        } else {
            const char *key = i == 1 ? "acc,none" : "exact_match,none";
            same_share(want, key, s.solved, n);
        }
        qz_task_score_release(&s);
        qz_taskset_release(&set);
        qz_free(g);
    }
    json_decref(scores);
    qz_tokenizer_free(t);
    qz_engine_free(e);
    qz_model_free(m);
    qz_run_release(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(shared_prompts_are_exact), cmocka_unit_test(pass_at_k),
                                       cmocka_unit_test(equals_the_harness)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
