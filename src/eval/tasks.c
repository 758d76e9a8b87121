#include "eval/tasks.h"
#include "base/size.h"
#include "engine/session.h"
#include "eval/choices.h"
#include "eval/intervals.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void qz_wilson(size_t solved, size_t n, double *low, double *high) {
    *low = *high = 0;
    if (n == 0) return;
    qz_share_interval((double)solved, (double)n, 0.95, low, high);
    *low *= 100;
    *high *= 100;
}

double qz_mcnemar(size_t lost, size_t won) {
    size_t n = lost + won, k = lost < won ? lost : won;
    double p = 0;
    for (size_t i = 0; i <= k; i++)
        p += exp(lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1) - (double)n * log(2.0));
    p *= 2;
    return p > 1 ? 1 : p;
}

double qz_pass_at(size_t n, size_t c, size_t k) {
    double none = 1;
    if (n - c < k) return 1;
    for (size_t i = n - c + 1; i <= n; i++) none *= 1 - (double)k / (double)i;
    return 1 - none;
}
double qz_task_pass_at(const qz_task_score *s, size_t k) {
    double sum = 0;
    for (size_t i = 0; i < s->n; i++) sum += qz_pass_at(s->samples, s->correct[i], k);
    return s->n ? sum / (double)s->n : 0;
}

/* A task in flight, or done with. */
typedef struct taskrun taskrun;
typedef struct {
    taskrun *r;
    size_t task, sample;
    qz_sequence q;
    qz_str text;             /* so far, of a task that ends at a text */
    qz_decode_stream stream;
} place;

struct taskrun {
    qz_run *run;
    qz_engine *e;
    const qz_tokenizer *t;
    const qz_taskset *set;
    qz_task_options o;
    qz_ids *prompts;       /* [n] */
    uint32_t *order;       /* [n_order] by prompt length: less idle work in a batch; tasks that have an answer */
    place *places;         /* [batch] */
    qz_session *session;
    size_t n_order, next, longest, most_new;
    qz_task_score *out;
};

static bool worded(const qz_task *t) { return t->check != QZ_CHECK_CHOICE && t->check != QZ_CHECK_LIKELIHOOD; }
static size_t samples(const taskrun *r) { return qz_max_size(1, r->o.samples); }
static size_t most_new(const taskrun *r, const qz_task *t) { return t->max_new ? t->max_new : r->o.max_new; }

static void count_part(qz_task_parts *p, const char *name, bool pass) {
    size_t i = 0;
    while (i < p->n && strncmp(p->at[i].kind, name, sizeof p->at[i].kind - 1) != 0) i++;
    if (i == QZ_TASK_KINDS) return;
    if (i == p->n) (void)snprintf(p->at[p->n++].kind, sizeof p->at[i].kind, "%s", name);
    p->at[i].n++;
    p->at[i].solved += pass;
}

/* Where the text that ends an answer begins in it; n: it is not there. */
static size_t ends_at(const qz_task *t, const char *s, size_t n) {
    size_t at = n;
    for (size_t i = 0; i < t->n_until; i++) {
        const char *hit = n && *t->until[i] ? memmem(s, n, t->until[i], strlen(t->until[i])) : NULL;
        if (hit) at = qz_min_size(at, (size_t)(hit - s));
    }
    return at;
}
static bool on_token(void *arg, uint32_t id) {
    place *p = arg;
    qz_error err = {0};
    if (qz_tokenizer_decode_next(p->r->t, &p->stream, id, true, &p->text, &err) != QZ_OK) return true;
    return p->text.len == 0 || ends_at(&p->r->set->tasks[p->task], p->text.ptr, p->text.len) == p->text.len;
}

/* The next task at a place that is free. */
static qz_sequence *next_task(void *arg) {
    taskrun *r = arg;
    const qz_config *c = &qz_engine_model(r->e)->config;
    const size_t each = samples(r);
    size_t b = 0;
    if (r->next == r->n_order * each) return NULL;
    while (r->places[b].q.prompt) b++;
    place *p = &r->places[b];
    p->task = r->order[r->next / each];
    p->sample = r->next++ % each;
    qz_progress_step(r->run, "tasks", r->next, r->n_order * each, "tasks");
    const qz_task *t = &r->set->tasks[p->task];
    qz_sampling how = QZ_GREEDY;
    if (r->o.samples) {
        how = r->o.sampling;
        how.seed += t->line * 1000003 + p->sample; /* whatever the order of tasks and the batch */
    }
    qz_str_clear(&p->text);
    p->stream = (qz_decode_stream){0};
    p->q = (qz_sequence){.prompt = r->prompts[p->task].ids, .n_prompt = r->prompts[p->task].n, .sampling = how,
                         .max_new = most_new(r, t), .on_token = t->n_until ? on_token : NULL,
                         .stop_ids = c->eos_ids, .n_stop = c->n_eos, .out = p->q.out, .arg = p};
    return &p->q;
}

static qz_status finish_task(void *arg, qz_sequence *q, qz_error *err) {
    taskrun *r = arg;
    const place *p = q->arg;
    const qz_task *t = &r->set->tasks[p->task];
    qz_str text = {0};
    bool pass = false;
    qz_status st = qz_tokenizer_decode(r->t, q->out, q->info.n_new, true, &text, err);
    if (st == QZ_OK && text.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory decoding an answer");
    const char *answer = text.ptr ? text.ptr : "";
    const size_t n = st == QZ_OK ? ends_at(t, answer, text.len) : 0;
    if (st == QZ_OK) st = qz_task_solved(t, answer, n, &pass, err);
    if (p->sample == 0) r->out->pass[p->task] = pass;
    if (r->out->correct) r->out->correct[p->task] += pass;
    if (st == QZ_OK && p->sample == 0 && (t->check == QZ_CHECK_JSON || t->check == QZ_CHECK_JSON_SCHEMA))
        r->out->json[p->task] = qz_task_is_json(answer, n) ? 2 : 1;
    if (st == QZ_OK && r->o.answered)
        st = r->o.answered(r->o.arg, &(qz_answered){.task = p->task, .sample = p->sample, .solved = pass,
                                                    .text = answer, .n = n}, err);
    r->out->tokens += q->info.n_new;
    q->prompt = NULL;
    qz_str_release(&text);
    return st;
}

static int by_length(const void *a, const void *b, void *arg) {
    const qz_ids *p = arg;
    size_t x = p[*(const uint32_t *)a].n, y = p[*(const uint32_t *)b].n;
    if (x != y) return x < y ? -1 : 1;
    return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static qz_status prepare(taskrun *r, qz_error *err) {
    size_t n = r->set->n, batch = r->o.batch;
    r->prompts = qz_calloc_array(n, sizeof *r->prompts);
    r->order = qz_alloc_array(n, sizeof *r->order);
    r->places = qz_calloc_array(batch, sizeof *r->places);
    r->out->pass = qz_calloc_array(n, 1);
    r->out->json = qz_calloc_array(n, 1);
    r->out->correct = r->o.samples ? qz_calloc_array(n, sizeof *r->out->correct) : NULL;
    if (!r->prompts || !r->order || !r->places || !r->out->pass || !r->out->json ||
        (r->o.samples && !r->out->correct))
        return qz_fail(err, QZ_EMEMORY, "out of memory for %zu tasks", n);
    for (size_t i = 0; i < n; i++) {
        const qz_task *t = &r->set->tasks[i];
        unsigned flags = QZ_ENCODE_PARSE_SPECIAL | (t->templated ? 0u : (unsigned)QZ_ENCODE_SPECIAL);
        QZ_TRY(qz_tokenizer_encode(r->t, t->prompt, strlen(t->prompt), flags, &r->prompts[i], err));
        if (!worded(t)) continue;
        if (r->prompts[i].n == 0)
            return qz_fail(err, QZ_EUSAGE, "task without a prompt: file '%s', line %zu", r->set->path, t->line);
        r->longest = qz_max_size(r->longest, r->prompts[i].n + most_new(r, t));
        r->most_new = qz_max_size(r->most_new, most_new(r, t));
        r->order[r->n_order++] = (uint32_t)i;
    }
    qsort_r(r->order, r->n_order, sizeof *r->order, by_length, r->prompts);
    r->o.batch = batch = qz_min_size(batch, r->n_order * samples(r));
    for (size_t b = 0; b < batch; b++) {
        r->places[b].r = r;
        if ((r->places[b].q.out = qz_alloc_array(r->most_new, sizeof(uint32_t))) == NULL)
            return qz_fail(err, QZ_EMEMORY, "out of memory for tasks");
    }
    return batch ? qz_session_open(r->e, batch, r->longest, &r->session, err) : QZ_OK;
}
static void taskrun_release(taskrun *r, size_t batch) {
    for (size_t i = 0; r->prompts && i < r->set->n; i++) qz_ids_release(&r->prompts[i]);
    for (size_t b = 0; r->places && b < batch; b++) {
        qz_free(r->places[b].q.out);
        qz_str_release(&r->places[b].text);
    }
    qz_free(r->prompts);
    qz_free(r->order);
    qz_free(r->places);
    qz_session_free(r->session);
}

static const char *length_name(size_t tokens) {
    return tokens < 128 ? "under 128" : tokens < 512 ? "128 to 511" : tokens < 2048 ? "512 to 2047" : "2048 and more";
}
static void count_all(const taskrun *r) {
    qz_task_score *s = r->out;
    qz_task_parts kinds = {.n = 0};
    for (size_t i = 0; i < r->set->n; i++) {
        const qz_task *t = &r->set->tasks[i];
        const bool pass = s->pass[i];
        s->solved += pass;
        s->json_n += s->json[i] > 0;
        s->json_valid += s->json[i] == 2;
        count_part(&kinds, t->kind ? t->kind : "task", pass);
        if (t->group) count_part(&s->groups, t->group, pass);
        if (t->language) count_part(&s->languages, t->language, pass);
        count_part(&s->lengths, length_name(r->prompts[i].n), pass);
    }
    memcpy(s->kinds, kinds.at, sizeof s->kinds);
    s->n_kinds = kinds.n;
    qz_wilson(s->solved, s->n, &s->low, &s->high);
}

qz_status qz_tasks_run(qz_run *run, qz_engine *e, const qz_tokenizer *t, const qz_taskset *set,
                       const qz_task_options *o, qz_task_score *out, qz_error *err) {
    *out = (qz_task_score){.n = set->n, .samples = o ? o->samples : 0};
    taskrun r = {.run = run, .e = e, .t = t, .set = set, .out = out};
    if (o) r.o = *o;
    if (r.o.batch == 0) r.o.batch = 96;
    if (r.o.max_new == 0) r.o.max_new = 96;
    if (set->n == 0) return qz_fail(err, QZ_EUSAGE, "no tasks in '%s'", set->path);
    const size_t batch = r.o.batch;
    qz_status st = prepare(&r, err);
    qz_progress_begin(run);
    if (st == QZ_OK && r.session)
        st = qz_session_run(r.session, &(qz_sequences){.next = next_task, .ended = finish_task, .arg = &r}, err);
    qz_progress_end(run);
    if (st == QZ_OK) st = qz_task_choices_run(&(qz_choice_job){run, e, t, set, &r.o}, out, err);
    if (st == QZ_OK) count_all(&r);
    taskrun_release(&r, batch);
    if (st != QZ_OK) qz_task_score_release(out);
    return st;
}
void qz_task_score_release(qz_task_score *s) {
    qz_free(s->pass);
    qz_free(s->json);
    qz_free(s->correct);
    *s = (qz_task_score){0};
}
