/* general.name, version, finetune, basename and size_label from a model's folder name, as the reference converter reads
 * it: parts between hyphens are a version (v1.5), an encoding (Q4_K, F16), a size (7B, 8x7B, small), a known finetune
 * word or plain words. Source: formats/gguf-metadata.md section 8 and the behaviour of gguf-py
 * (llama.cpp 0c1e57098). */
#include "artifacts/gguf_card.h"
#include "base/str.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_PARTS 32
enum { BASENAME = 1, SIZE = 2, FINETUNE = 4, VERSION = 8, ENCODING = 16 };

static const char *digits(const char *s) {
    while (isdigit((unsigned char)*s)) s++;
    return s;
}

static bool is_version(const char *s) {
    if (strncasecmp(s, "iter", 4) == 0) s += 4;
    else if (*s == 'v' || *s == 'V') s++;
    for (;; s++) {
        const char *e = digits(s);
        if (e == s) return false;
        s = e;
        if (!*s) return true;
        if (*s != '.') return false;
    }
}

static bool is_encoding(const char *s) {
    const char *p = s;
    if (*p == 'i' || *p == 'I') p++;
    if ((*p == 'q' || *p == 'Q') && isdigit((unsigned char)p[1])) {
        for (p += 2; *p == '_' && (isalnum((unsigned char)p[1]) || p[1] == '_'); p += 2) {}
        if (!*p) return true;
    }
    p = s;
    if (*p == 'b' || *p == 'B') p++;
    if (*p != 'f' && *p != 'F') return false;
    p++;
    if (*p == 'p' || *p == 'P') p++;
    return strcmp(p, "16") == 0 || strcmp(p, "32") == 0;
}

static bool is_size(const char *s) {
    static const char *const words[] = { "small", "mini", "medium", "large", "xl", "xxl" };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(s, words[i]) == 0) return true;
    const char *e = digits(s);
    if (e != s && (*e == 'x' || *e == 'X')) s = e + 1;
    else if (*s == 'a' || *s == 'A') s++;
    e = digits(s);
    if (e == s) return false;
    if ((*e == '.' || *e == '_') && isdigit((unsigned char)e[1])) e = digits(e + 1);
    if (!*e || !strchr("KMBTkmbt", *e)) return false;
    e++;
    return !*e || (isdigit((unsigned char)*e) && !e[1]);
}

/* bloom-7b1 -> 7.1B; 7b -> 7B; a size that is far from the true count is a context length: a finetune in lower case. */
static unsigned read_size(char *part, size_t room, uint64_t weights) {
    for (char *p = part; *p; p++)
        if (*p == '_') *p = '.';
    size_t n = strlen(part);
    if (isdigit((unsigned char)part[n - 1]) && n + 2 < room) {
        char unit = part[n - 2], tail = part[n - 1];
        snprintf(part + n - 2, 4, ".%c%c", tail, unit);
        n = strlen(part);
    }
    if (n > 1 && isdigit((unsigned char)part[n - 2]) && strchr("kmbt", part[n - 1]))
        part[n - 1] = (char)toupper((unsigned char)part[n - 1]);
    char unit = part[n - 1], *end;
    part[n - 1] = 0;
    double v = strtod(part, &end);
    bool number = *part && !*end;
    part[n - 1] = unit;
    const char *at = strchr(" KMBT", unit); /* thousand, million … */
    if (!number || !at || weights == 0) return SIZE;
    double w = (double)weights;
    for (const char *u = at; *u != ' '; u--) v *= 1000;
    if (fabs(v - w) <= floor(7.0 * w / 8.0)) return SIZE;
    part[n - 1] = (char)tolower((unsigned char)unit);
    return FINETUNE;
}

typedef struct { char text[64]; unsigned kind; } part;

static size_t split(const char *name, size_t len, part *parts) {
    size_t n = 0, at = 0;
    while (at < len && n < MAX_PARTS) {
        size_t e = at;
        while (e < len && name[e] != '-') e++;
        if (e > at)
            snprintf(parts[n++].text, sizeof parts[0].text, "%.*s", (int)(e - at < 60 ? e - at : 60), name + at);
        at = e + 1;
    }
    return n;
}

static void classify(part *p, size_t n, uint64_t weights) {
    static const char *const finetunes[] = { "chat", "instruct", "vision", "lora" };
    bool number = false, start = true;
    for (size_t i = 0; i < n; i++) {
        p[i].kind = 0;
        if (is_version(p[i].text)) p[i].kind = VERSION;
        else if (is_encoding(p[i].text)) p[i].kind = ENCODING;
        else if (i > 0 && is_size(p[i].text)) p[i].kind = read_size(p[i].text, sizeof p[i].text, weights);
        else
            for (size_t k = 0; i > 0 && k < 4; k++)
                if (strcasecmp(p[i].text, finetunes[k]) == 0) p[i].kind = FINETUNE;
        number |= p[i].kind == SIZE && strpbrk(p[i].text, "0123456789");
    }
    for (size_t i = 0; i < n; i++) /* a word is no size beside a number */
        if (number && p[i].kind == SIZE && !strpbrk(p[i].text, "0123456789.")) p[i].kind = 0;
    for (size_t i = 0; i < n; i++) {
        if (start && ((p[i].kind == 0 && isalpha((unsigned char)p[i].text[0])) || p[i].kind == VERSION))
            p[i].kind |= BASENAME;
        else {
            start = false;
            if (p[i].kind == 0) p[i].kind = FINETUNE;
        }
    }
    for (size_t i = n; i-- > 0 && (p[i].kind & BASENAME) && p[i].kind != BASENAME;) p[i].kind &= ~(unsigned)BASENAME;
}

static char *join(const part *p, size_t n, unsigned kind, unsigned without, qz_arena *a) {
    qz_str s = {0};
    for (size_t i = 0; i < n; i++) {
        bool again = false;
        if (!(p[i].kind & kind) || (p[i].kind & without)) continue;
        for (size_t k = 0; kind == SIZE && k < i; k++) again |= p[k].kind == SIZE && strcmp(p[k].text, p[i].text) == 0;
        if (!again) qz_str_printf(&s, "%s%s", s.len ? "-" : "", p[i].text);
    }
    char *out = s.len ? qz_arena_strdup(a, s.ptr) : NULL;
    qz_str_release(&s);
    return out;
}

/* "some-model" -> "Some Model": words in lower case get capitals unless they are versions or begin with a digit. */
static char *title(qz_arena *arena, const char *name, size_t n) {
    char *t = qz_arena_strndup(arena, name, n);
    for (size_t i = 0; t && i < n;) {
        bool lower = false, upper = false;
        if (t[i] == '-') t[i] = ' ';
        if (t[i] == ' ') {
            i++;
            continue;
        }
        size_t e = i;
        for (; e < n && t[e] != '-' && t[e] != ' '; e++) {
            lower |= t[e] >= 'a' && t[e] <= 'z';
            upper |= t[e] >= 'A' && t[e] <= 'Z';
        }
        char word[64];
        snprintf(word, sizeof word, "%.*s", (int)(e - i < 60 ? e - i : 60), t + i);
        bool fixed = isdigit((unsigned char)word[0]) || (word[0] == 'v' && is_version(word));
        for (size_t p = i; lower && !upper && !fixed && p < e; p++) /* behind every non-letter, as str.title() */
            if (p == i || !isalpha((unsigned char)t[p - 1])) t[p] = (char)toupper((unsigned char)t[p]);
        i = e;
    }
    size_t k = 0; /* one space between words, none at the ends */
    for (size_t i = 0; t && i < n; i++)
        if (t[i] != ' ' || (k && t[k - 1] != ' ')) t[k++] = t[i];
    if (t) t[k && t[k - 1] == ' ' ? k - 1 : k] = 0;
    return t;
}

/* The count itself with at least two digits: 135M, 1.2B, 312K. */
static char *count_label(uint64_t weights, qz_arena *a) {
    double w = (double)weights, s = w > 1e12 ? w * 1e-12 : w > 1e9 ? w * 1e-9 : w > 1e6 ? w * 1e-6 : w * 1e-3;
    char unit = w > 1e12 ? 'T' : w > 1e9 ? 'B' : w > 1e6 ? 'M' : 'K', whole[32];
    snprintf(whole, sizeof whole, "%.0f", s);
    int have = whole[0] == '0' ? 0 : (int)strlen(whole);
    return qz_arena_printf(a, "%.*f%c", have < 2 ? 2 - have : 0, s, unit);
}

bool qz_gguf_card_read(const char *name, size_t len, uint64_t weights, qz_arena *a, qz_gguf_card *out) {
    part parts[MAX_PARTS];
    *out = (qz_gguf_card){ .name = title(a, name, len) };
    if (!memchr(name, ' ', len)) { /* a sentence is a name and nothing else */
        size_t n = split(name, len, parts);
        classify(parts, n, weights);
        out->size_label = join(parts, n, SIZE, 0, a);
        out->finetune = join(parts, n, FINETUNE, 0, a);
        out->version = join(parts, n, VERSION, BASENAME, a);
        if (out->size_label || out->finetune || out->version) out->basename = join(parts, n, BASENAME, 0, a);
    }
    if (!out->size_label && weights) out->size_label = count_label(weights, a);
    return out->name && (out->size_label || weights == 0);
}
