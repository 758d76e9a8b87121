/* All checks of a model or artifact with one set of options: what `check` prints, and what `pick` finds of its own
 * answer. The caller sets run, path, o and f.arena of the job, and releases it (deploy/check_job.h). */
#ifndef QZ_PIPELINE_CHECKS_H
#define QZ_PIPELINE_CHECKS_H
#include "deploy/check_job.h"

qz_status qz_run_checks(qz_check_job *j, qz_error *err);
#endif
