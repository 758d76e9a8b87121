/* Generation from a prompt of ids: prefill, then one token a step until a stop id, max_new or the end of the context. */
#ifndef QZ_ENGINE_GENERATE_H
#define QZ_ENGINE_GENERATE_H
#include "engine/engine.h"
#include "engine/sampler.h"

/* Called for every new token (the stop token too); false stops. */
typedef bool (*qz_token_fn)(void *arg, uint32_t id);
typedef struct {
    qz_sampling sampling;
    size_t max_new;
    const int64_t *stop_ids; size_t n_stop;
    qz_token_fn on_token; void *arg;      /* may be NULL */
} qz_generate_options;
typedef struct {
    size_t n_prompt, n_new;
    bool stopped;                         /* by a stop id */
    double prefill_seconds, first_token_seconds, decode_seconds; /* decode: after the first new token */
} qz_generated;
/* out [max_new] ids. The cache's sequence 0 is used from its current length. */
qz_status qz_generate(qz_engine *e, qz_kv *kv, const uint32_t *prompt, size_t n_prompt, const qz_generate_options *o, uint32_t *out,
                      qz_generated *info, qz_error *err);
#endif
