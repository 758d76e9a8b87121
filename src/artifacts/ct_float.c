/* The formats of compressed-tensors whose codes are small floats. float-quantized and naive-quantized: FP8 with scales
 * in the weights' own type, for each row, each 128 x 128 block, or one (read). MX: powers of two for 32 columns. NVFP4:
 * E4M3 scales for 16 columns over a global scale, which merged linears share.
 * Source: formats/hf-compressed-tensors.md section 3, hf-fp8.md variants A to C and I, hf-fp4.md. */
#include "artifacts/ct_int.h"
#include "artifacts/folder_floats.h"
#include "codecs/observer.h"
#include "codecs/types.h"

enum { BLOCK = 128, MX_GROUP = 32, NV_GROUP = 16 };

static bool in_blocks(const qz_ct_setting *s) { return s->weights.strategy == QZ_CT_BLOCK; }

static qz_scale_type own_scale(qz_type t) {
    return t == QZ_TYPE_F16 ? QZ_SCALE_F16 : t == QZ_TYPE_BF16 ? QZ_SCALE_BF16 : QZ_SCALE_F32;
}

/* How the file holds a matrix of these settings; values: the floats that stand for its weights. */
static qz_floats_form form_of(const qz_ct_setting *s, qz_type values) {
    const qz_ct_args *w = &s->weights;
    qz_floats_form f = { .element = w->bits == 8 ? QZ_E4M3FN : w->bits == 6 ? QZ_E2M3 : QZ_E2M1, .bits = w->bits,
                         .block_rows = in_blocks(s) ? w->block_rows : w->strategy == QZ_CT_TENSOR ? 0 : 1,
                         .block_cols = in_blocks(s) ? w->block_cols : w->group_size,
                         .stored = w->scale == QZ_CT_SCALE_E4M3   ? QZ_SCALE_E4M3
                                   : w->scale == QZ_CT_SCALE_E8M0 ? QZ_SCALE_E8M0
                                                                  : own_scale(values),
                         .values = values, .codes = s->format->codes, .scale = "weight_scale",
                         .tensor = "weight_global_scale" };
    return f;
}

/* ---- what a format stores ---- */
static bool holds_fp8(const qz_ct_setting *s) {
    const qz_ct_args *w = &s->weights;
    if (!w->is_float || w->bits != 8 || w->scale != QZ_CT_SCALE_OWN) return false;
    if (w->strategy == QZ_CT_BLOCK) return w->block_rows == BLOCK && w->block_cols == BLOCK;
    return w->strategy == QZ_CT_CHANNEL || w->strategy == QZ_CT_TENSOR;
}
static bool holds_mx(const qz_ct_setting *s, uint32_t bits) {
    const qz_ct_args *w = &s->weights;
    return w->is_float && w->bits == bits && w->scale == QZ_CT_SCALE_E8M0 && w->strategy == QZ_CT_GROUP &&
           w->group_size == MX_GROUP && !w->asym;
}
static bool holds_mx4(const qz_ct_setting *s) { return holds_mx(s, 4); }
static bool holds_mx6(const qz_ct_setting *s) { return holds_mx(s, 6); }
static bool holds_mx8(const qz_ct_setting *s) { return holds_mx(s, 8); }
static bool holds_nvfp4(const qz_ct_setting *s) {
    const qz_ct_args *w = &s->weights;
    return w->is_float && w->bits == 4 && w->scale == QZ_CT_SCALE_E4M3 && w->strategy == QZ_CT_TENSOR_GROUP &&
           w->group_size == NV_GROUP && !w->asym;
}

/* ---- writing ---- */
/* Readers decode to the configuration's type where scales do not say one, else to the scales' own, which is the
 * weights'; of a family that is not known the configuration decides. */
static qz_type values_of(const qz_artifact_plan *p, const qz_ct_setting *s, const qz_artifact_item *it) {
    const qz_type t = p->model->config.dtype;
    if (p->model->loose && t != QZ_TYPE_NONE) return t;
    return s->weights.scale == QZ_CT_SCALE_OWN ? qz_tensor_float_type(it->source)
                                               : qz_folder_value_type(p->model, it->source);
}

static qz_status make_item(const qz_artifact_plan *p, const qz_ct_setting *s, qz_artifact_item *it, qz_error *err) {
    const qz_floats_form f = form_of(s, values_of(p, s, it));
    return qz_folder_floats_item(it, &f, err);
}
static size_t parts(const qz_artifact_plan *p, const qz_ct_setting *s, const qz_artifact_item *it, qz_arena *arena,
                    qz_st_item *out) {
    const qz_floats_form f = form_of(s, values_of(p, s, it));
    return qz_folder_floats_parts(it, &f, arena, out);
}
static qz_status pack(qz_artifact_writer *w, const qz_ct_setting *s, const qz_artifact_item *it, const qz_quantized *q,
                      qz_error *err) {
    const qz_floats_form f = form_of(s, values_of(w->plan, s, it));
    return qz_folder_floats_pack(w, it, q, &f, err);
}
/* --mse: what stands for the largest value of each block is chosen as the library's observer does. */
static qz_status observe(qz_run *run, const qz_artifact_plan *p, const qz_artifact_item *it, const float *w,
                         qz_arena *arena, qz_float_rounding *how, qz_error *err) {
    const bool whole = how->block_rows > 1;
    if (whole && how->block_rows < it->rows)
        return qz_fail(err, QZ_EUSAGE,
                       "--mse searches ranges of rows and of groups in them: '%s' has blocks of %zu x %zu", it->name,
                       how->block_rows, how->block_cols);
    const qz_observer o = { QZ_OBSERVER_MSE(p->context->mse_norm), .element = how->element,
                            .block = whole ? it->rows * it->cols : how->block_cols };
    const size_t n = it->rows * it->cols / o.block;
    qz_range *ranges = qz_arena_alloc(arena, n, sizeof *ranges);
    float *amax = qz_arena_alloc(arena, n, sizeof *amax);
    if (!ranges || !amax) return qz_fail(err, QZ_EMEMORY, "out of memory for ranges of '%s'", it->name);
    QZ_TRY(qz_observe_mse(run, &o, w, n, ranges, err));
    for (size_t i = 0; i < n; i++) amax[i] = qz_range_amax(ranges[i]);
    if (whole) how->amax = amax[0];
    else how->block_amax = amax;
    return QZ_OK;
}

static qz_status round_codes(qz_run *run, const qz_artifact_plan *p, const qz_artifact_item *it, const float *w,
                             qz_arena *arena, const qz_coded **out, qz_error *err) {
    const qz_ct_setting *s = qz_ct_setting_of(qz_item_spec(p, it));
    const qz_floats_form f = form_of(s, values_of(p, s, it));
    qz_float_rounding how = { .rule = QZ_ROUND_CT, .dtype = f.values,
                              .block_rows = f.block_rows ? f.block_rows : it->rows,
                              .block_cols = f.block_cols ? f.block_cols : it->cols, .element = f.element,
                              .stored = f.stored,
                              .search = !(p->context && p->context->as_reference) && f.stored >= QZ_SCALE_E8M0 };
    if (p->context && p->context->as_reference && p->context->mse_norm > 0)
        QZ_TRY(observe(run, p, it, w, arena, &how, err));
    if (f.stored == QZ_SCALE_E4M3 || (f.block_rows == 0 && how.amax == 0))
        QZ_TRY(qz_folder_merged_amax(p, it, &how.amax, err));
    return qz_folder_floats_code(run, &how, it, w, arena, out, err);
}

/* ---- reading ---- */
/* What the settings say of one module against what the file holds of it. */
static qz_status check_module(const qz_folder_reader *r, const qz_ct_setting *g, const qz_st *file,
                              const qz_st_tensor *t, const char *module, qz_error *err) {
    const bool one_scale = g->weights.strategy == QZ_CT_TENSOR, rows = g->weights.strategy == QZ_CT_CHANNEL;
    const qz_st_tensor *s = qz_folder_part(r->dir, module, "weight_scale"),
                       *z = qz_folder_part(r->dir, module, "weight_zero_point"),
                       *other = qz_folder_part(r->dir, module, "weight_scale_2");
    if (g->weights.asym != (z != NULL))
        return qz_fail(err, QZ_EFORMAT,
                       "zero points against the settings: file '%s', module '%s': 'symmetric' is %s in '%s', "
                       "expected %s '%s.weight_zero_point', found %s; correct the settings",
                       file->path, module, g->weights.asym ? "false" : "true or absent", r->config->file,
                       g->weights.asym ? "a tensor" : "no tensor", module, z ? "one" : "none");
    if (z) return qz_ct_wrong(r->config, "symmetric", "false, with zero points", err);
    if (other)
        return qz_fail(err, QZ_EFORMAT,
                       "scales of two conventions: file '%s', module '%s': found '%s' of ModelOpt beside the settings "
                       "of compressed-tensors in '%s'; keep one of them",
                       file->path, module, other->name, r->config->file);
    if ((one_scale || rows) && s && one_scale != (s->elems == 1) && t->n_dims == 2 && t->dims[0] != 1)
        return qz_fail(err, QZ_EFORMAT,
                       "scales against the settings: file '%s', module '%s': 'strategy' is %s in '%s', expected %llu "
                       "scale%s, found %llu; correct the settings",
                       file->path, module, one_scale ? "tensor" : "channel", r->config->file,
                       one_scale ? 1ull : (unsigned long long)t->dims[0], one_scale ? "" : "s",
                       (unsigned long long)s->elems);
    return QZ_OK;
}

static qz_status add(qz_folder_reader *r, const qz_ct_setting *s, const qz_st *file, const qz_st_tensor *t,
                     const char *module, qz_error *err) {
    const qz_floats_form f = form_of(s, r->m->config.dtype);
    const qz_input_rounding *inputs;
    QZ_TRY(check_module(r, s, file, t, module, err));
    QZ_TRY(qz_ct_inputs(r, &s->inputs, file, module, &inputs, err));
    QZ_TRY(qz_folder_floats_add(r, file, t, module, &f, err));
    r->m->tensors[r->m->n_tensors - 1].inputs = inputs;
    return QZ_OK;
}

/* ---- what a model of these settings is called ---- */
static qz_status described(const qz_ct_setting *s, qz_model *m, qz_error *err) {
    m->contract = qz_ct_contract(s, m);
    return m->contract ? QZ_OK : qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
}
static qz_status describe_fp8(const qz_ct_setting *s, qz_model *m, qz_error *err) {
    m->scheme = in_blocks(s) ? "fp8:block" : "fp8";
    m->encoding = in_blocks(s) ? "FP8 128x128" : s->weights.strategy == QZ_CT_TENSOR ? "FP8 tensor" : "FP8 rows";
    return described(s, m, err);
}
static qz_status describe_mx(const qz_ct_setting *s, qz_model *m, qz_error *err) {
    const bool eight = s->weights.bits == 8;
    m->scheme = eight ? "ct:mxfp8" : "ct:mxfp4";
    m->encoding = eight ? "MXFP8" : s->weights.bits == 6 ? "MXFP6" : "MXFP4";
    return described(s, m, err);
}
static qz_status describe_nvfp4(const qz_ct_setting *s, qz_model *m, qz_error *err) {
    m->scheme = "ct:nvfp4";
    m->encoding = "NVFP4";
    return described(s, m, err);
}

static const char *const beside_fp8[] = { "weight_scale", "input_scale", "weight_zero_point", NULL };
static const char *const beside_fp4[] = { "weight_scale", "weight_global_scale", "input_global_scale", NULL };
#define FLOATS(name_, also_, bits_, codes_, beside_, holds_, describe_)                                               \
    { .name = name_, .also = also_, .bits = bits_, .codes = codes_, .beside = beside_, .holds = holds_,               \
      .item = make_item, .parts = parts, .pack = pack, .round = round_codes, .add = add, .describe = describe_ }
const qz_ct_format qz_ct_float = FLOATS("float-quantized", "naive-quantized", 8, "weight", beside_fp8, holds_fp8,
                                        describe_fp8),
                   qz_ct_mxfp8 = FLOATS("mxfp8-quantized", NULL, 8, "weight", beside_fp8, holds_mx8, describe_mx),
                   qz_ct_mxfp6 = FLOATS("mxfp6-pack-quantized", NULL, 6, "weight_packed", beside_fp4, holds_mx6,
                                        describe_mx),
                   qz_ct_mxfp4 = FLOATS("mxfp4-pack-quantized", NULL, 4, "weight_packed", beside_fp4, holds_mx4,
                                        describe_mx),
                   qz_ct_nvfp4 = FLOATS("nvfp4-pack-quantized", NULL, 4, "weight_packed", beside_fp4, holds_nvfp4,
                                        describe_nvfp4);
