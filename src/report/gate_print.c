#include "report/gate_print.h"
#include "base/json_write.h"
#include "report/fit.h"
#include "report/table_print.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *verdict(const qz_gate_result *x) {
    if (x->verdict == QZ_GATE_PASS && x->warn) return "pass, warning";
    if (x->verdict == QZ_GATE_PASS && x->note) return "pass, note";
    return qz_gate_verdict_text(x->verdict);
}

static qz_status rows_of(const qz_gate_view *v, size_t c, qz_table *t, qz_error *err) {
    const qz_gate_rules *rules = v->rules;
    for (size_t i = 0; i < rules->n; i++) {
        const qz_gate_rule *r = &rules->rule[i];
        const qz_gate_result *x = &v->results[c * rules->n + i];
        const bool high = qz_gate_metric_at(r->metric)->high;
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", i ? "" : v->candidates->at[c].name));
        QZ_TRY(qz_table_set(t, 1, err, "%s", r->label));
        if (x->shown.present) QZ_TRY(qz_table_set(t, 2, err, "%.5g", x->shown.value));
        if (x->of > 0) QZ_TRY(qz_table_set(t, 3, err, "%.0f of %.0f seen", x->used, x->of));
        else if (x->shown.present && !x->exact)
            QZ_TRY(qz_table_set(t, 3, err, "%.4g..%.4g", x->shown.low, x->shown.high));
        else if (x->shown.present) QZ_TRY(qz_table_set(t, 3, err, "exact"));
        QZ_TRY(qz_table_set(t, 4, err, "%s %.6g", r->strict ? (high ? ">" : "<") : high ? ">=" : "<=", r->limit));
        QZ_TRY(qz_table_set(t, 5, err, "%s", verdict(x)));
    }
    return QZ_OK;
}

static void reasons(const qz_gate_view *v, size_t c, qz_str *out) {
    const qz_gate_rules *rules = v->rules;
    qz_str line = {0};
    for (size_t i = 0; i < rules->n; i++) {
        const qz_gate_result *x = &v->results[c * rules->n + i];
        const bool level = x->warn || x->note;
        if (x->verdict == QZ_GATE_PASS && !level) continue;
        if (x->verdict == QZ_GATE_WAIVED && !x->shown.present) continue;
        qz_str_clear(&line);
        qz_str_printf(&line, "%s: %s: ", v->candidates->at[c].name, verdict(x));
        qz_gate_reason(&rules->rule[i], x, &line);
        qz_fit_line(out, line.ptr ? line.ptr : "", 2);
    }
    out->failed |= line.failed;
    qz_str_release(&line);
}

void qz_gate_reasons(const qz_gate_view *v, qz_str *out) {
    for (size_t c = 0; c < v->candidates->n; c++)
        if (!v->candidates->at[c].baseline) reasons(v, c, out);
}

void qz_gate_list(const qz_gate_view *v, qz_str *out) {
    bool any = false;
    qz_str_putc(out, '[');
    for (size_t c = 0; c < v->candidates->n; c++) {
        if (v->candidates->at[c].baseline || !v->approved[c]) continue;
        qz_str_puts(out, any ? ", '" : "'");
        for (const char *p = v->candidates->at[c].name; *p; p++) {
            if (*p == '\'' || *p == '\\') qz_str_putc(out, '\\');
            qz_str_putc(out, *p);
        }
        qz_str_putc(out, '\'');
        any = true;
    }
    qz_str_putc(out, ']');
}

static void facts(const qz_gate_view *v, qz_str *out) {
    size_t exact = 0;
    for (size_t c = 0; c < v->candidates->n; c++) {
        if (v->candidates->at[c].baseline)
            qz_fit_printf(out, 2, "baseline: %s, not judged", v->candidates->at[c].name);
        for (size_t i = 0; i < v->rules->n && !v->candidates->at[c].baseline; i++)
            exact += v->results[c * v->rules->n + i].exact && v->results[c * v->rules->n + i].shown.present &&
                     !(v->results[c * v->rules->n + i].of > 0);
    }
    if (exact)
        qz_fit_printf(out, 2, "%zu value%s without a number of samples or an interval: taken as exact", exact,
                      exact == 1 ? "" : "s");
    if (!v->tasks)
        qz_fit_line(out, "GATE-NOTASK: no task metric: perplexity alone does not pass a release (--tasks FILE)", 2);
    if (v->candidates->unread)
        qz_fit_printf(out, 2, "not judged, no metric has these names: %s (quantz gate --metrics)",
                      v->candidates->unread);
    if (v->locked) qz_fit_printf(out, 2, "locked build: %s", v->locked);
    if (v->rules->sha_hex[0]) qz_fit_printf(out, 2, "rules: %s, sha256 %s", v->rules->path, v->rules->sha_hex);
    else if (!v->locked)
        qz_fit_line(out,
                    "rules: built in: perplexity noted from +1 %, warned of from +3 %, refused from +5 % unless tasks "
                    "are solved as before; no more than 2 % of tasks lost (--rules FILE)",
                    2);
}

qz_status qz_gate_text(const qz_gate_view *v, qz_arena *a, qz_str *out, qz_error *err) {
    static const qz_column cols[] = {{"candidate", 'l'}, {"rule", 'l'},  {"value", 'r'},
                                     {"interval", 'r'},  {"limit", 'r'}, {"verdict", 'l'}};
    qz_table t;
    QZ_TRY(qz_table_init(&t, a, NULL, cols, sizeof cols / sizeof cols[0], err));
    for (size_t c = 0; c < v->candidates->n; c++)
        if (!v->candidates->at[c].baseline) QZ_TRY(rows_of(v, c, &t, err));
    qz_table_text(&t, out);
    qz_gate_reasons(v, out);
    facts(v, out);
    qz_str_puts(out, "approved artifacts: ");
    qz_gate_list(v, out);
    qz_str_putc(out, '\n');
    return out->failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : QZ_OK;
}

static void json_rule(const qz_gate_rule *r, const qz_gate_result *x, qz_json_writer *w) {
    qz_str why = {0};
    qz_jw_row(w);
    qz_jw_text(w, "metric", r->label);
    qz_jw_text(w, "verdict", qz_gate_verdict_text(x->verdict));
    if (x->shown.present) {
        qz_jw_real(w, "value", x->shown.value);
        if (!x->exact) qz_jw_real(w, "low", x->shown.low);
        if (!x->exact) qz_jw_real(w, "high", x->shown.high);
        if (x->shown.n > 0) qz_jw_real(w, "n", x->shown.n);
        if (x->of > 0) qz_jw_real(w, "seen", x->used), qz_jw_real(w, "seen_of", x->of);
        else qz_jw_bool(w, "taken_as_exact", x->exact);
    }
    qz_jw_text(w, "side", r->strict ? "fail" : qz_gate_metric_at(r->metric)->high ? "min" : "max");
    qz_jw_real(w, "limit", r->limit);
    qz_jw_real(w, "confidence", r->confidence);
    if (x->note || x->warn) qz_jw_text(w, "level", x->warn ? "warn" : "note");
    if (x->needed > 0) qz_jw_real(w, "n_that_would_decide", x->needed);
    qz_gate_reason(r, x, &why);
    qz_jw_text(w, "reason", why.ptr);
    w->out->failed |= why.failed;
    qz_str_release(&why);
    qz_jw_close(w, '}');
}

static void fields(const qz_gate_view *v, qz_json_writer *w) {
    qz_jw_text(w, "rules", v->rules->path);
    qz_jw_text(w, "rules_sha256", v->rules->sha_hex[0] ? v->rules->sha_hex : NULL);
    qz_jw_text(w, "protocol", v->candidates->protocol);
    qz_jw_text(w, "token_hash", v->candidates->token_hash);
    qz_jw_bool(w, "gate_notask", !v->tasks);
    if (v->candidates->unread) qz_jw_text(w, "unread_keys", v->candidates->unread);
    qz_jw_open(w, "approved", '[');
    for (size_t c = 0; c < v->candidates->n; c++)
        if (!v->candidates->at[c].baseline && v->approved[c]) qz_jw_text(w, NULL, v->candidates->at[c].name);
    qz_jw_close(w, ']');
    qz_jw_open(w, "candidates", '[');
    for (size_t c = 0; c < v->candidates->n; c++) {
        const qz_gate_candidate *x = &v->candidates->at[c];
        if (x->baseline) continue;
        qz_jw_row(w);
        qz_jw_text(w, "name", x->name);
        qz_jw_bool(w, "approved", v->approved[c]);
        qz_jw_open(w, "rules", '[');
        for (size_t i = 0; i < v->rules->n; i++)
            json_rule(&v->rules->rule[i], &v->results[c * v->rules->n + i], w);
        qz_jw_close(w, ']');
        qz_jw_close(w, '}');
    }
    qz_str_putc(w->out, '\n');
    qz_jw_close(w, ']');
}
void qz_gate_json(const qz_gate_view *v, qz_str *out) {
    qz_json_writer w;
    qz_jw_begin(&w, out);
    fields(v, &w);
    qz_jw_end(&w);
}
void qz_gate_json_object(const qz_gate_view *v, qz_json_writer *w) {
    qz_str_putc(w->out, '{');
    w->comma = false;
    fields(v, w);
    qz_jw_close(w, '}');
}

qz_status qz_gate_metrics_table(qz_arena *a, qz_table *t, qz_error *err) {
    static const qz_column cols[] = {
        {"metric", 'l'}, {"limit", 'l'}, {"unit", 'l'}, {"what", 'l'}, {"other names", 'l'}};
    QZ_TRY(qz_table_init(t, a, NULL, cols, sizeof cols / sizeof cols[0], err));
    for (size_t i = 0; qz_gate_metric_at(i); i++) {
        const qz_gate_metric *m = qz_gate_metric_at(i);
        QZ_TRY(qz_table_row(t, err));
        QZ_TRY(qz_table_set(t, 0, err, "%s", m->name));
        QZ_TRY(qz_table_set(t, 1, err, "%s", m->high ? "min" : "max"));
        QZ_TRY(qz_table_set(t, 2, err, "%s", m->unit));
        QZ_TRY(qz_table_set(t, 3, err, "%s", m->what));
        QZ_TRY(qz_table_set(t, 4, err, "%s", m->others));
    }
    return QZ_OK;
}
