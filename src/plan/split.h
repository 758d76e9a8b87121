/* Layers over GPU and system memory: the even-size estimate of handbooks beside the runtime's real order (llama.cpp:
 * the last layers go to the GPU first, the output layer after all of them) with real tensor sizes. */
#ifndef QZ_PLAN_SPLIT_H
#define QZ_PLAN_SPLIT_H
#include "plan/memory.h"

/* floor((usable − reserve) / (artifact / layers)), at most layers. All in one unit. */
uint64_t qz_split_even(double usable, double reserve, double artifact, uint64_t layers);
typedef struct {
    uint64_t budget;          /* usable − reserve */
    uint64_t even;            /* layers by the even-size estimate */
    uint64_t layers;          /* exact: the last ones that fit, weights and their KV */
    uint64_t gpu_bytes;       /* of those, KV included (output layer too when all fit) */
    uint64_t next_bytes;      /* what layers + 1 would need */
    uint64_t output_bytes;    /* head and final norm, apart */
    bool output_on_gpu;       /* all layers and the output fit */
    uint64_t system_bytes;    /* weights and KV that stay in system memory */
    uint64_t system_kv;       /* of them, KV */
} qz_layer_split;
typedef struct {
    const qz_shape *shape;
    qz_level level;
    qz_kv_types kv;
    uint64_t ctx;             /* 0: weights alone */
    uint64_t usable, reserve; /* bytes of the GPU after the reserve share; of them for buffers */
} qz_split_query;
qz_status qz_split_plan(const qz_split_query *q, qz_layer_split *out, qz_error *err);
#endif
