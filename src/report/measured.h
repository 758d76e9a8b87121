/* What one model costs: a row of eval's and release's tables. pipeline/evaluate.h and bench.h fill it. */
#ifndef QZ_REPORT_MEASURED_H
#define QZ_REPORT_MEASURED_H
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
    qz_task_score tasks;
    double mcnemar;          /* -1: no pair */
    size_t lost, won;
    size_t dropped, ignored_keys;  /* stored tensors and keys of the configuration that nothing reads, taken with --accept */
    char dropped_names[320], ignored_names[320];
    size_t beyond;                 /* positions of the text beyond the model's context */
    qz_config_keys keys;           /* of the configuration: what was not read */
} qz_measured;

/* Speed and memory of one artifact. */
typedef struct {
    qz_latency speed;
    double load_seconds;      /* open + engine, weights in page cache */
    uint64_t peak_rss, engine_bytes;
    double load_average;      /* of one minute, before the measurement */
    double switches;          /* times a second that the kernel took a CPU from it */
    bool loaded;              /* other programs had a part in these figures */
    char kernel[96];          /* kernel of the block linears */
    char cpu[16];
} qz_bench;

/* `eval --json`: one row a model. */
qz_status qz_evaluate_json(const qz_measured *m, size_t n, qz_str *out, qz_error *err);
/* On the terminal one model is a list of figures. */
void qz_measured_print(const qz_measured *x, qz_str *out);

/* The table of `bench`, or that of --json, which has all numbers; a row for each model. */
qz_status qz_bench_table(bool json, qz_arena *arena, qz_table *t, qz_error *err);
qz_status qz_bench_row(qz_table *t, bool json, const char *name, const qz_model *m, const qz_bench *b, double bandwidth, qz_error *err);
#endif
