/* compressed-tensors scheme: presets FP8_DYNAMIC (a scale for each row) and FP8_BLOCK (128 x 128), inputs quantized by
 * the server. X.weight F8_E4M3, X.weight_scale in the weights' own type. Other formats of the library are refused by
 * name.
 * Source: formats/hf-compressed-tensors.md sections 1 to 6, hf-fp8.md variants B and C (compressed-tensors 0.20.0). */
#include "artifacts/folder_float8.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { BLOCK = 128 };
static const char *const levels[] = {
#define QZ_CT_LEVEL(id, level, ...) level,
#include "artifacts/scheme_levels.def"
};
static const char *level_at(size_t i) { return i < sizeof levels / sizeof *levels ? levels[i] : NULL; }
static bool in_blocks(const qz_scheme_spec *s) { return strcmp(s->level, levels[1]) == 0; }

static qz_status parse(qz_scheme_spec *s, const char *level, const char *flags, qz_error *err) {
    const bool block = strcasecmp(level, levels[1]) == 0;
    if (!block && strcasecmp(level, levels[0]) != 0) return QZ_EUSAGE; /* the caller names the nearest */
    if (*flags) return qz_fail(err, QZ_EUSAGE, "unknown flag '+%s' of scheme 'ct': expected none", flags);
    s->bits = 8;
    s->group_size = block ? BLOCK : 0;
    s->sym = true;
    (void)snprintf(s->level, sizeof s->level, "%s", levels[block]);
    return QZ_OK;
}

/* ---- plan and packing ---- */
static size_t block_rows(const qz_artifact_plan *p) { return in_blocks(&p->spec) ? BLOCK : 1; }
static size_t block_cols(const qz_artifact_plan *p, const qz_artifact_item *it) {
    return in_blocks(&p->spec) ? BLOCK : it->cols;
}

static qz_status make_item(const qz_artifact_plan *p, qz_artifact_item *it, qz_error *err) {
    (void)err;
    qz_float8_item(it, block_rows(p), block_cols(p, it), qz_tensor_float_type(it->source));
    return QZ_OK;
}
static size_t parts(const qz_artifact_plan *p, const qz_artifact_item *it, qz_arena *arena, qz_st_item *out) {
    return qz_float8_parts(it, block_rows(p), block_cols(p, it), qz_tensor_float_type(it->source), "weight_scale",
                           arena, out);
}
static qz_status pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, qz_error *err) {
    return qz_float8_pack(w, it, q, qz_tensor_float_type(it->source), err);
}
static qz_status round_codes(qz_run *run, const qz_artifact_plan *p, const qz_artifact_item *it, const float *w,
                             qz_arena *arena, const qz_coded **out, qz_error *err) {
    const qz_float8_setting how = {QZ_FLOAT8_CT, qz_tensor_float_type(it->source), block_rows(p), block_cols(p, it)};
    return qz_float8_code(run, &how, it, w, arena, out, err);
}

/* Null keys as the library writes them; an unknown key inside a scheme would make the file unreadable. */
static json_t *quantization(const qz_artifact_plan *p) {
    const bool block = in_blocks(&p->spec);
    json_t *weights = json_pack("{s:i, s:s, s:b, s:n, s:s, s:b}", "num_bits", 8, "type", "float", "symmetric", 1,
                                "group_size", "strategy", block ? "block" : "channel", "dynamic", 0);
    json_t *inputs = block ? json_pack("{s:i, s:s, s:b, s:i, s:s, s:b}", "num_bits", 8, "type", "float", "symmetric", 1,
                                       "group_size", BLOCK, "strategy", "group", "dynamic", 1)
                           : json_pack("{s:i, s:s, s:b, s:n, s:s, s:b}", "num_bits", 8, "type", "float", "symmetric", 1,
                                       "group_size", "strategy", "token", "dynamic", 1);
    if (block && weights) (void)json_object_set_new(weights, "block_structure", json_pack("[i,i]", BLOCK, BLOCK));
    return json_pack("{s:s, s:s, s:s, s:o, s:n, s:n, s:{s:{s:[s], s:o, s:o, s:n, s:s}}}", "quant_method",
                     "compressed-tensors", "format", "float-quantized", "quantization_status", "compressed", "ignore",
                     qz_folder_kept(p, true), "kv_cache_scheme", "global_compression_ratio", "config_groups", "group_0",
                     "targets", "Linear", "weights", weights, "input_activations", inputs, "output_activations",
                     "format", "float-quantized");
}

static const qz_folder_kind kind = { .name = "a compressed-tensors", .quantizes = qz_float8_quantizes,
                                     .item = make_item, .parts = parts, .quantization = quantization,
                                     .keeps_dtype = true };

static qz_status plan(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena,
                      qz_artifact_plan *out, qz_error *err) {
    (void)run;
    (void)ctx;
    return qz_folder_plan(&kind, m, arena, out, err);
}

/* ---- reading ---- */
static qz_status detect(const char *path, bool *yes, qz_error *err) {
    return qz_folder_detect(path, "compressed-tensors", yes, err);
}

static qz_status wrong(const qz_folder_config *f, const char *what, const char *found, qz_error *err) {
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "compressed-tensors that this program does not read yet: file '%s', key '%s': expected FP8 weights "
                   "by channel, tensor or 128 x 128 blocks, found '%.60s'",
                   f->file, what, found ? found : "nothing");
}

/* How the file's one group of settings says that weights are coded. */
typedef struct {
    size_t block;
    bool one_scale, asymmetric, static_inputs;
} ct_group; /* block 0: a scale a row, or one */

/* Keys of a scheme's arguments: strict readers refuse the file for any other. */
static qz_status known_keys(const qz_folder_config *f, const json_t *arguments, qz_error *err) {
    static const char *const keys[] = { "num_bits",        "type",           "symmetric", "group_size",  "strategy",
                                        "block_structure", "dynamic",        "actorder",  "scale_dtype", "zp_dtype",
                                        "observer",        "observer_kwargs" };
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)arguments, key, v) {
        bool known = json_is_null(v);
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) known |= strcmp(keys[i], key) == 0;
        if (!known) return wrong(f, "config_groups", key, err);
    }
    return QZ_OK;
}

static qz_status read_weights(const qz_folder_config *f, const json_t *w, ct_group *g, qz_error *err) {
    const char *type = json_string_value(json_object_get(w, "type")),
               *strategy = json_string_value(json_object_get(w, "strategy"));
    const json_t *b = json_object_get(w, "block_structure");
    QZ_TRY(known_keys(f, w, err));
    if (!type || strcmp(type, "float") != 0 || json_integer_value(json_object_get(w, "num_bits")) != 8)
        return wrong(f, "config_groups", type, err);
    if (json_is_true(json_object_get(w, "dynamic"))) return wrong(f, "dynamic", "true, of weights", err);
    if (strategy && strcmp(strategy, "block") == 0) {
        if (json_array_size(b) != 2 || json_integer_value(json_array_get(b, 0)) != BLOCK ||
            json_integer_value(json_array_get(b, 1)) != BLOCK)
            return wrong(f, "block_structure", "another", err);
        g->block = BLOCK;
    } else if (!strategy || (strcmp(strategy, "channel") != 0 && strcmp(strategy, "tensor") != 0))
        return wrong(f, "strategy", strategy, err);
    g->one_scale = strategy && strcmp(strategy, "tensor") == 0;
    g->asymmetric = json_is_false(json_object_get(w, "symmetric"));
    return QZ_OK;
}

/* Every group of the file must be the one kind that is read. */
static qz_status read_groups(const qz_folder_config *f, ct_group *g, qz_error *err) {
    const char *format = json_string_value(json_object_get(f->q, "format")), *key;
    json_t *v;
    size_t n = 0;
    *g = (ct_group){ .block = 0 };
    if (!format || (strcmp(format, "float-quantized") != 0 && strcmp(format, "naive-quantized") != 0))
        return wrong(f, "format", format, err);
    json_object_foreach((json_t *)(uintptr_t)json_object_get(f->q, "config_groups"), key, v) {
        const json_t *in = json_object_get(v, "input_activations"), *out = json_object_get(v, "output_activations");
        QZ_TRY(read_weights(f, json_object_get(v, "weights"), g, err));
        if (json_is_object(in)) QZ_TRY(known_keys(f, in, err));
        if (out && !json_is_null(out)) return wrong(f, "output_activations", "settings", err);
        g->static_inputs = json_is_object(in) && !json_is_true(json_object_get(in, "dynamic"));
        n++;
    }
    return n == 1 ? QZ_OK : wrong(f, "config_groups", n ? "several groups" : "none", err);
}

/* What the group says of one module against what the file holds of it. */
static qz_status check_module(const qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    const ct_group *g = r->options;
    char *module = qz_arena_strndup(&r->m->arena, t->name, strlen(t->name) - strlen(".weight"));
    if (!module) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", r->m->path);
    const qz_st_tensor *s = qz_folder_part(r->dir, module, "weight_scale"),
                       *z = qz_folder_part(r->dir, module, "weight_zero_point");
    if (g->asymmetric != (z != NULL))
        return qz_fail(err, QZ_EFORMAT,
                       "zero points against the settings: file '%s', module '%s': 'symmetric' is %s in '%s', "
                       "expected %s '%s.weight_zero_point', found %s; correct the settings",
                       file->path, module, g->asymmetric ? "false" : "true or absent", r->config->file,
                       g->asymmetric ? "a tensor" : "no tensor", module, z ? "one" : "none");
    if (z) return wrong(r->config, "symmetric", "false, with zero points", err);
    if (g->block == 0 && s && g->one_scale != (s->elems == 1) && t->n_dims == 2 && t->dims[0] != 1)
        return qz_fail(err, QZ_EFORMAT,
                       "scales against the settings: file '%s', module '%s': 'strategy' is %s in '%s', expected %llu "
                       "scale%s, found %llu; correct the settings",
                       file->path, module, g->one_scale ? "tensor" : "channel", r->config->file,
                       g->one_scale ? 1ull : (unsigned long long)t->dims[0], g->one_scale ? "" : "s",
                       (unsigned long long)s->elems);
    return g->static_inputs ? qz_folder_static_input(r, file, module, "config_groups", err) : QZ_OK;
}

static qz_status add(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    static const char *const beside[] = { ".weight_scale", ".input_scale", ".weight_zero_point" };
    const size_t block = ((const ct_group *)r->options)->block;
    if (t->dtype == QZ_ST_F8_E4M3 && qz_str_ends(t->name, ".weight")) {
        QZ_TRY(check_module(r, file, t, err));
        return qz_float8_add(r, file, t, "weight_scale", block ? block : 1, block, err);
    }
    for (size_t i = 0; i < 3; i++)
        if (qz_str_ends(t->name, beside[i])) return qz_folder_beside_codes(r, file, t, beside[i], err);
    return qz_model_add_tensor(r->m, file, t, err);
}

static qz_status fill(qz_run *run, qz_model *m, qz_error *err) {
    qz_folder_config f;
    ct_group group;
    qz_status st = qz_folder_config_load(m->path, &f, err);
    if (st == QZ_OK) st = read_groups(&f, &group, err);
    qz_folder_reader r = { .run = run, .m = m, .config = &f, .options = &group, .add = add };
    m->expected_types = "F8_E4M3 beside its scales, or F32, F16, BF16";
    if (st == QZ_OK) st = qz_folder_read_into(&r, err);
    bool codes = false;
    for (size_t i = 0; i < m->n_tensors; i++) codes |= m->tensors[i].coded != NULL;
    if (st == QZ_OK)
        st = codes ? qz_folder_say_floats(&r, err) : qz_folder_no_codes(&r, "compressed-tensors", "F8_E4M3", err);
    qz_folder_config_release(&f);
    QZ_TRY(st);
    m->scheme = "fp8";
    m->container = "compressed-tensors";
    m->encoding = group.block ? "FP8 128x128" : "FP8 rows";
    m->contract = "W8A8 fp8";
    return QZ_OK;
}
static qz_status read_model(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    return qz_folder_read(run, path, fill, out, err);
}

const qz_scheme_ops qz_ct_scheme = {
    .parse = parse, .level = level_at, .plan = plan, .open = qz_folder_open, .write = qz_folder_write,
    .flush = qz_folder_flush, .pack = pack, .round = round_codes,
    .kind = { "FP8 codes", false, true, false }, .engines_name = "fp8", .finish = qz_folder_finish,
    .close = qz_folder_close, .detect = detect, .read = read_model,
};
