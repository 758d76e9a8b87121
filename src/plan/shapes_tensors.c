/* Every tensor of a shape with both spellings. Order: embedding, blocks, final norm, head. */
#include "base/size.h"
#include "plan/shapes_int.h"
#include <stdio.h>
#include <string.h>

typedef struct { qz_shape *s; size_t cap; bool failed, huge; } lister;

/* t without its dimensions' number. */
static void put(lister *k, qz_shape_tensor t) {
    qz_shape *s = k->s;
    uint64_t n = 0;
    if (t.name == NULL || t.gguf == NULL || s->n_tensors == k->cap) {
        k->failed = true;
        return;
    }
    k->huge |= !qz_mul_u64(t.rows, t.cols, &n) || !qz_mul_u64(n, t.count, &n) || n > (uint64_t)1 << 44;
    uint64_t active = t.role == QZ_ROLE_EXPERT              ? n / t.count * s->experts_used
                      : t.role == QZ_ROLE_EMBED && !s->tied ? 0
                                                            : n;
    if (t.role != QZ_ROLE_ROPE_FREQS && !k->huge) s->params += n, s->active_params += active;
    t.n_dims = t.rows == 1 ? 1 : t.count > 1 ? 3 : 2;
    s->tensors[s->n_tensors++] = t;
}
static void outer(lister *k, const char *name, const char *gguf, uint64_t rows, uint64_t cols, qz_shape_role role) {
    const qz_use use = role == QZ_ROLE_EMBED ? QZ_USE_EMBED : role == QZ_ROLE_HEAD ? QZ_USE_HEAD : QZ_USE_KEPT;
    put(k, (qz_shape_tensor){.name = qz_arena_strdup(&k->s->arena, name), .gguf = qz_arena_strdup(&k->s->arena, gguf),
                             .rows = rows, .cols = cols,
                             .count = 1, .layer = -1, .role = role, .use = use});
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
    qz_arena *a = &k->s->arena;
    for (size_t i = 0, n = qz_sites(&k->s->config, (size_t)l, sites); i < n; i++) {
        const qz_site *x = &sites[i];
        const char *root = x->root ? x->root : "model.", *at = strstr(x->hf, "%zu"),
                   *suffix = x->kind == QZ_SITE_PART ? "" : ".weight";
        put(k, (qz_shape_tensor){.name = qz_arena_printf(a, "%slayers.%ld.%.*s%s%s%s", root, l,
                                                         at ? (int)(at - x->hf) : (int)strlen(x->hf), x->hf,
                                                         at ? "*" : "", at ? at + 3 : "", suffix),
                                 .gguf = qz_arena_printf(a, "blk.%ld.%s%s", l, x->gguf, suffix),
                                 .rows = x->rows - x->rest_rows,
                                 .cols = x->cols,
                                 .count = qz_max_size(1, x->experts),
                                 .layer = l,
                                 .role = role_of(x),
                                 .use = x->use});
        if (x->gguf_rest)
            put(k, (qz_shape_tensor){.name = qz_arena_printf(a, "model.layers.%ld.%s%s", l, x->hf, suffix),
                                     .gguf = qz_arena_printf(a, "blk.%ld.%s%s", l, x->gguf_rest, suffix),
                                     .rows = x->rest_rows, .cols = x->cols, .count = 1, .layer = l,
                                     .role = role_of(x), .use = QZ_USE_OTHER});
        if (x->bias)
            put(k, (qz_shape_tensor){.name = qz_arena_printf(a, "%slayers.%ld.%.*s%s%s.bias", root, l,
                                                             at ? (int)(at - x->hf) : (int)strlen(x->hf), x->hf,
                                                             at ? "*" : "", at ? at + 3 : ""),
                                     .gguf = qz_arena_printf(a, "blk.%ld.%s.bias", l, x->gguf),
                                     .rows = qz_max_size(1, x->experts), .cols = qz_site_bias(x), .count = 1,
                                     .layer = l, .role = QZ_ROLE_FLOAT,
                                     .use = QZ_USE_KEPT});
    }
}

qz_status qz_shape_list(qz_shape *s, qz_error *err) {
    enum { PER_LAYER = 2 * QZ_MAX_SITES };
    lister k = {.s = s, .cap = 9 + QZ_TOKEN_SITES + (size_t)s->layers * PER_LAYER};
    s->tensors = qz_arena_calloc(&s->arena, k.cap, sizeof *s->tensors);
    if (s->tensors == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", s->name);
    char name[QZ_SITE_NAME];
    outer(&k, qz_outer_name(&s->config, QZ_OUTER_EMBED, "weight", name), "token_embd.weight", s->vocab, s->hidden,
          QZ_ROLE_EMBED);
    if (s->config.position_rows)
        outer(&k, qz_outer_name(&s->config, QZ_OUTER_POSITIONS, "weight", name), "position_embd.weight",
              s->config.position_rows, s->hidden, QZ_ROLE_FLOAT);
    if (s->rope_freqs) outer(&k, "rope_freqs", "rope_freqs.weight", 1, qz_rotary_dim(&s->config, false) / 2,
                             QZ_ROLE_ROPE_FREQS);
    if (s->runs && s->config.rope.kind == QZ_ROPE_LONGROPE) {
        outer(&k, "rope_factors_long", "rope_factors_long.weight", 1, s->config.rotary_dim / 2, QZ_ROLE_ROPE_FREQS);
        outer(&k, "rope_factors_short", "rope_factors_short.weight", 1, s->config.rotary_dim / 2, QZ_ROLE_ROPE_FREQS);
    }
    for (int i = 0; i < QZ_TOKEN_SITES; i++) {
        qz_token_site t;
        char gguf[QZ_SITE_NAME];
        if (!qz_token_site_of(&s->config, i, &t)) continue;
        (void)snprintf(name, sizeof name, "%s.weight", t.hf);
        (void)snprintf(gguf, sizeof gguf, "%s.weight", t.gguf);
        outer(&k, name, gguf, t.rows, t.cols, i == QZ_TOKEN_EMBED ? QZ_ROLE_EMBED : QZ_ROLE_FLOAT);
    }
    for (uint64_t l = 0; l < s->layers && !k.failed && !k.huge; l++) block(&k, (long)l);
    outer(&k, qz_outer_name(&s->config, QZ_OUTER_NORM, "weight", name), "output_norm.weight", 1, s->hidden,
          QZ_ROLE_FLOAT);
    if (s->config.norm_bias)
        outer(&k, qz_outer_name(&s->config, QZ_OUTER_NORM, "bias", name), "output_norm.bias", 1, s->hidden,
              QZ_ROLE_FLOAT);
    if (s->config.head_bias) outer(&k, "lm_head.bias", "output.bias", 1, s->vocab, QZ_ROLE_FLOAT);
    if (!s->tied) outer(&k, "lm_head.weight", "output.weight", s->vocab, s->hidden, QZ_ROLE_HEAD);
    uint64_t limit = s->experts ? (uint64_t)10000000000000 : (uint64_t)1000000000000;
    if (k.huge || s->params >= limit)
        return qz_fail(err, QZ_EFORMAT,
                       "impossible shape: file '%s' describes %s%.3g weights: expected below %.0e for a %s model; "
                       "check hidden_size, intermediate_size and layers",
                       s->name, k.huge ? "more than " : "", k.huge ? 1.76e13 : (double)s->params, (double)limit,
                       s->experts ? "mixture-of-experts" : "dense");
    return k.failed ? qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", s->name) : QZ_OK;
}
