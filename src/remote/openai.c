#include "remote/openai.h"
#include "base/json_write.h"
#include "base/size.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

const char *qz_served_kind_name(qz_served_kind k) {
    static const char *const names[] = {"token ids and their likeliest successors (n_probs)",
                                        "echoed texts with log-probabilities", "completions without log-probabilities",
                                        "chat alone"};
    return names[k];
}

/* A reply that is an object; status 0: an HTTP error was none of ours. */
static qz_status ask(const qz_openai *o, const char *path, const char *body, json_t **out, long *status,
                     qz_error *err) {
    qz_str reply = {0};
    char name[96];
    *out = NULL;
    (void)snprintf(name, sizeof name, "reply of the server to %.60s", path);
    qz_status st = qz_http_call(o->http, path, body, &reply, status, err);
    const bool refused = status && st == QZ_OK && *status >= 400;
    if (st == QZ_OK && !refused) st = qz_json_parse(reply.ptr, reply.len, name, out, err);
    if (st == QZ_OK && !refused && !json_is_object(*out))
        st = qz_fail(err, QZ_EFORMAT, "%s: expected a JSON object, found %s", name, qz_json_kind(*out));
    if (st != QZ_OK) {
        json_decref(*out);
        *out = NULL;
    }
    qz_str_release(&reply);
    return st;
}

static const char *text_at(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}
static const json_t *choice(const json_t *root) { return json_array_get(json_object_get(root, "choices"), 0); }

/* Who it is: llama-server says "llamacpp", vLLM and SGLang their names, llama-cpp-python nothing but its own pages. */
static qz_status who(qz_openai *o, qz_error *err) {
    json_t *root = NULL;
    long status = 0;
    QZ_TRY(ask(o, "/v1/models", NULL, &root, &status, err));
    if (root == NULL && status >= 500)
        return qz_fail(err, QZ_EIO, "'%s' answers /v1/models with HTTP status %ld: is it ready?", qz_http_url(o->http),
                       status);
    if (root == NULL)
        return qz_fail(err, QZ_EFORMAT, "'%s' is no server of the OpenAI protocol: /v1/models answers with HTTP status "
                                        "%ld", qz_http_url(o->http), status);
    const json_t *first = json_array_get(json_object_get(root, "data"), 0);
    const char *owner = text_at(first, "owned_by");
    if (*text_at(first, "id") == 0) {
        json_decref(root);
        return qz_fail(err, QZ_EFORMAT, "'%s' names no model: /v1/models: expected data[0].id", qz_http_url(o->http));
    }
    (void)snprintf(o->model, sizeof o->model, "%.150s", text_at(first, "id"));
    if (strcmp(owner, "llamacpp") == 0) (void)snprintf(o->engine, sizeof o->engine, "llama.cpp");
    else if (strcmp(owner, "vllm") == 0 || strcmp(owner, "sglang") == 0)
        (void)snprintf(o->engine, sizeof o->engine, "%s", owner);
    json_decref(root);
    if (o->engine[0]) return QZ_OK;
    QZ_TRY(ask(o, "/openapi.json", NULL, &root, &status, &(qz_error){0}) == QZ_EMEMORY ? QZ_EMEMORY : QZ_OK);
    const json_t *info = json_object_get(root, "info");
    if (strstr(text_at(info, "title"), "llama.cpp Python")) {
        (void)snprintf(o->engine, sizeof o->engine, "llama.cpp");
        (void)snprintf(o->version, sizeof o->version, "llama-cpp-python %.60s", text_at(info, "version"));
    }
    json_decref(root);
    return QZ_OK;
}

qz_status qz_openai_probe(qz_http *http, qz_openai *out, qz_error *err) {
    qz_openai *o = out;
    json_t *root = NULL;
    long status = 0;
    *o = (qz_openai){.http = http, .kind = QZ_SERVED_CHAT};
    QZ_TRY(who(o, err));
    QZ_TRY(ask(o, "/tokenize", "{\"content\":\"a\",\"add_special\":true}", &root, &status, err));
    const bool ids = json_is_array(json_object_get(root, "tokens"));
    json_decref(root);
    if (ids) {
        o->kind = QZ_SERVED_IDS;
        return QZ_OK;
    }
    qz_str body = {0};
    qz_json_writer w = {&body, false};
    qz_jw_open(&w, NULL, '{');
    qz_jw_text(&w, "model", o->model);
    qz_str_puts(&body, ",\"prompt\":\"one two "
                "three\",\"max_tokens\":1,\"temperature\":0,\"logprobs\":2,\"echo\":true}");
    qz_status st = body.failed ? qz_fail(err, QZ_EMEMORY, "out of memory")
                               : ask(o, "/v1/completions", body.ptr, &root, &status, err);
    qz_str_release(&body);
    if (st != QZ_OK) return st;
    if (root) {
        const json_t *l = json_object_get(choice(root), "logprobs"), *p = json_object_get(l, "token_logprobs");
        o->kind = json_array_size(p) > 2 && json_is_array(json_object_get(l, "top_logprobs")) ? QZ_SERVED_ECHO
                  : json_is_string(json_object_get(choice(root), "text"))                      ? QZ_SERVED_TEXT
                                                                                               : QZ_SERVED_CHAT;
    }
    json_decref(root);
    return QZ_OK;
}

qz_status qz_openai_tokenize(const qz_openai *o, const char *text, uint32_t *ids, size_t room, size_t *n, bool *told,
                             qz_error *err) {
    const bool llama = o->kind == QZ_SERVED_IDS;
    qz_str body = {0};
    qz_json_writer w = {&body, false};
    json_t *root = NULL;
    long status = 0;
    *n = 0;
    qz_jw_open(&w, NULL, '{');
    qz_jw_text(&w, llama ? "content" : "input", text);
    if (llama) qz_jw_bool(&w, "add_special", true);
    qz_jw_close(&w, '}');
    qz_status st = body.failed ? qz_fail(err, QZ_EMEMORY, "out of memory")
                               : ask(o, llama ? "/tokenize" : "/extras/tokenize", body.ptr, &root, &status, err);
    qz_str_release(&body);
    const json_t *tokens = json_object_get(root, "tokens");
    *told = st == QZ_OK && json_is_array(tokens);
    for (size_t i = 0; *told && i < json_array_size(tokens) && i < room; i++)
        ids[(*n)++] = (uint32_t)json_integer_value(json_array_get(tokens, i));
    json_decref(root);
    return st;
}

static void put_ids(qz_json_writer *w, const qz_served_ids *ids) {
    qz_jw_open(w, "prompt", '[');
    for (size_t i = 0; i < ids->n; i++) qz_jw_count(w, NULL, ids->ids[i]);
    qz_jw_close(w, ']');
}

qz_status qz_openai_next(const qz_openai *o, const qz_served_ids *prompt, qz_served_token *top, size_t room, size_t *n,
                         qz_error *err) {
    qz_str body = {0};
    qz_json_writer w = {&body, false};
    json_t *root = NULL;
    *n = 0;
    qz_jw_open(&w, NULL, '{');
    put_ids(&w, prompt);
    qz_str_printf(&body, ",\"n_predict\":1,\"temperature\":0,\"cache_prompt\":true,\"n_probs\":%zu}", room);
    qz_status st = body.failed ? qz_fail(err, QZ_EMEMORY, "out of memory")
                               : ask(o, "/completion", body.ptr, &root, NULL, err);
    qz_str_release(&body);
    const json_t *list = json_object_get(json_array_get(json_object_get(root, "completion_probabilities"), 0),
                                         "top_logprobs");
    for (size_t i = 0; st == QZ_OK && i < json_array_size(list) && i < room; i++) {
        const json_t *x = json_array_get(list, i), *id = json_object_get(x, "id"), *p = json_object_get(x, "logprob");
        if (!json_is_integer(id) || json_integer_value(id) < 0 || !json_is_number(p) || json_number_value(p) > 1e-3)
            st = qz_fail(err, QZ_EFORMAT, "reply of the server to /completion: top_logprobs[%zu]: expected an id and a "
                                          "log-probability of at most 0", i);
        else top[(*n)++] = (qz_served_token){(uint32_t)json_integer_value(id), fmin(0, json_number_value(p))};
    }
    if (st == QZ_OK && *n == 0)
        st = qz_fail(err, QZ_EUNSUPPORTED, "the server tells no log-probabilities: /completion without "
                                           "completion_probabilities; give --tasks alone");
    json_decref(root);
    return st;
}

qz_status qz_openai_echo(const qz_openai *o, const char *text, size_t top, json_t **out, qz_error *err) {
    qz_str body = {0};
    qz_json_writer w = {&body, false};
    json_t *root = NULL;
    *out = NULL;
    qz_jw_open(&w, NULL, '{');
    qz_jw_text(&w, "model", o->model);
    qz_jw_text(&w, "prompt", text);
    qz_str_printf(&body, ",\"max_tokens\":1,\"temperature\":0,\"echo\":true,\"logprobs\":%zu}", top);
    qz_status st = body.failed ? qz_fail(err, QZ_EMEMORY, "out of memory")
                               : ask(o, "/v1/completions", body.ptr, &root, NULL, err);
    qz_str_release(&body);
    json_t *l = json_object_get(choice(root), "logprobs");
    const size_t n = json_array_size(json_object_get(l, "tokens"));
    if (st == QZ_OK && (n == 0 || json_array_size(json_object_get(l, "token_logprobs")) != n ||
                        json_array_size(json_object_get(l, "top_logprobs")) != n))
        st = qz_fail(err, QZ_EFORMAT, "reply of the server to /v1/completions: logprobs: expected tokens, "
                                      "token_logprobs and top_logprobs of one length above 0");
    if (st == QZ_OK) *out = json_incref(l);
    json_decref(root);
    return st;
}

const char *qz_openai_request(const qz_openai *o, const qz_served_question *q, qz_str *body) {
    qz_json_writer w = {body, false};
    const bool ids = o->kind == QZ_SERVED_IDS && q->ids.n, chat = o->kind == QZ_SERVED_CHAT;
    qz_jw_open(&w, NULL, '{');
    if (!ids) qz_jw_text(&w, "model", o->model);
    if (ids) put_ids(&w, &q->ids);
    else if (chat) qz_jw_raw(&w, "messages", q->messages);
    else qz_jw_text(&w, "prompt", q->text);
    qz_jw_count(&w, ids ? "n_predict" : "max_tokens", q->max_new);
    qz_jw_count(&w, "temperature", 0);
    if (ids) qz_jw_bool(&w, "cache_prompt", true);
    if (q->stream) qz_jw_bool(&w, "stream", true);
    if (q->n_until) {
        qz_jw_open(&w, "stop", '[');
        for (size_t i = 0; i < q->n_until && i < 4; i++) qz_jw_text(&w, NULL, q->until[i]); /* 4: the protocol's most */
        qz_jw_close(&w, ']');
    }
    qz_jw_close(&w, '}');
    return ids ? "/completion" : chat ? "/v1/chat/completions" : "/v1/completions";
}

qz_status qz_openai_answer(const qz_openai *o, const qz_served_question *q, qz_str *answer, qz_error *err) {
    qz_str body = {0};
    json_t *root = NULL;
    const char *path = qz_openai_request(o, q, &body), *text = NULL;
    qz_status st = body.failed ? qz_fail(err, QZ_EMEMORY, "out of memory") : ask(o, path, body.ptr, &root, NULL, err);
    qz_str_release(&body);
    qz_str_clear(answer);
    if (st == QZ_OK) {
        text = json_string_value(o->kind == QZ_SERVED_IDS    ? json_object_get(root, "content")
                                 : o->kind == QZ_SERVED_CHAT ? json_object_get(json_object_get(choice(root), "message"),
                                                                               "content")
                                                             : json_object_get(choice(root), "text"));
        if (text == NULL) st = qz_fail(err, QZ_EFORMAT, "reply of the server to %s: no answer in it", path);
        else qz_str_puts(answer, text);
    }
    json_decref(root);
    return st == QZ_OK && answer->failed ? qz_fail(err, QZ_EMEMORY, "out of memory for an answer") : st;
}
