#include "model/heads.h"
#include "codecs/split_rows.h"
#include <stdio.h>

void qz_head_name(size_t layer, size_t head, bool values, char buf[QZ_SITE_NAME]) {
    (void)snprintf(buf, QZ_SITE_NAME, "model.layers.%zu.self_attn.%c_b_proj.%zu.weight", layer, values ? 'v' : 'k',
                   head);
}

static qz_matrix_ref ref(const qz_tensor_view *t) {
    return (qz_matrix_ref){t->type, t->data, t->coded, t->first_row, t->cols};
}

const qz_tensor_view *qz_heads_joined(qz_model *m, const char *name, const qz_tensor_view *const *k,
                                      const qz_tensor_view *const *v) {
    const qz_config *c = &m->config;
    const qz_kv_sizes s = {(size_t)c->heads, (size_t)c->latent.nope, (size_t)c->latent.v, (size_t)c->latent.kv_rank};
    qz_matrix_ref *all = qz_arena_alloc(&m->arena, 2 * s.heads, sizeof *all);
    qz_tensor_view *t = qz_arena_alloc(&m->arena, 1, sizeof *t);
    const char *own = qz_arena_strdup(&m->arena, name);
    if (all == NULL || t == NULL || own == NULL) return NULL;
    size_t bytes = 0;
    for (size_t h = 0; h < s.heads; h++) {
        all[h] = ref(k[h]);
        all[s.heads + h] = ref(v[h]);
        bytes += k[h]->bytes + v[h]->bytes;
    }
    *t = (qz_tensor_view){.name = own, .file_name = k[0]->file_name, .type = QZ_TYPE_CODED,
                          .rows = s.heads * (s.nope + s.v), .cols = s.rank, .n_dims = 2, .bytes = bytes,
                          .coded = qz_kv_joined(all, all + s.heads, &s, &m->arena), .file = k[0]->file,
                          .offset = k[0]->offset};
    return t->coded ? t : NULL;
}

const qz_tensor_view *qz_head_of(const qz_tensor_view *kv_b, const qz_config *c, const qz_head *which,
                                 qz_arena *arena) {
    const size_t nope = (size_t)c->latent.nope, v = (size_t)c->latent.v,
                 row = which->head * (nope + v) + (which->values ? nope : 0), row_bytes = kv_b->bytes / kv_b->rows;
    qz_tensor_view *t = qz_arena_alloc(arena, 1, sizeof *t);
    if (t == NULL) return NULL;
    *t = *kv_b;
    t->name = which->name;
    if (which->values) {
        t->rows = v;
        t->bytes = v * row_bytes;
        if (t->coded) t->first_row += row;
        else if (t->data) t->data = (const uint8_t *)t->data + row * row_bytes;
        return t;
    }
    const qz_matrix_ref m = ref(kv_b);
    *t = (qz_tensor_view){.name = which->name, .file_name = kv_b->file_name, .type = QZ_TYPE_CODED, .n_dims = 2,
                          .rows = kv_b->cols, .cols = nope, .bytes = nope * row_bytes, .file = kv_b->file,
                          .offset = kv_b->offset, .coded = qz_turned(&m, row, nope, arena)};
    return t->coded ? t : NULL;
}
