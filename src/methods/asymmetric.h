/* Asymmetric calibration: moves the target of rounding so that a linear repairs what the layers before it lost.
 * W' = W + α·W·D (H + λI)⁻¹ + β·R (H + λI)⁻¹ with H = E[x xᵀ] of the quantized model's input x, D = E[(x̃ − x) xᵀ]
 * against the float model's x̃ and, where the output is added to the residual stream h, R = E[(h̃ − h) xᵀ]: what that
 * stream has lost and this linear can still give back. The strengths are fitted on one half of the calibration tokens
 * with corrections of the other half, both ways, so that they are 0 where a correction does not carry over; a
 * correction from all tokens has half that noise, so α = 1/(1 + v) becomes 1/(1 + v/2). Sources: GPTAQ (arXiv
 * 2504.02692); quality-notes.md; R is our own. qz_asymmetric a; qz_asymmetric_init(&a, run, &pair, lambda, residual,
 * err); qz_asymmetric_target(…) per linear; …_release. */
#ifndef QZ_METHODS_ASYMMETRIC_H
#define QZ_METHODS_ASYMMETRIC_H
#include "base/run.h"
#include "calibrate/propagate.h"
#include "kernels/matmul.h"

/* A linear of the input, [rows, cols]. */
typedef struct { const float *w; size_t rows; } qz_linear_rows;

typedef struct {
    size_t cols;
    float *delta;                  /* [cols, cols] of all tokens */
    float *half[QZ_HALVES];        /* [cols, cols] Δ of each half */
    /* Where the linears have fewer rows together than columns: delta is W·Δ [rows, cols], and of the halves there are
     * some of those rows alone, which strengths are fitted on */
    size_t rows;                   /* 0: not so */
    uint32_t *sample;              /* [n_sample] which, ascending */
    size_t n_sample, n_lin;
    qz_linear_rows lin[QZ_LINEARS]; /* one below the other */
    float *gram[QZ_HALVES], *cross[QZ_HALVES]; /* means of each half */
    size_t lost_rows;              /* rows of what follows, 0: no residual stream */
    float *back, *half_back[QZ_HALVES]; /* [lost_rows, cols] R (H + λI)⁻¹ of all tokens and of each half (of the
                                         * sampled rows) */
    float *lost[QZ_HALVES];        /* [lost_rows, cols] R of each half, means */
    size_t failed;                 /* of the three corrections (each half, all tokens):
                                    * could not be computed and are 0 */
    const char *why;               /* of the last of them */
    double lambda;                 /* share of the mean diagonal */
} qz_asymmetric;

/* What λ is fitted on: rows of these. */
typedef struct { qz_mm *mm; const qz_linear_rows *lin; size_t n; } qz_lambda_fit; /* n <= QZ_LINEARS */
/* At most `most` rows at equal distances over all linears: w [rows, k] and their numbers; how many. */
size_t qz_sample_rows(const qz_linear_rows *lin, size_t n, size_t most, size_t k, float *w, uint32_t *index);

/* The linears of fit, if there is one, are those whose targets are asked for; their weights outlive a where they have
 * fewer rows than columns. lambda: share of the mean diagonal; 0: fitted, the largest of those whose corrections,
 * made of one half, take within 2 % of the most away on the other; without `fit` 0.02. residual: β as well, where s
 * has it. A half without tokens: both come out 0. */
qz_status qz_asymmetric_init(qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, double lambda, bool residual,
                             const qz_lambda_fit *fit, qz_error *err);
/* target [rows, cols] = W'; alpha = {α, β}, each in [0, 1]. Where lost_rows is not 0, rows must equal it. */
qz_status qz_asymmetric_target(const qz_asymmetric *a, qz_mm *mm, const float *w, size_t rows, float *target,
                               double alpha[2], qz_error *err);
/* The same for n of its rows, w [n, cols] (index: which rows they are), as each half alone would move them:
 * target[h] [n, cols]. */
qz_status qz_asymmetric_halves(const qz_asymmetric *a, qz_mm *mm, const float *w, const uint32_t *index, size_t n,
                               float *const target[QZ_HALVES], qz_error *err);
void qz_asymmetric_release(qz_asymmetric *a);
#endif
