/* What calibration buys on the user's own model: `calibrate --sweep 32,64,128` codes it from so many windows each and
 * measures the KL on a text; `--compare-data B` codes it from two data sets, by two methods. Artifacts stand in a
 * folder under TMPDIR meanwhile.
 * Errors: QZ_EUSAGE without --data and --text, or for sizes that are none; those of quantize and eval. */
#ifndef QZ_PIPELINE_TRIALS_H
#define QZ_PIPELINE_TRIALS_H
#include "produce/request.h"

qz_status qz_trials_run(qz_run *run, const qz_request *r, qz_error *err);
#endif
