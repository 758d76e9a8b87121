/* Speed and memory of one artifact, measured in a child process so that its peak memory is its own. */
#ifndef QZ_PIPELINE_BENCH_H
#define QZ_PIPELINE_BENCH_H
#include "produce/request.h"
#include "report/measured.h"

/* Forks; the child runs the measurement with the same number of threads. */
qz_status qz_bench_run(const qz_request *r, const char *path, qz_bench *out, qz_error *err);
/* CPU model, threads, ISA level, memory: one line. */
void qz_environment(const qz_run *run, char *out, size_t n);
#endif
