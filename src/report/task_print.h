/* Private to report/: what tasks gave, as lines and as JSON. */
#ifndef QZ_REPORT_TASK_PRINT_H
#define QZ_REPORT_TASK_PRINT_H
#include "base/json_write.h"
#include "report/measured.h"

void qz_tasks_json(const qz_measured *x, qz_json_writer *w); /* into an open object */
void qz_tasks_print(const qz_measured *x, qz_str *out);
#endif
