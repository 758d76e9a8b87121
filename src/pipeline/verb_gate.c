#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "pipeline/bench.h"
#include "pipeline/evaluate.h"
#include "pipeline/gate.h"
#include "pipeline/gate_sequential.h"
#include "pipeline/verbs.h"
#include "report/gate_print.h"
#include "report/table_print.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { REPORT_LIMIT = 64 << 20, MAX_OPERANDS = 64 };

/* A regular file that ends in .json is a report; everything else is a model to be measured. */
static bool is_report(const char *path) {
    return qz_str_ends(path, ".json") && qz_path_kind_of(path) == QZ_PATH_FILE;
}

/* A rule that only `bench` has a value for. */
static bool wants_speed(const qz_gate_rules *rules) {
    for (size_t i = 0; i < rules->n; i++) {
        const qz_gate_metric_id m = rules->rule[i].metric;
        if (m == QZ_GATE_MEMORY || m == QZ_GATE_TTFT || m == QZ_GATE_P95 || m == QZ_GATE_GENERATION ||
            m == QZ_GATE_PROMPT || m == QZ_GATE_LOAD)
            return true;
    }
    return false;
}

/* What eval's or bench's --json would print, through the same reader as a report's file. */
static qz_status take(qz_gate_candidates *c, const qz_str *text, const char *what, qz_error *err) {
    json_t *root = NULL;
    QZ_TRY(qz_json_parse(text->ptr ? text->ptr : "", text->len, what, &root, err));
    const qz_status st = qz_gate_candidates_add(c, root, what, err);
    json_decref(root);
    return st;
}

static qz_status measure_quality(qz_run *run, const qz_request *r, const qz_compared *which, qz_gate_candidates *c,
                                 qz_error *err) {
    qz_measured *m = qz_calloc_array(MAX_OPERANDS + 1, sizeof *m);
    qz_eval_facts facts;
    qz_str text = {0};
    size_t n = 0;
    if (m == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = qz_evaluate(run, r, which, m, &n, &facts, err);
    if (st == QZ_OK) st = qz_evaluate_json(m, n, &facts, &text, err);
    if (st == QZ_OK) st = take(c, &text, "measured here", err);
    for (size_t i = 0; i < n; i++) qz_measured_release(&m[i]);
    qz_free(m);
    qz_str_release(&text);
    return st;
}

static qz_status measure_speed(qz_run *run, const qz_request *r, const qz_compared *which, qz_gate_candidates *c,
                               qz_error *err) {
    qz_str text = {0};
    qz_json_writer w;
    char env[256];
    qz_environment(run, env, sizeof env);
    qz_bench_json_begin(&w, &(qz_bench_facts){env, NULL, qz_pool_size(run->pool), 0}, &text);
    qz_status st = QZ_OK;
    for (size_t i = 0; i < which->n && st == QZ_OK; i++) {
        qz_source s = {0};
        qz_bench b;
        st = qz_bench_run(r, which->artifacts[i], &b, err);
        if (st == QZ_OK) st = qz_source_open(run, which->artifacts[i], &s, err);
        if (st == QZ_OK) qz_bench_json_row(&w, s.name, s.model, &b, 0);
        qz_source_release(&s);
    }
    qz_bench_json_end(&w);
    if (st == QZ_OK) st = take(c, &text, "measured here", err);
    qz_str_release(&text);
    return st;
}

/* What is known of a model before anything is evaluated. */
static qz_status describe_models(qz_run *run, const qz_compared *which, qz_gate_candidates *c, qz_error *err) {
    qz_str text = {0};
    qz_json_writer w;
    qz_status st = QZ_OK;
    qz_jw_begin(&w, &text);
    qz_jw_open(&w, "rows", '[');
    for (size_t i = 0; i < which->n && st == QZ_OK; i++) {
        qz_source s = {0};
        st = qz_source_open(run, which->artifacts[i], &s, err);
        if (st == QZ_OK) {
            qz_jw_row(&w);
            qz_jw_text(&w, "artifact", s.name);
            qz_jw_text(&w, "path", which->artifacts[i]);
            qz_jw_count(&w, "bytes", s.model->file_bytes);
            qz_jw_real(&w, "bits_per_weight", qz_bits_per_weight(s.model));
            qz_jw_close(&w, '}');
        }
        qz_source_release(&s);
    }
    qz_jw_close(&w, ']');
    qz_jw_end(&w);
    if (st == QZ_OK) st = take(c, &text, "measured here", err);
    qz_str_release(&text);
    return st;
}

static qz_status gather(qz_run *run, const qz_request *r, const qz_gate_rules *rules, qz_gate_candidates *c,
                        qz_error *err) {
    const char *models[MAX_OPERANDS];
    qz_compared which = {.source = r->against, .artifacts = models};
    for (size_t i = 0; i < r->n_operands; i++) {
        json_t *root = NULL;
        if (qz_path_kind_of(r->operands[i]) == QZ_PATH_NONE) return qz_path_missing(r->operands[i], err);
        if (!is_report(r->operands[i])) {
            models[which.n++] = r->operands[i];
            continue;
        }
        QZ_TRY(qz_json_load(r->operands[i], REPORT_LIMIT, &root, err));
        const qz_status st = qz_gate_candidates_add(c, root, r->operands[i], err);
        json_decref(root);
        QZ_TRY(st);
    }
    if (r->sequential && (r->lock || r->write_lock))
        return qz_fail(err, QZ_EUSAGE, "a lock pairs every window and task: --sequential has not all of them");
    if (r->sequential && which.n < r->n_operands)
        return qz_fail(err, QZ_EUSAGE,
                       "--sequential measures artifacts as it goes: expected no report among the operands");
    if (which.n == 0) return QZ_OK;
    const bool quality = r->text || r->tasks, speed = wants_speed(rules);
    if (!quality && !speed)
        return qz_fail(err, QZ_EUSAGE,
                       "nothing to measure '%s' with: give --text FILE, --tasks FILE or both, and --against "
                       "SOURCE for figures against it",
                       models[0]);
    if (r->sequential) QZ_TRY(describe_models(run, &which, c, err));
    else if (quality) QZ_TRY(measure_quality(run, r, &which, c, err));
    return speed ? measure_speed(run, r, &which, c, err) : QZ_OK;
}

/* Rules that need no evaluation were judged; the others begin open. */
static qz_status in_sequence(qz_run *run, const qz_request *r, const qz_gate_rules *rules, const qz_gate_candidate *c,
                             qz_gate_result *results, qz_error *err) {
    for (size_t i = 0; i < rules->n; i++) {
        const qz_gate_rule *rule = &rules->rule[i];
        if (!qz_gate_sequential_rule(rule)) continue;
        const bool can = rule->metric == QZ_GATE_KL ? r->text && r->against : r->tasks != NULL;
        results[i] = (qz_gate_result){.verdict = can              ? QZ_GATE_OPEN
                                                 : rule->optional ? QZ_GATE_WAIVED
                                                                  : QZ_GATE_MISSING};
    }
    return qz_gate_sequential(run, r, rules, c->path, results, err);
}

/* Rules that the sequences decide, after those that need no evaluation. */
static qz_status run_sequences(qz_run *run, const qz_request *r, const qz_gate_view *v, qz_error *err) {
    for (size_t i = 0; i < v->candidates->n; i++) {
        qz_gate_result *mine = v->results + i * v->rules->n;
        if (v->candidates->at[i].baseline) continue;
        QZ_TRY(in_sequence(run, r, v->rules, &v->candidates->at[i], mine, err));
        v->approved[i] = qz_gate_settle(v->rules, mine);
    }
    return QZ_OK;
}

/* The lock is a report like others. */
static qz_status against_lock(const qz_request *r, qz_gate_candidates *c, qz_gate_rules *rules, qz_error *err) {
    qz_gate_candidates locked = {.arena = c->arena};
    json_t *root = NULL;
    QZ_TRY(qz_json_load(r->lock, REPORT_LIMIT, &root, err));
    const qz_status st = qz_gate_candidates_add(&locked, root, r->lock, err);
    json_decref(root);
    return st == QZ_OK ? qz_gate_against_lock(c, &locked, rules, err) : st;
}
/* Before anything is measured. */
static qz_status lock_can_be_written(const qz_request *r, qz_error *err) {
    if (r->write_lock == NULL) return QZ_OK;
    if (!r->force && qz_path_exists(r->write_lock))
        return qz_fail(err, QZ_EUSAGE, "lock exists: file '%s'; replace it with --force", r->write_lock);
    const char *base = qz_path_base(r->write_lock);
    qz_str dir = {0};
    qz_str_append(&dir, base == r->write_lock ? "." : r->write_lock,
                  base == r->write_lock ? 1 : (size_t)(base - r->write_lock));
    const bool can = !dir.failed && access(dir.ptr, W_OK) == 0;
    const qz_status st = can ? QZ_OK
                             : qz_fail(err, QZ_EIO, "cannot write '%s': %s; choose another place", r->write_lock,
                                       dir.failed ? "out of memory" : strerror(errno));
    qz_str_release(&dir);
    return st;
}
static qz_status write_lock(qz_run *run, const qz_request *r, const qz_gate_candidates *c, qz_error *err) {
    qz_str text = {0};
    qz_status st = qz_gate_lock_text(c, &text, err);
    if (st == QZ_OK) st = qz_write_file(r->write_lock, text.ptr, text.len, err);
    if (st == QZ_OK) qz_info(run, "locked in %s, whatever the rules said of it", r->write_lock);
    qz_str_release(&text);
    return st;
}

static qz_status show_metrics(const qz_request *r, qz_error *err) {
    qz_arena a = {0};
    qz_table t;
    qz_status st = qz_gate_metrics_table(&a, &t, err);
    if (st == QZ_OK) st = qz_table_show(&t, r->json, err);
    qz_arena_release(&a);
    return st;
}

qz_status qz_run_gate_verb(qz_run *run, const qz_request *r, qz_error *err) {
    if (r->metrics) return show_metrics(r, err);
    if (r->n_operands == 0)
        return qz_fail(err, QZ_EUSAGE,
                       "nothing to judge: expected report.json, the --json of eval or bench, or artifacts");
    qz_arena a = {0};
    qz_gate_rules rules;
    qz_gate_candidates c = {.arena = &a};
    qz_gate_view v = {.rules = &rules, .candidates = &c, .locked = r->lock};
    qz_str out = {0};
    qz_status st = lock_can_be_written(r, err);
    if (st == QZ_OK) st = qz_gate_rules_load(r->rules, &a, &rules, err);
    if (r->lock && !r->rules) rules.n = 0; /* drift alone; qz_gate_against_lock adds its rules */
    if (st == QZ_OK) st = gather(run, r, &rules, &c, err);
    if (st == QZ_OK && r->lock) st = against_lock(r, &c, &rules, err);
    if (st == QZ_OK) st = qz_gate_judge_all(&a, &v, err);
    if (st == QZ_OK && r->sequential) st = run_sequences(run, r, &v, err);
    v.tasks = v.tasks || (r->sequential && r->tasks);
    for (size_t i = 0; st == QZ_OK && r->store && i < c.n; i++)
        if (!c.at[i].baseline) st = qz_gate_store(run, &v, i, err);
    if (st == QZ_OK && r->json) qz_gate_json(&v, &out);
    else if (st == QZ_OK) st = qz_gate_text(&v, &a, &out, err);
    if (st == QZ_OK) st = qz_show(&out, err);
    if (st == QZ_OK && r->write_lock) st = write_lock(run, r, &c, err);
    if (st == QZ_OK) st = qz_gate_decide(&v, r->every, err);
    qz_str_release(&out);
    qz_arena_release(&a);
    return st;
}
