#include "methods/damping.h"
#include "base/size.h"
#include "methods/lanes.h"
#include "methods/some_columns.h"
#include <string.h>

/* Candidates up to as much as the mean diagonal itself. The strongest whose loss is within TIE of the best (of what the
 * codes alone lose there) is taken: what one layer's error cannot tell apart, the next layers' inputs and other text
 * reward (text-13m, W4, mean of three draws, docs / books: the best 0.0519 / 0.0366, the strongest of the tied 0.0510 /
 * 0.0359; docs/quality.md). */
static const double candidates[] = {0.01, 0.03, 0.1, 0.3, 0.6, 1.0}, TIE = 0.02;
enum { CANDIDATES = sizeof candidates / sizeof *candidates, SAMPLE = 64, STEPS = 10 };

typedef struct {
    size_t rows, cols;
    qz_columns some;         /* of a wide input not all */
    double *gram;             /* of those */
    float *part;              /* [rows, some] */
    float *w;                 /* [rows, cols] rows of the linears */
    float *target[QZ_HALVES]; /* what each half would have them coded to */
    float *lost[QZ_HALVES];   /* of the residual stream, NULL: none */
    float *d, *scratch;       /* [rows, cols] */
} sample;

static void release(sample *x) {
    qz_columns_release(&x->some);
    qz_free(x->gram);
    qz_free(x->part);
    qz_free(x->w);
    for (int h = 0; h < QZ_HALVES; h++) {
        qz_free(x->target[h]);
        qz_free(x->lost[h]);
    }
    qz_free(x->d);
    qz_free(x->scratch);
}

static bool reserve(sample *x, bool lost) {
    const size_t n = x->rows * x->cols;
    x->w = qz_alloc_array(n, sizeof *x->w);
    x->d = qz_alloc_array(n, sizeof *x->d);
    x->scratch = qz_alloc_array(n, sizeof *x->scratch);
    x->gram = qz_alloc_array(x->some.n * x->some.n, sizeof *x->gram);
    x->part = qz_alloc_array(x->rows * x->some.n, sizeof *x->part);
    bool ok = x->w && x->d && x->scratch && x->gram && x->part;
    for (int h = 0; h < QZ_HALVES && ok; h++) {
        x->target[h] = qz_alloc_array(n, sizeof(float));
        if (lost) x->lost[h] = qz_alloc_array(n, sizeof(float));
        ok = x->target[h] && (x->lost[h] || !lost);
    }
    return ok;
}

static size_t sampled(const qz_linear_rows *lin, size_t n) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++) total += lin[i].rows;
    return qz_min_size(total, SAMPLE);
}

/* The sample, and where each half would move it. */
static qz_status gather(sample *x, const qz_damping_job *j, const qz_asymmetric *a, qz_error *err) {
    const size_t k = a->cols, n = j->n;
    const qz_linear_rows *lin = j->lin;
    uint32_t index[SAMPLE];
    QZ_TRY(qz_columns_open(&x->some, j->o->codes.grid->group, k, QZ_MOST_COLUMNS, err));
    x->cols = k;
    x->rows = sampled(lin, n);
    if (!reserve(x, a->lost_rows != 0))
        return qz_fail(err, QZ_EMEMORY, "out of memory choosing the damping of %zu columns", k);
    (void)qz_sample_rows(lin, n, SAMPLE, k, x->w, index);
    for (size_t r = 0; r < x->rows; r++)
        for (int h = 0; h < QZ_HALVES && a->lost_rows; h++)
            memcpy(x->lost[h] + r * k, a->lost[h] + index[r] * k, k * sizeof(float));
    return qz_asymmetric_halves(a, j->mm, x->w, index, x->rows, x->target, err);
}

/* What the codes of half h leave of the other half's true output: codes = tr(D G Dᵀ), loss = codes + 2 tr(W C Dᵀ) + 2
 * tr(L Dᵀ) and a constant, with D = W − Ŵ, C = E[(x̃ − x) xᵀ] and L what the residual stream has lost. */
typedef struct { double loss, codes; } judged;
static qz_status held_out(sample *x, qz_mm *mm, const qz_asymmetric *a, int h, const qz_quantized *q, judged *out,
                          qz_error *err) {
    const size_t k = x->cols;
    const int other = 1 - h;
    double codes = 0;
    qz_quantized_decode(q, x->part);
    for (size_t r = 0; r < x->rows; r++)
        for (size_t i = 0; i < x->some.n; i++) {
            float *d = &x->part[r * x->some.n + i];
            *d = x->w[r * k + x->some.at[i]] - *d;
        }
    qz_columns_back(&x->some, x->part, x->rows, x->d);
    QZ_TRY(qz_quadratic_error(mm, &(qz_quadratic){a->gram[other], k, x->scratch}, x->d, x->rows, &codes, err));
    const qz_product turned = {x->rows, k, k, x->d, k, a->cross[other], k, x->scratch, k}; /* D Cᵀ */
    QZ_TRY(qz_mm_gemm_nt(mm, &turned, false, err));
    out->codes += codes;
    out->loss += codes;
    for (size_t r = 0; r < x->rows; r++) {
        out->loss += 2 * (double)qz_dot_lanes(x->w + r * k, x->scratch + r * k, k);
        if (x->lost[other]) out->loss += 2 * (double)qz_dot_lanes(x->lost[other] + r * k, x->d + r * k, k);
    }
    return QZ_OK;
}

static qz_status judge(const qz_damping_job *j, sample *x, const qz_pair_stats *s, const qz_asymmetric *a,
                       const qz_gptq_options *o, judged *out, qz_error *err) {
    *out = (judged){0};
    for (int h = 0; h < QZ_HALVES; h++) {
        qz_arena arena = {0};
        qz_gptq g = {0};
        qz_quantized q = {0};
        qz_columns_square(&x->some, s->gram[h], x->gram);
        qz_columns_rows(&x->some, x->target[h], x->rows, x->part);
        qz_status st = qz_gptq_prepare(&g, j->run, x->gram, x->some.n, o, err);
        if (st == QZ_OK) st = qz_gptq_quantize(&g, j->mm, x->part, x->rows, &arena, &q, err);
        if (st == QZ_OK) st = held_out(x, j->mm, a, h, &q, out, err);
        qz_gptq_release(&g);
        qz_arena_release(&arena);
        QZ_TRY(st);
    }
    return QZ_OK;
}

/* Feedback alone, of coarser ranges, ranks candidates the same at a tenth of the time. */
static qz_gptq_options quick(const qz_gptq_options *o) {
    qz_gptq_options with = *o;
    with.codes.rounds = 0;
    with.codes.shrink_steps = STEPS;
    with.strict = false;
    return with;
}

qz_status qz_damping_choose(const qz_damping_job *j, const qz_pair_stats *s, const qz_asymmetric *a, double *damp,
                            qz_error *err) {
    *damp = candidates[0];
    if (s->tokens[0] == 0 || s->tokens[1] == 0 || a->failed) return QZ_OK;
    sample x = {0};
    judged all[CANDIDATES];
    size_t best = 0;
    qz_gptq_options with = quick(j->o);
    qz_status st = gather(&x, j, a, err);
    for (size_t i = 0; i < CANDIDATES && st == QZ_OK; i++) {
        with.damp = candidates[i];
        st = judge(j, &x, s, a, &with, &all[i], err);
        if (st == QZ_OK && all[i].loss < all[best].loss) best = i;
    }
    for (size_t i = best; i < CANDIDATES && st == QZ_OK; i++)
        if (all[i].loss <= all[best].loss + TIE * all[best].codes) *damp = candidates[i];
    release(&x);
    return st;
}

/* ---- float statistics: one way, on a few tokens ---- */
/* Each factors a matrix of its own, which is most of the time: fewer than where both halves count. */
static const double few[] = {0.01, 0.1, 0.4, 1.0};
enum { FEW = sizeof few / sizeof *few };

typedef struct {
    qz_columns some;
    double *gram;                  /* of them, without the tokens */
    float *x, *w, *d, *y;          /* the tokens and the rows in those columns; errors of codes, of outputs */
    size_t rows;
} held_sample;
static void held_release(held_sample *x) {
    qz_columns_release(&x->some);
    qz_free(x->gram);
    qz_free(x->x);
    qz_free(x->w);
    qz_free(x->d);
    qz_free(x->y);
}

static qz_status held_open(held_sample *x, const qz_damping_job *j, const qz_damping_tokens *t, qz_error *err) {
    uint32_t index[SAMPLE];
    QZ_TRY(qz_columns_open(&x->some, j->o->codes.grid->group, t->cols, QZ_MOST_COLUMNS, err));
    const size_t k = x->some.n;
    float *whole = qz_alloc_array(x->rows * t->cols, sizeof *whole);
    x->gram = qz_alloc_array(k * k, sizeof *x->gram);
    x->x = qz_alloc_array(t->n * k, sizeof *x->x);
    x->w = qz_alloc_array(x->rows * k, sizeof *x->w);
    x->d = qz_alloc_array(x->rows * k, sizeof *x->d);
    x->y = qz_alloc_array(x->rows * t->n, sizeof *x->y);
    const bool ok = whole && x->gram && x->x && x->w && x->d && x->y;
    if (ok) {
        (void)qz_sample_rows(j->lin, j->n, SAMPLE, t->cols, whole, index);
        qz_columns_rows(&x->some, whole, x->rows, x->w);
        qz_columns_rows(&x->some, t->x, t->n, x->x);
    }
    qz_free(whole);
    return ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory choosing the damping of %zu columns", t->cols);
}

/* The Gram matrix without the tokens themselves. */
static qz_status without_tokens(held_sample *x, qz_mm *mm, const qz_damping_tokens *t, qz_error *err) {
    const size_t k = x->some.n;
    const double all = (double)t->tokens, rest = all - (double)t->n;
    memset(x->gram, 0, k * k * sizeof *x->gram);
    QZ_TRY(qz_mm_gram(mm, x->x, t->n, k, x->gram, err));
    for (size_t i = 0; i < k; i++)
        for (size_t q = 0; q < k; q++) {
            double *g = &x->gram[i * k + q];
            *g = (t->gram[x->some.at[i] * t->cols + x->some.at[q]] * all - *g) / rest;
        }
    return QZ_OK;
}

/* Mean squared output error of the sample's codes on the tokens. */
static qz_status error_on(const qz_damping_job *j, held_sample *x, size_t n, const qz_gptq_options *o, double *out,
                          qz_error *err) {
    const size_t k = x->some.n;
    qz_arena arena = {0};
    qz_gptq g = {0};
    qz_quantized q = {0};
    qz_status st = qz_gptq_prepare(&g, j->run, x->gram, k, o, err);
    if (st == QZ_OK) st = qz_gptq_quantize(&g, j->mm, x->w, x->rows, &arena, &q, err);
    if (st == QZ_OK) {
        qz_quantized_decode(&q, x->d);
        for (size_t i = 0; i < x->rows * k; i++) x->d[i] = x->w[i] - x->d[i];
        st = qz_mm_gemm_nt(j->mm, &(qz_product){x->rows, n, k, x->d, k, x->x, k, x->y, n}, false, err);
    }
    *out = 0;
    for (size_t r = 0; r < x->rows && st == QZ_OK; r++) *out += (double)qz_dot_lanes(x->y + r * n, x->y + r * n, n);
    qz_gptq_release(&g);
    qz_arena_release(&arena);
    return st;
}

qz_status qz_damping_held(const qz_damping_job *j, const qz_damping_tokens *t, double *damp, qz_error *err) {
    held_sample x = {.rows = sampled(j->lin, j->n)};
    double all[FEW];
    size_t best = 0;
    *damp = few[0];
    if (t->n == 0 || t->n >= t->tokens || x.rows == 0) return QZ_OK;
    qz_gptq_options with = quick(j->o);
    qz_status st = held_open(&x, j, t, err);
    if (st == QZ_OK) st = without_tokens(&x, j->mm, t, err);
    for (size_t i = 0; i < FEW && st == QZ_OK; i++) {
        with.damp = few[i];
        st = error_on(j, &x, t->n, &with, &all[i], err);
        if (st == QZ_OK && all[i] < all[best]) best = i;
    }
    for (size_t i = best; i < FEW && st == QZ_OK; i++)
        if (all[i] <= all[best] * (1 + TIE)) *damp = few[i];
    held_release(&x);
    return st;
}
