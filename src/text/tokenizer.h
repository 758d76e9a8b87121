/* Tokenizers: byte-level BPE (own pre-tokenizer pattern through PCRE2) and byte-fallback BPE (Llama 2, Mistral,
 * TinyLlama), from a Hugging Face tokenizer.json or from GGUF metadata.
 * qz_tokenizer *t; qz_tokenizer_load(path, &t, err); qz_tokenizer_encode(t, text, n, flags, &ids, err); qz_tokenizer_free(t).
 * Read-only after loading: one tokenizer may be shared by threads (each with its own qz_ids / decoder). */
#ifndef QZ_TEXT_TOKENIZER_H
#define QZ_TEXT_TOKENIZER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"
#include "base/str.h"

typedef struct { uint32_t *ids; size_t n, cap; } qz_ids; /* zeroed is empty */
void qz_ids_release(qz_ids *v);
qz_status qz_ids_push(qz_ids *v, uint32_t id, qz_error *err);

typedef struct qz_tokenizer qz_tokenizer;

/* dir/tokenizer.json (+ tokenizer_config.json when present: bos/eos/pad strings, chat template). */
qz_status qz_tokenizer_load(const char *path, qz_tokenizer **out, qz_error *err);
void qz_tokenizer_free(qz_tokenizer *t);

enum {
    QZ_ENCODE_SPECIAL = 1,        /* add what the post-processing template adds (BOS …) */
    QZ_ENCODE_PARSE_SPECIAL = 2   /* special tokens written in the text become their ids (HF always does this) */
};
/* Appends the ids of text[0..n) to `out`. HF behaviour = QZ_ENCODE_PARSE_SPECIAL plus QZ_ENCODE_SPECIAL as add_special_tokens. */
qz_status qz_tokenizer_encode(const qz_tokenizer *t, const char *text, size_t n, unsigned flags, qz_ids *out, qz_error *err);
/* Appends the text of ids; skip_special leaves special tokens out. */
qz_status qz_tokenizer_decode(const qz_tokenizer *t, const uint32_t *ids, size_t n, bool skip_special, qz_str *out, qz_error *err);

/* Streaming decode: feed ids one by one; only complete UTF-8 sequences come out. Zeroed state starts. */
typedef struct { uint8_t pending[16]; size_t n; size_t count; } qz_decode_stream;
qz_status qz_tokenizer_decode_next(const qz_tokenizer *t, qz_decode_stream *s, uint32_t id, bool skip_special, qz_str *out, qz_error *err);

size_t qz_tokenizer_vocab_size(const qz_tokenizer *t); /* highest id + 1 */
/* -1 if unknown. */
int64_t qz_tokenizer_id(const qz_tokenizer *t, const char *token, size_t n);
/* Content as stored (byte-level spelling), NULL if the id is not used. */
const char *qz_tokenizer_token(const qz_tokenizer *t, uint32_t id, size_t *n);
bool qz_tokenizer_is_special(const qz_tokenizer *t, uint32_t id);
int64_t qz_tokenizer_bos(const qz_tokenizer *t); /* -1 = none */
int64_t qz_tokenizer_eos(const qz_tokenizer *t);
bool qz_tokenizer_adds_bos(const qz_tokenizer *t); /* the template puts BOS in front */
/* Jinja source (UTF-8, NUL terminated) or NULL. From chat_template.jinja, tokenizer_config.json or GGUF metadata. */
const char *qz_tokenizer_chat_template(const qz_tokenizer *t);
#endif
