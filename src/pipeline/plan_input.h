/* The model that `plan` was asked about. */
#ifndef QZ_PIPELINE_PLAN_INPUT_H
#define QZ_PIPELINE_PLAN_INPUT_H
#include "report/plan_view.h"

/* Opens the operand: built-in shape, config.json, folder, GGUF. Fills shape, source, opened. */
qz_status qz_plan_open_model(qz_run *run, const char *operand, qz_plan_view *v, qz_error *err);
#endif
