/* Inside of the pre-flight: the loop over rules.def, used by preflight.c and its test. */
#ifndef QZ_DEPLOY_PREFLIGHT_INT_H
#define QZ_DEPLOY_PREFLIGHT_INT_H
#include "deploy/preflight.h"

/* near: text for rows without a fix of their own (arena or static), may be NULL. Findings without an arena
 * are only counted. */
void qz_rules_run(const qz_deploy_shape *s, const qz_deploy_spec *spec, const qz_target *t, const char *near,
                  qz_findings *f);
size_t qz_rules_count(void);
/* The set that a part ("q_proj", len bytes) belongs to, or NULL; the parts of a set in a fixed order, NULL
 * behind the last. */
const char *qz_fused_set(const char *part, size_t len);
const char *qz_fused_part(const char *fused, size_t nth);
#endif
