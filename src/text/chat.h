/* Conversations as text: a tokenizer's chat template (jinja/template.h) with its special tokens.
 *   qz_conversation c = {.messages = list, .add_generation_prompt = true}; qz_chat_apply(tokenizer, &c, &out, err);
 * or one that was read: qz_conversation_read("chat.json", &c, err); …; qz_conversation_release(&c). */
#ifndef QZ_TEXT_CHAT_H
#define QZ_TEXT_CHAT_H
#include "jinja/template.h"
#include "text/tokenizer.h"

/* The date that templates get that ask for one and are given none: data and figures must not depend on the day. */
#define QZ_CHAT_PINNED_NOW "2024-07-26T12:00:00"
/* What a template is given, as the reference's apply_chat_template. All borrowed. */
typedef struct {
    const json_t *messages;          /* array of {role, content, …} */
    bool add_generation_prompt;
    const json_t *tools, *documents; /* arrays; NULL: none */
    const char *now;                 /* "YYYY-MM-DDThh:mm:ss"; NULL: QZ_CHAT_PINNED_NOW */
    const json_t *arguments;         /* object: any further variable of the template, before
                                      * the special tokens; NULL: none */
    json_t *root;                    /* what qz_conversation_read has read: released with it */
    char date[32];
    size_t left_out;                 /* parts of its messages that are no text, and their types */
    char left_names[128];
} qz_conversation;
/* Renders with the tokenizer's template and its special tokens; compiles the template on every call. QZ_EUNSUPPORTED if
 * the tokenizer has no template. */
qz_status qz_chat_apply(const qz_tokenizer *t, const qz_conversation *c, qz_str *out, qz_error *err);
/* The same with a template compiled before (many conversations); t NULL: no special tokens but those among
 * the arguments. */
qz_status qz_chat_apply_with(const qz_chat *chat, const qz_tokenizer *t, const qz_conversation *c, qz_str *out,
                             qz_error *err);

/* QZ_EFORMAT: the text is no template that can be rendered. */
qz_status qz_chat_check(const char *source, size_t n, qz_error *err);

/* A JSON file: a list of messages, or an object {"messages": […], "tools": […], "documents": […], "date": "2026-11-29",
 * "chat_template_kwargs": {…}}. Content in parts becomes the text of its parts. QZ_EFORMAT names an unknown key and
 * the nearest known. */
qz_status qz_conversation_read(const char *path, qz_conversation *c, qz_error *err);
void qz_conversation_release(qz_conversation *c);
#endif
