/* Least squares in the scales of all rows with the codes held, kept only where the loss e H eᵀ falls. A row's value is
 * linear in its unknowns: ŵ = Σ s_p·v_p with v_p not 0 in the columns of one block alone; with A = [v_p H v_qᵀ] and the
 * gradient e·H at hand, the best change solves A·δ = [v_p (e·H)ᵀ]. A comes from products over batches of rows, block by
 * block, the triangle alone; the loss of what is tried from the product that the next round of a descent makes anyway.
 * qz_refit f = {0}; …; qz_refit_try(&f, &rows, mm, err); rows.grad made anew; qz_refit_judge(&f, &rows, mm, err); …;
 * qz_refit_release(&f). */
#ifndef QZ_METHODS_REFIT_H
#define QZ_METHODS_REFIT_H
#include "base/run.h"
#include "kernels/matmul.h"

enum { QZ_REFIT_MOST = 2048 }; /* unknowns of a row */
typedef struct {
    qz_run *run;
    size_t rows, cols, block;   /* columns of a block */
    size_t per;                 /* unknowns of a block, 1 or 2: number p·per + i */
    double ridge;               /* share of its own that is added to each diagonal */
    const float *h;             /* [cols, cols] */
    float *err, *grad;          /* [rows, cols] w − ŵ, and its product with H */
    void *ctx;
    /* v [cols] of unknown i of every block. */
    void (*units)(void *ctx, size_t row, size_t i, float *v);
    /* Takes the changes [unknowns], as files hold scales, and makes err of the row; false: none, nothing changed. */
    bool (*apply)(void *ctx, size_t row, const double *change);
    /* Back to what was before, err too. */
    void (*undo)(void *ctx, size_t row);
} qz_refit_rows;

typedef struct {
    size_t batch;               /* rows at a time */
    float *v, *t;               /* [per][batch, cols] units of the codes; their products */
    double *a;                  /* [batch][unknowns² + unknowns] matrices and right sides */
    double *before;             /* [rows] loss before */
    uint8_t *tried;             /* [rows] */
} qz_refit;
/* grad = err·H: err and the scales are then those tried. */
qz_status qz_refit_try(qz_refit *f, const qz_refit_rows *x, qz_mm *mm, qz_error *err);
/* grad = err·H of what was tried: rows that have not gained go back, with their gradients. */
qz_status qz_refit_judge(qz_refit *f, const qz_refit_rows *x, qz_mm *mm, qz_error *err);
void qz_refit_release(qz_refit *f);
#endif
