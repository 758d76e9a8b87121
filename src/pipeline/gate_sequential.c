#include "pipeline/gate_sequential.h"
#include "base/rng.h"
#include "base/size.h"
#include "artifacts/source.h"
#include "eval/score.h"
#include "eval/tasks.h"
#include "gate/sequence.h"
#include "pipeline/evaluate.h"
#include "pipeline/same_tokens.h"
#include <math.h>
#include <string.h>

/* Models are asked for this many at a time: between two looks a batch should fill the machine. */
enum { WINDOWS = 4, TASKS = 32, SEED = 20240 };

typedef struct {
    qz_run *run;
    const qz_request *r;
    const qz_gate_rules *rules;
    qz_source source, artifact;
    qz_engine *e[2];
    bool against;
    qz_gate_result *results;
    qz_error *err;
} gate;

bool qz_gate_sequential_rule(const qz_gate_rule *r) {
    return r->metric == QZ_GATE_KL || r->metric == QZ_GATE_ACCURACY || r->metric == QZ_GATE_JSON;
}

static bool of_text(const qz_gate_rule *r) { return r->metric == QZ_GATE_KL; }

/* Work goes on while a rule of this half is open and nothing has failed. */
static bool goes_on(const gate *g, bool text) {
    bool open = false;
    for (size_t i = 0; i < g->rules->n; i++) {
        const qz_gate_rule *r = &g->rules->rule[i];
        if (g->results[i].verdict == QZ_GATE_FAIL && !r->has_unless) return false;
        open = open || (qz_gate_sequential_rule(r) && of_text(r) == text && g->results[i].verdict == QZ_GATE_OPEN);
    }
    return open;
}

static void decide(qz_gate_result *x, const qz_gate_rule *r, int is, double used, double of) {
    const bool high = qz_gate_metric_at(r->metric)->high;
    x->used = used;
    x->of = of;
    x->verdict = is == 0 ? QZ_GATE_OPEN : (is > 0) != high ? QZ_GATE_PASS : QZ_GATE_FAIL;
}

static void shuffle(uint32_t *order, size_t n) {
    qz_rng rng;
    qz_rng_seed(&rng, SEED);
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    for (size_t i = n; i > 1; i--) {
        const size_t k = (size_t)qz_rng_below(&rng, i);
        const uint32_t t = order[i - 1];
        order[i - 1] = order[k];
        order[k] = t;
    }
}

/* Tokens count alike, as in the figure of the whole: a window's KL weighs as much as it is longer than the others. */
static qz_status windows(gate *g, const qz_eval_set *all, const uint32_t *order) {
    qz_sequence_sums sums = {0};
    const double mean = (double)all->scored / (double)all->n;
    for (size_t at = 0; at < all->n && goes_on(g, true); at += WINDOWS) {
        qz_eval_window w[WINDOWS];
        qz_eval_set set = {.windows = w};
        qz_score score = {0};
        for (; set.n < WINDOWS && at + set.n < all->n; set.n++) {
            w[set.n] = all->windows[order[at + set.n]];
            set.scored += w[set.n].n - w[set.n].first;
            set.longest = qz_max_size(set.longest, w[set.n].n);
        }
        QZ_TRY(qz_score_run(g->run, &(qz_score_models){g->e[0], &g->e[1], 1}, &set, &score, NULL, g->err));
        for (size_t i = 0; i < score.n_windows; i++)
            qz_sequence_add(&sums, score.windows[i].kl * (double)score.windows[i].n / mean);
        qz_score_release(&score);
        for (size_t i = 0; i < g->rules->n; i++) {
            const qz_gate_rule *r = &g->rules->rule[i];
            qz_gate_result *x = &g->results[i];
            if (!of_text(r) || x->verdict != QZ_GATE_OPEN) continue;
            x->shown =
                (qz_gate_value){.value = sums.sum / sums.n, .n = sums.n, .present = true, .confidence = r->confidence};
            const int is = qz_sequence_mean(&sums, r->limit, 1 - r->confidence, &x->shown.low, &x->shown.high);
            decide(x, r, is, sums.n, (double)all->n);
        }
    }
    return QZ_OK;
}

typedef struct { double solved, n; } counted;
static counted count(const qz_gate_rule *r, const qz_taskset *set, const qz_task_score *s, counted sofar) {
    for (size_t i = 0; i < set->n; i++) {
        const bool json = r->metric == QZ_GATE_JSON;
        if (json ? s->json[i] == 0 : r->kind && strcmp(set->tasks[i].kind ? set->tasks[i].kind : "task", r->kind) != 0)
            continue;
        sofar.n++;
        sofar.solved += json ? s->json[i] == 2 : s->pass[i];
    }
    return sofar;
}

static qz_status tasks(gate *g, const qz_taskset *all, const uint32_t *order) {
    counted c[64] = {{0, 0}};
    for (size_t at = 0; at < all->n && goes_on(g, false); at += TASKS) {
        qz_task t[TASKS];
        qz_taskset set = *all;
        qz_task_score s;
        set.tasks = t;
        for (set.n = 0; set.n < TASKS && at + set.n < all->n; set.n++) t[set.n] = all->tasks[order[at + set.n]];
        QZ_TRY(qz_tasks_run(g->run, g->e[1], g->artifact.tokenizer, &set,
                            &(qz_task_options){.batch = (size_t)g->r->batch, .max_new = (size_t)g->r->max_new}, &s,
                            g->err));
        for (size_t i = 0; i < g->rules->n; i++) {
            const qz_gate_rule *r = &g->rules->rule[i];
            qz_gate_result *x = &g->results[i];
            if (!qz_gate_sequential_rule(r) || of_text(r) || x->verdict != QZ_GATE_OPEN) continue;
            c[i] = count(r, &set, &s, c[i]);
            if (!(c[i].n > 0)) continue;
            x->shown = (qz_gate_value){.value = c[i].solved / c[i].n,
                                       .solved = c[i].solved,
                                       .n = c[i].n,
                                       .present = true,
                                       .counted = true,
                                       .confidence = r->confidence};
            x->shown.low = x->shown.high = x->shown.value;
            x->exact = true; /* no interval is shown: the sequence says on which side of the limit it is */
            decide(x, r, qz_sequence_share(c[i].solved, c[i].n, r->limit, 1 - r->confidence), (double)(at + set.n),
                   (double)all->n);
        }
        qz_task_score_release(&s);
    }
    return QZ_OK;
}

static qz_status text_half(gate *g) {
    qz_dataset d = {0};
    qz_eval_set set = {0};
    const qz_tokenizer *t = g->source.tokenizer;
    const qz_request *r = g->r;
    qz_status st = qz_dataset_load(r->text, t, &(qz_dataset_options){0}, &d, g->err);
    const qz_eval_options o = qz_eval_asked(r, &g->source);
    if (st == QZ_OK) st = qz_eval_set_build(t, &d, &o, &set, g->err);
    if (st == QZ_OK) st = qz_same_tokens(&g->source, &g->artifact, &d, &o, &set, g->err);
    uint32_t *order = st == QZ_OK ? qz_alloc_array(set.n, sizeof *order) : NULL;
    if (st == QZ_OK && order == NULL) st = qz_fail(g->err, QZ_EMEMORY, "out of memory");
    if (order) shuffle(order, set.n);
    if (st == QZ_OK) st = windows(g, &set, order);
    qz_free(order);
    qz_eval_set_release(&set);
    qz_dataset_release(&d);
    return st;
}

static qz_status task_half(gate *g) {
    qz_taskset set = {0};
    if (g->artifact.tokenizer == NULL)
        return qz_fail(g->err, QZ_EUSAGE, "model '%s' has no tokenizer: tasks cannot be run", g->artifact.name);
    QZ_TRY(qz_taskset_load(g->r->tasks, g->artifact.tokenizer, (size_t)g->r->max_tasks, &set, g->err));
    uint32_t *order = qz_alloc_array(set.n, sizeof *order);
    qz_status st = order ? QZ_OK : qz_fail(g->err, QZ_EMEMORY, "out of memory");
    if (order) shuffle(order, set.n);
    if (st == QZ_OK) st = tasks(g, &set, order);
    qz_free(order);
    qz_taskset_release(&set);
    return st;
}

static qz_status open_models(gate *g, const char *path) {
    const qz_engine_options o = {.arith = QZ_ARITH_EXACT};
    if (g->r->against) QZ_TRY(qz_source_open(g->run, g->r->against, &g->source, g->err));
    QZ_TRY(qz_source_open(g->run, path, &g->artifact, g->err));
    if (g->r->against) QZ_TRY(qz_engine_open(g->run, g->source.model, &o, &g->e[0], g->err));
    return qz_engine_open(g->run, g->artifact.model, &o, &g->e[1], g->err);
}

qz_status qz_gate_sequential(qz_run *run, const qz_request *r, const qz_gate_rules *rules, const char *path,
                             qz_gate_result *results, qz_error *err) {
    gate g = {.run = run, .r = r, .rules = rules, .results = results, .err = err};
    qz_status st = open_models(&g, path);
    if (st == QZ_OK && r->text && r->against && goes_on(&g, true)) st = text_half(&g);
    if (st == QZ_OK && r->tasks && goes_on(&g, false)) st = task_half(&g);
    qz_engine_free(g.e[0]);
    qz_engine_free(g.e[1]);
    qz_source_release(&g.source);
    qz_source_release(&g.artifact);
    return st;
}
