/* Each claim's figures and verdict. Perplexities and KL are of exact arithmetic on the same tokens; differences of two
 * artifacts are paired by windows, with a normal interval over them. */
#include "artifacts/source.h"
#include "base/size.h"
#include "calibrate/stats.h"
#include "eval/intervals.h"
#include "pipeline/bench.h"
#include "pipeline/claims.h"
#include "pipeline/evaluate.h"
#include "plan/hardware.h"
#include "plan/memory.h"
#include "plan/roofline.h"
#include "produce/calib_data.h"
#include "base/io.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEEDS(id) (1u << QZ_CLAIM_ON_##id)
#define SCORE(id) (&c->on[QZ_CLAIM_ON_##id]->score)
static const double Z = 1.959963984540054;

QZ_PRINTF(4, 5)
static qz_status say(qz_claims *c, const char **to, qz_error *err, const char *fmt, ...) {
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    *to = qz_arena_strdup(&c->arena, text);
    return *to ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory");
}

/* For --json: the figure behind the words. */
static void keep(qz_claim_row *row, const char *name, const qz_figure *f) {
    if (row->n == QZ_CLAIM_FIGURES) return;
    row->figure[row->n].name = name;
    row->figure[row->n++].f = *f;
}
static void plain(qz_claim_row *row, const char *name, double value) {
    keep(row, name, &(qz_figure){.value = value, .low = value, .high = value});
}

/* Mean over tokens of x - y, paired by windows: of KL, or of the negative log-likelihood. */
static qz_figure paired(const qz_score *x, const qz_score *y, bool kl) {
    double sum = 0, tokens = 0, left = 0;
    const size_t n = qz_min_size(x->n_windows, y->n_windows);
    for (size_t i = 0; i < n; i++) {
        const qz_window_score *a = &x->windows[i], *b = &y->windows[i];
        sum += (double)a->n * (kl ? a->kl - b->kl : a->nll - b->nll);
        tokens += (double)a->n;
    }
    if (n < 2 || !(tokens > 0)) return (qz_figure){.value = 0, .low = -INFINITY, .high = INFINITY, .n = n};
    const double mean = sum / tokens;
    for (size_t i = 0; i < n; i++) {
        const qz_window_score *a = &x->windows[i], *b = &y->windows[i];
        const double e = (double)a->n * ((kl ? a->kl - b->kl : a->nll - b->nll) - mean);
        left += e * e;
    }
    const double half = Z * sqrt(left * (double)n / (double)(n - 1)) / tokens;
    return (qz_figure){mean, mean - half, mean + half, n, true};
}

/* "less than 0 for certain" holds, the other side fails. */
static qz_claim_verdict below_zero(const qz_figure *f) {
    return f->high < 0 ? QZ_CLAIM_HOLDS : f->low > 0 ? QZ_CLAIM_FAILS : QZ_CLAIM_UNDECIDED;
}
static qz_claim_verdict within(const qz_figure *f, double limit) {
    return f->high <= limit ? QZ_CLAIM_HOLDS : f->low > limit ? QZ_CLAIM_FAILS : QZ_CLAIM_UNDECIDED;
}
/* Both must hold; one that fails decides. */
static qz_claim_verdict both(qz_claim_verdict a, qz_claim_verdict b) {
    if (a == QZ_CLAIM_FAILS || b == QZ_CLAIM_FAILS) return QZ_CLAIM_FAILS;
    return a == QZ_CLAIM_HOLDS && b == QZ_CLAIM_HOLDS ? QZ_CLAIM_HOLDS : QZ_CLAIM_UNDECIDED;
}

static qz_status speed_of(qz_claims *c, const char *path, qz_spread *out, qz_error *err) {
    qz_bench b = {0};
    QZ_TRY(qz_bench_run(c->r, path, &b, err));
    *out = b.speed.gen_tps;
    return QZ_OK;
}

static qz_status awq(qz_claims *c, qz_claim_row *row, qz_error *err) {
    const qz_measured *m = c->on[QZ_CLAIM_ON_AWQ];
    const double size = (double)c->source->file_bytes / (double)m->file_bytes;
    const qz_figure *d = &m->score.delta_ppl_pct;
    qz_spread own, awq_tps;
    plain(row, "times_smaller", size);
    keep(row, "dppl_pct", d);
    row->verdict = both(size >= 3.2 ? QZ_CLAIM_HOLDS : QZ_CLAIM_FAILS, within(d, 1));
    if (c->r->no_bench) {
        QZ_TRY(say(c, &row->why, err, "speed not measured: --no-bench"));
        return say(c, &row->ours, err, "%.2fx smaller; perplexity %+.2f %% [%+.2f, %+.2f]", size, d->value, d->low,
                   d->high);
    }
    QZ_TRY(speed_of(c, c->r->operands[0], &own, err));
    QZ_TRY(speed_of(c, c->path[QZ_CLAIM_ON_AWQ], &awq_tps, err));
    const double low = awq_tps.min / own.max, high = awq_tps.max / own.min;
    keep(row, "times_faster", &(qz_figure){.value = awq_tps.median / own.median, .low = low, .high = high});
    row->verdict = both(row->verdict, low >= 2.5 ? QZ_CLAIM_HOLDS : high < 2.5 ? QZ_CLAIM_FAILS : QZ_CLAIM_UNDECIDED);
    QZ_TRY(say(c, &row->why, err, "speed on this CPU, not on a GPU"));
    return say(c, &row->ours, err, "%.2fx smaller; %.2fx [%.2f, %.2f] tokens/s; perplexity %+.2f %% [%+.2f, %+.2f]",
               size, awq_tps.median / own.median, low, high, d->value, d->low, d->high);
}

static qz_status levels(qz_claims *c, qz_claim_row *row, qz_error *err) {
    const qz_figure *q4 = &SCORE(Q4_K_M)->delta_ppl_pct, *q8 = &SCORE(Q8_0)->delta_ppl_pct,
                    *q3 = &SCORE(Q3_K_S)->delta_ppl_pct, *q2 = &SCORE(Q2_K)->delta_ppl_pct;
    const qz_figure worse3 = paired(SCORE(Q4_K_M), SCORE(Q3_K_S), true),
                    worse2 = paired(SCORE(Q3_K_S), SCORE(Q2_K), true);
    keep(row, "q8_0_dppl_pct", q8), keep(row, "q4_k_m_dppl_pct", q4), keep(row, "q3_k_s_dppl_pct", q3);
    keep(row, "q2_k_dppl_pct", q2), keep(row, "q8_0_kl", &SCORE(Q8_0)->kl), keep(row, "q4_k_m_kl", &SCORE(Q4_K_M)->kl);
    keep(row, "q3_k_s_kl", &SCORE(Q3_K_S)->kl), keep(row, "q2_k_kl", &SCORE(Q2_K)->kl);
    row->verdict = both(both(within(q4, 0.5), within(q8, 0.1)), both(below_zero(&worse3), below_zero(&worse2)));
    QZ_TRY(say(c, &row->why, err,
               "limits taken: Q4_K_M +0.5 %%, Q8_0 +0.1 %%, KL of Q3_K_S above Q4_K_M's, of Q2_K above Q3_K_S's"));
    return say(c, &row->ours, err,
               "perplexity Q8_0 %+.2f %% [%+.2f, %+.2f], Q4_K_M %+.2f %% [%+.2f, %+.2f], Q3_K_S %+.2f %%, Q2_K %+.2f "
               "%%; KL %.3g, %.3g, %.3g, %.3g", q8->value, q8->low, q8->high, q4->value, q4->low, q4->high, q3->value,
               q2->value, SCORE(Q8_0)->kl.value, SCORE(Q4_K_M)->kl.value, SCORE(Q3_K_S)->kl.value,
               SCORE(Q2_K)->kl.value);
}

/* No gain: what more windows take away of the KL is certainly less than a tenth. */
static qz_status samples(qz_claims *c, qz_claim_row *row, qz_error *err) {
    const qz_figure d = paired(SCORE(GPTQ), SCORE(GPTQ_HALF), true);
    const size_t all = qz_min_size((size_t)c->r->samples, c->windows);
    const double tenth = 0.1 * SCORE(GPTQ_HALF)->kl.value;
    keep(row, "kl_change", &d);
    QZ_TRY(say(c, &row->ours, err, "KL change from %zu to %zu windows of %llu tokens: %+.3g [%+.3g, %+.3g]",
               qz_claim_fewer(c), all, (unsigned long long)c->r->seq_len, d.value, d.low, d.high));
    if (all < 256)
        return say(c, &row->why, err,
                   "the data or --samples give %zu windows, the claim is about more than 128: give 256 (half against "
                   "all is shown)", all);
    row->verdict = -d.low <= tenth ? QZ_CLAIM_HOLDS : -d.high > tenth ? QZ_CLAIM_FAILS : QZ_CLAIM_UNDECIDED;
    return say(c, &row->why, err, "no gain: less than a tenth of the KL");
}

static qz_status against_gptq(qz_claims *c, qz_claim_row *row, qz_error *err) {
    const qz_figure d = paired(SCORE(GPTQ), SCORE(AWQ), false);
    const double ppl = SCORE(AWQ)->ppl.value, low = ppl * expm1(d.low), high = ppl * expm1(d.high);
    keep(row, "ppl_gptq_minus_awq", &(qz_figure){.value = ppl * expm1(d.value), .low = low, .high = high});
    plain(row, "gptq_ppl", SCORE(GPTQ)->ppl.value), plain(row, "awq_ppl", ppl);
    row->verdict = low >= 0.5 && high <= 1  ? QZ_CLAIM_HOLDS
                   : high < 0.5 || low > 1 ? QZ_CLAIM_FAILS
                                           : QZ_CLAIM_UNDECIDED;
    QZ_TRY(say(c, &row->why, err, "%s", high < 0 ? "GPTQ is the better one here" : "both as the libraries make them"));
    return say(c, &row->ours, err, "PPL of GPTQ minus AWQ %+.4f [%+.4f, %+.4f]; %.4f and %.4f", ppl * expm1(d.value),
               low, high, SCORE(GPTQ)->ppl.value, ppl);
}

static qz_status plausible(qz_claims *c, qz_claim_row *row, qz_error *err) {
    qz_hardware_set set = {0};
    qz_shape *s = NULL;
    qz_weighed q = {0};
    const qz_hardware *h = NULL;
    qz_status st = qz_hardware_open(&set, NULL, err);
    if (st == QZ_OK) st = qz_hardware_find(&set, "mac-m2-16gb", &h, err);
    if (st == QZ_OK) st = qz_shape_builtin("llama-2-13b", &s, err);
    if (st == QZ_OK) st = qz_level_weigh(s, QZ_LEVEL_GGUF_Q4_K_M, false, NULL, &q, err);
    if (st == QZ_OK) {
        const double need = qz_effective_gbps((double)q.bytes, 25), has = h->bandwidth_gbps;
        plain(row, "gbps_needed", need), plain(row, "gbps", has);
        plain(row, "tokens_per_s_at_most", 1e9 * has / (double)q.bytes);
        row->verdict = need > has ? QZ_CLAIM_FAILS : QZ_CLAIM_UNDECIDED;
        st = say(c, &row->ours, err, "25 tok/s of 13B Q4_K_M need %.1f GB/s; a base M2 has %.0f: at most %.1f tok/s",
                 need, has, 1e9 * has / (double)q.bytes);
        if (st == QZ_OK)
            st = say(c, &row->why, err, "computed, no M2 here; 70B on 2x A100: not measured, no such card");
    }
    qz_shape_free(s);
    qz_hardware_release(&set);
    return st;
}

static qz_status no_code(qz_claims *c, qz_claim_row *row, qz_error *err) {
    return say(c, &row->why, err, "HumanEval runs generated code, which this program does not; 'quantz calibrate "
                                  "--compare-data' measures what other data do to the KL");
}

static qz_status int4_tasks(qz_claims *c, qz_claim_row *row, qz_error *err) {
    qz_measured m[2] = {0};
    size_t n = 0;
    qz_eval_facts facts = {0};
    qz_request r = *c->r;
    if (r.tasks == NULL) return say(c, &row->why, err, "give --tasks FILE (MATH as a task file, docs/tasks.md)");
    r.text = NULL;
    r.arith = "exact";
    const char *path = c->path[QZ_CLAIM_ON_GPTQ];
    qz_status st = qz_evaluate(c->run, &r, &(qz_compared){r.operands[0], &path, 1}, m, &n, &facts, err);
    if (st == QZ_OK && m[1].tasks.n) {
        const double all = (double)m[1].tasks.n, drop = ((double)m[1].lost - (double)m[1].won) / all;
        double low, high;
        qz_drop_interval((double)m[1].lost, (double)m[1].won, all, 0.95, &low, &high);
        keep(row, "points", &(qz_figure){.value = -100 * drop, .low = -100 * high, .high = -100 * low});
        row->verdict = low > 0.05 || high < 0.03      ? QZ_CLAIM_FAILS
                       : low >= 0.03 && high <= 0.05 ? QZ_CLAIM_HOLDS
                                                     : QZ_CLAIM_UNDECIDED;
        st = say(c, &row->ours, err, "GPTQ w4g128: %+.2f points [%+.2f, %+.2f] on %zu tasks (lost %zu, won %zu)",
                 -100 * drop, -100 * high, -100 * low, m[1].tasks.n, m[1].lost, m[1].won);
        if (st == QZ_OK) st = say(c, &row->why, err, "on the tasks given, which stand for MATH only if they are MATH");
    }
    for (size_t i = 0; i < n; i++) qz_measured_release(&m[i]);
    qz_str_release(&facts.task_log);
    return st;
}

static qz_status fp8(qz_claims *c, qz_claim_row *row, qz_error *err) {
    const qz_figure *d = &SCORE(FP8)->delta_ppl_pct;
    keep(row, "dppl_pct", d), keep(row, "kl", &SCORE(FP8)->kl), keep(row, "q8_0_kl", &SCORE(Q8_0)->kl);
    row->verdict = within(d, 0.5);
    QZ_TRY(say(c, &row->why, err, "limit taken: +0.5 %% perplexity; weights alone, inputs as they are"));
    return say(c, &row->ours, err, "perplexity %+.3f %% [%+.3f, %+.3f]; KL %.3g [%.3g, %.3g], of Q8_0 %.3g", d->value,
               d->low, d->high, SCORE(FP8)->kl.value, SCORE(FP8)->kl.low, SCORE(FP8)->kl.high, SCORE(Q8_0)->kl.value);
}

static int larger_first(const void *x, const void *y) {
    const float a = *(const float *)x, b = *(const float *)y;
    return a < b ? 1 : a > b ? -1 : 0;
}

/* Share of E[x²] in the first hundredth of an input's columns. */
static qz_status top_share(const qz_input_stats *in, double *out, qz_error *err) {
    float *e = qz_alloc_array(in->cols, sizeof *e);
    double top = 0, all = 0;
    if (e == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_stats_importance(in, e);
    qsort(e, in->cols, sizeof *e, larger_first);
    const size_t most = qz_max_size(1, (in->cols + 50) / 100);
    for (size_t k = 0; k < in->cols; k++) all += (double)e[k], top += k < most ? (double)e[k] : 0;
    *out = all > 0 ? top / all : 0;
    qz_free(e);
    return QZ_OK;
}

static qz_status energy(qz_claims *c, const qz_stats *s, qz_claim_row *row, qz_error *err) {
    double sum = 0, least = 1, most = 0;
    size_t n = 0;
    for (size_t l = 0; l < s->info.in.layers; l++)
        for (size_t i = 0; i < qz_inputs(&s->info.in, l); i++) {
            const qz_input_stats in = qz_stats_get(s, l, i);
            double share = 0;
            if (in.tokens == 0) continue;
            QZ_TRY(top_share(&in, &share, err));
            sum += share, n++;
            least = share < least ? share : least, most = share > most ? share : most;
        }
    const double mean = n ? sum / (double)n : 0;
    keep(row, "energy_of_top_1_pct", &(qz_figure){.value = mean, .low = least, .high = most});
    row->verdict = mean >= 0.1 ? QZ_CLAIM_HOLDS : mean < 0.03 ? QZ_CLAIM_FAILS : QZ_CLAIM_UNDECIDED;
    QZ_TRY(say(c, &row->why, err,
               "taken to hold where the top 1 %% carry ten times their share; AWQ scales every channel by its "
               "magnitude and protects no fixed 1 %%"));
    return say(c, &row->ours, err,
               "top 1 %% of the channels carry %.1f %% of the energy (%.1f to %.1f %% over %zu inputs)",
               100 * mean, 100 * least, 100 * most, n);
}

static qz_status salient(qz_claims *c, qz_claim_row *row, qz_error *err) {
    qz_scratch scratch;
    qz_source src = {0};
    qz_stats s = {0};
    qz_request r = *c->r;
    qz_error rest = {0};
    r.linted = true, r.resume = false, r.accepted = "";
    QZ_TRY(qz_scratch_make("claims-stats", &scratch, err));
    char *path = qz_path_join(scratch.path, "calibration.stats");
    qz_status st = path ? qz_source_open(c->run, r.operands[0], &src, err) : qz_fail(err, QZ_EMEMORY, "out of memory");
    if (st == QZ_OK) st = qz_calib_make(c->run, &src, &r, path, NULL, err);
    if (st == QZ_OK) st = qz_stats_open(&s, path, err);
    if (st == QZ_OK) st = energy(c, &s, row, err);
    qz_stats_release(&s);
    qz_source_release(&src);
    qz_free(path);
    const qz_status gone = qz_scratch_remove(&scratch, &rest);
    return st == QZ_OK && gone != QZ_OK ? (*err = rest, gone) : st;
}

static qz_status importance(qz_claims *c, qz_claim_row *row, qz_error *err) {
    const qz_figure im = paired(SCORE(Q2_K_IM), SCORE(Q2_K), true), iq = paired(SCORE(IQ3_S_IM), SCORE(Q3_K_S), true);
    keep(row, "q2_k_change", &im), keep(row, "iq3_s_change", &iq), keep(row, "q2_k_kl", &SCORE(Q2_K)->kl);
    keep(row, "q2_k_imatrix_kl", &SCORE(Q2_K_IM)->kl), keep(row, "q3_k_s_kl", &SCORE(Q3_K_S)->kl);
    keep(row, "iq3_s_imatrix_kl", &SCORE(IQ3_S_IM)->kl);
    row->verdict = both(below_zero(&im), below_zero(&iq));
    QZ_TRY(say(c, &row->why, err, "files of %.2f and %.2f, %.2f and %.2f bits a weight",
               c->on[QZ_CLAIM_ON_Q2_K]->bits_per_weight, c->on[QZ_CLAIM_ON_Q2_K_IM]->bits_per_weight,
               c->on[QZ_CLAIM_ON_Q3_K_S]->bits_per_weight, c->on[QZ_CLAIM_ON_IQ3_S_IM]->bits_per_weight));
    return say(c, &row->ours, err,
               "KL Q2_K %.3g, with imatrix %.3g (%+.3g [%+.3g, %+.3g]); Q3_K_S %.3g, IQ3_S with imatrix %.3g (%+.3g "
               "[%+.3g, %+.3g])", SCORE(Q2_K)->kl.value, SCORE(Q2_K_IM)->kl.value, im.value, im.low, im.high,
               SCORE(Q3_K_S)->kl.value, SCORE(IQ3_S_IM)->kl.value, iq.value, iq.low, iq.high);
}

static qz_status groups(qz_claims *c, qz_claim_row *row, qz_error *err) {
    static const struct { qz_claim_artifact at; const char *kl, *bits; } step[] = {
        {QZ_CLAIM_ON_GPTQ_32, "kl_32", "bits_32"}, {QZ_CLAIM_ON_GPTQ_64, "kl_64", "bits_64"},
        {QZ_CLAIM_ON_GPTQ, "kl_128", "bits_128"}, {QZ_CLAIM_ON_GPTQ_ROW, "kl_row", "bits_row"}};
    const qz_measured *m[4];
    row->verdict = QZ_CLAIM_HOLDS;
    for (size_t i = 0; i < 4; i++) {
        m[i] = c->on[step[i].at];
        keep(row, step[i].kl, &m[i]->score.kl), plain(row, step[i].bits, m[i]->bits_per_weight);
    }
    for (size_t i = 0; i + 1 < 4; i++) {
        const qz_figure d = paired(&m[i]->score, &m[i + 1]->score, true);
        row->verdict = both(row->verdict, m[i]->file_bytes > m[i + 1]->file_bytes ? below_zero(&d) : QZ_CLAIM_FAILS);
    }
    QZ_TRY(say(c, &row->why, err, "holds if each step is certain, paired"));
    return say(c, &row->ours, err,
               "GPTQ of 32, 64, 128, a row: KL %.3g, %.3g, %.3g, %.3g; %.3f, %.3f, %.3f, %.3f bits a weight",
               m[0]->score.kl.value, m[1]->score.kl.value, m[2]->score.kl.value, m[3]->score.kl.value,
               m[0]->bits_per_weight, m[1]->bits_per_weight, m[2]->bits_per_weight, m[3]->bits_per_weight);
}

static qz_status order(qz_claims *c, qz_claim_row *row, qz_error *err) {
    const qz_figure d = paired(SCORE(GPTQ_ORDER), SCORE(GPTQ), true);
    qz_spread in, out;
    keep(row, "kl_change", &d);
    row->verdict = below_zero(&d);
    if (c->r->no_bench) {
        QZ_TRY(say(c, &row->why, err, "speed not measured: --no-bench"));
        return say(c, &row->ours, err, "KL %+.3g [%+.3g, %+.3g]", d.value, d.low, d.high);
    }
    QZ_TRY(speed_of(c, c->path[QZ_CLAIM_ON_GPTQ], &in, err));
    QZ_TRY(speed_of(c, c->path[QZ_CLAIM_ON_GPTQ_ORDER], &out, err));
    plain(row, "tokens_per_s", out.median), plain(row, "tokens_per_s_in_order", in.median);
    const qz_claim_verdict slower = out.max < in.min   ? QZ_CLAIM_HOLDS
                                    : out.min > in.max ? QZ_CLAIM_FAILS
                                                       : QZ_CLAIM_UNDECIDED;
    row->verdict = both(row->verdict, slower);
    QZ_TRY(say(c, &row->why, err, "speed on this CPU, not on a GPU"));
    return say(c, &row->ours, err, "KL %+.3g [%+.3g, %+.3g]; %.0f tokens/s against %.0f", d.value, d.low, d.high,
               out.median, in.median);
}

static qz_status context(qz_claims *c, qz_claim_row *row, qz_error *err) {
    static const char *const types[] = {"f16", "q8_0", "q4_0"};
    qz_source s = {0};
    qz_shape *shape = NULL;
    uint64_t most[3] = {0}, capacity = 0;
    qz_status st = qz_source_open(c->run, c->r->operands[0], &s, err);
    if (st == QZ_OK) st = qz_shape_from_model(s.model, s.name, &shape, err);
    if (st == QZ_OK) capacity = 2 * s.model->file_bytes;
    if (st == QZ_OK && c->r->memory) st = qz_bytes_parse(c->r->memory, "memory", &capacity, err);
    for (size_t i = 0; i < 3 && st == QZ_OK; i++) {
        qz_memory_query q = {.shape = shape, .level = QZ_LEVEL_COUNT, .users = 1, .ctx = 1, .capacity = capacity,
                             .weight_bytes = s.model->file_bytes};
        st = qz_kv_types_parse(types[i], &q.kv, err);
        if (st == QZ_OK) st = qz_memory_max_ctx(&q, &most[i], err);
    }
    if (st == QZ_OK) {
        plain(row, "f16_tokens", (double)most[0]), plain(row, "q8_0_tokens", (double)most[1]);
        plain(row, "q4_0_tokens", (double)most[2]);
        row->verdict = most[1] > most[0] && most[2] > most[1] ? QZ_CLAIM_HOLDS : QZ_CLAIM_FAILS;
        st = say(c, &row->ours, err, "one user in %.3g GB: f16 %llu tokens, q8_0 %llu, q4_0 %llu (%.2fx, %.2fx)",
                 (double)capacity / 1e9, (unsigned long long)most[0], (unsigned long long)most[1],
                 (unsigned long long)most[2], (double)most[1] / (double)qz_max_size(1, (size_t)most[0]),
                 (double)most[2] / (double)qz_max_size(1, (size_t)most[0]));
    }
    if (st == QZ_OK)
        st = say(c, &row->why, err, "computed by the memory plan, %s", c->r->memory ? "--memory"
                                                                                    : "twice the model's size");
    qz_shape_free(shape);
    qz_source_release(&s);
    return st;
}

static qz_status long_context(qz_claims *c, qz_claim_row *row, qz_error *err) {
    return say(c, &row->why, err, "no evaluation with a quantized cache is wired here yet");
}

static qz_status who(qz_claims *c, qz_claim_row *row, qz_error *err) {
    const qz_figure d = paired(SCORE(Q4_K_M), SCORE(Q4_K_M_IM), true);
    keep(row, "kl", &SCORE(Q4_K_M)->kl), keep(row, "imatrix_kl", &SCORE(Q4_K_M_IM)->kl), keep(row, "difference", &d);
    row->verdict = d.low > 0 || d.high < 0 ? QZ_CLAIM_HOLDS : QZ_CLAIM_UNDECIDED;
    QZ_TRY(say(c, &row->why, err, "two files called Q4_K_M of this model: without and with an importance matrix"));
    return say(c, &row->ours, err, "KL %.3g and %.3g, difference %+.3g [%+.3g, %+.3g]", SCORE(Q4_K_M)->kl.value,
               SCORE(Q4_K_M_IM)->kl.value, d.value, d.low, d.high);
}

static qz_status cost(qz_claims *c, qz_claim_row *row, qz_error *err) {
    const double g = c->seconds[QZ_CLAIM_ON_GPTQ], a = c->seconds[QZ_CLAIM_ON_AWQ];
    if (!(g > 0) || !(a > 0))
        return say(c, &row->why, err, "artifacts of another run: their seconds are not known; choose another -o");
    plain(row, "gptq_seconds", g), plain(row, "awq_seconds", a);
    row->verdict = g > a ? QZ_CLAIM_HOLDS : QZ_CLAIM_FAILS;
    QZ_TRY(say(c, &row->why, err, "one run each on this machine, the same %zu windows", qz_min_size(c->windows,
                                                                                              (size_t)c->r->samples)));
    return say(c, &row->ours, err, "GPTQ %.1f s, AWQ %.1f s", g, a);
}

static const qz_claim_how rows[] = {
    {"C-194", NEEDS(AWQ), awq},
    {"C-195", NEEDS(Q8_0) | NEEDS(Q4_K_M) | NEEDS(Q3_K_S) | NEEDS(Q2_K), levels},
    {"C-196", NEEDS(GPTQ) | NEEDS(GPTQ_HALF), samples},
    {"C-197", NEEDS(GPTQ) | NEEDS(AWQ), against_gptq},
    {"C-198", 0, plausible},
    {"C-199", 0, no_code},
    {"C-200", NEEDS(GPTQ), int4_tasks},
    {"C-201", NEEDS(FP8) | NEEDS(Q8_0), fp8},
    {"C-202", 0, salient},
    {"C-203", NEEDS(Q2_K) | NEEDS(Q2_K_IM) | NEEDS(Q3_K_S) | NEEDS(IQ3_S_IM), importance},
    {"C-204", NEEDS(GPTQ_32) | NEEDS(GPTQ_64) | NEEDS(GPTQ) | NEEDS(GPTQ_ROW), groups},
    {"C-205", NEEDS(GPTQ) | NEEDS(GPTQ_ORDER), order},
    {"C-206", 0, context},
    {"C-207", 0, long_context},
    {"C-208", NEEDS(Q4_K_M) | NEEDS(Q4_K_M_IM), who},
    {"C-209", NEEDS(GPTQ) | NEEDS(AWQ), cost},
};
const qz_claim_how *qz_claim_how_of(const char *id) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].id, id) == 0) return &rows[i];
    return NULL;
}
