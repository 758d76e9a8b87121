/* eval --others: uploads of one model, by whomever, that can be held against its source: the same shape and the same
 * tokens for the text. What cannot be compared is listed with its reason, and the run goes on. */
#ifndef QZ_PIPELINE_OTHERS_H
#define QZ_PIPELINE_OTHERS_H
#include "pipeline/evaluate.h"

typedef struct {
    const char **paths, **names; size_t n; /* names: below the folder that was given, "org/model-Q4_K_M" */
    qz_uploads said;                       /* what was found, and what not taken */
    qz_arena arena;
} qz_others;
/* r->others against r->against on r->text; operands of r are taken first and never twice. QZ_EUSAGE: an option that is
 * missing, a path that is not there, nothing that can be compared. Released whatever is returned. */
qz_status qz_others_find(qz_run *run, const qz_request *r, qz_others *out, qz_error *err);
void qz_others_release(qz_others *o);
/* Rows of qz_evaluate, out[0] the source, the last o->n of n the uploads: names, makers, the line of size and KL. */
void qz_others_tell(const qz_others *o, qz_measured *out, size_t n);
#endif
