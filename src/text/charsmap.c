/* The normalization table of a sentencepiece model (formats/tokenizer-json.md section 10): u32 size of a double array,
 * the array, then texts that end in NUL. Offsets come from a file: each one is checked where it is used. */
#include <string.h>
#include <utf8proc.h>
#include "base/bytes.h"
#include "base/size.h"
#include "base/utf8.h"
#include "text/tokenizer_int.h"

qz_status qz_charsmap_open(const uint8_t *blob, size_t n, qz_charsmap *out, const char *name, qz_error *err) {
    const size_t trie = n >= 4 ? qz_load_u32le(blob) : 0;
    if (n < 9 || trie < 4 || trie % 4 || trie >= n - 4 || blob[n - 1] != 0)
        return qz_fail(err, QZ_EFORMAT,
                       "bad precompiled_charsmap: file '%s': expected the size of a double array of words, the array "
                       "and texts that end in NUL, found %zu bytes, %zu of them the array",
                       name, n, trie);
    *out = (qz_charsmap){blob, n, blob + 4, trie / 4, (const char *)blob + 4 + trie, n - 4 - trie};
    return QZ_OK;
}

/* "A…/=" -> bytes; p has room for n / 4 * 3 + 3. False if it is not base64. */
static bool decode64(const char *s, size_t n, uint8_t *p, size_t *out_n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t word = 0;
    size_t k = 0, have = 0;
    for (size_t i = 0; i < n && s[i] != '='; i++) {
        const char *d = s[i] ? strchr(digits, s[i]) : NULL;
        if (!d) return false;
        word = word << 6 | (uint32_t)(d - digits);
        if (++have % 4 != 0) continue;
        p[k++] = (uint8_t)(word >> 16), p[k++] = (uint8_t)(word >> 8), p[k++] = (uint8_t)word;
    }
    if (have % 4 == 2) p[k++] = (uint8_t)(word >> 4);
    if (have % 4 == 3) p[k++] = (uint8_t)(word >> 10), p[k++] = (uint8_t)(word >> 2);
    *out_n = k;
    return have % 4 != 1;
}

qz_status qz_charsmap_of_text(const char *s, size_t n, qz_arena *a, qz_charsmap *out, const char *name,
                              qz_error *err) {
    uint8_t *blob = qz_arena_alloc(a, n / 4 * 3 + 3, 1);
    size_t blob_n = 0;
    if (!blob) return qz_fail(err, QZ_EMEMORY, "out of memory while loading tokenizer '%s'", name);
    if (!decode64(s, n, blob, &blob_n))
        return qz_fail(err, QZ_EFORMAT, "bad precompiled_charsmap: file '%s': expected base64", name);
    return qz_charsmap_open(blob, blob_n, out, name, err);
}

static uint32_t unit(const qz_charsmap *m, size_t i) { return qz_load_u32le(m->trie + 4 * i); }
static size_t step(uint32_t u) { return (size_t)(u >> 10) << ((u & 0x200) >> 6); }

/* The longest (or shortest) key that s begins with: its length, or 0; *to = its replacement, NULL if the table points
 * outside of itself. */
static size_t find_key(const qz_charsmap *m, bool longest, const char *s, size_t n, const char **to) {
    size_t at = step(unit(m, 0)), hit = 0;
    for (size_t i = 0; i < n && s[i]; i++) {
        const uint8_t c = (uint8_t)s[i];
        at ^= c;
        if (at >= m->units) break;
        const uint32_t u = unit(m, at);
        if ((u & 0x800000ffu) != c) break;
        at ^= step(u);
        if (!(u >> 8 & 1)) continue;
        const uint32_t value = at < m->units ? unit(m, at) & 0x7fffffffu : UINT32_MAX;
        *to = value < m->text_n ? m->text + value : NULL;
        hit = i + 1;
        if (!longest || !*to) break;
    }
    return hit;
}

static qz_status outside(qz_error *err) {
    return qz_fail(err, QZ_EFORMAT, "bad precompiled_charsmap: an entry points behind its texts");
}

/* sentencepiece: at every place the longest key. */
static qz_status by_place(const qz_charsmap *m, const char *s, size_t n, qz_str *out, qz_error *err) {
    for (size_t i = 0; i < n;) {
        const char *to = NULL;
        uint32_t cp;
        size_t k = find_key(m, true, s + i, n - i, &to);
        if (k && !to) return outside(err);
        if (k) qz_str_puts(out, to);
        else qz_str_append(out, s + i, k = qz_utf8_step(s + i, n - i, &cp));
        i += k;
    }
    return QZ_OK;
}

/* tokenizers: a short cluster is replaced whole by the value of the shortest key that it begins with; else character by
 * character. */
static qz_status cluster(const qz_charsmap *m, const char *s, size_t n, qz_str *out, qz_error *err) {
    const char *to = NULL;
    if (n < 6 && find_key(m, false, s, n, &to)) {
        if (!to) return outside(err);
        qz_str_puts(out, to);
        return QZ_OK;
    }
    for (size_t i = 0, k; i < n; i += k) {
        uint32_t cp;
        k = qz_utf8_step(s + i, n - i, &cp);
        const size_t hit = find_key(m, false, s + i, k, &to);
        if (hit && !to) return outside(err);
        if (hit) qz_str_puts(out, to);
        else qz_str_append(out, s + i, k);
    }
    return QZ_OK;
}

static qz_status by_cluster(const qz_charsmap *m, const char *s, size_t n, qz_str *out, qz_error *err) {
    utf8proc_int32_t state = 0;
    uint32_t before = 0;
    size_t from = 0;
    for (size_t i = 0, k; i < n; i += k) {
        uint32_t cp;
        k = qz_utf8_step(s + i, n - i, &cp);
        if (i && utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)cp, &state)) {
            QZ_TRY(cluster(m, s + from, i - from, out, err));
            from = i;
        }
        before = cp;
    }
    return cluster(m, s + from, n - from, out, err);
}

qz_status qz_charsmap_apply(const qz_charsmap *m, bool longest, const char *s, size_t n, qz_str *out, qz_error *err) {
    return longest ? by_place(m, s, n, out, err) : by_cluster(m, s, n, out, err);
}

static const char mark[] = "\xe2\x96\x81"; /* U+2581 stands for a blank */

void qz_sentencepiece_spaces(bool prefix, bool merge, const char *s, size_t n, qz_str *out) {
    while (merge && n && *s == ' ') s++, n--;
    if (n == 0) return;
    const size_t start = out->len;
    bool blank = false;
    if (prefix) qz_str_puts(out, mark);
    for (size_t i = 0; i < n; i++) {
        if (s[i] != ' ') qz_str_putc(out, s[i]);
        else if (!blank) qz_str_puts(out, mark);
        blank = merge && s[i] == ' ';
    }
    while (merge && !out->failed && out->len >= start + 3 && memcmp(out->ptr + out->len - 3, mark, 3) == 0)
        out->len -= 3;
}
