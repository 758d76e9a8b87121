/* Private to methods/: state of one linear while its integer codes are found. */
#ifndef QZ_METHODS_FEEDBACK_INT_H
#define QZ_METHODS_FEEDBACK_INT_H
#include "methods/feedback.h"

typedef struct {
    qz_run *run;
    const qz_hessian *h;
    const qz_feedback_options *o;
    const float *w;        /* [rows, cols] */
    size_t rows;
    float qmax;
    uint8_t *codes;        /* [rows, cols] */
    float *err;            /* [rows, cols] while solving: what rounding took from each step's target; then w − ŵ by columns */
    float *scale, *zero;   /* [rows, groups] */
    double *row_error;     /* [rows] */
    float *target;         /* [rows, nb] */
    size_t u0, nb;         /* current block of steps */
    float *scratch;        /* [threads, scratch_n] */
    size_t scratch_n;
} qz_solver;

/* Reference scale and zero point of t [g]: min..max, or the shrink search where o->mse_norm is set. */
void qz_gptq_params(const float *t, size_t g, const qz_feedback_options *o, float *scale, float *zero);
float qz_round_scale(float s); /* to float16, never 0 */
/* Coordinate descent and scale refits; fills row_error. grad [rows, cols] is scratch. */
qz_status qz_descent_refine(qz_solver *s, qz_mm *mm, float *grad, qz_error *err);
#endif
