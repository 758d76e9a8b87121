#include "plan/numbers.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

qz_status qz_plan_numbers(const char *text, const char *option, uint64_t most, qz_arena *arena, uint64_t **out, size_t *n, qz_error *err) {
    size_t count = 1;
    for (const char *c = text; *c; c++) count += *c == ',';
    *out = qz_arena_alloc(arena, count, sizeof **out);
    *n = 0;
    if (*out == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (const char *p = text;; p++) {
        char *end;
        errno = 0;
        unsigned long long v = isdigit((unsigned char)*p) ? strtoull(p, &end, 10) : 0;
        bool bad = !isdigit((unsigned char)*p) || errno != 0;
        if (!bad && (*end == 'k' || *end == 'K')) bad = v > most, v *= 1024, end++;
        if (!bad && *end != ',' && *end != 0) bad = true;
        if (bad || v < 1 || v > most)
            return qz_fail(err, QZ_EUSAGE, "bad value '%s' for --%s: expected whole numbers from 1 to %llu, for example 4096 or 4k,32k", text, option,
                           (unsigned long long)most);
        (*out)[(*n)++] = v;
        if (*end == 0) return QZ_OK;
        p = end;
    }
}

qz_status qz_plan_number(const char *text, const char *option, uint64_t most, uint64_t *out, qz_error *err) {
    qz_arena a = {0};
    uint64_t *v;
    size_t n;
    if (text == NULL) return QZ_OK;
    qz_status st = qz_plan_numbers(text, option, most, &a, &v, &n, err);
    if (st == QZ_OK && n != 1) st = qz_fail(err, QZ_EUSAGE, "one number for --%s, found '%s': 'quantz plan' makes tables of several", option, text);
    if (st == QZ_OK) *out = v[0];
    qz_arena_release(&a);
    return st;
}
