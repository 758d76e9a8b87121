/* The main job: calibrate once, write and prove every artifact, evaluate all on the same tokens, bench
 * each, one report. */
#ifndef QZ_PIPELINE_RELEASE_H
#define QZ_PIPELINE_RELEASE_H
#include "pipeline/bench.h"
#include "pipeline/evaluate.h"
#include "produce/outputs.h"
#include "produce/produce.h"
#include "report/release_report.h"

/* ---- its files (release_files.c) ---- */
/* All of them get their names together, or none does. */
qz_status qz_release_files_write(const char *dir, const qz_release_file *f, size_t n, qz_error *err);
/* QZ_EUSAGE before any work if a file of the report stands there that is not this job's: report.json must be of the
 * artifacts at paths[n] and of the source whose hash is returned in source_sha ("": no report), the others as it lists
 * them, or of a job that was killed. With --force only what is no report of quantz is refused. The names
 * have been claimed. */
qz_status qz_release_before(const qz_outputs *o, const qz_request *r, const char *const *paths, size_t n,
                            char source_sha[65], qz_error *err);
#endif
