/* Inside of the template interpreter: tokens, syntax tree, values. One file per stage: lex.c, parse.c, value.c, eval.c,
 * call.c, methods.c, filters.c, tests.c. Trees live in the arena of the
 * compiled template, values in the arena of one rendering; nothing is freed one by one. */
#ifndef QZ_JINJA_JINJA_INT_H
#define QZ_JINJA_JINJA_INT_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

/* ---- tokens ---- */
typedef enum {
    T_DATA,
    T_BLOCK_BEGIN,
    T_BLOCK_END,
    T_VAR_BEGIN,
    T_VAR_END,
    T_NAME,
    T_STRING,
    T_INT,
    T_FLOAT,
    T_OP,
    T_EOF
} jtok_kind;
typedef struct { jtok_kind kind; uint32_t line; const char *s; size_t n; int64_t i; double f; } jtok;
qz_status qz_jinja_lex(qz_arena *a, const char *src, size_t n, jtok **out, size_t *count, qz_error *err);

/* ---- tree ---- */
typedef enum {
    /* statements */
    N_BODY,
    N_TEXT,
    N_PRINT,
    N_IF,
    N_FOR,
    N_SET,
    N_SET_BLOCK,
    N_MACRO,
    N_CALL_BLOCK,
    N_FILTER_BLOCK,
    N_WITH,
    N_BREAK,
    N_CONTINUE,
    N_SCOPE,
    /* expressions */
    N_CONST,
    N_NAME,
    N_LIST,
    N_TUPLE,
    N_DICT,
    N_ATTR,
    N_ITEM,
    N_SLICE,
    N_CALL,
    N_FILTER,
    N_TEST,
    N_NOT,
    N_NEG,
    N_POS,
    N_AND,
    N_OR,
    N_BINARY,
    N_COMPARE,
    N_CONCAT,
    N_COND,
    N_NS_REF
} jnode_kind;
/* list: children (body, if: cond/body pairs then else, dict: key/value pairs, compare: operands, call and filter:
 * arguments with names[i] set for keywords). a, b, c, d: fixed children by kind. */
typedef struct jnode {
    jnode_kind kind;
    uint32_t line;
    char op[8];                 /* BINARY operator; COMPARE keeps operators in names */
    const char *s; size_t n;    /* text, name */
    struct jnode *a, *b, *c, *d;
    struct jnode **list; size_t n_list;
    const char **names;         /* [n_list] keyword names, parameter names or compare operators */
    int64_t i; double f;
    uint8_t literal;            /* CONST: a jkind */
} jnode;
typedef struct { jnode *root; } jtree;
qz_status qz_jinja_parse(qz_arena *a, const jtok *t, size_t n, jnode **out, qz_error *err);

/* ---- values ---- */
typedef enum {
    J_UNDEF,
    J_NONE,
    J_BOOL,
    J_INT,
    J_FLOAT,
    J_STR,
    J_LIST,
    J_TUPLE,
    J_DICT,
    J_NS,
    J_MACRO,
    J_LOOP,
    J_METHOD,
    J_FUNC,
    J_UNSAFE,
    J_CYCLER,
    J_JOINER
} jkind;
typedef struct { const char *p; size_t n; } jtext;
typedef struct jval {
    jkind t;
    uint8_t of;                                       /* UNDEF, UNSAFE: kind of the object; J_UNDEF: a name */
    bool element;                                     /* UNDEF: an item by number, not an attribute */
    bool markup;                                      /* STR, of safe and escape: escapes what it is joined with */
    bool lazy;                                        /* LIST, of map and select: a generator, which tojson refuses */
    union {
        bool b;
        int64_t i;
        double f;
        jtext s;                                      /* STR; UNDEF and UNSAFE: the name, for messages */
        struct { struct jval *v; size_t n; } l;       /* LIST, TUPLE */
        struct jdict *d;                              /* DICT, NS */
        struct jmacro *m;
        struct jloop *lp;
        struct jbound *bm;                            /* METHOD */
        struct jcycle *cy;                            /* CYCLER, JOINER */
        int fn;                                       /* FUNC: index in the table of globals */
    } u;
} jval;
typedef struct jdict { jval *k, *v; size_t n, cap; } jdict;
typedef struct jbound { jval self; jtext name; } jbound;
typedef struct jcycle { jval items; size_t at; } jcycle;
typedef struct jframe { struct jframe *parent; jdict vars; } jframe;
typedef struct jmacro { const jnode *node; jframe *frame; } jmacro;
typedef struct jloop { jval items; size_t at; size_t depth; jval changed; bool has_changed; } jloop;
typedef struct { jval *pos; size_t n; jtext *names; jval *kw; size_t n_kw; } jargs;

typedef struct {
    qz_arena arena;
    qz_error *err;
    qz_status st;
    uint64_t steps, max_steps;
    size_t depth, max_depth, bytes, max_bytes;
    jframe *root;
    struct tm now;
    qz_str *out;
    uint32_t line;
    size_t loop_depth;
} jctx;

/* All of these return false after storing the error. */
bool j_fail(jctx *c, const char *cls, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What the reference says where an undefined value is used: "'x' is undefined", "'dict object' has no attribute …". */
struct jval;
bool j_undefined(jctx *c, struct jval u);
/* Text with & < > ' " as entities; what is markup already stays. */
bool j_escape(jctx *c, struct jval v, struct jval *out);
bool j_keeps_markup(jtext name); /* filters and methods whose text of markup is markup */
bool j_step(jctx *c, uint64_t n);
bool j_enter(jctx *c);
void j_leave(jctx *c);
void *j_alloc(jctx *c, size_t n, size_t size);              /* NULL after storing the error */
bool j_put(jctx *c, qz_str *s, const char *p, size_t n);    /* bounded append */
bool j_take(jctx *c, qz_str *s, jval *out);                 /* string value from s; releases s */
bool j_text(jctx *c, const char *p, size_t n, jval *out);   /* copies */

static inline jval j_none(void) { return (jval){.t = J_NONE}; }
static inline jval j_bool(bool b) { return (jval){.t = J_BOOL, .u.b = b}; }
static inline jval j_int(int64_t i) { return (jval){.t = J_INT, .u.i = i}; }
static inline jval j_float(double f) { return (jval){.t = J_FLOAT, .u.f = f}; }
static inline jval j_ref(const char *p, size_t n) { return (jval){.t = J_STR, .u.s = {p, n}}; }
static inline jval j_undef(const char *p, size_t n) { return (jval){.t = J_UNDEF, .u.s = {p, n}}; }
static inline bool j_is(jtext s, const char *lit) {
    return s.n == __builtin_strlen(lit) && __builtin_memcmp(s.p, lit, s.n) == 0;
}
static inline bool j_missing(jval v) { return v.t == J_UNDEF || v.t == J_UNSAFE; }

/* jinja_value.c */
bool j_from_json(jctx *c, const json_t *j, jval *out);
bool j_truth(jval v);
const char *j_type_name(jval v);
bool j_str(jctx *c, jval v, qz_str *out);                   /* Python str() */
bool j_repr(jctx *c, jval v, qz_str *out);
bool j_to_text(jctx *c, jval v, jval *out);                 /* str() as a value */
bool j_equal(jctx *c, jval a, jval b, bool *out);
bool j_order(jctx *c, jval a, jval b, int *out);            /* TypeError when not comparable */
bool j_contains(jctx *c, jval box, jval v, bool *out);
bool j_iterate(jctx *c, jval v, jval *list);                /* anything iterable as a list */
bool j_new_list(jctx *c, jkind kind, size_t n, jval *out);  /* n slots, all undefined */
bool j_new_dict(jctx *c, jkind kind, jval *out);
bool j_dict_set(jctx *c, jdict *d, jval k, jval v);
bool j_dict_get(jctx *c, const jdict *d, jval k, jval *out, bool *found);
bool j_as_number(jval v, double *out);                      /* int, float, bool */
bool j_as_int(jval v, int64_t *out);                        /* int, bool */
bool j_index(jctx *c, jval box, jval key, jval *out);       /* box[key]: item, then attribute */
bool j_attr(jctx *c, jval box, jtext name, jval *out);      /* box.name: attribute, then item */
bool j_slice(jctx *c, jval box, jval a, jval b, jval s, jval *out);
void j_float_repr(double f, char out[40]);
size_t j_char_at(jtext s, size_t index);                    /* byte offset of a code point */
bool j_is_space(uint32_t cp);                               /* Python's str.isspace */
/* jinja_json.c */
bool j_tojson(jctx *c, jval v, const jargs *a, jval *out);

/* jinja_eval.c */
bool j_run(jctx *c, const jnode *n, jframe *f);
bool j_eval(jctx *c, const jnode *n, jframe *f, jval *out);
bool j_binary(jctx *c, const char *op, jval a, jval b, jval *out);
bool j_call_macro(jctx *c, jmacro *m, const jargs *a, jval *out);
/* jinja_call.c */
bool j_call(jctx *c, jval fn, const jargs *a, jval *out);
bool j_global(jtext name, jval *out);
const jval *j_arg(const jargs *a, size_t at, const char *name); /* NULL when not given */
bool j_arg_int(jctx *c, const jargs *a, size_t at, const char *name, int64_t dflt, int64_t *out);
bool j_arg_bool(const jargs *a, size_t at, const char *name, bool dflt);
/* jinja_methods.c, jinja_format.c */
bool j_has_method(jval self, jtext name, bool *mutates);
bool j_call_method(jctx *c, jval self, jtext name, const jargs *a, jval *out);
bool j_percent(jctx *c, jval fmt, jval args, jval *out);
bool j_format(jctx *c, jval fmt, const jargs *a, jval *out);
bool j_strip(jctx *c, jtext s, const jval *chars, bool left, bool right, jval *out);
bool j_replace(jctx *c, jtext s, jtext from, jtext to, int64_t count, jval *out);
bool j_case(jctx *c, jtext s, char how, jval *out);         /* 'u' 'l' 'c' capitalize 't' str.title 'f' title filter */
/* jinja_filters.c, jinja_tests.c */
bool j_filter(jctx *c, jtext name, jval self, const jargs *a, jval *out);
bool j_test(jctx *c, jtext name, jval self, const jargs *a, bool *out);
#endif
