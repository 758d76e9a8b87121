/* Private to lint: what is measured (lint_facts.c) and what is compared (lint_leak.c). */
#ifndef QZ_TEXT_LINT_INT_H
#define QZ_TEXT_LINT_INT_H
#include "text/lint.h"

/* A set of 64-bit hashes. Zeroed is empty. */
typedef struct { uint64_t *slot; size_t n_slots, n; } qz_hash_set;
/* False when out of memory. */
bool qz_hash_set_add(qz_hash_set *s, uint64_t h, bool *fresh);
bool qz_hash_set_has(const qz_hash_set *s, uint64_t h);
void qz_hash_set_release(qz_hash_set *s);

/* counts [n_counts]: unigram counts, caller frees with qz_free. */
qz_status qz_data_measure(const qz_tokenizer *t, const qz_dataset *d, qz_data_facts *out, uint64_t **counts,
                          size_t *n_counts, qz_error *err);
double qz_jensen_shannon(const uint64_t *a, size_t na, const uint64_t *b, size_t nb);
#endif
