/* Tasks asked of a server and of our own engine: the same prompts, greedy, checked by the same rules. */
#include "base/size.h"
#include "eval/tasks.h"
#include "pipeline/served.h"
#include <string.h>

typedef struct {
    qz_serving *s;
    qz_taskset set;
    qz_str *ours;          /* [n] our answers */
} asked;

static bool worded(const qz_task *t) { return t->check != QZ_CHECK_CHOICE && t->check != QZ_CHECK_LIKELIHOOD; }

static qz_status keep(void *arg, const qz_answered *a, qz_error *err) {
    asked *x = arg;
    if (a->text) qz_str_append(&x->ours[a->task], a->text, a->n);
    qz_str_putc(&x->ours[a->task], 0);
    return x->ours[a->task].failed ? qz_fail(err, QZ_EMEMORY, "out of memory for answers") : QZ_OK;
}

static size_t blank(const char **text) {
    *text += strspn(*text, " \n\t\r");
    size_t n = strlen(*text);
    while (n && strchr(" \n\t\r", (*text)[n - 1])) n--;
    return n;
}
static bool same_words(const char *a, const char *b) {
    const size_t x = blank(&a), y = blank(&b);
    return x == y && memcmp(a, b, x) == 0;
}

static qz_status ask(asked *x, size_t i, bool *pass, bool *same, qz_error *err) {
    qz_serving *s = x->s;
    const qz_task *t = &x->set.tasks[i];
    const unsigned flags = QZ_ENCODE_PARSE_SPECIAL | (t->templated ? 0u : (unsigned)QZ_ENCODE_SPECIAL);
    qz_ids ids = {0};
    qz_str answer = {0};
    if (s->at.kind == QZ_SERVED_CHAT && t->messages == NULL)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "task file '%s', line %zu: the server has chat alone, and this question is text as it is "
                       "('context', or a model without chat template)", x->set.path, t->line);
    QZ_TRY(qz_tokenizer_encode(s->model.tokenizer, t->prompt, strlen(t->prompt), flags, &ids, err));
    const qz_served_question q = {.ids = {ids.ids, ids.n}, .text = t->prompt, .messages = t->messages,
                                  .until = t->until,
                                  .n_until = t->n_until, .max_new = t->max_new ? t->max_new : (size_t)s->r->max_new};
    qz_status st = qz_openai_answer(&s->at, &q, &answer, err);
    qz_str_putc(&answer, 0);
    size_t n = st == QZ_OK ? strlen(answer.ptr) : 0;
    for (size_t k = 0; st == QZ_OK && k < t->n_until; k++) { /* a server may keep the text that ends it */
        const char *hit = *t->until[k] ? strstr(answer.ptr, t->until[k]) : NULL;
        if (hit && (size_t)(hit - answer.ptr) < n) n = (size_t)(hit - answer.ptr);
    }
    if (st == QZ_OK) answer.ptr[n] = 0;
    if (st == QZ_OK) st = qz_task_solved(t, answer.ptr, n, pass, err);
    *same = st == QZ_OK && same_words(answer.ptr, x->ours[i].ptr ? x->ours[i].ptr : "");
    qz_ids_release(&ids);
    qz_str_release(&answer);
    return st;
}

static qz_status one(asked *x, size_t i, bool *pass, bool *same, qz_error *err) {
    qz_serving *s = x->s;
    const char *left = qz_serving_done(s, 't', i);
    if (left && strlen(left) >= 3) {
        *pass = left[0] == '1';
        *same = left[2] == '1';
        s->out.resumed++;
        return QZ_OK;
    }
    QZ_TRY(ask(x, i, pass, same, err));
    return s->journal.fd < 0 ? QZ_OK : qz_journal_add(&s->journal, err, "t %zu %d %d", i, *pass, *same);
}

static qz_status ask_all(asked *x, const qz_task_score *ours, qz_error *err) {
    qz_served *o = &x->s->out;
    qz_progress_begin(x->s->run);
    for (size_t i = 0; i < x->set.n; i++) {
        bool pass = false, same = false;
        if (!worded(&x->set.tasks[i])) {
            o->left_out++;
            continue;
        }
        QZ_TRY(one(x, i, &pass, &same, err));
        o->tasks++;
        o->solved += pass;
        o->same += same;
        o->solved_ours += ours->pass[i];
        o->lost += ours->pass[i] && !pass;
        o->won += !ours->pass[i] && pass;
        qz_progress_step(x->s->run, "served tasks", i + 1, x->set.n, "tasks");
    }
    qz_progress_end(x->s->run);
    o->mcnemar = qz_mcnemar(o->lost, o->won);
    qz_wilson(o->solved, o->tasks, &o->low, &o->high);
    if (o->left_out)
        qz_warn(x->s->run, "%zu tasks of '%s' need log-likelihoods of choices and were not asked of the server",
                o->left_out, x->set.path);
    return o->tasks ? QZ_OK
                    : qz_fail(err, QZ_EUSAGE, "no task of '%s' can be asked of a server: all need log-likelihoods",
                              x->set.path);
}

qz_status qz_serving_tasks(qz_serving *s, qz_error *err) {
    asked x = {.s = s};
    qz_task_score ours = {0};
    QZ_TRY(qz_taskset_load(s->r->tasks, s->model.tokenizer, (size_t)s->r->max_tasks, &x.set, err));
    x.ours = qz_calloc_array(x.set.n, sizeof *x.ours);
    const qz_task_options o = {.batch = (size_t)s->r->batch, .max_new = (size_t)s->r->max_new, .answered = keep,
                               .arg = &x};
    qz_status st = x.ours ? qz_tasks_run(s->run, s->engine, s->model.tokenizer, &x.set, &o, &ours, err)
                          : qz_fail(err, QZ_EMEMORY, "out of memory for answers");
    if (st == QZ_OK) st = ask_all(&x, &ours, err);
    for (size_t i = 0; x.ours && i < x.set.n; i++) qz_str_release(&x.ours[i]);
    qz_free(x.ours);
    qz_task_score_release(&ours);
    qz_taskset_release(&x.set);
    return st;
}
