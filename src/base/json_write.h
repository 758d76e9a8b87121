/* JSON piece by piece into a string: commas and quotes are its business, numbers are exact.
 *   qz_json_writer w; qz_jw_begin(&w, &out); qz_jw_real(&w, "kl", kl); qz_jw_end(&w);
 *   {"schema":2,"kl":1.23456789e-06}
 * Every answer of `--json` begins with "schema": QZ_JSON_SCHEMA. A field may be added under the same number; one that
 * goes, or that means something else, is a new number. Errors stick to the string (qz_str.failed). */
#ifndef QZ_BASE_JSON_WRITE_H
#define QZ_BASE_JSON_WRITE_H
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"

enum { QZ_JSON_SCHEMA = 2 };

typedef struct { qz_str *out; bool comma; } qz_json_writer;
/* The outer object with its schema version, and its end with a line end. */
void qz_jw_begin(qz_json_writer *w, qz_str *out);
void qz_jw_end(qz_json_writer *w);
/* Objects and arrays inside; key NULL inside an array. open: '{' or '['. */
void qz_jw_open(qz_json_writer *w, const char *key, char open);
void qz_jw_close(qz_json_writer *w, char close);
/* A row of a long list: the same as qz_jw_open(w, NULL, '{') on a line of its own. */
void qz_jw_row(qz_json_writer *w);
void qz_jw_text(qz_json_writer *w, const char *key, const char *value); /* NULL: null */
void qz_jw_count(qz_json_writer *w, const char *key, uint64_t value);
void qz_jw_int(qz_json_writer *w, const char *key, int64_t value);
void qz_jw_real(qz_json_writer *w, const char *key, double value);      /* 9 significant digits; null if not finite */
void qz_jw_bool(qz_json_writer *w, const char *key, bool value);
void qz_jw_null(qz_json_writer *w, const char *key);
/* `json` is a finished value. */
void qz_jw_raw(qz_json_writer *w, const char *key, const char *json);
/* Only the comma and "key": the caller appends the value to w->out. */
void qz_jw_key(qz_json_writer *w, const char *key);
#endif
