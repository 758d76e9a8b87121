#include "plan/gate.h"
#include "base/str.h"
#include <stdio.h>

/* Collects reasons; what does not fit is cut. */
static void add(qz_str *out, const char *what, double found, const char *sign, double limit) {
    qz_str_printf(out, "%s%s %g, limit %s %g", out->len ? "; " : "", what, found, sign, limit);
}

bool qz_gate_judge(const qz_gate_limits *l, const qz_gate_candidate *c, char *reason, size_t n) {
    qz_str s = {0};
    if (l->min_accuracy > 0 && !(c->accuracy >= l->min_accuracy))
        add(&s, "accuracy", c->accuracy, ">=", l->min_accuracy);
    if (l->max_memory_gb > 0 && !(c->memory_gb <= l->max_memory_gb))
        add(&s, "memory GB", c->memory_gb, "<=", l->max_memory_gb);
    if (l->max_p95_ms > 0 && !(c->p95_ms <= l->max_p95_ms)) add(&s, "p95 ms", c->p95_ms, "<=", l->max_p95_ms);
    bool accepted = s.len == 0 && !s.failed;
    if (n) (void)snprintf(reason, n, "%s", accepted ? "within every limit" : s.ptr ? s.ptr : "");
    qz_str_release(&s);
    return accepted;
}
