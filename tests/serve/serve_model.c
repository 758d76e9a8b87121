/* serve_model MODEL MODE: a server of the OpenAI protocol on a port of this machine that it prints, for the records of
 * eval --runtime. Its figures are those of our own engine, its replies have the keys that llama-server (llama.cpp
 * of the source package llama-cpp-python 0.3.36) and llama-cpp-python 0.3.36 itself gave on 1 Dec 2026.
 * MODE: ids     llama-server: /tokenize, /completion with ids and n_probs
 *       echo    completions with echo and logprobs; late: each row one place late and without the tokens of
 *               id 11, as llama-cpp-python has them of a model without BOS
 *       chat    /v1/chat/completions alone
 *       other   ids, but another tokenizer; nologprobs: ids without probabilities; changed: of another model's logits
 *       junk    replies that are no JSON; large: a reply without end; error: HTTP 500
 *       die=N   ids, and gone after N requests
 * It ends when its standard input does. */
#include "artifacts/source.h"
#include "base/size.h"
#include "engine/session.h"
#include "eval/logprob.h"
#include "text/chat.h"
#include "base/json.h"
#include <arpa/inet.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    qz_source s;
    qz_engine *e;
    const char *mode;
    long left; /* requests until it dies; -1: never */
} server;

static void die(const char *what) {
    (void)fprintf(stderr, "serve_model: %s\n", what);
    exit(3);
}
static void must(qz_status st, const qz_error *err) {
    if (st != QZ_OK) die(err->text);
}
static bool is(const server *v, const char *mode) { return strcmp(v->mode, mode) == 0; }
static bool ids_mode(const server *v) { return !is(v, "echo") && !is(v, "late") && !is(v, "chat"); }

/* Rows of log-probabilities of all positions. */
static float *rows_of(server *v, const uint32_t *ids, size_t n) {
    const size_t vocab = (size_t)v->s.model->config.vocab_size;
    qz_error err = {0};
    qz_kv *kv = NULL;
    float *rows = qz_alloc_array(n * vocab, sizeof *rows);
    if (rows == NULL) die("out of memory");
    must(qz_kv_open(v->e, 1, n, &kv, &err), &err);
    must(qz_engine_forward(v->e, kv, &(qz_batch){.ids = ids, .n = n}, rows, &err), &err);
    qz_kv_free(kv);
    for (size_t i = 0; i < n; i++) {
        uint32_t best;
        float *row = rows + i * vocab;
        for (size_t k = 0; k < vocab && is(v, "changed"); k++) row[k] = -row[k];
        const double lse = qz_log_sum_exp(qz_engine_mm(v->e), row, vocab, &best);
        for (size_t k = 0; k < vocab; k++) row[k] = (float)((double)row[k] - lse);
    }
    return rows;
}
static uint32_t best_of(const float *row, size_t n, const uint8_t *not) {
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < n; i++)
        if ((not == NULL || !not[i]) && (best == SIZE_MAX || row[i] > row[best])) best = i;
    return (uint32_t)best;
}
static json_t *token_text(server *v, uint32_t id) {
    qz_str s = {0};
    qz_error err = {0};
    must(qz_tokenizer_decode(v->s.tokenizer, &id, 1, true, &s, &err), &err);
    json_t *j = json_stringn(s.ptr ? s.ptr : "", s.len);
    qz_str_release(&s);
    return j ? j : json_string("\xef\xbf\xbd"); /* part of a character */
}
/* [{id, token, logprob} …], or {token: logprob …}. */
static json_t *top(server *v, const float *row, size_t k, bool named) {
    const size_t vocab = (size_t)v->s.model->config.vocab_size;
    uint8_t *not = qz_calloc_array(vocab, 1);
    json_t *list = named ? json_object() : json_array();
    for (size_t i = 0; i < k; i++) {
        const uint32_t id = best_of(row, vocab, not);
        json_t *text = token_text(v, id);
        not[id] = 1;
        if (named) (void)json_object_set_new(list, json_string_value(text), json_real((double)row[id]));
        else (void)json_array_append_new(list, json_pack("{s:i,s:O,s:f}", "id", (int)id, "token", text, "logprob",
                                                         (double)row[id]));
        json_decref(text);
    }
    qz_free(not);
    return list;
}

static void encode(server *v, const char *text, unsigned flags, qz_ids *out) {
    qz_error err = {0};
    must(qz_tokenizer_encode(v->s.tokenizer, text, strlen(text), QZ_ENCODE_PARSE_SPECIAL | flags, out, &err), &err);
}
static char *generate(server *v, const qz_ids *ids, size_t n_new, size_t *made) {
    qz_session *s = NULL;
    qz_error err = {0};
    qz_str text = {0};
    const qz_config *c = &v->s.model->config;
    uint32_t *out = qz_alloc_array(n_new + 1, sizeof *out);
    if (out == NULL) die("out of memory");
    must(qz_session_open(v->e, 1, ids->n + n_new + 1, &s, &err), &err);
    qz_sequence q = {.prompt = ids->ids, .n_prompt = ids->n, .sampling = QZ_GREEDY, .max_new = n_new, .out = out,
                     .stop_ids = c->eos_ids, .n_stop = c->n_eos};
    must(qz_session_one(s, &q, &err), &err);
    *made = q.info.n_new;
    must(qz_tokenizer_decode(v->s.tokenizer, out, q.info.n_new, true, &text, &err), &err);
    qz_str_putc(&text, 0);
    qz_session_free(s);
    qz_free(out);
    return text.ptr;
}

static json_t *completion(server *v, const json_t *q) {
    const json_t *prompt = json_object_get(q, "prompt");
    const size_t n_new = (size_t)json_integer_value(json_object_get(q, "n_predict")),
                 probs = (size_t)json_integer_value(json_object_get(q, "n_probs")),
                 vocab = (size_t)v->s.model->config.vocab_size;
    qz_ids ids = {0};
    size_t made = 0;
    for (size_t i = 0; i < json_array_size(prompt); i++)
        must(qz_ids_push(&ids, (uint32_t)json_integer_value(json_array_get(prompt, i)), &(qz_error){0}),
             &(qz_error){0});
    char *text = generate(v, &ids, n_new, &made);
    json_t *out = json_pack("{s:s,s:b}", "content", text, "stop", 1);
    if (probs && !is(v, "nologprobs")) {
        float *rows = rows_of(v, ids.ids, ids.n);
        (void)json_object_set_new(out, "completion_probabilities",
                                  json_pack("[{s:o}]", "top_logprobs", top(v, rows + (ids.n - 1) * vocab, probs,
                                                                           false)));
        qz_free(rows);
    }
    free(text); /* a qz_str's */
    qz_ids_release(&ids);
    return out;
}

static json_t *echoed(server *v, const json_t *q) {
    const size_t k = (size_t)json_integer_value(json_object_get(q, "logprobs")), late = is(v, "late"),
                 vocab = (size_t)v->s.model->config.vocab_size;
    json_t *tokens = json_array(), *own = json_array(), *tops = json_array();
    qz_ids ids = {0};
    encode(v, json_string_value(json_object_get(q, "prompt")), QZ_ENCODE_SPECIAL, &ids);
    float *rows = rows_of(v, ids.ids, ids.n);
    for (size_t i = 0; i < ids.n; i++) {
        if (late && ids.ids[i] == 11) continue; /* "its BOS" */
        const float *row = i ? rows + (i - 1 + late) * vocab : NULL;
        (void)json_array_append_new(tokens, token_text(v, ids.ids[i]));
        (void)json_array_append_new(own, row ? json_real((double)row[ids.ids[i]]) : json_null());
        (void)json_array_append_new(tops, row ? top(v, row, k, true) : json_null());
    }
    qz_free(rows);
    qz_ids_release(&ids);
    return json_pack("{s:[{s:s,s:{s:o,s:o,s:o}}]}", "choices", "text", "", "logprobs", "tokens", tokens,
                     "token_logprobs", own, "top_logprobs", tops);
}

static json_t *answer(server *v, const json_t *q, bool chat) {
    qz_ids ids = {0};
    size_t made = 0;
    qz_str prompt = {0};
    qz_error err = {0};
    const qz_conversation c = {.messages = json_object_get(q, "messages"), .add_generation_prompt = true};
    if (chat) must(qz_chat_apply(v->s.tokenizer, &c, &prompt, &err), &err);
    else qz_str_puts(&prompt, json_string_value(json_object_get(q, "prompt")));
    encode(v, prompt.ptr, chat ? 0u : (unsigned)QZ_ENCODE_SPECIAL, &ids);
    char *text = generate(v, &ids, (size_t)json_integer_value(json_object_get(q, "max_tokens")), &made);
    json_t *out = chat ? json_pack("{s:[{s:{s:s}}]}", "choices", "message", "content", text)
                       : json_pack("{s:[{s:s}]}", "choices", "text", text);
    free(text);
    qz_str_release(&prompt);
    qz_ids_release(&ids);
    return out;
}

static json_t *reply_to(server *v, const char *path, const json_t *q) {
    if (strcmp(path, "/v1/models") == 0)
        return json_pack("{s:[{s:s,s:s}]}", "data", "id", "market", "owned_by", ids_mode(v) ? "llamacpp" : "me");
    if (strcmp(path, "/openapi.json") == 0 && !is(v, "chat"))
        return json_pack("{s:{s:s,s:s}}", "info", "title", "llama.cpp Python API", "version", "0.3.36");
    if (strcmp(path, ids_mode(v) ? "/tokenize" : "/extras/tokenize") == 0 && !is(v, "chat")) {
        qz_ids ids = {0};
        json_t *list = json_array();
        encode(v, json_string_value(json_object_get(q, ids_mode(v) ? "content" : "input")), QZ_ENCODE_SPECIAL, &ids);
        for (size_t i = 0; i < ids.n; i++)
            (void)json_array_append_new(list, json_integer(ids.ids[i] + (is(v, "other") ? 1 : 0)));
        qz_ids_release(&ids);
        return json_pack("{s:o}", "tokens", list);
    }
    if (strcmp(path, "/completion") == 0 && ids_mode(v)) return completion(v, q);
    if (strcmp(path, "/v1/completions") == 0 && !is(v, "chat"))
        return json_object_get(q, "echo") && !ids_mode(v) ? echoed(v, q) : answer(v, q, false);
    if (strcmp(path, "/v1/chat/completions") == 0) return answer(v, q, true);
    return NULL;
}

static void send_all(int fd, const char *s, size_t n) {
    for (ssize_t k; n; s += k, n -= (size_t)k)
        if ((k = write(fd, s, n)) <= 0) return;
}
static void send_reply(int fd, int status, const char *body, size_t n, bool stream) {
    char head[200];
    const int k = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nConnection: "
                           "close\r\n",
                           status);
    send_all(fd, head, (size_t)k);
    if (!stream) {
        const int m = snprintf(head, sizeof head, "Content-Length: %zu\r\n\r\n", n);
        send_all(fd, head, (size_t)m);
    } else send_all(fd, "\r\n", 2);
    send_all(fd, body, n);
}

/* An answer word by word, as events. */
static void send_stream(int fd, const json_t *reply, bool chat, bool ids) {
    const json_t *c = json_array_get(json_object_get(reply, "choices"), 0);
    const char *text = json_string_value(ids    ? json_object_get(reply, "content")
                                         : chat ? json_object_get(json_object_get(c, "message"), "content")
                                                : json_object_get(c, "text"));
    send_reply(fd, 200, "", 0, true);
    for (size_t n; *text; text += n) {
        n = 1 + strcspn(text + 1, " ");
        json_t *piece = json_stringn(text, n),
               *event = ids    ? json_pack("{s:o}", "content", piece)
                        : chat ? json_pack("{s:[{s:{s:o}}]}", "choices", "delta", "content", piece)
                               : json_pack("{s:[{s:o}]}", "choices", "text", piece);
        char *line = json_dumps(event, JSON_COMPACT);
        send_all(fd, "data: ", 6);
        send_all(fd, line, strlen(line));
        send_all(fd, "\r\n\r\n", 4);
        free(line);
        json_decref(event);
    }
    send_all(fd, "data: [DONE]\n\n", 14);
}

static void handle(server *v, int fd) {
    qz_str in = {0};
    char buf[4096], path[200] = "";
    size_t need = 0;
    for (ssize_t k; (k = read(fd, buf, sizeof buf)) > 0;) {
        qz_str_append(&in, buf, (size_t)k);
        const char *end = strstr(in.ptr, "\r\n\r\n"), *len = strcasestr(in.ptr, "content-length: ");
        if (end == NULL) continue;
        need = (size_t)(end + 4 - in.ptr) + (len && len < end ? strtoul(len + 16, NULL, 10) : 0);
        if (in.len >= need) break;
    }
    if (in.len == 0 || in.len < need || sscanf(in.ptr, "%*s %199s", path) != 1) {
        qz_str_release(&in);
        return;
    }
    if (v->left == 0) _exit(0);
    v->left -= v->left > 0;
    const char *body = strstr(in.ptr, "\r\n\r\n") + 4;
    json_t *q = json_loads(body, 0, NULL), *reply = NULL;
    if (is(v, "junk")) send_reply(fd, 200, "<html>welcome</html>", 20, false);
    else if (is(v, "error")) send_reply(fd, 500, "{\"error\":\"out of slots\"}", 24, false);
    else if (is(v, "large"))
        for (send_reply(fd, 200, "{\"data\":\"", 9, true), memset(buf, 'x', sizeof buf); write(fd, buf,
            sizeof buf) > 0;)
            continue;
    else if ((reply = reply_to(v, path, q)) == NULL) send_reply(fd, 404, "{\"detail\":\"Not Found\"}", 22, false);
    else if (json_is_true(json_object_get(q, "stream")))
        send_stream(fd, reply, strstr(path, "chat") != NULL, strcmp(path, "/completion") == 0);
    else {
        char *text = json_dumps(reply, JSON_COMPACT | JSON_REAL_PRECISION(9));
        send_reply(fd, 200, text, strlen(text), false);
        free(text);
    }
    json_decref(q);
    json_decref(reply);
    qz_str_release(&in);
}

int main(int argc, char **argv) {
    server v = {.left = -1};
    qz_run run;
    qz_error err = {0};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof a;
    if (argc != 3) die("usage: serve_model MODEL MODE");
    v.mode = argv[2];
    if (strncmp(v.mode, "die=", 4) == 0) v.left = strtol(v.mode + 4, NULL, 10), v.mode = "ids";
    (void)signal(SIGPIPE, SIG_IGN);
    must(qz_run_init(&run, 1, &err), &err);
    run.log = NULL;
    must(qz_source_open(&run, argv[1], &v.s, &err), &err);
    must(qz_engine_open(&run, v.s.model, &(qz_engine_options){.arith = QZ_ARITH_EXACT}, &v.e, &err), &err);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)(void *)&a, sizeof a) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)(void *)&a, &size) != 0)
        die("no port");
    (void)printf("%d\n", ntohs(a.sin_port));
    (void)fflush(stdout);
    for (;;) {
        struct pollfd p[2] = {{fd, POLLIN, 0}, {0, POLLIN, 0}};
        if (poll(p, 2, -1) < 0 || p[1].revents) break;
        const int one = accept(fd, NULL, NULL);
        if (one < 0) continue;
        handle(&v, one);
        (void)close(one);
    }
    qz_engine_free(v.e);
    qz_source_release(&v.s);
    qz_run_release(&run);
    return 0;
}
