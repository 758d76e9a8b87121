/* The answers of tasks as JSONL, for --task-log: a line an answer, in the order in which they end. */
#ifndef QZ_REPORT_TASK_LOG_H
#define QZ_REPORT_TASK_LOG_H
#include "base/str.h"
#include "eval/tasks.h"

typedef struct { qz_str *out; const char *artifact; const qz_taskset *set; } qz_task_log;
/* For qz_task_options.answered; arg: a qz_task_log. */
qz_status qz_task_log_line(void *arg, const qz_answered *a, qz_error *err);
#endif
