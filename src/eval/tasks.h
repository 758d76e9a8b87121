/* Tasks: greedy answers, many sequences at once, checked and counted by kind; paired against the source. Exact
 * arithmetic makes the answers independent of the batch. */
#ifndef QZ_EVAL_TASKS_H
#define QZ_EVAL_TASKS_H
#include "engine/sampler.h"
#include "engine/engine.h"
#include "text/dataset.h"
#include "text/tasks.h"

typedef struct { char kind[32]; size_t solved, n; } qz_kind_score;
enum { QZ_TASK_KINDS = 64 };
/* In order of first appearance; what is beyond 64 is counted in the total only. */
typedef struct { qz_kind_score at[QZ_TASK_KINDS]; size_t n; } qz_task_parts;
typedef struct {
    size_t solved, n;
    qz_kind_score kinds[QZ_TASK_KINDS]; size_t n_kinds;
    qz_task_parts groups, languages, lengths; /* of tasks that have one; of all, by tokens of the prompt */
    uint8_t *pass;                            /* [n] owned: qz_task_score_release; of multiple choice: acc */
    uint8_t *json;                            /* [n] owned: of tasks whose check is json or json_schema 1 invalid, 2
                                               * valid; else 0 */
    size_t json_valid, json_n;
    double low, high;                         /* Wilson 95 % interval of the share, in percent */
    size_t tokens;                            /* generated */
    /* Multiple choice: the most likely option; by character, by byte of the option (lm-evaluation-harness' acc,
     * acc_norm, acc_bytes). Continuations: the most likely one token by token; their log-likelihoods' mean. */
    size_t choices, acc, acc_norm, acc_bytes, greedy, continuations;
    double loglikelihood;
    size_t computed, whole;                   /* tokens of choices that ran, and what they would be one by one */
    size_t cut;                               /* choices longer than the model's context, cut at the front */
    /* Sampled runs: [n] answers that solve, of `samples` each; pass then tells of the first. NULL: greedy. */
    uint32_t *correct;
    size_t samples;
} qz_task_score;

/* One answer, when it is there. text: of a choice NULL, and its log-likelihoods. */
typedef struct {
    size_t task, sample;
    bool solved;
    const char *text; size_t n;
    const double *logprob; const uint8_t *greedy; size_t n_logprob;
} qz_answered;
typedef struct {
    size_t batch, max_new;                    /* 0: 96 and 96 */
    size_t samples;                           /* 0: greedy; else answers a task, drawn as `sampling` says */
    qz_sampling sampling;                     /* its seed: of the first answer of the first task */
    qz_status (*answered)(void *arg, const qz_answered *a, qz_error *err); void *arg; /* NULL: nobody looks */
} qz_task_options;
qz_status qz_tasks_run(qz_run *run, qz_engine *e, const qz_tokenizer *t, const qz_taskset *set,
                       const qz_task_options *o, qz_task_score *out, qz_error *err);
void qz_task_score_release(qz_task_score *s);
/* Chance that one of k answers solves, of n answers of which c do: 1 - C(n-c, k) / C(n, k); mean over the tasks of a
 * sampled run (Chen et al. 2021, section 2.1). k at most its samples. */
double qz_pass_at(size_t n, size_t c, size_t k);
double qz_task_pass_at(const qz_task_score *s, size_t k);
/* Exact two-sided McNemar p of the discordant pairs: lost = solved by a only, won = solved by b only. */
double qz_mcnemar(size_t lost, size_t won);
void qz_wilson(size_t solved, size_t n, double *low_pct, double *high_pct);
#endif
