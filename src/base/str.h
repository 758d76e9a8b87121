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
/* The name that is nearest to a word: qz_near n = {.word = word}; qz_near_see(&n, name) for each known one; n.best
 * (NULL: none was seen), the n.at-th of them. Of equal ones the first. limit: as far or farther off is another word; 0:
 * none is too far. */
typedef struct { const char *word; size_t limit; const char *best; size_t at, seen, distance; } qz_near;
bool qz_near_see(qz_near *n, const char *name);                  /* true: it is the best so far */
/* the word is held against another spelling of the name */
bool qz_near_as(qz_near *n, const char *spelling, const char *name);

/* ---- lists with commas ---- */
typedef struct { const char *at; size_t n; } qz_piece; /* not terminated */
/* The next part of a list, without blanks around it; *list goes behind it. False at the end; a last comma opens no
 * further part. NULL: an empty list. */
bool qz_list_next(const char **list, qz_piece *part);
size_t qz_list_count(const char *list);                /* parts at most */
bool qz_piece_is(qz_piece p, const char *word);        /* in any case of letters */
/* True if `code` is in the list as it is, or the list is "*". NULL: false. */
bool qz_list_has(const char *list, const char *code);
#endif
