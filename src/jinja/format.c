/* '%' formatting and str.format(), the parts that templates use: flags, width, precision; d i u x X o f
 * F e g s r c %. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "jinja/jinja_int.h"
#include "base/utf8.h"

typedef struct {
    bool minus, plus, space, zero;
    char align;
    jtext fill;
    int64_t width, prec;
    char type;
    bool grouped;
} spec;

static bool bad(jctx *c, const char *what) { return j_fail(c, "ValueError", "line %u: %s", c->line, what); }

/* One number of at most four digits at s[*i]. */
static int64_t digits(jtext s, size_t *i) {
    int64_t v = -1;
    for (int k = 0; k < 4 && *i < s.n && s.p[*i] >= '0' && s.p[*i] <= '9'; k++, (*i)++)
        v = (v < 0 ? 0 : v) * 10 + (s.p[*i] - '0');
    return v;
}

static bool padded(jctx *c, const spec *f, const char *p, size_t n, bool number, qz_str *out) {
    int64_t have = (int64_t)qz_utf8_count(p, n), all = f->width > have ? f->width - have : 0;
    char align = f->align ? f->align : f->minus ? '<' : number ? '>' : '<';
    bool zero = f->zero && number && !f->minus && (!f->align || f->align == '=');
    size_t sign = zero && n && (p[0] == '-' || p[0] == '+' || p[0] == ' ');
    int64_t left = zero || align == '>' ? all : align == '^' ? all / 2 : 0;
    if (!j_put(c, out, p, sign)) return false;
    for (int64_t i = 0; i < left; i++)
        if (!(zero ? j_put(c, out, "0", 1) : j_put(c, out, f->fill.p, f->fill.n))) return false;
    if (!j_put(c, out, p + sign, n - sign)) return false;
    for (int64_t i = left; i < all; i++)
        if (!j_put(c, out, f->fill.p, f->fill.n)) return false;
    return true;
}

static bool float_text(jctx *c, const spec *f, double x, qz_str *out) {
    char text[400];
    int prec = f->prec < 0 ? 6 : (int)(f->prec > 60 ? 60 : f->prec), n;
    const char *sign = f->plus ? "+" : f->space ? " " : "";
    if (x < 0 || (x == 0 && 1 / x < 0)) sign = "";
    switch (f->type) {
    case 'e': n = snprintf(text, sizeof text, "%s%.*e", sign, prec, x); break;
    case 'g': n = snprintf(text, sizeof text, "%s%.*g", sign, prec, x); break;
    case '%': n = snprintf(text, sizeof text, "%s%.*f%%", sign, prec, x * 100); break;
    default: n = snprintf(text, sizeof text, "%s%.*f", sign, prec, x);
    }
    return padded(c, f, text, (size_t)n, true, out);
}

static bool int_text(jctx *c, const spec *f, int64_t v, qz_str *out) {
    char text[64];
    uint64_t m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    const char *sign = v < 0 ? "-" : f->plus ? "+" : f->space ? " " : "";
    int n = f->type == 'x'   ? snprintf(text, sizeof text, "%s%llx", sign, (unsigned long long)m)
            : f->type == 'X' ? snprintf(text, sizeof text, "%s%llX", sign, (unsigned long long)m)
            : f->type == 'o' ? snprintf(text, sizeof text, "%s%llo", sign, (unsigned long long)m)
                             : snprintf(text, sizeof text, "%s%llu", sign, (unsigned long long)m);
    size_t k = (size_t)n;
    size_t from = strlen(sign);
    for (size_t i = k; f->grouped && i > from + 3;) { /* thousands */
        i -= 3;
        memmove(text + i + 1, text + i, k - i + 1);
        text[i] = ',';
        k++;
    }
    return padded(c, f, text, k, true, out);
}

static bool one(jctx *c, const spec *f, jval v, qz_str *out) {
    int64_t i;
    double x;
    if (strchr("sr", f->type)) {
        qz_str t = {0};
        bool ok = f->type == 'r' ? j_repr(c, v, &t) : j_str(c, v, &t);
        size_t n = f->prec >= 0 && ok ? j_char_at((jtext){t.ptr ? t.ptr : "", t.len}, (size_t)f->prec) : t.len;
        ok = ok && padded(c, f, t.ptr ? t.ptr : "", n, false, out);
        qz_str_release(&t);
        return ok;
    }
    if (strchr("diuxXo", f->type)) {
        if (v.t == J_FLOAT && strchr("diu", f->type) && v.u.f > -9e18 && v.u.f < 9e18)
            return int_text(c, f, (int64_t)v.u.f, out);
        if (!j_as_int(v, &i))
            return j_fail(c, "TypeError", "line %u: %%%c format: a number is required, not %s", c->line, f->type,
                          j_type_name(v));
        return int_text(c, f, i, out);
    }
    if (!j_as_number(v, &x))
        return j_fail(c, "TypeError", "line %u: must be a real number, not %s", c->line, j_type_name(v));
    return float_text(c, f, x, out);
}

/* The value that one conversion of a '%' format consumes: by name from a dict, or the next of a tuple. */
static bool percent_value(jctx *c, jtext s, size_t *i, jval args, size_t *used, jval *v, bool *named) {
    *named = false;
    if (*i < s.n && s.p[*i] == '(') {
        const char *end = memchr(s.p + *i, ')', s.n - *i);
        bool found = false;
        if (!end || args.t != J_DICT) return j_fail(c, "TypeError", "line %u: format requires a mapping", c->line);
        jval key = j_ref(s.p + *i + 1, (size_t)(end - s.p) - *i - 1);
        *i = (size_t)(end - s.p) + 1;
        *named = true;
        if (!j_dict_get(c, args.u.d, key, v, &found)) return false;
        return found || j_fail(c, "KeyError", "line %u: '%.*s'", c->line, (int)key.u.s.n, key.u.s.p);
    }
    size_t n = args.t == J_TUPLE ? args.u.l.n : 1;
    if (*used < n) *v = args.t == J_TUPLE ? args.u.l.v[*used] : args;
    return true;
}

bool j_percent(jctx *c, jval fmt, jval args, jval *out) {
    qz_str r = {0};
    jtext s = fmt.u.s;
    size_t used = 0, n_args = args.t == J_TUPLE ? args.u.l.n : 1;
    bool any_named = false;
    for (size_t i = 0; i < s.n && c->st == QZ_OK;) {
        if (s.p[i] != '%') {
            const char *p = memchr(s.p + i, '%', s.n - i);
            size_t end = p ? (size_t)(p - s.p) : s.n;
            if (!j_put(c, &r, s.p + i, end - i)) break;
            i = end;
            continue;
        }
        spec f = {.fill = {" ", 1}, .prec = -1};
        jval v = j_none();
        bool named;
        i++;
        if (!percent_value(c, s, &i, args, &used, &v, &named)) break;
        for (; i < s.n && strchr("-+ 0#", s.p[i]) && s.p[i]; i++) {
            f.minus |= s.p[i] == '-';
            f.plus |= s.p[i] == '+';
            f.space |= s.p[i] == ' ';
            f.zero |= s.p[i] == '0';
        }
        f.width = digits(s, &i);
        if (i < s.n && s.p[i] == '.') {
            i++;
            f.prec = digits(s, &i);
            if (f.prec < 0) f.prec = 0;
        }
        f.type = i < s.n ? s.p[i++] : 0;
        if (f.type == '%') {
            j_put(c, &r, "%", 1);
            continue;
        }
        if (!f.type || !strchr("sriduxXofFeg", f.type)) bad(c, "unsupported format character");
        else if (!named && used++ >= n_args)
            j_fail(c, "TypeError", "line %u: not enough arguments for format string", c->line);
        else one(c, &f, v, &r);
        any_named |= named;
    }
    if (c->st == QZ_OK && !any_named && used < n_args && args.t != J_DICT)
        j_fail(c, "TypeError", "line %u: not all arguments converted during string formatting", c->line);
    return j_take(c, &r, out);
}

/* ---- str.format ---- */
static bool field_value(jctx *c, jtext name, const jargs *a, size_t *next, jval *v) {
    size_t i = 0;
    int64_t at = digits(name, &i);
    if (name.n == 0) at = (int64_t)(*next)++;
    if (name.n == 0 || i == name.n) {
        if (at < 0 || (size_t)at >= a->n)
            return j_fail(c, "IndexError", "line %u: no argument %lld for format()", c->line, (long long)at);
        *v = a->pos[at];
        return true;
    }
    for (size_t k = 0; k < a->n_kw; k++)
        if (a->names[k].n == name.n && memcmp(a->names[k].p, name.p, name.n) == 0) {
            *v = a->kw[k];
            return true;
        }
    return j_fail(c, "KeyError", "line %u: format() has no '%.*s'", c->line, (int)name.n, name.p);
}

/* "[[fill]align][sign][0][width][,][.prec][type]" */
static bool parse_spec(jctx *c, jtext s, jval v, spec *f) {
    size_t i = 0;
    uint32_t cp;
    *f = (spec){.fill = {" ", 1}, .prec = -1, .type = v.t == J_FLOAT ? 's' : v.t == J_INT ? 'd' : 's'};
    size_t k = s.n ? qz_utf8_step(s.p, s.n, &cp) : 0;
    if (k && k < s.n && strchr("<>^=", s.p[k])) {
        f->fill = (jtext){s.p, k};
        f->align = s.p[k];
        i = k + 1;
    } else if (k && strchr("<>^=", s.p[0])) {
        f->align = s.p[0];
        i = 1;
    }
    if (i < s.n && strchr("+- ", s.p[i])) f->plus = s.p[i] == '+', f->space = s.p[i] == ' ', i++;
    if (i < s.n && s.p[i] == '0') f->zero = true, i++;
    f->width = digits(s, &i);
    if (i < s.n && s.p[i] == ',') f->grouped = true, i++;
    if (i < s.n && s.p[i] == '.') {
        i++;
        f->prec = digits(s, &i);
        if (v.t == J_FLOAT) f->type = 'g';
    }
    if (i < s.n && strchr("sdxXofFeg%", s.p[i])) f->type = s.p[i++];
    if (v.t == J_FLOAT && f->type == 's' && !f->align) f->align = '>';
    return i == s.n || bad(c, "bad format specifier");
}

static bool one_field(jctx *c, jtext field, const jargs *a, size_t *next, qz_str *r) {
    const char *colon = memchr(field.p, ':', field.n), *bang = memchr(field.p, '!', field.n);
    size_t n = bang && (!colon || bang < colon) ? (size_t)(bang - field.p)
               : colon                          ? (size_t)(colon - field.p)
                                                : field.n;
    bool repr = n < field.n && field.p[n] == '!' && n + 1 < field.n && field.p[n + 1] == 'r';
    jtext sp = colon ? (jtext){colon + 1, field.n - (size_t)(colon - field.p) - 1} : (jtext){"", 0};
    jval v;
    spec f;
    if (memchr(field.p, '.', n) || memchr(field.p, '[', n))
        return bad(c, "attributes in format() fields are not supported");
    if (!field_value(c, (jtext){field.p, n}, a, next, &v) || !parse_spec(c, sp, v, &f)) return false;
    if (repr) f.type = 'r';
    return one(c, &f, v, r);
}

bool j_format(jctx *c, jval fmt, const jargs *a, jval *out) {
    qz_str r = {0};
    jtext s = fmt.u.s;
    size_t next = 0;
    for (size_t i = 0; i < s.n && c->st == QZ_OK;) {
        char ch = s.p[i];
        if (ch != '{' && ch != '}') {
            size_t k = i;
            while (k < s.n && s.p[k] != '{' && s.p[k] != '}') k++;
            j_put(c, &r, s.p + i, k - i);
            i = k;
        } else if (i + 1 < s.n && s.p[i + 1] == ch) {
            j_put(c, &r, &ch, 1);
            i += 2;
        } else {
            const char *end = ch == '{' ? memchr(s.p + i, '}', s.n - i) : NULL;
            if (!end) {
                bad(c, "single brace in format string");
                break;
            }
            one_field(c, (jtext){s.p + i + 1, (size_t)(end - s.p) - i - 1}, a, &next, &r);
            i = (size_t)(end - s.p) + 1;
        }
    }
    return j_take(c, &r, out);
}
