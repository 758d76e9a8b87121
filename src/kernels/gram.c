/* Gram matrices (matmul.h): float FMA chains over blocks of 512 tokens, blocks added in double in order. The upper triangle
 * is computed tile by tile and mirrored once at the end. */
#include <stdatomic.h>
#include <string.h>
#include "kernels/mm_int.h"

enum { BLOCK = QZ_KC, STRIP = 120 }; /* tokens of a chain; rows of a task (a multiple of every tile_rows) */

typedef struct {
    qz_mm *mm;
    const float *x;
    size_t n, cols, wide;    /* wide: cols rounded up to tile_cols */
    size_t per_pass;         /* blocks that are packed together */
    double *gram;
    float *s;                /* [per_pass][wide][QZ_S_STRIDE] columns of x as rows */
    float *v;                /* [per_pass][wide / tile_cols][BLOCK][tile_cols] */
    atomic_size_t next[3];
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
        ops->gemm_tile(mr, tokens_of(j, b0 + b), j->s + b * s_size(j) + i0 * QZ_S_STRIDE, QZ_S_STRIDE,
                       j->v + b * v_size(j) + c0 * BLOCK, nr, t, nr, false);
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

static void mirror(const gram_job *j, size_t thread, size_t threads) {
    enum { SIDE = 32 };
    size_t side = (j->cols + SIDE - 1) / SIDE;
    for (size_t bi = thread; bi < side; bi += threads)
        for (size_t bc = bi; bc < side; ++bc)
            for (size_t i = bi * SIDE; i < qz_min_size(j->cols, (bi + 1) * SIDE); ++i)
                for (size_t c = qz_max_size(bc * SIDE, i + 1); c < qz_min_size(j->cols, (bc + 1) * SIDE); ++c)
                    j->gram[c * j->cols + i] = j->gram[i * j->cols + c];
}

static void gram_run(void *arg, size_t thread, size_t threads) {
    gram_job *j = arg;
    const size_t blocks = (j->n + BLOCK - 1) / BLOCK, panels = j->wide / j->mm->ops.tile_cols;
    const size_t strips = (j->cols + STRIP - 1) / STRIP, wides = (j->cols + QZ_VC - 1) / QZ_VC;
    for (size_t b0 = 0, it = 0; b0 < blocks; b0 += j->per_pass, ++it) {
        size_t nb = qz_min_size(j->per_pass, blocks - b0);
        for (size_t p = thread; p < panels * nb; p += threads) pack(j, b0 + p / panels, p / panels, p % panels);
        if (thread == 0) atomic_store(&j->next[(it + 1) % 3], 0); /* last used two passes ago */
        if (threads > 1) qz_pool_barrier(j->mm->pool);
        for (size_t t; (t = atomic_fetch_add(&j->next[it % 3], 1)) < strips * wides;) {
            size_t i0 = t % strips * STRIP, c0 = t / strips * QZ_VC;
            if (c0 + QZ_VC > i0) task(j, b0, nb, i0, c0);
        }
        if (threads > 1) qz_pool_barrier(j->mm->pool); /* before the panels are overwritten */
    }
    mirror(j, thread, threads);
}

qz_status qz_mm_gram(qz_mm *mm, const float *x, size_t n, size_t cols, double *gram, qz_error *err) {
    if (n == 0 || cols == 0) return QZ_OK;
    const size_t nr = mm->ops.tile_cols, blocks = (n + BLOCK - 1) / BLOCK;
    gram_job j = {.mm = mm, .x = x, .n = n, .cols = cols, .wide = (cols + nr - 1) / nr * nr, .gram = gram};
    j.per_pass = qz_min_size(blocks, qz_max_size(1, qz_min_size(4, 16384 / j.wide)));
    QZ_TRY(qz_mm_scratch(mm, j.per_pass * (s_size(&j) + v_size(&j)), sizeof(float), err));
    j.s = mm->scratch;
    j.v = j.s + j.per_pass * s_size(&j);
    for (size_t i = 0; i < 3; ++i) atomic_init(&j.next[i], 0);
    qz_pool_run(mm->pool, gram_run, &j);
    return QZ_OK;
}
