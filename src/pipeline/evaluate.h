/* Evaluates a source and artifacts on one text and one task file: everybody sees the same tokens. */
#ifndef QZ_PIPELINE_EVALUATE_H
#define QZ_PIPELINE_EVALUATE_H
#include "eval/score.h"
#include "eval/tasks.h"
#include "pipeline/request.h"
#include "artifacts/source.h"

typedef struct {
    char name[160], container[32], encoding[64], contract[64], path[512];
    uint64_t file_bytes, peak_rss;
    double bits_per_weight;
    bool scored;
    qz_score score;
    qz_task_score tasks;
    double mcnemar;          /* -1: no pair */
    size_t lost, won;
    size_t dropped, ignored_keys;  /* stored tensors and keys of the configuration that nothing reads, taken with --accept */
    char dropped_names[320], ignored_names[320];
    size_t beyond;                 /* positions of the text beyond the model's context */
    qz_config_keys keys;           /* of the configuration: what was not read */
} qz_measured;
void qz_measured_release(qz_measured *m);

/* out[0] is the source when given, then the artifacts in order; *n entries. set: description of the protocol. Uses r->text,
 * r->tasks, protocol and batch fields, r->arith (exact by default). */
qz_status qz_evaluate(qz_run *run, const qz_request *r, const char *source, const char *const *artifacts, size_t n_artifacts, qz_measured *out,
                      size_t *n, char set[160], char token_hash[65], qz_error *err);
qz_status qz_arith_parse(const char *text, qz_arith *out, qz_error *err);
#endif
