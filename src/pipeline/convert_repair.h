/* The part of the verb convert that mends a folder in its own scheme (--repair). */
#ifndef QZ_PIPELINE_CONVERT_REPAIR_H
#define QZ_PIPELINE_CONVERT_REPAIR_H
#include "produce/request.h"
#include "base/status.h"

/* Prints what was found and mended; nothing to repair: says so and writes nothing. */
qz_status qz_run_repair(qz_run *run, const qz_request *r, qz_error *err);
#endif
