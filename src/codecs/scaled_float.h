/* Small floats that share scales: codes of E4M3, E5M2, E2M1 or E2M3, a scale for each block of rows and columns: a row
 * (block_rows 1, block_cols cols), the tensor, 128 x 128 with ragged edges, 16 or 32 columns. value = element(code) ·
 * scale, rounded to dtype (what the library that reads the file computes in). Files hold scales as floats (FP8), as
 * powers of two (MXFP4, MXFP6, MXFP8) or as E4M3 values under a scale of the tensor (NVFP4).
 *   qz_scaled_float_round(run, &(qz_float_rounding){.rule = QZ_ROUND_CT, .dtype = t, .block_rows = 1,
 *                         .block_cols = cols}, w, &f, arena, err);
 * Source: formats/hf-fp8.md sections 1 to 3, hf-fp4.md sections 1 to 3, hf-compressed-tensors.md section 5
 * (compressed-tensors 0.20.0, transformers 5.23, Model-Optimizer 0.47.0). */
#ifndef QZ_CODECS_SCALED_FLOAT_H
#define QZ_CODECS_SCALED_FLOAT_H
#include "base/arena.h"
#include "base/run.h"
#include "codecs/code_setting.h"
#include "codecs/coded.h"
#include "codecs/small_float.h"

typedef struct {
    qz_coded base;                   /* qz_scaled_float_ops(element) */
    qz_small_float element;
    uint32_t bits;                   /* that a code takes in `codes`: 8; 4, 6 packed along the row, the first lowest */
    size_t block_rows, block_cols;
    bool whole;                      /* one scale by its format, not one block as large as the matrix */
    const uint8_t *codes;            /* [rows, qz_scaled_row_bytes] */
    const float *scales;             /* [ceil(rows / block_rows), ceil(cols / block_cols)], above 0: what multiplies */
    qz_scale_type stored;            /* as the file holds them */
    float tensor;                    /* E4M3 scales: G that they are divided by, E4M3_TIMES: S that multiplies them */
    qz_type dtype;                   /* F32, F16 or BF16 */
} qz_scaled_float;

const qz_coded_ops *qz_scaled_float_ops(qz_small_float element); /* FP8, FP4 and FP6 are counted apart */
const qz_scaled_float *qz_scaled_float_of(const qz_coded *c); /* NULL if c is NULL or of another kind */
static inline size_t qz_scaled_row_bytes(size_t cols, uint32_t bits) { return (cols * bits + 7) / 8; }

/* What multiplies, of a stored E4M3 value; and the byte of what multiplies. */
float qz_scale_under(qz_scale_type stored, float tensor, float e4m3);
uint8_t qz_scale_byte(qz_scale_type stored, float tensor, float scale);

/* Whose arithmetic: compressed-tensors divides by a scale rounded to dtype, every operation in dtype; transformers'
 * fine-grained FP8 multiplies by 448 / amax in float32 and stores its inverse; ModelOpt's scales
 * stay in float32, under one float scale a matrix the quotient is rounded to dtype. */
typedef enum { QZ_ROUND_CT, QZ_ROUND_FINE, QZ_ROUND_MODELOPT } qz_float_rule;
typedef struct {
    qz_float_rule rule;
    qz_type dtype;              /* of the weights before */
    size_t block_rows, block_cols;
    qz_small_float element;
    qz_scale_type stored;       /* E8M0, E4M3, E4M3_TIMES; any other: a float of the rule's */
    float amax;                 /* of the matrices that share a tensor's scale (E4M3 scales, or one block that is the
                                 * matrix); 0: of w */
    bool search;                /* E8M0, E4M3: of the scales that can win the one of least squared error (ours) */
    const float *block_amax;    /* [blocks]: what stands for the largest of each, by an observer; NULL: of w */
} qz_float_rounding;
/* f->base.rows and cols are set. A code takes a byte. */
qz_status qz_scaled_float_round(qz_run *run, const qz_float_rounding *how, const float *w, qz_scaled_float *f,
                                qz_arena *arena, qz_error *err);
/* The scale that a rule gives values of at most amax: what divides them (`stored`: under the scale of a tensor). */
float qz_float_rule_scale(const qz_float_rounding *how, float tensor, float amax);
#endif
