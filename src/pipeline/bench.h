/* Speed and memory of one artifact, measured in a child process so that its peak memory is its own. */
#ifndef QZ_PIPELINE_BENCH_H
#define QZ_PIPELINE_BENCH_H
#include "eval/latency.h"
#include "pipeline/request.h"

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
/* Forks; the child runs the measurement with the same number of threads. */
qz_status qz_bench_run(const qz_request *r, const char *path, qz_bench *out, qz_error *err);
/* CPU model, threads, ISA level, memory: one line. */
void qz_environment(const qz_run *run, char *out, size_t n);
#endif
