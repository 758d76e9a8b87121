/* Scales of fused layers as a folder stores them: engines load q, k, v (gate, up; w1, w3) as one matrix, so what exists
 * once a tensor must be equal in all parts. Only scalars are read; formats/hf-fp4.md section 3, hf-fp8.md section 3. */
#include "base/bytes.h"
#include "base/half.h"
#include "formats/dtypes.h"
#include "deploy/preflight_int.h"
#include <string.h>

/* A tensor of one float: "…self_attn.k_proj.weight_global_scale" is part 'k_proj', scale 'weight_global_scale'. */
typedef struct { const char *part, *scale; size_t part_len; double value; } scalar;

static bool scalar_of(const qz_st_tensor *t, scalar *out) {
    const char *dot = strrchr(t->name, '.'), *part = dot;
    if (dot == NULL || t->elems != 1) return false;
    while (part > t->name && part[-1] != '.') part--;
    *out = (scalar){.part = part, .scale = dot + 1, .part_len = (size_t)(dot - part)};
    float x;
    switch (t->dtype) {
    case QZ_ST_F32: memcpy(&x, t->data, sizeof x); break;
    case QZ_ST_F16: x = qz_f16_to_f32(qz_load_u16le(t->data)); break;
    case QZ_ST_BF16: x = qz_bf16_to_f32(qz_load_u16le(t->data)); break;
    default: return false;
    }
    out->value = (double)x;
    return true;
}

/* The same scale of an earlier part of the set, in the order of the table; NULL: none, or the name is too long. */
static const qz_st_tensor *first_part(const qz_st_dir *d, const qz_st_tensor *t, const scalar *s, const char *fused) {
    char name[QZ_ST_MAX_NAME + 32];
    const char *other;
    for (size_t i = 0; (other = qz_fused_part(fused, i)) != NULL; i++) {
        if (strlen(other) == s->part_len && memcmp(other, s->part, s->part_len) == 0) return NULL;
        int n = snprintf(name, sizeof name, "%.*s%s.%s", (int)(s->part - t->name), t->name, other, s->scale);
        const qz_st_tensor *found = n > 0 && (size_t)n < sizeof name ? qz_st_dir_find(d, name, NULL) : NULL;
        if (found) return found;
    }
    return NULL;
}

static qz_status note(qz_deploy_shape *shape, const qz_fused_scale *x, qz_arena *arena, qz_error *err) {
    enum { LIMIT = 16 }; /* fused sets times kinds of scales */
    for (size_t i = 0; i < shape->n_unequal; i++)
        if (strcmp(shape->unequal[i].fused, x->fused) == 0 && strcmp(shape->unequal[i].scale, x->scale) == 0) {
            shape->unequal[i].n++;
            return QZ_OK;
        }
    if (shape->unequal == NULL) shape->unequal = qz_arena_calloc(arena, LIMIT, sizeof *shape->unequal);
    if (shape->n_unequal == LIMIT) return QZ_OK;
    qz_fused_scale kept = *x;
    kept.scale = qz_arena_strdup(arena, x->scale);
    kept.tensor = qz_arena_strdup(arena, x->tensor);
    kept.first = qz_arena_strdup(arena, x->first);
    if (shape->unequal == NULL || kept.scale == NULL || kept.tensor == NULL || kept.first == NULL)
        return qz_fail(err, QZ_EMEMORY, "out of memory");
    shape->unequal[shape->n_unequal++] = kept;
    return QZ_OK;
}

void qz_deploy_spec_scales(const qz_st_dir *d, qz_deploy_spec *spec) {
    static const char name[] = ".weight_scale";
    if (spec->kind == QZ_DEPLOY_CT_INT) spec->lm_head |= qz_st_dir_find(d, "lm_head.weight_packed", NULL) != NULL;
    if (spec->kind != QZ_DEPLOY_FP8 || strcmp(spec->method, "fp8") != 0) return;
    for (size_t f = 0; f < d->n_files; f++)
        for (size_t k = 0; k < d->files[f].n && !spec->plain_scales; k++)
            spec->plain_scales = qz_str_ends(d->files[f].tensors[k].name, name);
}

qz_status qz_deploy_shape_scales(const qz_st_dir *d, qz_arena *arena, qz_deploy_shape *shape, qz_error *err) {
    for (size_t f = 0; f < d->n_files; f++)
        for (size_t k = 0; k < d->files[f].n; k++) {
            const qz_st_tensor *t = &d->files[f].tensors[k], *first;
            scalar s, s1;
            if (!scalar_of(t, &s)) continue;
            const char *fused = qz_fused_set(s.part, s.part_len);
            if (fused == NULL || (first = first_part(d, t, &s, fused)) == NULL || !scalar_of(first, &s1)) continue;
            if (s.value == s1.value) continue; /* NaN differs from itself, and is a finding of its own */
            const qz_fused_scale x = {.fused = fused, .scale = s.scale, .tensor = t->name, .first = first->name,
                                      .value = s.value, .first_value = s1.value, .n = 1};
            QZ_TRY(note(shape, &x, arena, err));
        }
    return QZ_OK;
}
