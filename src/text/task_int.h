/* Private to text/: what readers of task files share, and the parts of a check. */
#ifndef QZ_TEXT_TASK_INT_H
#define QZ_TEXT_TASK_INT_H
#include <jansson.h>
#include "text/tasks.h"

enum { QZ_TASK_CHOICES = 256 };

static inline const char *qz_task_keep(qz_taskset *s, const char *text) {
    return text ? qz_arena_strdup(&s->arena, text) : NULL;
}
qz_status qz_taskset_add(qz_taskset *s, size_t *room, const qz_task *task, qz_error *err);
/* A list of strings (or one), each behind `before`. */
typedef struct { const char *where, *key, *before; } qz_task_key;
qz_status qz_task_strings(qz_taskset *s, const json_t *list, qz_task_key k, const char *const **out, size_t *n,
                          qz_error *err);
qz_status qz_task_choices(qz_taskset *s, const json_t *list, const char *between, const char *where, qz_task *task,
                          qz_error *err);
/* A number, a letter or the text of one of the choices. */
qz_status qz_task_answer(const json_t *answer, const json_t *list, const char *where, qz_task *task, qz_error *err);
qz_status qz_pattern_check(const char *pattern, qz_error *err); /* QZ_EFORMAT: it does not compile */
/* MATH: what stands in the last \boxed{} (or \fbox{}), then normalized (docs/tasks.md). False: there is none. */
bool qz_math_boxed(const char *s, size_t n, const char **at, size_t *len);
void qz_math_normal(const char *s, size_t n, qz_str *out);
/* The call that an answer makes, in the forms of docs/tasks.md: {"name", "arguments"}, a new reference; NULL: none. */
json_t *qz_tool_call_read(const char *answer, size_t n);
#endif
