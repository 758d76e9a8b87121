/* FP8 as DeepSeek and transformers store it: quant_method "fp8", blocks of 128 x 128, X.weight F8_E4M3 and
 * X.weight_scale_inv F32, which multiplies despite its name. Ragged edges keep a scale. Source: formats/hf-fp8.md
 * variant D, sections 2 to 4 (transformers 5.23). */
#include "artifacts/folder_floats.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { BLOCK = 128 };
static const char *const levels[] = {
#define QZ_FP8_LEVEL(id, level, ...) level,
#include "artifacts/scheme_levels.def"
};
static const char *level_at(size_t i) { return i < sizeof levels / sizeof *levels ? levels[i] : NULL; }

static const qz_input_rounding dynamic_inputs = { .element = QZ_ELEMENT_E4M3, .bits = 8, .by = QZ_INPUT_GROUP,
                                                  .group_size = BLOCK, .stored = QZ_SCALE_F32, .sym = true };

static qz_status parse(qz_scheme_spec *s, const char *level, const char *flags, qz_error *err) {
    if (strcasecmp(level, levels[0]) != 0) return QZ_EUSAGE; /* the caller names the nearest */
    if (*flags) return qz_fail(err, QZ_EUSAGE, "unknown flag '+%s' of scheme 'fp8': expected none", flags);
    s->bits = 8;
    s->element = QZ_ELEMENT_E4M3;
    s->scale = QZ_SCALE_F32;
    s->block_rows = BLOCK;
    s->group_size = BLOCK;
    s->sym = true;
    s->inputs = dynamic_inputs;
    (void)snprintf(s->level, sizeof s->level, "%s", levels[0]);
    return QZ_OK;
}

static const qz_floats_form form = { .element = QZ_E4M3FN, .bits = 8, .block_rows = BLOCK, .block_cols = BLOCK,
                                     .stored = QZ_SCALE_F32, .codes = "weight", .scale = "weight_scale_inv" };

static qz_status make_item(const qz_artifact_plan *p, qz_artifact_item *it, qz_error *err) {
    (void)p;
    return qz_folder_floats_item(it, &form, err);
}
static size_t parts(const qz_artifact_plan *p, const qz_artifact_item *it, qz_arena *arena, qz_st_item *out) {
    (void)p;
    return qz_folder_floats_parts(it, &form, arena, out);
}
static qz_status pack(qz_artifact_writer *w, const qz_artifact_item *it, const qz_quantized *q, qz_error *err) {
    return qz_folder_floats_pack(w, it, q, &form, err);
}
static qz_status round_codes(qz_run *run, const qz_artifact_plan *p, const qz_artifact_item *it, const float *w,
                             qz_arena *arena, const qz_coded **out, qz_error *err) {
    const qz_float_rounding how = { .rule = QZ_ROUND_FINE, .dtype = QZ_TYPE_F32, .block_rows = BLOCK,
                                    .block_cols = BLOCK, .stored = QZ_SCALE_F32 };
    (void)p;
    return qz_folder_floats_code(run, &how, it, w, arena, out, err);
}

static json_t *quantization(const qz_artifact_plan *p) {
    return json_pack("{s:s, s:s, s:s, s:[i,i], s:o}", "quant_method", "fp8", "fmt", "e4m3", "activation_scheme",
                     "dynamic", "weight_block_size", BLOCK, BLOCK, "modules_to_not_convert", qz_folder_kept(p, true));
}

static const qz_folder_kind kind = { .name = "an FP8", .quantizes = qz_folder_linears, .item = make_item,
                                     .parts = parts, .quantization = quantization, .keeps_dtype = true };

static qz_status plan(qz_run *run, const qz_model *m, const qz_artifact_context *ctx, qz_arena *arena,
                      qz_artifact_plan *out, qz_error *err) {
    (void)run;
    (void)ctx;
    size_t ragged = 0;
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t i = 0; i < m->blocks[l].n_sites; i++) {
            const qz_site *s = &m->blocks[l].sites[i].site;
            ragged += qz_site_linear(s) && (s->rows % BLOCK || s->cols % BLOCK);
        }
    if (ragged)
        QZ_TRY(qz_plan_note(out, arena, err,
                            "%zu linears are no multiple of %d: their last blocks are ragged, which transformers "
                            "leaves in 16 bits and some kernels of vLLM refuse",
                            ragged, BLOCK));
    return qz_folder_plan(&kind, m, arena, out, err);
}

/* ---- reading ---- */
static qz_status detect(const char *path, bool *yes, qz_error *err) { return qz_folder_detect(path, "fp8", yes, err); }

static bool says(const qz_folder_reader *r, const char *key, const char *value) {
    const char *v = json_string_value(json_object_get(r->config->q, key));
    return v && strcmp(v, value) == 0;
}
/* Blocks of weights go with groups of 128 inputs at run time; scale_fmt ue8m0: scales are powers of two. */
static qz_status inputs_of(const qz_folder_reader *r, const qz_st *file, const char *module,
                           const qz_input_rounding **out, qz_error *err) {
    const bool fixed = says(r, "activation_scheme", "static");
    qz_input_rounding *x = qz_arena_calloc(&r->m->arena, 1, sizeof *x);
    if (!x) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", r->m->path);
    *x = dynamic_inputs;
    if (says(r, "scale_fmt", "ue8m0")) x->stored = QZ_SCALE_E8M0;
    if (fixed) x->by = QZ_INPUT_TENSOR, x->group_size = 0, x->fixed = true;
    if (fixed) QZ_TRY(qz_folder_static_input(r, file, module, "input_scale", x, err));
    *out = x;
    return QZ_OK;
}

static qz_status add(qz_folder_reader *r, const qz_st *file, const qz_st_tensor *t, qz_error *err) {
    static const char *const beside[] = { ".weight_scale_inv", ".input_scale", ".activation_scale" };
    if (t->dtype == QZ_ST_F8_E4M3 && qz_str_ends(t->name, ".weight")) {
        const char *module = qz_arena_strndup(&r->m->arena, t->name, strlen(t->name) - strlen(".weight"));
        if (!module) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", r->m->path);
        const qz_input_rounding *inputs = NULL;
        QZ_TRY(inputs_of(r, file, module, &inputs, err));
        QZ_TRY(qz_folder_floats_add(r, file, t, module, &form, err));
        r->m->tensors[r->m->n_tensors - 1].inputs = inputs;
        return QZ_OK;
    }
    for (size_t i = 0; i < 3; i++)
        if (qz_str_ends(t->name, beside[i])) return qz_folder_beside_codes(r, file, t, beside[i], err);
    return qz_model_add_tensor(r->m, file, t, err);
}

static qz_status fill(qz_run *run, qz_model *m, qz_error *err) {
    qz_folder_config f;
    qz_status st = qz_folder_config_load(m->path, &f, err);
    const json_t *b = st == QZ_OK ? json_object_get(f.q, "weight_block_size") : NULL;
    if (st == QZ_OK && (json_array_size(b) != 2 || json_integer_value(json_array_get(b, 0)) != BLOCK ||
                        json_integer_value(json_array_get(b, 1)) != BLOCK))
        st = qz_fail(err, QZ_EUNSUPPORTED,
                     "FP8 that this program does not read yet: file '%s', key 'weight_block_size': expected [128, "
                     "128], found %s",
                     f.file, b ? "another" : "none");
    qz_folder_reader r = { .run = run, .m = m, .config = &f, .add = add };
    m->expected_types = "F8_E4M3 beside its scales, or F32, F16, BF16";
    if (st == QZ_OK) st = qz_folder_read_into(&r, err);
    bool codes = false;
    for (size_t i = 0; i < m->n_tensors; i++) codes |= m->tensors[i].coded != NULL;
    if (st == QZ_OK) st = codes ? qz_folder_say_floats(&r, err) : qz_folder_no_codes(&r, "fp8", "F8_E4M3", err);
    qz_folder_config_release(&f);
    QZ_TRY(st);
    m->scheme = "fp8:block";
    m->container = "fp8";
    m->encoding = "FP8 128x128";
    m->contract = "W8A8 fp8";
    return QZ_OK;
}
static qz_status read_model(qz_run *run, const char *path, qz_model **out, qz_error *err) {
    return qz_folder_read(run, path, fill, out, err);
}

const qz_scheme_ops qz_fp8_scheme = {
    .parse = parse, .level = level_at, .plan = plan, .open = qz_folder_open, .write = qz_folder_write,
    .flush = qz_folder_flush, .pack = pack, .round = round_codes,
    .kind = { "FP8 codes", false, true, false }, .finish = qz_folder_finish,
    .close = qz_folder_close, .detect = detect, .read = read_model,
};
