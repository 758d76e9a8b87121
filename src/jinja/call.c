/* Calls: globals of the environment, macros, methods, loop helpers. */
#include <string.h>
#include "jinja/jinja_int.h"

const jval *j_arg(const jargs *a, size_t at, const char *name) {
    if (at < a->n) return &a->pos[at];
    for (size_t i = 0; i < a->n_kw; i++)
        if (j_is(a->names[i], name)) return &a->kw[i];
    return NULL;
}

bool j_arg_int(jctx *c, const jargs *a, size_t at, const char *name, int64_t dflt, int64_t *out) {
    const jval *v = j_arg(a, at, name);
    *out = dflt;
    if (!v || v->t == J_NONE || j_as_int(*v, out)) return true;
    return j_fail(c, "TypeError", "line %u: argument '%s' must be an integer, not %s", c->line, name, j_type_name(*v));
}

bool j_arg_bool(const jargs *a, size_t at, const char *name, bool dflt) {
    const jval *v = j_arg(a, at, name);
    return v ? j_truth(*v) : dflt;
}

static bool fn_raise(jctx *c, const jargs *a, jval *out) {
    const jval *m = j_arg(a, 0, "message");
    jval text;
    (void)out;
    if (!m || !j_to_text(c, *m, &text)) return j_fail(c, "TemplateError", "raise_exception without a message");
    return j_fail(c, "TemplateError", "%.*s", (int)(text.u.s.n > 480 ? 480 : text.u.s.n), text.u.s.p);
}

static bool fn_strftime(jctx *c, const jargs *a, jval *out) {
    const jval *f = j_arg(a, 0, "format");
    char fmt[256], text[1024];
    if (!f || f->t != J_STR || f->u.s.n + 2 > sizeof fmt)
        return j_fail(c, "TypeError", "line %u: strftime_now needs a short format", c->line);
    memcpy(fmt, f->u.s.p, f->u.s.n);
    memcpy(fmt + f->u.s.n, "!", 2); /* so that an empty result is no failure */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size_t n = strftime(text, sizeof text, fmt, &c->now);
#pragma GCC diagnostic pop
    return n ? j_text(c, text, n - 1, out) : j_fail(c, "ValueError", "line %u: bad time format", c->line);
}

static bool fn_dict(jctx *c, const jargs *a, jval *out) {
    if (!j_new_dict(c, J_DICT, out)) return false;
    if (a->n == 1 && a->pos[0].t == J_DICT) {
        const jdict *d = a->pos[0].u.d;
        for (size_t i = 0; i < d->n; i++)
            if (!j_dict_set(c, out->u.d, d->k[i], d->v[i])) return false;
    } else if (a->n) {
        jval list, pair;
        if (!j_iterate(c, a->pos[0], &list)) return false;
        for (size_t i = 0; i < list.u.l.n; i++) {
            if (!j_iterate(c, list.u.l.v[i], &pair)) return false;
            if (pair.u.l.n != 2) return j_fail(c, "ValueError", "line %u: dict() needs pairs", c->line);
            if (!j_dict_set(c, out->u.d, pair.u.l.v[0], pair.u.l.v[1])) return false;
        }
    }
    for (size_t i = 0; i < a->n_kw; i++)
        if (!j_dict_set(c, out->u.d, j_ref(a->names[i].p, a->names[i].n), a->kw[i])) return false;
    return true;
}

static bool fn_namespace(jctx *c, const jargs *a, jval *out) {
    if (!fn_dict(c, a, out)) return false;
    out->t = J_NS;
    return true;
}

static bool fn_range(jctx *c, const jargs *a, jval *out) {
    int64_t v[3] = {0, 0, 1};
    if (a->n < 1 || a->n > 3) return j_fail(c, "TypeError", "line %u: range needs 1 to 3 arguments", c->line);
    for (size_t i = 0; i < a->n; i++)
        if (!j_as_int(a->pos[i], &v[i])) return j_fail(c, "TypeError", "line %u: range needs integers", c->line);
    if (a->n == 1) v[1] = v[0], v[0] = 0;
    if (v[2] == 0) return j_fail(c, "ValueError", "line %u: range step must not be zero", c->line);
    double span = ((double)v[1] - (double)v[0]) / (double)v[2];
    if (span > 100000) return j_fail(c, "OverflowError", "line %u: range too big, at most 100000 items", c->line);
    size_t n = 0;
    for (int64_t x = v[0]; n <= 100000 && (v[2] > 0 ? x < v[1] : x > v[1]); n++)
        if (__builtin_add_overflow(x, v[2], &x)) {
            n++;
            break;
        }
    if (!j_new_list(c, J_LIST, n, out)) return false;
    for (size_t i = 0; i < n; i++) out->u.l.v[i] = j_int(v[0] + (int64_t)i * v[2]);
    return true;
}

static bool new_cycle(jctx *c, jkind kind, jval items, jval *out) {
    jcycle *y = j_alloc(c, 1, sizeof *y);
    if (!y) return false;
    *y = (jcycle){items, 0};
    *out = (jval){.t = kind, .u.cy = y};
    return true;
}

static bool fn_cycler(jctx *c, const jargs *a, jval *out) {
    if (!a->n) return j_fail(c, "RuntimeError", "line %u: cycler needs items", c->line);
    return new_cycle(c, J_CYCLER, (jval){.t = J_LIST, .u.l = {a->pos, a->n}}, out);
}

static bool fn_joiner(jctx *c, const jargs *a, jval *out) {
    const jval *sep = j_arg(a, 0, "sep");
    return new_cycle(c, J_JOINER, sep ? *sep : j_ref(", ", 2), out);
}

static const struct { const char *name; bool (*fn)(jctx *, const jargs *, jval *); } globals[] = {
    {"raise_exception", fn_raise}, {"strftime_now", fn_strftime}, {"namespace", fn_namespace}, {"range", fn_range},
    {"dict", fn_dict},             {"cycler", fn_cycler},         {"joiner", fn_joiner}};

bool j_global(jtext name, jval *out) {
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++) {
        if (!j_is(name, globals[i].name)) continue;
        *out = (jval){.t = J_FUNC, .u.fn = (int)i};
        return true;
    }
    return false;
}

bool j_call(jctx *c, jval fn, const jargs *a, jval *out) {
    if (!j_step(c, 1)) return false;
    switch (fn.t) {
    case J_FUNC: return globals[fn.u.fn].fn(c, a, out);
    case J_MACRO: return j_call_macro(c, fn.u.m, a, out);
    case J_METHOD: return j_call_method(c, fn.u.bm->self, fn.u.bm->name, a, out);
    case J_JOINER:
        *out = fn.u.cy->at++ ? fn.u.cy->items : j_ref("", 0);
        return true;
    case J_UNSAFE:
    case J_UNDEF: return j_undefined(c, fn);
    default: return j_fail(c, "TypeError", "line %u: '%s' object is not callable", c->line, j_type_name(fn));
    }
}
