#include "plan/kv.h"
#include "base/size.h"
#include "model/cache.h"

/* Of a token in a layer that caches; float32 state of one that does not, one user. */
static qz_status token_bytes(const qz_shape *s, uint64_t layer, qz_kv_types t, uint64_t *out, qz_error *err) {
    const qz_layer_cache k = qz_cache_of(&s->config, (size_t)layer);
    return qz_kv_token_bytes(&(qz_kv_entry){t, k.heads, k.k_dim, k.v_dim}, s->name, out, err);
}
static uint64_t state_bytes(const qz_shape *s, uint64_t layer) {
    const qz_layer_cache k = qz_cache_of(&s->config, (size_t)layer);
    return 4 * (k.window + k.state);
}
/* Tokens that a caching layer keeps of a context. */
static uint64_t kept(const qz_shape *s, uint64_t layer, uint64_t ctx) {
    return s->attn[layer] == QZ_ATTN_SLIDING && s->sliding_window < ctx ? s->sliding_window : ctx;
}

qz_status qz_kv_plan(const qz_shape *s, qz_kv_types t, uint64_t users, uint64_t ctx, qz_kv_plan_result *out,
                     qz_error *err) {
    uint64_t token = 0, plain = 0, caching = 0;
    bool ok = true;
    *out = (qz_kv_plan_result){0};
    for (uint64_t l = 0; l < s->layers; l++) {
        if (s->attn[l] == QZ_ATTN_LINEAR) {
            ok &= qz_kv_cache_bytes(state_bytes(s, l), 1, users, 1, &out->state_bytes);
            continue;
        }
        QZ_TRY(token_bytes(s, l, t, &token, err));
        ok &= qz_kv_cache_bytes(token, 1, users, kept(s, l, ctx), &out->bytes) &&
              qz_kv_cache_bytes(token, 1, users, ctx, &out->without_windows) &&
              qz_add_u64(out->per_token, token, &out->per_token);
        caching++;
    }
    ok &= qz_add_u64(out->bytes, out->state_bytes, &out->bytes) &&
          qz_add_u64(out->without_windows, out->state_bytes, &out->without_windows);
    if (!s->config.latent.kv_rank) { /* at 16 bits, as calculators do */
        uint64_t guess = s->heads ? s->hidden / s->heads : s->head_dim;
        QZ_TRY(qz_kv_token_bytes(&(qz_kv_entry){{QZ_KV_F16, QZ_KV_F16}, s->kv_heads, guess, guess}, s->name, &plain,
                                                err));
        ok &= qz_kv_cache_bytes(plain, caching, users, ctx, &out->guessed_head_dim);
    }
    if (!ok)
        return qz_fail(err, QZ_EUSAGE,
                       "%llu users × %llu tokens is more than can be counted: model '%s'; give a smaller --ctx or "
                       "--users",
                       (unsigned long long)users, (unsigned long long)ctx, s->name);
    out->per_user = out->bytes / (users ? users : 1);
    return QZ_OK;
}

qz_status qz_kv_layer(const qz_shape *s, qz_kv_types t, uint64_t layer, uint64_t ctx, uint64_t *out, qz_error *err) {
    uint64_t token = 0;
    if (s->attn[layer] == QZ_ATTN_LINEAR) return *out = state_bytes(s, layer), QZ_OK;
    QZ_TRY(token_bytes(s, layer, t, &token, err));
    *out = 0;
    if (qz_kv_cache_bytes(token, 1, 1, kept(s, layer, ctx), out)) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "a context of %llu tokens is more than can be counted", (unsigned long long)ctx);
}
