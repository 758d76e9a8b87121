/* A conversation in a file. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/json.h"
#include "text/chat.h"
#include "text/dataset_int.h"

enum { LIMIT = 16 << 20 };

/* Is there such a day, and such a time? s: in the form below. */
static bool on_the_calendar(const char *s, size_t n) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int year = 1000 * (s[0] - '0') + 100 * (s[1] - '0') + 10 * (s[2] - '0') + s[3] - '0',
              month = 10 * (s[5] - '0') + s[6] - '0', day = 10 * (s[8] - '0') + s[9] - '0';
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days[month - 1] + (leap && month == 2)) return false;
    return n == 10 || (10 * (s[11] - '0') + s[12] - '0' < 24 && s[14] < '6' && s[17] < '6');
}

/* "2026-11-29", or with the time of day: noon where it is not said. */
static qz_status read_date(const json_t *v, const char *path, qz_conversation *c, qz_error *err) {
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    const char *s = json_string_value(v);
    size_t n = s ? strlen(s) : 0, i = 0;
    while (i < n && i < sizeof form - 1 && (form[i] == 'd' ? isdigit((unsigned char)s[i]) : s[i] == form[i])) i++;
    if (s == NULL || i != n || (n != 10 && n != sizeof form - 1))
        return qz_fail(err, QZ_EFORMAT,
                       "bad value '%.40s': file '%s', key 'date': expected YYYY-MM-DD or YYYY-MM-DDThh:mm:ss",
                       s ? s : "?", path);
    if (!on_the_calendar(s, n))
        return qz_fail(err, QZ_EFORMAT,
                       "no such date '%.40s': file '%s', key 'date': expected a day of the calendar and a time from "
                       "00:00:00 to 23:59:59",
                       s, path);
    (void)snprintf(c->date, sizeof c->date, "%.19s%s", s, n == 10 ? "T12:00:00" : "");
    c->now = c->date;
    return QZ_OK;
}

static qz_status read_key(const char *key, const json_t *v, const char *path, qz_conversation *c, qz_error *err) {
    static const char *const known[] = {"messages", "tools", "documents", "date", "chat_template_kwargs"};
    const bool list = json_is_array(v) || json_is_null(v);
    if (strcmp(key, "messages") == 0) return QZ_OK;
    if (strcmp(key, "date") == 0) return read_date(v, path, c, err);
    if (strcmp(key, "tools") == 0 || strcmp(key, "documents") == 0) {
        if (!list) return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key '%s': expected an array", path, key);
        *(*key == 't' ? &c->tools : &c->documents) = json_is_array(v) ? v : NULL;
        return QZ_OK;
    }
    if (strcmp(key, "chat_template_kwargs") == 0) {
        if (!json_is_object(v))
            return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key '%s': expected an object", path, key);
        c->arguments = v;
        return QZ_OK;
    }
    qz_near near = {.word = key};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) (void)qz_near_see(&near, known[i]);
    return qz_fail(err, QZ_EFORMAT,
                   "unknown key '%.60s': file '%s': nearest known is '%s'; variables of the template go into "
                   "'chat_template_kwargs'",
                   key, path, near.best);
}

qz_status qz_conversation_read(const char *path, qz_conversation *c, qz_error *err) {
    const char *key;
    json_t *v, *messages = NULL;
    qz_parts parts = {0};
    *c = (qz_conversation){.add_generation_prompt = true};
    QZ_TRY(qz_json_load(path, LIMIT, &c->root, err));
    if (!json_is_array(c->root) && !json_is_object(c->root))
        return qz_fail(err, QZ_EFORMAT,
                       "no conversation: file '%s': expected a list of messages, or an object with 'messages'", path);
    if (json_is_object(c->root)) json_object_foreach(c->root, key, v) QZ_TRY(read_key(key, v, path, c, err));
    const json_t *list = json_is_array(c->root) ? c->root : json_object_get(c->root, "messages");
    QZ_TRY(qz_messages_plain(list, path, true, &parts, &messages, err));
    json_t *whole = json_pack("{s:o,s:o}", "read", c->root, "messages", messages); /* one owner of both */
    if (whole == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", path);
    c->root = whole;
    c->messages = json_object_get(whole, "messages");
    c->left_out = parts.left_out;
    (void)snprintf(c->left_names, sizeof c->left_names, "%s", parts.names);
    return QZ_OK;
}

void qz_conversation_release(qz_conversation *c) {
    json_decref(c->root);
    *c = (qz_conversation){0};
}
