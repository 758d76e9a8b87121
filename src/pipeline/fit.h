/* Text that fits a terminal of 80 columns: wrapped lines and commands, tables with titles and text cells on several lines. */
#ifndef QZ_PIPELINE_FIT_H
#define QZ_PIPELINE_FIT_H
#include "base/str.h"
#include "base/table.h"
#include <stdarg.h>

enum { QZ_FIT_COLUMNS = 80 };
/* Appends text as lines of at most QZ_FIT_COLUMNS columns; what follows the first is indented as the text, and `hang` more. */
void qz_fit_line(qz_str *out, const char *text, size_t hang);
/* The same of a text that is put together here. */
void qz_fit_printf(qz_str *out, size_t hang, const char *fmt, ...) QZ_PRINTF(3, 4);
void qz_fit_vprintf(qz_str *out, size_t hang, const char *fmt, va_list ap);
/* A shell command, put together here and continued with backslashes before its options. */
void qz_fit_command(qz_str *out, size_t indent, const char *fmt, ...) QZ_PRINTF(3, 4);
/* A copy of t (in its arena) that fits QZ_FIT_COLUMNS where possible: titles above numbers break first, then text cells. */
qz_status qz_fit_table(const qz_table *t, qz_table *out, qz_error *err);
#endif
