#include "text/chat.h"
#include <string.h>

static bool set_special(json_t *o, const qz_tokenizer *t, const char *key) {
    const char *s = qz_tokenizer_special(t, key);
    return !s || json_object_set_new(o, key, json_string(s)) == 0;
}

qz_status qz_chat_apply_with(const qz_chat *c, const qz_tokenizer *t, const json_t *messages, bool add_generation_prompt, qz_str *out,
                             qz_error *err) {
    static const char *const keys[] = {"bos_token", "eos_token", "pad_token", "unk_token"};
    const qz_chat_limits limits = {.now = QZ_CHAT_PINNED_NOW};
    json_t *o = json_object();
    bool ok = o && json_object_set(o, "messages", (json_t *)(uintptr_t)messages) == 0 &&
              json_object_set_new(o, "add_generation_prompt", json_boolean(add_generation_prompt)) == 0 &&
              json_object_set_new(o, "tools", json_null()) == 0 && json_object_set_new(o, "documents", json_null()) == 0;
    for (size_t i = 0; ok && i < 4; i++) ok = set_special(o, t, keys[i]);
    qz_status st = ok ? qz_chat_render(c, o, &limits, out, err) : qz_fail(err, QZ_EMEMORY, "out of memory while rendering a chat template");
    json_decref(o);
    return st;
}

qz_status qz_chat_apply(const qz_tokenizer *t, const json_t *messages, bool add_generation_prompt, qz_str *out, qz_error *err) {
    const char *source = qz_tokenizer_chat_template(t);
    qz_chat *c = NULL;
    if (!source)
        return qz_fail(err, QZ_EUNSUPPORTED, "no chat template in the model: add chat_template.jinja, or use --raw");
    QZ_TRY(qz_chat_compile(source, strlen(source), &c, err));
    qz_status st = qz_chat_apply_with(c, t, messages, add_generation_prompt, out, err);
    qz_chat_free(c);
    return st;
}
