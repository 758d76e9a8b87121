/* Matrices that a container stores in pieces or turned, as coded matrices that decode to what they are: of latent
 * attention GGUF keeps kv_b [heads·(nope + v), rank] as a stack of its key rows, turned, and a stack of its value rows.
 * const qz_coded *t = qz_turned(&m, row, n, arena);      the rows [row, row + n) of m as columns: [m.cols, n]
 * const qz_coded *b = qz_kv_joined(k, v, &s, arena);     kv_b from k [heads] of [rank, nope] and v [heads] of [v, rank]
 * Both borrow the data; arena NULL-safe: NULL is out of memory. Source: formats/families-2.md section 13. */
#ifndef QZ_CODECS_SPLIT_ROWS_H
#define QZ_CODECS_SPLIT_ROWS_H
#include "codecs/coded.h"

/* A matrix of any type: data of a float or block type, or coded from first_row on. */
typedef struct { qz_type type; const void *data; const qz_coded *coded; size_t first_row, cols; } qz_matrix_ref;
typedef struct { size_t heads, nope, v, rank; } qz_kv_sizes;

const qz_coded *qz_turned(const qz_matrix_ref *m, size_t row, size_t n, qz_arena *arena);
const qz_coded *qz_kv_joined(const qz_matrix_ref *k, const qz_matrix_ref *v, const qz_kv_sizes *s, qz_arena *arena);
#endif
