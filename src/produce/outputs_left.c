/* What a killed job has left beside its output: how it is known to be ours, and how it is put right. */
#include "base/size.h"
#include "base/str.h"
#include "calibrate/stats.h"
#include "formats/gguf.h"
#include "produce/outputs.h"
#include <string.h>

static bool starts_as(const char *path, const char *ending) {
    static const char manifest[] = "{\n  \"manifest\": 1,", items[] = "quantz-items ", stats[] = QZ_STATS_MAGIC;
    qz_map m = {0};
    qz_error ignored = {0};
    bool yes = false;
    if (qz_path_kind_of(path) != QZ_PATH_FILE || qz_map_open(&m, path, &ignored) != QZ_OK) return false;
    if (strcmp(ending, ".manifest.json") == 0)
        yes = m.size >= sizeof manifest - 1 && memcmp(m.ptr, manifest, sizeof manifest - 1) == 0;
    else if (m.size >= sizeof stats - 1 && memcmp(m.ptr, stats, sizeof stats - 1) == 0)
        yes = strncmp(ending, QZ_OWN_STATS, sizeof QZ_OWN_STATS - 1) == 0;
    else if (m.size >= sizeof items - 1 && memcmp(m.ptr, items, sizeof items - 1) == 0) yes = true;
    /* calibration's begins with a hash */
    else yes = m.size == 0 || (m.size > 64 && strspn((const char *)m.ptr, "0123456789abcdef") == 64);
    qz_map_release(&m);
    return yes;
}

static char *ended(const char *path, const char *a, const char *b) {
    qz_str s = {0};
    qz_str_printf(&s, "%s%s%s", path, a, b);
    if (!s.failed) return s.ptr;
    qz_str_release(&s);
    return NULL;
}

/* A journal is made before what it belongs to and removed after it. */
static bool has_journal(const char *path, const char *of) {
    char *name = ended(path, of, ".partial.journal");
    const bool yes = name && starts_as(name, ".partial.journal");
    qz_free(name);
    return yes;
}

/* The parts of a split artifact have one journal, beside the first. */
static bool first_has_journal(const char *path) {
    size_t no, count;
    char *first = qz_gguf_part_named(path, &no, &count) ? qz_gguf_part_path(path, 0, count) : NULL;
    const bool yes = first && has_journal(first, "");
    qz_free(first);
    return yes;
}

bool qz_outputs_left(const char *path, const char *ending) {
    char *name = ended(path, ending, "");
    bool yes = name && starts_as(name, ending);
    qz_free(name);
    if (yes || strcmp(ending, ".manifest.json") == 0) return yes; /* which may stand there without any job */
    return qz_lock_left(path) ||
           has_journal(path, strncmp(ending, QZ_OWN_STATS, sizeof QZ_OWN_STATS - 1) == 0 ? QZ_OWN_STATS : "") ||
           first_has_journal(path);
}

bool qz_outputs_unfinished(const char *path) { return has_journal(path, ""); }

qz_status qz_outputs_recover(qz_run *run, const char *path, qz_output_kind kind, qz_error *err) {
    static const char *const endings[] = {"", QZ_OWN_STATS, ".manifest.json"};
    /* the names that belong to a kind, no others */
    const size_t n = kind == QZ_OUTPUT_ARTIFACT ? 3 : kind == QZ_OUTPUT_FILE ? 2 : 0;
    for (size_t i = 0; i < n; i++) {
        char *to = ended(path, endings[i], ""), *from = ended(path, endings[i], ".partial");
        qz_recovered what = QZ_RECOVERED_NOTHING;
        qz_status st = to && from ? qz_commit_recover(from, to, &what, err) : qz_fail(err, QZ_EMEMORY, "out of memory");
        if (what == QZ_RECOVERED_OLD && st == QZ_OK)
            qz_info(run, "'%s' is put back: a killed job had moved it aside", to);
        if (what == QZ_RECOVERED_NEW && st == QZ_OK)
            qz_info(run, "'%s" QZ_OLD "' is removed: a killed job has left it", from);
        qz_free(from);
        qz_free(to);
        QZ_TRY(st);
    }
    return QZ_OK;
}

static const char *const rests[] = {QZ_OWN_STATS ".partial", QZ_OWN_STATS ".partial.journal", QZ_OWN_STATS, ".partial",
                                    ".partial.journal", ".manifest.json.partial"};
enum { OF_STATS = 3, OF_FILE = 5, OF_ARTIFACT = 6 }; /* the names that belong to a kind, no others */

static qz_status remove_rests(qz_run *run, const char *path, size_t n, qz_error *err) {
    for (size_t i = 0; i < n; i++) {
        char *name = ended(path, rests[i], "");
        const bool there = name && qz_path_exists(name);
        qz_status st = name == NULL ? qz_fail(err, QZ_EMEMORY, "out of memory")
                       : there      ? qz_remove_tree(name, err)
                                    : QZ_OK;
        if (there && st == QZ_OK) qz_info(run, "'%s' is removed: a killed job has left it", name);
        qz_free(name);
        QZ_TRY(st);
    }
    return QZ_OK;
}

qz_status qz_outputs_tidy(qz_run *run, const char *path, qz_output_kind kind, qz_error *err) {
    return remove_rests(run, path,
                        kind == QZ_OUTPUT_ARTIFACT ? OF_ARTIFACT
                        : kind == QZ_OUTPUT_FILE   ? OF_FILE
                                                   : 0,
                        err);
}

qz_status qz_outputs_tidy_stats(qz_run *run, const char *path, qz_error *err) {
    return remove_rests(run, path, OF_STATS, err);
}
