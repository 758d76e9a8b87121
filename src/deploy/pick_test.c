/* Every pick vector of mission/checklist.md section 15, both answers: tests/golden/pick/vectors.tsv. Figures of the
 * vectors as printed there. C-132 to C-147 where they are not vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "base/size.h"
#include "deploy/pick.h"

enum { COLUMNS = 16 };
typedef struct { qz_hardware_set set; qz_shape *shape; qz_arena arena; qz_pick_answer p; qz_error err; } pick;

static qz_status pick_run(pick *x, const char *hardware, const char *engine, const char *model, qz_pick_query q) {
    *x = (pick){0};
    q.engine = QZ_RUNTIME_NONE;
    q.reserve = -1;
    QZ_TRY(qz_hardware_open(&x->set, NULL, &x->err));
    QZ_TRY(qz_hardware_find(&x->set, hardware, &q.hardware, &x->err));
    QZ_TRY(qz_shape_builtin(model, &x->shape, &x->err));
    if (strcmp(engine, "-") != 0) QZ_TRY(qz_runtime_find(engine, &q.engine, &x->err));
    q.shape = x->shape;
    return qz_pick(&q, &x->arena, &x->p, &x->err);
}
static void pick_done(pick *x) {
    qz_hardware_release(&x->set);
    qz_shape_free(x->shape);
    qz_arena_release(&x->arena);
}

static size_t columns(char *line, char *out[COLUMNS]) {
    size_t n = 0;
    for (char *p = line; p && n < COLUMNS; n++) {
        out[n] = p;
        p = strchr(p, '\t');
        if (p) *p++ = 0;
    }
    return n;
}

static void expect(const char *vector, const char *what, const char *want, const char *found) {
    if (strcmp(want, found) != 0) fail_msg("vector %s: %s: expected '%s', found '%s'", vector, what, want, found);
}

/* As a finding, or as a note. */
static bool says(const qz_pick_answer *p, const char *code) {
    for (size_t i = 0; i < p->n_notes; i++)
        if (strcmp(p->notes[i].code, code) == 0) return true;
    return qz_findings_has(&p->flags, code);
}

static void vectors(void **state) {
    (void)state;
    char *text, *line, *save = NULL;
    size_t len, n = 0;
    qz_error err = {0};
    assert_int_equal(qz_read_file("tests/golden/pick/vectors.tsv", 1 << 20, &text, &len, &err), QZ_OK);
    for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *c[COLUMNS];
        pick x;
        if (*line == '#') continue;
        assert_int_equal(columns(line, c), COLUMNS);
        qz_status st = pick_run(&x, c[1], c[2], c[3], (qz_pick_query){.workload = c[4], .tolerance = c[5],
                                                                      .users = strtoull(c[6], NULL, 10),
                                                                      .ctx = strtoull(c[7], NULL, 10),
                                .loras = strtoull(c[8], NULL, 10),
                                .system_bytes = strtoull(c[9], NULL, 10) * 1000000000u});
        if (st != QZ_OK) fail_msg("vector %s: %s", c[0], x.err.text);
        /* what does not hold the request is refused, and offered for fewer users */
        expect(c[0], "refused", c[15], x.p.refused && !x.p.offer ? "1" : "0");
        expect(c[0], "the source's answer", c[10], x.p.format.source_says);
        assert_true(x.p.format.row->today[0] && x.p.format.row->source[0] && x.p.format.row->why[0]);
        if (!x.p.refused || x.p.offer) {
            expect(c[0], "today's level", c[11], x.p.format.answer);
            expect(c[0], "KV", c[12], x.p.kv.answer);
            expect(c[0], "engine", c[13], qz_runtime_get(x.p.engine)->name);
            assert_true(x.p.calibration.answer && x.p.ladder.answer && x.p.n_validation && x.p.deploy);
        }
        for (char *f, *rest = c[14]; (f = strsep(&rest, ",")) != NULL && strcmp(f, "-") != 0;)
            if (!says(&x.p, f)) fail_msg("vector %s: flag %s is missing", c[0], f);
        pick_done(&x);
        n++;
    }
    qz_free(text);
    assert_true(n >= 20);
}

#define GB(x) ((double)(x) / 1e9)
static void near(double want, double found, double tolerance) {
    if (found < want - tolerance || found > want + tolerance) fail_msg("expected %g, found %g", want, found);
}

/* The figures printed in the vectors' cells. */
static void figures(void **state) {
    (void)state;
    pick x;
    assert_int_equal(pick_run(&x, "laptop-16gb", "-", "llama-2-7b", (qz_pick_query){.workload = "chat"}), QZ_OK);
    near(6.2, GB(x.p.memory.total), 0.05); /* 1 */
    pick_done(&x);
    assert_int_equal(pick_run(&x, "laptop-16gb", "-", "llama-2-7b", (qz_pick_query){.tolerance = "quality"}), QZ_OK);
    near(5.53, GB(x.p.memory.weights.bytes), 0.005); /* 2 */
    near(2.15, GB(x.p.memory.kv.bytes), 0.005);
    assert_string_equal(x.p.larger, "gguf:Q8_0");
    pick_done(&x);
    assert_int_equal(pick_run(&x, "mac-m2-16gb", "-", "llama-2-13b", (qz_pick_query){.ctx = 4096}), QZ_OK);
    near(9.65, GB(x.p.memory.total), 0.005); /* 3 */
    near(11.22, GB(x.p.memory.weights.bytes + x.p.kv_f16), 0.005);
    near(10.67, (double)x.p.capacity / 1073741824.0, 0.005);
    pick_done(&x);
    assert_int_equal(pick_run(&x, "h100", "-", "llama-3-70b", (qz_pick_query){.users = 128, .ctx = 2048}), QZ_OK);
    assert_int_equal(x.p.max_users, 104); /* 6 */
    near(85.90, GB(x.p.kv_f16), 0.005);
    near(42.95, GB(x.p.kv_small), 0.005);
    pick_done(&x);
    assert_int_equal(pick_run(&x, "h100", "-", "llama-3-8b", (qz_pick_query){.workload = "math"}), QZ_OK);
    near(16.06, GB(x.p.float_bytes), 0.005); /* 7 */
    near(9.1, GB(x.p.memory.weights.bytes), 0.05);
    pick_done(&x);
    assert_int_equal(pick_run(&x, "rtx-4060", "-", "llama-3-70b", (qz_pick_query){.system_bytes = 64000000000u}),
                     QZ_OK);
    assert_int_equal(x.p.split.layers, 10); /* 9 */
    assert_int_equal(x.p.split.even, 11);
    near(37, GB(x.p.split.system_bytes - x.p.split.system_kv), 0.5); /* the cache of the other 70 layers besides */
    near(GB(x.p.memory.kv.bytes) * 70 / 80, GB(x.p.split.system_kv), 1e-9);
    pick_done(&x);
    /* 32 GB do not hold the rest */
    assert_int_equal(pick_run(&x, "rtx-4060", "-", "llama-3-70b", (qz_pick_query){0}), QZ_OK);
    assert_true(x.p.refused);
    pick_done(&x);
    assert_int_equal(pick_run(&x, "rtx-4090", "-", "llama-2-13b",
                              (qz_pick_query){.workload = "retrieval", .ctx = 65536}),
                     QZ_OK);
    near(53.7, GB(x.p.kv_f16), 0.05); /* 12 */
    near(26.8, GB(x.p.kv_small), 0.05);
    assert_true(x.p.max_ctx > 4096 && x.p.max_ctx < 65536);
    pick_done(&x);
    assert_int_equal(pick_run(&x, "rtx-4090", "-", "gqa-13b", (qz_pick_query){.workload = "retrieval", .ctx = 65536}),
                     QZ_OK);
    near(5.4, GB(x.p.memory.kv.bytes), 0.05); /* 13 */
    near(7.3, GB(x.p.memory.weights.bytes), 0.05);
    pick_done(&x);
}

static void more_rules(void **state) {
    (void)state;
    static const struct {
        const char *hw, *engine, *model, *workload, *tolerance;
        uint64_t users, gpus;
        const char *level, *kv, *flag;
    } v[] = {
        /* C-133 */
        {"laptop-16gb", "-", "llama-3-8b", "chat", "balanced", 1, 1, "gguf:Q4_K_M", "f16", NULL},
        /* the last level that fits, only with a test */
        {"laptop-8gb", "-", "llama-2-13b", "chat", "balanced", 1, 1, "gguf:Q2_K", "q8_0", "PICK-TEST"},
        /* nothing fits */
        {"laptop-8gb", "-", "llama-3-70b", "chat", "balanced", 1, 1, NULL, NULL, "PICK-ROOM"},
        {"mac-m4-max-64gb", "-", "llama-3-70b", "chat", "balanced", 1, 1, "gguf:Q4_K_M", "f16", NULL},
        /* K-01: 2 GPUs with FP8 */
        {"h100", "-", "llama-3-70b", "math", "balanced", 1, 2, "fp8:channel", "bf16", "PICK-TP"},
        /* C-136: W8A16, memory only */
        {"a100-80gb", "vllm", "llama-3-70b", "math", "balanced", 1, 1, "fp8:channel", "bf16", "PRE-NATIVE"},
        /* C-165: nothing better fits */
        {"rtx-6000-ada", "vllm", "llama-3-70b", "math", "balanced", 1, 1, "awq:w4g128", "bf16", "CHK-REASON"},
        /* C-136 */
        {"a100-80gb", "vllm", "llama-3-8b", "math", "balanced", 1, 1, "bf16", "bf16", "PICK-REASON"},
        {"h100", "llama.cpp", "llama-3-8b", "chat", "balanced", 1, 1, "gguf:Q4_K_M", "f16", NULL},
        /* U-05: group 128 does not divide over 2 */
        {"h100", "vllm", "qwen2.5-72b", "chat", "balanced", 1, 2, "awq:w4g64", "bf16", NULL},
        /* AMD with FP8 */
        {"mi300x", "-", "llama-3-70b", "math", "balanced", 1, 1, "fp8:channel", "bf16", NULL},
        {"mi300x", "-", "llama-3-8b", "chat", "balanced", 1, 1, "bf16", "bf16", NULL},
        {"rx-7900xtx", "-", "llama-3-8b", "chat", "balanced", 1, 1, "gguf:Q4_K_M", "f16", NULL},
        /* unknown stays unknown */
        {"laptop-16gb", "vllm", "llama-3-8b", "chat", "balanced", 1, 1, NULL, NULL, "PRE-GPU"},
        {"mac-m2-16gb", "mlx", "llama-3-8b", "chat", "balanced", 1, 1, NULL, NULL, "PICK-UNKNOWN"},
        {"rx-7900xtx", "-", "llama-3-8b", "training", "balanced", 1, 1, NULL, NULL, "PICK-UNKNOWN"},
        {"b200", "-", "llama-3-8b", "chat", "cost", 64, 1, "ct:nvfp4", "bf16", "CHK-FP4"},
        /* C-139: 24 GB + 70B */
        {"rtx-4090", "-", "llama-3-70b", "chat", "balanced", 1, 1, "gguf:Q4_K_M", "q8_0", "PICK-SLOW"},
        /* no bfloat16 on 7.5 */
        {"t4", "-", "llama-3-8b", "chat", "balanced", 1, 1, "awq:w4g128", "f16", NULL},
        /* 16 bits fit, in the type that the card has */
        {"t4", "-", "qwen3-0.6b", "chat", "balanced", 1, 1, "bf16", "f16", "CHK-SMALL"},
        {"t4", "sglang", "qwen3-0.6b", "chat", "balanced", 1, 1, "bf16", "f16", NULL},
        /* weights that the card does not hold are not trained on it */
        {"rtx-4060", "-", "llama-3-70b", "training", "balanced", 1, 1, "bnb:nf4+double", "-", "CHK-KV"},
        /* whole on the card */
        {"rtx-4060", "-", "llama-3-8b", "chat", "balanced", 1, 1, "gguf:Q4_K_M", "f16", NULL},
        /* as released, and too large */
        {"rtx-4090", "-", "gpt-oss-120b", "chat", "balanced", 1, 1, "released", "fp8", "CHK-KV"},
        {"rtx-4090", "-", "llama-3-8b", "extraction", "balanced", 1, 1, "awq:w4g128", "bf16", "PICK-BF16"},
    };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        pick x;
        qz_status st = pick_run(&x, v[i].hw, v[i].engine, v[i].model,
                                (qz_pick_query){.workload = v[i].workload,
                                                .tolerance = v[i].tolerance,
                                                .users = v[i].users,
                                                .gpus = v[i].gpus,
                                                .system_bytes = 64000000000u});
        if (st != QZ_OK) fail_msg("row %zu: %s", i, x.err.text);
        if ((x.p.refused && !x.p.offer) != (v[i].level == NULL))
            fail_msg("row %zu: refused %d: %s", i, x.p.refused, x.p.refusal ? x.p.refusal : x.p.format.answer);
        if (v[i].level && (strcmp(x.p.format.answer, v[i].level) || strcmp(x.p.kv.answer, v[i].kv)))
            fail_msg("row %zu: found %s with %s", i, x.p.format.answer, x.p.kv.answer);
        if (v[i].flag && strcmp(v[i].flag, "CHK-KV") == 0 && !x.p.refused) fail_msg("row %zu: not refused", i);
        if (v[i].flag && !says(&x.p, v[i].flag)) fail_msg("row %zu: flag %s is missing", i, v[i].flag);
        pick_done(&x);
    }
}

/* The command that the answer prints, judged from its own words: the machine by its name, the model by its name. */
static void same_as_check(const pick *x, const char *model, const char *asked) {
    qz_check_job *j = qz_calloc_array(1, sizeof *j);
    qz_run run = {0};
    qz_error err = {0};
    const qz_findings *f = &x->p.flags;
    assert_non_null(j);
    j->run = &run;
    j->path = model;
    j->o = x->p.check;
    j->f.arena = &j->arena;
    qz_status st = qz_check_open(j, &err);
    if (st == QZ_OK) st = qz_check_judge(j, &err);
    if (st != QZ_OK) fail_msg("%s: the check of '%s' cannot be run: %s", asked, x->p.deploy, err.text);
    if (j->f.n != f->n) fail_msg("%s: '%s': %zu findings, check has %zu", asked, x->p.deploy, f->n, j->f.n);
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->rows[i].code, j->f.rows[i].code) != 0 || f->rows[i].level != j->f.rows[i].level)
            fail_msg("%s: '%s': finding %s, check says %s", asked, x->p.deploy, f->rows[i].code, j->f.rows[i].code);
    const bool says_no = j->f.count[QZ_FINDING_ERROR] + j->f.count[QZ_FINDING_WARN] > 0;
    if (says_no != qz_pick_objects(&x->p)) fail_msg("%s: '%s': other exit codes", asked, x->p.deploy);
    if (!x->p.refused && f->count[QZ_FINDING_ERROR])
        fail_msg("%s: '%s' and an error in one answer", asked, x->p.deploy);
    if (!x->p.refused && !x->p.offloaded && x->p.memory.total && !x->p.memory.fits)
        fail_msg("%s: '%s' does not fit", asked, x->p.deploy);
    qz_check_release(j);
    qz_free(j);
}

/* Exit code and findings are those of the check that the answer prints: hardware x engine x model x workload x cards x
 * cache x users. */
static void no_answer_is_refused(void **state) {
    (void)state;
    static const char *const hw[] = {"v100-32gb", "t4", "rtx-4090", "rtx-4060", "a100-80gb", "h100", "b200", "mi300x",
                                     "rx-7900xtx", "mac-m2-16gb", "laptop-16gb"};
    static const char *const engine[] = {"-", "vllm", "sglang", "tgi", "transformers", "llama.cpp", "ollama"};
    static const char *const model[] = {"llama-3-8b", "qwen2.5-72b", "gpt-oss-20b", "mixtral-8x7b", "llama-2-7b",
                                        "qwen3-0.6b", "qwen3.5-9b", "qwen2.5-1.5b"};
    static const char *const work[] = {"chat", "math", "adapters", "training"},
                            *const kv[] = {NULL, "q4_0", "fp8"}, *const tolerance[] = {"balanced", "size", "cost"};
    static const uint64_t gpus[] = {1, 2, 8}, users[] = {1, 64};
    size_t n = 0, refused = 0, instead = 0;
    enum {
        HW = sizeof hw / sizeof *hw,
        ENGINES = sizeof engine / sizeof *engine,
        MODELS = sizeof model / sizeof *model,
        ALL = HW * ENGINES * MODELS * 4 * 3 * 3 * 3 * 2
    };
    /* neither shares a factor with the lists: every pair of words meets; `make check-long` asks five times as often */
    const size_t step = getenv("QZ_LONG") ? 41 : 205;
    for (size_t i = 0; i < (size_t)ALL; i += step) {
        size_t k = i / ((size_t)HW * ENGINES * MODELS);
        const char *h = hw[i % HW], *e = engine[i / HW % ENGINES], *m = model[i / HW / ENGINES % MODELS];
        const qz_pick_query q = {.workload = work[k % 4], .kv = kv[k / 4 % 3], .gpus = gpus[k / 12 % 3],
                                 .tolerance = tolerance[k / 36 % 3], .users = users[k / 108], .loras = k % 7 == 2};
        pick x;
        char asked[200];
        (void)snprintf(asked, sizeof asked, "%s %s %s %s kv %s tp %u %s users %u", h, e, m, q.workload,
                       q.kv ? q.kv : "-", (unsigned)q.gpus, q.tolerance, (unsigned)q.users);
        qz_status st = pick_run(&x, h, e, m, q);
        const bool unsuited = st == QZ_EUNSUPPORTED || st == QZ_EUSAGE; /* a cache that the heads cannot have */
        if (st != QZ_OK && !unsuited) fail_msg("%s: %s", asked, x.err.text);
        if (st == QZ_OK && x.p.refused && (x.p.refusal == NULL || *x.p.refusal == 0))
            fail_msg("%s: refused without a reason", asked);
        if (st == QZ_OK && (!x.p.refused || x.p.offer)) same_as_check(&x, m, asked);
        refused += st == QZ_OK && x.p.refused;
        instead += st == QZ_OK && says(&x.p, "PICK-INSTEAD");
        n += st == QZ_OK;
        pick_done(&x);
    }
    print_message("%zu answers: %zu refused, %zu in place of what does not load\n", n, refused, instead);
    assert_true(n * step > 2500 * 41 && instead * step > 80 * 41 && refused < 2 * n / 3);
}

/* A rule that goes by speed agrees with `plan --speed`: 8 bits are taken within 5 % of AWQ's step, or faster. */
static void one_model_of_speed(void **state) {
    (void)state;
    static const char *const hw[] = {"a100-80gb", "l40s-48gb", "rtx-3090-24gb", "h100-80gb"},
                            *const model[] = {"llama-2-7b", "llama-3-8b", "mistral-7b"};
    size_t eight = 0, four = 0;
    for (size_t i = 0; i < 4 * 3 * 8; i++) {
        pick x;
        qz_roofline awq, took;
        if (pick_run(&x, hw[i % 4], "vllm", model[i / 4 % 3],
                     (qz_pick_query){.users = (uint64_t)16 << i / 12, .ctx = 512}) != QZ_OK || x.p.refused) {
            pick_done(&x);
            continue;
        }
        const qz_hardware *h;
        assert_int_equal(qz_hardware_find(&x.set, hw[i % 4], &h, &x.err), QZ_OK);
        qz_memory_query q = {.shape = x.shape, .level = QZ_LEVEL_AWQ_G128, .kv = {QZ_KV_BF16, QZ_KV_BF16},
                             .users = x.p.users, .ctx = x.p.ctx};
        assert_int_equal(qz_roofline_decode(&q, h, 0, &awq, &x.err), QZ_OK);
        q.level = x.p.level;
        assert_int_equal(qz_roofline_decode(&q, h, 0, &took, &x.err), QZ_OK);
        const char *rule = x.p.format.row->id;
        const bool by_speed = strcmp(rule, "F-INT8") == 0 || strcmp(rule, "F-FP8-USERS") == 0;
        if (by_speed && took.step_s > 1.05 * awq.step_s)
            fail_msg("%s %s %u users: %s takes %.2f ms a step, AWQ %.2f", hw[i % 4], model[i / 4 % 3],
                     (unsigned)x.p.users, x.p.format.answer, 1e3 * took.step_s, 1e3 * awq.step_s);
        eight += by_speed;
        four += strncmp(x.p.format.answer, "awq", 3) == 0;
        pick_done(&x);
    }
    assert_true(eight > 0 && four > 0);
}

/* C-147: never a bare width; C-146: the ladder with sizes. */
static void words(void **state) {
    (void)state;
    pick x;
    assert_int_equal(pick_run(&x, "rtx-4090", "-", "llama-2-7b", (qz_pick_query){.workload = "extraction"}), QZ_OK);
    assert_string_equal(x.p.deploy, "AWQ W4 g128 on vLLM 0.33.0 (2026-11-21), KV cache bf16");
    assert_non_null(strstr(x.p.ladder.answer, "awq:w4g128 -> awq:w4g32"));
    assert_non_null(strstr(x.p.ladder.answer, "-> bf16"));
    pick_done(&x);
    assert_int_equal(pick_run(&x, "rtx-4090", "-", "llama-2-7b", (qz_pick_query){.workload = "chatt"}), QZ_EUSAGE);
    assert_non_null(strstr(x.err.text, "nearest known is 'chat'"));
    pick_done(&x);
    assert_int_equal(pick_run(&x, "rtx-4090", "-", "llama-2-7b", (qz_pick_query){.tolerance = "best"}), QZ_EUSAGE);
    pick_done(&x);
}

/* Each row has a source; formats and refusals say both answers; all ids differ. */
static void table(void **state) {
    (void)state;
    for (size_t i = 0; qz_pick_row_at(i); i++) {
        const qz_pick_row *r = qz_pick_row_at(i);
        assert_true(r->id && r->source && r->result);
        if (r->topic == QZ_PICK_FORMAT || r->topic == QZ_PICK_REFUSE) assert_true(r->why && r->claim && r->today);
        if (r->topic == QZ_PICK_NOTE || r->topic == QZ_PICK_REFUSE) assert_non_null(r->code);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(r->id, qz_pick_row_at(k)->id);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors), cmocka_unit_test(figures),
                                       cmocka_unit_test(more_rules), cmocka_unit_test(no_answer_is_refused),
                                       cmocka_unit_test(one_model_of_speed),
                                       cmocka_unit_test(words), cmocka_unit_test(table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
