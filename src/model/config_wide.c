#include "model/config_wide.h"
#include "base/json.h"
#include "model/config_parts.h"
#include <stdlib.h>
#include <string.h>

static bool borrows(const qz_config *c, size_t l) { return l + c->wide.borrowers >= c->layers; }

size_t qz_config_key_layer(const qz_config *c, size_t l) {
    size_t from = l;
    if (c->wide.borrowers == 0 || !borrows(c, l)) return l;
    while (from > 0 && (borrows(c, from) || c->layer_sliding[from] != c->layer_sliding[l])) from--;
    return from;
}

static qz_kind_id mixer_of(const qz_config *c, size_t l) {
    const bool full = !c->layer_sliding[l];
    if (borrows(c, l)) return full ? QZ_KIND_WIDE_BORROWED_KEYS : QZ_KIND_BORROWED_KEYS;
    if (!full) return QZ_KIND_NORMED_ATTENTION;
    return c->wide.keys_as_values ? QZ_KIND_WIDE_KEYS : QZ_KIND_WIDE_ATTENTION;
}
static qz_kind_id ffn_of(const qz_config *c, size_t l) {
    const bool wide = borrows(c, l) && c->wide.ffn != c->intermediate_size;
    if (c->experts) return QZ_KIND_STREAM_EXPERTS;
    if (c->token.width) return wide ? QZ_KIND_TOKEN_WIDE_MLP : QZ_KIND_TOKEN_MLP;
    return wide ? QZ_KIND_STREAM_WIDE_MLP : QZ_KIND_STREAM_MLP;
}
void qz_config_wide_derive(qz_config *c) {
    for (size_t l = 0; l < c->layers; l++) {
        c->layer_mixer[l] = (uint8_t)mixer_of(c, l);
        c->layer_ffn[l] = (uint8_t)ffn_of(c, l);
    }
}

static qz_status out_of_range(const char *name, const char *key, uint64_t lo, uint64_t hi, uint64_t v, qz_error *err) {
    return qz_fail(err, QZ_EFORMAT, "%s out of range: file '%s': expected %llu to %llu, found %llu", key, name,
                   (unsigned long long)lo, (unsigned long long)hi, (unsigned long long)v);
}

qz_status qz_config_wide_validate(const qz_config *c, const char *name, qz_error *err) {
    if (!qz_family_get(c->family)->by_layer) return QZ_OK;
    const struct { const char *key; uint64_t value, lo, hi; } rows[] = {
        {"global_head_dim", c->wide.head_dim, 2, 2 * QZ_MAX_ROPE_PAIRS},
        {"num_global_key_value_heads", c->wide.kv_heads, 1, c->heads},
        {"num_kv_shared_layers", c->wide.borrowers, 0, c->layers - 1},
        {"hidden_size_per_layer_input", c->token.width, 0, 1u << 16},
        {"vocab_size_per_layer_input", c->token.rows, c->token.width ? 1 : 0, 1u << 24},
        {"intermediate_size (double)", c->wide.ffn, 1, 1u << 23}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].value < rows[i].lo || rows[i].value > rows[i].hi)
            return out_of_range(name, rows[i].key, rows[i].lo, rows[i].hi, rows[i].value, err);
    if (c->wide.head_dim % 2)
        return qz_fail(err, QZ_EFORMAT, "global_head_dim must be even for rotary embeddings: file '%s': found %llu",
                       name, (unsigned long long)c->wide.head_dim);
    if (c->heads % c->wide.kv_heads)
        return qz_fail(err, QZ_EFORMAT,
                       "num_attention_heads %llu is not a multiple of num_global_key_value_heads %llu: file '%s'",
                       (unsigned long long)c->heads, (unsigned long long)c->wide.kv_heads, name);
    if (c->experts && (c->token.width || c->wide.borrowers))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "experts beside %s: file '%s': expected one of them; quantz does not run such layers",
                       c->token.width ? "inputs of tokens (hidden_size_per_layer_input)"
                                      : "borrowed keys (num_kv_shared_layers)", name);
    for (size_t l = 0; l < c->layers; l++) {
        const size_t from = qz_config_key_layer(c, l);
        if (borrows(c, from) || c->layer_sliding[from] != c->layer_sliding[l])
            return qz_fail(err, QZ_EFORMAT,
                           "keys to borrow are missing: file '%s', key 'num_kv_shared_layers', layer %zu: expected a "
                           "layer of %s attention before the last %llu, found none",
                           name, l, c->layer_sliding[l] ? "sliding" : "full", (unsigned long long)c->wide.borrowers);
    }
    return QZ_OK;
}

/* "per_layer_config": {"2": {"head_dim": 32, "num_key_value_heads": 1}}: its numbers, or the top level's. */
typedef struct { uint64_t head_dim, kv_heads; } sizes;
static qz_status read_layer(const json_t *of, size_t l, const char *name, sizes *out, qz_error *err) {
    const char *key;
    json_t *v;
    if (!json_is_object(of))
        return qz_fail(err, QZ_EFORMAT, "wrong kind: file '%s', key 'per_layer_config', layer %zu: expected an object, "
                       "found %s", name, l, qz_json_kind(of));
    json_object_foreach((json_t *)(uintptr_t)of, key, v)
        if (strcmp(key, "head_dim") != 0 && strcmp(key, "num_key_value_heads") != 0 && !json_is_null(v))
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "a setting of one layer: file '%s', key 'per_layer_config.%zu.%.40s': expected head_dim or "
                           "num_key_value_heads; quantz does not run such layers",
                           name, l, key);
    QZ_TRY(qz_json_u64(of, "head_dim", name, &out->head_dim, err));
    return qz_json_u64(of, "num_key_value_heads", name, &out->kv_heads, err);
}

/* Layers of full attention are alike, those with a window as the top level says. */
static qz_status read_layers(const json_t *of, const char *name, qz_config *c, qz_error *err) {
    const char *key;
    json_t *v;
    bool found = false;
    json_object_foreach((json_t *)(uintptr_t)of, key, v) {
        char *end;
        const unsigned long l = strtoul(key, &end, 10);
        if (*key < '0' || *key > '9' || *end || l >= c->layers)
            return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key 'per_layer_config.%.40s': expected a layer "
                           "below %llu", name, key, (unsigned long long)c->layers);
    }
    for (size_t l = 0; l < c->layers; l++) {
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", l);
        const json_t *own = json_object_get(of, number);
        sizes s = {c->head_dim, c->kv_heads};
        if (own) QZ_TRY(read_layer(own, l, name, &s, err));
        const bool full = !c->layer_sliding[l];
        if (full && !found) c->wide.head_dim = s.head_dim, c->wide.kv_heads = s.kv_heads, found = true;
        const uint64_t d = full ? c->wide.head_dim : c->head_dim, n = full ? c->wide.kv_heads : c->kv_heads;
        if (s.head_dim != d || s.kv_heads != n)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "layers of one kind of unlike sizes: file '%s', key 'per_layer_config', layer %zu: expected "
                           "head_dim %llu and num_key_value_heads %llu, found %llu and %llu",
                           name, l, (unsigned long long)d, (unsigned long long)n, (unsigned long long)s.head_dim,
                           (unsigned long long)s.kv_heads);
    }
    return QZ_OK;
}

static qz_status read_heads(const json_t *root, const char *name, qz_config *c, qz_error *err) {
    const json_t *by_layer = json_object_get(root, "per_layer_config");
    if (by_layer && !json_is_null(by_layer)) {
        if (!json_is_object(by_layer))
            return qz_fail(err, QZ_EFORMAT, "wrong kind: file '%s', key 'per_layer_config': expected an object, found "
                           "%s", name, qz_json_kind(by_layer));
        const uint64_t top = c->wide.head_dim, heads = c->wide.kv_heads;
        QZ_TRY(read_layers(by_layer, name, c, err));
        if (json_is_integer(json_object_get(root, "global_head_dim")) && top != c->wide.head_dim)
            return qz_fail(err, QZ_EFORMAT, "two sizes of heads: file '%s', keys 'global_head_dim' and "
                           "'per_layer_config': expected one value, found %llu and %llu",
                           name, (unsigned long long)top, (unsigned long long)c->wide.head_dim);
        if (c->wide.keys_as_values && json_is_integer(json_object_get(root, "num_global_key_value_heads")) &&
            heads != c->wide.kv_heads)
            return qz_fail(err, QZ_EFORMAT, "two numbers of heads: file '%s', keys 'num_global_key_value_heads' and "
                           "'per_layer_config': expected one value, found %llu and %llu",
                           name, (unsigned long long)heads, (unsigned long long)c->wide.kv_heads);
        return QZ_OK;
    }
    return qz_config_needed(root, "global_head_dim", name, &c->wide.head_dim, err);
}

qz_status qz_config_wide(const json_t *root, const char *name, const qz_family_info *f, qz_config *c, qz_error *err) {
    bool twice = false;
    const char *bidirectional = NULL;
    if (!f->by_layer) return QZ_OK;
    const json_t *share = json_object_get(root, "partial_rotary_factor");
    if (json_is_number(share) && json_number_value(share) != c->rope.share)
        return qz_fail(err, QZ_EFORMAT,
                       "two rotary shares: file '%s', keys 'partial_rotary_factor' and 'rope_parameters': expected one "
                       "value, found %g and %g; keep the one that the model was trained with",
                       name, json_number_value(share), c->rope.share);
    if (c->sliding_window == 0)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "layers without a window alone: file '%s', key 'sliding_window': expected 1 or more, since "
                       "heads of layers with a window have another size", name);
    c->layer_sliding[c->layers - 1] = 0; /* as transformers: the last layer always sees all */
    QZ_TRY(qz_json_bool(root, "attention_k_eq_v", name, &c->wide.keys_as_values, err));
    c->wide.head_dim = c->head_dim;
    c->wide.kv_heads = c->kv_heads;
    QZ_TRY(qz_json_u64(root, "global_head_dim", name, &c->wide.head_dim, err));
    if (c->wide.keys_as_values)
        QZ_TRY(qz_json_u64(root, "num_global_key_value_heads", name, &c->wide.kv_heads, err));
    QZ_TRY(read_heads(root, name, c, err));
    QZ_TRY(qz_json_u64(root, "num_kv_shared_layers", name, &c->wide.borrowers, err));
    QZ_TRY(qz_json_bool(root, "use_double_wide_mlp", name, &twice, err));
    c->wide.ffn = c->intermediate_size * (twice ? 2 : 1);
    QZ_TRY(qz_config_needed(root, "hidden_size_per_layer_input", name, &c->token.width, err));
    if (c->token.width) {
        c->token.rows = c->vocab_size;
        QZ_TRY(qz_json_u64(root, "vocab_size_per_layer_input", name, &c->token.rows, err));
    }
    if (json_is_string(json_object_get(root, "use_bidirectional_attention")))
        bidirectional = json_string_value(json_object_get(root, "use_bidirectional_attention"));
    if ((bidirectional && strcmp(bidirectional, "vision") != 0) ||
        json_is_true(json_object_get(root, "use_bidirectional_attention")))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "tokens that see later ones: file '%s', key 'use_bidirectional_attention': expected null or "
                       "\"vision\" (of images alone), found '%.20s'",
                       name, bidirectional ? bidirectional : "true");
    QZ_TRY(qz_config_wide_validate(c, name, err));
    qz_config_wide_derive(c);
    return QZ_OK;
}
