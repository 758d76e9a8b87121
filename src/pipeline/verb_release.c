#include "artifacts/artifact.h"
#include "artifacts/module_rules.h"
#include "artifacts/open.h"
#include "artifacts/schemes.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "base/str.h"
#include "produce/proof.h"
#include "produce/calib_data.h"
#include "produce/catalog.h"
#include "produce/importance.h"
#include "produce/naming.h"
#include "produce/outputs.h"
#include "deploy/preflight_scheme.h"
#include "artifacts/provenance.h"
#include "pipeline/gate.h"
#include "pipeline/release.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"
#include "text/accepted.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    qz_run *run;
    const qz_request *r;
    qz_source s;
    qz_arena arena;
    qz_stats stats;
    qz_dataset data;
    qz_windows windows;
    qz_importance imp;
    qz_produce_options o;
    qz_recipe *recipes; size_t n;
    qz_artifact_plan *plans;
    char **paths;
    char *stats_path;
    qz_produced *made;   /* [n] */
    qz_release_report rep;
    qz_gate_rules rules; /* of --gate */
    size_t measured;
    qz_outputs outs;
    char before_sha[65]; /* source of the report that stands there; "": none */
    const char *leaks;   /* into the calibration data, taken with --accept; NULL: none */
} releasing;

static void needs(const releasing *j, bool *calibration, bool *tokens) {
    *calibration = *tokens = false;
    for (size_t i = 0; i < j->n; i++) {
        *tokens = *tokens || qz_recipe_needs_tokens(&j->recipes[i]);
        *calibration = *calibration || qz_recipe_needs_tokens(&j->recipes[i]) || qz_recipe_needs_stats(&j->recipes[i]);
    }
}

/* DIR/name+ending: a file of the report. */
static qz_status claim_in(releasing *j, const char *name, const char *ending, qz_error *err) {
    qz_str s = {0};
    qz_str_printf(&s, "%s/%s%s", j->r->output, name, ending);
    qz_status st = s.failed ? qz_fail(err, QZ_EMEMORY, "out of memory planning")
                            : qz_outputs_claim(&j->outs, j->r, s.ptr, QZ_OUTPUT_FILE, err);
    qz_str_release(&s);
    return st;
}

static qz_status name_all(releasing *j, qz_error *err) {
    j->paths = qz_arena_calloc(&j->arena, j->n, sizeof *j->paths);
    if (j->paths == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
    for (size_t i = 0; i < j->n; i++) {
        char *path = NULL;
        QZ_TRY(qz_default_output(&j->s, &j->recipes[i].spec, j->r->output, j->r->name, &path, err));
        j->paths[i] = qz_arena_strdup(&j->arena, path);
        qz_free(path);
        if (j->paths[i] == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
        QZ_TRY(qz_outputs_claim(&j->outs, j->r, j->paths[i], QZ_OUTPUT_ARTIFACT, err));
        QZ_TRY(claim_in(j, qz_path_base(j->paths[i]), ".card.md", err));
    }
    return j->r->dry_run ? QZ_OK
                         : qz_release_before(&j->outs, j->r, (const char *const *)j->paths, j->n, j->before_sha, err);
}

static qz_status plan_all(releasing *j, qz_error *err) {
    uint64_t total = 0, left = 0, disk;
    j->plans = qz_arena_calloc(&j->arena, j->n, sizeof *j->plans);
    if (j->plans == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
    for (size_t i = 0; i < j->n; i++) {
        j->o.recipe = &j->recipes[i];
        QZ_TRY(qz_produce_plan(j->run, &j->s, &j->imp, &j->o, &j->arena, &j->plans[i], err));
        if (j->r->resume && qz_path_exists(j->paths[i])) continue; /* finished, or refused later */
        total += j->plans[i].total_bytes;
        left += qz_disk_partial(j->paths[i]);
    }
    QZ_TRY(qz_disk_free(j->r->output, &disk, err));
    if (j->r->dry_run || total <= disk + left) return QZ_OK;
    qz_str rest = {0}; /* which an earlier job has left, and this one uses */
    if (left) qz_str_printf(&rest, " and %llu in its '*.partial'", (unsigned long long)left);
    qz_status st = qz_fail(err, QZ_EIO,
                           "not enough disk in '%s': expected %llu bytes for %zu artifacts, found %llu free%s",
                           j->r->output, (unsigned long long)total, j->n, (unsigned long long)disk,
                           rest.ptr ? rest.ptr : "");
    qz_str_release(&rest);
    return st;
}

static qz_status show_plan(const releasing *j, qz_error *err) {
    static const qz_column cols[] = {{"Artifact", 'l'}, {"Scheme", 'l'}, {"Bytes", 'r'}, {"bits/weight", 'r'},
                                     {"fallbacks", 'r'}};
    qz_arena a = {0};
    qz_table t;
    qz_status st = qz_table_init(&t, &a, NULL, cols, 5, err);
    for (size_t i = 0; i < j->n && st == QZ_OK; i++) {
        st = qz_table_row(&t, err);
        if (st == QZ_OK) st = qz_table_set(&t, 0, err, "%s", j->paths[i]);
        if (st == QZ_OK) st = qz_table_set(&t, 1, err, "%s", j->recipes[i].spec.name);
        if (st == QZ_OK) st = qz_table_set(&t, 2, err, "%llu", (unsigned long long)j->plans[i].total_bytes);
        if (st == QZ_OK) st = qz_table_set(&t, 3, err, "%.4f", j->plans[i].bits_per_weight);
        if (st == QZ_OK) st = qz_table_set(&t, 4, err, "%zu", j->plans[i].n_fallbacks);
    }
    if (st == QZ_OK) st = qz_table_show(&t, j->r->json, err);
    qz_arena_release(&a);
    return st;
}

static qz_status produce_all(releasing *j, qz_error *err) {
    j->made = qz_arena_calloc(&j->arena, j->n, sizeof *j->made);
    if (j->made == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < j->n; i++) {
        j->o.recipe = &j->recipes[i];
        QZ_TRY(
            qz_produce(j->run, &(qz_produce_job){&j->s, &j->plans[i], &j->imp, &j->o, j->paths[i]}, &j->made[i], err));
        if (!j->made[i].finished)
            qz_info(j->run, "%s: %.1f s, proof KL %.5f on %zu tokens %s: %s", j->paths[i], j->made[i].seconds,
                    j->made[i].self_kl, j->made[i].self_tokens, j->made[i].proof_text, qz_proof_note);
    }
    return QZ_OK;
}

static qz_status measure_all(releasing *j, qz_error *err) {
    const qz_request *r = j->r;
    qz_release_report *rep = &j->rep;
    rep->rows = qz_arena_calloc(&j->arena, j->n + 1, sizeof *rep->rows);
    rep->bench = qz_arena_calloc(&j->arena, j->n + 1, sizeof *rep->bench);
    if (rep->rows == NULL || rep->bench == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    QZ_TRY(qz_evaluate(j->run, r, &(qz_compared){r->operands[0], (const char *const *)j->paths, j->n}, rep->rows,
                       &j->measured, &rep->eval, err));
    rep->n_rows = j->measured;
    rep->has_bench = !r->no_bench;
    if (rep->has_bench) rep->bandwidth = qz_memory_bandwidth(j->run, (size_t)256 << 20, 3);
    for (size_t i = 0; i < rep->n_rows && rep->has_bench; i++)
        QZ_TRY(qz_bench_run(r, i ? j->paths[i - 1] : r->operands[0], &rep->bench[i], err));
    return QZ_OK;
}

static qz_status calibrate(releasing *j, qz_error *err) {
    const qz_request *r = j->r;
    bool calibration, tokens;
    needs(j, &calibration, &tokens);
    if (calibration && r->data == NULL)
        return qz_fail(err, QZ_EUSAGE, "an artifact of --to needs calibration data: give --calib FILE");
    j->stats_path = qz_path_join(r->output, "calibration" QZ_OWN_STATS);
    if (j->stats_path == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    if (r->data == NULL) return QZ_OK;
    /* what stands there is a job's own: outputs.c looked */
    QZ_TRY(qz_calib_make(j->run, &j->s, r, j->stats_path, NULL, err));
    QZ_TRY(qz_stats_open(&j->stats, j->stats_path, err));
    QZ_TRY(qz_stats_check(&j->stats, j->s.model, err));
    j->imp.stats = &j->stats;
    if (tokens) {
        qz_request again = *r;
        again.linted = true;
        QZ_TRY(qz_calib_windows(j->run, &j->s, &again, &j->data, &j->windows, err));
        j->imp.windows = &j->windows;
        j->imp.data_sha = j->data.sha_hex;
        bool cache = false;
        for (size_t i = 0; i < j->n; i++) cache |= j->recipes[i].spec.kv != QZ_KV_SCALES_NONE;
        if (cache) QZ_TRY(qz_calib_cache_ranges(j->run, &j->s, &j->windows, &j->arena, &j->imp.kv, err));
    }
    j->imp.accepted = qz_accepted_join(&j->arena, j->stats.info.accepted, j->leaks);
    if (j->imp.accepted)
        j->imp.accepted = qz_accepted_join(&j->arena, j->imp.accepted, qz_accepted_in(r->operands[0], &j->arena));
    if (j->imp.accepted == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    j->rep.accepted = *j->imp.accepted ? j->imp.accepted : NULL;
    j->rep.calibration = qz_arena_printf(&j->arena, "%s, %llu windows of %llu tokens, float source in one pass",
                                         j->stats.info.data_name, (unsigned long long)j->stats.info.windows,
                                         (unsigned long long)j->stats.info.seq_len);
    (void)snprintf(j->rep.data_sha, sizeof j->rep.data_sha, "%s", j->stats.info.data_sha);
    return QZ_OK;
}

/* Files that are read hours later must be readable now. */
static qz_status check_inputs(releasing *j, qz_error *err) {
    const qz_request *r = j->r;
    if (r->text) {
        qz_dataset d = {0};
        qz_status st = qz_dataset_load(r->text, j->s.tokenizer, &(qz_dataset_options){0}, &d, err);
        qz_dataset_release(&d);
        QZ_TRY(st);
    }
    if (r->tasks) {
        qz_taskset t = {0};
        if (j->s.tokenizer == NULL)
            return qz_fail(err, QZ_EUSAGE, "model '%s' has no tokenizer: tasks cannot be run", j->s.name);
        qz_status st = qz_taskset_load(r->tasks, j->s.tokenizer, (size_t)r->max_tasks, &t, err);
        qz_taskset_release(&t);
        QZ_TRY(st);
    }
    QZ_TRY(qz_calib_leaks(&j->s, r, &j->arena, &j->leaks, err));
    return qz_model_check_finite(j->run, j->s.model, err);
}

static qz_status report_made(releasing *j, qz_error *err) {
    qz_release_made *made = qz_arena_calloc(&j->arena, j->n, sizeof *made);
    if (made == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < j->n; i++) {
        const qz_produced *p = &j->made[i];
        made[i] = (qz_release_made){.seconds = p->seconds, .weight_mse = p->weight_mse, .self_kl = p->self_kl,
                                    .fallbacks = p->fallbacks,
                                    .uncorrected = p->uncorrected, .norms_kept = p->norms_kept, .greedy = p->greedy,
                                    .proof_text = p->proof_text, .note = p->note,
                                    .importance_tensors = p->importance_tensors,
                                    .importance_covered = p->importance_covered,
                                    .block_errors = p->block_json, .output_error = &p->output_error};
    }
    j->rep.made = made;
    return QZ_OK;
}

/* The figures as report.json has them, through the gate; the verdicts go into the report and the manifests. */
static qz_status judge_rows(releasing *j, qz_gate_view *v, qz_gate_candidates *c, qz_error *err) {
    qz_str text = {0};
    qz_release_file *files = NULL;
    size_t n = 0;
    json_t *root = NULL;
    qz_release_report plain = j->rep;
    plain.html = false;
    qz_status st = qz_release_pages(&plain, &j->arena, &files, &n, &text, err);
    if (st == QZ_OK) st = qz_json_parse(files[n - 1].text.ptr, files[n - 1].text.len, "report.json", &root, err);
    if (st == QZ_OK) st = qz_gate_candidates_add(c, root, "report.json", err);
    if (st == QZ_OK) st = qz_gate_judge_all(&j->arena, v, err);
    for (size_t i = 0; i < c->n && st == QZ_OK; i++)
        if (!c->at[i].baseline) st = qz_gate_store(j->run, v, i, err);
    json_decref(root);
    for (size_t i = 0; i < n; i++) qz_str_release(&files[i].text);
    qz_str_release(&text);
    return st;
}

static qz_status report_all(releasing *j, double start, qz_error *err) {
    const qz_request *r = j->r;
    qz_str text = {0};
    qz_release_file *files = NULL;
    size_t n = 0;
    j->rep.model = r->name ? r->name : j->s.name;
    j->rep.version = qz_catalog_version();
    j->rep.tasks = r->tasks;
    j->rep.text = r->text;
    (void)snprintf(j->rep.source_sha, sizeof j->rep.source_sha, "%s", j->s.sha_hex);
    qz_environment(j->run, j->rep.environment, sizeof j->rep.environment);
    j->rep.seconds = qz_now() - start;
    QZ_TRY(report_made(j, err));
    qz_gate_candidates candidates = {.arena = &j->arena};
    qz_gate_view gate = {.rules = &j->rules, .candidates = &candidates};
    if (r->rules) QZ_TRY(judge_rows(j, &gate, &candidates, err));
    if (r->rules) j->rep.gate = &gate;
    qz_status st = qz_release_pages(&j->rep, &j->arena, &files, &n, &text, err);
    if (st == QZ_OK) st = qz_release_files_write(r->output, files, n, err);
    if (st == QZ_OK) st = r->json ? qz_show(&files[n - 1].text, err) : qz_show_text(&text, err);
    if (st == QZ_OK) qz_info(j->run, "release finished in %.0f s; report: %s/report.md", j->rep.seconds, r->output);
    for (size_t i = 0; i < n; i++) qz_str_release(&files[i].text);
    qz_str_release(&text);
    if (st == QZ_OK && r->rules) st = qz_gate_decide(&gate, false, err);
    return st;
}

/* The rules for single modules that an artifact can hold; says how many it cannot. */
static void rules_for(const releasing *j, const qz_scheme_spec *spec, qz_text_list *out) {
    const qz_text_list *all = &j->r->modules;
    out->n = 0;
    for (size_t i = 0; i < all->n; i++)
        if (qz_module_rule_fits(spec, all->at[i])) out->at[out->n++] = all->at[i];
    if (all->n > out->n)
        qz_info(j->run, "note: %s cannot hold %zu of %zu rules of --module", spec->name, all->n - out->n, all->n);
}
/* A recipe for each artifact; rules for single modules go to those that can hold them. */
static qz_status make_recipes(releasing *j, qz_error *err) {
    bool any = false;
    qz_scheme_spec *specs;
    QZ_TRY(qz_scheme_list(j->r->to, &j->arena, &specs, &j->n, err));
    j->recipes = qz_arena_calloc(&j->arena, j->n, sizeof *j->recipes);
    if (j->recipes == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
    for (size_t i = 0; i < j->n; i++) {
        qz_request own = *j->r;
        rules_for(j, &specs[i], &own.modules);
        any |= own.modules.n > 0;
        QZ_TRY(qz_recipe_make(&own, specs[i].name, &j->arena, &j->recipes[i], err));
    }
    return any || j->r->modules.n == 0
               ? QZ_OK
               : qz_fail(err, QZ_EUSAGE,
                         "--module: no artifact of --to '%s' can hold a rule of it (gptq all, ct levels, "
                         "other folders PATTERN=keep)",
                         j->r->to);
}

static qz_status run_job(releasing *j, qz_error *err) {
    const qz_request *r = j->r;
    double start = qz_now();
    if (r->output == NULL) return qz_fail(err, QZ_EUSAGE, "no output folder: give -o DIR");
    if (r->rules) QZ_TRY(qz_gate_rules_load(r->rules, &j->arena, &j->rules, err));
    j->rep.html = r->html;
    QZ_TRY(make_recipes(j, err));
    QZ_TRY(qz_outputs_claim(&j->outs, r, r->output, QZ_OUTPUT_FOLDER, err));
    QZ_TRY(claim_in(j, "calibration", QZ_OWN_STATS, err));
    QZ_TRY(claim_in(j, "report", ".md", err));
    QZ_TRY(claim_in(j, "report", ".json", err));
    if (r->html) QZ_TRY(claim_in(j, "report", ".html", err));
    QZ_TRY(qz_source_open(j->run, r->operands[0], &j->s, err));
    const qz_target_options target = qz_target_asked(r);
    for (size_t i = 0; i < j->n; i++)
        QZ_TRY(qz_preflight_scheme(j->run, &target, j->s.model, &j->recipes[i].spec, err));
    j->o = (qz_produce_options){.force = r->force, .resume = r->resume, .proof_data = r->text ? r->text : r->data,
                                .source_dir = qz_path_is_dir(r->operands[0]) ? r->operands[0] : NULL};
    QZ_TRY(name_all(j, err));
    if (r->dry_run) {
        QZ_TRY(qz_calib_leaks(&j->s, r, &j->arena, &j->leaks, err));
        QZ_TRY(plan_all(j, err));
        return show_plan(j, err);
    }
    QZ_TRY(check_inputs(j, err));
    QZ_TRY(qz_make_dirs(r->output, err));
    QZ_TRY(plan_all(j, err)); /* refuses what cannot work before an hour is spent */
    QZ_TRY(qz_source_hash(j->run, &j->s, err));
    if (j->before_sha[0] && strcmp(j->before_sha, j->s.sha_hex) != 0)
        return qz_fail(err, QZ_EUSAGE,
                       "output exists and is the report of another source: '%s/report.json': expected sha256 %.16s…, "
                       "found %.16s…; choose another folder, "
                       "or give --force to replace it",
                       r->output, j->s.sha_hex, j->before_sha);
    QZ_TRY(calibrate(j, err));
    QZ_TRY(plan_all(j, err)); /* again with the statistics' facts */
    QZ_TRY(produce_all(j, err));
    qz_stats_release(&j->stats);
    j->imp.stats = NULL;
    qz_status st = measure_all(j, err);
    return st == QZ_OK ? report_all(j, start, err) : st;
}

qz_status qz_run_release_verb(qz_run *run, const qz_request *r, qz_error *err) {
    releasing *j = qz_calloc_array(1, sizeof *j);
    if (j == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_request own = *r;
    if (own.effort && strcmp(own.effort, "default") == 0) own.effort = "normal"; /* one pass, here */
    j->run = run;
    j->r = &own;
    j->outs.run = run;
    qz_status st = run_job(j, err);
    if (st == QZ_OK && j->stats_path && r->data == NULL && qz_path_exists(j->stats_path))
        qz_info(run, "'%s' is removed: a killed job has left it", j->stats_path);
    if (st == QZ_OK && j->stats_path) st = qz_remove_tree(j->stats_path, err);
    qz_outputs_end(&j->outs, st);
    for (size_t i = 0; i < j->measured; i++) qz_measured_release(&j->rep.rows[i]);
    for (size_t i = 0; i < j->n && j->made; i++) qz_produced_release(&j->made[i]);
    qz_stats_release(&j->stats);
    qz_windows_release(&j->windows);
    qz_dataset_release(&j->data);
    qz_importance_close(&j->imp);
    qz_source_release(&j->s);
    qz_free(j->stats_path);
    qz_arena_release(&j->arena);
    qz_free(j);
    return st;
}
