#include "methods/low_rank.h"

qz_status qz_low_rank_add(qz_mm *mm, const qz_low_rank *l, size_t first, size_t n, float *y, float *scratch,
                          qz_error *err) {
    const qz_product p = {.m = n, .n = l->cols, .k = l->rank, .a = l->left + first * l->rank, .lda = l->rank,
                          .b = l->right, .ldb = l->rank, .c = scratch, .ldc = l->cols};
    QZ_TRY(qz_mm_gemm_nt(mm, &p, false, err));
    for (size_t i = 0; i < n * l->cols; i++) y[i] += l->scale * scratch[i];
    return QZ_OK;
}
