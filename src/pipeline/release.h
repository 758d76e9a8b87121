/* The main job: calibrate once, write and prove every artifact, evaluate all on the same tokens, bench each, one report. */
#ifndef QZ_PIPELINE_RELEASE_H
#define QZ_PIPELINE_RELEASE_H
#include "pipeline/bench.h"
#include "pipeline/evaluate.h"
#include "pipeline/produce.h"

/* Everything the report shows; rows[0] is the source. */
typedef struct {
    const char *model;
    qz_measured *rows; size_t n_rows;
    qz_bench *bench; bool has_bench;
    qz_produced *made;            /* [n_rows − 1] */
    char set[160], token_hash[65], environment[256];
    const char *calibration;      /* one line */
    const char *accepted;         /* findings about its data that --accept let pass (text/accepted.h); NULL: none */
    const char *tasks, *text;
    double seconds;
    char source_sha[65], data_sha[65];
} qz_release_report;
/* DIR/report.md, DIR/report.json and one card per artifact; the table also as text. */
qz_status qz_release_write(const qz_release_report *r, const char *dir, qz_str *terminal, qz_error *err);
#endif
