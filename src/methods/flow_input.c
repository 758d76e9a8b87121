#include "methods/flow_input.h"
#include "methods/expert_gram.h"
#include "base/size.h"

void qz_unscale_moments(double *m, const float *s, size_t cols) {
    for (size_t i = 0; i < cols; i++)
        for (size_t j = 0; j < cols; j++) m[i * cols + j] /= (double)s[i] * (double)s[j];
}

/* Cross products with x/s from the right. */
static void unscale_columns(double *m, size_t rows, const float *s, size_t cols) {
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) m[i * cols + j] /= (double)s[j];
}

static qz_status reserve(double **m, size_t cols, qz_error *err) {
    *m = qz_alloc_aligned(cols * cols, sizeof **m);
    return *m ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for a matrix of %zu columns", cols);
}

static qz_status of_expert(qz_flow_input *x, const qz_pair_stats *p, const qz_flow_ask *ask, qz_error *err) {
    const size_t cols = p->cols;
    const uint64_t n = p->expert_tokens[ask->expert];
    if (n == 0) return QZ_OK;
    QZ_TRY(reserve(&x->gram, cols, err));
    for (size_t i = 0; i < cols * cols; i++) x->gram[i] = p->expert_gram[ask->expert][i] / (double)n;
    if (ask->experts && p->tokens[0] == 0) qz_expert_gram(x->gram, cols, n, NULL);
    else if (ask->experts) {
        double *shared;
        QZ_TRY(reserve(&shared, cols, err));
        for (size_t i = 0; i < cols * cols; i++) shared[i] = p->gram[0][i] / (double)p->tokens[0];
        qz_expert_gram(x->gram, cols, n, &(qz_shared_gram){shared, p->tokens[1]});
        qz_free(shared);
    }
    if (ask->scales) qz_unscale_moments(x->gram, ask->scales, cols);
    return QZ_OK;
}

qz_status qz_flow_input_open(qz_flow_input *x, qz_run *run, qz_pair_stats *p, const qz_flow_ask *ask, qz_error *err) {
    *x = (qz_flow_input){0};
    if (ask->expert >= 0) return of_expert(x, p, ask, err);
    const size_t n = p->cols * p->cols;
    for (int h = 0; h < QZ_HALVES && ask->scales; h++) {
        qz_unscale_moments(p->gram[h], ask->scales, p->cols);
        qz_unscale_moments(p->cross[h], ask->scales, p->cols);
        unscale_columns(p->lost[h], p->lost_rows, ask->scales, p->cols);
    }
    QZ_TRY(reserve(&x->gram, p->cols, err));
    QZ_TRY(reserve(&x->cross, p->cols, err));
    for (size_t i = 0; i < n; i++) {
        const double tokens = (double)(p->tokens[0] + p->tokens[1]);
        x->gram[i] = (p->gram[0][i] + p->gram[1][i]) / tokens;
        x->cross[i] = x->gram[i] + (p->cross[0][i] + p->cross[1][i]) / tokens; /* E[x̃ xᵀ] */
    }
    if (!ask->asymmetric) return QZ_OK;
    return qz_asymmetric_init(&x->asym, run, p, 0, ask->residual, ask->fit, err);
}

void qz_flow_input_release(qz_flow_input *x) {
    qz_free(x->gram);
    qz_free(x->cross);
    qz_asymmetric_release(&x->asym);
    *x = (qz_flow_input){0};
}
