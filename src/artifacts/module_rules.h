/* Rules about modules in a quantization_config: Python regular expressions matched from the start of a module's full name.
 * qz_module_match(pattern, name, file, &yes, err). Patterns come from files: the matcher has limits on steps and depth. */
#ifndef QZ_ARTIFACTS_MODULE_RULES_H
#define QZ_ARTIFACTS_MODULE_RULES_H
#include <stdbool.h>
#include "base/status.h"

/* QZ_EFORMAT: not a pattern; QZ_EUNSUPPORTED: the limits were reached. file is for the text. */
qz_status qz_module_match(const char *pattern, const char *module, const char *file, bool *yes, qz_error *err);
#endif
