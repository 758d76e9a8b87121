/* The five sources' claims on the user's own model (checklist C-194 to C-209): the artifacts that the asked claims need
 * are made in a work folder, measured in one pass on the same tokens, and each claim gets a value with its interval and
 * a verdict. What cannot be measured here says why.
 *   qz_claims c; qz_claims_run(run, r, &c, err); c.row[0..c.n); qz_claims_release(&c).
 * Errors: QZ_EUSAGE for options; those of eval. An artifact that cannot be made costs only the claims that need it. */
#ifndef QZ_PIPELINE_CLAIMS_H
#define QZ_PIPELINE_CLAIMS_H
#include "base/arena.h"
#include "produce/request.h"
#include "report/measured.h"

typedef enum { QZ_CLAIM_HOLDS, QZ_CLAIM_FAILS, QZ_CLAIM_UNDECIDED, QZ_CLAIM_NOT_MEASURED } qz_claim_verdict;
enum { QZ_CLAIM_FIGURES = 10 };
typedef struct {
    const char *id, *claim, *told, *source; /* explain/claims.def */
    const char *ours, *why;                 /* in words, with intervals; of the verdict; "": none */
    qz_claim_verdict verdict;
    struct { const char *name; qz_figure f; } figure[QZ_CLAIM_FIGURES]; size_t n; /* what `ours` words */
} qz_claim_row;

typedef enum {
#define QZ_CLAIM_ARTIFACT(id, name, scheme, calibrated) QZ_CLAIM_ON_##id,
#include "pipeline/claim_artifacts.def"
#undef QZ_CLAIM_ARTIFACT
    QZ_CLAIM_ARTIFACTS
} qz_claim_artifact;

typedef struct {
    qz_claim_row *row; size_t n;
    char set[160], token_hash[65];
    const char *model;
    /* while at work: what each artifact gave */
    qz_run *run;
    const qz_request *r;
    qz_measured *source, *on[QZ_CLAIM_ARTIFACTS]; /* NULL: not made */
    const char *failed[QZ_CLAIM_ARTIFACTS];       /* why; NULL: made, or not asked for */
    double seconds[QZ_CLAIM_ARTIFACTS];           /* of making it; 0: not known (found finished) */
    const char *path[QZ_CLAIM_ARTIFACTS];
    size_t windows;                               /* of the calibration data */
    qz_arena arena;
} qz_claims;

qz_status qz_claims_run(qz_run *run, const qz_request *r, qz_claims *out, qz_error *err);
void qz_claims_release(qz_claims *c);

/* Windows of the artifact that more of them are compared with (C-196): 128 where there are twice as many, else half. */
size_t qz_claim_fewer(const qz_claims *c);

/* ---- claim_rows.c ---- */
/* What a claim is measured on (bits 1 << qz_claim_artifact; 0: none), and the function that judges it; NULL: it is only
 * told. */
typedef qz_status (*qz_claim_fn)(qz_claims *c, qz_claim_row *row, qz_error *err);
typedef struct { const char *id; uint32_t needs; qz_claim_fn judge; } qz_claim_how;
const qz_claim_how *qz_claim_how_of(const char *id);
#endif
