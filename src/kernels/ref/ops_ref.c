/* The reference table: complete. */
#include "kernels/ops_int.h"

void qz_ops_ref(qz_ops *ops) {
    *ops = (qz_ops){.level = QZ_CPU_REF, .tile_rows = QZ_REF_ROWS, .tile_cols = QZ_REF_COLS};
    ops->gemm_tile = qz_gemm_tile_ref;
    ops->transpose = qz_transpose_ref;
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t) ops->decode[t] = qz_type_get((qz_type)t)->decode;
}
