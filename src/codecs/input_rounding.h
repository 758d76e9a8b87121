/* What a served format does to the inputs of a linear: its precision contract besides the weights. Kernels quantize x
 * to 8 or 4 bits before the product; here x becomes the value that those codes stand for, so a float32 product gives
 * what the kernel gives but for the order of its sum.
 *   qz_input_rounding how = {.element = QZ_ELEMENT_E4M3, .bits = 8, .by = QZ_INPUT_TOKEN, .sym = true};
 *   qz_input_round(run->pool, &how, x, rows, cols, y);
 * Scales of the served kernels (s multiplies codes; sat: to the largest value; casts to nearest even):
 *   INT  token, group   s = amax / T (T: 127 of 8 bits),      q = sat(round(x * (T / amax)))
 *        fixed          q = sat(round(x / s));  with a zero point  q = sat(round(x * (1 / s)) + zero)
 *        asymmetric     s = (max - min) / 255,                zero = round(-128 - min / s), q as fixed
 *   FP8  token          s = max(amax / 448, 1 / (448 * 512)), q = cast(sat(x / s))
 *        fixed, tensor  q = cast(sat(x * (1 / s))), the tensor's s = amax / 448
 *        group          s = max(amax, 1e-10) / 448,           q = cast(sat(x / s)); E8M0: s goes up to a power of two
 *   MX   group of 32    s = the power of two of compressed-tensors' rule ("even": the exponent grows where rounding
 *                       amax to the element's mantissa does), which vLLM's own kernel has too
 *   NV   group of 16    s = e4m3(G * (amax * (1 / 6))) * (1 / G), q = e2m1(x * (1 / s)); G = `scale` or 2688 / amax of
 *                       the tensor
 * Approximate reciprocals of GPUs are exact here; servers hold x in 16 bits, x here is float32.
 * Library: compressed-tensors' own emulation (127.5, epsilons, every step in `dtype`), which its tools print accuracy
 * with: not what engines compute.
 * Source: formats/hf-fp8.md section 5, hf-compressed-tensors.md sections 5 and 7, hf-fp4.md section 3; vLLM 0.33
 * csrc/quantization: w8a8/int8/scaled_quant.cu, w8a8/fp8/common.cu, fp4/nvfp4_utils.cuh (2026-11-30). */
#ifndef QZ_CODECS_INPUT_ROUNDING_H
#define QZ_CODECS_INPUT_ROUNDING_H
#include "base/threads.h"
#include "codecs/code_setting.h"

typedef enum { QZ_INPUT_TENSOR, QZ_INPUT_TOKEN, QZ_INPUT_GROUP } qz_input_by; /* whose values share a scale */
typedef struct qz_input_rounding {
    qz_element element;      /* INT, E4M3, E2M1, E2M3 */
    uint32_t bits;           /* of INT: 2 to 8 */
    qz_input_by by;
    uint32_t group_size;     /* of GROUP; a row's last group may be shorter */
    qz_scale_type stored;    /* F32; E8M0; E4M3 under the scale of the tensor */
    bool fixed;              /* `scale` was stored: s itself, or G of E4M3 scales; else of the values */
    float scale;             /* above 0 */
    bool sym;
    int zero;                /* fixed and not sym: code of 0, as signed codes have it */
    bool library;
    qz_type dtype;           /* of the library's steps: F32, F16, BF16 */
} qz_input_rounding;

/* y [rows, cols] = x as its codes stand for it; y may be x. A tensor's scale that is not fixed is that of these rows.
 * Rows are split over the pool; bits depend on nothing but x. x is finite: saturation would hide an infinity. */
void qz_input_round(qz_pool *pool, const qz_input_rounding *how, const float *x, size_t rows, size_t cols, float *y);
/* One row; scales, one for each group, may be NULL; how: not a tensor's scale that is not fixed. E4M3: without G. */
void qz_input_round_row(const qz_input_rounding *how, const float *x, size_t cols, float *y, float *scales);
bool qz_input_rounding_same(const qz_input_rounding *a, const qz_input_rounding *b); /* NULL: stays float */
/* "fp8 token", "int8 token", "fp8 g128", "fp8 static", "mxfp4 g32", "nvfp4 g16". */
void qz_input_rounding_text(const qz_input_rounding *how, char out[32]);
#endif
