/* The pages of a release: one table in the terminal, report.md, report.json, a card for each artifact. */
#ifndef QZ_REPORT_RELEASE_REPORT_H
#define QZ_REPORT_RELEASE_REPORT_H
#include "report/gate_print.h"
#include "report/measured.h"
#include "report/output_error.h"

/* What making an artifact told (produce/produce.h). */
typedef struct {
    double seconds, weight_mse, self_kl;
    size_t fallbacks, uncorrected, norms_kept;
    size_t importance_tensors, importance_covered; /* tensors that an importance matrix
                                                    * decides, and those that had one */
    const char *greedy, *proof_text, *note;
    const char *block_errors;          /* JSON (artifacts/block_errors.h); NULL: none */
    const qz_output_error *output_error;
} qz_release_made;

typedef struct { const char *name; qz_str text; } qz_release_file;
/* Everything the report shows; rows[0] is the source. */
typedef struct {
    const char *model, *version;  /* of quantz */
    qz_measured *rows; size_t n_rows;
    qz_bench *bench; bool has_bench;
    const qz_release_made *made;  /* [n_rows − 1] */
    qz_eval_facts eval;
    char environment[256];
    const char *calibration;      /* one line */
    const char *accepted;         /* findings about its data that --accept let pass (text/accepted.h); NULL: none */
    const char *tasks, *text;
    double bandwidth;             /* read bandwidth of the machine, GB/s; 0: not measured */
    const qz_gate_view *gate;     /* the verdicts of --gate, by the artifacts' names; NULL: none */
    bool html;                    /* report.html beside the others */
    double seconds;
    char source_sha[65], data_sha[65];
} qz_release_report;
/* report.md, report.html where asked for, one card per artifact and last report.json, which lists them with their
 * hashes: n files in the arena
 * (their texts are released by the caller, whatever is returned); the table also as text for the terminal. */
qz_status qz_release_pages(const qz_release_report *r, qz_arena *a, qz_release_file **files, size_t *n,
                           qz_str *terminal, qz_error *err);
#endif
