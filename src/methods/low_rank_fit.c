#include "methods/low_rank_fit.h"
#include "base/rng.h"
#include "base/size.h"
#include <math.h>
#include <string.h>

enum { MORE = 12, STEPS = 24, SWEEPS = 30, SEED = 11, ROWS = 64 };

/* k vectors of length rows, and what becomes of them: u·D [k, cols], u·D·H, u·D·H·Dᵀ. */
typedef struct {
    qz_mm *mm;
    const qz_low_rank_target *t;
    size_t k;
    float *turned;                 /* Dᵀ [cols, rows] */
    float *u, *y, *x, *z;          /* [k, rows], [k, cols], [k, cols], [k, rows] */
    double *small, *vec;           /* [k, k]: u·D·H·Dᵀ·uᵀ, its eigenvectors as columns */
} fit;

/* y = u·D, x = y·H, z = x·Dᵀ. */
static qz_status apply(fit *f, qz_error *err) {
    const size_t m = f->t->rows, n = f->t->cols;
    QZ_TRY(qz_mm_gemm_nt(f->mm, &(qz_product){f->k, n, m, f->u, m, f->turned, m, f->y, n}, false, err));
    QZ_TRY(qz_mm_gemm_nt(f->mm, &(qz_product){f->k, n, n, f->y, n, f->t->gram, n, f->x, n}, false, err));
    return qz_mm_gemm_nt(f->mm, &(qz_product){f->k, m, n, f->x, n, f->t->d, n, f->z, m}, false, err);
}

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Rows of z become an orthonormal u: what is left of a row after those before it, twice; a row that depends on them
 * becomes zeros. */
static void orthonormal(const fit *f) {
    const size_t m = f->t->rows;
    for (size_t i = 0; i < f->k; i++) {
        float *v = f->u + i * m;
        memcpy(v, f->z + i * m, m * sizeof *v);
        const double length = dot(v, v, m);
        for (int twice = 0; twice < 2; twice++)
            for (size_t j = 0; j < i; j++) {
                const double c = dot(v, f->u + j * m, m);
                for (size_t r = 0; r < m; r++) v[r] = (float)((double)v[r] - c * (double)f->u[j * m + r]);
            }
        const double left = dot(v, v, m), by = left > 1e-12 * length && left > 0 ? 1 / sqrt(left) : 0;
        for (size_t r = 0; r < m; r++) v[r] = (float)(by * (double)v[r]);
    }
}

/* Turns rows and columns p and q of `small` until [p][q] is 0. */
static void rotate(const fit *f, size_t p, size_t q) {
    const size_t k = f->k;
    double *a = f->small, *v = f->vec;
    if (a[p * k + q] * a[p * k + q] <= 1e-30 * a[p * k + p] * a[q * k + q]) return;
    const double theta = (a[q * k + q] - a[p * k + p]) / (2 * a[p * k + q]),
                 t = (theta < 0 ? -1.0 : 1.0) / (fabs(theta) + sqrt(theta * theta + 1)), c = 1 / sqrt(t * t + 1),
                 s = t * c;
    for (size_t i = 0; i < k; i++) {
        const double x = a[i * k + p], y = a[i * k + q];
        a[i * k + p] = c * x - s * y, a[i * k + q] = s * x + c * y;
    }
    for (size_t i = 0; i < k; i++) {
        const double x = a[p * k + i], y = a[q * k + i], g = v[i * k + p], h = v[i * k + q];
        a[p * k + i] = c * x - s * y, a[q * k + i] = s * x + c * y;
        v[i * k + p] = c * g - s * h, v[i * k + q] = s * g + c * h;
    }
}

/* Eigenvectors of z·uᵀ (Jacobi); order [k]: the largest first. */
static void small_problem(const fit *f, size_t *order) {
    const size_t k = f->k, m = f->t->rows;
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j <= i; j++)
            f->small[i * k + j] = f->small[j * k + i] =
                (dot(f->z + i * m, f->u + j * m, m) + dot(f->z + j * m, f->u + i * m, m)) / 2;
    memset(f->vec, 0, k * k * sizeof *f->vec);
    for (size_t i = 0; i < k; i++) f->vec[i * k + i] = 1;
    for (int sweep = 0; sweep < SWEEPS; sweep++)
        for (size_t p = 0; p + 1 < k; p++)
            for (size_t q = p + 1; q < k; q++) rotate(f, p, q);
    for (size_t i = 0; i < k; i++) {
        size_t at = i;
        for (; at > 0 && f->small[order[at - 1] * (k + 1)] < f->small[i * (k + 1)]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
}

/* left[:, r] = the r-th eigenvector, right[r, :] its product with D; both as long as the other. */
static void give(const fit *f, const size_t *order, float *left, float *right) {
    const size_t m = f->t->rows, n = f->t->cols, k = f->k, rank = f->t->rank;
    memset(left, 0, m * rank * sizeof *left);
    memset(right, 0, n * rank * sizeof *right);
    for (size_t r = 0; r < rank && r < k; r++) {
        float *to = right + r * n;
        for (size_t c = 0; c < n; c++) {
            double sum = 0;
            for (size_t i = 0; i < k; i++) sum += f->vec[i * k + order[r]] * (double)f->y[i * n + c];
            to[c] = (float)sum;
        }
        const double length = sqrt(dot(to, to, n)), half = sqrt(length);
        for (size_t c = 0; c < n; c++) to[c] = length > 0 ? (float)((double)to[c] / half) : 0;
        for (size_t row = 0; row < m; row++) {
            double sum = 0;
            for (size_t i = 0; i < k; i++) sum += f->vec[i * k + order[r]] * (double)f->u[i * m + row];
            left[row * rank + r] = (float)(sum * half);
        }
    }
}

/* The sum over rows d of d·H·dᵀ, some rows at a time. */
qz_status qz_low_rank_energy(qz_mm *mm, const qz_low_rank_target *t, double *out, qz_error *err) {
    const size_t n = t->cols, most = qz_min_size(ROWS, t->rows);
    float *y = qz_alloc_aligned(most * n, sizeof *y);
    qz_status st = y ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for a difference of %zu columns", n);
    *out = 0;
    for (size_t r = 0; r < t->rows && st == QZ_OK; r += most) {
        const size_t some = qz_min_size(most, t->rows - r);
        const float *d = t->d + r * n;
        st = qz_mm_gemm_nt(mm, &(qz_product){some, n, n, d, n, t->gram, n, y, n}, false, err);
        if (st == QZ_OK) *out += dot(y, d, some * n);
    }
    qz_free(y);
    return st;
}

static qz_status solve(fit *f, float *left, float *right, qz_low_rank_gain *gain, size_t *order, qz_error *err) {
    const size_t m = f->t->rows, n = f->t->cols;
    qz_rng rng;
    qz_rng_seed(&rng, SEED);
    for (size_t i = 0; i < f->k * m; i++) f->z[i] = qz_rng_normal(&rng);
    for (size_t r = 0; r < m; r++)
        for (size_t c = 0; c < n; c++) f->turned[c * m + r] = f->t->d[r * n + c];
    QZ_TRY(qz_low_rank_energy(f->mm, f->t, &gain->before, err));
    if (!isfinite(gain->before)) return qz_fail(err, QZ_ENUMERIC, "a difference or its inputs are not finite");
    for (int step = 0; step < STEPS; step++) {
        orthonormal(f);
        QZ_TRY(apply(f, err));
    }
    small_problem(f, order);
    give(f, order, left, right);
    gain->after = gain->before;
    for (size_t r = 0; r < f->t->rank && r < f->k; r++) gain->after -= f->small[order[r] * (f->k + 1)];
    if (gain->after < 0) gain->after = 0;
    return QZ_OK;
}

qz_status qz_low_rank_fit(qz_mm *mm, const qz_low_rank_target *t, float *left, float *right, qz_low_rank_gain *gain,
                          qz_error *err) {
    fit f = {.mm = mm, .t = t, .k = qz_min_size(t->rank + MORE, t->rows)};
    const size_t m = t->rows, n = t->cols, k = f.k;
    size_t *order = qz_alloc_array(k + 1, sizeof *order);
    f.turned = qz_alloc_aligned(m * n, sizeof *f.turned);
    f.u = qz_alloc_aligned(k * m, sizeof *f.u);
    f.z = qz_alloc_aligned(k * m, sizeof *f.z);
    f.y = qz_alloc_aligned(k * n, sizeof *f.y);
    f.x = qz_alloc_aligned(k * n, sizeof *f.x);
    f.small = qz_alloc_array(k * k, sizeof *f.small);
    f.vec = qz_alloc_array(k * k, sizeof *f.vec);
    const bool ok = order && f.turned && f.u && f.z && f.y && f.x && f.small && f.vec;
    const qz_status st = ok ? solve(&f, left, right, gain, order, err)
                            : qz_fail(err, QZ_EMEMORY, "out of memory for a fit of rank %zu", t->rank);
    void *const mine[] = {order, f.turned, f.u, f.z, f.y, f.x, f.small, f.vec};
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++) qz_free(mine[i]);
    return st;
}
