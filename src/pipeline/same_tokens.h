/* Figures over unlike token streams are never compared (C-102): do two models read one text as the same tokens?
 * qz_eval_set_build(first tokenizer …, &set); qz_same_tokens(&first, &other, &data, &options, &set, err) for every
 * other model. */
#ifndef QZ_PIPELINE_SAME_TOKENS_H
#define QZ_PIPELINE_SAME_TOKENS_H
#include "eval/windows.h"
#include "artifacts/source.h"

/* QZ_EUSAGE, naming the first difference: sizes of the vocabularies, a token id with both texts, or the place in the
 * text where the ids part and the part of the tokenizer that does it. A model without tokenizer is compared by
 * its size alone. */
qz_status qz_same_tokens(const qz_source *first, const qz_source *other, const qz_dataset *d, const qz_eval_options *o,
                         const qz_eval_set *set, qz_error *err);
/* Bytes of text behind the scored tokens, special tokens left out: what bits per byte is counted over. */
qz_status qz_scored_bytes(const qz_tokenizer *t, const qz_eval_set *set, size_t *bytes, qz_error *err);
#endif
