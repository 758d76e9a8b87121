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

/* Rows of a from column k0 on against one panel of `cols` columns, which is column j of c and of v's rows. */
typedef struct { size_t j, cols, k0, kc; const float *v; size_t v_stride; bool load; } panel_at;
static void panel_rows(const qz_ops *ops, const qz_product *p, const panel_at *at) {
    for (size_t i = 0; i < p->m; i += ops->tile_rows) {
        const qz_tile t = {p->a + i * p->lda + at->k0, p->lda, at->v, at->v_stride, p->c + i * p->ldc + at->j, p->ldc};
        qz_mm_tile(ops, qz_min_size(ops->tile_rows, p->m - i), at->kc, &t, at->cols, at->load);
    }
}

/* c [m, n] = or, when `load`, += a · b. */
static void gemm_nn(const qz_ops *ops, const qz_product *p, bool load) {
    _Alignas(64) float edge[QZ_KC * QZ_TILE_MAX_COLS];
    const size_t nr = ops->tile_cols;
    for (size_t k0 = 0; k0 < p->k || k0 == 0; k0 += QZ_KC)
        for (size_t j = 0; j < p->n; j += nr) {
            size_t kc = qz_min_size(QZ_KC, p->k - k0), cols = qz_min_size(nr, p->n - j);
            const float *v = p->b + k0 * p->ldb + j;
            if (cols < nr) /* a full tile would read beyond the rows of b */
                for (size_t i = 0; i < kc; ++i) {
                    memcpy(edge + i * nr, v + i * p->ldb, cols * sizeof *v);
                    memset(edge + i * nr + cols, 0, (nr - cols) * sizeof *v);
                }
            panel_rows(ops, p, &(panel_at){j, cols, k0, kc, cols < nr ? edge : v, cols < nr ? nr : p->ldb,
                                           load || k0 > 0});
        }
}
void qz_mm_gemm_nn_local(const qz_mm *mm, const qz_product *p) { gemm_nn(&mm->ops, p, false); }

void qz_mm_gemm_nt_local(const qz_mm *mm, const qz_product *p) {
    _Alignas(64) float panel[QZ_KC * QZ_TILE_MAX_COLS];
    const qz_ops *ops = &mm->ops;
    const size_t nr = ops->tile_cols;
    for (size_t j = 0; j < p->n; j += nr)
        for (size_t k0 = 0; k0 < p->k || k0 == 0; k0 += QZ_KC) {
            size_t kc = qz_min_size(QZ_KC, p->k - k0), cols = qz_min_size(nr, p->n - j);
            ops->transpose(p->b + j * p->ldb + k0, p->ldb, cols, kc, panel, nr);
            panel_rows(ops, p, &(panel_at){j, cols, k0, kc, panel, nr, k0 > 0});
        }
}

void qz_mm_gemm_nn_local_f16(const qz_mm *mm, const qz_product *p, const uint16_t *b) {
    _Alignas(64) float rows[PIECE];
    const size_t piece = piece_rows(&mm->ops, p->n);
    for (size_t k0 = 0; k0 < p->k || k0 == 0; k0 += piece) {
        qz_product part = *p;
        part.k = qz_min_size(piece, p->k - k0);
        part.a += k0;
        part.b = rows;
        part.ldb = p->n;
        mm->ops.decode[QZ_TYPE_F16](b + k0 * p->n, part.k * p->n, rows);
        gemm_nn(&mm->ops, &part, k0 > 0);
    }
}
void qz_mm_gemm_nt_local_f16(const qz_mm *mm, const qz_product *p, const uint16_t *b) {
    _Alignas(64) float rows[PIECE];
    const size_t piece = piece_rows(&mm->ops, p->k);
    for (size_t j = 0; j < p->n; j += piece) {
        qz_product part = *p;
        part.n = qz_min_size(piece, p->n - j);
        part.b = rows;
        part.ldb = p->k;
        part.c += j;
        mm->ops.decode[QZ_TYPE_F16](b + j * p->k, part.n * p->k, rows);
        qz_mm_gemm_nt_local(mm, &part);
    }
}
void qz_mm_to_f16(const qz_mm *mm, const float *x, size_t n, uint16_t *out) {
    mm->ops.encode[QZ_TYPE_F16](x, NULL, n, out);
}
