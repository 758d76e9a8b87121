#include "methods/cholesky.h"
#include "base/size.h"
#include <math.h>

/* columns of a Cholesky panel; side of a task of its update, of few and of many columns; of those, columns */
enum { NB = 64, TILE = 96, WIDE_TILE = 192, MANY = 2048 };
static size_t side(size_t n) { return n < MANY ? TILE : WIDE_TILE; }

typedef struct {
    qz_dsub_fn sub;
    double *a;
    size_t n, j0, nb;
} chol_job;

static double dot(const double *x, const double *y, size_t n) { /* short: a row inside a panel */
    double s = 0;
    for (size_t k = 0; k < n; k++) s += x[k] * y[k];
    return s;
}

/* Rows of x [rows, n] (ldx) against the triangle l [n, n] (ldl): x_j = (x_j − Σ_{q<j} x_q·l_jq) / l_jj, each sum in
 * order. AT_ONCE rows run side by side, turned so that their values of a column lie together. */
enum { AT_ONCE = 8 };
typedef struct { const double *l; size_t ldl, n; } triangle;
static void solve_rows(const triangle *t, double *x, size_t ldx, size_t rows) {
    double y[NB][AT_ONCE];
    for (size_t r = 0; r < rows; r += AT_ONCE) {
        const size_t m = qz_min_size(AT_ONCE, rows - r);
        for (size_t i = 0; i < AT_ONCE; i++)
            for (size_t j = 0; j < t->n; j++) y[j][i] = i < m ? x[(r + i) * ldx + j] : 0;
        for (size_t j = 0; j < t->n; j++) {
            const double *l = t->l + j * t->ldl;
            double s[AT_ONCE] = {0};
            for (size_t q = 0; q < j; q++)
                for (size_t i = 0; i < AT_ONCE; i++) s[i] += y[q][i] * l[q];
            for (size_t i = 0; i < AT_ONCE; i++) y[j][i] = (y[j][i] - s[i]) / l[j];
        }
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < t->n; j++) x[(r + i) * ldx + j] = y[j][i];
    }
}

/* Rows below the panel: solve against its triangle. */
static void panel_rows(void *arg, qz_part part) {
    const chol_job *c = arg;
    size_t first = c->j0 + c->nb, lo, hi;
    qz_split(c->n - first, AT_ONCE, part, &lo, &hi);
    const triangle t = {c->a + c->j0 * c->n + c->j0, c->n, c->nb};
    if (lo < hi) solve_rows(&t, c->a + (first + lo) * c->n + c->j0, c->n, hi - lo);
}
/* Trailing update of the lower triangle in square tiles, each a part. */
static void trailing_tile(void *arg, qz_part part) {
    const chol_job *c = arg;
    const size_t first = c->j0 + c->nb, w = side(c->n);
    size_t i = 0;
    while ((i + 1) * (i + 2) / 2 <= part.i) i++; /* row of tiles */
    const size_t r = first + i * w, q = first + (part.i - i * (i + 1) / 2) * w;
    c->sub(&(qz_dproduct){qz_min_size(w, c->n - r), qz_min_size(w, c->n - q), c->nb, c->a + r * c->n + c->j0, c->n,
                          c->a + q * c->n + c->j0, c->n, c->a + r * c->n + q, c->n}); /* on the diagonal also what lies
                                                                                       * above it: nobody reads that */
}

qz_status qz_cholesky(qz_run *run, double *a, size_t n, qz_error *err) {
    const qz_dsub_fn sub = qz_dsub(run->cpu);
    for (size_t j0 = 0; j0 < n; j0 += NB) {
        chol_job c = {sub, a, n, j0, qz_min_size(NB, n - j0)};
        for (size_t j = 0; j < c.nb; j++) {
            double *row = a + (j0 + j) * n + j0;
            for (size_t q = 0; q < j; q++) {
                const double *l = a + (j0 + q) * n + j0;
                row[q] = (row[q] - dot(row, l, q)) / l[q];
            }
            double d = row[j] - dot(row, row, j);
            if (!(d > 0) || !isfinite(d))
                return qz_fail(err, QZ_ENUMERIC, "matrix is not positive definite: pivot %zu of %zu: found %g", j0 + j,
                               n, d);
            row[j] = sqrt(d);
        }
        qz_pool_run(run->pool, 0, panel_rows, &c);
        const size_t tiles = (n - j0 - c.nb + side(n) - 1) / side(n);
        if (tiles) qz_pool_run(run->pool, tiles * (tiles + 1) / 2, trailing_tile, &c);
    }
    return QZ_OK;
}

/* ---- substitutions ---- */
void qz_chol_forward(const qz_chol *c, double *x, size_t rows, size_t from) {
    const size_t n = c->n;
    for (size_t j = from; j < n; j += NB) {
        const size_t wide = qz_min_size(NB, n - j);
        if (j > from)
            c->sub(&(qz_dproduct){rows, wide, j - from, x + from, n, c->l + j * n + from, n, x + j, n});
        solve_rows(&(triangle){c->l + j * n + j, n, wide}, x + j, n, rows);
    }
}

/* Rows of x against the triangle of rows of Lᵀ, from the last column to the first. */
static void solve_back(const triangle *t, double *x, size_t ldx, size_t rows) {
    double y[NB][AT_ONCE];
    for (size_t r = 0; r < rows; r += AT_ONCE) {
        const size_t m = qz_min_size(AT_ONCE, rows - r);
        for (size_t i = 0; i < AT_ONCE; i++)
            for (size_t j = 0; j < t->n; j++) y[j][i] = i < m ? x[(r + i) * ldx + j] : 0;
        for (size_t j = t->n; j-- > 0;) {
            const double *u = t->l + j * t->ldl;
            double s[AT_ONCE] = {0};
            for (size_t q = j + 1; q < t->n; q++)
                for (size_t i = 0; i < AT_ONCE; i++) s[i] += y[q][i] * u[q];
            for (size_t i = 0; i < AT_ONCE; i++) y[j][i] = (y[j][i] - s[i]) / u[j];
        }
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < t->n; j++) x[(r + i) * ldx + j] = y[j][i];
    }
}
static void backward(const qz_chol *c, double *x, size_t rows) {
    const size_t n = c->n;
    for (size_t end = n; end > 0;) {
        const size_t j = (end - 1) / NB * NB, wide = end - j;
        if (end < n) c->sub(&(qz_dproduct){rows, wide, n - end, x + end, n, c->l + j * n + end, n, x + j, n});
        solve_back(&(triangle){c->l + j * n + j, n, wide}, x + j, n, rows);
        end = j;
    }
}

typedef struct { double *l; size_t n; } mirror_job;
static void mirror(void *arg, qz_part part) {
    const mirror_job *j = arg;
    const size_t n = j->n, r0 = part.i * NB, r1 = qz_min_size(n, r0 + NB);
    for (size_t q0 = r0; q0 < n; q0 += NB)
        for (size_t r = r0; r < r1; r++)
            for (size_t q = q0 > r ? q0 : r + 1; q < qz_min_size(n, q0 + NB); q++) j->l[r * n + q] = j->l[q * n + r];
}

/* Rows to a thread at a time: many of a wide matrix, which is read once for them. */
static size_t band(size_t n) { return n < MANY ? NB / 2 : 4 * NB; }
typedef struct { qz_chol c; const double *b; float *x; size_t rows; double *room; } solve_job;
static void solve_band(void *arg, qz_part part) {
    const solve_job *j = arg;
    const size_t n = j->c.n, r0 = part.i * band(n), rows = qz_min_size(band(n), j->rows - r0);
    double *x = j->room + part.thread * band(n) * n;
    for (size_t i = 0; i < rows * n; i++) x[i] = j->b[r0 * n + i];
    qz_chol_forward(&j->c, x, rows, 0);
    backward(&j->c, x, rows);
    for (size_t i = 0; i < rows * n; i++) j->x[r0 * n + i] = (float)x[i];
}

void qz_chol_both(qz_run *run, double *l, size_t n) {
    qz_pool_run(run->pool, (n + NB - 1) / NB, mirror, &(mirror_job){l, n});
}
qz_status qz_chol_solve(qz_run *run, const double *l, size_t n, const double *b, size_t rows, float *x, qz_error *err) {
    if (rows == 0) return QZ_OK;
    solve_job j = {qz_chol_of(run, l, n), b, x, rows, NULL};
    j.room = qz_alloc_aligned(qz_pool_size(run->pool) * band(n) * n, sizeof *j.room);
    if (j.room == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory solving %zu rows of %zu columns", rows, n);
    qz_pool_run(run->pool, (rows + band(n) - 1) / band(n), solve_band, &j);
    qz_free(j.room);
    return QZ_OK;
}
