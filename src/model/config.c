/* config.json in both spellings (formats/hf-config.md): old top-level rope keys and the new rope_parameters object. */
#include "model/config.h"
#include "codecs/types.h"
#include "model/config_experts.h"
#include "model/config_keys.h"
#include "model/config_latent.h"
#include "model/config_parts.h"
#include "model/config_wide.h"
#include "model/families.h"
#include "model/sites.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "base/str.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG_LIMIT = 16 << 20 };

static qz_status unknown_family(const char *type, const char *name, const json_t *root, qz_error *err) {
    char known[640] = "";
    for (size_t i = 0, n = 0; i < QZ_FAMILY_COUNT && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", qz_family_get((qz_family)i)->name);
    if (json_object_get(root, "auto_map") != NULL)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "model type '%s' asks for custom code (auto_map), and custom code is not run: file '%s'; use a "
                       "family that "
                       "quantz knows (%s)",
                       type, name, known);
    return qz_family_unknown(type, name, err);
}

static qz_status read_rope_kind(const json_t *rope, const qz_family_info *f, const char *name, qz_rope_kind *kind,
                                qz_error *err) {
    const char *type = NULL;
    QZ_TRY(qz_json_str(rope, "rope_type", name, &type, err));
    if (type == NULL) QZ_TRY(qz_json_str(rope, "type", name, &type, err));
    static const struct { const char *name; qz_rope_kind kind; } kinds[] = {
        {"default", QZ_ROPE_NONE}, {"linear", QZ_ROPE_LINEAR}, {"dynamic", QZ_ROPE_DYNAMIC}, {"llama3", QZ_ROPE_LLAMA3},
        {"yarn", QZ_ROPE_YARN}};
    *kind = QZ_ROPE_NONE;
    if (type == NULL) return QZ_OK;
    /* its names over time */
    if (f->proportional && strcmp(type, "proportional") == 0) return *kind = QZ_ROPE_PROPORTIONAL, QZ_OK;
    if (f->longrope && (strcmp(type, "longrope") == 0 || strcmp(type, "su") == 0 || strcmp(type, "yarn") == 0))
        return *kind = QZ_ROPE_LONGROPE, QZ_OK;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, type) == 0) return *kind = kinds[i].kind, QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "unknown rope_type '%s': file '%s': expected default, linear, dynamic, llama3 or yarn", type, name);
}

static qz_status need(const json_t *rope, const char *key, const char *name, double *out, qz_error *err) {
    const json_t *v = json_object_get(rope, key);
    if (v == NULL) return qz_fail(err, QZ_EFORMAT, "rope key '%s' is missing: file '%s': expected a number", key, name);
    if (!json_is_number(v))
        return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', rope key '%s': expected a number, found %s", name, key,
                       qz_json_kind(v));
    *out = json_number_value(v);
    return QZ_OK;
}

/* Rotary settings of sliding layers: a base of their own, no scaling. */
static qz_status read_local(const json_t *root, const json_t *slide, const qz_family_info *f, const char *name,
                            qz_config *c, qz_error *err) {
    const char *type = NULL;
    QZ_TRY(qz_json_str(slide, "rope_type", name, &type, err));
    if (type && strcmp(type, "default") != 0)
        return qz_fail(err, QZ_EUNSUPPORTED, "unknown rope_type '%.40s' of sliding layers: file '%s': expected default",
                       type, name);
    qz_keys_judge(slide, f, QZ_KEYS_ROPE, c);
    qz_keys_rope(root, "rope_local_base_freq", slide, QZ_ROPE_NONE, &c->keys);
    return qz_json_f64(slide, "rope_theta", name, &c->rope.local_theta, err);
}

/* One list of rotary_dim / 2 factors. */
static qz_status read_factors(const json_t *rope, const char *key, const char *name, const qz_config *c, float *out,
                              qz_error *err) {
    const json_t *v = json_object_get(rope, key);
    const size_t n = (size_t)c->rotary_dim / 2;
    if (!json_is_array(v) || json_array_size(v) != n)
        return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', rope key '%s': expected %zu numbers, found %zu", name,
                       key, n, json_is_array(v) ? json_array_size(v) : 0);
    for (size_t i = 0; i < n; i++) {
        const double x = json_number_value(json_array_get(v, i));
        if (!(x > 0 && x < 1e6))
            return qz_fail(err, QZ_EFORMAT,
                           "wrong value: file '%s', rope key '%s', entry %zu: expected a number above 0, found %g",
                           name, key, i, x);
        out[i] = (float)x;
    }
    return QZ_OK;
}

/* rope_scaling, else rope_parameters (as transformers 5). One object for each kind of layer is read
 * where all are one. */
static qz_status rope_object(const json_t *root, const qz_family_info *f, const char *name, qz_config *c,
                             const json_t **out, qz_error *err) {
    qz_config_keys *k = &c->keys;
    static const char *const keys[] = {"rope_scaling", "rope_parameters"};
    *out = NULL;
    for (size_t i = 0; i < 2; i++) {
        const json_t *v = json_object_get(root, keys[i]), *full = json_object_get(v, "full_attention"),
                     *slide = json_object_get(v, "sliding_attention");
        if (v && !json_is_null(v) && !json_is_object(v))
            return qz_fail(err, QZ_EFORMAT, "wrong kind: file '%s', key '%s': expected an object or null, found %s",
                           name, keys[i], qz_json_kind(v));
        if (f->local_theta > 0 && json_is_object(slide)) QZ_TRY(read_local(root, slide, f, name, c, err));
        else if (full && slide && !json_equal(full, slide))
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "rotary settings by kind of layer: file '%s', key '%s': expected one setting, found others "
                           "for full_attention and sliding_attention",
                           name, keys[i]);
        if (json_is_object(full) || json_is_object(slide)) {
            qz_keys_layers(v, keys[i], k);
            v = full ? full : slide;
        }
        if (json_object_size(v) == 0) continue;
        if (*out) qz_keys_contradict(*out, v, keys[i], k);
        else *out = v;
    }
    return QZ_OK;
}

static qz_status read_rotary_dim(const json_t *root, const json_t *rope, const qz_family_info *f, const char *name,
                                 qz_config *c, qz_error *err) {
    double share = f->partial_default > 0 ? f->partial_default : 1;
    c->rotary_dim = c->head_dim;
    if (!f->partial_rotary) return QZ_OK;
    QZ_TRY(qz_json_f64(root, "partial_rotary_factor", name, &share, err));
    const json_t *top = json_object_get(root, "partial_rotary_factor"),
                 *inner = json_object_get(rope, "partial_rotary_factor");
    const char *object = json_object_get(root, "rope_scaling") == rope ? "rope_scaling" : "rope_parameters";
    if (json_is_number(top) && json_is_number(inner) && json_number_value(top) != json_number_value(inner))
        return qz_fail(err, QZ_EFORMAT,
                       "two rotary shares: file '%s', keys 'partial_rotary_factor' and '%s.partial_rotary_factor': "
                       "expected one value, "
                       "found %g and %g; keep the one that the model was trained with",
                       name, object, json_number_value(top), json_number_value(inner));
    QZ_TRY(qz_json_f64(rope, "partial_rotary_factor", name, &share, err));
    if (!(share > 0 && share <= 1))
        return qz_fail(err, QZ_EFORMAT,
                       "partial_rotary_factor out of range: file '%s': expected above 0 to 1, found %g", name, share);
    c->rotary_dim = (uint64_t)((double)c->head_dim * share);
    if (c->rotary_dim < 2 || c->rotary_dim % 2)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "partial_rotary_factor: file '%s': expected an even number of rotating values, found %llu of "
                       "%llu",
                       name, (unsigned long long)c->rotary_dim, (unsigned long long)c->head_dim);
    return QZ_OK;
}

static qz_status read_rope(const json_t *root, const char *name, const qz_family_info *f, qz_config *c, qz_error *err) {
    const json_t *rope = NULL;
    qz_rope *r = &c->rope;
    *r = (qz_rope){.theta = f->theta, .local_theta = f->local_plain ? 0 : f->local_theta, .factor = 1,
                   .beta_fast = 32, .beta_slow = 1, .interleaved = f->rope_pairs,
                   .truncate = true,
                   .original_max_position = f->original_max_position ? f->original_max_position : c->max_position};
    QZ_TRY(qz_json_f64(root, "rope_theta", name, &r->theta, err));
    if (r->local_theta > 0) QZ_TRY(qz_json_f64(root, "rope_local_base_freq", name, &r->local_theta, err));
    QZ_TRY(rope_object(root, f, name, c, &rope, err));
    qz_keys_judge(rope, f, QZ_KEYS_ROPE, c);
    QZ_TRY(read_rotary_dim(root, rope, f, name, c, err));
    QZ_TRY(qz_config_read_sections(rope, f, name, c, err));
    if (!json_is_object(rope)) return QZ_OK;
    QZ_TRY(qz_json_f64(rope, "rope_theta", name, &r->theta, err));
    QZ_TRY(read_rope_kind(rope, f, name, &r->kind, err));
    qz_keys_rope(root, "rope_theta", rope, r->kind, &c->keys);
    QZ_TRY(qz_json_u64(rope, "original_max_position_embeddings", name, &r->original_max_position, err));
    if (r->kind != QZ_ROPE_NONE) /* the top-level value wins for the kinds that use it */
        QZ_TRY(qz_json_u64(root, "original_max_position_embeddings", name, &r->original_max_position, err));
    if (f->query_beta) QZ_TRY(qz_json_f64(rope, "llama_4_scaling_beta", name, &r->query_beta, err));
    if (r->kind != QZ_ROPE_NONE) QZ_TRY(qz_config_rope_sound(rope, name, err));
    switch (r->kind) {
    case QZ_ROPE_LINEAR:
    case QZ_ROPE_DYNAMIC: return need(rope, "factor", name, &r->factor, err);
    case QZ_ROPE_LLAMA3: {
        double original = 0;
        QZ_TRY(need(rope, "factor", name, &r->factor, err));
        QZ_TRY(need(rope, "low_freq_factor", name, &r->low_freq_factor, err));
        QZ_TRY(need(rope, "high_freq_factor", name, &r->high_freq_factor, err));
        if (json_object_get(root, "original_max_position_embeddings") == NULL)
            QZ_TRY(need(rope, "original_max_position_embeddings", name, &original, err));
        return QZ_OK;
    }
    case QZ_ROPE_YARN:
        r->factor = 0; /* null: max_position / original */
        QZ_TRY(qz_json_f64(rope, "factor", name, &r->factor, err));
        if (r->factor == 0) r->factor = (double)c->max_position / (double)qz_max_size(r->original_max_position, 1);
        QZ_TRY(qz_json_f64(rope, "attention_factor", name, &r->attention_factor, err));
        QZ_TRY(qz_json_f64(rope, "beta_fast", name, &r->beta_fast, err));
        QZ_TRY(qz_json_f64(rope, "beta_slow", name, &r->beta_slow, err));
        QZ_TRY(qz_json_f64(rope, "mscale", name, &r->mscale, err));
        QZ_TRY(qz_json_f64(rope, "mscale_all_dim", name, &r->mscale_all_dim, err));
        return qz_json_bool(rope, "truncate", name, &r->truncate, err);
    case QZ_ROPE_LONGROPE:
        r->factor = 0; /* null: max_position / original */
        QZ_TRY(qz_json_f64(rope, "factor", name, &r->factor, err));
        if (r->factor == 0) r->factor = (double)c->max_position / (double)qz_max_size(r->original_max_position, 1);
        QZ_TRY(qz_json_f64(rope, "attention_factor", name, &r->attention_factor, err));
        if (f->rope_mscale) QZ_TRY(qz_json_f64(rope, "short_mscale", name, &r->short_mscale, err));
        if (f->rope_mscale) QZ_TRY(qz_json_f64(rope, "long_mscale", name, &r->long_mscale, err));
        QZ_TRY(read_factors(rope, "short_factor", name, c, r->short_factor, err));
        return read_factors(rope, "long_factor", name, c, r->long_factor, err);
    case QZ_ROPE_PROPORTIONAL:
        r->share = 1;
        QZ_TRY(qz_json_f64(rope, "partial_rotary_factor", name, &r->share, err));
        QZ_TRY(qz_json_f64(rope, "factor", name, &r->factor, err));
        if (r->share > 0 && r->share <= 1 && r->factor == 1) return QZ_OK;
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "rope_type 'proportional': file '%s': expected partial_rotary_factor above 0 to 1 and factor 1, "
                       "found %g and %g",
                       name, r->share, r->factor);
    case QZ_ROPE_NONE: break;
    }
    return QZ_OK;
}

/* Which layers slide: layer_types where the family reads it, else the family's default (families.md section 3). */
static qz_status read_window(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                             qz_error *err) {
    const json_t *listed = json_object_get(root, "layer_types"); /* one entry a layer in every family, read or not */
    if (listed && !json_is_null(listed) && !json_is_array(listed))
        return qz_fail(err, QZ_EFORMAT, "wrong kind: file '%s', key 'layer_types': expected a list or null, found %s",
                       name, qz_json_kind(listed));
    if (json_is_array(listed) && json_array_size(listed) != c->layers)
        return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key 'layer_types': expected %llu entries, found %zu",
                       name, (unsigned long long)c->layers, json_array_size(listed));
    /* absent takes the default, null means none (mistral) */
    c->chunked = f->window == QZ_WINDOW_CHUNKED;
    const char *key = c->chunked ? "attention_chunk_size" : "sliding_window",
               *sliding = c->chunked ? "chunked_attention" : "sliding_attention";
    bool absent = json_object_get(root, key) == NULL;
    c->sliding_window = absent ? f->sliding_window : 0;
    QZ_TRY(qz_json_u64(root, key, name, &c->sliding_window, err));
    bool use = f->window == QZ_WINDOW_ALL || f->window == QZ_WINDOW_PATTERN || c->chunked;
    uint64_t first = 0, pattern = f->pattern;
    if (f->window == QZ_WINDOW_BY_KEY || f->window == QZ_WINDOW_USE_ALL || f->window == QZ_WINDOW_NO_ROPE)
        QZ_TRY(qz_json_bool(root, "use_sliding_window", name, &use, err));
    if (f->window == QZ_WINDOW_BY_KEY) {
        first = 28;
        QZ_TRY(qz_json_u64(root, "max_window_layers", name, &first, err));
    }
    if (f->window == QZ_WINDOW_PATTERN) {
        QZ_TRY(qz_json_u64(root, "_sliding_window_pattern", name, &pattern, err));
        QZ_TRY(qz_json_u64(root, "sliding_window_pattern", name, &pattern, err));
    }
    if (use && c->sliding_window == 0 && json_is_integer(json_object_get(root, key)))
        return qz_fail(err, QZ_EFORMAT,
                       "window of no keys: file '%s', key '%s': expected 1 or more, or null for none, found 0", name,
                       key);
    if (!use || c->sliding_window == 0) {
        c->sliding_window = 0;
        return QZ_OK;
    }
    const json_t *types = qz_window_listed(f->window) ? listed : NULL;
    for (size_t i = 0; i < c->layers; i++) {
        c->layer_sliding[i] = f->window == QZ_WINDOW_PATTERN   ? pattern == 0 || (i + 1) % pattern != 0
                              : f->window == QZ_WINDOW_NO_ROPE ? c->layer_no_rope[i]
                              : c->chunked                     ? !c->layer_no_rope[i]
                                                               : i >= first;
        if (!json_is_array(types)) continue;
        const char *t = json_string_value(json_array_get(types, i));
        if (t == NULL || (strcmp(t, "full_attention") != 0 && strcmp(t, sliding) != 0))
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "unknown layer type '%.40s': file '%s', key 'layer_types', entry %zu: expected "
                           "full_attention or %s; quantz does not run such layers",
                           t ? t : "?", name, i, sliding);
        c->layer_sliding[i] = strcmp(t, sliding) == 0;
    }
    return QZ_OK;
}

/* Scales and caps of gemma. */
static qz_status read_scales(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                             qz_error *err) {
    double scalar = f->query_scalar > 0 ? f->query_scalar : (double)c->head_dim;
    c->act = f->act;
    c->norms_after = f->norms_after;
    c->norm_plus_one = f->norm_plus_one;
    c->fused = f->fused;
    c->embed_scale = f->embed_scaled ? sqrt((double)c->hidden_size) : 1;
    if (f->query_scalar > 0) QZ_TRY(qz_json_f64(root, "query_pre_attn_scalar", name, &scalar, err));
    if (!(scalar > 0))
        return qz_fail(err, QZ_EFORMAT, "query_pre_attn_scalar out of range: file '%s': expected above 0, found %g",
                       name, scalar);
    c->attn_scale = (double)(1.0f / sqrtf((float)scalar));
    if (f->attn_softcap > 0) {
        c->attn_softcap = json_object_get(root, "attn_logit_softcapping") ? 0 : f->attn_softcap;
        QZ_TRY(qz_json_f64(root, "attn_logit_softcapping", name, &c->attn_softcap, err));
    }
    if (f->unscaled) scalar = c->attn_scale = 1;
    if (f->query_scalar > 0 || f->unscaled) {
        c->logit_softcap = json_object_get(root, "final_logit_softcapping") ? 0 : f->logit_softcap;
        QZ_TRY(qz_json_f64(root, "final_logit_softcapping", name, &c->logit_softcap, err));
    }
    return c->attn_softcap >= 0 && c->logit_softcap >= 0
               ? QZ_OK
               : qz_fail(err, QZ_EFORMAT, "softcapping out of range: file '%s': expected above 0, found %g and %g",
                         name, c->attn_softcap, c->logit_softcap);
}

/* Where the family's row has defaults of them. */
static qz_status read_numbers(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                              qz_error *err) {
    for (int i = 0; i < QZ_NUMBERS; i++) {
        double x = f->numbers[i];
        if (!(x > 0)) continue;
        QZ_TRY(qz_json_f64(root, qz_number_get(i)->key, name, &x, err));
        if (!(x > 0 && x < 1e6))
            return qz_fail(err, QZ_EFORMAT, "%s out of range: file '%s': expected above 0, found %g",
                           qz_number_get(i)->key, name, x);
        qz_config_set_number(c, i, x);
    }
    const json_t *tuned = json_object_get(root, "attn_temperature_tuning"); /* true, or a number that is not 0 */
    if (f->numbers[QZ_NUMBER_query_growth] > 0 && tuned && !json_is_null(tuned) && !json_is_true(tuned) &&
        json_integer_value(tuned) == 0)
        c->query_growth = 0;
    return QZ_OK;
}

/* Options of single layers: the list says 0 where a layer has one; else every n-th. */
static qz_status read_layer_flags(const json_t *root, const char *name, const qz_family_info *f, qz_config *c,
                                  qz_error *err) {
    for (int i = 0; i < QZ_LAYER_FLAGS; i++) {
        const qz_layer_flag *o = qz_layer_flag_get(i);
        const json_t *list = json_object_get(root, o->list);
        uint64_t interval = f->every[i];
        if (interval == 0) continue;
        QZ_TRY(qz_json_u64(root, o->interval, name, &interval, err));
        if (list && !json_is_null(list) && !json_is_array(list))
            return qz_fail(err, QZ_EFORMAT, "wrong kind: file '%s', key '%s': expected a list or null, found %s", name,
                           o->list, qz_json_kind(list));
        if (json_array_size(list) && json_array_size(list) != c->layers)
            return qz_fail(err, QZ_EFORMAT, "wrong value: file '%s', key '%s': expected %llu entries, found %zu", name,
                           o->list, (unsigned long long)c->layers, json_array_size(list));
        for (size_t l = 0; l < c->layers; l++) {
            const json_t *v = json_array_get(list, l);
            if (v && !json_is_integer(v) && !json_is_boolean(v))
                return qz_fail(err, QZ_EFORMAT, "wrong kind: file '%s', key '%s', entry %zu: expected 0 or 1, found %s",
                               name, o->list, l, qz_json_kind(v));
            qz_config_layer_flag(c, i)[l] = v ? !json_is_true(v) && json_integer_value(v) == 0
                                              : interval && (l + 1) % interval == 0;
        }
    }
    return QZ_OK;
}

static qz_status read_token_ids(const json_t *root, const char *name, qz_config *c, qz_error *err) {
    const json_t *v = json_object_get(root, "bos_token_id");
    if (json_is_integer(v)) c->bos_id = json_integer_value(v);
    v = json_object_get(root, "pad_token_id");
    if (json_is_integer(v)) c->pad_id = json_integer_value(v);
    v = json_object_get(root, "eos_token_id");
    if (json_is_integer(v)) {
        c->eos_ids[0] = json_integer_value(v);
        c->n_eos = 1;
    } else if (json_is_array(v)) {
        size_t n = json_array_size(v);
        if (n > sizeof c->eos_ids / sizeof c->eos_ids[0])
            return qz_fail(err, QZ_EFORMAT, "too many eos_token_id: file '%s': expected at most 16, found %zu", name,
                           n);
        c->n_eos = 0;
        for (size_t i = 0; i < n; i++) {
            const json_t *id = json_array_get(v, i);
            if (!json_is_integer(id))
                return qz_fail(err, QZ_EFORMAT,
                               "wrong value: file '%s', key 'eos_token_id', entry %zu: expected an integer, found %s",
                               name, i, qz_json_kind(id));
            c->eos_ids[c->n_eos++] = json_integer_value(id);
        }
    } else if (v && !json_is_null(v))
        return qz_fail(err, QZ_EFORMAT,
                       "wrong value: file '%s', key 'eos_token_id': expected an integer or a list of integers, found "
                       "%s",
                       name, qz_json_kind(v));
    return QZ_OK;
}

qz_type qz_config_dtype(const char *name) {
    if (name == NULL) return QZ_TYPE_NONE;
    return strcmp(name, "bfloat16") == 0  ? QZ_TYPE_BF16
           : strcmp(name, "float16") == 0 ? QZ_TYPE_F16
           : strcmp(name, "float32") == 0 ? QZ_TYPE_F32
                                          : QZ_TYPE_NONE;
}

static qz_status read_dtype(const json_t *root, const char *name, qz_config *c, qz_error *err) {
    const char *s = NULL;
    QZ_TRY(qz_json_str(root, "torch_dtype", name, &s, err));
    QZ_TRY(qz_json_str(root, "dtype", name, &s, err)); /* the new spelling wins */
    c->dtype = qz_config_dtype(s);
    return QZ_OK;
}

static qz_status read_activation(const json_t *root, const char *name, const qz_family_info *f, qz_error *err) {
    const bool gelu = f->act == QZ_ACT_GELU_TANH;
    if (f->act == QZ_ACT_RELU) {
        const char *relu = "relu";
        QZ_TRY(qz_json_str(root, "activation_function", name, &relu, err));
        if (strcmp(relu, "relu") == 0) return QZ_OK;
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "unknown activation '%.40s': file '%s', key 'activation_function': expected 'relu'", relu, name);
    }
    const char *key = gelu && json_object_get(root, "hidden_activation") ? "hidden_activation" : "hidden_act",
               *act = gelu ? "gelu_pytorch_tanh" : "silu";
    /* gemma's files carry a hidden_act that nothing reads */
    if (!gelu || strcmp(key, "hidden_activation") == 0) QZ_TRY(qz_json_str(root, key, name, &act, err));
    if (gelu ? strcmp(act, "gelu_pytorch_tanh") == 0 : strcmp(act, "silu") == 0 || strcmp(act, "swish") == 0)
        return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED, "unknown activation '%s': file '%s', key '%s': expected '%s'", act, name, key,
                   gelu ? "gelu_pytorch_tanh" : "silu");
}

/* A family of this program has its keys at the top: the same keys inside text_config must not say something else. */
static qz_status nested_config(const json_t *root, const char *name, const char *type, qz_error *err) {
    const json_t *text = json_object_get(root, "text_config");
    const char *key, *inner = json_string_value(json_object_get(text, "model_type"));
    json_t *v;
    if (json_object_size(text) == 0) return QZ_OK;
    const qz_family planned = type ? qz_family_planned(type) : QZ_FAMILY_COUNT;
    if (planned != QZ_FAMILY_COUNT && inner && planned == qz_family_planned(inner))
        return qz_family_unknown(type, name, err); /* the text model alone would not run either */
    if (type == NULL || qz_family_by_name(type) == QZ_FAMILY_COUNT)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "unknown model family '%.60s' around a text model '%.60s': file '%s', key 'text_config': "
                       "expected a text model by itself; "
                       "save its language model alone",
                       type ? type : "?", inner ? inner : "?", name);
    json_object_foreach((json_t *)(uintptr_t)text, key,
                        v) if (!json_equal(v, json_object_get(root, key)) && !json_is_null(v) &&
                               qz_keys_matter(
                                   key)) return qz_fail(err, QZ_EUNSUPPORTED,
                                                        "nested configuration: file '%s', key 'text_config.%.60s': "
                                                        "expected the value of the top level, found another; "
                                                        "move the text model's keys to the top level",
                                                        name, key);
    return QZ_OK;
}

static qz_status read_text(const json_t *root, const char *name, qz_config *c, qz_error *err) {
    if (!json_is_object(root))
        return qz_fail(err, QZ_EFORMAT, "not a model configuration: file '%s': expected a JSON object", name);
    const char *type = NULL;
    QZ_TRY(qz_json_str(root, "model_type", name, &type, err));
    QZ_TRY(nested_config(root, name, type, err));
    if (type == NULL) return qz_fail(err, QZ_EFORMAT, "key 'model_type' is missing: file '%s'", name);
    c->family = qz_family_by_name(type);
    if (c->family == QZ_FAMILY_COUNT) return unknown_family(type, name, root, err);
    const qz_family_info *f = qz_family_get(c->family);
    QZ_TRY(qz_keys_needed(root, f, name, err));
    c->vocab_size = f->vocab;
    c->hidden_size = f->hidden;
    c->intermediate_size = f->intermediate;
    c->layers = f->layers;
    c->heads = f->heads;
    c->max_position = f->max_position;
    c->rms_norm_eps = f->eps;
    c->tie_embeddings = f->tied;
    QZ_TRY(qz_json_u64(root, "vocab_size", name, &c->vocab_size, err));
    QZ_TRY(qz_json_u64(root, "hidden_size", name, &c->hidden_size, err));
    QZ_TRY(qz_json_u64(root, qz_ffn_key(f), name, &c->intermediate_size, err));
    QZ_TRY(qz_json_u64(root, "num_hidden_layers", name, &c->layers, err));
    QZ_TRY(qz_json_u64(root, "num_attention_heads", name, &c->heads, err));
    QZ_TRY(qz_json_u64(root, "max_position_embeddings", name, &c->max_position, err));
    if (*qz_eps_key(f)) QZ_TRY(qz_json_f64(root, qz_eps_key(f), name, &c->rms_norm_eps, err));
    QZ_TRY(qz_json_bool(root, "tie_word_embeddings", name, &c->tie_embeddings, err));
    c->kv_heads = json_object_get(root, "num_key_value_heads") == NULL && f->kv_heads ? f->kv_heads : c->heads;
    QZ_TRY(qz_json_u64(root, "num_key_value_heads", name, &c->kv_heads, err));
    c->head_dim = f->head_dim;
    QZ_TRY(qz_json_u64(root, "head_dim", name, &c->head_dim, err));
    if (c->head_dim == 0) {
        if (c->heads == 0 || c->hidden_size % c->heads != 0)
            return qz_fail(err, QZ_EFORMAT,
                           "hidden_size %llu is not a multiple of num_attention_heads %llu: file '%s'; add head_dim",
                           (unsigned long long)c->hidden_size, (unsigned long long)c->heads, name);
        c->head_dim = c->hidden_size / c->heads;
    }
    c->qkv_bias = f->qkv_bias;
    c->o_bias = f->o_bias;
    c->qk_norm = f->qk_norm;
    c->parts = f->parts;
    if (f->head_bias_key) QZ_TRY(qz_json_bool(root, "lm_head_bias", name, &c->head_bias, err));
    c->qk_plain = f->qk_plain_key;
    if (f->qk_plain_key) QZ_TRY(qz_json_bool(root, "use_qk_norm", name, &c->qk_plain, err));
    if (f->qk_norm_key) QZ_TRY(qz_json_bool(root, "use_qk_norm", name, &c->qk_norm, err));
    c->q_gate = f->q_gate;
    if (f->attention_bias_key) {
        QZ_TRY(qz_json_bool(root, "attention_bias", name, &c->qkv_bias, err));
        c->o_bias = c->qkv_bias && !f->qkv_bias_only;
    }
    c->mlp_bias = f->ffn == QZ_KIND_PLAIN_MLP;
    if (f->learned_positions) c->position_rows = c->max_position + f->learned_positions;
    if (f->mlp_bias_key) QZ_TRY(qz_json_bool(root, "mlp_bias", name, &c->mlp_bias, err));
    if (c->layers > QZ_MAX_LAYERS || c->layers == 0)
        return qz_fail(err, QZ_EFORMAT, "num_hidden_layers: file '%s': expected 1 to %d, found %llu", name,
                       QZ_MAX_LAYERS, (unsigned long long)c->layers);
    qz_config_kinds(c);
    QZ_TRY(qz_config_read_delta(root, f, name, c, err));
    QZ_TRY(read_activation(root, name, f, err));
    QZ_TRY(read_scales(root, name, f, c, err));
    QZ_TRY(read_numbers(root, name, f, c, err));
    QZ_TRY(qz_config_experts(root, name, f, c, err));
    /* bound by their tensors; the number is only compared with them */
    if (f->mtp) QZ_TRY(qz_json_u64(root, "num_nextn_predict_layers", name, &c->mtp_layers, err));
    if (f->mtp) QZ_TRY(qz_json_u64(root, "mtp_num_hidden_layers", name, &c->mtp_layers, err));
    QZ_TRY(read_rope(root, name, f, c, err));
    if (f->local_plain && c->rope.local_theta == 0) c->rope.local_theta = c->rope.theta;
    QZ_TRY(qz_config_latent(root, name, f, c, err));
    QZ_TRY(read_layer_flags(root, name, f, c, err)); /* before the window: it may follow them */
    QZ_TRY(read_window(root, name, f, c, err));
    QZ_TRY(qz_config_wide(root, name, f, c, err));
    if (f->learned_positions) memset(c->layer_no_rope, 1, (size_t)c->layers);
    for (size_t l = 0; f->rope_sliding_only && l < c->layers; l++) c->layer_no_rope[l] = !c->layer_sliding[l];
    QZ_TRY(read_dtype(root, name, c, err));
    qz_keys_judge(root, f, QZ_KEYS_ROOT, c);
    qz_keys_judge(json_object_get(root, "quantization_config"), f, QZ_KEYS_QUANT, c);
    qz_keys_architecture(root, f, &c->keys);
    qz_keys_window(root, f, c, &c->keys);
    qz_keys_pattern(root, f, c, &c->keys);
    qz_keys_absent(root, f, c, &c->keys);
    return read_token_ids(root, name, c, err);
}

static qz_status read_root(const json_t *root, const char *name, qz_config *c, qz_error *err) {
    json_t *text = qz_config_text(root, &c->wrapped);
    if (text == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", name);
    const qz_status st = read_text(text, name, c, err);
    json_decref(text);
    return st;
}

/* generation_config.json overrides the token ids (its eos list is what generation stops at). */
static qz_status read_generation(const char *path, qz_config *c, qz_error *err) {
    const char *slash = strrchr(path, '/');
    char *dir = slash ? qz_strndup(path, (size_t)(slash - path + 1)) : qz_strdup("./");
    char *gen = dir ? qz_path_join(dir, "generation_config.json") : NULL;
    qz_free(dir);
    if (gen == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    qz_status st = QZ_OK;
    if (qz_path_exists(gen)) {
        json_t *root = NULL;
        st = qz_json_load(gen, CONFIG_LIMIT, &root, err);
        if (st == QZ_OK) st = read_token_ids(root, gen, c, err);
        json_decref(root);
    }
    qz_free(gen);
    return st;
}

qz_status qz_config_family(const char *path, qz_error *err) {
    json_t *file = NULL;
    bool wrapped;
    QZ_TRY(qz_json_load(path, CONFIG_LIMIT, &file, err));
    json_t *root = qz_config_text(file, &wrapped);
    json_decref(file);
    if (root == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", path);
    const char *type = json_string_value(json_object_get(root, "model_type"));
    qz_status st = nested_config(root, path, type, err);
    if (st == QZ_OK && json_is_object(root) && !json_object_get(root, "model_type"))
        st = qz_fail(err, QZ_EUNSUPPORTED,
                     "key 'model_type' is missing: file '%s': expected the configuration of a language model", path);
    if (st == QZ_OK && type && qz_family_by_name(type) == QZ_FAMILY_COUNT) st = unknown_family(type, path, root, err);
    json_decref(root);
    return st;
}

qz_status qz_config_load(const char *path, qz_config *out, qz_error *err) {
    *out = (qz_config){.bos_id = -1, .pad_id = -1};
    json_t *root = NULL;
    QZ_TRY(qz_json_load(path, CONFIG_LIMIT, &root, err));
    qz_status st = read_root(root, path, out, err);
    json_decref(root);
    QZ_TRY(st);
    QZ_TRY(read_generation(path, out, err));
    return qz_config_validate(out, path, err);
}

qz_status qz_config_from_json(const json_t *root, const char *name, qz_config *out, qz_error *err) {
    *out = (qz_config){.bos_id = -1, .pad_id = -1};
    QZ_TRY(read_root(root, name, out, err));
    return qz_config_validate(out, name, err);
}

static qz_status in_range(const char *name, const char *what, uint64_t v, uint64_t lo, uint64_t hi, qz_error *err) {
    if (v >= lo && v <= hi) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT, "%s out of range: file '%s': expected %llu to %llu, found %llu", what, name,
                   (unsigned long long)lo, (unsigned long long)hi, (unsigned long long)v);
}

qz_status qz_config_validate(const qz_config *c, const char *name, qz_error *err) {
    QZ_TRY(in_range(name, "vocab_size", c->vocab_size, 1, 1u << 24, err));
    QZ_TRY(in_range(name, "hidden_size", c->hidden_size, 1, 1u << 20, err));
    const uint64_t narrowest = qz_family_get(c->family)->intermediate ? 1 : 0; /* 0: nothing but experts */
    QZ_TRY(in_range(name, "intermediate_size", c->intermediate_size, narrowest, 1u << 22, err));
    QZ_TRY(in_range(name, "num_hidden_layers", c->layers, 1, QZ_MAX_LAYERS, err));
    QZ_TRY(in_range(name, "num_attention_heads", c->heads, 1, 4096, err));
    QZ_TRY(in_range(name, "num_key_value_heads", c->kv_heads, 1, c->heads, err));
    QZ_TRY(in_range(name, "head_dim", c->head_dim, 2, 2 * QZ_MAX_ROPE_PAIRS, err));
    QZ_TRY(in_range(name, "max_position_embeddings", c->max_position, 1, 1u << 30, err));
    if (c->heads % c->kv_heads != 0)
        return qz_fail(err, QZ_EFORMAT,
                       "num_attention_heads %llu is not a multiple of num_key_value_heads %llu: file '%s'",
                       (unsigned long long)c->heads, (unsigned long long)c->kv_heads, name);
    QZ_TRY(qz_config_validate_delta(c, name, err));
    QZ_TRY(qz_config_wide_validate(c, name, err));
    if (c->head_dim % 2 != 0)
        return qz_fail(err, QZ_EFORMAT, "head_dim must be even for rotary embeddings: file '%s': found %llu", name,
                       (unsigned long long)c->head_dim);
    if (!(c->rms_norm_eps > 0 && c->rms_norm_eps < 1))
        return qz_fail(err, QZ_EFORMAT, "%s out of range: file '%s': expected above 0 and below 1, found %g",
                       qz_eps_key(qz_family_get(c->family)), name, c->rms_norm_eps);
    if (!(c->rope.theta > 0 && c->rope.theta < 1e15) || !(c->rope.factor > 0 && c->rope.factor < 1e6))
        return qz_fail(err, QZ_EFORMAT,
                       "rope_theta or factor out of range: file '%s': expected numbers above 0, found %g and %g", name,
                       c->rope.theta, c->rope.factor);
    if (!(c->rope.query_beta >= 0 && c->rope.query_beta < 1e6) ||
        (c->rope.query_beta > 0 && c->rope.original_max_position == 0))
        return qz_fail(err, QZ_EFORMAT,
                       "growth of queries out of range: file '%s': expected a number from 0 on and an original length "
                       "above 0, found %g and %llu",
                       name, c->rope.query_beta, (unsigned long long)c->rope.original_max_position);
    return QZ_OK;
}

uint64_t qz_config_parameters(const qz_config *c) {
    uint64_t d = c->hidden_size, n = c->vocab_size * d * (c->tie_embeddings ? 1 : 2) + (c->norm_bias ? 2 * d : d) +
                                          (c->head_bias ? c->vocab_size : 0) + c->position_rows * d;
    for (int i = 0; i < QZ_TOKEN_SITES; i++) {
        qz_token_site t;
        n += qz_token_site_of(c, i, &t) ? t.rows * t.cols : 0;
    }
    for (size_t l = 0; l < c->layers; l++) {
        qz_site s[QZ_MAX_SITES];
        for (size_t i = 0, k = qz_sites(c, l, s); i < k; i++)
            n += (s[i].rows * s[i].cols + (s[i].bias ? qz_site_bias(&s[i]) : 0)) * (s[i].experts ? s[i].experts : 1);
    }
    return n;
}
