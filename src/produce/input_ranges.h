/* Ranges of the inputs that a format's files fix (static scales), from calibration: the largest magnitude of every
 * linear's input; under best search, of integers and FP8, the range of least squared error over the tokens that the
 * statistics keep, where clipping rare values costs less than the coarser step. */
#ifndef QZ_PRODUCE_INPUT_RANGES_H
#define QZ_PRODUCE_INPUT_RANGES_H
#include "artifacts/artifact.h"
#include "calibrate/stats.h"

/* Of an item whose inputs come divided by s [cols] (what a method has folded); one without tokens keeps what it has. */
qz_status qz_input_range_scaled(qz_run *run, const qz_artifact_plan *plan, const qz_stats *stats, qz_artifact_item *it,
                                const float *s, qz_error *err);
/* Do both items read the same input, at one level? */
bool qz_input_ranges_same(const qz_stats *stats, const qz_artifact_item *a, const qz_artifact_item *b);
/* Fills input_amax of the plan's coded linears. */
qz_status qz_input_ranges_fill(qz_run *run, const qz_artifact_plan *plan, const qz_stats *stats, qz_error *err);
#endif
