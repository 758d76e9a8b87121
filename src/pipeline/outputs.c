#include "pipeline/outputs.h"
#include "artifacts/artifact.h"
#include "base/io.h"
#include "base/size.h"
#include "base/str.h"
#include <string.h>

enum { MAX_DEPTH = 3 }; /* folders below an input folder that are searched: checkpoints keep their parts one level down at most */

/* Request fields that name something read. calibrate's --imatrix is an output. */
typedef struct { const char *what; size_t offset; bool list; } input_field;
#define IN(what, field, list) {what, offsetof(qz_request, field), list}
static const input_field inputs[] = {
    IN("calibration data", data, true), IN("evaluation text", text, false), IN("task file", tasks, false), IN("statistics", stats, false),
    IN("importance matrix", imatrix, false), IN("traffic sample", traffic, false), IN("source", against, false), IN("hardware file", hardware_file, false),
    IN("report", report, false), IN("note", note, false), IN("adapter", lora, false), IN("configuration", config, false), IN("text", tokens, false)};
/* Files that are written beside an output PATH. */
static const char *const beside[] = {"", ".partial", ".partial.journal", ".manifest.json", ".stats", ".stats.partial", ".stats.partial.journal"};

/* Written by an earlier run of ours: replacing it loses nothing that was given to us. */
static bool ours(const char *path, const char *member) {
    static const char *const endings[] = {".partial", ".partial.journal", ".manifest.json", ".stats"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (qz_str_ends(member, endings[i])) return true;
    char *manifest = qz_manifest_path(path);
    bool yes = manifest && qz_path_exists(manifest);
    qz_free(manifest);
    return yes;
}

/* Is `path` (which exists) a file of input folder `dir`, under this or another name? */
static qz_status against_folder(const char *path, const char *dir, const char *what, int depth, qz_error *err) {
    char **names = NULL;
    size_t n = 0;
    QZ_TRY(qz_list_dir(dir, &names, &n, err));
    qz_status st = QZ_OK;
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        char *member = qz_path_join(dir, names[i]);
        if (member == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
        else if (qz_path_same(path, member)) {
            bool itself = strcmp(qz_path_base(path), names[i]) == 0 && !qz_path_is_link(path) && !qz_path_is_link(member);
            if (!itself || !ours(path, names[i]))
                st = qz_fail(err, QZ_EUSAGE, "output '%s' is part of the %s: file '%s'; it is never replaced, choose another output", path, what, member);
        } else if (depth < MAX_DEPTH && names[i][0] != '.' && !qz_path_is_link(member) && qz_path_is_dir(member))
            st = against_folder(path, member, what, depth + 1, err);
        qz_free(member);
    }
    qz_free_names(names, n);
    return st;
}

static qz_status against_input(const char *path, const char *input, const char *what, bool holder, qz_error *err) {
    if (qz_path_same(path, input))
        return qz_fail(err, QZ_EUSAGE, "output '%s' is the same as the %s '%s'; it is never replaced, choose another output", path, what, input);
    if (!holder && qz_path_is_dir(path) && qz_path_inside(input, path))
        return qz_fail(err, QZ_EUSAGE, "output folder '%s' holds the %s '%s'; it is never replaced, choose another output", path, what, input);
    if (holder || !qz_path_is_dir(input)) return QZ_OK;
    QZ_TRY(against_folder(path, input, what, 0, err));
    if (qz_path_inside(path, input) && !ours(path, qz_path_base(path))) /* however deep, and in hidden folders */
        return qz_fail(err, QZ_EUSAGE, "output '%s' is part of the %s '%s'; it is never replaced, choose another output", path, what, input);
    return QZ_OK;
}

/* Manifest, statistics and journals of the source are what an earlier job said of it: they go with it. */
static qz_status against_sidecars(const char *path, const char *source, qz_error *err) {
    for (size_t i = 1; i < sizeof beside / sizeof beside[0]; i++) {
        qz_str s = {0};
        qz_str_puts(&s, source);
        qz_str_puts(&s, beside[i]);
        qz_status st = s.failed ? qz_fail(err, QZ_EMEMORY, "out of memory")
                       : qz_path_same(path, s.ptr) ? qz_fail(err, QZ_EUSAGE, "output '%s' belongs to the source '%s'; it is never replaced, choose another output", path, source)
                                                   : QZ_OK;
        qz_str_release(&s);
        QZ_TRY(st);
    }
    return QZ_OK;
}

/* Every name of a list with commas; a name that holds a comma is tried as a whole too. */
static qz_status against_list(const char *path, const char *list, const char *what, bool holder, qz_error *err) {
    QZ_TRY(against_input(path, list, what, holder, err));
    while (*list) {
        size_t k = strcspn(list, ",");
        char *one = qz_strndup(list, k);
        if (one == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
        qz_status st = against_input(path, one, what, holder, err);
        qz_free(one);
        QZ_TRY(st);
        list += k + (list[k] == ',');
    }
    return QZ_OK;
}

static qz_status check_one(const qz_request *r, const char *path, bool main_name, bool holder, qz_error *err) {
    qz_path_kind kind = qz_path_kind_of(path);
    if (kind == QZ_PATH_NONE) return QZ_OK;
    if (kind == QZ_PATH_OTHER || kind == QZ_PATH_DANGLING || (!main_name && qz_path_is_link(path)))
        return qz_fail(err, QZ_EUSAGE, "output '%s' is %s and is never replaced: expected a regular file, a folder or a new name", path,
                       kind == QZ_PATH_FILE || kind == QZ_PATH_DIR ? "a link" : qz_path_kind_text(path));
    if (r->n_operands) {
        QZ_TRY(against_input(path, r->operands[0], "source", holder, err));
        QZ_TRY(against_sidecars(path, r->operands[0], err));
    }
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        const char *value;
        memcpy(&value, (const char *)r + inputs[i].offset, sizeof value);
        if (value == NULL || (inputs[i].offset == offsetof(qz_request, imatrix) && strcmp(r->verb, "calibrate") == 0)) continue;
        if (inputs[i].list) QZ_TRY(against_list(path, value, inputs[i].what, holder, err));
        else QZ_TRY(against_input(path, value, inputs[i].what, holder, err));
    }
    return QZ_OK;
}

static qz_status claim(qz_outputs *o, const qz_request *r, const char *path, bool holder, qz_error *err) {
    size_t n = strlen(path), k = sizeof beside / sizeof beside[0];
    if (n == 0) return qz_fail(err, QZ_EUSAGE, "the output has no name: give -o PATH");
    while (n > 1 && path[n - 1] == '/') n--;
    for (size_t i = 0; i < (holder ? 1 : k); i++) {
        qz_str s = {0};
        qz_str_append(&s, path, n);
        qz_str_puts(&s, beside[i]);
        qz_status st = s.failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : check_one(r, s.ptr, i == 0, holder, err);
        qz_str_release(&s);
        QZ_TRY(st);
    }
    return r->dry_run ? QZ_OK : qz_make_parents(path, &o->made, &o->n, err);
}
qz_status qz_outputs_claim(qz_outputs *o, const qz_request *r, const char *path, qz_error *err) { return claim(o, r, path, false, err); }
qz_status qz_outputs_claim_folder(qz_outputs *o, const qz_request *r, const char *path, qz_error *err) { return claim(o, r, path, true, err); }

void qz_outputs_end(qz_outputs *o, qz_status st) {
    if (st != QZ_OK) qz_drop_empty_dirs(o->made, o->n);
    qz_free_names(o->made, o->n);
    *o = (qz_outputs){0};
}
