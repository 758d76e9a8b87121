#include "eval/tasks.h"
#include "base/size.h"
#include "engine/sampler.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

void qz_wilson(size_t solved, size_t n, double *low, double *high) {
    if (n == 0) {
        *low = *high = 0;
        return;
    }
    double z = 1.959964, p = (double)solved / (double)n, k = z * z / (double)n;
    double mid = (p + k / 2) / (1 + k), half = z * sqrt(p * (1 - p) / (double)n + k / (4 * (double)n)) / (1 + k);
    *low = 100 * (mid - half);
    *high = 100 * (mid + half);
}

double qz_mcnemar(size_t lost, size_t won) {
    size_t n = lost + won, k = lost < won ? lost : won;
    double p = 0;
    for (size_t i = 0; i <= k; i++) p += exp(lgamma((double)n + 1) - lgamma((double)i + 1) - lgamma((double)(n - i) + 1) - (double)n * log(2.0));
    p *= 2;
    return p > 1 ? 1 : p;
}

/* One sequence in flight. */
typedef struct { size_t task, n_new; uint32_t *ids; bool live; } slot;

typedef struct {
    qz_run *run;
    qz_engine *e;
    const qz_tokenizer *t;
    const qz_taskset *set;
    qz_task_options o;
    qz_ids *prompts;       /* [n] */
    uint32_t *order;       /* [n] by prompt length: less idle work in a batch */
    slot *slots;           /* [batch] */
    qz_kv *kv;
    uint32_t *ids, *seq;
    uint8_t *want;
    float *logits;
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

static qz_status finish_task(taskrun *r, slot *s, qz_error *err) {
    qz_str text = {0};
    bool pass = false;
    qz_status st = qz_tokenizer_decode(r->t, s->ids, s->n_new, true, &text, err);
    if (st == QZ_OK && text.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory decoding an answer");
    if (st == QZ_OK) st = qz_task_solved(&r->set->tasks[s->task], text.ptr ? text.ptr : "", text.len, &pass, err);
    r->out->pass[s->task] = pass;
    r->out->tokens += s->n_new;
    qz_str_release(&text);
    s->live = false;
    return st;
}

static bool is_eos(const qz_config *c, uint32_t id) {
    for (size_t i = 0; i < c->n_eos; i++)
        if (c->eos_ids[i] == (int64_t)id) return true;
    return false;
}

/* Fills free slots with new prompts and gives every live one its next token; true while there is work. */
static bool fill_batch(taskrun *r, size_t *n_tokens, size_t *n_want) {
    *n_tokens = *n_want = 0;
    for (size_t b = 0; b < r->o.batch; b++) {
        slot *s = &r->slots[b];
        if (!s->live && r->next < r->set->n) {
            s->task = r->order[r->next++];
            s->n_new = 0;
            s->live = true;
            qz_kv_reset(r->kv, b);
            const qz_ids *p = &r->prompts[s->task];
            for (size_t i = 0; i < p->n; i++, (*n_tokens)++) {
                r->ids[*n_tokens] = p->ids[i];
                r->seq[*n_tokens] = (uint32_t)b;
                r->want[*n_tokens] = i + 1 == p->n;
            }
        } else if (s->live) {
            r->ids[*n_tokens] = s->ids[s->n_new - 1];
            r->seq[*n_tokens] = (uint32_t)b;
            r->want[(*n_tokens)++] = 1;
        } else continue;
        (*n_want)++;
    }
    return *n_want > 0;
}

static qz_status step(taskrun *r, size_t n_tokens, qz_error *err) {
    const qz_config *c = &qz_engine_model(r->e)->config;
    QZ_TRY(qz_engine_forward(r->e, r->kv, &(qz_batch){.ids = r->ids, .seq = r->seq, .want = r->want, .n = n_tokens}, r->logits, err));
    const float *row = r->logits;
    for (size_t b = 0; b < r->o.batch; b++) {
        slot *s = &r->slots[b];
        if (!s->live) continue;
        uint32_t id = qz_argmax(row, c->vocab_size);
        row += c->vocab_size;
        s->ids[s->n_new++] = id;
        if (is_eos(c, id) || s->n_new == r->o.max_new) QZ_TRY(finish_task(r, s, err));
    }
    return QZ_OK;
}

static int by_length(const void *a, const void *b, void *arg) {
    const qz_ids *p = arg;
    size_t x = p[*(const uint32_t *)a].n, y = p[*(const uint32_t *)b].n;
    if (x != y) return x < y ? -1 : 1;
    return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static qz_status prepare(taskrun *r, qz_error *err) {
    size_t n = r->set->n, batch = r->o.batch, vocab = qz_engine_model(r->e)->config.vocab_size, rows;
    r->prompts = qz_calloc_array(n, sizeof *r->prompts);
    r->order = qz_alloc_array(n, sizeof *r->order);
    r->slots = qz_calloc_array(batch, sizeof *r->slots);
    r->out->pass = qz_calloc_array(n, 1);
    if (!r->prompts || !r->order || !r->slots || !r->out->pass) return qz_fail(err, QZ_EMEMORY, "out of memory for %zu tasks", n);
    for (size_t i = 0; i < n; i++) {
        const qz_task *t = &r->set->tasks[i];
        unsigned flags = QZ_ENCODE_PARSE_SPECIAL | (t->templated ? 0u : (unsigned)QZ_ENCODE_SPECIAL);
        QZ_TRY(qz_tokenizer_encode(r->t, t->prompt, strlen(t->prompt), flags, &r->prompts[i], err));
        if (r->prompts[i].n == 0) return qz_fail(err, QZ_EUSAGE, "task without a prompt: file '%s', line %zu", r->set->path, t->line);
        r->longest = qz_max_size(r->longest, r->prompts[i].n);
        r->order[i] = (uint32_t)i;
    }
    qsort_r(r->order, n, sizeof *r->order, by_length, r->prompts);
    size_t cap = r->longest + r->o.max_new, tokens = batch * qz_max_size(r->longest, 1);
    for (size_t b = 0; b < batch; b++)
        if ((r->slots[b].ids = qz_alloc_array(r->o.max_new, sizeof(uint32_t))) == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for tasks");
    r->ids = qz_alloc_array(tokens, sizeof *r->ids);
    r->seq = qz_alloc_array(tokens, sizeof *r->seq);
    r->want = qz_alloc_array(tokens, 1);
    r->logits = qz_mul_size(batch, vocab, &rows) ? qz_alloc_aligned(rows, sizeof(float)) : NULL;
    if (!r->ids || !r->seq || !r->want || !r->logits) return qz_fail(err, QZ_EMEMORY, "out of memory for tasks");
    return qz_kv_open(r->e, batch, cap, &r->kv, err);
}
static void taskrun_release(taskrun *r) {
    for (size_t i = 0; r->prompts && i < r->set->n; i++) qz_ids_release(&r->prompts[i]);
    for (size_t b = 0; r->slots && b < r->o.batch; b++) qz_free(r->slots[b].ids);
    qz_free(r->prompts);
    qz_free(r->order);
    qz_free(r->slots);
    qz_free(r->ids);
    qz_free(r->seq);
    qz_free(r->want);
    qz_free(r->logits);
    qz_kv_free(r->kv);
}

qz_status qz_tasks_run(qz_run *run, qz_engine *e, const qz_tokenizer *t, const qz_taskset *set, const qz_task_options *o, qz_task_score *out, qz_error *err) {
    *out = (qz_task_score){.n = set->n};
    taskrun r = {.run = run, .e = e, .t = t, .set = set, .out = out, .o = {.batch = o && o->batch ? o->batch : 96, .max_new = o && o->max_new ? o->max_new : 96}};
    if (set->n == 0) return qz_fail(err, QZ_EUSAGE, "no tasks in '%s'", set->path);
    r.o.batch = qz_min_size(r.o.batch, set->n);
    qz_status st = prepare(&r, err);
    size_t n_tokens, n_want;
    qz_progress_begin(run);
    while (st == QZ_OK && fill_batch(&r, &n_tokens, &n_want)) {
        st = step(&r, n_tokens, err);
        qz_progress_step(run, "tasks", r.next, set->n, "tasks");
    }
    qz_progress_end(run);
    for (size_t i = 0; i < set->n && st == QZ_OK; i++) {
        out->solved += out->pass[i];
        count_kind(out, set->tasks[i].kind ? set->tasks[i].kind : "task", out->pass[i]);
    }
    qz_wilson(out->solved, out->n, &out->low, &out->high);
    taskrun_release(&r);
    if (st != QZ_OK) qz_task_score_release(out);
    return st;
}
void qz_task_score_release(qz_task_score *s) {
    qz_free(s->pass);
    *s = (qz_task_score){0};
}
