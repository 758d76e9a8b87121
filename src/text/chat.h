/* Conversations as text: a tokenizer's chat template (jinja/template.h) with its special tokens. */
#ifndef QZ_TEXT_CHAT_H
#define QZ_TEXT_CHAT_H
#include "jinja/template.h"
#include "text/tokenizer.h"

/* The date that qz_chat_apply gives to templates that ask for one: data and figures must not depend on the day. */
#define QZ_CHAT_PINNED_NOW "2024-07-26T12:00:00"
/* Renders messages (JSON array of {role, content}) with the tokenizer's template and its special tokens; compiles the
 * template on every call. QZ_EUNSUPPORTED if the tokenizer has no template. */
qz_status qz_chat_apply(const qz_tokenizer *t, const json_t *messages, bool add_generation_prompt, qz_str *out, qz_error *err);
/* The same with a template compiled before (many conversations). */
qz_status qz_chat_apply_with(const qz_chat *c, const qz_tokenizer *t, const json_t *messages, bool add_generation_prompt, qz_str *out,
                             qz_error *err);
#endif
