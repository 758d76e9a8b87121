/* Softmax attention. Over the cache: for one run of tokens and one KV head, all its query heads together.
 * Scores, softmax and the weighted sum of values are computed a block of query tokens at a time. */
#include "base/mathx.h"
#include "base/size.h"
#include "engine/elementwise.h"
#include "engine/engine_int.h"
#include "model/config_wide.h"
#include "model/kinds.h"
#include <math.h>
#include <string.h>

enum { QUERY_BLOCK = 32 };

/* A layer's heads: numbers of its linears (k, v NONE: the keys of layer `source`, or what k gives before its norm),
 * width and number of key heads; wide: values of a head in the rows of q, its query and its gate behind it. */
enum { NONE = QZ_LINEARS };
typedef struct { size_t q, k, v, o, source, d, kv_heads, wide; bool normed; } heads;
static heads heads_of(const qz_config *c, const qz_kv *kv, size_t layer) {
    const qz_kind_id kind = (qz_kind_id)c->layer_mixer[layer];
    const size_t source = qz_config_key_layer(c, layer);
    heads h = {.q = QZ_ATTN_Q, .k = QZ_ATTN_K, .v = QZ_ATTN_V, .o = QZ_ATTN_O, .source = source,
               .d = kv->layers[source].k_dim, .kv_heads = kv->layers[source].heads,
               .normed = kind != QZ_KIND_ATTENTION};
    if (kind == QZ_KIND_WIDE_KEYS) h.q = QZ_KEYS_Q, h.k = QZ_KEYS_K, h.v = NONE, h.o = QZ_KEYS_O;
    if (source != layer) h.q = QZ_BORROWED_Q, h.k = h.v = NONE, h.o = QZ_BORROWED_O;
    h.wide = h.d * (c->q_gate ? 2 : 1);
    return h;
}

typedef struct {
    qz_engine *e;
    qz_kv *kv;
    const qz_kv_layer *cache;
    heads h;
    size_t layer, window;
    const float *sinks; /* [heads] or NULL */
} attend_job;

/* A row of queries against the keys, and the weighted sum of values, in the type of the cache. */
/* m queries and n keys, whose first value is at `at` of the cache; scores [m, stride]. */
typedef struct { size_t m, n, at; float *scores; size_t stride; } attend_tile;
static void times_keys(const attend_job *j, const attend_tile *t, const float *q, size_t ldq) {
    const size_t d = j->cache->k_dim;
    if (j->kv->type == QZ_KV_EXACT)
        qz_mm_gemm_nt_local(j->e->mm, &(qz_product){t->m, t->n, d, q, ldq, (const float *)j->cache->k + t->at, d,
                                                    t->scores, t->stride});
    else
        qz_mm_gemm_nt_local_f16(j->e->mm, &(qz_product){t->m, t->n, d, q, ldq, NULL, 0, t->scores, t->stride},
                                                        (const uint16_t *)j->cache->k + t->at);
}
static void times_values(const attend_job *j, const attend_tile *t, float *out, size_t ldo) {
    const size_t d = j->cache->k_dim;
    if (j->kv->type == QZ_KV_EXACT)
        qz_mm_gemm_nn_local(j->e->mm, &(qz_product){t->m, d, t->n, t->scores, t->stride,
                                                    (const float *)j->cache->v + t->at, d, out, ldo});
    else
        qz_mm_gemm_nn_local_f16(j->e->mm, &(qz_product){t->m, d, t->n, t->scores, t->stride, NULL, 0, out, ldo},
                                                        (const uint16_t *)j->cache->v + t->at);
}

/* The first key that position pos sees: of a window that slides, or of the position's chunk. */
static size_t first_key(const attend_job *j, size_t pos) {
    if (j->window == 0) return 0;
    if (j->e->model->config.chunked) return pos / j->window * j->window;
    return pos + 1 > j->window ? pos + 1 - j->window : 0;
}

/* Softmax of s[lo..hi) · scale beside a score that takes its share and gives nothing (formats/families-2.md section 1):
 * the largest of the others tells their sum. */
static void softmax_beside(const attend_job *j, float *s, size_t n, size_t lo, size_t hi, float scale, float sink) {
    size_t at = lo;
    for (size_t k = lo + 1; k < hi; k++)
        if (s[k] > s[at]) at = k;
    const float most = s[at] * scale;
    qz_mm_softmax(j->e->mm, s, n, lo, hi, scale);
    const float rest = 1 / (1 + qz_expf(sink - most) * s[at]);
    for (size_t k = lo; k < hi; k++) s[k] *= rest;
}

/* Queries of one KV head: of each of its query heads nt tokens from t0 on. Of one token (decoding) the heads stand one
 * behind the other and go through keys and values together; a sum's order does not change with it. */
static void attend_block(const attend_job *j, const qz_seq_run *r, size_t kv_head, size_t t0, size_t nt,
                         float *scores) {
    qz_engine *e = j->e;
    const qz_config *c = &e->model->config;
    size_t d = j->h.d, group = c->heads / j->h.kv_heads, ld = c->heads * d;
    size_t keys = r->past + t0 + nt, stride = (keys + 15) & ~(size_t)15;
    const size_t slot = qz_kv_slot(j->kv, j->h.source, r->seq, kv_head);
    const size_t wide = j->h.wide;
    const size_t m = nt == 1 ? group : nt, step = nt == 1 ? d : ld, q_step = nt == 1 ? wide : c->heads * wide;
    const size_t first = first_key(j, r->past + t0) & ~(size_t)15; /* keys before every query's window are skipped */
    const attend_tile tile = {m, keys - first, slot + first * d, scores, stride};
    float scale = (float)c->attn_scale;
    const float cap = (float)c->attn_softcap;
    for (size_t a = 0; a < (nt == 1 ? 1 : group); a++) {
        const float *q = e->step.linear[j->h.q] + ((r->first + t0) * c->heads + kv_head * group + a) * wide;
        float *out = e->step.input[QZ_SUB_MIXER][1] + (r->first + t0) * ld + (kv_head * group + a) * d;
        times_keys(j, &tile, q, q_step);
        for (size_t t = 0; t < m; t++) {
            const size_t pos = r->past + t0 + (nt == 1 ? 0 : t), lo = first_key(j, pos);
            if (cap > 0) qz_softcap(scores + t * stride + (lo - first), pos + 1 - lo, scale, cap);
            const float by = cap > 0 ? 1 : scale;
            if (j->sinks)
                softmax_beside(j, scores + t * stride, keys - first, lo - first, pos + 1 - first, by,
                               j->sinks[kv_head * group + (nt == 1 ? t : a)]);
            else qz_mm_softmax(e->mm, scores + t * stride, keys - first, lo - first, pos + 1 - first, by);
        }
        times_values(j, &tile, out, step);
        for (size_t t = 0; t < m; t++) qz_step_watch(e, out + t * step, d);
    }
}

static size_t query_blocks(const qz_seq_run *r) { return (r->n + QUERY_BLOCK - 1) / QUERY_BLOCK; }

/* A part is a head's block of queries: heads one after the other, so that a thread's own parts share keys and values,
 * and long blocks first. */
static void attend_part(void *arg, qz_part part) {
    const attend_job *j = arg;
    const qz_step *s = &j->e->step;
    const size_t n = j->h.kv_heads;
    size_t at = part.i, r = 0;
    for (; at >= n * query_blocks(&s->runs[r]); r++) at -= n * query_blocks(&s->runs[r]);
    const size_t blocks = query_blocks(&s->runs[r]), t0 = (blocks - 1 - at % blocks) * QUERY_BLOCK;
    attend_block(j, &s->runs[r], at / blocks, t0, qz_min_size(QUERY_BLOCK, s->runs[r].n - t0), s->scores[part.thread]);
}

qz_status qz_step_reserve_scores(qz_engine *e, size_t need, size_t keys, qz_error *err) {
    qz_step *s = &e->step;
    for (size_t i = 0; i < qz_pool_size(e->run->pool); i++) {
        if (s->scores_cap[i] >= need) continue;
        qz_free(s->scores[i]);
        s->scores[i] = qz_alloc_aligned(need, sizeof(float));
        s->scores_cap[i] = s->scores[i] ? need : 0;
        if (s->scores[i] == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for attention over %zu keys", keys);
    }
    return QZ_OK;
}

static qz_status attend(qz_engine *e, const qz_place *at, qz_error *err) {
    const qz_config *c = &e->model->config;
    qz_step *s = &e->step;
    size_t keys = 0, parts = 0;
    const heads h = heads_of(c, at->kv, at->layer);
    for (size_t r = 0; r < s->n_runs; r++) {
        keys = qz_max_size(keys, s->runs[r].past + s->runs[r].n);
        parts += h.kv_heads * query_blocks(&s->runs[r]);
    }
    size_t need = ((keys + 15) & ~(size_t)15) * qz_max_size(QUERY_BLOCK, (size_t)c->heads / h.kv_heads);
    QZ_TRY(qz_step_reserve_scores(e, need, keys, err));
    attend_job j = {.e = e, .kv = at->kv, .cache = &at->kv->layers[h.source], .h = h, .layer = at->layer,
                    .window = c->layer_sliding[at->layer] ? (size_t)c->sliding_window : 0,
                    .sinks = at->w->part[QZ_ATTN_SINKS]};
    if (parts) qz_pool_run(e->run->pool, parts, attend_part, &j);
    return QZ_OK;
}

typedef struct { qz_engine *e; const qz_place *at; size_t n; heads h; } place_job;

/* A key and a value of one head to the cache. */
static void keep(const place_job *j, size_t at, const float *k, const float *v) {
    qz_engine *e = j->e;
    const qz_kv *kv = j->at->kv;
    const qz_kv_layer *cache = &kv->layers[j->at->layer];
    const size_t d = j->h.d;
    if (kv->type == QZ_KV_EXACT) {
        memcpy((float *)cache->k + at, k, d * sizeof *k);
        memcpy((float *)cache->v + at, v, d * sizeof *v);
        return;
    }
    qz_mm_to_f16(e->mm, k, d, (uint16_t *)cache->k + at);
    qz_mm_to_f16(e->mm, v, d, (uint16_t *)cache->v + at);
    if (qz_infinite_f16((const uint16_t *)cache->k + at, d) || qz_infinite_f16((const uint16_t *)cache->v + at, d))
        atomic_store_explicit(&e->step.beyond, true, memory_order_relaxed);
}

/* q/k norms and rotation for one token, then its keys and values go to the cache. */
static void place_token(const place_job *j, const qz_seq_run *r, size_t t) {
    qz_engine *e = j->e;
    const qz_config *c = &e->model->config;
    const qz_kv *kv = j->at->kv;
    const bool slides = c->layer_sliding[j->at->layer];
    const size_t d = j->h.d, pos = r->past + (t - r->first), wide = j->h.wide, n_kv = j->h.kv_heads;
    const float *table = kv->rope_local && slides ? kv->rope_local : kv->rope;
    const float *cs = qz_rope_by_call(c) ? e->step.rope + t * d : table + pos * kv->rope_stride;
    const float *q_norm = j->at->w->norm[QZ_NORM_Q], *k_norm = j->at->w->norm[QZ_NORM_K];
    void (*rope)(float *, const float *, size_t) = c->rope.interleaved ? qz_rope_interleaved : qz_rope_half;
    const size_t half = c->layer_no_rope[j->at->layer] ? 0 : (size_t)qz_rotary_dim(c, slides) / 2;
    const float eps = (float)c->rms_norm_eps;
    float *q = e->step.linear[j->h.q] + t * c->heads * wide, value[2 * QZ_MAX_ROPE_PAIRS];
    const bool whole = c->qk_norm_whole;
    if (whole && q_norm) qz_mm_rms_norm(e->mm, q, q_norm, c->heads * d, eps, q);
    const float growth = half ? qz_query_growth(&c->rope, pos) : qz_plain_query_growth(c, pos);
    const bool plain = c->qk_plain && half;
    for (size_t h = 0; h < c->heads; h++) {
        if (q_norm && !whole) qz_mm_rms_norm(e->mm, q + h * wide, q_norm, d, eps, q + h * wide);
        rope(q + h * wide, cs, half);
        if (plain) qz_rms_plain(q + h * wide, d, eps);
        if (growth != 1) qz_scale_row(q + h * wide, d, growth);
    }
    if (j->h.k == NONE) return;
    float *k = e->step.linear[j->h.k] + t * n_kv * d;
    const float *v = j->h.v == NONE ? k : e->step.linear[j->h.v] + t * n_kv * d;
    if (whole && k_norm) qz_mm_rms_norm(e->mm, k, k_norm, n_kv * d, eps, k);
    for (size_t h = 0; h < n_kv; h++) {
        if (j->h.normed) memcpy(value, v + h * d, d * sizeof *v); /* before the norm of keys, which may be these */
        if (j->h.normed) qz_rms_plain(value, d, eps);
        if (k_norm && !whole) qz_mm_rms_norm(e->mm, k + h * d, k_norm, d, eps, k + h * d);
        rope(k + h * d, cs, half);
        if (plain) qz_rms_plain(k + h * d, d, eps);
        keep(j, qz_kv_slot(kv, j->at->layer, r->seq, h) + pos * d, k + h * d, j->h.normed ? value : v + h * d);
    }
}
static void place_worker(void *arg, qz_part part) {
    const place_job *j = arg;
    const qz_step *s = &j->e->step;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t r = 0; r < s->n_runs; r++) {
        size_t a = qz_max_size(lo, s->runs[r].first), b = qz_min_size(hi, s->runs[r].first + s->runs[r].n);
        for (size_t t = a; t < b; t++) place_token(j, &s->runs[r], t);
    }
}

/* A float16 cache would make infinity of a finite key or value, and attention could hide it. What is not finite already
 * shows at the block's end. */
static qz_status check_cached(qz_engine *e, const qz_kv *kv, size_t layer, size_t n, qz_error *err) {
    if (!atomic_exchange_explicit(&e->step.beyond, false, memory_order_relaxed)) return QZ_OK;
    const size_t width = kv->layers[layer].heads * kv->layers[layer].k_dim;
    const heads h = heads_of(&e->model->config, kv, layer);
    const float *const what[] = {e->step.linear[h.k], h.normed ? NULL : e->step.linear[h.v]}; /* those are small */
    for (int i = 0; i < 2 && what[i]; i++) {
        const float x = qz_beyond_f16(what[i], n * width);
        if (x != 0)
            return qz_fail(err, QZ_ENUMERIC,
                           "a %s is beyond float16, in which runtime arithmetic keeps the cache: model '%s', layer "
                           "%zu: expected below 65520, found %g; use --arith exact, "
                           "and check its weights ('quantz verify', 'quantz check --deep') if no sound model has such "
                           "values",
                           i ? "value" : "key", e->model->path, layer, (double)x);
    }
    return QZ_OK;
}

/* Heads times the sigmoid of their gates, which stand behind their queries. */
static void gate_worker(void *arg, qz_part part) {
    const place_job *j = arg;
    const qz_config *c = &j->e->model->config;
    const size_t d = j->h.d;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t i = lo * c->heads; i < hi * c->heads; i++) {
        const float *gate = j->e->step.linear[j->h.q] + i * 2 * d + d;
        float *x = j->e->step.input[QZ_SUB_MIXER][1] + i * d;
        for (size_t k = 0; k < d; k++) x[k] *= 1.0f / (1.0f + qz_expf(-gate[k]));
        qz_step_watch(j->e, x, d);
    }
}

qz_status qz_step_attention(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    const heads own = heads_of(&e->model->config, at->kv, at->layer);
    float *const *out = e->step.linear + own.q;
    const float *mixed = e->step.input[QZ_SUB_MIXER][1];
    QZ_TRY(qz_step_input(e, at, own.q, h, n, err));
    QZ_TRY(qz_step_linears(e, at->w, (qz_linears){own.q, own.o - own.q}, h, n, out, err));
    place_job j = {e, at, n, own};
    qz_step_rows(e, place_worker, n, &j);
    QZ_TRY(check_cached(e, at->kv, at->layer, n, err));
    QZ_TRY(attend(e, at, err));
    if (e->model->config.q_gate) qz_step_rows(e, gate_worker, n, &j);
    QZ_TRY(qz_step_input(e, at, own.o, mixed, n, err));
    return qz_step_linears(e, at->w, (qz_linears){own.o, 1}, mixed, n, &y, err);
}
