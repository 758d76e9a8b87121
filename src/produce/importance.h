/* Importance vectors for GGUF types: an importance matrix file (--imatrix) or calibration statistics. */
#ifndef QZ_PRODUCE_IMPORTANCE_H
#define QZ_PRODUCE_IMPORTANCE_H
#include "artifacts/artifact.h"
#include "produce/produce.h"

/* Key of an importance matrix (GGUF) that holds the SHA-256 of the weights it was measured on, as
 * qz_source_hash makes it. */
#define QZ_IMATRIX_SOURCE_KEY "quantz.source_sha256"

/* Reads path (NULL: nothing) and sets imp->imatrix and the provenance fields of o. */
qz_status qz_importance_open(const char *path, qz_arena *arena, qz_importance *imp, qz_produce_options *o,
                             qz_error *err);
void qz_importance_close(qz_importance *imp);
/* Before any tensor is encoded: which tensors of the plan have importance, which have none, whose values cannot be used
 * as they are (named as warnings), which entries nothing uses; fills out->importance_*. QZ_EFORMAT: the matrix covers
 * nothing, or has other widths. */
qz_status qz_importance_survey(qz_run *run, const qz_artifact_plan *plan, const qz_importance *imp,
                               const qz_produce_options *o, qz_produced *out, qz_error *err);
#endif
