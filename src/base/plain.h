/* What a file is when it is not the text that was asked for: known magic numbers, byte order marks. */
#ifndef QZ_BASE_PLAIN_H
#define QZ_BASE_PLAIN_H
#include <stddef.h>

/* "gzip", "parquet", "UTF-16" … by the first bytes; NULL if they say nothing. *cure: what to do. */
const char *qz_magic_name(const char *text, size_t len, const char **cure);
#define QZ_MAGIC_LFS "Git LFS pointer"
/* Bytes of a UTF-8 byte order mark in front: 3 or 0. It says nothing and is skipped (RFC 8259, section 8.1). */
size_t qz_text_mark(const char *text, size_t len);
#endif
