/* Private to text/: shared by the readers of samples and tasks. */
#ifndef QZ_TEXT_DATASET_INT_H
#define QZ_TEXT_DATASET_INT_H
#include <jansson.h>
#include "text/chat.h"
#include "text/dataset.h"

typedef qz_status (*qz_jsonl_fn)(void *arg, const json_t *o, size_t line, const char *where);
/* Whole text file (text_file.h); a data set's public name without a file is explained (no network). *text: qz_free. */
qz_status qz_data_open(const char *path, char **text, size_t *len, char sha_hex[65], qz_error *err);
/* Calls fn for each non-blank line, at most max (0 = all); where is "path:line". */
qz_status qz_jsonl_each(const char *path, const char *text, size_t len, size_t max, qz_jsonl_fn fn, void *arg,
                        qz_error *err);
/* A new array of messages with content as string or null; templated: a template will see the other fields. */
qz_status qz_messages_plain(const json_t *messages, const char *where, bool templated, qz_parts *p, json_t **out,
                            qz_error *err);
/* Puts "where: " before the text of an error; gives st back. */
qz_status qz_data_failed(const char *where, qz_status st, qz_error *err);
char *qz_data_question(qz_arena *a, const char *instruction, const char *input);
qz_status qz_data_render(const qz_tokenizer *t, const qz_conversation *c, qz_arena *a, const char **text, size_t *n,
                         qz_error *err);
#endif
