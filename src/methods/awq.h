/* AWQ for one decoder block (formats/hf-awq.md): per entry of linears that share an input, per-channel scales s are folded
 * into the op before and the columns are multiplied by s; then codes.
 * best: scales are judged by the Gram matrix of each linear (no replay), o_proj too under GQA (one scale per KV channel);
 *       codes then come from error feedback and descent (methods/gptq.h).
 * compat: the reference's steps with replays of the block, given as callbacks (methods/awq_compat.h).
 * Source: AWQ (arXiv 2306.00978), AutoAWQ 0.2.9. */
#ifndef QZ_METHODS_AWQ_H
#define QZ_METHODS_AWQ_H
#include "calibrate/stats.h"
#include "methods/feedback.h"

/* Float weights of one block; linear and vectors are changed in place by folding. */
typedef struct {
    const qz_config *config;
    float *w[QZ_LIN_COUNT];            /* [rows, cols] */
    size_t rows[QZ_LIN_COUNT], cols[QZ_LIN_COUNT];
    float *bias[QZ_LIN_COUNT];         /* [rows] or NULL */
    float *attn_norm, *ffn_norm;       /* [hidden] */
} qz_awq_block;

typedef enum { QZ_AWQ_QKV, QZ_AWQ_O, QZ_AWQ_MLP, QZ_AWQ_DOWN, QZ_AWQ_ENTRIES } qz_awq_entry;
/* How the linears of one entry are coded; off: not scaled, not measured; fixed: measured, and not scaled. */
typedef struct { uint32_t bits, group_size; bool sym, off, fixed; } qz_awq_grid;

typedef struct {
    qz_feedback_options codes;
    size_t ratios;                     /* steps of the ratio grid, 0 = 20 */
    const qz_awq_grid *grids;          /* [QZ_AWQ_ENTRIES] for qz_awq_block_scales; NULL: every entry as codes */
} qz_awq_options;

typedef struct {
    double plain[QZ_AWQ_ENTRIES], scaled[QZ_AWQ_ENTRIES]; /* objective of round to nearest without and with the scales */
    double energy[QZ_AWQ_ENTRIES];                        /* Σ rows of wHwᵀ; 0 in compat */
    double ratio[QZ_AWQ_ENTRIES];                         /* chosen, -1: no scaling */
    double damping;
} qz_awq_report;

/* Finds scales for the whole block and folds them into it; scales[e] [cols of the entry] are what its columns were multiplied
 * by, all 1 where none helped. stats: the four input groups of this block. */
qz_status qz_awq_block_scales(qz_run *run, qz_mm *mm, qz_awq_block *b, const qz_input_stats stats[QZ_GROUP_COUNT], const qz_awq_options *o,
                              float *const scales[QZ_AWQ_ENTRIES], qz_awq_report *report, qz_error *err);
/* Column of entry e (QZ_AWQ_O, QZ_AWQ_DOWN) that a row of the op before (v, up) feeds: the one whose scale was folded there. */
size_t qz_awq_row_column(const qz_config *c, qz_awq_entry e, size_t row);
/* Multiplies columns by s and divides the op before: norm, or the last n rows (and bias) of v / up. Norms are rounded to
 * float16 first and s follows, so that what the file holds is what was folded. s [cols of the entry]. */
void qz_awq_fold(qz_awq_block *b, qz_awq_entry e, float *s);
/* Linears of an entry; returns their number. */
size_t qz_awq_linears(qz_awq_entry e, const qz_linear **out);
/* Scales of the reference's formula, before normalisation checks: s [cols]. w_mean may be NULL (no duo scaling). */
void qz_awq_scales(const float *x_mean, const float *w_mean, size_t cols, double ratio, float *s);
/* Mean over rows of |w| / group maximum, over all linears of the entry (accumulate with += then divide by rows). */
void qz_awq_weight_mean(const float *w, size_t rows, size_t cols, size_t group, double *sum);
#endif
