/* Size of the KV cache from the real architecture: KV heads, head_dim, sliding windows, latent attention, linear-attention
 * states; K and V types apart. qz_kv_types t; qz_kv_types_parse("q8_0/q4_0", &t, err); qz_kv_plan(shape, t, users, ctx, &k, err).
 * Source: formats/kv-cache.md section 3; rows of kv_types.def. */
#ifndef QZ_PLAN_KV_H
#define QZ_PLAN_KV_H
#include "plan/shapes.h"

typedef enum {
#define QZ_KV_TYPE(id, ...) QZ_KV_##id,
#include "plan/kv_types.def"
#undef QZ_KV_TYPE
    QZ_KV_TYPE_COUNT
} qz_kv_type;
typedef struct {
    const char *name;
    uint32_t elems, bytes;    /* block along head_dim */
    uint32_t head_bytes;      /* extra bytes per token, head, and K or V */
    const char *engines;      /* who has it */
} qz_kv_type_info;
const qz_kv_type_info *qz_kv_type_get(qz_kv_type t);
typedef struct { qz_kv_type k, v; } qz_kv_types;
/* "f16", "q8_0/q4_0" (K/V). */
qz_status qz_kv_types_parse(const char *text, qz_kv_types *out, qz_error *err);

typedef struct {
    uint64_t bytes;                 /* users × context, windows capped, plus states */
    uint64_t per_token;             /* of a token that every caching layer keeps */
    uint64_t per_user;              /* bytes / users */
    uint64_t state_bytes;           /* linear-attention layers, part of bytes */
    uint64_t without_windows;       /* bytes if windows are ignored: a common mistake, shown as such */
    uint64_t guessed_head_dim;      /* bytes if windows are ignored and head_dim is taken as hidden/heads */
} qz_kv_plan_result;
/* users, ctx >= 1. QZ_EUNSUPPORTED: head_dim is no multiple of the type's block. QZ_EUSAGE on overflow. */
qz_status qz_kv_plan(const qz_shape *s, qz_kv_types t, uint64_t users, uint64_t ctx, qz_kv_plan_result *out, qz_error *err);
/* Bytes of one layer for a context of ctx tokens and one user (offload plans). */
qz_status qz_kv_layer(const qz_shape *s, qz_kv_types t, uint64_t layer, uint64_t ctx, uint64_t *out, qz_error *err);
#endif
