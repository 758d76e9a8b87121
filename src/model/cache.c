#include "model/cache.h"
#include "model/kinds.h"

qz_layer_cache qz_cache_of(const qz_config *c, size_t layer) {
    const qz_kind_id kind = (qz_kind_id)c->layer_mixer[layer];
    if (qz_kind_get(kind)->state) {
        const uint64_t channels = 2 * c->delta.k_heads * c->delta.k_dim + c->delta.v_heads * c->delta.v_dim;
        return (qz_layer_cache){.window = c->delta.taps ? (c->delta.taps - 1) * channels : 0,
                                .state = c->delta.v_heads * c->delta.k_dim * c->delta.v_dim};
    }
    /* the compressed vector and the rotated part, once for all heads */
    if (kind == QZ_KIND_LATENT || kind == QZ_KIND_LATENT_DIRECT)
        return (qz_layer_cache){.heads = 1, .k_dim = c->latent.kv_rank + c->latent.rope};
    if (kind == QZ_KIND_BORROWED_KEYS || kind == QZ_KIND_WIDE_BORROWED_KEYS) return (qz_layer_cache){0};
    if (kind == QZ_KIND_WIDE_ATTENTION || kind == QZ_KIND_WIDE_KEYS)
        return (qz_layer_cache){.heads = c->wide.kv_heads, .k_dim = c->wide.head_dim, .v_dim = c->wide.head_dim};
    return (qz_layer_cache){.heads = c->kv_heads, .k_dim = c->head_dim, .v_dim = c->head_dim};
}

bool qz_cache_has_state(const qz_config *c) {
    bool yes = false;
    for (size_t l = 0; l < c->layers; l++) yes |= qz_kind_get((qz_kind_id)c->layer_mixer[l])->state;
    return yes;
}
