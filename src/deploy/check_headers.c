#include "base/bytes.h"
#include "base/half.h"
#include "formats/dtypes.h"
#include "formats/safetensors.h"
#include "deploy/check_job.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SCALES_READ = 1 << 20 }; /* without --deep, of all tensors together */

/* Names that tell a quantized module, and the tensor that a symmetric file may not have (vLLM stops there). */
static const char *const marks[] = {"weight_packed", "weight_scale", "weight_scale_inv", "_scales", "_blocks",
                                    "weight_global_scale", "scales"};

static bool is_mark(const char *name) {
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        if (qz_str_ends(name, marks[i])) return true;
    return false;
}
static bool is_scale(const qz_st_tensor *t) {
    return qz_str_ends(t->name, "_scale") || qz_str_ends(t->name, "_scale_inv") || qz_str_ends(t->name, ".scales") ||
           qz_str_ends(t->name, "output_scale");
}

/* The first scale that is not finite or not positive. Only plain floats: block scales of FP4 formats have
 * their own codes. */
static bool bad_scales(qz_check_job *j, const qz_st_tensor *t, size_t *left) {
    const size_t width = t->dtype == QZ_ST_F32 ? 4 : t->dtype == QZ_ST_F16 || t->dtype == QZ_ST_BF16 ? 2 : 0;
    size_t n = (size_t)t->elems;
    if (width == 0) return false;
    if (!j->o.deep && n > *left) n = *left;
    *left -= j->o.deep ? 0 : n;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = t->data + i * width;
        float s;
        if (width == 4) memcpy(&s, p, 4);
        else s = t->dtype == QZ_ST_F16 ? qz_f16_to_f32(qz_load_u16le(p)) : qz_bf16_to_f32(qz_load_u16le(p));
        if (isfinite(s) && s >= 0) continue;
        qz_check_add(&j->f, "CHK-SCALE", t->name, "element %zu: scale %g", i, (double)s);
        return true;
    }
    return false;
}

qz_status qz_check_headers(qz_check_job *j, const char *why, qz_error *err) {
    qz_st_dir d = {0};
    qz_error e = {0};
    qz_status st = qz_st_dir_open(&d, j->path, &e);
    if (st == QZ_EMEMORY || st == QZ_EIO) return qz_fail(err, st, "%s", e.text);
    if (st != QZ_OK) {
        qz_check_add(&j->f, "CHK-OPEN", "", "%s", e.text);
        return QZ_OK;
    }
    size_t quantized = 0, tensors = 0, left = SCALES_READ;
    bool stray = false, bad = false;
    for (size_t i = 0; i < d.n_files; i++)
        for (size_t k = 0; k < d.files[i].n; k++) {
            const qz_st_tensor *t = &d.files[i].tensors[k];
            tensors++;
            quantized += is_mark(t->name);
            if (!stray && j->spec.kind == QZ_DEPLOY_CT_INT && j->spec.sym &&
                qz_str_ends(t->name, "weight_zero_point")) {
                qz_check_add(&j->f, "CHK-STRAY", t->name,
                             "zero points in a symmetric file: vLLM refuses tensors that it does not expect");
                stray = true;
            }
            if (!bad && is_scale(t)) bad = bad_scales(j, t, &left);
        }
    if (j->spec.kind != QZ_DEPLOY_FLOAT && j->spec.kind != QZ_DEPLOY_UNKNOWN && j->spec.kind != QZ_DEPLOY_MLX &&
        quantized == 0)
        qz_check_add(&j->f, "CHK-STRAY", "", "config.json announces %s, and none of %zu tensors is quantized",
                     qz_deploy_get(j->spec.kind)->title, tensors);
    qz_deploy_spec_scales(&d, &j->spec);
    st = qz_deploy_shape_scales(&d, &j->arena, &j->deploy, err);
    if (why)
        qz_check_add(&j->f, "CHK-SCAN", "",
                     "%s: %zu tensors read by their headers and float scales; their codes were not decoded%s",
                     j->shape->runs ? qz_deploy_get(j->spec.kind)->title : j->shape->model_type, tensors, why);
    qz_st_dir_release(&d);
    return st;
}
