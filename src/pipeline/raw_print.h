/* What `inspect` and `plan` show of a container that this program cannot run (artifacts/raw.h). */
#ifndef QZ_PIPELINE_RAW_PRINT_H
#define QZ_PIPELINE_RAW_PRINT_H
#include "artifacts/raw.h"
#include "pipeline/request.h"

/* Opens the container and prints head, sizes and metadata (or the table of tensors, or JSON as r asks). `why`: what the opener said. */
qz_status qz_raw_show(const char *path, const qz_request *r, const qz_error *why, qz_str *out, qz_error *err);
#endif
