/* Scales of inputs that the source stores, for a target that stores them too: conversion has no calibration. The
 * largest magnitude is what both conventions say (formats/hf-fp8.md section 3, hf-fp4.md section 3). */
#include "base/size.h"
#include "base/half.h"
#include "base/bytes.h"
#include "codecs/scaled_float.h"
#include "formats/dtypes.h"
#include "formats/safetensors.h"
#include "produce/convert.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static float number(const qz_st_tensor *t) {
    if (t->elems != 1) return 0;
    switch (t->dtype) {
    case QZ_ST_F32: return qz_bits_f32(qz_load_u32le(t->data));
    case QZ_ST_BF16: return qz_bf16_to_f32(qz_load_u16le(t->data));
    case QZ_ST_F16: return qz_f16_to_f32(qz_load_u16le(t->data));
    default: return 0;
    }
}

/* Inputs of FP4 have block scales of up to 448 under that of the tensor. */
static float largest(const qz_st_dir *d, const qz_artifact_item *it) {
    static const char *const names[] = { "input_scale", "input_global_scale", "activation_scale" };
    const qz_scaled_float *f = qz_scaled_float_of(it->source->coded);
    const float most = !f ? 127.5f : qz_small_max(f->element) * (f->element == QZ_E2M1 ? 448 : 1);
    char name[QZ_ST_MAX_NAME];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (snprintf(name, sizeof name, "%s.%s", it->out_name, names[i]) >= (int)sizeof name) return 0;
        const qz_st_tensor *t = qz_st_dir_find(d, name, NULL);
        if (t) return i == 1 ? most / number(t) : number(t) * most;
    }
    return 0;
}

static bool wants(const qz_artifact_plan *plan, const qz_artifact_item *it) {
    return it->type == QZ_TYPE_CODED && it->source && qz_item_spec(plan, it)->static_inputs;
}

qz_status qz_convert_inputs(qz_run *run, const qz_source *s, qz_artifact_plan *plan, qz_error *err) {
    qz_st_dir d = {0};
    size_t n = 0;
    bool any = false;
    for (size_t i = 0; i < plan->n_items; i++) any |= wants(plan, &plan->items[i]);
    if (!any) return QZ_OK;
    qz_status st = qz_st_dir_open(&d, s->model->path, err);
    for (size_t i = 0; i < plan->n_items && st == QZ_OK; i++) {
        qz_artifact_item *it = &plan->items[i];
        if (!wants(plan, it)) continue;
        it->input_amax = largest(&d, it);
        n++;
        if (!isfinite(it->input_amax) || it->input_amax <= 0)
            st = qz_fail(err, QZ_EUNSUPPORTED,
                         "no scale of inputs to carry over: folder '%s', module '%s': expected a finite number above 0 "
                         "in '%s.input_scale', found none; convert to a level without one, or quantize with --calib",
                         s->model->path, it->out_name, it->out_name);
    }
    qz_st_dir_release(&d);
    if (st == QZ_OK)
        qz_info_once(run, "note: %zu scales of inputs are carried over, rounded to the type that %s stores", n,
                     plan->spec.name);
    return st;
}
