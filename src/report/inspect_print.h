/* What `inspect` shows of a model. */
#ifndef QZ_REPORT_INSPECT_PRINT_H
#define QZ_REPORT_INSPECT_PRINT_H
#include "artifacts/source.h"
#include "base/table.h"

/* Shape, sizes, what is not used, the manifest of the artifact at path. */
void qz_inspect_text(const qz_source *s, const char *path, qz_str *out);
/* `inspect --json`: one object and a newline. */
void qz_inspect_json(const qz_source *s, qz_str *out);
/* A row for each stored tensor. */
qz_status qz_inspect_tensors(const qz_model *m, qz_arena *a, qz_table *t, qz_error *err);
#endif
