#include "plan/numbers.h"
#include "base/str.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

qz_status qz_plan_numbers(const char *text, const char *option, uint64_t most, qz_arena *arena, uint64_t **out,
                          size_t *n, qz_error *err) {
    *out = qz_arena_alloc(arena, qz_list_count(text), sizeof **out);
    *n = 0;
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    const char *list = text;
    bool bad = *text == 0 || qz_str_ends(text, ",");
    for (qz_piece p; !bad && qz_list_next(&list, &p);) {
        char *end;
        errno = 0;
        bad = !isdigit((unsigned char)*p.at);
        unsigned long long v = bad ? 0 : strtoull(p.at, &end, 10);
        bad = bad || errno != 0;
        if (!bad && (*end == 'k' || *end == 'K')) bad = v > most, v *= 1024, end++;
        bad = bad || end != p.at + p.n || v < 1 || v > most;
        if (!bad) (*out)[(*n)++] = v;
    }
    if (bad)
        return qz_fail(err, QZ_EUSAGE,
                       "bad value '%s' for --%s: expected whole numbers from 1 to %llu, for example 4096 or 4k,32k",
                       text, option, (unsigned long long)most);
    return QZ_OK;
}

qz_status qz_plan_number(const char *text, const char *option, uint64_t most, uint64_t *out, qz_error *err) {
    qz_arena a = {0};
    uint64_t *v;
    size_t n;
    if (text == NULL) return QZ_OK;
    qz_status st = qz_plan_numbers(text, option, most, &a, &v, &n, err);
    if (st == QZ_OK && n != 1)
        st = qz_fail(err, QZ_EUSAGE, "one number for --%s, found '%s': 'quantz plan' makes tables of several", option,
                     text);
    if (st == QZ_OK) *out = v[0];
    qz_arena_release(&a);
    return st;
}
