/* Whether an answer solves a task (docs/tasks.md). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include "base/json.h"
#include "base/size.h"
#include "text/schema.h"
#include "text/task_int.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

static bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The last number in the text ("the total is 1,234.50 EUR" -> 1234.5). */
static bool last_number(const char *s, size_t n, double *out) {
    bool found = false;
    char buf[64];
    for (size_t i = 0; i < n;) {
        bool digit = s[i] >= '0' && s[i] <= '9';
        if (!digit) {
            i++;
            continue;
        }
        size_t start = i, k = 0;
        if (start && (s[start - 1] == '-' || s[start - 1] == '+')) buf[k++] = s[start - 1];
        while (i < n && k < sizeof buf - 1 &&
               ((s[i] >= '0' && s[i] <= '9') ||
                ((s[i] == '.' || s[i] == ',') && i + 1 < n && s[i + 1] >= '0' && s[i + 1] <= '9'))) {
            if (s[i] != ',') buf[k++] = s[i];
            i++;
        }
        buf[k] = 0;
        *out = strtod(buf, NULL);
        found = true;
    }
    return found;
}

static void strip(const char **s, size_t *n) {
    while (*n && blank((*s)[*n - 1])) --*n;
    while (*n && blank(**s)) ++*s, --*n;
}

/* A piece of an answer. */
typedef struct { const char *at; size_t n; } piece;

typedef struct { pcre2_code *re; pcre2_match_data *md; pcre2_match_context *mc; } matcher;
static void matcher_release(matcher *m) {
    pcre2_match_context_free(m->mc);
    pcre2_match_data_free(m->md);
    pcre2_code_free(m->re);
}
static qz_status matcher_open(matcher *m, const char *pattern, qz_error *err) {
    int code;
    PCRE2_SIZE at;
    *m = (matcher){.re = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL)};
    if (m->re == NULL) return qz_fail(err, QZ_EFORMAT, "bad pattern '%s' at offset %zu", pattern, (size_t)at);
    m->md = pcre2_match_data_create_from_pattern(m->re, NULL);
    m->mc = pcre2_match_context_create(NULL);
    if (m->mc) (void)pcre2_set_match_limit(m->mc, 1000000); /* hostile patterns end */
    if (m->md && m->mc) return QZ_OK;
    matcher_release(m);
    return qz_fail(err, QZ_EMEMORY, "out of memory for a pattern");
}
qz_status qz_pattern_check(const char *pattern, qz_error *err) {
    matcher m;
    QZ_TRY(matcher_open(&m, pattern, err));
    matcher_release(&m);
    return QZ_OK;
}
static qz_status match(const char *pattern, piece s, bool *yes, qz_error *err) {
    matcher m;
    QZ_TRY(matcher_open(&m, pattern, err));
    *yes = pcre2_match(m.re, (PCRE2_SPTR)s.at, s.n, 0, 0, m.md, m.mc) >= 0;
    matcher_release(&m);
    return QZ_OK;
}

/* As the harness' regex filter: of the matches the first or the last; of its groups the first that is not empty, of a
 * pattern without groups the whole; blanks around it aside. */
static qz_status extract(const qz_extract *x, piece *s, qz_error *err) {
    matcher m;
    const piece whole = *s;
    bool found = false;
    QZ_TRY(matcher_open(&m, x->pattern, err));
    for (size_t from = 0; from <= whole.n && (!found || x->last);) {
        const int code = pcre2_match(m.re, (PCRE2_SPTR)whole.at, whole.n, from, 0, m.md, m.mc);
        if (code < 0) break;
        const size_t groups = (size_t)code;
        const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m.md);
        size_t g = groups > 1;
        while (g + 1 < groups && (at[2 * g] == PCRE2_UNSET || at[2 * g] == at[2 * g + 1])) g++;
        const bool unset = at[2 * g] == PCRE2_UNSET;
        *s = unset ? (piece){x->fallback, strlen(x->fallback)}
                   : (piece){whole.at + at[2 * g], at[2 * g + 1] - at[2 * g]};
        found = true;
        from = at[1] > at[0] ? at[1] : at[1] + 1;
        while (from < whole.n && ((unsigned char)whole.at[from] & 0xC0) == 0x80) from++;
    }
    matcher_release(&m);
    if (found) strip(&s->at, &s->n);
    else *s = (piece){x->fallback, strlen(x->fallback)};
    return QZ_OK;
}

static json_t *parse(const char *s, size_t n) {
    json_error_t je;
    return json_loadb(s, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
}
bool qz_task_is_json(const char *answer, size_t n) {
    strip(&answer, &n);
    json_t *a = parse(answer, n);
    json_decref(a);
    return a != NULL;
}

static bool equal(const qz_task *t, piece s) {
    const size_t n = strlen(t->output);
    if (n != s.n) return false;
    if (!t->any_case) return memcmp(s.at, t->output, n) == 0;
    for (size_t i = 0; i < n; i++)
        if (tolower((unsigned char)s.at[i]) != tolower((unsigned char)t->output[i])) return false;
    return true;
}

static bool json_solved(const qz_task *t, piece s) {
    json_t *a = parse(s.at, s.n), *b = t->output ? parse(t->output, strlen(t->output)) : NULL;
    const bool yes = a && (t->output ? b && json_equal(a, b) : true);
    json_decref(a);
    json_decref(b);
    return yes;
}
static bool schema_solved(const qz_task *t, piece s) {
    json_t *a = parse(s.at, s.n), *schema = parse(t->schema, strlen(t->schema));
    const bool yes = a && schema && qz_schema_fits(schema, a);
    json_decref(a);
    json_decref(schema);
    return yes;
}

/* Arguments may be JSON in a string (OpenAI's form) or stand under "parameters" (Llama 3's). */
static json_t *call_of(const json_t *v) {
    if (json_is_array(v)) v = json_array_get(v, 0);
    const json_t *f = json_object_get(v, "function");
    if (json_is_object(f)) v = f;
    const json_t *name = json_object_get(v, "name"), *a = json_object_get(v, "arguments");
    if (a == NULL) a = json_object_get(v, "parameters");
    if (!json_is_string(name) || a == NULL) return NULL;
    json_t *inner = json_is_string(a) ? parse(json_string_value(a), json_string_length(a)) : json_deep_copy(a);
    return inner ? json_pack("{s:s,s:o}", "name", json_string_value(name), "arguments", inner) : NULL;
}
json_t *qz_tool_call_read(const char *s, size_t n) {
    static const char open[] = "<tool_call>", close[] = "</tool_call>";
    static const char *const before[] = {"[TOOL_CALLS]", "<|python_tag|>"};
    strip(&s, &n);
    const char *from = memmem(s, n, open, sizeof open - 1);
    if (from) {
        from += sizeof open - 1;
        const char *to = memmem(from, n - (size_t)(from - s), close, sizeof close - 1);
        n = to ? (size_t)(to - from) : n - (size_t)(from - s);
        s = from;
    }
    for (size_t i = 0; i < 2; i++) {
        const size_t k = strlen(before[i]);
        if (n >= k && memcmp(s, before[i], k) == 0) s += k, n -= k;
    }
    strip(&s, &n);
    json_t *v = parse(s, n), *call = call_of(v);
    json_decref(v);
    return call;
}
static bool tool_solved(const qz_task *t, piece s) {
    json_t *call = qz_tool_call_read(s.at, s.n), *tools = parse(t->tools, strlen(t->tools)),
           *want = t->output ? qz_tool_call_read(t->output, strlen(t->output)) : NULL;
    const bool yes = call && tools && qz_tools_fit(tools, call) &&
                     (t->output == NULL || (want && qz_json_same(want, call)));
    json_decref(call);
    json_decref(tools);
    json_decref(want);
    return yes;
}

/* The last \boxed{}; without one what stands between the first and the last dollar sign; without two all of it. */
static qz_status math_solved(const qz_task *t, piece s, bool *solved, qz_error *err) {
    piece want = {t->output, strlen(t->output)};
    (void)qz_math_boxed(want.at, want.n, &want.at, &want.n);
    if (!qz_math_boxed(s.at, s.n, &s.at, &s.n)) {
        const char *a = s.n ? memchr(s.at, '$', s.n) : NULL, *b = a ? memrchr(s.at, '$', s.n) : NULL;
        if (a && b > a) s = (piece){a + 1, (size_t)(b - a) - 1};
    }
    qz_str x = {0}, y = {0};
    qz_math_normal(s.at, s.n, &x);
    qz_math_normal(want.at, want.n, &y);
    *solved = x.len == y.len && (x.len == 0 || memcmp(x.ptr, y.ptr, x.len) == 0);
    const bool failed = x.failed || y.failed;
    qz_str_release(&x);
    qz_str_release(&y);
    return failed ? qz_fail(err, QZ_EMEMORY, "out of memory comparing answers") : QZ_OK;
}

qz_status qz_task_solved(const qz_task *task, const char *answer, size_t n, bool *solved, qz_error *err) {
    piece s = {answer, n};
    *solved = false;
    if (!task->as_is) strip(&s.at, &s.n);
    if (task->extract.pattern) QZ_TRY(extract(&task->extract, &s, err));
    switch (task->check) {
    case QZ_CHECK_EXACT: *solved = equal(task, s); return QZ_OK;
    case QZ_CHECK_CONTAINS: *solved = memmem(s.at, s.n, task->output, strlen(task->output)) != NULL; return QZ_OK;
    case QZ_CHECK_REGEX:
        if (task->output == NULL) return match(task->pattern, s, solved, err);
        *solved = equal(task, s);
        return QZ_OK;
    case QZ_CHECK_NUMBER: {
        double a, b;
        if (last_number(s.at, s.n, &a) && last_number(task->output, strlen(task->output), &b))
            *solved = fabs(a - b) <= task->tolerance + 1e-12 * fabs(b);
        return QZ_OK;
    }
    case QZ_CHECK_JSON: *solved = json_solved(task, s); return QZ_OK;
    case QZ_CHECK_JSON_SCHEMA: *solved = schema_solved(task, s); return QZ_OK;
    case QZ_CHECK_TOOL_CALL: *solved = tool_solved(task, s); return QZ_OK;
    case QZ_CHECK_MATH: return math_solved(task, s, solved, err);
    case QZ_CHECK_CHOICE:
    case QZ_CHECK_LIKELIHOOD:
    case QZ_CHECKS: break;
    }
    return qz_fail(err, QZ_EBUG, "a task of check '%s' has no answer in words",
                   task->check < QZ_CHECKS ? qz_check_name(task->check) : "?");
}
