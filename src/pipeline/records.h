/* Files of calibration that are no models: statistics (QZSTATS1) and importance matrices (.dat, GGUF of type imatrix),
 * as inspect and verify show them: a table of check, result, detail. */
#ifndef QZ_PIPELINE_RECORDS_H
#define QZ_PIPELINE_RECORDS_H
#include "base/arena.h"
#include "base/run.h"
#include "base/table.h"

typedef enum { QZ_RECORD_NONE, QZ_RECORD_STATS, QZ_RECORD_IMATRIX } qz_record;
/* What stands at path, by its content; NONE: nothing of these. */
qz_record qz_record_of(const char *path);
/* values: every number is read. A file that is damaged is a row "FAILED" and QZ_ECHECK. */
qz_status qz_record_table(const char *path, qz_record kind, bool values, qz_arena *a, qz_table *t, qz_error *err);
#endif
