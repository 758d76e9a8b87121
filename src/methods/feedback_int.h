/* Private to methods/: state of one linear while its codes are found. feedback.c makes it and calls descent.c, that
 * refit.c, never the other way. */
#ifndef QZ_METHODS_FEEDBACK_INT_H
#define QZ_METHODS_FEEDBACK_INT_H
#include "kernels/dense.h"
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

/* err of a row = w − ŵ of the codes and ranges it has. */
void qz_solver_errors(const qz_solver *s, size_t row);

/* Scales tried for all rows and not judged yet. Starts as {0}. */
typedef struct {
    size_t batch;     /* rows at a time */
    float *v, *t;     /* [batch, cols] units of the codes; their products */
    double *a;        /* [batch][groups² + groups] matrices and right sides */
    float *old;       /* [rows, groups] scales before */
    double *before;   /* [rows] loss before */
    uint8_t *tried;   /* [rows] */
} qz_refit;
/* grad [rows, cols] = err·H of the ranges so far: err and ranges are then those of the scales tried. */
qz_status qz_refit_try(qz_refit *f, qz_solver *s, qz_mm *mm, const float *grad, qz_error *err);
/* grad = err·H of what was tried: rows that have not gained go back, with their gradients. */
qz_status qz_refit_judge(qz_refit *f, qz_solver *s, qz_mm *mm, float *grad, qz_error *err);
void qz_refit_release(qz_refit *f);

/* Coordinate descent and scale refits; fills row_error. grad [rows, cols] is scratch. */
qz_status qz_descent_refine(qz_solver *s, qz_mm *mm, float *grad, qz_error *err);
#endif
