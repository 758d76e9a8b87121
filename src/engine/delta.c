/* The gated delta net (formats/families-2.md section 2): a short causal convolution, then a state [k_dim, v_dim] for
 * each value head, which every token decays, corrects towards its value and reads. One token after the other, in one
 * pass as in decoding, so that both give the same bits; the heads are independent and go to the threads. */
#include "base/mathx.h"
#include "base/size.h"
#include "engine/elementwise.h"
#include "engine/engine_int.h"
#include "model/kinds.h"
#include <math.h>
#include <string.h>

enum { CHUNK = 64, LANES = 8 };
#define L2_EPS 1e-6f /* of query and key, whatever rms_norm_eps is */

/* Where a token's values stand in the rows of the linears: query and key of key head g at k_step * g (+ k_dim),
 * the others of value head h at base + step * (h / share) + width * (h % share), share heads of one key head in a
 * group. */
typedef struct { float *rows; size_t stride, base, step, width; } heads_at;
typedef struct {
    qz_engine *e;
    const qz_place *at;
    heads_at q, k, v, z, b, a;
    size_t share;              /* value heads in a group */
    const float *conv, *dt, *decay, *norm;
    float *out;                /* [n, v_heads * v_dim] */
} delta_job;

static const float *row_of(const heads_at *x, size_t t, size_t group, size_t inner) {
    return x->rows + t * x->stride + x->base + group * x->step + inner * x->width;
}

/* Channels [channel, channel + n) of a run's rows x (stride apart) through the convolution in place; the window holds
 * the inputs before, the oldest first, `channels` apart. */
static void convolve(const delta_job *j, const qz_seq_run *r, float *x, size_t stride, size_t channel, size_t n) {
    const qz_config *c = &j->e->model->config;
    const size_t taps = (size_t)c->delta.taps;
    const qz_kv_layer *cache = &j->at->kv->layers[j->at->layer];
    const size_t channels = taps > 1 ? cache->n_window / (taps - 1) : 0;
    float *window = taps > 1 ? cache->window + r->seq * cache->n_window + channel : NULL;
    const float *w = j->conv + channel * taps;
    for (size_t i = 0; r->past == 0 && i + 1 < taps; i++) memset(window + i * channels, 0, n * sizeof *window);
    for (size_t t = 0; t < r->n; t++) {
        float *row = x + t * stride, sum[CHUNK];
        for (size_t from = 0; from < n; from += CHUNK) {
            const size_t m = qz_min_size(CHUNK, n - from);
            for (size_t k = 0; k < m; k++) sum[k] = 0;
            for (size_t i = 0; i + 1 < taps; i++) {
                float *past = window + i * channels + from;
                const float *next = i + 2 < taps ? past + channels : row + from;
                for (size_t k = 0; k < m; k++) {
                    sum[k] += w[(from + k) * taps + i] * past[k];
                    past[k] = next[k];
                }
            }
            for (size_t k = 0; k < m; k++) sum[k] += w[(from + k) * taps + taps - 1] * row[from + k];
            for (size_t k = 0; k < m; k++) row[from + k] = qz_silu(sum[k]);
        }
    }
}

/* A part is a key head's query or key, or a value head. */
static void convolve_part(void *arg, qz_part part) {
    const delta_job *j = arg;
    const qz_config *c = &j->e->model->config;
    const size_t nk = (size_t)c->delta.k_heads, dk = (size_t)c->delta.k_dim, dv = (size_t)c->delta.v_dim;
    const qz_step *s = &j->e->step;
    const heads_at *x = part.i < nk ? &j->q : part.i < 2 * nk ? &j->k : &j->v;
    const size_t h = part.i < 2 * nk ? part.i % nk : part.i - 2 * nk, n = part.i < 2 * nk ? dk : dv,
                 group = part.i < 2 * nk ? h : h / j->share, inner = part.i < 2 * nk ? 0 : h % j->share,
                 channel = part.i < 2 * nk ? part.i * dk : 2 * nk * dk + h * dv;
    for (size_t i = 0; i < s->n_runs; i++) {
        const qz_seq_run *r = &s->runs[i];
        convolve(j, r, (float *)(uintptr_t)row_of(x, r->first, group, inner), x->stride, channel, n);
    }
}

/* y = x / √(Σx² + eps) · scale; the sum in lanes by index. */
static void normalize(const float *x, size_t n, float scale, float *y) {
    float acc[LANES] = {0}, sum = 0;
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t i = 0; i < LANES; i++) acc[i] += x[k + i] * x[k + i];
    for (size_t i = 0; k + i < n; i++) acc[i] += x[k + i] * x[k + i];
    for (size_t i = 0; i < LANES; i++) sum += acc[i];
    const float f = 1.0f / sqrtf(sum + L2_EPS) * scale;
    for (k = 0; k < n; k++) y[k] = x[k] * f;
}

static float softplus(float x) { return x > 20 ? x : (float)qz_log(1.0 + qz_exp((double)x)); }

/* S <- S·decay; delta = beta·(v - Sᵀk); S <- S + k·deltaᵀ; o = Sᵀq. */
typedef struct { const float *q, *k, *v; float decay, beta; size_t dk, dv; } delta_token;
static void advance(const delta_token *t, float *restrict state, float *restrict o, float *restrict delta) {
    const size_t dk = t->dk, dv = t->dv;
    const float *restrict q = t->q, *restrict k = t->k, *restrict v = t->v;
    const float decay = t->decay, beta = t->beta;
    for (size_t c = 0; c < dv; c++) delta[c] = o[c] = 0;
    for (size_t i = 0; i < dk; i++) {
        float *restrict s = state + i * dv;
        const float x = k[i];
        for (size_t c = 0; c < dv; c++) {
            s[c] *= decay;
            delta[c] += s[c] * x;
        }
    }
    for (size_t c = 0; c < dv; c++) delta[c] = beta * (v[c] - delta[c]);
    for (size_t i = 0; i < dk; i++) {
        float *restrict s = state + i * dv;
        const float x = k[i], y = q[i];
        for (size_t c = 0; c < dv; c++) {
            s[c] += x * delta[c];
            o[c] += s[c] * y;
        }
    }
}

typedef struct { float q[QZ_MAX_DELTA_DIM], k[QZ_MAX_DELTA_DIM], delta[QZ_MAX_DELTA_DIM]; } delta_scratch;

/* Value head h of the runs, one after the other: a sequence may come several times. */
static void recur_part(void *arg, qz_part part) {
    const delta_job *j = arg;
    const qz_config *c = &j->e->model->config;
    const size_t nk = (size_t)c->delta.k_heads, nv = (size_t)c->delta.v_heads, dk = (size_t)c->delta.k_dim,
                 dv = (size_t)c->delta.v_dim, h = part.i, group = h / j->share, inner = h % j->share,
                 key = c->delta.tiled ? h % nk : h / (nv / nk);
    const qz_kv_layer *cache = &j->at->kv->layers[j->at->layer];
    const qz_step *s = &j->e->step;
    const float rate = c->delta.rates ? j->decay[h] : -(float)qz_exp((double)j->decay[h]),
                scale = 1.0f / sqrtf((float)dk);
    delta_scratch x;
    for (size_t i = 0; i < s->n_runs; i++) {
        const qz_seq_run *r = &s->runs[i];
        float *state = cache->state + r->seq * cache->n_state + h * dk * dv;
        if (r->past == 0) memset(state, 0, dk * dv * sizeof *state);
        for (size_t t = r->first; t < r->first + r->n; t++) {
            const float a = *row_of(&j->a, t, group, inner), b = *row_of(&j->b, t, group, inner),
                        *z = row_of(&j->z, t, group, inner);
            const delta_token token = {x.q, x.k, row_of(&j->v, t, group, inner),
                                       (float)qz_exp((double)(rate * softplus(a + j->dt[h]))),
                                       1.0f / (1.0f + (float)qz_exp(-(double)b)), dk, dv};
            float *o = j->out + (t * nv + h) * dv;
            normalize(row_of(&j->q, t, key, 0), dk, scale, x.q);
            normalize(row_of(&j->k, t, key, 0), dk, 1, x.k);
            advance(&token, state, o, x.delta);
            qz_mm_rms_norm(j->e->mm, o, j->norm, dv, (float)c->rms_norm_eps, o);
            for (size_t d = 0; d < dv; d++) o[d] *= qz_silu(z[d]);
            qz_step_watch(j->e, o, dv);
        }
    }
}

/* Behind the input's linears: all of the sub-module but its last one. */
static qz_status mix(delta_job *j, size_t n, float *y, size_t out_linear, qz_error *err) {
    qz_engine *e = j->e;
    const qz_config *c = &e->model->config;
    const float *const *part = j->at->w->part;
    j->conv = part[QZ_DELTA_CONV], j->dt = part[QZ_DELTA_DT];
    j->decay = part[QZ_DELTA_A], j->norm = part[QZ_DELTA_NORM];
    j->out = e->step.input[QZ_SUB_MIXER][1];
    qz_pool_run(e->run->pool, (size_t)(2 * c->delta.k_heads + c->delta.v_heads), convolve_part, j);
    qz_pool_run(e->run->pool, (size_t)c->delta.v_heads, recur_part, j);
    QZ_TRY(qz_step_input(e, j->at, out_linear, j->out, n, err));
    return qz_step_linears(e, j->at->w, (qz_linears){out_linear, 1}, j->out, n, &y, err);
}

qz_status qz_step_delta_split(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    const qz_config *c = &e->model->config;
    float *const *out = e->step.linear + QZ_DELTA_QKV;
    const size_t keys = (size_t)(c->delta.k_heads * c->delta.k_dim), dk = (size_t)c->delta.k_dim,
                 dv = (size_t)c->delta.v_dim, nv = (size_t)c->delta.v_heads, rows = 2 * keys + nv * dv;
    QZ_TRY(qz_step_input(e, at, QZ_DELTA_QKV, h, n, err));
    QZ_TRY(qz_step_linears(e, at->w, (qz_linears){QZ_DELTA_QKV, 4}, h, n, out, err));
    delta_job j = {.e = e, .at = at, .share = nv,
                   .q = {out[0], rows, 0, dk, 0}, .k = {out[0], rows, keys, dk, 0},
                   .v = {out[0], rows, 2 * keys, 0, dv}, .z = {out[1], nv * dv, 0, 0, dv},
                   .b = {out[2], nv, 0, 0, 1}, .a = {out[3], nv, 0, 0, 1}};
    return mix(&j, n, y, QZ_DELTA_SPLIT_OUT, err);
}

/* As qz_step_delta, its first matrix taken apart. */
qz_status qz_step_delta_gated(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    const qz_config *c = &e->model->config;
    float *const *out = e->step.linear + QZ_DELTA_GATED_QKV;
    const size_t nk = (size_t)c->delta.k_heads, dk = (size_t)c->delta.k_dim, dv = (size_t)c->delta.v_dim,
                 nv = (size_t)c->delta.v_heads, share = nv / nk, rows = 2 * nk * dk + nv * dv;
    QZ_TRY(qz_step_input(e, at, QZ_DELTA_GATED_QKV, h, n, err));
    QZ_TRY(qz_step_linears(e, at->w, (qz_linears){QZ_DELTA_GATED_QKV, 3}, h, n, out, err));
    delta_job j = {.e = e, .at = at, .share = share,
                   .q = {out[0], rows, 0, dk, 0}, .k = {out[0], rows, nk * dk, dk, 0},
                   .v = {out[0], rows, 2 * nk * dk, share * dv, dv}, .z = {out[1], nv * dv, 0, share * dv, dv},
                   .b = {out[2], 2 * nv, 0, 2 * share, 1}, .a = {out[2], 2 * nv, share, 2 * share, 1}};
    return mix(&j, n, y, QZ_DELTA_GATED_OUT, err);
}

/* All of a key head side by side: its query, key, values and gates; its β and decays. */
qz_status qz_step_delta(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    const qz_config *c = &e->model->config;
    float *const *out = e->step.linear + QZ_DELTA_QKVZ;
    const size_t nk = (size_t)c->delta.k_heads, dk = (size_t)c->delta.k_dim, dv = (size_t)c->delta.v_dim,
                 share = (size_t)c->delta.v_heads / nk, group = 2 * (dk + share * dv);
    QZ_TRY(qz_step_input(e, at, QZ_DELTA_QKVZ, h, n, err));
    QZ_TRY(qz_step_linears(e, at->w, (qz_linears){QZ_DELTA_QKVZ, 2}, h, n, out, err));
    delta_job j = {.e = e, .at = at, .share = share,
                   .q = {out[0], nk * group, 0, group, 0}, .k = {out[0], nk * group, dk, group, 0},
                   .v = {out[0], nk * group, 2 * dk, group, dv},
                   .z = {out[0], nk * group, 2 * dk + share * dv, group, dv},
                   .b = {out[1], 2 * nk * share, 0, 2 * share, 1}, .a = {out[1], 2 * nk * share, share, 2 * share, 1}};
    return mix(&j, n, y, QZ_DELTA_OUT, err);
}
