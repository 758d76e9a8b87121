/* Checked size arithmetic and the only ways to allocate. Sizes that come from files are hostile:
 * multiply and add through here. Allocators return NULL on overflow or lack of memory; n == 0 gives a
 * valid pointer. The allocator can be told to fail the n-th call (tests of rule 17). */
#ifndef QZ_BASE_SIZE_H
#define QZ_BASE_SIZE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline bool qz_mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool qz_add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool qz_mul_u64(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool qz_add_u64(uint64_t a, uint64_t b, uint64_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline size_t qz_min_size(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t qz_max_size(size_t a, size_t b) { return a > b ? a : b; }

void *qz_alloc_array(size_t n, size_t size);                 /* uninitialised */
void *qz_calloc_array(size_t n, size_t size);                /* zeroed */
void *qz_realloc_array(void *p, size_t n, size_t size);      /* NULL keeps p valid */
void *qz_alloc_aligned(size_t n, size_t size);               /* 64-byte aligned, free with qz_free */
void qz_free(void *p);                                       /* free(); NULL is fine */
char *qz_strdup(const char *s);
char *qz_strndup(const char *s, size_t n);

/* Test hook: the n-th allocation from now (1 = next) and all later ones fail; 0 = never. */
void qz_alloc_fail_after(long n);
/* The ending of a counted noun: "1 tensor", "2 tensors". */
static inline const char *qz_plural(uint64_t n) { return n == 1 ? "" : "s"; }
#endif
