/* Integer codes of compressed-tensors: the library's own rounding, every operation in the weights' type, and a better
 * one in float32 that chooses the scale by the squared error. Codes and zero points are stored ones (0 … 2^bits − 1,
 * the library's signed value plus 2^(bits − 1)); scales are values of `dtype`, which files store them in.
 *   qz_int_ct how = {QZ_TYPE_BF16, 4, true}; qz_int_ct_row(&how, w, cols, 128, (qz_int_row){codes, scales, zeros});
 * Source: formats/hf-compressed-tensors.md section 5 (compressed-tensors 0.20.0). */
#ifndef QZ_CODECS_INT_CT_H
#define QZ_CODECS_INT_CT_H
#include "codecs/int_group.h"

typedef struct {
    qz_type dtype;   /* F32, F16 or BF16 */
    uint32_t bits;
    bool sym;
} qz_int_ct;

/* The library's scale and zero point of values that lie in lo … hi; 0/0 of an all-zero group is zero point 0 as
 * there. */
float qz_int_ct_range(const qz_int_ct *how, float lo, float hi, uint8_t *zero);
/* Its codes of w [n] under them. */
void qz_int_ct_codes(const qz_int_ct *how, const float *w, size_t n, float scale, uint8_t zero, uint8_t *codes);
/* A row in groups of `group` columns, which divides cols: the library's bytes. */
void qz_int_ct_row(const qz_int_ct *how, const float *w, size_t cols, size_t group, qz_int_row out);
/* The same with the least Σ (w − decoded)² over the candidate scales of each group; never more than the library's. */
void qz_int_ct_best_row(const qz_int_ct *how, const float *w, size_t cols, size_t group, qz_int_row out);
#endif
