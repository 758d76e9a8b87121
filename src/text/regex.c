/* Patterns of tokenizer.json (Oniguruma syntax) in PCRE2. The two differ in \s (U+180E), \w, \h and in nested classes;
 * the rewrite makes the first three equal and refuses the last (formats/tokenizer-json.md section 7). */
#include <string.h>
#include "base/str.h"
#include "text/tokenizer_int.h"

static const char space_set[] = "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";
static const char non_space_set[] =
    "\\x{0}-\\x{8}\\x{E}-\\x{1F}\\x{21}-\\x{84}\\x{86}-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}\\x{200B}-\\x{2027}"
    "\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{D7FF}\\x{E000}-\\x{10FFFF}";
static const char word_set[] = "\\p{L}\\p{M}\\p{Nd}\\p{Pc}";
static const char hex_set[] = "0-9a-fA-F";

/* One escape at p[0..1]; inside = within a class. True if it was rewritten. */
static bool rewrite_escape(char c, bool inside, qz_str *out) {
    const char *set = c == 's' ? space_set : c == 'S' ? (inside ? non_space_set : space_set) : c == 'w' || c == 'W' ? word_set :
                      c == 'h' || c == 'H' ? hex_set : NULL;
    if (!set || (inside && (c == 'W' || c == 'H'))) return false;
    bool negated = !inside && (c == 'S' || c == 'W' || c == 'H');
    if (!inside) qz_str_puts(out, negated ? "[^" : "[");
    qz_str_puts(out, set);
    if (!inside) qz_str_putc(out, ']');
    return true;
}

static qz_status translate(const char *p, size_t n, qz_str *out, const char *name, qz_error *err) {
    bool inside = false;
    size_t class_from = 0;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (c == '\\' && i + 1 < n) {
            if (inside && (p[i + 1] == 'W' || p[i + 1] == 'H'))
                return qz_fail(err, QZ_EUNSUPPORTED, "pattern with \\%c inside a class: file '%s': %.200s", p[i + 1], name, p);
            if (!rewrite_escape(p[i + 1], inside, out)) qz_str_append(out, p + i, 2);
            i++;
            continue;
        }
        if (!inside && c == '[') {
            inside = true;
            class_from = i + 1 < n && p[i + 1] == '^' ? i + 2 : i + 1;
        } else if (inside && c == ']' && i > class_from) {
            inside = false;
        } else if (inside && c == '[') {
            const char *end = i + 1 < n && p[i + 1] == ':' ? memchr(p + i, ']', n - i) : NULL;
            if (!end) return qz_fail(err, QZ_EUNSUPPORTED, "pattern with a nested class: file '%s': %.200s", name, p);
            qz_str_append(out, p + i, (size_t)(end - (p + i)) + 1);
            i = (size_t)(end - p);
            continue;
        } else if (inside && c == '&' && i + 1 < n && p[i + 1] == '&') {
            return qz_fail(err, QZ_EUNSUPPORTED, "pattern with a class intersection: file '%s': %.200s", name, p);
        }
        qz_str_putc(out, c);
    }
    return QZ_OK;
}

qz_status qz_regex_compile(const char *pattern, size_t n, qz_regex *out, const char *name, qz_error *err) {
    qz_str s = {0};
    qz_status st = translate(pattern, n, &s, name, err);
    int code = 0;
    PCRE2_SIZE at = 0;
    *out = (qz_regex){0};
    if (st == QZ_OK && s.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory for a pattern of '%s'", name);
    if (st == QZ_OK) {
        out->code = pcre2_compile((PCRE2_SPTR)(s.ptr ? s.ptr : ""), s.len, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE, &code, &at, NULL);
        if (!out->code) {
            char msg[128];
            pcre2_get_error_message(code, (PCRE2_UCHAR *)msg, sizeof msg);
            st = qz_fail(err, QZ_EFORMAT, "pattern does not compile: file '%s', offset %zu: %s: %.200s", name, (size_t)at, msg, pattern);
        } else {
            out->jit = pcre2_jit_compile(out->code, PCRE2_JIT_COMPLETE) == 0;
        }
    }
    qz_str_release(&s);
    return st;
}

void qz_regex_release(qz_regex *r) {
    pcre2_code_free(r->code);
    *r = (qz_regex){0};
}

static qz_status prepare(qz_enc *e, qz_error *err) {
    if (!e->mc) e->mc = pcre2_match_context_create(NULL);
    if (!e->md) e->md = pcre2_match_data_create(1, NULL);
    if (!e->mc || !e->md) return qz_fail(err, QZ_EMEMORY, "out of memory while encoding a text");
    pcre2_set_match_limit(e->mc, 10000000);
    pcre2_set_depth_limit(e->mc, 100000);
    pcre2_set_heap_limit(e->mc, 262144);
    return QZ_OK;
}

qz_status qz_regex_match(qz_enc *e, const qz_regex *re, const char *s, size_t n, size_t from, size_t *b, size_t *end, bool *found,
                         qz_error *err) {
    if (!e->md || !e->mc) QZ_TRY(prepare(e, err));
    int rc;
    for (;;) {
        rc = re->jit ? pcre2_jit_match(re->code, (PCRE2_SPTR)s, n, from, 0, e->md, e->mc)
                     : pcre2_match(re->code, (PCRE2_SPTR)s, n, from, PCRE2_NO_UTF_CHECK, e->md, e->mc);
        if (rc != PCRE2_ERROR_JIT_STACKLIMIT || e->js) break;
        e->js = pcre2_jit_stack_create(64 * 1024, 64 * 1024 * 1024, NULL);
        if (!e->js) return qz_fail(err, QZ_EMEMORY, "out of memory while splitting a text");
        pcre2_jit_stack_assign(e->mc, NULL, e->js);
    }
    *found = rc >= 0;
    if (rc == PCRE2_ERROR_NOMATCH) return QZ_OK;
    if (rc < 0) return qz_fail(err, QZ_EUNSUPPORTED, "the tokenizer's pattern gave up at byte %zu of a text (PCRE2 code %d)", from, rc);
    PCRE2_SIZE *o = pcre2_get_ovector_pointer(e->md);
    *b = o[0], *end = o[1];
    if (*end < *b) *b = *end; /* \K in a hostile pattern */
    return QZ_OK;
}
