#include "methods/asymmetric.h"
#include "base/size.h"
#include "methods/hessian.h"
#include "methods/lanes.h"
#include <string.h>

typedef struct { const double *l, *d; size_t k; float *delta; double *work; double scale; } solve_job;

/* Rows of Δ: each solves (H+λ) δ = d by the factor's two triangles. */
static void solve_rows(void *arg, size_t i, size_t n) {
    const solve_job *j = arg;
    size_t k = j->k, lo, hi;
    double *y = j->work + i * k;
    qz_split(k, 1, i, n, &lo, &hi);
    for (size_t r = lo; r < hi; r++) {
        for (size_t p = 0; p < k; p++) {
            double s[4] = {0};
            const double *l = j->l + p * k;
            size_t q = 0;
            for (; q + 4 <= p; q += 4)
                for (size_t t = 0; t < 4; t++) s[t] += l[q + t] * y[q + t];
            for (size_t t = 0; q + t < p; t++) s[t] += l[q + t] * y[q + t];
            y[p] = (j->d[r * k + p] * j->scale - ((s[0] + s[2]) + (s[1] + s[3]))) / l[p];
        }
        for (size_t p = k; p-- > 0;) { /* column sweeps: the factor is stored by rows */
            const double *l = j->l + p * k;
            y[p] /= l[p];
            for (size_t q = 0; q < p; q++) y[q] -= l[q] * y[p];
        }
        for (size_t p = 0; p < k; p++) j->delta[r * k + p] = (float)y[p];
    }
}

static qz_status solve(qz_run *run, const double *gram, const double *cross, size_t k, double tokens, double lambda, float *delta, double *l, qz_error *err) {
    double mean = 0, *work = qz_alloc_aligned(qz_pool_size(run->pool) * k, sizeof *work);
    if (!work) return qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration");
    memset(delta, 0, k * k * sizeof *delta);
    for (size_t i = 0; i < k; i++) mean += gram[i * k + i];
    mean /= (double)k;
    qz_status st = QZ_OK;
    if (tokens > 0 && mean > 0) {
        for (size_t i = 0; i < k * k; i++) l[i] = gram[i];
        for (size_t i = 0; i < k; i++) l[i * k + i] += lambda * mean;
        qz_error why = {0};
        solve_job j = {l, cross, k, delta, work, 1.0};
        if (qz_cholesky(run, l, k, &why) == QZ_OK) qz_pool_run(run->pool, solve_rows, &j); /* else no correction */
    }
    qz_free(work);
    return st;
}

qz_status qz_asymmetric_init(qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, double lambda, qz_error *err) {
    size_t k = s->cols, sq = 0;
    *a = (qz_asymmetric){.cols = k};
    if (!(lambda > 0)) lambda = 0.02;
    if (!qz_mul_size(k, k, &sq)) return qz_fail(err, QZ_EMEMORY, "matrix of %zu columns is too large", k);
    double *l = qz_alloc_aligned(sq, sizeof *l), *g = qz_alloc_aligned(sq, sizeof *g), *d = qz_alloc_aligned(sq, sizeof *d);
    bool ok = l && g && d && (a->delta = qz_alloc_aligned(sq, sizeof(float))) != NULL;
    for (int h = 0; h < QZ_HALVES && ok; h++) {
        a->half[h] = qz_alloc_aligned(sq, sizeof(float));
        a->gram[h] = qz_alloc_aligned(sq, sizeof(float));
        a->cross[h] = qz_alloc_aligned(sq, sizeof(float));
        ok = a->half[h] && a->gram[h] && a->cross[h];
    }
    qz_status st = ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration of %zu columns", k);
    for (int h = 0; h < QZ_HALVES && st == QZ_OK; h++) {
        double n = s->tokens[h] ? (double)s->tokens[h] : 1;
        st = solve(run, s->gram[h], s->cross[h], k, (double)s->tokens[h], lambda, a->half[h], l, err);
        for (size_t i = 0; i < sq; i++) {
            a->gram[h][i] = (float)(s->gram[h][i] / n);
            a->cross[h][i] = (float)(s->cross[h][i] / n);
        }
    }
    if (st == QZ_OK) {
        for (size_t i = 0; i < sq; i++) {
            g[i] = s->gram[0][i] + s->gram[1][i];
            d[i] = s->cross[0][i] + s->cross[1][i];
        }
        st = solve(run, g, d, k, (double)(s->tokens[0] + s->tokens[1]), lambda, a->delta, l, err);
    }
    qz_free(l);
    qz_free(g);
    qz_free(d);
    if (st != QZ_OK) qz_asymmetric_release(a);
    return st;
}

/* tr(A·M·Bᵀ) with A, B [rows, cols]; scratch [rows, cols]. M is used as Mᵀ by the product, so pass it as it is when symmetric. */
static qz_status trace(qz_mm *mm, const float *a, const float *m, const float *b, size_t rows, size_t k, float *scratch, double *out, qz_error *err) {
    QZ_TRY(qz_mm_gemm_nt(mm, rows, k, k, b, k, m, k, scratch, k, false, err)); /* scratch = B Mᵀ */
    *out = 0;
    for (size_t r = 0; r < rows; r++) *out += (double)qz_dot_lanes(a + r * k, scratch + r * k, k);
    return QZ_OK;
}

/* w·Δ: the product wants Δᵀ's rows. */
static qz_status times(qz_mm *mm, const float *w, size_t rows, const float *delta, size_t k, float *turned, float *out, qz_error *err) {
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++) turned[j * k + i] = delta[i * k + j];
    return qz_mm_gemm_nt(mm, rows, k, k, w, k, turned, k, out, k, false, err);
}

qz_status qz_asymmetric_target(const qz_asymmetric *a, qz_mm *mm, const float *w, size_t rows, float *target, double *alpha, qz_error *err) {
    size_t k = a->cols;
    float *m = qz_alloc_aligned(rows * k, sizeof *m), *scratch = qz_alloc_aligned(rows * k, sizeof *scratch), *turned = qz_alloc_aligned(k * k, sizeof *turned);
    qz_status st = m && scratch && turned ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration");
    double fit = 0, power = 0, part;
    for (int h = 0; h < QZ_HALVES && st == QZ_OK; h++) { /* Δ of one half, judged on the other */
        QZ_GOTO(times(mm, w, rows, a->half[h], k, turned, m, err));
        QZ_GOTO(trace(mm, w, a->cross[1 - h], m, rows, k, scratch, &part, err)); /* tr(W D Mᵀ) */
        fit += part;
        QZ_GOTO(trace(mm, m, a->gram[1 - h], m, rows, k, scratch, &part, err));
        power += part;
    }
    if (st == QZ_OK) {
        *alpha = power > 0 && fit > 0 ? fit / power : 0;
        if (*alpha > 1) *alpha = 1;
        QZ_GOTO(times(mm, w, rows, a->delta, k, turned, m, err));
        for (size_t i = 0; i < rows * k; i++) target[i] = w[i] + (float)*alpha * m[i];
    }
out:
    qz_free(m);
    qz_free(scratch);
    qz_free(turned);
    return st;
}

void qz_asymmetric_release(qz_asymmetric *a) {
    qz_free(a->delta);
    for (int h = 0; h < QZ_HALVES; h++) {
        qz_free(a->half[h]);
        qz_free(a->gram[h]);
        qz_free(a->cross[h]);
    }
    *a = (qz_asymmetric){0};
}
