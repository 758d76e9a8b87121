/* Accept or refuse measured artifacts by rules that were set before looking.
 * Rules (qz_gate_rules_load) are a JSON file; candidates (qz_gate_candidates_add) are rows of eval, bench and release
 * reports, or of a table that another tool made; qz_gate_judge holds one against the other.
 * A rule passes only where its whole interval lies within the limit; an interval that holds the limit decides nothing,
 * and the number of samples that would is named. A value without an interval is taken as exact, which is said.
 * Source: checklist C-175 to C-180; intervals of shares: Wilson; of paired shares: Bonett and Price (2012). */
#ifndef QZ_GATE_GATE_H
#define QZ_GATE_GATE_H
#include "base/arena.h"
#include "base/str.h"
#include "base/status.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum {
#define QZ_METRIC(id, ...) QZ_GATE_##id,
#include "gate/metrics.def"
#undef QZ_METRIC
    QZ_GATE_METRICS
} qz_gate_metric_id;
typedef enum { QZ_GATE_SHARE, QZ_GATE_DROPPED, QZ_GATE_FIGURE, QZ_GATE_SPREAD, QZ_GATE_PLAIN } qz_gate_kind;
typedef struct {
    const char *name, *others;  /* others: with commas */
    qz_gate_kind kind;
    bool high;                  /* more is better: limits are minima */
    double lowest, highest;     /* that a limit can be */
    const char *unit, *key, *second;
    double scale;
    const char *what;
} qz_gate_metric;
const qz_gate_metric *qz_gate_metric_at(size_t i); /* NULL behind the last */

/* One limit. Levels from which a value is noted and warned of decide nothing. */
typedef struct {
    qz_gate_metric_id metric;
    const char *kind;           /* of tasks ("accuracy:json"); NULL: all */
    const char *label;          /* as the file has it */
    double limit, confidence;   /* 0.95: the two-sided 95 % interval */
    bool strict;                /* "fail": the limit itself is refused too */
    double note, warn;          /* NaN: none */
    bool lenient;               /* drift: refused only where it is certain */
    bool optional;              /* a candidate without it is not refused */
    bool has_unless;
    qz_gate_metric_id unless;   /* a rule of this metric that passes lets this one pass */
} qz_gate_rule;
enum { QZ_GATE_LOCK_RULES = 3 }; /* that a lock adds: there is room for them */
typedef struct {
    qz_gate_rule *rule; size_t n;
    char sha_hex[65];           /* of the file; "": the built-in rules */
    const char *path;
} qz_gate_rules;
/* path NULL: the built-in caution levels of perplexity, and no significant loss of tasks. Strings live in the arena. */
qz_status qz_gate_rules_load(const char *path, qz_arena *a, qz_gate_rules *out, qz_error *err);
/* The same of JSON text; name: for errors. */
qz_status qz_gate_rules_parse(const char *text, const char *name, qz_arena *a, qz_gate_rules *out, qz_error *err);

typedef struct {
    double value, low, high;    /* low == high: no interval */
    double n;                   /* samples behind the interval; 0: unknown */
    double solved, won;         /* of shares: solved (lost, won) of n */
    bool present, counted;      /* counted: solved of n is known, so that any confidence can be had */
    double confidence; /* of low and high; 1: exact bounds (a spread of repeats), which no confidence changes */
} qz_gate_value;
typedef struct { const char *kind; qz_gate_value v; } qz_gate_kind_value;
typedef struct {
    const char *name, *path;    /* path: of the artifact, where the row names one that is there */
    qz_gate_value v[QZ_GATE_METRICS];
    qz_gate_kind_value *kinds; size_t n_kinds;
    const double *window_kl, *window_tokens; size_t n_windows; /* NULL: not in the report */
    const char *task_pass;      /* "1101": in the order of the file; NULL: not in the report */
    bool baseline;              /* the source's row: not judged */
} qz_gate_candidate;
typedef struct {
    qz_gate_candidate *at; size_t n, room;
    const char *protocol, *token_hash, *machine; /* of the files that told; NULL: none did */
    const char *unread;                          /* keys of tables that no metric is, with commas; NULL: none */
    const char *named_by;                        /* the file that told them first */
    qz_arena *arena;
} qz_gate_candidates;
/* Rows of `root` (the text of the file `name`): a list, or an object with "rows" or "candidates" (and a "baseline").
 * Rows of one artifact from several files become one; figures of unlike protocols, tokens or machines are refused. */
qz_status qz_gate_candidates_add(qz_gate_candidates *c, const json_t *root, const char *name, qz_error *err);
/* Against a locked build: fills the drift of each candidate that `locked` has by the same name (of one and one whatever
 * their names are), and adds the drift rules that `rules` lacks: 10 % of KL, 2 % of tasks, 2 % of bytes. Other tokens
 * than the locked ones are QZ_ECHECK. */
qz_status qz_gate_against_lock(qz_gate_candidates *c, const qz_gate_candidates *locked, qz_gate_rules *rules,
                               qz_error *err);
/* What --lock needs of a build, as JSON; QZ_EUSAGE where a report lacks the windows. */
qz_status qz_gate_lock_text(const qz_gate_candidates *c, qz_str *out, qz_error *err);
/* The value that a rule asks for; NULL: the row does not have it. */
const qz_gate_value *qz_gate_value_of(const qz_gate_candidate *c, const qz_gate_rule *r);

typedef enum {
    QZ_GATE_PASS, QZ_GATE_WAIVED, QZ_GATE_OPEN, QZ_GATE_MISSING, QZ_GATE_FAIL
} qz_gate_verdict;
typedef struct {
    qz_gate_verdict verdict;
    qz_gate_value shown;        /* at the rule's own confidence */
    bool exact;                 /* no interval: taken as it is */
    bool note, warn;
    double used, of;            /* a sequence: windows or tasks until it was certain, and those there are; 0: none */
    double needed;              /* OPEN: samples that would decide if the value stays; 0: none would */
} qz_gate_result;
/* The same in two steps, for results that come from elsewhere (sequence.h): one rule, then what rules say together. */
qz_gate_result qz_gate_judge_rule(const qz_gate_rule *r, const qz_gate_candidate *c);
bool qz_gate_settle(const qz_gate_rules *rules, qz_gate_result *results);
/* results [rules->n]. True: approved (every rule passes or is waived). */
bool qz_gate_judge(const qz_gate_rules *rules, const qz_gate_candidate *c, qz_gate_result *results);
const char *qz_gate_verdict_text(qz_gate_verdict v);
/* "accuracy 0.85 [0.68, 0.94] of 20, limit >= 0.9: 140 would decide". */
void qz_gate_reason(const qz_gate_rule *r, const qz_gate_result *x, qz_str *out);
#endif
