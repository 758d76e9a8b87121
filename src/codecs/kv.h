/* Types of a KV cache and the one formula for its bytes: the memory plans of other runtimes and this program's own
 * cache read both. qz_kv_types t; qz_kv_types_parse("q8_0/q4_0", &t, err);
 * uint64_t token, bytes = 0; qz_kv_token_bytes(&(qz_kv_entry){t, kv_heads, head_dim, head_dim}, name, &token, err);
 * ok = qz_kv_cache_bytes(token, layers, sequences, tokens, &bytes).
 * Source: formats/kv-cache.md section 3; rows of kv_types.def. */
#ifndef QZ_CODECS_KV_H
#define QZ_CODECS_KV_H
#include <stdbool.h>
#include <stdint.h>
#include "base/status.h"

typedef enum {
#define QZ_KV_TYPE(id, ...) QZ_KV_##id,
#include "codecs/kv_types.def"
#undef QZ_KV_TYPE
    QZ_KV_TYPE_COUNT,
    /* What the engine keeps under its two arithmetics (engine/engine.h), and what plans of this program count. */
    QZ_KV_EXACT = QZ_KV_F32,
    QZ_KV_RUNTIME = QZ_KV_F16
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

/* What a token leaves in one layer: of each head a vector of keys and one of values. v_dim 0: one vector serves as both
 * (latent attention). */
typedef struct {
    qz_kv_types types;
    uint64_t heads, k_dim, v_dim;
} qz_kv_entry;
/* QZ_EUNSUPPORTED: a vector is no multiple of its type's block; model: its name, for the text. */
qz_status qz_kv_token_bytes(const qz_kv_entry *e, const char *model, uint64_t *out, qz_error *err);
/* *sum += the bytes of `tokens` such entries (a sliding layer keeps no more than its window) of each sequence in each
 * layer. False on overflow, *sum is then untouched. */
bool qz_kv_cache_bytes(uint64_t token_bytes, uint64_t layers, uint64_t sequences, uint64_t tokens, uint64_t *sum);
#endif
