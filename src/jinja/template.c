#include "jinja/template.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/size.h"
#include "jinja/jinja_int.h"

#define MAX_SOURCE ((size_t)4 << 20)

struct qz_chat { qz_arena arena; jnode *root; };

qz_status qz_chat_compile(const char *source, size_t n, qz_chat **out, qz_error *err) {
    qz_chat *c = qz_calloc_array(1, sizeof *c);
    jtok *t = NULL;
    size_t count = 0;
    qz_status st = QZ_OK;
    *out = NULL;
    if (!c) return qz_fail(err, QZ_EMEMORY, "out of memory while reading a chat template");
    if (n > MAX_SOURCE)
        QZ_GOTO(qz_fail(err, QZ_EFORMAT, "chat template too long: %zu bytes, at most %zu", n, MAX_SOURCE));
    QZ_GOTO(qz_jinja_lex(&c->arena, source, n, &t, &count, err));
    QZ_GOTO(qz_jinja_parse(&c->arena, t, count, &c->root, err));
    *out = c;
    c = NULL;
out:
    qz_chat_free(c);
    return st;
}

void qz_chat_free(qz_chat *c) {
    if (!c) return;
    qz_arena_release(&c->arena);
    qz_free(c);
}

static bool set_clock(jctx *c, const char *now) {
    if (now) {
        int y, mo, d, h, mi, s;
        if (sscanf(now, "%4d-%2d-%2dT%2d:%2d:%2d", &y, &mo, &d, &h, &mi, &s) != 6)
            return j_fail(c, "ValueError", "bad time '%.40s'", now);
        c->now = (struct tm){.tm_year = y - 1900, .tm_mon = mo - 1, .tm_mday = d, .tm_hour = h, .tm_min = mi,
                             .tm_sec = s, .tm_isdst = -1};
        struct tm utc = c->now;
        time_t t = timegm(&utc); /* fills weekday and day of the year */
        if (t == (time_t)-1 || !gmtime_r(&t, &utc)) return j_fail(c, "ValueError", "bad time '%.40s'", now);
        c->now = utc;
        return true;
    }
    time_t t = time(NULL);
    return localtime_r(&t, &c->now) != NULL || j_fail(c, "ValueError", "no clock");
}

qz_status qz_chat_render(const qz_chat *chat, const json_t *context, const qz_chat_limits *l, qz_str *out,
                         qz_error *err) {
    jctx c = {.err = err, .max_steps = l && l->max_steps ? l->max_steps : 50000000,
              .max_depth = l && l->max_depth ? l->max_depth : 256,
              .max_bytes = l && l->max_bytes ? l->max_bytes : (size_t)64 << 20};
    jframe root = {0};
    qz_str text = {0};
    const char *key;
    json_t *v;
    c.root = &root;
    c.out = &text;
    bool ok = set_clock(&c, l ? l->now : NULL);
    json_object_foreach((json_t *)(uintptr_t)context, key, v) {
        jval k, x;
        ok = ok && j_text(&c, key, strlen(key), &k) && j_from_json(&c, v, &x) && j_dict_set(&c, &root.vars, k, x);
    }
    ok = ok && j_run(&c, chat->root, &root);
    if (ok) qz_str_append(out, text.ptr ? text.ptr : "", text.len);
    if (ok && out->failed) c.st = qz_fail(err, QZ_EMEMORY, "out of memory while rendering a chat template");
    if (!ok && c.st == QZ_OK) c.st = qz_fail(err, QZ_EBUG, "chat template: failed without a reason");
    qz_str_release(&text);
    qz_arena_release(&c.arena);
    return c.st;
}
