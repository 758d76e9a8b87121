/* compressed-tensors scheme: levels are the library's presets in lower case; what a level's file says of weights and
 * inputs is a row of ct_levels.def, how they are stored a format (ct_int.h). Everything else keeps its type.
 * Source: formats/hf-compressed-tensors.md (compressed-tensors 0.20.0). */
#include "artifacts/ct_int.h"
#include "artifacts/folder_floats.h"
#include "artifacts/module_rules.h"
#include "codecs/small_float.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const levels[] = {
#define QZ_CT_LEVEL(id, level, ...) level,
#include "artifacts/scheme_levels.def"
};
enum {
#define QZ_CT_LEVEL(id, ...) LEVEL_##id,
#include "artifacts/scheme_levels.def"
    N_LEVELS
};
#define ARGS(strategy_, ...) { .strategy = QZ_CT_##strategy_, __VA_ARGS__ }
#define MX_ARGS(bits_)                                                                                               \
    ARGS(GROUP, .is_float = true, .bits = bits_, .group_size = 32, .scale = QZ_CT_SCALE_E8M0)
#define MX_INPUTS(bits_)                                                                                             \
    ARGS(GROUP, .is_float = true, .bits = bits_, .group_size = 32, .scale = QZ_CT_SCALE_E8M0, .dynamic = true)
#define NO_ARGS { .strategy = QZ_CT_NONE }
static const qz_ct_setting settings[N_LEVELS] = {
#define QZ_CT_SETTING(id, format_, weights_, inputs_)                                                                \
    [LEVEL_##id] = { .weights = weights_, .inputs = inputs_, .format = &format_ },
#include "artifacts/ct_levels.def"
#undef QZ_CT_SETTING
};
static const qz_ct_format *const formats[] = { &qz_ct_float, &qz_ct_packed, &qz_ct_bytes, &qz_ct_mxfp8,
                                               &qz_ct_mxfp6, &qz_ct_mxfp4,  &qz_ct_nvfp4 };

static const char *level_at(size_t i) { return i < N_LEVELS ? levels[i] : NULL; }
const qz_ct_format *qz_ct_format_at(size_t i) { return i < sizeof formats / sizeof *formats ? formats[i] : NULL; }
const qz_ct_setting *qz_ct_setting_of(const qz_scheme_spec *s) {
    size_t i = 0;
    while (i + 1 < N_LEVELS && strcmp(levels[i], s->level) != 0) i++;
    return &settings[i];
}
bool qz_ct_static(const qz_ct_args *inputs) { return inputs->strategy != QZ_CT_NONE && !inputs->dynamic; }

/* With the flags, which integers have. */
static qz_ct_setting setting_of(const qz_scheme_spec *s) {
    qz_ct_setting x = *qz_ct_setting_of(s);
    if (x.weights.is_float) return x;
    if (s->static_inputs) x.inputs.strategy = QZ_CT_TENSOR, x.inputs.dynamic = false;
    x.weights.group_size = s->group_size;
    x.weights.strategy = s->group_size == QZ_WHOLE_ROW ? QZ_CT_CHANNEL : QZ_CT_GROUP;
    x.weights.asym = !s->sym;
    return x;
}

static qz_status parse_flags(qz_scheme_spec *s, const qz_ct_setting *x, const char *flags, qz_error *err) {
    static const struct { const char *name; long group; } groups[] = { { "g16", 16 },   { "g32", 32 }, { "g64", 64 },
                                                                       { "g128", 128 }, { "g-1", -1 } };
    const bool fixed = x->format != &qz_ct_packed || x->inputs.is_float, paired = x->inputs.strategy != QZ_CT_NONE,
               whole = x->format == &qz_ct_bytes;
    bool grouped = false;
    for (const char *p = flags; *p;) {
        const size_t n = strcspn(p, "+");
        size_t i = 0;
        const qz_kv_scales kv = n == 2 && strncmp(p, "kv", 2) == 0         ? QZ_KV_SCALES_TENSOR
                                : n == 8 && strncmp(p, "kv_heads", 8) == 0 ? QZ_KV_SCALES_HEAD
                                                                           : QZ_KV_SCALES_NONE;
        if (kv && s->kv) return qz_fail(err, QZ_EUSAGE, "two of +kv and +kv_heads in '+%s': expected one", flags);
        if (kv) {
            s->kv = kv;
            p += n + (p[n] == '+');
            continue;
        }
        if (n == 7 && strncmp(p, "lm_head", 7) == 0 && !fixed && !paired) { /* engines read it so in integers alone */
            s->lm_head = true;
            p += n + (p[n] == '+');
            continue;
        }
        while (i < 5 && (strlen(groups[i].name) != n || strncmp(p, groups[i].name, n) != 0)) i++;
        const bool asym = n == 4 && strncmp(p, "asym", 4) == 0,
                   fixed_inputs = whole && n == 6 && strncmp(p, "static", 6) == 0;
        if (fixed_inputs) s->static_inputs = true;
        else if (fixed || (i == 5 && (!asym || paired)))
            return qz_fail(err, QZ_EUSAGE, "unknown flag '+%.*s' of '%s:%s': expected %s", (int)n, p, "ct", s->level,
                           whole    ? "+static (a scale of the inputs, from calibration), +kv or +kv_heads (of an FP8 "
                                      "cache)"
                           : fixed  ? "none but +kv or +kv_heads (scales of an FP8 cache), engines read one layout of "
                                      "it"
                           : paired ? "+g16, +g32, +g64, +g128, +g-1 (whole rows), +kv or +kv_heads"
                                    : "+g16, +g32, +g64, +g128, +g-1 (whole rows), +asym, +lm_head, +kv or +kv_heads");
        if (i < 5 && !fixed && grouped) return qz_fail(err, QZ_EUSAGE, "two group sizes in '+%s': expected one", flags);
        if (i < 5 && !fixed) s->group_size = qz_group_read(groups[i].group), grouped = true;
        if (asym) s->sym = false;
        p += n + (p[n] == '+');
    }
    return QZ_OK;
}

static qz_status parse(qz_scheme_spec *s, const char *level, const char *flags, qz_error *err) {
    size_t i = 0;
    while (i < N_LEVELS && strcasecmp(level, levels[i]) != 0) i++;
    if (i == N_LEVELS) return QZ_EUSAGE; /* the caller names the nearest */
    const qz_ct_args *w = &settings[i].weights;
    s->bits = w->bits;
    s->element = !w->is_float ? QZ_ELEMENT_INT : w->bits == 8 ? QZ_ELEMENT_E4M3 : w->bits == 6 ? QZ_ELEMENT_E2M3
                                                                                              : QZ_ELEMENT_E2M1;
    s->group_size = w->strategy == QZ_CT_BLOCK ? w->block_cols : w->group_size;
    s->block_rows = w->is_float && w->strategy == QZ_CT_TENSOR ? QZ_ALL_ROWS : w->block_rows;
    s->sym = !w->asym;
    s->rounded = !w->is_float;
    s->static_inputs = qz_ct_static(&settings[i].inputs);
    (void)snprintf(s->level, sizeof s->level, "%s", levels[i]);
    QZ_TRY(parse_flags(s, &settings[i], flags, err));
    const qz_ct_setting full = setting_of(s);
    s->inputs = qz_ct_rounding(&full.inputs);
    return QZ_OK;
}

/* ---- scales of inputs ---- */
/* A float of the weights' type that divides the inputs, or NVFP4's float32 number that multiplies their block scales.
 * */
static bool in_blocks(const qz_ct_args *inputs) { return inputs->local; }
static qz_type input_scale_type(const qz_artifact_plan *p, const qz_ct_args *inputs) {
    return in_blocks(inputs) ? QZ_TYPE_F32 : p->spec.values;
}
static qz_status put_input_scale(qz_artifact_writer *w, const qz_ct_args *in, const qz_artifact_item *it,
                                 qz_error *err) {
    const float most = !in->is_float ? 127.5f : qz_small_max(in->bits == 4 ? QZ_E2M1 : QZ_E4M3FN),
                amax = it->input_amax;
    const float scale = in_blocks(in) ? 448 * most / amax : amax / most;
    return qz_folder_put_input_scale(w, it, input_scale_type(w->plan, in), scale, err);
}

/* ---- plan and packing ---- */
static qz_status make_item(const qz_artifact_plan *p, qz_artifact_item *it, qz_error *err) {
    const qz_ct_setting s = setting_of(qz_item_spec(p, it));
    QZ_TRY(s.format->item(p, &s, it, err));
    if (qz_ct_static(&s.inputs)) it->bytes += qz_type_get(input_scale_type(p, &s.inputs))->bytes;
    return QZ_OK;
}
static size_t parts(const qz_artifact_plan *p, const qz_artifact_item *it, qz_arena *arena, qz_st_item *out) {
    const qz_ct_setting s = setting_of(qz_item_spec(p, it));
    const size_t n = s.format->parts(p, &s, it, arena, out);
    if (n == 0 || !qz_ct_static(&s.inputs)) return n;
    out[n] = (qz_st_item){ qz_arena_printf(arena, "%s.input_%sscale", it->out_name,
                                           in_blocks(&s.inputs) ? "global_" : ""),
                           qz_folder_dtype(input_scale_type(p, &s.inputs)), 1, { 1 } };
    return out[n].name ? n + 1 : 0;
}
static qz_status pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, qz_error *err) {
    const qz_ct_setting s = setting_of(qz_item_spec(w->plan, it));
    QZ_TRY(s.format->pack(w, &s, it, q, err));
    return qz_ct_static(&s.inputs) ? put_input_scale(w, &s.inputs, it, err) : QZ_OK;
}
static qz_status round_codes(qz_run *run, const qz_artifact_plan *p, const qz_artifact_item *it, const float *w,
                             qz_arena *arena, const qz_coded **out, qz_error *err) {
    return qz_ct_setting_of(qz_item_spec(p, it))->format->round(run, p, it, w, arena, out, err);
}

/* ---- config.json ---- */
const char *qz_ct_strategy_name(qz_ct_strategy s) {
    static const char *const names[QZ_CT_STRATEGIES] = { "", "tensor", "channel", "group", "tensor_group", "block",
                                                         "token" };
    return names[s];
}

/* Null keys as the library writes them; an unknown key inside a scheme would make the file unreadable. */
static json_t *args_json(const qz_ct_args *a) {
    static const char *const dtypes[] = { [QZ_CT_SCALE_E4M3] = "torch.float8_e4m3fn",
                                          [QZ_CT_SCALE_E8M0] = "torch.uint8" };
    if (a->strategy == QZ_CT_NONE) return json_null();
    json_t *group = a->group_size ? json_integer((json_int_t)a->group_size) : json_null();
    json_t *dynamic = a->local ? json_string("local") : json_boolean(a->dynamic);
    json_t *o = json_pack("{s:i, s:s, s:b, s:o, s:s, s:o}", "num_bits", (int)a->bits, "type",
                          a->is_float ? "float" : "int", "symmetric", !a->asym, "group_size", group, "strategy",
                          qz_ct_strategy_name(a->strategy), "dynamic", dynamic);
    bool ok = o != NULL;
    if (ok && a->strategy == QZ_CT_BLOCK)
        ok = json_object_set_new(o, "block_structure", json_pack("[i,i]", (int)a->block_rows, (int)a->block_cols)) == 0;
    if (ok && a->scale != QZ_CT_SCALE_OWN)
        ok = json_object_set_new(o, "scale_dtype", json_string(dtypes[a->scale])) == 0;
    if (ok) return o;
    json_decref(o);
    return NULL;
}

/* One group of modules; targets is taken over. */
static json_t *group_json(const qz_ct_setting *s, json_t *targets) {
    return json_pack("{s:o, s:o, s:o, s:n, s:s}", "targets", targets, "weights", args_json(&s->weights),
                     "input_activations", args_json(&s->inputs), "output_activations", "format", s->format->name);
}

static qz_status quantizes(const qz_artifact_plan *p, const qz_slot *s, bool *yes, qz_error *err) {
    QZ_TRY(qz_folder_linears(p, s, yes, err));
    *yes |= p->spec.lm_head && s->t == p->model->head;
    return QZ_OK;
}

/* Full names of the modules of one level. */
static json_t *names_of(const qz_artifact_plan *p, const qz_scheme_spec *level) {
    json_t *names = json_array();
    bool ok = names != NULL;
    for (size_t i = 0; ok && i < p->n_items; i++)
        if (p->items[i].type == QZ_TYPE_CODED && p->items[i].as == level)
            ok = json_array_append_new(names, json_string(p->items[i].out_name)) == 0;
    if (ok) return names;
    json_decref(names);
    return NULL;
}

/* The usual level of all linears, then those that rules name: readers take a name before a class. */
static json_t *groups_json(const qz_artifact_plan *p, bool *mixed) {
    const qz_scheme_spec *s = &p->spec;
    json_t *all = json_object();
    bool ok = all != NULL, usual = false;
    size_t n = 0;
    char key[32];
    *mixed = false;
    for (size_t i = 0; i < p->n_items; i++) usual |= p->items[i].type == QZ_TYPE_CODED && !p->items[i].as;
    for (size_t r = 0; ok && r <= s->n_modules; r++) {
        const qz_scheme_spec *level = r == 0 ? s : s->modules[r - 1].as;
        if (r == 0 ? !usual : level == NULL) continue;
        const qz_ct_setting x = setting_of(level);
        json_t *targets = r == 0 ? json_pack("[s]", "Linear") : names_of(p, level);
        (void)snprintf(key, sizeof key, "group_%zu", n++);
        ok = json_object_set_new(all, key, targets ? group_json(&x, targets) : NULL) == 0;
        *mixed |= x.format != setting_of(s).format;
    }
    if (ok) return all;
    json_decref(all);
    return NULL;
}

static json_t *cache_json(const qz_artifact_plan *p) {
    const qz_ct_args a = { .strategy = QZ_CT_TENSOR, .is_float = true, .bits = 8 };
    json_t *o = p->spec.kv ? args_json(&a) : json_null();
    if (o && p->spec.kv == QZ_KV_SCALES_HEAD && json_object_set_new(o, "strategy", json_string("attn_head")) != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *quantization(const qz_artifact_plan *p) {
    bool mixed;
    json_t *groups = groups_json(p, &mixed);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:n, s:o}", "quant_method", "compressed-tensors", "format",
                     mixed ? "mixed-precision" : setting_of(&p->spec).format->name, "quantization_status", "compressed",
                     "ignore", qz_folder_kept(p, !p->spec.lm_head), "kv_cache_scheme", cache_json(p),
                     "global_compression_ratio", "config_groups", groups);
}

static const qz_folder_kind kind = { .name = "a compressed-tensors", .quantizes = quantizes, .item = make_item,
                                     .parts = parts, .quantization = quantization, .keeps_dtype = true };

static void settle(qz_scheme_spec *s, const qz_model *m) {
    const qz_ct_args *w = &qz_ct_setting_of(s)->weights;
    const qz_type values = s->values = qz_folder_values_type(m, w->scale != QZ_CT_SCALE_OWN);
    s->scale = w->scale == QZ_CT_SCALE_E4M3   ? QZ_SCALE_E4M3
               : w->scale == QZ_CT_SCALE_E8M0 ? QZ_SCALE_E8M0
               : values == QZ_TYPE_F16        ? QZ_SCALE_F16
               : values == QZ_TYPE_BF16       ? QZ_SCALE_BF16
                                              : QZ_SCALE_F32;
}

static qz_status plan(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena,
                      qz_artifact_plan *out, qz_error *err) {
    const size_t n = out->spec.n_modules;
    (void)run;
    (void)ctx;
    settle(&out->spec, m);
    if (out->spec.lm_head && (m->loose || m->head == m->embed))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "the output matrix %s: model '%s'; leave out +lm_head",
                       m->loose ? "of a family that does not run here is not known"
                                : "is the embedding (tied) and stays float",
                       m->path);
    if (n == 0) return qz_folder_plan(&kind, m, arena, out, err);
    qz_module_rule *rules = qz_arena_alloc(arena, n, sizeof *rules); /* the plan's own: levels settle by the model */
    qz_scheme_spec *levels_of = qz_arena_alloc(arena, n, sizeof *levels_of);
    if (!rules || !levels_of) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
    for (size_t i = 0; i < n; i++) {
        rules[i] = out->spec.modules[i];
        if (!rules[i].as) continue;
        levels_of[i] = *rules[i].as;
        settle(&levels_of[i], m);
        rules[i].as = &levels_of[i];
    }
    out->spec.modules = rules;
    return qz_folder_plan(&kind, m, arena, out, err);
}

static const qz_code_kind *code_kind(const qz_scheme_spec *s) {
    static const qz_code_kind rows = { "small floats", false, false, false },
                              blocks = { "small floats", false, true, false },
                              integers = { "integer groups", true, false, false };
    return s->element == QZ_ELEMENT_INT ? &integers : s->block_rows > 1 && s->block_rows != QZ_ALL_ROWS ? &blocks
                                                                                                     : &rows;
}

const qz_scheme_ops qz_ct_scheme = {
    .parse = parse, .level = level_at, .plan = plan, .open = qz_folder_open, .write = qz_folder_write,
    .flush = qz_folder_flush, .pack = pack, .round = round_codes,
    .loose = true, .mixed = true, .kind_of = code_kind, .finish = qz_folder_finish,
    .close = qz_folder_close, .detect = qz_ct_detect, .read = qz_ct_read_model,
};
