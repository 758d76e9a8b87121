#include "base/arena.h"
#include "base/size.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct qz_arena_chunk {
    qz_arena_chunk *next;
    size_t cap, used; /* bytes after the header */
};
enum { HEADER = 64, FIRST_CHUNK = 64 * 1024 };

static unsigned char *payload(qz_arena_chunk *c) { return (unsigned char *)c + HEADER; }

static qz_arena_chunk *add_chunk(qz_arena *a, size_t need) {
    size_t cap = a->head != NULL ? a->head->cap : FIRST_CHUNK / 2;
    cap = cap < ((size_t)8 << 20) ? cap * 2 : cap;
    if (cap < need) cap = need;
    qz_arena_chunk *c = qz_alloc_aligned(cap + HEADER, 1);
    if (c == NULL) return NULL;
    *c = (qz_arena_chunk){.next = a->head, .cap = cap};
    a->head = c;
    return c;
}

void *qz_arena_alloc(qz_arena *a, size_t n, size_t size) {
    size_t bytes;
    if (!qz_mul_size(n, size, &bytes) || !qz_add_size(bytes, 63, &bytes) || bytes > SIZE_MAX / 4) return NULL;
    bytes &= ~(size_t)63;
    if (bytes == 0) bytes = 64;
    qz_arena_chunk *c = a->head;
    if (c == NULL || c->cap - c->used < bytes) c = add_chunk(a, bytes);
    if (c == NULL) return NULL;
    void *p = payload(c) + c->used;
    c->used += bytes;
    a->used += bytes;
    if (a->used > a->peak) a->peak = a->used;
    return p;
}

void *qz_arena_calloc(qz_arena *a, size_t n, size_t size) {
    void *p = qz_arena_alloc(a, n, size);
    if (p != NULL) memset(p, 0, n * size);
    return p;
}

char *qz_arena_strndup(qz_arena *a, const char *s, size_t n) {
    size_t bytes;
    if (!qz_add_size(n, 1, &bytes)) return NULL;
    char *p = qz_arena_alloc(a, bytes, 1);
    if (p == NULL) return NULL;
    if (n) memcpy(p, s, n);
    p[n] = 0;
    return p;
}
char *qz_arena_strdup(qz_arena *a, const char *s) { return qz_arena_strndup(a, s, strlen(s)); }

char *qz_arena_printf(qz_arena *a, const char *fmt, ...) {
    va_list ap, ap2;
    va_start(ap, fmt);
    va_copy(ap2, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : qz_arena_alloc(a, (size_t)n + 1, 1);
    if (p != NULL) (void)vsnprintf(p, (size_t)n + 1, fmt, ap2);
    va_end(ap2);
    return p;
}

/* Keeps only the newest (largest) chunk, so that a loop over tensors settles on one chunk. */
void qz_arena_reset(qz_arena *a) {
    if (a->head != NULL) {
        qz_arena_chunk *c = a->head->next;
        while (c != NULL) {
            qz_arena_chunk *next = c->next;
            qz_free(c);
            c = next;
        }
        a->head->next = NULL;
        a->head->used = 0;
    }
    a->used = 0;
}

void qz_arena_release(qz_arena *a) {
    qz_arena_chunk *c = a->head;
    while (c != NULL) {
        qz_arena_chunk *next = c->next;
        qz_free(c);
        c = next;
    }
    *a = (qz_arena){0};
}
