#include "text/gguf_pre.h"
#include <string.h>
#include "base/utf8.h"

#define MAX_PATTERNS 6
typedef enum {
#define QZ_PRE_GROUP(group, n, ...) GROUP_##group,
#include "text/gguf_pre.def"
#undef QZ_PRE_GROUP
    GROUP_COUNT
} group_id;
static const struct { size_t n; const char *patterns[MAX_PATTERNS]; } groups[GROUP_COUNT] = {
#define QZ_PRE_GROUP(group, n, ...) [GROUP_##group] = {n, {__VA_ARGS__}},
#include "text/gguf_pre.def"
#undef QZ_PRE_GROUP
};
static const struct {
    const char *name;
    group_id group;
    bool add_bos, ignore_merges, clean_off, raw, newlines;
} names[] = {
#define QZ_PRE_NAME(name, group, bos, merges_off, clean_off) {name, GROUP_##group, bos, merges_off, clean_off, 0, 0},
#define QZ_PRE_RAW(name, group, clean_off, newlines) {name, GROUP_##group, 0, 0, clean_off, 1, newlines},
#include "text/gguf_pre.def"
#undef QZ_PRE_NAME
#undef QZ_PRE_RAW
};
#define N_NAMES (sizeof names / sizeof names[0])

bool qz_gguf_pre_find(const char *name, qz_gguf_pre *out) {
    for (size_t i = 0; i < N_NAMES; i++) {
        if (strcmp(names[i].name, name) != 0) continue;
        *out = (qz_gguf_pre){names[i].name, groups[names[i].group].patterns, groups[names[i].group].n, names[i].add_bos,
                             names[i].ignore_merges, names[i].clean_off, names[i].raw, names[i].newlines};
        return true;
    }
    return false;
}

/* One spelling for patterns that mean the same: contractions, possessive marks, {1}, one-member classes,
 * a final |\s+. */
static void canonical(const char *p, size_t n, qz_str *out) {
    static const struct { const char *from, *to; } same[] = {
        {"(?i:'s|'t|'re|'ve|'m|'ll|'d)", "@"},
        {"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])", "@"},
        {"?+", "?"}, {"++", "+"}, {"*+", "*"}, {"\\p{N}{1}", "\\p{N}"}, {"[\\p{L}]", "\\p{L}"}, {"\n", "\\n"},
        {"\r", "\\r"}};
    size_t from = out->len;
    for (size_t i = 0; i < n;) {
        size_t k = 0;
        if (p[i] == '\\' && i + 1 < n) { /* an escape is never the start of a quantifier */
            const char *hit = strncmp(p + i, "\\p{N}{1}", 8) == 0 ? "\\p{N}" : NULL;
            if (hit) qz_str_puts(out, hit); else qz_str_append(out, p + i, 2);
            i += hit ? 8 : 2;
            continue;
        }
        while (k < sizeof same / sizeof same[0] && strncmp(p + i, same[k].from, strlen(same[k].from)) != 0) k++;
        if (k < sizeof same / sizeof same[0]) {
            qz_str_puts(out, same[k].to);
            i += strlen(same[k].from);
        } else {
            qz_str_putc(out, p[i++]);
        }
    }
    static const char tail[] = "\\s+(?!\\S)|\\s+";
    /* |\s+ isolates what stays isolated anyway */
    if (out->len - from >= sizeof tail - 1 && qz_str_ends(out->ptr, tail)) {
        out->len -= 4;
        out->ptr[out->len] = 0;
    }
    qz_str_putc(out, '\n');
}

/* True if the pattern matches at the start of every text: then Removed + invert drops nothing and is Isolated (dbrx and
 * other conversions from tiktoken). Tried with every kind of character, alone and before a letter, a digit, a
 * blank, a line end. */
static bool covers(const qz_tokenizer *t, const qz_regex *re) {
    static const char *const next[] = {"", "a", "1", " ", "\n", ".", "  a"};
    qz_enc e = {.t = t};
    bool all = true;
    for (uint32_t cp = 0; cp <= 0x10ffff && all; cp += cp < 0x3100 ? 1 : 61) {
        if (cp >= 0xd800 && cp < 0xe000) continue;
        char s[12];
        size_t n = qz_utf8_put(cp, s);
        for (size_t i = 0; i < sizeof next / sizeof next[0] && all; i++) {
            size_t k = strlen(next[i]);
            bool found = false;
            qz_regex_iter it = {.re = re, .s = s, .n = n + k};
            memcpy(s + n, next[i], k);
            all = qz_regex_next(&e, &it, &found, NULL) == QZ_OK && found && it.begin == 0 && it.end > 0;
        }
    }
    qz_enc_release(&e);
    return all;
}

const char *qz_gguf_pre_detect(const qz_tokenizer *t, const char *usual, qz_str *shown) {
    qz_str mine = {0}, theirs = {0};
    const char *best = NULL;
    bool fits = true, best_clean = false;
    for (size_t i = 0; i < t->n_pre; i++) {
        const qz_pre *p = &t->pre[i];
        qz_str_puts(shown, i ? " ; " : "");
        qz_str_puts(shown, p->kind == QZ_PRE_PREFIX_SPACE ? "(prefix space)" : p->text ? p->text : "?");
        bool same = p->behavior == QZ_REMOVED && p->invert && p->re.code && covers(t, &p->re);
        fits &= p->kind == QZ_PRE_SPLIT && (same || (p->behavior == QZ_ISOLATED && !p->invert));
        if (p->text) canonical(p->text, p->text_n, &mine);
    }
    for (size_t i = 0; i < t->n_norm; i++) {
        fits &= t->norm[i].kind == QZ_NORM_NFC; /* the container cannot say NFC either; it is known of the qwen names */
        qz_str_puts(shown, t->norm[i].kind == QZ_NORM_NFC ? "" : " (with a normalizer)");
    }
    for (size_t i = 0; i < N_NAMES && fits && !mine.failed; i++) {
        if (names[i].raw || names[i].ignore_merges != t->ignore_merges) continue;
        qz_str_clear(&theirs);
        for (size_t k = 0; k < groups[names[i].group].n; k++)
            canonical(groups[names[i].group].patterns[k], strlen(groups[names[i].group].patterns[k]), &theirs);
        if (theirs.failed || theirs.len != mine.len || memcmp(mine.ptr, theirs.ptr, mine.len) != 0) continue;
        if (usual && strcmp(usual, names[i].name) == 0) {
            best = names[i].name;
            break;
        }
        bool clean = t->clean_spaces < 0 || names[i].clean_off == !t->clean_spaces;
        if (!best || (clean && !best_clean)) {
            best = names[i].name;
            best_clean = clean;
        }
    }
    qz_str_release(&mine);
    qz_str_release(&theirs);
    return best;
}
