/* Private to text/: shared by the readers of samples and tasks. */
#ifndef QZ_TEXT_DATASET_INT_H
#define QZ_TEXT_DATASET_INT_H
#include <jansson.h>
#include "text/dataset.h"

typedef qz_status (*qz_jsonl_fn)(void *arg, const json_t *o, size_t line, const char *where);
/* Whole file; a data set's public name without a file is explained (no network). *text: qz_free. */
qz_status qz_data_open(const char *path, char **text, size_t *len, qz_error *err);
/* Calls fn for each non-blank line, at most max (0 = all); where is "path:line". */
qz_status qz_jsonl_each(const char *path, const char *text, size_t len, size_t max, qz_jsonl_fn fn, void *arg, qz_error *err);
char *qz_data_question(qz_arena *a, const char *instruction, const char *input);
qz_status qz_data_render(const qz_tokenizer *t, const json_t *messages, bool generation_prompt, qz_arena *a, const char **text, size_t *n, qz_error *err);
#endif
