/* Arena: many small allocations of one scope (one tensor, one layer, one run), released as a whole.
 * qz_arena a = {0}; p = qz_arena_alloc(&a, n, size); …; qz_arena_release(&a);
 * Memory is 64-byte aligned and not initialised unless said. Not thread safe. */
#ifndef QZ_BASE_ARENA_H
#define QZ_BASE_ARENA_H
#include <stddef.h>

typedef struct qz_arena_chunk qz_arena_chunk;
typedef struct {
    qz_arena_chunk *head;
    size_t used;      /* bytes handed out since the last reset */
    size_t peak;      /* largest `used` seen */
} qz_arena;

void *qz_arena_alloc(qz_arena *a, size_t n, size_t size);  /* NULL on overflow or lack of memory */
void *qz_arena_calloc(qz_arena *a, size_t n, size_t size); /* zeroed */
char *qz_arena_strdup(qz_arena *a, const char *s);
char *qz_arena_strndup(qz_arena *a, const char *s, size_t n);
char *qz_arena_printf(qz_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void qz_arena_reset(qz_arena *a);    /* keeps the chunks for reuse */
void qz_arena_release(qz_arena *a);  /* leaves a zeroed arena */
#endif
