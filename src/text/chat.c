#include "text/chat.h"
#include <string.h>

static bool set_special(json_t *o, const qz_tokenizer *t, const char *key) {
    const char *s = qz_tokenizer_special(t, key);
    return !s || json_object_set_new(o, key, json_string(s)) == 0;
}

/* Reasoning has three names; templates read one or another. As transformers does: the first that is set is given as
 * reasoning_content and, where a message has no such key, in front as thinking. New reference, NULL: no memory. */
static json_t *one_alias(json_t *m) {
    static const char *const names[] = {"reasoning_content", "thinking", "reasoning"};
    json_t *found = NULL;
    for (size_t i = 0; i < 3 && !found; i++) {
        found = json_object_get(m, names[i]);
        if (json_is_null(found)) found = NULL;
    }
    if (!found) return json_incref(m);
    json_t *o = json_object();
    const bool ok = o && json_object_set(o, "thinking", found) == 0 && json_object_update(o, m) == 0 &&
                    json_object_set(o, "reasoning_content", found) == 0;
    return ok ? o : (json_decref(o), NULL);
}

static json_t *aliased(const json_t *messages) {
    if (!json_is_array(messages)) return json_incref((json_t *)(uintptr_t)messages);
    json_t *list = json_array();
    for (size_t i = 0; list && i < json_array_size(messages); i++) {
        json_t *m = one_alias(json_array_get(messages, i));
        if (m && json_array_append_new(list, m) == 0) continue;
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *list_or_null(const json_t *list) { return list ? json_incref((json_t *)(uintptr_t)list) : json_null(); }

qz_status qz_chat_apply_with(const qz_chat *chat, const qz_tokenizer *t, const qz_conversation *c, qz_str *out,
                             qz_error *err) {
    static const char *const keys[] = {"bos_token", "eos_token", "pad_token", "unk_token"};
    static const char *const own[] = {"messages", "tools", "documents", "add_generation_prompt"};
    const qz_chat_limits limits = {.now = c->now ? c->now : QZ_CHAT_PINNED_NOW};
    json_t *o = json_object();
    bool ok = o && json_object_set_new(o, "messages", aliased(c->messages)) == 0 &&
              json_object_set_new(o, "add_generation_prompt", json_boolean(c->add_generation_prompt)) == 0 &&
              json_object_set_new(o, "tools", list_or_null(c->tools)) == 0 &&
              json_object_set_new(o, "documents", list_or_null(c->documents)) == 0;
    for (size_t i = 0; ok && t && i < sizeof keys / sizeof keys[0]; i++) ok = set_special(o, t, keys[i]);
    qz_status st = ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory while rendering a chat template");
    for (size_t i = 0; st == QZ_OK && i < sizeof own / sizeof own[0]; i++)
        if (json_object_get(c->arguments, own[i]))
            st = qz_fail(err, QZ_EUSAGE, "'%s' is no argument of a template's own: expected it beside the arguments",
                         own[i]);
    if (st == QZ_OK && c->arguments && json_object_update(o, (json_t *)(uintptr_t)c->arguments) != 0)
        st = qz_fail(err, QZ_EMEMORY, "out of memory while rendering a chat template");
    if (st == QZ_OK) st = qz_chat_render(chat, o, &limits, out, err);
    json_decref(o);
    return st;
}

qz_status qz_chat_apply(const qz_tokenizer *t, const qz_conversation *conversation, qz_str *out, qz_error *err) {
    const char *source = qz_tokenizer_chat_template(t);
    qz_chat *c = NULL;
    if (!source)
        return qz_fail(err, QZ_EUNSUPPORTED, "no chat template in the model: add chat_template.jinja, or use --raw");
    QZ_TRY(qz_chat_compile(source, strlen(source), &c, err));
    qz_status st = qz_chat_apply_with(c, t, conversation, out, err);
    qz_chat_free(c);
    return st;
}

qz_status qz_chat_check(const char *source, size_t n, qz_error *err) {
    qz_chat *c = NULL;
    qz_status st = qz_chat_compile(source, n, &c, err);
    qz_chat_free(c);
    return st;
}
