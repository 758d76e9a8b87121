/* A gate that looks after every few windows and tasks and stops when each rule, or the refusal, is certain. */
#ifndef QZ_PIPELINE_GATE_SEQUENTIAL_H
#define QZ_PIPELINE_GATE_SEQUENTIAL_H
#include "gate/gate.h"
#include "produce/request.h"

/* True: the sequence can decide this rule (KL, shares of tasks); others are judged by what is known without
 * evaluation. */
bool qz_gate_sequential_rule(const qz_gate_rule *r);
/* One artifact against r->against on r->text and r->tasks, in a seeded order. results [rules->n]: those of the rules
 * above are OPEN and get filled; of the others one that failed ends the work. */
qz_status qz_gate_sequential(qz_run *run, const qz_request *r, const qz_gate_rules *rules, const char *path,
                             qz_gate_result *results, qz_error *err);
#endif
