/* Asymmetric calibration: moves the target of rounding so that a linear repairs what the layers before it lost.
 * W' = W (I + α·Δ), Δ = D (H + λI)⁻¹ with H = E[x xᵀ] of the quantized model's input x and D = E[(x̃ − x) xᵀ] against the
 * float model's x̃. The strength α of each linear is fitted on one half of the calibration tokens with Δ of the other half,
 * both ways, so that it is 0 where the correction does not carry over. Sources: GPTAQ (arXiv 2504.02692); quality-notes.md. */
#ifndef QZ_METHODS_ASYMMETRIC_H
#define QZ_METHODS_ASYMMETRIC_H
#include "base/run.h"
#include "calibrate/propagate.h"
#include "kernels/matmul.h"

typedef struct {
    size_t cols;
    float *delta;                  /* [cols, cols] of all tokens */
    float *half[QZ_HALVES];        /* [cols, cols] Δ of each half */
    float *gram[QZ_HALVES], *cross[QZ_HALVES]; /* means of each half */
} qz_asymmetric;

/* lambda: share of the mean diagonal, 0 = 0.02. A half without tokens: α comes out 0. */
qz_status qz_asymmetric_init(qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, double lambda, qz_error *err);
/* target [rows, cols] = W'; *alpha in [0, 1]. */
qz_status qz_asymmetric_target(const qz_asymmetric *a, qz_mm *mm, const float *w, size_t rows, float *target, double *alpha, qz_error *err);
void qz_asymmetric_release(qz_asymmetric *a);
#endif
