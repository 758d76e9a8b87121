/* Workspace and exact products (matmul.h). Loop order: rows of the broadcast operand (a) by QZ_MC, k by QZ_KC, then
 * tasks of QZ_VC columns, the parts of a pool job: which thread takes one never changes a bit. */
#include "kernels/matmul.h"
#include <string.h>
#include "codecs/types.h"
#include "kernels/mm_int.h"

qz_status qz_mm_open(qz_run *run, qz_mm **out, qz_error *err) {
    qz_status st = QZ_OK;
    qz_cpu_level have = qz_cpu_detect();
    qz_mm *mm = qz_calloc_array(1, sizeof *mm);
    *out = NULL;
    if (!mm) return qz_fail(err, QZ_EMEMORY, "out of memory for the matrix workspace");
    if (!qz_ops_for(run->cpu < have ? run->cpu : have, &mm->ops)) QZ_GOTO(qz_fail(err, QZ_EBUG, "no operation table"));
    mm->pool = run->pool;
    mm->threads = qz_pool_size(run->pool);
    mm->th = qz_calloc_array(mm->threads, sizeof *mm->th);
    bool ok = mm->th != NULL;
    for (size_t i = 0; ok && i < mm->threads; ++i) {
        mm->th[i].v = qz_alloc_aligned((size_t)QZ_VC * QZ_KC, sizeof(float));
        mm->th[i].rows = qz_alloc_aligned(mm->ops.tile_cols * QZ_S_STRIDE, sizeof(float));
        ok = mm->th[i].v && mm->th[i].rows;
    }
    for (size_t i = 0; ok && i < 2; ++i)
        ok = (mm->s[i] = qz_alloc_aligned((size_t)QZ_MC * QZ_S_STRIDE, sizeof(float))) != NULL;
    if (!ok) QZ_GOTO(qz_fail(err, QZ_EMEMORY, "out of memory for the matrix workspace of %zu threads", mm->threads));
    *out = mm;
    return QZ_OK;
out:
    qz_mm_free(mm);
    return st;
}

void qz_mm_free(qz_mm *mm) {
    if (!mm) return;
    for (size_t i = 0; mm->th && i < mm->threads; ++i) {
        qz_free(mm->th[i].v);
        qz_free(mm->th[i].rows);
    }
    qz_free(mm->th);
    qz_free(mm->s[0]);
    qz_free(mm->s[1]);
    qz_free(mm->scratch);
    qz_slab_release(mm->slab);
    qz_free(mm);
}

qz_status qz_mm_scratch(qz_mm *mm, size_t n, size_t size, qz_error *err) {
    size_t bytes = 0;
    if (!qz_mul_size(n, size, &bytes))
        return qz_fail(err, QZ_EMEMORY, "matrix scratch of %zu x %zu bytes overflows", n, size);
    if (bytes <= mm->scratch_bytes) return QZ_OK;
    qz_free(mm->scratch);
    mm->scratch = qz_alloc_aligned(bytes, 1);
    mm->scratch_bytes = mm->scratch ? bytes : 0;
    if (!mm->scratch) return qz_fail(err, QZ_EMEMORY, "out of memory for %zu bytes of matrix scratch", bytes);
    return QZ_OK;
}

void qz_mm_tile(const qz_ops *ops, size_t mr, size_t kc, const qz_tile *t, size_t cols, bool load) {
    if (cols == ops->tile_cols) {
        ops->gemm_tile(mr, kc, t, load);
        return;
    }
    float c[QZ_TILE_MAX_ROWS * QZ_TILE_MAX_COLS] = {0};
    for (size_t i = 0; load && i < mr; ++i) memcpy(c + i * QZ_TILE_MAX_COLS, t->c + i * t->ldc, cols * sizeof *c);
    const qz_tile whole = {t->s, t->s_stride, t->v, t->v_stride, c, QZ_TILE_MAX_COLS};
    ops->gemm_tile(mr, kc, &whole, load);
    for (size_t i = 0; i < mr; ++i) memcpy(t->c + i * t->ldc, c + i * QZ_TILE_MAX_COLS, cols * sizeof *c);
}

/* ---- packed product ---- */

/* Rows [row, row+n) of the right operand, columns [k0, k0+kc), into one panel. */
static void fill_panel(const qz_gemm_job *j, const qz_mm_thread *th, size_t row, size_t n, size_t k0, size_t kc,
                       float *panel) {
    const qz_ops *ops = &j->mm->ops;
    const float *b = j->b;
    size_t ldb = j->ldb;
    if (!b && j->w->type == QZ_TYPE_F32 && (uintptr_t)j->w->data % sizeof(float) == 0) {
        b = j->w->data;
        ldb = j->w->cols;
    }
    if (b) {
        ops->transpose(b + row * ldb + k0, ldb, n, kc, panel, ops->tile_cols);
        return;
    }
    const qz_coded *coded = j->w->coded;
    if (coded) {
        for (size_t r = 0; r < n; ++r)
            coded->ops->decode(coded, j->w->first_row + row + r, k0, kc, th->rows + r * QZ_S_STRIDE);
    } else {
        const qz_type_info *t = qz_type_get(j->w->type);
        const uint8_t *p = (const uint8_t *)j->w->data + k0 / t->elems * t->bytes;
        size_t row_bytes = j->k / t->elems * t->bytes;
        for (size_t r = 0; r < n; ++r)
            ops->decode[j->w->type](p + (row + r) * row_bytes, kc, th->rows + r * QZ_S_STRIDE);
    }
    ops->transpose(th->rows, QZ_S_STRIDE, n, kc, panel, ops->tile_cols);
}

/* One task of a pass: rows [m0, m0+mc) of a (packed in s), k in [k0, k0+kc). */
static void task(const qz_gemm_job *j, size_t t, size_t thread) {
    const qz_ops *ops = &j->mm->ops;
    qz_mm_thread *th = &j->mm->th[thread];
    const size_t nr = ops->tile_cols, mr = ops->tile_rows, mc = qz_min_size(QZ_MC, j->m - j->m0),
                 kc = qz_min_size(QZ_KC, j->k - j->k0);
    const float *s = j->mm->s[j->mm->passes % 2];
    const bool load = j->accumulate || j->k0 > 0;
    size_t n0 = t / j->strips * j->block, n1 = qz_min_size(j->n, n0 + j->block), lo, hi;
    if (th->packed != j->mm->passes || th->packed_n0 != n0)
        for (size_t n = n0; n < n1; n += nr)
            fill_panel(j, th, n, qz_min_size(nr, n1 - n), j->k0, kc, th->v + (n - n0) * QZ_KC);
    th->packed = j->mm->passes;
    th->packed_n0 = n0;
    qz_split((mc + mr - 1) / mr, 1, (qz_part){t % j->strips, j->strips, thread}, &lo, &hi);
    for (size_t i = lo * mr; i < qz_min_size(hi * mr, mc); i += mr)
        for (size_t n = n0; n < n1; n += nr) {
            const qz_tile at = {s + i * QZ_S_STRIDE, QZ_S_STRIDE, th->v + (n - n0) * QZ_KC, nr,
                                j->c + (j->m0 + i) * j->ldc + n, j->ldc};
            qz_mm_tile(ops, qz_min_size(mr, mc - i), kc, &at, qz_min_size(nr, n1 - n), load);
        }
}

/* Rows of a for the pass that begins at m0, k0, into the buffer of pass number `pass`. */
static void pack_rows(const qz_gemm_job *j, size_t pass, size_t m0, size_t k0, qz_part part) {
    size_t lo, hi, kc = qz_min_size(QZ_KC, j->k - k0);
    float *s = j->mm->s[pass % 2];
    qz_split(qz_min_size(QZ_MC, j->m - m0), 1, part, &lo, &hi);
    for (size_t i = lo; i < hi; ++i) memcpy(s + i * QZ_S_STRIDE, j->a + (m0 + i) * j->lda + k0, kc * sizeof *s);
}
static void pack_first(void *arg, qz_part part) { pack_rows(arg, ((qz_gemm_job *)arg)->mm->passes, 0, 0, part); }

/* The pass's tasks, before them the rows of the next pass. */
static void pass_part(void *arg, qz_part part) {
    const qz_gemm_job *j = arg;
    if (part.i >= j->packs) {
        task(j, part.i - j->packs, part.thread);
        return;
    }
    const bool wraps = j->k0 + QZ_KC >= j->k;
    pack_rows(j, j->mm->passes + 1, wraps ? j->m0 + QZ_MC : j->m0, wraps ? 0 : j->k0 + QZ_KC,
              (qz_part){part.i, j->packs, part.thread});
}

static void prepare(qz_gemm_job *j) {
    const size_t nr = j->mm->ops.tile_cols, threads = j->mm->threads;
    size_t panels = (j->n + nr - 1) / nr;
    size_t want = (panels + 8 * threads - 1) / (8 * threads); /* about eight tasks a thread … */
    j->block = nr * qz_max_size(1, qz_min_size(want, QZ_VC / nr));
    size_t blocks = (j->n + j->block - 1) / j->block;
    /* … and where there are too few columns for that, strips of rows (each packs its panel again). */
    j->strips = blocks >= 2 * threads || j->m < 8 * j->mm->ops.tile_rows ? 1 : 2 * threads;
    for (size_t i = 0; j->k == 0 && !j->accumulate && i < j->m; ++i) memset(j->c + i * j->ldc, 0, j->n * sizeof *j->c);
}

void qz_gemm_run(qz_gemm_job *j) {
    prepare(j);
    if (j->m == 0 || j->n == 0 || j->k == 0) return;
    const size_t tasks = (j->n + j->block - 1) / j->block * j->strips, packs = j->mm->threads;
    ++j->mm->passes;
    qz_pool_run(j->mm->pool, packs, pack_first, j);
    for (j->m0 = 0; j->m0 < j->m; j->m0 += QZ_MC)
        for (j->k0 = 0; j->k0 < j->k; j->k0 += QZ_KC, ++j->mm->passes) {
            j->packs = j->m0 + QZ_MC < j->m || j->k0 + QZ_KC < j->k ? packs : 0;
            qz_pool_run(j->mm->pool, j->packs + tasks, pass_part, j);
        }
}

qz_status qz_mm_gemm_nt(qz_mm *mm, const qz_product *p, bool accumulate, qz_error *err) {
    if (p->lda < p->k || p->ldb < p->k || p->ldc < p->n)
        return qz_fail(err, QZ_EBUG,
                       "matrix product with row strides %zu, %zu, %zu shorter than its rows %zu, %zu, %zu", p->lda,
                       p->ldb, p->ldc, p->k, p->k, p->n);
    qz_gemm_job j = {.mm = mm, .m = p->m, .n = p->n, .k = p->k, .a = p->a, .lda = p->lda, .b = p->b, .ldb = p->ldb,
                     .c = p->c, .ldc = p->ldc, .accumulate = accumulate};
    qz_gemm_run(&j);
    return QZ_OK;
}

qz_status qz_mm_exact(qz_mm *mm, const qz_weights *w, const float *x, size_t n, float *y, qz_error *err) {
    size_t row_bytes = 0;
    if (w->type < QZ_TYPE_COUNT) QZ_TRY(qz_row_bytes(w->type, w->cols, &row_bytes, err));
    else if (!w->coded) return qz_fail(err, QZ_EBUG, "coded weights without a description");
    qz_gemm_job j = {.mm = mm, .m = n, .n = w->rows, .k = w->cols, .a = x, .lda = w->cols, .w = w, .c = y,
                     .ldc = w->rows};
    qz_gemm_run(&j);
    return QZ_OK;
}
