/* Latent attention (formats/families-2.md section 4): what is kept of a token is one vector of kv_rank values and one
 * rotated key of rope values for all heads. kv_b is never multiplied with kept vectors: of each head its key rows go
 * into the query once, its value rows into what attention has gathered, so that a step costs the same whatever is
 * kept, and decoding, batches and one pass are one computation. A part of the work is one head. */
#include "base/size.h"
#include "codecs/types.h"
#include "engine/elementwise.h"
#include "engine/engine_int.h"
#include "model/kinds.h"
#include <string.h>

enum { QUERY_BLOCK = 32 };
#define INNER_EPS 1e-6f /* of the two inner norms, whatever rms_norm_eps is */

/* Numbers of the linears and inputs of the two kinds. */
typedef struct { size_t q, kv_a, kv_b, o, lat, mixed; bool direct; } numbers;
static numbers numbers_of(const qz_config *c, size_t layer) {
    if (c->layer_mixer[layer] == QZ_KIND_LATENT_DIRECT)
        return (numbers){QZ_LATENT_DIRECT_Q, QZ_LATENT_DIRECT_KV_A, QZ_LATENT_DIRECT_KV_B, QZ_LATENT_DIRECT_O, 1, 2,
                         true};
    return (numbers){QZ_LATENT_Q_B, QZ_LATENT_KV_A, QZ_LATENT_KV_B, QZ_LATENT_O, 2, 3, false};
}

typedef struct { qz_engine *e; const qz_place *at; numbers no; size_t n; } latent_job;

/* ---- what is kept of a token, and its queries' rotation ---- */
static void keep(const latent_job *j, size_t at, const float *x, size_t n) {
    qz_engine *e = j->e;
    const qz_kv *kv = j->at->kv;
    void *kept = kv->layers[j->at->layer].k;
    if (kv->type == QZ_KV_EXACT) {
        memcpy((float *)kept + at, x, n * sizeof *x);
        return;
    }
    qz_mm_to_f16(e->mm, x, n, (uint16_t *)kept + at);
    if (qz_infinite_f16((const uint16_t *)kept + at, n))
        atomic_store_explicit(&e->step.beyond, true, memory_order_relaxed);
}

static void place_token(const latent_job *j, const qz_seq_run *r, size_t t, const float *lat) {
    qz_engine *e = j->e;
    const qz_config *c = &e->model->config;
    const qz_kv *kv = j->at->kv;
    const size_t rank = (size_t)c->latent.kv_rank, rope = (size_t)c->latent.rope, d = (size_t)c->head_dim,
                 pos = r->past + (t - r->first), at = qz_kv_slot(kv, j->at->layer, r->seq, 0) + pos * (rank + rope);
    const float *cs = qz_rope_by_call(c) ? e->step.rope + t * d : kv->rope + pos * kv->rope_stride;
    void (*rotate)(float *, const float *, size_t) = c->rope.interleaved ? qz_rope_interleaved : qz_rope_half;
    float *q = e->step.linear[j->no.q] + t * c->heads * d, *k = e->step.linear[j->no.kv_a] + t * (rank + rope) + rank;
    const float growth = qz_query_growth(&c->rope, pos);
    for (size_t h = 0; h < c->heads; h++) rotate(q + h * d + c->latent.nope, cs, rope / 2);
    if (growth != 1) qz_scale_row(q, (size_t)c->heads * d, growth);
    rotate(k, cs, rope / 2);
    keep(j, at, lat + t * rank, rank);
    keep(j, at + rank, k, rope);
}

typedef struct { latent_job j; const float *lat; } place_job;
static void place_worker(void *arg, qz_part part) {
    const place_job *j = arg;
    const qz_step *s = &j->j.e->step;
    size_t lo, hi;
    qz_split(j->j.n, 1, part, &lo, &hi);
    for (size_t r = 0; r < s->n_runs; r++) {
        size_t a = qz_max_size(lo, s->runs[r].first), b = qz_min_size(hi, s->runs[r].first + s->runs[r].n);
        for (size_t t = a; t < b; t++) place_token(&j->j, &s->runs[r], t, j->lat);
    }
}

typedef struct { qz_engine *e; const float *x, *gain; float *y; size_t n, cols, stride; } inner_norm;
static void norm_worker(void *arg, qz_part part) {
    const inner_norm *j = arg;
    size_t lo, hi;
    qz_split(j->n, 1, part, &lo, &hi);
    for (size_t t = lo; t < hi; t++) {
        qz_mm_rms_norm(j->e->mm, j->x + t * j->stride, j->gain, j->cols, INNER_EPS, j->y + t * j->cols);
        qz_step_watch(j->e, j->y + t * j->cols, j->cols);
    }
}

/* ---- attention ---- */
/* Floats of a thread: rows of kv_b of one head, queries and gathered vectors of a block, its scores. */
typedef struct { float *w, *q, *c, *scores; size_t stride; } room;

static void decode_rows(const qz_weights *w, size_t row, size_t n, float *y) {
    for (size_t r = row; r < row + n; r++, y += w->cols) {
        if (w->coded) {
            qz_coded_decode_row(w->coded, w->first_row + r, y);
            continue;
        }
        const qz_type_info *info = qz_type_get(w->type);
        info->decode((const uint8_t *)w->data + r * (w->cols / info->elems * info->bytes), w->cols, y);
    }
}

static void times_kept(const latent_job *j, const qz_product *p, size_t at, bool values) {
    const qz_mm *mm = j->e->mm;
    const qz_kv *kv = j->at->kv;
    qz_product x = *p;
    if (kv->type != QZ_KV_EXACT) {
        const uint16_t *rows = (const uint16_t *)kv->layers[j->at->layer].k + at;
        if (values) qz_mm_gemm_nn_local_f16(mm, &x, rows);
        else qz_mm_gemm_nt_local_f16(mm, &x, rows);
        return;
    }
    x.b = (const float *)kv->layers[j->at->layer].k + at;
    x.ldb = kv->layers[j->at->layer].k_dim;
    if (values) qz_mm_gemm_nn_local(mm, &x);
    else qz_mm_gemm_nt_local(mm, &x);
}

/* Tokens [t0, t0 + nt) of a run through one head. */
static void attend_block(const latent_job *j, const qz_seq_run *r, size_t head, size_t t0, size_t nt, const room *m) {
    qz_engine *e = j->e;
    const qz_config *c = &e->model->config;
    const size_t nope = (size_t)c->latent.nope, rope = (size_t)c->latent.rope, rank = (size_t)c->latent.kv_rank,
                 v = (size_t)c->latent.v, width = rank + rope, d = (size_t)c->head_dim, ld = (size_t)c->heads * d,
                 ldo = (size_t)c->heads * v, keys = r->past + t0 + nt,
                 slot = qz_kv_slot(j->at->kv, j->at->layer, r->seq, 0);
    const float *q = e->step.linear[j->no.q] + (r->first + t0) * ld + head * d;
    float *out = e->step.input[QZ_SUB_MIXER][j->no.mixed] + (r->first + t0) * ldo + head * v;
    qz_mm_gemm_nn_local(e->mm, &(qz_product){nt, rank, nope, q, ld, m->w, rank, m->q, width});
    for (size_t t = 0; t < nt; t++) memcpy(m->q + t * width + rank, q + t * ld + nope, rope * sizeof *q);
    times_kept(j, &(qz_product){nt, keys, width, m->q, width, NULL, 0, m->scores, m->stride}, slot, false);
    for (size_t t = 0; t < nt; t++)
        qz_mm_softmax(e->mm, m->scores + t * m->stride, keys, 0, r->past + t0 + t + 1, (float)c->attn_scale);
    /* the rotated key is gathered too, and not looked at: rows of the cache stay whole */
    times_kept(j, &(qz_product){nt, width, keys, m->scores, m->stride, NULL, 0, m->c, width}, slot, true);
    qz_mm_gemm_nt_local(e->mm, &(qz_product){nt, v, rank, m->c, width, m->w + nope * rank, rank, out, ldo});
    for (size_t t = 0; t < nt; t++) qz_step_watch(e, out + t * ldo, v);
}

static void attend_head(void *arg, qz_part part) {
    const latent_job *j = arg;
    const qz_step *s = &j->e->step;
    const qz_config *c = &j->e->model->config;
    const size_t rows = (size_t)(c->latent.nope + c->latent.v), rank = (size_t)c->latent.kv_rank,
                 width = rank + (size_t)c->latent.rope;
    room m = {.w = s->scores[part.thread]};
    m.q = m.w + rows * rank;
    m.c = m.q + QUERY_BLOCK * width;
    m.scores = m.c + QUERY_BLOCK * width;
    decode_rows(&j->at->w->lin[j->no.kv_b], part.i * rows, rows, m.w);
    for (size_t r = 0; r < s->n_runs; r++) {
        m.stride = (s->runs[r].past + s->runs[r].n + 15) & ~(size_t)15;
        for (size_t t = 0; t < s->runs[r].n; t += QUERY_BLOCK)
            attend_block(j, &s->runs[r], part.i, t, qz_min_size(QUERY_BLOCK, s->runs[r].n - t), &m);
    }
}

static qz_status attend(const latent_job *j, qz_error *err) {
    qz_engine *e = j->e;
    const qz_config *c = &e->model->config;
    size_t keys = 0;
    for (size_t r = 0; r < e->step.n_runs; r++) keys = qz_max_size(keys, e->step.runs[r].past + e->step.runs[r].n);
    const size_t rank = (size_t)c->latent.kv_rank,
                 need = (size_t)(c->latent.nope + c->latent.v) * rank +
                        QUERY_BLOCK * (2 * (rank + (size_t)c->latent.rope) + ((keys + 15) & ~(size_t)15));
    QZ_TRY(qz_step_reserve_scores(e, need, keys, err));
    if (e->step.n_runs) qz_pool_run(e->run->pool, (size_t)c->heads, attend_head, (void *)(uintptr_t)j);
    return QZ_OK;
}

/* A float16 cache would make infinity of a finite value. */
static qz_status check_kept(const latent_job *j, const float *lat, qz_error *err) {
    qz_engine *e = j->e;
    const qz_config *c = &e->model->config;
    if (!atomic_exchange_explicit(&e->step.beyond, false, memory_order_relaxed)) return QZ_OK;
    float x = qz_beyond_f16(lat, j->n * (size_t)c->latent.kv_rank);
    if (x == 0)
        x = qz_beyond_f16(e->step.linear[j->no.kv_a], j->n * (size_t)(c->latent.kv_rank + c->latent.rope));
    if (x == 0) return QZ_OK;
    return qz_fail(err, QZ_ENUMERIC,
                   "a kept vector is beyond float16, in which runtime arithmetic keeps the cache: model '%s', layer "
                   "%zu: expected below 65520, found %g; use --arith exact, and check its weights ('quantz verify', "
                   "'quantz check --deep') if no sound model has such values",
                   e->model->path, j->at->layer, (double)x);
}

/* q from h: through its own vector, or at once. */
static qz_status queries(const latent_job *j, const float *h, qz_error *err) {
    qz_engine *e = j->e;
    const qz_layer_weights *w = j->at->w;
    float *q = e->step.linear[j->no.q], *a = e->step.linear[QZ_LATENT_Q_A], *x = e->step.input[QZ_SUB_MIXER][1];
    if (j->no.direct) return qz_step_linears(e, w, (qz_linears){j->no.q, 1}, h, j->n, &q, err);
    QZ_TRY(qz_step_linears(e, w, (qz_linears){QZ_LATENT_Q_A, 1}, h, j->n, &a, err));
    const size_t rank = (size_t)e->model->config.latent.q_rank;
    inner_norm norm = {e, a, w->part[QZ_LATENT_Q_NORM], x, j->n, rank, rank};
    qz_step_rows(e, norm_worker, j->n, &norm);
    QZ_TRY(qz_step_input(e, j->at, QZ_LATENT_Q_B, x, j->n, err));
    return qz_step_linears(e, w, (qz_linears){QZ_LATENT_Q_B, 1}, x, j->n, &q, err);
}

qz_status qz_step_latent(qz_engine *e, const qz_place *at, const float *h, size_t n, float *y, qz_error *err) {
    const qz_config *c = &e->model->config;
    const latent_job j = {e, at, numbers_of(c, at->layer), n};
    const size_t rank = (size_t)c->latent.kv_rank;
    float *a = e->step.linear[j.no.kv_a], *lat = e->step.input[QZ_SUB_MIXER][j.no.lat];
    const float *mixed = e->step.input[QZ_SUB_MIXER][j.no.mixed];
    QZ_TRY(qz_step_input(e, at, j.no.direct ? j.no.q : QZ_LATENT_Q_A, h, n, err));
    QZ_TRY(queries(&j, h, err));
    QZ_TRY(qz_step_linears(e, at->w, (qz_linears){j.no.kv_a, 1}, h, n, &a, err));
    inner_norm norm = {e, a, at->w->part[QZ_LATENT_KV_NORM], lat, n, rank, rank + (size_t)c->latent.rope};
    qz_step_rows(e, norm_worker, n, &norm);
    QZ_TRY(qz_step_input(e, at, j.no.kv_b, lat, n, err));
    place_job place = {j, qz_step_rounded(e, &at->w->lin[j.no.kv_b], lat, n)}; /* as servers round what kv_b reads */
    qz_step_rows(e, place_worker, n, &place);
    QZ_TRY(check_kept(&j, lat, err));
    QZ_TRY(attend(&j, err));
    QZ_TRY(qz_step_input(e, at, j.no.o, mixed, n, err));
    return qz_step_linears(e, at->w, (qz_linears){j.no.o, 1}, mixed, n, &y, err);
}
