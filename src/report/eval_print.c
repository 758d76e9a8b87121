#include "base/json_write.h"
#include "model/leftovers.h"
#include "report/measured.h"
#include "report/others_print.h"
#include "report/task_print.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *qz_exact_contract(const char *contract, char buf[64]) {
    const size_t weights = 1 + strspn(contract + (*contract != 0), "0123456789");
    if (contract[0] != 'W' || contract[weights] != 'A' || strncmp(contract + weights, "A16", 3) == 0 ||
        strncmp(contract + weights, "A32", 3) == 0)
        return contract;
    (void)snprintf(buf, 64, "%.*sA16", (int)weights, contract);
    return buf;
}
const char *qz_runtime_contract(const char *contract, const char *kernel, char buf[64]) {
    const char *a16 = strstr(contract, "A16");
    if (strstr(kernel, " inputs") == NULL) contract = qz_exact_contract(contract, buf);
    if (a16 == NULL || strstr(kernel, "×q8_") == NULL) return contract;
    (void)snprintf(buf, 64, "%.*sA8%s", (int)(a16 - contract), contract, a16 + 3);
    return buf;
}

static void json_figure(qz_json_writer *w, const char *key, const qz_figure *f) {
    char end[64];
    qz_jw_real(w, key, f->value);
    (void)snprintf(end, sizeof end, "%s_low", key);
    qz_jw_real(w, end, f->low);
    (void)snprintf(end, sizeof end, "%s_high", key);
    qz_jw_real(w, end, f->high);
}
/* What a picture or a paired comparison needs: windows, positions, bins, the worst tokens. */
static void json_windows(const qz_measured *x, qz_json_writer *w) {
    const qz_score *s = &x->score;
    qz_jw_open(w, "window_tokens", '[');
    for (size_t i = 0; i < s->n_windows; i++) qz_jw_count(w, NULL, s->windows[i].n);
    qz_jw_close(w, ']');
    qz_jw_open(w, "window_nll", '[');
    for (size_t i = 0; i < s->n_windows; i++) qz_jw_real(w, NULL, s->windows[i].nll);
    qz_jw_close(w, ']');
    if (!s->paired) return;
    qz_jw_open(w, "window_kl", '[');
    for (size_t i = 0; i < s->n_windows; i++) qz_jw_real(w, NULL, s->windows[i].kl);
    qz_jw_close(w, ']');
    qz_jw_open(w, "kl_by_position", '[');
    for (size_t b = 0; b < QZ_POSITION_BUCKETS; b++) {
        if (s->position[b].n == 0) continue;
        qz_jw_open(w, NULL, '{');
        qz_jw_count(w, "from", qz_position_from(b));
        qz_jw_count(w, "to", b + 1 < QZ_POSITION_BUCKETS ? qz_position_from(b + 1) - 1 : UINT32_MAX);
        qz_jw_real(w, "kl", s->position[b].kl);
        qz_jw_count(w, "tokens", s->position[b].n);
        qz_jw_close(w, '}');
    }
    qz_jw_close(w, ']');
    qz_jw_open(w, "kl_histogram", '['); /* of tokens: a quarter of a decade each, from 1e-7 */
    for (size_t b = 0; b < QZ_KL_BINS; b++) qz_jw_count(w, NULL, s->kl_bins[b]);
    qz_jw_close(w, ']');
    qz_jw_open(w, "worst_tokens", '[');
    for (size_t i = 0; i < s->n_worst; i++) {
        qz_jw_open(w, NULL, '{');
        qz_jw_count(w, "window", s->worst[i].window);
        qz_jw_count(w, "position", s->worst[i].position);
        qz_jw_real(w, "kl", s->worst[i].kl);
        if (x->worst[i].len) {
            qz_jw_text(w, "before", x->worst[i].ptr);
            qz_jw_text(w, "token", x->worst[i].ptr + strlen(x->worst[i].ptr) + 1);
        }
        qz_jw_close(w, '}');
    }
    qz_jw_close(w, ']');
}
static void json_score(const qz_measured *x, qz_json_writer *w) {
    const qz_score *s = &x->score;
    json_figure(w, "ppl", &s->ppl);
    qz_jw_real(w, "ppl_document_mean", s->ppl_of_means);
    qz_jw_count(w, "tokens_scored", s->scored);
    if (x->bits_per_byte > 0) qz_jw_real(w, "bits_per_byte", x->bits_per_byte);
    if (!s->paired) return;
    json_figure(w, "dppl_pct", &s->delta_ppl_pct);
    qz_jw_real(w, "ln_ppl_ratio", s->ln_ratio);
    qz_jw_real(w, "ln_ppl_ratio_se", s->ln_ratio_se);
    json_figure(w, "kl", &s->kl);
    qz_jw_real(w, "kl_median", s->kl_median);
    qz_jw_real(w, "kl_p99", s->kl_p99);
    qz_jw_real(w, "kl_p999", s->kl_p999);
    qz_jw_real(w, "kl_max", s->kl_max);
    qz_jw_real(w, "top1_pct", s->top1);
    qz_jw_real(w, "rms_dp_pct", s->rms_dp);
    if (s->kl_change.present) json_figure(w, "kl_against_first", &s->kl_change);
    if (!x->scored_runtime) return;
    json_figure(w, "runtime_kl", &x->runtime.kl);
    json_figure(w, "runtime_dppl_pct", &x->runtime.delta_ppl_pct);
    qz_jw_real(w, "runtime_top1_pct", x->runtime.top1);
    char contract[64];
    qz_jw_text(w, "runtime_contract", qz_runtime_contract(x->contract, x->kernel, contract));
    qz_jw_text(w, "runtime_kernel", x->kernel);
    if (!x->inputs[0]) return;
    qz_jw_text(w, "runtime_inputs", x->inputs);
    qz_jw_text(w, "exact_contract", qz_exact_contract(x->contract, contract));
}
void qz_measured_json(const qz_measured *x, const qz_measured *lost, qz_json_writer *w) {
    qz_jw_text(w, "container", x->container);
    qz_jw_text(w, "encoding", x->encoding);
    qz_jw_text(w, "precision_contract", x->contract);
    if (x->scored) json_score(x, w);
    if (x->scored) json_windows(x, w);
    if (x->tasks.n) qz_tasks_json(x, w);
    qz_jw_count(w, "dropped_tensors", lost->dropped);
    if (lost->dropped) qz_jw_text(w, "dropped", lost->dropped_names);
    qz_jw_count(w, "ignored_keys", lost->ignored_keys);
    if (lost->ignored_keys) qz_jw_text(w, "ignored", lost->ignored_names);
    qz_unread_json(&lost->keys, "", w);
}
static void json_row(const qz_measured *x, bool others, qz_json_writer *w) {
    qz_jw_row(w);
    qz_jw_text(w, "artifact", x->name);
    qz_jw_text(w, "path", x->path);
    qz_jw_count(w, "bytes", x->file_bytes);
    qz_jw_real(w, "bits_per_weight", x->bits_per_weight);
    qz_measured_json(x, x, w);
    if (x->made_from[0]) qz_jw_text(w, "made_from_other_source", x->made_from);
    if (x->beyond) qz_jw_count(w, "positions_beyond_context", x->beyond);
    if (others) qz_maker_json(x, w);
    qz_jw_close(w, '}');
}

qz_status qz_evaluate_json(const qz_measured *m, size_t n, const qz_eval_facts *facts, qz_str *out, qz_error *err) {
    qz_json_writer w;
    bool tasks = false;
    qz_jw_begin(&w, out);
    qz_jw_text(&w, "protocol", facts->set[0] ? facts->set : NULL);
    qz_jw_text(&w, "token_hash", facts->token_hash[0] ? facts->token_hash : NULL);
    qz_jw_text(&w, "arithmetic", facts->arith);
    if (facts->n_adapters) qz_jw_open(&w, "adapters", '[');
    for (size_t i = 0; i < facts->n_adapters; i++) qz_jw_text(&w, NULL, facts->adapters[i]);
    if (facts->n_adapters) qz_jw_close(&w, ']');
    qz_jw_count(&w, "skipped", facts->skipped);
    if (facts->scored_bytes) qz_jw_count(&w, "scored_bytes", facts->scored_bytes);
    if (facts->source_sha[0]) qz_jw_text(&w, "source_sha256", facts->source_sha);
    for (size_t i = 0; i < n; i++) tasks = tasks || m[i].tasks.n > 0;
    qz_jw_bool(&w, "gate_notask", !tasks);
    if (facts->uploads) qz_others_json(facts->uploads, &w);
    qz_jw_open(&w, "rows", '[');
    for (size_t i = 0; i < n; i++) json_row(&m[i], facts->uploads && i, &w);
    qz_str_puts(out, "\n");
    qz_jw_close(&w, ']');
    qz_jw_end(&w);
    return out->failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : QZ_OK;
}

static void interval(qz_str *out, bool sign, int digits, double low, double high) {
    if (!isfinite(low) || !isfinite(high)) qz_str_puts(out, "[no interval: one window]");
    else if (sign) qz_str_printf(out, "[%+.*f, %+.*f]", digits, low, digits, high);
    else qz_str_printf(out, "[%.*f, %.*f]", digits, low, digits, high);
}

/* The exact figures above belong to the weights; an engine that rounds activations adds its own loss. */
static void print_runtime(const qz_measured *x, qz_str *out) {
    char contract[64];
    if (!x->scored_runtime) return;
    const bool full = x->inputs[0] != 0;
    qz_str_printf(out, "  %-14s  %.6f  ", full ? "full contract" : "runtime KL", x->runtime.kl.value);
    interval(out, false, 6, x->runtime.kl.low, x->runtime.kl.high);
    qz_str_printf(out, full ? " nats of KL as served (%s, %s), perplexity %+.3f %%" :
                              " nats in runtime arithmetic (%s, %s), perplexity %+.3f %%",
                  qz_runtime_contract(x->contract, x->kernel, contract), x->kernel, x->runtime.delta_ppl_pct.value);
    if (full)
        qz_str_printf(out, "; the KL above: weights alone (%s)", qz_exact_contract(x->contract, contract));
    qz_str_putc(out, '\n');
}

void qz_measured_print(const qz_measured *x, qz_str *out) {
    qz_str_printf(out, "%s (%s, %s, %s)\n", x->name, x->container, x->encoding, x->contract);
    if (x->made_from[0])
        qz_str_printf(
            out, "  other source    made from source_sha256 %.16s…: differences are not those of quantization alone\n",
            x->made_from);
    if (x->scored) {
        const qz_score *s = &x->score;
        qz_str_printf(out, "  perplexity      %.4f  ", s->ppl.value);
        interval(out, false, 4, s->ppl.low, s->ppl.high);
        qz_str_printf(out, " token-weighted, %.4f by text means, %zu tokens scored\n", s->ppl_of_means, s->scored);
        if (x->bits_per_byte > 0) qz_str_printf(out, "  bits per byte   %.4f of the scored text\n", x->bits_per_byte);
        if (s->paired) {
            qz_str_printf(out, "  against source  %+.3f %%  ", s->delta_ppl_pct.value);
            interval(out, true, 3, s->delta_ppl_pct.low, s->delta_ppl_pct.high);
            qz_str_printf(out, ", ln ratio %.6f", s->ln_ratio);
            if (isfinite(s->ln_ratio_se)) qz_str_printf(out, " ± %.6f", s->ln_ratio_se);
            qz_str_printf(out, "\n  KL divergence   %.6f  ", s->kl.value);
            interval(out, false, 6, s->kl.low, s->kl.high);
            qz_str_printf(out, " nats; median %.6f, 99 %% %.5f, 99.9 %% %.5f, max %.5f\n", s->kl_median, s->kl_p99,
                          s->kl_p999, s->kl_max);
            if (s->kl_change.present) {
                qz_str_printf(out, "  against first   %+.6f  ", s->kl_change.value);
                interval(out, true, 6, s->kl_change.low, s->kl_change.high);
                qz_str_printf(out, " nats of KL, the same tokens paired\n");
            }
            print_runtime(x, out);
            qz_str_printf(out, "  same top token  %.2f %%, next-token probability RMS difference %.3f %%\n", s->top1,
                          s->rms_dp);
        }
    }
    if (x->tasks.n) qz_tasks_print(x, out);
    else
        qz_str_puts(out,
                    "  GATE-NOTASK     no task metric: perplexity alone does not pass a release; give --tasks FILE\n");
}
