/* Messages of a conversation in the one form that templates and plain text share: content is a string or null. */
#include <string.h>
#include "base/json.h"
#include "text/dataset_int.h"

static void leave_out(qz_parts *p, const char *name) {
    p->left_out++;
    size_t n = strlen(p->names), k = strlen(name);
    const char *at = strstr(p->names, name);
    bool known = at && (at == p->names || at[-1] == ' ') && (at[k] == 0 || at[k] == ',');
    if (known || n + k + 3 > sizeof p->names) return;
    if (n) memcpy(p->names + n, ", ", 2), n += 2;
    memcpy(p->names + n, name, k + 1);
}

/* The text of one part, NULL if it is none. */
static const char *part_text(const json_t *part) {
    if (json_is_string(part)) return json_string_value(part);
    const char *type = json_string_value(json_object_get(part, "type"));
    if (type && strcmp(type, "text") != 0 && strcmp(type, "input_text") != 0 && strcmp(type, "output_text") != 0)
        return NULL;
    return json_string_value(json_object_get(part, "text"));
}

/* Text parts joined by line ends, as llama.cpp and vLLM do for templates of strings. */
static qz_status join(const json_t *list, const char *where, size_t message, qz_parts *p, qz_str *out, qz_error *err) {
    bool any = false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *part = json_array_get(list, i);
        const char *text = part_text(part), *type = json_string_value(json_object_get(part, "type"));
        if (!text && !(json_is_object(part) && type))
            return qz_fail(err, QZ_EFORMAT,
                           "%s: bad part: message %zu, part %zu of 'content': expected {\"type\": \"text\", \"text\": "
                           "…}",
                           where, message, i);
        if (!text) {
            leave_out(p, type);
            continue;
        }
        qz_str_printf(out, "%s%s", any ? "\n" : "", text);
        any = true;
    }
    p->joined++;
    return QZ_OK;
}

/* A message without text says something else (a call), or it is broken. */
static qz_status without_text(const json_t *m, const char *where, size_t message, bool templated, qz_parts *p,
                              qz_error *err) {
    const char *key;
    json_t *v;
    size_t other = 0;
    json_object_foreach((json_t *)(uintptr_t)m, key, v) {
        if (strcmp(key, "role") == 0 || strcmp(key, "content") == 0 || strcmp(key, "name") == 0 || json_is_null(v))
            continue;
        other++;
        if (!templated) leave_out(p, key);
    }
    if (other == 0)
        return qz_fail(err, QZ_EFORMAT,
                       "%s: no text: message %zu: expected 'content' as a string or a list of parts, found nothing",
                       where, message);
    return QZ_OK;
}

static qz_status one(const json_t *m, const char *where, size_t i, bool templated, qz_parts *p, json_t *list,
                     qz_error *err) {
    if (!json_is_object(m))
        return qz_fail(err, QZ_EFORMAT, "%s: key 'messages', entry %zu: expected an object", where, i);
    const json_t *c = json_object_get(m, "content");
    if (c && !json_is_null(c) && !json_is_string(c) && !json_is_array(c))
        return qz_fail(err, QZ_EFORMAT,
                       "%s: bad message: message %zu, key 'content': expected a string, a list of parts or null", where,
                       i);
    if (!json_is_string(c) && !json_is_array(c)) QZ_TRY(without_text(m, where, i, templated, p, err));
    else if (!templated && json_array_size(json_object_get(m, "tool_calls"))) leave_out(p, "tool_calls");
    json_t *copy = json_copy((json_t *)(uintptr_t)m);
    qz_str text = {0};
    qz_status st = QZ_OK;
    if (json_is_array(c)) {
        st = join(c, where, i, p, &text, err);
        if (st == QZ_OK && (text.failed || json_object_set_new(copy, "content",
                                                               json_stringn(text.ptr ? text.ptr : "", text.len)) != 0))
            st = qz_fail(err, QZ_EMEMORY, "out of memory reading messages");
    }
    qz_str_release(&text);
    if (json_array_append_new(list, copy) != 0 && st == QZ_OK)
        st = qz_fail(err, QZ_EMEMORY, "out of memory reading messages");
    return st;
}

qz_status qz_messages_plain(const json_t *messages, const char *where, bool templated, qz_parts *p, json_t **out,
                            qz_error *err) {
    *out = NULL;
    if (!json_is_array(messages) || json_array_size(messages) == 0)
        return qz_fail(err, QZ_EFORMAT, "%s: key 'messages': expected a non-empty array", where);
    json_t *list = json_array();
    qz_status st = list ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory reading messages");
    for (size_t i = 0; i < json_array_size(messages) && st == QZ_OK; i++)
        st = one(json_array_get(messages, i), where, i, templated, p, list, err);
    if (st == QZ_OK) *out = list;
    else json_decref(list);
    return st;
}
