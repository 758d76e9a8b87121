/* What cli may know of the layers below: version, schemes for --help, CPU levels. */
#ifndef QZ_PIPELINE_CATALOG_H
#define QZ_PIPELINE_CATALOG_H
#include <stdio.h>
#include "base/run.h"

const char *qz_catalog_version(void);
void qz_catalog_print_schemes(FILE *f);
/* QZ_EUNSUPPORTED if this CPU lacks the level. */
qz_status qz_catalog_check_cpu(qz_cpu_level level, qz_error *err);
#endif
