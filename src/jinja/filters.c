/* Filters of the environment, one function each; the table at the end is the list. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "jinja/jinja_int.h"
#include "base/utf8.h"

static bool as_text(jctx *c, jval v, jtext *out) {
    jval t;
    if (!j_to_text(c, v, &t)) return false;
    *out = t.u.s;
    return true;
}

static bool f_trim(jctx *c, jval v, const jargs *a, jval *out) {
    jtext s;
    return as_text(c, v, &s) && j_strip(c, s, j_arg(a, 0, "chars"), true, true, out);
}
static bool f_case(jctx *c, jval v, char how, jval *out) {
    jtext s;
    return as_text(c, v, &s) && j_case(c, s, how, out);
}
static bool f_upper(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return f_case(c, v, 'u', out); }
static bool f_lower(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return f_case(c, v, 'l', out); }
static bool f_title(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return f_case(c, v, 'f', out); }
static bool f_capitalize(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return f_case(c, v, 'c', out); }
static bool f_string(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return j_to_text(c, v, out); }
static bool f_safe(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    const bool ok = j_to_text(c, v, out);
    if (ok) out->markup = true;
    return ok;
}

static bool f_length(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    switch (v.t) {
    case J_STR: *out = j_int((int64_t)qz_utf8_count(v.u.s.p, v.u.s.n)); break;
    case J_LIST: case J_TUPLE:
        if (v.lazy) return j_fail(c, "TypeError", "line %u: object of type 'generator' has no len()", c->line);
        *out = j_int((int64_t)v.u.l.n); break;
    case J_DICT: *out = j_int((int64_t)v.u.d->n); break;
    case J_UNDEF: *out = j_int(0); break;
    default: return j_fail(c, "TypeError", "line %u: object of type '%s' has no len()", c->line, j_type_name(v));
    }
    return j_step(c, v.t == J_STR ? v.u.s.n / 64 : 1);
}

static bool f_default(jctx *c, jval v, const jargs *a, jval *out) {
    const jval *d = j_arg(a, 0, "default_value");
    bool use = j_missing(v) || (j_arg_bool(a, 1, "boolean", false) && !j_truth(v));
    *out = use ? (d ? *d : j_ref("", 0)) : v;
    return j_step(c, 1);
}

static bool f_list(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    return j_iterate(c, v, out);
}

static bool f_first(jctx *c, jval v, const jargs *a, jval *out) {
    jval l;
    (void)a;
    if (!j_iterate(c, v, &l)) return false;
    *out = l.u.l.n ? l.u.l.v[0] : j_undef("first item of an empty sequence", 31);
    return true;
}
static bool f_last(jctx *c, jval v, const jargs *a, jval *out) {
    jval l;
    (void)a;
    if (v.t == J_LIST && v.lazy)
        return j_fail(c, "TypeError", "line %u: 'generator' object is not reversible", c->line);
    if (!j_iterate(c, v, &l)) return false;
    *out = l.u.l.n ? l.u.l.v[l.u.l.n - 1] : j_undef("last item of an empty sequence", 30);
    return true;
}

static bool f_reverse(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    if (v.t == J_STR || v.t == J_LIST || v.t == J_TUPLE) return j_slice(c, v, j_none(), j_none(), j_int(-1), out);
    jval l;
    return j_iterate(c, v, &l) && j_slice(c, l, j_none(), j_none(), j_int(-1), out);
}

/* "a.b" or an index: the value of one attribute path. */
static bool path(jctx *c, jval v, jval attribute, jval *out) {
    if (attribute.t == J_INT) return j_index(c, v, attribute, out);
    if (attribute.t != J_STR) return j_fail(c, "TypeError", "line %u: an attribute must be a string", c->line);
    jtext s = attribute.u.s;
    *out = v;
    for (size_t i = 0; i <= s.n;) {
        const char *dot = memchr(s.p + i, '.', s.n - i);
        size_t end = dot ? (size_t)(dot - s.p) : s.n;
        bool number = end > i;
        for (size_t k = i; k < end && number; k++) number = s.p[k] >= '0' && s.p[k] <= '9';
        jval key = number && end - i < 10 ? j_int(strtoll(s.p + i, NULL, 10)) : j_ref(s.p + i, end - i);
        if (!j_index(c, *out, key, out)) return false;
        i = end + 1;
    }
    return true;
}

static bool f_join(jctx *c, jval v, const jargs *a, jval *out) {
    const jval *sep = j_arg(a, 0, "d"), *attr = j_arg(a, 1, "attribute");
    jtext d = {"", 0};
    jval l;
    qz_str s = {0};
    if ((sep && !as_text(c, *sep, &d)) || !j_iterate(c, v, &l)) return false;
    for (size_t i = 0; i < l.u.l.n; i++) {
        jval x = l.u.l.v[i];
        if (attr && attr->t != J_NONE && !path(c, x, *attr, &x)) break;
        if ((i && !j_put(c, &s, d.p, d.n)) || !j_str(c, x, &s)) break;
    }
    return j_take(c, &s, out);
}

static bool f_replace(jctx *c, jval v, const jargs *a, jval *out) {
    jtext s, from, to;
    int64_t count;
    const jval *f = j_arg(a, 0, "old"), *t = j_arg(a, 1, "new");
    if (!f || !t) return j_fail(c, "TypeError", "line %u: replace needs two arguments", c->line);
    return as_text(c, v, &s) && as_text(c, *f, &from) && as_text(c, *t, &to) &&
           j_arg_int(c, a, 2, "count", -1, &count) && j_replace(c, s, from, to, count, out);
}

/* ---- numbers ---- */
static bool parse_int(jtext s, int64_t base, int64_t *out) {
    char buf[72], *end;
    size_t k = 0;
    for (size_t i = 0; i < s.n && k + 1 < sizeof buf; i++)
        if (s.p[i] != '_') buf[k++] = s.p[i];
    buf[k] = 0;
    if (k == 0 || k + 1 == sizeof buf) return false;
    *out = strtoll(buf, &end, (int)base);
    while (*end == ' ' || *end == '\n' || *end == '\t') end++;
    return *end == 0;
}

/* int and float of nothing are no number, whatever their default. */
static bool no_number(jctx *c, jval v) {
    return j_missing(v) && !j_undefined(c, v);
}

static bool f_int(jctx *c, jval v, const jargs *a, jval *out) {
    const jval *d = j_arg(a, 0, "default");
    int64_t base, i;
    char buf[400], *end;
    if (no_number(c, v) || !j_arg_int(c, a, 1, "base", 10, &base)) return false;
    *out = d ? *d : j_int(0);
    if (j_as_int(v, &i)) {
        *out = j_int(i);
    } else if (v.t == J_FLOAT && v.u.f > -9.2e18 && v.u.f < 9.2e18) {
        *out = j_int((int64_t)v.u.f);
    } else if (v.t == J_STR && base >= 2 && base <= 36 && parse_int(v.u.s, base, &i)) {
        *out = j_int(i);
    } else if (v.t == J_STR && v.u.s.n && v.u.s.n < sizeof buf) { /* "3.7" */
        memcpy(buf, v.u.s.p, v.u.s.n);
        buf[v.u.s.n] = 0;
        double x = strtod(buf, &end);
        if (end != buf && *end == 0 && x > -9.2e18 && x < 9.2e18) *out = j_int((int64_t)x);
    }
    return true;
}

static bool f_float(jctx *c, jval v, const jargs *a, jval *out) {
    const jval *d = j_arg(a, 0, "default");
    double x;
    char buf[400], *end;
    if (no_number(c, v)) return false;
    *out = d ? *d : j_float(0);
    if (j_as_number(v, &x)) {
        *out = j_float(x);
    } else if (v.t == J_STR && v.u.s.n && v.u.s.n < sizeof buf) {
        memcpy(buf, v.u.s.p, v.u.s.n);
        buf[v.u.s.n] = 0;
        x = strtod(buf, &end);
        if (end != buf && *end == 0) *out = j_float(x);
    }
    return j_step(c, 1);
}

static bool f_abs(jctx *c, jval v, const jargs *a, jval *out) {
    int64_t i;
    (void)a;
    if (j_as_int(v, &i)) return i < 0 ? j_binary(c, "-", j_int(0), j_int(i), out) : (*out = j_int(i), true);
    if (v.t == J_FLOAT) {
        *out = j_float(fabs(v.u.f));
        return true;
    }
    return j_fail(c, "TypeError", "line %u: bad operand type for abs(): '%s'", c->line, j_type_name(v));
}

static bool f_round(jctx *c, jval v, const jargs *a, jval *out) {
    int64_t digits;
    double x;
    const jval *m = j_arg(a, 1, "method");
    if (!j_arg_int(c, a, 0, "precision", 0, &digits)) return false;
    if (!j_as_number(v, &x))
        return j_fail(c, "TypeError", "line %u: round needs a number, not %s", c->line, j_type_name(v));
    if (digits > 300 || digits < -300) return j_fail(c, "ValueError", "line %u: bad precision", c->line);
    if (m && m->t == J_STR && !j_is(m->u.s, "common")) {
        double f = pow(10, (double)digits);
        *out = j_float(j_is(m->u.s, "ceil") ? ceil(x * f) / f : floor(x * f) / f);
        return true;
    }
    if (digits < 0) {
        double f = pow(10, (double)-digits);
        *out = j_float(nearbyint(x / f) * f);
        return true;
    }
    char buf[700]; /* correctly rounded decimal, as Python's round() */
    snprintf(buf, sizeof buf, "%.*f", (int)digits, x);
    *out = j_float(strtod(buf, NULL));
    return true;
}

static bool f_sum(jctx *c, jval v, const jargs *a, jval *out) {
    const jval *attr = j_arg(a, 0, "attribute"), *start = j_arg(a, 1, "start");
    jval l;
    if (!j_iterate(c, v, &l)) return false;
    *out = start ? *start : j_int(0);
    for (size_t i = 0; i < l.u.l.n; i++) {
        jval x = l.u.l.v[i];
        if (attr && attr->t != J_NONE && !path(c, x, *attr, &x)) return false;
        if (!j_binary(c, "+", *out, x, out)) return false;
    }
    return true;
}

/* ---- order ---- */
/* Key of one item: the attribute, lowered unless case counts. */
static bool sort_key(jctx *c, jval v, const jval *attr, bool cased, jval *out) {
    *out = v;
    if (attr && attr->t != J_NONE && !path(c, v, *attr, out)) return false;
    return cased || out->t != J_STR || j_case(c, out->u.s, 'l', out);
}

/* Stable merge sort of (key, value) pairs. */
typedef struct { jval key, v; } keyed;
static bool merge_sort(jctx *c, keyed *x, keyed *tmp, size_t n, bool reverse) {
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n, i = lo, j = mid;
            for (size_t k = lo; k < hi; k++) {
                int d = 0;
                if (i < mid && j < hi && !j_order(c, x[i].key, x[j].key, &d)) return false;
                bool left = j >= hi || (i < mid && (reverse ? d >= 0 : d <= 0));
                tmp[k] = left ? x[i++] : x[j++];
            }
        }
        memcpy(x, tmp, n * sizeof *x);
    }
    return true;
}

static bool sorted(jctx *c, jval l, const jval *attr, bool cased, bool reverse, jval *out) {
    size_t n = l.u.l.n;
    keyed *x = j_alloc(c, n + 1, sizeof *x), *tmp = x ? j_alloc(c, n + 1, sizeof *tmp) : NULL;
    if (!tmp) return false;
    for (size_t i = 0; i < n; i++) {
        x[i].v = l.u.l.v[i];
        if (!sort_key(c, x[i].v, attr, cased, &x[i].key)) return false;
    }
    if (n && !merge_sort(c, x, tmp, n, reverse)) return false;
    if (!j_new_list(c, J_LIST, n, out)) return false;
    for (size_t i = 0; i < n; i++) out->u.l.v[i] = x[i].v;
    return true;
}

static bool f_sort(jctx *c, jval v, const jargs *a, jval *out) {
    jval l;
    return j_iterate(c, v, &l) && sorted(c, l, j_arg(a, 2, "attribute"), j_arg_bool(a, 1, "case_sensitive", false),
                                         j_arg_bool(a, 0, "reverse", false), out);
}

static bool f_dictsort(jctx *c, jval v, const jargs *a, jval *out) {
    jval items, at = j_int(0);
    const jval *by = j_arg(a, 1, "by");
    jargs none = {0};
    if (v.t != J_DICT) return j_fail(c, "TypeError", "line %u: dictsort needs a dict, not %s", c->line, j_type_name(v));
    if (by && by->t == J_STR && j_is(by->u.s, "value")) at = j_int(1);
    return j_call_method(c, v, (jtext){"items", 5}, &none, &items) &&
           sorted(c, items, &at, j_arg_bool(a, 0, "case_sensitive", false), j_arg_bool(a, 2, "reverse", false), out);
}

static bool extreme(jctx *c, jval v, const jargs *a, int sign, jval *out) {
    jval l, best, key;
    bool cased = j_arg_bool(a, 0, "case_sensitive", false);
    const jval *attr = j_arg(a, 1, "attribute");
    if (!j_iterate(c, v, &l)) return false;
    *out = j_undef("extreme of an empty sequence", 28);
    for (size_t i = 0; i < l.u.l.n; i++) {
        int d = -1;
        if (!sort_key(c, l.u.l.v[i], attr, cased, &key) || (i && !j_order(c, key, best, &d))) return false;
        if (i && d * sign <= 0) continue;
        best = key;
        *out = l.u.l.v[i];
    }
    return true;
}
static bool f_max(jctx *c, jval v, const jargs *a, jval *out) { return extreme(c, v, a, 1, out); }
static bool f_min(jctx *c, jval v, const jargs *a, jval *out) { return extreme(c, v, a, -1, out); }

static bool f_unique(jctx *c, jval v, const jargs *a, jval *out) {
    jval l, keys;
    bool cased = j_arg_bool(a, 0, "case_sensitive", false);
    size_t n = 0;
    if (!j_iterate(c, v, &l) || !j_new_list(c, J_LIST, l.u.l.n, out) || !j_new_list(c, J_LIST, l.u.l.n, &keys))
        return false;
    for (size_t i = 0; i < l.u.l.n; i++) {
        bool seen;
        jval key;
        keys.u.l.n = n;
        if (!sort_key(c, l.u.l.v[i], j_arg(a, 1, "attribute"), cased, &key) || !j_contains(c, keys, key, &seen))
            return false;
        if (seen) continue;
        keys.u.l.v[n] = key;
        out->u.l.v[n++] = l.u.l.v[i];
    }
    out->u.l.n = n;
    return true;
}

/* ---- selection ---- */
static bool nothing(jctx *c, jval *out) {
    if (!j_new_list(c, J_LIST, 0, out)) return false;
    out->lazy = true;
    return true;
}

static bool choose(jctx *c, jval v, const jargs *a, bool by_attr, bool keep, jval *out) {
    size_t first = by_attr ? 1 : 0, n = 0;
    jval l;
    if (!j_truth(v)) return nothing(c, out); /* the reference looks at nothing then: none is no error */
    if (by_attr && !a->n) return j_fail(c, "TypeError", "line %u: selectattr needs an attribute", c->line);
    if (!j_iterate(c, v, &l) || !j_new_list(c, J_LIST, l.u.l.n, out)) return false;
    for (size_t i = 0; i < l.u.l.n; i++) {
        jval x = l.u.l.v[i];
        bool yes;
        if (by_attr && !path(c, x, a->pos[0], &x)) return false;
        if (a->n > first) {
            jargs rest = {.pos = a->pos + first + 1, .n = a->n - first - 1, .names = a->names, .kw = a->kw,
                          .n_kw = a->n_kw};
            if (a->pos[first].t != J_STR)
                return j_fail(c, "TypeError", "line %u: the name of a test is missing", c->line);
            if (!j_test(c, a->pos[first].u.s, x, &rest, &yes)) return false;
        } else {
            yes = j_truth(x);
        }
        if (yes == keep) out->u.l.v[n++] = l.u.l.v[i];
    }
    out->u.l.n = n;
    out->lazy = true;
    return true;
}
static bool f_select(jctx *c, jval v, const jargs *a, jval *out) { return choose(c, v, a, false, true, out); }
static bool f_reject(jctx *c, jval v, const jargs *a, jval *out) { return choose(c, v, a, false, false, out); }
static bool f_selectattr(jctx *c, jval v, const jargs *a, jval *out) { return choose(c, v, a, true, true, out); }
static bool f_rejectattr(jctx *c, jval v, const jargs *a, jval *out) { return choose(c, v, a, true, false, out); }

static bool f_map(jctx *c, jval v, const jargs *a, jval *out) {
    jval l;
    const jval *attr = a->n ? NULL : j_arg(a, 9, "attribute"), *dflt = j_arg(a, 9, "default");
    if (!j_truth(v)) return nothing(c, out); /* as select */
    if (!attr && (!a->n || a->pos[0].t != J_STR))
        return j_fail(c, "FilterArgumentError", "line %u: map needs a filter or an attribute", c->line);
    if (!j_iterate(c, v, &l) || !j_new_list(c, J_LIST, l.u.l.n, out)) return false;
    for (size_t i = 0; i < l.u.l.n; i++) {
        jval *r = &out->u.l.v[i];
        jargs rest = {.pos = a->pos + 1, .n = a->n - (a->n > 0), .names = a->names, .kw = a->kw, .n_kw = a->n_kw};
        if (!(attr ? path(c, l.u.l.v[i], *attr, r) : j_filter(c, a->pos[0].u.s, l.u.l.v[i], &rest, r))) return false;
        if (attr && dflt && j_missing(*r)) *r = *dflt;
    }
    out->lazy = true;
    return true;
}

static bool f_attr(jctx *c, jval v, const jargs *a, jval *out) {
    jtext s;
    return a->n && as_text(c, a->pos[0], &s) ? j_attr(c, v, s, out)
                                             : j_fail(c, "TypeError", "line %u: attr needs a name", c->line);
}

static bool f_items(jctx *c, jval v, const jargs *a, jval *out) {
    if (j_missing(v)) return j_new_list(c, J_LIST, 0, out);
    if (v.t != J_DICT) return j_fail(c, "TypeError", "line %u: items needs a dict, not %s", c->line, j_type_name(v));
    return j_call_method(c, v, (jtext){"items", 5}, a, out);
}

static bool f_batch(jctx *c, jval v, const jargs *a, jval *out) {
    int64_t size;
    const jval *fill = j_arg(a, 1, "fill_with");
    jval l;
    if (!j_arg_int(c, a, 0, "linecount", 1, &size) || !j_iterate(c, v, &l)) return false;
    if (size < 1) return j_fail(c, "ValueError", "line %u: batch needs a positive count", c->line);
    size_t k = (size_t)size, n = (l.u.l.n + k - 1) / k;
    if (!j_new_list(c, J_LIST, n, out)) return false;
    for (size_t i = 0; i < n; i++) {
        size_t have = l.u.l.n - i * k < k ? l.u.l.n - i * k : k;
        jval row;
        if (!j_new_list(c, J_LIST, fill && fill->t != J_NONE ? k : have, &row)) return false;
        for (size_t j = 0; j < row.u.l.n; j++) row.u.l.v[j] = j < have ? l.u.l.v[i * k + j] : *fill;
        out->u.l.v[i] = row;
    }
    return true;
}

/* ---- text ---- */
static bool f_indent(jctx *c, jval v, const jargs *a, jval *out) {
    const jval *w = j_arg(a, 0, "width");
    bool first = j_arg_bool(a, 1, "first", false), blank = j_arg_bool(a, 2, "blank", false);
    int64_t width = 4;
    jval pad;
    jtext s;
    qz_str r = {0};
    if (v.t != J_STR)
        return j_fail(c, j_missing(v) ? "UndefinedError" : "TypeError", "line %u: indent needs a string, not %s",
                      c->line, j_type_name(v));
    s = v.u.s;
    if (w && w->t == J_STR) pad = *w;
    else if (w && !j_as_int(*w, &width)) return j_fail(c, "TypeError", "line %u: bad indent", c->line);
    else if (!j_binary(c, "*", j_ref(" ", 1), j_int(width), &pad)) return false;
    for (size_t i = 0; i <= s.n;) {
        const char *nl = memchr(s.p + i, '\n', s.n - i);
        size_t end = nl ? (size_t)(nl - s.p) : s.n;
        bool indent = i == 0 ? first : (blank || end > i);
        if ((indent && !j_put(c, &r, pad.u.s.p, pad.u.s.n)) || !j_put(c, &r, s.p + i, end - i) ||
            (nl && !j_put(c, &r, "\n", 1)))
            break;
        if (!j_step(c, 1)) break;
        i = end + 1;
    }
    return j_take(c, &r, out);
}

static const char *entity(char c) {
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '\'': return "&#39;";
    case '"': return "&#34;";
    default: return NULL;
    }
}

bool j_escape(jctx *c, jval v, jval *out) {
    jtext s;
    qz_str r = {0};
    if (v.t == J_STR && v.markup) {
        *out = v;
        return true;
    }
    if (!as_text(c, v, &s)) return false;
    for (size_t i = 0; i < s.n; i++) {
        const char *e = entity(s.p[i]);
        if (!(e ? j_put(c, &r, e, strlen(e)) : j_put(c, &r, s.p + i, 1))) break;
    }
    if (!j_take(c, &r, out)) return false;
    out->markup = true;
    return true;
}

static bool f_escape(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return j_escape(c, v, out); }

static bool f_wordcount(jctx *c, jval v, const jargs *a, jval *out) {
    jtext s;
    int64_t n = 0;
    bool inside = false;
    (void)a;
    if (!as_text(c, v, &s)) return false;
    for (size_t i = 0; i < s.n;) {
        uint32_t cp;
        i += qz_utf8_step(s.p + i, s.n - i, &cp);
        bool word = qz_utf8_is_word(cp);
        n += word && !inside;
        inside = word;
    }
    *out = j_int(n);
    return true;
}

static bool f_truncate(jctx *c, jval v, const jargs *a, jval *out) {
    int64_t length, leeway;
    const jval *e = j_arg(a, 2, "end");
    bool kill = j_arg_bool(a, 1, "killwords", false);
    jtext s, end = {"...", 3};
    if (v.t == J_NONE || v.t == J_INT || v.t == J_FLOAT || v.t == J_BOOL)
        return j_fail(c, "TypeError", "line %u: object of type '%s' has no len()", c->line, j_type_name(v));
    if (!as_text(c, v, &s) || (e && !as_text(c, *e, &end)) || !j_arg_int(c, a, 0, "length", 255, &length) ||
        !j_arg_int(c, a, 3, "leeway", 5, &leeway))
        return false;
    int64_t n_end = (int64_t)qz_utf8_count(end.p, end.n);
    if (length < n_end) return j_fail(c, "ValueError", "line %u: truncate to less than its end mark", c->line);
    *out = j_ref(s.p, s.n);
    if ((int64_t)qz_utf8_count(s.p, s.n) <= length + leeway) return true;
    size_t k = j_char_at(s, (size_t)(length - n_end));
    for (size_t i = k; !kill && i > 0; i--)
        if (s.p[i - 1] == ' ') {
            k = i - 1;
            break;
        }
    return j_binary(c, "+", j_ref(s.p, k), j_ref(end.p, end.n), out);
}

static bool f_center(jctx *c, jval v, const jargs *a, jval *out) {
    jtext s;
    jval width = j_int(80);
    const jval *w = j_arg(a, 0, "width");
    if (w) width = *w;
    return as_text(c, v, &s) && j_call_method(c, j_ref(s.p, s.n), (jtext){"center", 6}, &(jargs){.pos = &width, .n = 1},
                                                                          out);
}

static bool f_format(jctx *c, jval v, const jargs *a, jval *out) {
    jtext s;
    return as_text(c, v, &s) && j_percent(c, j_ref(s.p, s.n), (jval){.t = J_TUPLE, .u.l = {a->pos, a->n}}, out);
}

static const struct { const char *name; bool (*fn)(jctx *, jval, const jargs *, jval *); } filters[] = {
    {"trim", f_trim}, {"tojson", j_tojson}, {"length", f_length}, {"count", f_length}, {"list", f_list},
    {"join", f_join}, {"string", f_string}, {"default", f_default}, {"d", f_default}, {"first", f_first},
    {"last", f_last}, {"replace", f_replace}, {"upper", f_upper}, {"lower", f_lower}, {"capitalize", f_capitalize},
    {"title", f_title}, {"int", f_int}, {"float", f_float}, {"sort", f_sort}, {"unique", f_unique},
    {"dictsort", f_dictsort}, {"items", f_items}, {"indent", f_indent}, {"reverse", f_reverse}, {"sum", f_sum},
    {"min", f_min}, {"max", f_max}, {"abs", f_abs}, {"round", f_round}, {"safe", f_safe}, {"e", f_escape},
    {"escape", f_escape}, {"forceescape", f_escape}, {"map", f_map}, {"select", f_select}, {"reject", f_reject},
    {"selectattr", f_selectattr}, {"rejectattr", f_rejectattr}, {"attr", f_attr}, {"batch", f_batch},
    {"wordcount", f_wordcount}, {"truncate", f_truncate}, {"center", f_center}, {"format", f_format}};

bool j_keeps_markup(jtext name) {
    static const char *const names[] = {"trim", "upper", "lower", "string", "strip", "lstrip", "rstrip", "capitalize"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (j_is(name, names[i])) return true;
    return false;
}

bool j_filter(jctx *c, jtext name, jval self, const jargs *a, jval *out) {
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (j_is(name, filters[i].name)) {
            bool ok = j_enter(c) && j_step(c, 1) && filters[i].fn(c, self, a, out);
            if (ok && self.t == J_STR && self.markup && j_keeps_markup(name) && out->t == J_STR) out->markup = true;
            j_leave(c);
            return ok;
        }
    return j_fail(c, "TemplateAssertionError", "line %u: no filter named '%.*s'", c->line, (int)name.n, name.p);
}
