#include "model/stacks.h"
#include "base/str.h"
#include "codecs/mx_rows.h"
#include "codecs/types.h"
#include "formats/dtypes.h"
#include "model/checkpoint.h"
#include "model/kinds.h"
#include "model/steps.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A leaf under "experts." */
typedef struct { const char *name; bool down, bias; } leaf;
static const leaf floats[] = {{"gate_up_proj", false, false}, {"gate_up_proj.weight", false, false},
                              {"down_proj", true, false}, {"down_proj.weight", true, false},
                              {"gate_up_proj_bias", false, true}, {"down_proj_bias", true, true}, {NULL, false, false}},
                  blocks[] = {{"gate_up_proj_blocks", false, false}, {"down_proj_blocks", true, false},
                              {NULL, false, false}},
                  scales[] = {{"gate_up_proj_scales", false, false}, {"down_proj_scales", true, false},
                              {NULL, false, false}};

size_t qz_stack_views(const qz_model *m, const qz_st_tensor *t) {
    const bool may = t->n_dims >= 2 && t->elems && m->config.experts && t->dims[0] == m->config.experts;
    return may ? 2 * (size_t)t->dims[0] : 0;
}

/* "model.layers.3.mlp.experts.gate_up_proj": its layer and leaf; NULL: no stack. */
static const leaf *leaf_of(const char *name, const leaf *leaves, const qz_config *c, size_t *layer) {
    static const char *const prefixes[] = {"model.layers.", "model.language_model.layers.",
                                           "language_model.model.layers."}; /* the last two: of wrapped models */
    char *end;
    size_t n = 0;
    for (size_t i = 0; i < (c->wrapped ? 3 : 1); i++) n += qz_str_starts(name, prefixes[i]) ? strlen(prefixes[i]) : 0;
    if (n == 0 || !isdigit((unsigned char)name[n])) return NULL;
    *layer = strtoul(name + n, &end, 10);
    if (*end != '.' || *layer >= c->layers || !qz_config_sparse(c, *layer)) return NULL;
    const char *at = strstr(end, ".experts.");
    for (const leaf *l = leaves; at && l->name; l++)
        if (strcmp(at + strlen(".experts."), l->name) == 0) return l;
    return NULL;
}

/* Where in the tensor an expert's rows stand, in elements. */
typedef struct { size_t at, rows, cols, row_step, col_step; } part;

static qz_status add_view(qz_model *m, const qz_st *file, const qz_st_tensor *t, const char *name, const part *p,
                          qz_error *err) {
    const qz_type type = qz_st_float_type(t->dtype);
    const size_t each = qz_type_get(type)->bytes;
    const bool plain = p->col_step == 1 && (p->rows == 1 || p->row_step == p->cols);
    const qz_steps steps = {t->data + p->at * each, type, p->rows, p->cols, p->row_step, p->col_step};
    qz_tensor_view v = {.name = qz_arena_strdup(&m->arena, name), .file_name = t->name, .type = type,
                        .n_dims = p->rows == 1 ? 1 : t->n_dims, .rows = p->rows, .cols = p->cols, .data = steps.data,
                        .bytes = p->rows * p->cols * each, .file = file->path, .offset = t->offset + p->at * each};
    if (!plain) {
        v.type = QZ_TYPE_CODED;
        v.data = NULL;
        v.coded = qz_steps_coded(&steps, &m->arena);
    }
    if (v.name == NULL || (!plain && v.coded == NULL))
        return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    m->tensors[m->n_tensors++] = v;
    return QZ_OK;
}

static qz_status check_shape(const qz_st *file, const qz_st_tensor *t, const qz_config *c, const uint64_t *want,
                             uint32_t n_dims, qz_error *err) {
    bool same = t->n_dims == n_dims;
    for (uint32_t i = 0; same && i < n_dims; i++) same = t->dims[i] == want[i];
    if (same) return QZ_OK;
    char text[2][80];
    for (int k = 0; k < 2; k++) {
        const uint64_t *d = k ? t->dims : want;
        const uint32_t n = k ? t->n_dims : n_dims;
        size_t at = 0;
        text[k][0] = 0;
        for (uint32_t i = 0; i < n && at < sizeof text[k]; i++)
            at += (size_t)snprintf(text[k] + at, sizeof text[k] - at, "%s%llu", i ? ", " : "",
                                   (unsigned long long)d[i]);
    }
    return qz_fail(err, QZ_EFORMAT,
                   "wrong shape: file '%s', tensor '%s', offset %llu: expected [%s] (%s first), found [%s]", file->path,
                   t->name, (unsigned long long)t->offset, text[0], c->experts_key, text[1]);
}

qz_status qz_stack_add(qz_model *m, const qz_st *file, const qz_st_tensor *t, bool *mine, qz_error *err) {
    const qz_config *c = &m->config;
    const qz_family_info *f = qz_family_get(c->family);
    size_t layer = 0;
    const leaf *l = c->experts ? leaf_of(t->name, floats, c, &layer) : NULL;
    *mine = l && qz_st_float_type(t->dtype) != QZ_TYPE_NONE && t->n_dims == (l->bias ? 2 : 3);
    if (!*mine) return QZ_OK;
    const size_t n = l->down ? 1 : 2, rows = (size_t)(l->down ? c->hidden_size : c->expert_width),
                 cols = (size_t)(l->down ? c->expert_width : c->hidden_size), all = n * rows;
    const bool paired = f->stacks_paired && n == 2, turned = f->stacks_turned && !l->bias;
    const uint64_t want[3] = {c->experts, turned ? cols : all, turned ? all : cols};
    QZ_TRY(check_shape(file, t, c, want, t->n_dims, err));
    qz_site sites[QZ_MAX_SITES];
    char name[QZ_SITE_NAME];
    for (size_t i = 0, count = qz_sites(c, layer, sites); i < count; i++) {
        const qz_site *s = &sites[i];
        if (s->kind != QZ_SITE_EXPERT || (s->part == QZ_MLP_DOWN) != l->down) continue;
        const size_t k = s->part == QZ_MLP_UP, row = paired ? k : k * rows, by = paired ? 2 : 1;
        for (size_t e = 0; e < c->experts; e++) {
            part p = {e * all * cols + row * cols, rows, cols, by * cols, 1};
            if (turned) p = (part){e * all * cols + row, rows, cols, by, all};
            if (l->bias) p = (part){e * all + row, 1, rows, 0, by};
            (void)qz_site_name(s, layer, e, l->bias ? "bias" : "weight", name, sizeof name);
            QZ_TRY(add_view(m, file, t, name, &p, err));
        }
    }
    return QZ_OK;
}

/* Rows of one expert's matrix among those of all. */
static qz_status add_mx(qz_model *m, const qz_st *file, const qz_st_tensor *t, const char *name, const qz_mx_rows *x,
                        qz_error *err) {
    qz_tensor_view v = {.name = qz_arena_strdup(&m->arena, name), .file_name = t->name, .type = QZ_TYPE_CODED,
                        .n_dims = 2, .rows = x->rows, .cols = x->cols, .coded = qz_mx_rows_coded(x, &m->arena),
                        .bytes = x->rows * (x->cols / 2 + x->cols / 32), .file = file->path,
                        .offset = t->offset + (uint64_t)(x->codes - t->data)};
    if (v.name == NULL || v.coded == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
    m->tensors[m->n_tensors++] = v;
    return QZ_OK;
}

/* The exponents of `t`; NULL and an error: none, or of another shape. */
static const qz_st_tensor *scales_of(const qz_model *m, const qz_st_dir *d, const qz_st *file, const qz_st_tensor *t,
                                     const uint64_t want[3], qz_error *err) {
    char name[QZ_SITE_NAME];
    const size_t n = strlen(t->name) - strlen("blocks");
    const qz_st *other = file;
    const bool fits = snprintf(name, sizeof name, "%.*sscales", (int)n, t->name) < (int)sizeof name;
    const qz_st_tensor *s = fits ? qz_st_dir_find(d, name, &other) : NULL;
    if (s == NULL || s->dtype != QZ_ST_U8) {
        (void)qz_fail(err, QZ_EFORMAT,
                      "tensor '%s' is missing or no U8: file '%s', tensor '%s', offset %llu: expected an exponent for "
                      "each of its blocks; the checkpoint is incomplete",
                      name, file->path, t->name, (unsigned long long)t->offset);
        return NULL;
    }
    return check_shape(other ? other : file, s, &m->config, want, 3, err) == QZ_OK ? s : NULL;
}

qz_status qz_stack_add_mx(qz_model *m, const qz_st_dir *d, const qz_st *file, const qz_st_tensor *t, bool *mine,
                          qz_error *err) {
    const qz_config *c = &m->config;
    size_t layer = 0;
    const leaf *l = c->experts ? leaf_of(t->name, blocks, c, &layer) : NULL;
    const bool beside = l == NULL && c->experts && leaf_of(t->name, scales, c, &layer);
    *mine = t->dtype == QZ_ST_U8 && (l || beside);
    if (!*mine || beside) return QZ_OK;
    const size_t n = l->down ? 1 : 2, rows = (size_t)(l->down ? c->hidden_size : c->expert_width),
                 cols = (size_t)(l->down ? c->expert_width : c->hidden_size), all = n * rows;
    const bool paired = qz_family_get(c->family)->stacks_paired && n == 2;
    const uint64_t want[4] = {c->experts, all, cols / 32, 16};
    if (cols % 32)
        return qz_fail(err, QZ_EFORMAT,
                       "columns do not fit MXFP4: file '%s', tensor '%s', offset %llu: expected a multiple of 32, "
                       "found %zu",
                       file->path, t->name, (unsigned long long)t->offset, cols);
    QZ_TRY(check_shape(file, t, c, want, 4, err));
    const qz_st_tensor *s = scales_of(m, d, file, t, want, err);
    if (s == NULL) return QZ_EFORMAT;
    qz_site sites[QZ_MAX_SITES];
    char name[QZ_SITE_NAME];
    for (size_t i = 0, count = qz_sites(c, layer, sites); i < count; i++) {
        if (sites[i].kind != QZ_SITE_EXPERT || (sites[i].part == QZ_MLP_DOWN) != l->down) continue;
        const size_t k = sites[i].part == QZ_MLP_UP;
        for (size_t e = 0; e < c->experts; e++) {
            const size_t row = e * all + (paired ? k : k * rows);
            const qz_mx_rows x = {t->data + row * (cols / 2), s->data + row * (cols / 32), rows, cols, paired ? 2 : 1};
            (void)qz_site_name(&sites[i], layer, e, "weight", name, sizeof name);
            QZ_TRY(add_mx(m, file, t, name, &x, err));
        }
    }
    return QZ_OK;
}
