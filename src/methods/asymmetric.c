#include "methods/asymmetric.h"
#include "base/size.h"
#include "methods/cholesky.h"
#include "methods/lanes.h"
#include "methods/some_columns.h"
#include <string.h>

/* Shares of the mean diagonal that λ is chosen from. */
static const double lambdas[] = {0.005, 0.02, 0.08, 0.3, 0.6}, USUAL_LAMBDA = 0.02, TIE = 0.02;
enum { SAMPLE = 64, LAMBDAS = sizeof lambdas / sizeof *lambdas };

/* delta [n, k] and back [rows, k]: right sides cross and lost times (gram + λI)⁻¹. */
typedef struct {
    const double *gram, *cross, *lost;
    size_t n, rows;     /* of cross and delta; of lost and back, 0: none */
    double lambda;
    float *delta, *back;
    double *l;          /* scratch [k, k] */
} correction;
/* *done false: it cannot be factored, and nothing was made. */
static qz_status solve_right(qz_run *run, size_t k, const correction *c, bool *done, qz_error *err) {
    double mean = 0;
    *done = false;
    for (size_t i = 0; i < k; i++) mean += c->gram[i * k + i];
    mean /= (double)k;
    memcpy(c->l, c->gram, k * k * sizeof *c->l);
    for (size_t i = 0; i < k; i++) c->l[i * k + i] += c->lambda * mean;
    qz_error why = {0};
    const qz_status st = mean > 0 ? qz_cholesky(run, c->l, k, &why) : QZ_ENUMERIC;
    *done = st == QZ_OK;
    if (!*done) return st == QZ_ENUMERIC ? QZ_OK : qz_fail(err, st, "%s", why.text);
    qz_chol_both(run, c->l, k);
    QZ_TRY(qz_chol_solve(run, c->l, k, c->cross, c->n, c->delta, err));
    return qz_chol_solve(run, c->l, k, c->lost, c->rows, c->back, err);
}
/* Zero and counted if it cannot be factored. */
static qz_status solve(qz_asymmetric *a, qz_run *run, const correction *c, qz_error *err) {
    const size_t k = a->cols;
    bool done;
    double mean = 0;
    memset(c->delta, 0, c->n * k * sizeof *c->delta);
    if (c->rows) memset(c->back, 0, c->rows * k * sizeof *c->back);
    QZ_TRY(solve_right(run, k, c, &done, err));
    if (done) return QZ_OK;
    for (size_t i = 0; i < k; i++) mean += c->gram[i * k + i];
    a->failed++; /* the caller says it */
    a->why = mean > 0    ? "its matrix cannot be factored"
             : mean == 0 ? "no input in a half of the tokens"
                         : "its statistics are not finite";
    return QZ_OK;
}

enum { SAMPLED = 256 }; /* rows of a linear that its strengths are fitted on, where rows are kept */

/* Whether rows are kept instead of Δ, and which of them the halves have: some of every linear, and those that damping
 * is decided on. */
static qz_status plan_rows(qz_asymmetric *a, const qz_lambda_fit *fit, qz_error *err) {
    size_t total = 0;
    for (size_t i = 0; fit && i < fit->n; i++) total += fit->lin[i].rows;
    if (total == 0 || total >= a->cols) return QZ_OK;
    uint8_t *in = qz_calloc_array(total, 1);
    a->sample = qz_alloc_array(total, sizeof *a->sample);
    if (in && a->sample) {
        a->rows = total;
        a->n_lin = fit->n;
        for (size_t i = 0, first = 0; i < fit->n; first += fit->lin[i++].rows) {
            const size_t n = qz_min_size(SAMPLED, fit->lin[i].rows);
            a->lin[i] = fit->lin[i];
            for (size_t r = 0; r < n; r++) in[first + r * fit->lin[i].rows / n] = 1;
        }
        const size_t n = qz_min_size(SAMPLE, total);
        for (size_t r = 0; r < n; r++) in[r * total / n] = 1;
        for (size_t r = 0; r < total; r++)
            if (in[r]) a->sample[a->n_sample++] = (uint32_t)r;
    }
    qz_free(in);
    return a->rows ? QZ_OK
                   : qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration of %zu columns", a->cols);
}

/* Rows of the linears taken together: in and out [n, k]. */
static const float *row_of(const qz_asymmetric *a, size_t row) {
    size_t i = 0;
    for (; row >= a->lin[i].rows; i++) row -= a->lin[i].rows;
    return a->lin[i].w + row * a->cols;
}

static bool reserve(qz_asymmetric *a, size_t square) {
    const size_t k = a->cols, made = a->rows ? a->rows * k : square, part = a->rows ? a->n_sample * k : square,
                 lost = a->lost_rows * k, some = a->rows ? qz_min_size(a->n_sample, a->lost_rows) * k : lost;
    bool ok = (a->delta = qz_alloc_aligned(made, sizeof(float))) != NULL;
    if (ok && lost) ok = (a->back = qz_alloc_aligned(lost, sizeof(float))) != NULL;
    for (int h = 0; h < QZ_HALVES && ok; h++) {
        a->half[h] = qz_alloc_aligned(part, sizeof(float));
        a->gram[h] = qz_alloc_aligned(square, sizeof(float));
        a->cross[h] = qz_alloc_aligned(square, sizeof(float));
        ok = a->half[h] && a->gram[h] && a->cross[h];
        if (!ok || !lost) continue;
        a->half_back[h] = qz_alloc_aligned(some, sizeof(float));
        a->lost[h] = qz_alloc_aligned(lost, sizeof(float));
        ok = a->half_back[h] && a->lost[h];
    }
    return ok;
}

static void means(qz_asymmetric *a, const qz_pair_stats *s) {
    const size_t k = a->cols;
    for (int h = 0; h < QZ_HALVES; h++) {
        const double n = s->tokens[h] ? (double)s->tokens[h] : 1;
        for (size_t i = 0; i < k * k; i++) {
            a->gram[h][i] = (float)(s->gram[h][i] / n);
            a->cross[h][i] = (float)(s->cross[h][i] / n);
        }
        for (size_t i = 0; i < a->lost_rows * k; i++) a->lost[h][i] = (float)(s->lost[h][i] / n);
    }
}

static qz_status fit_lambda(const qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, const qz_lambda_fit *with,
                            double *l, double *lambda, qz_error *err);
static qz_status solve_delta(qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, double *l, qz_error *err);
static qz_status solve_kept(qz_asymmetric *a, qz_run *run, qz_mm *mm, const qz_pair_stats *s, double *l,
                            qz_error *err);

qz_status qz_asymmetric_init(qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, double lambda, bool residual,
                             const qz_lambda_fit *fit, qz_error *err) {
    size_t k = s->cols, sq = 0;
    *a = (qz_asymmetric){.cols = k, .lost_rows = residual ? s->lost_rows : 0,
                         .lambda = lambda > 0 ? lambda : USUAL_LAMBDA};
    if (!qz_mul_size(k, k, &sq)) return qz_fail(err, QZ_EMEMORY, "matrix of %zu columns is too large", k);
    QZ_TRY(plan_rows(a, fit, err));
    double *l = qz_alloc_aligned(sq, sizeof *l);
    qz_status st = l && reserve(a, sq)
                       ? QZ_OK
                       : qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration of %zu columns", k);
    if (st == QZ_OK) means(a, s);
    if (st == QZ_OK && !(lambda > 0) && fit && s->tokens[0] && s->tokens[1])
        st = fit_lambda(a, run, s, fit, l, &a->lambda, err);
    if (st == QZ_OK) st = a->rows ? solve_kept(a, run, fit->mm, s, l, err) : solve_delta(a, run, s, l, err);
    qz_free(l);
    if (st != QZ_OK) qz_asymmetric_release(a);
    return st;
}

static void both(double *out, const double *const x[QZ_HALVES], size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = x[0][i] + x[1][i];
}
static qz_status solve_delta(qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, double *l, qz_error *err) {
    const size_t k = a->cols, rows = a->lost_rows;
    double *g = qz_alloc_aligned(k * k, sizeof *g), *d = qz_alloc_aligned(k * k, sizeof *d),
           *r = qz_alloc_aligned(rows * k + 1, sizeof *r);
    qz_status st = g && d && r ? QZ_OK
                               : qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration of %zu columns", k);
    for (int h = 0; h < QZ_HALVES && st == QZ_OK; h++)
        st = solve(a, run, &(correction){s->gram[h], s->cross[h], s->lost[h], k, rows, a->lambda, a->half[h],
                                         a->half_back[h], l}, err);
    if (st == QZ_OK) {
        both(g, (const double *const *)s->gram, k * k);
        both(d, (const double *const *)s->cross, k * k);
        if (rows) both(r, (const double *const *)s->lost, rows * k);
        st = solve(a, run, &(correction){g, d, r, k, rows, a->lambda, a->delta, a->back, l}, err);
    }
    qz_free(g);
    qz_free(d);
    qz_free(r);
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

/* ---- rows instead of Δ ---- */
typedef struct { double *g, *d, *r; float *w; } kept_room;
static void kept_close(kept_room *t) {
    qz_free(t->g);
    qz_free(t->d);
    qz_free(t->r);
    qz_free(t->w);
}
/* d [n, k] += tokens · W·C for the n rows in x. */
static qz_status add_turned(const qz_asymmetric *a, const room *x, const float *w, int h, double tokens, double *d,
                            qz_error *err) {
    QZ_TRY(times(x, w, a->cross[h], err));
    for (size_t i = 0; i < x->rows * x->k; i++) d[i] += (double)x->m[i] * tokens;
    return QZ_OK;
}
static qz_status solve_sampled(qz_asymmetric *a, qz_run *run, qz_mm *mm, const qz_pair_stats *s, kept_room *t,
                               double *l, qz_error *err) {
    const size_t k = a->cols, n = a->n_sample, lost = a->lost_rows ? n : 0;
    room x;
    qz_status st = room_open(&x, mm, n, k, err);
    for (size_t i = 0; i < n; i++) memcpy(t->w + i * k, row_of(a, a->sample[i]), k * sizeof *t->w);
    for (int h = 0; h < QZ_HALVES && st == QZ_OK; h++) {
        memset(t->d, 0, n * k * sizeof *t->d);
        st = add_turned(a, &x, t->w, h, (double)s->tokens[h], t->d, err);
        for (size_t i = 0; i < lost; i++) memcpy(t->r + i * k, s->lost[h] + a->sample[i] * k, k * sizeof *t->r);
        if (st == QZ_OK)
            st = solve(a, run, &(correction){s->gram[h], t->d, t->r, n, lost, a->lambda, a->half[h], a->half_back[h],
                                             l}, err);
    }
    room_close(&x);
    return st;
}
static qz_status solve_all(qz_asymmetric *a, qz_run *run, qz_mm *mm, const qz_pair_stats *s, kept_room *t, double *l,
                           qz_error *err) {
    const size_t k = a->cols;
    room x;
    qz_status st = room_open(&x, mm, a->rows, k, err);
    for (size_t i = 0; i < a->rows; i++) memcpy(t->w + i * k, row_of(a, i), k * sizeof *t->w);
    memset(t->d, 0, a->rows * k * sizeof *t->d);
    for (int h = 0; h < QZ_HALVES && st == QZ_OK; h++)
        st = add_turned(a, &x, t->w, h, (double)s->tokens[h], t->d, err);
    room_close(&x);
    both(t->g, (const double *const *)s->gram, k * k);
    if (a->lost_rows) both(t->r, (const double *const *)s->lost, a->lost_rows * k);
    if (st != QZ_OK) return st;
    return solve(a, run, &(correction){t->g, t->d, t->r, a->rows, a->lost_rows, a->lambda, a->delta, a->back, l}, err);
}
static qz_status solve_kept(qz_asymmetric *a, qz_run *run, qz_mm *mm, const qz_pair_stats *s, double *l,
                            qz_error *err) {
    const size_t k = a->cols;
    if (a->lost_rows && a->lost_rows != a->rows)
        return qz_fail(err, QZ_EBUG, "asymmetric calibration: linears of %zu rows on a residual stream of %zu", a->rows,
                       a->lost_rows);
    kept_room t = {qz_alloc_aligned(k * k, sizeof *t.g), qz_alloc_aligned(a->rows * k, sizeof *t.d),
                   qz_alloc_aligned(a->lost_rows * k + 1, sizeof *t.r), qz_alloc_aligned(a->rows * k, sizeof *t.w)};
    qz_status st = t.g && t.d && t.r && t.w
                       ? QZ_OK
                       : qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration of %zu columns", k);
    if (st == QZ_OK) st = solve_sampled(a, run, mm, s, &t, l, err);
    if (st == QZ_OK) st = solve_all(a, run, mm, s, &t, l, err);
    kept_close(&t);
    return st;
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

/* What a half adds to the rows, into x->m: rows are kept of those at hand (pick_rows). */
static qz_status moved(const qz_asymmetric *a, const room *x, const float *w, int h, qz_error *err) {
    if (a->rows == 0) return times(x, w, a->half[h], err);
    memcpy(x->m, a->half[h], x->rows * x->k * sizeof *x->m);
    return QZ_OK;
}
static qz_status judge(const qz_asymmetric *a, const room *x, const float *w, int h, fit *f, qz_error *err) {
    QZ_TRY(moved(a, x, w, h, err));
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
    double *wd[QZ_HALVES], *r[QZ_HALVES]; /* [rows, some] */
    qz_columns some;                      /* of a wide input not all */
    double *gram;                         /* [some, some] */
    float *made, *made_back;              /* [rows, some] */
    double *l; /* room for a factor, borrowed */
} lambda_sample;
static void lambda_release(lambda_sample *c) {
    room_close(&c->x);
    qz_columns_release(&c->some);
    qz_free(c->gram);
    qz_free(c->made);
    qz_free(c->made_back);
    qz_free(c->w);
    qz_free(c->back);
    for (int h = 0; h < QZ_HALVES; h++) {
        qz_free(c->lost[h]);
        qz_free(c->wd[h]);
        qz_free(c->r[h]);
    }
}
static bool lambda_reserve(lambda_sample *c, size_t rows, bool lost) {
    const size_t k = c->some.of, n = c->some.n;
    c->gram = qz_alloc_aligned(n * n, sizeof(double));
    c->made = qz_alloc_array(rows * n, sizeof(float));
    bool ok = c->gram && c->made;
    if (ok && lost) {
        c->made_back = qz_alloc_array(rows * n, sizeof(float));
        c->back = qz_alloc_array(rows * k, sizeof(float));
        ok = c->made_back && c->back;
    }
    for (int h = 0; h < QZ_HALVES && ok; h++) {
        ok = (c->wd[h] = qz_alloc_array(rows * n, sizeof(double))) != NULL;
        if (!ok || !lost) continue;
        c->r[h] = qz_alloc_array(rows * n, sizeof(double));
        c->lost[h] = qz_alloc_array(rows * k, sizeof(float));
        ok = c->r[h] && c->lost[h];
    }
    return ok;
}
static qz_status lambda_open(lambda_sample *c, const qz_asymmetric *a, const qz_pair_stats *s,
                             const qz_lambda_fit *with, qz_error *err) {
    enum { GROUP = 64 };
    const size_t k = a->cols;
    uint32_t index[SAMPLE];
    c->w = qz_alloc_array(SAMPLE * k, sizeof(float));
    const size_t rows = c->w ? qz_sample_rows(with->lin, with->n, SAMPLE, k, c->w, index) : 0;
    if (c->w) QZ_TRY(room_open(&c->x, with->mm, rows, k, err));
    QZ_TRY(qz_columns_open(&c->some, GROUP, k, QZ_MOST_COLUMNS, err));
    if (!c->w || !lambda_reserve(c, rows, a->lost_rows != 0))
        return qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration of %zu columns", k);
    const size_t n = c->some.n;
    for (int h = 0; h < QZ_HALVES; h++) {
        QZ_TRY(times(&c->x, c->w, a->cross[h], err));
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < n; i++)
                c->wd[h][r * n + i] = (double)c->x.m[r * k + c->some.at[i]] * (double)s->tokens[h];
        for (size_t r = 0; r < rows && a->lost_rows; r++) {
            for (size_t i = 0; i < n; i++) c->r[h][r * n + i] = s->lost[h][index[r] * k + c->some.at[i]];
            memcpy(c->lost[h] + r * k, a->lost[h] + index[r] * k, k * sizeof(float));
        }
    }
    return QZ_OK;
}
/* What the corrections of this λ take away of the error, half by half on the other; < 0: cannot be factored. */
static qz_status lambda_gain(const qz_asymmetric *a, qz_run *run, const qz_pair_stats *s, lambda_sample *c,
                             double lambda, double *gain, qz_error *err) {
    fit f = {0};
    double t[2];
    *gain = -1;
    for (int h = 0; h < QZ_HALVES; h++) {
        const size_t rows = c->x.rows;
        qz_columns_square(&c->some, s->gram[h], c->gram);
        const correction right = {c->gram, c->wd[h],  c->r[h],      rows, a->lost_rows ? rows : 0,
                                  lambda,  c->made, c->made_back, c->l};
        bool done;
        QZ_TRY(solve_right(run, c->some.n, &right, &done, err));
        if (!done) return QZ_OK;
        qz_columns_back(&c->some, c->made, rows, c->x.m);
        if (a->lost_rows) qz_columns_back(&c->some, c->made_back, rows, c->back);
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

/* Of the rows `index` what is kept of them one by one: half and half_back in the rows' form, half_back and lost. */
static size_t place(const qz_asymmetric *a, uint32_t row) {
    size_t lo = 0, hi = a->n_sample;
    if (a->rows == 0) return row;
    while (lo + 1 < hi) {
        const size_t mid = (lo + hi) / 2;
        if (a->sample[mid] <= row) lo = mid;
        else hi = mid;
    }
    return lo;
}
static void drop_rows(const qz_asymmetric *a, qz_asymmetric *some) {
    for (int h = 0; h < QZ_HALVES; h++) {
        if (a->rows) qz_free(some->half[h]);
        if (a->lost_rows) qz_free(some->half_back[h]), qz_free(some->lost[h]);
    }
}
static bool pick_rows(const qz_asymmetric *a, const uint32_t *index, size_t n, qz_asymmetric *out) {
    const size_t k = a->cols;
    bool ok = true;
    *out = *a;
    for (int h = 0; h < QZ_HALVES; h++) {
        if (a->rows) ok = (out->half[h] = qz_alloc_array(n * k, sizeof(float))) != NULL && ok;
        if (a->lost_rows) {
            out->half_back[h] = qz_alloc_array(n * k, sizeof(float));
            out->lost[h] = qz_alloc_array(n * k, sizeof(float));
            ok = ok && out->half_back[h] && out->lost[h];
        }
    }
    for (int h = 0; h < QZ_HALVES && ok; h++)
        for (size_t i = 0; i < n; i++) {
            const size_t at = place(a, index[i]);
            if (a->rows) memcpy(out->half[h] + i * k, a->half[h] + at * k, k * sizeof(float));
            if (a->lost_rows == 0) continue;
            memcpy(out->half_back[h] + i * k, a->half_back[h] + at * k, k * sizeof(float));
            memcpy(out->lost[h] + i * k, a->lost[h] + index[i] * k, k * sizeof(float));
        }
    return ok;
}

/* Strengths of n rows w [n, cols] that the halves' corrections are known of: index, NULL: all. */
static qz_status fit_rows(const qz_asymmetric *a, const room *x, const float *w, const uint32_t *index, size_t n,
                          double alpha[2], qz_error *err) {
    qz_asymmetric some = *a;
    fit f = {0};
    qz_status st = index == NULL || pick_rows(a, index, n, &some)
                       ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration");
    for (int h = 0; h < QZ_HALVES && st == QZ_OK; h++) st = judge(&some, x, w, h, &f, err);
    if (st == QZ_OK) strengths(f.g, f.b, alpha);
    if (index) drop_rows(a, &some);
    return st;
}

/* A linear of kept rows: strengths by its sampled rows, the correction is at hand (*delta). */
static qz_status target_kept(const qz_asymmetric *a, qz_mm *mm, const float *w, size_t rows, const float **delta,
                             double alpha[2], qz_error *err) {
    const size_t k = a->cols;
    size_t i = 0, first = 0, lo = 0;
    for (; i < a->n_lin && a->lin[i].w != w; i++) first += a->lin[i].rows;
    if (i == a->n_lin || a->lin[i].rows != rows)
        return qz_fail(err, QZ_EBUG, "asymmetric calibration of another linear than it was made for");
    while (a->sample[lo] < first) lo++;
    size_t hi = lo;
    while (hi < a->n_sample && a->sample[hi] < first + rows) hi++;
    room x;
    QZ_TRY(room_open(&x, mm, hi - lo, k, err));
    float *own = qz_alloc_array((hi - lo) * k, sizeof *own);
    for (size_t r = lo; own && r < hi; r++) memcpy(own + (r - lo) * k, row_of(a, a->sample[r]), k * sizeof *own);
    qz_status st = own ? fit_rows(a, &x, own, a->sample + lo, hi - lo, alpha, err)
                       : qz_fail(err, QZ_EMEMORY, "out of memory for asymmetric calibration");
    *delta = a->delta + first * k;
    qz_free(own);
    room_close(&x);
    return st;
}

qz_status qz_asymmetric_target(const qz_asymmetric *a, qz_mm *mm, const float *w, size_t rows, float *target,
                               double alpha[2], qz_error *err) {
    room x = {0};
    const float *made = NULL;
    if (a->lost_rows && a->lost_rows != rows)
        return qz_fail(err, QZ_EBUG, "asymmetric calibration: a linear of %zu rows on a residual stream of %zu", rows,
                       a->lost_rows);
    qz_status st = a->rows ? target_kept(a, mm, w, rows, &made, alpha, err) : room_open(&x, mm, rows, a->cols, err);
    if (st == QZ_OK && !made) st = fit_rows(a, &x, w, NULL, rows, alpha, err);
    if (st == QZ_OK && !made) st = times(&x, w, a->delta, err);
    if (!made) made = x.m;
    if (st == QZ_OK)
        for (int i = 0; i < 2; i++) alpha[i] = 2 * alpha[i] / (1 + alpha[i]); /* all tokens: half the noise of a half */
    for (size_t i = 0; i < rows * a->cols && st == QZ_OK; i++) {
        target[i] = w[i] + (float)alpha[0] * made[i];
        if (a->lost_rows) target[i] += (float)alpha[1] * a->back[i];
    }
    room_close(&x);
    return st;
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
        st = moved(&some, &x, w, h, err);
        for (size_t i = 0; i < n * k && st == QZ_OK; i++)
            target[h][i] = w[i] + (float)alpha[0] * x.m[i] +
                           (a->lost_rows ? (float)alpha[1] * some.half_back[h][i] : 0);
    }
    drop_rows(a, &some);
    room_close(&x);
    return st;
}

void qz_asymmetric_release(qz_asymmetric *a) {
    qz_free(a->delta);
    qz_free(a->back);
    qz_free(a->sample);
    for (int h = 0; h < QZ_HALVES; h++) {
        qz_free(a->half[h]);
        qz_free(a->gram[h]);
        qz_free(a->cross[h]);
        qz_free(a->half_back[h]);
        qz_free(a->lost[h]);
    }
    *a = (qz_asymmetric){0};
}
