/* The trained models against their golden.json (transformers 5.23, float32): next-token log-probabilities within 2e-3,
 * argmax where the gap is clear, greedy continuations, perplexities within 0.02 % by each recorded protocol, 796 ± 1 of
 * 800 tasks. market ships with the project; text-13m is used where QZ_SHARED names the folder with models/text-13m. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "engine/session.h"
#include "eval/logprob.h"
#include "eval/score.h"
#include "eval/tasks.h"

typedef struct {
    qz_run run;
    qz_mm *mm;
    qz_model *m;
    qz_engine *e;
    qz_tokenizer *t;
    json_t *golden;
    char dir[256];
} rig;
static qz_error err;

static void must(qz_status st) {
    if (st != QZ_OK) fail_msg("%s", err.text);
}
static void join(const rig *r, const char *name, char out[400]) { (void)snprintf(out, 400, "%s/%s", r->dir, name); }
static void rig_open(rig *r, const char *dir) {
    char path[400];
    *r = (rig){0};
    (void)snprintf(r->dir, sizeof r->dir, "%s", dir);
    must(qz_run_init(&r->run, 0, &err));
    must(qz_mm_open(&r->run, &r->mm, &err));
    must(qz_model_open(&r->run, dir, &r->m, &err));
    must(qz_engine_open(&r->run, r->m, NULL, &r->e, &err));
    join(r, "tokenizer.json", path);
    must(qz_tokenizer_load(path, &r->t, &err));
    join(r, "golden.json", path);
    must(qz_json_load(path, 1 << 26, &r->golden, &err));
}
static void rig_close(rig *r) {
    json_decref(r->golden);
    qz_tokenizer_free(r->t);
    qz_engine_free(r->e);
    qz_mm_free(r->mm);
    qz_model_free(r->m);
    qz_run_release(&r->run);
}
static uint32_t *ids_of(const json_t *a, size_t *n) {
    *n = json_array_size(a);
    uint32_t *v = qz_alloc_array(*n, sizeof *v);
    for (size_t i = 0; i < *n; i++) v[i] = (uint32_t)json_integer_value(json_array_get(a, i));
    return v;
}

static void sequences(const rig *r) {
    const json_t *all = json_object_get(r->golden, "sequences");
    assert_true(json_array_size(all) > 0);
    for (size_t s = 0; s < json_array_size(all); s++) {
        const json_t *q = json_array_get(all, s), *lp = json_object_get(q, "next_logprob"),
                     *am = json_object_get(q, "argmax");
        size_t n, v = r->m->config.vocab_size;
        uint32_t *ids = ids_of(json_object_get(q, "ids"), &n);
        float *logits = qz_alloc_aligned(n * v, sizeof *logits);
        qz_kv *kv;
        must(qz_kv_open(r->e, 1, n, &kv, &err));
        must(qz_engine_forward(r->e, kv, &(qz_batch){.ids = ids, .n = n}, logits, &err));
        for (size_t t = 0; t < n; t++) {
            const float *row = logits + t * v;
            uint32_t top, want = (uint32_t)json_integer_value(json_array_get(am, t));
            double lse = qz_log_sum_exp(r->mm, row, v, &top);
            if (top != want && row[top] - row[want] > 4e-3f) fail_msg("argmax at %zu: %u, expected %u", t, top, want);
            if (t + 1 == n) break;
            double d = (double)row[ids[t + 1]] - lse - json_number_value(json_array_get(lp, t));
            if (fabs(d) > 2e-3) fail_msg("sequence %zu, position %zu: log-probability differs by %g", s, t, d);
        }
        qz_kv_free(kv);
        qz_free(ids);
        qz_free(logits);
    }
}
static void greedy(const rig *r) {
    const json_t *all = json_object_get(r->golden, "greedy");
    assert_true(json_array_size(all) > 0);
    for (size_t s = 0; s < json_array_size(all); s++) {
        const json_t *q = json_array_get(all, s);
        size_t np, nn;
        uint32_t *prompt = ids_of(json_object_get(q, "prompt_ids"), &np),
                 *want = ids_of(json_object_get(q, "new_ids"), &nn);
        uint32_t *got = qz_alloc_array(nn, sizeof *got);
        qz_session *session;
        qz_str text = {0};
        must(qz_session_open(r->e, 1, np + nn, &session, &err));
        qz_sequence one = {.prompt = prompt, .n_prompt = np, .sampling = QZ_GREEDY, .max_new = nn, .out = got};
        must(qz_session_one(session, &one, &err));
        assert_memory_equal(got, want, nn * sizeof *got);
        must(qz_tokenizer_decode(r->t, got, nn, true, &text, &err));
        assert_string_equal(text.ptr, json_string_value(json_object_get(q, "text")));
        qz_str_release(&text);
        qz_session_free(session);
        qz_free(prompt);
        qz_free(want);
        qz_free(got);
    }
}
static double perplexity(const rig *r, const char *file, const qz_eval_options *o, qz_score *score) {
    char path[400];
    qz_dataset d;
    qz_eval_set set;
    join(r, file, path);
    must(qz_dataset_load(path, r->t, NULL, &d, &err));
    must(qz_eval_set_build(r->t, &d, o, &set, &err));
    qz_engine *e = r->e;
    qz_run run = r->run;
    must(qz_score_run(&run, &(qz_score_models){NULL, &e, 1}, &set, score, NULL, &err));
    /* what windows and position say is the whole again */
    double nll = 0;
    size_t n = 0;
    for (size_t i = 0; i < score->n_windows; i++)
        nll += score->windows[i].nll * (double)score->windows[i].n, n += score->windows[i].n;
    assert_int_equal(n, score->scored);
    if (!(fabs(exp(nll / (double)n) / score->ppl.value - 1) < 1e-9)) fail_msg("windows do not add up");
    qz_score_release(score);
    qz_eval_set_release(&set);
    qz_dataset_release(&d);
    return score->ppl.value;
}
/* Runtime arithmetic on float weights: what differs is the float16 cache (and rounded activations of short steps). */
static void runtime_near_exact(const rig *r) {
    char path[400];
    qz_dataset d;
    qz_eval_set set;
    qz_engine *fast;
    qz_score s, own;
    qz_run run = r->run;
    join(r, "eval.jsonl", path);
    must(qz_engine_open(&run, r->m, &(qz_engine_options){.arith = QZ_ARITH_RUNTIME}, &fast, &err));
    must(qz_dataset_load(path, r->t, NULL, &d, &err));
    must(qz_eval_set_build(r->t, &d, &(qz_eval_options){.bos = -1}, &set, &err));
    must(qz_score_run(&run, &(qz_score_models){r->e, &fast, 1}, &set, &s, &own, &err));
    if (!(s.kl.value > 1e-10 && s.kl.value < 1e-6 && s.kl_max < 1e-3))
        fail_msg("KL %g, largest %g: expected the rounding of float16 (2e-8)", s.kl.value, s.kl_max);
    double kl = 0;
    size_t n = 0, binned = 0;
    for (size_t b = 0; b < QZ_POSITION_BUCKETS; b++)
        kl += s.position[b].kl * (double)s.position[b].n, n += s.position[b].n;
    for (size_t b = 0; b < QZ_KL_BINS; b++) binned += s.kl_bins[b];
    assert_int_equal(n, s.scored);
    assert_int_equal(binned, s.scored);
    if (!(fabs(kl / (double)n / s.kl.value - 1) < 1e-9)) fail_msg("positions do not add up");
    assert_true(s.n_worst > 1 && s.worst[0].kl >= s.worst[1].kl);
    if (!(fabs(s.worst[0].kl - s.kl_max) < 1e-12)) fail_msg("worst token %g, largest KL %g", s.worst[0].kl, s.kl_max);
    qz_score_release(&s);
    qz_score_release(&own);
    qz_eval_set_release(&set);
    qz_dataset_release(&d);
    qz_engine_free(fast);
}
static void near_pct(double got, double want, double pct) {
    if (!(fabs(got / want - 1) * 100 <= pct)) fail_msg("%.6f, expected %.6f within %g %%", got, want, pct);
}

static void market(void **state) {
    (void)state;
    rig r;
    rig_open(&r, "models/market");
    sequences(&r);
    greedy(&r);
    const json_t *p = json_object_get(r.golden, "perplexity");
    qz_score s;
    near_pct(perplexity(&r, "eval.jsonl", &(qz_eval_options){.bos = -1}, &s),
             json_number_value(json_object_get(p, "token_weighted")), 0.02);
    near_pct(s.ppl_of_means, json_number_value(json_object_get(p, "exp_of_mean_of_sample_losses")), 0.02);
    assert_int_equal(s.scored, json_integer_value(json_object_get(p, "tokens_scored")));
    runtime_near_exact(&r);
    qz_taskset set;
    qz_task_score ts;
    char path[400];
    join(&r, "tasks.jsonl", path);
    must(qz_taskset_load(path, r.t, 0, &set, &err));
    must(qz_tasks_run(&r.run, r.e, r.t, &set, NULL, &ts, &err));
    assert_int_equal(ts.n, 800);
    if (ts.solved < 795 || ts.solved > 797) fail_msg("%zu of 800 tasks, expected 796 +- 1", ts.solved);
    qz_task_score_release(&ts);
    qz_taskset_release(&set);
    rig_close(&r);
}
static void text_model(void **state) {
    (void)state;
    const char *shared = getenv("QZ_SHARED");
    if (shared == NULL) skip();
    rig r;
    char dir[256];
    (void)snprintf(dir, sizeof dir, "%s/models/text-13m", shared);
    rig_open(&r, dir);
    sequences(&r);
    greedy(&r);
    const json_t *files = json_object_get(r.golden, "perplexity"), *f;
    const char *name;
    json_object_foreach((json_t *)(uintptr_t)files, name, f) {
        static const char *const protocols[] = {"half", "windows", "stride"};
        /* every protocol on one text, the usual one on all */
        for (size_t i = 0; i < (f == json_object_get(files, "docs") ? 3 : 1); i++) {
            char file[64];
            qz_score s;
            (void)snprintf(file, sizeof file, "data/%s.eval.txt", name);
            const json_t *g = json_object_get(f, protocols[i]);
            const qz_eval_options o = {.protocol = protocols[i], .window = 512, .stride = 256, .max_windows = 60,
                                       .bos = r.m->config.bos_id};
            near_pct(perplexity(&r, file, &o, &s), json_number_value(json_object_get(g, "ppl")), 0.02);
            assert_int_equal(s.scored, json_integer_value(json_object_get(g, "scored")));
        }
    }
    rig_close(&r);
}
int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(market), cmocka_unit_test(text_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
