/* Chat templates: a bounded interpreter for the Jinja subset of formats/chat-template.md (steps, depth, memory limited).
 * qz_chat *c; qz_chat_compile(source, n, &c, err); qz_chat_render(c, context, &out, err); qz_chat_free(c). */
#ifndef QZ_TEXT_CHAT_H
#define QZ_TEXT_CHAT_H
#include <jansson.h>
#include <stdbool.h>
#include "base/status.h"
#include "base/str.h"

typedef struct qz_chat qz_chat;
typedef struct { uint64_t max_steps; size_t max_depth, max_bytes; } qz_chat_limits; /* 0 = default */
qz_status qz_chat_compile(const char *source, size_t n, qz_chat **out, qz_error *err);
/* context: object with messages, add_generation_prompt, bos_token, eos_token, tools … (borrowed). Appends to out.
 * A template's raise_exception gives QZ_EFORMAT with its text. limits may be NULL. */
qz_status qz_chat_render(const qz_chat *c, const json_t *context, const qz_chat_limits *limits, qz_str *out, qz_error *err);
void qz_chat_free(qz_chat *c);

typedef struct qz_tokenizer qz_tokenizer;
/* Renders messages (JSON array of {role, content}) with the tokenizer's template and its bos/eos strings. */
qz_status qz_chat_apply(const qz_tokenizer *t, const json_t *messages, bool add_generation_prompt, qz_str *out, qz_error *err);
#endif
