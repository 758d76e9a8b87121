/* AWQ as the reference does it (AutoAWQ 0.2.9; formats/hf-awq.md sections 3 to 6): a grid of 20 ratios judged by the
 * output of the replayed module, scales folded in list order, clip search, round to nearest in float16. Replays come as
 * callbacks, so the method is testable with a fake. float32 arithmetic, as the reference on a float32 model. */
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
/* What a linear computes with its columns multiplied by s, coded, and divided again: pseudo(W·s)/s into out
 * [rows, cols]. */
void qz_awq_try_scales(const qz_awq_grid *g, const qz_awq_linear *l, const float *s, float *out);
typedef struct {
    const float *w, *x;   /* [rows, cols] (scaled); [tokens, cols] inputs, already divided by the scales */
    size_t rows, cols, tokens, group;
    uint32_t bits;
} qz_awq_clipping;
/* Clip bounds [rows, cols/group]. */
qz_status qz_awq_clip(qz_run *run, const qz_awq_clipping *c, float *bounds, qz_error *err);
typedef struct {
    qz_arena *arena;
    qz_quantized *lin;    /* [QZ_LINEARS] codes as the reference's file holds them */
    qz_awq_report report;
} qz_awq_made;
/* The whole block, in place. */
qz_status qz_awq_compat_block(qz_run *run, qz_mm *mm, qz_awq_block *b, const qz_awq_replay *replay,
                              const qz_awq_options *o, qz_awq_made *out, qz_error *err);
#endif
