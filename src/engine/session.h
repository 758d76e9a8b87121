/* Decoding: prompts of ids in, tokens out, one a step until a stop id, the limit of the sequence, or a false of its
 * callback. Up to `width` sequences are in flight together; the next one begins as soon as one ends.
 *   qz_session *s; qz_session_open(engine, width, longest, &s, err);
 *   qz_sequence q = {.prompt = ids, .n_prompt = n, .max_new = 64, .out = new_ids, .sampling = QZ_GREEDY};
 *   qz_session_one(s, &q, err);                                    (or qz_session_run: a source of many)
 *   qz_session_free(s).
 * Ownership: a sequence and what it points to are the caller's until it ends. A session is used by one thread; `cancel`
 * may be set by another or by a signal. Errors: QZ_EUSAGE for an empty prompt and for a sequence longer
 * than the session. */
#ifndef QZ_ENGINE_SESSION_H
#define QZ_ENGINE_SESSION_H
#include "engine/engine.h"
#include "engine/sampler.h"
#include <stdatomic.h>

#define QZ_GREEDY ((qz_sampling){.top_p = 1, .repetition_penalty = 1})
/* Called for every new token (the stop token too); false ends the sequence. */
typedef bool (*qz_token_fn)(void *arg, uint32_t id);
typedef struct {
    size_t n_prompt, n_new;
    bool stopped;                         /* by a stop id */
    bool cancelled;                       /* by the session's flag */
    /* of the step with its prompt; decode: after the first new token */
    double prefill_seconds, first_token_seconds, decode_seconds;
} qz_generated;
typedef struct {
    const uint32_t *prompt; size_t n_prompt;
    qz_sampling sampling;
    size_t max_new;
    const int64_t *stop_ids; size_t n_stop;
    qz_token_fn on_token; void *arg;      /* on_token may be NULL */
    uint32_t *out;                        /* [max_new], filled */
    qz_generated info;                    /* filled */
} qz_sequence;

typedef struct qz_session qz_session;
/* longest: tokens of a prompt and of what follows it, at most. */
qz_status qz_session_open(qz_engine *e, size_t width, size_t longest, qz_session **out, qz_error *err);
void qz_session_free(qz_session *s);
uint64_t qz_session_kv_bytes(const qz_session *s);
/* Looked at between steps; when it is true the sequences in flight end as cancelled. NULL: never. */
void qz_session_cancel_on(qz_session *s, const atomic_bool *cancel);

/* Decodes one sequence from an empty cache. */
qz_status qz_session_one(qz_session *s, qz_sequence *q, qz_error *err);
/* Where sequences come from and go to. next: NULL when there is none left; ended: may be NULL. */
typedef struct {
    qz_sequence *(*next)(void *arg);
    qz_status (*ended)(void *arg, qz_sequence *q, qz_error *err);
    void *arg;
} qz_sequences;
qz_status qz_session_run(qz_session *s, const qz_sequences *from, qz_error *err);
#endif
