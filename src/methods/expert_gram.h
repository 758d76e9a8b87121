/* Gram matrices of experts from few tokens. The sample matrix of n tokens spreads around the true one; codes made under
 * it fit that spread, and are worse than plain rounding where n is small. It moves towards a matrix that spreads less:
 *   share = min(1, V / (n · |G − T|²)),  G' = (1 − share) · G + share · T
 * with V the variance of one token's x xᵀ: tr(G)² + |G|² for Gaussian x (of the entries that differ). The strength is
 * the count's; nothing is tuned. T is the input of all tokens of the layer, itself moved to its own diagonal, where an
 * expert reads that input; its own diagonal where it reads what it made itself.
 * Source: Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices (2004); figures in
 * docs/quality.md. */
#ifndef QZ_METHODS_EXPERT_GRAM_H
#define QZ_METHODS_EXPERT_GRAM_H
#include "base/status.h"
#include "calibrate/stats.h"

/* g [cols, cols], a mean over n tokens, towards target (NULL: its own diagonal), in place; the share. */
double qz_gram_shrink(double *g, size_t cols, uint64_t n, const double *target);
/* What the calibration shows of the input of all tokens: a mean over n; moved in place. NULL: the expert reads its
 * own. */
typedef struct { double *gram; uint64_t n; } qz_shared_gram;
void qz_expert_gram(double *g, size_t cols, uint64_t n, const qz_shared_gram *shared);
/* g [cols, cols] of any input of a layer from a statistics file; shrink: an expert's, moved. */
qz_status qz_expert_gram_of(const qz_stats *s, size_t layer, size_t input, bool shrink, double *g, qz_error *err);
/* A new matrix of the input divided by scales (NULL: as it is; qz_free); *out NULL: no token reached it. */
typedef struct { size_t layer, input; bool shrink; const float *scales; } qz_expert_ask;
qz_status qz_expert_gram_scaled(const qz_stats *s, const qz_expert_ask *ask, double **out, qz_error *err);
#endif
