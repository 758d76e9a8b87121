#include "report/fit.h"
#include "model/leftovers.h"
#include "base/io.h"
#include "base/json_write.h"
#include "base/size.h"
#include "artifacts/provenance.h"
#include "base/json.h"
#include "report/html_report.h"
#include "report/release_report.h"
#include "report/table_print.h"
#include "text/accepted.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static qz_status set_speed(qz_table *t, const qz_release_report *r, size_t i, qz_error *err) {
    const qz_bench *b = &r->bench[i], *src = &r->bench[0];
    if (!r->has_bench) return QZ_OK;
    QZ_TRY(qz_table_set(t, 3, err, "%.1f", b->speed.ttft_ms.median));
    QZ_TRY(qz_table_set(t, 4, err, "%.0f", b->speed.prompt_tps.median));
    QZ_TRY(qz_table_set(t, 5, err, "%.0f", b->speed.gen_tps.median));
    QZ_TRY(qz_table_set(t, 6, err, "%.2fx", b->speed.gen_tps.median / src->speed.gen_tps.median));
    return qz_table_set(t, 7, err, "%.0f", (double)b->peak_rss / 1048576.0);
}

/* "AWQ g128", "Q4_K_M": short enough for 100 columns; the full encoding stands in the report's second table. */
static void format_name(const qz_measured *m, char out[32]) {
    const char *group = strstr(m->encoding, " g");
    const bool awq = strcmp(m->container, "awq") == 0, gptq = strncmp(m->container, "gptq", 4) == 0;
    if ((awq || gptq) && group)
        (void)snprintf(out, 32, "%s%.*s", awq ? "AWQ" : "GPTQ", (int)(1 + strcspn(group + 1, " ")), group);
    else (void)snprintf(out, 32, "%.31s", m->encoding);
}

/* Formats whose inputs servers round: KL of the weights alone would flatter them. */
static bool any_served(const qz_release_report *r) {
    bool any = false;
    for (size_t i = 0; i < r->n_rows; i++) any |= r->rows[i].scored_runtime && r->rows[i].inputs[0] != 0;
    return any;
}

/* Titles are short: the table fits 100 columns; notes() tells their units. */
static qz_status main_table(const qz_release_report *r, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Format", 'l'}, {"Size GB", 'r'}, {"bits/w", 'r'}, {"TTFT", 'r'},
                                     {"prompt", 'r'}, {"gen", 'r'},     {"speed", 'r'},  {"MiB", 'r'},
                                     {"PPL", 'r'},    {"dPPL %", 'r'},  {"KL", 'r'},     {"top-1", 'r'},
                                     {"tasks", 'r'},  {"full KL", 'r'}};
    const bool served = any_served(r);
    QZ_TRY(qz_table_init(t, a, NULL, cols, sizeof cols / sizeof cols[0] - !served, err));
    for (size_t i = 0; i < r->n_rows; i++) {
        const qz_measured *m = &r->rows[i];
        QZ_TRY(qz_table_row(t, err));
        char format[32] = "source";
        if (i) format_name(m, format);
        QZ_TRY(qz_table_set(t, 0, err, "%s", format));
        QZ_TRY(qz_table_set(t, 1, err, m->file_bytes < 1000000000 ? "%.4f" : "%.2f", (double)m->file_bytes / 1e9));
        QZ_TRY(qz_table_set(t, 2, err, "%.2f", m->bits_per_weight));
        QZ_TRY(set_speed(t, r, i, err));
        if (m->scored) QZ_TRY(qz_table_set(t, 8, err, "%.3f", m->score.ppl.value));
        if (m->scored && m->score.paired) {
            QZ_TRY(qz_table_set(t, 9, err, "%+.2f", m->score.delta_ppl_pct.value));
            QZ_TRY(qz_table_set(t, 10, err, "%.5f", m->score.kl.value));
            QZ_TRY(qz_table_set(t, 11, err, "%.1f", m->score.top1));
        }
        if (m->tasks.n) QZ_TRY(qz_table_set(t, 12, err, "%.1f", 100.0 * (double)m->tasks.solved / (double)m->tasks.n));
        if (served && m->scored_runtime) QZ_TRY(qz_table_set(t, 13, err, "%.5f", m->runtime.kl.value));
    }
    return QZ_OK;
}

static qz_status detail_table(const qz_release_report *r, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Artifact", 'l'}, {"Container", 'l'}, {"Contract of quality", 'l'},
                                     {"Size ratio", 'r'}, {"KL 95 %", 'r'}, {"KL p99", 'r'},
                                     {"dPPL 95 %", 'r'}, {"tasks", 'r'}, {"lost/won", 'r'}, {"McNemar p", 'r'},
                                     {"Contract of speed", 'l'}, {"runtime KL", 'r'},
                                     {"runtime KL 95 %", 'r'}};
    char contract[64];
    QZ_TRY(qz_table_init(t, a, NULL, cols, sizeof cols / sizeof cols[0], err));
    for (size_t i = 0; i < r->n_rows; i++) {
        const qz_measured *m = &r->rows[i];
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s (%s)", qz_path_base(m->path), m->encoding));
        QZ_TRY(qz_table_set(t, 1, err, "%s", m->container));
        QZ_TRY(qz_table_set(t, 2, err, "%s, exact", qz_exact_contract(m->contract, contract)));
        QZ_TRY(qz_table_set(t, 3, err, "%.2fx", (double)r->rows[0].file_bytes / (double)m->file_bytes));
        if (m->scored && m->score.paired) {
            QZ_TRY(qz_table_set(t, 4, err, "%.5f..%.5f", m->score.kl.low, m->score.kl.high));
            QZ_TRY(qz_table_set(t, 5, err, "%.4f", m->score.kl_p99));
            QZ_TRY(qz_table_set(t, 6, err, "%+.2f..%+.2f", m->score.delta_ppl_pct.low, m->score.delta_ppl_pct.high));
        }
        if (m->tasks.n) QZ_TRY(qz_table_set(t, 7, err, "%zu/%zu", m->tasks.solved, m->tasks.n));
        if (m->tasks.n && m->mcnemar >= 0) {
            QZ_TRY(qz_table_set(t, 8, err, "%zu/%zu", m->lost, m->won));
            QZ_TRY(qz_table_set(t, 9, err, "%.3f", m->mcnemar));
        }
        const char *kernel = r->has_bench ? r->bench[i].kernel : m->kernel;
        if (*kernel)
            QZ_TRY(qz_table_set(t, 10, err, "%s (%s)", qz_runtime_contract(m->contract, kernel, contract), kernel));
        if (m->scored_runtime) {
            QZ_TRY(qz_table_set(t, 11, err, "%.6f", m->runtime.kl.value));
            QZ_TRY(qz_table_set(t, 12, err, "%.6f..%.6f", m->runtime.kl.low, m->runtime.kl.high));
        }
    }
    return QZ_OK;
}

static const char *importance_text(const qz_release_made *p) {
    return p->importance_covered ? "used" : p->importance_tensors ? "without" : "not needed";
}
/* A GGUF name says nothing of the importance matrix (C-163). */
static void importance(const qz_release_report *r, qz_str *s) {
    qz_str line = {0};
    char format[32];
    for (size_t i = 1; i < r->n_rows; i++) {
        if (strncmp(r->rows[i].container, "gguf", 4) != 0) continue;
        format_name(&r->rows[i], format);
        qz_str_printf(&line, "%s%s %s",
                      line.len ? ", " : "GGUF, importance matrix (of the calibration data): ", format,
                      importance_text(&r->made[i - 1]));
    }
    if (line.len) {
        qz_str_putc(&line, '.');
        qz_fit_line(s, line.ptr, 2);
    }
    s->failed |= line.failed;
    qz_str_release(&line);
}
/* Quality and speed columns are not of one arithmetic: both contracts by name, and the KL of what the
 * speed columns ran. */
static void contracts(const qz_release_report *r, qz_str *s) {
    char contract[64], format[32];
    qz_str line = {0};
    bool any = false;
    for (size_t i = 1; i < r->n_rows; i++) {
        const qz_measured *m = &r->rows[i];
        if (!m->scored_runtime) continue;
        format_name(m, format);
        qz_str_printf(&line, "%s%s %.6f (%s)", any ? ", " : "", format, m->runtime.kl.value,
                      qz_runtime_contract(m->contract, m->kernel, contract));
        any = true;
    }
    if (r->n_rows > 1) {
        format_name(&r->rows[1], format);
        qz_str head = {0};
        qz_str_printf(&head, "Contracts: quality columns are exact arithmetic (%s: %s);%s", format,
                      qz_exact_contract(r->rows[1].contract, contract),
                      r->has_bench ? " speed columns are runtime arithmetic, which rounds activations to 8 bits where "
                                     "a kernel does."
                                   : " no speed was measured.");
        qz_fit_line(s, head.ptr ? head.ptr : "", 2);
        s->failed |= head.failed;
        qz_str_release(&head);
    }
    if (r->n_rows > 1)
        qz_fit_line(s,
                    "Besides: activations as the contract says (A16: float32 here), accumulators float32 (of 8-bit "
                    "products int32 within a block), "
                    "KV cache float32 in exact arithmetic, float16 in runtime arithmetic; all on the CPU, no GPU "
                    "layers.",
                    2);
    importance(r, s);
    if (any) {
        qz_str text = {0};
        qz_str_printf(&text, "Runtime KL, in nats: %s.%s", line.ptr ? line.ptr : "",
                      any_served(r) ? " It is the column full KL: inputs rounded as the format's servers do, which "
                                      "tasks and the other columns leave float."
                                    : "");
        qz_fit_line(s, text.ptr ? text.ptr : "", 2);
        s->failed |= text.failed;
        qz_str_release(&text);
    }
    s->failed |= line.failed;
    qz_str_release(&line);
}
/* The list, and why others are not in it. */
static void gate_lines(const qz_gate_view *g, qz_str *s) {
    qz_gate_reasons(g, s);
    qz_str_puts(s, "approved artifacts: ");
    qz_gate_list(g, s);
    qz_fit_printf(s, 2, " by %s (sha256 %.16s…)", g->rules->path, g->rules->sha_hex);
}
/* NULL: no gate, or it did not see this artifact. */
static const char *gate_verdict(const qz_release_report *r, const char *name) {
    for (size_t i = 0; r->gate && i < r->gate->candidates->n; i++)
        if (strcmp(r->gate->candidates->at[i].name, name) == 0) return r->gate->approved[i] ? "approved" : "refused";
    return NULL;
}
static void notes(const qz_release_report *r, qz_str *s) {
    char line[768];
    qz_str_puts(s, "Units: ");
    if (r->has_bench) qz_str_puts(s, "TTFT ms; prompt, gen tokens/s; speed: gen against source; MiB: peak RSS; ");
    qz_str_puts(s, "top-1, tasks %.\n");
    if (r->eval.set[0]) {
        (void)snprintf(line, sizeof line,
                       "Text: %s (token hash %.12s), exact arithmetic, KL(source || artifact) in nats.", r->eval.set,
                       r->eval.token_hash);
        qz_fit_line(s, line, 2);
    }
    contracts(r, s);
    if (r->calibration) {
        (void)snprintf(line, sizeof line, "Calibration: %s.", r->calibration);
        qz_fit_line(s, line, 2);
    }
    if (r->accepted) {
        qz_str text = {0};
        qz_accepted_line(r->accepted, &text);
        (void)snprintf(line, sizeof line, "Warning: %s.", text.ptr ? text.ptr : "");
        qz_fit_line(s, line, 2);
        qz_str_release(&text);
    }
    if (r->has_bench) {
        const qz_latency *b = &r->bench[0].speed;
        (void)snprintf(
            line, sizeof line,
            "Speed: prompts of %zu (TTFT) and %zu tokens, %zu new tokens; runtime arithmetic, medians of %zu.",
            b->prompt_tokens, b->pp_tokens, b->new_tokens, b->repeats);
        qz_fit_line(s, line, 2);
    }
    const qz_measured *src = &r->rows[0];
    if (r->n_rows && src->dropped) {
        (void)snprintf(line, sizeof line, "Dropped from the source, nothing uses %s: %zu tensor%s: %s.",
                       src->dropped == 1 ? "it" : "them", src->dropped, qz_plural(src->dropped), src->dropped_names);
        qz_fit_line(s, line, 2);
    }
    if (r->n_rows && src->ignored_keys) {
        (void)snprintf(line, sizeof line, "Ignored in the source's configuration: %zu key%s: %s.", src->ignored_keys,
                       qz_plural(src->ignored_keys), src->ignored_names);
        qz_fit_line(s, line, 2);
    }
    (void)snprintf(line, sizeof line, "Machine: %s.", r->environment);
    qz_fit_line(s, line, 2);
    if (r->gate) gate_lines(r->gate, s);
    if (!r->tasks)
        qz_fit_line(s, "GATE-NOTASK: no task metric; perplexity alone does not pass a release (--tasks FILE).", 2);
}

static void json_made(const qz_release_made *p, qz_json_writer *w) {
    qz_jw_real(w, "quantize_s", p->seconds);
    qz_jw_count(w, "fallbacks", p->fallbacks);
    qz_jw_count(w, "uncorrected", p->uncorrected);
    qz_jw_count(w, "norms_kept", p->norms_kept);
    qz_jw_real(w, "weight_mse", p->weight_mse);
    qz_jw_real(w, "proof_kl", p->self_kl);
    qz_jw_text(w, "proof_text", p->proof_text);
    qz_jw_text(w, "proof_greedy", p->greedy);
    if (p->block_errors) qz_jw_raw(w, "block_errors", p->block_errors);
    qz_jw_key(w, "output_error");
    qz_output_error_json(p->output_error, w->out);
}
static void json_row(const qz_release_report *r, size_t i, qz_json_writer *w) {
    const qz_measured *m = &r->rows[i];
    qz_jw_row(w);
    qz_jw_text(w, "artifact", m->path);
    qz_jw_text(w, "runtime", "quantz");
    qz_jw_count(w, "bytes", m->file_bytes);
    qz_jw_real(w, "bits_per_weight", m->bits_per_weight);
    qz_measured_json(m, &r->rows[0], w);
    if (r->has_bench) qz_speed_json(&r->bench[i], w);
    if (i > 0) json_made(&r->made[i - 1], w);
    qz_jw_close(w, '}');
}
/* Name and hash of each. */
static void list_files(const qz_release_file *f, size_t n, qz_json_writer *w) {
    char hex[65];
    qz_jw_open(w, "files", '[');
    for (size_t i = 0; i < n; i++) {
        if (f[i].name == NULL) continue; /* made of this file */
        qz_sha256_bytes_hex(f[i].text.ptr, f[i].text.len, hex);
        qz_jw_row(w);
        qz_jw_text(w, "name", f[i].name);
        qz_jw_text(w, "sha256", hex);
        qz_jw_close(w, '}');
    }
    qz_str_putc(w->out, '\n');
    qz_jw_close(w, ']');
}

static void json_report(const qz_release_report *r, const qz_release_file *files, size_t n_files, qz_str *s) {
    qz_json_writer w;
    qz_jw_begin(&w, s);
    qz_jw_text(&w, "quantz", r->version);
    qz_jw_text(&w, "model", r->model);
    qz_jw_text(&w, "source_sha256", r->source_sha);
    qz_jw_text(&w, "calibration_sha256", r->data_sha);
    qz_jw_text(&w, "calibration", r->calibration ? r->calibration : "none");
    qz_jw_key(&w, "calibration_accepted");
    qz_accepted_json(r->accepted, s);
    qz_jw_text(&w, "protocol", r->eval.set);
    qz_jw_text(&w, "token_hash", r->eval.token_hash);
    qz_jw_text(&w, "machine", r->environment);
    qz_jw_real(&w, "seconds", r->seconds);
    qz_jw_bool(&w, "gate_notask", !r->tasks);
    if (r->bandwidth > 0) qz_jw_real(&w, "memory_bandwidth_gbs", r->bandwidth);
    if (r->gate) {
        qz_jw_key(&w, "gate");
        qz_gate_json_object(r->gate, &w);
    }
    list_files(files, n_files, &w);
    qz_jw_open(&w, "rows", '[');
    for (size_t i = 0; i < r->n_rows; i++) json_row(r, i, &w);
    qz_str_putc(s, '\n');
    qz_jw_close(&w, ']');
    qz_jw_end(&w);
}

static void card(const qz_release_report *r, size_t i, qz_str *s) {
    const qz_measured *m = &r->rows[i], *src = &r->rows[0];
    const qz_release_made *p = &r->made[i - 1];
    char size[48], contract[64];
    qz_str_printf(s, "# %s\n\n%s, %s (%s), made by quantz %s from %s.\n\n", qz_path_base(m->path), m->container,
                  m->encoding, m->contract, r->version, r->model);
    qz_str_printf(s, "| | |\n|---|---|\n| size | %s, %.3f bits/weight, %.2fx smaller than the source |\n",
                  qz_size_text(size, m->file_bytes), m->bits_per_weight,
                  (double)r->rows[0].file_bytes / (double)m->file_bytes);
    if (m->scored && m->score.paired)
        qz_str_printf(s,
                      "| KL(source \\|\\| artifact) | %.5f [%.5f, %.5f] nats per token |\n| perplexity | %.4f (source "
                      "%.4f, %+.2f %%) |\n| same top token | %.2f %% |\n",
                      m->score.kl.value, m->score.kl.low, m->score.kl.high, m->score.ppl.value,
                      r->rows[0].score.ppl.value, m->score.delta_ppl_pct.value, m->score.top1);
    if (m->scored_runtime)
        qz_str_printf(s, "| KL %s (%s) | %.5f [%.5f, %.5f] nats per token |\n",
                      m->inputs[0] ? "of the full contract, inputs rounded as served"
                                   : "with the runtime's own arithmetic",
                      qz_runtime_contract(m->contract, m->kernel, contract), m->runtime.kl.value, m->runtime.kl.low,
                      m->runtime.kl.high);
    qz_str_puts(s,
                "| runs here | on the CPU, no GPU layers; accumulators float32, KV cache float32 (exact figures) or "
                "float16 (runtime) |\n");
    if (strncmp(m->container, "gguf", 4) == 0) qz_str_printf(s, "| importance matrix | %s |\n", importance_text(p));
    if (m->tasks.n)
        qz_str_printf(s, "| tasks | %zu of %zu (source %zu) |\n", m->tasks.solved, m->tasks.n,
                      r->rows[0].tasks.solved);
    qz_str_printf(s,
                  "| source sha256 | %s |\n| calibration | %s |\n| calibration sha256 | %s |\n| LoRA trained on BF16 "
                  "base | UNKNOWN |\n",
                  r->source_sha, r->calibration ? r->calibration : "none", r->data_sha);
    if (gate_verdict(r, qz_path_base(m->path)))
        qz_str_printf(s, "| gate | %s by %s (sha256 %s) |\n", gate_verdict(r, qz_path_base(m->path)),
                      qz_path_base(r->gate->rules->path), r->gate->rules->sha_hex);
    if (r->accepted) {
        qz_str_puts(s, "| warning | ");
        qz_accepted_line(r->accepted, s);
        qz_str_puts(s, " |\n");
    }
    if (src->dropped)
        qz_str_printf(s, "| dropped tensors (nothing uses them) | %zu: %s |\n", src->dropped, src->dropped_names);
    if (src->ignored_keys)
        qz_str_printf(s, "| ignored keys of the configuration | %zu: %s |\n", src->ignored_keys, src->ignored_names);
    if (p->note[0]) qz_str_printf(s, "| codes | %s |\n", p->note);
    qz_str_printf(s, "\nFigures: quantz engine, exact arithmetic, %s (token hash %.12s).\n",
                  r->eval.set[0] ? r->eval.set : "no text", r->eval.token_hash);
}

static void page(const qz_release_report *r, const qz_table *t, const qz_table *d, qz_str *s) {
    qz_str_printf(s, "# %s: release report\n\n", r->model);
    qz_table_markdown(t, s);
    qz_str_puts(s, "\nspeed: generation against the source row. MiB: peak memory of a process that runs only this "
                   "artifact.\n\n");
    qz_table_markdown(d, s);
    qz_str_putc(s, '\n');
    notes(r, s);
}

/* From the finished report.json, so that both agree. */
static qz_status html_page(const qz_str *json, qz_str *out, qz_error *err) {
    json_t *root = NULL;
    if (json->failed) return qz_fail(err, QZ_EMEMORY, "out of memory writing the report");
    QZ_TRY(qz_json_parse(json->ptr, json->len, "report.json", &root, err));
    qz_html_report(root, out);
    json_decref(root);
    return QZ_OK;
}

/* report.json lists the hashes of the others, but of report.html: it is made of report.json. */
static qz_status all_files(const qz_release_report *r, const qz_table *t, const qz_table *d, qz_arena *a,
                           qz_release_file *f, size_t n, qz_error *err) {
    const size_t json = n - 1;
    size_t at = 0;
    f[at].name = "report.md";
    page(r, t, d, &f[at].text);
    bool named = !f[at++].text.failed;
    const size_t html = r->html ? at++ : json;
    for (size_t i = 1; i < r->n_rows; i++, at++) {
        card(r, i, &f[at].text);
        f[at].name = qz_arena_printf(a, "%s.card.md", qz_path_base(r->rows[i].path));
        named = named && f[at].name && !f[at].text.failed;
    }
    f[json].name = "report.json";
    if (!named) return qz_fail(err, QZ_EMEMORY, "out of memory writing the report");
    json_report(r, f, n - 1, &f[json].text);
    if (!r->html) return QZ_OK;
    f[html].name = "report.html";
    return html_page(&f[json].text, &f[html].text, err);
}

qz_status qz_release_pages(const qz_release_report *r, qz_arena *a, qz_release_file **files, size_t *n,
                           qz_str *terminal, qz_error *err) {
    qz_table t, d;
    const size_t pages = (r->n_rows ? r->n_rows - 1 : 0) + 2 + r->html;
    *n = 0;
    QZ_TRY(main_table(r, a, &t, err));
    QZ_TRY(detail_table(r, a, &d, err));
    qz_table_text(&t, terminal);
    notes(r, terminal);
    *files = qz_arena_calloc(a, pages, sizeof **files);
    if (*files == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory writing the report");
    *n = pages;
    return all_files(r, &t, &d, a, *files, *n, err);
}
