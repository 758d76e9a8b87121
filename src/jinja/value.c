/* Values of a rendering: limits, conversion from JSON, Python's str() and repr(), equality, order, indexing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "jinja/jinja_int.h"
#include "base/utf8.h"

bool j_fail(jctx *c, const char *cls, const char *fmt, ...) {
    char text[512];
    va_list ap;
    if (c->st != QZ_OK) return false;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->st = qz_fail(c->err, QZ_EFORMAT, "chat template: %s: %s", cls, text);
    return false;
}

bool j_step(jctx *c, uint64_t n) {
    c->steps += n;
    return c->steps <= c->max_steps ||
           j_fail(c, "LimitError", "line %u: more than %llu steps", c->line, (unsigned long long)c->max_steps);
}

bool j_enter(jctx *c) {
    return ++c->depth <= c->max_depth ||
           j_fail(c, "LimitError", "line %u: nested deeper than %zu", c->line, c->max_depth);
}
void j_leave(jctx *c) { c->depth--; }

static bool charge(jctx *c, size_t n) {
    if (n > c->max_bytes || c->bytes + n > c->max_bytes)
        return j_fail(c, "LimitError", "line %u: more than %zu bytes", c->line, c->max_bytes);
    c->bytes += n;
    return true;
}

void *j_alloc(jctx *c, size_t n, size_t size) {
    size_t bytes;
    void *p = NULL;
    if (__builtin_mul_overflow(n, size, &bytes) || !charge(c, bytes + 64)) {
        j_fail(c, "LimitError", "line %u: too large", c->line);
        return NULL;
    }
    p = qz_arena_alloc(&c->arena, n, size);
    if (!p && c->st == QZ_OK) c->st = qz_fail(c->err, QZ_EMEMORY, "out of memory while rendering a chat template");
    return p;
}

bool j_put(jctx *c, qz_str *s, const char *p, size_t n) {
    if (s->len + n > c->max_bytes)
        return j_fail(c, "LimitError", "line %u: a text of more than %zu bytes", c->line, c->max_bytes);
    qz_str_append(s, p, n);
    if (s->failed && c->st == QZ_OK)
        c->st = qz_fail(c->err, QZ_EMEMORY, "out of memory while rendering a chat template");
    return c->st == QZ_OK;
}

bool j_text(jctx *c, const char *p, size_t n, jval *out) {
    char *s = j_alloc(c, n + 1, 1);
    if (!s) return false;
    memcpy(s, p, n);
    s[n] = 0;
    *out = j_ref(s, n);
    return true;
}

bool j_take(jctx *c, qz_str *s, jval *out) {
    bool ok = c->st == QZ_OK && j_text(c, s->ptr ? s->ptr : "", s->len, out);
    qz_str_release(s);
    return ok;
}

bool j_new_list(jctx *c, jkind kind, size_t n, jval *out) {
    *out = (jval){.t = kind};
    out->u.l.v = j_alloc(c, n + 1, sizeof *out->u.l.v);
    out->u.l.n = n;
    if (!out->u.l.v) return false;
    for (size_t i = 0; i < n; i++) out->u.l.v[i] = j_undef("", 0);
    return j_step(c, n);
}

bool j_new_dict(jctx *c, jkind kind, jval *out) {
    *out = (jval){.t = kind};
    out->u.d = j_alloc(c, 1, sizeof *out->u.d);
    if (out->u.d) *out->u.d = (jdict){0};
    return out->u.d != NULL;
}

static bool find(jctx *c, const jdict *d, jval k, size_t *at) {
    for (size_t i = 0; i < d->n; i++) {
        bool same = false;
        if (k.t == J_STR && d->k[i].t == J_STR)
            same = k.u.s.n == d->k[i].u.s.n && memcmp(k.u.s.p, d->k[i].u.s.p, k.u.s.n) == 0;
        else if (!j_equal(c, k, d->k[i], &same))
            return false;
        if (same) {
            *at = i;
            return j_step(c, i / 8);
        }
    }
    *at = d->n;
    return j_step(c, d->n / 8);
}

bool j_dict_set(jctx *c, jdict *d, jval k, jval v) {
    size_t at;
    if (k.t == J_LIST || k.t == J_DICT) return j_fail(c, "TypeError", "unhashable type: '%s'", j_type_name(k));
    if (!find(c, d, k, &at)) return false;
    if (at == d->n) {
        if (d->n == d->cap) {
            size_t cap = d->cap ? d->cap * 2 : 8;
            jval *nk = j_alloc(c, cap, sizeof *nk), *nv = nk ? j_alloc(c, cap, sizeof *nv) : NULL;
            if (!nv) return false;
            if (d->n) {
                memcpy(nk, d->k, d->n * sizeof *nk);
                memcpy(nv, d->v, d->n * sizeof *nv);
            }
            d->k = nk, d->v = nv, d->cap = cap;
        }
        d->k[d->n++] = k;
    }
    d->v[at] = v;
    return true;
}

bool j_dict_get(jctx *c, const jdict *d, jval k, jval *out, bool *found) {
    size_t at;
    if (!find(c, d, k, &at)) return false;
    *found = at < d->n;
    if (*found) *out = d->v[at];
    return true;
}

bool j_from_json(jctx *c, const json_t *j, jval *out) {
    bool ok = j_enter(c) && j_step(c, 1);
    if (!ok) return false;
    switch (json_typeof(j)) {
    case JSON_NULL: *out = j_none(); break;
    case JSON_TRUE: case JSON_FALSE: *out = j_bool(json_is_true(j)); break;
    case JSON_INTEGER: *out = j_int(json_integer_value(j)); break;
    case JSON_REAL: *out = j_float(json_real_value(j)); break;
    case JSON_STRING: ok = j_text(c, json_string_value(j), json_string_length(j), out); break;
    case JSON_ARRAY:
        ok = j_new_list(c, J_LIST, json_array_size(j), out);
        for (size_t i = 0; ok && i < json_array_size(j); i++) ok = j_from_json(c, json_array_get(j, i), &out->u.l.v[i]);
        break;
    case JSON_OBJECT: {
        const char *key;
        json_t *v;
        ok = j_new_dict(c, J_DICT, out);
        json_object_foreach((json_t *)(uintptr_t)j, key, v) {
            jval k, x;
            ok = ok && j_text(c, key, strlen(key), &k) && j_from_json(c, v, &x) && j_dict_set(c, out->u.d, k, x);
            if (!ok) break;
        }
        break;
    }
    }
    j_leave(c);
    return ok;
}

bool j_truth(jval v) {
    switch (v.t) {
    case J_UNDEF: case J_UNSAFE: case J_NONE: return false;
    case J_BOOL: return v.u.b;
    case J_INT: return v.u.i != 0;
    case J_FLOAT: return v.u.f != 0;
    case J_STR: return v.u.s.n != 0;
    case J_LIST: case J_TUPLE: return v.lazy || v.u.l.n != 0;
    case J_DICT: return v.u.d->n != 0;
    default: return true;
    }
}

const char *j_type_name(jval v) {
    static const char *const names[] = {"Undefined", "NoneType", "bool", "int", "float", "str", "list", "tuple", "dict",
                                        "Namespace", "Macro",
                                        "LoopContext", "method", "function", "Undefined", "Cycler", "Joiner"};
    return v.t == J_LIST && v.lazy ? "generator" : names[v.t];
}

/* The words for the object that lacks something, as the reference has them. */
static void lack_text(jval u, char out[256]) {
    const char *type = j_type_name((jval){.t = (jkind)u.of});
    const int n = (int)(u.u.s.n < 100 ? u.u.s.n : 100);
    const char *object = u.of == J_NONE ? "" : " object";
    if (u.of == J_NONE) type = "None";
    if (u.t == J_UNSAFE)
        (void)snprintf(out, 256, "access to attribute '%.*s' of '%s' object is unsafe.", n, u.u.s.p, type);
    else if (u.of == J_UNDEF) (void)snprintf(out, 256, "'%.*s' is undefined", n, u.u.s.p);
    else if (u.element) (void)snprintf(out, 256, "%s%s has no element %.*s", type, object, n, u.u.s.p);
    else (void)snprintf(out, 256, "'%s%s' has no attribute '%.*s'", type, object, n, u.u.s.p);
}

bool j_undefined(jctx *c, jval u) {
    char text[256];
    lack_text(u, text);
    return j_fail(c, u.t == J_UNSAFE ? "SecurityError" : "UndefinedError", "line %u: %s", c->line, text);
}

void j_float_repr(double f, char out[40]) {
    if (isnan(f) || isinf(f)) {
        (void)snprintf(out, 40, "%s", isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
        return;
    }
    char e[40];
    int digits = 1;
    for (; digits <= 17; digits++) { /* the shortest that reads back equal */
        snprintf(e, sizeof e, "%.*e", digits - 1, f);
        if (strtod(e, NULL) == f) break;
    }
    int exp10 = (int)strtol(strchr(e, 'e') + 1, NULL, 10);
    if (exp10 < -4 || exp10 >= 16) {
        char *x = strchr(e, 'e');
        snprintf(out, 40, "%.*se%c%02d", (int)(x - e), e, exp10 < 0 ? '-' : '+', abs(exp10));
    } else {
        int after = digits - 1 - exp10;
        snprintf(out, 40, "%.*f", after > 0 ? after : 1, f);
    }
}

static bool put(jctx *c, qz_str *s, const char *lit) { return j_put(c, s, lit, strlen(lit)); }

static bool repr_text(jctx *c, jtext s, qz_str *out) {
    bool has_single = memchr(s.p, '\'', s.n) != NULL, has_double = memchr(s.p, '"', s.n) != NULL;
    char q = has_single && !has_double ? '"' : '\'';
    if (!j_put(c, out, &q, 1)) return false;
    for (size_t i = 0, k; i < s.n; i += k) {
        uint32_t cp;
        char buf[16];
        k = qz_utf8_step(s.p + i, s.n - i, &cp);
        const char *esc = NULL;
        if (cp == '\n') esc = "\\n";
        else if (cp == '\r') esc = "\\r";
        else if (cp == '\t') esc = "\\t";
        else if (cp == '\\') esc = "\\\\";
        if (cp == (uint8_t)q) {
            snprintf(buf, sizeof buf, "\\%c", q);
            esc = buf;
        } else if (!esc && (cp < 0x20 || (cp >= 0x7f && cp <= 0xa0) || cp == 0xad)) {
            snprintf(buf, sizeof buf, "\\x%02x", cp);
            esc = buf;
        } else if (!esc &&
                   ((cp >= 0x2000 && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202f) || cp == 0x3000 || cp == 0xfeff)) {
            snprintf(buf, sizeof buf, "\\u%04x", cp);
            esc = buf;
        }
        if (!(esc ? put(c, out, esc) : j_put(c, out, s.p + i, k))) return false;
    }
    return j_put(c, out, &q, 1);
}

static bool repr_items(jctx *c, jval v, qz_str *out) {
    bool tuple = v.t == J_TUPLE;
    if (!put(c, out, tuple ? "(" : "[")) return false;
    for (size_t i = 0; i < v.u.l.n; i++)
        if ((i && !put(c, out, ", ")) || !j_repr(c, v.u.l.v[i], out)) return false;
    return put(c, out, tuple ? (v.u.l.n == 1 ? ",)" : ")") : "]");
}

static bool repr_dict(jctx *c, const jdict *d, qz_str *out) {
    if (!put(c, out, "{")) return false;
    for (size_t i = 0; i < d->n; i++)
        if ((i && !put(c, out, ", ")) || !j_repr(c, d->k[i], out) || !put(c, out, ": ") || !j_repr(c, d->v[i], out))
            return false;
    return put(c, out, "}");
}

bool j_repr(jctx *c, jval v, qz_str *out) {
    char buf[64];
    bool ok;
    if (!j_enter(c) || !j_step(c, 1)) return false;
    switch (v.t) {
    case J_UNDEF: case J_UNSAFE: ok = put(c, out, "Undefined"); break;
    case J_NONE: ok = put(c, out, "None"); break;
    case J_BOOL: ok = put(c, out, v.u.b ? "True" : "False"); break;
    case J_INT:
        snprintf(buf, sizeof buf, "%lld", (long long)v.u.i);
        ok = put(c, out, buf);
        break;
    case J_FLOAT:
        j_float_repr(v.u.f, buf);
        ok = put(c, out, buf);
        break;
    case J_STR: ok = repr_text(c, v.u.s, out); break;
    case J_LIST: case J_TUPLE: ok = repr_items(c, v, out); break;
    case J_DICT: ok = repr_dict(c, v.u.d, out); break;
    case J_NS: ok = put(c, out, "<Namespace ") && repr_dict(c, v.u.d, out) && put(c, out, ">"); break;
    default:
        snprintf(buf, sizeof buf, "<%s>", j_type_name(v));
        ok = put(c, out, buf);
    }
    j_leave(c);
    return ok;
}

bool j_str(jctx *c, jval v, qz_str *out) {
    if (j_missing(v)) return true;
    if (v.t == J_STR) return j_put(c, out, v.u.s.p, v.u.s.n);
    return j_repr(c, v, out);
}

bool j_to_text(jctx *c, jval v, jval *out) {
    qz_str s = {0};
    if (v.t == J_STR) {
        *out = v;
        return true;
    }
    if (!j_str(c, v, &s)) {
        qz_str_release(&s);
        return false;
    }
    return j_take(c, &s, out);
}

bool j_as_int(jval v, int64_t *out) {
    if (v.t != J_INT && v.t != J_BOOL) return false;
    *out = v.t == J_INT ? v.u.i : v.u.b;
    return true;
}

bool j_as_number(jval v, double *out) {
    int64_t i;
    if (v.t == J_FLOAT) {
        *out = v.u.f;
        return true;
    }
    if (!j_as_int(v, &i)) return false;
    *out = (double)i;
    return true;
}

bool j_equal(jctx *c, jval a, jval b, bool *out) {
    double x, y;
    int64_t p, q;
    *out = false;
    if (!j_step(c, 1)) return false;
    if (j_as_int(a, &p) && j_as_int(b, &q)) *out = p == q;
    else if (j_as_number(a, &x) && j_as_number(b, &y)) *out = x == y;
    else if (j_missing(a) && j_missing(b)) *out = true;
    else if (a.t != b.t || (a.t == J_LIST && (a.lazy || b.lazy))) *out = false;
    else if (a.t == J_NONE) *out = true;
    else if (a.t == J_STR) *out = a.u.s.n == b.u.s.n && memcmp(a.u.s.p, b.u.s.p, a.u.s.n) == 0;
    else if (a.t == J_LIST || a.t == J_TUPLE) {
        bool same = a.u.l.n == b.u.l.n;
        if (!j_enter(c)) return false;
        for (size_t i = 0; same && i < a.u.l.n; i++)
            if (!j_equal(c, a.u.l.v[i], b.u.l.v[i], &same)) return false;
        j_leave(c);
        *out = same;
    } else if (a.t == J_DICT) {
        bool same = a.u.d->n == b.u.d->n;
        if (!j_enter(c)) return false;
        for (size_t i = 0; same && i < a.u.d->n; i++) {
            jval v;
            if (!j_dict_get(c, b.u.d, a.u.d->k[i], &v, &same)) return false;
            if (same && !j_equal(c, a.u.d->v[i], v, &same)) return false;
        }
        j_leave(c);
        *out = same;
    } else {
        *out = a.u.d == b.u.d; /* identity of the object */
    }
    return true;
}

bool j_order(jctx *c, jval a, jval b, int *out) {
    double x, y;
    int64_t p, q;
    if (!j_step(c, 1)) return false;
    if (j_as_int(a, &p) && j_as_int(b, &q)) {
        *out = (p > q) - (p < q);
        return true;
    }
    if (j_as_number(a, &x) && j_as_number(b, &y)) {
        *out = (x > y) - (x < y);
        return true;
    }
    if (a.t == J_STR && b.t == J_STR) { /* byte order of UTF-8 is code point order */
        size_t n = a.u.s.n < b.u.s.n ? a.u.s.n : b.u.s.n;
        int d = memcmp(a.u.s.p, b.u.s.p, n);
        *out = d ? d : (a.u.s.n > b.u.s.n) - (a.u.s.n < b.u.s.n);
        return true;
    }
    if (a.t == b.t && (a.t == J_LIST || a.t == J_TUPLE)) {
        if (!j_enter(c)) return false;
        *out = 0;
        for (size_t i = 0; *out == 0 && i < a.u.l.n && i < b.u.l.n; i++)
            if (!j_order(c, a.u.l.v[i], b.u.l.v[i], out)) return false;
        if (*out == 0) *out = (a.u.l.n > b.u.l.n) - (a.u.l.n < b.u.l.n);
        j_leave(c);
        return true;
    }
    if (j_missing(a) || j_missing(b)) {
        return j_undefined(c, j_missing(a) ? a : b);
    }
    return j_fail(c, "TypeError", "line %u: '%s' and '%s' cannot be ordered", c->line, j_type_name(a), j_type_name(b));
}

bool j_contains(jctx *c, jval box, jval v, bool *out) {
    *out = false;
    if (box.t == J_STR) {
        if (v.t != J_STR)
            return j_fail(c, "TypeError", "line %u: 'in <string>' needs a string, not %s", c->line, j_type_name(v));
        *out = v.u.s.n == 0 || memmem(box.u.s.p, box.u.s.n, v.u.s.p, v.u.s.n) != NULL;
        return j_step(c, box.u.s.n / 64);
    }
    if (box.t == J_DICT) {
        jval x;
        return j_dict_get(c, box.u.d, v, &x, out);
    }
    if (j_missing(box)) return true;
    if (box.t != J_LIST && box.t != J_TUPLE)
        return j_fail(c, "TypeError", "line %u: argument of type '%s' is not iterable", c->line, j_type_name(box));
    for (size_t i = 0; i < box.u.l.n && !*out; i++)
        if (!j_equal(c, box.u.l.v[i], v, out)) return false;
    return true;
}

bool j_iterate(jctx *c, jval v, jval *list) {
    switch (v.t) {
    case J_LIST: case J_TUPLE:
        *list = v;
        list->t = J_LIST;
        list->lazy = false;
        return true;
    case J_UNDEF: case J_UNSAFE: return j_new_list(c, J_LIST, 0, list);
    case J_DICT:
        *list = (jval){.t = J_LIST, .u.l = {v.u.d->k, v.u.d->n}};
        return true;
    case J_STR: {
        size_t n = qz_utf8_count(v.u.s.p, v.u.s.n), k = 0;
        if (!j_new_list(c, J_LIST, n, list)) return false;
        for (size_t i = 0, step; i < v.u.s.n && k < n; i += step) {
            uint32_t cp;
            step = qz_utf8_step(v.u.s.p + i, v.u.s.n - i, &cp);
            list->u.l.v[k++] = j_ref(v.u.s.p + i, step);
        }
        return true;
    }
    default: return j_fail(c, "TypeError", "line %u: '%s' object is not iterable", c->line, j_type_name(v));
    }
}

bool j_is_space(uint32_t cp) { return qz_utf8_is_space(cp) || (cp >= 0x1c && cp <= 0x1f); }

size_t j_char_at(jtext s, size_t index) {
    size_t i = 0;
    while (i < s.n && index) {
        i++;
        while (i < s.n && ((uint8_t)s.p[i] & 0xc0) == 0x80) i++;
        index--;
    }
    return i;
}

static bool item(jctx *c, jval box, jval key, jval *out, bool *found) {
    int64_t i;
    *found = false;
    if (box.t == J_DICT) return j_dict_get(c, box.u.d, key, out, found);
    if (box.t == J_LIST && box.lazy) return true;
    if (!j_as_int(key, &i) || (box.t != J_LIST && box.t != J_TUPLE && box.t != J_STR)) return true;
    int64_t n = (int64_t)(box.t == J_STR ? qz_utf8_count(box.u.s.p, box.u.s.n) : box.u.l.n);
    if (i < 0) i += n;
    if (i < 0 || i >= n) return true;
    *found = true;
    if (box.t == J_STR) {
        size_t b = j_char_at(box.u.s, (size_t)i);
        uint32_t cp;
        *out = j_ref(box.u.s.p + b, qz_utf8_step(box.u.s.p + b, box.u.s.n - b, &cp));
        return j_step(c, box.u.s.n / 64);
    }
    *out = box.u.l.v[i];
    return true;
}

static jval j_lacks(jval box, jtext name) {
    jval u = j_undef(name.p, name.n);
    u.of = (uint8_t)box.t;
    return u;
}
static bool lacking(jctx *c, jval box, jval key, jval *out) {
    int64_t i;
    if (key.t == J_STR || !j_as_int(key, &i)) {
        *out = j_lacks(box, key.t == J_STR ? key.u.s : (jtext){"item", 4});
        return true;
    }
    char *digits = j_alloc(c, 24, 1);
    if (!digits) return false;
    *out = j_lacks(box, (jtext){digits, (size_t)snprintf(digits, 24, "%lld", (long long)i)});
    out->element = true;
    return true;
}

static bool undefined_box(jctx *c, jval box, const char *name, size_t n) {
    char text[256];
    lack_text(box, text);
    return j_fail(c, "UndefinedError", "line %u: %s, so it has no '%.*s'", c->line, text, (int)n, name);
}

static bool loop_attr(jctx *c, jloop *l, jtext name, jval *out, bool *found) {
    int64_t n = (int64_t)l->items.u.l.n, i = (int64_t)l->at;
    *found = true;
    (void)c;
    if (j_is(name, "index")) *out = j_int(i + 1);
    else if (j_is(name, "index0")) *out = j_int(i);
    else if (j_is(name, "revindex")) *out = j_int(n - i);
    else if (j_is(name, "revindex0")) *out = j_int(n - i - 1);
    else if (j_is(name, "first")) *out = j_bool(i == 0);
    else if (j_is(name, "last")) *out = j_bool(i == n - 1);
    else if (j_is(name, "length")) *out = j_int(n);
    else if (j_is(name, "depth")) *out = j_int((int64_t)l->depth);
    else if (j_is(name, "depth0")) *out = j_int((int64_t)l->depth - 1);
    else if (j_is(name, "previtem")) *out = i > 0 ? l->items.u.l.v[i - 1] : j_undef("there is no previous item", 25);
    else if (j_is(name, "nextitem")) *out = i + 1 < n ? l->items.u.l.v[i + 1] : j_undef("there is no next item", 21);
    else *found = false;
    return true;
}

/* Attributes proper: methods, loop variables, members of a namespace. */
static bool attribute(jctx *c, jval box, jtext name, jval *out, bool *found) {
    bool mutates = false;
    *found = false;
    if (name.n && name.p[0] == '_') return true; /* the sandbox hides them */
    if (box.t == J_LOOP) {
        if (!loop_attr(c, box.u.lp, name, out, found) || *found) return c->st == QZ_OK;
    }
    if (box.t == J_NS) return j_dict_get(c, box.u.d, j_ref(name.p, name.n), out, found);
    if (box.t == J_MACRO && j_is(name, "name")) {
        *out = j_ref(box.u.m->node->s, box.u.m->node->n);
        *found = true;
        return true;
    }
    if (!j_has_method(box, name, &mutates)) return true;
    *found = true;
    if (mutates) {
        *out = (jval){.t = J_UNSAFE, .of = (uint8_t)box.t, .u.s = name};
        return true;
    }
    jbound *b = j_alloc(c, 1, sizeof *b);
    if (!b) return false;
    *b = (jbound){box, name};
    *out = (jval){.t = J_METHOD, .u.bm = b};
    return true;
}

bool j_attr(jctx *c, jval box, jtext name, jval *out) {
    bool found;
    if (j_missing(box)) return undefined_box(c, box, name.p, name.n);
    if (!attribute(c, box, name, out, &found)) return false;
    if (!found && !item(c, box, j_ref(name.p, name.n), out, &found)) return false;
    if (!found) *out = j_lacks(box, name);
    return true;
}

bool j_index(jctx *c, jval box, jval key, jval *out) {
    bool found;
    if (j_missing(box))
        return undefined_box(c, box, key.t == J_STR ? key.u.s.p : "item", key.t == J_STR ? key.u.s.n : 4);
    if (!item(c, box, key, out, &found)) return false;
    if (!found && key.t == J_STR && !attribute(c, box, key.u.s, out, &found)) return false;
    if (!found && !lacking(c, box, key, out)) return false;
    return true;
}

/* Bounds of Python's slice.indices(). */
static bool bound(jctx *c, jval v, int64_t n, int64_t dflt, bool backwards, int64_t *out) {
    int64_t i;
    if (v.t == J_NONE || j_missing(v)) {
        *out = dflt;
        return true;
    }
    if (!j_as_int(v, &i)) return j_fail(c, "TypeError", "line %u: slice indices must be integers", c->line);
    if (i < 0) i = i < -n ? -1 : i + n;
    int64_t lo = backwards ? -1 : 0, hi = backwards ? n - 1 : n;
    *out = i < lo ? lo : i > hi ? hi : i;
    return true;
}

bool j_slice(jctx *c, jval box, jval a, jval b, jval s, jval *out) {
    int64_t step = 1, from, to;
    if (j_missing(box)) return undefined_box(c, box, "slice", 5);
    if (box.t != J_STR && box.t != J_LIST && box.t != J_TUPLE)
        return j_fail(c, "TypeError", "line %u: '%s' cannot be sliced", c->line, j_type_name(box));
    if (s.t != J_NONE && !j_as_int(s, &step))
        return j_fail(c, "TypeError", "line %u: slice indices must be integers", c->line);
    if (step == 0) return j_fail(c, "ValueError", "line %u: slice step cannot be zero", c->line);
    jval list;
    if (!j_iterate(c, box, &list)) return false;
    int64_t n = (int64_t)list.u.l.n;
    if (!bound(c, a, n, step < 0 ? n - 1 : 0, step < 0, &from) || !bound(c, b, n, step < 0 ? -1 : n, step < 0, &to))
        return false;
    size_t count = 0;
    if (step > 0 && from < to) count = (size_t)((to - from - 1) / step + 1);
    if (step < 0 && from > to) count = (size_t)((from - to - 1) / -(step + (step == INT64_MIN)) + 1);
    jval r;
    if (!j_new_list(c, box.t == J_TUPLE ? J_TUPLE : J_LIST, count, &r)) return false;
    for (size_t i = 0; i < count; i++) r.u.l.v[i] = list.u.l.v[from + (int64_t)i * step];
    if (box.t != J_STR) {
        *out = r;
        return true;
    }
    qz_str t = {0};
    for (size_t i = 0; i < count; i++)
        if (!j_put(c, &t, r.u.l.v[i].u.s.p, r.u.l.v[i].u.s.n)) break;
    return j_take(c, &t, out);
}
