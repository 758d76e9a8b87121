/* Tests ("x is …") of the environment. */
#include <math.h>
#include "jinja/jinja_int.h"

typedef enum {
    X_DEFINED,
    X_UNDEFINED,
    X_NONE,
    X_STRING,
    X_NUMBER,
    X_INTEGER,
    X_FLOAT,
    X_BOOLEAN,
    X_TRUE,
    X_FALSE,
    X_MAPPING,
    X_SEQUENCE,
    X_ITERABLE,
    X_CALLABLE,
    X_ODD,
    X_EVEN,
    X_DIVISIBLE,
    X_EQ,
    X_NE,
    X_LT,
    X_LE,
    X_GT,
    X_GE,
    X_IN,
    X_SAME,
    X_LOWER,
    X_UPPER
} test_id;
static const struct { const char *name; test_id id; } tests[] = {
    {"defined", X_DEFINED}, {"undefined", X_UNDEFINED}, {"none", X_NONE}, {"string", X_STRING}, {"number", X_NUMBER},
    {"integer", X_INTEGER}, {"float", X_FLOAT}, {"boolean", X_BOOLEAN}, {"true", X_TRUE}, {"True", X_TRUE},
    {"false", X_FALSE}, {"False", X_FALSE}, {"None", X_NONE}, {"mapping", X_MAPPING}, {"sequence", X_SEQUENCE},
    {"iterable", X_ITERABLE}, {"callable", X_CALLABLE}, {"odd", X_ODD}, {"even", X_EVEN}, {"divisibleby", X_DIVISIBLE},
    {"eq", X_EQ}, {"equalto", X_EQ}, {"==", X_EQ}, {"ne", X_NE}, {"!=", X_NE}, {"lt", X_LT}, {"lessthan", X_LT},
    {"<", X_LT}, {"le", X_LE}, {"<=", X_LE}, {"gt", X_GT}, {"greaterthan", X_GT}, {">", X_GT}, {"ge", X_GE},
    {">=", X_GE}, {"in", X_IN}, {"sameas", X_SAME}, {"lower", X_LOWER}, {"upper", X_UPPER}};

static bool remainder_of(jctx *c, jval v, jval by, bool *zero) {
    jval r;
    if (!j_binary(c, "%", v, by, &r)) return false;
    *zero = !j_truth(r);
    return true;
}

static bool text_case(jctx *c, jval v, const char *method, bool *out) {
    jval t, r;
    jargs none = {0};
    if (!j_to_text(c, v, &t) || !j_call_method(c, t, (jtext){method, 7}, &none, &r)) return false;
    *out = r.u.b;
    return true;
}

static bool with_argument(jctx *c, test_id id, jval v, jval arg, bool *out) {
    int d;
    switch (id) {
    case X_DIVISIBLE: return remainder_of(c, v, arg, out);
    case X_IN: return j_contains(c, arg, v, out);
    case X_EQ: return j_equal(c, v, arg, out);
    case X_NE:
        if (!j_equal(c, v, arg, out)) return false;
        *out = !*out;
        return true;
    case X_SAME: /* identity: equal and of one kind; containers are compared by their storage */
        *out = false;
        if (v.t != arg.t) return true;
        if (v.t == J_LIST || v.t == J_TUPLE) *out = v.u.l.v == arg.u.l.v;
        else if (v.t == J_DICT) *out = v.u.d == arg.u.d;
        else return j_equal(c, v, arg, out);
        return true;
    default:
        if (!j_order(c, v, arg, &d)) return false;
        *out = id == X_LT ? d < 0 : id == X_LE ? d <= 0 : id == X_GT ? d > 0 : d >= 0;
        return true;
    }
}

bool j_test(jctx *c, jtext name, jval v, const jargs *a, bool *out) {
    size_t i = 0, n = sizeof tests / sizeof tests[0];
    while (i < n && !j_is(name, tests[i].name)) i++;
    if (i == n)
        return j_fail(c, "TemplateAssertionError", "line %u: no test named '%.*s'", c->line, (int)name.n, name.p);
    test_id id = tests[i].id;
    bool sized = v.t == J_STR || v.t == J_LIST || v.t == J_TUPLE || v.t == J_DICT;
    switch (id) {
    case X_DEFINED: *out = !j_missing(v); return true;
    case X_UNDEFINED: *out = j_missing(v); return true;
    case X_NONE: *out = v.t == J_NONE; return true;
    case X_STRING: *out = v.t == J_STR; return true;
    case X_NUMBER: *out = v.t == J_INT || v.t == J_FLOAT || v.t == J_BOOL; return true;
    case X_INTEGER: *out = v.t == J_INT; return true;
    case X_FLOAT: *out = v.t == J_FLOAT; return true;
    case X_BOOLEAN: *out = v.t == J_BOOL; return true;
    case X_TRUE: *out = v.t == J_BOOL && v.u.b; return true;
    case X_FALSE: *out = v.t == J_BOOL && !v.u.b; return true;
    case X_MAPPING: *out = v.t == J_DICT; return true;
    case X_SEQUENCE: *out = (sized && !(v.t == J_LIST && v.lazy)) || v.t == J_UNDEF; return true;
    case X_ITERABLE: *out = sized || v.t == J_UNDEF; return true;
    case X_CALLABLE: *out = v.t == J_FUNC || v.t == J_MACRO || v.t == J_METHOD || v.t == J_JOINER; return true;
    case X_ODD: case X_EVEN:
        if (!remainder_of(c, v, j_int(2), out)) return false;
        *out ^= id == X_ODD;
        return true;
    case X_LOWER: return text_case(c, v, "islower", out);
    case X_UPPER: return text_case(c, v, "isupper", out);
    default: break;
    }
    if (!a->n) return j_fail(c, "TypeError", "line %u: test '%.*s' needs an argument", c->line, (int)name.n, name.p);
    return with_argument(c, id, v, a->pos[0], out);
}
