/* Candidates through the rules, their verdicts into manifests, and the verb's exit code: gate and release --gate. */
#ifndef QZ_PIPELINE_GATE_H
#define QZ_PIPELINE_GATE_H
#include "base/run.h"
#include "report/gate_print.h"

/* Fills results, approved and tasks of v from its rules and candidates; they live in the arena. */
qz_status qz_gate_judge_all(qz_arena *a, qz_gate_view *v, qz_error *err);
/* Which rules, and what they said of candidate i, into the manifest of the artifact that it names; a warning where
 * there is none. */
qz_status qz_gate_store(qz_run *run, const qz_gate_view *v, size_t i, qz_error *err);
/* QZ_ECHECK unless one candidate is approved, or with `every` all are. */
qz_status qz_gate_decide(const qz_gate_view *v, bool every, qz_error *err);
#endif
