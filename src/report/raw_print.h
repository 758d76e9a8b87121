/* What `inspect` and `plan` show of a container that this program cannot run (artifacts/raw.h). */
#ifndef QZ_REPORT_RAW_PRINT_H
#define QZ_REPORT_RAW_PRINT_H
#include "artifacts/raw.h"

typedef struct { bool tensors, json; } qz_raw_view;
/* What is shown instead of a model that could not be opened (`st` and `why`: what the opener said): the container, if
 * it is well-formed and none of ours; else that error, as the verb's. */
qz_status qz_raw_instead(const char *path, qz_raw_view as, const qz_error *why, qz_status st, qz_str *out,
                         qz_error *err);
/* Opens the container and prints head, sizes and metadata (or the table of tensors). `why`: what the opener said. */
qz_status qz_raw_show(const char *path, qz_raw_view as, const qz_error *why, qz_str *out, qz_error *err);
#endif
