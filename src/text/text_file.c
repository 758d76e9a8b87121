#include "text/text_file.h"
#include <string.h>
#include "base/hash.h"
#include "base/io.h"
#include "base/plain.h"
#include "base/size.h"
#include "base/utf8.h"

static size_t line_of(const char *text, size_t at) {
    size_t line = 1;
    for (size_t i = 0; i < at; i++) line += text[i] == '\n';
    return line;
}

/* First byte that is no UTF-8; len if there is none. */
static size_t first_bad(const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        uint32_t cp;
        size_t k = qz_utf8_step(text + i, len - i, &cp);
        if (cp == QZ_UTF8_BAD || cp == QZ_UTF8_CUT) return i;
        i += k;
    }
    return len;
}

qz_status qz_text_check(const char *path, const char *text, size_t len, qz_error *err) {
    const char *cure = NULL, *name = qz_magic_name(text, len, &cure), *nul;
    if (name)
        return qz_fail(err, QZ_EFORMAT, "not a text file: file '%s', offset 0: expected UTF-8 text, found %s; %s", path,
                       name, cure);
    if ((nul = len ? memchr(text, 0, len) : NULL) != NULL)
        return qz_fail(err, QZ_EFORMAT,
                       "not a text file: file '%s', line %zu, offset %zu: expected UTF-8 text, found a NUL byte "
                       "(binary data or UTF-16); "
                       "convert it to UTF-8 text",
                       path, line_of(text, (size_t)(nul - text)), (size_t)(nul - text));
    size_t at = qz_utf8_valid(text, len) ? len : first_bad(text, len);
    if (at < len)
        return qz_fail(err, QZ_EFORMAT,
                       "not UTF-8: file '%s', line %zu, offset %zu: expected UTF-8 text, found byte 0x%02x; convert it "
                       "(iconv -f latin1 -t utf8)",
                       path, line_of(text, at), at, (uint8_t)text[at]);
    return QZ_OK;
}

qz_status qz_text_read(const char *path, size_t limit, char **text, size_t *len, char sha_hex[65], qz_error *err) {
    QZ_TRY(qz_read_file(path, limit, text, len, err));
    qz_status st = qz_text_check(path, *text, *len, err);
    if (st != QZ_OK) {
        qz_free(*text);
        *text = NULL;
        return st;
    }
    if (sha_hex) qz_sha256_bytes_hex(*text, *len, sha_hex);
    size_t mark = qz_text_mark(*text, *len);
    *len -= mark;
    if (mark) memmove(*text, *text + mark, *len + 1);
    return QZ_OK;
}
