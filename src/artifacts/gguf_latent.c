/* Latent attention in GGUF: keys, and kv_b as two stacks of one matrix a head: attn_k_b (key rows, turned) and attn_v_b
 * (value rows). Source: formats/families-2.md section 13; llama.cpp src/models/deepseek2.cpp. */
#include "artifacts/artifacts_int.h"
#include "base/size.h"
#include "codecs/types.h"
#include "model/config_latent.h"
#include "model/heads.h"
#include <stdio.h>
#include <string.h>

static const char *const stacks[2] = {"attn_k_b", "attn_v_b"};

bool qz_gguf_is_kv_b(const qz_slot *s) {
    return s->site && s->site->site.use == QZ_USE_KV_B && s->t == s->site->weight[0];
}
size_t qz_gguf_head_items(const qz_config *c) {
    return c->latent.kv_rank ? 2 * (size_t)c->layers * (size_t)c->heads : 0;
}

qz_status qz_gguf_put_heads(const qz_model *m, const qz_slot *s, qz_arena *arena, qz_artifact_plan *out,
                            qz_error *err) {
    const qz_config *c = &m->config;
    for (int values = 0; values < 2; values++) {
        const char *to = qz_arena_printf(arena, "blk.%ld.%s.weight", s->layer, stacks[values]);
        for (size_t h = 0; h < c->heads; h++) {
            char name[QZ_SITE_NAME];
            qz_head_name((size_t)s->layer, h, values, name);
            const qz_tensor_view *t = qz_model_find(m, name); /* the source has it so */
            const char *from = qz_arena_strdup(arena, name);
            if (t == NULL && from) t = qz_head_of(s->t, c, &(qz_head){h, values, from}, arena);
            if (t == NULL || from == NULL || to == NULL)
                return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", m->path);
            out->items[out->n_items++] =
                (qz_artifact_item){.source = t, .name = from, .out_name = to, .rows = t->rows, .cols = t->cols,
                                   .n_dims = 2, .layer = s->layer, .linear = -1, .use = QZ_USE_OTHER, .expert = h,
                                   .experts = (size_t)c->heads};
        }
    }
    return QZ_OK;
}

typedef struct { const char *arch; char text[96]; } key;
static const char *k(key *b, const char *suffix) {
    (void)snprintf(b->text, sizeof b->text, "%.40s.%s", b->arch, suffix);
    return b->text;
}
static void u32(qz_gguf_meta *m, key *b, const char *suffix, uint64_t v) {
    qz_gguf_put_u32(m, k(b, suffix), (uint32_t)v);
}

void qz_gguf_put_latent(const qz_config *c, const char *arch, qz_gguf_meta *m) {
    key b = {.arch = arch};
    if (c->latent.q_rank) u32(m, &b, "attention.q_lora_rank", c->latent.q_rank);
    u32(m, &b, "attention.kv_lora_rank", c->latent.kv_rank);
    u32(m, &b, "attention.key_length_mla", c->latent.nope + c->latent.rope);
    u32(m, &b, "attention.value_length_mla", c->latent.v);
}

static qz_status bounded(const qz_gguf *g, key *b, const char *suffix, uint64_t least, uint64_t most, uint64_t *out,
                         qz_error *err) {
    QZ_TRY(qz_gguf_u64(g, k(b, suffix), least > 0, out, err));
    if (*out >= least && *out <= most) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT, "value out of range: file '%s', key '%s': expected %llu to %llu, found %llu",
                   g->path, b->text, (unsigned long long)least, (unsigned long long)most, (unsigned long long)*out);
}

qz_status qz_gguf_read_latent(const qz_gguf *g, const char *arch, qz_config *c, qz_error *err) {
    key b = {.arch = arch};
    uint64_t whole = 0;
    QZ_TRY(bounded(g, &b, "attention.q_lora_rank", 0, 1u << 16, &c->latent.q_rank, err));
    QZ_TRY(bounded(g, &b, "attention.kv_lora_rank", 1, 1u << 16, &c->latent.kv_rank, err));
    QZ_TRY(bounded(g, &b, "rope.dimension_count", 1, 1024, &c->latent.rope, err));
    QZ_TRY(bounded(g, &b, "attention.key_length_mla", 1, 2048, &whole, err));
    QZ_TRY(bounded(g, &b, "attention.value_length_mla", 1, 4096, &c->latent.v, err));
    if (whole <= c->latent.rope || c->latent.rope % 2)
        return qz_fail(err, QZ_EFORMAT,
                       "value out of range: file '%s', key '%s.rope.dimension_count': expected an even number below "
                       "%llu, found %llu",
                       g->path, arch, (unsigned long long)whole, (unsigned long long)c->latent.rope);
    c->latent.nope = whole - c->latent.rope;
    c->kv_heads = c->heads; /* 1 there: what is kept of a token */
    qz_config_latent_derive(c);
    return QZ_OK;
}

qz_status qz_gguf_add_heads(qz_model *m, const qz_gguf_tensor *t, bool *mine, qz_error *err) {
    const qz_config *c = &m->config;
    unsigned layer = 0;
    char stem[32] = "";
    *mine = false;
    if (c->latent.kv_rank == 0 || sscanf(t->name, "blk.%5u.%31[a-z_]", &layer, stem) != 2) return QZ_OK;
    for (int values = 0; values < 2; values++) {
        char name[64];
        (void)snprintf(name, sizeof name, "blk.%u.%s.weight", layer, stacks[values]);
        const qz_type type = qz_type_by_ggml_id((int)t->type->id);
        if (strcmp(name, t->name) != 0 || layer >= c->layers || t->n_dims != 3 || type == QZ_TYPE_NONE ||
            t->dims[2] != c->heads)
            continue;
        const size_t bytes = (size_t)t->bytes / (size_t)c->heads;
        *mine = true;
        for (size_t h = 0; h < c->heads; h++) {
            char of[QZ_SITE_NAME];
            qz_head_name(layer, h, values, of);
            const char *own = qz_arena_strdup(&m->arena, of);
            if (own == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory opening '%s'", m->path);
            m->tensors[m->n_tensors++] =
                (qz_tensor_view){.name = own, .file_name = t->name, .type = type, .n_dims = 2,
                                 .rows = (size_t)t->dims[1], .cols = (size_t)t->dims[0], .data = t->data + h * bytes,
                                 .bytes = bytes, .file = t->file, .offset = t->offset + h * bytes};
        }
    }
    return QZ_OK;
}
