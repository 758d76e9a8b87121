#include "methods/expert_gram.h"
#include "base/size.h"
#include "methods/flow_input.h"

double qz_gram_shrink(double *g, size_t cols, uint64_t n, const double *target) {
    double trace = 0, squares = 0, far = 0, fixed = 0;
    if (n == 0) return 0;
    for (size_t i = 0; i < cols; i++) {
        const double d = g[i * cols + i];
        trace += d;
        fixed += d * d;
        for (size_t k = 0; k < cols; k++) {
            const double x = g[i * cols + k], t = target ? target[i * cols + k] : i == k ? d : 0;
            squares += x * x;
            far += (x - t) * (x - t);
        }
    }
    /* the diagonal does not move towards itself: two of its squares stand in the sum */
    const double spread = trace * trace + squares - (target ? 0 : 2 * fixed);
    if (!(far > 0) || !(spread > 0)) return 0;
    const double share = spread >= far * (double)n ? 1 : spread / (far * (double)n);
    for (size_t i = 0; i < cols; i++)
        for (size_t k = 0; k < cols; k++) {
            const double t = target ? target[i * cols + k] : i == k ? g[i * cols + k] : 0;
            g[i * cols + k] = (1 - share) * g[i * cols + k] + share * t;
        }
    return share;
}

void qz_expert_gram(double *g, size_t cols, uint64_t n, const qz_shared_gram *shared) {
    if (shared) (void)qz_gram_shrink(shared->gram, cols, shared->n, NULL);
    (void)qz_gram_shrink(g, cols, n, shared ? shared->gram : NULL);
}

qz_status qz_expert_gram_of(const qz_stats *s, size_t layer, size_t input, bool shrink, double *g, qz_error *err) {
    const qz_input in = qz_input_at(&s->info.in, layer, input);
    const qz_input_stats own = qz_stats_get(s, layer, input);
    qz_stats_gram(&own, g);
    if (!shrink || in.expert < 0 || own.tokens == 0) return QZ_OK;
    if (in.inside) return qz_expert_gram(g, own.cols, own.tokens, NULL), QZ_OK;
    const qz_input_stats all = qz_stats_get(s, layer, qz_input_of(&s->info.in, layer, in.first, -1));
    double *t = all.cols == own.cols ? qz_alloc_aligned(own.cols * own.cols, sizeof *t) : NULL;
    if (t == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for a matrix of %zu columns", own.cols);
    qz_stats_gram(&all, t);
    qz_expert_gram(g, own.cols, own.tokens, &(qz_shared_gram){t, all.tokens});
    qz_free(t);
    return QZ_OK;
}

qz_status qz_expert_gram_scaled(const qz_stats *s, const qz_expert_ask *ask, double **out, qz_error *err) {
    const qz_input_stats in = qz_stats_get(s, ask->layer, ask->input);
    *out = NULL;
    if (in.tokens == 0) return QZ_OK;
    *out = qz_alloc_aligned(in.cols * in.cols, sizeof **out);
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for a matrix of %zu columns", in.cols);
    QZ_TRY(qz_expert_gram_of(s, ask->layer, ask->input, ask->shrink, *out, err));
    if (ask->scales) qz_unscale_moments(*out, ask->scales, in.cols);
    return QZ_OK;
}
