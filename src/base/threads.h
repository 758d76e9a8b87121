/* A small pool. A job is cut into parts; every part runs once, on whichever thread is awake to take it: its own share
 * of the parts first (consecutive ones, so that weights are read as a stream), then what the others have not begun. A
 * thread that the kernel has taken off its CPU therefore holds up at most the part it is in. Results must not depend on
 * who runs a part nor on the number of parts. Waiting is a short spin, then sleep. Where threads were seen to be taken
 * away, small jobs run on the caller alone for a while (threads.c). A NULL pool runs the parts in the caller.
 * Not reentrant. */
#ifndef QZ_BASE_THREADS_H
#define QZ_BASE_THREADS_H
#include <stddef.h>
#include "base/status.h"

typedef struct qz_pool qz_pool;
/* Part i of n of a job; `thread` < qz_pool_size runs it (for scratch memory: no two parts at a time share a thread). */
typedef struct { size_t i, n, thread; } qz_part;
typedef void (*qz_pool_fn)(void *arg, qz_part part);
/* n = 0: qz_cpus(). More than 1024: QZ_EUSAGE. */
qz_status qz_pool_open(qz_pool **out, size_t n, qz_error *err);
void qz_pool_free(qz_pool *p);
size_t qz_pool_size(const qz_pool *p);   /* NULL: 1 */
/* Threads that can run at a time here: the CPUs of the process's mask, or fewer under a cgroup's quota. At least 1. */
size_t qz_cpus(void);
/* fn for each of `parts` parts; returns when all are done. 0: a few for each thread. */
void qz_pool_run(qz_pool *p, size_t parts, qz_pool_fn fn, void *arg);
/* The share [*lo, *hi) of `total` items that a part owns, in multiples of `grain`. */
void qz_split(size_t total, size_t grain, qz_part part, size_t *lo, size_t *hi);
#endif
