/* Growing byte string. qz_str s = {0}; append…; use s.ptr (always NUL terminated after an append);
 * qz_str_release(&s). A failed allocation sets `failed` and keeps the old content: check once at the end. */
#ifndef QZ_BASE_STR_H
#define QZ_BASE_STR_H
#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>

typedef struct {
    char *ptr;
    size_t len, cap;
    bool failed;
} qz_str;

void qz_str_append(qz_str *s, const void *bytes, size_t n);
void qz_str_puts(qz_str *s, const char *text);
void qz_str_putc(qz_str *s, char c);
void qz_str_printf(qz_str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void qz_str_vprintf(qz_str *s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void qz_str_clear(qz_str *s);   /* length 0, memory kept */
void qz_str_release(qz_str *s); /* leaves a zeroed string */
/* Levenshtein distance, bounded at 64 characters (nearest known name in error texts). */
size_t qz_str_distance(const char *a, const char *b);
bool qz_str_starts(const char *s, const char *prefix);
bool qz_str_ends(const char *s, const char *suffix);
/* True if `code` is in the comma list, or the list is "*". NULL: false. */
bool qz_list_has(const char *list, const char *code);
#endif
