/* The pages of a release (report.md, report.json, cards): all of them get their names together, and none takes the
 * place of a file that is not this job's. report.json lists the others with their hashes. */
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "pipeline/release.h"
#include "report/html_report.h"
#include <stdio.h>
#include <string.h>

enum { REPORT_LIMIT = 1 << 30, PAGE_LIMIT = 1 << 26 };

qz_status qz_release_files_write(const char *dir, const qz_release_file *f, size_t n, qz_error *err) {
    qz_arena a = {0};
    qz_move *moves = qz_arena_calloc(&a, n, sizeof *moves);
    qz_status st = moves ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory writing the report");
    size_t staged = 0;
    for (; staged < n && st == QZ_OK; staged += st == QZ_OK) {
        const qz_release_file *one = &f[staged];
        const char *to = qz_arena_printf(&a, "%s/%s", dir, one->name),
                   *from = to ? qz_arena_printf(&a, "%s.partial", to) : NULL;
        moves[staged] = (qz_move){from, to};
        if (from == NULL || one->text.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory writing the report");
        else st = qz_stage_file(to, one->text.ptr, one->text.len, err);
    }
    if (st == QZ_OK) st = qz_commit(moves, n, err);
    while (st != QZ_OK && staged-- > 0) (void)qz_remove_tree(moves[staged].from, &(qz_error){0});
    qz_arena_release(&a);
    return st;
}

/* ---- what stands there before ---- */
typedef struct {
    const qz_outputs *outs;
    const char *dir, *const *paths;
    size_t n;             /* artifacts of this job */
    bool html;            /* report.html is one of its files */
    const json_t *report; /* report.json of this job, NULL: none */
    qz_arena arena;
} before;

static const char *text_of(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

/* Both lists are short; rows[0] is the source. */
static bool same_artifacts(const before *b, const json_t *report) {
    const json_t *rows = json_object_get(report, "rows");
    if (json_array_size(rows) != b->n + 1) return false;
    for (size_t i = 0; i < b->n; i++) {
        bool found = false;
        for (size_t k = 1; k <= b->n && !found; k++)
            found =
                strcmp(qz_path_base(text_of(json_array_get(rows, k), "artifact")), qz_path_base(b->paths[i])) == 0;
        if (!found) return false;
    }
    return true;
}

static qz_status other_artifacts(const before *b, const char *path, const json_t *report, qz_error *err) {
    const json_t *rows = json_object_get(report, "rows");
    qz_str want = {0}, found = {0};
    for (size_t i = 0; i < b->n; i++) qz_str_printf(&want, "%s%s", i ? ", " : "", qz_path_base(b->paths[i]));
    for (size_t k = 1; k < json_array_size(rows); k++)
        qz_str_printf(&found, "%s%s", k > 1 ? ", " : "", qz_path_base(text_of(json_array_get(rows, k), "artifact")));
    qz_status st = qz_fail(
        err, QZ_EUSAGE,
        "output exists and is the report of another list of artifacts: '%s': expected '%.300s', found '%.300s'; "
        "choose another folder, or give --force to replace it",
        path, want.ptr ? want.ptr : "", found.ptr ? found.ptr : "");
    qz_str_release(&want);
    qz_str_release(&found);
    return st;
}

static bool is_report(const json_t *root) {
    return *text_of(root, "quantz") && *text_of(root, "source_sha256") &&
           json_is_array(json_object_get(root, "rows"));
}

/* Pages that a killed job gave their names before report.json had its own are known by how they begin. */
static bool begins_as_ours(const char *text) {
    const char *end = strchr(text, '\n'), *card = strstr(text, ", made by quantz ");
    static const char report[] = ": release report";
    const size_t k = sizeof report - 1;
    if (strncmp(text, QZ_HTML_HEAD, sizeof QZ_HTML_HEAD - 1) == 0) return true;
    if (strncmp(text, "# ", 2) != 0 || end == NULL) return false;
    return ((size_t)(end - text) > k && strncmp(end - k, report, k) == 0) || (card && card - end < 400);
}

/* report.md or a card: as report.json lists it, or of a job that was killed. */
static qz_status check_page(before *b, const char *name, qz_error *err) {
    const char *path = qz_arena_printf(&b->arena, "%s/%s", b->dir, name);
    const json_t *files = json_object_get(b->report, "files");
    char *text = NULL, hex[65];
    size_t n = 0;
    bool ours = false;
    if (path == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    if (!qz_path_exists(path)) return QZ_OK;
    QZ_TRY(qz_read_file(path, PAGE_LIMIT, &text, &n, err));
    qz_sha256_bytes_hex(text, n, hex);
    for (size_t i = 0; i < json_array_size(files) && !ours; i++) {
        const json_t *f = json_array_get(files, i);
        ours = strcmp(text_of(f, "name"), name) == 0 && strcmp(text_of(f, "sha256"), hex) == 0;
    }
    /* report.html stands in no list (it is made of report.json): its first lines tell */
    ours =
        ours || ((qz_outputs_interrupted(b->outs, path) || strcmp(name, "report.html") == 0) && begins_as_ours(text));
    qz_free(text);
    if (ours) return QZ_OK;
    return qz_fail(
        err, QZ_EUSAGE,
        "output exists and is not what this job wrote: '%s': %s; move it away, or give --force to replace it", path,
        b->report ? "expected the bytes whose hash 'report.json' lists"
                  : "no 'report.json' of this job stands beside it");
}

static qz_status check_pages(before *b, qz_error *err) {
    QZ_TRY(check_page(b, "report.md", err));
    if (b->html) QZ_TRY(check_page(b, "report.html", err));
    for (size_t i = 0; i < b->n; i++) {
        const char *name = qz_arena_printf(&b->arena, "%s.card.md", qz_path_base(b->paths[i]));
        if (name == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
        QZ_TRY(check_page(b, name, err));
    }
    return QZ_OK;
}

qz_status qz_release_before(const qz_outputs *o, const qz_request *r, const char *const *paths, size_t n,
                            char source_sha[65], qz_error *err) {
    before b = {.outs = o, .dir = r->output, .paths = paths, .n = n, .html = r->html};
    json_t *root = NULL;
    source_sha[0] = 0;
    const char *path = qz_arena_printf(&b.arena, "%s/report.json", b.dir),
               *calibration = qz_arena_printf(&b.arena, "%s/calibration", b.dir);
    const char *stats = calibration ? qz_arena_printf(&b.arena, "%s" QZ_OWN_STATS, calibration) : NULL;
    qz_status st = path && stats ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK && qz_path_exists(stats) && !qz_outputs_left(calibration, QZ_OWN_STATS))
        st = qz_fail(err, QZ_EUSAGE,
                     "output '%s' would replace '%s', which is not ours; move it away or choose another output",
                     b.dir, stats);
    if (st == QZ_OK && qz_path_exists(path)) {
        (void)qz_json_load(path, REPORT_LIMIT, &root, &(qz_error){0});
        if (!is_report(root))
            st = qz_fail(
                err, QZ_EUSAGE,
                "output '%s' is no report of quantz and is never replaced; move it away or choose another folder",
                path);
        else if (!r->force && !same_artifacts(&b, root)) st = other_artifacts(&b, path, root, err);
        else if (!r->force) {
            b.report = root;
            (void)snprintf(source_sha, 65, "%s", text_of(root, "source_sha256"));
        }
    }
    if (st == QZ_OK && !r->force) st = check_pages(&b, err);
    json_decref(root);
    qz_arena_release(&b.arena);
    return st;
}
