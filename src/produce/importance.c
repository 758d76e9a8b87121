#include "produce/importance.h"
#include "artifacts/provenance.h"
#include "artifacts/artifact.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "formats/imatrix.h"
#include "calibrate/experts.h"
#include "text/accepted.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The searches form products of two weights in float32: outside of these they overflow or vanish, and a scale
 * becomes NaN or 0. */
static const float most = 0x1p46f, least = 0x1p-20f, nothing = 1e-16f;
enum { RUN = 16, NAMED = 8 }; /* RUN: the smallest group of columns that shares a scale */

qz_status qz_importance_open(const char *path, qz_arena *arena, qz_importance *imp, qz_produce_options *o,
                             qz_error *err) {
    if (path == NULL) return QZ_OK;
    qz_imatrix *im = qz_arena_calloc(arena, 1, sizeof *im);
    char *sha = qz_arena_calloc(arena, 65, 1);
    if (im == NULL || sha == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    QZ_TRY(qz_imatrix_open(im, path, err));
    imp->imatrix = im;
    QZ_TRY(qz_sha256_file_hex(path, sha, err));
    o->imatrix_sha = sha;
    o->imatrix_file = path;
    o->imatrix_dataset = im->n_datasets ? im->datasets[0] : NULL;
    o->imatrix_entries = (uint32_t)im->n;
    o->imatrix_chunks = im->chunk_count;
    o->imatrix_accepted = qz_accepted_join(arena, qz_imatrix_note_of(im, "quantz." QZ_ACCEPTED_KEY), NULL);
    if (o->imatrix_accepted == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    return QZ_OK;
}
void qz_importance_close(qz_importance *imp) {
    if (imp->imatrix) qz_imatrix_release(imp->imatrix);
    imp->imatrix = NULL;
}

/* What was made of an item's values. zeros: columns without importance that stand in whole runs; unseen: of an expert
 * (or a whole tensor) that no token reached, weights of 1. */
typedef struct { size_t zeros; float largest; bool scaled, unseen; } repair;

static size_t matrices(const qz_artifact_item *item) { return qz_max_size(1, item->experts); }

static bool unseen_in(const qz_imatrix_entry *e, const qz_artifact_item *item) {
    if (e->counts == NULL) return false;
    if (item->experts) return e->mats == item->experts && !(e->counts[item->expert] > 0);
    for (size_t m = 0; m < e->mats; m++)
        if (!(e->counts[m] > 0)) return true;
    return false;
}
static qz_status from_imatrix(qz_imatrix *im, const qz_artifact_item *item, qz_arena *arena, float **out, repair *r,
                              qz_error *err) {
    const qz_imatrix_entry *e = qz_imatrix_find(im, item->out_name);
    if (e == NULL) return QZ_OK; /* plain quantization, as the reference does */
    float *w = qz_arena_alloc(arena, item->cols, sizeof *w);
    if (w == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    *out = w;
    r->unseen = unseen_in(e, item);
    return qz_imatrix_part(im, item->out_name, matrices(item) * item->cols, item->expert * item->cols, item->cols, w,
                           err);
}

/* The output matrix has statistics of its own; a tied embedding is that matrix. */
static qz_status from_stats(const qz_stats *stats, const qz_artifact_item *item, qz_arena *arena, float **out,
                            repair *r, qz_error *err) {
    qz_input_stats in;
    const size_t layer = (size_t)item->layer, linear = (size_t)item->linear;
    const long expert = item->experts ? (long)item->expert : -1;
    if (item->linear >= 0 && item->layer >= 0)
        in = qz_stats_get(stats, layer, qz_input_of(&stats->info.in, layer, linear, expert));
    else if (strcmp(item->name, "lm_head.weight") == 0 || strcmp(item->name, "model.embed_tokens.weight") == 0)
        in = qz_stats_head(stats);
    else return QZ_OK;
    if (in.cols != item->cols)
        return qz_fail(err, QZ_EBUG, "importance of '%s': expected %zu columns, found %zu", item->name, item->cols,
                       in.cols);
    float *w = qz_arena_alloc(arena, in.cols, sizeof *w);
    if (w == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    r->unseen = in.tokens == 0;
    qz_stats_importance(&in, w);
    for (size_t i = 0; item->source && i < item->source->n_swaps; i++) { /* the file has columns in another order */
        float *a = &w[item->source->swaps[i][0]], *b = &w[item->source->swaps[i][1]], x = *a;
        *a = *b;
        *b = x;
    }
    for (size_t k = 0; r->unseen && k < in.cols; k++) w[k] = 1; /* as an importance matrix with a count of 0 */
    *out = w;
    return QZ_OK;
}

/* Weights the searches can work with: moved by a power of two if far from 1, all 1 if a whole run of columns has none
 * (the reference takes 1 for tensors whose counts are zero; a run of zeros would be written as zeros). */
static void make_usable(float *w, size_t n, repair *r) {
    int e = 0;
    for (size_t i = 0; i < n; i++) r->largest = fmaxf(r->largest, w[i]);
    r->scaled = r->largest > most || (r->largest > 0 && r->largest < least);
    if (r->scaled) (void)frexpf(r->largest, &e);
    for (size_t i = 0; i < n && r->scaled; i++) w[i] = ldexpf(w[i], -e);
    for (size_t i = 0; i < n; i += RUN) {
        size_t end = qz_min_size(i + RUN, n), k = i;
        while (k < end && w[k] < nothing) k++;
        if (k == end) r->zeros += end - i;
    }
    for (size_t i = 0; i < n && r->zeros; i++) w[i] = 1;
}

static qz_status read_weights(const qz_importance *imp, const qz_artifact_item *item, qz_arena *arena,
                              const float **out, repair *r, qz_error *err) {
    float *w = NULL;
    *out = NULL;
    *r = (repair){0};
    if (!item->importance_matters) return QZ_OK;
    if (imp->imatrix) QZ_TRY(from_imatrix(imp->imatrix, item, arena, &w, r, err));
    else if (imp->stats) QZ_TRY(from_stats(imp->stats, item, arena, &w, r, err));
    if (w) make_usable(w, item->cols, r);
    *out = w;
    return QZ_OK;
}

qz_status qz_importance_get(const qz_importance *imp, const qz_artifact_item *item, qz_arena *arena, const float **out,
                            qz_error *err) {
    repair ignored; /* said by the survey */
    return read_weights(imp, item, arena, out, &ignored, err);
}

/* ---- survey ---- */
typedef struct { qz_str text, json; size_t n; } name_list;
static void add_name(name_list *l, const char *name) {
    if (l->n < NAMED) qz_str_printf(&l->text, "%s%s", l->n ? ", " : "", name);
    qz_str_puts(&l->json, l->n++ ? "," : "");
    qz_json_quote(&l->json, name, strlen(name));
}
static const char *names_of(name_list *l) {
    if (l->n > NAMED) qz_str_printf(&l->text, " and %zu more (--json names all)", l->n - NAMED);
    return l->text.ptr ? l->text.ptr : "";
}
static const char *json_of(const name_list *l) { return l->json.ptr ? l->json.ptr : ""; }
static void release_names(name_list *l) {
    qz_str_release(&l->text);
    qz_str_release(&l->json);
}

typedef struct { name_list missing, ones, scaled, unused; size_t wanted, covered; const char *first; } survey;

/* One tensor of the file: a matrix, or the experts of a stack one after the other. */
typedef struct { qz_str unseen; size_t n_unseen; bool covered, ones, scaled; } tensor_look;

static void warn_repair(qz_run *run, const qz_artifact_item *it, const repair *r) {
    char where[32] = "";
    if (it->experts) (void)snprintf(where, sizeof where, " (expert %zu)", it->expert);
    const char *what = it->experts ? "expert" : "tensor";
    if (r->zeros && r->scaled)
        qz_warn(run,
                "importance of '%s'%s reaches %g, %zu of %zu columns vanish beside it: weights of 1 are used for this "
                "%s",
                it->out_name, where, (double)r->largest, r->zeros, it->cols, what);
    else if (r->zeros)
        qz_warn(run, "importance of '%s'%s is zero on %zu of %zu columns: weights of 1 are used for this %s",
                it->out_name, where, r->zeros, it->cols, what);
    else if (r->unseen && !it->experts)
        qz_warn(run, "importance of '%s' was never measured (count 0): weights of 1 are used for this tensor",
                it->out_name);
    else if (r->scaled)
        qz_warn(run, "importance of '%s'%s reaches %g: scaled by a power of two, only its relation counts",
                it->out_name, where, (double)r->largest);
}

/* The tensor is complete: into the lists. */
static void close_tensor(qz_run *run, const qz_artifact_item *it, tensor_look *t, survey *s) {
    s->wanted++;
    s->covered += t->covered;
    if (!t->covered && s->missing.n == 0) s->first = it->out_name;
    if (!t->covered) add_name(&s->missing, it->out_name);
    if (t->ones) add_name(&s->ones, it->out_name);
    else if (t->scaled) add_name(&s->scaled, it->out_name);
    qz_experts_rest(&t->unseen, t->n_unseen);
    if (t->n_unseen)
        qz_warn(run,
                "importance of '%s' was never measured for %zu of %zu experts (count 0), weights of 1 are used for "
                "them: %s",
                it->out_name, t->n_unseen, it->experts, t->unseen.ptr ? t->unseen.ptr : "");
    qz_str_release(&t->unseen);
    *t = (tensor_look){0};
}

static qz_status look_at_item(qz_run *run, const qz_artifact_item *it, const qz_importance *imp, const char *file,
                              tensor_look *t, qz_error *err) {
    qz_arena arena = {0};
    const float *w = NULL;
    repair r;
    const qz_imatrix_entry *e = imp->imatrix ? qz_imatrix_find(imp->imatrix, it->out_name) : NULL;
    if (e && e->cols * e->mats != matrices(it) * it->cols)
        return qz_fail(err, QZ_EFORMAT,
                       "importance matrix of another model: file '%s', tensor '%s': expected %zu values, found %zu; "
                       "measure this model",
                       file, it->out_name, matrices(it) * it->cols, e->cols * e->mats);
    if (e && e->mats != 1 && e->mats != matrices(it))
        return qz_fail(err, QZ_EFORMAT,
                       "importance matrix of another model: file '%s', tensor '%s': expected %zu count%s of rows, "
                       "found %zu; measure this model",
                       file, it->out_name, matrices(it), qz_plural(matrices(it)), e->mats);
    qz_status st = read_weights(imp, it, &arena, &w, &r, err);
    qz_arena_release(&arena);
    QZ_TRY(st);
    t->covered |= w != NULL;
    t->ones |= r.zeros || r.unseen;
    t->scaled |= r.scaled;
    warn_repair(run, it, &r);
    if (r.unseen && it->experts && it->half == 0) qz_experts_name(&t->unseen, t->n_unseen++, it->expert);
    return QZ_OK;
}

static qz_status look_at(qz_run *run, const qz_artifact_plan *plan, const qz_importance *imp, const char *file,
                         survey *s, qz_error *err) {
    tensor_look t = {0};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < plan->n_items && st == QZ_OK; i++) {
        const qz_artifact_item *it = &plan->items[i];
        if (!it->importance_matters) continue;
        st = look_at_item(run, it, imp, file, &t, err);
        if (st == QZ_OK && qz_item_place(it) + 1 >= qz_item_places(it)) close_tensor(run, it, &t, s);
    }
    qz_str_release(&t.unseen);
    for (size_t k = 0; st == QZ_OK && imp->imatrix && k < imp->imatrix->n; k++) {
        bool used = false;
        for (size_t i = 0; i < plan->n_items && !used; i++)
            used = strcmp(plan->items[i].out_name, imp->imatrix->entries[k].name) == 0;
        if (!used) add_name(&s->unused, imp->imatrix->entries[k].name);
    }
    return st;
}

/* Of these weights, of others ("other"), or nobody knows ("unknown"): shapes alone say little, models of one
 * family share them. */
static const char *say_origin(qz_run *run, const qz_artifact_plan *plan, const qz_importance *imp,
                              const qz_produce_options *o) {
    const char *measured = qz_imatrix_note_of(imp->imatrix, QZ_IMATRIX_SOURCE_KEY),
               *source = qz_plan_provenance(plan, QZ_SOURCE_KEY), *origin = qz_plan_provenance(plan, QZ_ORIGIN_KEY);
    if (measured && origin && strcmp(measured, origin) == 0) source = origin; /* the checkpoint behind the file */
    if (measured == NULL) {
        qz_info(run,
                "note: '%s' does not say on which weights it was measured: whether it belongs to this model cannot "
                "be checked",
                o->imatrix_file);
        return "unknown";
    }
    if (o->rehearse || source == NULL || strcmp(measured, source) == 0) return o->rehearse ? "unknown" : "same";
    qz_warn(run,
            "importance matrix '%s' was measured on other weights than those of '%s': shapes are equal, hashes are "
            "not; measure this model",
            o->imatrix_file, plan->model->path);
    return "other";
}

qz_status qz_importance_survey(qz_run *run, const qz_artifact_plan *plan, const qz_importance *imp,
                               const qz_produce_options *o, qz_produced *out, qz_error *err) {
    if (imp->imatrix == NULL && imp->stats == NULL) return QZ_OK;
    survey s = {0};
    qz_str json = {0};
    const char *origin = NULL;
    qz_status st = look_at(run, plan, imp, o->imatrix_file, &s, err);
    out->importance_tensors = s.wanted;
    out->importance_covered = s.covered;
    if (st == QZ_OK && imp->imatrix) {
        if (s.wanted && s.covered == 0)
            st = qz_fail(err, QZ_EFORMAT,
                         "importance matrix of another model: file '%s': expected entries such as '%s', found %zu "
                         "others such as '%.200s': 0 of %zu tensors covered; "
                         "measure this model or leave --imatrix away",
                         o->imatrix_file, s.first, imp->imatrix->n, imp->imatrix->entries[0].name, s.wanted);
        else if (s.wanted == 0)
            qz_warn(run, "%s uses no importance: '%s' changes nothing", plan->spec.name, o->imatrix_file);
        else {
            if (imp->stats && o->stats_file)
                qz_warn(run, "statistics '%s' are not used: the importance matrix stands for them", o->stats_file);
            origin = say_origin(run, plan, imp, o);
            qz_info(run, "importance matrix: %zu of %zu tensors covered", s.covered, s.wanted);
            if (s.missing.n)
                qz_warn(run, "no importance for %zu tensor%s, encoded without: %s", s.missing.n, qz_plural(s.missing.n),
                        names_of(&s.missing));
        }
        if (st == QZ_OK && s.unused.n && s.wanted)
            qz_warn(run, "%zu entries of '%s' belong to no tensor: %s", s.unused.n, o->imatrix_file,
                    names_of(&s.unused));
    }
    if (st == QZ_OK && (imp->imatrix || s.ones.n || s.scaled.n)) {
        qz_str_printf(&json,
                      "{\"tensors\":%zu,\"covered\":%zu,\"without\":[%s],\"weights_of_one\":[%s],\"scaled\":[%s],"
                      "\"unused_entries\":[%s],\"sha256\":\"%s\",\"measured_on\":\"%s\"}",
                      s.wanted, s.covered, json_of(&s.missing), json_of(&s.ones), json_of(&s.scaled),
                      json_of(&s.unused), o->imatrix_sha ? o->imatrix_sha : "", origin ? origin : "");
        if (json.failed) st = qz_fail(err, QZ_EMEMORY, "out of memory");
        qz_free(out->importance_json);
        out->importance_json = json.ptr;
    }
    release_names(&s.missing);
    release_names(&s.ones);
    release_names(&s.scaled);
    release_names(&s.unused);
    return st;
}
