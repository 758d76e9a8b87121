/* Tokenizers: byte-level BPE (own pre-tokenizer pattern through PCRE2) and byte-fallback BPE (Llama 2, Mistral,
 * TinyLlama), from a Hugging Face tokenizer.json or from GGUF metadata.
 * qz_tokenizer *t; qz_tokenizer_load(path, &t, err); qz_tokenizer_encode(t, text, n, flags, &ids, err);
 * qz_tokenizer_free(t). Read-only after loading: one tokenizer may be shared by threads (each with its own
 * qz_ids / decoder). */
#ifndef QZ_TEXT_TOKENIZER_H
#define QZ_TEXT_TOKENIZER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

typedef struct { uint32_t *ids; size_t n, cap; } qz_ids; /* zeroed is empty */
void qz_ids_release(qz_ids *v);
qz_status qz_ids_push(qz_ids *v, uint32_t id, qz_error *err);

typedef struct qz_tokenizer qz_tokenizer;

/* dir/tokenizer.json; when present tokenizer_config.json, special_tokens_map.json, added_tokens.json (tokens,
 * bos/eos/pad, chat template). Tokens that stand only there are added as transformers does. */
qz_status qz_tokenizer_load(const char *path, qz_tokenizer **out, qz_error *err);
/* QZ_OK where a folder without tokenizer.json has no other files of a tokenizer either; else an error that
 * says what to do. */
qz_status qz_tokenizer_absent(const char *dir, qz_error *err);
void qz_tokenizer_free(qz_tokenizer *t);

enum {
    QZ_ENCODE_SPECIAL = 1,        /* add what the post-processing template adds (BOS …) */
    QZ_ENCODE_PARSE_SPECIAL = 2   /* special tokens written in the text become their ids (HF always does this) */
};
/* Appends the ids of text[0..n) to `out`. Bytes that are not UTF-8 are read as U+FFFD (the reference takes only UTF-8).
 * HF behaviour = QZ_ENCODE_PARSE_SPECIAL plus QZ_ENCODE_SPECIAL as add_special_tokens. */
qz_status qz_tokenizer_encode(const qz_tokenizer *t, const char *text, size_t n, unsigned flags, qz_ids *out,
                              qz_error *err);
/* Appends the text of ids; skip_special leaves special tokens out. */
qz_status qz_tokenizer_decode(const qz_tokenizer *t, const uint32_t *ids, size_t n, bool skip_special, qz_str *out,
                              qz_error *err);

/* Streaming decode: feed ids one by one; only complete UTF-8 sequences come out. Zeroed state starts; `end` writes
 * U+FFFD for a sequence that never became complete. */
typedef struct { uint8_t pending[16]; size_t n; size_t count; } qz_decode_stream;
qz_status qz_tokenizer_decode_next(const qz_tokenizer *t, qz_decode_stream *s, uint32_t id, bool skip_special,
                                   qz_str *out, qz_error *err);
void qz_tokenizer_decode_end(qz_decode_stream *s, qz_str *out);

size_t qz_tokenizer_vocab_size(const qz_tokenizer *t); /* highest id + 1 */
/* -1 if unknown. */
int64_t qz_tokenizer_id(const qz_tokenizer *t, const char *token, size_t n);
/* Content as stored (byte-level spelling), NULL if the id is not used. */
const char *qz_tokenizer_token(const qz_tokenizer *t, uint32_t id, size_t *n);
/* Added tokens of tokenizer.json without text: left out, since no text is ever theirs; their ids stay free. */
size_t qz_tokenizer_empty_added(const qz_tokenizer *t);
bool qz_tokenizer_is_special(const qz_tokenizer *t, uint32_t id);
int64_t qz_tokenizer_bos(const qz_tokenizer *t); /* -1 = none */
int64_t qz_tokenizer_eos(const qz_tokenizer *t);
bool qz_tokenizer_adds_bos(const qz_tokenizer *t); /* the template puts BOS in front */
/* Strings of tokenizer_config.json or the vocabulary (bos_token, eos_token, pad_token, unk_token); NULL = none. */
const char *qz_tokenizer_special(const qz_tokenizer *t, const char *key);
int64_t qz_tokenizer_pad(const qz_tokenizer *t);
int64_t qz_tokenizer_unk(const qz_tokenizer *t);
/* Jinja source (UTF-8, NUL terminated) or NULL. From chat_template.jinja, tokenizer_config.json or GGUF metadata. */
const char *qz_tokenizer_chat_template(const qz_tokenizer *t);

/* ---- two tokenizers side by side ---- */
/* The first id that both use for different texts; false: none. An id that only one of them uses is no difference:
 * padding of a vocabulary is not stored everywhere. */
bool qz_tokenizer_other_token(const qz_tokenizer *a, const qz_tokenizer *b, uint32_t *id);
/* Of two that give one text different ids over the same vocabulary: "merges", "normalizer" … */
const char *qz_tokenizer_other_part(const qz_tokenizer *a, const qz_tokenizer *b);

/* ---- GGUF metadata (formats/gguf-tokenizer.md): plain arrays, so that text/ needs no GGUF reader ---- */
typedef struct { const char *ptr; size_t len; } qz_text_ref;
typedef struct {
    const char *model;             /* "gpt2", "llama", "t5" (unigram) or "gemma4" */
    const char *pre;               /* tokenizer.ggml.pre, NULL = not stored */
    const qz_text_ref *tokens; size_t n_tokens;
    const int32_t *types;          /* [n_tokens] 1 normal 2 unknown 3 control 4 user defined 5
                                    * unused 6 byte; NULL = all normal */
    const float *scores;           /* [n_tokens]; NULL for gpt2 */
    const qz_text_ref *merges; size_t n_merges;
    int64_t bos, eos, pad, unk;    /* -1 = not stored */
    int8_t add_bos, add_eos, add_space_prefix, remove_extra_spaces; /* 0, 1 or -1 = not stored */
    const uint8_t *charsmap; size_t n_charsmap; /* normalization table of t5; NULL = none */
    const char *chat_template;     /* NULL = none */
    /* Our own key quantz.tokenizer.pattern: tokenizer.json without vocabulary and merges, as JSON text; NULL = not
     * stored. With it the pipeline is exactly the source's; without it `pre` names the pipeline. */
    const char *pipeline;
    bool pre_fallback;             /* out of qz_tokenizer_to_gguf: `pre` is the caller's
                                    * choice, to be counted in the report */
} qz_gguf_vocab;
/* `name` = the file, for error texts. The arrays are copied. */
qz_status qz_tokenizer_from_gguf(const qz_gguf_vocab *v, const char *name, qz_tokenizer **out, qz_error *err);
/* forced: --pre; usual: the family's name, taken among those that mean the same pipeline. NULL = none. */
typedef struct { const char *forced, *usual; } qz_gguf_pre_wish;
/* The reverse, for writers: tokens padded to vocab_size with "[PAD{i}]" (type 5; "[PAD{i}.1]" … where taken). An
 * unknown pre-tokenizer is QZ_EUNSUPPORTED with its pattern printed, unless one is forced (then pre_fallback is
 * set when it was needed). Everything lives in `arena`; strings may point into t. */
qz_status qz_tokenizer_to_gguf(const qz_tokenizer *t, size_t vocab_size, qz_gguf_pre_wish wish, qz_arena *arena,
                               qz_gguf_vocab *out, qz_error *err);

/* tokenizer.json and tokenizer_config.json (template in it) that are this tokenizer again, appended. QZ_EUNSUPPORTED
 * names what they cannot say: only a sentencepiece vocabulary without our own key. */
qz_status qz_tokenizer_to_json(const qz_tokenizer *t, qz_str *tokenizer, qz_str *config, qz_error *err);
#endif
