#include "eval/tasks.h"
#include "base/size.h"
#include "engine/session.h"
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

/* A task in flight, or done with. */
typedef struct { size_t task; qz_sequence q; } place;

typedef struct {
    qz_run *run;
    qz_engine *e;
    const qz_tokenizer *t;
    const qz_taskset *set;
    qz_task_options o;
    qz_ids *prompts;       /* [n] */
    uint32_t *order;       /* [n] by prompt length: less idle work in a batch */
    place *places;         /* [batch] */
    qz_session *session;
    size_t next, longest;
    qz_task_score *out;
} taskrun;

static void count_kind(qz_task_score *s, const char *kind, bool pass) {
    size_t i = 0;
    while (i < s->n_kinds && strncmp(s->kinds[i].kind, kind, sizeof s->kinds[i].kind - 1) != 0) i++;
    if (i == sizeof s->kinds / sizeof s->kinds[0]) return;
    if (i == s->n_kinds) (void)snprintf(s->kinds[s->n_kinds++].kind, sizeof s->kinds[i].kind, "%s", kind);
    s->kinds[i].n++;
    s->kinds[i].solved += pass;
}

/* The next task at a place that is free. */
static qz_sequence *next_task(void *arg) {
    taskrun *r = arg;
    const qz_config *c = &qz_engine_model(r->e)->config;
    size_t b = 0;
    if (r->next == r->set->n) return NULL;
    while (r->places[b].q.prompt) b++;
    place *p = &r->places[b];
    p->task = r->order[r->next++];
    qz_progress_step(r->run, "tasks", r->next, r->set->n, "tasks");
    p->q = (qz_sequence){.prompt = r->prompts[p->task].ids, .n_prompt = r->prompts[p->task].n, .sampling = QZ_GREEDY,
                         .max_new = r->o.max_new,
                         .stop_ids = c->eos_ids, .n_stop = c->n_eos, .out = p->q.out, .arg = p};
    return &p->q;
}

static qz_status finish_task(void *arg, qz_sequence *q, qz_error *err) {
    taskrun *r = arg;
    const place *p = q->arg;
    qz_str text = {0};
    bool pass = false;
    qz_status st = qz_tokenizer_decode(r->t, q->out, q->info.n_new, true, &text, err);
    if (st == QZ_OK && text.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory decoding an answer");
    if (st == QZ_OK) st = qz_task_solved(&r->set->tasks[p->task], text.ptr ? text.ptr : "", text.len, &pass, err);
    r->out->pass[p->task] = pass;
    if (st == QZ_OK && r->set->tasks[p->task].check == QZ_CHECK_JSON)
        r->out->json[p->task] = qz_task_is_json(text.ptr ? text.ptr : "", text.len) ? 2 : 1;
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
    if (!r->prompts || !r->order || !r->places || !r->out->pass || !r->out->json)
        return qz_fail(err, QZ_EMEMORY, "out of memory for %zu tasks", n);
    for (size_t i = 0; i < n; i++) {
        const qz_task *t = &r->set->tasks[i];
        unsigned flags = QZ_ENCODE_PARSE_SPECIAL | (t->templated ? 0u : (unsigned)QZ_ENCODE_SPECIAL);
        QZ_TRY(qz_tokenizer_encode(r->t, t->prompt, strlen(t->prompt), flags, &r->prompts[i], err));
        if (r->prompts[i].n == 0)
            return qz_fail(err, QZ_EUSAGE, "task without a prompt: file '%s', line %zu", r->set->path, t->line);
        r->longest = qz_max_size(r->longest, r->prompts[i].n);
        r->order[i] = (uint32_t)i;
    }
    qsort_r(r->order, n, sizeof *r->order, by_length, r->prompts);
    for (size_t b = 0; b < batch; b++)
        if ((r->places[b].q.out = qz_alloc_array(r->o.max_new, sizeof(uint32_t))) == NULL)
            return qz_fail(err, QZ_EMEMORY, "out of memory for tasks");
    return qz_session_open(r->e, batch, r->longest + r->o.max_new, &r->session, err);
}
static void taskrun_release(taskrun *r) {
    for (size_t i = 0; r->prompts && i < r->set->n; i++) qz_ids_release(&r->prompts[i]);
    for (size_t b = 0; r->places && b < r->o.batch; b++) qz_free(r->places[b].q.out);
    qz_free(r->prompts);
    qz_free(r->order);
    qz_free(r->places);
    qz_session_free(r->session);
}

qz_status qz_tasks_run(qz_run *run, qz_engine *e, const qz_tokenizer *t, const qz_taskset *set,
                       const qz_task_options *o, qz_task_score *out, qz_error *err) {
    *out = (qz_task_score){.n = set->n};
    taskrun r = {.run = run, .e = e, .t = t, .set = set, .out = out,
                 .o = {.batch = o && o->batch ? o->batch : 96, .max_new = o && o->max_new ? o->max_new : 96}};
    if (set->n == 0) return qz_fail(err, QZ_EUSAGE, "no tasks in '%s'", set->path);
    r.o.batch = qz_min_size(r.o.batch, set->n);
    qz_status st = prepare(&r, err);
    qz_progress_begin(run);
    if (st == QZ_OK)
        st = qz_session_run(r.session, &(qz_sequences){.next = next_task, .ended = finish_task, .arg = &r}, err);
    qz_progress_end(run);
    for (size_t i = 0; i < set->n && st == QZ_OK; i++) {
        out->solved += out->pass[i];
        out->json_n += out->json[i] > 0;
        out->json_valid += out->json[i] == 2;
        count_kind(out, set->tasks[i].kind ? set->tasks[i].kind : "task", out->pass[i]);
    }
    qz_wilson(out->solved, out->n, &out->low, &out->high);
    taskrun_release(&r);
    if (st != QZ_OK) qz_task_score_release(out);
    return st;
}
void qz_task_score_release(qz_task_score *s) {
    qz_free(s->pass);
    qz_free(s->json);
    *s = (qz_task_score){0};
}
