/* SmoothQuant with its strength searched (formats/smoothquant.md sections 3 to 5): where inputs become integers at run
 * time, s = max|x|^a / max|w|^(1-a) of each column moves their outliers into the weights, folded as AWQ's scales are
 * (norm, rows of up_proj and of v_proj). The strength of each input, or none, is what loses least of the outputs over
 * the tokens that the statistics keep, inputs and weights both rounded.
 * Source: SmoothQuant (arXiv 2211.10438); the search per group is a common extension. */
#ifndef QZ_METHODS_SMOOTH_H
#define QZ_METHODS_SMOOTH_H
#include "codecs/input_rounding.h"
#include "methods/awq.h"

typedef struct {
    const qz_input_rounding *inputs;
    const qz_awq_grid *grids;          /* [QZ_STAGES] of the weights; off and fixed as there */
    const qz_input_stats *stats;       /* [QZ_STAGES] of this block's inputs */
} qz_smooth_options;

/* s [cols] of a strength, from the largest input and weight of each column, as the reference has it (section 3) but for
 * columns without any input: 1. */
void qz_smooth_scales(const float *x_most, const float *w_most, size_t cols, double strength, float *s);
/* As qz_awq_block_scales; the report's ratio is the strength. */
qz_status qz_smooth_block_scales(qz_run *run, qz_mm *mm, qz_awq_block *b, const qz_smooth_options *o,
                                 float *const scales[QZ_STAGES], qz_awq_report *report, qz_error *err);
#endif
