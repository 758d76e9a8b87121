/* Private to methods/: state of one linear while its codes are found. feedback.c makes it and calls descent.c,
 * never the other way. */
#ifndef QZ_METHODS_FEEDBACK_INT_H
#define QZ_METHODS_FEEDBACK_INT_H
#include "methods/feedback.h"

typedef struct {
    qz_run *run;
    const qz_hessian *h;
    const qz_feedback_options *o;
    const qz_code_grid *grid; /* of this matrix */
    bool fixed;            /* its ranges are decided beforehand */
    const float *w;        /* [rows, cols] */
    size_t rows;
    uint8_t *codes;        /* [rows, cols] */
    qz_code_range *range;  /* [rows, groups] */
    float *err;            /* [rows, cols] while solving: what rounding took from each
                            * step's target; then w − ŵ by columns */
    double *row_error;     /* [rows] */
    float *target;         /* [rows, nb] */
    size_t u0, nb;         /* current block of steps */
    float *scratch;        /* [threads, scratch_n] */
    size_t scratch_n;
} qz_solver;

/* Coordinate descent and scale refits; fills row_error. grad [rows, cols] is scratch. */
qz_status qz_descent_refine(qz_solver *s, qz_mm *mm, float *grad, qz_error *err);
#endif
