/* What check and pick print alike: wrapped paragraphs, findings, the engine table. Appends to strings;
 * qz_show prints them. */
#ifndef QZ_REPORT_FINDINGS_PRINT_H
#define QZ_REPORT_FINDINGS_PRINT_H
#include "base/str.h"
#include "deploy/preflight.h"
#include "base/json_write.h"

/* label, then text broken at blanks before the last column of the terminal; continuation lines are
 * indented to `indent`. */
void qz_print_wrapped(qz_str *s, const char *label, size_t indent, const char *text);
/* One paragraph a finding: level, code, subject; problem; cause; fix; errors first. */
void qz_print_findings(qz_str *s, const qz_findings *f);
/* A source without the numbers of the project's own lists, which say nothing to a reader; and as the pair "source". */
void qz_source_kept(const char *source, qz_str *out);
void qz_json_source(qz_json_writer *w, const char *source);
/* An array, an object for each. */
void qz_json_findings(qz_json_writer *w, const char *key, const qz_findings *f);
#endif
