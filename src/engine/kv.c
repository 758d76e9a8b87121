#include "engine/engine_int.h"
#include "base/mathx.h"
#include "base/size.h"
#include "model/cache.h"
#include <string.h>

/* Sizes of the layers; *values and *states: of what holds them all. */
static bool measure(qz_kv *kv, const qz_config *c, bool scratch, uint64_t *values, uint64_t *states) {
    bool ok = true;
    for (size_t l = 0; l < kv->n_layers && ok; l++) {
        qz_kv_layer *x = &kv->layers[l];
        const qz_layer_cache k = qz_cache_of(c, l);
        const qz_kv_entry entry = {{kv->type, kv->type}, k.heads, k.k_dim, k.v_dim};
        uint64_t token = 0, own = 0, kept = 0;
        *x = (qz_kv_layer){.heads = (size_t)k.heads, .k_dim = (size_t)k.k_dim, .v_dim = (size_t)k.v_dim,
                           .n_window = (size_t)k.window, .n_state = (size_t)k.state};
        ok = qz_kv_token_bytes(&entry, "", &token, NULL) == QZ_OK &&
             qz_kv_cache_bytes(token, 1, kv->n_seq, kv->max_tokens, &own) && qz_add_u64(k.window, k.state, &kept) &&
             qz_mul_u64(kept, kv->n_seq, &kept);
        if (scratch) *values = *values > own ? *values : own, *states = *states > kept ? *states : kept;
        else ok = ok && qz_add_u64(*values, own, values) && qz_add_u64(*states, kept, states);
    }
    return ok;
}

/* Where each layer's begin. */
static void place(qz_kv *kv, bool scratch) {
    uint8_t *p = kv->data;
    float *s = kv->states;
    const size_t bytes = qz_kv_type_get(kv->type)->bytes;
    for (size_t l = 0; l < kv->n_layers; l++) {
        qz_kv_layer *x = &kv->layers[l];
        const size_t vectors = kv->n_seq * x->heads * kv->max_tokens;
        if (scratch) p = kv->data, s = kv->states;
        if (vectors) x->k = p, p += vectors * x->k_dim * bytes;
        if (vectors && x->v_dim) x->v = p, p += vectors * x->v_dim * bytes;
        if (x->n_window) x->window = s, s += kv->n_seq * x->n_window;
        if (x->n_state) x->state = s, s += kv->n_seq * x->n_state;
    }
}

static qz_status open_cache(qz_engine *e, size_t n_seq, size_t max_tokens, bool scratch, qz_kv **out, qz_error *err) {
    const qz_config *c = &e->model->config;
    *out = NULL;
    if (n_seq == 0 || max_tokens == 0)
        return qz_fail(err, QZ_EUSAGE, "KV cache: expected at least one sequence and one token");
    qz_kv *kv = qz_calloc_array(1, sizeof *kv);
    if (kv == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory for the KV cache");
    *kv = (qz_kv){.n_layers = c->layers, .n_seq = n_seq, .max_tokens = max_tokens,
                  .rope_stride = qz_max_size((size_t)c->head_dim, (size_t)c->wide.head_dim),
                  .type = e->arith == QZ_ARITH_EXACT ? QZ_KV_EXACT : QZ_KV_RUNTIME};
    kv->layers = qz_calloc_array(kv->n_layers, sizeof *kv->layers);
    uint64_t values = 0, states = 0, state_bytes = 0;
    size_t rope = 0;
    bool ok = kv->layers && measure(kv, c, scratch, &values, &states) && values <= SIZE_MAX &&
              qz_mul_u64(states, sizeof *kv->states, &state_bytes) && state_bytes <= SIZE_MAX &&
              qz_add_u64(values, state_bytes, &kv->bytes) && qz_mul_size(max_tokens, kv->rope_stride, &rope);
    if (ok) {
        if (values) kv->data = qz_alloc_aligned((size_t)values, 1);
        if (states) kv->states = qz_alloc_aligned((size_t)states, sizeof *kv->states);
        kv->length = qz_calloc_array(n_seq, sizeof *kv->length);
        kv->rope = qz_alloc_aligned(rope, sizeof *kv->rope);
        if (c->rope.local_theta > 0) kv->rope_local = qz_alloc_aligned(rope, sizeof *kv->rope);
    }
    if (!ok || (values && kv->data == NULL) || (states && kv->states == NULL) || kv->length == NULL ||
        kv->rope == NULL || (c->rope.local_theta > 0 && kv->rope_local == NULL)) {
        qz_kv_free(kv);
        return qz_fail(err, QZ_EMEMORY,
                       "out of memory for a KV cache of %zu sequences x %zu tokens; use a smaller context", n_seq,
                       max_tokens);
    }
    place(kv, scratch);
    *out = kv;
    return QZ_OK;
}
qz_status qz_kv_open(qz_engine *e, size_t n_seq, size_t max_tokens, qz_kv **out, qz_error *err) {
    return open_cache(e, n_seq, max_tokens, false, out, err);
}
qz_status qz_kv_open_scratch(qz_engine *e, size_t n_seq, size_t max_tokens, qz_kv **out, qz_error *err) {
    return open_cache(e, n_seq, max_tokens, true, out, err);
}

void qz_kv_free(qz_kv *kv) {
    if (kv == NULL) return;
    qz_free(kv->layers);
    qz_free(kv->data);
    qz_free(kv->states);
    qz_free(kv->length);
    qz_free(kv->rope);
    qz_free(kv->rope_local);
    qz_free(kv);
}
void qz_kv_reset(qz_kv *kv, size_t seq) { kv->length[seq] = 0; }
size_t qz_kv_length(const qz_kv *kv, size_t seq) { return kv->length[seq]; }
uint64_t qz_kv_bytes(const qz_kv *kv) { return kv->bytes; }

size_t qz_kv_slot(const qz_kv *kv, size_t layer, size_t seq, size_t kv_head) {
    const qz_kv_layer *x = &kv->layers[layer];
    return ((x->first + seq) * x->heads + kv_head) * kv->max_tokens * x->k_dim;
}

bool qz_kv_branches(const qz_engine *e) { return !qz_rope_by_call(&e->model->config); }

static void copy_vectors(const qz_kv *kv, const qz_kv_layer *x, void *data, size_t dim, size_t from, size_t to) {
    const size_t head = kv->max_tokens * dim * qz_kv_type_get(kv->type)->bytes,
                 n = kv->length[from] * dim * qz_kv_type_get(kv->type)->bytes;
    uint8_t *p = data;
    for (size_t h = 0; h < x->heads && data; h++)
        memcpy(p + (to * x->heads + h) * head, p + (from * x->heads + h) * head, n);
}
void qz_kv_copy(qz_kv *kv, size_t from, size_t to) {
    if (from == to) return;
    for (size_t l = 0; l < kv->n_layers; l++) {
        qz_kv_layer *x = &kv->layers[l];
        copy_vectors(kv, x, x->k, x->k_dim, from, to);
        copy_vectors(kv, x, x->v, x->v_dim, from, to);
        const size_t w = x->n_window, s = x->n_state;
        if (w) memcpy(x->window + to * w, x->window + from * w, w * sizeof *x->window);
        if (s) memcpy(x->state + to * s, x->state + from * s, s * sizeof *x->state);
    }
    kv->length[to] = kv->length[from];
}

static float larger(float most, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const float m = x[i] < 0 ? -x[i] : x[i];
        most = m > most ? m : most;
    }
    return most;
}
void qz_kv_largest(const qz_kv *kv, size_t layer, size_t seq, float *k, float *v) {
    const qz_kv_layer *x = &kv->layers[layer];
    const float *keys = x->k, *values = x->v;
    for (size_t h = 0; h < x->heads && kv->type == QZ_KV_F32; h++) {
        const size_t at = qz_kv_slot(kv, layer, seq, h), n = kv->length[seq] * x->k_dim;
        k[h] = larger(k[h], keys + at, n);
        if (values) v[h] = larger(v[h], values + at, n);
    }
}

static void rope_row(float *cs, size_t pos, const float *inv, float att, size_t half) {
    for (size_t j = 0; j < half; j++) {
        float angle = (float)pos * inv[j];
        cs[j] = (float)qz_cos((double)angle) * att;
        cs[half + j] = (float)qz_sin((double)angle) * att;
    }
}

qz_status qz_kv_rope(qz_kv *kv, const qz_config *c, size_t n, qz_error *err) {
    if (n > kv->max_tokens)
        return qz_fail(err, QZ_EUSAGE, "context is full: expected at most %zu tokens, found %zu", kv->max_tokens, n);
    if (qz_rope_by_call(c) || n <= kv->rope_ready) return QZ_OK;
    float inv[QZ_MAX_ROPE_PAIRS], att;
    for (int local = 0; local < (kv->rope_local ? 2 : 1); local++) {
        qz_rope_frequencies(c, local, n, inv, &att);
        for (size_t p = kv->rope_ready; p < n; p++)
            rope_row((local ? kv->rope_local : kv->rope) + p * kv->rope_stride, p, inv, att,
                     (size_t)qz_rotary_dim(c, local) / 2);
    }
    kv->rope_ready = n;
    return QZ_OK;
}

qz_status qz_step_rope(qz_engine *e, qz_error *err) {
    qz_step *s = &e->step;
    const qz_config *c = &e->model->config;
    const size_t d = c->head_dim;
    float inv[QZ_MAX_ROPE_PAIRS], att;
    size_t n = 0, total;
    if (!qz_rope_by_call(c)) return QZ_OK;
    for (size_t r = 0; r < s->n_runs; r++) n = qz_max_size(n, s->runs[r].first + s->runs[r].n);
    if (n > s->rope_cap) {
        qz_free(s->rope);
        s->rope_cap = 0;
        s->rope = qz_mul_size(n, d, &total) ? qz_alloc_aligned(total, sizeof *s->rope) : NULL;
        if (s->rope == NULL)
            return qz_fail(err, QZ_EMEMORY, "out of memory for a step of %zu tokens; use a smaller batch", n);
        s->rope_cap = n;
    }
    for (size_t r = 0; r < s->n_runs; r++) {
        const qz_seq_run *x = &s->runs[r];
        if (r == 0 || x->total != s->runs[r - 1].total) qz_rope_frequencies(c, false, x->total, inv, &att);
        for (size_t t = 0; t < x->n; t++)
            rope_row(s->rope + (x->first + t) * d, x->past + t, inv, att, (size_t)c->rotary_dim / 2);
    }
    return QZ_OK;
}
