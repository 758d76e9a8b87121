/* The main job: calibrate once, write and prove every artifact, evaluate all on the same tokens, bench each, one report. */
#ifndef QZ_PIPELINE_RELEASE_H
#define QZ_PIPELINE_RELEASE_H
#include "pipeline/bench.h"
#include "pipeline/evaluate.h"
#include "pipeline/outputs.h"
#include "pipeline/produce.h"

/* Everything the report shows; rows[0] is the source. */
typedef struct {
    const char *model;
    qz_measured *rows; size_t n_rows;
    qz_bench *bench; bool has_bench;
    qz_produced *made;            /* [n_rows − 1] */
    qz_eval_facts eval;
    char environment[256];
    const char *calibration;      /* one line */
    const char *accepted;         /* findings about its data that --accept let pass (text/accepted.h); NULL: none */
    const char *tasks, *text;
    double seconds;
    char source_sha[65], data_sha[65];
} qz_release_report;
/* DIR/report.md, DIR/report.json and one card per artifact, all or none; the table also as text. */
qz_status qz_release_write(const qz_release_report *r, const char *dir, qz_str *terminal, qz_error *err);

/* ---- its files (release_files.c) ---- */
typedef struct { const char *name; qz_str text; } qz_release_file;
/* Name and hash of each, as report.json lists them. */
void qz_release_list_files(const qz_release_file *f, size_t n, qz_str *s);
qz_status qz_release_files_write(const char *dir, const qz_release_file *f, size_t n, qz_error *err);
/* QZ_EUSAGE before any work if a file of the report stands there that is not this job's: report.json must be of the artifacts at paths[n]
 * and of the source whose hash is returned in source_sha ("": no report), the others as it lists them, or of a job that was killed.
 * With --force only what is no report of quantz is refused. The names have been claimed. */
qz_status qz_release_before(const qz_outputs *o, const qz_request *r, const char *const *paths, size_t n, char source_sha[65], qz_error *err);
#endif
