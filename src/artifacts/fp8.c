/* FP8 as DeepSeek, transformers and vLLM store it (quant_method "fp8"), and what is read like it. Blocks of 128 x 128:
 * X.weight F8_E4M3 and X.weight_scale_inv, which multiplies despite its name; F32, or powers of two (+ue8m0). Ragged
 * edges keep a scale. One scale a tensor: X.weight_scale, or transformers' X.weight_scale_inv. fbgemm_fp8: a scale a
 * row. quark: one scale, one a row, or MXFP4. mxfp4: experts of gpt-oss as released (model/stacks.h).
 * Source: formats/hf-fp8.md variants D, E, F and J, sections 2 to 4
 * (transformers 5.23, vLLM 0.33), hf-fp4.md section 2. */
#include "artifacts/folder_floats.h"
#include "artifacts/loose.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "model/stacks.h"
#include "model/steps.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { BLOCK = 128 };
static const char *const levels[] = {
#define QZ_FP8_LEVEL(id, level, ...) level,
#include "artifacts/scheme_levels.def"
};
enum { N_LEVELS = sizeof levels / sizeof *levels };
static const char *level_at(size_t i) { return i < N_LEVELS ? levels[i] : NULL; }

static const qz_floats_form in_blocks = { .element = QZ_E4M3FN, .bits = 8, .block_rows = BLOCK, .block_cols = BLOCK,
                                          .stored = QZ_SCALE_F32, .values = QZ_TYPE_F32, .codes = "weight",
                                          .scale = "weight_scale_inv", .typed = true },
                            whole = { .element = QZ_E4M3FN, .bits = 8, .stored = QZ_SCALE_F32, .codes = "weight",
                                      .scale = "weight_scale", .scalar = true },
                            rows = { .element = QZ_E4M3FN, .bits = 8, .block_rows = 1, .stored = QZ_SCALE_F32,
                                     .codes = "weight", .scale = "weight_scale" },
                            mxfp4 = { .element = QZ_E2M1, .bits = 4, .block_rows = 1, .block_cols = 32,
                                      .stored = QZ_SCALE_E8M0, .codes = "weight", .scale = "weight_scale" };

/* ---- writing ---- */
static bool by_blocks(const qz_scheme_spec *s) { return strcmp(s->level, "block") == 0; }
static qz_floats_form form_of(const qz_scheme_spec *s) {
    qz_floats_form f = by_blocks(s) ? in_blocks : whole;
    f.stored = s->scale;
    return f;
}

static const qz_input_rounding dynamic_inputs = { .element = QZ_ELEMENT_E4M3, .bits = 8, .by = QZ_INPUT_GROUP,
                                                  .group_size = BLOCK, .stored = QZ_SCALE_F32, .sym = true };

static qz_status parse(qz_scheme_spec *s, const char *level, const char *flags, qz_error *err) {
    size_t i = 0;
    while (i < N_LEVELS && strcasecmp(level, levels[i]) != 0) i++;
    if (i == N_LEVELS) return QZ_EUSAGE; /* the caller names the nearest */
    (void)snprintf(s->level, sizeof s->level, "%s", levels[i]);
    const bool powers = by_blocks(s) && strcmp(flags, "ue8m0") == 0;
    if (*flags && !powers)
        return qz_fail(err, QZ_EUSAGE, "unknown flag '+%s' of 'fp8:%s': expected %s", flags, s->level,
                       by_blocks(s) ? "+ue8m0 (scales that are powers of two)" : "none");
    s->bits = 8;
    s->element = QZ_ELEMENT_E4M3;
    s->scale = powers ? QZ_SCALE_E8M0 : QZ_SCALE_F32;
    s->values = QZ_TYPE_F32;
    s->block_rows = by_blocks(s) ? BLOCK : QZ_ALL_ROWS;
    s->group_size = by_blocks(s) ? BLOCK : QZ_WHOLE_ROW;
    s->sym = true;
    s->inputs = dynamic_inputs;
    if (!by_blocks(s)) s->inputs.by = QZ_INPUT_TOKEN, s->inputs.group_size = 0;
    if (powers) s->inputs.stored = QZ_SCALE_E8M0;
    return QZ_OK;
}

static qz_status make_item(const qz_artifact_plan *p, qz_artifact_item *it, qz_error *err) {
    const qz_floats_form f = form_of(&p->spec);
    return qz_folder_floats_item(it, &f, err);
}
static size_t parts(const qz_artifact_plan *p, const qz_artifact_item *it, qz_arena *arena, qz_st_item *out) {
    const qz_floats_form f = form_of(&p->spec);
    return qz_folder_floats_parts(it, &f, arena, out);
}
static qz_status pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, qz_error *err) {
    const qz_floats_form f = form_of(&w->plan->spec);
    return qz_folder_floats_pack(w, it, q, &f, err);
}
static qz_status round_codes(qz_run *run, const qz_artifact_plan *p, const qz_artifact_item *it, const float *w,
                             qz_arena *arena, const qz_coded **out, qz_error *err) {
    const qz_floats_form f = form_of(&p->spec);
    qz_float_rounding how = { .rule = QZ_ROUND_FINE, .dtype = QZ_TYPE_F32,
                              .block_rows = f.block_rows ? f.block_rows : it->rows,
                              .block_cols = f.block_cols ? f.block_cols : it->cols, .stored = f.stored };
    if (f.block_rows == 0) QZ_TRY(qz_folder_merged_amax(p, it, &how.amax, err));
    return qz_folder_floats_code(run, &how, it, w, arena, out, err);
}

/* weight_block_size null: transformers takes 128 x 128 where the key is missing. */
static json_t *quantization(const qz_artifact_plan *p) {
    json_t *q = json_pack("{s:s, s:s, s:s, s:o, s:o}", "quant_method", "fp8", "fmt", "e4m3", "activation_scheme",
                          "dynamic", "weight_block_size",
                          by_blocks(&p->spec) ? json_pack("[i,i]", BLOCK, BLOCK) : json_null(),
                          "modules_to_not_convert", qz_folder_kept(p, true));
    const bool powers = p->spec.scale == QZ_SCALE_E8M0;
    if (!q || !powers || json_object_set_new(q, "scale_fmt", json_string("ue8m0")) == 0) return q;
    json_decref(q);
    return NULL;
}

static const qz_folder_kind kind = { .name = "an FP8", .quantizes = qz_folder_linears, .item = make_item,
                                     .parts = parts, .quantization = quantization, .keeps_dtype = true };

static qz_status plan(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena,
                      qz_artifact_plan *out, qz_error *err) {
    (void)run;
    (void)ctx;
    const qz_tensor_view *t;
    size_t ragged = 0;
    for (size_t i = 0; m->loose && by_blocks(&out->spec) && (t = qz_loose_next(m, &i)) != NULL;)
        ragged += t->rows % BLOCK || t->cols % BLOCK;
    for (size_t l = 0; l < m->config.layers && by_blocks(&out->spec); l++)
        for (size_t i = 0; i < m->blocks[l].n_sites; i++) {
            const qz_site *s = &m->blocks[l].sites[i].site;
            ragged += qz_site_linear(s) && (s->rows % BLOCK || s->cols % BLOCK);
        }
    if (ragged)
        QZ_TRY(qz_plan_note(out, arena, err,
                            "%zu linears are no multiple of %d: their last blocks are ragged, which transformers "
                            "leaves in 16 bits and some kernels of vLLM refuse",
                            ragged, BLOCK));
    if (!by_blocks(&out->spec))
        QZ_TRY(qz_plan_note(out, arena, err,
                            "scales are named weight_scale, as vLLM and SGLang read them; transformers expects "
                            "weight_scale_inv"));
    return qz_folder_plan(&kind, m, arena, out, err);
}

/* ---- reading ---- */
typedef enum { FP8, FBGEMM, QUARK, MXFP4, METHODS } method;
static const char *const methods[METHODS] = { "fp8", "fbgemm_fp8", "quark", "mxfp4" };
typedef struct { method method; size_t block_rows, block_cols; } settings; /* blocks: of FP8, 0: one scale a tensor */

static qz_status detect(const char *path, bool *yes, qz_error *err) {
    *yes = false;
    for (size_t i = 0; i < METHODS && !*yes; i++) QZ_TRY(qz_folder_detect(path, methods[i], yes, err));
    return QZ_OK;
}

static qz_status unread(const qz_folder_config *f, const char *key, const char *expected, const char *found,
                        qz_error *err) {
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "FP8 that this program does not read yet: file '%s', key '%s': expected %s, found %.60s", f->file,
                   key, expected, found ? found : "none");
}

/* One setting of all modules; a group of them with another is not read. */
static qz_status quark_settings(const qz_folder_config *f, qz_error *err) {
    const json_t *w = json_object_get(json_object_get(f->q, "global_quant_config"), "weight"),
                 *own = json_object_get(f->q, "layer_quant_config");
    const char *dtype = json_string_value(json_object_get(w, "dtype"));
    if (json_object_size(own) > 0) return unread(f, "layer_quant_config", "none", "settings of modules", err);
    if (dtype && (strcmp(dtype, "fp8_e4m3") == 0 || strcmp(dtype, "fp4") == 0)) return QZ_OK;
    return unread(f, "global_quant_config.weight.dtype", "fp8_e4m3 or fp4", dtype, err);
}

static qz_status read_settings(const qz_folder_config *f, settings *s, qz_error *err) {
    const json_t *b = json_object_get(f->q, "weight_block_size");
    *s = (settings){ FP8, 0, 0 };
    const char *name = qz_folder_method(f);
    for (int i = FP8; name && i < METHODS; i++)
        if (strcasecmp(name, methods[i]) == 0) s->method = (method)i;
    if (s->method == QUARK) return quark_settings(f, err);
    if (s->method != FP8 || !b || json_is_null(b)) return QZ_OK;
    const json_int_t down = json_integer_value(json_array_get(b, 0)), across = json_integer_value(json_array_get(b, 1));
    if (json_array_size(b) != 2 || down < 1 || across < 1 || down > INT32_MAX || across > INT32_MAX) {
        char *found = json_dumps(b, JSON_ENCODE_ANY | JSON_COMPACT);
        (void)qz_fail(err, QZ_EFORMAT,
                      "wrong value: file '%s', key 'weight_block_size': expected two numbers above 0, or null, found "
                      "%.60s; correct the settings",
                      f->file, found ? found : "another");
        free(found);
        return QZ_EFORMAT;
    }
    s->block_rows = (size_t)down, s->block_cols = (size_t)across;
    return QZ_OK;
}

static qz_floats_form module_form(const qz_folder_reader *r, const qz_st_tensor *t, const char *module) {
    const settings *s = r->options;
    const qz_st_tensor *inv = qz_folder_part(r->dir, module, in_blocks.scale);
    qz_floats_form f = s->method == FP8 ? s->block_rows ? in_blocks : whole : t->dtype == QZ_ST_U8 ? mxfp4 : rows;
    if (s->method == QUARK && t->dtype == QZ_ST_U8) f.values = r->m->config.dtype;
    if (s->method != FP8) return f;
    const bool unsaid = !s->block_rows && inv && inv->n_dims == 2 && inv->elems > 1; /* transformers' default */
    f.block_rows = unsaid ? BLOCK : s->block_rows, f.block_cols = unsaid ? BLOCK : s->block_cols;
    if (inv) f.scale = in_blocks.scale;
    if (inv && inv->dtype == QZ_ST_F8_E8M0) f.stored = QZ_SCALE_E8M0;
    return f;
}

static bool says(const qz_folder_reader *r, const char *key, const char *value) {
    const char *v = json_string_value(json_object_get(r->config->q, key));
    return v && strcmp(v, value) == 0;
}
/* Blocks of weights go with groups of as many inputs at run time (scale_fmt ue8m0: scales are powers of two), one scale
 * with one for each token. What fbgemm_fp8 (a limit) and Quark say of inputs is not applied. */
static qz_status inputs_of(const qz_folder_reader *r, const qz_st *file, const char *module,
                           const qz_input_rounding **out, qz_error *err) {
    const settings *s = r->options;
    const bool fixed = says(r, "activation_scheme", "static");
    *out = NULL;
    if (s->method != FP8) {
        qz_info_once(r->run, "note: %s: inputs stay floats here: what %s says of them is not applied", r->m->path,
                     methods[s->method]);
        return QZ_OK;
    }
    qz_input_rounding *x = qz_arena_calloc(&r->m->arena, 1, sizeof *x);
    if (!x) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", r->m->path);
    *x = (qz_input_rounding){ .element = QZ_ELEMENT_E4M3, .bits = 8,
                              .by = fixed           ? QZ_INPUT_TENSOR
                                    : s->block_cols ? QZ_INPUT_GROUP
                                                    : QZ_INPUT_TOKEN,
                              .group_size = fixed ? 0 : (uint32_t)s->block_cols,
                              .stored = says(r, "scale_fmt", "ue8m0") ? QZ_SCALE_E8M0 : QZ_SCALE_F32, .fixed = fixed,
                              .sym = true };
    if (fixed) QZ_TRY(qz_folder_static_input(r, file, module, "input_scale", x, err));
    *out = x;
    return QZ_OK;
}

static qz_status add_codes(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    const qz_input_rounding *inputs = NULL;
    const char *module = qz_arena_strndup(&r->m->arena, t->name, strlen(t->name) - strlen(".weight"));
    if (!module) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", r->m->path);
    if (qz_folder_part(r->dir, module, whole.scale) && qz_folder_part(r->dir, module, in_blocks.scale))
        return qz_fail(err, QZ_EFORMAT,
                       "two scales of one weight: file '%s', module '%s': expected weight_scale or weight_scale_inv, "
                       "found both; keep the one that '%s' means",
                       file->path, module, r->config->file);
    const qz_floats_form f = module_form(r, t, module);
    QZ_TRY(qz_folder_floats_add(r, file, t, module, &f, err));
    QZ_TRY(inputs_of(r, file, module, &inputs, err));
    r->m->tensors[r->m->n_tensors - 1].inputs = inputs;
    return QZ_OK;
}

static qz_status add(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    static const char *const beside[] = { ".weight_scale_inv", ".weight_scale", ".input_scale", ".activation_scale",
                                          ".input_scale_ub" };
    const settings *s = r->options;
    const bool packed = s->method == QUARK && t->dtype == QZ_ST_U8;
    if ((t->dtype == QZ_ST_F8_E4M3 || packed) && qz_str_ends(t->name, ".weight")) return add_codes(r, file, t, err);
    bool mine = false;
    if (s->method == MXFP4) QZ_TRY(qz_stack_add_mx(r->m, r->dir, file, t, &mine, err));
    if (mine) return QZ_OK;
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
        if (qz_str_ends(t->name, beside[i])) return qz_folder_beside_codes(r, file, t, beside[i], err);
    return qz_model_add_tensor(r->m, file, t, err);
}

static qz_status describe(qz_folder_reader *r, qz_error *err) {
    const settings *s = r->options;
    qz_model *m = r->m;
    const qz_coded *first = NULL;
    for (size_t i = 0; i < m->n_tensors && !first; i++)
        if (!qz_tensor_floats(&m->tensors[i])) first = m->tensors[i].coded;
    if (first && s->method == MXFP4) {
        m->container = m->scheme = methods[MXFP4];
        m->encoding = "MXFP4", m->contract = "W4A16 MXFP4";
        return QZ_OK;
    }
    if (!first) return qz_folder_no_codes(r, methods[s->method], "F8_E4M3", err);
    QZ_TRY(qz_folder_say_floats(r, err));
    const qz_scaled_float *x = qz_scaled_float_of(first);
    m->container = methods[s->method];
    m->scheme = s->method == FP8 ? s->block_rows ? "fp8:block" : "fp8:tensor" : methods[s->method];
    m->encoding = x->element == QZ_E2M1 ? "MXFP4" : x->whole ? "FP8 tensor" : "FP8 rows";
    if (s->block_rows) m->encoding = qz_arena_printf(&m->arena, "FP8 %zux%zu", s->block_rows, s->block_cols);
    m->contract = x->element == QZ_E2M1 ? "W4A4 mxfp4" : "W8A8 fp8";
    return m->encoding ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
}

static qz_status fill(qz_run *run, qz_model *m, qz_error *err) {
    qz_folder_config f;
    settings s;
    qz_status st = qz_folder_config_load(m->path, &f, err);
    if (st == QZ_OK) st = read_settings(&f, &s, err);
    qz_folder_reader r = { .run = run, .m = m, .config = &f, .options = &s, .add = add };
    m->expected_types = "F8_E4M3 beside its scales, or F32, F16, BF16";
    if (st == QZ_OK) st = qz_folder_read_into(&r, err);
    if (st == QZ_OK) st = describe(&r, err);
    qz_folder_config_release(&f);
    return st;
}
static qz_status read_model(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    return qz_folder_read(run, path, fill, out, err);
}

static const qz_code_kind *code_kind(const qz_scheme_spec *s) {
    static const qz_code_kind block = { "FP8 codes", false, true, false },
                              tensor = { "FP8 codes", false, false, false };
    return by_blocks(s) ? &block : &tensor;
}

const qz_scheme_ops qz_fp8_scheme = {
    .parse = parse, .level = level_at, .plan = plan, .open = qz_folder_open, .write = qz_folder_write,
    .flush = qz_folder_flush, .pack = pack, .round = round_codes, .loose = true, .kind_of = code_kind,
    .finish = qz_folder_finish, .close = qz_folder_close, .detect = detect, .read = read_model,
};
