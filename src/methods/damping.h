/* How much of the mean diagonal is added to a Gram matrix, decided on tokens that the codes have not seen: a sample of
 * rows is coded under the matrix of one half of the tokens (towards that half's asymmetric target) with each candidate
 * and judged by the true error on the other half, both ways. Damping shrinks what the calibration text over-explains.
 * Sources: quality-notes.md; our own. double d; qz_damping_choose(&job, &pair, &asym, &d, err). */
#ifndef QZ_METHODS_DAMPING_H
#define QZ_METHODS_DAMPING_H
#include "methods/asymmetric.h"
#include "methods/gptq.h"

/* The linears of an input, and how they will be coded (its damp is not read). */
typedef struct {
    qz_run *run;
    qz_mm *mm;
    const qz_linear_rows *lin; size_t n;
    const qz_gptq_options *o;
} qz_damping_job;

/* What codes under float statistics are judged by: some of the tokens themselves. */
typedef struct {
    const double *gram;      /* [cols, cols] mean over `tokens` tokens, the n among them */
    uint64_t tokens;
    const float *x; size_t n; /* [n, cols] */
    size_t cols;
} qz_damping_tokens;
/* One way: codes under what gram is without the n tokens, judged on those. */
qz_status qz_damping_held(const qz_damping_job *j, const qz_damping_tokens *t, double *damp, qz_error *err);

/* s: sums of both halves, asym of the same. *damp: share of the mean diagonal; 0.01 where a half has no tokens or
 * no correction. */
qz_status qz_damping_choose(const qz_damping_job *j, const qz_pair_stats *s, const qz_asymmetric *asym, double *damp,
                            qz_error *err);
#endif
