/* A server of the OpenAI protocol, as far as it shows what it computes. IDS: llama-server, which takes token ids and
 * tells the likeliest next tokens by id (n_probs); ECHO: /v1/completions with echo and logprobs (llama-cpp-python with
 * --logits_all true, vLLM); TEXT: completions without them; CHAT: conversations alone. */
#ifndef QZ_REMOTE_OPENAI_H
#define QZ_REMOTE_OPENAI_H
#include <stdint.h>
#include "base/json.h"
#include "remote/http.h"

typedef enum { QZ_SERVED_IDS, QZ_SERVED_ECHO, QZ_SERVED_TEXT, QZ_SERVED_CHAT } qz_served_kind;
typedef struct {
    qz_http *http;           /* borrowed */
    qz_served_kind kind;
    char model[160];         /* as it calls it */
    char engine[64];         /* "llama.cpp", "vllm", …; "": it does not say */
    char version[96];        /* "b1-0c1e570"; "": it does not say */
} qz_openai;
const char *qz_served_kind_name(qz_served_kind k);
/* Asks what it is and what it can. QZ_EFORMAT: replies that are none of the protocol. */
qz_status qz_openai_probe(qz_http *http, qz_openai *out, qz_error *err);
/* The server's own ids of a text with the tokens that begin one. *told false: it does not tell. ids: at most `room`. */
qz_status qz_openai_tokenize(const qz_openai *o, const char *text, uint32_t *ids, size_t room, size_t *n, bool *told,
                             qz_error *err);

typedef struct { uint32_t id; double logprob; } qz_served_token;
/* The likeliest next tokens after ids (IDS), largest first; at most `room`. */
typedef struct { const uint32_t *ids; size_t n; } qz_served_ids;
qz_status qz_openai_next(const qz_openai *o, const qz_served_ids *prompt, qz_served_token *top, size_t room, size_t *n,
                         qz_error *err);
/* The object "logprobs" of an echoed text (ECHO): tokens, token_logprobs, top_logprobs, all of one length;
 * json_decref. */
qz_status qz_openai_echo(const qz_openai *o, const char *text, size_t top, json_t **out, qz_error *err);

/* One greedy answer. ids for IDS, text for ECHO and TEXT, messages (JSON) for CHAT. */
typedef struct {
    qz_served_ids ids;
    const char *text, *messages;
    const char *const *until; size_t n_until;
    size_t max_new;
    bool stream;
} qz_served_question;
/* Path and body of the request; body is appended to an empty string. */
const char *qz_openai_request(const qz_openai *o, const qz_served_question *q, qz_str *body);
qz_status qz_openai_answer(const qz_openai *o, const qz_served_question *q, qz_str *answer, qz_error *err);
#endif
