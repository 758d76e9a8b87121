/* Rows of E2M1 codes with a power of two for each 32 columns, codes and scales apart and a matrix's rows any number of
 * rows apart: experts as gpt-oss is released (gate and up take turns). Nothing is copied out of the file.
 * value = e2m1(code) · 2^(scale − 127), exact in bfloat16. Source: formats/families-2.md section 1, hf-fp4.md. */
#ifndef QZ_CODECS_MX_ROWS_H
#define QZ_CODECS_MX_ROWS_H
#include "codecs/coded.h"

typedef struct {
    const uint8_t *codes;  /* first row: cols / 2 bytes, the first of two codes in the low nibble */
    const uint8_t *scales; /* first row: cols / 32 exponents */
    size_t rows, cols;     /* cols: a multiple of 32 */
    size_t step;           /* rows from one to the next */
} qz_mx_rows;
const qz_coded *qz_mx_rows_coded(const qz_mx_rows *m, qz_arena *arena); /* NULL: no memory */
bool qz_mx_rows_is(const qz_coded *c);
#endif
