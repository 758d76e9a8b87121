/* Log-likelihoods of continuations: what multiple choice is scored by. The continuations of one item share what they
 * begin with (their prompt), which is computed once: its cache is copied to each of them. Exact arithmetic makes the
 * figures independent of what else is in a step.
 *   qz_continuation c[4] = {{.ids = ids, .n = n, .from = n_prompt}, …}; qz_branches item = {c, 4};
 *   qz_loglikelihood_run(run, engine, &item, 1, &info, err); c[0].logprob …
 * Figures: lm-evaluation-harness 0.4.13, HFLM.loglikelihood. */
#ifndef QZ_EVAL_LOGLIKELIHOOD_H
#define QZ_EVAL_LOGLIKELIHOOD_H
#include "engine/engine.h"

typedef struct {
    const uint32_t *ids; size_t n; /* prompt and continuation; borrowed */
    size_t from;                   /* first id of the continuation, 1 .. n - 1 */
    double logprob;                /* filled: natural, summed over ids[from .. n) */
    bool greedy;                   /* filled: each of them was the most likely one */
} qz_continuation;
typedef struct { qz_continuation *at; size_t n; } qz_branches;
/* tokens that ran; whole: those of all continuations one by one */
typedef struct { size_t tokens, whole; } qz_loglikelihood_info;

/* QZ_EUSAGE: a continuation without a prompt or without ids. Ids of the vocabulary only. */
qz_status qz_loglikelihood_run(qz_run *run, qz_engine *e, const qz_branches *items, size_t n,
                               qz_loglikelihood_info *info, qz_error *err);
#endif
