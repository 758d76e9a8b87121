#include "plan/hardware.h"
#include "base/size.h"
#include "base/str.h"
#include "plan/hardware_int.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const qz_hardware builtin[] = {
#define QZ_HARDWARE(...) {__VA_ARGS__},
#include "plan/hardware.def"
#undef QZ_HARDWARE
};
enum { N_BUILTIN = sizeof builtin / sizeof builtin[0] };

qz_status qz_hardware_open(qz_hardware_set *set, const char *file, qz_error *err) {
    *set = (qz_hardware_set){0};
    qz_status st = QZ_OK;
    set->rows = qz_arena_alloc(&set->arena, N_BUILTIN + QZ_HARDWARE_FILE_ROWS, sizeof *set->rows);
    if (set->rows == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for the hardware table");
    memcpy(set->rows, builtin, sizeof builtin);
    set->n = N_BUILTIN;
    if (file) st = qz_hardware_read_file(set, file, err);
    if (st != QZ_OK) qz_hardware_release(set);
    return st;
}
void qz_hardware_release(qz_hardware_set *set) {
    qz_arena_release(&set->arena);
    *set = (qz_hardware_set){0};
}

static void normalise(const char *text, char out[64]) {
    size_t n = 0;
    for (; *text && n < 63; text++)
        if (isalnum((unsigned char)*text)) out[n++] = (char)tolower((unsigned char)*text);
    out[n] = 0;
}

/* Does the name hold what is wanted as whole words? "rtx 4090" is in "rtx-4090-24gb", and "rtx 2080" not in
 * "rtx-2080ti-11gb". */
static bool names_whole(const char *name, const char *want) {
    for (const char *p = name; *p; p++) {
        const char *a = p, *b = want;
        if (p > name && isalnum((unsigned char)p[-1])) continue;
        for (;; a++, b++) { /* joints between words do not matter */
            while (*b && !isalnum((unsigned char)*b)) b++;
            if (*b == 0 && !isalnum((unsigned char)*a)) return true;
            while (*a && !isalnum((unsigned char)*a)) a++;
            if (*a == 0 || tolower((unsigned char)*a) != tolower((unsigned char)*b)) break;
        }
    }
    return false;
}

qz_status qz_hardware_find(const qz_hardware_set *set, const char *name, const qz_hardware **out, qz_error *err) {
    char want[64], have[64];
    const qz_hardware *part = NULL;
    size_t shortest = SIZE_MAX;
    normalise(name, want);
    qz_near near = {.word = want, .limit = strlen(want) / 3 + 2};
    for (size_t i = 0; i < set->n; i++) {
        normalise(set->rows[i].name, have);
        if (strcmp(want, have) == 0) return *out = &set->rows[i], QZ_OK;
        size_t len = strlen(have);
        (void)qz_near_as(&near, have, set->rows[i].name);
        char bare[64]; /* a model is named without its memory: "rtx-4090" of "rtx-4090-24gb" */
        const char *end = strrchr(set->rows[i].name, '-');
        (void)snprintf(bare, sizeof bare, "%.*s", end ? (int)(end - set->rows[i].name) : 63, set->rows[i].name);
        normalise(bare, have);
        (void)qz_near_as(&near, have, set->rows[i].name);
        if (want[0] && names_whole(set->rows[i].name, name) && len < shortest) shortest = len, part = &set->rows[i];
    }
    *out = part; /* "rtx 4090", "h100": the shortest name that holds it is the plain model */
    if (part) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "unknown hardware '%s': %s%s%s ('quantz plan --hardware list' shows all; --hardware-file adds rows; "
                   "--memory takes a plain size)",
                   name, near.best ? "nearest known is '" : "none is called like it", near.best ? near.best : "",
                   near.best ? "'" : "");
}

qz_status qz_hardware_choose(qz_run *run, const qz_hardware_set *set, const char *name, const qz_hardware **out,
                             qz_error *err) {
    char want[64], have[64];
    qz_str others = {0};
    QZ_TRY(qz_hardware_find(set, name, out, err));
    normalise(name, want);
    normalise((*out)->name, have);
    for (size_t i = 0; i < set->n && strcmp(want, have) != 0; i++)
        if (&set->rows[i] != *out && names_whole(set->rows[i].name, name))
            qz_str_printf(&others, "%s%s", others.len ? ", " : "", set->rows[i].name);
    if (others.len) qz_info(run, "note: '%s' is taken as %s; it stands for %s too", name, (*out)->name, others.ptr);
    qz_str_release(&others);
    return QZ_OK;
}

bool qz_hardware_native(const qz_hardware *h, const char *type) {
    const char *list = h->native;
    for (qz_piece p; qz_list_next(&list, &p);)
        if (qz_piece_is(p, type)) return true;
    return false;
}
uint64_t qz_hardware_bytes(const qz_hardware *h) { return (uint64_t)(h->visible_mib * 1048576.0); }

qz_status qz_bytes_parse(const char *text, const char *option, uint64_t *out, qz_error *err) {
    static const struct { const char *unit; double scale; } units[] = {
        {"B", 1}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"KiB", 1024}, {"MiB", 1048576},
        {"GiB", 1073741824}, {"TiB", 1099511627776.0}};
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (end == text || errno || !isfinite(v) || v < 0)
        return qz_fail(err, QZ_EUSAGE,
                       "bad size '%s' for --%s: expected a number with its unit, for example 24GB (10^9) or 24GiB "
                       "(2^30)",
                       text, option);
    while (*end == ' ') end++;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcasecmp(end, units[i].unit) != 0) continue;
        double bytes = v * units[i].scale;
        if (bytes > 9e18)
            return qz_fail(err, QZ_EUSAGE, "size '%s' for --%s is more than can be counted", text, option);
        *out = (uint64_t)(bytes + 0.5);
        return QZ_OK;
    }
    if (*end == 0)
        return qz_fail(err, QZ_EUSAGE, "size '%s' for --%s has no unit: write %gGB (10^9 bytes) or %gGiB (2^30 bytes)",
                       text, option, v, v);
    return qz_fail(err, QZ_EUSAGE,
                   "unknown unit '%s' in '%s' for --%s: expected B, KB, MB, GB, TB (powers of 10) or KiB, MiB, GiB, "
                   "TiB (powers of 2)",
                   end, text, option);
}

uint64_t qz_hardware_system_bytes(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
}
