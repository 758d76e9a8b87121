/* One function a verb: joins stages, returns the exit status through qz_status, prints through report/. */
#ifndef QZ_PIPELINE_VERBS_H
#define QZ_PIPELINE_VERBS_H
#include "produce/request.h"

#define QZ_VERB(name) qz_status qz_run_##name##_verb(qz_run *run, const qz_request *r, qz_error *err);
#include "pipeline/verbs.def"
#undef QZ_VERB
#endif
