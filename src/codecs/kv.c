#include "codecs/kv.h"
#include "base/size.h"
#include "base/str.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const qz_kv_type_info types[QZ_KV_TYPE_COUNT] = {
#define QZ_KV_TYPE(id, ...) [QZ_KV_##id] = {__VA_ARGS__},
#include "codecs/kv_types.def"
#undef QZ_KV_TYPE
};
const qz_kv_type_info *qz_kv_type_get(qz_kv_type t) { return &types[t]; }

static qz_status parse_one(const char *text, size_t n, qz_kv_type *out, qz_error *err) {
    char name[24], known[160] = "";
    static const struct { const char *alias; qz_kv_type t;
    } aliases[] = {{"fp16", QZ_KV_F16},     {"float16", QZ_KV_F16},  {"bfloat16", QZ_KV_BF16},
                   {"fp8_e4m3", QZ_KV_FP8}, {"fp8_e5m2", QZ_KV_FP8}, {"int8_per_token_head", QZ_KV_INT8}};
    (void)snprintf(name, sizeof name, "%.*s", (int)qz_min_size(n, sizeof name - 1), text);
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcasecmp(name, aliases[i].alias) == 0) return *out = aliases[i].t, QZ_OK;
    qz_near near = {.word = name};
    for (int i = 0; i < QZ_KV_TYPE_COUNT; i++) {
        const size_t at = strlen(known);
        if (strcasecmp(name, types[i].name) == 0) return *out = (qz_kv_type)i, QZ_OK;
        (void)qz_near_see(&near, types[i].name);
        (void)snprintf(known + at, sizeof known - at, "%s%s", i ? ", " : "", types[i].name);
    }
    return qz_fail(err, QZ_EUSAGE, "unknown KV cache type '%s': nearest known is '%s'; known: %s", name, near.best,
                   known);
}
qz_status qz_kv_types_parse(const char *text, qz_kv_types *out, qz_error *err) {
    size_t n = strcspn(text, "/");
    QZ_TRY(parse_one(text, n, &out->k, err));
    out->v = out->k;
    return text[n] ? parse_one(text + n + 1, strlen(text + n + 1), &out->v, err) : QZ_OK;
}

/* Bytes of `dim` values of one token and head. */
static qz_status vector_bytes(qz_kv_type t, uint64_t dim, const char *model, uint64_t *out, qz_error *err) {
    const qz_kv_type_info *i = &types[t];
    if (dim % i->elems)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "KV type '%s' does not fit model '%s': head_dim %llu is no multiple of its block of %u; use "
                       "f16, bf16 or fp8",
                       i->name, model, (unsigned long long)dim, i->elems);
    *out = dim / i->elems * i->bytes + i->head_bytes;
    return QZ_OK;
}
qz_status qz_kv_token_bytes(const qz_kv_entry *e, const char *model, uint64_t *out, qz_error *err) {
    uint64_t k = 0, v = 0;
    QZ_TRY(vector_bytes(e->types.k, e->k_dim, model, &k, err));
    if (e->v_dim) QZ_TRY(vector_bytes(e->types.v, e->v_dim, model, &v, err));
    if (qz_add_u64(k, v, &k) && qz_mul_u64(e->heads, k, out)) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE,
                   "a token's keys and values are more than can be counted: model '%s'; check its head_dim and number "
                   "of KV heads",
                   model);
}
bool qz_kv_cache_bytes(uint64_t token_bytes, uint64_t layers, uint64_t sequences, uint64_t tokens, uint64_t *sum) {
    uint64_t x;
    const bool ok = qz_mul_u64(token_bytes, layers, &x) && qz_mul_u64(x, sequences, &x) && qz_mul_u64(x, tokens, &x) &&
                    qz_add_u64(*sum, x, &x);
    if (ok) *sum = x;
    return ok;
}
