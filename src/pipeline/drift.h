/* What becomes of a LoRA adapter when its base is quantized (checklist C-100, B-21):
 *   qz_drift_run(run, r, &d, err); qz_drift_release(&d).
 * On one text: the base against the artifact without the adapter, then base and adapter against the artifact with the
 * adapter as it is, with one fitted to the artifact (--calib: produce/adapter_fit.h), merged into the base and
 * quantized by the artifact's own recipe (--merged), and against the base without it (what the adapter does at all).
 * Errors: QZ_EUSAGE for what is not given; QZ_EFORMAT, QZ_EUNSUPPORTED for adapters of another base. */
#ifndef QZ_PIPELINE_DRIFT_H
#define QZ_PIPELINE_DRIFT_H
#include "base/arena.h"
#include "eval/score.h"
#include "produce/request.h"

typedef enum { QZ_DRIFT_AS_IS, QZ_DRIFT_FITTED, QZ_DRIFT_MERGED, QZ_DRIFT_EFFECT, QZ_DRIFT_WAYS } qz_drift_way;
typedef enum { QZ_DRIFT_ACCEPT, QZ_DRIFT_RETRAIN, QZ_DRIFT_UNDECIDED } qz_drift_advice;

typedef struct {
    qz_score alone;                    /* base || artifact */
    qz_score way[QZ_DRIFT_WAYS];       /* base + adapter || … ; scored 0: not asked for */
    bool measured[QZ_DRIFT_WAYS];
    qz_figure ratio[QZ_DRIFT_WAYS];    /* KL of the way over that of `alone`, over the same windows */
    qz_drift_way best;                 /* of those that keep the artifact: as it is or fitted */
    qz_drift_advice advice;
    /* the fit: shares of what the linears give, lost before and after */
    size_t fitted, kept;
    double lost, left_over;
    size_t windows;
    uint64_t rank;
    const char *adapter, *base, *artifact; /* names, in the arena */
    char set[160], token_hash[65];
    qz_arena arena;
} qz_drift;

/* The artifact with the adapter may be so many times as far from base and adapter as it is from the base alone. */
#define QZ_DRIFT_RATIO 1.25
qz_status qz_drift_run(qz_run *run, const qz_request *r, qz_drift *out, qz_error *err);
void qz_drift_release(qz_drift *d);
#endif
