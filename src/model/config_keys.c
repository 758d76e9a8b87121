/* What each key of a configuration is: config_keys.def by its name, config_same.def by what it repeats,
 * config_words.def by its words. */
#include "model/config_experts.h"
#include "model/config_keys.h"
#include "model/families.h"
#include "model/kinds.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct { qz_keys_object object; const char *key; qz_key_meaning meaning; double neutral; } rows[] = {
#define QZ_CONFIG_KEY(object, key, meaning, neutral) {QZ_KEYS_##object, key, QZ_KEY_##meaning, neutral},
#include "model/config_keys.def"
#undef QZ_CONFIG_KEY
};
static const struct { const char *words; qz_key_meaning meaning; } words[] = {
#define QZ_CONFIG_WORD(text, meaning) {text, QZ_KEY_##meaning},
#include "model/config_words.def"
#undef QZ_CONFIG_WORD
};
static const char *const prefixes[] = {"", "rope.", "quantization_config."};

void qz_keys_add(qz_config_keys *k, qz_keys_list list, const char *prefix, const char *key, const char *value) {
    const struct { char *text; size_t room; unsigned *count; } lists[] = {
        [QZ_KEYS_NOTED] = {k->noted, sizeof k->noted, &k->n_noted},
        [QZ_KEYS_REFUSED] = {k->refused, sizeof k->refused, &k->n_refused},
        [QZ_KEYS_ABSENT] = {k->absent, sizeof k->absent, &k->n_absent}};
    char *text = lists[list].text;
    const size_t room = lists[list].room, n = strlen(text);
    unsigned *count = lists[list].count;
    char one[128];
    (void)snprintf(one, sizeof one, "%s'%s%.40s'%s%.40s", *count ? ", " : "", prefix, key, value ? " = " : "",
                   value ? value : "");
    for (char *c = one; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?'; /* keys of a stranger, shown on a terminal */
    ++*count;
    if (n + strlen(one) + 4 < room) memcpy(text + n, one, strlen(one) + 1);
    else if (n + 4 < room && (n < 3 || strcmp(text + n - 3, "…") != 0)) memcpy(text + n, "…", sizeof "…");
}

/* null, empty, "none", or the number that changes nothing (true is 1, false is 0). */
static bool is_neutral(const json_t *v, double neutral) {
    if (json_is_null(v)) return true;
    if (json_is_boolean(v)) return json_is_true(v) == (neutral == 1);
    if (json_is_number(v)) return json_number_value(v) == neutral;
    if (json_is_string(v)) return *json_string_value(v) == 0 || strcasecmp(json_string_value(v), "none") == 0;
    return json_is_array(v) ? json_array_size(v) == 0 : json_object_size(v) == 0;
}

/* The same for a key that is known by its words alone: a scale is off at 1 too, and as a switch at false. */
static bool is_off(const json_t *v, qz_key_meaning m) {
    return is_neutral(v, 0) || (m == QZ_KEY_SCALE && json_is_number(v) && json_number_value(v) == 1);
}

/* Does `key` contain `text` as whole words? '*' at the end: as the beginning of one. */
static bool has_words(const char *key, const char *text) {
    const size_t all = strlen(text);
    const bool open = text[all - 1] == '*';
    const size_t n = open ? all - 1 : all;
    for (const char *p = key; *p; p++) {
        if (p != key && isalnum((unsigned char)p[-1])) continue;
        size_t i = 0;
        while (i < n && p[i] &&
               (text[i] == '_' ? !isalnum((unsigned char)p[i]) : tolower((unsigned char)p[i]) == text[i]))
            i++;
        if (i == n && (open || !isalnum((unsigned char)p[n]))) return true;
    }
    return false;
}

/* NAMED before SCALE before MATH; NAMED too if no word is known. */
static qz_key_meaning meaning_of_words(const char *key) {
    qz_key_meaning best = QZ_KEY_UNKNOWN;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i].meaning < best && has_words(key, words[i].words)) best = words[i].meaning;
    return best == QZ_KEY_UNKNOWN ? QZ_KEY_NAMED : best;
}

/* -1: the key repeats no other; else whether it says what c says. */
static int repeats(const char *key, const json_t *v, const qz_config *c) {
    const struct { const char *key; double value; } same[] = {
#define QZ_CONFIG_SAME(key, value) {key, value},
#define QZ_CONFIG_TEXT(key, use, text)
#include "model/config_same.def"
#undef QZ_CONFIG_SAME
#undef QZ_CONFIG_TEXT
    };
    const struct { const char *key; bool use; const char *text; } texts[] = {
#define QZ_CONFIG_SAME(key, value)
#define QZ_CONFIG_TEXT(key, use, text) {key, use, text},
#include "model/config_same.def"
#undef QZ_CONFIG_SAME
#undef QZ_CONFIG_TEXT
    };
    int known = -1;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        if (strcmp(same[i].key, key) != 0) continue;
        const double x = json_is_true(v) ? 1 : json_number_value(v);
        return (json_is_boolean(v) || json_is_number(v)) && fabs(x - same[i].value) <= 1e-6 * fabs(same[i].value);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(texts[i].key, key) != 0) continue;
        if (texts[i].use && json_is_string(v) && strcasecmp(json_string_value(v), texts[i].text) == 0) return 1;
        known = 0;
    }
    return known;
}

static qz_key_meaning meaning_of(qz_keys_object object, const char *key, double *neutral) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].object == object && strcmp(rows[i].key, key) == 0)
            return *neutral = rows[i].neutral, rows[i].meaning;
    *neutral = 0;
    return QZ_KEY_UNKNOWN;
}

/* "name = value" of an unread key. */
static void add_value(qz_config_keys *k, qz_keys_list list, const char *prefix, const char *key, const json_t *v) {
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
    qz_keys_add(k, list, prefix, key, text);
    free(text);
}

/* Keys that some families read; for the others the row of config_keys.def holds. */
static bool family_reads(const qz_family_info *f, const char *key) {
    const bool state = qz_kind_get(f->mixer)->state;
    const struct { const char *key; bool read; } some[] = {
        {"query_pre_attn_scalar", f->query_scalar > 0},
        {"final_logit_softcapping", f->query_scalar > 0 || f->unscaled},
        {"attn_logit_softcapping", f->attn_softcap > 0}, {"hidden_activation", f->act == QZ_ACT_GELU_TANH},
        {"rope_local_base_freq", f->local_theta > 0 && !f->local_plain},
        {"sliding_window_pattern", f->window == QZ_WINDOW_PATTERN},
        {"_sliding_window_pattern", f->window == QZ_WINDOW_PATTERN},
        {"partial_rotary_factor", f->partial_rotary || f->proportional},
        {"num_local_experts", f->experts > 0}, {"num_experts", f->experts > 0},
        {"num_experts_per_tok", f->experts && f->experts_used_key == NULL},
        {"router_jitter_noise", f->experts > 0}, {"moe_intermediate_size", f->experts && f->expert_width},
        {"n_routed_experts", f->experts && strcmp(qz_experts_key(f), "n_routed_experts") == 0},
        {"norm_topk_prob", f->norm_topk_key}, {"decoder_sparse_step", f->dense == QZ_DENSE_STEP},
        {"mlp_only_layers", f->dense == QZ_DENSE_STEP}, {"first_k_dense_replace", f->dense == QZ_DENSE_FIRST},
        {"moe_layers", f->dense == QZ_DENSE_LISTED}, {"interleave_moe_layer_step", f->dense == QZ_DENSE_LISTED},
        {"n_group", f->groups > 0}, {"topk_group", f->groups > 0},
        {"shared_expert_intermediate_size", f->shared == QZ_SHARED_GATED},
        {"n_shared_experts", f->shared == QZ_SHARED_COUNTED}, {"use_qk_norm", f->qk_norm_key || f->qk_plain_key},
        {"attn_temperature_tuning", f->numbers[QZ_NUMBER_query_growth] > 0},
        {"attention_chunk_size", f->window == QZ_WINDOW_CHUNKED},
        {"intermediate_size_mlp", f->mlp_width_key && strcmp(f->mlp_width_key, "intermediate_size_mlp") == 0},
        {"num_nextn_predict_layers", f->mtp}, {"lm_head_bias", f->head_bias_key},
        {"short_mscale", f->rope_mscale}, {"long_mscale", f->rope_mscale},
        {"long_factor", f->longrope}, {"short_factor", f->longrope},
        {"llama_4_scaling_beta", f->query_beta},
        {"mrope_section", f->sections[0] > 0}, {"mrope_interleaved", f->sections[0] > 0},
        {"attn_output_gate", f->q_gate}, {"mamba_ssm_dtype", state}, {"mtp_num_hidden_layers", f->mtp},
        {"mtp_use_dedicated_embeddings", f->mtp},
        {"full_attention_interval", state}, {"linear_num_key_heads", state}, {"linear_num_value_heads", state},
        {"linear_key_head_dim", state}, {"linear_value_head_dim", state}, {"linear_conv_kernel_dim", state},
        {"rope_interleave", f->mixer == QZ_KIND_LATENT}, {"layer_norm_eps", f->eps_key && *f->eps_key},
        {"ffn_dim", f->learned_positions > 0}, {"activation_function", f->act == QZ_ACT_RELU},
        {"q_lora_rank", f->mixer == QZ_KIND_LATENT}, {"kv_lora_rank", f->mixer == QZ_KIND_LATENT},
        {"qk_nope_head_dim", f->mixer == QZ_KIND_LATENT}, {"qk_rope_head_dim", f->mixer == QZ_KIND_LATENT},
        {"qk_head_dim", f->mixer == QZ_KIND_LATENT}, {"v_head_dim", f->mixer == QZ_KIND_LATENT},
        {"top_k_experts", f->experts_used_key != NULL}, {"enable_moe_block", f->experts_switch != NULL},
        {"attention_k_eq_v", f->by_layer}, {"global_head_dim", f->by_layer}, {"per_layer_config", f->by_layer},
        {"num_global_key_value_heads", f->by_layer}, {"num_kv_shared_layers", f->by_layer},
        {"use_double_wide_mlp", f->by_layer}, {"hidden_size_per_layer_input", f->by_layer},
        {"vocab_size_per_layer_input", f->by_layer}, {"use_bidirectional_attention", f->by_layer}};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        if (strcmp(some[i].key, key) == 0) return some[i].read;
    for (int i = 0; i < QZ_LAYER_FLAGS; i++)
        if (strcmp(qz_layer_flag_get(i)->list, key) == 0 || strcmp(qz_layer_flag_get(i)->interval, key) == 0)
            return f->every[i] > 0;
    for (int i = 0; i < QZ_NUMBERS; i++)
        if (strcmp(qz_number_get(i)->key, key) == 0) return f->numbers[i] > 0;
    return false;
}

/* A key of config.json that has no row. */
static void judge_unknown(const char *key, const json_t *v, qz_config *c) {
    const int same = repeats(key, v, c);
    if (same == 1) return;
    const qz_key_meaning m = meaning_of_words(key);
    if (same == 0 || (m != QZ_KEY_NAMED && !is_off(v, m))) add_value(&c->keys, QZ_KEYS_REFUSED, "", key, v);
    else qz_keys_add(&c->keys, QZ_KEYS_NOTED, "", key, NULL);
}

void qz_keys_judge(const json_t *o, const qz_family_info *f, qz_keys_object object, qz_config *c) {
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)o, key, v) {
        double neutral;
        const qz_key_meaning m = meaning_of(object, key, &neutral);
        if (m == QZ_KEY_READ || m == QZ_KEY_PLAIN || json_is_null(v) ||
            (object != QZ_KEYS_QUANT && family_reads(f, key)))
            continue;
        if (m == QZ_KEY_UNKNOWN && object == QZ_KEYS_ROOT) judge_unknown(key, v, c);
        else if (m == QZ_KEY_MATH || (object == QZ_KEYS_ROPE && m == QZ_KEY_UNKNOWN)) {
            if (!is_neutral(v, neutral)) add_value(&c->keys, QZ_KEYS_REFUSED, prefixes[object], key, v);
        } else qz_keys_add(&c->keys, QZ_KEYS_NOTED, prefixes[object], key, NULL);
    }
}

/* Does `name` contain `lower`, in whatever case? */
static bool has_part(const char *name, const char *lower) {
    const size_t n = strlen(lower);
    for (; *name; name++)
        if (strncasecmp(name, lower, n) == 0) return true;
    return false;
}

/* The part of a class name that names its family: "LlamaForCausalLM", "LlamaModel" -> "Llama". */
static size_t family_part(const char *class) {
    const char *end = strstr(class, "For"), *model = strstr(class, "Model");
    if (end == NULL || (model && model < end)) end = model;
    if (end && end - class > 4 && strncmp(end - 4, "Text", 4) == 0) end -= 4; /* Gemma3TextModel */
    return end ? (size_t)(end - class) : strlen(class);
}
static bool same_family(const char *a, const char *b) {
    const size_t n = family_part(a);
    return n == family_part(b) && strncasecmp(a, b, n) == 0;
}

void qz_keys_architecture(const json_t *root, const qz_family_info *f, qz_config_keys *k) {
    const json_t *list = json_object_get(root, "architectures");
    if (list && !json_is_null(list) && !json_is_array(list))
        add_value(k, QZ_KEYS_REFUSED, "", "architectures", list); /* no list of names */
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *a = json_string_value(json_array_get(list, i));
        bool other = a == NULL || has_part(a, "bidirectional"); /* every token sees all others there */
        if (other) add_value(k, QZ_KEYS_REFUSED, "", "architectures", json_array_get(list, i));
        if (other || strcmp(a, f->architecture) == 0) continue;
        for (unsigned o = 0; o < QZ_FAMILY_COUNT; o++) other |= same_family(a, qz_family_get(o)->architecture);
        if (other && !same_family(a, f->architecture)) qz_keys_add(k, QZ_KEYS_REFUSED, "", "architectures", a);
        else
            qz_keys_add(k, QZ_KEYS_NOTED, "", "architectures",
                        a); /* a head of another kind, or a class of somebody's own */
    }
}

void qz_keys_pattern(const json_t *root, const qz_family_info *f, const qz_config *c, qz_config_keys *k) {
    static const char *const keys[] = {"sliding_window_pattern", "_sliding_window_pattern"};
    if (f->window != QZ_WINDOW_PATTERN || c->sliding_window == 0 ||
        !json_is_array(json_object_get(root, "layer_types")))
        return;
    for (size_t i = 0; i < 2; i++) {
        const json_t *v = json_object_get(root, keys[i]);
        const json_int_t n = json_integer_value(v);
        bool follows = true;
        for (size_t l = 0; l < c->layers && n > 0; l++)
            follows &= (c->layer_sliding[l] != 0) == ((l + 1) % (uint64_t)n != 0);
        if (!follows) add_value(k, QZ_KEYS_REFUSED, "", keys[i], v);
    }
}

void qz_keys_window(const json_t *root, const qz_family_info *f, const qz_config *c, qz_config_keys *k) {
    const json_t *w = json_object_get(root, "sliding_window"), *types = json_object_get(root, "layer_types");
    char value[32];
    if (f->window == QZ_WINDOW_NONE && json_is_integer(w) && json_integer_value(w) > 0 &&
        (uint64_t)json_integer_value(w) < c->max_position) {
        (void)snprintf(value, sizeof value, "%lld", (long long)json_integer_value(w));
        qz_keys_add(k, QZ_KEYS_REFUSED, "", "sliding_window", value);
    }
    if ((qz_window_listed(f->window) && c->sliding_window > 0) || qz_kind_get(f->mixer)->state)
        return; /* layer_types is read; without a window all attention is full */
    for (size_t i = 0; i < json_array_size(types); i++) {
        const char *t = json_string_value(json_array_get(types, i));
        const bool sliding = f->window != QZ_WINDOW_NONE && c->sliding_window > 0;
        if (t && strcmp(t, sliding ? "sliding_attention" : "full_attention") == 0) continue;
        if (t) qz_keys_add(k, QZ_KEYS_REFUSED, "", "layer_types", t);
        else add_value(k, QZ_KEYS_REFUSED, "", "layer_types", json_array_get(types, i));
        return;
    }
}

void qz_keys_rope(const json_t *root, const char *base, const json_t *rope, qz_rope_kind kind, qz_config_keys *k) {
    enum {
        LINEAR = 1 << QZ_ROPE_LINEAR,
        DYNAMIC = 1 << QZ_ROPE_DYNAMIC,
        LLAMA3 = 1 << QZ_ROPE_LLAMA3,
        YARN = 1 << QZ_ROPE_YARN,
        LONGROPE = 1 << QZ_ROPE_LONGROPE
    };
    static const struct { const char *key; int kinds;
    } of[] = {{"factor", LINEAR | DYNAMIC | LLAMA3 | YARN | LONGROPE},
              {"low_freq_factor", LLAMA3},
              {"high_freq_factor", LLAMA3},
              {"attention_factor", YARN | LONGROPE},
              {"beta_fast", YARN},
              {"beta_slow", YARN},
              {"mscale", YARN},
              {"mscale_all_dim", YARN},
              {"truncate", YARN},
              {"short_factor", LONGROPE},
              {"long_factor", LONGROPE}};
    const json_t *a = json_object_get(rope, "rope_type"), *b = json_object_get(rope, "type");
    const bool untyped = !json_is_string(a) && !json_is_string(b);
    if (json_is_string(a) && json_is_string(b) && !json_equal(a, b))
        add_value(k, QZ_KEYS_REFUSED, prefixes[QZ_KEYS_ROPE], "type", b);
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        const json_t *v = json_object_get(rope, of[i].key);
        if (v == NULL || is_neutral(v, 1) || (of[i].kinds & (1 << kind))) continue;
        /* a factor without a kind is meant to scale; what belongs to another kind, transformers ignores as we do */
        add_value(k, kind == QZ_ROPE_NONE && (untyped || i == 0) ? QZ_KEYS_REFUSED : QZ_KEYS_NOTED,
                  prefixes[QZ_KEYS_ROPE], of[i].key, v);
    }
    a = json_object_get(root, base), b = json_object_get(rope, "rope_theta");
    if (json_is_number(a) && json_is_number(b) && json_number_value(a) != json_number_value(b))
        add_value(k, QZ_KEYS_REFUSED, "", base, a);
}

void qz_keys_layers(const json_t *by_kind, const char *name, qz_config_keys *k) {
    const char *key;
    json_t *v;
    char prefix[64];
    (void)snprintf(prefix, sizeof prefix, "%s.", name);
    json_object_foreach((json_t *)(uintptr_t)by_kind, key, v) {
        const bool known = strcmp(key, "full_attention") == 0 || strcmp(key, "sliding_attention") == 0;
        if (!known && !json_is_null(v)) add_value(k, QZ_KEYS_REFUSED, prefix, key, v);
    }
}

void qz_keys_contradict(const json_t *read, const json_t *other, const char *name, qz_config_keys *k) {
    const char *key;
    json_t *v;
    char prefix[64];
    (void)snprintf(prefix, sizeof prefix, "%s.", name);
    json_object_foreach((json_t *)(uintptr_t)other, key,
                        v) if (!json_is_null(v) && !json_equal(v, json_object_get(read, key)))
        add_value(k, QZ_KEYS_REFUSED, prefix, key, v);
}

bool qz_keys_matter(const char *root_key) {
    double neutral;
    /* the stored tensors say it */
    if (strcmp(root_key, "dtype") == 0 || strcmp(root_key, "torch_dtype") == 0) return false;
    return meaning_of(QZ_KEYS_ROOT, root_key, &neutral) != QZ_KEY_PLAIN;
}

static bool given(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    return v && !json_is_null(v);
}

qz_status qz_keys_needed(const json_t *root, const qz_family_info *f, const char *name, qz_error *err) {
    const bool experts = qz_experts_wanted(root, f),
               both = given(root, "num_experts") || given(root, "num_local_experts");
    const struct { const char *key; bool there; } keys[] = {
        {"vocab_size", given(root, "vocab_size")},
        {"hidden_size", given(root, "hidden_size")},
        {"num_hidden_layers", given(root, "num_hidden_layers")},
        {"num_attention_heads", given(root, "num_attention_heads")},
        {qz_ffn_key(f),
         given(root, qz_ffn_key(f)) || (experts && f->expert_width && given(root, "moe_intermediate_size"))},
        {f->experts_key ? f->experts_key : "num_experts",
         both || !experts || given(root, qz_experts_key(f))},
        {"moe_intermediate_size", given(root, "moe_intermediate_size") || !experts || !f->expert_width}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (!keys[i].there)
            return qz_fail(err, QZ_EFORMAT,
                           "key '%s' is missing: file '%s': expected the number of this model, found none, and the "
                           "default of family '%s' would "
                           "be another model; add it from the model's card",
                           keys[i].key, name, f->name);
    return QZ_OK;
}

/* Of the top level, or of a rotary object: as a whole, or for one kind of layer. */
static bool rope_given(const json_t *root, const char *top, const char *layers) {
    static const char *const objects[] = {"rope_scaling", "rope_parameters"};
    bool yes = given(root, top);
    for (size_t i = 0; i < 2 && !yes; i++) {
        const json_t *o = json_object_get(root, objects[i]);
        yes = (strcmp(layers, "full_attention") == 0 && given(o, "rope_theta")) ||
              given(json_object_get(o, layers), "rope_theta");
    }
    return yes;
}

void qz_keys_absent(const json_t *root, const qz_family_info *f, const qz_config *c, qz_config_keys *k) {
    const bool gelu = f->act == QZ_ACT_GELU_TANH, slides = f->window == QZ_WINDOW_ALL || f->window == QZ_WINDOW_PATTERN;
    const bool pattern = f->window == QZ_WINDOW_PATTERN && !given(root, "layer_types") &&
                         !given(root, "_sliding_window_pattern");
    const bool experts = f->experts > 0 && c->experts;
    const bool theta = rope_given(root, "rope_theta", "full_attention");
    const bool local = f->local_theta > 0 && !f->local_plain &&
                       !rope_given(root, "rope_local_base_freq", "sliding_attention");
    const struct { const char *key; bool read; double value; } rows_of[] = {
        /* null: as many as heads */
        {"num_key_value_heads", !f->learned_positions && json_object_get(root, "num_key_value_heads") == NULL,
         (double)c->kv_heads},
        {"head_dim", f->head_dim > 0, (double)c->head_dim},
        {"max_position_embeddings", true, (double)c->max_position},
        {qz_eps_key(f), *qz_eps_key(f), c->rms_norm_eps},
        {"rope_theta", !theta && !f->learned_positions, c->rope.theta},
        {"rope_local_base_freq", local, c->rope.local_theta},
        /* null: none */
        {"sliding_window", slides && f->sliding_window && !json_object_get(root, "sliding_window"),
         (double)f->sliding_window},
        {"sliding_window_pattern", pattern, (double)f->pattern},
        {"query_pre_attn_scalar", f->query_scalar > 0, f->query_scalar},
        {"attn_logit_softcapping", f->attn_softcap > 0 && !json_object_get(root, "attn_logit_softcapping"),
         f->attn_softcap},
        {"final_logit_softcapping", f->logit_softcap > 0 && !json_object_get(root, "final_logit_softcapping"),
         f->logit_softcap},
        {qz_used_key(f), experts, (double)c->experts_used},
        {"attention_k_eq_v", f->by_layer, 0}, {"num_kv_shared_layers", f->by_layer, 0},
        {"use_double_wide_mlp", f->by_layer, 0}, {"enable_moe_block", f->experts_switch != NULL, 0},
        {"vocab_size_per_layer_input", f->by_layer && c->token.width, (double)c->token.rows},
        {"n_group", f->groups > 0, (double)c->groups},
        {"topk_group", f->groups > 0, (double)c->groups_kept},
        {"first_k_dense_replace", f->dense == QZ_DENSE_FIRST, (double)f->first_dense},
        {"shared_expert_intermediate_size", f->shared == QZ_SHARED_GATED, (double)c->shared_width},
        {"n_shared_experts", f->shared == QZ_SHARED_COUNTED, (double)f->shared_default}};
    char value[32];
    for (size_t i = 0; i < sizeof rows_of / sizeof rows_of[0]; i++) {
        if (!rows_of[i].read || given(root, rows_of[i].key)) continue;
        (void)snprintf(value, sizeof value, "%.10g", rows_of[i].value);
        qz_keys_add(k, QZ_KEYS_ABSENT, "", rows_of[i].key, value);
    }
    for (int i = 0; i < QZ_LAYER_FLAGS; i++) {
        const qz_layer_flag *o = qz_layer_flag_get(i);
        if (f->every[i] == 0 || given(root, o->list) || given(root, o->interval)) continue;
        (void)snprintf(value, sizeof value, "%llu", (unsigned long long)f->every[i]);
        qz_keys_add(k, QZ_KEYS_ABSENT, "", o->interval, value);
    }
    for (int i = 0; i < QZ_NUMBERS; i++) {
        if (!(f->numbers[i] > 0) || given(root, qz_number_get(i)->key)) continue;
        (void)snprintf(value, sizeof value, "%.10g", f->numbers[i]);
        qz_keys_add(k, QZ_KEYS_ABSENT, "", qz_number_get(i)->key, value);
    }
    if (!given(root, "tie_word_embeddings"))
        qz_keys_add(k, QZ_KEYS_ABSENT, "", "tie_word_embeddings", f->tied ? "true" : "false");
    if (experts && f->norm_topk_key && !given(root, "norm_topk_prob"))
        qz_keys_add(k, QZ_KEYS_ABSENT, "", "norm_topk_prob", f->norm_topk ? "true" : "false");
    const char *act = gelu ? "hidden_activation" : "hidden_act";
    if (f->act == QZ_ACT_RELU) {
        if (!given(root, "activation_function")) qz_keys_add(k, QZ_KEYS_ABSENT, "", "activation_function", "relu");
    } else if (!given(root, act)) qz_keys_add(k, QZ_KEYS_ABSENT, "", act, gelu ? "gelu_pytorch_tanh" : "silu");
}
