#include "base/json_write.h"
#include "base/size.h"
#include "pipeline/drift.h"
#include "pipeline/verbs.h"
#include "report/table_print.h"
#include <math.h>

static const struct { const char *key, *what; } ways[QZ_DRIFT_WAYS] = {
    [QZ_DRIFT_AS_IS] = {"artifact_with_adapter", "artifact + adapter"},
    [QZ_DRIFT_FITTED] = {"artifact_with_fitted_adapter", "artifact + fitted adapter"},
    [QZ_DRIFT_MERGED] = {"merged_then_quantized", "merged, then quantized"},
    [QZ_DRIFT_EFFECT] = {"base_without_adapter", "base without adapter"}};
static const char *const advices[] = {[QZ_DRIFT_ACCEPT] = "accept", [QZ_DRIFT_RETRAIN] = "retrain",
                                      [QZ_DRIFT_UNDECIDED] = "undecided"};

/* KL against that of the adapter as it is, in percent; false: there is nothing to compare. */
static bool change_of(const qz_score *s, qz_figure *out) {
    const double was = s->kl.value - s->kl_change.value;
    if (!s->kl_change.present || !(was > 0)) return false;
    *out = (qz_figure){.value = 100 * s->kl_change.value / was, .low = 100 * s->kl_change.low / was,
                       .high = 100 * s->kl_change.high / was};
    return true;
}
/* Of what the adapter does, as much as this is lost, in percent. */
static double lost_of(const qz_drift *d) {
    return 100 * d->way[d->best].kl.value / d->way[QZ_DRIFT_EFFECT].kl.value;
}

static qz_status row(qz_table *t, const char *model, const char *against, const qz_score *s, const qz_figure *ratio,
                     qz_error *err) {
    QZ_TRY(qz_table_row(t, err));
    QZ_TRY(qz_table_set(t, 0, err, "%s", model));
    QZ_TRY(qz_table_set(t, 1, err, "%s", against));
    QZ_TRY(qz_table_set(t, 2, err, "%.4g [%.4g, %.4g]", s->kl.value, s->kl.low, s->kl.high));
    if (ratio) QZ_TRY(qz_table_set(t, 3, err, "%.3g [%.3g, %.3g]", ratio->value, ratio->low, ratio->high));
    qz_figure change;
    if (ratio && change_of(s, &change))
        QZ_TRY(qz_table_set(t, 4, err, "%+.1f [%+.1f, %+.1f]", change.value, change.low, change.high));
    return qz_table_set(t, 5, err, "%.2f", s->top1);
}

static qz_status table_of(const qz_drift *d, qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {{"Model", 'l'},      {"Against", 'l'},          {"KL [95 %]", 'l'},
                                     {"Drift ratio", 'l'}, {"Change % [95 %]", 'l'}, {"Top-1 %", 'r'}};
    QZ_TRY(qz_table_init(t, a, NULL, cols, sizeof cols / sizeof *cols, err));
    QZ_TRY(row(t, "artifact", "base", &d->alone, NULL, err));
    for (size_t i = 0; i < QZ_DRIFT_WAYS; i++)
        if (d->measured[i])
            QZ_TRY(row(t, ways[i].what, "base + adapter", &d->way[i], i == QZ_DRIFT_EFFECT ? NULL : &d->ratio[i], err));
    return QZ_OK;
}

static void advice(const qz_drift *d, qz_str *s) {
    const qz_figure *r = &d->ratio[d->best];
    const char *which = d->best == QZ_DRIFT_FITTED ? "with the fitted adapter" : "with the adapter as it is";
    const qz_score *best = &d->way[d->best];
    if (d->advice == QZ_DRIFT_ACCEPT)
        qz_str_printf(s, "Advice: accept and record: %s the artifact is %.2f times as far from its base as alone (at "
                         "most %.2f; the limit is %.2f)\n", which, r->value, r->high, QZ_DRIFT_RATIO);
    else if (d->advice == QZ_DRIFT_RETRAIN)
        qz_str_printf(s, "Advice: retrain the adapter on the quantized base (QLoRA), or merge it and quantize: %s the "
                         "artifact is %.2f times as far from its base as alone (at least %.2f; the limit is %.2f)\n",
                      which, r->value, r->low, QZ_DRIFT_RATIO);
    else
        qz_str_printf(s, "Advice: not decided on %zu windows: the drift ratio %s is %.2f [%.2f, %.2f], the limit %.2f; "
                         "give more text (--windows 0, a longer --text)\n", d->windows, which, r->value, r->low,
                      r->high, QZ_DRIFT_RATIO);
    if (d->measured[QZ_DRIFT_MERGED] && d->way[QZ_DRIFT_MERGED].kl.value < best->kl.value)
        qz_str_printf(s, "Merged first it is nearer still (KL %.3g against %.3g): the way to go where one adapter is "
                         "served\n", d->way[QZ_DRIFT_MERGED].kl.value, best->kl.value);
    if (d->way[QZ_DRIFT_EFFECT].kl.value > 0)
        qz_str_printf(s, "The adapter moves its base by KL %.3g; quantization takes away as much as %.3g %% of that\n",
                      d->way[QZ_DRIFT_EFFECT].kl.value, lost_of(d));
}

static void figure(qz_json_writer *w, const char *key, const qz_figure *f) {
    qz_jw_open(w, key, '{');
    qz_jw_real(w, "value", f->value);
    qz_jw_real(w, "low", f->low);
    qz_jw_real(w, "high", f->high);
    qz_jw_close(w, '}');
}

static void way_json(qz_json_writer *w, const char *key, const qz_score *s, const qz_figure *ratio) {
    qz_jw_open(w, key, '{');
    figure(w, "kl", &s->kl);
    qz_figure change;
    if (ratio && s->kl_change.present) figure(w, "kl_change", &s->kl_change);
    if (ratio && change_of(s, &change)) figure(w, "change_pct", &change);
    if (ratio) figure(w, "drift_ratio", ratio);
    qz_jw_real(w, "top1_pct", s->top1);
    qz_jw_close(w, '}');
}

static void json_of(const qz_drift *d, const qz_request *r, qz_str *s) {
    qz_json_writer w;
    qz_jw_begin(&w, s);
    qz_jw_text(&w, "adapter", d->adapter);
    qz_jw_count(&w, "rank", d->rank);
    qz_jw_text(&w, "base", d->base);
    qz_jw_text(&w, "artifact", d->artifact);
    qz_jw_text(&w, "protocol", d->set);
    qz_jw_text(&w, "token_hash", d->token_hash);
    qz_jw_count(&w, "windows", d->windows);
    qz_jw_count(&w, "tokens_scored", d->alone.scored);
    way_json(&w, "artifact_alone", &d->alone, NULL);
    for (size_t i = 0; i < QZ_DRIFT_WAYS; i++)
        if (d->measured[i]) way_json(&w, ways[i].key, &d->way[i], i == QZ_DRIFT_EFFECT ? NULL : &d->ratio[i]);
    if (d->measured[QZ_DRIFT_FITTED]) {
        qz_jw_open(&w, "fit", '{');
        qz_jw_count(&w, "pairs", d->fitted);
        qz_jw_count(&w, "pairs_kept", d->kept);
        qz_jw_real(&w, "output_lost", d->lost);
        qz_jw_real(&w, "output_lost_fitted", d->left_over);
        if (r->output) qz_jw_text(&w, "adapter", r->output);
        qz_jw_close(&w, '}');
    }
    qz_jw_real(&w, "effect_lost_pct", lost_of(d));
    qz_jw_real(&w, "limit", QZ_DRIFT_RATIO);
    qz_jw_text(&w, "best", ways[d->best].key);
    qz_jw_text(&w, "advice", advices[d->advice]);
    qz_jw_end(&w);
}

static qz_status show(const qz_drift *d, const qz_request *r, qz_error *err) {
    qz_arena a = {0};
    qz_table t = {0};
    qz_str s = {0};
    qz_status st = QZ_OK;
    if (r->json) json_of(d, r, &s);
    else {
        st = table_of(d, &a, &t, err);
        if (st == QZ_OK) st = qz_table_show(&t, false, err);
        qz_str_printf(&s, "%s, rank %llu, beside '%s'; %s, %zu tokens. Drift ratio: over the artifact alone; change: "
                          "against the adapter as it is\n", d->adapter, (unsigned long long)d->rank, d->artifact,
                      d->set, d->alone.scored);
        if (d->measured[QZ_DRIFT_FITTED])
            qz_str_printf(&s, "Fitted: %zu pair%s of the same rank, %zu kept as they were; of what their linears give "
                              "%.3g %% was lost, %.3g %% with the fit%s%s\n", d->fitted, qz_plural(d->fitted), d->kept,
                          100 * d->lost, 100 * d->left_over, r->output ? "; written to " : "",
                          r->output ? r->output : "");
        advice(d, &s);
    }
    if (st == QZ_OK) st = r->json ? qz_show(&s, err) : qz_show_text(&s, err);
    qz_str_release(&s);
    qz_arena_release(&a);
    return st;
}

qz_status qz_run_drift_verb(qz_run *run, const qz_request *r, qz_error *err) {
    qz_drift d;
    qz_status st = qz_drift_run(run, r, &d, err);
    if (st == QZ_OK) st = show(&d, r, err);
    qz_drift_release(&d);
    return st;
}
