/* The rule file's arithmetic on candidates that were measured elsewhere: accepted, or every reason why not.
 * qz_gate_limits l = {.min_accuracy = 0.90, .max_memory_gb = 8, .max_p95_ms = 60}; qz_gate_judge(&l, &c, reason, sizeof
 * reason). A limit of 0 is not asked for. Source: checklist C-175 to C-177. */
#ifndef QZ_PLAN_GATE_H
#define QZ_PLAN_GATE_H
#include <stdbool.h>
#include <stddef.h>

typedef struct { double min_accuracy, max_memory_gb, max_p95_ms; } qz_gate_limits;
typedef struct { const char *name; double accuracy, memory_gb, p95_ms; } qz_gate_candidate;
/* True = accepted; reason [n] holds what failed, or "within every limit". A value that is not finite
 * fails its limit. */
bool qz_gate_judge(const qz_gate_limits *l, const qz_gate_candidate *c, char *reason, size_t n);
#endif
