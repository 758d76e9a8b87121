/* config.json -> shape. Families that the engine runs go through model/config.h; the others are read here
 * for their memory. */
#include "base/json.h"
#include "base/str.h"
#include "model/families.h"
#include "model/kinds.h"
#include "plan/shapes_int.h"
#include <stdio.h>
#include <string.h>

/* A plan on a default nobody wrote down would be a plan of another model: what decides the size must be there. */
static qz_status needed(const json_t *root, const char *key, const char *name, uint64_t lo, uint64_t hi, uint64_t *out,
                        qz_error *err) {
    const json_t *v = json_object_get(root, key);
    if (v == NULL || json_is_null(v))
        return qz_fail(err, QZ_EFORMAT,
                       "key '%s' is missing: file '%s': a memory plan needs it; add it from the model's card", key,
                       name);
    QZ_TRY(qz_json_u64(root, key, name, out, err));
    if (*out < lo || *out > hi)
        return qz_fail(err, QZ_EFORMAT, "%s out of range: file '%s': expected %llu to %llu, found %llu", key, name,
                       (unsigned long long)lo, (unsigned long long)hi, (unsigned long long)*out);
    return QZ_OK;
}

static qz_status bounded(const json_t *root, const char *key, const char *name, uint64_t hi, uint64_t *out,
                         qz_error *err) {
    QZ_TRY(qz_json_u64(root, key, name, out, err));
    if (*out > hi)
        return qz_fail(err, QZ_EFORMAT, "%s out of range: file '%s': expected at most %llu, found %llu", key, name,
                       (unsigned long long)hi, (unsigned long long)*out);
    return QZ_OK;
}

/* The five numbers that make a size, in range, for every family. */
static qz_status read_dims(const json_t *root, const char *name, const char *ffn, qz_config *c, qz_error *err) {
    QZ_TRY(needed(root, "hidden_size", name, 1, 1u << 20, &c->hidden_size, err));
    QZ_TRY(needed(root, "num_hidden_layers", name, 1, QZ_MAX_LAYERS, &c->layers, err));
    QZ_TRY(needed(root, "num_attention_heads", name, 1, 4096, &c->heads, err));
    /* of layers that are experts through and through, which read_experts holds to */
    const bool experts = json_object_get(root, "moe_intermediate_size") != NULL;
    if (!experts || json_object_get(root, ffn))
        QZ_TRY(needed(root, ffn, name, 1, 1u << 22, &c->intermediate_size, err));
    return needed(root, "vocab_size", name, 1, 1u << 24, &c->vocab_size, err);
}

static qz_status read_attention(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                                qz_error *err) {
    c->kv_heads = c->heads;
    c->head_dim = f->head_dim;
    QZ_TRY(bounded(root, "num_key_value_heads", name, 4096, &c->kv_heads, err));
    QZ_TRY(bounded(root, "head_dim", name, 1024, &c->head_dim, err));
    if (c->head_dim == 0) {
        if (c->hidden_size % c->heads)
            return qz_fail(err, QZ_EFORMAT,
                           "hidden_size %llu is not a multiple of num_attention_heads %llu: file '%s'; add head_dim",
                           (unsigned long long)c->hidden_size, (unsigned long long)c->heads, name);
        c->head_dim = c->hidden_size / c->heads;
    }
    if (c->kv_heads == 0 || c->heads % c->kv_heads)
        return qz_fail(err, QZ_EFORMAT,
                       "num_attention_heads %llu is not a multiple of num_key_value_heads %llu: file '%s'",
                       (unsigned long long)c->heads, (unsigned long long)c->kv_heads, name);
    c->qkv_bias = f->qkv_bias;
    c->o_bias = f->o_bias;
    c->qk_norm = f->qk_norm;
    c->norms_after = f->norms_after;
    c->no_norms_before = f->no_norms_before;
    c->q_gate = f->q_gate;
    c->parts = f->parts;
    QZ_TRY(qz_json_bool(root, "attention_bias", name, &c->qkv_bias, err));
    if (f->mixer != QZ_KIND_LATENT) return QZ_OK;
    QZ_TRY(needed(root, "kv_lora_rank", name, 1, 1u << 16, &c->latent.kv_rank, err));
    QZ_TRY(needed(root, "qk_rope_head_dim", name, 1, 4096, &c->latent.rope, err));
    QZ_TRY(needed(root, "qk_nope_head_dim", name, 1, 4096, &c->latent.nope, err));
    QZ_TRY(needed(root, "v_head_dim", name, 1, 4096, &c->latent.v, err));
    return bounded(root, "q_lora_rank", name, 1u << 16, &c->latent.q_rank, err);
}

/* Which layers slide or keep a state: layer_types where given, else the family's pattern. */
static qz_status read_layers(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                             qz_error *err) {
    const json_t *types = json_object_get(root, "layer_types");
    uint64_t pattern = f->pattern;
    QZ_TRY(bounded(root, "sliding_window", name, 1u << 30, &c->sliding_window, err));
    if (json_is_integer(json_object_get(root, "sliding_window_pattern"))) /* "LLLG": what layer_types says */
        QZ_TRY(bounded(root, "sliding_window_pattern", name, QZ_MAX_LAYERS, &pattern, err));
    QZ_TRY(bounded(root, "full_attention_interval", name, QZ_MAX_LAYERS, &pattern, err));
    if (json_is_array(types) && json_array_size(types) != c->layers)
        return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key 'layer_types': expected %llu entries, found %zu",
                       name, (unsigned long long)c->layers, json_array_size(types));
    for (size_t i = 0; i < c->layers; i++) {
        bool full = pattern == 0 || (i + 1) % pattern == 0, linear = qz_kind_get(f->mixer)->state;
        if (json_is_array(types)) {
            const char *t = json_string_value(json_array_get(types, i));
            if (t == NULL) t = "?";
            full = strcmp(t, "full_attention") == 0;
            linear = strcmp(t, "linear_attention") == 0;
            if ((!full && !linear && strcmp(t, "sliding_attention") != 0) ||
                (linear && !qz_kind_get(f->mixer)->state))
                return qz_fail(err, QZ_EUNSUPPORTED, "unknown layer type '%s': file '%s', key 'layer_types', entry %zu",
                               t, name, i);
        }
        c->layer_sliding[i] = !full && !linear && c->sliding_window;
        c->layer_mixer[i] = (uint8_t)(f->mixer == QZ_KIND_LATENT ? c->latent.q_rank ? f->mixer : QZ_KIND_LATENT_DIRECT
                                      : !full && linear          ? f->mixer
                                                                 : QZ_KIND_ATTENTION);
    }
    return QZ_OK;
}

/* Layers without experts: the first ones (deepseek), every one that the step leaves out, those listed (qwen). */
static qz_status read_dense(const json_t *root, const char *name, qz_config *c, qz_error *err) {
    uint64_t first = 0, step = 1;
    const json_t *only = json_object_get(root, "mlp_only_layers");
    QZ_TRY(bounded(root, "first_k_dense_replace", name, c->layers, &first, err));
    QZ_TRY(bounded(root, "decoder_sparse_step", name, QZ_MAX_LAYERS, &step, err));
    for (uint64_t i = 0; i < c->layers; i++) c->layer_dense[i] = i < first || step == 0 || (i + 1) % step != 0;
    for (size_t k = 0; k < json_array_size(only); k++) {
        json_int_t i = json_integer_value(json_array_get(only, k));
        if (!json_is_integer(json_array_get(only, k)) || i < 0 || (uint64_t)i >= c->layers)
            return qz_fail(err, QZ_EFORMAT,
                           "wrong value: file '%s', key 'mlp_only_layers', entry %zu: expected a layer below %llu",
                           name, k, (unsigned long long)c->layers);
        c->layer_dense[i] = 1;
    }
    return QZ_OK;
}

static qz_status read_experts(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                              qz_error *err) {
    if (f->experts == 0) return QZ_OK;
    static const char *const keys[] = {"num_experts", "num_local_experts", "n_routed_experts"};
    for (size_t i = 0; i < 3; i++) QZ_TRY(bounded(root, keys[i], name, 65536, &c->experts, err));
    if (c->experts == 0)
        return qz_fail(err, QZ_EFORMAT, "key 'num_experts' is missing: file '%s': family '%s' has experts", name,
                       f->name);
    QZ_TRY(needed(root, "num_experts_per_tok", name, 1, c->experts, &c->experts_used, err));
    c->expert_width = c->intermediate_size;
    uint64_t shared = 0;
    QZ_TRY(bounded(root, "moe_intermediate_size", name, 1u << 22, &c->expert_width, err));
    QZ_TRY(bounded(root, "shared_expert_intermediate_size", name, 1u << 22, &c->shared_width, err));
    QZ_TRY(bounded(root, "n_shared_experts", name, 64, &shared, err));
    if (shared) c->shared_width = shared * c->expert_width;
    c->ffn = c->shared_width ? QZ_KIND_SHARED_EXPERTS : f->ffn ? f->ffn : QZ_KIND_EXPERTS;
    QZ_TRY(read_dense(root, name, c, err));
    const bool dense = memchr(c->layer_dense, 1, c->layers) != NULL;
    return dense ? needed(root, "intermediate_size", name, 1, 1u << 22, &c->intermediate_size, err) : QZ_OK;
}

static qz_status read_linear_attention(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                                       qz_error *err) {
    if (!qz_kind_get(f->mixer)->state) return QZ_OK;
    QZ_TRY(needed(root, "linear_num_key_heads", name, 1, 4096, &c->delta.k_heads, err));
    QZ_TRY(needed(root, "linear_num_value_heads", name, 1, 4096, &c->delta.v_heads, err));
    QZ_TRY(needed(root, "linear_key_head_dim", name, 1, 4096, &c->delta.k_dim, err));
    QZ_TRY(needed(root, "linear_value_head_dim", name, 1, 4096, &c->delta.v_dim, err));
    return needed(root, "linear_conv_kernel_dim", name, 1, 64, &c->delta.taps, err);
}

static qz_status read_common(const json_t *root, const char *name, qz_shape *s, qz_error *err) {
    const char *dtype = NULL, *method = NULL;
    QZ_TRY(qz_json_str(root, "torch_dtype", name, &dtype, err));
    QZ_TRY(qz_json_str(root, "dtype", name, &dtype, err));
    if (dtype) s->dtype_bytes = strcmp(dtype, "float32") == 0 ? 4 : 2; /* 2 where nothing says it (shapes.c) */
    const json_t *q = json_object_get(root, "quantization_config");
    if (json_is_object(q)) QZ_TRY(qz_json_str(q, "quant_method", name, &method, err));
    const json_int_t bits = json_integer_value(json_object_get(q, "bits")); /* what is wrong with it: check says */
    if (bits > 0 && bits <= 16) s->released_bits = (unsigned)bits;
    if (method) (void)snprintf(s->released, sizeof s->released, "%s", method);
    return QZ_OK;
}

/* Defaults of absent keys would plan another model. */
static qz_status need_experts(const json_t *root, const char *used_key, const char *name, qz_error *err) {
    static const char *const keys[] = {"num_experts", "num_local_experts", "n_routed_experts"};
    uint64_t experts = 0, used = 0;
    for (size_t i = 0; i < 3; i++) QZ_TRY(bounded(root, keys[i], name, QZ_MAX_EXPERTS, &experts, err));
    if (experts == 0)
        return qz_fail(err, QZ_EFORMAT,
                       "key 'num_experts' is missing: file '%s': a memory plan needs it; add it from the model's card",
                       name);
    return needed(root, used_key, name, 1, experts, &used, err);
}

void qz_shape_take_config(qz_shape *s) {
    const qz_config *c = &s->config;
    const qz_family_info *f = qz_family_get(c->family);
    (void)snprintf(s->model_type, sizeof s->model_type, "%s", f->name);
    (void)snprintf(s->gguf_arch, sizeof s->gguf_arch, "%s", f->gguf_arch ? f->gguf_arch : "");
    s->runs = c->family < QZ_FAMILY_COUNT;
    s->vocab = c->vocab_size, s->hidden = c->hidden_size, s->intermediate = c->intermediate_size, s->layers = c->layers;
    s->heads = c->heads, s->kv_heads = c->kv_heads, s->head_dim = c->head_dim, s->max_position = c->max_position;
    s->sliding_window = c->sliding_window;
    for (size_t i = 0; i < s->layers; i++)
        s->attn[i] = (uint8_t)(qz_kind_get((qz_kind_id)c->layer_mixer[i])->state ? QZ_ATTN_LINEAR
                               : c->sliding_window && c->layer_sliding[i]        ? QZ_ATTN_SLIDING
                                                                                 : QZ_ATTN_FULL);
    s->tied = c->tie_embeddings, s->qkv_bias = c->qkv_bias, s->o_bias = c->o_bias, s->mlp_bias = c->mlp_bias,
    s->qk_norm = c->qk_norm;
    s->experts = c->experts, s->experts_used = c->experts_used, s->expert_width = c->expert_width;
    for (size_t i = 0; i < s->layers && c->experts; i++) s->dense_layers += s->dense[i] = c->layer_dense[i];
    s->rope_freqs = c->rope.kind == QZ_ROPE_LLAMA3 || c->rope.kind == QZ_ROPE_PROPORTIONAL || c->rope.has_freq_factors;
}

/* Parts of a model that its text family does not have: the plan leaves them out, and says so. */
static void note_uncounted(const json_t *root, qz_config_keys *k) {
    static const char *const keys[] = {"vision_config", "audio_config", "mtp_num_hidden_layers",
                                       "num_nextn_predict_layers"};
    const json_t *text = json_object_get(root, "text_config");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *outer = json_object_get(root, keys[i]), *v = outer ? outer : json_object_get(text, keys[i]);
        if (!json_is_object(v) && json_integer_value(v) <= 0) continue;
        const size_t n = strlen(k->noted);
        (void)snprintf(k->noted + n, sizeof k->noted - n, "%s%s (its weights are not counted)",
                       k->n_noted++ ? ", " : "", keys[i]);
    }
}

/* The text part of a file that wraps it; the tie of its embedding may stand outside. */
static qz_status unwrap(const char *type, const char *name, const json_t **root, qz_shape *s, qz_error *err) {
    const qz_family_info *f = qz_family_get(qz_family_planned(type));
    const json_t *text = json_object_get(*root, "text_config");
    s->config.tie_embeddings = f->tied;
    QZ_TRY(qz_json_bool(*root, "tie_word_embeddings", name, &s->config.tie_embeddings, err));
    if (f->wrapper == NULL || strcmp(f->wrapper, type) != 0 || !json_is_object(text)) return QZ_OK;
    *root = text;
    QZ_TRY(qz_json_bool(text, "tie_word_embeddings", name, &s->config.tie_embeddings, err));
    return read_common(text, name, s, err);
}

static qz_status read_text(const json_t *root, qz_shape *s, qz_error *err) {
    const char *type = NULL, *name = s->name;
    if (!json_is_object(root))
        return qz_fail(err, QZ_EFORMAT, "not a model configuration: file '%s': expected a JSON object", name);
    QZ_TRY(read_common(root, name, s, err));
    QZ_TRY(qz_json_str(root, "model_type", name, &type, err));
    if (type == NULL) return qz_fail(err, QZ_EFORMAT, "key 'model_type' is missing: file '%s'", name);
    if (qz_family_planned(type) != QZ_FAMILY_COUNT) {
        note_uncounted(root, &s->config.keys);
        QZ_TRY(unwrap(type, name, &root, s, err));
    }
    const qz_family run = qz_family_by_name(type);
    QZ_TRY(read_dims(root, name, run == QZ_FAMILY_COUNT ? "intermediate_size" : qz_ffn_key(qz_family_get(run)),
                     &s->config, err));
    if (qz_family_by_name(type) != QZ_FAMILY_COUNT) {
        const qz_family_info *f = qz_family_get(run);
        if (qz_experts_wanted(root, f)) QZ_TRY(need_experts(root, qz_used_key(f), name, err));
        QZ_TRY(qz_config_from_json(root, name, &s->config, err));
        qz_shape_take_config(s);
        return QZ_OK;
    }
    qz_config *c = &s->config;
    c->family = qz_family_planned(type);
    if (c->family == QZ_FAMILY_COUNT) return qz_family_unknown(type, name, err);
    const qz_family_info *f = qz_family_get(c->family);
    QZ_TRY(bounded(root, "max_position_embeddings", name, 1u << 30, &c->max_position, err));
    QZ_TRY(read_attention(root, name, f, c, err));
    QZ_TRY(read_experts(root, name, f, c, err));
    QZ_TRY(read_linear_attention(root, name, f, c, err));
    QZ_TRY(read_layers(root, name, f, c, err));
    qz_shape_take_config(s);
    return QZ_OK;
}

qz_status qz_shape_read(const json_t *root, qz_shape *s, qz_error *err) {
    bool wrapped = false;
    json_t *text = qz_config_text(root, &wrapped);
    if (text == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", s->name);
    qz_config_keys outside = {0};
    if (wrapped) note_uncounted(root, &outside);
    qz_status st = read_text(text, s, err);
    json_decref(text);
    if (st != QZ_OK || outside.n_noted == 0) return st;
    qz_config_keys *k = &s->config.keys;
    const size_t n = strlen(k->noted);
    (void)snprintf(k->noted + n, sizeof k->noted - n, "%s%s", k->n_noted ? ", " : "", outside.noted);
    k->n_noted += outside.n_noted;
    return QZ_OK;
}
