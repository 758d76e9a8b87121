/* Recursive descent over the tokens, with the reference's precedence (formats/chat-template.md section 5).
 * Depth bounded. */
#include <string.h>
#include "jinja/jinja_int.h"

#define MAX_DEPTH 200
#define MAX_ARGS 255

typedef struct {
    qz_arena *a;
    qz_error *err;
    const jtok *t;
    size_t at, n, depth, loops;
    qz_status st;
} parser;

static jnode *expression(parser *p, bool with_cond);
static jnode *body(parser *p, const char *const *ends);

static jnode *syntax(parser *p, const char *what) {
    if (p->st == QZ_OK)
        p->st = qz_fail(p->err, QZ_EFORMAT, "chat template: SyntaxError: line %u: %s", p->t[p->at].line, what);
    return NULL;
}

static jnode *new_node(parser *p, jnode_kind kind) {
    jnode *n = qz_arena_calloc(p->a, 1, sizeof *n);
    if (!n) {
        p->st = qz_fail(p->err, QZ_EMEMORY, "out of memory while reading a chat template");
        return NULL;
    }
    n->kind = kind;
    n->line = p->t[p->at].line;
    return n;
}

static bool enter(parser *p) {
    if (++p->depth <= MAX_DEPTH) return true;
    syntax(p, "nested too deeply");
    return false;
}

static const jtok *cur(const parser *p) { return &p->t[p->at]; }
static void next(parser *p) {
    if (p->at + 1 < p->n) p->at++;
}
static bool is_word(const jtok *t, const char *w) {
    return t->kind == T_NAME && t->n == strlen(w) && memcmp(t->s, w, t->n) == 0;
}
static bool is_op(const jtok *t, const char *w) {
    return t->kind == T_OP && t->n == strlen(w) && memcmp(t->s, w, t->n) == 0;
}
static bool skip_op(parser *p, const char *w) {
    if (!is_op(cur(p), w)) return false;
    next(p);
    return true;
}
static bool skip_word(parser *p, const char *w) {
    if (!is_word(cur(p), w)) return false;
    next(p);
    return true;
}
static bool expect_op(parser *p, const char *w) {
    if (skip_op(p, w)) return true;
    syntax(p, "a bracket, comma or sign is missing");
    return false;
}

/* Appends a child; capacity grows by doubling inside the arena. */
static bool add(parser *p, jnode *to, jnode *child, const char *name) {
    if (p->st != QZ_OK) return false;
    if ((to->n_list & (to->n_list - 1)) == 0) {
        size_t cap = to->n_list ? to->n_list * 2 : 1;
        jnode **l = qz_arena_alloc(p->a, cap, sizeof *l);
        const char **names = qz_arena_alloc(p->a, cap, sizeof *names);
        if (!l || !names) {
            p->st = qz_fail(p->err, QZ_EMEMORY, "out of memory while reading a chat template");
            return false;
        }
        if (to->n_list) {
            memcpy(l, to->list, to->n_list * sizeof *l);
            memcpy(names, to->names, to->n_list * sizeof *names);
        }
        to->list = l;
        to->names = names;
    }
    to->list[to->n_list] = child;
    to->names[to->n_list++] = name;
    return true;
}

static const char *name_copy(parser *p, const jtok *t) {
    char *s = qz_arena_strndup(p->a, t->s, t->n);
    if (!s) p->st = qz_fail(p->err, QZ_EMEMORY, "out of memory while reading a chat template");
    return s;
}

static jnode *named(parser *p, jnode_kind kind, const jtok *t) {
    jnode *n = new_node(p, kind);
    if (n) n->s = t->s, n->n = t->n;
    return n;
}

/* ---- expressions ---- */
static jnode *constant(parser *p, jkind kind) {
    const jtok *t = cur(p);
    jnode *n = new_node(p, N_CONST);
    if (!n) return NULL;
    n->literal = (uint8_t)kind;
    n->s = t->s, n->n = t->n, n->i = t->i, n->f = t->f;
    next(p);
    return n;
}

/* "(a, b, k=c)": the opening bracket is current. */
static bool arguments(parser *p, jnode *call) {
    if (!expect_op(p, "(")) return false;
    while (!is_op(cur(p), ")")) {
        const char *name = NULL;
        if (call->n_list && !expect_op(p, ",")) return false;
        if (is_op(cur(p), ")")) break;
        if (call->n_list == MAX_ARGS || is_op(cur(p), "*") || is_op(cur(p), "**"))
            return syntax(p, "argument lists are not supported") != NULL;
        if (cur(p)->kind == T_NAME && is_op(&p->t[p->at + 1], "=")) {
            name = name_copy(p, cur(p));
            next(p);
            next(p);
        }
        if (!add(p, call, expression(p, true), name)) return false;
    }
    return expect_op(p, ")");
}

static jnode *tuple(parser *p, bool with_cond, bool in_brackets, const char *stop) {
    jnode *first = NULL, *list = NULL;
    if (in_brackets && is_op(cur(p), ")")) return new_node(p, N_TUPLE);
    for (;;) {
        if (list && (cur(p)->kind == T_VAR_END || cur(p)->kind == T_BLOCK_END || is_op(cur(p), ")") ||
                     (stop && is_word(cur(p), stop))))
            break;
        jnode *e = expression(p, with_cond);
        if (!e) return NULL;
        if (!first) {
            first = e;
        } else if (!add(p, list, e, NULL)) {
            return NULL;
        }
        if (!skip_op(p, ",")) break;
        if (!list && (!(list = new_node(p, N_TUPLE)) || !add(p, list, first, NULL))) return NULL;
    }
    return list ? list : first;
}

static jnode *collection(parser *p) {
    bool is_dict = is_op(cur(p), "{");
    jnode *n = new_node(p, is_dict ? N_DICT : N_LIST);
    const char *close = is_dict ? "}" : "]";
    next(p);
    while (n && !is_op(cur(p), close)) {
        if (n->n_list && !expect_op(p, ",")) return NULL;
        if (is_op(cur(p), close)) break;
        if (!add(p, n, expression(p, true), NULL)) return NULL;
        if (is_dict && (!expect_op(p, ":") || !add(p, n, expression(p, true), NULL))) return NULL;
    }
    return n && expect_op(p, close) ? n : NULL;
}

static jnode *strings(parser *p) {
    jnode *n = constant(p, J_STR);
    while (n && cur(p)->kind == T_STRING) { /* adjacent literals are one */
        char *s = qz_arena_alloc(p->a, n->n + cur(p)->n + 1, 1);
        if (!s) return syntax(p, "out of memory");
        memcpy(s, n->s, n->n);
        memcpy(s + n->n, cur(p)->s, cur(p)->n);
        n->n += cur(p)->n;
        s[n->n] = 0;
        n->s = s;
        next(p);
    }
    return n;
}

static jnode *primary(parser *p) {
    const jtok *t = cur(p);
    if (t->kind == T_STRING) return strings(p);
    if (t->kind == T_INT) return constant(p, J_INT);
    if (t->kind == T_FLOAT) return constant(p, J_FLOAT);
    if (is_op(t, "(")) {
        next(p);
        jnode *n = tuple(p, true, true, NULL);
        return n && expect_op(p, ")") ? n : NULL;
    }
    if (is_op(t, "[") || is_op(t, "{")) return collection(p);
    if (t->kind != T_NAME) return syntax(p, "an expression is missing");
    bool yes = is_word(t, "true") || is_word(t, "True"), no = is_word(t, "false") || is_word(t, "False");
    if (yes || no) {
        jnode *n = constant(p, J_BOOL);
        if (n) n->i = yes;
        return n;
    }
    if (is_word(t, "none") || is_word(t, "None")) return constant(p, J_NONE);
    jnode *n = named(p, N_NAME, t);
    next(p);
    return n;
}

/* "[x]", "[a:b:c]": the bracket is current. */
static jnode *subscript(parser *p, jnode *of) {
    next(p);
    jnode *part[3] = {NULL, NULL, NULL};
    size_t k = 0;
    bool slice = false;
    while (!is_op(cur(p), "]")) {
        if (skip_op(p, ":")) {
            slice = true;
            if (++k > 2) return syntax(p, "bad slice");
        } else if (!part[k]) {
            part[k] = tuple(p, true, false, NULL);
            if (!part[k]) return NULL;
        } else {
            return syntax(p, "bad index");
        }
    }
    if (!slice && !part[0]) return syntax(p, "empty index");
    jnode *n = new_node(p, slice ? N_SLICE : N_ITEM);
    if (!n) return NULL;
    n->a = of, n->b = part[0], n->c = part[1], n->d = part[2];
    return expect_op(p, "]") ? n : NULL;
}

static jnode *call_of(parser *p, jnode *fn) {
    jnode *n = new_node(p, N_CALL);
    if (!n) return NULL;
    n->a = fn;
    return arguments(p, n) ? n : NULL;
}

static jnode *attribute(parser *p, jnode *of) {
    next(p);
    const jtok *t = cur(p);
    jnode *n = NULL;
    if (t->kind == T_NAME) {
        n = named(p, N_ATTR, t);
    } else if (t->kind == T_INT) {
        n = new_node(p, N_ITEM);
        jnode *c = n ? constant(p, J_INT) : NULL;
        if (!c) return NULL;
        n->a = of, n->b = c;
        return n;
    } else {
        return syntax(p, "a name is missing after '.'");
    }
    next(p);
    if (n) n->a = of;
    return n;
}

static jnode *postfix(parser *p, jnode *n) {
    while (n) {
        if (is_op(cur(p), ".")) n = attribute(p, n);
        else if (is_op(cur(p), "[")) n = subscript(p, n);
        else if (is_op(cur(p), "(")) n = call_of(p, n);
        else break;
    }
    return n;
}

static jnode *filter_of(parser *p, jnode *of) {
    if (cur(p)->kind != T_NAME) return syntax(p, "a filter's name is missing");
    jnode *n = named(p, N_FILTER, cur(p));
    next(p);
    while (n && is_op(cur(p), ".") && p->t[p->at + 1].kind == T_NAME) next(p), next(p);
    if (!n) return NULL;
    n->a = of;
    return !is_op(cur(p), "(") || arguments(p, n) ? n : NULL;
}

static jnode *test_of(parser *p, jnode *of) {
    bool negated = skip_word(p, "not");
    const jtok *t = cur(p);
    if (t->kind != T_NAME) return syntax(p, "a test's name is missing");
    jnode *n = named(p, N_TEST, t);
    next(p);
    if (!n) return NULL;
    n->a = of;
    t = cur(p);
    if (is_op(t, "(")) {
        if (!arguments(p, n)) return NULL;
    } else if (t->kind == T_STRING || t->kind == T_INT || t->kind == T_FLOAT || is_op(t, "[") || is_op(t, "{") ||
               (t->kind == T_NAME && !is_word(t, "else") && !is_word(t, "or") && !is_word(t, "and") &&
                !is_word(t, "is") && !is_word(t, "if") && !is_word(t, "not") && !is_word(t, "in"))) {
        jnode *arg = postfix(p, primary(p));
        if (!arg || !add(p, n, arg, NULL)) return NULL;
    }
    if (!negated) return n;
    jnode *not_ = new_node(p, N_NOT);
    if (not_) not_->a = n;
    return not_;
}

static jnode *filters(parser *p, jnode *n) {
    while (n) {
        if (skip_op(p, "|")) n = filter_of(p, n);
        else if (skip_word(p, "is")) n = test_of(p, n);
        else if (is_op(cur(p), "(")) n = call_of(p, n);
        else break;
    }
    return n;
}

static jnode *unary(parser *p, bool with_filter) {
    jnode *n;
    if (!enter(p)) return NULL;
    bool neg = is_op(cur(p), "-");
    if (neg || is_op(cur(p), "+")) {
        next(p);
        n = new_node(p, neg ? N_NEG : N_POS);
        if (n && !(n->a = unary(p, false))) n = NULL;
    } else {
        n = primary(p);
    }
    n = postfix(p, n);
    if (with_filter) n = filters(p, n);
    p->depth--;
    return n;
}

static jnode *binary(parser *p, jnode *l, const jtok *op, jnode *r) {
    jnode *n = l && r ? new_node(p, N_BINARY) : NULL;
    if (!n) return NULL;
    memcpy(n->op, op->s, op->n);
    n->a = l, n->b = r;
    return n;
}

/* A chain of left-associative operators is as deep in the tree as it is long: each link counts as a level. */
static bool link(parser *p, size_t *links) {
    (*links)++;
    return enter(p);
}

static jnode *power(parser *p) {
    jnode *n = unary(p, true);
    size_t links = 0;
    while (n && is_op(cur(p), "**") && link(p, &links)) {
        const jtok *op = cur(p);
        next(p);
        n = binary(p, n, op, unary(p, true));
    }
    p->depth -= links;
    return n;
}

static jnode *product(parser *p) {
    jnode *n = power(p);
    size_t links = 0;
    while (n && (is_op(cur(p), "*") || is_op(cur(p), "/") || is_op(cur(p), "//") || is_op(cur(p), "%")) &&
           link(p, &links)) {
        const jtok *op = cur(p);
        next(p);
        n = binary(p, n, op, power(p));
    }
    p->depth -= links;
    return n;
}

static jnode *concat(parser *p) {
    jnode *first = product(p), *n = NULL;
    while (first && is_op(cur(p), "~")) {
        next(p);
        if (!n && (!(n = new_node(p, N_CONCAT)) || !add(p, n, first, NULL))) return NULL;
        jnode *e = product(p);
        if (!e || !add(p, n, e, NULL)) return NULL;
    }
    return n ? n : first;
}

static jnode *sum(parser *p) {
    jnode *n = concat(p);
    size_t links = 0;
    while (n && (is_op(cur(p), "+") || is_op(cur(p), "-")) && link(p, &links)) {
        const jtok *op = cur(p);
        next(p);
        n = binary(p, n, op, concat(p));
    }
    p->depth -= links;
    return n;
}

static const char *compare_op(parser *p) {
    static const char *const ops[] = {"==", "!=", "<", "<=", ">", ">="};
    for (size_t i = 0; i < 6; i++)
        if (skip_op(p, ops[i])) return ops[i];
    if (skip_word(p, "in")) return "in";
    if (is_word(cur(p), "not") && is_word(&p->t[p->at + 1], "in")) {
        next(p);
        next(p);
        return "notin";
    }
    return NULL;
}

static jnode *comparison(parser *p) {
    jnode *first = sum(p), *n = NULL;
    const char *op;
    while (first && (op = compare_op(p))) {
        if (!n && (!(n = new_node(p, N_COMPARE)) || !add(p, n, first, NULL))) return NULL;
        jnode *e = sum(p);
        if (!e || !add(p, n, e, op)) return NULL;
    }
    return n ? n : first;
}

static jnode *negation(parser *p) {
    if (!is_word(cur(p), "not")) return comparison(p);
    next(p);
    if (!enter(p)) return NULL;
    jnode *n = new_node(p, N_NOT);
    if (n && !(n->a = negation(p))) n = NULL;
    p->depth--;
    return n;
}

static jnode *logic(parser *p, bool is_or) {
    jnode *first = is_or ? logic(p, false) : negation(p), *n = NULL;
    while (first && is_word(cur(p), is_or ? "or" : "and")) {
        next(p);
        if (!n && (!(n = new_node(p, is_or ? N_OR : N_AND)) || !add(p, n, first, NULL))) return NULL;
        jnode *e = is_or ? logic(p, false) : negation(p);
        if (!e || !add(p, n, e, NULL)) return NULL;
    }
    return n ? n : first;
}

static jnode *expression(parser *p, bool with_cond) {
    if (!enter(p)) return NULL;
    jnode *n = logic(p, true);
    size_t links = 0;
    while (n && with_cond && is_word(cur(p), "if") && link(p, &links)) {
        next(p);
        jnode *c = new_node(p, N_COND);
        if (!c) break;
        c->b = n;
        c->a = logic(p, true);
        if (c->a && skip_word(p, "else") && !(c->c = expression(p, true))) c = NULL;
        n = c && c->a ? c : NULL;
    }
    p->depth -= links + 1;
    return p->st == QZ_OK ? n : NULL;
}

/* ---- statements ---- */
static bool block_end(parser *p) {
    if (cur(p)->kind == T_BLOCK_END) {
        next(p);
        return true;
    }
    syntax(p, "unexpected text in a tag");
    return false;
}

/* A name, "ns.name", or names separated by commas, with or without brackets. */
static jnode *one_target(parser *p, bool namespaces) {
    const jtok *t = cur(p);
    if (t->kind != T_NAME) return syntax(p, "a variable's name is missing");
    next(p);
    if (namespaces && is_op(cur(p), ".") && p->t[p->at + 1].kind == T_NAME) {
        next(p);
        jnode *n = named(p, N_NS_REF, cur(p)), *o = named(p, N_NAME, t);
        next(p);
        if (n) n->a = o;
        return o ? n : NULL;
    }
    return named(p, N_NAME, t);
}

static jnode *target(parser *p, bool namespaces) {
    bool bracket = skip_op(p, "(");
    jnode *first = one_target(p, namespaces), *list = NULL;
    while (first && is_op(cur(p), ",")) {
        next(p);
        if (!list && (!(list = new_node(p, N_TUPLE)) || !add(p, list, first, NULL))) return NULL;
        if (cur(p)->kind != T_NAME) break;
        jnode *t = one_target(p, namespaces);
        if (!t || !add(p, list, t, NULL)) return NULL;
    }
    if (bracket && !expect_op(p, ")")) return NULL;
    return list ? list : first;
}

static jnode *end_tag(parser *p, jnode *n, const char *word) {
    if (!n) return NULL;
    if (!skip_word(p, word)) return syntax(p, "an end tag is missing");
    if (strcmp(word, "endmacro") == 0 && cur(p)->kind == T_NAME) next(p);
    return block_end(p) ? n : NULL;
}

static jnode *parse_if(parser *p) {
    static const char *const ends[] = {"elif", "else", "endif", NULL};
    jnode *n = new_node(p, N_IF);
    for (bool more = n != NULL; more;) {
        jnode *cond = tuple(p, false, false, NULL), *then;
        if (!cond || !block_end(p) || !(then = body(p, ends)) || !add(p, n, cond, NULL) || !add(p, n, then, NULL))
            return NULL;
        more = skip_word(p, "elif");
    }
    if (n && skip_word(p, "else") && (!block_end(p) || !(n->c = body(p, ends)))) return NULL;
    return end_tag(p, n, "endif");
}

static jnode *parse_for(parser *p) {
    static const char *const ends[] = {"else", "endfor", NULL};
    jnode *n = new_node(p, N_FOR);
    if (!n || !(n->a = target(p, false))) return NULL;
    if (!skip_word(p, "in")) return syntax(p, "'in' is missing");
    if (!(n->b = tuple(p, false, false, "if"))) return NULL;
    if (skip_word(p, "if") && !(n->d = expression(p, true))) return NULL;
    if (is_word(cur(p), "recursive")) return syntax(p, "recursive loops are not supported");
    if (!block_end(p)) return NULL;
    p->loops++;
    jnode *inner = body(p, ends);
    p->loops--;
    if (!inner || !add(p, n, inner, NULL)) return NULL;
    if (skip_word(p, "else") && (!block_end(p) || !(n->c = body(p, ends)))) return NULL;
    return end_tag(p, n, "endfor");
}

static jnode *parse_set(parser *p) {
    static const char *const ends[] = {"endset", NULL};
    jnode *n = new_node(p, N_SET);
    if (!n || !(n->a = target(p, true))) return NULL;
    if (skip_op(p, "=")) {
        if (!(n->b = tuple(p, true, false, NULL))) return NULL;
        return block_end(p) ? n : NULL;
    }
    n->kind = N_SET_BLOCK;
    if (is_op(cur(p), "|")) { /* filters over the captured text: a chain whose innermost operand is empty */
        next(p);
        if (!(n->b = filters(p, filter_of(p, NULL)))) return NULL;
    }
    if (!block_end(p) || !(n->c = body(p, ends))) return NULL;
    return end_tag(p, n, "endset");
}

/* "(a, b=1)" of a macro or call block into names and defaults. */
static bool parameters(parser *p, jnode *n) {
    if (!expect_op(p, "(")) return false;
    while (!is_op(cur(p), ")")) {
        if (n->n_list && !expect_op(p, ",")) return false;
        if (cur(p)->kind != T_NAME) return syntax(p, "a parameter's name is missing") != NULL;
        const char *name = name_copy(p, cur(p));
        next(p);
        jnode *dflt = NULL;
        if (skip_op(p, "=") && !(dflt = expression(p, true))) return false;
        if (n->n_list == MAX_ARGS || !add(p, n, dflt, name)) return false;
    }
    return expect_op(p, ")");
}

static jnode *parse_macro(parser *p) {
    static const char *const ends[] = {"endmacro", NULL};
    jnode *n = new_node(p, N_MACRO);
    if (!n || cur(p)->kind != T_NAME) return syntax(p, "a macro's name is missing");
    n->s = cur(p)->s, n->n = cur(p)->n;
    next(p);
    size_t loops = p->loops;
    p->loops = 0;
    if (!parameters(p, n) || !block_end(p) || !(n->c = body(p, ends))) return NULL;
    p->loops = loops;
    return end_tag(p, n, "endmacro");
}

static jnode *parse_call(parser *p) {
    static const char *const ends[] = {"endcall", NULL};
    jnode *n = new_node(p, N_CALL_BLOCK);
    if (!n) return NULL;
    if (is_op(cur(p), "(") && !parameters(p, n)) return NULL;
    if (!(n->a = expression(p, true))) return NULL;
    if (n->a->kind != N_CALL) return syntax(p, "a call block must call something");
    if (!block_end(p) || !(n->c = body(p, ends))) return NULL;
    return end_tag(p, n, "endcall");
}

static jnode *parse_with(parser *p) {
    static const char *const ends[] = {"endwith", NULL};
    jnode *n = new_node(p, N_WITH);
    while (n && cur(p)->kind != T_BLOCK_END) {
        if (n->n_list && !expect_op(p, ",")) return NULL;
        if (cur(p)->kind != T_NAME) return syntax(p, "a variable's name is missing");
        const char *name = name_copy(p, cur(p));
        next(p);
        jnode *v = expect_op(p, "=") ? expression(p, true) : NULL;
        if (!v || !add(p, n, v, name)) return NULL;
    }
    if (!n || !block_end(p) || !(n->c = body(p, ends))) return NULL;
    return end_tag(p, n, "endwith");
}

static jnode *parse_filter_block(parser *p) {
    static const char *const ends[] = {"endfilter", NULL};
    jnode *n = new_node(p, N_FILTER_BLOCK);
    if (!n || !(n->b = filters(p, filter_of(p, NULL)))) return NULL;
    if (!block_end(p) || !(n->c = body(p, ends))) return NULL;
    return end_tag(p, n, "endfilter");
}

static jnode *statement(parser *p) {
    static const char *const gen[] = {"endgeneration", NULL};
    static const struct { const char *word; jnode *(*fn)(parser *); } all[] = {
        {"if", parse_if}, {"for", parse_for}, {"set", parse_set}, {"macro", parse_macro}, {"call", parse_call},
        {"with", parse_with},
        {"filter", parse_filter_block}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (skip_word(p, all[i].word)) return all[i].fn(p);
    bool stop = is_word(cur(p), "break");
    if (stop || is_word(cur(p), "continue")) {
        if (!p->loops) return syntax(p, "break or continue outside a loop");
        next(p);
        jnode *n = new_node(p, stop ? N_BREAK : N_CONTINUE);
        return n && block_end(p) ? n : NULL;
    }
    if (skip_word(p, "generation")) {
        jnode *n = new_node(p, N_SCOPE);
        if (!n || !block_end(p) || !(n->c = body(p, gen))) return NULL;
        return end_tag(p, n, "endgeneration");
    }
    return syntax(p, "unknown tag");
}

/* Statements up to one of the words in `ends`, which is left current (its opening mark is consumed). */
static jnode *body(parser *p, const char *const *ends) {
    jnode *n = enter(p) ? new_node(p, N_BODY) : NULL;
    while (n) {
        const jtok *t = cur(p);
        jnode *child = NULL;
        if (t->kind == T_EOF) {
            if (ends) return syntax(p, "an end tag is missing");
            break;
        }
        next(p);
        if (t->kind == T_DATA) {
            child = named(p, N_TEXT, t);
        } else if (t->kind == T_VAR_BEGIN) {
            child = new_node(p, N_PRINT);
            if (!child || !(child->a = tuple(p, true, false, NULL))) return NULL;
            if (cur(p)->kind != T_VAR_END) return syntax(p, "unexpected text in an expression");
            next(p);
        } else {
            bool end = false;
            for (size_t i = 0; ends && ends[i]; i++) end |= is_word(cur(p), ends[i]);
            if (end) break;
            child = statement(p);
        }
        if (!child || !add(p, n, child, NULL)) return NULL;
    }
    p->depth--;
    return n;
}

qz_status qz_jinja_parse(qz_arena *a, const jtok *t, size_t n, jnode **out, qz_error *err) {
    parser p = {.a = a, .err = err, .t = t, .n = n};
    *out = body(&p, NULL);
    if (!*out && p.st == QZ_OK) syntax(&p, "the template does not parse");
    return p.st;
}
