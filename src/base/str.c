#include "base/str.h"
#include "base/size.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool grow(qz_str *s, size_t extra) {
    size_t need;
    if (s->failed) return false;
    if (!qz_add_size(s->len, extra, &need) || !qz_add_size(need, 1, &need)) return s->failed = true, false;
    if (need <= s->cap) return true;
    size_t cap = s->cap ? s->cap : 64;
    while (cap < need) cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    char *p = qz_realloc_array(s->ptr, cap, 1);
    if (p == NULL) return s->failed = true, false;
    s->ptr = p;
    s->cap = cap;
    return true;
}

void qz_str_append(qz_str *s, const void *bytes, size_t n) {
    if (!grow(s, n)) return;
    if (n) memcpy(s->ptr + s->len, bytes, n);
    s->len += n;
    s->ptr[s->len] = 0;
}
void qz_str_puts(qz_str *s, const char *text) { qz_str_append(s, text, strlen(text)); }
void qz_str_putc(qz_str *s, char c) { qz_str_append(s, &c, 1); }

void qz_str_vprintf(qz_str *s, const char *fmt, va_list ap) {
    va_list ap2;
    va_copy(ap2, ap);
    int n = vsnprintf(NULL, 0, fmt, ap2);
    va_end(ap2);
    if (n < 0) {
        s->failed = true;
        return;
    }
    if (!grow(s, (size_t)n)) return;
    (void)vsnprintf(s->ptr + s->len, (size_t)n + 1, fmt, ap);
    s->len += (size_t)n;
}
void qz_str_printf(qz_str *s, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    qz_str_vprintf(s, fmt, ap);
    va_end(ap);
}
void qz_str_clear(qz_str *s) {
    s->len = 0;
    if (s->ptr) s->ptr[0] = 0;
}
void qz_str_release(qz_str *s) {
    qz_free(s->ptr);
    *s = (qz_str){0};
}

size_t qz_str_distance(const char *a, const char *b) {
    enum { MAX = 64 };
    size_t n = strlen(a), m = strlen(b), row[MAX + 1];
    if (n > MAX || m > MAX) return MAX;
    for (size_t j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diag = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t sub = diag + (a[i - 1] != b[j - 1]);
            diag = row[j];
            row[j] = qz_min_size(sub, qz_min_size(row[j], row[j - 1]) + 1);
        }
    }
    return row[m];
}
bool qz_str_starts(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }
bool qz_str_ends(const char *s, const char *suffix) {
    size_t n = strlen(s), k = strlen(suffix);
    return n >= k && memcmp(s + n - k, suffix, k) == 0;
}

bool qz_near_as(qz_near *n, const char *spelling, const char *name) {
    const size_t d = qz_str_distance(n->word, spelling), at = n->seen++;
    if ((n->limit && d >= n->limit) || (n->best && d >= n->distance)) return false;
    n->best = name;
    n->at = at;
    n->distance = d;
    return true;
}
bool qz_near_see(qz_near *n, const char *name) { return qz_near_as(n, name, name); }

bool qz_list_next(const char **list, qz_piece *part) {
    const char *p = *list;
    if (p == NULL || *p == 0) return false;
    p += strspn(p, " ");
    size_t k = strcspn(p, ",");
    *list = p + k + (p[k] == ',');
    while (k && p[k - 1] == ' ') k--;
    *part = (qz_piece){p, k};
    return true;
}
size_t qz_list_count(const char *list) {
    size_t n = list != NULL;
    for (; list && *list; list++) n += *list == ',';
    return n;
}
bool qz_piece_is(qz_piece p, const char *word) { return strlen(word) == p.n && strncasecmp(p.at, word, p.n) == 0; }

bool qz_list_has(const char *list, const char *code) {
    const size_t n = strlen(code);
    qz_piece p;
    if (list && strcmp(list, "*") == 0) return true;
    while (qz_list_next(&list, &p))
        if (p.n == n && memcmp(p.at, code, n) == 0) return true;
    return false;
}
