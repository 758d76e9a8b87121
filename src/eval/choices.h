/* Private to eval: the tasks of a set that are scored by log-likelihood. */
#ifndef QZ_EVAL_CHOICES_H
#define QZ_EVAL_CHOICES_H
#include "eval/tasks.h"

typedef struct {
    qz_run *run;
    qz_engine *e;
    const qz_tokenizer *t;
    const qz_taskset *set;
    const qz_task_options *o;
} qz_choice_job;
/* Fills pass of those tasks, and the counts of choices and continuations. None of them: QZ_OK, nothing is done. */
qz_status qz_task_choices_run(const qz_choice_job *job, qz_task_score *out, qz_error *err);
#endif
