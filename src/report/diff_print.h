/* What `diff` shows: counts, the tensors that differ most, other facts. */
#ifndef QZ_REPORT_DIFF_PRINT_H
#define QZ_REPORT_DIFF_PRINT_H
#include "artifacts/diff.h"
#include "base/str.h"

typedef struct { bool tensors, json; } qz_diff_view; /* tensors: all of them */
qz_status qz_diff_print(const qz_diff *d, const qz_source *const side[2], const char *const paths[2], qz_diff_view as,
                        qz_arena *a, qz_str *s, qz_error *err);
#endif
