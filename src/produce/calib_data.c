#include "produce/calib_data.h"
#include "base/io.h"
#include "base/size.h"
#include "calibrate/calibrate.h"
#include "calibrate/experts.h"
#include "plan/hardware.h"
#include "produce/produce.h"
#include "produce/recipe.h"
#include <string.h>

/* What the pass found out about the experts. */
static qz_status say_experts(qz_run *run, const qz_model *m, const char *path, qz_error *err) {
    qz_stats s;
    if (m->config.experts == 0) return QZ_OK;
    QZ_TRY(qz_stats_open(&s, path, err));
    qz_experts_warn(run, &s);
    qz_stats_release(&s);
    return QZ_OK;
}

/* --ram: what is left for a layer's Gram matrices beside all else that is resident; 0: not given. */
static qz_status room_for_grams(qz_run *run, const qz_model *m, const qz_request *r, const qz_windows *w, uint64_t *out,
                                qz_error *err) {
    const qz_config *c = &m->config;
    uint64_t ram = 0;
    *out = 0;
    if (r->ram == NULL) return QZ_OK;
    QZ_TRY(qz_bytes_parse(r->ram, "ram", &ram, err));
    const size_t n = w->n_windows, len = w->seq_len;
    /* the widest alone, and what is there besides */
    const uint64_t least = QZ_PROGRAM_BYTES + m->file_bytes + qz_calibrate_bytes(c, n, len, 1);
    qz_input_widths in;
    qz_input_widths_of(c, &in);
    const uint64_t widest = 8 * (uint64_t)qz_widest_input(&in) * qz_widest_input(&in);
    if (ram < least)
        return qz_fail(err, QZ_EUSAGE,
                       "--ram %s is too little: expected at least %llu MiB for model '%s' and %zu windows of %zu "
                       "tokens; give fewer --samples",
                       r->ram, (unsigned long long)(least >> 20) + 1, m->path, n, len);
    *out = ram - least + widest;
    /* kept tokens of each place come on top of the matrices */
    while (*out > widest && QZ_PROGRAM_BYTES + m->file_bytes + qz_calibrate_bytes(c, n, len, *out) > ram)
        *out -= *out / 16 > 1 ? *out / 16 : 1;
    const size_t passes = qz_calibrate_passes(c, *out);
    if (passes > 1)
        qz_info(run, "--ram %s: the tokens go through a layer in %zu passes, with the same statistics", r->ram, passes);
    return QZ_OK;
}

uint64_t qz_calib_memory(const qz_source *s, const qz_request *r, uint64_t windows, uint64_t seq_len) {
    const qz_config *c = &s->model->config;
    uint64_t ram = 0, bytes = QZ_PROGRAM_BYTES + QZ_PER_TOKEN_BYTES * (uint64_t)c->vocab_size + s->model->file_bytes +
                              qz_calibrate_bytes(c, (size_t)windows, (size_t)seq_len, 0);
    bytes += bytes / 10;
    const bool given = r->ram && qz_bytes_parse(r->ram, "ram", &ram, &(qz_error){0}) == QZ_OK;
    return given && ram < bytes ? ram : bytes;
}

typedef struct { const qz_dataset *d; const qz_windows *w; } cut_data;
static qz_status run_pass(qz_run *run, qz_source *s, cut_data data, const qz_request *r, const char *path,
                          bool *finished, qz_error *err) {
    const qz_dataset *d = data.d;
    const qz_windows *w = data.w;
    qz_engine *e = NULL;
    qz_recipe_calibration how;
    const bool own = finished == NULL;
    bool before = false;
    QZ_TRY(qz_recipe_windows(r, &how, err));
    QZ_TRY(qz_model_check_finite(run, s->model, err));
    if (s->sha_hex[0] == 0) QZ_TRY(qz_source_hash(run, s, err));
    if (how.route_all && (s->model->config.experts == 0 || s->model->config.route == QZ_ROUTE_INPUT))
        return qz_fail(err, QZ_EUSAGE, "--route all sends every token to every expert: model '%s' %s", s->model->path,
                       s->model->config.experts ? "multiplies what an expert reads with the router's weight, which "
                                                  "others have not"
                                                : "has no experts");
    QZ_TRY(qz_engine_open(run, s->model, &(qz_engine_options){.route_all = how.route_all}, &e, err));
    uint64_t room = 0;
    qz_status st = room_for_grams(run, s->model, r, w, &room, err);
    bool templated = d->n && d->samples[0].templated;
    const qz_calibration c = {.ids = w->ids, .windows = w->n_windows, .seq_len = w->seq_len, .gram_bytes = room,
                              .resume = r->resume,
                              .replace = r->force || own, .own = own,
                              .about = {.samples = w->samples_used, .data_sha = d->sha_hex, .source_sha = s->sha_hex,
                                        .reader = d->reader,
                                        .data_name = qz_path_base(d->path),
                                        .chat_template = templated ? "applied" : "none",
                                        .bos = w->bos_added > 0 ||
                                               (s->tokenizer && qz_tokenizer_adds_bos(s->tokenizer)),
                                        .route_all = how.route_all,
                                        .no_bos = !how.windows.bos, .raw = how.raw, .lengths = how.windows.policy,
                                        .accepted = r->linted ? r->accepted : d->accepted}};
    double start = qz_now();
    if (st == QZ_OK) st = qz_calibrate(run, e, &c, path, &before, err);
    if (st == QZ_OK && before && own) qz_info(run, "calibration: finished by the job before");
    else if (st == QZ_OK && before) qz_info(run, "'%s': already finished", path);
    else if (st == QZ_OK && own)
        qz_info(run, "calibrated on %zu tokens in %.1f s", w->n_windows * w->seq_len, qz_now() - start);
    else if (st == QZ_OK)
        qz_info(run, "calibrated on %zu tokens in %.1f s; statistics '%s'", w->n_windows * w->seq_len, qz_now() - start,
                path);
    if (finished) *finished = before;
    if (st == QZ_OK) st = say_experts(run, s->model, path, err);
    qz_engine_free(e);
    return st;
}

qz_status qz_calib_windows(qz_run *run, const qz_source *s, const qz_request *r, qz_dataset *d, qz_windows *w,
                           qz_error *err) {
    qz_arena arena = {0};
    qz_recipe_calibration how;
    QZ_TRY(qz_recipe_windows(r, &how, err));
    QZ_TRY(qz_dataset_load(r->data, s->tokenizer, &(qz_dataset_options){.raw = how.raw}, d, err));
    qz_status st = r->linted ? QZ_OK : qz_calib_lint(run, s, d, r, &arena, NULL, err);
    if (st == QZ_OK) st = qz_windows_build(s->tokenizer, d, &how.windows, w, err);
    if (st == QZ_OK && !r->linted) {
        qz_info(run, "%s: read as %s", r->data, d->reader);
        if (w->bos_added)
            qz_info(run, "%zu of %zu windows were given the BOS token at their beginning", w->bos_added, w->n_windows);
        qz_info(run,
                "samples: %zu read, %zu used, %zu truncated, %zu dropped; tokens: %zu read, %zu used in %zu windows of "
                "%zu, %zu cut",
                w->samples_read, w->samples_used, w->samples_truncated, w->samples_dropped, w->tokens_total,
                w->tokens_used, w->n_windows, w->seq_len, w->tokens_cut);
    }
    const size_t beyond = st == QZ_OK ? qz_source_beyond(s, w->seq_len) : 0;
    if (!r->linted) qz_source_warn_beyond(run, s, r->data, beyond * w->n_windows, w->n_windows);
    qz_arena_release(&arena);
    return st;
}

qz_status qz_calib_cache_ranges(qz_run *run, const qz_source *s, const qz_windows *w, qz_arena *arena,
                                qz_kv_ranges *out, qz_error *err) {
    const qz_tokens t = {w->ids, w->n_windows, w->seq_len};
    float k = 0, v = 0;
    size_t clipped = 0;
    QZ_TRY(qz_kv_ranges_measure(run, s->model, &t, arena, out, err));
    for (size_t i = 0; i < out->layers * out->heads; i++) {
        k = out->k[i] > k ? out->k[i] : k;
        v = out->v[i] > v ? out->v[i] : v;
        clipped += (size_t)(out->k[i] > 448) + (size_t)(out->v[i] > 448);
    }
    qz_info(run, "keys up to %.4g, values up to %.4g; an FP8 cache without scales would clip %zu of %zu heads",
            (double)k, (double)v, clipped, 2 * out->layers * out->heads);
    return QZ_OK;
}

qz_status qz_calib_make(qz_run *run, qz_source *s, const qz_request *r, const char *path, bool *finished,
                        qz_error *err) {
    qz_dataset d = {0};
    qz_windows w = {0};
    if (finished && qz_path_exists(path) && !r->force && !r->resume)
        return qz_fail(err, QZ_EUSAGE, "output '%s' exists; use --force to replace it", path);
    qz_status st = qz_calib_windows(run, s, r, &d, &w, err);
    if (st == QZ_OK) st = run_pass(run, s, (cut_data){&d, &w}, r, path, finished, err);
    qz_windows_release(&w);
    qz_dataset_release(&d);
    return st;
}
