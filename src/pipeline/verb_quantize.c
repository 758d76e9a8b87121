#include "artifacts/artifact.h"
#include "artifacts/gguf_layout.h"
#include "artifacts/loose.h"
#include "artifacts/module_rules.h"
#include "artifacts/open.h"
#include "artifacts/schemes.h"
#include "model/leftovers.h"
#include "base/io.h"
#include "base/size.h"
#include "produce/calib_data.h"
#include "produce/importance.h"
#include "produce/naming.h"
#include "produce/outputs.h"
#include "deploy/preflight_scheme.h"
#include "produce/produce.h"
#include "produce/proof.h"
#include "artifacts/provenance.h"
#include "pipeline/results.h"
#include "pipeline/verbs.h"
#include "produce/rederive.h"
#include "base/json_write.h"
#include "report/table_print.h"
#include "text/accepted.h"
#include <stdio.h>
#include <string.h>

/* llama-quantize's order of operands: IN OUT LEVEL [threads]; otherwise MODEL with --to and -o. */
static qz_status read_operands(const qz_request *r, const char **to, const char **out, qz_error *err) {
    *to = r->to;
    *out = r->output;
    if (r->n_operands == 1 && *to) return QZ_OK;
    if (r->n_operands == 1)
        return qz_fail(err, QZ_EUSAGE,
                       "no format: give --to, for example --to gguf:Q4_K_M; see 'quantz quantize --help'");
    if (r->n_operands == 2 && *to == NULL) {
        *to = r->operands[1];
        return QZ_OK;
    }
    if (r->n_operands < 3 || *to || *out)
        return qz_fail(err, QZ_EUSAGE,
                       "expected MODEL --to SCHEME -o OUT, or IN OUT LEVEL; see 'quantz quantize --help'");
    *out = r->operands[1];
    *to = r->operands[2];
    return QZ_OK;
}

typedef struct {
    qz_run *run;
    const qz_request *r;
    qz_source s;
    qz_arena arena;
    qz_stats stats;
    qz_importance imp;
    qz_dataset data;
    qz_windows windows;
    qz_recipe recipe;
    qz_produce_options o;
    qz_artifact_plan plan;
    qz_outputs outs;
    char *out, *made;     /* final name; statistics made for this job, or NULL */
} quantizing;

/* Statistics: given, or made from --calib beside the output and removed afterwards. */
static qz_status get_stats(quantizing *j, qz_error *err) {
    const qz_request *r = j->r;
    const qz_dataset *linted = j->imp.windows ? &j->data : NULL;
    if (r->stats) {
        QZ_TRY(qz_stats_open(&j->stats, r->stats, err));
        QZ_TRY(qz_stats_check(&j->stats, j->s.model, err));
        if (j->s.sha_hex[0] == 0 && !r->dry_run) QZ_TRY(qz_source_hash(j->run, &j->s, err));
        if (j->s.sha_hex[0] && *j->stats.info.source_sha && strcmp(j->s.sha_hex, j->stats.info.source_sha) != 0)
            qz_warn(j->run,
                    "statistics '%s' were made from other weights than those of '%s': shapes are equal, hashes are "
                    "not; calibrate this model",
                    r->stats, r->operands[0]);
        return QZ_OK;
    }
    if (r->data == NULL) return QZ_OK;
    const size_t n = strlen(j->out);
    char *path = qz_alloc_array(n + sizeof QZ_OWN_STATS, 1);
    if (path == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    memcpy(path, j->out, n);
    memcpy(path + n, QZ_OWN_STATS, sizeof QZ_OWN_STATS);
    qz_request again = *r;
    again.linted = linted != NULL;
    again.accepted = linted ? linted->accepted : NULL;
    qz_status st = qz_calib_make(j->run, &j->s, &again, path, NULL, err);
    if (st == QZ_OK) st = qz_stats_open(&j->stats, path, err);
    j->made = path;
    return st;
}

static void json_result(const char *scheme, const qz_produced *p, qz_str *s) {
    qz_json_writer w;
    qz_jw_begin(&w, s);
    qz_jw_text(&w, "artifact", p->path);
    qz_jw_text(&w, "scheme", scheme);
    qz_jw_count(&w, "bytes", p->bytes);
    if (p->parts) qz_jw_count(&w, "parts", p->parts);
    if (p->carried) qz_jw_count(&w, "carried_keys", p->carried);
    qz_jw_real(&w, "bits_per_weight", p->bits_per_weight);
    qz_jw_count(&w, "fallbacks", p->fallbacks);
    qz_jw_count(&w, "other_types", p->other_types);
    qz_jw_count(&w, "dropped_tensors", p->dropped);
    qz_jw_count(&w, "ignored_keys", p->ignored_keys);
    qz_jw_count(&w, "uncorrected", p->uncorrected);
    qz_jw_count(&w, "norms_kept", p->norms_kept);
    if (p->flushed) qz_jw_count(&w, "flushed_to_zero", p->flushed);
    qz_unread_json(&p->keys, "", &w);
    qz_jw_real(&w, "seconds", p->seconds);
    qz_jw_real(&w, "weight_mse", p->weight_mse);
    qz_jw_count(&w, "peak_rss_bytes", qz_peak_rss());
    qz_jw_count(&w, "planned_memory_bytes", p->planned_memory);
    if (p->self_kl >= 0) {
        qz_jw_real(&w, "proof_kl", p->self_kl);
        qz_jw_count(&w, "proof_tokens", p->self_tokens);
        qz_jw_text(&w, "proof_text", p->proof_text);
        qz_jw_text(&w, "proof_note", qz_proof_note);
        qz_jw_text(&w, "proof_greedy", p->greedy);
    }
    if (p->not_run) qz_jw_text(&w, "proof_note", p->proof_text);
    if (p->note[0]) qz_jw_text(&w, "codes", p->note);
    qz_jw_raw(&w, "kept", p->summary_json);
    if (p->kv) qz_jw_text(&w, "cache_scales", p->kv == QZ_KV_SCALES_HEAD ? "attn_head" : "tensor");
    if (p->importance_json) qz_jw_raw(&w, "importance", p->importance_json);
    if (p->importance_json) qz_jw_count(&w, "importance_tensors", p->importance_tensors);
    if (p->importance_json) qz_jw_count(&w, "importance_covered", p->importance_covered);
    if (p->sharing.linears) {
        qz_jw_key(&w, "shared_scales");
        qz_sharing_json(&p->sharing, s);
    }
    if (p->block_json) qz_jw_raw(&w, "block_errors", p->block_json);
    qz_jw_key(&w, "output_error");
    qz_output_error_json(&p->output_error, s);
    qz_jw_key(&w, "calibration_accepted");
    qz_accepted_json(p->accepted, s);
    if (p->finished) qz_jw_bool(&w, "already_finished", true);
    qz_jw_end(&w);
}

static qz_status print_result(const char *scheme, const qz_produced *p, const qz_request *r, qz_error *err) {
    qz_str s = {0};
    char size[48];
    if (r->json) json_result(scheme, p, &s);
    else if (p->finished) qz_produced_finished_line(p, scheme, &s);
    else {
        qz_str_printf(&s, "%s\n  %s, %s, %.3f bits/weight, %.1f s\n", p->path, scheme, qz_size_text(size, p->bytes),
                      p->bits_per_weight, p->seconds);
        if (p->carried)
            qz_str_printf(&s, "  keys: %zu of the source kept as they are\n", p->carried);
        if (p->parts)
            qz_str_printf(&s, "  %zu part%s: one beside the other, opened by any of them\n", p->parts,
                          qz_plural(p->parts));
        if (p->note[0]) qz_str_printf(&s, "  %s\n", p->note);
        if (p->importance_json && p->importance_tensors)
            qz_str_printf(&s, "  importance: %zu of %zu tensors covered\n", p->importance_covered,
                          p->importance_tensors);
        const size_t plain = p->fallbacks - p->other_types;
        if (p->other_types)
            qz_str_printf(&s, "  %zu tensor%s fell back to another type (--dry-run lists them)\n", p->other_types,
                          qz_plural(p->other_types));
        if (plain)
            qz_str_printf(&s, "  %zu linear%s rounded without error feedback (named in the warnings)\n", plain,
                          qz_plural(plain));
        qz_str_printf(&s, "  weights: %s\n", p->summary);
        if (p->kv)
            qz_str_printf(&s, "  cache: k_scale and v_scale of every layer, one a %s, for an FP8 cache (vLLM, SGLang: "
                              "'quantz explain launch')\n", p->kv == QZ_KV_SCALES_HEAD ? "head" : "tensor");
        qz_sharing_line(&p->sharing, &s);
        if (p->block_text) qz_str_printf(&s, "  %s\n", p->block_text);
        if (p->accepted) qz_str_puts(&s, "  ");
        qz_accepted_line(p->accepted, &s);
        if (p->accepted) qz_str_putc(&s, '\n');
        qz_str_printf(&s, "  peak memory %.0f MiB, planned at most %.0f MiB\n", (double)qz_peak_rss() / 1048576.0,
                      (double)p->planned_memory / 1048576.0);
        qz_proof_line(p, &s);
    }
    qz_status st = r->json ? qz_show(&s, err) : qz_show_text(&s, err);
    qz_str_release(&s);
    return st;
}

/* The rows of the plan and the totals that stand below them. */
static void json_plan(const qz_artifact_plan *plan, const qz_table *t, const qz_produced *p, qz_str *s) {
    qz_json_writer w;
    qz_jw_begin(&w, s);
    qz_jw_text(&w, "scheme", plan->spec.name);
    qz_jw_count(&w, "bytes", plan->total_bytes);
    qz_jw_real(&w, "bits_per_weight", plan->bits_per_weight);
    qz_jw_count(&w, "tensors", t->n_rows);
    if (qz_gguf_is_split(&plan->spec)) qz_jw_count(&w, "parts", plan->n_files);
    qz_jw_count(&w, "fallbacks", plan->n_fallbacks);
    qz_jw_raw(&w, "kept", p->summary_json);
    qz_jw_open(&w, "notes", '[');
    for (size_t i = 0; i < plan->n_notes; i++) qz_jw_text(&w, NULL, plan->notes[i]);
    qz_jw_close(&w, ']');
    qz_table_rows(t, &w);
    qz_jw_end(&w);
}

static qz_status print_plan(const qz_artifact_plan *plan, const qz_request *r, qz_produced *p, qz_arena *arena,
                            qz_error *err) {
    qz_table t;
    qz_str s = {0};
    char size[48];
    QZ_TRY(qz_plan_table(plan, arena, &t, err));
    if (!r->json) QZ_TRY(qz_table_show(&t, false, err));
    qz_status st = qz_produced_summarize(plan, p, err);
    if (st == QZ_OK && r->json) json_plan(plan, &t, p, &s);
    for (size_t i = 0; i < plan->n_notes && !r->json; i++) qz_str_printf(&s, "note: %s\n", plan->notes[i]);
    for (size_t i = 0; i < plan->n_files && !r->json && qz_gguf_is_split(&plan->spec); i++)
        qz_str_printf(&s, "part %zu of %zu: %llu bytes\n", i + 1, plan->n_files,
                      (unsigned long long)plan->files[i].bytes);
    if (st == QZ_OK && !r->json)
        qz_str_printf(&s, "weights: %s\n%s: %llu bytes (%s), %.4f bits/weight, %zu tensors\n", p->summary,
                      plan->spec.name, (unsigned long long)plan->total_bytes, qz_size_text(size, plan->total_bytes),
                      plan->bits_per_weight, t.n_rows);
    if (st == QZ_OK) st = r->json ? qz_show(&s, err) : qz_show_text(&s, err);
    qz_str_release(&s);
    return st;
}

/* Findings about the data behind imp that --accept let pass, the source's own too. */
static qz_status join_accepted(quantizing *j, qz_importance *imp, const char *of_data, qz_error *err) {
    imp->accepted = qz_accepted_join(&j->arena, j->stats.info.accepted, of_data);
    if (imp->accepted)
        imp->accepted = qz_accepted_join(&j->arena, imp->accepted, qz_accepted_in(j->r->operands[0], &j->arena));
    return imp->accepted ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
}

/* --resume on an output that exists, where only calibration would tell its plan: what the data say of themselves is
 * enough to know whether it is this job's own. (Where a killed job has left a journal there may be work
 * to go on with.) */
static qz_status finished_before(quantizing *j, qz_produced *p, qz_error *err) {
    const qz_request *r = j->r;
    if (!r->resume || r->dry_run || r->data == NULL || !qz_path_exists(j->out) || qz_outputs_unfinished(j->out))
        return QZ_OK;
    qz_dataset data = {0};
    qz_windows windows = {0};
    qz_importance imp = {.windows = &windows, .data_sha = data.sha_hex};
    qz_produce_options o = j->o;
    o.rehearse_calibrated = true;
    qz_status st = j->s.sha_hex[0] ? QZ_OK : qz_source_hash(j->run, &j->s, err);
    if (st == QZ_OK) st = qz_calib_windows(j->run, &j->s, r, &data, &windows, err);
    if (st == QZ_OK) st = join_accepted(j, &imp, data.accepted, err);
    if (st == QZ_OK) st = qz_importance_open(r->imatrix, &j->arena, &imp, &o, err);
    if (st == QZ_OK) st = qz_produce_plan(j->run, &j->s, &imp, &o, &j->arena, &j->plan, err);
    if (st == QZ_OK) st = qz_produce_before(j->run, &j->plan, &o, j->out, p, err);
    if (st == QZ_OK && p->finished) {
        p->bytes = j->plan.total_bytes;
        p->bits_per_weight = j->plan.bits_per_weight;
        p->self_kl = -1;
        st = qz_produced_summarize(&j->plan, p, err);
    }
    qz_importance_close(&imp);
    qz_windows_release(&windows);
    qz_dataset_release(&data);
    return st;
}

/* Tokens and statistics given together must be of one calibration: else the artifact would say the half of
 * what made it. */
static qz_status agree(const quantizing *j, qz_error *err) {
    const qz_stats_info *i = &j->stats.info;
    const qz_windows *w = j->imp.windows;
    const char *data = i->data_sha ? i->data_sha : "";
    if (j->r->stats && j->r->data && !qz_recipe_needs_tokens(&j->recipe))
        return qz_fail(err, QZ_EUSAGE, "%s takes --calib or --stats: found both, '%s' and '%s'", j->recipe.spec.name,
                       j->r->data, j->r->stats);
    if (j->r->stats == NULL || w == NULL || j->stats.map.ptr == NULL) return QZ_OK;
    if (strcmp(data, j->data.sha_hex) == 0 && i->windows == w->n_windows && i->seq_len == w->seq_len) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "statistics '%s' were made from other data than --calib gives: expected %zu windows of %zu tokens "
                   "of %.16s…, found %llu of %llu of %.16s…; "
                   "leave --stats out, or calibrate on the same data with the same --samples and --seq-len",
                   j->r->stats, w->n_windows, w->seq_len, j->data.sha_hex, (unsigned long long)i->windows,
                   (unsigned long long)i->seq_len, *data ? data : "no file");
}

/* Everything that the plan depends on: calibration, importance, the source's hash. */
static qz_status gather(quantizing *j, qz_error *err) {
    const qz_request *r = j->r;
    if (!r->dry_run && r->data) { /* what cannot be written is refused before calibration, not after it */
        j->o.rehearse = j->o.rehearse_calibrated = true;
        QZ_TRY(qz_produce_plan(j->run, &j->s, &j->imp, &j->o, &j->arena, &j->plan, err));
    }
    if (!r->dry_run && r->data && qz_recipe_needs_tokens(&j->recipe)) {
        QZ_TRY(qz_calib_windows(j->run, &j->s, r, &j->data, &j->windows, err));
        j->imp.windows = &j->windows;
        j->imp.data_sha = j->data.sha_hex;
        if (j->recipe.spec.kv)
            QZ_TRY(qz_calib_cache_ranges(j->run, &j->s, &j->windows, &j->arena, &j->imp.kv, err));
    }
    const bool matrix = r->imatrix && !r->stats && qz_recipe_method(&j->recipe)->takes & QZ_NEEDS_IMPORTANCE;
    if (matrix && r->data)
        qz_warn(j->run, "calibration data '%s' are not used: the importance matrix stands for them", r->data);
    const bool wanted = r->stats || !(matrix || (j->imp.windows && !qz_recipe_needs_stats(&j->recipe)));
    if (wanted && (r->stats || !r->dry_run)) QZ_TRY(get_stats(j, err));
    QZ_TRY(agree(j, err));
    if (j->stats.map.ptr && !r->dry_run) j->imp.stats = &j->stats;
    if (j->stats.map.ptr && r->stats && !j->imp.windows) qz_recipe_of_stats(&j->recipe, &j->stats.info);
    if (r->stats && !r->data && !r->propagate && qz_recipe_method(&j->recipe)->takes & QZ_NEEDS_TOKENS &&
        (qz_recipe_needs_stats(&j->recipe) || j->recipe.spec.scheme == QZ_SCHEME_GGUF))
        qz_info(j->run,
                "codes under the original model's statistics; --calib FILE in place of --stats also shows each "
                "block what the blocks before it have "
                "lost, which is better");
    QZ_TRY(join_accepted(j, &j->imp, j->data.accepted, err));
    QZ_TRY(qz_importance_open(r->imatrix, &j->arena, &j->imp, &j->o, err));
    j->o.rehearse = r->dry_run;
    j->o.rehearse_calibrated = r->dry_run && (r->stats || r->data);
    if (r->dry_run) return QZ_OK;
    if (j->s.sha_hex[0] == 0) QZ_TRY(qz_source_hash(j->run, &j->s, err));
    return qz_model_check_finite(j->run, j->s.model, err);
}

static qz_status produce(quantizing *j, qz_produced *p, qz_error *err) {
    const qz_request *r = j->r;
    QZ_TRY(finished_before(j, p, err));
    if (p->finished) return QZ_OK;
    QZ_TRY(gather(j, err));
    QZ_TRY(qz_produce_plan(j->run, &j->s, &j->imp, &j->o, &j->arena, &j->plan, err));
    if (r->dry_run) {
        if (qz_produce_method(&j->recipe, &j->imp)->needs(&j->recipe.codes) && !r->data && !r->stats && !r->imatrix)
            qz_warn(j->run, "%s: the real run needs calibration: give --calib FILE or --stats FILE",
                    j->plan.spec.name);
        QZ_TRY(qz_importance_survey(j->run, &j->plan, &j->imp, &j->o, p, err));
        return print_plan(&j->plan, r, p, &j->arena, err);
    }
    j->o.own_stats = j->made != NULL;
    QZ_TRY(qz_produce(j->run, &(qz_produce_job){&j->s, &j->plan, &j->imp, &j->o, j->out}, p, err));
    p->planned_memory = qz_produce_memory(&j->s, &j->plan, &j->imp, &j->recipe, j->made != NULL);
    return j->made ? qz_remove_tree(j->made, err) : QZ_OK;
}

/* Names of the output. How many parts there will be is known once types are: a plan without calibration tells it. */
static qz_status claim(quantizing *j, qz_error *err) {
    if (!qz_gguf_is_split(&j->recipe.spec)) return qz_outputs_claim(&j->outs, j->r, j->out, QZ_OUTPUT_ARTIFACT, err);
    qz_produce_options o = j->o;
    o.rehearse = true;
    o.rehearse_calibrated = j->r->data || j->r->stats || j->r->imatrix;
    QZ_TRY(qz_produce_plan(j->run, &j->s, &j->imp, &o, &j->arena, &j->plan, err));
    char *first = qz_gguf_part_path(j->out, 0, j->plan.n_files);
    if (first == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_free(j->out);
    j->out = first;
    return qz_outputs_claim_parts(&j->outs, j->r, first, j->plan.n_files, err);
}

/* llama-quantize's rule for its own files: what is coded already is not coded again unasked. */
static qz_status refuse_requant(const quantizing *j, qz_error *err) {
    const qz_model *m = j->s.model;
    if (j->r->allow_requantize || !qz_gguf_of(m) || j->recipe.spec.scheme != QZ_SCHEME_GGUF) return QZ_OK;
    if (strcmp(m->encoding, j->recipe.spec.level) == 0 || !qz_preflight_requantizes(m, &j->recipe.spec)) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "requantizing is off: '%s' is coded in %s already, and the loss of %s would come on top; quantize "
                   "the 16-bit source, or give --allow-requantize",
                   j->r->operands[0], m->encoding, j->recipe.spec.level);
}

/* Of a family that is not known here names and shapes are enough, where codes need no data. */
static qz_status open_source(quantizing *j, qz_error *err) {
    const qz_request *r = j->r;
    const bool data = r->data || r->stats || r->imatrix;
    if (data || !qz_scheme_loose(&j->recipe.spec) || !qz_loose_wanted(r->operands[0]))
        return qz_source_open(j->run, r->operands[0], &j->s, err);
    QZ_TRY(qz_source_open_loose(j->run, r->operands[0], &j->s, err));
    qz_info(j->run,
            "note: family '%s' does not run here: coded by names and shapes alone ('--dry-run' lists what stays and "
            "why)",
            j->s.model->loose->family);
    if (r->engine)
        qz_warn(j->run, "--engine '%s' is not judged: nothing here knows the layers of family '%s'", r->engine,
                j->s.model->loose->family);
    return QZ_OK;
}

static qz_status run_job(quantizing *j, qz_produced *p, qz_error *err) {
    const qz_request *r = j->r;
    const char *to, *given;
    QZ_TRY(read_operands(r, &to, &given, err));
    QZ_TRY(qz_recipe_make(r, to, &j->arena, &j->recipe, err));
    const bool whole = given && !qz_output_is_place(given) && !qz_gguf_is_split(&j->recipe.spec);
    if (whole) QZ_TRY(qz_outputs_claim(&j->outs, r, given, QZ_OUTPUT_ARTIFACT, err));
    QZ_TRY(open_source(j, err));
    const qz_target_options target = qz_target_asked(r);
    if (!j->s.model->loose)
        QZ_TRY(qz_preflight_scheme(j->run, &target, j->s.model, &j->recipe.spec, err));
    QZ_TRY(refuse_requant(j, err));
    j->o.source_dir = r->config_dir                     ? r->config_dir
                      : qz_path_is_dir(r->operands[0]) ? r->operands[0]
                                                       : NULL;
    QZ_TRY(qz_output_name(&j->s, &j->recipe.spec, given, r->name, &j->out, err));
    QZ_TRY(claim(j, err));
    return produce(j, p, err);
}

static void end_job(quantizing *j, qz_status st) {
    qz_stats_release(&j->stats);
    /* refused: nothing to resume */
    if (j->made && qz_exit_code(st) == 2) (void)qz_remove_tree(j->made, &(qz_error){0});
    qz_outputs_end(&j->outs, st);
    qz_windows_release(&j->windows);
    qz_dataset_release(&j->data);
    qz_importance_close(&j->imp);
    qz_source_release(&j->s);
    qz_arena_release(&j->arena);
    qz_free(j->out);
    qz_free(j->made);
    qz_free(j);
}

static qz_status begin_job(qz_run *run, const qz_request *r, quantizing **out, qz_error *err) {
    quantizing *j = *out = qz_calloc_array(1, sizeof *j);
    if (j == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    j->run = j->outs.run = run;
    j->r = r;
    j->o = (qz_produce_options){.recipe = &j->recipe, .force = r->force, .resume = r->resume, .stats_file = r->stats,
                                .imatrix_file = r->imatrix, .proof_data = r->data};
    return QZ_OK;
}

qz_status qz_quantize(qz_run *run, const qz_request *r, qz_produced *p, char scheme[80], qz_error *err) {
    quantizing *j;
    *p = (qz_produced){0};
    QZ_TRY(begin_job(run, r, &j, err));
    qz_status st = run_job(j, p, err);
    if (st == QZ_OK && !r->dry_run) memcpy(scheme, j->plan.spec.name, sizeof j->plan.spec.name);
    end_job(j, st);
    return st;
}

/* The job up to its plan; statistics that it makes stand in `folder`. */
static qz_status rederive(quantizing *j, const char *folder, const qz_rederive_how *how, qz_rederived *out,
                          qz_error *err) {
    QZ_TRY(qz_recipe_make(j->r, j->r->to, &j->arena, &j->recipe, err));
    QZ_TRY(open_source(j, err));
    j->o.source_dir = qz_path_is_dir(j->r->operands[0]) ? j->r->operands[0] : NULL;
    if ((j->out = qz_path_join(folder, "again")) == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    QZ_TRY(gather(j, err));
    QZ_TRY(qz_produce_plan(j->run, &j->s, &j->imp, &j->o, &j->arena, &j->plan, err));
    qz_rederive_how here = *how;
    here.folder = folder;
    return qz_rederive(j->run, &(qz_produce_job){&j->s, &j->plan, &j->imp, &j->o, how->path}, &here, out, err);
}

qz_status qz_quantize_again(qz_run *run, const qz_request *r, const qz_rederive_how *how, qz_rederived *out,
                            qz_error *err) {
    quantizing *j;
    qz_scratch scratch;
    *out = (qz_rederived){0};
    QZ_TRY(qz_scratch_make("rederive", &scratch, err));
    qz_status st = begin_job(run, r, &j, err);
    if (st == QZ_OK) {
        st = rederive(j, scratch.path, how, out, err);
        if (j->made) (void)qz_remove_tree(j->made, &(qz_error){0}); /* the folder's end says what is left */
        end_job(j, st);
    }
    qz_error rest = {0};
    const qz_status gone = qz_scratch_remove(&scratch, &rest);
    return st == QZ_OK && gone != QZ_OK ? (*err = rest, gone) : st;
}

qz_status qz_run_quantize_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_produced p;
    char scheme[80];
    qz_status st = qz_quantize(run, r, &p, scheme, err);
    if (st == QZ_OK && !r->dry_run) st = print_result(scheme, &p, r, err);
    qz_produced_release(&p);
    return st;
}
