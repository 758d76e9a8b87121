/* Gram matrices (matmul.h): float FMA chains over blocks of 512 tokens, blocks added in double in order. The upper
 * triangle is computed tile by tile and mirrored once at the end. */
#include <string.h>
#include "kernels/mm_int.h"

/* tokens of a chain; rows of a task (a multiple of every tile_rows); of a mirrored square */
enum { BLOCK = QZ_KC, STRIP = 120, SIDE = 32 };

typedef struct {
    qz_mm *mm;
    const float *x;
    size_t n, cols, wide;    /* wide: cols rounded up to tile_cols */
    size_t per_pass;         /* blocks that are packed together */
    double *gram;
    float *s;                /* [per_pass][wide][QZ_S_STRIDE] columns of x as rows */
    float *v;                /* [per_pass][wide / tile_cols][BLOCK][tile_cols] */
    size_t b0, nb;           /* the pass: its first block, their number */
} gram_job;

static size_t s_size(const gram_job *j) { return j->wide * QZ_S_STRIDE; }
static size_t v_size(const gram_job *j) { return j->wide * BLOCK; }
static size_t tokens_of(const gram_job *j, size_t block) { return qz_min_size(BLOCK, j->n - block * BLOCK); }

/* Packs column panel p of block b both ways. */
static void pack(const gram_job *j, size_t b, size_t slot, size_t p) {
    const qz_ops *ops = &j->mm->ops;
    const size_t nr = ops->tile_cols, c0 = p * nr, cols = qz_min_size(nr, j->cols - c0), tokens = tokens_of(j, b);
    const float *x = j->x + b * BLOCK * j->cols + c0;
    float *v = j->v + slot * v_size(j) + c0 * BLOCK, *s = j->s + slot * s_size(j) + c0 * QZ_S_STRIDE;
    for (size_t t = 0; t < tokens; ++t) {
        memcpy(v + t * nr, x + t * j->cols, cols * sizeof *v);
        memset(v + t * nr + cols, 0, (nr - cols) * sizeof *v);
    }
    for (size_t t = 0; t < tokens; t += nr)
        ops->transpose(x + t * j->cols, j->cols, qz_min_size(nr, tokens - t), cols, s + t, QZ_S_STRIDE);
}

/* gram [i0.., c0..] += the chains of blocks [b0, b0+nb); only elements on or above the diagonal. */
static void tile(const gram_job *j, size_t b0, size_t nb, size_t i0, size_t mr, size_t c0) {
    const qz_ops *ops = &j->mm->ops;
    const size_t nr = ops->tile_cols, cols = qz_min_size(nr, j->cols - c0);
    float t[QZ_TILE_MAX_ROWS * QZ_TILE_MAX_COLS];
    for (size_t b = 0; b < nb; ++b) {
        const qz_tile at = {j->s + b * s_size(j) + i0 * QZ_S_STRIDE, QZ_S_STRIDE, j->v + b * v_size(j) + c0 * BLOCK, nr,
                            t, nr};
        ops->gemm_tile(mr, tokens_of(j, b0 + b), &at, false);
        for (size_t i = 0; i < mr; ++i)
            for (size_t c = i0 + i > c0 ? i0 + i - c0 : 0; c < cols; ++c)
                j->gram[(i0 + i) * j->cols + c0 + c] += (double)t[i * nr + c];
    }
}

static void task(const gram_job *j, size_t b0, size_t nb, size_t i0, size_t c0) {
    const qz_ops *ops = &j->mm->ops;
    size_t i1 = qz_min_size(j->cols, i0 + STRIP), c1 = qz_min_size(j->cols, c0 + QZ_VC);
    for (size_t i = i0; i < i1; i += ops->tile_rows)
        for (size_t c = c0; c < c1; c += ops->tile_cols)
            if (c + ops->tile_cols > i) tile(j, b0, nb, i, qz_min_size(ops->tile_rows, i1 - i), c);
}

static size_t strips(const gram_job *j) { return (j->cols + STRIP - 1) / STRIP; }
static void pack_part(void *arg, qz_part part) {
    const gram_job *j = arg;
    const size_t panels = j->wide / j->mm->ops.tile_cols;
    pack(j, j->b0 + part.i / panels, part.i / panels, part.i % panels);
}
static void task_part(void *arg, qz_part part) {
    const gram_job *j = arg;
    size_t i0 = part.i % strips(j) * STRIP, c0 = part.i / strips(j) * QZ_VC;
    if (c0 + QZ_VC > i0) task(j, j->b0, j->nb, i0, c0);
}
static void mirror_part(void *arg, qz_part part) { /* a band of SIDE rows */
    const gram_job *j = arg;
    for (size_t bc = part.i; bc < part.n; ++bc)
        for (size_t i = part.i * SIDE; i < qz_min_size(j->cols, (part.i + 1) * SIDE); ++i)
            for (size_t c = qz_max_size(bc * SIDE, i + 1); c < qz_min_size(j->cols, (bc + 1) * SIDE); ++c)
                j->gram[c * j->cols + i] = j->gram[i * j->cols + c];
}

qz_status qz_mm_gram(qz_mm *mm, const float *x, size_t n, size_t cols, double *gram, qz_error *err) {
    if (n == 0 || cols == 0) return QZ_OK;
    const size_t nr = mm->ops.tile_cols, blocks = (n + BLOCK - 1) / BLOCK;
    gram_job j = {.mm = mm, .x = x, .n = n, .cols = cols, .wide = (cols + nr - 1) / nr * nr, .gram = gram};
    j.per_pass = qz_min_size(blocks, qz_max_size(1, qz_min_size(4, 16384 / j.wide)));
    QZ_TRY(qz_mm_scratch(mm, j.per_pass * (s_size(&j) + v_size(&j)), sizeof(float), err));
    j.s = mm->scratch;
    j.v = j.s + j.per_pass * s_size(&j);
    for (j.b0 = 0; j.b0 < blocks; j.b0 += j.per_pass) {
        j.nb = qz_min_size(j.per_pass, blocks - j.b0);
        qz_pool_run(mm->pool, j.wide / nr * j.nb, pack_part, &j);
        qz_pool_run(mm->pool, strips(&j) * ((cols + QZ_VC - 1) / QZ_VC), task_part, &j);
    }
    qz_pool_run(mm->pool, (cols + SIDE - 1) / SIDE, mirror_part, &j);
    return QZ_OK;
}
