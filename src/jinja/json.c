/* The tojson filter: json.dumps(x, ensure_ascii=False) with indent, separators, sort_keys
 * (formats/chat-template.md section 6). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "jinja/jinja_int.h"
#include "base/utf8.h"

typedef struct { jctx *c; qz_str *out; int64_t indent; bool sort, ascii; jtext comma, colon; } dumper;

static bool put(dumper *d, const char *s) { return j_put(d->c, d->out, s, strlen(s)); }

static const char *escaped(uint32_t cp) {
    switch (cp) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\b': return "\\b";
    case '\f': return "\\f";
    default: return NULL;
    }
}
static bool text(dumper *d, jtext s) {
    if (!put(d, "\"")) return false;
    for (size_t i = 0, k; i < s.n; i += k) {
        uint32_t cp;
        char buf[16];
        k = qz_utf8_step(s.p + i, s.n - i, &cp);
        const char *esc = escaped(cp);
        if (!esc && (cp < 0x20 || (d->ascii && cp >= 0x7f && cp != 0x7f))) {
            if (cp >= 0x10000)
                snprintf(buf, sizeof buf, "\\u%04x\\u%04x", 0xd800 + ((cp - 0x10000) >> 10),
                         0xdc00 + ((cp - 0x10000) & 0x3ff));
            else
                snprintf(buf, sizeof buf, "\\u%04x", cp);
            esc = buf;
        }
        if (!(esc ? put(d, esc) : j_put(d->c, d->out, s.p + i, k))) return false;
    }
    return put(d, "\"");
}

static bool newline(dumper *d, size_t level) {
    if (d->indent < 0) return true;
    if (!put(d, "\n")) return false;
    for (int64_t i = 0; i < d->indent * (int64_t)level; i++)
        if (!put(d, " ")) return false;
    return true;
}

static bool number(dumper *d, jval v) {
    char buf[40];
    if (v.t == J_INT) {
        snprintf(buf, sizeof buf, "%lld", (long long)v.u.i);
        return put(d, buf);
    }
    j_float_repr(v.u.f, buf);
    return put(d, strcmp(buf, "inf") == 0    ? "Infinity"
                  : strcmp(buf, "-inf") == 0 ? "-Infinity"
                  : strcmp(buf, "nan") == 0  ? "NaN"
                                             : buf);
}

static bool dump(dumper *d, jval v, size_t level);

static bool key(dumper *d, jval k) {
    if (k.t == J_STR) return text(d, k.u.s);
    if (k.t == J_BOOL) return put(d, k.u.b ? "\"true\"" : "\"false\"");
    if (k.t == J_NONE) return put(d, "\"null\"");
    if (k.t == J_INT || k.t == J_FLOAT) return put(d, "\"") && number(d, k) && put(d, "\"");
    return j_fail(d->c, "TypeError", "line %u: keys must be str, int, float, bool or None, not %s", d->c->line,
                  j_type_name(k));
}

static bool dict(dumper *d, const jdict *x, size_t level) {
    size_t *order = j_alloc(d->c, x->n + 1, sizeof *order);
    if (!order) return false;
    for (size_t i = 0; i < x->n; i++) order[i] = i;
    for (size_t i = 1; d->sort && i < x->n; i++) /* insertion sort: stable, objects are small */
        for (size_t k = i; k > 0; k--) {
            int cmp;
            if (!j_order(d->c, x->k[order[k - 1]], x->k[order[k]], &cmp)) return false;
            if (cmp <= 0) break;
            size_t swap = order[k];
            order[k] = order[k - 1], order[k - 1] = swap;
        }
    if (!put(d, "{")) return false;
    for (size_t i = 0; i < x->n; i++) {
        if (i && !j_put(d->c, d->out, d->comma.p, d->comma.n)) return false;
        if (!newline(d, level + 1) || !key(d, x->k[order[i]]) || !j_put(d->c, d->out, d->colon.p, d->colon.n) ||
            !dump(d, x->v[order[i]], level + 1))
            return false;
    }
    return (!x->n || newline(d, level)) && put(d, "}");
}

static bool list(dumper *d, jval v, size_t level) {
    if (!put(d, "[")) return false;
    for (size_t i = 0; i < v.u.l.n; i++) {
        if (i && !j_put(d->c, d->out, d->comma.p, d->comma.n)) return false;
        if (!newline(d, level + 1) || !dump(d, v.u.l.v[i], level + 1)) return false;
    }
    return (!v.u.l.n || newline(d, level)) && put(d, "]");
}

static bool dump(dumper *d, jval v, size_t level) {
    bool ok;
    if (!j_enter(d->c) || !j_step(d->c, 1)) return false;
    switch (v.t) {
    case J_NONE: ok = put(d, "null"); break;
    case J_BOOL: ok = put(d, v.u.b ? "true" : "false"); break;
    case J_INT: case J_FLOAT: ok = number(d, v); break;
    case J_STR: ok = text(d, v.u.s); break;
    case J_LIST: case J_TUPLE:
        ok = v.lazy ? j_fail(d->c, "TypeError", "line %u: Object of type generator is not JSON serializable",
                             d->c->line)
                    : list(d, v, level);
        break;
    case J_DICT: ok = dict(d, v.u.d, level); break;
    default:
        ok = j_fail(d->c, "TypeError", "line %u: object of type %s is not JSON serializable", d->c->line,
                    j_type_name(v));
    }
    j_leave(d->c);
    return ok;
}

bool j_tojson(jctx *c, jval v, const jargs *a, jval *out) {
    qz_str s = {0};
    dumper d = {.c = c, .out = &s, .indent = -1, .comma = {", ", 2}, .colon = {": ", 2}};
    const jval *indent = j_arg(a, 1, "indent"), *sep = j_arg(a, 2, "separators");
    d.ascii = j_arg_bool(a, 0, "ensure_ascii", false);
    d.sort = j_arg_bool(a, 3, "sort_keys", false);
    if (indent && indent->t != J_NONE) {
        if (!j_as_int(*indent, &d.indent) || d.indent < 0 || d.indent > 64)
            return j_fail(c, "ValueError", "line %u: bad indent", c->line);
        d.comma = (jtext){",", 1};
    }
    if (sep && sep->t != J_NONE) {
        if ((sep->t != J_TUPLE && sep->t != J_LIST) || sep->u.l.n != 2 || sep->u.l.v[0].t != J_STR ||
            sep->u.l.v[1].t != J_STR)
            return j_fail(c, "ValueError", "line %u: separators must be two strings", c->line);
        d.comma = sep->u.l.v[0].u.s;
        d.colon = sep->u.l.v[1].u.s;
    }
    dump(&d, v, 0);
    return j_take(c, &s, out);
}
