#include "methods/hessian.h"
#include "methods/cholesky.h"
#include "methods/lanes.h"
#include "base/size.h"
#include <math.h>
#include <string.h>

typedef struct { double key; uint32_t index; } ranked;
static int by_key(const void *a, const void *b) {
    const ranked *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? 1 : -1;
    return x->index < y->index ? -1 : 1;
}

/* Group-aware order: groups by the sum of their diagonal, columns (or points) of a group by their own; heavy ones
 * first. */
static qz_status make_order(qz_hessian *h, const double *diag, const qz_hessian_how *how, qz_error *err) {
    const qz_order order = how->order;
    size_t k = h->cols, g = how->group && k % how->group == 0 ? how->group : k, groups = k / g, n = how->point;
    if (n == 0) n = 1;
    for (size_t t = 0; t < k; t++) h->order[t] = (uint32_t)t;
    if (order == QZ_ORDER_NATURAL) return QZ_OK;
    if (order == QZ_ORDER_COLUMNS) g = k, groups = 1;
    ranked *r = qz_alloc_array(groups + g, sizeof *r);
    if (r == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory ordering %zu columns", k);
    ranked *in = r + groups;
    for (size_t i = 0; i < groups; i++) {
        r[i] = (ranked){0, (uint32_t)i};
        for (size_t j = 0; j < g; j++) r[i].key += diag[i * g + j];
    }
    qsort(r, groups, sizeof *r, by_key);
    for (size_t i = 0; i < groups; i++) {
        for (size_t j = 0; j < g / n; j++) {
            in[j] = (ranked){0, (uint32_t)(r[i].index * g + j * n)};
            for (size_t p = 0; p < n; p++) in[j].key += diag[in[j].index + p];
        }
        qsort(in, g / n, sizeof *in, by_key);
        for (size_t j = 0; j < g; j++) h->order[i * g + j] = in[j / n].index + (uint32_t)(j % n);
    }
    qz_free(r);
    return QZ_OK;
}

/* With the reversed matrix L·Lᵀ: F[u][t] = −L[K−1−t][K−1−t] · (L⁻¹)[K−1−t][K−1−u], the published loop's
 * U[t][u]/U[t][t]. inv holds L⁻¹ transposed: row c is column c of the inverse, so that every sum runs
 * along two rows. */
enum { STRIPE = 64, WIDE_STRIPE = 256, MANY = 2048 }; /* columns of the inverse at a time; of how many columns */
typedef struct { qz_chol chol; const qz_hessian *h; double *inv; } feedback_job;
static size_t stripe(size_t k) { return k < MANY ? STRIPE : WIDE_STRIPE; }

/* A stripe of columns of the inverse; the long ones come first. */
static void inverse_part(void *arg, qz_part part) {
    const feedback_job *j = arg;
    const size_t k = j->h->cols, c0 = part.i * stripe(k), n = qz_min_size(stripe(k), k - c0);
    for (size_t c = c0; c < c0 + n; c++) {
        memset(j->inv + c * k, 0, k * sizeof *j->inv);
        j->inv[c * k + c] = 1;
    }
    qz_chol_forward(&j->chol, j->inv + c0 * k, n, c0);
}
static void feedback_rows(void *arg, qz_part part) {
    const feedback_job *j = arg;
    size_t k = j->h->cols;
    for (size_t u = part.i; u < k; u += part.n) {
        const size_t ru = k - 1 - u;
        const double *x = j->inv + ru * k;
        float *f = j->h->feedback + u * k;
        for (size_t t = 0; t < u; t++) f[t] = (float)-(j->chol.l[(k - 1 - t) * (k + 1)] * x[k - 1 - t]);
        memset(f + u, 0, (k - u) * sizeof *f);
        j->h->weight[u] = (float)(j->chol.l[ru * (k + 1)] * j->chol.l[ru * (k + 1)]);
    }
}

typedef struct { const double *diag; double mean, damp; } diagonal;
/* Factor with growing damping; l receives the reversed, damped matrix and its factor. */
static qz_status factor(qz_hessian *h, qz_run *run, const double *gram, const diagonal *g, double *l, qz_error *err) {
    size_t k = h->cols;
    qz_error last = {0};
    for (double d = g->damp; d <= 1.0 + 1e-12; d *= 2) {
        for (size_t p = 0; p < k; p++)
            for (size_t q = 0; q <= p; q++) {
                size_t a = h->order[k - 1 - p], b = h->order[k - 1 - q];
                l[p * k + q] = a == b ? g->diag[a] + d * g->mean : gram[a * k + b];
            }
        last = (qz_error){0};
        if (qz_cholesky(run, l, k, &last) == QZ_OK) {
            h->damping = d;
            return QZ_OK;
        }
    }
    return qz_fail(err, QZ_ENUMERIC,
                   "statistics cannot be factored even with damping 1.0: %s; calibrate with more varied data",
                   last.text);
}

qz_status qz_hessian_init(qz_hessian *h, qz_run *run, const double *gram, const qz_hessian_how *how, qz_error *err) {
    const size_t cols = how->cols;
    *h = (qz_hessian){.cols = cols};
    size_t sq;
    if (!qz_mul_size(cols, cols, &sq)) return qz_fail(err, QZ_EMEMORY, "matrix of %zu columns is too large", cols);
    double *l = qz_alloc_aligned(sq, sizeof *l), *diag = qz_alloc_array(cols, sizeof *diag), mean = 0;
    h->h = qz_alloc_aligned(sq, sizeof *h->h);
    h->feedback = qz_alloc_aligned(sq, sizeof *h->feedback);
    h->order = qz_alloc_array(cols, sizeof *h->order);
    h->weight = qz_alloc_array(cols, sizeof *h->weight);
    h->is_dead = qz_calloc_array(cols, 1);
    qz_status st = l && diag && h->h && h->feedback && h->order && h->weight && h->is_dead
                       ? QZ_OK
                       : qz_fail(err, QZ_EMEMORY, "out of memory for a %zu x %zu matrix", cols, cols);
    if (st != QZ_OK) goto out;
    for (size_t k = 0; k < cols; k++) {
        diag[k] = gram[k * cols + k];
        if (!isfinite(diag[k]) || diag[k] < 0) {
            st = qz_fail(err, QZ_ENUMERIC, "statistics are not finite: column %zu: found %g; calibrate again", k,
                         diag[k]);
            goto out;
        }
        h->is_dead[k] = diag[k] == 0;
        h->dead += h->is_dead[k];
        mean += diag[k];
    }
    mean /= (double)cols;
    if (mean == 0) mean = 1; /* an input that is always zero: plain rounding */
    for (size_t k = 0; k < cols; k++)
        if (diag[k] == 0) diag[k] = mean * 1e-6;
    QZ_GOTO(make_order(h, diag, how, err));
    QZ_GOTO(factor(h, run, gram, &(diagonal){diag, mean, how->damp}, l, err));
    for (size_t i = 0; i < sq; i++) h->h[i] = (float)gram[i];
    for (size_t k = 0; k < cols; k++) h->h[k * cols + k] = (float)(diag[k] + h->damping * mean);
    feedback_job j = {qz_chol_of(run, l, cols), h, qz_alloc_aligned(sq, sizeof(double))};
    if (j.inv == NULL) QZ_GOTO(qz_fail(err, QZ_EMEMORY, "out of memory for a %zu x %zu matrix", cols, cols));
    qz_pool_run(run->pool, (cols + stripe(cols) - 1) / stripe(cols), inverse_part, &j);
    qz_pool_run(run->pool, 0, feedback_rows, &j);
    qz_free(j.inv);
out:
    qz_free(l);
    qz_free(diag);
    if (st != QZ_OK) qz_hessian_release(h);
    return st;
}
void qz_hessian_release(qz_hessian *h) {
    qz_free(h->h);
    qz_free(h->feedback);
    qz_free(h->order);
    qz_free(h->weight);
    qz_free(h->is_dead);
    *h = (qz_hessian){0};
}

/* Each pair of columns once: the square of a part and, twice, what lies right of it. */
qz_status qz_quadratic_error(qz_mm *mm, const qz_quadratic *q, const float *e, size_t rows, double *out,
                             qz_error *err) {
    enum { PART = 512 };
    const size_t cols = q->cols;
    double sum = 0;
    for (size_t p = 0; p < cols; p += PART) {
        const size_t n = qz_min_size(PART, cols - p), rest = cols - p - n;
        const float *h = q->h + p * cols + p;
        double own = 0, all = 0;
        QZ_TRY(qz_mm_gemm_nt(mm, &(qz_product){rows, n, n, e + p, cols, h, cols, q->scratch, n}, false, err));
        for (size_t r = 0; r < rows; r++) own += (double)qz_dot_lanes(e + r * cols + p, q->scratch + r * n, n);
        if (rest)
            QZ_TRY(qz_mm_gemm_nt(mm, &(qz_product){rows, n, rest, e + p + n, cols, h + n, cols, q->scratch, n}, false,
                                 err));
        for (size_t r = 0; r < rows && rest; r++)
            all += (double)qz_dot_lanes(e + r * cols + p, q->scratch + r * n, n);
        sum += own + 2 * all;
    }
    *out = sum;
    return QZ_OK;
}
