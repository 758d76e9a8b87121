/* float-quantized and naive-quantized of compressed-tensors: X.weight F8_E4M3 and X.weight_scale in the weights' own
 * type, a scale for each row, each 128 x 128 block, or one (read). Source: formats/hf-fp8.md variants A to C. */
#include "artifacts/ct_int.h"
#include "artifacts/folder_float8.h"
#include "codecs/types.h"

enum { BLOCK = 128 };

static bool in_blocks(const qz_ct_setting *s) { return s->weights.strategy == QZ_CT_BLOCK; }
static size_t block_rows(const qz_ct_setting *s) { return in_blocks(s) ? s->weights.block_rows : 1; }
static size_t block_cols(const qz_ct_setting *s, const qz_artifact_item *it) {
    return in_blocks(s) ? s->weights.block_cols : it->cols;
}

static bool holds(const qz_ct_setting *s) {
    const qz_ct_args *w = &s->weights;
    if (!w->is_float || w->bits != 8 || w->scale != QZ_CT_SCALE_OWN) return false;
    if (w->strategy == QZ_CT_BLOCK) return w->block_rows == BLOCK && w->block_cols == BLOCK;
    return w->strategy == QZ_CT_CHANNEL || w->strategy == QZ_CT_TENSOR;
}

static qz_status make_item(const qz_artifact_plan *p, const qz_ct_setting *s, qz_artifact_item *it, qz_error *err) {
    (void)p;
    (void)err;
    qz_float8_item(it, block_rows(s), block_cols(s, it), qz_tensor_float_type(it->source));
    return QZ_OK;
}
static size_t parts(const qz_artifact_plan *p, const qz_ct_setting *s, const qz_artifact_item *it, qz_arena *arena,
                    qz_st_item *out) {
    (void)p;
    return qz_float8_parts(it, block_rows(s), block_cols(s, it), qz_tensor_float_type(it->source), "weight_scale",
                           arena, out);
}
static qz_status pack(qz_artifact_writer *w, const qz_ct_setting *s, const qz_artifact_item *it, const qz_quantized *q,
                      qz_error *err) {
    (void)s;
    return qz_float8_pack(w, it, q, qz_tensor_float_type(it->source), err);
}
static qz_status round_codes(qz_run *run, const qz_artifact_plan *p, const qz_artifact_item *it, const float *w,
                             qz_arena *arena, const qz_coded **out, qz_error *err) {
    const qz_ct_setting *s = qz_ct_setting_of(&p->spec);
    const qz_float8_setting how = {QZ_FLOAT8_CT, qz_tensor_float_type(it->source), block_rows(s), block_cols(s, it)};
    return qz_float8_code(run, &how, it, w, arena, out, err);
}

/* What the settings say of one module against what the file holds of it. */
static qz_status check_module(const qz_folder_reader *r, const qz_ct_setting *g, const qz_st *file,
                              const qz_st_tensor *t, const char *module, qz_error *err) {
    const bool one_scale = g->weights.strategy == QZ_CT_TENSOR;
    const qz_st_tensor *s = qz_folder_part(r->dir, module, "weight_scale"),
                       *z = qz_folder_part(r->dir, module, "weight_zero_point");
    if (g->weights.asym != (z != NULL))
        return qz_fail(err, QZ_EFORMAT,
                       "zero points against the settings: file '%s', module '%s': 'symmetric' is %s in '%s', "
                       "expected %s '%s.weight_zero_point', found %s; correct the settings",
                       file->path, module, g->weights.asym ? "false" : "true or absent", r->config->file,
                       g->weights.asym ? "a tensor" : "no tensor", module, z ? "one" : "none");
    if (z) return qz_ct_wrong(r->config, "symmetric", "false, with zero points", err);
    if (!in_blocks(g) && s && one_scale != (s->elems == 1) && t->n_dims == 2 && t->dims[0] != 1)
        return qz_fail(err, QZ_EFORMAT,
                       "scales against the settings: file '%s', module '%s': 'strategy' is %s in '%s', expected %llu "
                       "scale%s, found %llu; correct the settings",
                       file->path, module, one_scale ? "tensor" : "channel", r->config->file,
                       one_scale ? 1ull : (unsigned long long)t->dims[0], one_scale ? "" : "s",
                       (unsigned long long)s->elems);
    const bool fixed = g->inputs.strategy != QZ_CT_NONE && !g->inputs.dynamic && !g->inputs.local;
    return fixed ? qz_folder_static_input(r, file, module, "config_groups", err) : QZ_OK;
}

static qz_status add(qz_folder_reader *r, const qz_ct_setting *s, const qz_st *file, const qz_st_tensor *t,
                     const char *module, qz_error *err) {
    QZ_TRY(check_module(r, s, file, t, module, err));
    return in_blocks(s) ? qz_float8_add(r, file, t, "weight_scale", BLOCK, BLOCK, err)
                        : qz_float8_add(r, file, t, "weight_scale", 1, 0, err);
}

static qz_status describe(const qz_ct_setting *s, qz_model *m, qz_error *err) {
    (void)err;
    m->scheme = in_blocks(s) ? "fp8:block" : "fp8";
    m->encoding = in_blocks(s) ? "FP8 128x128" : "FP8 rows";
    m->contract = "W8A8 fp8";
    return QZ_OK;
}

static const char *const beside[] = { "weight_scale", "input_scale", "weight_zero_point", NULL };
const qz_ct_format qz_ct_float = { .name = "float-quantized", .also = "naive-quantized", .codes = "weight",
                                   .beside = beside, .holds = holds, .item = make_item, .parts = parts, .pack = pack,
                                   .round = round_codes, .add = add, .describe = describe };
