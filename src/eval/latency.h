/* Speed of one engine, greedy: time to first token of a prompt, prompt processing of a longer one, generation; medians
 * and spread over repeats. Produced tokens are counted; end-of-sequence does not stop a measurement. */
#ifndef QZ_EVAL_LATENCY_H
#define QZ_EVAL_LATENCY_H
#include "engine/engine.h"

typedef struct { double median, min, max, p95, p99; } qz_spread;
typedef struct {
    size_t prompt_tokens, pp_tokens, new_tokens, repeats;
    qz_spread ttft_ms, prompt_tps, gen_tps, end_to_end_tps; /* prompt_tps: of pp_tokens tokens */
    uint64_t kv_bytes;        /* of the cache, for the longest of these */
    double bytes_per_token;   /* weight bytes read for one generated token */
    double bandwidth_gbs;     /* bytes_per_token × gen_tps */
} qz_latency;
typedef struct {
    const uint32_t *prompt; size_t n;     /* ids of the short prompt */
    size_t pp_tokens, new_tokens, repeats;
} qz_latency_options;
/* 10 tokens of warm-up, then the repeats. */
qz_status qz_latency_run(qz_run *run, qz_engine *e, const qz_latency_options *o, qz_latency *out, qz_error *err);
/* Best read bandwidth over `passes` passes of all threads over `bytes` of memory, GB/s; 0 if memory is short. */
double qz_memory_bandwidth(qz_run *run, size_t bytes, size_t passes);
#endif
