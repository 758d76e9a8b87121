/* What `gate` shows: a row for each rule of each candidate, the reasons, and the list of the approved. */
#ifndef QZ_REPORT_GATE_PRINT_H
#define QZ_REPORT_GATE_PRINT_H
#include "base/str.h"
#include "base/json_write.h"
#include "base/table.h"
#include "gate/gate.h"

typedef struct {
    const qz_gate_rules *rules;
    const qz_gate_candidates *candidates;
    qz_gate_result *results;        /* [candidates, rules] */
    bool *approved;           /* [candidates]; not read for baselines */
    const char *locked;             /* file of --lock; NULL: none */
    bool tasks;                     /* some candidate has tasks */
} qz_gate_view;
qz_status qz_gate_text(const qz_gate_view *v, qz_arena *a, qz_str *out, qz_error *err);
void qz_gate_json(const qz_gate_view *v, qz_str *out);
void qz_gate_json_object(const qz_gate_view *v, qz_json_writer *w); /* the same as a value behind a key */
void qz_gate_reasons(const qz_gate_view *v, qz_str *out);           /* a line for each rule that does not just pass */
/* "['AWQ-4bit', 'it\'s']" */
void qz_gate_list(const qz_gate_view *v, qz_str *out);
/* What a rule can limit. */
qz_status qz_gate_metrics_table(qz_arena *a, qz_table *t, qz_error *err);
#endif
