/* Choosing the next token from logits: greedy when temperature is 0, else repetition penalty, temperature, top-k,
 * top-p, min-p in that order, with a seeded generator. qz_sampler s; qz_sampler_init(&s, &opt, vocab, err);
 * pick…; release. */
#ifndef QZ_ENGINE_SAMPLER_H
#define QZ_ENGINE_SAMPLER_H
#include "base/rng.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

typedef struct {
    float temperature;        /* 0 = greedy */
    size_t top_k;             /* 0 = all */
    float top_p, min_p;       /* 1 and 0 = off */
    float repetition_penalty; /* 1 = off */
    size_t repetition_window; /* last tokens that are penalised */
    uint64_t seed;
} qz_sampling;

typedef struct { float p; uint32_t id; } qz_candidate;
typedef struct {
    qz_sampling opt;
    qz_rng rng;
    qz_candidate *cand; /* [vocab]; NULL: plain greedy */
    size_t vocab;
} qz_sampler;

qz_status qz_sampler_init(qz_sampler *s, const qz_sampling *opt, size_t vocab, qz_error *err);
void qz_sampler_release(qz_sampler *s);
/* Index of the largest logit; the lower index wins a tie. */
uint32_t qz_argmax(const float *logits, size_t n);
/* recent [n_recent]: tokens so far (for the penalty). logits [vocab] are not changed. */
uint32_t qz_sampler_pick(qz_sampler *s, const float *logits, const uint32_t *recent, size_t n_recent);
#endif
