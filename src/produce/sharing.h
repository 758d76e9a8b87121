/* What it costs that linears which engines merge (q k v; gate up) share the scale of their tensors (FP8, NVFP4): the
 * squared error of plain rounding under the shared scale against that under their own, over rows spread through each
 * linear. Codes of `best` are made under the shared scale, so the cost that is left is smaller.
 *   qz_sharing s; qz_sharing_measure(run, plan, &s, err); qz_sharing_line(&s, &text); */
#ifndef QZ_PRODUCE_SHARING_H
#define QZ_PRODUCE_SHARING_H
#include "artifacts/artifact.h"
#include "base/str.h"

typedef struct {
    size_t linears, raised;  /* with a scale of the tensor; whose own range is smaller than the shared one */
    double shared, own;      /* squared errors of the raised ones */
    double worst;            /* largest shared / own - 1 of one linear */
    char worst_name[160];
} qz_sharing;
qz_status qz_sharing_measure(qz_run *run, const qz_artifact_plan *plan, qz_sharing *out, qz_error *err);
void qz_sharing_line(const qz_sharing *s, qz_str *out); /* nothing where no linear has such a scale */
void qz_sharing_json(const qz_sharing *s, qz_str *out);
#endif
