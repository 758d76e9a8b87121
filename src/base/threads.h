/* A small pool with a static split: qz_pool_run calls fn(arg, i, n) once for each thread i of n and returns
 * when all are done. Work that is split by i must give results that do not depend on n. Workers spin a
 * short while before they sleep, so that the many small steps of decoding stay cheap.
 * A NULL pool runs fn(arg, 0, 1) in the caller. Not reentrant. */
#ifndef QZ_BASE_THREADS_H
#define QZ_BASE_THREADS_H
#include <stddef.h>
#include "base/status.h"

typedef struct qz_pool qz_pool;
typedef void (*qz_pool_fn)(void *arg, size_t i, size_t n);
/* n = 0: number of CPUs this process may use. */
qz_status qz_pool_open(qz_pool **out, size_t n, qz_error *err);
void qz_pool_free(qz_pool *p);
size_t qz_pool_size(const qz_pool *p);   /* NULL: 1 */
void qz_pool_run(qz_pool *p, qz_pool_fn fn, void *arg);
/* Barrier for use inside fn: all n threads of the running job meet. */
void qz_pool_barrier(qz_pool *p);
/* The part [*lo, *hi) of `total` items that thread i of n owns, in multiples of `grain`. */
void qz_split(size_t total, size_t grain, size_t i, size_t n, size_t *lo, size_t *hi);
#endif
