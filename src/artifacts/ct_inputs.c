/* What a compressed-tensors file says of a module's inputs, as the engine rounds them (codecs/input_rounding.h): scales
 * at run time, or stored ones: input_scale, and the input_global_scale of NVFP4.
 * Source: formats/hf-compressed-tensors.md sections 2, 3 and 7. */
#include "artifacts/ct_int.h"
#include <stdio.h>

static qz_element element_of(const qz_ct_args *a) {
    return !a->is_float ? QZ_ELEMENT_INT : a->bits == 8 ? QZ_ELEMENT_E4M3 : a->bits == 6 ? QZ_ELEMENT_E2M3
                                                                                         : QZ_ELEMENT_E2M1;
}
/* Settings that no served kernel has. */
static bool known(const qz_ct_args *a) {
    if (a->is_float ? a->bits != 8 && a->bits != 6 && a->bits != 4 : a->bits < 2 || a->bits > 8) return false;
    if (a->is_float && a->asym) return false;
    switch (a->strategy) {
    case QZ_CT_TENSOR: return !a->local;
    case QZ_CT_TOKEN: return !a->local; /* one that is stored is the tensor's */
    case QZ_CT_GROUP: return a->dynamic;
    case QZ_CT_TENSOR_GROUP: return a->is_float;
    default: return false;
    }
}

qz_input_rounding qz_ct_rounding(const qz_ct_args *a) {
    const bool nv = a->strategy == QZ_CT_TENSOR_GROUP;
    if (a->strategy == QZ_CT_NONE || !known(a)) return (qz_input_rounding){ .bits = 0 };
    return (qz_input_rounding){ .element = element_of(a), .bits = a->bits,
                                .by = a->strategy == QZ_CT_TOKEN && a->dynamic ? QZ_INPUT_TOKEN
                                      : a->group_size                          ? QZ_INPUT_GROUP
                                                                               : QZ_INPUT_TENSOR,
                                .group_size = a->group_size,
                                .stored = nv                             ? QZ_SCALE_E4M3
                                          : a->scale == QZ_CT_SCALE_E8M0 ? QZ_SCALE_E8M0
                                                                         : QZ_SCALE_F32,
                                .sym = !a->asym };
}

qz_status qz_ct_inputs(const qz_folder_reader *r, const qz_ct_args *a, const qz_st *file, const char *module,
                       const qz_input_rounding **out, qz_error *err) {
    *out = NULL;
    if (a->strategy == QZ_CT_NONE) return QZ_OK;
    if (!known(a)) {
        qz_info_once(r->run,
                     "note: %s: 'input_activations' of %s of %u bits by %s: no kernel that this program knows rounds "
                     "inputs so; they stay floats here",
                     r->m->path, a->is_float ? "floats" : "integers", a->bits, qz_ct_strategy_name(a->strategy));
        return QZ_OK;
    }
    qz_input_rounding *x = qz_arena_calloc(&r->m->arena, 1, sizeof *x);
    if (!x) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", r->m->path);
    *x = qz_ct_rounding(a);
    x->fixed = qz_ct_static(a);
    const char *scale = a->local ? "input_global_scale" : "input_scale";
    if (x->fixed) QZ_TRY(qz_folder_static_input(r, file, module, scale, x, err));
    *out = x;
    return QZ_OK;
}

const char *qz_ct_contract(const qz_ct_setting *s, qz_model *m) {
    const qz_ct_args *in = &s->inputs;
    if (in->strategy == QZ_CT_NONE) return qz_arena_printf(&m->arena, "W%uA16", s->weights.bits);
    return qz_arena_printf(&m->arena, "W%uA%u %s%s%u", s->weights.bits, in->bits,
                           in->strategy == QZ_CT_TENSOR_GROUP  ? "nv"
                           : in->scale == QZ_CT_SCALE_E8M0 ? "mx"
                                                               : "",
                           in->is_float ? "fp" : "int", in->bits);
}
