#include "eval/choices.h"
#include "base/size.h"
#include "eval/loglikelihood.h"
#include <string.h>

/* What is scored: the items of the tasks, their continuations one behind the other. */
typedef struct {
    qz_branches *items;
    size_t *task;             /* [n] of an item */
    qz_continuation *at;      /* [n_at] */
    qz_ids *ids;              /* [n_at] */
    size_t n, n_at;
} choices;

static size_t branches_of(const qz_task *t) {
    return t->check == QZ_CHECK_CHOICE ? t->n_choices : t->check == QZ_CHECK_LIKELIHOOD;
}

static qz_status encode(const qz_choice_job *j, choices *c, qz_task_score *out, qz_error *err) {
    const qz_config *config = &qz_engine_model(j->e)->config;
    const size_t most = config->max_position ? (size_t)config->max_position + 1 : 0; /* the last id is only a target */
    for (size_t i = 0; i < j->set->n; i++) {
        const qz_task *t = &j->set->tasks[i];
        const size_t n = branches_of(t);
        if (n == 0) continue;
        c->items[c->n] = (qz_branches){c->at + c->n_at, n};
        c->task[c->n++] = i;
        for (size_t k = 0; k < n; k++) {
            qz_ids *ids = &c->ids[c->n_at];
            const char *text = t->check == QZ_CHECK_CHOICE ? t->choices[k] : t->output;
            size_t from, whole;
            const qz_pair p = {t->prompt, text, t->templated};
            qz_error why = {0};
            const qz_status st = qz_pair_encode(j->t, &p, ids, &from, &why);
            if (st != QZ_OK) return qz_fail(err, st, "%s:%zu: %s", j->set->path, t->line, why.text);
            whole = ids->n;
            const size_t cut = most && whole > most ? whole - most : 0;
            if (cut >= from)
                return qz_fail(err, QZ_EUSAGE, "file '%s', line %zu: a choice of more than the %zu tokens of the "
                               "model's context", j->set->path, t->line, most - 1);
            for (size_t x = 0; x < whole; x++)
                if (ids->ids[x] >= config->vocab_size)
                    return qz_fail(err, QZ_EFORMAT, "file '%s', line %zu: token id %u is not in the model's vocabulary",
                                   j->set->path, t->line, ids->ids[x]);
            out->cut += cut > 0;
            c->at[c->n_at++] = (qz_continuation){.ids = ids->ids + cut, .n = whole - cut, .from = from - cut};
        }
    }
    return QZ_OK;
}

/* Largest logprob / by; the first of equal ones, as numpy's argmax. */
static size_t best(const qz_branches *b, const size_t *by) {
    size_t at = 0;
    for (size_t k = 1; k < b->n; k++) {
        const double x = by ? b->at[k].logprob / (double)by[k] : b->at[k].logprob,
                     y = by ? b->at[at].logprob / (double)by[at] : b->at[at].logprob;
        if (x > y) at = k;
    }
    return at;
}

static qz_status judge(const qz_choice_job *j, const qz_branches *b, size_t task, qz_task_score *out, qz_error *err) {
    const qz_task *t = &j->set->tasks[task];
    bool pass;
    if (t->check == QZ_CHECK_CHOICE) {
        pass = best(b, NULL) == t->answer;
        out->choices++;
        out->acc += pass;
        out->acc_norm += best(b, t->choice_chars) == t->answer;
        out->acc_bytes += best(b, t->choice_bytes) == t->answer;
    } else {
        pass = b->at[0].greedy;
        out->continuations++;
        out->greedy += pass;
        out->loglikelihood += b->at[0].logprob;
    }
    out->pass[task] = pass;
    if (out->correct) out->correct[task] = pass ? (uint32_t)out->samples : 0; /* every draw is the same */
    if (j->o->answered == NULL) return QZ_OK;
    double *logprob = qz_alloc_array(b->n, sizeof *logprob);
    uint8_t *greedy = qz_alloc_array(b->n, 1);
    qz_status st = logprob && greedy ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for choices");
    for (size_t k = 0; st == QZ_OK && k < b->n; k++) logprob[k] = b->at[k].logprob, greedy[k] = b->at[k].greedy;
    if (st == QZ_OK)
        st = j->o->answered(j->o->arg, &(qz_answered){.task = task, .solved = pass, .logprob = logprob,
                                                      .greedy = greedy, .n_logprob = b->n}, err);
    qz_free(logprob);
    qz_free(greedy);
    return st;
}

qz_status qz_task_choices_run(const qz_choice_job *j, qz_task_score *out, qz_error *err) {
    choices c = {0};
    size_t n = 0, n_at = 0;
    for (size_t i = 0; i < j->set->n; i++) {
        n += branches_of(&j->set->tasks[i]) > 0;
        n_at += branches_of(&j->set->tasks[i]);
    }
    if (n == 0) return QZ_OK;
    c.items = qz_calloc_array(n, sizeof *c.items);
    c.task = qz_calloc_array(n, sizeof *c.task);
    c.at = qz_calloc_array(n_at, sizeof *c.at);
    c.ids = qz_calloc_array(n_at, sizeof *c.ids);
    qz_status st = c.items && c.task && c.at && c.ids ? encode(j, &c, out, err)
                                                      : qz_fail(err, QZ_EMEMORY, "out of memory for %zu choices", n_at);
    qz_loglikelihood_info info = {0};
    if (st == QZ_OK) st = qz_loglikelihood_run(j->run, j->e, c.items, c.n, &info, err);
    for (size_t i = 0; i < c.n && st == QZ_OK; i++) st = judge(j, &c.items[i], c.task[i], out, err);
    out->computed = info.tokens;
    out->whole = info.whole;
    for (size_t i = 0; c.ids && i < n_at; i++) qz_ids_release(&c.ids[i]);
    qz_free(c.items);
    qz_free(c.task);
    qz_free(c.at);
    qz_free(c.ids);
    return st;
}
