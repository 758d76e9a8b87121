#include "base/utf8.h"
#include <string.h>
#include <utf8proc.h>

size_t qz_utf8_step(const char *s, size_t n, uint32_t *cp) {
    const uint8_t *p = (const uint8_t *)s;
    uint32_t a = p[0], v, lo = 0x80, hi = 0xbf;
    size_t more;
    if (a < 0x80) {
        *cp = a;
        return 1;
    }
    if (a >= 0xc2 && a <= 0xdf) {
        more = 1, v = a & 0x1f;
    } else if (a >= 0xe0 && a <= 0xef) {
        more = 2, v = a & 0x0f;
        if (a == 0xe0) lo = 0xa0;
        if (a == 0xed) hi = 0x9f;
    } else if (a >= 0xf0 && a <= 0xf4) {
        more = 3, v = a & 0x07;
        if (a == 0xf0) lo = 0x90;
        if (a == 0xf4) hi = 0x8f;
    } else {
        *cp = QZ_UTF8_BAD;
        return 1;
    }
    for (size_t i = 1; i <= more; i++) {
        if (i >= n) {
            *cp = QZ_UTF8_CUT;
            return i;
        }
        if (p[i] < lo || p[i] > hi) {
            *cp = QZ_UTF8_BAD;
            return i;
        }
        v = v << 6 | (p[i] & 0x3fu);
        lo = 0x80, hi = 0xbf;
    }
    *cp = v;
    return more + 1;
}

size_t qz_utf8_put(uint32_t cp, char out[4]) {
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (cp >> 18 & 7));
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

void qz_utf8_append(qz_str *s, uint32_t cp) {
    char b[4];
    qz_str_append(s, b, qz_utf8_put(cp, b));
}

bool qz_utf8_valid(const char *s, size_t n) {
    for (size_t i = 0; i < n;) {
        uint64_t w;
        if (i + 8 <= n) { /* eight ASCII bytes at a time */
            memcpy(&w, s + i, 8);
            if (!(w & 0x8080808080808080u)) {
                i += 8;
                continue;
            }
        }
        uint32_t cp;
        i += qz_utf8_step(s + i, n - i, &cp);
        if (cp >= QZ_UTF8_CUT) return false;
    }
    return true;
}

void qz_utf8_lossy(const char *s, size_t n, qz_str *out) {
    size_t from = 0;
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        size_t k = qz_utf8_step(s + i, n - i, &cp);
        if (cp >= QZ_UTF8_CUT) {
            qz_str_append(out, s + from, i - from);
            qz_str_append(out, "\xef\xbf\xbd", 3);
            from = i + k;
        }
        i += k;
    }
    qz_str_append(out, s + from, n - from);
}

size_t qz_utf8_count(const char *s, size_t n) {
    size_t c = 0;
    for (size_t i = 0; i < n; i++) c += ((uint8_t)s[i] & 0xc0) != 0x80;
    return c;
}

bool qz_utf8_is_space(uint32_t c) {
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

bool qz_utf8_is_mark(uint32_t cp) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)cp);
    return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC || k == UTF8PROC_CATEGORY_ME;
}

bool qz_utf8_is_word(uint32_t c) {
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_MC: case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_PC: return true;
    default: break;
    }
    /* Join_Control, and the circled and squared letters that are Alphabetic without being letters */
    return c == 0x200c || c == 0x200d || (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
           (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
}
