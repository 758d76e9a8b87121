/* Task files: a question, how an answer is checked, and what it is checked against (C-91 to C-96, C-99; docs/tasks.md).
 * qz_taskset_load("tasks.jsonl", tokenizer, 0, &set, &err); qz_task_solved(&set.tasks[i], answer, n, &solved, &err); …;
 * qz_taskset_release(&set). Everything lives in the set's arena. A record that cannot be read names its line. */
#ifndef QZ_TEXT_TASKS_H
#define QZ_TEXT_TASKS_H
#include "base/arena.h"
#include "base/status.h"
#include "text/tokenizer.h"

typedef enum {
#define QZ_CHECK_ROW(id, ...) QZ_CHECK_##id,
#include "text/checks.def"
#undef QZ_CHECK_ROW
    QZ_CHECKS
} qz_check;
const char *qz_check_name(qz_check c);

/* What of an answer is checked: the first (or last) match of pattern, its first group that took part. */
typedef struct { const char *pattern; bool last; const char *fallback; } qz_extract;

typedef struct {
    const char *kind, *group, *language; /* group, language: NULL: the record has none */
    const char *prompt;         /* text before the answer; after the template where there is one, its generation prompt
                                 * included */
    const char *output, *pattern, *schema, *tools; /* as the record has them, JSON values as JSON text; NULL: none */
    const char *messages;       /* the conversation that the prompt was rendered from, as JSON; NULL: none */
    double tolerance;
    qz_check check;
    size_t line;
    bool templated;
    const char *const *choices; size_t n_choices; /* as they follow the prompt, with what stands between */
    const size_t *choice_chars;  /* [n_choices] characters without that: acc_norm divides by it, as the harness does */
    const size_t *choice_bytes;  /* [n_choices] bytes of the same: acc_bytes */
    size_t answer;
    const char *const *until; size_t n_until; /* texts that end the answer, and are no part of it */
    size_t max_new;             /* 0: as the run says */
    qz_extract extract;         /* pattern NULL: the whole answer */
    bool as_is, any_case;       /* exact: blanks count; letters compared without case */
} qz_task;
typedef struct { qz_task *tasks; size_t n; char sha_hex[65]; const char *path; qz_arena arena; } qz_taskset;
/* t gives the chat template (NULL or none: the question as it is). max_tasks 0: all. */
qz_status qz_taskset_load(const char *path, const qz_tokenizer *t, size_t max_tasks, qz_taskset *out, qz_error *err);
void qz_taskset_release(qz_taskset *s);
/* True if the answer (text without special tokens, stripped here) solves the task; a choice is no answer: QZ_EBUG. */
qz_status qz_task_solved(const qz_task *task, const char *answer, size_t n, bool *solved, qz_error *err);
bool qz_task_is_json(const char *answer, size_t n); /* the whole of it, blanks around it aside */
/* Prompt and continuation as ids, from = where the continuation begins: as lm-evaluation-harness 0.4.13 encodes a pair
 * (blanks that end the prompt go to the continuation; the whole text is encoded, the prompt's own count cut off; an
 * empty prompt is the BOS token, or EOS). Appends to out, which is empty. */
typedef struct { const char *prompt, *continuation; bool templated; } qz_pair;
qz_status qz_pair_encode(const qz_tokenizer *t, const qz_pair *p, qz_ids *out, size_t *from, qz_error *err);
#endif
