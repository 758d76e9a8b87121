#include "gate/gate.h"
#include "base/json_write.h"
#include "base/rng.h"
#include "base/size.h"
#include "eval/intervals.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 2000 };

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Relative change of the token-weighted mean, windows drawn in pairs with replacement (seeded). */
static qz_status kl_drift(const qz_gate_candidate *now, const qz_gate_candidate *then, qz_gate_value *out,
                          qz_error *err) {
    const size_t n = now->n_windows;
    double *draws = qz_alloc_array(DRAWS, sizeof *draws), a = 0, b = 0;
    qz_rng rng;
    if (draws == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        a += now->window_kl[i] * now->window_tokens[i];
        b += then->window_kl[i] * then->window_tokens[i];
    }
    qz_rng_seed(&rng, 20240);
    for (size_t d = 0; d < DRAWS; d++) {
        double x = 0, y = 0;
        for (size_t i = 0; i < n; i++) {
            const size_t k = (size_t)qz_rng_below(&rng, n);
            x += now->window_kl[k] * now->window_tokens[k];
            y += then->window_kl[k] * then->window_tokens[k];
        }
        draws[d] = y > 0 ? x / y - 1 : x > 0 ? 1e6 : 0;
    }
    qsort(draws, DRAWS, sizeof *draws, by_value);
    const double value = b > 0 ? a / b - 1 : a > 0 ? 1e6 : 0;
    *out = (qz_gate_value){.value = value,
                           .low = fmin(value, draws[DRAWS / 40]),
                           .high = fmax(value, draws[DRAWS - 1 - DRAWS / 40]),
                           .n = (double)n,
                           .present = true,
                           .confidence = 0.95};
    qz_free(draws);
    return QZ_OK;
}

static void task_drift(const char *now, const char *then, qz_gate_value *out) {
    double lost = 0, won = 0, n = 0;
    for (; now[(size_t)n]; n++) {
        lost += then[(size_t)n] == '1' && now[(size_t)n] == '0';
        won += then[(size_t)n] == '0' && now[(size_t)n] == '1';
    }
    if (!(n > 0)) return;
    *out = (qz_gate_value){.value = (lost - won) / n,
                           .n = n,
                           .solved = lost,
                           .won = won,
                           .present = true,
                           .counted = true,
                           .confidence = 0.95};
    qz_drop_interval(lost, won, n, 0.95, &out->low, &out->high);
}

static bool same_tokens(const qz_gate_candidate *a, const qz_gate_candidate *b) {
    for (size_t i = 0; i < a->n_windows; i++)
        if (a->window_tokens[i] < b->window_tokens[i] || a->window_tokens[i] > b->window_tokens[i]) return false;
    return a->n_windows == b->n_windows;
}

static qz_status compare(qz_gate_candidate *now, const qz_gate_candidate *then, qz_error *err) {
    if (then->window_kl && now->window_kl) {
        if (now->n_windows != then->n_windows || !same_tokens(now, then))
            return qz_fail(err, QZ_ECHECK,
                           "'%s' was measured on other windows than the locked build: expected %zu, found %zu",
                           now->name, then->n_windows, now->n_windows);
        QZ_TRY(kl_drift(now, then, &now->v[QZ_GATE_KL_DRIFT], err));
    }
    if (then->task_pass && now->task_pass) {
        if (strlen(then->task_pass) != strlen(now->task_pass))
            return qz_fail(err, QZ_ECHECK,
                           "'%s' was measured on other tasks than the locked build: expected %zu, found %zu",
                           now->name, strlen(then->task_pass), strlen(now->task_pass));
        task_drift(now->task_pass, then->task_pass, &now->v[QZ_GATE_TASK_DRIFT]);
    }
    const qz_gate_value *a = &now->v[QZ_GATE_SIZE], *b = &then->v[QZ_GATE_SIZE];
    if (a->present && b->present && b->value > 0) {
        const double x = a->value / b->value - 1;
        now->v[QZ_GATE_SIZE_DRIFT] =
            (qz_gate_value){.value = x, .low = x, .high = x, .present = true, .confidence = 1};
    }
    return QZ_OK;
}

static size_t judged(const qz_gate_candidates *c, size_t *last) {
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (!c->at[i].baseline) *last = i, n++;
    return n;
}

static void add_rules(qz_gate_rules *rules, const qz_gate_candidates *locked) {
    static const struct { qz_gate_metric_id metric; double limit; } all[QZ_GATE_LOCK_RULES] = {
        {QZ_GATE_KL_DRIFT, 0.10}, {QZ_GATE_TASK_DRIFT, 0.02}, {QZ_GATE_SIZE_DRIFT, 0.02}};
    bool has[QZ_GATE_LOCK_RULES] = {false, false, false};
    for (size_t i = 0; i < locked->n; i++) {
        has[0] = has[0] || locked->at[i].window_kl;
        has[1] = has[1] || locked->at[i].task_pass;
        has[2] = has[2] || locked->at[i].v[QZ_GATE_SIZE].present;
    }
    for (size_t k = 0; k < QZ_GATE_LOCK_RULES; k++) {
        bool asked = !has[k];
        for (size_t i = 0; i < rules->n; i++) asked = asked || rules->rule[i].metric == all[k].metric;
        if (asked) continue;
        rules->rule[rules->n++] = (qz_gate_rule){.metric = all[k].metric,
                                                 .label = qz_gate_metric_at(all[k].metric)->name,
                                                 .limit = all[k].limit,
                                                 .confidence = 0.95,
                                                 .lenient = true,
                                                 .note = (double)NAN,
                                                 .warn = (double)NAN};
    }
}

qz_status qz_gate_against_lock(qz_gate_candidates *c, const qz_gate_candidates *locked, qz_gate_rules *rules,
                               qz_error *err) {
    size_t last = 0, only = 0;
    if (c->token_hash && locked->token_hash && strcmp(c->token_hash, locked->token_hash) != 0)
        return qz_fail(err, QZ_ECHECK,
                       "tokens differ from those of the lock (hash %.12s, expected %.12s): the text, the tokenizer or "
                       "its BOS changed",
                       c->token_hash, locked->token_hash);
    const bool single = judged(locked, &only) == 1 && judged(c, &last) == 1;
    for (size_t i = 0; i < c->n; i++) {
        if (c->at[i].baseline) continue;
        const qz_gate_candidate *then = single ? &locked->at[only] : NULL;
        for (size_t k = 0; k < locked->n && !single; k++)
            if (strcmp(locked->at[k].name, c->at[i].name) == 0) then = &locked->at[k];
        if (then) QZ_TRY(compare(&c->at[i], then, err));
    }
    add_rules(rules, locked);
    return QZ_OK;
}

qz_status qz_gate_lock_text(const qz_gate_candidates *c, qz_str *out, qz_error *err) {
    qz_json_writer w;
    qz_jw_begin(&w, out);
    qz_jw_text(&w, "protocol", c->protocol);
    qz_jw_text(&w, "token_hash", c->token_hash);
    qz_jw_open(&w, "rows", '[');
    for (size_t i = 0; i < c->n; i++) {
        const qz_gate_candidate *x = &c->at[i];
        if (x->baseline) continue;
        if (x->window_kl == NULL && x->task_pass == NULL)
            return qz_fail(err, QZ_EUSAGE,
                           "'%s' has nothing to lock: its report has neither KL by window nor results of tasks "
                           "(eval --against SOURCE --text FILE --tasks FILE)",
                           x->name);
        qz_jw_row(&w);
        qz_jw_text(&w, "artifact", x->name);
        if (x->v[QZ_GATE_SIZE].present) qz_jw_real(&w, "bytes", x->v[QZ_GATE_SIZE].value * 1e9);
        if (x->v[QZ_GATE_KL].present) qz_jw_real(&w, "kl", x->v[QZ_GATE_KL].value);
        for (int k = 0; k < 2 && x->window_kl; k++) {
            qz_jw_open(&w, k ? "window_kl" : "window_tokens", '[');
            for (size_t j = 0; j < x->n_windows; j++) qz_jw_real(&w, NULL, (k ? x->window_kl : x->window_tokens)[j]);
            qz_jw_close(&w, ']');
        }
        if (x->task_pass) qz_jw_text(&w, "task_pass", x->task_pass);
        qz_jw_close(&w, '}');
    }
    qz_str_putc(out, '\n');
    qz_jw_close(&w, ']');
    qz_jw_end(&w);
    return out->failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : QZ_OK;
}
