/* Importance vectors for GGUF types: an importance matrix file (--imatrix) or calibration statistics. */
#ifndef QZ_PIPELINE_IMPORTANCE_H
#define QZ_PIPELINE_IMPORTANCE_H
#include "pipeline/produce.h"

/* Reads path (NULL: nothing) and sets imp->imatrix and the provenance fields of o. */
qz_status qz_importance_open(const char *path, const qz_model *m, qz_arena *arena, qz_importance *imp, qz_produce_options *o, qz_error *err);
void qz_importance_close(qz_importance *imp);
#endif
