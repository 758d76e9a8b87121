#include "model/config_parts.h"
#include "base/json.h"
#include "base/str.h"
#include "model/families.h"
#include "model/kinds.h"
#include <string.h>

/* Keys that belong to the parts left out: what they look at, and ids that stand for it. */
static bool of_other_parts(const char *key) {
    static const char *const keys[] = {"text_config", "vision_config", "audio_config", "model_type", "architectures"};
    bool yes = strcmp(key, "bos_token_id") && strcmp(key, "eos_token_id") && strcmp(key, "pad_token_id") &&
               (qz_str_ends(key, "_token_id") || qz_str_ends(key, "_token_index") || qz_str_ends(key, "_token_ids"));
    static const char *const begins[] = {"vision_", "audio_", "image_", "projector_", "multimodal_", "spatial_"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) yes |= strcmp(key, keys[i]) == 0;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) yes |= qz_str_starts(key, begins[i]);
    return yes;
}

json_t *qz_config_text(const json_t *root, bool *wrapped) {
    const char *key, *type = json_string_value(json_object_get(root, "model_type"));
    const json_t *text = json_object_get(root, "text_config");
    const char *inner = json_string_value(json_object_get(text, "model_type"));
    const qz_family family = type && json_is_object(text) ? qz_family_by_wrapper(type, inner) : QZ_FAMILY_COUNT;
    json_t *v;
    *wrapped = family != QZ_FAMILY_COUNT;
    if (!*wrapped) return json_incref((json_t *)(uintptr_t)root);
    const qz_family_info *f = qz_family_get(family);
    json_t *out = json_pack("{s:s,s:[s]}", "model_type", f->name, "architectures", f->architecture);
    bool ok = out != NULL;
    json_object_foreach((json_t *)(uintptr_t)text, key, v)
        if (!of_other_parts(key)) ok = ok && json_object_set(out, key, v) == 0;
    json_object_foreach((json_t *)(uintptr_t)root, key, v) {
        const json_t *own = json_object_get(text, key);
        if (!of_other_parts(key) && (own == NULL || json_is_null(own))) ok = ok && json_object_set(out, key, v) == 0;
    }
    if (ok) return out;
    json_decref(out);
    return NULL;
}

qz_status qz_config_needed(const json_t *root, const char *key, const char *name, uint64_t *out, qz_error *err) {
    const json_t *v = json_object_get(root, key);
    if (v == NULL || json_is_null(v))
        return qz_fail(err, QZ_EFORMAT,
                       "key '%s' is missing: file '%s': expected the number of this model, found none, and a default "
                       "would be another model; add it from the model's card",
                       key, name);
    return qz_json_u64(root, key, name, out, err);
}

static qz_status read_types(const json_t *types, const qz_family_info *f, const char *name, qz_config *c,
                            qz_error *err) {
    if (json_array_size(types) != c->layers)
        return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key 'layer_types': expected %llu entries, found %zu",
                       name, (unsigned long long)c->layers, json_array_size(types));
    for (size_t l = 0; l < c->layers; l++) {
        const char *t = json_string_value(json_array_get(types, l));
        const bool full = t && strcmp(t, "full_attention") == 0, linear = t && strcmp(t, "linear_attention") == 0;
        if (!full && !linear)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "unknown layer type '%.40s': file '%s', key 'layer_types', entry %zu: expected "
                           "full_attention or linear_attention; quantz does not run such layers",
                           t ? t : "?", name, l);
        c->layer_mixer[l] = (uint8_t)(full ? QZ_KIND_ATTENTION : f->mixer);
    }
    return QZ_OK;
}

qz_status qz_config_read_delta(const json_t *root, const qz_family_info *f, const char *name, qz_config *c,
                               qz_error *err) {
    if (!qz_kind_get(f->mixer)->state) return QZ_OK;
    const struct { const char *key; uint64_t *to; } rows[] = {{"linear_num_key_heads", &c->delta.k_heads},
                                                              {"linear_num_value_heads", &c->delta.v_heads},
                                                              {"linear_key_head_dim", &c->delta.k_dim},
                                                              {"linear_value_head_dim", &c->delta.v_dim},
                                                              {"linear_conv_kernel_dim", &c->delta.taps}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        QZ_TRY(qz_config_needed(root, rows[i].key, name, rows[i].to, err));
    if (f->q_gate && json_is_false(json_object_get(root, "attn_output_gate")))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "attention without its gate: file '%s', key 'attn_output_gate': expected true, found false",
                       name);
    c->delta.interval = f->pattern;
    QZ_TRY(qz_json_u64(root, "full_attention_interval", name, &c->delta.interval, err));
    if (c->delta.interval == 0)
        return qz_fail(err, QZ_EFORMAT, "full_attention_interval out of range: file '%s': expected 1 or more, found 0",
                       name);
    for (size_t l = 0; l < c->layers; l++)
        c->layer_mixer[l] = (uint8_t)((l + 1) % c->delta.interval == 0 ? QZ_KIND_ATTENTION : f->mixer);
    const json_t *types = json_object_get(root, "layer_types");
    return json_is_array(types) ? read_types(types, f, name, c, err) : QZ_OK;
}

qz_status qz_config_read_sections(const json_t *rope, const qz_family_info *f, const char *name, qz_config *c,
                                  qz_error *err) {
    const json_t *v = json_object_get(rope, "mrope_section");
    memcpy(c->rope.sections, f->sections, sizeof c->rope.sections);
    if (f->sections[0] == 0 || v == NULL || json_is_null(v)) return QZ_OK;
    bool ok = json_is_array(v) && json_array_size(v) == 3;
    for (size_t i = 0; ok && i < 3; i++) {
        const json_int_t n = json_integer_value(json_array_get(v, i));
        ok = json_is_integer(json_array_get(v, i)) && n >= 0 && n <= QZ_MAX_ROPE_PAIRS;
        c->rope.sections[i] = (uint64_t)n;
    }
    return ok ? QZ_OK
              : qz_fail(err, QZ_EFORMAT,
                        "wrong value: file '%s', rope key 'mrope_section': expected three numbers of pairs", name);
}

qz_status qz_config_validate_delta(const qz_config *c, const char *name, qz_error *err) {
    bool any = false;
    for (size_t l = 0; l < c->layers; l++) any |= qz_kind_get((qz_kind_id)c->layer_mixer[l])->state;
    if (!any) return QZ_OK;
    const struct { const char *key; uint64_t value, most; } rows[] = {
        {"linear_num_key_heads", c->delta.k_heads, 4096}, {"linear_num_value_heads", c->delta.v_heads, 4096},
        {"linear_key_head_dim", c->delta.k_dim, QZ_MAX_DELTA_DIM},
        {"linear_value_head_dim", c->delta.v_dim, QZ_MAX_DELTA_DIM}, {"linear_conv_kernel_dim", c->delta.taps, 64}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].value < 1 || rows[i].value > rows[i].most)
            return qz_fail(err, QZ_EFORMAT, "%s out of range: file '%s': expected 1 to %llu, found %llu", rows[i].key,
                           name, (unsigned long long)rows[i].most, (unsigned long long)rows[i].value);
    if (c->delta.v_heads % c->delta.k_heads)
        return qz_fail(err, QZ_EFORMAT,
                       "linear_num_value_heads %llu is not a multiple of linear_num_key_heads %llu: file '%s'",
                       (unsigned long long)c->delta.v_heads, (unsigned long long)c->delta.k_heads, name);
    return QZ_OK;
}

qz_status qz_config_rope_sound(const json_t *rope, const char *name, qz_error *err) {
    static const struct { const char *key; bool zero; } rows[] = {
        {"factor", false}, {"original_max_position_embeddings", false}, {"attention_factor", false},
        {"beta_fast", false}, {"beta_slow", false}, {"low_freq_factor", false}, {"high_freq_factor", false},
        {"mscale", true}, {"mscale_all_dim", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const json_t *v = json_object_get(rope, rows[i].key);
        const double x = json_number_value(v);
        if (!json_is_number(v) || x > 0 || (x == 0 && rows[i].zero)) continue;
        return qz_fail(err, QZ_EFORMAT,
                       "rotary scaling out of range: file '%s', key '%s': expected a number %s, found %g; correct it "
                       "from the model's card",
                       name, rows[i].key, rows[i].zero ? "from 0 on" : "above 0", x);
    }
    return QZ_OK;
}
