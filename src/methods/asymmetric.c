#include "methods/asymmetric.h"
#include "base/size.h"
#include "methods/hessian.h"
#include "methods/lanes.h"
#include <string.h>

/* Shares of the mean diagonal that λ is chosen from. */
static const double lambdas[] = {0.005, 0.02, 0.08, 0.3, 0.6}, USUAL_LAMBDA = 0.02, TIE = 0.02;
enum { SAMPLE = 64, LAMBDAS = sizeof lambdas / sizeof *lambdas };

typedef struct { const double *l, *d; size_t rows, k; float *delta; double *work; } solve_job;

/* Rows of Δ: each solves (H+λ) δ = d by the factor's two triangles. */
static void solve_rows(void *arg, qz_part part) {
    const solve_job *j = arg;
    size_t k = j->k, lo, hi;
    double *y = j->work + part.thread * k;
    qz_split(j->rows, 1, part, &lo, &hi);
    for (size_t r = lo; r < hi; r++) {
        for (size_t p = 0; p < k; p++) {
            double s[4] = {0};
            const double *l = j->l + p * k;
            size_t q = 0;
            for (; q + 4 <= p; q += 4)
                for (size_t t = 0; t < 4; t++) s[t] += l[q + t] * y[q + t];
            for (size_t t = 0; q + t < p; t++) s[t] += l[q + t] * y[q + t];
            y[p] = (j->d[r * k + p] - ((s[0] + s[2]) + (s[1] + s[3]))) / l[p];
        }
        for (size_t p = k; p-- > 0;) { /* column sweeps: the factor is stored by rows */
            const double *l = j->l + p * k;
            y[p] /= l[p];
            for (size_t q = 0; q < p; q++) y[q] -= l[q] * y[p];
        }
        for (size_t p = 0; p < k; p++) j->delta[r * k + p] = (float)y[p];
    }
}

/* delta [k, k] and, if asked for, back [rows, k]: cross and lost times (gram + λI)⁻¹; zero and counted if it
 * cannot be factored. */
typedef struct {
    const double *gram, *cross, *lost;
    size_t rows;        /* of lost and back, 0: none */
    double lambda;
    float *delta, *back;
    double *l;          /* scratch [k, k] */
} correction;
/* n rows of cross, c->rows of lost; *done false: it cannot be factored, and nothing was made. */
static qz_status solve_right(qz_run *run, size_t k, const correction *c, size_t n, bool *done, qz_error *err) {
    double mean = 0, *work = qz_alloc_aligned(qz_pool_size(run->pool) * k, sizeof *work);
    *done = false;
    if (!work) return qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration");
    for (size_t i = 0; i < k; i++) mean += c->gram[i * k + i];
    mean /= (double)k;
    for (size_t i = 0; i < k * k; i++) c->l[i] = c->gram[i];
    for (size_t i = 0; i < k; i++) c->l[i * k + i] += c->lambda * mean;
    qz_error why = {0};
    solve_job j = {c->l, c->cross, n, k, c->delta, work}, b = {c->l, c->lost, c->rows, k, c->back, work};
    qz_status st = mean > 0 ? qz_cholesky(run, c->l, k, &why) : QZ_ENUMERIC;
    *done = st == QZ_OK;
    if (*done) qz_pool_run(run->pool, 0, solve_rows, &j);
    if (*done && c->rows) qz_pool_run(run->pool, 0, solve_rows, &b);
    qz_free(work);
    return st == QZ_OK || st == QZ_ENUMERIC ? QZ_OK : qz_fail(err, st, "%s", why.text);
}
static qz_status solve(qz_asymmetric *a, qz_run *run, const correction *c, qz_error *err) {
    const size_t k = a->cols;
    bool done;
    double mean = 0;
    memset(c->delta, 0, k * k * sizeof *c->delta);
    if (c->rows) memset(c->back, 0, c->rows * k * sizeof *c->back);
    QZ_TRY(solve_right(run, k, c, k, &done, err));
    if (done) return QZ_OK;
    for (size_t i = 0; i < k; i++) mean += c->gram[i * k + i];
    a->failed++; /* the caller says it */
    a->why = mean > 0    ? "its matrix cannot be factored"
             : mean == 0 ? "no input in a half of the tokens"
                         : "its statistics are not finite";
    return QZ_OK;
}

static bool reserve(qz_asymmetric *a, size_t square) {
    size_t k = a->cols;
    bool ok = (a->delta = qz_alloc_aligned(square, sizeof(float))) != NULL;
    if (ok && a->lost_rows) ok = (a->back = qz_alloc_aligned(a->lost_rows * k, sizeof(float))) != NULL;
    for (int h = 0; h < QZ_HALVES && ok; h++) {
        a->half[h] = qz_alloc_aligned(square, sizeof(float));
        a->gram[h] = qz_alloc_aligned(square, sizeof(float));
        a->cross[h] = qz_alloc_aligned(square, sizeof(float));
        ok = a->half[h] && a->gram[h] && a->cross[h];
        if (!ok || !a->lost_rows) continue;
        a->half_back[h] = qz_alloc_aligned(a->lost_rows * k, sizeof(float));
        a->lost[h] = qz_alloc_aligned(a->lost_rows * k, sizeof(float));
        ok = a->half_back[h] && a->lost[h];
    }
    return ok;
}

static qz_status fit_lambda(const qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, const qz_lambda_fit *with,
                            double *l, double *lambda, qz_error *err);

qz_status qz_asymmetric_init(qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, double lambda, bool residual,
                             const qz_lambda_fit *fit, qz_error *err) {
    size_t k = s->cols, sq = 0;
    *a = (qz_asymmetric){.cols = k, .lost_rows = residual ? s->lost_rows : 0,
                         .lambda = lambda > 0 ? lambda : USUAL_LAMBDA};
    if (!qz_mul_size(k, k, &sq)) return qz_fail(err, QZ_EMEMORY, "matrix of %zu columns is too large", k);
    size_t rows = a->lost_rows, more = rows * k;
    double *l = qz_alloc_aligned(sq, sizeof *l), *g = qz_alloc_aligned(sq, sizeof *g),
           *d = qz_alloc_aligned(sq, sizeof *d), *r = qz_alloc_aligned(more + 1, sizeof *r);
    qz_status st = l && g && d && r && reserve(a, sq)
                       ? QZ_OK
                       : qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration of %zu columns", k);
    for (int h = 0; h < QZ_HALVES && st == QZ_OK; h++) {
        double n = s->tokens[h] ? (double)s->tokens[h] : 1;
        for (size_t i = 0; i < sq; i++) {
            a->gram[h][i] = (float)(s->gram[h][i] / n);
            a->cross[h][i] = (float)(s->cross[h][i] / n);
        }
        for (size_t i = 0; i < more; i++) a->lost[h][i] = (float)(s->lost[h][i] / n);
    }
    if (st == QZ_OK && !(lambda > 0) && fit && s->tokens[0] && s->tokens[1])
        st = fit_lambda(a, run, s, fit, l, &a->lambda, err);
    for (int h = 0; h < QZ_HALVES && st == QZ_OK; h++)
        st = solve(a, run,
                   &(correction){s->gram[h], s->cross[h], s->lost[h], rows, a->lambda, a->half[h], a->half_back[h], l},
                   err);
    if (st == QZ_OK) {
        for (size_t i = 0; i < sq; i++) {
            g[i] = s->gram[0][i] + s->gram[1][i];
            d[i] = s->cross[0][i] + s->cross[1][i];
        }
        for (size_t i = 0; i < more; i++) r[i] = s->lost[0][i] + s->lost[1][i];
        st = solve(a, run, &(correction){g, d, r, rows, a->lambda, a->delta, a->back, l}, err);
    }
    qz_free(l);
    qz_free(g);
    qz_free(d);
    qz_free(r);
    if (st != QZ_OK) qz_asymmetric_release(a);
    return st;
}

/* Rows at hand, and room for what is made of them. */
typedef struct {
    qz_mm *mm;
    size_t rows, k;
    float *m, *scratch; /* [rows, k] */
    float *turned;      /* [k, k] */
} room;
static qz_status room_open(room *x, qz_mm *mm, size_t rows, size_t k, qz_error *err) {
    *x = (room){mm,
                rows,
                k,
                qz_alloc_aligned(rows * k, sizeof(float)),
                qz_alloc_aligned(rows * k, sizeof(float)),
                qz_alloc_aligned(k * k, sizeof(float))};
    return x->m && x->scratch && x->turned ? QZ_OK
                                           : qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration");
}
static void room_close(room *x) {
    qz_free(x->m);
    qz_free(x->scratch);
    qz_free(x->turned);
}

/* tr(A·M·Bᵀ) with A, B [rows, cols]. M is used as Mᵀ by the product, so pass it as it is when symmetric. */
static qz_status trace(const room *x, const float *a, const float *m, const float *b, double *out, qz_error *err) {
    const size_t k = x->k;
    const qz_product turned = {x->rows, k, k, b, k, m, k, x->scratch, k}; /* B Mᵀ */
    QZ_TRY(qz_mm_gemm_nt(x->mm, &turned, false, err));
    *out = 0;
    for (size_t r = 0; r < x->rows; r++) *out += (double)qz_dot_lanes(a + r * k, x->scratch + r * k, k);
    return QZ_OK;
}

/* x->m = w·Δ: the product wants Δᵀ's rows. */
static qz_status times(const room *x, const float *w, const float *delta, qz_error *err) {
    const size_t k = x->k;
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < k; j++) x->turned[j * k + i] = delta[i * k + j];
    return qz_mm_gemm_nt(x->mm, &(qz_product){x->rows, k, k, w, k, x->turned, k, x->m, k}, false, err);
}

static double dot(const float *a, const float *b, size_t rows, size_t k) {
    double s = 0;
    for (size_t r = 0; r < rows; r++) s += (double)qz_dot_lanes(a + r * k, b + r * k, k);
    return s;
}

/* min ½ aᵀ G a − bᵀ a over [0, 1]²: coordinate by coordinate, convex. */
static void strengths(double g[2][2], const double b[2], double a[2]) {
    a[0] = a[1] = 0;
    for (int round = 0; round < 100; round++)
        for (int i = 0; i < 2; i++) {
            double t = g[i][i] > 0 ? (b[i] - g[i][1 - i] * a[1 - i]) / g[i][i] : 0;
            a[i] = t < 0 ? 0 : t > 1 ? 1 : t;
        }
}

/* Normal equations of both strengths. */
typedef struct { double g[2][2], b[2]; } fit;

/* What one half would add to the rows (x->m = W·Δ and back), judged on the other (gram, cross, lost): adds to the
 * fit. back NULL: no residual stream. */
typedef struct { const float *back, *gram, *cross, *lost; } other_half;
static qz_status weigh(const room *x, const float *w, const other_half *o, fit *f, qz_error *err) {
    const float *back = o->back, *gram = o->gram, *cross = o->cross, *lost = o->lost;
    double part;
    QZ_TRY(trace(x, w, cross, x->m, &part, err)); /* tr(W D Mᵀ) */
    f->b[0] += part;
    QZ_TRY(trace(x, x->m, gram, x->m, &part, err));
    f->g[0][0] += part;
    if (!back) return QZ_OK;
    f->b[0] += dot(lost, x->m, x->rows, x->k);
    QZ_TRY(trace(x, x->m, gram, back, &part, err));
    f->g[0][1] += part;
    f->g[1][0] += part;
    QZ_TRY(trace(x, back, gram, back, &part, err));
    f->g[1][1] += part;
    QZ_TRY(trace(x, w, cross, back, &part, err));
    f->b[1] += part + dot(lost, back, x->rows, x->k);
    return QZ_OK;
}

static qz_status judge(const qz_asymmetric *a, const room *x, const float *w, int h, fit *f, qz_error *err) {
    QZ_TRY(times(x, w, a->half[h], err));
    return weigh(x, w,
                 &(other_half){a->lost_rows ? a->half_back[h] : NULL, a->gram[1 - h], a->cross[1 - h], a->lost[1 - h]},
                 f, err);
}

/* ---- how much the diagonal takes ---- */
size_t qz_sample_rows(const qz_linear_rows *lin, size_t n, size_t most, size_t k, float *w, uint32_t *index) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += lin[i].rows;
    const size_t rows = qz_min_size(total, most);
    for (size_t r = 0; r < rows; r++) {
        const size_t row = r * total / rows;
        size_t i = 0, at = 0;
        for (; row >= at + lin[i].rows; i++) at += lin[i].rows;
        memcpy(w + r * k, lin[i].w + (row - at) * k, k * sizeof(float));
        index[r] = (uint32_t)row;
    }
    return rows;
}

/* A sample of rows, what each half sees of them: right sides W·D and R of the solves, what they come to. */
typedef struct {
    room x;
    float *w, *back, *lost[QZ_HALVES];
    double *wd[QZ_HALVES], *r[QZ_HALVES];
    double *l; /* room for a factor, borrowed */
} lambda_sample;
static void lambda_release(lambda_sample *c) {
    room_close(&c->x);
    qz_free(c->w);
    qz_free(c->back);
    for (int h = 0; h < QZ_HALVES; h++) {
        qz_free(c->lost[h]);
        qz_free(c->wd[h]);
        qz_free(c->r[h]);
    }
}
static qz_status lambda_open(lambda_sample *c, const qz_asymmetric *a, const qz_pair_stats *s,
                             const qz_lambda_fit *with, qz_error *err) {
    const size_t k = a->cols;
    uint32_t index[SAMPLE];
    bool ok = (c->w = qz_alloc_array(SAMPLE * k, sizeof(float))) != NULL;
    const size_t rows = ok ? qz_sample_rows(with->lin, with->n, SAMPLE, k, c->w, index) : 0;
    if (ok) QZ_TRY(room_open(&c->x, with->mm, rows, k, err));
    if (ok && a->lost_rows) ok = (c->back = qz_alloc_array(rows * k, sizeof(float))) != NULL;
    for (int h = 0; h < QZ_HALVES && ok; h++) {
        c->wd[h] = qz_alloc_array(rows * k, sizeof(double));
        if (!(ok = c->wd[h] != NULL)) break;
        QZ_TRY(times(&c->x, c->w, a->cross[h], err));
        for (size_t i = 0; i < rows * k; i++) c->wd[h][i] = (double)c->x.m[i] * (double)s->tokens[h];
        if (!a->lost_rows) continue;
        c->r[h] = qz_alloc_array(rows * k, sizeof(double));
        c->lost[h] = qz_alloc_array(rows * k, sizeof(float));
        ok = c->r[h] && c->lost[h];
        for (size_t r = 0; r < rows && ok; r++) {
            memcpy(c->r[h] + r * k, s->lost[h] + index[r] * k, k * sizeof(double));
            memcpy(c->lost[h] + r * k, a->lost[h] + index[r] * k, k * sizeof(float));
        }
    }
    return ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration of %zu columns", k);
}
/* What the corrections of this λ take away of the error, half by half on the other; < 0: cannot be factored. */
static qz_status lambda_gain(const qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, lambda_sample *c,
                             double lambda, double *gain, qz_error *err) {
    fit f = {0};
    double t[2];
    *gain = -1;
    for (int h = 0; h < QZ_HALVES; h++) {
        const correction right = {s->gram[h], c->wd[h], c->r[h], a->lost_rows ? c->x.rows : 0,
                                  lambda,     c->x.m,   c->back, c->l};
        bool done;
        QZ_TRY(solve_right(run, a->cols, &right, c->x.rows, &done, err));
        if (!done) return QZ_OK;
        QZ_TRY(weigh(&c->x, c->w, &(other_half){c->back, a->gram[1 - h], a->cross[1 - h], c->lost[1 - h]}, &f, err));
    }
    strengths(f.g, f.b, t);
    *gain = 0;
    for (int i = 0; i < 2; i++) *gain += t[i] * (f.b[i] - 0.5 * (f.g[i][0] * t[0] + f.g[i][1] * t[1]));
    return QZ_OK;
}
static qz_status fit_lambda(const qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, const qz_lambda_fit *with,
                            double *l, double *lambda, qz_error *err) {
    lambda_sample c = {.l = l};
    double gain[LAMBDAS], best = 0;
    qz_status st = lambda_open(&c, a, s, with, err);
    for (size_t i = 0; i < LAMBDAS && st == QZ_OK; i++) {
        st = lambda_gain(a, run, s, &c, lambdas[i], &gain[i], err);
        if (st == QZ_OK && gain[i] > best) best = gain[i];
    }
    for (size_t i = 0; i < LAMBDAS && st == QZ_OK && best > 0; i++)
        if (gain[i] >= (1 - TIE) * best) *lambda = lambdas[i];
    lambda_release(&c);
    return st;
}

qz_status qz_asymmetric_target(const qz_asymmetric *a, qz_mm *mm, const float *w, size_t rows, float *target,
                               double alpha[2], qz_error *err) {
    room x;
    fit f = {0};
    qz_status st = room_open(&x, mm, rows, a->cols, err);
    if (st == QZ_OK && a->lost_rows && a->lost_rows != rows)
        st = qz_fail(err, QZ_EBUG, "asymmetric calibration: a linear of %zu rows on a residual stream of %zu", rows,
                     a->lost_rows);
    for (int h = 0; h < QZ_HALVES && st == QZ_OK; h++) st = judge(a, &x, w, h, &f, err);
    if (st == QZ_OK) {
        strengths(f.g, f.b, alpha);
        for (int i = 0; i < 2; i++) alpha[i] = 2 * alpha[i] / (1 + alpha[i]); /* all tokens: half the noise of a half */
        st = times(&x, w, a->delta, err);
    }
    for (size_t i = 0; i < rows * a->cols && st == QZ_OK; i++) {
        target[i] = w[i] + (float)alpha[0] * x.m[i];
        if (a->lost_rows) target[i] += (float)alpha[1] * a->back[i];
    }
    room_close(&x);
    return st;
}

/* Rows of the residual stream's corrections that a sample needs. */
static bool pick_rows(const qz_asymmetric *a, const uint32_t *index, size_t n, qz_asymmetric *out) {
    const size_t k = a->cols;
    *out = *a;
    for (int h = 0; h < QZ_HALVES && a->lost_rows; h++) out->half_back[h] = out->lost[h] = NULL;
    for (int h = 0; h < QZ_HALVES && a->lost_rows; h++) {
        out->half_back[h] = qz_alloc_array(n * k, sizeof(float));
        out->lost[h] = qz_alloc_array(n * k, sizeof(float));
        if (!out->half_back[h] || !out->lost[h]) return false;
        for (size_t i = 0; i < n; i++) {
            memcpy(out->half_back[h] + i * k, a->half_back[h] + index[i] * k, k * sizeof(float));
            memcpy(out->lost[h] + i * k, a->lost[h] + index[i] * k, k * sizeof(float));
        }
    }
    return true;
}

qz_status qz_asymmetric_halves(const qz_asymmetric *a, qz_mm *mm, const float *w, const uint32_t *index, size_t n,
                               float *const target[QZ_HALVES], qz_error *err) {
    const size_t k = a->cols;
    qz_asymmetric some;
    room x;
    fit f = {0};
    double alpha[2];
    const bool ok = pick_rows(a, index, n, &some);
    qz_status st = room_open(&x, mm, n, k, err);
    if (st == QZ_OK && !ok) st = qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration");
    for (int h = 0; h < QZ_HALVES && st == QZ_OK; h++) st = judge(&some, &x, w, h, &f, err);
    if (st == QZ_OK) strengths(f.g, f.b, alpha);
    for (int h = 0; h < QZ_HALVES && st == QZ_OK; h++) {
        st = times(&x, w, a->half[h], err);
        for (size_t i = 0; i < n * k && st == QZ_OK; i++)
            target[h][i] = w[i] + (float)alpha[0] * x.m[i] +
                           (a->lost_rows ? (float)alpha[1] * some.half_back[h][i] : 0);
    }
    for (int h = 0; h < QZ_HALVES && a->lost_rows; h++) qz_free(some.half_back[h]), qz_free(some.lost[h]);
    room_close(&x);
    return st;
}

void qz_asymmetric_release(qz_asymmetric *a) {
    qz_free(a->delta);
    qz_free(a->back);
    for (int h = 0; h < QZ_HALVES; h++) {
        qz_free(a->half[h]);
        qz_free(a->gram[h]);
        qz_free(a->cross[h]);
        qz_free(a->half_back[h]);
        qz_free(a->lost[h]);
    }
    *a = (qz_asymmetric){0};
}
