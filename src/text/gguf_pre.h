/* The names of tokenizer.ggml.pre as data (gguf_pre.def): by name for readers, by pipeline for writers. */
#ifndef QZ_TEXT_GGUF_PRE_H
#define QZ_TEXT_GGUF_PRE_H
#include "text/tokenizer_int.h"

typedef struct {
    const char *name;
    const char *const *patterns;
    size_t n_patterns;
    bool add_bos, ignore_merges, clean_off;
    bool raw;             /* over characters with U+2581 for blanks, not over the byte alphabet */
    bool whole_newlines;  /* a run of line ends that is a token is taken whole */
} qz_gguf_pre;
/* False if the name is not known. */
bool qz_gguf_pre_find(const char *name, qz_gguf_pre *out);
/* Name of a byte-level tokenizer's pipeline (`usual` if it is one of several), or NULL; `shown` gets its patterns for
 * the error text. */
const char *qz_gguf_pre_detect(const qz_tokenizer *t, const char *usual, qz_str *shown);
#endif
