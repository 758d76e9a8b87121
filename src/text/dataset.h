/* Text and JSONL datasets for calibration, evaluation and tasks. Readers are detected and named.
 * JSONL lines: {"text"}, {"instruction","input"?,"output"?}, {"messages":[…]}, {"ids":[…]}; a *.txt file is one text;
 * blank lines and a byte order mark are skipped; a bad line is an error naming file:line. Message content that is a
 * list of parts becomes their joined text; what is no text is counted and named (qz_parts). */
#ifndef QZ_TEXT_DATASET_H
#define QZ_TEXT_DATASET_H
#include "base/arena.h"
#include "base/status.h"
#include "text/tokenizer.h"

typedef enum {
    QZ_DATA_TEXT_FILE,
    QZ_DATA_JSONL_TEXT,
    QZ_DATA_JSONL_INSTRUCTION,
    QZ_DATA_JSONL_MESSAGES,
    QZ_DATA_JSONL_IDS
} qz_data_kind;

typedef struct {
    const char *text;       /* final text (chat template applied where the record is instruction or messages) */
    size_t n;
    const uint32_t *ids;    /* pre-tokenized records, else NULL */
    size_t n_ids;
    size_t line;            /* 1-based line of the file */
    bool templated;         /* chat template applied: encode with parse-special, without added specials */
} qz_sample;

/* What became of messages whose content is no string. */
typedef struct {
    size_t joined;          /* lists of parts whose texts were joined by line ends */
    size_t left_out;        /* parts, calls and other fields that are no text */
    char names[120];        /* of what was left out: "image_url, tool_calls" */
} qz_parts;

typedef struct {
    qz_data_kind kind;
    const char *reader;     /* "jsonl instruction/input/output" …, for the log */
    qz_sample *samples; size_t n;
    const char *path;
    char sha_hex[65];       /* of the file */
    qz_parts parts;
    const char *accepted;   /* findings of the lint that the user took (text/accepted.h), NULL: none, or not judged */
    qz_arena arena;
} qz_dataset;

typedef struct {
    size_t max_samples;       /* 0 = all */
    bool raw;                 /* do not apply the chat template */
    bool without_output;      /* instruction records: only the user's turn */
} qz_dataset_options;
/* t gives the chat template (NULL or no template: instruction + blank line + input, then a newline and the output). */
qz_status qz_dataset_load(const char *path, const qz_tokenizer *t, const qz_dataset_options *o, qz_dataset *out,
                          qz_error *err);
void qz_dataset_release(qz_dataset *d);
/* Puts "FILE:LINE: " before an error that a sample caused; gives st back. */
qz_status qz_sample_failed(const qz_dataset *d, const qz_sample *s, qz_status st, qz_error *err);
/* Token ids of one sample (adds the tokenizer's own specials for plain text unless `no_special`). Appends. */
qz_status qz_sample_encode(const qz_tokenizer *t, const qz_sample *s, bool no_special, qz_ids *out, qz_error *err);

/* Windows of seq_len tokens packed from all samples, with counts of what was cut or dropped. */
typedef struct {
    uint32_t *ids;          /* [n_windows, seq_len] */
    size_t n_windows, seq_len;
    size_t samples_read, samples_used, samples_truncated, samples_dropped, tokens_total, tokens_used, tokens_cut;
    size_t bos_added;       /* windows that begin with a token that is not the data's own; none of tokens_total */
} qz_windows;
typedef enum { QZ_PACK, QZ_TRUNCATE, QZ_DROP } qz_length_policy;
typedef struct {
    size_t seq_len, most;   /* windows at most, 0: all */
    qz_length_policy policy;
    bool bos;               /* every window begins with the tokenizer's BOS, if it has one, and the data are not ids */
} qz_window_options;
/* PACK joins samples end to end and cuts every seq_len tokens (the tail is counted as cut unless no window is full:
 * then the one short window is kept with its own length and seq_len is lowered to it). */
qz_status qz_windows_build(const qz_tokenizer *t, const qz_dataset *d, const qz_window_options *o, qz_windows *out,
                           qz_error *err);
void qz_windows_release(qz_windows *w);
#endif
