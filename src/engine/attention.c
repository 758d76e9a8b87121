/* Attention over the cache: for one run of tokens and one KV head, all its query heads together.
 * Scores, softmax and the weighted sum of values are computed a block of query tokens at a time. */
#include "base/size.h"
#include "engine/elementwise.h"
#include "engine/engine_int.h"
#include <math.h>
#include <string.h>

enum { QUERY_BLOCK = 32 };

typedef struct {
    qz_engine *e;
    qz_kv *kv;
    size_t layer, kv_layer, window;
} attend_job;

/* A row of queries against the keys, and the weighted sum of values, in the type of the cache. */
static void times_keys(const attend_job *j, size_t m, size_t n, const float *q, size_t ldq, size_t at, float *scores, size_t stride) {
    const size_t d = j->kv->head_dim;
    if (j->kv->type == QZ_KV_EXACT) qz_mm_gemm_nt_local(j->e->mm, m, n, d, q, ldq, (const float *)j->kv->k + at, d, scores, stride);
    else qz_mm_gemm_nt_local_f16(j->e->mm, m, n, d, q, ldq, (const uint16_t *)j->kv->k + at, scores, stride);
}
static void times_values(const attend_job *j, size_t m, size_t n, const float *scores, size_t stride, size_t at, float *out, size_t ldo) {
    const size_t d = j->kv->head_dim;
    if (j->kv->type == QZ_KV_EXACT) qz_mm_gemm_nn_local(j->e->mm, m, d, n, scores, stride, (const float *)j->kv->v + at, d, out, ldo);
    else qz_mm_gemm_nn_local_f16(j->e->mm, m, d, n, scores, stride, (const uint16_t *)j->kv->v + at, out, ldo);
}

/* Queries of one KV head: of each of its query heads nt tokens from t0 on. Of one token (decoding) the heads stand one behind the other
 * and go through keys and values together; a sum's order does not change with it. */
static void attend_block(const attend_job *j, const qz_seq_run *r, size_t kv_head, size_t t0, size_t nt, float *scores) {
    qz_engine *e = j->e;
    const qz_config *c = &e->model->config;
    size_t d = c->head_dim, group = c->heads / c->kv_heads, ld = c->heads * d;
    size_t keys = r->past + t0 + nt, stride = (keys + 15) & ~(size_t)15;
    const size_t slot = qz_kv_slot(j->kv, j->kv_layer, r->seq, kv_head);
    const size_t m = nt == 1 ? group : nt, step = nt == 1 ? d : ld;
    size_t first = 0; /* keys before every query's window are skipped */
    if (j->window && r->past + t0 + 1 > j->window) first = (r->past + t0 + 1 - j->window) & ~(size_t)15;
    float scale = (float)c->attn_scale;
    const float cap = (float)c->attn_softcap;
    for (size_t a = 0; a < (nt == 1 ? 1 : group); a++) {
        const float *q = e->step.q + (r->first + t0) * ld + (kv_head * group + a) * d;
        float *out = e->step.att + (r->first + t0) * ld + (kv_head * group + a) * d;
        times_keys(j, m, keys - first, q, step, slot + first * d, scores, stride);
        for (size_t t = 0; t < m; t++) {
            size_t pos = r->past + t0 + (nt == 1 ? 0 : t), lo = j->window && pos + 1 > j->window ? pos + 1 - j->window : 0;
            if (cap > 0) qz_softcap(scores + t * stride + (lo - first), pos + 1 - lo, scale, cap);
            qz_mm_softmax(e->mm, scores + t * stride, keys - first, lo - first, pos + 1 - first, cap > 0 ? 1 : scale);
        }
        times_values(j, m, keys - first, scores, stride, slot + first * d, out, step);
        for (size_t t = 0; t < m; t++) qz_step_watch(e, out + t * step, d);
    }
}

static size_t query_blocks(const qz_seq_run *r) { return (r->n + QUERY_BLOCK - 1) / QUERY_BLOCK; }

/* A part is a head's block of queries: heads one after the other, so that a thread's own parts share keys and values, and long
 * blocks first. */
static void attend_part(void *arg, qz_part part) {
    const attend_job *j = arg;
    const qz_step *s = &j->e->step;
    const size_t heads = j->e->model->config.kv_heads;
    size_t at = part.i, r = 0;
    for (; at >= heads * query_blocks(&s->runs[r]); r++) at -= heads * query_blocks(&s->runs[r]);
    const size_t blocks = query_blocks(&s->runs[r]), t0 = (blocks - 1 - at % blocks) * QUERY_BLOCK;
    attend_block(j, &s->runs[r], at / blocks, t0, qz_min_size(QUERY_BLOCK, s->runs[r].n - t0), s->scores[part.thread]);
}

qz_status qz_step_attend(qz_engine *e, qz_kv *kv, size_t layer, size_t kv_layer, qz_error *err) {
    const qz_config *c = &e->model->config;
    qz_step *s = &e->step;
    size_t keys = 0, parts = 0;
    for (size_t r = 0; r < s->n_runs; r++) {
        keys = qz_max_size(keys, s->runs[r].past + s->runs[r].n);
        parts += c->kv_heads * query_blocks(&s->runs[r]);
    }
    size_t need = ((keys + 15) & ~(size_t)15) * qz_max_size(QUERY_BLOCK, (size_t)(c->heads / c->kv_heads));
    for (size_t i = 0; i < qz_pool_size(e->run->pool); i++) {
        if (s->scores_cap[i] >= need) continue;
        qz_free(s->scores[i]);
        s->scores[i] = qz_alloc_aligned(need, sizeof(float));
        s->scores_cap[i] = s->scores[i] ? need : 0;
        if (s->scores[i] == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for attention over %zu keys", keys);
    }
    attend_job j = {.e = e, .kv = kv, .layer = layer, .kv_layer = kv_layer, .window = c->layer_sliding[layer] ? (size_t)c->sliding_window : 0};
    if (parts) qz_pool_run(e->run->pool, parts, attend_part, &j);
    return QZ_OK;
}
