/* Patterns of tokenizer.json (Oniguruma syntax) in PCRE2. The two differ in \s (U+180E), \w, \h and in nested classes;
 * the rewrite makes the first three equal and refuses the last (formats/tokenizer-json.md section 7). */
#include <string.h>
#include "base/str.h"
#include "text/tokenizer_int.h"
#include "base/utf8.h"

static const char space_set[] =
    "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";
static const char non_space_set[] =
    "\\x{0}-\\x{8}\\x{E}-\\x{1F}\\x{21}-\\x{84}\\x{86}-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}\\x{200B}-\\x{2027}"
    "\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{D7FF}\\x{E000}-\\x{10FFFF}";
static const char word_set[] = "\\p{L}\\p{M}\\p{Nd}\\p{Pc}";
static const char hex_set[] = "0-9a-fA-F";
/* A match is first tried on this many bytes; only a pattern that wants to see more gets more (see match_bounded). */
#define WINDOW ((size_t)4096)
#define SCAN_LIMIT ((uint64_t)1 << 28)

/* One escape at p[0..1]; inside = within a class. True if it was rewritten. */
static bool rewrite_escape(char c, bool inside, qz_str *out) {
    /* between a word character and none: by the reference's \w, marks included */
    if (!inside && (c == 'b' || c == 'B')) {
        qz_str_printf(out,
                      c == 'b' ? "(?:(?<=[%s])(?![%s])|(?<![%s])(?=[%s]))" : "(?:(?<=[%s])(?=[%s])|(?<![%s])(?![%s]))",
                      word_set, word_set, word_set, word_set);
        return true;
    }
    const char *set = NULL;
    if (c == 's') set = space_set;
    else if (c == 'S') set = inside ? non_space_set : space_set;
    else if (c == 'w' || c == 'W') set = word_set;
    else if (c == 'h' || c == 'H') set = hex_set;
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
                return qz_fail(err, QZ_EUNSUPPORTED, "pattern with \\%c inside a class: file '%s': %.200s", p[i + 1],
                               name, p);
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
        out->code = pcre2_compile((PCRE2_SPTR)(s.ptr ? s.ptr : ""), s.len, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE,
                                  &code, &at, NULL);
        if (!out->code) {
            char msg[128];
            pcre2_get_error_message(code, (PCRE2_UCHAR *)msg, sizeof msg);
            st = qz_fail(err, QZ_EFORMAT, "pattern does not compile: file '%s', offset %zu: %s: %.200s", name,
                         (size_t)at, msg, pattern);
        } else {
            out->jit = pcre2_jit_compile(out->code, PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_HARD) == 0;
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

/* PCRE2's code for it->s[0..n) from `from` on; partial = stop with PCRE2_ERROR_PARTIAL when the place n
 * would be looked at. */
static qz_status match_once(qz_enc *e, const qz_regex_iter *it, size_t n, size_t from, bool partial, int *rc,
                            qz_error *err) {
    const qz_regex *re = it->re;
    const char *s = it->s;
    uint32_t opt = partial ? PCRE2_PARTIAL_HARD : 0;
    for (;;) {
        *rc = re->jit ? pcre2_jit_match(re->code, (PCRE2_SPTR)s, n, from, opt, e->md, e->mc)
                      : pcre2_match(re->code, (PCRE2_SPTR)s, n, from, opt | PCRE2_NO_UTF_CHECK, e->md, e->mc);
        if (*rc != PCRE2_ERROR_JIT_STACKLIMIT || e->js) return QZ_OK;
        e->js = pcre2_jit_stack_create(64 * 1024, 64 * 1024 * 1024, NULL);
        if (!e->js) return qz_fail(err, QZ_EMEMORY, "out of memory while splitting a text");
        pcre2_jit_stack_assign(e->mc, NULL, e->js);
    }
}

/* A pattern that looks ahead to the end of a run at each of its places costs the square of the run: 300,000 digits
 * would take minutes. So a match sees a window first, and a larger one only if it reaches the end of that; what is seen
 * beyond the first window is counted, and the sum is bounded. A match that did not reach the end of its window is the
 * match in the whole text. */
static qz_status match_bounded(qz_enc *e, const qz_regex_iter *it, int *rc, qz_error *err) {
    const char *s = it->s;
    const size_t n = it->n, from = it->pos;
    size_t at = from, width = WINDOW;
    while (n - at > width) {
        size_t end = at + width;
        while (end < n && ((uint8_t)s[end] & 0xc0) == 0x80) end++;
        if (end >= n) break;
        QZ_TRY(match_once(e, it, end, at, true, rc, err));
        if (*rc == PCRE2_ERROR_PARTIAL) {
            width *= 2;
            e->scanned += width;
            if (e->scanned > SCAN_LIMIT + 16 * (uint64_t)n)
                return qz_fail(err, QZ_EUNSUPPORTED,
                               "text too long for the tokenizer's pattern: at byte %zu of a text of %zu bytes it looks "
                               "more than %zu "
                               "bytes ahead for every word: expected shorter runs of digits, letters or blanks; break "
                               "the run",
                               from, n, width / 4);
        } else if (*rc == PCRE2_ERROR_NOMATCH) {
            at = end; /* no match begins before the end of the window */
        } else {
            return QZ_OK;
        }
    }
    return match_once(e, it, n, at, false, rc, err);
}

qz_status qz_regex_next(qz_enc *e, qz_regex_iter *it, bool *found, qz_error *err) {
    const size_t n = it->n;
    if (!e->md || !e->mc) QZ_TRY(prepare(e, err));
    *found = false;
    while (it->pos <= n) {
        int rc;
        QZ_TRY(match_bounded(e, it, &rc, err));
        if (rc == PCRE2_ERROR_NOMATCH) return QZ_OK;
        if (rc < 0)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "the tokenizer's pattern gave up at byte %zu of a text (PCRE2 code %d)", it->pos, rc);
        PCRE2_SIZE *o = pcre2_get_ovector_pointer(e->md);
        it->begin = o[0], it->end = o[1];
        /* \K in a hostile pattern */
        if (it->end < it->pos || it->begin < it->last || it->end < it->begin) it->begin = it->end = it->pos;
        if (it->begin == it->end && it->any && it->end == it->last) {
            uint32_t cp;
            it->pos += it->pos < n ? qz_utf8_step(it->s + it->pos, n - it->pos, &cp) : 1;
            continue;
        }
        it->pos = it->last = it->end;
        it->any = *found = true;
        return QZ_OK;
    }
    return QZ_OK;
}
