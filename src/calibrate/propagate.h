/* Two streams through the model, block by block: the float model's hidden states, and those of the model quantized so
 * far. Classic GPTQ gathers its statistics from the second; the difference of both tells each linear what the layers
 * before it lost (asymmetric calibration). Inside a block the stages (model/sites.h) are visited in order; with
 * `sequential` a stage sees the linears before it already quantized.
 * qz_propagate *p; qz_propagate_open(&p, run, model, &tokens, &options, err);
 * for layer, for stage: qz_propagate_stage(p, layer, stage, NULL, &pair, err); qz_propagate_weights(p, linear, expert,
 * w, err) for its linears … qz_propagate_free(p). Layers and stages strictly in order, from 0.
 * Resident: both streams' hidden states, one chunk's activations, six matrices of the stage. Bit-identical on any
 * thread count. Sources: GPTQ (arXiv 2210.17323), GPTAQ (2504.02692). */
#ifndef QZ_CALIBRATE_PROPAGATE_H
#define QZ_CALIBRATE_PROPAGATE_H
#include "calibrate/stats.h"
#include "calibrate/tokens.h"

enum { QZ_HALVES = 2 };
/* Sums over tokens, not means; alternating chunks of windows form two halves, so that a fit can be checked
 * on the other. */
typedef struct {
    size_t cols;
    uint64_t tokens[QZ_HALVES];
    double *gram[QZ_HALVES];  /* [cols, cols] Σ x xᵀ, x: input in the quantized model */
    double *cross[QZ_HALVES]; /* [cols, cols] Σ (x̃ − x) xᵀ, x̃: input in the float model */
    size_t lost_rows;         /* hidden size where what the linears give is added to the residual stream; else 0 */
    double *lost[QZ_HALVES];  /* [lost_rows, cols] Σ (h̃ − h) xᵀ, h and h̃: the stream that the output is added to */
    /* Where experts read: Σ x xᵀ over the tokens that an expert gets in the quantized model, nothing of the above
     * (the float model sends other tokens to it, so there are no pairs). NULL elsewhere. */
    double **expert_gram;     /* [experts]; where they read the input of all tokens gram[0] is their sum, tokens[0] */
    const uint64_t *expert_tokens; /* theirs, and tokens[1] how many tokens there were; 0: they read their own */
} qz_pair_stats;

typedef struct qz_propagate qz_propagate;
typedef struct {
    bool sequential;  /* a stage sees the linears before it already quantized */
    bool differences; /* gather cross and lost too (else zero: half the products) */
    bool rounds;      /* inputs may be rounded */
} qz_propagate_options;
/* m: the float source, run in exact arithmetic; t is copied, its ids are borrowed. */
qz_status qz_propagate_open(qz_propagate **out, qz_run *run, const qz_model *m, const qz_tokens *t,
                            const qz_propagate_options *o, qz_error *err);
/* Statistics of the next stage's input (of experts: of each one's); valid until the next call, the caller may change
 * them. inputs: what servers do to it (with `rounds`): the quantized stream is gathered and goes on so; borrowed, NULL:
 * nothing. */
qz_status qz_propagate_stage(qz_propagate *p, size_t layer, size_t stage, const qz_input_rounding *inputs,
                             qz_pair_stats **out, qz_error *err);
/* w [rows, cols]: what the artifact's linear computes on the unscaled input; copied. expert -1: of the block itself. */
qz_status qz_propagate_weights(qz_propagate *p, size_t linear, long expert, const float *w, qz_error *err);
void qz_propagate_free(qz_propagate *p); /* NULL is fine */
/* Bytes that are resident besides the weights, for the memory plan. */
uint64_t qz_propagate_bytes(const qz_config *c, size_t windows, size_t seq_len);
#endif
