/* Integer group codes under the Gram matrix: scale and zero_point searched per group on the already compensated weights,
 * error feedback column by column, then rounds of coordinate descent on the codes and closed-form refits of the scales,
 * accepting only changes that lower the true quadratic error of the row. Rows are independent: threads split rows.
 * Source: GPTQ (arXiv 2210.17323) in its LDLQ form; trials in quality-notes.md. */
#ifndef QZ_METHODS_FEEDBACK_H
#define QZ_METHODS_FEEDBACK_H
#include "base/arena.h"
#include "codecs/quantized.h"
#include "kernels/matmul.h"
#include "methods/hessian.h"

typedef struct {
    uint32_t bits, group_size;  /* group_size divides cols */
    bool sym;
    size_t shrink_steps;        /* candidates of the range, 0 = 40 */
    size_t rounds;              /* of descent and refit; 0 = feedback only */
    size_t sweeps;              /* of descent in a round */
    bool positive;              /* symmetric scales only above 0 (below, the grid −8..7 becomes −7..8: one step more where it is needed) */
    float least_zero;           /* of asymmetric ranges: 1 where the file cannot say 0 (GPTQ v1) */
    bool no_refit;              /* scales stay as the search found them */
    bool reference;             /* the published loop: min..max ranges from weights that lack the corrections of their own
                                   128-column block, no descent; dead columns become 0 */
    size_t block;               /* reference only: columns of a block, 0 = 128; group_size gives fresh ranges */
    float mse_norm;             /* reference only: shrink search under |error|^norm, 0 = off */
    bool static_groups;         /* reference only: every range from the plain weights */
} qz_feedback_options;
extern const qz_feedback_options qz_feedback_default; /* 4 bits, 128, asymmetric, 40 steps, 3 rounds, 4 sweeps */

/* w [rows, cols] float. out's arrays live in arena; scales are rounded to float16; error = Σ rows of
 * (w−ŵ)H(w−ŵ)ᵀ, energy = Σ rows of wHwᵀ. */
qz_status qz_feedback_quantize(qz_run *run, qz_mm *mm, const float *w, size_t rows, const qz_hessian *h, const qz_feedback_options *o,
                               qz_arena *arena, qz_quantized *out, qz_error *err);
/* Σ over rows of e H eᵀ for e [rows, cols]; scratch [rows, cols]. */
qz_status qz_quadratic_error(qz_mm *mm, const float *e, size_t rows, const float *h, size_t cols, float *scratch, double *out, qz_error *err);
#endif
