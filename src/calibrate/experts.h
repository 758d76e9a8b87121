/* How many tokens of the calibration data reached each expert: an expert that saw few is coded from few. */
#ifndef QZ_CALIBRATE_EXPERTS_H
#define QZ_CALIBRATE_EXPERTS_H
#include "base/run.h"
#include "base/str.h"
#include "base/table.h"
#include "calibrate/stats.h"

/* below the first an expert is named; so many are, --json has all */
enum { QZ_EXPERT_TOKENS = 32, QZ_EXPERTS_NAMED = 8 };
/* Tokens that expert x of a sparse layer saw. */
uint64_t qz_expert_tokens(const qz_stats *s, size_t layer, size_t x);
/* A row for each sparse layer: least, median, most tokens of an expert, experts without any. No columns: no
 * layer is sparse. */
qz_status qz_experts_table(const qz_stats *s, qz_arena *arena, qz_table *t, qz_error *err);
/* [{"layer":0,"least":…,"tokens":[…]}, …], each layer with every expert's count. */
void qz_experts_json(const qz_stats *s, qz_str *out);
/* CAL-EXPERT: a warning for each layer with experts below QZ_EXPERT_TOKENS. */
void qz_experts_warn(qz_run *run, const qz_stats *s);
/* Appends ", 3" to a list of n names so far; beyond QZ_EXPERTS_NAMED nothing. Close it with qz_experts_rest. */
void qz_experts_name(qz_str *list, size_t n, size_t expert);
void qz_experts_rest(qz_str *list, size_t n);
#endif
