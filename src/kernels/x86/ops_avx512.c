/* What AVX-512 (F, BW, DQ, VL, VNNI) changes. */
#include "kernels/ops_int.h"

void qz_ops_avx512(qz_ops *ops) {
    ops->level = QZ_CPU_AVX512;
    ops->tile_rows = QZ_AVX512_ROWS;
    ops->tile_cols = QZ_AVX512_COLS;
    ops->gemm_tile = qz_gemm_tile_avx512;
    ops->transpose = qz_transpose_avx512;
    ops->decode[QZ_TYPE_F16] = qz_decode_f16_avx512;
    ops->decode[QZ_TYPE_BF16] = qz_decode_bf16_avx512;
}
