/* Two tokenizers compared by what they do: 10^5 texts (every code point alone and beside others, special tokens,
 * digits, mixed scripts, pieces of the vocabulary, random bytes), the same for one seed and vocabulary everywhere.
 * qz_tokenizer_proof p; qz_tokenizer_prove(source, other, storable, seed, &p, err); qz_tokenizer_proof_release(&p); */
#ifndef QZ_TEXT_TOKENIZER_PROOF_H
#define QZ_TEXT_TOKENIZER_PROOF_H
#include "text/tokenizer.h"

enum { QZ_PROOF_KINDS = 7 };
typedef struct {
    struct { const char *name; size_t texts, differ; } kinds[QZ_PROOF_KINDS];
    size_t texts, differ, unstored; /* unstored: of those that differ, as `storable` gives them */
    qz_str smallest;                /* UTF-8, no character can be left out; of the texts that differ for no such reason
                                     * if there is one, else of all that differ; empty: none differs */
    qz_ids want, got;               /* its ids by source and by other */
    char ids_sha256[65];            /* of the source's ids of all texts (u32 each, U32_MAX behind a text) */
} qz_tokenizer_proof;
/* Special tokens are read in the texts and added around them on both sides. storable: the source without what the
 * container of `other` cannot say (NULL: unknown). QZ_EFORMAT etc. only where a text cannot be encoded at all. */
qz_status qz_tokenizer_prove(const qz_tokenizer *source, const qz_tokenizer *other, const qz_tokenizer *storable,
                             uint64_t seed, qz_tokenizer_proof *out, qz_error *err);
void qz_tokenizer_proof_release(qz_tokenizer_proof *p);

/* The tokenizer that GGUF's keys can say of t: without a normalizer of Unicode forms, lstrip and the like. `lost` gets
 * their names ("normalizer NFC, lstrip of added tokens"); empty: nothing is lost, and *out is NULL. */
qz_status qz_tokenizer_storable(const qz_tokenizer *t, qz_tokenizer **out, qz_str *lost, qz_error *err);
#endif
