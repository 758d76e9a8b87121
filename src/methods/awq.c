#include "methods/awq.h"
#include "base/half.h"
#include "base/mathx.h"
#include "base/size.h"
#include <math.h>
#include <string.h>

static const qz_linear qkv[] = {QZ_LIN_Q, QZ_LIN_K, QZ_LIN_V}, o_proj[] = {QZ_LIN_O}, gate_up[] = {QZ_LIN_GATE, QZ_LIN_UP}, down[] = {QZ_LIN_DOWN};

size_t qz_awq_linears(qz_awq_entry e, const qz_linear **out) {
    switch (e) {
    case QZ_AWQ_QKV: *out = qkv; return 3;
    case QZ_AWQ_O: *out = o_proj; return 1;
    case QZ_AWQ_MLP: *out = gate_up; return 2;
    case QZ_AWQ_DOWN:
    case QZ_AWQ_ENTRIES: break;
    }
    *out = down;
    return 1;
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
static void fold_norm(float *norm, float *s, size_t n) {
    for (size_t k = 0; k < n; k++) {
        float f = qz_f16_to_f32(qz_f32_to_f16(norm[k] / s[k]));
        if (f != 0 && isfinite(f) && norm[k] != 0) s[k] = norm[k] / f; /* what float16 took from the norm the columns get back */
        norm[k] = f;
    }
}
static void fold_rows(qz_awq_block *b, qz_linear l, size_t row, float s) {
    for (size_t k = 0; k < b->cols[l]; k++) b->w[l][row * b->cols[l] + k] /= s;
    if (b->bias[l]) b->bias[l][row] /= s;
}
/* KV channel whose v row feeds column k of o_proj. */
static size_t kv_channel(const qz_config *c, size_t k) {
    size_t d = c->head_dim, group = c->heads / c->kv_heads;
    return k / d / group * d + k % d;
}

size_t qz_awq_row_column(const qz_config *c, qz_awq_entry e, size_t row) {
    size_t d = c->head_dim;
    return e == QZ_AWQ_O ? row / d * (c->heads / c->kv_heads) * d + row % d : row;
}

void qz_awq_fold(qz_awq_block *b, qz_awq_entry e, float *s) {
    const qz_linear *lin;
    size_t n = qz_awq_linears(e, &lin), cols = b->cols[lin[0]];
    if (e == QZ_AWQ_QKV) fold_norm(b->attn_norm, s, cols);
    if (e == QZ_AWQ_MLP) fold_norm(b->ffn_norm, s, cols);
    if (e == QZ_AWQ_DOWN)
        for (size_t k = 0; k < cols; k++) fold_rows(b, QZ_LIN_UP, k, s[k]);
    if (e == QZ_AWQ_O) {
        size_t group = b->config->heads / b->config->kv_heads, d = b->config->head_dim;
        for (size_t k = 0; k < cols; k++)
            if (k / d % group == 0) fold_rows(b, QZ_LIN_V, kv_channel(b->config, k), s[k]);
    }
    for (size_t i = 0; i < n; i++) scale_columns(b->w[lin[i]], b->rows[lin[i]], cols, s);
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
            float range = j->sym ? 2 * (-mn > mx ? -mn : mx) : mx - mn, sc = (range > 1e-5f ? range : 1e-5f) / qmax, inv = 1.0f / sc;
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

typedef struct {
    qz_run *run;
    qz_mm *mm;
    qz_awq_block *b;
    const qz_awq_options *o;
    float *h;              /* [cols, cols] float H of the entry's input */
    float *e, *scratch;    /* [max rows, cols] */
    float *s, *best, *w_mean, *x_mean;
} search;

static qz_awq_grid grid_of(const qz_awq_options *o, qz_awq_entry e) {
    return o->grids ? o->grids[e] : (qz_awq_grid){o->codes.bits, o->codes.group_size, o->codes.sym, false, false};
}

static qz_status loss_of(search *x, qz_awq_entry entry, const float *s, double *loss, qz_error *err) {
    const qz_awq_grid grid = grid_of(x->o, entry);
    const qz_linear *lin;
    size_t n = qz_awq_linears(entry, &lin);
    *loss = 0;
    for (size_t i = 0; i < n; i++) {
        size_t rows = x->b->rows[lin[i]], cols = x->b->cols[lin[i]];
        rtn_job j = {x->run, x->b->w[lin[i]], s, x->e, rows, cols, grid.group_size, grid.bits, grid.sym};
        qz_pool_run(x->run->pool, 0, rtn_worker, &j);
        double part;
        QZ_TRY(qz_quadratic_error(x->mm, x->e, rows, x->h, cols, x->scratch, &part, err));
        *loss += part;
    }
    return QZ_OK;
}

/* Σ rows of wHwᵀ over the entry's linears. */
static qz_status energy_of(search *x, qz_awq_entry entry, double *energy, qz_error *err) {
    const qz_awq_block *b = x->b;
    const qz_linear *lin;
    size_t n = qz_awq_linears(entry, &lin);
    *energy = 0;
    for (size_t i = 0; i < n; i++) {
        const qz_linear l = lin[i];
        double part;
        QZ_TRY(qz_quadratic_error(x->mm, b->w[l], b->rows[l], x->h, b->cols[l], x->scratch, &part, err));
        *energy += part;
    }
    return QZ_OK;
}

/* Under GQA the query heads of one KV head share its channels: their scales are averaged (geometric mean). */
static void tie_heads(const qz_config *c, float *s) {
    size_t d = c->head_dim, group = c->heads / c->kv_heads;
    for (size_t kv = 0; kv < c->kv_heads; kv++)
        for (size_t k = 0; k < d; k++) {
            double sum = 0;
            for (size_t a = 0; a < group; a++) sum += qz_log((double)s[(kv * group + a) * d + k]);
            float v = (float)qz_exp(sum / (double)group);
            for (size_t a = 0; a < group; a++) s[(kv * group + a) * d + k] = v;
        }
}

/* Scales fitted to rounding to nearest that gain less are left out: feedback finds that much by itself, and of a fine grid's best
 * ratio a part is luck (text-13m from float inputs: KL 2 to 3 % lower without; models with outlier channels gain half). */
#define LEAST_GAIN 0.1

static qz_status search_entry(search *x, qz_awq_entry entry, qz_awq_report *r, qz_error *err) {
    const qz_linear *lin;
    size_t n = qz_awq_linears(entry, &lin), cols = x->b->cols[lin[0]], rows = 0, steps = x->o->ratios ? x->o->ratios : 20;
    double *sum = qz_calloc_array(cols, sizeof *sum);
    if (sum == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory searching scales");
    for (size_t i = 0; i < n; i++) {
        qz_awq_weight_mean(x->b->w[lin[i]], x->b->rows[lin[i]], cols, grid_of(x->o, entry).group_size, sum);
        rows += x->b->rows[lin[i]];
    }
    for (size_t k = 0; k < cols; k++) x->w_mean[k] = (float)(sum[k] / (double)rows);
    qz_free(sum);
    QZ_TRY(energy_of(x, entry, &r->energy[entry], err));
    QZ_TRY(loss_of(x, entry, NULL, &r->plain[entry], err));
    r->scaled[entry] = r->plain[entry];
    r->ratio[entry] = -1;
    for (size_t i = 0; !grid_of(x->o, entry).fixed && i <= 2 * steps + 1; i++) { /* with and without duo scaling */
        double ratio = (double)(i % (steps + 1)) / (double)steps, loss;
        qz_awq_scales(x->x_mean, i <= steps ? x->w_mean : NULL, cols, ratio, x->s);
        if (entry == QZ_AWQ_O) tie_heads(x->b->config, x->s);
        QZ_TRY(loss_of(x, entry, x->s, &loss, err));
        if (!(loss < r->scaled[entry])) continue;
        r->scaled[entry] = loss;
        r->ratio[entry] = ratio;
        memcpy(x->best, x->s, cols * sizeof *x->s);
    }
    if (r->scaled[entry] > (1 - LEAST_GAIN) * r->plain[entry]) {
        r->scaled[entry] = r->plain[entry];
        r->ratio[entry] = -1;
    }
    return QZ_OK;
}

static qz_status run_entry(search *x, qz_awq_entry entry, const qz_input_stats *stats, double *gram, qz_awq_report *r, qz_error *err) {
    size_t cols = stats->cols;
    if (grid_of(x->o, entry).off) {
        for (size_t k = 0; k < cols; k++) x->best[k] = 1;
        r->ratio[entry] = -1;
        return QZ_OK;
    }
    qz_stats_gram(stats, gram);
    for (size_t i = 0; i < cols * cols; i++) x->h[i] = (float)gram[i];
    memcpy(x->x_mean, stats->mean_abs, cols * sizeof *x->x_mean);
    QZ_TRY(search_entry(x, entry, r, err));
    if (r->ratio[entry] < 0)
        for (size_t k = 0; k < cols; k++) x->best[k] = 1;
    return QZ_OK;
}

/* All scales are found on the unscaled block first, then folded in order. */
static qz_status run_block(search *x, const qz_input_stats *stats, float *const scales[QZ_AWQ_ENTRIES], double *gram, qz_awq_report *r, qz_error *err) {
    for (int e = 0; e < QZ_AWQ_ENTRIES; e++) {
        x->best = scales[e];
        QZ_TRY(run_entry(x, (qz_awq_entry)e, &stats[e], gram, r, err));
    }
    for (int e = 0; e < QZ_AWQ_ENTRIES; e++)
        if (r->ratio[e] >= 0) qz_awq_fold(x->b, (qz_awq_entry)e, scales[e]);
    return QZ_OK;
}

_Static_assert((int)QZ_AWQ_QKV == (int)QZ_GROUP_QKV && (int)QZ_AWQ_DOWN == (int)QZ_GROUP_DOWN, "entries follow the input groups");

qz_status qz_awq_block_scales(qz_run *run, qz_mm *mm, qz_awq_block *b, const qz_input_stats stats[QZ_GROUP_COUNT], const qz_awq_options *o,
                              float *const scales[QZ_AWQ_ENTRIES], qz_awq_report *report, qz_error *err) {
    *report = (qz_awq_report){0};
    size_t widest = 0, elems = 0;
    for (int e = 0; e < QZ_AWQ_ENTRIES; e++) widest = qz_max_size(widest, stats[e].cols);
    for (int e = 0; e < QZ_AWQ_ENTRIES; e++) {
        const qz_awq_grid grid = grid_of(o, (qz_awq_entry)e);
        const qz_linear *lin;
        size_t n = qz_awq_linears((qz_awq_entry)e, &lin);
        for (size_t i = 0; i < n; i++) elems = qz_max_size(elems, b->rows[lin[i]] * b->cols[lin[i]]);
        if (!grid.off && (grid.group_size == 0 || b->cols[lin[0]] % grid.group_size != 0))
            return qz_fail(err, QZ_EUSAGE, "group_size %u does not divide in_features %zu of %s; use a smaller group_size (64 or 32)", grid.group_size, b->cols[lin[0]],
                           qz_linear_name(lin[0]));
    }
    search x = {.run = run, .mm = mm, .b = b, .o = o};
    double *gram = qz_alloc_aligned(widest * widest, sizeof *gram);
    x.h = qz_alloc_aligned(widest * widest, sizeof(float));
    x.e = qz_alloc_aligned(elems, sizeof(float));
    x.scratch = qz_alloc_aligned(elems, sizeof(float));
    x.s = qz_alloc_array(3 * widest, sizeof(float));
    bool ok = gram && x.h && x.e && x.scratch && x.s;
    qz_status st = ok ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory for AWQ of one block");
    if (st == QZ_OK) {
        x.w_mean = x.s + widest;
        x.x_mean = x.w_mean + widest;
        st = run_block(&x, stats, scales, gram, report, err);
    }
    qz_free(gram);
    qz_free(x.h);
    qz_free(x.e);
    qz_free(x.scratch);
    qz_free(x.s);
    return st;
}
