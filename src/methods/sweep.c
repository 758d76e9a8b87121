#include "methods/sweep.h"
#include "base/size.h"

enum { SPAN = 512 }; /* columns that a strip's steps change at a time: with them 512 KiB of H */

void qz_sweep_open(qz_sweep *w, qz_add_rows_fn add_rows, float *grad, size_t cols, size_t batch, size_t all) {
    w->add_rows = add_rows;
    w->grad = grad;
    w->cols = cols;
    w->first = batch * QZ_SWEEP_ROWS;
    w->rows = qz_min_size(QZ_SWEEP_ROWS, all - w->first);
    for (size_t i = 0; i < w->rows; i++) w->open[i] = true, w->moved[i] = 0;
}

/* The strip's steps in the gradients of columns [c0, c1). */
static void spread(const qz_sweep *w, size_t c0, size_t c1) {
    for (size_t c = c0; c < c1; c += SPAN)
        for (size_t i = 0; i < w->rows; i++)
            if (w->n[i])
                w->add_rows(w->grad + (w->first + i) * w->cols + c, qz_min_size(SPAN, c1 - c), w->x + c, w->cols,
                            w->steps[i], w->n[i]);
}

void qz_sweep_pass(qz_sweep *w, size_t wide, const float *x, qz_sweep_fn strip, void *ctx) {
    w->x = x;
    for (w->j0 = 0; w->j0 < w->cols; w->j0 += wide) {
        w->j1 = qz_min_size(w->cols, w->j0 + wide);
        for (size_t i = 0; i < w->rows; i++) {
            w->n[i] = 0;
            if (w->open[i]) strip(ctx, w, i);
            w->moved[i] += w->n[i];
        }
        spread(w, 0, w->j0);
        spread(w, w->j1, w->cols);
    }
}

bool qz_sweep_more(qz_sweep *w) {
    bool any = false;
    for (size_t i = 0; i < w->rows; i++) {
        any |= (w->open[i] = w->moved[i] > 0);
        w->moved[i] = 0;
    }
    return any;
}
