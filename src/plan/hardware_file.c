/* Own hardware rows: tab separated lines, checked field by field. */
#include "text/text_file.h"
#include "base/size.h"
#include "plan/hardware_int.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FILE_LIMIT = 1 << 20, FIELDS = 8, MORE = 2 };
static const char *const columns[FIELDS + MORE] = {"name", "kind", "visible MiB", "bandwidth GB/s", "native types",
                                            "compute capability x10", "date", "source", "TFLOPS in 16 bits",
                                                   "TFLOPS in 8 bits"};

/* Column i of a row. */
static qz_status number(const char *file, size_t line, char *const field[], int i, const double range[2], double *out,
                        qz_error *err) {
    const char *text = field[i];
    const double lo = range[0], hi = range[1];
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    if (end == text || *end || errno || !isfinite(*out) || *out < lo || *out > hi)
        return qz_fail(err, QZ_EFORMAT,
                       "bad %s: file '%s', line %zu: expected a number from %.15g to %.15g without unit, found '%s'",
                       columns[i], file, line, lo, hi, text);
    return QZ_OK;
}

static qz_status parse_row(qz_hardware_set *set, const char *file, size_t line, char *text, qz_hardware *h,
                           qz_error *err) {
    char *field[FIELDS + MORE];
    int n = 0;
    for (char *p = text; p && n < FIELDS + MORE; n++) {
        char *tab = strchr(p, '\t');
        field[n] = p;
        if (tab && n < FIELDS + MORE - 1) *tab = 0;
        p = tab && n < FIELDS + MORE - 1 ? tab + 1 : NULL;
    }
    if (n != FIELDS && n != FIELDS + MORE)
        return qz_fail(err, QZ_EFORMAT,
                       "bad hardware row: file '%s', line %zu: expected 8 fields separated by tabs (name, kind, "
                       "visible MiB, GB/s, native types, capability, date, source), or 10 (TFLOPS in 16 and in 8 bits "
                       "besides), found %d",
                       file, line, n);
    double mib, gbps, cc, tflops = 0, tflops8 = 0;
    if (strcmp(field[1], "gpu") && strcmp(field[1], "mac") && strcmp(field[1], "cpu"))
        return qz_fail(err, QZ_EFORMAT, "bad kind: file '%s', line %zu: expected gpu, mac or cpu, found '%s'", file,
                       line, field[1]);
    QZ_TRY(number(file, line, field, 2, (const double[]){1, 1e9}, &mib, err));
    QZ_TRY(number(file, line, field, 3, (const double[]){0, 1e6}, &gbps, err));
    QZ_TRY(number(file, line, field, 5, (const double[]){0, 300}, &cc, err));
    if (n > FIELDS) {
        QZ_TRY(number(file, line, field, 8, (const double[]){0, 1e6}, &tflops, err));
        QZ_TRY(number(file, line, field, 9, (const double[]){0, 1e6}, &tflops8, err));
    }
    if (!*field[0] || !*field[6] || !*field[7])
        return qz_fail(err, QZ_EFORMAT,
                       "bad hardware row: file '%s', line %zu: name, date and source must not be empty", file, line);
    *h = (qz_hardware){.visible_mib = mib,
                       .bandwidth_gbps = gbps,
                       .tflops = tflops,
                       .tflops8 = tflops8,
                       .capability = (int)cc,
                       .vendor = cc > 0                         ? "nvidia"
                                 : strcmp(field[1], "mac") == 0 ? "apple"
                                                                : "any"};
    h->name = qz_arena_strdup(&set->arena, field[0]);
    h->kind = qz_arena_strdup(&set->arena, field[1]);
    h->native = qz_arena_strdup(&set->arena, field[4]);
    h->date = qz_arena_strdup(&set->arena, field[6]);
    h->source = qz_arena_strdup(&set->arena, field[7]);
    return h->name && h->kind && h->native && h->date && h->source
               ? QZ_OK
               : qz_fail(err, QZ_EMEMORY, "out of memory for the hardware table");
}

qz_status qz_hardware_read_file(qz_hardware_set *set, const char *file, qz_error *err) {
    char *text = NULL;
    size_t len = 0, line = 0, added = 0;
    QZ_TRY(qz_text_read(file, FILE_LIMIT, &text, &len, NULL, err));
    qz_status st = QZ_OK;
    for (char *p = text, *next; st == QZ_OK && p && *p; p = next) {
        next = strchr(p, '\n');
        if (next) *next++ = 0;
        line++;
        size_t n = strlen(p);
        if (n && p[n - 1] == '\r') p[n - 1] = 0;
        if (*p == 0 || *p == '#') continue;
        qz_hardware h, *at = NULL;
        st = parse_row(set, file, line, p, &h, err);
        if (st != QZ_OK) break;
        for (size_t i = 0; i < set->n; i++)
            if (strcasecmp(set->rows[i].name, h.name) == 0) at = &set->rows[i];
        if (at == NULL && added++ == QZ_HARDWARE_FILE_ROWS)
            st = qz_fail(err, QZ_EFORMAT, "too many rows: file '%s': expected at most %d", file, QZ_HARDWARE_FILE_ROWS);
        else if (at == NULL) at = &set->rows[set->n++];
        if (st == QZ_OK) *at = h;
    }
    qz_free(text);
    return st;
}
