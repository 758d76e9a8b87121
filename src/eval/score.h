/* Perplexity, and KL divergence of many artifacts against one source in lock-step: for each window the source runs
 * once, every artifact after it; no logit file. All figures are invariant to threads and batch. */
#ifndef QZ_EVAL_SCORE_H
#define QZ_EVAL_SCORE_H
#include "engine/engine.h"
#include "eval/result.h"
#include "eval/windows.h"

enum { QZ_SCORE_ENGINES = 128 }; /* most artifacts of one run */

/* One window (text) and one token that departs most. */
typedef struct { double kl, nll; size_t n; } qz_window_score;      /* means over its n scored tokens */
typedef struct { size_t window, position; double kl; } qz_worst_token;
enum {
    QZ_POSITION_BUCKETS = 18,  /* 0 to 15, 16 to 31, 32 to 63 … by the position in the window */
    QZ_KL_BINS = 40,           /* a quarter of a decade each, from 1e-7 (the first holds what is less) */
    QZ_WORST_TOKENS = 12
};
typedef struct { double kl; size_t n; } qz_position_score;

typedef struct {
    size_t scored;
    qz_window_score *windows; size_t n_windows; /* owned: qz_score_release; NULL without a run */
    qz_position_score position[QZ_POSITION_BUCKETS]; /* of paired ones, as all that follow here */
    size_t kl_bins[QZ_KL_BINS];
    qz_worst_token worst[QZ_WORST_TOKENS]; size_t n_worst; /* largest first, one a window */
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
void qz_score_release(qz_score *s);
/* First position of a bucket; that of the next is one behind its last. */
size_t qz_position_from(size_t at);
qz_status qz_score_run(qz_run *run, const qz_score_models *models, const qz_eval_set *set, qz_score *scores,
                       qz_score *source_score, qz_error *err);

/* Summaries from per-token values, exposed for tests: nll and kl [n] with window index [n]. */
void qz_score_summary(const double *nll, const double *source_nll, const double *kl, const uint32_t *window, size_t n,
                      qz_score *out);
#endif
