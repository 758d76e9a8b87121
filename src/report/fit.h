/* Text that fits the terminal: wrapped lines and commands, whole outputs. Tables: table_print.h. */
#ifndef QZ_REPORT_FIT_H
#define QZ_REPORT_FIT_H
#include "base/status.h"
#include "base/str.h"
#include <stdarg.h>

/* Columns to print in: COLUMNS of the environment, else the width of the terminal on stdout, else 80; 40 at least. */
size_t qz_columns(void);
/* The same for running text, which is hard to read in long lines: 80 at most. */
size_t qz_text_columns(void);
/* Columns that the first `bytes` bytes of s take: UTF-8 continuation bytes take none. */
size_t qz_width(const char *s, size_t bytes);
/* Appends text as lines of at most qz_text_columns(); what follows the first is indented as the text,
 * and `hang` more. */
void qz_fit_line(qz_str *out, const char *text, size_t hang);
/* The same of a text that is put together here. */
void qz_fit_printf(qz_str *out, size_t hang, const char *fmt, ...) QZ_PRINTF(3, 4);
void qz_fit_vprintf(qz_str *out, size_t hang, const char *fmt, va_list ap);
/* A shell command, put together here and continued with backslashes before its options. */
void qz_fit_command(qz_str *out, size_t indent, const char *fmt, ...) QZ_PRINTF(3, 4);
/* Appends a word of a shell command: in single quotes where a shell would take it apart. */
void qz_shell_word(qz_str *out, const char *word);
/* Every line of s that is too long, wrapped; continued below its value ("  label     value") or two
 * columns further in. */
void qz_fit_text(qz_str *out, const char *s);
#endif
