/* Chat templates: a bounded interpreter for the Jinja subset of formats/chat-template.md (steps, depth, memory
 * limited). qz_chat *c; qz_chat_compile(source, n, &c, err); qz_chat_render(c, context, &limits, &out, err);
 * qz_chat_free(c). Read-only after compiling. Errors are QZ_EFORMAT "chat template: CLASS: text" with the reference's
 * exception class. */
#ifndef QZ_JINJA_TEMPLATE_H
#define QZ_JINJA_TEMPLATE_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"
#include "base/str.h"

typedef struct qz_chat qz_chat;
typedef struct {
    uint64_t max_steps;            /* 0 = 50 million */
    size_t max_depth, max_bytes;   /* 0 = 256 levels, 64 MiB */
    const char *now;               /* local time "YYYY-MM-DDThh:mm:ss" for strftime_now; NULL = the clock */
} qz_chat_limits;
qz_status qz_chat_compile(const char *source, size_t n, qz_chat **out, qz_error *err);
/* context: object with messages, add_generation_prompt, bos_token, eos_token, tools … (borrowed). Appends to out.
 * A template's raise_exception gives QZ_EFORMAT with its text. limits may be NULL. */
qz_status qz_chat_render(const qz_chat *c, const json_t *context, const qz_chat_limits *limits, qz_str *out,
                         qz_error *err);
void qz_chat_free(qz_chat *c);
#endif
