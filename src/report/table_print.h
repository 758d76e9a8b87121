/* Prints a qz_table: aligned text for a terminal, Markdown, or JSON (array of objects, keys from the titles). */
#ifndef QZ_REPORT_TABLE_PRINT_H
#define QZ_REPORT_TABLE_PRINT_H
#include <stdint.h>
#include "base/str.h"
#include "base/table.h"
#include "base/json_write.h"

/* As wide as the terminal (fit.h): titles and text cells of wider tables go on in further lines; a
 * table of more numbers than fit is printed row by row, a line for each column. */
void qz_table_text(const qz_table *t, qz_str *out);
void qz_table_markdown(const qz_table *t, qz_str *out);
/* {"caption":…,"rows":[{…}]}, a part of an answer: cells that are plain numbers become JSON numbers; keys are titles
 * in lower case with _ for other signs. */
void qz_table_json(const qz_table *t, qz_str *out);
/* The same as the field "rows" of an object that is being written. */
void qz_table_rows(const qz_table *t, qz_json_writer *w);
/* The same as a whole answer, with its schema version. */
void qz_table_answer(const qz_table *t, qz_str *out);
/* Writes text or a whole answer in JSON to stdout. */
qz_status qz_table_show(const qz_table *t, bool json, qz_error *err);
/* Writes a finished string to stdout, as it is (JSON, what wraps itself) or with long lines wrapped (fit.h). */
qz_status qz_show(const qz_str *s, qz_error *err);
qz_status qz_show_text(const qz_str *s, qz_error *err);
/* "8.04 GB / 7.49 GiB" */
const char *qz_size_text(char buf[48], uint64_t bytes);
#endif
