#include "plan/kv.h"
#include "base/size.h"

/* Latent attention keeps the compressed vector and the roped part once. */
static qz_status token_bytes(const qz_shape *s, qz_kv_types t, uint64_t *out, qz_error *err) {
    const qz_kv_entry e = s->config.latent.kv_rank
                              ? (qz_kv_entry){t, 1, s->config.latent.kv_rank + s->config.latent.rope, 0}
                              : (qz_kv_entry){t, s->kv_heads, s->head_dim, s->head_dim};
    return qz_kv_token_bytes(&e, s->name, out, err);
}

/* float32 state of a linear-attention layer, one user: keys × values of each head, and the
 * convolution's last inputs. */
static uint64_t state_bytes(const qz_shape *s) {
    uint64_t conv = s->config.delta.taps
                        ? (s->config.delta.taps - 1) * (2 * s->config.delta.k_heads * s->config.delta.k_dim +
                                                        s->config.delta.v_heads * s->config.delta.v_dim)
                        : 0;
    return 4 * (s->config.delta.v_heads * s->config.delta.k_dim * s->config.delta.v_dim + conv);
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
    QZ_TRY(token_bytes(s, t, &token, err));
    for (uint64_t l = 0; l < s->layers; l++) {
        if (s->attn[l] == QZ_ATTN_LINEAR) {
            ok &= qz_kv_cache_bytes(state_bytes(s), 1, users, 1, &out->state_bytes);
            continue;
        }
        ok &= qz_kv_cache_bytes(token, 1, users, kept(s, l, ctx), &out->bytes);
        caching++;
    }
    out->per_token = caching * token;
    ok &= qz_kv_cache_bytes(token, caching, users, ctx, &out->without_windows);
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
    if (s->attn[layer] == QZ_ATTN_LINEAR) return *out = state_bytes(s), QZ_OK;
    QZ_TRY(token_bytes(s, t, &token, err));
    *out = 0;
    if (qz_kv_cache_bytes(token, 1, 1, kept(s, layer, ctx), out)) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "a context of %llu tokens is more than can be counted", (unsigned long long)ctx);
}
