/* The range search of llm-compressor's `memoryless_mse` observer: of ranges shrunk in steps, each block of columns
 * keeps the one whose rounded values lie nearest under |error|^norm. The search ends for all blocks at once, when none
 * of them gained over `patience` steps, as there: a block's range depends on the others.
 *   qz_observe_mse(run, &(qz_observer){QZ_OBSERVER_MSE(2.4f), .block = 32, .ints = &ints}, w, n / 32, ranges, err);
 * Source: formats/hf-compressed-tensors.md section 5, hf-fp4.md section 3 (llm-compressor ab1ba3e). */
#ifndef QZ_CODECS_OBSERVER_H
#define QZ_CODECS_OBSERVER_H
#include "base/run.h"
#include "codecs/int_ct.h"
#include "codecs/small_float.h"
#include <math.h>

typedef struct {
    float norm, expand;        /* of the error; the first range, in the block's own */
    int steps, grid, patience; /* ranges 1 − i / grid of the first */
    size_t block;              /* values that share a range */
    const qz_int_ct *ints;     /* NULL: codes of element in float32, scale = largest / the element's largest */
    qz_small_float element;
} qz_observer;
#define QZ_OBSERVER_MSE(exponent) .norm = (exponent), .expand = 1, .steps = 20, .grid = 100, .patience = 5
#define QZ_OBSERVER_NVFP4_EXPANDED .norm = 2.4f, .expand = 1.8f, .steps = 112, .grid = 200, .patience = 1000

typedef struct { float lo, hi; } qz_range;

/* w [blocks, block]: rows cut into blocks one after the other. out [blocks]: the ranges chosen, of the values
 * themselves (zero need not lie within). QZ_EMEMORY. */
qz_status qz_observe_mse(qz_run *run, const qz_observer *how, const float *w, size_t blocks, qz_range *out,
                         qz_error *err);
/* The larger magnitude of both ends. */
static inline float qz_range_amax(qz_range r) { return fmaxf(fabsf(r.lo), fabsf(r.hi)); }
#endif
