/* The writer of a planned GGUF artifact: one file after the other, each under its temporary name until all are
 * there. */
#ifndef QZ_ARTIFACTS_GGUF_SINK_H
#define QZ_ARTIFACTS_GGUF_SINK_H
#include "artifacts/artifacts_int.h"

/* items: tensors of the part, a stack of experts is one */
typedef struct { qz_gguf_meta meta; qz_gguf_item *items; size_t n; } qz_gguf_part;
typedef struct { qz_gguf_part *parts; size_t n; } qz_gguf_plan; /* impl of a plan */

qz_status qz_gguf_sink_open(qz_artifact_writer *w, size_t done, qz_error *err);
qz_status qz_gguf_sink_write(qz_artifact_writer *w, const void *bytes, size_t n, qz_error *err);
qz_status qz_gguf_sink_flush(qz_artifact_writer *w, qz_error *err);
qz_status qz_gguf_sink_finish(qz_artifact_writer *w, qz_error *err);
qz_status qz_gguf_sink_begins(const qz_artifact_plan *p, const char *path, bool *yes, qz_error *err);
qz_status qz_gguf_sink_file_begins(const qz_artifact_plan *p, size_t f, const char *path, bool *yes, qz_error *err);
size_t qz_gguf_sink_resume_at(const qz_artifact_plan *p, size_t done);
void qz_gguf_sink_close(qz_artifact_writer *w, bool keep);
#endif
