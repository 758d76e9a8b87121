#include "pipeline/claims.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "base/str.h"
#include "pipeline/evaluate.h"
#include "pipeline/release.h"
#include "pipeline/results.h"
#include "produce/calib_data.h"
#include <string.h>

static const struct { const char *name, *scheme; bool calibrated; } artifacts[QZ_CLAIM_ARTIFACTS] = {
#define QZ_CLAIM_ARTIFACT(id, name, scheme, calibrated) {name, scheme, calibrated},
#include "pipeline/claim_artifacts.def"
#undef QZ_CLAIM_ARTIFACT
};
static const struct { const char *id, *claim, *told, *source; } told[] = {
#define QZ_CLAIM(id, claim, value, source, note) {id, claim, value, source},
#include "explain/claims.def"
#undef QZ_CLAIM
};
enum { TOLD = sizeof told / sizeof *told };

typedef struct {
    qz_claims *c;
    qz_scratch scratch;     /* without -o */
    const char *folder;     /* of the artifacts */
    bool own;
    qz_measured *rows;
    size_t n_rows;
} work;

/* ---- which claims ---- */
static qz_status choose(qz_claims *c, qz_error *err) {
    uint8_t want[TOLD] = {0};
    const char *rest = c->r->only;
    qz_piece item;
    for (size_t i = 0; i < TOLD; i++) want[i] = rest == NULL && qz_claim_how_of(told[i].id) != NULL;
    while (rest && qz_list_next(&rest, &item)) {
        size_t at = 0;
        while (at < TOLD && !(strlen(told[at].id) == item.n && memcmp(told[at].id, item.at, item.n) == 0)) at++;
        if (at == TOLD || qz_claim_how_of(told[at].id) == NULL)
            return qz_fail(err, QZ_EUSAGE,
                           "--only: expected claims C-194 to C-209 with commas ('quantz explain claims'), found '%.*s'",
                           (int)item.n, item.at);
        want[at] = 1;
    }
    c->row = qz_arena_calloc(&c->arena, TOLD, sizeof *c->row);
    if (c->row == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < TOLD; i++)
        if (want[i])
            c->row[c->n++] = (qz_claim_row){.id = told[i].id, .claim = told[i].claim, .told = told[i].told,
                                            .source = told[i].source, .ours = "", .why = "",
                                            .verdict = QZ_CLAIM_NOT_MEASURED};
    return QZ_OK;
}

/* ---- artifacts ---- */
/* Seconds that earlier calls took, by name: artifacts that stand there are not made again. */
static json_t *times_of(const work *w) {
    char *path = qz_path_join(w->folder, "seconds.json");
    json_t *root = NULL;
    if (path && qz_path_exists(path)) (void)qz_json_load(path, 1 << 16, &root, &(qz_error){0});
    qz_free(path);
    return json_is_object(root) ? root : (json_decref(root), json_object());
}

static qz_status keep_times(const work *w, json_t *times, qz_error *err) {
    qz_release_file f = {.name = "seconds.json"};
    char *text = json_dumps(times, JSON_SORT_KEYS);
    if (text) qz_str_printf(&f.text, "%s\n", text);
    const qz_status st = text ? qz_release_files_write(w->folder, &f, 1, err)
                              : qz_fail(err, QZ_EMEMORY, "out of memory");
    free(text); /* jansson's */
    qz_str_release(&f.text);
    return st;
}

size_t qz_claim_fewer(const qz_claims *c) {
    const size_t all = qz_min_size((size_t)c->r->samples, c->windows);
    return all >= 256 ? 128 : qz_max_size(1, all / 2);
}

static qz_status make(work *w, size_t i, json_t *times, qz_error *err) {
    qz_claims *c = w->c;
    qz_request r = *c->r;
    qz_produced p;
    char scheme[80];
    r.to = artifacts[i].scheme;
    r.output = c->path[i];
    r.search = "compat";
    r.effort = "default";
    r.text = r.tasks = r.only = NULL;
    r.linted = true;
    if (!artifacts[i].calibrated) r.data = NULL;
    if (i == QZ_CLAIM_ON_GPTQ_HALF) r.samples = qz_claim_fewer(c);
    const qz_status st = qz_quantize(c->run, &r, &p, scheme, err);
    if (st == QZ_OK && !p.finished) json_object_set_new(times, artifacts[i].name, json_real(p.seconds));
    c->seconds[i] = json_number_value(json_object_get(times, artifacts[i].name));
    qz_produced_release(&p);
    return st;
}

/* An artifact that this model cannot become costs the claims on it, not the run. */
static qz_status make_all(work *w, uint32_t needs, qz_error *err) {
    qz_claims *c = w->c;
    json_t *times = times_of(w);
    size_t of = 0, at = 0;
    qz_status st = times ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < QZ_CLAIM_ARTIFACTS; i++) of += (needs >> i) & 1;
    for (size_t i = 0; i < QZ_CLAIM_ARTIFACTS && st == QZ_OK; i++) {
        if (!((needs >> i) & 1)) continue;
        qz_error why = {0};
        char *path = qz_path_join(w->folder, artifacts[i].name);
        c->path[i] = path ? qz_arena_strdup(&c->arena, path) : NULL;
        qz_free(path);
        if (c->path[i] == NULL) st = qz_fail(err, QZ_EMEMORY, "out of memory");
        if (st != QZ_OK) break;
        qz_info(c->run, "%zu of %zu: %s", ++at, of, artifacts[i].name);
        const qz_status made = make(w, i, times, &why);
        if (made == QZ_OK) {
            st = keep_times(w, times, err);
            continue;
        }
        if (made != QZ_EUSAGE && made != QZ_EUNSUPPORTED && made != QZ_ENUMERIC)
            st = qz_fail(err, made, "%s", why.text);
        else if ((c->failed[i] = qz_arena_strdup(&c->arena, why.text)) == NULL)
            st = qz_fail(err, QZ_EMEMORY, "out of memory");
        else qz_warn(c->run, "%s is left out: %s", artifacts[i].name, why.text);
    }
    json_decref(times);
    return st;
}

/* All of them in one pass; tasks are run on those that a claim is about. */
static qz_status measure(work *w, qz_error *err) {
    qz_claims *c = w->c;
    const char *paths[QZ_CLAIM_ARTIFACTS];
    size_t id[QZ_CLAIM_ARTIFACTS], n = 0;
    qz_eval_facts facts = {0};
    qz_request r = *c->r;
    r.arith = "exact";
    r.tasks = NULL;
    for (size_t i = 0; i < QZ_CLAIM_ARTIFACTS; i++)
        if (c->path[i] && !c->failed[i]) paths[n] = c->path[i], id[n++] = i;
    w->rows = qz_calloc_array(n + 1, sizeof *w->rows);
    if (w->rows == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    if (n == 0) return QZ_OK;
    const qz_status st = qz_evaluate(c->run, &r, &(qz_compared){r.operands[0], paths, n}, w->rows, &w->n_rows, &facts,
                                     err);
    qz_str_release(&facts.task_log);
    if (st != QZ_OK) return st;
    c->source = &w->rows[0];
    for (size_t i = 0; i < n; i++) c->on[id[i]] = &w->rows[i + 1];
    memcpy(c->set, facts.set, sizeof c->set);
    memcpy(c->token_hash, facts.token_hash, sizeof c->token_hash);
    return QZ_OK;
}

static qz_status look_at_data(qz_claims *c, qz_error *err) {
    qz_source s = {0};
    qz_dataset d = {0};
    qz_windows w = {0};
    const char *accepted = NULL;
    QZ_TRY(qz_source_open(c->run, c->r->operands[0], &s, err));
    c->model = qz_arena_strdup(&c->arena, s.name);
    qz_status st = c->model ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) st = qz_calib_leaks(&s, c->r, &c->arena, &accepted, err);
    if (st == QZ_OK) st = qz_calib_windows(c->run, &s, c->r, &d, &w, err);
    c->windows = w.n_windows;
    qz_windows_release(&w);
    qz_dataset_release(&d);
    qz_source_release(&s);
    return st;
}

/* Why a claim's artifacts are not all there; NULL: they are. */
static const char *missing(const qz_claims *c, uint32_t needs) {
    for (size_t i = 0; i < QZ_CLAIM_ARTIFACTS; i++)
        if (((needs >> i) & 1) && c->on[i] == NULL) return c->failed[i] ? c->failed[i] : "not made";
    return NULL;
}

static qz_status run_all(work *w, qz_error *err) {
    qz_claims *c = w->c;
    uint32_t needs = 0;
    QZ_TRY(choose(c, err));
    for (size_t i = 0; i < c->n; i++) needs |= qz_claim_how_of(c->row[i].id)->needs;
    QZ_TRY(look_at_data(c, err));
    QZ_TRY(make_all(w, needs, err));
    QZ_TRY(measure(w, err));
    for (size_t i = 0; i < c->n; i++) {
        const qz_claim_how *how = qz_claim_how_of(c->row[i].id);
        const char *why = missing(c, how->needs);
        if (why) c->row[i].why = why;
        else QZ_TRY(how->judge(c, &c->row[i], err));
    }
    return QZ_OK;
}

qz_status qz_claims_run(qz_run *run, const qz_request *r, qz_claims *out, qz_error *err) {
    work w = {.c = out, .own = r->output == NULL};
    qz_error rest = {0};
    *out = (qz_claims){.run = run, .r = r};
    if (!r->data || !r->text)
        return qz_fail(err, QZ_EUSAGE, "claims needs --calib FILE to calibrate on and --text FILE to measure on");
    if (w.own) QZ_TRY(qz_scratch_make("claims", &w.scratch, err));
    w.folder = w.own ? w.scratch.path : r->output;
    qz_status st = w.own || qz_path_is_dir(w.folder) ? QZ_OK : qz_make_dirs(w.folder, err);
    if (st == QZ_OK) st = run_all(&w, err);
    for (size_t i = 0; i < w.n_rows; i++) qz_measured_release(&w.rows[i]);
    qz_free(w.rows);
    const qz_status gone = w.own ? qz_scratch_remove(&w.scratch, &rest) : QZ_OK;
    return st == QZ_OK && gone != QZ_OK ? (*err = rest, gone) : st;
}

void qz_claims_release(qz_claims *c) { qz_arena_release(&c->arena); }
