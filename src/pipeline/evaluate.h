/* Evaluates a source and artifacts on one text and one task file: everybody sees the same tokens. */
#ifndef QZ_PIPELINE_EVALUATE_H
#define QZ_PIPELINE_EVALUATE_H
#include "eval/score.h"
#include "eval/tasks.h"
#include "pipeline/request.h"
#include "pipeline/source.h"

typedef struct {
    char name[160], container[32], encoding[64], contract[64], path[512];
    uint64_t file_bytes, peak_rss;
    double bits_per_weight;
    bool scored;
    qz_score score;
    bool scored_runtime;           /* the same tokens in runtime arithmetic: only beside exact figures and a source */
    qz_score runtime;
    char kernel[64];               /* of the runtime arithmetic */
    double bits_per_byte;          /* of the scored text; 0: no tokenizer, so no bytes */
    char made_from[65];            /* source_sha256 that the artifact names, where it is not the source's; "": equal or unknown */
    qz_task_score tasks;
    double mcnemar;          /* -1: no pair */
    size_t lost, won;
    size_t dropped, ignored_keys;  /* stored tensors and keys of the configuration that nothing reads, taken with --accept */
    char dropped_names[320], ignored_names[320];
    size_t beyond;                 /* positions of the text beyond the model's context */
    qz_config_keys keys;           /* of the configuration: what was not read */
} qz_measured;
void qz_measured_release(qz_measured *m);

/* What all rows were measured on. */
typedef struct {
    char set[160];           /* protocol in words; "": no text */
    char token_hash[65];
    size_t skipped;          /* texts of fewer than two tokens */
    size_t scored_bytes;     /* of the text behind the scored tokens; 0: no tokenizer */
    const char *arith;       /* "exact", "runtime" or QZ_ARITH_BOTH */
    char source_sha[65];     /* of --against, if an artifact names its source; "": not hashed */
} qz_eval_facts;

/* Exact figures, and the KL of the runtime's own arithmetic beside them. */
#define QZ_ARITH_BOTH "both"

/* out[0] is the source when given, then the artifacts in order; *n entries. Uses r->text, r->tasks, protocol and batch fields,
 * r->arith (both by default). Models that would read r->text as other tokens than the first one are QZ_EUSAGE. */
qz_status qz_evaluate(qz_run *run, const qz_request *r, const char *source, const char *const *artifacts, size_t n_artifacts, qz_measured *out,
                      size_t *n, qz_eval_facts *facts, qz_error *err);
/* "W4A16" of exact arithmetic, as the runtime's kernel has it: "W4A8" where it rounds activations to 8 bits. */
const char *qz_runtime_contract(const char *contract, const char *kernel, char buf[64]);
qz_status qz_arith_parse(const char *text, qz_arith *out, qz_error *err);
#endif
