/* What one model costs: a row of eval's and release's tables. pipeline/evaluate.h and bench.h fill it. */
#ifndef QZ_REPORT_MEASURED_H
#define QZ_REPORT_MEASURED_H
#include "artifacts/maker.h"
#include "base/json_write.h"
#include "base/str.h"
#include "base/table.h"
#include "eval/latency.h"
#include "eval/score.h"
#include "eval/tasks.h"
#include "model/model.h"

typedef struct {
    char name[160], container[32], encoding[64], contract[64], path[512];
    uint64_t file_bytes, peak_rss;
    double bits_per_weight;
    bool scored;
    qz_score score;
    qz_str worst[QZ_WORST_TOKENS]; /* of score.worst: text before the token, NUL, its own text; empty: no tokenizer */
    bool scored_runtime;           /* the same tokens in runtime arithmetic: only beside exact figures and a source */
    qz_score runtime;
    char kernel[112];              /* of the runtime arithmetic */
    char inputs[48];               /* how it rounds inputs as servers do ("fp8 token"); "": it does not */
    double bits_per_byte;          /* of the scored text; 0: no tokenizer, so no bytes */
    char made_from[65];            /* source_sha256 that the artifact names, where it is not the source's; else "" */
    bool source_named;             /* the artifact names the source by its hash, or by that of its origin */
    qz_maker maker;                /* with --others: who made it, as it says */
    bool upload, on_line;          /* one of --others; no other row is as small and as near the source */
    qz_task_score tasks;
    double mcnemar;          /* -1: no pair */
    size_t lost, won;
    double json_mcnemar;     /* the same of "is JSON at all", over the tasks that ask for JSON */
    size_t json_lost, json_won;
    size_t dropped, ignored_keys;  /* stored tensors and keys of the configuration that
                                    * nothing reads, taken with --accept */
    char dropped_names[320], ignored_names[320];
    size_t beyond;                 /* positions of the text beyond the model's context */
    qz_config_keys keys;           /* of the configuration: what was not read */
} qz_measured;

/* --others: models found, and those not compared. */
typedef struct { const char *path, *why; } qz_upload_skipped;
typedef struct { size_t found, no_model; qz_upload_skipped *skipped; size_t n_skipped; } qz_uploads;

/* What all rows were measured on. */
typedef struct {
    char set[160];           /* protocol in words; "": no text */
    char token_hash[65];
    size_t skipped;          /* texts of fewer than two tokens */
    size_t scored_bytes;     /* of the text behind the scored tokens; 0: no tokenizer */
    const char *arith;       /* "exact", "runtime" or QZ_ARITH_BOTH */
    const char *const *adapters; size_t n_adapters; /* --lora: beside every model */
    char source_sha[65];     /* of --against, if an artifact names its source; "": not hashed */
    const qz_uploads *uploads; /* --others; NULL: not asked for */
    qz_str task_log;         /* --task-log: a line an answer; the caller's to release */
} qz_eval_facts;

/* Exact figures, and the KL of the runtime's own arithmetic beside them. */
#define QZ_ARITH_BOTH "both"
/* Of a contract that rounds inputs ("W8A8 fp8") what exact arithmetic measures: the weights alone, "W8A16". */
const char *qz_exact_contract(const char *contract, char buf[64]);
/* "W4A16" of exact arithmetic, as the runtime's kernel has it: "W4A8" where it rounds activations to 8 bits; the full
 * contract where inputs are rounded as served. */
const char *qz_runtime_contract(const char *contract, const char *kernel, char buf[64]);

/* Speed and memory of one artifact. */
typedef struct {
    qz_latency speed;
    double load_seconds;      /* open + engine, weights in page cache */
    uint64_t peak_rss, engine_bytes;
    double load_average;      /* of one minute, before the measurement */
    double switches;          /* times a second that the kernel took a CPU from it */
    bool loaded;              /* other programs had a part in these figures */
    char kernel[112];         /* kernel of the block linears */
    char cpu[16];
} qz_bench;

/* Into an open object: what it is, its figures and tasks, and what nothing read (`lost`: the row that knows; an
 * artifact lost what its source lost). */
void qz_measured_json(const qz_measured *x, const qz_measured *lost, qz_json_writer *w);
/* Into an open object: what the tables of bench and release have in common. */
void qz_speed_json(const qz_bench *b, qz_json_writer *w);
/* `eval --json`: what all were measured on, then one row a model. */
qz_status qz_evaluate_json(const qz_measured *m, size_t n, const qz_eval_facts *facts, qz_str *out, qz_error *err);
/* On the terminal one model is a list of figures. */
void qz_measured_print(const qz_measured *x, qz_str *out);

/* The table of `bench`, a row for each model; and --json, which has all numbers. */
qz_status qz_bench_table(qz_arena *arena, qz_table *t, qz_error *err);
qz_status qz_bench_row(qz_table *t, const char *name, const qz_model *m, const qz_bench *b, double bandwidth,
                       qz_error *err);
/* governor NULL: not known */
typedef struct { const char *machine, *governor; size_t threads; double bandwidth; } qz_bench_facts;
void qz_bench_json_begin(qz_json_writer *w, const qz_bench_facts *f, qz_str *out);
void qz_bench_json_row(qz_json_writer *w, const char *name, const qz_model *m, const qz_bench *b, double bandwidth);
void qz_bench_json_end(qz_json_writer *w);
#endif
