/* Cross products of two streams (matmul.h): blocks of 512 tokens are turned so that tokens run along k, multiplied
 * exactly, and added in double in order. */
#include "kernels/mm_int.h"

enum { BLOCK = QZ_KC };

typedef struct { const float *x; size_t tokens, cols; float *out; } turn_job;
static void turn(void *arg, qz_part part) {
    const turn_job *j = arg;
    size_t lo, hi;
    qz_split(j->cols, 16, part, &lo, &hi);
    for (size_t c = lo; c < hi; c += 16)
        for (size_t t = 0; t < j->tokens; ++t)
            for (size_t k = c; k < qz_min_size(c + 16, hi); ++k) j->out[k * BLOCK + t] = j->x[t * j->cols + k];
}

typedef struct { const float *c; double *sum; size_t rows, cols; } add_job;
static void add(void *arg, qz_part part) {
    const add_job *j = arg;
    size_t lo, hi;
    qz_split(j->rows, 4, part, &lo, &hi);
    for (size_t k = lo * j->cols; k < hi * j->cols; ++k) j->sum[k] += (double)j->c[k];
}

qz_status qz_mm_cross(qz_mm *mm, qz_token_rows a, qz_token_rows b, size_t n, double *cross, qz_error *err) {
    size_t left = 0, right = 0, product = 0;
    bool fits = qz_mul_size(a.cols, BLOCK, &left) && qz_mul_size(b.cols, BLOCK, &right) &&
                qz_mul_size(a.cols, b.cols, &product);
    float *ta = fits ? qz_alloc_aligned(left, sizeof *ta) : NULL;
    float *tb = ta ? qz_alloc_aligned(right, sizeof *tb) : NULL;
    float *c = tb ? qz_alloc_aligned(product, sizeof *c) : NULL;
    qz_status st = c ? QZ_OK
                     : qz_fail(err, QZ_EMEMORY, "out of memory for the cross products of %zu by %zu columns", a.cols,
                               b.cols);
    for (size_t t = 0; t < n && st == QZ_OK; t += BLOCK) {
        turn_job ja = {a.x + t * a.cols, qz_min_size(BLOCK, n - t), a.cols, ta},
                 jb = {b.x + t * b.cols, ja.tokens, b.cols, tb};
        qz_pool_run(mm->pool, 0, turn, &ja);
        qz_pool_run(mm->pool, 0, turn, &jb);
        st = qz_mm_gemm_nt(mm, &(qz_product){a.cols, b.cols, ja.tokens, ta, BLOCK, tb, BLOCK, c, b.cols}, false, err);
        add_job j = {c, cross, a.cols, b.cols};
        if (st == QZ_OK) qz_pool_run(mm->pool, 0, add, &j);
    }
    qz_free(ta);
    qz_free(tb);
    qz_free(c);
    return st;
}
