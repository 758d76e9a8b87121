/* Every tensor of a shape with both spellings. Order: embedding, blocks, final norm, head. */
#include "base/size.h"
#include "plan/shapes_int.h"
#include <stdio.h>
#include <string.h>

typedef struct { qz_shape *s; size_t cap; bool failed, huge; } lister;

static void put(lister *k, char *name, char *gguf, uint64_t rows, uint64_t cols, uint64_t count, long layer, qz_shape_role role) {
    qz_shape *s = k->s;
    uint64_t n = 0;
    if (name == NULL || gguf == NULL || s->n_tensors == k->cap) {
        k->failed = true;
        return;
    }
    k->huge |= !qz_mul_u64(rows, cols, &n) || !qz_mul_u64(n, count, &n) || n > (uint64_t)1 << 44;
    uint64_t active = role == QZ_ROLE_EXPERT ? n / count * s->experts_used : role == QZ_ROLE_EMBED && !s->tied ? 0 : n;
    if (role != QZ_ROLE_ROPE_FREQS && !k->huge) s->params += n, s->active_params += active;
    s->tensors[s->n_tensors++] = (qz_shape_tensor){name, gguf, rows, cols, count, rows == 1 ? 1 : count > 1 ? 3 : 2, layer, role};
}
static void outer(lister *k, const char *name, const char *gguf, uint64_t rows, uint64_t cols, qz_shape_role role) {
    put(k, qz_arena_strdup(&k->s->arena, name), qz_arena_strdup(&k->s->arena, gguf), rows, cols, 1, -1, role);
}
static void part(lister *k, long l, const char *name, const char *gguf, uint64_t rows, uint64_t cols, uint64_t count, qz_shape_role role) {
    qz_arena *a = &k->s->arena;
    put(k, qz_arena_printf(a, "model.layers.%ld.%s", l, name), qz_arena_printf(a, "blk.%ld.%s", l, gguf), rows, cols, count, l, role);
}
static qz_shape_role role_of(const qz_site *x) {
    switch (x->kind) {
    case QZ_SITE_NORM:
    case QZ_SITE_PART: return QZ_ROLE_FLOAT;
    case QZ_SITE_ROUTER: return QZ_ROLE_ROUTER;
    case QZ_SITE_EXPERT: return QZ_ROLE_EXPERT;
    case QZ_SITE_LINEAR:
    case QZ_SITE_FUSED: break;
    }
    return QZ_ROLE_LINEAR;
}

/* A layer: from the one description of it (model/sites.h). */
static void block(lister *k, long l) {
    qz_site sites[QZ_MAX_SITES];
    for (size_t i = 0, n = qz_sites(&k->s->config, (size_t)l, sites); i < n; i++) {
        const qz_site *x = &sites[i];
        const char *at = strstr(x->hf, "%zu"), *suffix = x->kind == QZ_SITE_PART ? "" : ".weight";
        char hf[96], gguf[64];
        (void)snprintf(hf, sizeof hf, "%.*s%s%s%s", at ? (int)(at - x->hf) : (int)strlen(x->hf), x->hf, at ? "*" : "", at ? at + 3 : "", suffix);
        (void)snprintf(gguf, sizeof gguf, "%s%s", x->gguf, suffix);
        part(k, l, hf, gguf, x->rows, x->cols, qz_max_size(1, x->experts), role_of(x));
        if (!x->bias) continue;
        (void)snprintf(hf, sizeof hf, "%s.bias", x->hf);
        (void)snprintf(gguf, sizeof gguf, "%s.bias", x->gguf);
        part(k, l, hf, gguf, 1, x->rows, 1, QZ_ROLE_FLOAT);
    }
}

qz_status qz_shape_list(qz_shape *s, qz_error *err) {
    enum { PER_LAYER = 2 * QZ_MAX_SITES };
    lister k = {.s = s, .cap = 6 + (size_t)s->layers * PER_LAYER};
    s->tensors = qz_arena_calloc(&s->arena, k.cap, sizeof *s->tensors);
    if (s->tensors == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", s->name);
    outer(&k, "model.embed_tokens.weight", "token_embd.weight", s->vocab, s->hidden, QZ_ROLE_EMBED);
    if (s->rope_freqs) outer(&k, "rope_freqs", "rope_freqs.weight", 1, s->head_dim / 2, QZ_ROLE_ROPE_FREQS);
    if (s->runs && s->config.rope.kind == QZ_ROPE_LONGROPE) {
        outer(&k, "rope_factors_long", "rope_factors_long.weight", 1, s->config.rotary_dim / 2, QZ_ROLE_ROPE_FREQS);
        outer(&k, "rope_factors_short", "rope_factors_short.weight", 1, s->config.rotary_dim / 2, QZ_ROLE_ROPE_FREQS);
    }
    for (uint64_t l = 0; l < s->layers && !k.failed && !k.huge; l++) block(&k, (long)l);
    outer(&k, "model.norm.weight", "output_norm.weight", 1, s->hidden, QZ_ROLE_FLOAT);
    if (!s->tied) outer(&k, "lm_head.weight", "output.weight", s->vocab, s->hidden, QZ_ROLE_HEAD);
    uint64_t limit = s->experts ? (uint64_t)10000000000000 : (uint64_t)1000000000000;
    if (k.huge || s->params >= limit)
        return qz_fail(
            err, QZ_EFORMAT,
            "impossible shape: file '%s' describes %s%.3g weights: expected below %.0e for a %s model; check hidden_size, intermediate_size and layers",
            s->name, k.huge ? "more than " : "", k.huge ? 1.76e13 : (double)s->params, (double)limit, s->experts ? "mixture-of-experts" : "dense");
    return k.failed ? qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", s->name) : QZ_OK;
}
