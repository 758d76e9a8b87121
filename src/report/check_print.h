/* What `check` shows: the input, memory, engines, findings. Appends to strings. */
#ifndef QZ_REPORT_CHECK_PRINT_H
#define QZ_REPORT_CHECK_PRINT_H
#include "deploy/check_job.h"

qz_status qz_check_text(qz_check_job *j, qz_str *s, qz_error *err);
qz_status qz_check_json(qz_check_job *j, qz_str *s, qz_error *err);
#endif
