/* Perplexity, and KL divergence of many artifacts against one source in lock-step: for each window the source runs
 * once, every artifact after it; no logit file. All figures are invariant to threads and batch. */
#ifndef QZ_EVAL_SCORE_H
#define QZ_EVAL_SCORE_H
#include "engine/engine.h"
#include "eval/result.h"
#include "eval/windows.h"

enum { QZ_SCORE_ENGINES = 128 }; /* most artifacts of one run */

typedef struct {
    size_t scored;
    qz_figure ppl;          /* token-weighted; interval from the windows' bootstrap */
    double ppl_of_means;    /* exp of the mean of window means (document mean) */
    bool paired;            /* the fields below are filled */
    qz_figure kl, delta_ppl_pct; /* delta: (ratio − 1)·100 with the paired standard error */
    qz_figure kl_change;    /* KL minus the first artifact's on the same tokens; interval
                             * over windows; absent for the first */
    double kl_median, kl_p99, kl_p999, kl_max, top1, rms_dp, ln_ratio, ln_ratio_se;
} qz_score;

/* source may be NULL: perplexities only. scores [n], then source_score if a source is given (may be NULL). */
typedef struct { qz_engine *source, *const *artifacts; size_t n; } qz_score_models;
qz_status qz_score_run(qz_run *run, const qz_score_models *models, const qz_eval_set *set, qz_score *scores,
                       qz_score *source_score, qz_error *err);

/* Summaries from per-token values, exposed for tests: nll and kl [n] with window index [n]. */
void qz_score_summary(const double *nll, const double *source_nll, const double *kl, const uint32_t *window, size_t n,
                      qz_score *out);
#endif
