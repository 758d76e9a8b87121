/* What only calibration gives and the file lacks: fixed scales of inputs, scales of an FP8 cache. A server that finds
 * none takes 1 (cache) or what its memory held (inputs). Source: formats/hf-compressed-tensors.md sections 2 and 7,
 * hf-fp8.md section 3, kv-cache.md sections 1 to 3. */
#include "deploy/faults_int.h"
#include "artifacts/module_rules.h"
#include "codecs/small_float.h"
#include "formats/dtypes.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const codes_endings[] = { ".weight_packed", ".weight" };
static const char *const input_endings[] = { ".input_scale", ".input_global_scale", ".input_zero_point",
                                             ".activation_scale" };
enum { INPUT_ENDINGS = sizeof input_endings / sizeof *input_endings };

static qz_status no_memory(const qz_mending *m, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", m->path);
}
static qz_fault *fault_of(const qz_mending *m, qz_fault_kind kind) {
    for (size_t i = 0; i < m->n_faults; i++)
        if (m->faults[i].kind == kind) return &m->faults[i];
    return NULL;
}

/* ---- settings of a module ---- */
/* The group of config_groups that a module belongs to, NULL: none. */
static qz_status group_of(const qz_mending *m, const char *module, json_t **out, qz_error *err) {
    json_t *g, *t;
    const char *key;
    size_t i;
    *out = NULL;
    for (int classes = 0; classes < 2; classes++)
        json_object_foreach(json_object_get(m->q, "config_groups"), key, g)
            json_array_foreach(json_object_get(g, "targets"), i, t) {
                bool yes = false;
                const char *target = json_string_value(t);
                if (target) QZ_TRY(qz_module_target(target, module, classes, "config.json", &yes, err));
                if (yes) return *out = g, QZ_OK;
            }
    return QZ_OK;
}

/* quant_algo of a module; *layer: the object that says it. */
static const char *algo_of(json_t *q, const char *module, json_t **layer) {
    json_t *one = json_object_get(json_object_get(q, "quantized_layers"), module);
    *layer = one ? one : q;
    return json_string_value(json_object_get(*layer, "quant_algo"));
}
static json_t *described(const qz_mending *m) { return json_object_get(m->q, "quant_algo") ? m->q : m->other; }

static bool is_local(const json_t *inputs) { return json_is_string(json_object_get(inputs, "dynamic")); }

/* The ending of the scale that the settings of a module want, NULL: none; *group: of compressed-tensors. */
static qz_status wanted(const qz_mending *m, const char *module, const char **ending, json_t **group, qz_error *err) {
    *ending = NULL, *group = NULL;
    if (m->method == QZ_MEND_FP8) {
        const char *s = json_string_value(json_object_get(m->q, "activation_scheme"));
        if (s && strcmp(s, "static") == 0) *ending = ".input_scale";
        return QZ_OK;
    }
    if (m->method == QZ_MEND_MODELOPT) {
        json_t *layer;
        const char *a = algo_of(described(m), module, &layer);
        if (a && (strcasecmp(a, "FP8") == 0 || strcasecmp(a, "NVFP4") == 0)) *ending = ".input_scale";
        return QZ_OK;
    }
    QZ_TRY(group_of(m, module, group, err));
    const json_t *in = json_object_get(*group, "input_activations");
    if (json_is_object(in) && !json_is_true(json_object_get(in, "dynamic")))
        *ending = is_local(in) ? ".input_global_scale" : ".input_scale";
    return QZ_OK;
}

static bool in_floats(const qz_mended *x) {
    return x->item.dtype == QZ_ST_F32 || x->item.dtype == QZ_ST_F16 || x->item.dtype == QZ_ST_BF16;
}
/* A scale that divides nothing: 0, below it, or no number. */
static bool impossible(const qz_mended *x, float *value) {
    for (size_t i = 0; i < qz_mended_elems(x); i++) {
        *value = (float)qz_mended_at(x, i);
        if (!(*value > 0) || !isfinite(*value)) return true;
    }
    return false;
}

/* ---- inputs ---- */
static bool coded(const qz_mended *x) {
    const qz_st_dtype d = x->item.dtype;
    return x->item.n_dims == 2 && (d == QZ_ST_F8_E4M3 || d == QZ_ST_U8 || d == QZ_ST_I8 || d == QZ_ST_I32);
}

/* A scale that is there and divides nothing counts as missing: what mends the one mends the other. */
static qz_status missing_inputs(qz_mending *m, qz_error *err) {
    const char *wrong = NULL;
    float value = 0;
    m->missing = qz_arena_alloc(&m->arena, m->n, sizeof *m->missing);
    if (!m->missing) return no_memory(m, err);
    for (size_t i = 0; i < m->n; i++) {
        size_t n = 0;
        for (size_t k = 0; k < 2 && n == 0; k++) n = qz_mended_module(&m->t[i], codes_endings[k]);
        if (n == 0 || !coded(&m->t[i])) continue;
        char *module = qz_arena_strndup(&m->arena, m->t[i].item.name, n);
        const char *ending;
        json_t *group;
        if (!module) return no_memory(m, err);
        QZ_TRY(wanted(m, module, &ending, &group, err));
        const qz_mended *own = ending ? qz_mended_find(m, module, n, ending) : NULL;
        float v = 0;
        const bool useless = own && in_floats(own) && impossible(own, &v);
        if (!ending || (own && !useless) ||
            (!own && m->method == QZ_MEND_FP8 && qz_mended_find(m, module, n, ".activation_scale")))
            continue;
        if (useless && !wrong) wrong = own->item.name, value = v;
        m->missing[m->n_missing++] = (qz_missing_input){module, &m->t[i], group};
    }
    if (m->n_missing == 0) return QZ_OK;
    qz_fault *f;
    QZ_TRY(qz_fault_add(m, QZ_FAULT_INPUTS, m->missing[0].module, m->n_missing, &f, err));
    if (wrong)
        return qz_fault_text(m, &f->problem, err,
                             "'%s' is %g: expected a number above 0, a server divides by it; %zu module%s no usable "
                             "scale of inputs", wrong, (double)value, m->n_missing,
                             m->n_missing == 1 ? " has" : "s have");
    return qz_fault_text(m, &f->problem, err,
                         "the settings say fixed scales of inputs and %zu module%s none: a server stops, or rounds "
                         "inputs with a number that nothing has set",
                         m->n_missing, m->n_missing == 1 ? " has" : "s have");
}

/* Scales of inputs of the modules of `group` (NULL: of all). */
static qz_status drop_inputs(qz_mending *m, const json_t *group, qz_error *err) {
    for (size_t i = 0; i < m->n; i++)
        for (size_t k = 0; k < INPUT_ENDINGS; k++) {
            const size_t n = qz_mended_module(&m->t[i], input_endings[k]);
            json_t *own = NULL;
            char *module = n ? qz_arena_strndup(&m->arena, m->t[i].item.name, n) : NULL;
            if (n == 0) continue;
            if (!module) return no_memory(m, err);
            if (group) QZ_TRY(group_of(m, module, &own, err));
            if (own == group) m->t[i].out = true;
        }
    return QZ_OK;
}

static qz_status ct_without(qz_mending *m, json_t *group, qz_error *err) {
    json_t *in = json_object_get(group, "input_activations");
    if (!json_is_object(in) || json_is_true(json_object_get(in, "dynamic"))) return QZ_OK; /* turned before */
    const bool ok = is_local(in) ? json_object_set_new(group, "input_activations", json_null()) == 0
                                 : json_object_set_new(in, "dynamic", json_true()) == 0 &&
                                       json_object_set_new(in, "strategy", json_string("token")) == 0;
    m->config_changed = true;
    return ok ? drop_inputs(m, group, err) : no_memory(m, err);
}

/* NVFP4 with inputs in 16 bits, in either file. */
static qz_status modelopt_without(qz_mending *m, const char *module, qz_error *err) {
    json_t *const both[] = { m->q, m->other };
    for (size_t i = 0; i < 2; i++) {
        json_t *layer = NULL, *g;
        const char *key, *a = both[i] ? algo_of(both[i], module, &layer) : NULL;
        if (!a) continue;
        if (strcasecmp(a, "FP8") == 0)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "no level without fixed scales of inputs: folder '%s', module '%s': expected "
                           "'%s.input_scale' under quant_algo FP8, found none; give --calib FILE",
                           m->path, module, module);
        if (json_object_set_new(layer, "quant_algo", json_string("W4A16_NVFP4")) != 0) return no_memory(m, err);
        json_object_foreach(json_object_get(both[i], "config_groups"), key, g)
            (void)json_object_del(g, "input_activations");
    }
    m->config_changed = m->q != NULL, m->twin_changed = m->twin != NULL;
    return QZ_OK;
}

static qz_status inputs_without(qz_mending *m, qz_error *err) {
    qz_fault *f = fault_of(m, QZ_FAULT_INPUTS);
    if (!f) return QZ_OK;
    const bool local = m->method == QZ_MEND_MODELOPT ||
                       is_local(json_object_get(m->missing[0].group, "input_activations"));
    for (size_t i = 0; i < m->n_missing; i++)
        if (m->method == QZ_MEND_CT) QZ_TRY(ct_without(m, m->missing[i].group, err));
        else if (m->method == QZ_MEND_MODELOPT) QZ_TRY(modelopt_without(m, m->missing[i].module, err));
    if (m->method == QZ_MEND_FP8) {
        if (json_object_set_new(m->q, "activation_scheme", json_string("dynamic")) != 0) return no_memory(m, err);
        m->config_changed = true;
    }
    if (m->method != QZ_MEND_CT) QZ_TRY(drop_inputs(m, NULL, err));
    return qz_fault_text(m, &f->mend, err, "no data: the settings now say %s, scales of inputs are left out; --calib "
                         "FILE computes them", local ? "inputs in 16 bits (W4A16)" : "scales at run time (dynamic)");
}

qz_status qz_mend_input(qz_mending *m, size_t i, float amax, qz_error *err) {
    const qz_missing_input *x = &m->missing[i];
    qz_fault *f = fault_of(m, QZ_FAULT_INPUTS);
    const json_t *in = json_object_get(x->group, "input_activations");
    const char *type = json_string_value(json_object_get(in, "type"));
    const bool fp4 = m->method == QZ_MEND_MODELOPT ? x->codes->item.dtype == QZ_ST_U8 : is_local(in),
               whole = !fp4 && in && !(type && strcmp(type, "float") == 0); /* integers are the default */
    const float most = fp4 ? 448 * qz_small_max(QZ_E2M1) : whole ? 127.5f : qz_small_max(QZ_E4M3FN);
    const qz_st_item like = { .n_dims = m->method == QZ_MEND_CT ? 1 : 0, .dims = { 1 } };
    const char *ending = fp4 && m->method == QZ_MEND_CT ? ".input_global_scale" : ".input_scale";
    if (json_is_false(json_object_get(in, "symmetric")))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "no scale of inputs computed: folder '%s', module '%s': expected symmetric inputs, found "
                       "'symmetric': false, which need a zero point; repair without --calib",
                       m->path, x->module);
    if (!(amax > 0) || !isfinite(amax))
        return qz_fail(err, QZ_ENUMERIC,
                       "no scale of inputs: module '%s': expected inputs up to a finite value above 0 in the "
                       "calibration, found %g; give broader data, or repair without --calib",
                       x->module, (double)amax);
    const float scale = ending[7] == 'g' ? most / amax : amax / most;
    char *name = qz_arena_printf(&m->arena, "%s%s", x->module, ending);
    const qz_mended *own = qz_mended_find(m, x->module, strlen(x->module), ".weight_scale");
    const bool half = own && (own->item.dtype == QZ_ST_BF16 || own->item.dtype == QZ_ST_F16);
    const qz_st_dtype stored_as = half ? own->item.dtype : QZ_ST_F32;
    qz_mended *there = name ? qz_mended_find(m, name, strlen(name), "") : NULL, /* a useless one */
              *y = !name || there ? there : qz_mended_add(m, x->codes->file, name, stored_as, &like);
    if (!y) return no_memory(m, err);
    QZ_TRY(qz_mended_set(m, y, &scale, 1, err));
    if (i == 0) QZ_TRY(qz_fault_text(m, &f->mend, err, "computed of the model's own inputs (calibration)"));
    if (i + 1 < m->n_missing) return QZ_OK;
    QZ_TRY(qz_mending_index(m, err)); /* beside stored ones of the same set: of another calibration */
    return qz_faults_ranges(m, err);
}

/* ---- cache ---- */
static bool cache_wanted(const qz_mending *m) {
    const json_t *kv = json_object_get(m->q, "kv_cache_scheme");
    const char *algo = json_string_value(json_object_get(m->other, "kv_cache_quant_algo"));
    if (!algo) algo = json_string_value(json_object_get(m->q, "kv_cache_quant_algo"));
    if (m->method == QZ_MEND_MODELOPT && algo) return strcasecmp(algo, "FP8") == 0;
    return json_is_object(kv) && !json_is_true(json_object_get(kv, "dynamic"));
}

/* The scale of keys ('k') or values of an attention module under any name that engines look for. */
static qz_mended *cache_scale(const qz_mending *m, const char *attn, char which) {
    static const char *const forms[] = { ".%c_scale", ".attn.%c_scale", ".%c_proj.%c_scale", ".qkv_proj.%c_scale" };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char ending[32];
        const char *at = forms[i];
        size_t n = 0;
        for (; *at; at++) {
            if (at[0] == '%') ending[n++] = which, at++;
            else ending[n++] = *at;
        }
        ending[n] = 0;
        qz_mended *x = qz_mended_find(m, attn, strlen(attn), ending);
        if (x && in_floats(x)) return x;
    }
    return NULL;
}
static bool ones(const qz_mended *x) {
    for (size_t i = 0; i < qz_mended_elems(x); i++)
        if (qz_mended_at(x, i) != 1) return false;
    return true;
}

static qz_status faulty_cache(qz_mending *m, qz_error *err) {
    static const char *const keys[] = { ".k_proj.weight", ".k_proj.weight_packed", ".qkv_proj.weight",
                                        ".qkv_proj.weight_packed" };
    size_t missing = 0, layers = 0;
    bool all_ones = true;
    const char *wrong = NULL;
    float value = 0, x = 0;
    m->cache = qz_arena_alloc(&m->arena, m->n, sizeof *m->cache);
    if (!m->cache) return no_memory(m, err);
    for (size_t i = 0, n0 = m->n; cache_wanted(m) && i < n0; i++) {
        size_t n = 0;
        for (size_t k = 0; k < 4 && n == 0; k++) n = qz_mended_module(&m->t[i], keys[k]);
        char *attn = n ? qz_arena_strndup(&m->arena, m->t[i].item.name, n) : NULL;
        if (n == 0) continue;
        if (!attn) return no_memory(m, err);
        const qz_mended *k = cache_scale(m, attn, 'k'), *v = cache_scale(m, attn, 'v');
        missing += !k || !v;
        all_ones &= k && v && ones(k) && ones(v);
        if (!wrong && ((k && impossible(k, &x)) || (v && impossible(v, &x)))) wrong = attn, value = x;
        m->cache[layers++] = attn;
    }
    if (layers == 0 || (missing == 0 && !all_ones && !wrong)) return QZ_OK;
    m->n_cache = layers;
    qz_fault *f;
    QZ_TRY(qz_fault_add(m, QZ_FAULT_CACHE, m->cache[0], missing ? missing : layers, &f, err));
    if (wrong)
        return qz_fault_text(m, &f->problem, err,
                             "a scale of keys or values of '%s' is %g: expected a number above 0; servers divide by "
                             "it", wrong, (double)value);
    if (missing)
        return qz_fault_text(m, &f->problem, err,
                             "the settings say an FP8 cache and %zu of %zu layers have no k_scale and v_scale: servers "
                             "take 1, keys and values beyond 448 are clipped", missing, layers);
    return qz_fault_text(m, &f->problem, err,
                         "k_scale and v_scale of all %zu layers are 1.0, which no calibration gives: keys and values "
                         "beyond 448 are clipped", layers);
}

static qz_status cache_without(qz_mending *m, qz_error *err) {
    qz_fault *f = fault_of(m, QZ_FAULT_CACHE);
    if (!f) return QZ_OK;
    for (size_t i = 0; i < m->n_cache; i++)
        for (int value = 0; value < 2; value++) {
            qz_mended *x = cache_scale(m, m->cache[i], value ? 'v' : 'k');
            if (x) x->out = true;
        }
    if (json_object_get(m->q, "kv_cache_scheme") &&
        json_object_set_new(m->q, "kv_cache_scheme", json_null()) != 0)
        return no_memory(m, err);
    json_t *const both[] = { m->q, m->other };
    for (size_t i = 0; i < 2; i++)
        if (json_object_get(both[i], "kv_cache_quant_algo") &&
            json_object_set_new(both[i], "kv_cache_quant_algo", json_null()) != 0)
            return no_memory(m, err);
    m->config_changed = m->q != NULL, m->twin_changed = m->twin != NULL;
    return qz_fault_text(m, &f->mend, err, "no data: scales and the setting of the cache are left out, servers keep it "
                         "in 16 bits; --calib FILE computes them");
}

static float largest(const float *v, size_t n) {
    float most = 0;
    for (size_t i = 0; i < n; i++) most = fmaxf(most, v[i]);
    return most;
}

static qz_status set_cache(qz_mending *m, const char *attn, char which, const float *most, size_t heads,
                           qz_error *err) {
    const char *strategy = json_string_value(json_object_get(json_object_get(m->q, "kv_cache_scheme"), "strategy"));
    const bool by_head = strategy && strcmp(strategy, "attn_head") == 0;
    const qz_st_item like = { .n_dims = by_head ? 3 : 1, .dims = { by_head ? heads : 1, 1, 1 } };
    qz_mended *x = cache_scale(m, attn, which);
    if (!x) {
        char *name = m->method == QZ_MEND_MODELOPT
                         ? qz_arena_printf(&m->arena, "%s.%c_proj.%c_scale", attn, which, which)
                         : qz_arena_printf(&m->arena, "%s.%c_scale", attn, which);
        x = name ? qz_mended_add(m, &m->dir.files[m->dir.n_files - 1], name, QZ_ST_F32, &like) : NULL;
        if (!x) return no_memory(m, err);
    }
    const bool each = qz_mended_elems(x) == heads && heads > 1;
    float *s = qz_arena_alloc(&m->arena, heads, sizeof *s);
    if (!s) return no_memory(m, err);
    for (size_t h = 0; h < heads; h++) {
        s[h] = (each ? most[h] : largest(most, heads)) / qz_small_max(QZ_E4M3FN);
        if (!(s[h] > 0)) s[h] = 1; /* as without a calibration */
    }
    return qz_mended_set(m, x, s, each ? heads : 1, err);
}

qz_status qz_mend_cache(qz_mending *m, size_t i, const float *k, const float *v, size_t heads, qz_error *err) {
    qz_fault *f = fault_of(m, QZ_FAULT_CACHE);
    QZ_TRY(set_cache(m, m->cache[i], 'k', k, heads, err));
    QZ_TRY(set_cache(m, m->cache[i], 'v', v, heads, err));
    return i ? QZ_OK : qz_fault_text(m, &f->mend, err, "computed: largest keys (behind rotary embedding) and values / "
                                                       "448 (calibration)");
}

qz_status qz_mend_without_data(qz_mending *m, qz_error *err) {
    QZ_TRY(inputs_without(m, err));
    return cache_without(m, err);
}
qz_status qz_faults_inputs(qz_mending *m, qz_error *err) {
    QZ_TRY(missing_inputs(m, err));
    return faulty_cache(m, err);
}
