/* AWQ as the reference does it (AutoAWQ 0.2.9; formats/hf-awq.md sections 3 to 6): a grid of 20 ratios judged by the output of the
 * replayed module, scales folded in list order, clip search, round to nearest in float16. Replays come as callbacks, so
 * the method is testable with a fake. float32 arithmetic, as the reference on a float32 model. */
#ifndef QZ_METHODS_AWQ_COMPAT_H
#define QZ_METHODS_AWQ_COMPAT_H
#include "base/arena.h"
#include "codecs/quantized.h"
#include "methods/awq.h"

typedef struct {
    size_t tokens, hidden;
    /* [tokens, cols] inputs of the float block; changed copies are the method's own */
    const float *x[QZ_STAGES];
    /* Output y [tokens, hidden] of the sub-module that begins with this input, for the block's current weights. */
    qz_status (*module)(void *ctx, const qz_awq_block *b, size_t input, float *y, qz_error *err);
    void *ctx;
} qz_awq_replay;

enum { QZ_AWQ_GRID = 20 };
/* The group quantizer in float32 (quantize and decode), w and out [rows, cols]. */
void qz_awq_pseudo(const float *w, size_t rows, size_t cols, size_t group, uint32_t bits, bool sym, float *out);
/* One linear alone: losses [20] and the best scales [cols]; returns the best index in *best. duo false: no
 * weight statistics. */
qz_status qz_awq_search_linear(qz_run *run, qz_mm *mm, const float *w, size_t rows, const float *x, size_t tokens, size_t cols, size_t group, uint32_t bits,
                               bool duo, double losses[QZ_AWQ_GRID], float *scales, size_t *best, qz_error *err);
/* Clip bounds [rows, cols/group] of a (scaled) weight for inputs x (already divided by the scales). */
qz_status qz_awq_clip(qz_run *run, const float *w, size_t rows, const float *x, size_t tokens, size_t cols, size_t group, uint32_t bits, float *bounds, qz_error *err);
/* The whole block, in place; codes as the reference's file holds them. */
qz_status qz_awq_compat_block(qz_run *run, qz_mm *mm, qz_awq_block *b, const qz_awq_replay *replay, const qz_awq_options *o, qz_arena *arena,
                              qz_quantized lin[QZ_LINEARS], qz_awq_report *report, qz_error *err);
#endif
