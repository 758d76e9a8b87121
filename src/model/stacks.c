#include "model/stacks.h"
#include "base/str.h"
#include "codecs/types.h"
#include "model/checkpoint.h"
#include "model/kinds.h"
#include "model/steps.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* A leaf under "experts." */
typedef struct { const char *name; bool down, bias; } leaf;
static const leaf leaves[] = {{"gate_up_proj", false, false}, {"gate_up_proj.weight", false, false},
                              {"down_proj", true, false}, {"down_proj.weight", true, false},
                              {"gate_up_proj_bias", false, true}, {"down_proj_bias", true, true}};

size_t qz_stack_views(const qz_model *m, const qz_st_tensor *t) {
    const bool may = t->n_dims >= 2 && t->elems && m->config.experts && t->dims[0] == m->config.experts;
    return may ? 2 * (size_t)t->dims[0] : 0;
}

/* "model.layers.3.mlp.experts.gate_up_proj": its layer and leaf; NULL: no stack. */
static const leaf *leaf_of(const char *name, const qz_config *c, size_t *layer) {
    static const char prefix[] = "model.layers.";
    char *end;
    if (!qz_str_starts(name, prefix) || !isdigit((unsigned char)name[sizeof prefix - 1])) return NULL;
    *layer = strtoul(name + sizeof prefix - 1, &end, 10);
    if (*end != '.' || *layer >= c->layers || !qz_config_sparse(c, *layer)) return NULL;
    const char *at = strstr(end, ".experts.");
    for (size_t i = 0; at && i < sizeof leaves / sizeof leaves[0]; i++)
        if (strcmp(at + strlen(".experts."), leaves[i].name) == 0) return &leaves[i];
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
                        .n_dims = t->n_dims, .rows = p->rows, .cols = p->cols, .data = steps.data,
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

static qz_status check_shape(const qz_st *file, const qz_st_tensor *t, const qz_config *c, const uint64_t want[3],
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
    const leaf *l = c->experts ? leaf_of(t->name, c, &layer) : NULL;
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
