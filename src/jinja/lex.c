/* Templates to tokens, with Jinja's whitespace control (formats/chat-template.md section 3): trim_blocks and
 * lstrip_blocks on, one final newline dropped, marks - and +. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/size.h"
#include "jinja/jinja_int.h"
#include "base/utf8.h"

typedef struct {
    qz_arena *a;
    qz_error *err;
    const char *s; /* newlines are \n already */
    size_t n, at;
    uint32_t line;
    bool line_starting; /* the last thing consumed ended with a newline */
    jtok *t;
    size_t count, cap;
} lexer;

static qz_status no_memory(qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory while reading a chat template");
}

static qz_status syntax(const lexer *x, const char *what) {
    return qz_fail(x->err, QZ_EFORMAT, "chat template: SyntaxError: line %u: %s", x->line, what);
}

static qz_status push(lexer *x, jtok t) {
    if (x->count == x->cap) {
        size_t cap = x->cap ? x->cap * 2 : 256;
        jtok *p = qz_arena_alloc(x->a, cap, sizeof *p);
        if (!p) return no_memory(x->err);
        if (x->count) memcpy(p, x->t, x->count * sizeof *p);
        x->t = p;
        x->cap = cap;
    }
    t.line = x->line;
    x->t[x->count++] = t;
    return QZ_OK;
}

static bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool at(const lexer *x, size_t i, const char *lit) {
    size_t k = strlen(lit);
    return i + k <= x->n && memcmp(x->s + i, lit, k) == 0;
}
static void advance(lexer *x, size_t to) {
    for (size_t i = x->at; i < to; i++) x->line += x->s[i] == '\n';
    if (to > x->at) x->line_starting = x->s[to - 1] == '\n';
    x->at = to;
}
static size_t skip_blank(const lexer *x, size_t i) {
    while (i < x->n && blank(x->s[i])) i++;
    return i;
}

/* Text before a tag: '-' strips all space at its end, no mark strips the tag's own indentation (not before {{). */
static qz_status data(lexer *x, size_t from, size_t to, char mark, bool indent, bool line_starting) {
    if (mark == '-') {
        while (to > from && blank(x->s[to - 1])) to--;
    } else if (mark != '+' && indent) {
        size_t l = to;
        while (l > from && x->s[l - 1] != '\n') l--;
        bool only_blank = l < to && (l > from || line_starting);
        for (size_t i = l; i < to && only_blank; i++) only_blank = blank(x->s[i]);
        if (only_blank) to = l;
    }
    return to > from ? push(x, (jtok){.kind = T_DATA, .s = x->s + from, .n = to - from}) : QZ_OK;
}

/* End of a tag at i: closing "%}" or "#}" with its mark. Returns the position after it, or 0 if there
 * is no end at i. */
static size_t tag_end(const lexer *x, size_t i, const char *close, bool trims) {
    if (at(x, i, "-") && at(x, i + 1, close)) return skip_blank(x, i + 3);
    if (at(x, i, "+") && at(x, i + 1, close) && trims) return i + 3;
    if (!at(x, i, close)) return 0;
    return i + 2 < x->n && x->s[i + 2] == '\n' && trims ? i + 3 : i + 2;
}

static qz_status comment(lexer *x, size_t i) {
    for (; i < x->n; i++) {
        size_t end = tag_end(x, i, "#}", true);
        if (end) {
            advance(x, end);
            return QZ_OK;
        }
    }
    return syntax(x, "missing end of comment");
}

/* Position of a word tag ("raw", "endraw") opened at i, after its word; 0 if it is another tag. */
static size_t word_tag(const lexer *x, size_t i, const char *word) {
    if (!at(x, i, "{%")) return 0;
    i += 2;
    if (i < x->n && (x->s[i] == '-' || x->s[i] == '+')) i++;
    i = skip_blank(x, i);
    if (!at(x, i, word)) return 0;
    return skip_blank(x, i + strlen(word));
}

static qz_status raw(lexer *x, size_t open) {
    size_t i = word_tag(x, open, "raw");
    size_t from = at(x, i, "-%}") ? skip_blank(x, i + 3) : i + 2; /* no newline is trimmed after the opening tag */
    advance(x, from);
    for (i = from; i < x->n; i++) {
        size_t w = word_tag(x, i, "endraw");
        size_t end = w ? tag_end(x, w, "%}", true) : 0;
        if (!end) continue;
        QZ_TRY(data(x, from, i, x->s[i + 2], true, x->line_starting));
        advance(x, end);
        return QZ_OK;
    }
    return syntax(x, "missing end of raw");
}

/* ---- inside tags ---- */
static size_t digits(const lexer *x, size_t i, int (*is)(int)) {
    size_t from = i;
    while (i < x->n && (is((unsigned char)x->s[i]) ||
                        (x->s[i] == '_' && i > from && i + 1 < x->n && is((unsigned char)x->s[i + 1]))))
        i++;
    return i;
}
static int is_binary(int c) { return c == '0' || c == '1'; }
static int is_octal(int c) { return c >= '0' && c <= '7'; }

static qz_status number(lexer *x) {
    size_t i = x->at, end;
    int base = 10;
    bool is_float = false;
    char buf[512];
    if (x->s[i] == '0' && i + 1 < x->n && strchr("xXbBoO", x->s[i + 1])) {
        char k = (char)(x->s[i + 1] | 0x20);
        base = k == 'x' ? 16 : k == 'b' ? 2 : 8;
        i += 2;
        end = digits(x, i, k == 'x' ? isxdigit : k == 'b' ? is_binary : is_octal);
    } else {
        end = digits(x, i, isdigit);
        if (end + 1 < x->n && x->s[end] == '.' && isdigit((unsigned char)x->s[end + 1])) {
            is_float = true;
            end = digits(x, end + 1, isdigit);
        }
        size_t e = end + 1;
        if (end < x->n && (x->s[end] | 0x20) == 'e') {
            if (e < x->n && (x->s[e] == '+' || x->s[e] == '-')) e++;
            if (e < x->n && isdigit((unsigned char)x->s[e])) {
                is_float = true;
                end = digits(x, e, isdigit);
            }
        }
    }
    size_t k = 0;
    for (; i < end && k + 1 < sizeof buf; i++)
        if (x->s[i] != '_') buf[k++] = x->s[i];
    buf[k] = 0;
    if (i < end || k == 0) return syntax(x, "bad number");
    jtok t = {.kind = is_float ? T_FLOAT : T_INT, .s = x->s + x->at, .n = end - x->at};
    if (is_float) {
        t.f = strtod(buf, NULL);
    } else {
        uint64_t v = 0;
        for (size_t d = 0; d < k; d++) {
            uint64_t c = (uint64_t)(isdigit((unsigned char)buf[d]) ? buf[d] - '0' : (buf[d] | 0x20) - 'a' + 10);
            if (v > (INT64_MAX - c) / (uint64_t)base) return syntax(x, "integer too large");
            v = v * (uint64_t)base + c;
        }
        t.i = (int64_t)v;
    }
    advance(x, end);
    return push(x, t);
}

/* Hexadecimal escape of up to `most` digits at i; returns the digits read. */
static size_t hex_escape(const lexer *x, size_t i, size_t end, size_t most, uint32_t *cp) {
    size_t k = 0;
    *cp = 0;
    for (; k < most && i + k < end && isxdigit((unsigned char)x->s[i + k]); k++) {
        int c = x->s[i + k];
        *cp = *cp * 16 + (uint32_t)(isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return k;
}

/* \uXXXX, \UXXXXXXXX, \xXX at the character after the backslash; 0 if it is none of them. */
static size_t unicode_escape(const lexer *x, size_t i, size_t end, char *buf, size_t *k) {
    size_t most = x->s[i] == 'x' ? 2 : x->s[i] == 'u' ? 4 : 8;
    uint32_t cp, low;
    if (hex_escape(x, i + 1, end, most, &cp) != most) return 0;
    size_t used = 1 + most;
    if (cp >= 0xd800 && cp < 0xdc00 && i + used + 6 <= end && x->s[i + used] == '\\' && x->s[i + used + 1] == 'u' &&
        hex_escape(x, i + used + 2, end, 4, &low) == 4 && low >= 0xdc00 && low < 0xe000) {
        cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
        used += 6;
    }
    if (cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000)) cp = 0xfffd; /* a lone surrogate is no text */
    *k += qz_utf8_put(cp, buf + *k);
    return used;
}

static qz_status string(lexer *x) {
    char q = x->s[x->at];
    size_t end = x->at + 1;
    while (end < x->n && x->s[end] != q) end += x->s[end] == '\\' ? 2 : 1;
    if (end >= x->n) return syntax(x, "string without end");
    char *buf = qz_arena_alloc(x->a, end - x->at + 4, 1);
    if (!buf) return no_memory(x->err);
    size_t k = 0;
    for (size_t i = x->at + 1; i < end;) {
        static const char from[] = "ntrabfv\\'\"", to[] = "\n\t\r\a\b\f\v\\'\"";
        if (x->s[i] != '\\') {
            buf[k++] = x->s[i++];
            continue;
        }
        char c = x->s[++i];
        const char *p = c ? strchr(from, c) : NULL;
        size_t used = 0;
        if (p) {
            buf[k++] = to[p - from];
            used = 1;
        } else if (c == '\n') {
            used = 1;
        } else if (c == 'x' || c == 'u' || c == 'U') {
            used = unicode_escape(x, i, end, buf, &k);
        } else if (is_octal(c)) {
            uint32_t cp = 0;
            for (; used < 3 && is_octal(x->s[i + used]); used++) cp = cp * 8 + (uint32_t)(x->s[i + used] - '0');
            k += qz_utf8_put(cp, buf + k);
        }
        if (!used) buf[k++] = '\\'; /* an unknown escape keeps its backslash */
        i += used;
    }
    buf[k] = 0;
    QZ_TRY(push(x, (jtok){.kind = T_STRING, .s = buf, .n = k}));
    advance(x, end + 1);
    return QZ_OK;
}

static bool name_char(char c, bool first) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (uint8_t)c >= 0x80 ||
           (!first && c >= '0' && c <= '9');
}

static qz_status name_or_operator(lexer *x, size_t *nesting) {
    static const char *const two[] = {"//", "**", "==", "!=", ">=", "<="};
    size_t i = x->at, k = 1;
    if (name_char(x->s[i], true)) {
        while (i + k < x->n && name_char(x->s[i + k], false)) k++;
        QZ_TRY(push(x, (jtok){.kind = T_NAME, .s = x->s + i, .n = k}));
        advance(x, i + k);
        return QZ_OK;
    }
    for (size_t j = 0; j < 6; j++)
        if (at(x, i, two[j])) k = 2;
    if (k == 1 && (x->s[i] == 0 || !strchr("+-/*%~[](){}><=.:|,", x->s[i])))
        return syntax(x, "unexpected character in a tag");
    if (strchr("([{", x->s[i])) (*nesting)++;
    if (strchr(")]}", x->s[i])) {
        if (!*nesting) return syntax(x, "closing bracket without an opening one");
        (*nesting)--;
    }
    QZ_TRY(push(x, (jtok){.kind = T_OP, .s = x->s + i, .n = k}));
    advance(x, i + k);
    return QZ_OK;
}

static qz_status tag(lexer *x, bool is_block) {
    size_t nesting = 0;
    QZ_TRY(push(x, (jtok){.kind = is_block ? T_BLOCK_BEGIN : T_VAR_BEGIN}));
    for (;;) {
        advance(x, skip_blank(x, x->at));
        if (x->at >= x->n) return syntax(x, "tag without end");
        size_t end = nesting ? 0 : tag_end(x, x->at, is_block ? "%}" : "}}", is_block);
        if (end) {
            QZ_TRY(push(x, (jtok){.kind = is_block ? T_BLOCK_END : T_VAR_END}));
            advance(x, end);
            return QZ_OK;
        }
        char c = x->s[x->at];
        if (c == '"' || c == '\'')
            QZ_TRY(string(x));
        else if (isdigit((unsigned char)c))
            QZ_TRY(number(x));
        else
            QZ_TRY(name_or_operator(x, &nesting));
    }
}

static qz_status lex(lexer *x) {
    while (x->at < x->n) {
        size_t i = x->at;
        while (i + 1 < x->n && !(x->s[i] == '{' && strchr("{%#", x->s[i + 1]) && x->s[i + 1])) i++;
        if (i + 1 >= x->n) {
            QZ_TRY(data(x, x->at, x->n, '+', false, false));
            advance(x, x->n);
            break;
        }
        char kind = x->s[i + 1], mark = i + 2 < x->n ? x->s[i + 2] : 0;
        QZ_TRY(data(x, x->at, i, mark, kind != '{', x->line_starting));
        size_t w = word_tag(x, i, "raw");
        if (w && (at(x, w, "%}") || at(x, w, "-%}"))) {
            advance(x, i);
            x->line_starting = false;
            QZ_TRY(raw(x, i));
            continue;
        }
        advance(x, i + 2 + (mark == '-' || mark == '+'));
        if (kind == '#')
            QZ_TRY(comment(x, x->at));
        else
            QZ_TRY(tag(x, kind == '%'));
    }
    return push(x, (jtok){.kind = T_EOF});
}

qz_status qz_jinja_lex(qz_arena *a, const char *src, size_t n, jtok **out, size_t *count, qz_error *err) {
    char *s = qz_arena_alloc(a, n + 1, 1);
    size_t k = 0;
    if (!s) return no_memory(err);
    if (!qz_utf8_valid(src, n))
        return qz_fail(err, QZ_EFORMAT, "chat template: SyntaxError: the template is not UTF-8");
    for (size_t i = 0; i < n; i++) {
        if (src[i] == '\r' && i + 1 < n && src[i + 1] == '\n') continue;
        s[k++] = src[i] == '\r' ? '\n' : src[i];
    }
    if (k && s[k - 1] == '\n') k--;
    s[k] = 0;
    lexer x = {.a = a, .err = err, .s = s, .n = k, .line = 1, .line_starting = true};
    QZ_TRY(lex(&x));
    *out = x.t;
    *count = x.count;
    return QZ_OK;
}
