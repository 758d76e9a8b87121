/* Resident memory of this program while it runs a model (`run`, `bench`, runtime arithmetic): predicted from the
 * model's tensors and the engine's own buffers; scripts/bench_memory compares it with measured peaks (docs/memory.md).
 * qz_resident r; qz_resident_plan(model, tokens, ctx, threads, &r). All in bytes. */
#ifndef QZ_PLAN_RESIDENT_H
#define QZ_PLAN_RESIDENT_H
#include "model/model.h"

typedef struct {
    uint64_t mapped;       /* pages of the files that are read */
    uint64_t unpacked;     /* integer groups in the reader's form */
    uint64_t packed;       /* weights repacked for the kernels, on 2 MiB pages */
    uint64_t kv, rope;     /* float16 cache, cos and sin */
    uint64_t step;         /* activations of a step of at most 512 tokens */
    uint64_t kernels;      /* panels of the exact product, quantized activations, scores, logits */
    uint64_t tokenizer;    /* from the number of its tokens */
    uint64_t program;      /* code, libraries, heap: measured */
    uint64_t total;
} qz_resident;
/* tokenizer_tokens: 0 = none. ctx: tokens in the cache, prompt included. threads >= 1. */
void qz_resident_plan(const qz_model *m, uint64_t tokenizer_tokens, uint64_t ctx, uint64_t threads, qz_resident *out);
#endif
