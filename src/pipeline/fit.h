/* Text that fits the terminal: wrapped lines, and tables whose wide text columns are wrapped in their cells. */
#ifndef QZ_PIPELINE_FIT_H
#define QZ_PIPELINE_FIT_H
#include "base/str.h"
#include "base/table.h"

enum { QZ_FIT_TEXT = 80, QZ_FIT_TABLE = 98 };
/* Appends text as lines of at most QZ_FIT_TEXT columns; what follows the first is indented as the text, and `hang` more. */
void qz_fit_line(qz_str *out, const char *text, size_t hang);
/* A copy of t (in its arena) whose left-aligned columns are wrapped so that it fits QZ_FIT_TABLE columns where possible. */
qz_status qz_fit_table(const qz_table *t, qz_table *out, qz_error *err);
#endif
