/* ModelOpt folders (NVIDIA Model-Optimizer): X.weight with X.weight_scale, and X.weight_scale_2 under NVFP4, which
 * multiplies (compressed-tensors divides). What the tensors are follows from `quant_algo`, in config.json and in
 * hf_quant_config.json, or for each module under MIXED_PRECISION. modelopt.c writes and reads; a layout is a row.
 * Source: formats/hf-fp4.md sections 2 and 3, hf-fp8.md sections 3 and 6 (Model-Optimizer 0.47.0; vLLM 0.33
 * quantization/modelopt.py). */
#include "artifacts/folder_floats.h"
#include "base/json.h"
#include "base/size.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define VERSION "0.47.0" /* whose layout this is */

static const char *const levels[] = {
#define QZ_MODELOPT_LEVEL(id, level, ...) level,
#include "artifacts/scheme_levels.def"
};
enum { N_LEVELS = sizeof levels / sizeof *levels };

/* inputs: bits of activations in config_groups, 0: they have no settings there; fixed: their scale is in the file. */
typedef struct {
    const char *algo, *also;   /* quant_algo, another spelling of it or NULL */
    const char *level;         /* that writes it, NULL: read alone */
    qz_floats_form form;
    bool grouped;              /* config_groups names it */
    uint32_t inputs;
    bool fixed;
    enum { UNROUNDED, BY_TENSOR, BY_TOKEN, BY_GROUP } by; /* what shares a scale of inputs when served */
    const char *scheme, *encoding, *contract;
} layout;

#define FORM(element_, bits_, rows_, cols_, ...)                                                                      \
    { .element = element_, .bits = bits_, .block_rows = rows_, .block_cols = cols_, .codes = "weight",                \
      .scale = "weight_scale", .stored = __VA_ARGS__ }
#define NVFP4_FORM FORM(QZ_E2M1, 4, 1, 16, QZ_SCALE_E4M3_TIMES, .tensor = "weight_scale_2", .scalar = true)
static const layout layouts[] = {
    { "NVFP4", NULL, "nvfp4", NVFP4_FORM, true, 4, true, BY_GROUP, "modelopt:nvfp4", "NVFP4", "W4A4 nvfp4" },
    { "W4A16_NVFP4", NULL, "nvfp4a16", NVFP4_FORM, true, 0, false, UNROUNDED, "modelopt:nvfp4a16", "NVFP4", "W4A16" },
    { "FP8", NULL, "fp8", FORM(QZ_E4M3FN, 8, 0, 0, QZ_SCALE_F32, .scalar = true), true, 8, true, BY_TENSOR,
      "modelopt:fp8", "FP8 tensor", "W8A8 fp8" },
    { "FP8_PER_CHANNEL_PER_TOKEN", NULL, "fp8_dynamic", FORM(QZ_E4M3FN, 8, 1, 0, QZ_SCALE_F32, .flat = true), false, 0,
      false, BY_TOKEN, "modelopt:fp8_dynamic", "FP8 rows", "W8A8 fp8" },
    { "FP8_PB_WO", "FP8_BLOCK_SCALES", NULL, FORM(QZ_E4M3FN, 8, 128, 128, QZ_SCALE_F32), false, 0, false, BY_GROUP,
      "modelopt:fp8_pb_wo", "FP8 128x128", "W8A8 fp8" },
    { "mxfp4", NULL, "mxfp4", FORM(QZ_E2M1, 4, 1, 32, QZ_SCALE_E8M0), false, 0, false, BY_GROUP,
      "modelopt:mxfp4", "MXFP4", "W4A4 mxfp4" },
    { "MXFP8", NULL, "mxfp8", FORM(QZ_E4M3FN, 8, 1, 32, QZ_SCALE_E8M0), false, 0, false, BY_GROUP,
      "modelopt:mxfp8", "MXFP8", "W8A8 mxfp8" },
};
enum { N_LAYOUTS = sizeof layouts / sizeof *layouts };

static const layout *layout_of(const qz_scheme_spec *s) {
    size_t i = 0;
    while (i + 1 < N_LAYOUTS && (!layouts[i].level || strcmp(layouts[i].level, s->level) != 0)) i++;
    return &layouts[i];
}
static qz_floats_form form_of(const layout *l, qz_type values) {
    qz_floats_form f = l->form;
    f.values = values;
    return f;
}

/* ---- writing ---- */
static const char *level_at(size_t i) { return i < N_LEVELS ? levels[i] : NULL; }

static qz_status parse(qz_scheme_spec *s, const char *level, const char *flags, qz_error *err) {
    size_t i = 0;
    while (i < N_LEVELS && strcasecmp(level, levels[i]) != 0) i++;
    if (i == N_LEVELS) return QZ_EUSAGE; /* the caller names the nearest */
    if (*flags && strcasecmp(flags, "kv") != 0)
        return qz_fail(err, QZ_EUSAGE,
                       "unknown flag '+%s' of scheme 'modelopt': expected +kv (scales of an FP8 cache) or none, "
                       "engines read one layout",
                       flags);
    s->kv = *flags ? QZ_KV_SCALES_TENSOR : QZ_KV_SCALES_NONE;
    (void)snprintf(s->level, sizeof s->level, "%s", levels[i]);
    const qz_floats_form *f = &layout_of(s)->form;
    s->bits = f->bits;
    s->element = f->element == QZ_E2M1 ? QZ_ELEMENT_E2M1 : QZ_ELEMENT_E4M3;
    s->scale = f->stored;
    s->block_rows = f->block_rows == 0 ? QZ_ALL_ROWS : 0;
    s->static_inputs = layout_of(s)->fixed;
    s->group_size = f->block_cols ? (uint32_t)f->block_cols : QZ_WHOLE_ROW;
    s->sym = true;
    return QZ_OK;
}

static qz_status make_item(const qz_artifact_plan *p, qz_artifact_item *it, qz_error *err) {
    QZ_TRY(qz_folder_floats_item(it, &layout_of(&p->spec)->form, err));
    if (p->spec.static_inputs) it->bytes += 4;
    return QZ_OK;
}
static size_t parts(const qz_artifact_plan *p, const qz_artifact_item *it, qz_arena *arena, qz_st_item *out) {
    const size_t n = qz_folder_floats_parts(it, &layout_of(&p->spec)->form, arena, out);
    if (n == 0 || !p->spec.static_inputs) return n;
    out[n] = (qz_st_item){ qz_arena_printf(arena, "%s.input_scale", it->out_name), QZ_ST_F32, 0, { 1 } };
    return out[n].name ? n + 1 : 0;
}
static qz_status pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, qz_error *err) {
    const qz_floats_form *f = &layout_of(&w->plan->spec)->form;
    QZ_TRY(qz_folder_floats_pack(w, it, q, f, err));
    if (!w->plan->spec.static_inputs) return QZ_OK;
    const float most = qz_small_max(f->element) * (f->tensor ? 448 : 1); /* of a block scale under it */
    return qz_folder_put_input_scale(w, it, QZ_TYPE_F32, it->input_amax / most, err);
}
static qz_status round_codes(qz_run *run, const qz_artifact_plan *p, const qz_artifact_item *it, const float *w,
                             qz_arena *arena, const qz_coded **out, qz_error *err) {
    const qz_floats_form *f = &layout_of(&p->spec)->form;
    const bool bytes = f->stored >= QZ_SCALE_E8M0, reference = p->context && p->context->as_reference,
               whole = f->block_rows == 0; /* the library gives merged matrices scales of their own here */
    qz_float_rounding how = { .rule = QZ_ROUND_MODELOPT,
                              .dtype = bytes                ? qz_folder_value_type(p->model, it->source)
                                       : whole && reference ? qz_tensor_float_type(it->source)
                                                            : QZ_TYPE_F32,
                              .block_rows = whole ? it->rows : f->block_rows,
                              .block_cols = f->block_cols ? f->block_cols : it->cols,
                              .element = f->element, .stored = f->stored,
                              .search = bytes && !reference };
    if (f->stored == QZ_SCALE_E4M3_TIMES || (whole && !reference)) QZ_TRY(qz_folder_merged_amax(p, it, &how.amax, err));
    return qz_folder_floats_code(run, &how, it, w, arena, out, err);
}

/* ---- configuration ---- */
/* Engines that read hf_quant_config.json want this producer's name; the manifest says who wrote the folder. */
static json_t *producer(void) { return json_pack("{s:s, s:s}", "name", "modelopt", "version", VERSION); }

/* With the embedding, as the library lists it. */
static json_t *kept(const qz_artifact_plan *p) {
    const char *name = p->model->embed->name;
    json_t *list = qz_folder_kept(p, true);
    const size_t n = strlen(name) - (qz_str_ends(name, ".weight") ? strlen(".weight") : 0);
    if (list && json_array_append_new(list, json_stringn(name, n)) == 0) return list;
    json_decref(list);
    return NULL;
}

static json_t *args_json(uint32_t bits, size_t group) {
    json_t *o = json_pack("{s:b, s:i, s:s}", "dynamic", 0, "num_bits", (int)bits, "type", "float");
    if (o && group && json_object_set_new(o, "group_size", json_integer((json_int_t)group)) != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* As compressed-tensors spells it; servers read quant_algo. */
static json_t *quantization(const qz_artifact_plan *p) {
    const layout *l = layout_of(&p->spec);
    const size_t group = l->form.block_cols;
    json_t *q = json_object(), *g = l->grouped ? json_object() : NULL;
    bool ok = q != NULL && (g != NULL) == l->grouped;
    if (ok && g && l->inputs) ok = json_object_set_new(g, "input_activations", args_json(l->inputs, group)) == 0;
    if (ok && g)
        ok = json_object_set_new(g, "weights", args_json(l->form.bits, group)) == 0 &&
             json_object_set_new(g, "targets", json_pack("[s]", "Linear")) == 0 &&
             json_object_set_new(q, "config_groups", json_pack("{s:O}", "group_0", g)) == 0;
    json_decref(g);
    ok = ok && json_object_set_new(q, "ignore", kept(p)) == 0 &&
         json_object_set_new(q, "quant_algo", json_string(l->algo)) == 0 &&
         (!p->spec.kv || json_object_set_new(q, "kv_cache_scheme", args_json(8, 0)) == 0) &&
         json_object_set_new(q, "producer", producer()) == 0 &&
         json_object_set_new(q, "quant_method", json_string("modelopt")) == 0;
    if (ok) return q;
    json_decref(q);
    return NULL;
}

/* hf_quant_config.json. */
static json_t *twin(const qz_artifact_plan *p) {
    const layout *l = layout_of(&p->spec);
    json_t *q = json_pack("{s:s, s:s?}", "quant_algo", l->algo, "kv_cache_quant_algo", p->spec.kv ? "FP8" : NULL);
    bool ok = q != NULL;
    if (ok && l->form.stored >= QZ_SCALE_E8M0 && strcmp(l->algo, "mxfp4") != 0) /* of which it says none */
        ok = json_object_set_new(q, "group_size", json_integer((json_int_t)l->form.block_cols)) == 0;
    ok = ok && json_object_set_new(q, "exclude_modules", kept(p)) == 0;
    json_t *all = ok ? json_pack("{s:o, s:O}", "producer", producer(), "quantization", q) : NULL;
    json_decref(q);
    return all;
}

static const qz_folder_kind kind = { .name = "a ModelOpt", .quantizes = qz_folder_linears, .item = make_item,
                                     .parts = parts, .quantization = quantization, .keeps_dtype = true,
                                     .cache_in_projections = true, .twin = "hf_quant_config.json", .twin_text = twin };

static qz_status plan(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena,
                      qz_artifact_plan *out, qz_error *err) {
    (void)run;
    out->own_scales = ctx && ctx->as_reference && layout_of(&out->spec)->form.block_rows == 0;
    if (out->own_scales)
        QZ_TRY(qz_plan_note(out, arena, err,
                            "q k v and gate up get tensor scales of their own, as ModelOpt " VERSION " exports them: "
                            "servers code them again under the largest ('quantz check': CHK-MERGED); --search best "
                            "writes one scale for each set, 'quantz convert --repair' mends"));
    out->spec.values = out->spec.scale >= QZ_SCALE_E8M0 ? qz_folder_values_type(m, true) : QZ_TYPE_F32;
    return qz_folder_plan(&kind, m, arena, out, err);
}

/* ---- reading ---- */
typedef struct { const layout *all; const json_t *layers; } settings; /* all: NULL under MIXED_PRECISION */

static qz_status detect(const char *path, bool *yes, qz_error *err) {
    return qz_folder_detect(path, QZ_FOLDER_MODELOPT, yes, err);
}

static const layout *layout_of_algo(const char *algo) {
    for (size_t i = 0; algo && i < N_LAYOUTS; i++)
        if (strcasecmp(algo, layouts[i].algo) == 0 || (layouts[i].also && strcasecmp(algo, layouts[i].also) == 0))
            return &layouts[i];
    return NULL;
}
const char *qz_folder_modelopt_scheme(const char *algo) {
    const layout *l = layout_of_algo(algo);
    return l ? l->scheme : algo && strcasecmp(algo, "MIXED_PRECISION") == 0 ? "modelopt:mixed" : NULL;
}

static qz_status layout_named(const qz_folder_config *f, const json_t *o, const layout **out, qz_error *err) {
    const char *algo = json_string_value(json_object_get(o, "quant_algo"));
    if ((*out = layout_of_algo(algo)) != NULL) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "ModelOpt that this program does not read yet: file '%s', key 'quant_algo': expected NVFP4, "
                   "W4A16_NVFP4, FP8, FP8_PER_CHANNEL_PER_TOKEN, FP8_PB_WO, MXFP8, MXFP4 or MIXED_PRECISION of these, "
                   "found '%.60s'",
                   f->file, algo ? algo : "nothing");
}

static qz_status read_settings(const qz_folder_config *f, settings *s, qz_error *err) {
    const char *algo = json_string_value(json_object_get(f->q, "quant_algo"));
    const json_t *group = json_object_get(f->q, "group_size");
    *s = (settings){ NULL, json_object_get(f->q, "quantized_layers") };
    if (!algo || strcasecmp(algo, "MIXED_PRECISION") != 0) QZ_TRY(layout_named(f, f->q, &s->all, err));
    else if (!json_is_object(s->layers))
        return qz_fail(err, QZ_EFORMAT,
                       "settings of the modules are missing: file '%s', key 'quantized_layers': expected an object, "
                       "found %s",
                       f->file, s->layers ? "another" : "none");
    const size_t columns = s->all ? s->all->form.block_cols : 0;
    if (columns == 0 || !json_is_integer(group) || json_integer_value(group) == (json_int_t)columns) return QZ_OK;
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "groups that are not of the format: file '%s', key 'group_size': expected %zu of %s, found %lld",
                   f->file, columns, s->all->algo, (long long)json_integer_value(group));
}

/* Engines read the one file or the other. */
static qz_status check_twin(const char *dir, const qz_folder_config *f, qz_error *err) {
    char *path = qz_path_join(dir, "hf_quant_config.json");
    const char *own = json_string_value(json_object_get(f->q, "quant_algo"));
    json_t *root = NULL;
    qz_status st = path ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", dir);
    if (st == QZ_OK && qz_path_exists(path)) st = qz_json_load(path, (size_t)16 << 20, &root, err);
    const char *other = json_string_value(json_object_get(json_object_get(root, "quantization"), "quant_algo"));
    if (st == QZ_OK && own && other && strcasecmp(own, other) != 0)
        st = qz_fail(err, QZ_EFORMAT,
                     "settings of two files differ: file '%s', key 'quant_algo': expected '%.60s' as in '%s', found "
                     "'%.60s'; correct one of them",
                     path, own, f->file, other);
    json_decref(root);
    qz_free(path);
    return st;
}

static qz_status module_layout(const qz_folder_reader *r, const qz_st *file, const char *module, const layout **out,
                               qz_error *err) {
    const settings *s = r->options;
    const json_t *one = s->all ? NULL : json_object_get(s->layers, module);
    if (s->all) return *out = s->all, QZ_OK;
    if (one) return layout_named(r->config, one, out, err);
    return qz_fail(err, QZ_EFORMAT,
                   "codes without settings: file '%s', module '%s': 'quantized_layers' in '%s' does not name it",
                   file->path, module, r->config->file);
}

/* What no file of ModelOpt has beside its codes, or what is not applied here. */
static qz_status check_module(const qz_folder_reader *r, const qz_st *file, const char *module, qz_error *err) {
    static const char *const strange[] = { "weight_global_scale", "weight_packed", "weight_scale_inv" };
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        if (qz_folder_part(r->dir, module, strange[i]))
            return qz_fail(err, QZ_EFORMAT,
                           "scales of two conventions: file '%s', module '%s': found '%s.%s' beside the settings of "
                           "ModelOpt in '%s'; keep one of them",
                           file->path, module, module, strange[i], r->config->file);
    if (qz_folder_part(r->dir, module, "pre_quant_scale"))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "inputs are multiplied before the linear: file '%s', tensor '%s.pre_quant_scale': expected "
                       "none, this program does not read it yet",
                       file->path, module);
    return QZ_OK;
}

/* As servers round them: NVFP4's blocks under a scale that multiplies (the rounding takes one that divides). */
static qz_status inputs_of(const qz_folder_reader *r, const layout *l, const qz_st *file, const char *module,
                           const qz_input_rounding **out, qz_error *err) {
    *out = NULL;
    if (l->by == UNROUNDED) return QZ_OK;
    qz_input_rounding *x = qz_arena_calloc(&r->m->arena, 1, sizeof *x);
    if (!x) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", r->m->path);
    const bool nv = l->form.stored == QZ_SCALE_E4M3_TIMES;
    *x = (qz_input_rounding){ .element = l->form.bits == 4 ? QZ_ELEMENT_E2M1 : QZ_ELEMENT_E4M3, .bits = l->form.bits,
                              .by = l->by == BY_TENSOR  ? QZ_INPUT_TENSOR
                                    : l->by == BY_TOKEN ? QZ_INPUT_TOKEN
                                                        : QZ_INPUT_GROUP,
                              .group_size = l->by == BY_GROUP ? (uint32_t)l->form.block_cols : 0,
                              .stored = nv ? QZ_SCALE_E4M3 : l->form.stored, .fixed = l->fixed, .sym = true };
    if (l->fixed) QZ_TRY(qz_folder_static_input(r, file, module, "input_scale", x, err));
    if (nv) x->scale = 1 / x->scale;
    *out = x;
    return QZ_OK;
}

static qz_status add_codes(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    const char *module = qz_arena_strndup(&r->m->arena, t->name, strlen(t->name) - strlen(".weight"));
    const layout *l = NULL;
    if (!module) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", r->m->path);
    QZ_TRY(module_layout(r, file, module, &l, err));
    QZ_TRY(check_module(r, file, module, err));
    const qz_floats_form f = form_of(l, r->m->config.dtype);
    const qz_input_rounding *inputs = NULL;
    QZ_TRY(inputs_of(r, l, file, module, &inputs, err));
    QZ_TRY(qz_folder_floats_add(r, file, t, module, &f, err));
    r->m->tensors[r->m->n_tensors - 1].inputs = inputs;
    return QZ_OK;
}

static qz_status add(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    static const char *const beside[] = { ".weight_scale", ".weight_scale_2", ".input_scale" };
    if ((t->dtype == QZ_ST_F8_E4M3 || t->dtype == QZ_ST_U8) && qz_str_ends(t->name, ".weight"))
        return add_codes(r, file, t, err);
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
        if (qz_str_ends(t->name, beside[i])) return qz_folder_beside_codes(r, file, t, beside[i], err);
    return qz_model_add_tensor(r->m, file, t, err);
}

static qz_status describe(qz_folder_reader *r, qz_error *err) {
    const settings *s = r->options;
    qz_model *m = r->m;
    bool codes = false;
    for (size_t i = 0; i < m->n_tensors; i++) codes |= m->tensors[i].coded != NULL;
    if (!codes) return qz_folder_no_codes(r, "modelopt", "F8_E4M3 or packed U8", err);
    m->scheme = s->all ? s->all->scheme : "modelopt";
    m->encoding = s->all ? s->all->encoding : "several";
    m->contract = s->all ? s->all->contract : "several";
    m->container = "modelopt";
    return qz_folder_say_floats(r, err);
}

static qz_status fill(qz_run *run, qz_model *m, qz_error *err) {
    qz_folder_config f;
    settings s;
    qz_status st = qz_folder_config_load(m->path, &f, err);
    if (st == QZ_OK) st = read_settings(&f, &s, err);
    if (st == QZ_OK) st = check_twin(m->path, &f, err);
    qz_folder_reader r = { .run = run, .m = m, .config = &f, .options = &s, .add = add };
    m->expected_types = "F8_E4M3 or packed U8 beside their scales, or F32, F16, BF16";
    if (st == QZ_OK) st = qz_folder_read_into(&r, err);
    if (st == QZ_OK) st = describe(&r, err);
    qz_folder_config_release(&f);
    return st;
}
static qz_status read_model(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    return qz_folder_read(run, path, fill, out, err);
}

const qz_scheme_ops qz_modelopt_scheme = {
    .parse = parse, .level = level_at, .plan = plan, .open = qz_folder_open, .write = qz_folder_write,
    .flush = qz_folder_flush, .pack = pack, .round = round_codes,
    .kind = { "small floats", false, false, false }, .finish = qz_folder_finish,
    .close = qz_folder_close, .detect = detect, .read = read_model,
};
