/* Importance matrices added up, and what one says of each weight, as llama-imatrix does it (--in-file,
 * --show-statistics). qz_imatrix_sum(&sum, files, n, &facts, err); …; qz_imatrix_release(&sum).
 * Source: formats/imatrix.md sections 4 and 6 (llama.cpp 0c1e57098). */
#ifndef QZ_FORMATS_IMATRIX_SUM_H
#define QZ_FORMATS_IMATRIX_SUM_H
#include "formats/imatrix.h"

/* alone: entries that only some of the files have, and the first of them; shared: entries of all. */
typedef struct { size_t shared, alone; const char *first; bool other_chunks; } qz_imatrix_sum_facts;
/* Sums and counts added (a .dat file's values times the size of a chunk, as the reference takes them), data sets one
 * behind the other, chunks as the longest entry has them. One file: the same in the form of a GGUF file. The size of a
 * chunk is that of the first file that says one, else 512. QZ_EFORMAT naming the entry: other widths. */
qz_status qz_imatrix_sum(qz_imatrix *out, const qz_imatrix *files, const char *const *names, size_t n,
                         qz_imatrix_sum_facts *facts, qz_error *err);

/* Over the mean squares of all columns of matrices with tokens. cosine: with the same weight one layer before, 0:
 * none. */
typedef struct {
    double total, mean, least, most, deviation, active, entropy, share, beyond, cosine;
    size_t columns;
} qz_imatrix_facts;
void qz_imatrix_facts_of(const qz_imatrix *im, size_t entry, qz_imatrix_facts *out);
#endif
