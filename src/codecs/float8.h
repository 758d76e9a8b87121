/* E4M3 weights with scales over blocks of rows and columns: per row (block_rows 1, block_cols cols), per tensor, or 128
 * x 128 with ragged edges. value = E4M3(code) · scale, rounded to dtype (what the library that reads the file computes
 * in).
 *   qz_float8_round(run, &(qz_float8_setting){QZ_FLOAT8_CT, dtype, 1, cols}, w, &f, arena, err);
 * Source: formats/hf-fp8.md sections 1 to 3, hf-compressed-tensors.md section 5 (compressed-tensors 0.20.0,
 * transformers 5.23). */
#ifndef QZ_CODECS_FLOAT8_H
#define QZ_CODECS_FLOAT8_H
#include "base/arena.h"
#include "base/run.h"
#include "codecs/coded.h"

typedef struct {
    qz_coded base;                   /* qz_float8_ops */
    size_t block_rows, block_cols;
    bool whole;                      /* one scale by its format, not one block as large as the matrix */
    const uint8_t *codes;            /* [rows, cols] */
    const float *scales;             /* [ceil(rows / block_rows), ceil(cols / block_cols)], above 0 */
    qz_type dtype;                   /* F32, F16 or BF16 */
} qz_float8;

extern const qz_coded_ops qz_float8_ops;
const qz_float8 *qz_float8_of(const qz_coded *c); /* NULL if c is NULL or of another kind */

/* Whose arithmetic: compressed-tensors divides by a scale rounded to dtype, every operation in dtype; transformers'
 * fine-grained FP8 multiplies by 448 / amax in float32 and stores its inverse. */
typedef enum { QZ_FLOAT8_CT, QZ_FLOAT8_FINE } qz_float8_rule;
typedef struct {
    qz_float8_rule rule;
    qz_type dtype;              /* of the weights before */
    size_t block_rows, block_cols;
} qz_float8_setting;
/* f->base.rows and cols are set. */
qz_status qz_float8_round(qz_run *run, const qz_float8_setting *how, const float *w, qz_float8 *f, qz_arena *arena,
                          qz_error *err);
#endif
