#include "base/json.h"
#include "base/utf8.h"
#include "base/io.h"
#include "base/page.h"
#include "base/plain.h"
#include "base/size.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

qz_status qz_json_parse(const char *text, size_t len, const char *name, json_t **out, qz_error *err) {
    json_error_t je;
    /* jansson bounds nesting (JSON_PARSER_MAX_DEPTH 2048 frames of small size), refuses NaN and bad UTF-8. */
    *out = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &je);
    if (*out == NULL && qz_is_page(text, len))
        return qz_fail(err, QZ_EFORMAT,
                       "not JSON: file '%s', offset 0: expected JSON, found " QZ_PAGE_NAME "; " QZ_PAGE_CURE, name);
    if (*out == NULL)
        return qz_fail(err, QZ_EFORMAT, "bad JSON: file '%s', line %d, offset %d: %s", name, je.line, je.position,
                       je.text);
    return QZ_OK;
}

qz_status qz_json_load(const char *path, size_t limit, json_t **out, qz_error *err) {
    char *text = NULL;
    size_t len = 0;
    *out = NULL;
    QZ_TRY(qz_read_file(path, limit, &text, &len, err));
    const char *cure = NULL, *name = qz_magic_name(text, len, &cure);
    size_t mark = qz_text_mark(text, len);
    qz_status st = name ? qz_fail(err, QZ_EFORMAT, "not JSON: file '%s', offset 0: expected UTF-8 text, found %s; %s",
                                  path, name, cure)
                        : qz_json_parse(text + mark, len - mark, path, out, err);
    qz_free(text);
    return st;
}

bool qz_json_empty(const json_t *v) {
    return v == NULL || json_is_null(v) || (json_is_object(v) && json_object_size(v) == 0);
}

const char *qz_json_kind(const json_t *v) {
    if (v == NULL) return "nothing";
    switch (json_typeof(v)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a real number";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    case JSON_NULL: return "null";
    }
    return "?";
}
static qz_status wrong(const char *name, const char *key, const char *expected, const json_t *v, qz_error *err) {
    char found[40];
    if (json_is_integer(v)) (void)snprintf(found, sizeof found, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v)) (void)snprintf(found, sizeof found, "%.9g", json_real_value(v));
    else (void)snprintf(found, sizeof found, "%s", qz_json_kind(v));
    return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key '%s': expected %s, found %s", name, key, expected,
                   found);
}

qz_status qz_json_u64(const json_t *o, const char *key, const char *name, uint64_t *out, qz_error *err) {
    const json_t *v = json_object_get(o, key);
    if (v == NULL || json_is_null(v)) return QZ_OK;
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        *out = (uint64_t)json_integer_value(v);
        return QZ_OK;
    }
    if (json_is_real(v)) { /* 4096.0 is accepted because it is exact */
        double d = json_real_value(v);
        if (d >= 0 && d < 0x1p53 && d == floor(d)) {
            *out = (uint64_t)d;
            return QZ_OK;
        }
    }
    return wrong(name, key, "a non-negative integer", v, err);
}
qz_status qz_json_f64(const json_t *o, const char *key, const char *name, double *out, qz_error *err) {
    const json_t *v = json_object_get(o, key);
    if (v == NULL || json_is_null(v)) return QZ_OK;
    if (!json_is_number(v)) return wrong(name, key, "a number", v, err);
    *out = json_number_value(v);
    return QZ_OK;
}
qz_status qz_json_bool(const json_t *o, const char *key, const char *name, bool *out, qz_error *err) {
    const json_t *v = json_object_get(o, key);
    if (v == NULL || json_is_null(v)) return QZ_OK;
    if (!json_is_boolean(v)) return wrong(name, key, "true or false", v, err);
    *out = json_is_true(v);
    return QZ_OK;
}
qz_status qz_json_str(const json_t *o, const char *key, const char *name, const char **out, qz_error *err) {
    const json_t *v = json_object_get(o, key);
    if (v == NULL || json_is_null(v)) return QZ_OK;
    if (!json_is_string(v)) return wrong(name, key, "a string", v, err);
    *out = json_string_value(v);
    return QZ_OK;
}

void qz_json_quote(qz_str *out, const char *s, size_t n) {
    qz_str_putc(out, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        switch (c) {
        case '"': qz_str_puts(out, "\\\""); break;
        case '\\': qz_str_puts(out, "\\\\"); break;
        case '\n': qz_str_puts(out, "\\n"); break;
        case '\r': qz_str_puts(out, "\\r"); break;
        case '\t': qz_str_puts(out, "\\t"); break;
        default:
            if (c < 0x20) qz_str_printf(out, "\\u%04x", c);
            else if (c < 0x80) qz_str_putc(out, (char)c);
            else { /* bytes that are no UTF-8 become U+FFFD: names of files and of tensors may hold any */
                uint32_t cp;
                const size_t k = qz_utf8_step(s + i, n - i, &cp);
                if (qz_utf8_valid(s + i, k)) qz_str_append(out, s + i, k);
                else qz_str_puts(out, "\xEF\xBF\xBD");
                i += k - 1;
            }
        }
    }
    qz_str_putc(out, '"');
}
