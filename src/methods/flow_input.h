/* What the calibration tokens show of one input of the model quantized so far, for the methods that code block by block
 * (calibrate/propagate.h): its moments as means, and the asymmetric part.
 * qz_flow_input x; qz_flow_input_open(&x, run, pair, &ask, err); x.gram … qz_flow_input_release(&x). */
#ifndef QZ_METHODS_FLOW_INPUT_H
#define QZ_METHODS_FLOW_INPUT_H
#include "methods/asymmetric.h"

typedef struct {
    double *gram;        /* [cols, cols] E[x xᵀ]; NULL: no token reached this expert */
    double *cross;       /* [cols, cols] E[x̃ xᵀ]; NULL: of an expert (the float model sends other tokens to it) */
    qz_asymmetric asym;  /* cols 0: none */
} qz_flow_input;

typedef struct {
    long expert;         /* -1: an input of all tokens */
    const float *scales; /* columns that the input is divided by; NULL: as it is */
    bool asymmetric, residual;
    bool experts;        /* an expert's moments move towards what more tokens show (expert_gram.h) */
    const qz_lambda_fit *fit;
} qz_flow_ask;

/* p: sums, which scales divide. After an error release it all the same. */
qz_status qz_flow_input_open(qz_flow_input *x, qz_run *run, qz_pair_stats *p, const qz_flow_ask *ask, qz_error *err);
void qz_flow_input_release(qz_flow_input *x);
/* Second moments of x/s, in place. */
void qz_unscale_moments(double *m, const float *s, size_t cols);
#endif
