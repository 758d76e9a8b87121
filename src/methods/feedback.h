/* Codes of any grid (code_grid.h) under the Gram matrix: the range of a group searched on the already compensated
 * weights, error feedback column by column, then rounds of coordinate descent on the codes and closed-form refits of
 * the scales, accepting only changes that lower the true quadratic error of the row. Rows are independent: threads
 * split rows.
 * Source: GPTQ (arXiv 2210.17323) in its LDLQ form; trials in quality-notes.md. */
#ifndef QZ_METHODS_FEEDBACK_H
#define QZ_METHODS_FEEDBACK_H
#include "base/arena.h"
#include "codecs/quantized.h"
#include "kernels/matmul.h"
#include "methods/code_grid.h"
#include "methods/hessian.h"

typedef struct {
    const qz_code_grid *grid;   /* its groups divide the columns; outlives what is made with it */
    size_t shrink_steps;        /* candidates of the range, 0 = 40; at most QZ_RANGE_STEPS */
    size_t rounds;              /* of descent and refit; 0 = feedback only */
    size_t sweeps;              /* of descent in a round */
    bool no_refit;              /* scales stay as the search found them */
    bool reference;             /* the published loop: min..max ranges from weights that lack the corrections of their
                                   own 128-column block, no descent; dead columns become 0 */
    size_t block;               /* reference only: columns of a block, 0 = 128; the grid's group gives fresh ranges */
    float mse_norm;             /* reference only: shrink search under |error|^norm, 0 = off */
    bool static_groups;         /* reference only: every range from the plain weights */
} qz_feedback_options;
extern const qz_feedback_options qz_feedback_default; /* no grid yet; 40 steps, 3 rounds, 4 sweeps */

typedef struct {
    qz_run *run;
    qz_mm *mm;
    const qz_hessian *h;
    const qz_feedback_options *o;
    qz_arena *arena;            /* of the result */
} qz_feedback_job;
/* What was found, not packed yet: codes in column order of h. */
typedef struct { qz_code_result codes; double error, energy, weight_mse; } qz_feedback_result;

/* w [rows, cols] float. Scales are as the grid's file holds them; error = Σ rows of (w−ŵ)H(w−ŵ)ᵀ, energy = Σ rows of
 * wHwᵀ. QZ_EUSAGE: groups that do not divide the columns, or a published loop that the grid has not. */
qz_status qz_feedback_solve(const qz_feedback_job *j, const float *w, size_t rows, qz_feedback_result *out,
                            qz_error *err);
/* The same, packed: out's arrays live in the arena. */
qz_status qz_feedback_quantize(const qz_feedback_job *j, const float *w, size_t rows, qz_quantized *out, qz_error *err);
#endif
