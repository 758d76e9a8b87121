/* Runs the tree: statements write to c->out, expressions give values. Scoping as in
 * formats/chat-template.md section 5. */
#include <math.h>
#include <string.h>
#include "jinja/jinja_int.h"

/* What a body ended with; break and continue travel up to the loop. */
typedef enum { FLOW_ERROR, FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE } flow;
static flow run(jctx *c, const jnode *n, jframe *f);

static jframe *new_frame(jctx *c, jframe *parent) {
    jframe *f = j_alloc(c, 1, sizeof *f);
    if (f) *f = (jframe){.parent = parent};
    return f;
}

static bool look_up(jctx *c, jframe *f, jtext name, jval *out) {
    bool found = false;
    for (; f; f = f->parent) {
        if (!j_dict_get(c, &f->vars, j_ref(name.p, name.n), out, &found)) return false;
        if (found) return true;
    }
    if (!j_global(name, out)) *out = j_undef(name.p, name.n);
    return true;
}

static bool assign(jctx *c, const jnode *t, jframe *f, jval v) {
    if (t->kind == N_NAME) return j_dict_set(c, &f->vars, j_ref(t->s, t->n), v);
    if (t->kind == N_NS_REF) {
        jval ns;
        if (!look_up(c, f, (jtext){t->a->s, t->a->n}, &ns)) return false;
        if (ns.t != J_NS)
            return j_fail(c, "TemplateRuntimeError", "line %u: cannot assign attribute on non-namespace object",
                          t->line);
        if (t->n && t->s[0] == '_')
            return j_fail(c, "SecurityError", "line %u: access to attribute '%.*s' is unsafe", t->line, (int)t->n,
                          t->s);
        return j_dict_set(c, ns.u.d, j_ref(t->s, t->n), v);
    }
    jval list;
    if (!j_iterate(c, v, &list)) return false;
    if (list.u.l.n != t->n_list)
        return j_fail(c, "ValueError", "line %u: expected %zu values to unpack, found %zu", t->line, t->n_list,
                      list.u.l.n);
    for (size_t i = 0; i < t->n_list; i++)
        if (!assign(c, t->list[i], f, list.u.l.v[i])) return false;
    return true;
}

/* ---- expressions ---- */
static bool int_power(jctx *c, int64_t a, int64_t b, jval *out) {
    int64_t r = 1;
    if (b < 0) {
        if (a == 0) return j_fail(c, "ZeroDivisionError", "line %u: 0 cannot be raised to a negative power", c->line);
        *out = j_float(pow((double)a, (double)b));
        return true;
    }
    for (; b > 0; b >>= 1) {
        if ((b & 1) && __builtin_mul_overflow(r, a, &r))
            return j_fail(c, "OverflowError", "line %u: integer beyond 64 bits", c->line);
        if (b > 1 && __builtin_mul_overflow(a, a, &a))
            return j_fail(c, "OverflowError", "line %u: integer beyond 64 bits", c->line);
    }
    *out = j_int(r);
    return true;
}

static bool int_binary(jctx *c, const char *op, int64_t a, int64_t b, jval *out) {
    int64_t r = 0;
    bool over = false;
    if (op[0] == '*' && op[1]) return int_power(c, a, b, out);
    if (op[0] == '/' || op[0] == '%') {
        if (b == 0) return j_fail(c, "ZeroDivisionError", "line %u: division by zero", c->line);
        if (op[0] == '/' && !op[1]) {
            *out = j_float((double)a / (double)b);
            return true;
        }
        over = a == INT64_MIN && b == -1;
        if (!over) {
            int64_t q = a / b, m = a % b;
            if (m && (m < 0) != (b < 0)) q--, m += b; /* floor, as Python */
            r = op[0] == '/' ? q : m;
        }
    } else if (op[0] == '+') {
        over = __builtin_add_overflow(a, b, &r);
    } else if (op[0] == '-') {
        over = __builtin_sub_overflow(a, b, &r);
    } else {
        over = __builtin_mul_overflow(a, b, &r);
    }
    if (over) return j_fail(c, "OverflowError", "line %u: integer beyond 64 bits", c->line);
    *out = j_int(r);
    return true;
}

static bool float_binary(jctx *c, const char *op, double a, double b, jval *out) {
    double r;
    if ((op[0] == '/' || op[0] == '%') && b == 0)
        return j_fail(c, "ZeroDivisionError", "line %u: float division by zero", c->line);
    if (op[0] == '+') r = a + b;
    else if (op[0] == '-') r = a - b;
    else if (op[0] == '*') r = op[1] ? pow(a, b) : a * b;
    else if (op[0] == '/') r = op[1] ? floor(a / b) : a / b;
    else {
        r = fmod(a, b);
        if (r != 0 && (r < 0) != (b < 0)) r += b;
    }
    *out = j_float(r);
    return true;
}

static bool repeat(jctx *c, jval v, int64_t times, jval *out) {
    size_t k = times > 0 ? (size_t)times : 0;
    if (v.t == J_STR) {
        if (v.u.s.n && k > c->max_bytes / v.u.s.n)
            return j_fail(c, "LimitError", "line %u: a text of more than %zu bytes", c->line, c->max_bytes);
        qz_str s = {0};
        for (size_t i = 0; v.u.s.n && i < k; i++)
            if (!j_step(c, 1) || !j_put(c, &s, v.u.s.p, v.u.s.n)) break;
        return j_take(c, &s, out);
    }
    if (v.u.l.n && k > c->max_bytes / v.u.l.n) return j_fail(c, "LimitError", "line %u: a list too long", c->line);
    if (!j_new_list(c, v.t, v.u.l.n * k, out)) return false;
    for (size_t i = 0; i < out->u.l.n; i++) out->u.l.v[i] = v.u.l.v[i % v.u.l.n];
    return true;
}

bool j_binary(jctx *c, const char *op, jval a, jval b, jval *out) {
    int64_t p, q;
    double x, y;
    if (!j_step(c, 1)) return false;
    if (j_as_int(a, &p) && j_as_int(b, &q)) return int_binary(c, op, p, q, out);
    if (j_as_number(a, &x) && j_as_number(b, &y)) return float_binary(c, op, x, y, out);
    if (op[0] == '%' && a.t == J_STR) return j_percent(c, a, b, out);
    if (op[0] == '+' && a.t == J_STR && b.t == J_STR) {
        const bool markup = a.markup || b.markup;
        if (markup && (!j_escape(c, a, &a) || !j_escape(c, b, &b))) return false;
        char *s = j_alloc(c, a.u.s.n + b.u.s.n + 1, 1);
        if (!s) return false;
        memcpy(s, a.u.s.p, a.u.s.n);
        memcpy(s + a.u.s.n, b.u.s.p, b.u.s.n);
        s[a.u.s.n + b.u.s.n] = 0;
        *out = j_ref(s, a.u.s.n + b.u.s.n);
        out->markup = markup;
        return true;
    }
    const bool lists = (a.t == J_LIST || a.t == J_TUPLE) && !a.lazy;
    if (op[0] == '+' && a.t == b.t && lists && !b.lazy) {
        if (!j_new_list(c, a.t, a.u.l.n + b.u.l.n, out)) return false;
        for (size_t i = 0; i < a.u.l.n; i++) out->u.l.v[i] = a.u.l.v[i];
        for (size_t i = 0; i < b.u.l.n; i++) out->u.l.v[a.u.l.n + i] = b.u.l.v[i];
        return true;
    }
    if (op[0] == '*' && !op[1]) {
        if ((a.t == J_STR || a.t == J_LIST || a.t == J_TUPLE) && j_as_int(b, &q)) return repeat(c, a, q, out);
        if ((b.t == J_STR || b.t == J_LIST || b.t == J_TUPLE) && j_as_int(a, &p)) return repeat(c, b, p, out);
    }
    if (j_missing(a) || j_missing(b)) return j_undefined(c, j_missing(a) ? a : b);
    if (op[0] == '+' && (a.t == J_STR || lists))
        return j_fail(c, "TypeError", "line %u: can only concatenate %s (not \"%s\") to %s", c->line, j_type_name(a),
                      j_type_name(b), j_type_name(a));
    return j_fail(c, "TypeError", "line %u: unsupported operand type(s) for %s: '%s' and '%s'", c->line, op,
                  j_type_name(a), j_type_name(b));
}

static bool compare(jctx *c, const char *op, jval a, jval b, bool *out) {
    int d;
    if (op[0] == '=' || op[0] == '!') {
        if (!j_equal(c, a, b, out)) return false;
        *out ^= op[0] == '!';
        return true;
    }
    if (op[0] == 'i' || op[0] == 'n') {
        if (!j_contains(c, b, a, out)) return false;
        *out ^= op[0] == 'n';
        return true;
    }
    if (!j_order(c, a, b, &d)) return false;
    *out = op[0] == '<' ? (op[1] ? d <= 0 : d < 0) : (op[1] ? d >= 0 : d > 0);
    return true;
}

static bool eval_args(jctx *c, const jnode *n, jframe *f, jargs *a) {
    *a = (jargs){0};
    a->pos = j_alloc(c, n->n_list + 1, sizeof *a->pos);
    a->kw = j_alloc(c, n->n_list + 1, sizeof *a->kw);
    a->names = j_alloc(c, n->n_list + 1, sizeof *a->names);
    if (!a->pos || !a->kw || !a->names) return false;
    for (size_t i = 0; i < n->n_list; i++) {
        jval v;
        if (!j_eval(c, n->list[i], f, &v)) return false;
        if (n->names[i]) {
            a->names[a->n_kw] = (jtext){n->names[i], strlen(n->names[i])};
            a->kw[a->n_kw++] = v;
        } else {
            a->pos[a->n++] = v;
        }
    }
    return true;
}

static bool eval_items(jctx *c, const jnode *n, jframe *f, jval *out) {
    if (n->kind == N_DICT) {
        if (!j_new_dict(c, J_DICT, out)) return false;
        for (size_t i = 0; i + 1 < n->n_list; i += 2) {
            jval k, v;
            if (!j_eval(c, n->list[i], f, &k) || !j_eval(c, n->list[i + 1], f, &v) || !j_dict_set(c, out->u.d, k, v))
                return false;
        }
        return true;
    }
    if (!j_new_list(c, n->kind == N_LIST ? J_LIST : J_TUPLE, n->n_list, out)) return false;
    for (size_t i = 0; i < n->n_list; i++)
        if (!j_eval(c, n->list[i], f, &out->u.l.v[i])) return false;
    return true;
}

static bool eval_concat(jctx *c, const jnode *n, jframe *f, jval *out) {
    qz_str s = {0};
    for (size_t i = 0; i < n->n_list; i++) {
        jval v;
        if (!j_eval(c, n->list[i], f, &v) || !j_str(c, v, &s)) break;
    }
    return j_take(c, &s, out);
}

static bool eval_compare(jctx *c, const jnode *n, jframe *f, jval *out) {
    jval l, r;
    bool yes = true;
    if (!j_eval(c, n->list[0], f, &l)) return false;
    for (size_t i = 1; i < n->n_list && yes; i++) {
        if (!j_eval(c, n->list[i], f, &r) || !compare(c, n->names[i], l, r, &yes)) return false;
        l = r;
    }
    *out = j_bool(yes);
    return true;
}

static bool eval_slice(jctx *c, const jnode *n, jframe *f, jval *out) {
    jval box, part[3] = {j_none(), j_none(), j_none()};
    const jnode *e[3] = {n->b, n->c, n->d};
    if (!j_eval(c, n->a, f, &box)) return false;
    for (size_t i = 0; i < 3; i++)
        if (e[i] && !j_eval(c, e[i], f, &part[i])) return false;
    return j_slice(c, box, part[0], part[1], part[2], out);
}

static bool eval_sign(jctx *c, const jnode *n, jframe *f, jval *out) {
    jval v;
    int64_t i;
    if (!j_eval(c, n->a, f, &v)) return false;
    if (j_as_int(v, &i)) return int_binary(c, n->kind == N_NEG ? "-" : "+", 0, i, out);
    if (v.t == J_FLOAT) {
        *out = j_float(n->kind == N_NEG ? -v.u.f : v.u.f);
        return true;
    }
    return j_binary(c, "-", v, j_int(0), out); /* gives the right error */
}

static bool eval_logic(jctx *c, const jnode *n, jframe *f, jval *out) {
    for (size_t i = 0; i < n->n_list; i++) {
        if (!j_eval(c, n->list[i], f, out)) return false;
        if (j_truth(*out) == (n->kind == N_OR)) return true;
    }
    return true;
}

static bool eval_call(jctx *c, const jnode *n, jframe *f, jval *out) {
    jval self = j_undef("", 0);
    jargs a;
    if (n->a && !j_eval(c, n->a, f, &self)) return false;
    if (n->kind != N_CALL && !n->a)
        return j_fail(c, "TemplateRuntimeError", "line %u: filter without a value", n->line);
    if (!eval_args(c, n, f, &a)) return false;
    c->line = n->line;
    if (n->kind == N_CALL) return j_call(c, self, &a, out);
    if (n->kind == N_FILTER) return j_filter(c, (jtext){n->s, n->n}, self, &a, out);
    bool yes;
    if (!j_test(c, (jtext){n->s, n->n}, self, &a, &yes)) return false;
    *out = j_bool(yes);
    return true;
}

static void literal(const jnode *n, jval *out) {
    switch ((jkind)n->literal) {
    case J_BOOL: *out = j_bool(n->i != 0); break;
    case J_INT: *out = j_int(n->i); break;
    case J_FLOAT: *out = j_float(n->f); break;
    case J_STR: *out = j_ref(n->s, n->n); break;
    default: *out = j_none();
    }
}

static bool eval(jctx *c, const jnode *n, jframe *f, jval *out) {
    jval a, b;
    switch (n->kind) {
    case N_CONST: literal(n, out); return true;
    case N_NAME: return look_up(c, f, (jtext){n->s, n->n}, out);
    case N_LIST: case N_TUPLE: case N_DICT: return eval_items(c, n, f, out);
    case N_ATTR: return j_eval(c, n->a, f, &a) && j_attr(c, a, (jtext){n->s, n->n}, out);
    case N_ITEM: return j_eval(c, n->a, f, &a) && j_eval(c, n->b, f, &b) && j_index(c, a, b, out);
    case N_SLICE: return eval_slice(c, n, f, out);
    case N_CALL: case N_FILTER: case N_TEST: return eval_call(c, n, f, out);
    case N_NOT:
        if (!j_eval(c, n->a, f, &a)) return false;
        *out = j_bool(!j_truth(a));
        return true;
    case N_NEG: case N_POS: return eval_sign(c, n, f, out);
    case N_AND: case N_OR: return eval_logic(c, n, f, out);
    case N_BINARY: return j_eval(c, n->a, f, &a) && j_eval(c, n->b, f, &b) && j_binary(c, n->op, a, b, out);
    case N_COMPARE: return eval_compare(c, n, f, out);
    case N_CONCAT: return eval_concat(c, n, f, out);
    case N_COND:
        if (!j_eval(c, n->a, f, &a)) return false;
        if (j_truth(a)) return j_eval(c, n->b, f, out);
        if (n->c) return j_eval(c, n->c, f, out);
        *out = j_undef("the inline if without else", 26);
        return true;
    default: return j_fail(c, "TemplateRuntimeError", "line %u: not an expression", n->line);
    }
}

bool j_eval(jctx *c, const jnode *n, jframe *f, jval *out) {
    if (!j_enter(c) || !j_step(c, 1)) return false;
    c->line = n->line;
    bool ok = eval(c, n, f, out);
    j_leave(c);
    return ok;
}

/* ---- statements ---- */
/* Runs a body into a text of its own. */
static bool capture(jctx *c, const jnode *body, jframe *f, jval *out) {
    qz_str s = {0}, *outer = c->out;
    c->out = &s;
    flow r = run(c, body, f);
    c->out = outer;
    if (r == FLOW_ERROR) {
        qz_str_release(&s);
        return false;
    }
    return j_take(c, &s, out);
}

bool j_call_macro(jctx *c, jmacro *m, const jargs *a, jval *out) {
    const jnode *n = m->node;
    jframe *f = new_frame(c, m->frame);
    if (!f || !j_enter(c)) return false;
    if (a->n > n->n_list)
        return j_fail(c, "TypeError", "line %u: macro '%.*s' takes not more than %zu arguments", c->line, (int)n->n,
                      n->s, n->n_list);
    for (size_t i = 0; i < n->n_list; i++) {
        const jval *given = j_arg(a, i, n->names[i]);
        jval v = j_undef(n->names[i], strlen(n->names[i]));
        if (given) v = *given;
        else if (n->list[i] && !j_eval(c, n->list[i], f, &v)) return false;
        if (!j_dict_set(c, &f->vars, j_ref(n->names[i], strlen(n->names[i])), v)) return false;
    }
    for (size_t i = 0; i < a->n_kw; i++) {
        bool known = j_is(a->names[i], "caller");
        for (size_t k = 0; k < n->n_list && !known; k++) known = j_is(a->names[i], n->names[k]);
        if (!known)
            return j_fail(c, "TypeError", "line %u: macro '%.*s' takes no argument '%.*s'", c->line, (int)n->n, n->s,
                          (int)a->names[i].n, a->names[i].p);
        if (j_is(a->names[i], "caller") && !j_dict_set(c, &f->vars, j_ref("caller", 6), a->kw[i])) return false;
    }
    bool ok = capture(c, n->c, f, out);
    j_leave(c);
    return ok;
}

static bool make_macro(jctx *c, const jnode *n, jframe *f, jval *out) {
    jmacro *m = j_alloc(c, 1, sizeof *m);
    if (!m) return false;
    *m = (jmacro){n, f};
    *out = (jval){.t = J_MACRO, .u.m = m};
    return true;
}

static bool call_block(jctx *c, const jnode *n, jframe *f) {
    jval fn, caller, r;
    jargs a;
    if (!j_eval(c, n->a->a, f, &fn) || !eval_args(c, n->a, f, &a) || !make_macro(c, n, f, &caller)) return false;
    a.names[a.n_kw] = (jtext){"caller", 6};
    a.kw[a.n_kw++] = caller;
    return j_call(c, fn, &a, &r) && j_str(c, r, c->out);
}

/* A chain of filters whose innermost operand is the given text. */
static bool filter_chain(jctx *c, const jnode *n, jframe *f, jval in, jval *out) {
    jargs a;
    jval v = in;
    if (!j_enter(c)) return false;
    if (n->kind != N_FILTER)
        return j_fail(c, "TemplateRuntimeError", "line %u: only filters are allowed here", n->line);
    bool ok = (!n->a || filter_chain(c, n->a, f, in, &v)) && eval_args(c, n, f, &a) &&
              j_filter(c, (jtext){n->s, n->n}, v, &a, out);
    j_leave(c);
    return ok;
}

static bool captured(jctx *c, const jnode *n, jframe *f, jval *out) {
    jframe *inner = new_frame(c, f);
    jval v;
    if (!inner || !capture(c, n->c, inner, &v)) return false;
    if (n->b) return filter_chain(c, n->b, f, v, out);
    *out = v;
    return true;
}

/* Items that pass the loop's condition, each tried in a scope of its own. */
static bool loop_items(jctx *c, const jnode *n, jframe *f, jval *items) {
    jval v;
    if (!j_eval(c, n->b, f, &v) || !j_iterate(c, v, items)) return false;
    if (!n->d) return true;
    jval kept;
    size_t k = 0;
    if (!j_new_list(c, J_LIST, items->u.l.n, &kept)) return false;
    for (size_t i = 0; i < items->u.l.n; i++) {
        jframe *inner = new_frame(c, f);
        if (!inner || !assign(c, n->a, inner, items->u.l.v[i]) || !j_eval(c, n->d, inner, &v)) return false;
        if (j_truth(v)) kept.u.l.v[k++] = items->u.l.v[i];
    }
    kept.u.l.n = k;
    *items = kept;
    return true;
}

static flow run_for(jctx *c, const jnode *n, jframe *f) {
    jloop *l = j_alloc(c, 1, sizeof *l);
    if (!l) return FLOW_ERROR;
    *l = (jloop){.depth = ++c->loop_depth};
    if (!loop_items(c, n, f, &l->items)) return FLOW_ERROR;
    size_t count = l->items.u.l.n; /* a dict's keys cannot grow: values are immutable */
    for (size_t i = 0; i < count; i++) {
        jframe *inner = new_frame(c, f);
        l->at = i;
        if (!inner || !j_dict_set(c, &inner->vars, j_ref("loop", 4), (jval){.t = J_LOOP, .u.lp = l})) return FLOW_ERROR;
        if (!assign(c, n->a, inner, l->items.u.l.v[i])) return FLOW_ERROR;
        flow r = run(c, n->list[0], inner);
        if (r == FLOW_ERROR) return r;
        if (r == FLOW_BREAK) break;
    }
    c->loop_depth--;
    return count == 0 && n->c ? run(c, n->c, f) : FLOW_NEXT;
}

static flow run_if(jctx *c, const jnode *n, jframe *f) {
    for (size_t i = 0; i + 1 < n->n_list; i += 2) {
        jval v;
        if (!j_eval(c, n->list[i], f, &v)) return FLOW_ERROR;
        if (j_truth(v)) return run(c, n->list[i + 1], f);
    }
    return n->c ? run(c, n->c, f) : FLOW_NEXT;
}

static flow run_with(jctx *c, const jnode *n, jframe *f) {
    jframe *inner = new_frame(c, f);
    if (!inner) return FLOW_ERROR;
    for (size_t i = 0; i < n->n_list; i++) {
        jval v;
        if (!j_eval(c, n->list[i], f, &v) || !j_dict_set(c, &inner->vars, j_ref(n->names[i], strlen(n->names[i])), v))
            return FLOW_ERROR;
    }
    return run(c, n->c, inner);
}

static flow run_body(jctx *c, const jnode *n, jframe *f) {
    for (size_t i = 0; i < n->n_list; i++) {
        flow r = run(c, n->list[i], f);
        if (r != FLOW_NEXT) return r;
    }
    return FLOW_NEXT;
}

static flow step(jctx *c, const jnode *n, jframe *f) {
    jval v;
    jframe *inner;
    bool ok = true;
    c->line = n->line;
    switch (n->kind) {
    case N_BODY: return run_body(c, n, f);
    case N_TEXT: ok = j_put(c, c->out, n->s, n->n); break;
    case N_PRINT: ok = j_eval(c, n->a, f, &v) && j_str(c, v, c->out); break;
    case N_IF: return run_if(c, n, f);
    case N_FOR: return run_for(c, n, f);
    case N_SET: ok = j_eval(c, n->b, f, &v) && assign(c, n->a, f, v); break;
    case N_SET_BLOCK: ok = captured(c, n, f, &v) && assign(c, n->a, f, v); break;
    case N_MACRO: ok = make_macro(c, n, f, &v) && j_dict_set(c, &f->vars, j_ref(n->s, n->n), v); break;
    case N_CALL_BLOCK: ok = call_block(c, n, f); break;
    case N_FILTER_BLOCK: ok = captured(c, n, f, &v) && j_str(c, v, c->out); break;
    case N_WITH: return run_with(c, n, f);
    case N_BREAK: return FLOW_BREAK;
    case N_CONTINUE: return FLOW_CONTINUE;
    case N_SCOPE:
        inner = new_frame(c, f);
        return inner ? run(c, n->c, inner) : FLOW_ERROR;
    default: ok = j_fail(c, "TemplateRuntimeError", "line %u: not a statement", n->line);
    }
    return ok ? FLOW_NEXT : FLOW_ERROR;
}

static flow run(jctx *c, const jnode *n, jframe *f) {
    if (!j_enter(c) || !j_step(c, 1)) return FLOW_ERROR;
    flow r = step(c, n, f);
    j_leave(c);
    return r;
}

bool j_run(jctx *c, const jnode *n, jframe *f) { return run(c, n, f) != FLOW_ERROR; }
