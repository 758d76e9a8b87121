/* JSON over jansson with bounds: depth and file size are limited, duplicate keys refused, NaN refused.
 * Getters take a path for error texts ("config.json: key 'x': expected …, found …").
 * Ownership: qz_json_load gives a new reference (json_decref); getters borrow. */
#ifndef QZ_BASE_JSON_H
#define QZ_BASE_JSON_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/str.h"
#include "base/status.h"

/* name = what error texts call the input (a file path or "x.jsonl:3"). limit in bytes. */
qz_status qz_json_parse(const char *text, size_t len, const char *name, json_t **out, qz_error *err);
/* A byte order mark in front of a file is skipped. */
qz_status qz_json_load(const char *path, size_t limit, json_t **out, qz_error *err);
/* Missing key or null: *out keeps the value it had (the default) and QZ_OK. Wrong kind: QZ_EFORMAT. */
qz_status qz_json_u64(const json_t *o, const char *key, const char *name, uint64_t *out, qz_error *err);
qz_status qz_json_f64(const json_t *o, const char *key, const char *name, double *out, qz_error *err);
qz_status qz_json_bool(const json_t *o, const char *key, const char *name, bool *out, qz_error *err);
qz_status qz_json_str(const json_t *o, const char *key, const char *name, const char **out, qz_error *err);
/* NULL, null or {}: says nothing. */
bool qz_json_empty(const json_t *v);
/* "a string", "null", "nothing" (NULL) … for error texts. */
const char *qz_json_kind(const json_t *v);
/* Appends s as a JSON string with quotes. */
void qz_json_quote(qz_str *out, const char *s, size_t n);
#endif
