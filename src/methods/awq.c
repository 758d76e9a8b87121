#include "methods/awq.h"
#include "methods/asymmetric.h"
#include "methods/hessian.h"
#include "base/mathx.h"
#include "base/size.h"
#include "codecs/round_float.h"
#include "codecs/types.h"
#include <math.h>
#include <string.h>

void qz_awq_block_describe(qz_awq_block *b, const qz_config *c, size_t layer, long expert) {
    qz_input_widths w;
    *b = (qz_awq_block){.floats = QZ_TYPE_F16};
    qz_input_widths_of(c, &w);
    for (size_t i = 0; i < qz_inputs(&w, layer); i++) {
        const qz_input in = qz_input_at(&w, layer, i);
        if (in.expert != expert || in.n == 0) continue;
        b->input[in.stage] = (qz_awq_input){.cols = in.cols, .first = in.first, .n = in.n,
                                            .fold = qz_fold_of(c, layer, &in)};
        for (size_t l = in.first; l < in.first + in.n; l++) {
            qz_site s;
            if (!qz_site_of(c, layer, l, &s)) continue;
            b->linear[l] = (qz_awq_linear){.name = s.name, .rows = (size_t)s.rows, .cols = (size_t)s.cols,
                                           .stage = in.stage, .rotary = s.rotary_heads > 0};
        }
    }
}

void qz_awq_weight_mean(const float *w, size_t rows, size_t cols, size_t group, double *sum) {
    for (size_t r = 0; r < rows; r++)
        for (size_t g = 0; g < cols; g += group) {
            const float *p = w + r * cols + g;
            float max = 0;
            for (size_t k = 0; k < group; k++) max = fabsf(p[k]) > max ? fabsf(p[k]) : max;
            for (size_t k = 0; k < group; k++) sum[g + k] += (double)(fabsf(p[k]) / (max + 1e-6f));
        }
}

void qz_awq_scales(const float *x_mean, const float *w_mean, size_t cols, double ratio, float *s) {
    float lo = INFINITY, hi = 0;
    for (size_t k = 0; k < cols; k++) {
        double x = x_mean[k] > 0 ? qz_pow((double)x_mean[k], ratio) : (ratio == 0 ? 1.0 : 0.0);
        if (w_mean) x /= (w_mean[k] > 0 ? qz_pow((double)w_mean[k], 1.0 - ratio) : 0.0) + 1e-4;
        s[k] = x > 1e-4 ? (float)x : 1e-4f;
        lo = s[k] < lo ? s[k] : lo;
        hi = s[k] > hi ? s[k] : hi;
    }
    float n = sqrtf(hi * lo);
    for (size_t k = 0; k < cols; k++) {
        s[k] /= n;
        if (!isfinite(s[k])) s[k] = 1;
    }
}

/* ---- folding ---- */
static void scale_columns(float *w, size_t rows, size_t cols, const float *s) {
    for (size_t r = 0; r < rows; r++)
        for (size_t k = 0; k < cols; k++) w[r * cols + k] *= s[k];
}
static void fold_norm(qz_type type, const qz_awq_input *in, float *s) {
    float *norm = in->norm;
    for (size_t k = 0; k < in->cols; k++) {
        float f = qz_round_float(type, norm[k] / s[k]);
        /* what the file's type took from the norm the columns get back */
        if (f != 0 && isfinite(f) && norm[k] != 0) s[k] = norm[k] / f;
        norm[k] = f;
        if (in->norm_bias) in->norm_bias[k] = qz_round_float(type, in->norm_bias[k] / s[k]);
    }
}
static void fold_row(qz_awq_linear *l, size_t row, float s) {
    for (size_t k = 0; k < l->cols; k++) l->w[row * l->cols + k] /= s;
    if (l->bias) l->bias[row] /= s;
}

void qz_awq_fold(qz_awq_block *b, size_t input, float *s) {
    const qz_awq_input *in = &b->input[input];
    qz_awq_linear *before = &b->linear[in->fold.linear];
    if (in->fold.kind == QZ_FOLD_NORM) fold_norm(b->floats, in, s);
    for (size_t r = 0; in->fold.kind == QZ_FOLD_ROWS && r < before->rows; r++)
        fold_row(before, r, s[qz_fold_column(&in->fold, r)]);
    for (size_t l = in->first; l < in->first + in->n; l++)
        scale_columns(b->linear[l].w, b->linear[l].rows, in->cols, s);
}

/* ---- scale search judged by the Gram matrix ---- */
typedef struct {
    qz_run *run;
    const float *w, *s; /* s NULL: no scaling */
    float *e;           /* Q(w·s)/s − w */
    size_t rows, cols, group;
    uint32_t bits;
    bool sym;
} rtn_job;

static void rtn_worker(void *arg, qz_part part) {
    const rtn_job *j = arg;
    size_t lo, hi;
    qz_split(j->rows, 4, part, &lo, &hi);
    float qmax = (float)((1u << j->bits) - 1), half = (qmax + 1) / 2;
    for (size_t r = lo; r < hi; r++)
        for (size_t g = 0; g < j->cols; g += j->group) {
            const float *w = j->w + r * j->cols + g, *s = j->s ? j->s + g : NULL;
            float *e = j->e + r * j->cols + g, mn = INFINITY, mx = -INFINITY;
            for (size_t k = 0; k < j->group; k++) {
                e[k] = s ? w[k] * s[k] : w[k];
                mn = e[k] < mn ? e[k] : mn;
                mx = e[k] > mx ? e[k] : mx;
            }
            float range = j->sym ? 2 * (-mn > mx ? -mn : mx) : mx - mn, sc = (range > 1e-5f ? range : 1e-5f) / qmax,
                  inv = 1.0f / sc;
            float z = j->sym ? half : -(mn * inv + 12582912.0f - 12582912.0f);
            z = z < 0 ? 0 : z > qmax ? qmax : z;
            for (size_t k = 0; k < j->group; k++) {
                float q = e[k] * inv + 12582912.0f - 12582912.0f + z;
                q = q < 0 ? 0 : q > qmax ? qmax : q;
                float v = (q - z) * sc;
                e[k] = (s ? v / s[k] : v) - w[k];
            }
        }
}

void qz_awq_rounding_error(qz_run *run, const float *w, const float *s, size_t rows, size_t cols,
                           const qz_awq_grid *grid, float *e) {
    rtn_job j = {run, w, s, e, rows, cols, grid->group, grid->bits, grid->sym};
    qz_pool_run(run->pool, 0, rtn_worker, &j);
}

/* rows that a search looks at; of more, only every STRIDE-th ratio and then those around the best */
enum { SAMPLE = 256, STRIDE = 4, MOST_RATIOS = 100 };

typedef struct {
    qz_run *run;
    qz_mm *mm;
    qz_awq_block *b;
    const qz_awq_options *o;
    float *h;              /* [cols, cols] float H of the input */
    float *w;              /* [rows, cols] rows of the input's linears at equal distances */
    size_t rows;
    double share;          /* all rows, of each of those */
    float *e, *scratch;    /* [rows, cols] */
    float *s, *best, *w_mean, *x_mean;
    size_t at;             /* candidate of the best */
} search;

static qz_awq_grid grid_of(const qz_awq_options *o, size_t input) {
    return o->grids ? o->grids[input] : (qz_awq_grid){o->codes.bits, o->codes.group_size, o->codes.sym, false, false};
}

/* Σ rows of eHeᵀ, all rows after the sample. */
static qz_status error_of(search *x, const float *e, size_t cols, double *out, qz_error *err) {
    QZ_TRY(qz_quadratic_error(x->mm, &(qz_quadratic){x->h, cols, x->scratch}, e, x->rows, out, err));
    *out *= x->share;
    return QZ_OK;
}
static qz_status loss_of(search *x, size_t input, const float *s, double *loss, qz_error *err) {
    const qz_awq_grid grid = grid_of(x->o, input);
    const size_t cols = x->b->input[input].cols;
    qz_awq_rounding_error(x->run, x->w, s, x->rows, cols, &grid, x->e);
    return error_of(x, x->e, cols, loss, err);
}

/* The sample of an input, and the mean magnitude of all its weights. */
static qz_status gather(search *x, size_t input, qz_error *err) {
    const qz_awq_input *in = &x->b->input[input];
    qz_linear_rows lin[QZ_LINEARS];
    uint32_t index[SAMPLE];
    size_t rows = 0;
    double *sum = qz_calloc_array(in->cols, sizeof *sum);
    if (sum == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory searching scales");
    for (size_t i = 0; i < in->n; i++) {
        const qz_awq_linear *l = &x->b->linear[in->first + i];
        lin[i] = (qz_linear_rows){l->w, l->rows};
        qz_awq_weight_mean(l->w, l->rows, in->cols, grid_of(x->o, input).group, sum);
        rows += l->rows;
    }
    for (size_t k = 0; k < in->cols; k++) x->w_mean[k] = (float)(sum[k] / (double)rows);
    qz_free(sum);
    x->rows = qz_sample_rows(lin, in->n, SAMPLE, in->cols, x->w, index);
    x->share = (double)rows / (double)x->rows;
    return QZ_OK;
}

void qz_awq_tie_heads(const qz_fold *f, float *s, size_t cols) {
    const size_t d = f->width, group = f->share;
    for (size_t kv = 0; kv < cols / d / group; kv++)
        for (size_t k = 0; k < d; k++) {
            double sum = 0;
            for (size_t a = 0; a < group; a++) sum += qz_log((double)s[(kv * group + a) * d + k]);
            float v = (float)qz_exp(sum / (double)group);
            for (size_t a = 0; a < group; a++) s[(kv * group + a) * d + k] = v;
        }
}

/* Scales fitted to rounding to nearest that gain less are left out: feedback finds that much by itself, and of a fine
 * grid's best ratio a part is luck (text-13m from float inputs: KL 2 to 3 % lower without; models with outlier
 * channels gain half). */
#define LEAST_GAIN 0.1

/* Candidate i of 2 · (steps + 1): ratios with, then without duo scaling. Judged once; kept if it is the best so far. */
static qz_status judge(search *x, size_t input, size_t i, bool *done, qz_awq_report *r, qz_error *err) {
    const qz_awq_input *in = &x->b->input[input];
    const size_t steps = x->o->ratios ? x->o->ratios : 20;
    const double ratio = (double)(i % (steps + 1)) / (double)steps;
    double loss;
    if (*done) return QZ_OK;
    *done = true;
    qz_awq_scales(x->x_mean, i <= steps ? x->w_mean : NULL, in->cols, ratio, x->s);
    if (in->fold.width) qz_awq_tie_heads(&in->fold, x->s, in->cols);
    QZ_TRY(loss_of(x, input, x->s, &loss, err));
    if (!(loss < r->scaled[input])) return QZ_OK;
    r->scaled[input] = loss;
    r->ratio[input] = ratio;
    x->at = i;
    memcpy(x->best, x->s, in->cols * sizeof *x->s);
    return QZ_OK;
}

/* The ratio's grid, coarsely where rows are sampled and then around the best: losses change slowly along it. */
static qz_status search_ratios(search *x, size_t input, qz_awq_report *r, qz_error *err) {
    const size_t steps = x->o->ratios ? x->o->ratios : 20, stride = x->share > 1 ? STRIDE : 1;
    bool done[2 * (MOST_RATIOS + 1)] = {false};
    if (steps > MOST_RATIOS) return qz_fail(err, QZ_EUSAGE, "%zu ratios: expected at most %d", steps, MOST_RATIOS);
    for (size_t half = 0; half < 2; half++)
        for (size_t i = 0; i <= steps; i += stride) {
            const size_t at = half * (steps + 1) + i;
            QZ_TRY(judge(x, input, at, &done[at], r, err));
        }
    for (size_t step = stride / 2; step > 0 && r->ratio[input] >= 0; step /= 2) {
        const size_t first = x->at / (steps + 1) * (steps + 1), mid = x->at;
        if (mid >= first + step) QZ_TRY(judge(x, input, mid - step, &done[mid - step], r, err));
        if (mid + step <= first + steps) QZ_TRY(judge(x, input, mid + step, &done[mid + step], r, err));
    }
    return QZ_OK;
}

static qz_status search_input(search *x, size_t input, qz_awq_report *r, qz_error *err) {
    QZ_TRY(gather(x, input, err));
    QZ_TRY(error_of(x, x->w, x->b->input[input].cols, &r->energy[input], err));
    QZ_TRY(loss_of(x, input, NULL, &r->plain[input], err));
    r->scaled[input] = r->plain[input];
    r->ratio[input] = -1;
    if (!grid_of(x->o, input).fixed) QZ_TRY(search_ratios(x, input, r, err));
    if (r->scaled[input] > (1 - LEAST_GAIN) * r->plain[input]) {
        r->scaled[input] = r->plain[input];
        r->ratio[input] = -1;
    }
    return QZ_OK;
}

static qz_status run_input(search *x, size_t input, const qz_input_stats *stats, double *gram, qz_awq_report *r,
                           qz_error *err) {
    size_t cols = stats->cols;
    if (x->b->input[input].n == 0 || grid_of(x->o, input).off) {
        for (size_t k = 0; k < cols; k++) x->best[k] = 1;
        r->ratio[input] = -1;
        return QZ_OK;
    }
    qz_stats_gram(stats, gram);
    for (size_t i = 0; i < cols * cols; i++) x->h[i] = (float)gram[i];
    memcpy(x->x_mean, stats->mean_abs, cols * sizeof *x->x_mean);
    QZ_TRY(search_input(x, input, r, err));
    if (r->ratio[input] < 0)
        for (size_t k = 0; k < cols; k++) x->best[k] = 1;
    return QZ_OK;
}

/* All scales are found on the unscaled block first, then folded in order. */
static qz_status run_block(search *x, const qz_input_stats *stats, float *const scales[QZ_STAGES], double *gram,
                           qz_awq_report *r, qz_error *err) {
    for (size_t i = 0; i < QZ_STAGES; i++) {
        x->best = scales[i];
        QZ_TRY(run_input(x, i, &stats[i], gram, r, err));
    }
    for (size_t i = 0; i < QZ_STAGES; i++)
        if (r->ratio[i] >= 0) qz_awq_fold(x->b, i, scales[i]);
    return QZ_OK;
}

qz_status qz_awq_block_scales(qz_run *run, qz_mm *mm, qz_awq_block *b, const qz_awq_options *o,
                              float *const scales[QZ_STAGES], qz_awq_report *report, qz_error *err) {
    const qz_input_stats *stats = o->stats;
    *report = (qz_awq_report){0};
    size_t widest = 0;
    for (size_t i = 0; i < QZ_STAGES; i++) widest = qz_max_size(widest, stats[i].cols);
    for (size_t i = 0; i < QZ_STAGES; i++) {
        const qz_awq_grid grid = grid_of(o, i);
        const qz_awq_input *in = &b->input[i];
        if (in->n == 0) continue;
        if (!grid.off && (grid.group == QZ_WHOLE_ROW || in->cols % grid.group != 0))
            return qz_fail(err, QZ_EUSAGE,
                           "group_size %zu does not divide in_features %zu of %s; use a smaller group_size (64 or 32)",
                           grid.group, in->cols, b->linear[in->first].name);
    }
    search x = {.run = run, .mm = mm, .b = b, .o = o};
    double *gram = qz_alloc_aligned(widest * widest, sizeof *gram);
    x.h = qz_alloc_aligned(widest * widest, sizeof(float));
    x.w = qz_alloc_aligned(SAMPLE * widest, sizeof(float));
    x.e = qz_alloc_aligned(SAMPLE * widest, sizeof(float));
    x.scratch = qz_alloc_aligned(SAMPLE * widest, sizeof(float));
    x.s = qz_alloc_array(3 * widest, sizeof(float));
    bool ok = gram && x.h && x.w && x.e && x.scratch && x.s;
    qz_status st = ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for AWQ of one block");
    if (st == QZ_OK) {
        x.w_mean = x.s + widest;
        x.x_mean = x.w_mean + widest;
        st = run_block(&x, stats, scales, gram, report, err);
    }
    qz_free(gram);
    qz_free(x.h);
    qz_free(x.w);
    qz_free(x.e);
    qz_free(x.scratch);
    qz_free(x.s);
    return st;
}
