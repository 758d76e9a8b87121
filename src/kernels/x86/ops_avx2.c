/* What AVX2 + FMA + F16C changes. */
#include "kernels/ops_int.h"

void qz_ops_avx2(qz_ops *ops) {
    ops->level = QZ_CPU_AVX2;
    ops->tile_rows = QZ_AVX2_ROWS;
    ops->tile_cols = QZ_AVX2_COLS;
    ops->gemm_tile = qz_gemm_tile_avx2;
    ops->transpose = qz_transpose_avx2;
    ops->decode[QZ_TYPE_F16] = qz_decode_f16_avx2;
    ops->decode[QZ_TYPE_BF16] = qz_decode_bf16_avx2;
}
