/* The part of the verb convert that makes a LoRA adapter a GGUF file. */
#ifndef QZ_PIPELINE_CONVERT_ADAPTER_H
#define QZ_PIPELINE_CONVERT_ADAPTER_H
#include "produce/request.h"
#include "base/status.h"

bool qz_is_adapter(const char *path);
qz_status qz_run_adapter(qz_run *run, const qz_request *r, qz_error *err);
#endif
