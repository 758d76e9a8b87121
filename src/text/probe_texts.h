/* Texts that two tokenizers are compared on (tokenizer_proof.h), by kind and number. */
#ifndef QZ_TEXT_PROBE_TEXTS_H
#define QZ_TEXT_PROBE_TEXTS_H
#include "text/tokenizer_proof.h"

typedef struct {
    const qz_tokenizer *t;
    const uint32_t *added; size_t n_added; /* ids of special and other added tokens */
    uint64_t seed;
} qz_probe_maker;
const char *qz_probe_kind(size_t kind);
size_t qz_probe_texts(const qz_probe_maker *m, size_t kind);
/* Text i of a kind, valid UTF-8; out->failed says that memory ran out. */
void qz_probe_text(const qz_probe_maker *m, size_t kind, size_t i, qz_str *out);
#endif
