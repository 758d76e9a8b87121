#include "produce/rederive.h"
#include "artifacts/loose.h"
#include "artifacts/open.h"
#include "artifacts/provenance.h"
#include "base/io.h"
#include "base/map.h"
#include "base/rng.h"
#include "base/size.h"
#include "produce/proof.h"
#include <math.h>
#include <string.h>

enum { NAMED = 8 }; /* tensors that differ, by name */

/* What is drawn: a block of the model, or a tensor; SIZE_MAX: compared in any case, it stands outside the blocks. */
static size_t unit_of(const qz_artifact_plan *p, bool blocks, size_t i) {
    const long layer = p->items[i].layer;
    if (!blocks) return i;
    return layer >= 0 ? (size_t)layer : SIZE_MAX;
}

/* drawn [units]: `most` of those that the plan has, each set equally likely. */
static size_t draw(uint8_t *drawn, const size_t *have, size_t n, size_t most, uint64_t seed) {
    qz_rng rng;
    qz_rng_seed(&rng, seed);
    size_t left = most;
    for (size_t i = 0; i < n && left; i++)
        if (qz_rng_below(&rng, n - i) < left) drawn[have[i]] = 1, left--;
    return most - left;
}

static qz_status choose(const qz_artifact_plan *p, const qz_rederive_how *how, qz_rederived *out, uint8_t *wanted,
                        qz_error *err) {
    const size_t all = qz_max_size(p->n_items, p->model->config.layers);
    uint8_t *seen = qz_calloc_array(all, 1), *drawn = qz_calloc_array(all, 1);
    size_t *have = qz_alloc_array(all, sizeof *have);
    if (seen && drawn && have) {
        for (size_t i = 0; i < p->n_items; i++) {
            const size_t u = unit_of(p, out->blocks, i);
            if (u == SIZE_MAX || seen[u]) continue;
            have[out->units++] = u;
            seen[u] = 1;
        }
        const double share = out->dependent ? 1 : how->share;
        const size_t most = qz_min_size(out->units, (size_t)ceil(share * (double)out->units));
        out->drawn = draw(drawn, have, out->units, most, how->seed);
        for (size_t i = 0; i < p->n_items; i++) {
            const size_t u = unit_of(p, out->blocks, i);
            out->compared += wanted[i] = u == SIZE_MAX || drawn[u];
        }
    }
    const bool whole = seen && drawn && have;
    qz_free(seen);
    qz_free(drawn);
    qz_free(have);
    return whole ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory choosing tensors of '%s'", how->path);
}

/* The artifact's word for what it was made of, where it says another. */
static void compare_origin(const qz_artifact_plan *p, const char *path, qz_rederived *out) {
    static const char *const keys[] = {QZ_SOURCE_KEY, "calibration_sha256"};
    qz_arena a = {0};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *found = qz_provenance_in(path, keys[i], &a), *expected = qz_plan_provenance(p, keys[i]);
        if (!expected || (found && strcmp(expected, found) == 0)) continue;
        qz_str_printf(&out->origin, "%s%s: expected %.16s…, found %.16s", out->origin.len ? "; " : "", keys[i],
                      expected, found ? found : "nothing");
    }
    qz_arena_release(&a);
}

static qz_status compare(const qz_proof *proof, const qz_model *m, const qz_rederive_how *how, const uint8_t *wanted,
                         qz_rederived *out, qz_error *err) {
    for (size_t i = 0; i < proof->plan->n_items; i++) {
        qz_error why = {0};
        if (!wanted[i]) continue;
        const qz_status st = qz_proof_compare_item(proof, i, m, how->path, &why);
        if (st == QZ_OK) continue;
        if (st == QZ_EMEMORY) return *err = why, st;
        if (++out->differ > NAMED) continue;
        qz_str_printf(&out->names, "%s%s", out->names.len ? ", " : "", proof->plan->items[i].name);
    }
    if (out->differ > NAMED) qz_str_puts(&out->names, ", …");
    return out->names.failed ? qz_fail(err, QZ_EMEMORY, "out of memory comparing '%s'", how->path) : QZ_OK;
}

/* The tensor whose data hold the byte, or what stands before them. */
static const char *tensor_at(const qz_artifact_plan *p, size_t file, uint64_t offset) {
    for (size_t i = 0; i < p->n_items; i++) {
        const qz_artifact_item *it = &p->items[i];
        if (it->file == file && offset >= it->offset && offset - it->offset < it->bytes) return it->out_name;
    }
    return "outside the tensors";
}

static qz_status compare_file(const qz_artifact_plan *p, size_t i, const char *written, const char *path,
                              qz_rederived *out, qz_error *err) {
    char *mine = qz_artifact_file_path(p, written, i), *there = qz_artifact_file_path(p, path, i);
    qz_map a = {0}, b = {0};
    size_t at = 0;
    qz_error missing = {0};
    qz_status st = mine && there ? qz_map_open(&a, mine, err) : qz_fail(err, QZ_EMEMORY, "out of memory");
    const bool read = st == QZ_OK && qz_map_open(&b, there, &missing) == QZ_OK;
    const size_t n = read ? qz_min_size(a.size, b.size) : 0;
    const bool equal = read && a.size == b.size && (n == 0 || memcmp(a.ptr, b.ptr, n) == 0);
    if (st == QZ_OK) out->files++;
    if (st == QZ_OK && !equal && out->other_files++ == 0) {
        while (at < n && ((const uint8_t *)a.ptr)[at] == ((const uint8_t *)b.ptr)[at]) at++;
        qz_str_printf(&out->where, "'%s', offset %zu (%s)", there, at, tensor_at(p, i, at));
    }
    qz_map_release(&a);
    qz_map_release(&b);
    qz_free(mine);
    qz_free(there);
    return st;
}

/* The weights' files, and the texts beside them. */
static qz_status compare_files(const qz_artifact_plan *p, qz_artifact_writer *w, const char *path, qz_rederived *out,
                               qz_error *err) {
    const char *written = NULL;
    QZ_TRY(qz_artifact_writer_finish(w, &written, err));
    for (size_t i = 0; i < p->n_files; i++) QZ_TRY(compare_file(p, i, written, path, out, err));
    return QZ_OK;
}

static qz_status open_writer(qz_run *run, const qz_artifact_plan *p, const qz_rederive_how *how, const qz_rederived *d,
                             qz_artifact_writer **w, qz_error *err) {
    if (d->drawn < d->units) return QZ_OK;
    char *to = qz_path_join(how->folder, qz_path_base(how->path));
    qz_status st = to ? qz_artifact_writer_open(run, p, to, 0, w, err) : qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_free(to);
    return st;
}

static qz_status code_and_compare(qz_run *run, const qz_produce_job *job, const qz_rederive_how *how, uint8_t *wanted,
                                  qz_rederived *out, qz_error *err) {
    qz_proof proof = {0};
    qz_model *m = NULL;
    qz_artifact_writer *w = NULL;
    qz_run as = *run; /* of a family that does not run: opened by names and shapes, as the source was */
    qz_error unlike = {0};
    as.loose = job->source->model->loose != NULL;
    as.accept = "*";
    QZ_TRY(qz_artifact_open(&as, how->path, &m, err));
    qz_status st = choose(job->plan, how, out, wanted, err);
    if (st == QZ_OK) st = qz_proof_open(&proof, run, job->plan, err);
    if (st == QZ_OK) st = open_writer(run, job->plan, how, out, &w, err);
    if (st == QZ_OK) st = qz_produce_meant(run, job, wanted, w, &proof, err);
    if (st == QZ_OK) st = compare(&proof, m, how, wanted, out, err);
    if (st == QZ_OK && w) st = compare_files(job->plan, w, how->path, out, err);
    if (w) qz_artifact_writer_discard(w);
    qz_artifact_writer_free(w);
    if (st == QZ_OK) {
        const qz_status as_planned = qz_artifact_as_planned(job->plan, how->path, &unlike);
        out->header = as_planned == QZ_OK;
        if (as_planned == QZ_EMEMORY) st = (*err = unlike, as_planned);
    }
    qz_proof_release(&proof);
    qz_model_free(m);
    return st;
}

qz_status qz_rederive(qz_run *run, const qz_produce_job *job, const qz_rederive_how *how, qz_rederived *out,
                      qz_error *err) {
    const qz_recipe *recipe = job->options->recipe;
    const qz_method *method = qz_produce_method(recipe, job->imp);
    *out = (qz_rederived){.tensors = job->plan->n_items};
    out->dependent = recipe->codes.propagate && job->imp->windows && method->takes & QZ_NEEDS_TOKENS;
    out->blocks = !out->dependent && method->takes & (QZ_NEEDS_GRAM | QZ_NEEDS_TOKENS);
    compare_origin(job->plan, how->path, out);
    uint8_t *wanted = qz_calloc_array(job->plan->n_items, 1);
    qz_status st = wanted ? code_and_compare(run, job, how, wanted, out, err)
                          : qz_fail(err, QZ_EMEMORY, "out of memory choosing tensors of '%s'", how->path);
    qz_free(wanted);
    return st;
}

/* 1 - C(units - n, drawn) / C(units, drawn) */
double qz_rederived_chance(const qz_rederived *d, size_t n) {
    double missed = 1;
    for (size_t i = 0; i < n; i++) {
        const double left = (double)d->units - (double)i, outside = left - (double)d->drawn;
        if (outside <= 0) return 1;
        missed *= outside / left;
    }
    return 1 - missed;
}

void qz_rederived_release(qz_rederived *d) {
    qz_str_release(&d->names);
    qz_str_release(&d->where);
    qz_str_release(&d->origin);
    *d = (qz_rederived){0};
}
