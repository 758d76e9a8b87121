#include "artifacts/artifact.h"
#include "artifacts/module_rules.h"
#include "base/io.h"
#include "base/size.h"
#include "pipeline/calib_data.h"
#include "pipeline/importance.h"
#include "pipeline/int_blocks.h"
#include "pipeline/outputs.h"
#include "pipeline/preflight.h"
#include "pipeline/produce.h"
#include "pipeline/provenance.h"
#include "pipeline/results.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"
#include "text/accepted.h"
#include <stdio.h>
#include <string.h>

/* llama-quantize's order of operands: IN OUT LEVEL [threads]; otherwise MODEL with --to and -o. */
static qz_status read_operands(const qz_request *r, const char **to, const char **out, qz_error *err) {
    *to = r->to;
    *out = r->output;
    if (r->n_operands == 1 && *to) return QZ_OK;
    if (r->n_operands == 1) return qz_fail(err, QZ_EUSAGE, "no format: give --to, for example --to gguf:Q4_K_M; see 'quantz quantize --help'");
    if (r->n_operands == 2 && *to == NULL) {
        *to = r->operands[1];
        return QZ_OK;
    }
    if (r->n_operands < 3 || *to || *out) return qz_fail(err, QZ_EUSAGE, "expected MODEL --to SCHEME -o OUT, or IN OUT LEVEL; see 'quantz quantize --help'");
    *out = r->operands[1];
    *to = r->operands[2];
    return QZ_OK;
}

/* Statistics: given, or made from --calib beside the output and removed afterwards. */
static qz_status get_stats(qz_run *run, qz_source *s, const qz_request *r, const char *out,
                           const qz_dataset *linted, qz_stats *stats, char **made, qz_error *err) {
    *made = NULL;
    if (r->stats) {
        QZ_TRY(qz_stats_open(stats, r->stats, err));
        QZ_TRY(qz_stats_check(stats, s->model, err));
        if (s->sha_hex[0] == 0 && !r->dry_run) QZ_TRY(qz_source_hash(run, s, err));
        if (s->sha_hex[0] && *stats->info.source_sha && strcmp(s->sha_hex, stats->info.source_sha) != 0)
            qz_warn(run, "statistics '%s' were made from other weights than those of '%s': shapes are equal, hashes are not; calibrate this model", r->stats, r->operands[0]);
        return QZ_OK;
    }
    if (r->data == NULL) return QZ_OK;
    size_t n = strlen(out);
    char *path = qz_alloc_array(n + sizeof QZ_OWN_STATS, 1);
    if (path == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    memcpy(path, out, n);
    memcpy(path + n, QZ_OWN_STATS, sizeof QZ_OWN_STATS);
    qz_request again = *r;
    again.linted = linted != NULL;
    again.force = true; /* what stands there was left by a killed job of ours: outputs.c looked */
    again.accepted = linted ? linted->accepted : NULL;
    qz_status st = qz_path_exists(path) && r->resume ? QZ_OK : qz_calib_make(run, s, &again, path, err);
    if (st == QZ_OK) st = qz_stats_open(stats, path, err);
    *made = path;
    return st;
}

static qz_status print_result(const char *scheme, const qz_produced *p, const qz_request *r, qz_error *err) {
    qz_str s = {0};
    char size[48];
    if (r->json) {
        qz_str_printf(&s, "{\"artifact\":\"%s\",\"scheme\":\"%s\",\"bytes\":%llu,\"bits_per_weight\":%.6f", p->path, scheme, (unsigned long long)p->bytes, p->bits_per_weight);
        qz_str_printf(&s, ",\"fallbacks\":%zu,\"dropped_tensors\":%zu,\"ignored_keys\":%zu,\"uncorrected\":%zu,\"norms_kept\":%zu", p->fallbacks, p->dropped, p->ignored_keys, p->uncorrected, p->norms_kept);
        qz_str_printf(&s, ",\"seconds\":%.3f,\"weight_mse\":%.9g,\"peak_rss_bytes\":%llu,\"planned_memory_bytes\":%llu,\"proof_kl\":%.9g,\"proof_tokens\":%zu", p->seconds,
                      p->weight_mse, (unsigned long long)qz_peak_rss(), (unsigned long long)p->planned_memory, p->self_kl, p->self_tokens);
        qz_str_printf(&s, ",\"kept\":%s", p->summary_json);
        if (p->importance_json) qz_str_printf(&s, ",\"importance\":%s", p->importance_json);
        qz_str_puts(&s, ",\"output_error\":");
        qz_output_error_json(&p->output_error, &s);
        qz_str_puts(&s, ",\"calibration_accepted\":");
        qz_accepted_json(p->accepted, &s);
        qz_str_puts(&s, "}\n");
    } else {
        qz_str_printf(&s, "%s\n  %s, %s, %.3f bits/weight, %.1f s\n", p->path, scheme, qz_size_text(size, p->bytes), p->bits_per_weight, p->seconds);
        if (p->note[0]) qz_str_printf(&s, "  %s\n", p->note);
        if (p->importance_json && p->importance_tensors) qz_str_printf(&s, "  importance: %zu of %zu tensors covered\n", p->importance_covered, p->importance_tensors);
        const size_t plain = p->fallbacks - p->other_types;
        if (p->other_types)
            qz_str_printf(&s, "  %zu tensor%s fell back to another type (--dry-run lists them)\n", p->other_types, qz_plural(p->other_types));
        if (plain) qz_str_printf(&s, "  %zu linear%s rounded without error feedback (named in the warnings)\n", plain, qz_plural(plain));
        qz_str_printf(&s, "  weights: %s\n", p->summary);
        if (p->accepted) qz_str_puts(&s, "  ");
        qz_accepted_line(p->accepted, &s);
        if (p->accepted) qz_str_putc(&s, '\n');
        qz_str_printf(&s, "  peak memory %.0f MiB, planned at most %.0f MiB\n", (double)qz_peak_rss() / 1048576.0, (double)p->planned_memory / 1048576.0);
        if (p->self_kl >= 0) qz_str_printf(&s, "  proof: every tensor decodes to what was meant; KL %.5f on %zu tokens; greedy: \"%s\"\n", p->self_kl, p->self_tokens, p->greedy);
    }
    qz_status st = r->json ? qz_show(&s, err) : qz_show_text(&s, err);
    qz_str_release(&s);
    return st;
}

static qz_status print_plan(const qz_artifact_plan *plan, const qz_request *r, qz_produced *p, qz_arena *arena, qz_error *err) {
    qz_table t;
    qz_str s = {0};
    char size[48];
    QZ_TRY(qz_plan_table(plan, arena, &t, err));
    QZ_TRY(qz_table_show(&t, r->json, err));
    if (r->json) return QZ_OK;
    for (size_t i = 0; i < plan->n_notes; i++) qz_str_printf(&s, "note: %s\n", plan->notes[i]);
    qz_status st = qz_produced_summarize(plan, p, err);
    if (st == QZ_OK) qz_str_printf(&s, "weights: %s\n", p->summary);
    qz_str_printf(&s, "%s: %llu bytes (%s), %.4f bits/weight, %zu tensors\n", plan->spec.name, (unsigned long long)plan->total_bytes,
                  qz_size_text(size, plan->total_bytes), plan->bits_per_weight, t.n_rows);
    if (st == QZ_OK) st = qz_show_text(&s, err);
    qz_str_release(&s);
    return st;
}

qz_status qz_quantize(qz_run *run, const qz_request *r, qz_produced *p, char scheme[80], qz_error *err) {
    qz_source s = {0};
    qz_arena arena = {0};
    qz_stats stats = {0};
    qz_importance imp = {0};
    qz_dataset data = {0};
    qz_windows windows = {0};
    qz_artifact_plan plan;
    qz_scheme_spec spec;
    qz_int_options ints;
    qz_produce_options o = {.force = r->force, .resume = r->resume, .forced_pre = r->pre, .name = r->name, .request = r, .imatrix_file = r->imatrix};
    qz_outputs outs = {0};
    const char *to, *given;
    *p = (qz_produced){0};
    char *out = NULL, *made = NULL;
    qz_status st = read_operands(r, &to, &given, err);
    if (st == QZ_OK) st = qz_search_parse(r->search, &o.search, err);
    if (st == QZ_OK) st = qz_scheme_parse(to, &spec, err);
    if (st == QZ_OK) st = qz_module_rules_parse(&spec, r->modules.at, r->modules.n, &arena, err);
    if (st == QZ_OK && given && !qz_output_is_place(given)) st = qz_outputs_claim(&outs, r, given, QZ_OUTPUT_ARTIFACT, err);
    if (st == QZ_OK) st = qz_source_open(run, r->operands[0], &s, err);
    if (st == QZ_OK) st = qz_preflight_scheme(run, r, s.model, &spec, err);
    if (st != QZ_OK) goto out;
    o.source_dir = qz_path_is_dir(r->operands[0]) ? r->operands[0] : NULL;
    out = qz_output_name(&s, &spec, given, r->name);
    if (out == NULL) {
        st = qz_fail(err, QZ_EMEMORY, "out of memory");
        goto out;
    }
    QZ_GOTO(qz_outputs_claim(&outs, r, out, QZ_OUTPUT_ARTIFACT, err));
    QZ_GOTO(qz_int_settings(r, &spec, o.search, &ints, err));
    if (!r->dry_run && r->data) { /* what cannot be written is refused before calibration, not after it */
        o.rehearse = o.rehearse_calibrated = true;
        QZ_GOTO(qz_produce_plan(run, &s, &spec, &imp, &o, &arena, &plan, err));
    }
    if (!r->dry_run && r->data && qz_int_needs_tokens(&ints, &spec)) {
        QZ_GOTO(qz_calib_windows(run, &s, r, &data, &windows, err));
        imp.windows = &windows;
        imp.data_sha = data.sha_hex;
    }
    if (!r->dry_run && !(imp.windows && !qz_int_needs_stats(&ints, &spec))) QZ_GOTO(get_stats(run, &s, r, out,
            imp.windows ? &data : NULL, &stats, &made, err));
    if (stats.map.ptr) imp.stats = &stats;
    if (r->stats && !r->data && !r->propagate && qz_int_needs_stats(&ints, &spec))
        qz_info(run, "codes under the original model's statistics; --calib FILE in place of --stats also shows each block what the blocks before it have "
                     "lost, which is better");
    imp.accepted = qz_accepted_join(&arena, stats.info.accepted, data.accepted);
    if (imp.accepted) imp.accepted = qz_accepted_join(&arena, imp.accepted, qz_accepted_in(r->operands[0], &arena));
    if (imp.accepted == NULL) QZ_GOTO(qz_fail(err, QZ_EMEMORY, "out of memory"));
    QZ_GOTO(qz_importance_open(r->imatrix, &arena, &imp, &o, err));
    o.rehearse = r->dry_run;
    o.rehearse_calibrated = r->dry_run && (r->stats || r->data);
    if (!r->dry_run) {
        if (s.sha_hex[0] == 0) QZ_GOTO(qz_source_hash(run, &s, err));
        QZ_GOTO(qz_model_check_finite(run, s.model, err));
    }
    QZ_GOTO(qz_produce_plan(run, &s, &spec, &imp, &o, &arena, &plan, err));
    if (r->dry_run) QZ_GOTO(qz_importance_survey(run, &plan, &imp, &o, p, err));
    if (r->dry_run) st = print_plan(&plan, r, p, &arena, err);
    else {
        QZ_GOTO(qz_produce(run, &s, &plan, &imp, &o, out, p, err));
        p->planned_memory = qz_produce_memory(&s, &plan, &imp, &ints, made != NULL, (size_t)r->samples, (size_t)r->seq_len);
        if (made) st = qz_remove_tree(made, err);
        memcpy(scheme, plan.spec.name, sizeof plan.spec.name);
    }
out:
    qz_outputs_end(&outs, st);
    qz_stats_release(&stats);
    if (made && qz_exit_code(st) == 2) (void)qz_remove_tree(made, &(qz_error){0}); /* refused: nothing to resume */
    qz_windows_release(&windows);
    qz_dataset_release(&data);
    qz_importance_close(&imp);
    qz_source_release(&s);
    qz_arena_release(&arena);
    qz_free(out);
    qz_free(made);
    return st;
}

qz_status qz_run_quantize_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_produced p;
    char scheme[80];
    qz_status st = qz_quantize(run, r, &p, scheme, err);
    if (st == QZ_OK && !r->dry_run) st = print_result(scheme, &p, r, err);
    qz_produced_release(&p);
    return st;
}
