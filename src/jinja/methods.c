/* Methods of strings, dicts, lists, loops and cyclers. Lists of names first: what exists is an attribute, what would
 * change its object is refused when called (sandbox). */
#include <string.h>
#include <utf8proc.h>
#include "jinja/jinja_int.h"
#include "base/utf8.h"

typedef bool (*method_fn)(jctx *c, jval self, const jargs *a, jval *out);

static bool need_text(jctx *c, const jval *v, const char *what, jtext *out) {
    *out = (jtext){"", 0};
    if (!v || v->t != J_STR)
        return j_fail(c, "TypeError", "line %u: %s needs a string, not %s", c->line, what,
                      v ? j_type_name(*v) : "nothing");
    *out = v->u.s;
    return true;
}

static bool in_set(uint32_t cp, const jval *chars) {
    if (!chars || chars->t != J_STR) return j_is_space(cp);
    for (size_t i = 0; i < chars->u.s.n;) {
        uint32_t k;
        i += qz_utf8_step(chars->u.s.p + i, chars->u.s.n - i, &k);
        if (k == cp) return true;
    }
    return false;
}

bool j_strip(jctx *c, jtext s, const jval *chars, bool left, bool right, jval *out) {
    uint32_t cp;
    size_t b = 0, e = s.n;
    if (!j_step(c, s.n / 64)) return false;
    if (chars && chars->t != J_STR && chars->t != J_NONE)
        return j_fail(c, "TypeError", "line %u: strip needs a string", c->line);
    while (left && b < e) {
        size_t k = qz_utf8_step(s.p + b, e - b, &cp);
        if (!in_set(cp, chars)) break;
        b += k;
    }
    while (right && e > b) {
        size_t i = e - 1;
        while (i > b && ((uint8_t)s.p[i] & 0xc0) == 0x80) i--;
        qz_utf8_step(s.p + i, e - i, &cp);
        if (!in_set(cp, chars)) break;
        e = i;
    }
    *out = j_ref(s.p + b, e - b);
    return true;
}

static bool m_strip(jctx *c, jval v, const jargs *a, jval *out) {
    return j_strip(c, v.u.s, j_arg(a, 0, "chars"), true, true, out);
}
static bool m_lstrip(jctx *c, jval v, const jargs *a, jval *out) {
    return j_strip(c, v.u.s, j_arg(a, 0, "chars"), true, false, out);
}
static bool m_rstrip(jctx *c, jval v, const jargs *a, jval *out) {
    return j_strip(c, v.u.s, j_arg(a, 0, "chars"), false, true, out);
}

/* ---- case ---- */
static void put_upper(qz_str *s, uint32_t cp, bool title) {
    static const struct { uint32_t cp; const char *upper, *title; } full[] = { /* one to several characters */
        {0xdf, "SS", "Ss"}, {0x149, "\xca\xbcN", "\xca\xbcN"}, {0xfb00, "FF", "Ff"}, {0xfb01, "FI", "Fi"},
        {0xfb02, "FL", "Fl"}, {0xfb03, "FFI", "Ffi"}, {0xfb04, "FFL", "Ffl"}, {0xfb05, "ST", "St"},
        {0xfb06, "ST", "St"}};
    for (size_t i = 0; i < sizeof full / sizeof full[0]; i++)
        if (cp == full[i].cp) {
            qz_str_puts(s, title ? full[i].title : full[i].upper);
            return;
        }
    qz_utf8_append(s,
                   (uint32_t)(title ? utf8proc_totitle((utf8proc_int32_t)cp) : utf8proc_toupper((utf8proc_int32_t)cp)));
}

static void put_lower(qz_str *s, uint32_t cp) {
    if (cp == 0x130)
        qz_str_append(s, "i\xcc\x87", 3);
    else
        qz_utf8_append(s, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp));
}

static bool is_cased(uint32_t cp) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)cp);
    return k == UTF8PROC_CATEGORY_LU || k == UTF8PROC_CATEGORY_LL || k == UTF8PROC_CATEGORY_LT;
}

bool j_case(jctx *c, jtext s, char how, jval *out) {
    qz_str r = {0};
    bool start = true;
    if (!j_step(c, s.n / 16)) return false;
    for (size_t i = 0; i < s.n;) {
        uint32_t cp;
        i += qz_utf8_step(s.p + i, s.n - i, &cp);
        bool up = how == 'u' || (how != 'l' && start);
        if (up) put_upper(&r, cp, how != 'u'); else put_lower(&r, cp);
        if (how == 'c') start = false;
        if (how == 't') start = !is_cased(cp);
        if (how == 'f') start = j_is_space(cp) || strchr("-({[<", cp < 128 && cp ? (int)cp : 'x') != NULL;
        if (r.len > c->max_bytes) break;
    }
    return j_take(c, &r, out);
}

static bool m_upper(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return j_case(c, v.u.s, 'u', out); }
static bool m_lower(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return j_case(c, v.u.s, 'l', out); }
static bool m_title(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return j_case(c, v.u.s, 't', out); }
static bool m_capitalize(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return j_case(c, v.u.s, 'c', out); }

/* ---- search ---- */
/* Start or end; a tuple of candidates is allowed. */
static bool affix(jctx *c, jval v, const jargs *a, bool at_end, jval *out) {
    jval one, list;
    if (!a->n) return j_fail(c, "TypeError", "line %u: an argument is missing", c->line);
    one = a->pos[0];
    list = one.t == J_TUPLE ? one : (jval){.t = J_LIST, .u.l = {&one, 1}};
    *out = j_bool(false);
    for (size_t i = 0; i < list.u.l.n; i++) {
        jtext t;
        if (!need_text(c, &list.u.l.v[i], "startswith or endswith", &t)) return false;
        if (t.n <= v.u.s.n && memcmp(at_end ? v.u.s.p + v.u.s.n - t.n : v.u.s.p, t.p, t.n) == 0) *out = j_bool(true);
    }
    return true;
}
static bool m_startswith(jctx *c, jval v, const jargs *a, jval *out) { return affix(c, v, a, false, out); }
static bool m_endswith(jctx *c, jval v, const jargs *a, jval *out) { return affix(c, v, a, true, out); }

static const char *find_last(jtext s, jtext t) {
    for (size_t i = s.n - t.n + 1; t.n <= s.n && i-- > 0;)
        if (memcmp(s.p + i, t.p, t.n) == 0) return s.p + i;
    return NULL;
}

static bool search(jctx *c, jval v, const jargs *a, bool last, bool must, jval *out) {
    jtext t;
    if (!need_text(c, j_arg(a, 0, "sub"), "find", &t) || !j_step(c, v.u.s.n / 16)) return false;
    const char *p = last ? find_last(v.u.s, t) : t.n ? memmem(v.u.s.p, v.u.s.n, t.p, t.n) : v.u.s.p;
    if (!p && must) return j_fail(c, "ValueError", "line %u: substring not found", c->line);
    *out = j_int(p ? (int64_t)qz_utf8_count(v.u.s.p, (size_t)(p - v.u.s.p)) : -1);
    return true;
}
static bool m_find(jctx *c, jval v, const jargs *a, jval *out) { return search(c, v, a, false, false, out); }
static bool m_rfind(jctx *c, jval v, const jargs *a, jval *out) { return search(c, v, a, true, false, out); }
static bool m_index(jctx *c, jval v, const jargs *a, jval *out) { return search(c, v, a, false, true, out); }

static bool m_count(jctx *c, jval v, const jargs *a, jval *out) {
    jtext t;
    int64_t n = 0;
    if (!need_text(c, j_arg(a, 0, "sub"), "count", &t) || !j_step(c, v.u.s.n / 16)) return false;
    if (!t.n) n = (int64_t)qz_utf8_count(v.u.s.p, v.u.s.n) + 1;
    for (size_t i = 0; t.n && i + t.n <= v.u.s.n; n++) {
        const char *p = memmem(v.u.s.p + i, v.u.s.n - i, t.p, t.n);
        if (!p) break;
        i = (size_t)(p - v.u.s.p) + t.n;
    }
    *out = j_int(n);
    return true;
}

bool j_replace(jctx *c, jtext s, jtext from, jtext to, int64_t count, jval *out) {
    qz_str r = {0};
    size_t i = 0;
    for (; count != 0; count--) {
        const char *p = NULL;
        size_t step = from.n;
        if (from.n) p = memmem(s.p + i, s.n - i, from.p, from.n);
        else if (i <= s.n) p = s.p + i;
        if (!p || !j_step(c, 1) || !j_put(c, &r, s.p + i, (size_t)(p - s.p) - i) || !j_put(c, &r, to.p, to.n)) break;
        i = (size_t)(p - s.p) + step;
        if (!from.n) { /* an empty pattern matches between all characters */
            uint32_t cp;
            if (i >= s.n) break;
            size_t k = qz_utf8_step(s.p + i, s.n - i, &cp);
            if (!j_put(c, &r, s.p + i, k)) break;
            i += k;
        }
    }
    if (c->st == QZ_OK) j_put(c, &r, s.p + i, s.n - i);
    return j_take(c, &r, out);
}

static bool m_replace(jctx *c, jval v, const jargs *a, jval *out) {
    jtext from, to;
    int64_t count;
    if (!need_text(c, j_arg(a, 0, "old"), "replace", &from) || !need_text(c, j_arg(a, 1, "new"), "replace", &to))
        return false;
    return j_arg_int(c, a, 2, "count", -1, &count) && j_replace(c, v.u.s, from, to, count, out);
}

/* ---- splitting ---- */
typedef struct { jval *v; size_t n, cap; } pieces;
static bool add_piece(jctx *c, pieces *p, const char *s, size_t n) {
    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 8;
        jval *v = j_alloc(c, cap, sizeof *v);
        if (!v) return false;
        if (p->n) memcpy(v, p->v, p->n * sizeof *v);
        p->v = v, p->cap = cap;
    }
    p->v[p->n++] = j_ref(s, n);
    return j_step(c, 1);
}

static bool split_space(jctx *c, jtext s, int64_t most, pieces *p) {
    size_t i = 0;
    for (;;) {
        uint32_t cp;
        size_t k = 0, from;
        while (i < s.n && (k = qz_utf8_step(s.p + i, s.n - i, &cp), j_is_space(cp))) i += k;
        if (i >= s.n) return true;
        from = i;
        if (most >= 0 && (int64_t)p->n >= most) {
            jval rest;
            return j_strip(c, (jtext){s.p + from, s.n - from}, NULL, false, true, &rest) &&
                   add_piece(c, p, rest.u.s.p, rest.u.s.n);
        }
        while (i < s.n && (k = qz_utf8_step(s.p + i, s.n - i, &cp), !j_is_space(cp))) i += k;
        if (!add_piece(c, p, s.p + from, i - from)) return false;
    }
}

static bool m_split(jctx *c, jval v, const jargs *a, jval *out) {
    const jval *sep = j_arg(a, 0, "sep");
    pieces p = {0};
    int64_t most;
    jtext t, s = v.u.s;
    if (!j_arg_int(c, a, 1, "maxsplit", -1, &most)) return false;
    if (!sep || sep->t == J_NONE) {
        if (!split_space(c, s, most, &p)) return false;
    } else {
        if (!need_text(c, sep, "split", &t)) return false;
        if (!t.n) return j_fail(c, "ValueError", "line %u: empty separator", c->line);
        size_t i = 0;
        for (const char *q; most != 0 && (q = memmem(s.p + i, s.n - i, t.p, t.n)); most--) {
            if (!add_piece(c, &p, s.p + i, (size_t)(q - s.p) - i)) return false;
            i = (size_t)(q - s.p) + t.n;
        }
        if (!add_piece(c, &p, s.p + i, s.n - i)) return false;
    }
    *out = (jval){.t = J_LIST, .u.l = {p.v, p.n}};
    return true;
}

/* From the right: as split() unless the number is limited. */
static bool m_rsplit(jctx *c, jval v, const jargs *a, jval *out) {
    const jval *sep = j_arg(a, 0, "sep");
    int64_t most;
    jtext t, s = v.u.s;
    pieces p = {0};
    if (!j_arg_int(c, a, 1, "maxsplit", -1, &most)) return false;
    if (most < 0) return m_split(c, v, a, out);
    if (!need_text(c, sep, "rsplit with a limit", &t)) return false;
    if (!t.n) return j_fail(c, "ValueError", "line %u: empty separator", c->line);
    size_t end = s.n;
    for (const char *q; most > 0 && (q = find_last((jtext){s.p, end}, t)); most--) {
        size_t at = (size_t)(q - s.p);
        if (!add_piece(c, &p, q + t.n, end - at - t.n)) return false;
        end = at;
    }
    if (!add_piece(c, &p, s.p, end)) return false;
    for (size_t i = 0; i < p.n / 2; i++) {
        jval x = p.v[i];
        p.v[i] = p.v[p.n - 1 - i], p.v[p.n - 1 - i] = x;
    }
    *out = (jval){.t = J_LIST, .u.l = {p.v, p.n}};
    return true;
}

static bool m_splitlines(jctx *c, jval v, const jargs *a, jval *out) {
    bool keep = j_arg_bool(a, 0, "keepends", false);
    pieces p = {0};
    jtext s = v.u.s;
    size_t from = 0;
    for (size_t i = 0, k; i < s.n; i += k) {
        uint32_t cp;
        k = qz_utf8_step(s.p + i, s.n - i, &cp);
        bool end = (cp >= 0x0a && cp <= 0x0d) || (cp >= 0x1c && cp <= 0x1e) || cp == 0x85 || cp == 0x2028 ||
                   cp == 0x2029;
        if (!end) continue;
        if (cp == '\r' && i + 1 < s.n && s.p[i + 1] == '\n') k = 2;
        if (!add_piece(c, &p, s.p + from, (keep ? i + k : i) - from)) return false;
        from = i + k;
    }
    if (from < s.n && !add_piece(c, &p, s.p + from, s.n - from)) return false;
    *out = (jval){.t = J_LIST, .u.l = {p.v, p.n}};
    return true;
}

static bool partition(jctx *c, jval v, const jargs *a, bool last, jval *out) {
    jtext t, s = v.u.s;
    if (!need_text(c, j_arg(a, 0, "sep"), "partition", &t)) return false;
    if (!t.n) return j_fail(c, "ValueError", "line %u: empty separator", c->line);
    const char *q = last ? find_last(s, t) : memmem(s.p, s.n, t.p, t.n);
    if (!j_new_list(c, J_TUPLE, 3, out)) return false;
    size_t at = q ? (size_t)(q - s.p) : 0;
    jval whole = j_ref(s.p, s.n), empty = j_ref("", 0);
    out->u.l.v[0] = q ? j_ref(s.p, at) : last ? empty : whole;
    out->u.l.v[1] = q ? j_ref(q, t.n) : empty;
    out->u.l.v[2] = q ? j_ref(q + t.n, s.n - at - t.n) : last ? whole : empty;
    return true;
}
static bool m_partition(jctx *c, jval v, const jargs *a, jval *out) { return partition(c, v, a, false, out); }
static bool m_rpartition(jctx *c, jval v, const jargs *a, jval *out) { return partition(c, v, a, true, out); }

static bool m_join(jctx *c, jval v, const jargs *a, jval *out) {
    jval list;
    qz_str s = {0};
    if (!a->n) return j_fail(c, "TypeError", "line %u: join needs a list", c->line);
    if (!j_iterate(c, a->pos[0], &list)) return false;
    for (size_t i = 0; i < list.u.l.n; i++) {
        if (list.u.l.v[i].t != J_STR) {
            j_fail(c, "TypeError", "line %u: join expects strings, item %zu is %s", c->line, i,
                   j_type_name(list.u.l.v[i]));
            break;
        }
        if ((i && !j_put(c, &s, v.u.s.p, v.u.s.n)) || !j_put(c, &s, list.u.l.v[i].u.s.p, list.u.l.v[i].u.s.n)) break;
    }
    return j_take(c, &s, out);
}

/* ---- classes and padding ---- */
static bool all_chars(jval v, bool (*is)(uint32_t), jval *out) {
    bool yes = v.u.s.n > 0;
    for (size_t i = 0; i < v.u.s.n && yes;) {
        uint32_t cp;
        i += qz_utf8_step(v.u.s.p + i, v.u.s.n - i, &cp);
        yes = is(cp);
    }
    *out = j_bool(yes);
    return true;
}
static bool is_digit(uint32_t cp) { return utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_ND; }
static bool is_alpha(uint32_t cp) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)cp);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}
static bool is_alnum(uint32_t cp) { return is_digit(cp) || is_alpha(cp); }
static bool m_isdigit(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    return j_step(c, 1) && all_chars(v, is_digit, out);
}
static bool m_isalpha(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    return j_step(c, 1) && all_chars(v, is_alpha, out);
}
static bool m_isalnum(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    return j_step(c, 1) && all_chars(v, is_alnum, out);
}
static bool m_isspace(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    return j_step(c, 1) && all_chars(v, j_is_space, out);
}

static bool cased_as(jctx *c, jval v, char how, jval *out) {
    jval same, other;
    if (!j_case(c, v.u.s, how, &same) || !j_case(c, v.u.s, how == 'u' ? 'l' : 'u', &other)) return false;
    bool fits = same.u.s.n == v.u.s.n && memcmp(same.u.s.p, v.u.s.p, v.u.s.n) == 0;
    bool letters = same.u.s.n != other.u.s.n || memcmp(same.u.s.p, other.u.s.p, same.u.s.n) != 0;
    *out = j_bool(fits && letters);
    return true;
}
static bool m_isupper(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return cased_as(c, v, 'u', out); }
static bool m_islower(jctx *c, jval v, const jargs *a, jval *out) { (void)a; return cased_as(c, v, 'l', out); }

static bool pad(jctx *c, jval v, const jargs *a, char how, jval *out) {
    int64_t width, n = (int64_t)qz_utf8_count(v.u.s.p, v.u.s.n);
    const jval *fill = j_arg(a, 1, "fillchar");
    jtext f = fill && fill->t == J_STR && fill->u.s.n ? fill->u.s : (jtext){how == 'z' ? "0" : " ", 1};
    if (!j_arg_int(c, a, 0, "width", 0, &width)) return false;
    int64_t all = width > n ? width - n : 0, left = how == 'l' ? 0 : how == 'c' ? all / 2 + (all & width & 1) : all;
    size_t sign = how == 'z' && v.u.s.n && (v.u.s.p[0] == '-' || v.u.s.p[0] == '+');
    qz_str s = {0};
    if (!j_step(c, (uint64_t)all) || !j_put(c, &s, v.u.s.p, sign)) return false;
    for (int64_t i = 0; i < left; i++)
        if (!j_put(c, &s, f.p, f.n)) break;
    if (c->st == QZ_OK) j_put(c, &s, v.u.s.p + sign, v.u.s.n - sign);
    for (int64_t i = left; i < all && c->st == QZ_OK; i++) j_put(c, &s, f.p, f.n);
    return j_take(c, &s, out);
}
static bool m_ljust(jctx *c, jval v, const jargs *a, jval *out) { return pad(c, v, a, 'l', out); }
static bool m_rjust(jctx *c, jval v, const jargs *a, jval *out) { return pad(c, v, a, 'r', out); }
static bool m_center(jctx *c, jval v, const jargs *a, jval *out) { return pad(c, v, a, 'c', out); }
static bool m_zfill(jctx *c, jval v, const jargs *a, jval *out) { return pad(c, v, a, 'z', out); }

static bool remove_affix(jctx *c, jval v, const jargs *a, bool at_end, jval *out) {
    jval has;
    if (!affix(c, v, a, at_end, &has)) return false;
    size_t k = has.u.b && a->pos[0].t == J_STR ? a->pos[0].u.s.n : 0;
    *out = j_ref(v.u.s.p + (at_end ? 0 : k), v.u.s.n - k);
    return true;
}
static bool m_removeprefix(jctx *c, jval v, const jargs *a, jval *out) { return remove_affix(c, v, a, false, out); }
static bool m_removesuffix(jctx *c, jval v, const jargs *a, jval *out) { return remove_affix(c, v, a, true, out); }

/* ---- dict, list, loop, cycler ---- */
static bool m_items(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    if (!j_new_list(c, J_LIST, v.u.d->n, out)) return false;
    for (size_t i = 0; i < v.u.d->n; i++) {
        jval pair;
        if (!j_new_list(c, J_TUPLE, 2, &pair)) return false;
        pair.u.l.v[0] = v.u.d->k[i], pair.u.l.v[1] = v.u.d->v[i];
        out->u.l.v[i] = pair;
    }
    return true;
}
static bool m_keys(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    *out = (jval){.t = J_LIST, .u.l = {v.u.d->k, v.u.d->n}};
    return j_step(c, 1);
}
static bool m_values(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    *out = (jval){.t = J_LIST, .u.l = {v.u.d->v, v.u.d->n}};
    return j_step(c, 1);
}
static bool m_get(jctx *c, jval v, const jargs *a, jval *out) {
    bool found;
    const jval *dflt = j_arg(a, 1, "default");
    if (!a->n) return j_fail(c, "TypeError", "line %u: get needs a key", c->line);
    if (!j_dict_get(c, v.u.d, a->pos[0], out, &found)) return false;
    if (!found) *out = dflt ? *dflt : j_none();
    return true;
}
static bool m_copy(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    *out = v; /* nothing can change it */
    return j_step(c, 1);
}
static bool m_list_count(jctx *c, jval v, const jargs *a, jval *out) {
    int64_t n = 0;
    if (!a->n) return j_fail(c, "TypeError", "line %u: count needs a value", c->line);
    for (size_t i = 0; i < v.u.l.n; i++) {
        bool same;
        if (!j_equal(c, v.u.l.v[i], a->pos[0], &same)) return false;
        n += same;
    }
    *out = j_int(n);
    return true;
}
static bool m_list_index(jctx *c, jval v, const jargs *a, jval *out) {
    if (!a->n) return j_fail(c, "TypeError", "line %u: index needs a value", c->line);
    for (size_t i = 0; i < v.u.l.n; i++) {
        bool same;
        if (!j_equal(c, v.u.l.v[i], a->pos[0], &same)) return false;
        *out = j_int((int64_t)i);
        if (same) return true;
    }
    return j_fail(c, "ValueError", "line %u: value is not in the list", c->line);
}
static bool m_cycle(jctx *c, jval v, const jargs *a, jval *out) {
    if (!a->n) return j_fail(c, "TypeError", "line %u: cycle needs values", c->line);
    *out = a->pos[v.u.lp->at % a->n];
    return true;
}
static bool m_changed(jctx *c, jval v, const jargs *a, jval *out) {
    jloop *l = v.u.lp;
    bool same = false;
    jval now;
    if (!j_new_list(c, J_TUPLE, a->n, &now)) return false;
    for (size_t i = 0; i < a->n; i++) now.u.l.v[i] = a->pos[i];
    if (l->has_changed && !j_equal(c, l->changed, now, &same)) return false;
    l->changed = now;
    l->has_changed = true;
    *out = j_bool(!same);
    return true;
}
static bool m_next(jctx *c, jval v, const jargs *a, jval *out) {
    jcycle *y = v.u.cy;
    (void)a;
    *out = y->items.u.l.v[y->at];
    y->at = (y->at + 1) % y->items.u.l.n;
    return j_step(c, 1);
}
static bool m_reset(jctx *c, jval v, const jargs *a, jval *out) {
    (void)a;
    v.u.cy->at = 0;
    *out = j_none();
    return j_step(c, 1);
}

static const struct { jkind kind; const char *name; method_fn fn; } methods[] = {
    {J_STR, "strip", m_strip}, {J_STR, "lstrip", m_lstrip}, {J_STR, "rstrip", m_rstrip}, {J_STR, "upper", m_upper},
    {J_STR, "lower", m_lower}, {J_STR, "title", m_title}, {J_STR, "capitalize", m_capitalize},
    {J_STR, "startswith", m_startswith}, {J_STR, "endswith", m_endswith}, {J_STR, "find", m_find},
    {J_STR, "rfind", m_rfind}, {J_STR, "index", m_index}, {J_STR, "count", m_count}, {J_STR, "replace", m_replace},
    {J_STR, "split", m_split}, {J_STR, "rsplit", m_rsplit}, {J_STR, "splitlines", m_splitlines},
    {J_STR, "partition", m_partition}, {J_STR, "rpartition", m_rpartition}, {J_STR, "join", m_join},
    {J_STR, "isdigit", m_isdigit}, {J_STR, "isnumeric", m_isdigit}, {J_STR, "isdecimal", m_isdigit},
    {J_STR, "isalpha", m_isalpha}, {J_STR, "isalnum", m_isalnum}, {J_STR, "isspace", m_isspace},
    {J_STR, "isupper", m_isupper}, {J_STR, "islower", m_islower}, {J_STR, "ljust", m_ljust}, {J_STR, "rjust", m_rjust},
    {J_STR, "center", m_center}, {J_STR, "zfill", m_zfill}, {J_STR, "removeprefix", m_removeprefix},
    {J_STR, "removesuffix", m_removesuffix}, {J_STR, "format", j_format}, {J_DICT, "items", m_items},
    {J_DICT, "keys", m_keys}, {J_DICT, "values", m_values}, {J_DICT, "get", m_get}, {J_DICT, "copy", m_copy},
    {J_LIST, "count", m_list_count}, {J_LIST, "index", m_list_index}, {J_LIST, "copy", m_copy},
    {J_TUPLE, "count", m_list_count}, {J_TUPLE, "index", m_list_index}, {J_LOOP, "cycle", m_cycle},
    {J_LOOP, "changed", m_changed}, {J_CYCLER, "next", m_next}, {J_CYCLER, "reset", m_reset}};
static const struct { jkind kind; const char *name; } mutating[] = {
    {J_DICT, "clear"}, {J_DICT, "pop"}, {J_DICT, "popitem"}, {J_DICT, "setdefault"}, {J_DICT, "update"},
    {J_LIST, "append"}, {J_LIST, "clear"}, {J_LIST, "extend"}, {J_LIST, "insert"}, {J_LIST, "pop"}, {J_LIST, "remove"},
    {J_LIST, "reverse"}, {J_LIST, "sort"}};

static method_fn find_method(jval self, jtext name) {
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].kind == self.t && j_is(name, methods[i].name)) return methods[i].fn;
    return NULL;
}

bool j_has_method(jval self, jtext name, bool *mutates) {
    for (size_t i = 0; i < sizeof mutating / sizeof mutating[0]; i++) {
        if (mutating[i].kind != self.t || !j_is(name, mutating[i].name)) continue;
        *mutates = true;
        return true;
    }
    return find_method(self, name) != NULL;
}

bool j_call_method(jctx *c, jval self, jtext name, const jargs *a, jval *out) {
    method_fn fn = find_method(self, name);
    if (!fn) return j_fail(c, "UndefinedError", "line %u: no method '%.*s'", c->line, (int)name.n, name.p);
    if (!fn(c, self, a, out)) return false;
    if (self.t == J_STR && self.markup && out->t == J_STR && j_keeps_markup(name)) out->markup = true;
    return true;
}
