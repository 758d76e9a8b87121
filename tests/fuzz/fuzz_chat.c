/* Fuzz target of chat templates: a template, then after a NUL the context as JSON. It must end within its limits. */
#include <stdlib.h>
#include <string.h>
#include "text/chat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char context[] =
        "{\"messages\":[{\"role\":\"system\",\"content\":\"a b\"},{\"role\":\"user\",\"content\":\"\\u00e9\\n<x>\"},"
        "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1."
        "5}}}]}],"
        "\"add_generation_prompt\":true,\"bos_token\":\"<s>\",\"tools\":null}";
    const qz_chat_limits limits = {.max_steps = 200000, .max_bytes = 1 << 20, .max_depth = 100,
                                   .now = "2025-03-09T14:05:07"};
    const char *s = (const char *)data;
    const char *nul = size ? memchr(s, 0, size) : NULL;
    size_t n = nul ? (size_t)(nul - s) : size;
    qz_chat *c = NULL;
    qz_error err = {0};
    qz_str out = {0};
    if (qz_chat_compile(s, n, &c, &err) != QZ_OK) {
        if (!err.text[0]) abort(); /* every refusal has words */
        return 0;
    }
    json_t *ctx = nul ? json_loadb(nul + 1, size - n - 1, 0, NULL) : json_loads(context, 0, NULL);
    if (!json_is_object(ctx)) {
        json_decref(ctx);
        ctx = json_loads(context, 0, NULL);
    }
    qz_status st = qz_chat_render(c, ctx, &limits, &out, &err);
    if (st != QZ_OK && (!err.text[0] || out.len)) abort(); /* a failed rendering leaves no text */
    if (out.len > limits.max_bytes) abort();
    json_decref(ctx);
    qz_str_release(&out);
    qz_chat_free(c);
    return 0;
}
