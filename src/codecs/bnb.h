/* bitsandbytes weights: 4-bit table codes (NF4, FP4) over blocks of the flattened matrix, and int8 rows (LLM.int8).
 * 4 bit: value = table[code] · absmax[block], rounded to dtype; the first value of a byte is its high nibble; absmax
 * may itself be 8-bit codes (nested). int8: value = code · SCB[row] / 127. Blocks run over row ends, so a row is no
 * unit of storage.
 * Encode: qz_bnb_quantize(run, …, &b, err) with memory of `arena`. Decode: qz_bnb_decode_row(&b, r, y).
 * Source: formats/hf-bitsandbytes.md (bitsandbytes 0.50.2). */
#ifndef QZ_CODECS_BNB_H
#define QZ_CODECS_BNB_H
#include "base/arena.h"
#include "base/run.h"
#include "codecs/coded.h"

typedef enum { QZ_BNB_NF4, QZ_BNB_FP4, QZ_BNB_INT8 } qz_bnb_kind;
enum { QZ_BNB_BLOCK = 64, QZ_BNB_NESTED = 256 }; /* as every writer has them; readers take the file's */

typedef struct {
    qz_coded base;              /* qz_bnb_ops */
    qz_bnb_kind kind;
    size_t rows, cols;
    size_t block;               /* values that share an absmax; int8: cols */
    size_t n_absmax;            /* ceil(rows·cols / block); int8: rows */
    const uint8_t *codes;       /* ceil(rows·cols / 2) bytes; int8: [rows, cols] two's complement */
    const float *absmax;        /* [n_absmax], what decoding uses (nested: already decoded); int8: SCB */
    const float *table;         /* [16] of 4-bit codes */
    qz_type dtype;              /* decoded values are rounded to it: F32, F16 or BF16 */
    /* nested scales ("double quantization"), NULL without */
    const uint8_t *absmax_codes; /* [n_absmax] into the map */
    const float *nested_absmax;  /* [ceil(n_absmax / QZ_BNB_NESTED)] */
    float nested_offset;
} qz_bnb;

extern const qz_coded_ops qz_bnb_ops;
const qz_bnb *qz_bnb_of(const qz_coded *c); /* NULL if c is NULL or of another kind */
extern const float qz_bnb_nf4[16], qz_bnb_fp4[16], qz_bnb_map8[256];

/* Bytes of the codes. */
size_t qz_bnb_code_bytes(qz_bnb_kind k, size_t rows, size_t cols);
/* x [rows, cols] -> b. nested: 4 bit only. dtype: of the weights before (F32, F16, BF16). */
typedef struct { qz_bnb_kind kind; bool nested; qz_type dtype; size_t rows, cols; } qz_bnb_setting;
qz_status qz_bnb_quantize(qz_run *run, const qz_bnb_setting *how, const float *x, qz_arena *arena, qz_bnb *b,
                          qz_error *err);
/* out [n] = map[codes[i]] · nested_absmax[i / nested_block] + offset. */
void qz_bnb_decode_nested(const uint8_t *codes, size_t n, const float *map, const float *nested_absmax,
                          size_t nested_block, float offset, float *out);
void qz_bnb_decode_row(const qz_bnb *b, size_t row, float *y);
/* The same for columns [first, first + n). */
void qz_bnb_decode_part(const qz_bnb *b, size_t row, size_t first, size_t n, float *y);
#endif
