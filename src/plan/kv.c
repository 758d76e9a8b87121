#include "plan/kv.h"
#include "base/size.h"
#include "base/str.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const qz_kv_type_info types[QZ_KV_TYPE_COUNT] = {
#define QZ_KV_TYPE(id, ...) [QZ_KV_##id] = {__VA_ARGS__},
#include "plan/kv_types.def"
#undef QZ_KV_TYPE
};
const qz_kv_type_info *qz_kv_type_get(qz_kv_type t) { return &types[t]; }

static qz_status parse_one(const char *text, size_t n, qz_kv_type *out, qz_error *err) {
    char name[24];
    static const struct { const char *alias; qz_kv_type t;
    } aliases[] = {{"fp16", QZ_KV_F16},     {"float16", QZ_KV_F16},  {"bfloat16", QZ_KV_BF16},
                   {"fp8_e4m3", QZ_KV_FP8}, {"fp8_e5m2", QZ_KV_FP8}, {"int8_per_token_head", QZ_KV_INT8}};
    (void)snprintf(name, sizeof name, "%.*s", (int)qz_min_size(n, sizeof name - 1), text);
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcasecmp(name, aliases[i].alias) == 0) return *out = aliases[i].t, QZ_OK;
    const char *best = types[0].name;
    for (int i = 0; i < QZ_KV_TYPE_COUNT; i++) {
        if (strcasecmp(name, types[i].name) == 0) return *out = (qz_kv_type)i, QZ_OK;
        if (qz_str_distance(types[i].name, name) < qz_str_distance(best, name)) best = types[i].name;
    }
    return qz_fail(err, QZ_EUSAGE,
                   "unknown KV cache type '%s': nearest known is '%s'; known: f32, f16, bf16, fp8, int8, nvfp4, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl",
                   name, best);
}
qz_status qz_kv_types_parse(const char *text, qz_kv_types *out, qz_error *err) {
    size_t n = strcspn(text, "/");
    QZ_TRY(parse_one(text, n, &out->k, err));
    out->v = out->k;
    return text[n] ? parse_one(text + n + 1, strlen(text + n + 1), &out->v, err) : QZ_OK;
}

/* Bytes of `dim` values of one token and head. */
static qz_status vector_bytes(const qz_shape *s, qz_kv_type t, uint64_t dim, uint64_t *out, qz_error *err) {
    const qz_kv_type_info *i = &types[t];
    if (dim % i->elems)
        return qz_fail(err, QZ_EUNSUPPORTED, "KV type '%s' does not fit model '%s': head_dim %llu is no multiple of its block of %u; use f16, bf16 or fp8",
                       i->name, s->name, (unsigned long long)dim, i->elems);
    *out = dim / i->elems * i->bytes + i->head_bytes;
    return QZ_OK;
}

/* Bytes a token leaves in one caching layer. */
static qz_status token_bytes(const qz_shape *s, qz_kv_types t, uint64_t head_dim, uint64_t *out, qz_error *err) {
    uint64_t k = 0, v = 0;
    if (s->kv_lora_rank) { /* latent attention keeps the compressed vector and the roped part once */
        QZ_TRY(vector_bytes(s, t.k, s->kv_lora_rank + s->rope_dim, out, err));
        return QZ_OK;
    }
    QZ_TRY(vector_bytes(s, t.k, head_dim, &k, err));
    QZ_TRY(vector_bytes(s, t.v, head_dim, &v, err));
    *out = s->kv_heads * (k + v);
    return QZ_OK;
}

/* float32 state of a linear-attention layer, one user: keys × values of each head, and the convolution's last inputs. */
static uint64_t state_bytes(const qz_shape *s) {
    uint64_t conv = s->conv_kernel ? (s->conv_kernel - 1) * (2 * s->lin_k_heads * s->lin_k_dim + s->lin_v_heads * s->lin_v_dim) : 0;
    return 4 * (s->lin_v_heads * s->lin_k_dim * s->lin_v_dim + conv);
}

static bool add_product(uint64_t *sum, uint64_t a, uint64_t b, uint64_t c) {
    uint64_t x;
    return qz_mul_u64(a, b, &x) && qz_mul_u64(x, c, &x) && qz_add_u64(*sum, x, sum);
}

qz_status qz_kv_plan(const qz_shape *s, qz_kv_types t, uint64_t users, uint64_t ctx, qz_kv_plan_result *out, qz_error *err) {
    uint64_t token = 0;
    bool ok = true;
    *out = (qz_kv_plan_result){0};
    QZ_TRY(token_bytes(s, t, s->head_dim, &token, err));
    for (uint64_t l = 0; l < s->layers; l++) {
        if (s->attn[l] == QZ_ATTN_LINEAR) {
            ok &= add_product(&out->state_bytes, users, state_bytes(s), 1);
            continue;
        }
        uint64_t keep = s->attn[l] == QZ_ATTN_SLIDING && s->sliding_window < ctx ? s->sliding_window : ctx;
        ok &= add_product(&out->bytes, users, keep, token) && add_product(&out->without_windows, users, ctx, token);
        out->per_token += token;
    }
    ok &= qz_add_u64(out->bytes, out->state_bytes, &out->bytes) && qz_add_u64(out->without_windows, out->state_bytes, &out->without_windows);
    uint64_t guess = s->kv_lora_rank || !s->heads ? s->head_dim : s->hidden / s->heads, units = 2 * s->kv_heads * guess;
    for (uint64_t l = 0; l < s->layers && !s->kv_lora_rank; l++) /* at 16 bits, as calculators do */
        if (s->attn[l] != QZ_ATTN_LINEAR) ok &= add_product(&out->guessed_head_dim, users, ctx, 2 * units);
    if (!ok)
        return qz_fail(err, QZ_EUSAGE, "%llu users × %llu tokens is more than can be counted: model '%s'; give a smaller --ctx or --users",
                       (unsigned long long)users, (unsigned long long)ctx, s->name);
    out->per_user = out->bytes / (users ? users : 1);
    return QZ_OK;
}

qz_status qz_kv_layer(const qz_shape *s, qz_kv_types t, uint64_t layer, uint64_t ctx, uint64_t *out, qz_error *err) {
    uint64_t token = 0;
    if (s->attn[layer] == QZ_ATTN_LINEAR) return *out = state_bytes(s), QZ_OK;
    QZ_TRY(token_bytes(s, t, s->head_dim, &token, err));
    uint64_t keep = s->attn[layer] == QZ_ATTN_SLIDING && s->sliding_window < ctx ? s->sliding_window : ctx;
    if (!qz_mul_u64(keep, token, out)) return qz_fail(err, QZ_EUSAGE, "a context of %llu tokens is more than can be counted", (unsigned long long)ctx);
    return QZ_OK;
}
