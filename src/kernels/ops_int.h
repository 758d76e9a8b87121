/* Names of the functions behind the table, one group per level. Only ref/, x86/ and the table builders include this. */
#ifndef QZ_KERNELS_OPS_INT_H
#define QZ_KERNELS_OPS_INT_H
#include "kernels/ops.h"

enum { QZ_REF_ROWS = 4, QZ_REF_COLS = 16, QZ_AVX2_ROWS = 6, QZ_AVX2_COLS = 16, QZ_AVX512_ROWS = 12, QZ_AVX512_COLS = 32 };

#define QZ_LEVEL_GEMM(level)                                                                                     \
    void qz_gemm_tile_##level(size_t mr, size_t kc, const float *s, size_t s_stride, const float *v, size_t v_stride, \
                              float *c, size_t ldc, bool load);                                                  \
    void qz_transpose_##level(const float *src, size_t ld, size_t rows, size_t n, float *dst, size_t dst_stride);
QZ_LEVEL_GEMM(ref)
QZ_LEVEL_GEMM(avx2)
QZ_LEVEL_GEMM(avx512)

void qz_decode_f16_avx2(const void *in, size_t cols, float *y);
void qz_decode_bf16_avx2(const void *in, size_t cols, float *y);
void qz_decode_f16_avx512(const void *in, size_t cols, float *y);
void qz_decode_bf16_avx512(const void *in, size_t cols, float *y);
#endif
