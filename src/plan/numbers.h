/* Whole numbers as options give them: contexts, users. */
#ifndef QZ_PLAN_NUMBERS_H
#define QZ_PLAN_NUMBERS_H
#include "base/arena.h"
#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>

/* Comma list of whole numbers, "32k" = 32768; each from 1 to most. */
qz_status qz_plan_numbers(const char *text, const char *option, uint64_t most, qz_arena *arena, uint64_t **out,
                          size_t *n, qz_error *err);
/* One of them where a verb takes no list; NULL keeps *out. */
qz_status qz_plan_number(const char *text, const char *option, uint64_t most, uint64_t *out, qz_error *err);
#endif
