/* Layers of sizes of their own in GGUF metadata (gemma4): heads of full attention and of layers with a window, keys
 * that the last layers borrow, their wider feed-forward, inputs of tokens. Source: formats/families-2.md section 13;
 * llama.cpp src/models/gemma4.cpp. */
#include "artifacts/artifacts_int.h"
#include "model/config_wide.h"
#include "model/kinds.h"
#include <stdio.h>
#include <string.h>

typedef struct { const char *arch; char text[96]; } key;
static const char *k(key *b, const char *suffix) {
    (void)snprintf(b->text, sizeof b->text, "%.40s.%s", b->arch, suffix);
    return b->text;
}

/* What layers have: one number where all have the same. */
static void put_each(qz_gguf_meta *m, const char *name, const int32_t *v, size_t n) {
    bool same = true;
    for (size_t i = 1; i < n; i++) same &= v[i] == v[0];
    if (same) qz_gguf_put_u32(m, name, (uint32_t)v[0]);
    else qz_gguf_put_i32s(m, name, v, n);
}
static uint64_t ffn_of(const qz_config *c, size_t l) {
    return l + c->wide.borrowers >= c->layers ? c->wide.ffn : c->intermediate_size;
}
static uint64_t heads_of(const qz_config *c, size_t l) { return c->layer_sliding[l] ? c->kv_heads : c->wide.kv_heads; }

void qz_gguf_put_ffn_widths(const qz_config *c, const char *arch, qz_gguf_meta *m) {
    int32_t v[QZ_MAX_LAYERS];
    key b = {.arch = arch};
    for (size_t l = 0; l < c->layers; l++) v[l] = (int32_t)ffn_of(c, l);
    put_each(m, k(&b, "feed_forward_length"), v, (size_t)c->layers);
}
void qz_gguf_put_key_heads(const qz_config *c, const char *arch, qz_gguf_meta *m) {
    int32_t v[QZ_MAX_LAYERS];
    key b = {.arch = arch};
    for (size_t l = 0; l < c->layers; l++) v[l] = (int32_t)heads_of(c, l);
    put_each(m, k(&b, "attention.head_count_kv"), v, (size_t)c->layers);
}

void qz_gguf_put_wide(const qz_config *c, const char *arch, qz_gguf_meta *m) {
    key b = {.arch = arch};
    if (c->logit_softcap > 0) qz_gguf_put_f32(m, k(&b, "final_logit_softcapping"), (float)c->logit_softcap);
    qz_gguf_put_u32(m, k(&b, "attention.sliding_window"), (uint32_t)c->sliding_window);
    qz_gguf_put_u32(m, k(&b, "attention.shared_kv_layers"), (uint32_t)c->wide.borrowers);
    qz_gguf_put_u32(m, k(&b, "embedding_length_per_layer_input"), (uint32_t)c->token.width);
    qz_gguf_put_bools(m, k(&b, "attention.sliding_window_pattern"), c->layer_sliding, (size_t)c->layers);
    qz_gguf_put_u32(m, k(&b, "attention.key_length_swa"), (uint32_t)c->head_dim);
    qz_gguf_put_u32(m, k(&b, "attention.value_length_swa"), (uint32_t)c->head_dim);
    if (c->experts) qz_gguf_put_u32(m, k(&b, "expert_feed_forward_length"), (uint32_t)c->expert_width);
    qz_gguf_put_u32(m, k(&b, "rope.dimension_count"), (uint32_t)c->wide.head_dim);
    qz_gguf_put_u32(m, k(&b, "rope.dimension_count_swa"), (uint32_t)c->head_dim);
}

static qz_status unlike(const qz_gguf *g, const char *name, uint64_t want, uint64_t found, qz_error *err) {
    return qz_fail(err, QZ_EUNSUPPORTED, "sizes of layers: file '%s', key '%s': expected %llu, found %llu; quantz does "
                   "not run such layers", g->path, name, (unsigned long long)want, (unsigned long long)found);
}

/* Key heads and feed-forward of each layer: layers of a kind are alike. */
static qz_status read_each(const qz_gguf *g, key *b, qz_config *c, qz_error *err) {
    bool full = false, slides = false;
    c->wide.ffn = c->intermediate_size;
    for (size_t l = 0; l < c->layers; l++) {
        uint64_t heads = 0, ffn = 0;
        QZ_TRY(qz_gguf_u64_at(g, k(b, "attention.head_count_kv"), l, &heads, err));
        if (c->layer_sliding[l] && !slides) c->kv_heads = heads, slides = true;
        if (!c->layer_sliding[l] && !full) c->wide.kv_heads = heads, full = true;
        if (heads != heads_of(c, l)) return unlike(g, b->text, heads_of(c, l), heads, err);
        QZ_TRY(qz_gguf_u64_at(g, k(b, "feed_forward_length"), l, &ffn, err));
        if (l + c->wide.borrowers == c->layers) c->wide.ffn = ffn;
        if (ffn != ffn_of(c, l)) return unlike(g, b->text, ffn_of(c, l), ffn, err);
    }
    return full ? QZ_OK
                : qz_fail(err, QZ_EUNSUPPORTED, "no layer of full attention: file '%s', key "
                          "'%s.attention.sliding_window_pattern'; quantz does not run such a model", g->path, b->arch);
}

/* Proportional rotary embedding is stored as factors: 1 for the pairs that rotate, so much that the others stand. */
static qz_status read_share(const qz_gguf *g, qz_config *c, qz_error *err) {
    const qz_gguf_tensor *t = qz_gguf_find(g, "rope_freqs.weight");
    const size_t half = (size_t)c->wide.head_dim / 2;
    size_t n = 0;
    float f[QZ_MAX_ROPE_PAIRS];
    if (!t) return QZ_OK;
    if (strcmp(t->type->name, "f32") || t->elems != half || half > QZ_MAX_ROPE_PAIRS)
        return qz_fail(err, QZ_EFORMAT,
                       "wrong shape: file '%s', tensor 'rope_freqs.weight': expected %zu f32 values, found %llu %s",
                       g->path, half, (unsigned long long)t->elems, t->type->name);
    memcpy(f, t->data, (size_t)t->bytes);
    while (n < half && f[n] == 1) n++;
    for (size_t i = n; i < half; i++)
        if (!(f[i] > 1e20f))
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "rotary factors: file '%s', tensor 'rope_freqs.weight', value %zu: expected 1 or 1e30 "
                           "(proportional), found %g",
                           g->path, i, (double)f[i]);
    if (n == 0)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "rotary factors: file '%s', tensor 'rope_freqs.weight': expected 1 for the pairs that rotate, "
                       "found none",
                       g->path);
    c->rope.kind = QZ_ROPE_PROPORTIONAL;
    c->rope.share = (double)n / (double)half;
    return QZ_OK;
}

qz_status qz_gguf_read_wide(const qz_gguf *g, const char *arch, qz_config *c, qz_error *err) {
    key b = {.arch = arch};
    uint64_t values = 0, dims = 0;
    c->wide.head_dim = c->head_dim; /* "key_length" is that of full attention */
    QZ_TRY(qz_gguf_u64(g, k(&b, "attention.key_length_swa"), true, &c->head_dim, err));
    values = c->head_dim;
    QZ_TRY(qz_gguf_u64(g, k(&b, "attention.value_length_swa"), false, &values, err));
    if (values != c->head_dim) return unlike(g, b.text, c->head_dim, values, err);
    dims = c->wide.head_dim;
    QZ_TRY(qz_gguf_u64(g, k(&b, "rope.dimension_count"), false, &dims, err));
    if (dims != c->wide.head_dim) return unlike(g, b.text, c->wide.head_dim, dims, err);
    dims = c->head_dim;
    QZ_TRY(qz_gguf_u64(g, k(&b, "rope.dimension_count_swa"), false, &dims, err));
    if (dims != c->head_dim) return unlike(g, b.text, c->head_dim, dims, err);
    c->rotary_dim = c->head_dim;
    QZ_TRY(qz_gguf_u64(g, k(&b, "attention.shared_kv_layers"), false, &c->wide.borrowers, err));
    QZ_TRY(qz_gguf_u64(g, k(&b, "embedding_length_per_layer_input"), false, &c->token.width, err));
    if (c->wide.borrowers >= c->layers)
        return qz_fail(err, QZ_EFORMAT, "value out of range: file '%s', key '%s.attention.shared_kv_layers': expected "
                       "below %llu, found %llu", g->path, arch, (unsigned long long)c->layers,
                       (unsigned long long)c->wide.borrowers);
    if (c->sliding_window == 0)
        return qz_fail(err, QZ_EUNSUPPORTED, "no window: file '%s', key '%s.attention.sliding_window': expected 1 or "
                       "more, since heads of layers with a window have another size", g->path, arch);
    QZ_TRY(read_each(g, &b, c, err));
    const qz_gguf_tensor *table = qz_gguf_find(g, "per_layer_token_embd.weight");
    if (c->token.width) c->token.rows = table ? table->dims[1] : c->vocab_size; /* what lacks is named in binding */
    for (size_t l = 0; l < c->layers; l++) {
        char name[64];
        if (c->layer_sliding[l]) continue;
        (void)snprintf(name, sizeof name, "blk.%zu.attn_v.weight", l);
        c->wide.keys_as_values = qz_gguf_find(g, name) == NULL;
        break; /* the first of full attention */
    }
    QZ_TRY(read_share(g, c, err));
    QZ_TRY(qz_config_wide_validate(c, g->path, err));
    qz_config_wide_derive(c);
    return QZ_OK;
}
