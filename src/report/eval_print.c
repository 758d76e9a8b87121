#include "report/measured.h"
#include "report/table_print.h"
#include <math.h>

static qz_status metrics_table(const qz_measured *m, size_t n, qz_arena *arena, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Artifact", 'l'}, {"Encoding", 'l'}, {"PPL", 'r'}, {"PPL low", 'r'}, {"PPL high", 'r'}, {"PPL doc mean", 'r'}, {"dPPL %", 'r'},
        {"dPPL low", 'r'}, {"dPPL high", 'r'}, {"KL", 'r'}, {"KL low", 'r'}, {"KL high", 'r'}, {"KL median", 'r'}, {"KL p99", 'r'}, {"KL p99.9", 'r'},
        {"KL max", 'r'}, {"top-1 %", 'r'}, {"RMS dp %", 'r'}, {"tasks", 'r'}, {"of", 'r'}, {"tasks low %", 'r'}, {"tasks high %", 'r'}, {"McNemar p", 'r'}, {"scored", 'r'},
        {"KL against first", 'r'}, {"KL against first low", 'r'}, {"KL against first high", 'r'},
        {"dropped tensors", 'r'}, {"dropped", 'l'}, {"ignored keys", 'r'}, {"ignored", 'l'},
        {"unread keys", 'r'}, {"unread", 'l'}, {"positions beyond context", 'r'}};
    QZ_TRY(qz_table_init(t, arena, NULL, cols, sizeof cols / sizeof cols[0], err));
    for (size_t i = 0; i < n; i++) {
        const qz_measured *x = &m[i];
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", x->name));
        QZ_TRY(qz_table_set(t, 1, err, "%s", x->encoding));
        if (x->dropped) QZ_TRY(qz_table_set(t, 27, err, "%zu", x->dropped));
        if (x->dropped) QZ_TRY(qz_table_set(t, 28, err, "%s", x->dropped_names));
        if (x->ignored_keys) QZ_TRY(qz_table_set(t, 29, err, "%zu", x->ignored_keys));
        if (x->ignored_keys) QZ_TRY(qz_table_set(t, 30, err, "%s", x->ignored_names));
        if (x->keys.n_noted) QZ_TRY(qz_table_set(t, 31, err, "%u", x->keys.n_noted));
        if (x->keys.n_noted) QZ_TRY(qz_table_set(t, 32, err, "%s", x->keys.noted));
        if (x->beyond) QZ_TRY(qz_table_set(t, 33, err, "%zu", x->beyond));
        if (x->scored) {
            const double v[] = {x->score.ppl.value, x->score.ppl.low, x->score.ppl.high, x->score.ppl_of_means};
            for (size_t k = 0; k < 4; k++) if (isfinite(v[k])) QZ_TRY(qz_table_set(t, 2 + k, err, "%.6f", v[k]));
            QZ_TRY(qz_table_set(t, 23, err, "%zu", x->score.scored));
        }
        if (x->scored && x->score.paired) {
            const qz_score *s = &x->score;
            const double v[] = {s->delta_ppl_pct.value, s->delta_ppl_pct.low, s->delta_ppl_pct.high, s->kl.value, s->kl.low, s->kl.high,
                                s->kl_median, s->kl_p99, s->kl_p999, s->kl_max, s->top1, s->rms_dp};
            for (size_t k = 0; k < sizeof v / sizeof v[0]; k++) if (isfinite(v[k])) QZ_TRY(qz_table_set(t, 6 + k, err, "%.6f", v[k]));
            const double d[] = {s->kl_change.value, s->kl_change.low, s->kl_change.high};
            for (size_t k = 0; k < 3 && s->kl_change.present; k++) if (isfinite(d[k])) QZ_TRY(qz_table_set(t, 24 + k, err, "%.6f", d[k]));
        }
        if (x->tasks.n) {
            QZ_TRY(qz_table_set(t, 18, err, "%zu", x->tasks.solved));
            QZ_TRY(qz_table_set(t, 19, err, "%zu", x->tasks.n));
            QZ_TRY(qz_table_set(t, 20, err, "%.2f", x->tasks.low));
            QZ_TRY(qz_table_set(t, 21, err, "%.2f", x->tasks.high));
            if (x->mcnemar >= 0) QZ_TRY(qz_table_set(t, 22, err, "%.4f", x->mcnemar));
        }
    }
    return QZ_OK;
}

qz_status qz_evaluate_json(const qz_measured *m, size_t n, qz_str *out, qz_error *err) {
    qz_arena arena = {0};
    qz_table t;
    qz_status st = metrics_table(m, n, &arena, &t, err);
    if (st == QZ_OK) qz_table_json(&t, out);
    qz_arena_release(&arena);
    return st;
}

static void interval(qz_str *out, bool sign, int digits, double low, double high) {
    if (!isfinite(low) || !isfinite(high)) qz_str_puts(out, "[no interval: one window]");
    else if (sign) qz_str_printf(out, "[%+.*f, %+.*f]", digits, low, digits, high);
    else qz_str_printf(out, "[%.*f, %.*f]", digits, low, digits, high);
}

void qz_measured_print(const qz_measured *x, qz_str *out) {
    qz_str_printf(out, "%s (%s, %s, %s)\n", x->name, x->container, x->encoding, x->contract);
    if (x->scored) {
        const qz_score *s = &x->score;
        qz_str_printf(out, "  perplexity      %.4f  ", s->ppl.value);
        interval(out, false, 4, s->ppl.low, s->ppl.high);
        qz_str_printf(out, " token-weighted, %.4f by text means, %zu tokens scored\n", s->ppl_of_means, s->scored);
        if (s->paired) {
            qz_str_printf(out, "  against source  %+.3f %%  ", s->delta_ppl_pct.value);
            interval(out, true, 3, s->delta_ppl_pct.low, s->delta_ppl_pct.high);
            qz_str_printf(out, ", ln ratio %.6f", s->ln_ratio);
            if (isfinite(s->ln_ratio_se)) qz_str_printf(out, " ± %.6f", s->ln_ratio_se);
            qz_str_printf(out, "\n  KL divergence   %.6f  ", s->kl.value);
            interval(out, false, 6, s->kl.low, s->kl.high);
            qz_str_printf(out, " nats; median %.6f, 99 %% %.5f, 99.9 %% %.5f, max %.5f\n", s->kl_median, s->kl_p99, s->kl_p999, s->kl_max);
            if (s->kl_change.present) {
                qz_str_printf(out, "  against first   %+.6f  ", s->kl_change.value);
                interval(out, true, 6, s->kl_change.low, s->kl_change.high);
                qz_str_printf(out, " nats of KL, the same tokens paired\n");
            }
            qz_str_printf(out, "  same top token  %.2f %%, next-token probability RMS difference %.3f %%\n", s->top1, s->rms_dp);
        }
    }
    if (x->tasks.n) {
        qz_str_printf(out, "  tasks           %zu of %zu  [%.2f %%, %.2f %%]", x->tasks.solved, x->tasks.n, x->tasks.low, x->tasks.high);
        if (x->mcnemar >= 0) qz_str_printf(out, "; against source: %zu lost, %zu won, McNemar p %.3f", x->lost, x->won, x->mcnemar);
        qz_str_putc(out, '\n');
        for (size_t k = 0; k < x->tasks.n_kinds; k++)
            qz_str_printf(out, "    %-14s %zu/%zu\n", x->tasks.kinds[k].kind, x->tasks.kinds[k].solved, x->tasks.kinds[k].n);
    } else qz_str_puts(out, "  GATE-NOTASK     no task metric: perplexity alone does not pass a release; give --tasks FILE\n");
}
