/* Text that a user gives: UTF-8 without NUL bytes, or a refusal that says what it is instead.
 * qz_text_read(path, limit, &text, &n, NULL, err); … qz_free(text). */
#ifndef QZ_TEXT_TEXT_FILE_H
#define QZ_TEXT_TEXT_FILE_H
#include <stddef.h>
#include "base/status.h"

/* QZ_EFORMAT for compressed and binary formats by name, NUL bytes and invalid UTF-8 by line and offset. */
qz_status qz_text_check(const char *path, const char *text, size_t len, qz_error *err);
/* Whole file, checked, without its byte order mark; NUL terminated. sha_hex: of the file as it is; NULL
 * = not wanted. */
qz_status qz_text_read(const char *path, size_t limit, char **text, size_t *len, char sha_hex[65], qz_error *err);
#endif
