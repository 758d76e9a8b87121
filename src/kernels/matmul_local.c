/* Exact products of one thread, for use inside a pool job (matmul.h). Scratch is one panel on the stack. */
#include <string.h>
#include "codecs/types.h"
#include "kernels/mm_int.h"

/* floats of b that are decoded at once: they stay in the first-level cache until they are used */
enum { PIECE = 8192 };

/* Rows of `cols` float16 that make a piece: whole tiles of them where that many fit. */
static size_t piece_rows(const qz_ops *ops, size_t cols) {
    const size_t rows = PIECE / cols;
    return rows > ops->tile_cols ? rows - rows % ops->tile_cols : qz_max_size(rows, 1);
}

/* Rows of a against one panel of `cols` columns that starts at c. */
static void panel_rows(const qz_ops *ops, size_t m, size_t kc, const float *a, size_t lda, const float *v,
                       size_t v_stride, float *c, size_t ldc, size_t cols, bool load) {
    for (size_t i = 0; i < m; i += ops->tile_rows)
        qz_mm_tile(ops, qz_min_size(ops->tile_rows, m - i), kc, a + i * lda, lda, v, v_stride, c + i * ldc, ldc, cols,
                   load);
}

/* c [m, n] = or, when `load`, += a · b. */
static void gemm_nn(const qz_mm *mm, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                    size_t ldb, float *c, size_t ldc, bool load) {
    _Alignas(64) float edge[QZ_KC * QZ_TILE_MAX_COLS];
    const qz_ops *ops = &mm->ops;
    const size_t nr = ops->tile_cols;
    for (size_t k0 = 0; k0 < k || k0 == 0; k0 += QZ_KC)
        for (size_t j = 0; j < n; j += nr) {
            size_t kc = qz_min_size(QZ_KC, k - k0), cols = qz_min_size(nr, n - j);
            const float *v = b + k0 * ldb + j;
            if (cols < nr) /* a full tile would read beyond the rows of b */
                for (size_t i = 0; i < kc; ++i) {
                    memcpy(edge + i * nr, v + i * ldb, cols * sizeof *v);
                    memset(edge + i * nr + cols, 0, (nr - cols) * sizeof *v);
                }
            panel_rows(ops, m, kc, a + k0, lda, cols < nr ? edge : v, cols < nr ? nr : ldb, c + j, ldc, cols,
                       load || k0 > 0);
        }
}
void qz_mm_gemm_nn_local(const qz_mm *mm, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                         size_t ldb, float *c, size_t ldc) {
    gemm_nn(mm, m, n, k, a, lda, b, ldb, c, ldc, false);
}

void qz_mm_gemm_nt_local(const qz_mm *mm, size_t m, size_t n, size_t k, const float *a, size_t lda, const float *b,
                         size_t ldb, float *c, size_t ldc) {
    _Alignas(64) float panel[QZ_KC * QZ_TILE_MAX_COLS];
    const qz_ops *ops = &mm->ops;
    const size_t nr = ops->tile_cols;
    for (size_t j = 0; j < n; j += nr)
        for (size_t k0 = 0; k0 < k || k0 == 0; k0 += QZ_KC) {
            size_t kc = qz_min_size(QZ_KC, k - k0), cols = qz_min_size(nr, n - j);
            ops->transpose(b + j * ldb + k0, ldb, cols, kc, panel, nr);
            panel_rows(ops, m, kc, a + k0, lda, panel, nr, c + j, ldc, cols, k0 > 0);
        }
}

void qz_mm_gemm_nn_local_f16(const qz_mm *mm, size_t m, size_t n, size_t k, const float *a, size_t lda,
                             const uint16_t *b, float *c, size_t ldc) {
    _Alignas(64) float rows[PIECE];
    const size_t piece = piece_rows(&mm->ops, n);
    for (size_t k0 = 0; k0 < k || k0 == 0; k0 += piece) {
        const size_t kc = qz_min_size(piece, k - k0);
        mm->ops.decode[QZ_TYPE_F16](b + k0 * n, kc * n, rows);
        gemm_nn(mm, m, n, kc, a + k0, lda, rows, n, c, ldc, k0 > 0);
    }
}
void qz_mm_gemm_nt_local_f16(const qz_mm *mm, size_t m, size_t n, size_t k, const float *a, size_t lda,
                             const uint16_t *b, float *c, size_t ldc) {
    _Alignas(64) float rows[PIECE];
    const size_t piece = piece_rows(&mm->ops, k);
    for (size_t j = 0; j < n; j += piece) {
        const size_t nc = qz_min_size(piece, n - j);
        mm->ops.decode[QZ_TYPE_F16](b + j * k, nc * k, rows);
        qz_mm_gemm_nt_local(mm, m, nc, k, a, lda, rows, k, c + j, ldc);
    }
}
void qz_mm_to_f16(const qz_mm *mm, const float *x, size_t n, uint16_t *out) {
    mm->ops.encode[QZ_TYPE_F16](x, NULL, n, out);
}
