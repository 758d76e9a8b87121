/* The pre-flight of the verbs that write: one call before any work.
 * Without --engine: what no engine can load is refused, limits of single engines are notes. With --engine NAME [--tp N]
 * they are refusals (QZ_EUNSUPPORTED), with the nearest setting that works. */
#ifndef QZ_DEPLOY_PREFLIGHT_SCHEME_H
#define QZ_DEPLOY_PREFLIGHT_SCHEME_H
#include <jansson.h>
#include "base/run.h"
#include "deploy/preflight.h"

/* What options say of the target, as given: NULL and 0 are not asked. */
typedef struct { const char *engine, *cc, *kv; uint64_t tp, loras; } qz_target_options;
/* Notes go to the log (qz_info, qz_warn). */
qz_status qz_preflight_scheme(qz_run *run, const qz_target_options *o, const qz_model *m, const qz_scheme_spec *spec,
                              qz_error *err);
/* CHK-REQUANT as a warning, if m is coded already and would be coded again (deploy/check.h): with what it is
 * and its bits. */
bool qz_preflight_requantizes(const qz_model *m, const qz_scheme_spec *scheme);
void qz_preflight_requant(qz_run *run, const qz_model *m, const qz_scheme_spec *scheme);
/* The same for an artifact that exists: where its modules have settings of their own (GPTQ's `dynamic`), every setting
 * on the linears that have it. m: opened, NULL = only the spec is known; q: its quantization_config or NULL. f
 * needs an arena. */
qz_status qz_preflight_artifact(const qz_model *m, const json_t *q, const qz_deploy_shape *s,
                                const qz_deploy_spec *spec, const qz_target *t, qz_findings *f, qz_error *err);
qz_status qz_target_parse(const qz_target_options *o, qz_target *out, qz_error *err);
#endif
