/* The memory plan of a model under one level: weights, KV cache, buffers, against what a device has; and its inverses.
 * qz_memory_query q = {.shape = s, .level = l, .kv = t, .users = 1, .ctx = 4096, .reserve = 0.2}; qz_memory_plan(&q,
 * &m, err); All sizes in bytes. Nothing is rounded before printing. */
#ifndef QZ_PLAN_MEMORY_H
#define QZ_PLAN_MEMORY_H
#include "plan/hardware.h"
#include "plan/kv.h"
#include "plan/levels.h"

typedef struct {
    const qz_shape *shape;
    qz_level level;           /* QZ_LEVEL_COUNT: none, weight_bytes alone */
    bool imatrix;
    qz_kv_types kv;
    uint64_t users, ctx;
    uint64_t capacity;        /* bytes of one device; 0 = no device asked for */
    double reserve;           /* share kept free, 0.2 */
    uint64_t overhead;        /* bytes kept for the runtime, its logits and scratch included */
    uint64_t devices;         /* tensor parallel size, 0 or 1 = one */
    uint64_t weight_bytes;    /* not 0: instead of the level's own sum (an opened artifact, a writer's plan) */
} qz_memory_query;

typedef struct {
    qz_weighed weights;
    qz_kv_plan_result kv;
    uint64_t logits;          /* vocabulary × users × 4 */
    uint64_t scratch;         /* users × (hidden + 2 × widest feed-forward) × 4 */
    uint64_t total;           /* weights + KV: what the sources add up */
    uint64_t buffers;         /* of all devices: the overhead, or logits and scratch where they are more, and what every
                               * device holds again */
    uint64_t total_buffers;   /* total + buffers */
    uint64_t per_device;      /* total_buffers / devices, KV heads and weights split evenly */
    uint64_t usable;          /* capacity × (1 − reserve), of one device: no matter of users or context */
    bool fits;                /* per_device <= usable (true when no device is asked for) */
    int64_t room;             /* usable − per_device */
    uint64_t crossover;       /* tokens at which KV outweighs the weights; 0 = never */
} qz_memory;
qz_status qz_memory_plan(const qz_memory_query *q, qz_memory *out, qz_error *err);

/* Inverses under q's capacity: 0 = not even one. The largest context is not cut to the model's own limit
 * (max_position says it). */
qz_status qz_memory_max_users(const qz_memory_query *q, uint64_t *out, qz_error *err);
qz_status qz_memory_max_ctx(const qz_memory_query *q, uint64_t *out, qz_error *err);
/* The heaviest of `levels` that fits (by bytes); QZ_LEVEL_COUNT if none, then *shortfall is what the lightest lacks. */
qz_status qz_memory_best_level(const qz_memory_query *q, const qz_level *levels, size_t n, qz_level *out,
                               uint64_t *shortfall, qz_error *err);
#endif
