/* Size of the KV cache from the real architecture: KV heads, head_dim, sliding windows, latent attention,
 * linear-attention states; K and V types apart (codecs/kv.h). qz_kv_plan(shape, types, users, ctx, &k, err).
 * Source: formats/kv-cache.md section 3. */
#ifndef QZ_PLAN_KV_H
#define QZ_PLAN_KV_H
#include "codecs/kv.h"
#include "plan/shapes.h"

typedef struct {
    uint64_t bytes;                 /* users × context, windows capped, plus states */
    uint64_t per_token;             /* of a token that every caching layer keeps */
    uint64_t per_user;              /* bytes / users */
    uint64_t state_bytes;           /* linear-attention layers, part of bytes */
    uint64_t without_windows;       /* bytes if windows are ignored: a common mistake, shown as such */
    uint64_t guessed_head_dim;      /* bytes if windows are ignored and head_dim is taken as hidden/heads */
} qz_kv_plan_result;
/* users, ctx >= 1. QZ_EUNSUPPORTED: head_dim is no multiple of the type's block. QZ_EUSAGE on overflow. */
qz_status qz_kv_plan(const qz_shape *s, qz_kv_types t, uint64_t users, uint64_t ctx, qz_kv_plan_result *out,
                     qz_error *err);
/* Bytes of one layer for a context of ctx tokens and one user (offload plans). */
qz_status qz_kv_layer(const qz_shape *s, qz_kv_types t, uint64_t layer, uint64_t ctx, uint64_t *out, qz_error *err);
#endif
