/* Inside of the bitsandbytes scheme: the text of a quant_state and the reader (bnb_read.c). */
#ifndef QZ_ARTIFACTS_BNB_INT_H
#define QZ_ARTIFACTS_BNB_INT_H
#include "artifacts/folder.h"

enum { QZ_BNB_STATE = 320, QZ_BNB_NUMBER = 22 }; /* longest text; longest number of a float32 printed as double */

/* The library's JSON for an item; returns its length, which does not depend on the offset. */
size_t qz_bnb_state_text(const qz_scheme_spec *s, const qz_artifact_item *it, float offset, char out[QZ_BNB_STATE]);

qz_status qz_bnb_detect(const char *path, bool *yes, qz_error *err);
qz_status qz_bnb_read_model(qz_run *run, const char *path, qz_model **out, qz_error *err);
#endif
