/* Tasks: greedy answers, many sequences at once, checked and counted by kind; paired against the source. Exact
 * arithmetic makes the answers independent of the batch. */
#ifndef QZ_EVAL_TASKS_H
#define QZ_EVAL_TASKS_H
#include "engine/engine.h"
#include "text/dataset.h"

typedef struct { char kind[32]; size_t solved, n; } qz_kind_score;
typedef struct {
    size_t solved, n;
    qz_kind_score kinds[64]; size_t n_kinds; /* in order of first appearance; kinds beyond 64
                                              * are counted in the total only */
    uint8_t *pass;                            /* [n] owned: qz_task_score_release */
    uint8_t *json;                            /* [n] owned: of tasks whose check is json 1 invalid, 2 valid; else 0 */
    size_t json_valid, json_n;
    double low, high;                         /* Wilson 95 % interval of the share, in percent */
    size_t tokens;                            /* generated */
} qz_task_score;

typedef struct { size_t batch, max_new; } qz_task_options; /* 0: 96 and 96 */
qz_status qz_tasks_run(qz_run *run, qz_engine *e, const qz_tokenizer *t, const qz_taskset *set,
                       const qz_task_options *o, qz_task_score *out, qz_error *err);
void qz_task_score_release(qz_task_score *s);
/* Exact two-sided McNemar p of the discordant pairs: lost = solved by a only, won = solved by b only. */
double qz_mcnemar(size_t lost, size_t won);
void qz_wilson(size_t solved, size_t n, double *low_pct, double *high_pct);
#endif
