#include "text/accepted.h"
#include "base/json_write.h"
#include "base/size.h"
#include <stdlib.h>
#include <string.h>

void qz_accepted_add(qz_str *list, const char *code, const char *finding) {
    qz_str_printf(list, "%s%s (", list->len ? "; " : "", code);
    for (const char *p = finding; *p; p++) /* ';' parts entries */
        qz_str_putc(list, *p == ';' ? ',' : (uint8_t)*p < ' ' ? ' ' : *p);
    qz_str_putc(list, ')');
}

bool qz_accepted_next(const char **at, qz_accepted *out) {
    const char *p = *at;
    *out = (qz_accepted){0};
    if (p == NULL || *p == 0) return false;
    const size_t code = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-"), n = strcspn(p, ";");
    if (code == 0 || code >= sizeof out->code || code + 3 > n) return false;
    if (memcmp(p + code, " (", 2) != 0 || p[n - 1] != ')') return false;
    memcpy(out->code, p, code);
    const size_t all = n - code - 3;
    size_t text = qz_min_size(all, sizeof out->finding - 1);
    while (text && text < all && ((uint8_t)p[code + 2 + text] & 0xc0) == 0x80) text--; /* no half of a character */
    memcpy(out->finding, p + code + 2, text);
    for (size_t i = 0; i < text; i++)
        if ((uint8_t)out->finding[i] < ' ') out->finding[i] = ' ';
    if (out->finding[0] >= '0' && out->finding[0] <= '9') out->count = strtoull(out->finding, NULL, 10);
    p += n;
    *at = p + strspn(p, "; ");
    return true;
}

bool qz_accepted_has(const char *list, const char *code) {
    for (qz_accepted x; qz_accepted_next(&list, &x);)
        if (strcmp(x.code, code) == 0) return true;
    return false;
}

const char *qz_accepted_join(qz_arena *arena, const char *a, const char *b) {
    const char *had = a;
    qz_str s = {0};
    for (qz_accepted x; qz_accepted_next(&a, &x);) qz_accepted_add(&s, x.code, x.finding);
    for (qz_accepted x; qz_accepted_next(&b, &x);)
        if (!qz_accepted_has(had, x.code)) qz_accepted_add(&s, x.code, x.finding);
    const char *kept = s.failed ? NULL : qz_arena_strdup(arena, s.ptr ? s.ptr : "");
    qz_str_release(&s);
    return kept;
}

void qz_accepted_json(const char *list, qz_str *out) {
    qz_json_writer w = {.out = out};
    qz_jw_open(&w, NULL, '[');
    for (qz_accepted x; qz_accepted_next(&list, &x);) {
        qz_jw_open(&w, NULL, '{');
        qz_jw_text(&w, "code", x.code);
        qz_jw_count(&w, "count", x.count);
        qz_jw_text(&w, "finding", x.finding);
        qz_jw_close(&w, '}');
    }
    qz_jw_close(&w, ']');
}
