/* What making an artifact costs on this machine before it starts: peak memory, peak disk, time (C-130, U-18). */
#ifndef QZ_PLAN_JOB_H
#define QZ_PLAN_JOB_H
#include "plan/memory.h"

typedef struct {
    uint64_t source_bytes;        /* read, mapped */
    uint64_t output_bytes;        /* written, files in total */
    uint64_t peak_disk;           /* new bytes on disk at the worst moment: partial output, statistics */
    uint64_t stats_bytes;         /* calibration statistics on disk, 0 without */
    uint64_t peak_ram;            /* resident: one block in float, its Gram matrices, activations, buffers */
    double seconds;               /* estimate from rates measured on this program (docs/benchmarks.md) */
    const char *bound;            /* what takes most of them: "encoding", "calibration", "products" (of error
                                   * feedback and descent), "factors" (of Gram matrices), "ranges" (of groups) */
    bool calibrates;
} qz_job;
/* samples × seq_len calibration tokens for methods that need statistics; threads for the time estimate. */
qz_status qz_job_plan(const qz_shape *s, qz_level l, uint64_t samples, uint64_t seq_len, uint64_t threads, qz_job *out,
                      qz_error *err);
/* QZ_EUSAGE with the numbers if free_bytes cannot hold the peak of the disk, or ram_bytes (0: unknown) that
 * of the memory. */
qz_status qz_job_check_disk(const qz_job *j, uint64_t free_bytes, const char *where, qz_error *err);
qz_status qz_job_check_ram(const qz_job *j, uint64_t ram_bytes, qz_error *err);
#endif
