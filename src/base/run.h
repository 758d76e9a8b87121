/* The context of one run: threads, CPU level, seed, log, progress, memory bound. Passed down by pointer;
 * no globals. qz_run_init fills defaults; qz_run_release stops the pool.
 * Log and progress go to stderr, or to the hook of whoever embeds the library (api/); stdout carries results only. */
#ifndef QZ_BASE_RUN_H
#define QZ_BASE_RUN_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include "base/status.h"
#include "base/threads.h"

typedef enum { QZ_CPU_REF = 0, QZ_CPU_AVX2 = 1, QZ_CPU_AVX512 = 2, QZ_CPU_LEVELS = 3 } qz_cpu_level;

/* Lines and progress for a caller that is no terminal; any function may be NULL. Called by the thread that made the
 * call. progress: ten times a second at most, and always at the end of a stage (done == total). */
typedef struct {
    void (*line)(void *arg, bool warning, const char *text);
    void (*progress)(void *arg, const char *stage, uint64_t done, uint64_t total, const char *unit);
    void *arg;
} qz_run_hook;

typedef struct qz_run {
    qz_pool *pool;          /* NULL = one thread */
    qz_cpu_level cpu;       /* highest level to use: min(detected, asked) */
    uint64_t seed;
    const char *accept;     /* codes of findings about a model that the user takes, with
                             * commas; "*": all, for verbs that only look */
    bool loose;             /* open folders of any family, by names and shapes alone (artifacts/loose.h) */
    bool quiet, tty;
    bool progress_json;     /* progress as lines of JSON, quiet or not */
    FILE *log;              /* NULL = silent */
    const qz_run_hook *hook; /* beside the log; NULL = none */
    double progress_last;   /* seconds of the last progress line */
    double progress_start;
    bool progress_by_layer; /* the stage's work was seen inside layers: the ETA goes by them */
    size_t warnings;        /* counted by qz_warn */
    uint64_t said[64];      /* hashes of what the _once functions have said */
    size_t n_said;
} qz_run;

qz_status qz_run_init(qz_run *run, size_t threads, qz_error *err);
void qz_run_release(qz_run *run);
/* Lines on run->log (NULL run or log: silent). warn is prefixed "quantz: warning: " and counted. */
void qz_info(qz_run *run, const char *fmt, ...) QZ_PRINTF(2, 3);
void qz_warn(qz_run *run, const char *fmt, ...) QZ_PRINTF(2, 3);
/* The same for what every further opening of a file would say again: a line that was said in this run is
 * not repeated. */
void qz_info_once(qz_run *run, const char *fmt, ...) QZ_PRINTF(2, 3);
void qz_warn_once(qz_run *run, const char *fmt, ...) QZ_PRINTF(2, 3);
/* Progress of a stage over a second long: "stage  layer i/L, done/total unit  rate  ETA", on a terminal; with
 * progress_json a line of JSON on the log each second and at the end of a stage, terminal or not.
 * begin sets the clock; step may be called as often as wanted; end wipes the line. */
typedef struct {
    const char *stage, *unit;
    uint64_t done, total;   /* of the unit, within the layer where there are layers */
    uint64_t layer, layers; /* the layer at work, from 1 (0: before or behind them); layers 0: a stage without layers */
    bool whole;             /* done and total are of all layers together; where a stage also said rows inside its
                             * layers, the work comes layer by layer, and so does the ETA */
    uint64_t tokens;        /* that have been worked on since begin; 0: not counted */
} qz_progress;
void qz_progress_begin(qz_run *run);
void qz_progress_at(qz_run *run, const qz_progress *p);
/* The same without layers and tokens. */
void qz_progress_step(qz_run *run, const char *stage, uint64_t done, uint64_t total, const char *unit);
void qz_progress_end(qz_run *run);
#endif
