#include "model/leftovers.h"
#include "base/io.h"
#include "base/size.h"
#include "calibrate/stats.h"
#include "formats/imatrix.h"
#include "produce/importance.h"
#include "produce/calib_data.h"
#include "calibrate/experts.h"
#include "produce/outputs.h"
#include "artifacts/artifact.h"
#include "artifacts/provenance.h"
#include "pipeline/trials.h"
#include "pipeline/verbs.h"
#include "base/json_write.h"
#include "text/lint.h"
#include "report/table_print.h"
#include "text/accepted.h"
#include <string.h>

/* Sums of squares of a site's input under its GGUF name; of a stack of experts one matrix each. */
static qz_status add_entry(qz_imatrix *im, const qz_stats *s, const qz_config *c, size_t layer, const qz_site *site,
                           qz_error *err) {
    const size_t mats = site->experts ? site->experts : 1, cols = (size_t)site->cols;
    float *sums = qz_arena_alloc(&im->arena, mats * cols, sizeof *sums),
          *counts = qz_arena_alloc(&im->arena, mats, sizeof *counts);
    char *name = qz_arena_printf(&im->arena, "blk.%zu.%s.weight", layer, site->gguf);
    if (!sums || !counts || !name) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_artifact_item order;
    const bool moved = qz_gguf_columns(c, site, &order);
    float *plain = moved ? qz_arena_alloc(&im->arena, cols, sizeof *plain) : NULL;
    if (moved && !plain) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t m = 0; m < mats; m++) {
        qz_input_stats in = qz_stats_get(s, layer, qz_site_input(&s->info.in, layer, site, m));
        qz_stats_importance(&in, moved ? plain : sums + m * cols);
        for (size_t k = 0; moved && k < cols; k++) sums[m * cols + k] = plain[qz_item_source_row(&order, cols, k)];
        for (size_t k = 0; k < cols; k++) sums[m * cols + k] *= (float)in.tokens;
        counts[m] = (float)in.tokens;
    }
    im->entries[im->n++] = (qz_imatrix_entry){.name = name, .cols = cols, .mats = mats, .sums = sums, .counts = counts};
    if (site->gguf_rest == NULL) return QZ_OK;
    im->entries[im->n] = im->entries[im->n - 1]; /* a matrix that is two there: one input */
    im->entries[im->n].name = qz_arena_printf(&im->arena, "blk.%zu.%s.weight", layer, site->gguf_rest);
    return im->entries[im->n++].name ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
}

/* The data's findings and the hash of the weights go with the matrix; the older form holds the findings only. */
static void add_notes(qz_imatrix *im, qz_imatrix_note notes[2], const qz_stats_info *about) {
    im->notes = notes;
    if (about->accepted && *about->accepted)
        notes[im->n_notes++] = (qz_imatrix_note){"quantz." QZ_ACCEPTED_KEY, about->accepted, true};
    if (about->source_sha && *about->source_sha)
        notes[im->n_notes++] = (qz_imatrix_note){QZ_IMATRIX_SOURCE_KEY, about->source_sha, false};
}

/* Gives it its name; --resume replaces nothing that it would not write the same. */
static qz_status name_imatrix(const qz_request *r, qz_error *err) {
    char *partial = NULL, ours[65], there[65];
    qz_str s = {0};
    if (!r->resume || r->force || !qz_path_exists(r->imatrix)) return qz_commit_partial(r->imatrix, err);
    qz_str_printf(&s, "%s.partial", r->imatrix);
    if ((partial = s.ptr) == NULL || s.failed) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = qz_sha256_file_hex(partial, ours, err);
    if (st == QZ_OK) st = qz_sha256_file_hex(r->imatrix, there, err);
    if (st == QZ_OK) st = qz_remove_tree(partial, err);
    if (st == QZ_OK && strcmp(ours, there) != 0)
        st = qz_fail(err, QZ_EUSAGE,
                     "output exists and is not what this job writes: '%s': expected sha256 %.16s…, found %.16s…; "
                     "choose another output, or give --force to replace it",
                     r->imatrix, ours, there);
    qz_str_release(&s);
    return st;
}

/* Every matrix of a block, the router too, as llama-imatrix would have collected them. */
static qz_status stage_imatrix(const qz_stats *s, const qz_config *c, const char *path, qz_error *err) {
    const bool dat = qz_str_ends(path, ".dat");
    qz_imatrix_note notes[2];
    qz_imatrix im = {.chunk_count = (uint32_t)s->info.windows, .chunk_size = (uint32_t)s->info.seq_len,
                     .n_datasets = 1};
    im.entries = qz_arena_calloc(&im.arena, c->layers * QZ_MAX_SITES, sizeof *im.entries);
    im.datasets = qz_arena_calloc(&im.arena, 1, sizeof *im.datasets);
    qz_status st = im.entries && im.datasets ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t l = 0; l < c->layers && st == QZ_OK; l++) {
        qz_site sites[QZ_MAX_SITES];
        const size_t n = qz_sites(c, l, sites);
        for (size_t i = 0; i < n && st == QZ_OK; i++)
            /* a second half has the first one's; kv_b is there in matrices that read something else */
            if ((qz_site_linear(&sites[i]) || sites[i].kind == QZ_SITE_ROUTER) && sites[i].gguf_half != 2 &&
                sites[i].use != QZ_USE_KV_B) 
                st = add_entry(&im, s, c, l, &sites[i], err);
    }
    if (st == QZ_OK) {
        im.datasets[0] = s->info.data_name;
        add_notes(&im, notes, &s->info);
        st = qz_imatrix_stage(&im, path, dat, err);
    }
    qz_arena_release(&im.arena);
    return st;
}

static qz_status lint_only(qz_run *run, const qz_source *s, const qz_request *r, qz_error *err) {
    qz_dataset d = {0};
    qz_arena arena = {0};
    qz_table t = {0};
    QZ_TRY(qz_dataset_load(r->data, s->tokenizer, &(qz_dataset_options){.raw = r->raw}, &d, err));
    qz_status st = qz_calib_lint(run, s, &d, r, &arena, &t, err);
    if (t.n_cols) {
        qz_error shown = {0};
        qz_status show = qz_table_show(&t, r->json, &shown);
        if (st == QZ_OK) st = show;
    }
    qz_dataset_release(&d);
    qz_arena_release(&arena);
    return st;
}

static qz_status claim(qz_outputs *o, const qz_request *r, const char *path, qz_error *err) {
    if (r->lint) return QZ_OK;
    QZ_TRY(qz_outputs_claim(o, r, path, QZ_OUTPUT_FILE, err));
    if (r->imatrix == NULL) return QZ_OK;
    if (strcmp(r->imatrix, path) == 0 || qz_path_same(r->imatrix, path))
        return qz_fail(err, QZ_EUSAGE, "statistics and importance matrix have one name: '%s'; give two", path);
    return qz_outputs_claim(o, r, r->imatrix, QZ_OUTPUT_FILE, err);
}

/* What became of the samples, and how long they are: the windows are cut once more, which costs little
 * beside the pass. */
static qz_status json_data(qz_run *run, const qz_source *s, const qz_request *r, qz_json_writer *j, qz_error *err) {
    qz_run silent = *run; /* all of it has been said */
    qz_dataset d = {0};
    qz_windows w = {0};
    qz_lint lint = {0};
    silent.log = NULL;
    silent.hook = NULL;
    qz_status st = qz_calib_windows(&silent, s, r, &d, &w, err);
    if (st == QZ_OK) st = qz_lint_run(s->tokenizer, &d, NULL, &lint, err);
    if (st == QZ_OK) {
        const struct { const char *key; size_t n; } rows[] = {
            {"samples_read", w.samples_read}, {"samples_used", w.samples_used},
            {"samples_truncated", w.samples_truncated}, {"samples_dropped", w.samples_dropped},
            {"samples_unique", lint.data.unique}, {"tokens_read", w.tokens_total}, {"tokens_used", w.tokens_used},
            {"tokens_cut", w.tokens_cut}, {"bos_added", w.bos_added}, {"shortest", lint.data.shortest},
            {"longest", lint.data.longest}};
        qz_jw_text(j, "reader", d.reader);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) qz_jw_count(j, rows[i].key, rows[i].n);
        qz_jw_real(j, "median", lint.data.median);
        qz_jw_open(j, "histogram", '['); /* samples of [2^i, 2^(i+1)) tokens */
        for (size_t i = 0; i < sizeof lint.data.histogram / sizeof lint.data.histogram[0]; i++)
            qz_jw_count(j, NULL, lint.data.histogram[i]);
        qz_jw_close(j, ']');
    }
    qz_lint_release(&lint);
    qz_windows_release(&w);
    qz_dataset_release(&d);
    return st;
}

typedef struct { const qz_stats *stats; const char *path; bool finished; } outcome;
static qz_status json_result(qz_run *run, const outcome *o, const qz_source *s, const qz_request *r, qz_str *out,
                             qz_error *err) {
    const qz_stats *stats = o->stats;
    const char *path = o->path;
    const qz_stats_info *i = &stats->info;
    const uint64_t beyond = qz_source_beyond(s, (size_t)i->seq_len) * i->windows;
    qz_json_writer w;
    char hex[65];
    QZ_TRY(qz_sha256_file_hex(path, hex, err));
    qz_jw_begin(&w, out);
    qz_jw_text(&w, "stats", path);
    qz_jw_text(&w, "sha256", hex);
    qz_jw_count(&w, "tokens", i->tokens);
    qz_jw_count(&w, "windows", i->windows);
    qz_jw_count(&w, "seq_len", i->seq_len);
    qz_jw_count(&w, "bos", i->bos);
    qz_jw_text(&w, "template", i->chat_template);
    qz_jw_count(&w, "peak_rss_bytes", qz_peak_rss());
    qz_jw_count(&w, "planned_memory_bytes", qz_calib_memory(s, r, i->windows, i->seq_len));
    QZ_TRY(json_data(run, s, r, &w, err));
    if (beyond) qz_jw_count(&w, "positions_beyond_context", beyond);
    qz_unread_json(&s->model->config.keys, "", &w);
    if (i->in.experts) qz_jw_key(&w, "experts");
    if (i->in.experts) qz_experts_json(stats, out);
    qz_jw_key(&w, "calibration_accepted");
    qz_accepted_json(i->accepted, out);
    if (o->finished) qz_jw_bool(&w, "already_finished", true);
    qz_jw_end(&w);
    return QZ_OK;
}

static qz_status show(qz_run *run, const qz_stats *stats, const qz_source *s, const qz_request *r, const char *path,
                      bool finished, qz_error *err) {
    const bool json = r->json;
    const qz_stats_info *i = &stats->info;
    qz_str out = {0};
    qz_arena arena = {0};
    qz_table t = {0};
    char hex[65];
    qz_status st = qz_sha256_file_hex(path, hex, err);
    if (json && st == QZ_OK) st = json_result(run, &(outcome){stats, path, finished}, s, r, &out, err);
    else
        qz_str_printf(&out,
                      "%s  sha256 %s%s\n  %llu tokens in %llu windows of %llu, bos=%d template=%s\n"
                      "  peak memory %.0f MiB, planned at most %.0f MiB\n",
                      path, hex, finished ? ", already finished" : "", (unsigned long long)i->tokens,
                      (unsigned long long)i->windows, (unsigned long long)i->seq_len, i->bos, i->chat_template,
                      (double)qz_peak_rss() / 1048576.0,
                      (double)qz_calib_memory(s, r, i->windows, i->seq_len) / 1048576.0);
    if (!json && *i->accepted) {
        qz_str_puts(&out, "  ");
        qz_accepted_line(i->accepted, &out);
        qz_str_puts(&out, ": everything made of this file says so\n");
        if (r->imatrix && qz_str_ends(r->imatrix, ".dat"))
            qz_str_printf(&out, "  '%s' says it behind the name of its data set, the only text that a .dat file has\n",
                          r->imatrix);
    }
    if (st == QZ_OK) st = json ? qz_show(&out, err) : qz_show_text(&out, err);
    if (st == QZ_OK && !json) st = qz_experts_table(stats, &arena, &t, err);
    if (st == QZ_OK && t.n_cols) st = qz_table_show(&t, false, err);
    qz_str_release(&out);
    qz_arena_release(&arena);
    return st;
}

static qz_status calibrate_verb(qz_run *run, const qz_request *r, qz_outputs *outs, qz_error *err) {
    qz_source s = {0};
    qz_stats stats = {0};
    const char *path = r->output ? r->output : "calibration.stats";
    if (r->data == NULL) return qz_fail(err, QZ_EUSAGE, "no calibration data: give --data FILE (JSONL or text)");
    QZ_TRY(claim(outs, r, path, err));
    QZ_TRY(qz_source_open(run, r->operands[0], &s, err));
    bool finished = false;
    qz_status st = r->lint ? lint_only(run, &s, r, err) : qz_calib_make(run, &s, r, path, &finished, err);
    if (st == QZ_OK && !r->lint) st = qz_stats_open(&stats, path, err);
    if (st == QZ_OK && !r->lint && r->imatrix) st = stage_imatrix(&stats, &s.model->config, r->imatrix, err);
    if (st == QZ_OK && !r->lint && r->imatrix) st = name_imatrix(r, err);
    if (st == QZ_OK && !r->lint) st = show(run, &stats, &s, r, path, finished, err);
    qz_stats_release(&stats);
    qz_source_release(&s);
    return st;
}

qz_status qz_run_calibrate_verb(qz_run *run, const qz_request *r, qz_error *err) {
    if (r->sweep || r->compare_data) return qz_trials_run(run, r, err);
    qz_outputs outs = {.run = run};
    qz_status st = calibrate_verb(run, r, &outs, err);
    qz_outputs_end(&outs, st);
    return st;
}
