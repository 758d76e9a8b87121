#include "methods/smooth.h"
#include "base/mathx.h"
#include "base/size.h"
#include <math.h>
#include <string.h>

enum { TOKENS = 256, ROWS = 256, STEPS = 14 }; /* kept tokens and rows of a linear that are looked at; 0.30 to 0.95 */
#define LEAST_GAIN 0.05 /* what gains less is left out: of a fine grid's best a part is luck */

typedef struct {
    qz_run *run;
    qz_mm *mm;
    const qz_smooth_options *o;
    const qz_awq_input *in;
    const qz_awq_grid *grid;
    size_t n, rows, cols;     /* tokens, rows of all linears together */
    float *x, *w;             /* [n, cols], [rows, cols] */
    float *y;                 /* [n, rows] = x wᵀ */
    float *xq, *e, *yq;       /* the same sizes: of a try */
    float *s, *x_most, *w_most; /* [cols] */
} smoothing;

void qz_smooth_scales(const float *x_most, const float *w_most, size_t cols, double strength, float *s) {
    for (size_t k = 0; k < cols; k++) {
        const double w = fmax((double)w_most[k], 1e-5);
        const double v = qz_pow((double)x_most[k], strength) / qz_pow(w, 1 - strength);
        s[k] = x_most[k] > 0 && isfinite((float)v) ? fmaxf((float)v, 1e-5f) : 1;
    }
}

static void release(smoothing *m) {
    qz_free(m->x);
    qz_free(m->w), qz_free(m->e);
    qz_free(m->y), qz_free(m->yq);
    qz_free(m->xq);
    qz_free(m->s);
}

/* Rows spread over each linear. */
static void sample(smoothing *m, const qz_awq_block *b) {
    size_t at = 0;
    memset(m->w_most, 0, m->cols * sizeof *m->w_most);
    for (size_t l = m->in->first; l < m->in->first + m->in->n; l++) {
        const qz_awq_linear *lin = &b->linear[l];
        const size_t n = qz_min_size(ROWS, lin->rows);
        for (size_t i = 0; i < n; i++, at++)
            memcpy(m->w + at * m->cols, lin->w + i * lin->rows / n * m->cols, m->cols * sizeof *m->w);
        for (size_t r = 0; r < lin->rows; r++)
            for (size_t k = 0; k < m->cols; k++)
                m->w_most[k] = fmaxf(m->w_most[k], fabsf(lin->w[r * m->cols + k]));
    }
}

static qz_status open_input(smoothing *m, const qz_awq_block *b, const qz_input_stats *s, qz_error *err) {
    size_t a = 0, w = 0, y = 0;
    m->n = qz_min_size(TOKENS, s->n_held);
    m->cols = m->in->cols;
    for (size_t l = m->in->first; l < m->in->first + m->in->n; l++) m->rows += qz_min_size(ROWS, b->linear[l].rows);
    const bool fits = qz_mul_size(m->n, m->cols, &a) && qz_mul_size(m->rows, m->cols, &w) &&
                      qz_mul_size(m->n, m->rows, &y);
    m->x = qz_stats_held(s, NULL);
    m->xq = fits ? qz_alloc_aligned(a, sizeof(float)) : NULL;
    m->w = fits ? qz_alloc_aligned(w, sizeof(float)) : NULL, m->e = fits ? qz_alloc_aligned(w, sizeof(float)) : NULL;
    m->y = fits ? qz_alloc_aligned(y, sizeof(float)) : NULL, m->yq = fits ? qz_alloc_aligned(y, sizeof(float)) : NULL;
    m->s = qz_alloc_array(3 * m->cols, sizeof(float));
    if (!m->x || !m->xq || !m->w || !m->e || !m->y || !m->yq || !m->s)
        return qz_fail(err, QZ_EMEMORY, "out of memory smoothing %zu columns", m->cols);
    m->x_most = m->s + m->cols, m->w_most = m->x_most + m->cols;
    memcpy(m->x_most, s->max_abs, m->cols * sizeof *m->x_most);
    sample(m, b);
    return qz_mm_gemm_nt(m->mm, &(qz_product){m->n, m->rows, m->cols, m->x, m->cols, m->w, m->cols, m->y, m->rows},
                         false, err);
}

/* What the outputs lose with columns scaled by s (NULL: as they are), both sides rounded. */
static qz_status loss_of(smoothing *m, const float *s, double *loss, qz_error *err) {
    for (size_t t = 0; t < m->n; t++)
        for (size_t k = 0; k < m->cols; k++) m->xq[t * m->cols + k] = m->x[t * m->cols + k] / (s ? s[k] : 1);
    qz_input_round(m->run->pool, m->o->inputs, m->xq, m->n, m->cols, m->xq);
    for (size_t t = 0; t < m->n && s; t++)
        for (size_t k = 0; k < m->cols; k++) m->xq[t * m->cols + k] *= s[k];
    qz_awq_rounding_error(m->run, m->w, s, m->rows, m->cols, m->grid, m->e);
    for (size_t i = 0; i < m->rows * m->cols; i++) m->e[i] += m->w[i];
    QZ_TRY(qz_mm_gemm_nt(m->mm, &(qz_product){m->n, m->rows, m->cols, m->xq, m->cols, m->e, m->cols, m->yq, m->rows},
                         false, err));
    *loss = 0;
    for (size_t i = 0; i < m->n * m->rows; i++) {
        const double d = (double)(m->yq[i] - m->y[i]);
        *loss += d * d;
    }
    return QZ_OK;
}

static qz_status search(smoothing *m, float *best, double *plain, double *least, double *strength, qz_error *err) {
    *strength = -1;
    QZ_TRY(loss_of(m, NULL, plain, err));
    *least = *plain;
    for (size_t i = 0; i < STEPS && !m->grid->fixed; i++) {
        const double a = 0.3 + 0.05 * (double)i;
        double loss;
        qz_smooth_scales(m->x_most, m->w_most, m->cols, a, m->s);
        if (m->in->fold.width) qz_awq_tie_heads(&m->in->fold, m->s, m->cols);
        QZ_TRY(loss_of(m, m->s, &loss, err));
        if (!(loss < *least)) continue;
        *least = loss;
        *strength = a;
        memcpy(best, m->s, m->cols * sizeof *best);
    }
    if (*strength >= 0 && *least < (1 - LEAST_GAIN) * *plain) return QZ_OK;
    *least = *plain, *strength = -1;
    for (size_t k = 0; k < m->cols; k++) best[k] = 1;
    return QZ_OK;
}

qz_status qz_smooth_block_scales(qz_run *run, qz_mm *mm, qz_awq_block *b, const qz_smooth_options *o,
                                 float *const scales[QZ_STAGES], qz_awq_report *r, qz_error *err) {
    *r = (qz_awq_report){0};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < QZ_STAGES && st == QZ_OK; i++) {
        smoothing m = {.run = run, .mm = mm, .o = o, .in = &b->input[i], .grid = &o->grids[i]};
        r->ratio[i] = -1;
        if (m.in->n == 0 || m.grid->off || o->stats[i].n_held == 0) continue; /* scales are 1 */
        st = open_input(&m, b, &o->stats[i], err);
        if (st == QZ_OK) st = search(&m, scales[i], &r->plain[i], &r->scaled[i], &r->ratio[i], err);
        for (size_t k = 0; k < m.n * m.rows && st == QZ_OK; k++) r->energy[i] += (double)m.y[k] * (double)m.y[k];
        release(&m);
    }
    for (size_t i = 0; i < QZ_STAGES && st == QZ_OK; i++)
        if (r->ratio[i] >= 0) qz_awq_fold(b, i, scales[i]);
    return st;
}
