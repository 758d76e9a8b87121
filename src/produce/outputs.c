#include "produce/outputs.h"
#include "artifacts/open.h"
#include "formats/gguf.h"
#include "base/io.h"
#include "base/size.h"
#include "base/str.h"
#include <string.h>

/* folders below an input folder that are searched: checkpoints keep their parts one level down at most */
enum { MAX_DEPTH = 3 };

/* Request fields that name something read. calibrate's --imatrix is an output. */
typedef struct { const char *what; size_t offset; bool list; } input_field;
#define IN(what, field, list) {what, offsetof(qz_request, field), list}
static const input_field inputs[] = {
    IN("calibration data", data, true), IN("evaluation text", text, false), IN("task file", tasks, false),
    IN("statistics", stats, false),
    IN("importance matrix", imatrix, false), IN("traffic sample", traffic, false), IN("source", against, false),
    IN("hardware file", hardware_file, false),
    IN("report", report, false), IN("note", note, false), IN("adapter", lora, false),
    IN("configuration", config_dir, false), IN("base", base, false),
    IN("settings", config, false), IN("text", tokens, false)};
/* Files that are written beside an output PATH; `single`: beside a single file too. */
static const struct { const char *ending; bool single; } beside[] = {{"", true}, {".partial", true},
                                                                     {".partial.journal", true},
                                                                     {".partial" QZ_OLD, true},
    {".manifest.json", false}, {".manifest.json.partial", false}, {".manifest.json.partial" QZ_OLD, false},
    {QZ_OWN_STATS, true}, {QZ_OWN_STATS ".partial", true}, {QZ_OWN_STATS ".partial.journal", true},
    {QZ_OWN_STATS ".partial" QZ_OLD, true}};

/* Written by an earlier run of ours: replacing it loses nothing that was given to us. */
static bool ours(const char *path, const char *member) {
    static const char *const endings[] = {".partial", ".partial.journal", (".partial" QZ_OLD), ".manifest.json",
                                          QZ_OWN_STATS};
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
            bool itself = strcmp(qz_path_base(path), names[i]) == 0 && !qz_path_is_link(path) &&
                          !qz_path_is_link(member);
            if (!itself || !ours(path, names[i]))
                st = qz_fail(err, QZ_EUSAGE,
                             "output '%s' is part of the %s: file '%s'; it is never replaced, choose another output",
                             path, what, member);
        } else if (qz_path_is_dir(path) && qz_path_inside(member, path))
            st = qz_fail(err, QZ_EUSAGE,
                         "output folder '%s' holds what the %s's file '%s' links to; it is never replaced, choose "
                         "another output",
                         path, what, member);
        else if (depth < MAX_DEPTH && names[i][0] != '.' && !qz_path_is_link(member) && qz_path_is_dir(member))
            st = against_folder(path, member, what, depth + 1, err);
        qz_free(member);
    }
    qz_free_names(names, n);
    return st;
}

static qz_status against_input(const char *path, const char *input, const char *what, bool holder, qz_error *err) {
    if (qz_path_same(path, input))
        return qz_fail(err, QZ_EUSAGE,
                       "output '%s' is the same as the %s '%s'; it is never replaced, choose another output", path,
                       what, input);
    if (!holder && qz_path_is_dir(path) && qz_path_inside(input, path))
        return qz_fail(err, QZ_EUSAGE,
                       "output folder '%s' holds the %s '%s'; it is never replaced, choose another output", path, what,
                       input);
    if (holder || !qz_path_is_dir(input)) return QZ_OK;
    QZ_TRY(against_folder(path, input, what, 0, err));
    if (qz_path_inside(path, input) && !ours(path, qz_path_base(path))) /* however deep, and in hidden folders */
        return qz_fail(err, QZ_EUSAGE,
                       "output '%s' is part of the %s '%s'; it is never replaced, choose another output", path, what,
                       input);
    return QZ_OK;
}

/* Manifest, statistics and journals of the source are what an earlier job said of it: they go with it. */
static qz_status against_sidecars(const char *path, const char *source, qz_error *err) {
    for (size_t i = 1; i < sizeof beside / sizeof beside[0]; i++) {
        qz_str s = {0};
        qz_str_puts(&s, source);
        qz_str_puts(&s, beside[i].ending);
        qz_status st =
            s.failed ? qz_fail(err, QZ_EMEMORY, "out of memory")
            : qz_path_same(path, s.ptr)
                ? qz_fail(err, QZ_EUSAGE,
                          "output '%s' belongs to the source '%s'; it is never replaced, choose another output", path,
                          source)
                : QZ_OK;
        qz_str_release(&s);
        QZ_TRY(st);
    }
    return QZ_OK;
}

/* Every name of a list with commas; a name that holds a comma is tried as a whole too. */
static qz_status against_list(const char *path, const char *list, const char *what, bool holder, qz_error *err) {
    QZ_TRY(against_input(path, list, what, holder, err));
    for (qz_piece p; qz_list_next(&list, &p);) {
        char *one = qz_strndup(p.at, p.n);
        if (one == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
        qz_status st = against_input(path, one, what, holder, err);
        qz_free(one);
        QZ_TRY(st);
    }
    return QZ_OK;
}

/* A checkpoint may be named by its config.json or one of its shards: the files beside it are the model. */
static qz_status against_siblings(const char *path, const char *source, bool holder, qz_error *err) {
    if (holder || qz_path_kind_of(source) != QZ_PATH_FILE ||
        !(qz_str_ends(source, ".json") || qz_str_ends(source, ".safetensors")))
        return QZ_OK;
    const size_t k = (size_t)(qz_path_base(source) - source);
    char *dir = k ? qz_strndup(source, k) : qz_strdup(".");
    if (dir == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    char **names = NULL;
    size_t n = 0;
    qz_status st = qz_list_dir(dir, &names, &n, err);
    for (size_t i = 0; i < n && st == QZ_OK; i++) {
        char *member = qz_path_join(dir, names[i]);
        bool part = qz_str_ends(names[i], ".json") || qz_str_ends(names[i], ".safetensors") ||
                    qz_str_ends(names[i], ".jinja") || qz_str_ends(names[i], ".model");
        if (member == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
        else if (part && !qz_str_ends(names[i], ".manifest.json") && qz_path_same(path, member))
            st = qz_fail(err, QZ_EUSAGE,
                         "output '%s' lies beside the source '%s' and may be part of it; it is never replaced, choose "
                         "another output",
                         path, source);
        qz_free(member);
    }
    qz_free_names(names, n);
    qz_free(dir);
    return st;
}

/* A split source is all of its parts. */
static qz_status against_source(const char *path, const char *source, bool holder, qz_error *err) {
    size_t no, count;
    QZ_TRY(against_input(path, source, "source", holder, err));
    if (!qz_gguf_part_named(source, &no, &count)) return QZ_OK;
    for (size_t i = 0; i < count; i++) {
        char *part = qz_gguf_part_path(source, i, count);
        qz_status st = part ? against_input(path, part, "source", holder, err)
                            : qz_fail(err, QZ_EMEMORY, "out of memory");
        qz_free(part);
        QZ_TRY(st);
    }
    return QZ_OK;
}

static qz_status check_one(const qz_request *r, const char *path, bool main_name, bool holder, qz_error *err) {
    qz_path_kind kind = qz_path_kind_of(path);
    if (kind == QZ_PATH_NONE) return QZ_OK;
    if (kind == QZ_PATH_OTHER || kind == QZ_PATH_DANGLING || (!main_name && qz_path_is_link(path)))
        return qz_fail(err, QZ_EUSAGE,
                       "output '%s' is %s and is never replaced: expected a regular file, a folder or a new name", path,
                       kind == QZ_PATH_FILE || kind == QZ_PATH_DIR ? "a link" : qz_path_kind_text(path));
    if (r->n_operands) {
        QZ_TRY(against_source(path, r->operands[0], holder, err));
        QZ_TRY(against_siblings(path, r->operands[0], holder, err));
        if (qz_path_exists(r->operands[0])) QZ_TRY(against_sidecars(path, r->operands[0], err));
    }
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        const char *value;
        memcpy(&value, (const char *)r + inputs[i].offset, sizeof value);
        if (value == NULL || (inputs[i].offset == offsetof(qz_request, imatrix) && strcmp(r->verb, "calibrate") == 0))
            continue;
        if (inputs[i].list) QZ_TRY(against_list(path, value, inputs[i].what, holder, err));
        else QZ_TRY(against_input(path, value, inputs[i].what, holder, err));
    }
    return QZ_OK;
}

/* The longest name that the job will make must fit: otherwise it would fail at its end. */
static qz_status check_length(const qz_request *r, const char *path, qz_output_kind kind, qz_error *err) {
    const char *longest = ".partial.lock";
    for (size_t i = 0; i < sizeof beside / sizeof beside[0] && kind != QZ_OUTPUT_FOLDER; i++) {
        const bool stats = strncmp(beside[i].ending, QZ_OWN_STATS, sizeof QZ_OWN_STATS - 1) == 0;
        const bool made = kind == QZ_OUTPUT_ARTIFACT ? !stats || r->data : beside[i].single && !stats;
        if (made && strlen(beside[i].ending) > strlen(longest)) longest = beside[i].ending;
    }
    return qz_path_fits(path, longest, err);
}

/* The output itself stands there already. */
static qz_status check_existing(const qz_request *r, const char *path, qz_output_kind kind, qz_error *err) {
    if (!qz_path_exists(path)) return QZ_OK;
    if (kind == QZ_OUTPUT_FILE && qz_path_is_dir(path))
        return qz_fail(err, QZ_EUSAGE,
                       "output '%s' is a folder: expected the name of a file; it is never replaced, choose another "
                       "output",
                       path);
    /* resume: the verb sees whether it is its own */
    if (r->force || r->resume || r->dry_run || kind == QZ_OUTPUT_FOLDER) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "output exists: '%s'; choose another name, or give --force to replace it%s", path,
                   strcmp(r->verb, "release") == 0 ? ", or --resume to keep finished artifacts"
                   : strcmp(r->verb, "calibrate") == 0 ? ", or --resume to keep what is finished" : "");
}

/* A name beside the output may hold what an earlier job of ours has left, and nothing else. */
static qz_status claim_beside(const qz_request *r, const char *path, const char *ending, qz_error *err) {
    qz_str s = {0};
    qz_str_printf(&s, "%s%s", path, ending);
    if (s.failed) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = check_one(r, s.ptr, false, false, err);
    if (st == QZ_OK && !r->dry_run && qz_path_exists(s.ptr) && !qz_outputs_left(path, ending))
        st = qz_fail(err, QZ_EUSAGE,
                     "output '%s' would replace '%s', which is not ours; move it away or choose another output", path,
                     s.ptr);
    qz_str_release(&s);
    return st;
}

static qz_claimed *find(const qz_outputs *o, const char *path) {
    for (size_t i = 0; i < o->n_claimed; i++)
        if (strcmp(o->claimed[i].path, path) == 0) return &o->claimed[i];
    return NULL;
}

bool qz_outputs_interrupted(const qz_outputs *o, const char *path) {
    const qz_claimed *c = find(o, path);
    return c ? c->lock.left : qz_lock_left(path); /* once claimed the lock file is our own */
}

static qz_status lock(qz_outputs *o, const char *path, qz_output_kind kind, qz_error *err) {
    if (find(o, path)) return QZ_OK; /* claimed before, when only the name was known */
    qz_claimed *more = qz_realloc_array(o->claimed, o->n_claimed + 1, sizeof *more);
    if (more == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    o->claimed = more;
    qz_claimed *c = &more[o->n_claimed];
    *c = (qz_claimed){.path = qz_strdup(path), .kind = kind};
    if (c->path == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = qz_lock_take(&c->lock, path, err);
    if (st == QZ_OK) o->n_claimed++;
    else qz_free(c->path);
    return st;
}

/* Makes the name this job's alone, and puts right what a killed one has left half renamed. */
static qz_status take(qz_outputs *o, const char *path, qz_output_kind kind, qz_error *err) {
    QZ_TRY(qz_make_parents(path, &o->made, &o->n, err));
    QZ_TRY(lock(o, path, kind, err));
    return qz_outputs_recover(o->run, path, kind, err);
}

qz_status qz_outputs_claim(qz_outputs *o, const qz_request *r, const char *path, qz_output_kind kind, qz_error *err) {
    size_t n = strlen(path);
    if (n == 0) return qz_fail(err, QZ_EUSAGE, "the output has no name: give -o PATH");
    while (n > 1 && path[n - 1] == '/') n--;
    char *bare = qz_strndup(path, n);
    if (bare == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = qz_outputs_named(r, bare, kind, err);
    if (st == QZ_OK) st = check_length(r, bare, kind, err);
    if (st == QZ_OK) st = check_one(r, bare, true, kind == QZ_OUTPUT_FOLDER, err);
    for (size_t i = 1; i < sizeof beside / sizeof beside[0] && st == QZ_OK && kind != QZ_OUTPUT_FOLDER; i++)
        if (kind == QZ_OUTPUT_ARTIFACT || beside[i].single) st = claim_beside(r, bare, beside[i].ending, err);
    if (st == QZ_OK && !r->dry_run) st = take(o, bare, kind, err);
    if (st == QZ_OK) st = check_existing(r, bare, kind, err);
    if (st == QZ_OK && kind == QZ_OUTPUT_ARTIFACT && r->force && qz_path_is_dir(bare))
        st = qz_outputs_listed(bare, err);
    qz_free(bare);
    return st;
}

qz_status qz_outputs_claim_parts(qz_outputs *o, const qz_request *r, const char *first, size_t count, qz_error *err) {
    QZ_TRY(qz_outputs_claim(o, r, first, QZ_OUTPUT_ARTIFACT, err));
    for (size_t i = 1; i < count; i++) {
        char *part = qz_gguf_part_path(first, i, count);
        qz_status st = part ? qz_outputs_claim(o, r, part, QZ_OUTPUT_FILE, err)
                            : qz_fail(err, QZ_EMEMORY, "out of memory");
        qz_free(part);
        QZ_TRY(st);
    }
    return QZ_OK;
}

void qz_outputs_end(qz_outputs *o, qz_status st) {
    qz_error why = {0};
    for (size_t i = 0; i < o->n_claimed; i++) { /* tidied while it is locked */
        qz_claimed *c = &o->claimed[i];
        if (st == QZ_OK && qz_outputs_tidy(o->run, c->path, c->kind, &why) != QZ_OK)
            qz_warn(o->run, "left by a killed job: %s", why.text);
        qz_lock_drop(&c->lock, st == QZ_OK);
        qz_free(c->path);
    }
    qz_free(o->claimed);
    if (st != QZ_OK) qz_drop_empty_dirs(o->made, o->n);
    qz_free_names(o->made, o->n);
    *o = (qz_outputs){0};
}
