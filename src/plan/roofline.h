/* Decode speed from memory traffic: every token reads the weights once per batch and its own KV once. A ceiling,
 * never a promise. */
#ifndef QZ_PLAN_ROOFLINE_H
#define QZ_PLAN_ROOFLINE_H
#include "plan/memory.h"

/* seconds of one step: bytes / (bandwidth GB/s · 1e9) + overhead. */
double qz_roofline_seconds(double bytes, double gbps, double overhead_s);
/* C-110: how much faster `small` is than `big` with a constant overhead a token. */
double qz_roofline_speedup(double big, double small, double gbps, double overhead_s);
/* C-109: bytes read a second, GB/s. */
double qz_effective_gbps(double bytes, double tokens_per_s);
typedef struct {
    double step_s, tokens_s_user, tokens_s_all;
    double weight_gb, kv_gb;      /* read in one step */
    const char *bound;            /* "memory bandwidth" or "overhead" */
    const char *kernel;           /* what a runtime uses there, in words */
} qz_roofline;
qz_status qz_roofline_decode(const qz_memory_query *q, const qz_hardware *h, double overhead_s, qz_roofline *out,
                             qz_error *err);
#endif
