/* The one model of a machine that decodes: of a step, the weights' products take the longer of reading the weights
 * and computing with them, the KV cache is read besides. Bandwidth and operations a second are the hardware's row
 * (hardware.def). A ceiling, never a promise; what attention computes and what devices say to each other is left
 * out. */
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
    /* parts of a step on each device: the longer of the first two, and the third */
    double weights_s, operations_s, kv_s;
    const char *bound;            /* of the weights' products: "memory" or "operations"; "overhead" where that is
                                   * most of a step */
    double tflops;                /* of the arithmetic that the format gets there; 0 = not known, then memory alone */
    unsigned arithmetic;          /* its bits: 16, 8, 4 */
    uint64_t bound_from;          /* users from which on operations take longer than the weights; 0 = never,
                                   * or not known */
    const char *kernel;           /* what a runtime uses there, in words */
} qz_roofline;
qz_status qz_roofline_decode(const qz_memory_query *q, const qz_hardware *h, double overhead_s, qz_roofline *out,
                             qz_error *err);
#endif
