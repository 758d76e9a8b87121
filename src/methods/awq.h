/* AWQ for one decoder block (formats/hf-awq.md): for each input of it (model/sites.h: linears that share one),
 * per-channel scales s are folded into what makes the input, and the linears' columns are multiplied by s; then
 * codes.
 * best: scales are judged by the Gram matrix of each input (no replay), also where heads share rows (one scale per KV
 * channel); codes then come from error feedback and descent (methods/gptq.h).
 * compat: the reference's steps with replays of the block, given as callbacks (methods/awq_compat.h).
 * Source: AWQ (arXiv 2306.00978), AutoAWQ 0.2.9. */
#ifndef QZ_METHODS_AWQ_H
#define QZ_METHODS_AWQ_H
#include "calibrate/stats.h"
#include "codecs/int_group.h"
#include "kernels/matmul.h"

typedef struct {
    const char *name;                  /* "self_attn.q_proj", for texts */
    float *w;                          /* [rows, cols]; NULL: not in this block */
    float *bias;                       /* [rows] or NULL */
    size_t rows, cols;
    size_t stage;                      /* of its input */
    bool rotary;                       /* queries or keys: they go into scores only */
} qz_awq_linear;
typedef struct {
    size_t cols;
    size_t first, n;                   /* linears [first, first + n) read it; n 0: none of this block */
    qz_fold fold;
    float *norm, *norm_bias;           /* QZ_FOLD_NORM: [cols]; its bias or NULL */
} qz_awq_input;
/* What is scaled and coded together, a decoder block or one of its experts, in float: linears by number, inputs by
 * stage. Folding changes weights, biases and norms in place. */
typedef struct {
    qz_awq_linear linear[QZ_LINEARS];
    qz_awq_input input[QZ_STAGES];
    qz_type floats;                   /* as norms are written */
} qz_awq_block;
/* Names, sizes and inputs of a block (expert -1) or an expert, float16 norms; weights, biases and norms NULL. */
void qz_awq_block_describe(qz_awq_block *b, const qz_config *c, size_t layer, long expert);

/* How the linears of one input are coded; off: not scaled, not measured; fixed: measured, and not scaled. */
typedef struct { uint32_t bits; size_t group; bool sym, off, fixed; } qz_awq_grid; /* group: columns */

typedef struct {
    qz_code_setting codes;              /* in groups: whole rows have no scale search */
    size_t ratios;                     /* steps of the ratio grid, 0 = 20 */
    const qz_awq_grid *grids;          /* [QZ_STAGES] for qz_awq_block_scales; NULL: every input as codes */
    const qz_input_stats *stats;       /* [QZ_STAGES] for it: of this block's inputs */
    bool no_clip;                      /* compat: no search of clipping bounds */
} qz_awq_options;

typedef struct {
    double plain[QZ_STAGES], scaled[QZ_STAGES]; /* objective of round to nearest without and with the scales */
    double energy[QZ_STAGES];                   /* Σ rows of wHwᵀ; 0 in compat */
    double ratio[QZ_STAGES];                    /* chosen, -1: no scaling */
    double damping;
} qz_awq_report;

/* Finds scales for the whole block and folds them into it; scales[i] [cols of the input] are what the columns were
 * multiplied by, all 1 where none helped. */
qz_status qz_awq_block_scales(qz_run *run, qz_mm *mm, qz_awq_block *b, const qz_awq_options *o,
                              float *const scales[QZ_STAGES], qz_awq_report *report, qz_error *err);
/* Multiplies the columns of the input's linears by s and divides what makes it: a norm, or rows (and bias) of an
 * earlier linear. Norms are rounded to their type first and s follows, so that what the file holds is what was folded.
 * s [cols of the input]. */
void qz_awq_fold(qz_awq_block *b, size_t input, float *s);
/* Scales of the reference's formula, before normalisation checks: s [cols]. w_mean may be NULL (no duo scaling). */
void qz_awq_scales(const float *x_mean, const float *w_mean, size_t cols, double ratio, float *s);
/* e [rows, cols] = Q(w·s)/s − w by rounding to nearest in groups of grid->group columns; s NULL: no scaling. */
void qz_awq_rounding_error(qz_run *run, const float *w, const float *s, size_t rows, size_t cols,
                           const qz_awq_grid *grid, float *e);
/* Under GQA the query heads of one KV head share its channels: their scales are averaged (geometric mean). */
void qz_awq_tie_heads(const qz_fold *f, float *s, size_t cols);
/* Mean over rows of |w| / group maximum, over all linears of an input (accumulate with += then divide by rows). */
void qz_awq_weight_mean(const float *w, size_t rows, size_t cols, size_t group, double *sum);
#endif
