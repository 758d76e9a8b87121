/* One function a verb: joins stages, returns the exit status through qz_status, prints through report/. */
#ifndef QZ_PIPELINE_VERBS_H
#define QZ_PIPELINE_VERBS_H
#include "pipeline/request.h"

qz_status qz_run_release_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_quantize_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_calibrate_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_eval_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_bench_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_run_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_inspect_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_verify_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_convert_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_diff_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_plan_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_check_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_explain_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_pick_verb(qz_run *run, const qz_request *r, qz_error *err);
qz_status qz_run_types_verb(qz_run *run, const qz_request *r, qz_error *err);
#endif
