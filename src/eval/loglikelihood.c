#include "eval/loglikelihood.h"
#include "base/size.h"
#include "eval/logprob.h"
#include <stdlib.h>
#include <string.h>

enum { STEP_TOKENS = 1024, LOGITS = 1 << 24 }; /* tokens of the prompts of a group; floats of its logits at most */

/* A wanted row of logits: the ids that it predicts, of one continuation or of all that share the position. */
typedef struct { qz_continuation *first; size_t n, at; } target;

typedef struct {
    qz_run *run;
    qz_engine *e;
    const qz_branches *items;
    uint32_t *order;          /* [n] longest first: memory is known at once */
    qz_kv *kv;
    uint32_t *ids, *seq;      /* [room] tokens of a pass */
    uint8_t *want;
    target *targets;          /* [room] in order of the wanted tokens */
    size_t room, n, n_targets;
    float *logits;
    size_t rows;              /* that fit there */
    qz_loglikelihood_info *info;
} job;

static size_t longest(const qz_branches *b) {
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) n = qz_max_size(n, b->at[i].n);
    return n;
}
/* What all continuations begin with, none of its predictions but the last one's. */
static size_t shared(const job *j, const qz_branches *b) {
    size_t n = b->at[0].from;
    if (!qz_kv_branches(j->e)) return 0;
    for (size_t i = 1; i < b->n; i++) {
        size_t k = 0;
        n = qz_min_size(n, b->at[i].from);
        while (k < n && b->at[i].ids[k] == b->at[0].ids[k]) k++;
        n = k;
    }
    return n;
}

static int by_length(const void *a, const void *b, void *arg) {
    const qz_branches *items = arg;
    const uint32_t i = *(const uint32_t *)a, k = *(const uint32_t *)b;
    const size_t x = longest(&items[i]), y = longest(&items[k]);
    if (x != y) return x > y ? -1 : 1;
    return i < k ? -1 : 1;
}

static qz_status reserve(job *j, size_t more, qz_error *err) {
    size_t room = j->n + more;
    if (room <= j->room) return QZ_OK;
    room = qz_max_size(room, 2 * j->room);
    uint32_t *ids = qz_realloc_array(j->ids, room, sizeof *ids);
    if (ids) j->ids = ids;
    uint32_t *seq = qz_realloc_array(j->seq, room, sizeof *seq);
    if (seq) j->seq = seq;
    uint8_t *want = qz_realloc_array(j->want, room, 1);
    if (want) j->want = want;
    target *t = qz_realloc_array(j->targets, room, sizeof *t);
    if (t) j->targets = t;
    if (!ids || !seq || !want || !t) return qz_fail(err, QZ_EMEMORY, "out of memory for %zu tokens of choices", room);
    j->room = room;
    return QZ_OK;
}

/* Tokens [from, to) of a sequence, for `with` continuations from c on: where there are several, the row of the last
 * token is the only one that predicts, and for those whose prompt ends there. */
static qz_status add(job *j, size_t slot, qz_continuation *c, size_t from, size_t to, size_t with, qz_error *err) {
    size_t least = c->from;
    for (size_t i = 1; i < with; i++) least = qz_min_size(least, c[i].from);
    QZ_TRY(reserve(j, to - from, err));
    for (size_t t = from; t < to; t++, j->n++) {
        j->ids[j->n] = c->ids[t];
        j->seq[j->n] = (uint32_t)slot;
        j->want[j->n] = t + 1 >= least;
        if (j->want[j->n]) j->targets[j->n_targets++] = (target){c, t + 1 == to ? with : 1, t + 1};
    }
    return QZ_OK;
}

static void take(const job *j, const target *t, const float *row) {
    const size_t vocab = qz_engine_model(j->e)->config.vocab_size;
    uint32_t top;
    const double lse = qz_log_sum_exp(qz_engine_mm(j->e), row, vocab, &top);
    for (size_t i = 0; i < t->n; i++) {
        qz_continuation *c = &t->first[i];
        if (t->at < c->from) continue; /* its own prompt is longer than what is shared */
        c->logprob += (double)row[c->ids[t->at]] - lse;
        c->greedy = c->greedy && c->ids[t->at] == top;
    }
}

/* Runs what was added, a piece of at most `rows` wanted tokens at a time. */
static qz_status pass(job *j, qz_error *err) {
    const size_t vocab = qz_engine_model(j->e)->config.vocab_size;
    const target *t = j->targets;
    for (size_t first = 0; first < j->n;) {
        size_t n = 0, wanted = 0;
        while (first + n < j->n && wanted + j->want[first + n] <= j->rows) wanted += j->want[first + n++];
        const qz_batch b = {.ids = j->ids + first, .seq = j->seq + first, .want = j->want + first, .n = n};
        QZ_TRY(qz_engine_forward(j->e, j->kv, &b, wanted ? j->logits : NULL, err));
        for (size_t i = 0; i < wanted; i++) take(j, t++, j->logits + i * vocab);
        first += n;
    }
    j->info->tokens += j->n;
    j->n = j->n_targets = 0;
    return QZ_OK;
}

/* Items order[from .. to) side by side: their prompts, then what is left of their continuations. */
static qz_status group(job *j, size_t from, size_t to, qz_error *err) {
    size_t slots = 0, slot = 0;
    for (size_t i = from; i < to; i++) slots += j->items[j->order[i]].n;
    QZ_TRY(qz_kv_open(j->e, slots, qz_max_size(longest(&j->items[j->order[from]]) - 1, 1), &j->kv, err));
    for (size_t i = from; i < to; slot += j->items[j->order[i++]].n) {
        const qz_branches *b = &j->items[j->order[i]];
        QZ_TRY(add(j, slot, b->at, 0, shared(j, b), b->n, err));
    }
    QZ_TRY(pass(j, err));
    slot = 0;
    for (size_t i = from; i < to; slot += j->items[j->order[i++]].n) {
        const qz_branches *b = &j->items[j->order[i]];
        const size_t n = shared(j, b);
        for (size_t k = 0; k < b->n; k++) {
            if (n && k) qz_kv_copy(j->kv, slot, slot + k);
            QZ_TRY(add(j, slot + k, &b->at[k], n, b->at[k].n - 1, 1, err));
        }
    }
    QZ_TRY(pass(j, err));
    qz_kv_free(j->kv);
    j->kv = NULL;
    return QZ_OK;
}

static qz_status all_groups(job *j, size_t n, qz_error *err) {
    for (size_t from = 0, to; from < n; from = to) {
        size_t tokens = 0, slots = 0;
        for (to = from; to < n; to++) {
            const qz_branches *b = &j->items[j->order[to]];
            tokens += shared(j, b);
            slots += b->n;
            if (to > from && (tokens > STEP_TOKENS || slots * longest(&j->items[j->order[from]]) > 8 * STEP_TOKENS))
                break;
        }
        QZ_TRY(group(j, from, to, err));
        qz_progress_step(j->run, "choices", to, n, "items");
    }
    return QZ_OK;
}

qz_status qz_loglikelihood_run(qz_run *run, qz_engine *e, const qz_branches *items, size_t n,
                               qz_loglikelihood_info *info, qz_error *err) {
    const size_t vocab = qz_engine_model(e)->config.vocab_size;
    job j = {.run = run, .e = e, .items = items, .info = info, .rows = qz_max_size(1, (size_t)LOGITS / vocab)};
    *info = (qz_loglikelihood_info){0};
    for (size_t i = 0; i < n; i++) {
        if (items[i].n == 0) return qz_fail(err, QZ_EUSAGE, "item %zu has no continuation", i + 1);
        for (size_t k = 0; k < items[i].n; k++) {
            qz_continuation *c = &items[i].at[k];
            if (c->from == 0 || c->from >= c->n)
                return qz_fail(err, QZ_EUSAGE, "item %zu: a continuation without tokens or without a prompt", i + 1);
            c->logprob = 0;
            c->greedy = true;
            info->whole += c->n - 1;
        }
    }
    j.order = qz_alloc_array(n, sizeof *j.order);
    j.rows = qz_min_size(j.rows, 512);
    j.logits = qz_alloc_aligned(j.rows * vocab, sizeof *j.logits);
    qz_status st = j.order && j.logits ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for %zu items", n);
    for (size_t i = 0; i < n && st == QZ_OK; i++) j.order[i] = (uint32_t)i;
    if (st == QZ_OK) qsort_r(j.order, n, sizeof *j.order, by_length, (void *)items);
    qz_progress_begin(run);
    if (st == QZ_OK) st = all_groups(&j, n, err);
    qz_progress_end(run);
    qz_kv_free(j.kv);
    qz_free(j.order);
    qz_free(j.ids);
    qz_free(j.seq);
    qz_free(j.want);
    qz_free(j.targets);
    qz_free(j.logits);
    return st;
}
