/* Reference of the exact product: the definition that every level equals bit for bit. */
#include <math.h>
#include "kernels/ops_int.h"

void qz_gemm_tile_ref(size_t mr, size_t kc, const qz_tile *t, bool load) {
    for (size_t i = 0; i < mr; ++i)
        for (size_t j = 0; j < QZ_REF_COLS; ++j) {
            float acc = load ? t->c[i * t->ldc + j] : 0;
            for (size_t k = 0; k < kc; ++k) acc = fmaf(t->s[i * t->s_stride + k], t->v[k * t->v_stride + j], acc);
            t->c[i * t->ldc + j] = acc;
        }
}

void qz_transpose_ref(const float *src, size_t ld, size_t rows, size_t n, float *dst, size_t dst_stride) {
    for (size_t k = 0; k < n; ++k)
        for (size_t r = 0; r < QZ_REF_COLS; ++r) dst[k * dst_stride + r] = r < rows ? src[r * ld + k] : 0;
}
