/* Normalizers of formats/tokenizer-json.md section 3, each over a whole piece of text. */
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>
#include "text/tokenizer_int.h"
#include "base/utf8.h"

/* Everything below U+0300 is in composed form already. */
static bool is_plain(const char *s, size_t n, uint8_t limit) {
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)s[i] >= limit) return false;
    return true;
}

static qz_status unicode_form(const char *s, size_t n, qz_norm_kind kind, qz_str *out, qz_error *err) {
    unsigned opt = UTF8PROC_STABLE;
    opt |= kind == QZ_NORM_NFC || kind == QZ_NORM_NFKC ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
    if (kind == QZ_NORM_NFKC || kind == QZ_NORM_NFKD) opt |= UTF8PROC_COMPAT;
    utf8proc_uint8_t *r = NULL;
    utf8proc_ssize_t k = utf8proc_map((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, &r, (utf8proc_option_t)opt);
    if (k < 0)
        return qz_fail(err, k == UTF8PROC_ERROR_NOMEM ? QZ_EMEMORY : QZ_EFORMAT, "unicode normalization failed: %s",
                       utf8proc_errmsg(k));
    qz_str_append(out, r, (size_t)k);
    free(r); /* utf8proc allocates with malloc */
    return QZ_OK;
}

static void lower(const char *s, size_t n, qz_str *out) {
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        i += qz_utf8_step(s + i, n - i, &cp);
        if (cp == 0x130)
            qz_str_append(out, "i\xcc\x87", 3); /* the only character whose full mapping has two */
        else
            qz_utf8_append(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp));
    }
}

static void strip(const char *s, size_t n, bool left, bool right, qz_str *out) {
    size_t b = 0, e = n;
    for (uint32_t cp; left && b < e;) {
        size_t k = qz_utf8_step(s + b, e - b, &cp);
        if (!qz_utf8_is_space(cp)) break;
        b += k;
    }
    while (right && e > b) {
        size_t i = e - 1;
        uint32_t cp;
        while (i > b && ((uint8_t)s[i] & 0xc0) == 0x80) i--;
        qz_utf8_step(s + i, e - i, &cp);
        if (!qz_utf8_is_space(cp)) break;
        e = i;
    }
    qz_str_append(out, s + b, e - b);
}

qz_status qz_norm_replace(qz_enc *e, const qz_norm *m, const char *s, size_t n, qz_str *out, qz_error *err) {
    qz_regex_iter it = {.re = &m->re, .s = s, .n = n};
    size_t from = 0;
    while (n) {
        size_t b, end;
        if (m->re.code) {
            bool found;
            QZ_TRY(qz_regex_next(e, &it, &found, err));
            if (!found) break;
            b = it.begin, end = it.end;
        } else {
            const char *p = m->from_n && from < n ? memmem(s + from, n - from, m->from, m->from_n) : NULL;
            if (!p) break;
            b = (size_t)(p - s), end = b + m->from_n;
        }
        qz_str_append(out, s + from, b - from);
        qz_str_append(out, m->to, m->to_n);
        from = end;
    }
    qz_str_append(out, s + from, n - from);
    return QZ_OK;
}

static qz_status one_step(qz_enc *e, const qz_norm *m, const char *s, size_t n, qz_str *out, qz_error *err) {
    switch (m->kind) {
    case QZ_NORM_NFC:
    case QZ_NORM_NFD:
    case QZ_NORM_NFKC:
    case QZ_NORM_NFKD: return unicode_form(s, n, m->kind, out, err);
    case QZ_NORM_LOWER: lower(s, n, out); break;
    case QZ_NORM_STRIP: strip(s, n, m->left, m->right, out); break;
    case QZ_NORM_ACCENTS:
        for (size_t i = 0, k; i < n; i += k) {
            uint32_t cp;
            k = qz_utf8_step(s + i, n - i, &cp);
            if (!qz_utf8_is_mark(cp)) qz_str_append(out, s + i, k);
        }
        break;
    case QZ_NORM_REPLACE: return qz_norm_replace(e, m, s, n, out, err);
    case QZ_NORM_CHARSMAP: return qz_charsmap_apply(&m->map, m->left, s, n, out, err);
    case QZ_NORM_SPACES: qz_sentencepiece_spaces(m->left, m->right, s, n, out); break;
    case QZ_NORM_PREPEND:
        if (n) qz_str_append(out, m->to, m->to_n);
        qz_str_append(out, s, n);
        break;
    }
    return QZ_OK;
}

qz_status qz_normalize(qz_enc *e, const char *s, size_t n, const char **out, size_t *out_n, qz_error *err) {
    qz_str *to = &e->norm_a, *other = &e->norm_b;
    for (size_t k = 0; k < e->t->n_norm; k++) {
        const qz_norm *m = &e->t->norm[k];
        if (m->kind == QZ_NORM_NFC && is_plain(s, n, 0xcc)) continue;
        if (m->kind <= QZ_NORM_NFKD && is_plain(s, n, 0x80)) continue;
        qz_str_clear(to);
        QZ_TRY(one_step(e, m, s, n, to, err));
        if (to->failed) return qz_fail(err, QZ_EMEMORY, "out of memory while normalizing a text");
        s = to->ptr ? to->ptr : "", n = to->len;
        qz_str *swap = to;
        to = other, other = swap;
    }
    *out = s;
    *out_n = n;
    return QZ_OK;
}
