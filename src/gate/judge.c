#include "gate/gate.h"
#include "eval/intervals.h"
#include <math.h>

/* A figure that came through a division (8.24 / 8 − 1) stands at its limit if it is there to 12 digits. */
static bool beyond(double v, double limit, bool strict) {
    const double near = 1e-12 * fmax(1, fmax(fabs(v), fabs(limit)));
    return strict ? v > limit - near : v > limit + near;
}

/* The interval at the rule's confidence: counted again where counts are known, else stretched as a normal one. */
static qz_gate_value at_confidence(const qz_gate_rule *r, const qz_gate_value *given) {
    qz_gate_value v = *given;
    const qz_gate_metric *m = qz_gate_metric_at(r->metric);
    if (v.counted && m->kind == QZ_GATE_SHARE) qz_share_interval(v.solved, v.n, r->confidence, &v.low, &v.high);
    else if (v.counted) qz_drop_interval(v.solved, v.won, v.n, r->confidence, &v.low, &v.high);
    else if (v.confidence < 1 && v.low < v.high) {
        const double by = qz_normal_quantile(0.5 + r->confidence / 2) / qz_normal_quantile(0.5 + v.confidence / 2);
        v.low = v.value - by * (v.value - v.low);
        v.high = v.value + by * (v.high - v.value);
    }
    return v;
}

/* −1: the whole interval is refused; 1: it passes; 0: neither. */
static int side_of(const qz_gate_rule *r, const qz_gate_value *v) {
    const bool high = qz_gate_metric_at(r->metric)->high;
    /* a minimum is a maximum of what is left over */
    const double best = high ? -v->high : v->low, worst = high ? -v->low : v->high,
                 limit = high ? -r->limit : r->limit;
    if (!beyond(worst, limit, r->strict)) return 1;
    return beyond(best, limit, r->strict) ? -1 : 0;
}

/* Samples that would decide if the share stays what it is: doubling, then halving. */
static double needed_share(const qz_gate_rule *r, const qz_gate_value *v) {
    qz_gate_value x = *v;
    double lo = v->n, hi = v->n;
    for (; hi < 1e9; hi *= 2) {
        x.n = hi;
        x.solved = v->solved / v->n * hi;
        x.won = v->won / v->n * hi;
        const qz_gate_value w = at_confidence(r, &x);
        if (side_of(r, &w) != 0) break;
        lo = hi;
    }
    if (hi >= 1e9) return 0;
    while (hi - lo > 1) {
        const double mid = floor((lo + hi) / 2);
        x.n = mid;
        x.solved = v->solved / v->n * mid;
        x.won = v->won / v->n * mid;
        const qz_gate_value w = at_confidence(r, &x);
        if (side_of(r, &w) != 0) hi = mid;
        else lo = mid;
    }
    return ceil(hi);
}
static double needed(const qz_gate_rule *r, const qz_gate_value *v) {
    if (v->counted) return needed_share(r, v);
    const double distance = fabs(r->limit - v->value),
                 half = v->value < r->limit ? v->high - v->value : v->value - v->low;
    if (!(v->n > 0) || v->confidence >= 1 || !(distance > 0)) return 0;
    const double n = ceil(v->n * (half / distance) * (half / distance));
    return n < 1e12 ? n : 0;
}

qz_gate_result qz_gate_judge_rule(const qz_gate_rule *r, const qz_gate_candidate *c) {
    const qz_gate_value *given = qz_gate_value_of(c, r);
    const bool high = qz_gate_metric_at(r->metric)->high;
    if (given == NULL) return (qz_gate_result){.verdict = r->optional ? QZ_GATE_WAIVED : QZ_GATE_MISSING};
    qz_gate_result out = {.shown = at_confidence(r, given)};
    const qz_gate_value *v = &out.shown;
    const int side = side_of(r, v);
    out.exact = !(v->low < v->high);
    out.verdict = side > 0 || (side == 0 && r->lenient) ? QZ_GATE_PASS : side < 0 ? QZ_GATE_FAIL : QZ_GATE_OPEN;
    if (out.verdict == QZ_GATE_OPEN) out.needed = needed(r, v);
    const double sign = high ? -1 : 1;
    out.warn = !isnan(r->warn) && beyond(sign * v->value, sign * r->warn, true);
    out.note = !out.warn && !isnan(r->note) && beyond(sign * v->value, sign * r->note, true);
    return out;
}

bool qz_gate_settle(const qz_gate_rules *rules, qz_gate_result *results) {
    bool approved = true;
    for (size_t i = 0; i < rules->n; i++) {
        const qz_gate_rule *r = &rules->rule[i];
        if (r->has_unless && (results[i].verdict == QZ_GATE_FAIL || results[i].verdict == QZ_GATE_OPEN))
            for (size_t k = 0; k < rules->n; k++)
                if (rules->rule[k].metric == r->unless && results[k].verdict == QZ_GATE_PASS)
                    results[i].verdict = QZ_GATE_WAIVED;
        approved = approved && (results[i].verdict == QZ_GATE_PASS || results[i].verdict == QZ_GATE_WAIVED);
    }
    return approved;
}

bool qz_gate_judge(const qz_gate_rules *rules, const qz_gate_candidate *c, qz_gate_result *results) {
    for (size_t i = 0; i < rules->n; i++) results[i] = qz_gate_judge_rule(&rules->rule[i], c);
    return qz_gate_settle(rules, results);
}

const char *qz_gate_verdict_text(qz_gate_verdict v) {
    static const char *const text[] = {"pass", "waived", "insufficient data", "not measured", "FAIL"};
    return text[v];
}

void qz_gate_reason(const qz_gate_rule *r, const qz_gate_result *x, qz_str *out) {
    const qz_gate_metric *m = qz_gate_metric_at(r->metric);
    const qz_gate_value *v = &x->shown;
    qz_str_puts(out, r->label);
    if (x->verdict == QZ_GATE_MISSING || !v->present) {
        qz_str_puts(out, " was not measured");
        return;
    }
    qz_str_printf(out, " %.6g", v->value);
    if (!x->exact) qz_str_printf(out, " [%.6g, %.6g]", v->low, v->high);
    if (v->counted) qz_str_printf(out, " of %.0f", v->n);
    if (m->unit[0]) qz_str_printf(out, " %s", m->unit);
    qz_str_printf(out, ", limit %s %.6g", r->strict ? (m->high ? ">" : "<") : m->high ? ">=" : "<=", r->limit);
    if (x->of > 0)
        qz_str_printf(out, ", %s after %.0f of %.0f %s", x->verdict == QZ_GATE_OPEN ? "not certain" : "certain",
                      x->used, x->of, v->counted ? "tasks" : "windows");
    if (x->verdict != QZ_GATE_OPEN || x->of > 0) return;
    if (x->needed > 0 && v->counted) qz_str_printf(out, ": about %.0f tasks would decide", x->needed);
    else if (x->needed > 0) qz_str_printf(out, ": about %.1f times the data would decide", x->needed / v->n);
    else qz_str_puts(out, ": no amount of data would decide while the value stays at its limit");
}
