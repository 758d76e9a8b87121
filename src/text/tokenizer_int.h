/* Inside of a tokenizer: vocabulary, merge table, pipeline steps. Built once by tokenizer_json.c or tokenizer_gguf.c
 * (qz_tok_* functions below), read-only afterwards; everything a call needs lives in its own qz_enc. */
#ifndef QZ_TEXT_TOKENIZER_INT_H
#define QZ_TEXT_TOKENIZER_INT_H
#define PCRE2_CODE_UNIT_WIDTH 8
#include <jansson.h>
#include <pcre2.h>
#include "base/arena.h"
#include "text/tokenizer.h"

#define QZ_TOK_MAX_ID 4194304u /* ids beyond this are refused: no vocabulary is near it */
#define QZ_TOK_MAX_STEPS 24
#define QZ_TOK_MAX_FIX 16

enum { QZ_TOKF_USED = 1, QZ_TOKF_MODEL = 2, QZ_TOKF_ADDED = 4, QZ_TOKF_SPECIAL = 8 };
#define QZ_NO_ID 0xffffffffu

/* ---- vocabulary: text by id and id by text ---- */
typedef struct {
    const char **text;  /* [n] NULL where the id is not used; NUL terminated */
    uint32_t *len;      /* [n] */
    uint8_t *flags;     /* [n] */
    size_t n, cap;
    uint32_t *slots;    /* id + 1, 0 = free */
    size_t n_slots;     /* power of two */
    size_t count;
} qz_vocab;
uint64_t qz_text_hash(const char *s, size_t n);
uint32_t qz_vocab_find(const qz_vocab *v, const char *s, size_t n); /* QZ_NO_ID if unknown */
/* Adds text under id (copied to the arena); the same text twice or the id taken by another text: QZ_EFORMAT. */
typedef struct { const char *s; size_t n; uint32_t id; uint8_t flags; } qz_new_token;
qz_status qz_vocab_add(qz_vocab *v, qz_arena *a, qz_new_token t, const char *name, qz_error *err);
void qz_vocab_release(qz_vocab *v);

/* ---- merges: (left id, right id) -> rank and result ---- */
typedef struct { uint64_t key; uint32_t rank, id; } qz_merge;
typedef struct { qz_merge *slots; size_t n_slots, count; } qz_merges;
qz_status qz_merges_reserve(qz_merges *m, size_t n, qz_error *err);
/* The last rank of a pair wins. Room must be reserved. */
void qz_merges_put(qz_merges *m, uint32_t a, uint32_t b, uint32_t rank, uint32_t id);
static inline const qz_merge *qz_merges_get(const qz_merges *m, uint32_t a, uint32_t b) {
    if (m->n_slots == 0) return NULL;
    uint64_t key = (uint64_t)a << 32 | b, h = key * 0x9e3779b97f4a7c15u;
    for (size_t i = (size_t)(h ^ h >> 32) & (m->n_slots - 1);; i = (i + 1) & (m->n_slots - 1)) {
        if (m->slots[i].key == key) return &m->slots[i];
        if (m->slots[i].key == UINT64_MAX) return NULL;
    }
}

/* ---- pipeline ---- */
typedef struct { pcre2_code *code; bool jit; } qz_regex;
/* Oniguruma syntax as tokenizer.json has it -> PCRE2 (formats/tokenizer-json.md section 7). */
qz_status qz_regex_compile(const char *pattern, size_t n, qz_regex *out, const char *name, qz_error *err);
void qz_regex_release(qz_regex *r);

typedef enum {
    QZ_NORM_NFC,
    QZ_NORM_NFD,
    QZ_NORM_NFKC,
    QZ_NORM_NFKD,
    QZ_NORM_LOWER,
    QZ_NORM_STRIP,
    QZ_NORM_ACCENTS,
    QZ_NORM_REPLACE,
    QZ_NORM_PREPEND,
    QZ_NORM_CHARSMAP,
    QZ_NORM_SPACES
} qz_norm_kind;
/* A sentencepiece normalization table: views into `blob`. */
typedef struct {
    const uint8_t *blob; size_t n;
    const uint8_t *trie; size_t units;  /* u32 each */
    const char *text; size_t text_n;    /* ends in NUL */
} qz_charsmap;
/* The blob is not copied. */
qz_status qz_charsmap_open(const uint8_t *blob, size_t n, qz_charsmap *out, const char *name, qz_error *err);
qz_status qz_charsmap_of_text(const char *base64, size_t n, qz_arena *a, qz_charsmap *out, const char *name,
                              qz_error *err);
/* longest: as sentencepiece replaces; else as huggingface tokenizers does (the two differ on combining marks). */
qz_status qz_charsmap_apply(const qz_charsmap *m, bool longest, const char *s, size_t n, qz_str *out, qz_error *err);
/* Blanks become U+2581, one more of them in front (prefix); merge: runs become one, none at either end. */
void qz_sentencepiece_spaces(bool prefix, bool merge, const char *s, size_t n, qz_str *out);

typedef struct {
    qz_norm_kind kind;
    bool left, right;          /* STRIP; SPACES: prefix, merge; CHARSMAP: left = longest key */
    qz_charsmap map;           /* CHARSMAP */
    qz_regex re;               /* REPLACE with a pattern (re.code != NULL) */
    const char *from; size_t from_n; /* REPLACE with a string */
    const char *to; size_t to_n;     /* REPLACE, PREPEND */
} qz_norm;

typedef enum { QZ_REMOVED, QZ_ISOLATED, QZ_CONTIGUOUS, QZ_MERGED_PREVIOUS, QZ_MERGED_NEXT } qz_split_behavior;
typedef enum { QZ_PRE_SPLIT, QZ_PRE_LITERAL, QZ_PRE_PREFIX_SPACE, QZ_PRE_METASPACE } qz_pre_kind;
typedef enum { QZ_PREPEND_NEVER, QZ_PREPEND_FIRST, QZ_PREPEND_ALWAYS } qz_prepend;
typedef struct {
    qz_pre_kind kind;
    qz_split_behavior behavior;
    bool invert;
    qz_regex re;
    const char *text; size_t text_n; /* LITERAL: delimiter; METASPACE: replacement; SPLIT: the source pattern */
    qz_prepend prepend;              /* METASPACE */
    bool gpt2;                       /* SPLIT made from ByteLevel use_regex */
} qz_pre;

typedef enum {
    QZ_DEC_BYTE_LEVEL,
    QZ_DEC_METASPACE,
    QZ_DEC_BYTE_FALLBACK,
    QZ_DEC_REPLACE,
    QZ_DEC_FUSE,
    QZ_DEC_STRIP
} qz_dec_kind;
typedef struct {
    qz_dec_kind kind;
    qz_norm replace;           /* REPLACE */
    const char *text; size_t text_n; /* METASPACE: replacement; STRIP: one character */
    size_t start, stop;        /* STRIP */
    bool keep_first;           /* METASPACE with prepend never */
} qz_dec;

typedef struct {
    const char *text; size_t n;     /* what is searched: content, or normalizer(content) */
    uint32_t id;
    bool single_word, lstrip, rstrip, special;
} qz_added;
/* sorted by text; first = set of first bytes */
typedef struct { qz_added *v; size_t n; uint64_t first[4]; } qz_added_set;

/* The unigram model: pieces with scores (log probabilities) in place of merges. */
typedef struct {
    bool on;
    double *score; size_t n_score;  /* by id; NaN = no piece */
    uint32_t *order; size_t n;      /* ids of pieces, by text */
    uint32_t first[257];            /* pieces that begin with byte b: [first[b], first[b + 1]) */
    double unk_score;
} qz_unigram;

struct qz_tokenizer {
    qz_arena arena;
    qz_vocab vocab;
    qz_merges merges;
    qz_unigram unigram;
    bool byte_level, byte_fallback, fuse_unk, ignore_merges;
    bool whole_newlines;            /* a run of line ends that is a token is taken whole */
    bool word_starts;               /* no merge joins x and U+2581: pieces may be cut before each run of U+2581 */
    uint32_t unk;                   /* QZ_NO_ID = none */
    uint32_t byte_ids[256];         /* byte_level: the byte's character; byte_fallback: <0xHH> */
    uint32_t ascii_ids[128];        /* char model: one-character tokens */
    qz_norm norm[QZ_TOK_MAX_STEPS]; size_t n_norm;
    qz_pre pre[QZ_TOK_MAX_STEPS]; size_t n_pre;
    qz_dec dec[QZ_TOK_MAX_STEPS]; size_t n_dec;
    qz_added_set added[2];          /* [0] on raw text, [1] on normalized text */
    const char **norm_text;         /* [vocab.n] text of normalized added tokens at decoding, else NULL */
    uint32_t before[QZ_TOK_MAX_FIX], after[QZ_TOK_MAX_FIX]; size_t n_before, n_after;
    int64_t bos, eos, pad, unk_special;
    const char *bos_text, *eos_text, *pad_text, *unk_text;
    const char *chat_template;
    const char *path;
    /* kept for qz_tokenizer_to_gguf */
    const char *pipeline;           /* tokenizer.json without vocabulary and merges */
    qz_text_ref *merge_text; size_t n_merge_text;
    size_t n_empty_added;           /* added tokens without text */
    int8_t add_bos_set;             /* tokenizer_config add_bos_token: -1 unset */
    int8_t clean_spaces;            /* tokenizer_config clean_up_tokenization_spaces: -1 unset */
};

/* ---- builders ---- */
qz_tokenizer *qz_tok_new(void);
/* After vocabulary, merges and pipeline: fills byte and character tables, word_starts, the sets of added tokens. */
qz_status qz_tok_finish(qz_tokenizer *t, qz_added *added, const bool *normalized, size_t n_added, qz_error *err);
qz_status qz_tok_build_normalizer(qz_tokenizer *t, const json_t *j, size_t depth, qz_error *err);
qz_status qz_tok_build_pre(qz_tokenizer *t, const json_t *j, size_t depth, qz_error *err);
qz_status qz_tok_build_decoder(qz_tokenizer *t, const json_t *j, size_t depth, qz_error *err);
qz_status qz_tok_build_post(qz_tokenizer *t, const json_t *j, size_t depth, qz_error *err);
/* Everything of tokenizer.json but model: normalizer, pre_tokenizer, post_processor, decoder,
 * added_tokens, then finish. */
qz_status qz_tok_build_pipeline(qz_tokenizer *t, const json_t *root, qz_error *err);
qz_status qz_tok_add_split(qz_tokenizer *t, const char *pattern, size_t n, qz_split_behavior b, bool invert,
                           qz_error *err);
/* Resolves "left right" among the vocabulary and stores it with its rank; false if a part or the result is unknown. */
bool qz_tok_merge(qz_tokenizer *t, const char *l, size_t nl, const char *r, size_t nr, uint32_t rank, qz_str *tmp);

/* model.unk_id of a unigram model (absent and null: none). */
qz_status qz_tok_unknown_id(qz_tokenizer *t, const json_t *model, qz_error *err);
#define QZ_TOK_PIECES_KEY "pieces" /* in the pipeline's model: number of ids that the unigram model has */

/* tokenizer.ggml.token_type */
enum { QZ_GGUF_NORMAL = 1, QZ_GGUF_UNKNOWN, QZ_GGUF_CONTROL, QZ_GGUF_USER, QZ_GGUF_UNUSED, QZ_GGUF_BYTE };

/* tokenizer_config.json with what special_tokens_map.json sets (new reference; NULL if there is neither). */
qz_status qz_tok_config(const qz_tokenizer *t, const char *dir, json_t **out, qz_error *err);
/* Appends the tokens of config (NULL = none) and added_tokens.json to root's added_tokens. After the
 * model is loaded. */
qz_status qz_tok_add_companions(const qz_tokenizer *t, json_t *root, const json_t *config, const char *dir,
                                qz_error *err);

/* tokenizer.json in memory, without companions. */
qz_status qz_tok_load_text(const char *text, size_t n, const char *name, qz_tokenizer **out, qz_error *err);

/* ---- byte <-> character table of ByteLevel ---- */
uint32_t qz_byte_char(uint8_t b);
int qz_char_byte(uint32_t cp); /* -1 if the character stands for no byte */

/* ---- unigram ---- */
/* After vocabulary, flags and scores: the order of pieces. */
qz_status qz_unigram_close(qz_tokenizer *t, qz_error *err);
/* Best way to one place of a word: from where, by which piece; next: forward along the chosen way. */
typedef struct { double score; uint32_t from, id, next; } qz_path;

/* ---- one encode call ---- */
typedef struct { uint8_t len, n; char key[22]; uint32_t ids[10]; } qz_word_cache;
typedef struct {
    const qz_tokenizer *t;
    qz_ids *out;
    pcre2_match_data *md;
    pcre2_match_context *mc;
    pcre2_jit_stack *js;
    uint64_t scanned;                                /* bytes that far look-ahead read beyond the
                                                      * first window of a match */
    qz_word_cache *cache; size_t cache_mask;
    uint32_t *sym, *rank, *next_id; size_t sym_cap;  /* symbols of one word, in one allocation */
    struct qz_heap_item *heap; size_t heap_n, heap_cap;
    int32_t *link;                                   /* [2 * link_cap] previous, next */
    size_t link_cap;
    qz_path *path; size_t path_cap;                  /* places of one word of a unigram model */
    qz_str buf[QZ_TOK_MAX_STEPS + 1], norm_a, norm_b, spell;
} qz_enc;
qz_status qz_bpe_word(qz_enc *e, const char *w, size_t n, qz_error *err);
qz_status qz_unigram_word(qz_enc *e, const char *w, size_t n, qz_error *err);
/* *out points into e's buffers or at the input; valid until the next call. */
qz_status qz_normalize(qz_enc *e, const char *s, size_t n, const char **out, size_t *out_n, qz_error *err);
/* Replaces every match of m's pattern or string. */
qz_status qz_norm_replace(qz_enc *e, const qz_norm *m, const char *s, size_t n, qz_str *out, qz_error *err);
/* Runs pre-tokenizer and model over one piece of normalized text. */
qz_status qz_pretokenize(qz_enc *e, const char *s, size_t n, bool at_start, qz_error *err);
/* Matches one after the other, at the places of the reference's iterator: empty ones too, except directly behind the
 * match before. Zeroed state starts; spans never overlap. */
/* begin, end: found */
typedef struct {
    const qz_regex *re;
    const char *s;
    size_t n;
    size_t begin, end;
    size_t pos, last;
    bool any;
} qz_regex_iter;
qz_status qz_regex_next(qz_enc *e, qz_regex_iter *it, bool *found, qz_error *err);
void qz_enc_release(qz_enc *e);
#endif
