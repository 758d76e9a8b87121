/* Jobs on GGUF files as they are: parts joined, a file cut into parts, keys edited. Tensors' bytes never change. */
#ifndef QZ_PIPELINE_GGUF_JOBS_H
#define QZ_PIPELINE_GGUF_JOBS_H
#include "base/arena.h"
#include "produce/outputs.h"
#include "report/gguf_print.h"

/* operands of r: what stands behind the sub-command. *d lives in the arena. */
qz_status qz_gguf_merge_job(qz_run *run, const qz_request *r, qz_arena *a, qz_gguf_done *d, qz_error *err);
qz_status qz_gguf_split_job(qz_run *run, const qz_request *r, qz_arena *a, qz_gguf_done *d, qz_error *err);
qz_status qz_gguf_edit_job(qz_run *run, const qz_request *r, bool unset, qz_arena *a, qz_gguf_done *d, qz_error *err);
/* An edit that was interrupted is taken back. */
qz_status qz_gguf_repair_job(qz_run *run, const qz_request *r, qz_arena *a, qz_gguf_done *d, qz_error *err);
#endif
