/* qz_model_from_config: the tensors a checkpoint of this configuration has, as names, shapes and types without bytes.
 * What plans an artifact runs on it unchanged; nothing may read data (they are NULL). */
#include "base/size.h"
#include "codecs/types.h"
#include "model/model.h"
#include <stdio.h>

typedef struct { qz_model *m; size_t cap; qz_type type; bool failed; } maker;

static void add(maker *k, char *name, uint64_t rows, uint64_t cols) {
    qz_model *m = k->m;
    if (name == NULL || m->n_tensors == k->cap) {
        k->failed = true;
        return;
    }
    size_t bytes = 0;
    k->failed |= qz_tensor_bytes(k->type, (size_t)rows, (size_t)cols, &bytes, NULL) != QZ_OK;
    m->tensors[m->n_tensors++] = (qz_tensor_view){.name = name, .file_name = name, .type = k->type,
                                                  .rows = (size_t)rows, .cols = (size_t)cols,
                                                  .n_dims = rows == 1 ? 1 : 2, .bytes = bytes, .file = m->path};
}

static void add_block(maker *k, size_t layer) {
    qz_site sites[QZ_MAX_SITES];
    const size_t n = qz_sites(&k->m->config, layer, sites);
    char name[QZ_SITE_NAME];
    for (size_t i = 0; i < n && !k->failed; i++)
        for (size_t e = 0; e < (sites[i].experts ? sites[i].experts : 1) && !k->failed; e++) {
            k->failed |= !qz_site_name(&sites[i], layer, e, "weight", name, sizeof name);
            add(k, qz_arena_strdup(&k->m->arena, name), sites[i].rows, sites[i].cols);
            if (!sites[i].bias) continue;
            k->failed |= !qz_site_name(&sites[i], layer, e, "bias", name, sizeof name);
            add(k, qz_arena_strdup(&k->m->arena, name), 1, qz_site_bias(&sites[i]));
        }
}

static size_t tensors_of(const qz_config *c) {
    size_t n = 6 + QZ_TOKEN_SITES;
    for (size_t l = 0; l < c->layers; l++) {
        qz_site s[QZ_MAX_SITES];
        for (size_t i = 0, k = qz_sites(c, l, s); i < k; i++)
            n += (s[i].experts ? s[i].experts : 1) * (s[i].bias ? 2 : 1);
    }
    return n;
}

qz_status qz_model_from_config(const qz_config *c, const char *name, qz_model **out, qz_error *err) {
    *out = NULL;
    QZ_TRY(qz_config_validate(c, name, err));
    qz_model *m = qz_calloc_array(1, sizeof *m);
    if (m == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", name);
    qz_status st = QZ_OK;
    maker k = {.m = m, .cap = tensors_of(c),
               .type = c->dtype == QZ_TYPE_F32 || c->dtype == QZ_TYPE_F16 ? c->dtype : QZ_TYPE_BF16};
    m->config = *c;
    m->path = qz_arena_strdup(&m->arena, name);
    m->container = "configuration";
    m->encoding = qz_type_get(k.type)->name;
    m->contract = "W16A16";
    m->tensors = qz_arena_calloc(&m->arena, k.cap, sizeof *m->tensors);
    if (m->path == NULL || m->tensors == NULL) {
        st = qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", name);
        goto out;
    }
    char outer[QZ_SITE_NAME];
    add(&k, qz_arena_strdup(&m->arena, qz_outer_name(c, QZ_OUTER_EMBED, "weight", outer)), c->vocab_size,
        c->hidden_size);
    if (c->position_rows)
        add(&k, qz_arena_strdup(&m->arena, qz_outer_name(c, QZ_OUTER_POSITIONS, "weight", outer)), c->position_rows,
            c->hidden_size);
    for (int i = 0; i < QZ_TOKEN_SITES; i++) {
        qz_token_site t;
        if (!qz_token_site_of(c, i, &t)) continue;
        (void)snprintf(outer, sizeof outer, "%s.weight", t.hf);
        add(&k, qz_arena_strdup(&m->arena, outer), t.rows, t.cols);
    }
    for (size_t l = 0; l < c->layers && !k.failed; l++) add_block(&k, l);
    add(&k, qz_arena_strdup(&m->arena, qz_outer_name(c, QZ_OUTER_NORM, "weight", outer)), 1, c->hidden_size);
    if (c->norm_bias)
        add(&k, qz_arena_strdup(&m->arena, qz_outer_name(c, QZ_OUTER_NORM, "bias", outer)), 1, c->hidden_size);
    if (c->head_bias) add(&k, qz_arena_strdup(&m->arena, "lm_head.bias"), 1, c->vocab_size);
    if (!c->tie_embeddings) add(&k, qz_arena_strdup(&m->arena, "lm_head.weight"), c->vocab_size, c->hidden_size);
    if (k.failed) {
        st = qz_fail(err, QZ_EMEMORY, "the shape of '%s' is too large to describe", name);
        goto out;
    }
    for (size_t i = 0; i < m->n_tensors; i++) m->file_bytes += m->tensors[i].bytes;
    QZ_GOTO(qz_model_bind(m, err));
out:
    if (st != QZ_OK) {
        qz_model_free(m);
        return st;
    }
    *out = m;
    return QZ_OK;
}
