#include "methods/norm_refit.h"
#include "base/size.h"
#include "methods/cholesky.h"
#include <math.h>
#include <string.h>

qz_status qz_norm_refit_open(qz_norm_refit *n, const double *h, const double *c, size_t cols, qz_error *err) {
    size_t sq = 0;
    *n = (qz_norm_refit){.cols = cols, .h = h};
    if (qz_mul_size(cols, cols, &sq)) {
        n->c = qz_alloc_aligned(sq, sizeof *n->c);
        n->a = qz_calloc_array(sq, sizeof *n->a);
    }
    n->b = qz_calloc_array(cols, sizeof *n->b);
    if (!n->c || !n->a || !n->b) {
        qz_norm_refit_release(n);
        return qz_fail(err, QZ_EMEMORY, "out of memory refitting norms of %zu columns", cols);
    }
    for (size_t i = 0; i < cols; i++)
        for (size_t j = 0; j < cols; j++) n->c[j * cols + i] = (float)c[i * cols + j];
    return QZ_OK;
}

qz_status qz_norm_refit_add(qz_norm_refit *n, qz_mm *mm, const float *w, const float *q, size_t rows, qz_error *err) {
    const size_t k = n->cols;
    float *turned = qz_alloc_aligned(k * rows, sizeof *turned), *square = qz_alloc_aligned(k * k, sizeof *square),
          *y = qz_alloc_aligned(rows * k, sizeof *y);
    qz_status st = turned && square && y ? QZ_OK
                                         : qz_fail(err, QZ_EMEMORY, "out of memory refitting norms of %zu columns", k);
    if (st == QZ_OK) {
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < k; i++) turned[i * rows + r] = q[r * k + i];
        const qz_product own = {k, k, rows, turned, rows, turned, rows, square, k}; /* ŴᵀŴ */
        st = qz_mm_gemm_nt(mm, &own, false, err);
    }
    if (st == QZ_OK) st = qz_mm_gemm_nt(mm, &(qz_product){rows, k, k, w, k, n->c, k, y, k}, false, err); /* W C */
    for (size_t i = 0; st == QZ_OK && i < k * k; i++) n->a[i] += (double)square[i] * n->h[i];
    for (size_t r = 0; st == QZ_OK && r < rows; r++)
        for (size_t i = 0; i < k; i++) n->b[i] += (double)q[r * k + i] * (double)y[r * k + i];
    qz_free(turned);
    qz_free(square);
    qz_free(y);
    return st;
}

qz_status qz_norm_refit_solve(qz_norm_refit *n, qz_run *run, double ridge, float *gain, qz_error *err) {
    const size_t k = n->cols;
    double mean = 0, *l = n->a, *x = n->b;
    qz_error why = {0};
    for (size_t i = 0; i < k; i++) mean += l[i * k + i] / (double)k;
    for (size_t i = 0; i < k; i++) {
        l[i * k + i] += ridge * mean;
        x[i] += ridge * mean;
        gain[i] = 1;
    }
    qz_status st = mean > 0 ? qz_cholesky(run, l, k, &why) : QZ_ENUMERIC;
    n->why = st == QZ_ENUMERIC ? "their matrix cannot be factored" : NULL;
    if (st == QZ_ENUMERIC) return QZ_OK; /* the gains stay, the caller says it */
    if (st != QZ_OK) return qz_fail(err, st, "%s", why.text);
    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j < i; j++) x[i] -= l[i * k + j] * x[j];
        x[i] /= l[i * k + i];
    }
    for (size_t i = k; i-- > 0;) {
        x[i] /= l[i * k + i];
        for (size_t j = 0; j < i; j++) x[j] -= l[i * k + j] * x[i];
    }
    for (size_t i = 0; i < k; i++)
        if (!isfinite(x[i]) || x[i] < 0.25 || x[i] > 4) { /* not a correction any more */
            n->why = "gains beyond 0.25 to 4";
            return QZ_OK;
        }
    for (size_t i = 0; i < k; i++) gain[i] = (float)x[i];
    return QZ_OK;
}

void qz_norm_refit_release(qz_norm_refit *n) {
    qz_free(n->c);
    qz_free(n->a);
    qz_free(n->b);
    *n = (qz_norm_refit){0};
}

qz_status qz_norm_kept(const qz_model *m, const qz_tensor_view *t, long layer, const qz_awq_input *in, qz_arena *arena,
                       qz_folded *out, qz_error *err) {
    const qz_tensor_view *norm = m->blocks[layer].norm[in->fold.norm];
    size_t n;
    *out = (qz_folded){.name = t->name, .rows = t->rows, .cols = t->cols};
    if (in->fold.kind != QZ_FOLD_NORM || in->norm == NULL || norm == NULL || in->cols != t->cols) return QZ_OK;
    float *w = qz_mul_size(t->rows, t->cols, &n) ? qz_arena_alloc(arena, n, sizeof *w) : NULL,
          *gains = qz_arena_alloc(arena, t->cols, sizeof *gains);
    if (w == NULL || gains == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for '%s'", t->name);
    qz_tensor_decode(norm, 0, 1, gains);
    qz_tensor_decode(t, 0, t->rows, w);
    const float read = m->config.norm_plus_one ? 1 : 0, /* what stored gains lack: in the source, and as written */
                written = qz_family_get(m->config.family)->norm_plus_one ? 1 : 0;
    for (size_t i = 0; i < n; i++) {
        const size_t k = i % t->cols;
        const float was = gains[k] + read, now = in->norm[k] + written;
        if (was != now && now != 0) w[i] *= was / now;
    }
    out->data = w;
    return QZ_OK;
}
