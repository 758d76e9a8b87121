/* Answers of MATH: the rules of Hendrycks' strip_string as lm-evaluation-harness 0.4.13 has them, in its order
 * (tasks/hendrycks_math/utils.py). Deviates: where those rules raise an exception (a fraction or a root at the end,
 * words around a slash, two units) the harness compares the texts as they are; here the rule is left out. */
#include "text/task_int.h"
#include <ctype.h>
#include <string.h>

/* Every `from` in s becomes `to`. */
static void replace(qz_str *s, const char *from, const char *to) {
    const size_t n = strlen(from);
    qz_str out = {0};
    for (size_t i = 0; i < s->len;) {
        const bool hit = i + n <= s->len && memcmp(s->ptr + i, from, n) == 0;
        if (hit) qz_str_puts(&out, to), i += n;
        else qz_str_putc(&out, s->ptr[i++]);
    }
    qz_str_release(s);
    *s = out;
}
static const char *find(const qz_str *s, const char *what) {
    return s->len ? memmem(s->ptr, s->len, what, strlen(what)) : NULL;
}
static void keep_from(qz_str *s, size_t at, size_t n) {
    qz_str out = {0};
    qz_str_append(&out, s->ptr + at, n);
    qz_str_release(s);
    *s = out;
}

/* \sqrt3 → \sqrt{3} */
static void roots(qz_str *s) {
    qz_str out = {0};
    for (size_t i = 0; i < s->len; i++) {
        qz_str_putc(&out, s->ptr[i]);
        if (out.len < 5 || memcmp(out.ptr + out.len - 5, "\\sqrt", 5) != 0 || i + 1 == s->len || s->ptr[i + 1] == '{')
            continue;
        qz_str_printf(&out, "{%c}", s->ptr[++i]);
    }
    qz_str_release(s);
    *s = out;
}

/* \frac12 → \frac{1}{2}, \frac1{72} → \frac{1}{72}; one that is cut leaves all as they are. */
static void fractions(qz_str *s) {
    qz_str out = {0};
    for (size_t i = 0; i < s->len; i++) {
        qz_str_putc(&out, s->ptr[i]);
        if (out.len < 5 || memcmp(out.ptr + out.len - 5, "\\frac", 5) != 0) continue;
        if (i + 1 < s->len && s->ptr[i + 1] == '{') continue;
        if (i + 2 >= s->len || memcmp(s->ptr + i + 1, "\\f", 2) == 0 || s->ptr[i + 2] == '\\') {
            qz_str_release(&out);
            return;
        }
        const char a = s->ptr[i + 1], b = s->ptr[i + 2];
        if (b == '{') qz_str_printf(&out, "{%c}", a), i += 1;
        else qz_str_printf(&out, "{%c}{%c}", a, b), i += 2;
    }
    qz_str_release(s);
    *s = out;
}

static bool whole(const char *s, size_t n) { /* as int() prints it again */
    const size_t sign = n && *s == '-';
    if (n == sign || (s[sign] == '0' && n > 1)) return false;
    for (size_t i = sign; i < n; i++)
        if (!isdigit((unsigned char)s[i])) return false;
    return true;
}
/* 1/2 → \frac{1}{2} */
static void slash(qz_str *s) {
    const char *at = s->len ? memchr(s->ptr, '/', s->len) : NULL;
    if (at == NULL) return;
    const size_t a = (size_t)(at - s->ptr), b = s->len - a - 1;
    qz_str out = {0};
    if (!whole(s->ptr, a) || !whole(at + 1, b)) return;
    qz_str_printf(&out, "\\frac{%.*s}{%.*s}", (int)a, s->ptr, (int)b, at + 1);
    qz_str_release(s);
    *s = out;
}

void qz_math_normal(const char *text, size_t n, qz_str *out) {
    static const char *const rules[][2] = {{"\n", ""},        {"\\!", ""},    {"\\\\", "\\"},     {"tfrac", "frac"},
                                           {"dfrac", "frac"}, {"\\left", ""}, {"\\right", ""},    {"^{\\circ}", ""},
                                           {"^\\circ", ""},   {"\\$", ""}};
    static const char *const late[][2] = {{"\\%", ""}, {" .", " 0."}, {"{.", "{0."}};
    qz_str s = {0};
    qz_str_append(&s, text, n);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) replace(&s, rules[i][0], rules[i][1]);
    const char *unit = find(&s, "\\text{ ");
    if (unit) keep_from(&s, 0, (size_t)(unit - s.ptr));
    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) replace(&s, late[i][0], late[i][1]);
    if (s.len && s.ptr[0] == '.') {
        qz_str zero = {0};
        qz_str_putc(&zero, '0');
        qz_str_append(&zero, s.ptr, s.len);
        qz_str_release(&s);
        s = zero;
    }
    const char *equal = find(&s, "=");
    const size_t before = equal ? (size_t)(equal - s.ptr) : 0;
    if (equal && before <= 2 && memchr(equal + 1, '=', s.len - before - 1) == NULL)
        keep_from(&s, before + 1, s.len - before - 1);
    roots(&s);
    replace(&s, " ", "");
    fractions(&s);
    if (s.len == 3 && memcmp(s.ptr, "0.5", 3) == 0) {
        qz_str_clear(&s);
        qz_str_puts(&s, "\\frac{1}{2}");
    }
    slash(&s);
    qz_str_append(out, s.ptr ? s.ptr : "", s.len);
    out->failed |= s.failed;
    qz_str_release(&s);
}

bool qz_math_boxed(const char *s, size_t n, const char **at, size_t *len) {
    static const char *const words[] = {"\\boxed", "\\fbox"};
    for (size_t w = 0; w < 2; w++) {
        const size_t k = strlen(words[w]);
        for (size_t i = n; i-- > 0;) {
            if (i + k >= n || memcmp(s + i, words[w], k) != 0) continue;
            size_t from = i + k, open = 0;
            if (s[from] == ' ') { /* \boxed 7: to the next dollar sign */
                const char *end = memchr(s + from, '$', n - from);
                *at = s + from + 1;
                *len = (end ? (size_t)(end - s) : n) - from - 1;
                return true;
            }
            for (size_t e = from; s[from] == '{' && e < n; e++) {
                open += s[e] == '{';
                open -= s[e] == '}';
                if (open == 0) return *at = s + from + 1, *len = e - from - 1, true;
            }
            return false; /* it is not closed */
        }
    }
    return false;
}
