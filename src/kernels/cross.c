/* Cross products of two streams (matmul.h): blocks of 512 tokens are turned so that tokens run along k, multiplied exactly,
 * and added in double in order. */
#include "kernels/mm_int.h"

enum { BLOCK = QZ_KC };

typedef struct { const float *x; size_t tokens, cols; float *out; } turn_job;
static void turn(void *arg, size_t i, size_t n) {
    const turn_job *j = arg;
    size_t lo, hi;
    qz_split(j->cols, 16, i, n, &lo, &hi);
    for (size_t c = lo; c < hi; c += 16)
        for (size_t t = 0; t < j->tokens; ++t)
            for (size_t k = c; k < qz_min_size(c + 16, hi); ++k) j->out[k * BLOCK + t] = j->x[t * j->cols + k];
}

typedef struct { const float *c; double *sum; size_t cols; } add_job;
static void add(void *arg, size_t i, size_t n) {
    const add_job *j = arg;
    size_t lo, hi;
    qz_split(j->cols, 4, i, n, &lo, &hi);
    for (size_t k = lo * j->cols; k < hi * j->cols; ++k) j->sum[k] += (double)j->c[k];
}

qz_status qz_mm_cross(qz_mm *mm, const float *a, const float *b, size_t n, size_t cols, double *cross, qz_error *err) {
    size_t elems = 0, square = 0;
    float *ta = qz_mul_size(cols, BLOCK, &elems) ? qz_alloc_aligned(elems, sizeof *ta) : NULL;
    float *tb = ta ? qz_alloc_aligned(elems, sizeof *tb) : NULL;
    float *c = tb && qz_mul_size(cols, cols, &square) ? qz_alloc_aligned(square, sizeof *c) : NULL;
    qz_status st = c ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for the cross products of %zu columns", cols);
    for (size_t t = 0; t < n && st == QZ_OK; t += BLOCK) {
        turn_job ja = {a + t * cols, qz_min_size(BLOCK, n - t), cols, ta}, jb = {b + t * cols, ja.tokens, cols, tb};
        qz_pool_run(mm->pool, turn, &ja);
        qz_pool_run(mm->pool, turn, &jb);
        st = qz_mm_gemm_nt(mm, cols, cols, ja.tokens, ta, BLOCK, tb, BLOCK, c, cols, false, err);
        add_job j = {c, cross, cols};
        if (st == QZ_OK) qz_pool_run(mm->pool, add, &j);
    }
    qz_free(ta);
    qz_free(tb);
    qz_free(c);
    return st;
}
