#include "engine/session.h"
#include "base/io.h"
#include "base/size.h"
#include <string.h>

/* A place in the batch. */
typedef struct {
    qz_sequence *q;       /* NULL: free */
    qz_sampler sampler;
    uint32_t *history;    /* [longest] prompt and new tokens, for the repetition penalty */
    double start;
} slot;

struct qz_session {
    qz_engine *e;
    qz_kv *kv;
    size_t width, longest, vocab;
    const atomic_bool *cancel;
    slot *slots;          /* [width] */
    uint32_t *ids, *seq;  /* [width * longest] of a step */
    uint8_t *want;
    float *logits;        /* [width, vocab] */
};

qz_status qz_session_open(qz_engine *e, size_t width, size_t longest, qz_session **out, qz_error *err) {
    size_t tokens, logits;
    qz_session *s = qz_calloc_array(1, sizeof *s);
    *out = NULL;
    if (s == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for decoding");
    *s = (qz_session){.e = e, .width = width, .longest = longest, .vocab = qz_engine_model(e)->config.vocab_size};
    bool ok = qz_mul_size(width, longest, &tokens) && qz_mul_size(width, s->vocab, &logits);
    if (ok) {
        s->slots = qz_calloc_array(width, sizeof *s->slots);
        s->ids = qz_alloc_array(tokens, sizeof *s->ids);
        s->seq = qz_alloc_array(tokens, sizeof *s->seq);
        s->want = qz_alloc_array(tokens, 1);
        s->logits = qz_alloc_aligned(logits, sizeof *s->logits);
        ok = s->slots && s->ids && s->seq && s->want && s->logits;
    }
    for (size_t b = 0; ok && b < width; b++)
        ok = (s->slots[b].history = qz_alloc_array(longest, sizeof(uint32_t))) != NULL;
    qz_status st = ok ? qz_kv_open(e, width, longest, &s->kv, err)
                      : qz_fail(err, QZ_EMEMORY, "out of memory for decoding %zu sequences of %zu tokens", width,
                                longest);
    if (st == QZ_OK) *out = s;
    else qz_session_free(s);
    return st;
}

void qz_session_free(qz_session *s) {
    if (s == NULL) return;
    for (size_t b = 0; s->slots && b < s->width; b++) {
        qz_sampler_release(&s->slots[b].sampler);
        qz_free(s->slots[b].history);
    }
    qz_kv_free(s->kv);
    qz_free(s->slots);
    qz_free(s->ids);
    qz_free(s->seq);
    qz_free(s->want);
    qz_free(s->logits);
    qz_free(s);
}

uint64_t qz_session_kv_bytes(const qz_session *s) { return qz_kv_bytes(s->kv); }
void qz_session_cancel_on(qz_session *s, const atomic_bool *cancel) { s->cancel = cancel; }

static qz_status begin(qz_session *s, size_t b, qz_sequence *q, qz_error *err) {
    slot *x = &s->slots[b];
    q->info = (qz_generated){.n_prompt = q->n_prompt};
    if (q->n_prompt == 0) return qz_fail(err, QZ_EUSAGE, "the prompt is empty: expected at least one token");
    if (q->n_prompt > s->longest || q->max_new > s->longest - q->n_prompt)
        return qz_fail(err, QZ_EUSAGE, "a prompt of %zu tokens and %zu new ones do not fit %zu", q->n_prompt,
                       q->max_new, s->longest);
    qz_sampler_release(&x->sampler);
    QZ_TRY(qz_sampler_init(&x->sampler, &q->sampling, s->vocab, err));
    qz_kv_reset(s->kv, b);
    memcpy(x->history, q->prompt, q->n_prompt * sizeof *q->prompt);
    x->q = q;
    x->start = qz_now();
    return QZ_OK;
}

/* A sequence that came to its end. */
static qz_status end(slot *x, const qz_sequences *from, qz_error *err) {
    qz_sequence *q = x->q;
    x->q = NULL;
    if (q->info.n_new) q->info.decode_seconds = qz_now() - x->start - q->info.first_token_seconds;
    return from->ended ? from->ended(from->arg, q, err) : QZ_OK;
}

/* Fills free places with new sequences; of each in flight, its prompt or its last token becomes part of the step. */
static qz_status fill(qz_session *s, const qz_sequences *from, size_t *n_tokens, size_t *n_want, qz_error *err) {
    bool more = true;
    *n_tokens = *n_want = 0;
    for (size_t b = 0; b < s->width; b++) {
        slot *x = &s->slots[b];
        while (more && x->q == NULL) {
            qz_sequence *q = from->next(from->arg);
            if ((more = q != NULL)) QZ_TRY(begin(s, b, q, err));
            if (q && q->max_new == 0) QZ_TRY(end(x, from, err));
        }
        if (x->q == NULL) continue;
        const size_t had = x->q->info.n_new, n = had ? 1 : x->q->n_prompt;
        const uint32_t *ids = had ? &x->q->out[had - 1] : x->q->prompt;
        for (size_t i = 0; i < n; i++, (*n_tokens)++) {
            s->ids[*n_tokens] = ids[i];
            s->seq[*n_tokens] = (uint32_t)b;
            s->want[*n_tokens] = i + 1 == n;
        }
        (*n_want)++;
    }
    return QZ_OK;
}

static bool is_stop(const qz_sequence *q, uint32_t id) {
    for (size_t i = 0; i < q->n_stop; i++)
        if (q->stop_ids[i] == (int64_t)id) return true;
    return false;
}

/* The next token of one sequence; true: it was the last one. */
static bool take(slot *x, const float *logits) {
    qz_sequence *q = x->q;
    const size_t at = q->info.n_new;
    const uint32_t id = qz_sampler_pick(&x->sampler, logits, x->history, q->n_prompt + at);
    if (at == 0) q->info.first_token_seconds = qz_now() - x->start;
    q->out[at] = x->history[q->n_prompt + at] = id;
    q->info.n_new = at + 1;
    if (q->on_token && !q->on_token(q->arg, id)) return true;
    q->info.stopped = is_stop(q, id);
    return q->info.stopped || at + 1 == q->max_new;
}

static qz_status step(qz_session *s, const qz_sequences *from, size_t n_tokens, qz_error *err) {
    QZ_TRY(qz_engine_forward(s->e, s->kv, &(qz_batch){.ids = s->ids, .seq = s->seq, .want = s->want, .n = n_tokens},
                                                      s->logits, err));
    const double now = qz_now();
    const float *row = s->logits;
    for (size_t b = 0; b < s->width; b++) {
        slot *x = &s->slots[b];
        if (x->q == NULL) continue;
        if (x->q->info.n_new == 0) x->q->info.prefill_seconds = now - x->start;
        if (take(x, row)) QZ_TRY(end(x, from, err));
        row += s->vocab;
    }
    return QZ_OK;
}

static qz_status cancel_all(qz_session *s, const qz_sequences *from, qz_error *err) {
    for (size_t b = 0; b < s->width; b++) {
        if (s->slots[b].q == NULL) continue;
        s->slots[b].q->info.cancelled = true;
        QZ_TRY(end(&s->slots[b], from, err));
    }
    return QZ_OK;
}

qz_status qz_session_run(qz_session *s, const qz_sequences *from, qz_error *err) {
    size_t n_tokens, n_want;
    qz_status st;
    for (;;) {
        if (s->cancel && atomic_load(s->cancel)) {
            st = cancel_all(s, from, err);
            break;
        }
        st = fill(s, from, &n_tokens, &n_want, err);
        if (st != QZ_OK || n_want == 0) break;
        if ((st = step(s, from, n_tokens, err)) != QZ_OK) break;
    }
    for (size_t b = 0; b < s->width; b++) s->slots[b].q = NULL; /* of a failed run */
    return st;
}

static qz_sequence *only(void *arg) {
    qz_sequence **q = arg, *one = *q;
    *q = NULL;
    return one;
}
qz_status qz_session_one(qz_session *s, qz_sequence *q, qz_error *err) {
    return qz_session_run(s, &(qz_sequences){.next = only, .arg = &(qz_sequence *){q}}, err);
}
