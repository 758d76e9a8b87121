#include "base/size.h"
#include <stdatomic.h>
#include <string.h>

/* Test hook of rule 17: a countdown to the first failing allocation. The only mutable file-scope state of the
 * program, because failing allocations must reach code that has no context at hand. */
static atomic_long fail_after;

void qz_alloc_fail_after(long n) { atomic_store(&fail_after, n); }

static bool must_fail(void) {
    long n = atomic_load_explicit(&fail_after, memory_order_relaxed);
    if (n == 0) return false;
    if (n == 1) return true;
    atomic_fetch_sub(&fail_after, 1);
    return false;
}

void *qz_alloc_array(size_t n, size_t size) {
    size_t bytes;
    if (!qz_mul_size(n, size, &bytes) || must_fail()) return NULL;
    return malloc(bytes ? bytes : 1);
}
void *qz_calloc_array(size_t n, size_t size) {
    size_t bytes;
    if (!qz_mul_size(n, size, &bytes) || must_fail()) return NULL;
    return calloc(bytes ? bytes : 1, 1);
}
void *qz_realloc_array(void *p, size_t n, size_t size) {
    size_t bytes;
    if (!qz_mul_size(n, size, &bytes) || must_fail()) return NULL;
    return realloc(p, bytes ? bytes : 1);
}
void *qz_alloc_aligned(size_t n, size_t size) {
    size_t bytes;
    if (!qz_mul_size(n, size, &bytes) || !qz_add_size(bytes, 64, &bytes) || must_fail()) return NULL;
    return aligned_alloc(64, bytes & ~(size_t)63);
}
void qz_free(void *p) { free(p); }

char *qz_strndup(const char *s, size_t n) {
    size_t bytes;
    if (!qz_add_size(n, 1, &bytes)) return NULL;
    char *d = qz_alloc_array(bytes, 1);
    if (d == NULL) return NULL;
    if (n) memcpy(d, s, n);
    d[n] = 0;
    return d;
}
char *qz_strdup(const char *s) { return qz_strndup(s, strlen(s)); }
