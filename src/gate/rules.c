#include "gate/gate.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/json.h"
#include "base/str.h"
#include <math.h>
#include <string.h>

enum { FILE_LIMIT = 1 << 20, MAX_RULES = 64 };

#define HIGH true
#define LOW false
#define SHARE QZ_GATE_SHARE
#define DROP QZ_GATE_DROPPED
#define FIGURE QZ_GATE_FIGURE
#define SPREAD QZ_GATE_SPREAD
#define PLAIN QZ_GATE_PLAIN
static const qz_gate_metric metrics[] = {
#define QZ_METRIC(id, name, others, kind, high, lowest, highest, unit, key, second, scale, what) \
    {name, others, kind, high, lowest, highest, unit, key, second, scale, what},
#include "gate/metrics.def"
#undef QZ_METRIC
};
#undef HIGH
#undef LOW
#undef SHARE
#undef DROP
#undef FIGURE
#undef SPREAD
#undef PLAIN

const qz_gate_metric *qz_gate_metric_at(size_t i) { return i < QZ_GATE_METRICS ? &metrics[i] : NULL; }

typedef struct { qz_gate_rules *out; qz_arena *a; const char *path; qz_error *err; } reader;

/* "accuracy:json" is accuracy of the kind "json". */
static qz_status find_metric(const reader *r, const char *word, qz_gate_rule *rule) {
    const size_t n = strcspn(word, ":");
    qz_near near = {.word = word};
    for (size_t i = 0; i < QZ_GATE_METRICS; i++) {
        const char *others = metrics[i].others;
        const qz_piece p = {word, n};
        bool is = qz_piece_is(p, metrics[i].name);
        for (qz_piece o; !is && qz_list_next(&others, &o);) is = o.n == n && strncasecmp(o.at, word, n) == 0;
        (void)qz_near_see(&near, metrics[i].name);
        if (!is) continue;
        rule->metric = (qz_gate_metric_id)i;
        rule->kind = word[n] ? qz_arena_strdup(r->a, word + n + 1) : NULL;
        rule->label = qz_arena_strdup(r->a, word);
        if (!rule->label || (word[n] && !rule->kind))
            return qz_fail(r->err, QZ_EMEMORY, "out of memory reading rules");
        if (rule->kind && (rule->metric != QZ_GATE_ACCURACY || !*rule->kind))
            return qz_fail(r->err, QZ_EUSAGE,
                           "bad metric '%s': file '%s': a kind of tasks stands behind accuracy only (accuracy:KIND)",
                           word, r->path);
        return QZ_OK;
    }
    return qz_fail(r->err, QZ_EUSAGE,
                   "unknown metric '%s': file '%s': nearest is '%s' (quantz gate --metrics lists all)", word, r->path,
                   near.best ? near.best : metrics[0].name);
}

static qz_status bound(const reader *r, const qz_gate_rule *rule, const char *key, double v) {
    const qz_gate_metric *m = &metrics[rule->metric];
    if (v >= m->lowest && v <= m->highest) return QZ_OK;
    return qz_fail(r->err, QZ_EUSAGE, "impossible limit %g: file '%s', rule '%s', key '%s': expected %g to %g%s%s", v,
                   r->path, rule->label, key, m->lowest, m->highest, m->unit[0] ? " " : "", m->unit);
}

static qz_status push(const reader *r, const qz_gate_rule *rule) {
    for (size_t i = 0; i < r->out->n; i++) {
        const qz_gate_rule *o = &r->out->rule[i];
        if (o->metric == rule->metric && !strcmp(o->kind ? o->kind : "", rule->kind ? rule->kind : ""))
            return qz_fail(r->err, QZ_EUSAGE, "two rules of one metric: file '%s': '%s' and '%s'", r->path, o->label,
                           rule->label);
    }
    if (r->out->n == MAX_RULES)
        return qz_fail(r->err, QZ_EUSAGE, "too many rules: file '%s': expected at most %d", r->path, MAX_RULES);
    r->out->rule[r->out->n++] = *rule;
    return QZ_OK;
}

static qz_status confidence_of(const reader *r, const json_t *o, double *c) {
    QZ_TRY(qz_json_f64(o, "confidence", r->path, c, r->err));
    if (*c >= 0.5 && *c <= 0.9999) return QZ_OK;
    return qz_fail(r->err, QZ_EUSAGE, "bad confidence %g: file '%s': expected 0.5 to 0.9999, for example 0.95", *c,
                   r->path);
}

/* A limit of the wrong side ("max" of a share of solved tasks) would be passed by what is bad. */
static qz_status side(const reader *r, const qz_gate_rule *rule, const char *key, bool is_min) {
    const qz_gate_metric *m = &metrics[rule->metric];
    if (m->high == is_min) return QZ_OK;
    return qz_fail(r->err, QZ_EUSAGE,
                   "limit on the wrong side: file '%s', rule '%s': %s of %s is better: expected '%s', found '%s'",
                   r->path, rule->label, m->high ? "more" : "less", m->name, m->high ? "min" : "max", key);
}

static qz_status one_rule(reader *r, const json_t *o, double confidence) {
    static const char *const known[] = {"metric", "min",        "max",    "fail",    "note",
                                        "warn",   "confidence", "unless", "optional"};
    qz_gate_rule rule = {.confidence = confidence, .note = (double)NAN, .warn = (double)NAN, .limit = (double)NAN};
    const char *metric = NULL, *unless = NULL, *key;
    json_t *v;
    if (!json_is_object(o))
        return qz_fail(r->err, QZ_EFORMAT, "bad rule: file '%s': expected an object, found %s", r->path,
                       qz_json_kind(o));
    QZ_TRY(qz_json_str(o, "metric", r->path, &metric, r->err));
    if (metric == NULL) return qz_fail(r->err, QZ_EFORMAT, "rule without 'metric': file '%s'", r->path);
    QZ_TRY(find_metric(r, metric, &rule));
    json_object_foreach((json_t *)(uintptr_t)o, key, v) {
        size_t i = 0;
        while (i < sizeof known / sizeof known[0] && strcmp(known[i], key) != 0) i++;
        if (i == sizeof known / sizeof known[0])
            return qz_fail(r->err, QZ_EUSAGE,
                           "unknown key '%s': file '%s', rule '%s': expected metric, min or max, fail, note, warn, "
                           "confidence, unless, optional", key, r->path, metric);
        if (i < 1 || i > 5) continue;
        double x = 0;
        QZ_TRY(qz_json_f64(o, key, r->path, &x, r->err));
        QZ_TRY(bound(r, &rule, key, x));
        if (i <= 2) QZ_TRY(side(r, &rule, key, i == 1));
        if (i == 4) rule.note = x;
        else if (i == 5) rule.warn = x;
        else if (!isnan(rule.limit))
            return qz_fail(r->err, QZ_EUSAGE, "two limits: file '%s', rule '%s': expected one of min, max and fail",
                           r->path, metric);
        else rule.limit = x, rule.strict = i == 3;
    }
    if (isnan(rule.limit))
        return qz_fail(r->err, QZ_EUSAGE, "rule without a limit: file '%s', rule '%s': expected '%s'", r->path, metric,
                       metrics[rule.metric].high ? "min" : "max");
    /* a note before a warning before the limit, as "better" goes */
    const double sign = metrics[rule.metric].high ? -1 : 1;
    if (sign * rule.note > sign * rule.warn || sign * rule.warn > sign * rule.limit ||
        sign * rule.note > sign * rule.limit)
        return qz_fail(r->err, QZ_EUSAGE,
                       "levels out of order: file '%s', rule '%s': expected note, warn and the limit one after the "
                       "other",
                       r->path, metric);
    QZ_TRY(confidence_of(r, o, &rule.confidence));
    QZ_TRY(qz_json_str(o, "unless", r->path, &unless, r->err));
    QZ_TRY(qz_json_bool(o, "optional", r->path, &rule.optional, r->err));
    if (unless) {
        qz_gate_rule other = {0};
        QZ_TRY(find_metric(r, unless, &other));
        rule.unless = other.metric;
        rule.has_unless = true;
    }
    return push(r, &rule);
}

/* {"min_accuracy": 0.9, "max_memory_gb": 8}: a rule a key. */
static qz_status flat_rule(reader *r, const char *key, const json_t *v, double confidence) {
    const bool is_min = strncmp(key, "min_", 4) == 0;
    qz_gate_rule rule = {.confidence = confidence, .note = (double)NAN, .warn = (double)NAN};
    if (!is_min && strncmp(key, "max_", 4) != 0)
        return qz_fail(r->err, QZ_EUSAGE,
                       "unknown key '%s': file '%s': expected rules, confidence, min_METRIC or max_METRIC", key,
                       r->path);
    QZ_TRY(find_metric(r, key + 4, &rule));
    if (!json_is_number(v))
        return qz_fail(r->err, QZ_EFORMAT, "bad limit: file '%s', key '%s': expected a number, found %s", r->path, key,
                       qz_json_kind(v));
    rule.limit = json_number_value(v);
    QZ_TRY(bound(r, &rule, key, rule.limit));
    QZ_TRY(side(r, &rule, is_min ? "min" : "max", is_min));
    return push(r, &rule);
}

static qz_status read_rules(reader *r, const json_t *root) {
    double confidence = 0.95;
    const char *key;
    json_t *v;
    if (!json_is_object(root))
        return qz_fail(r->err, QZ_EFORMAT, "no rules: file '%s': expected an object, found %s", r->path,
                       qz_json_kind(root));
    QZ_TRY(confidence_of(r, root, &confidence));
    json_object_foreach((json_t *)(uintptr_t)root, key, v) {
        if (strcmp(key, "confidence") == 0) continue;
        if (strcmp(key, "rules") != 0) {
            QZ_TRY(flat_rule(r, key, v, confidence));
            continue;
        }
        if (!json_is_array(v))
            return qz_fail(r->err, QZ_EFORMAT, "bad 'rules': file '%s': expected a list, found %s", r->path,
                           qz_json_kind(v));
        for (size_t i = 0; i < json_array_size(v); i++) QZ_TRY(one_rule(r, json_array_get(v, i), confidence));
    }
    for (size_t i = 0; i < r->out->n; i++) {
        bool found = !r->out->rule[i].has_unless;
        for (size_t k = 0; k < r->out->n; k++) found = found || r->out->rule[k].metric == r->out->rule[i].unless;
        if (!found)
            return qz_fail(r->err, QZ_EUSAGE, "'unless' names a metric without a rule: file '%s', rule '%s': '%s'",
                           r->path, r->out->rule[i].label, metrics[r->out->rule[i].unless].name);
    }
    for (size_t i = 0; i < r->out->n; i++) r->out->rule[i].lenient = metrics[r->out->rule[i].metric].key[0] == 0;
    return r->out->n ? QZ_OK
                     : qz_fail(r->err, QZ_EUSAGE,
                               "no rules: file '%s': expected {\"rules\": [{\"metric\": …, \"max\": …}]} or "
                               "{\"min_accuracy\": 0.9, …}",
                               r->path);
}

/* Checklist C-180: perplexity noted from +1 %, warned of from +3 %, refused from +5 % unless tasks
 * are solved as before. */
static const char built_in[] =
    "{\"rules\":[{\"metric\":\"dppl_pct\",\"note\":1,\"warn\":3,\"fail\":5,\"unless\":\"accuracy_drop\"},"
    "{\"metric\":\"accuracy_drop\",\"max\":0.02,\"optional\":true}]}";

static qz_status take(const json_t *root, const char *name, qz_arena *a, qz_gate_rules *out, qz_error *err) {
    reader r = {.out = out, .a = a, .path = name, .err = err};
    if ((out->rule = qz_arena_calloc(a, MAX_RULES + QZ_GATE_LOCK_RULES, sizeof *out->rule)) == NULL)
        return qz_fail(err, QZ_EMEMORY, "out of memory reading rules");
    return read_rules(&r, root);
}

qz_status qz_gate_rules_parse(const char *text, const char *name, qz_arena *a, qz_gate_rules *out, qz_error *err) {
    json_t *root = NULL;
    *out = (qz_gate_rules){.path = name};
    QZ_TRY(qz_json_parse(text, strlen(text), name, &root, err));
    const qz_status st = take(root, name, a, out, err);
    json_decref(root);
    return st;
}

qz_status qz_gate_rules_load(const char *path, qz_arena *a, qz_gate_rules *out, qz_error *err) {
    json_t *root = NULL;
    if (path == NULL) return qz_gate_rules_parse(built_in, "built-in rules", a, out, err);
    *out = (qz_gate_rules){.path = path};
    QZ_TRY(qz_sha256_file_hex(path, out->sha_hex, err));
    QZ_TRY(qz_json_load(path, FILE_LIMIT, &root, err));
    const qz_status st = take(root, path, a, out, err);
    json_decref(root);
    return st;
}
