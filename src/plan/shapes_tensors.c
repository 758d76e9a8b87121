/* Every tensor of a shape with both spellings. Order: embedding, blocks, final norm, head. */
#include "base/size.h"
#include "plan/shapes_int.h"
#include <stdio.h>
#include <string.h>

typedef struct { qz_shape *s; size_t cap; unsigned flags; bool failed, huge; } lister;

static void put(lister *k, char *name, char *gguf, uint64_t rows, uint64_t cols, uint64_t count, long layer, qz_shape_role role) {
    qz_shape *s = k->s;
    uint64_t n = 0;
    if (name == NULL || gguf == NULL || s->n_tensors == k->cap) {
        k->failed = true;
        return;
    }
    k->huge |= !qz_mul_u64(rows, cols, &n) || !qz_mul_u64(n, count, &n) || n > (uint64_t)1 << 44;
    uint64_t active = role == QZ_ROLE_EXPERT ? n / count * s->experts_used : role == QZ_ROLE_EMBED && !s->tied ? 0 : n;
    if (role != QZ_ROLE_ROPE_FREQS && !k->huge) s->params += n, s->active_params += active;
    s->tensors[s->n_tensors++] = (qz_shape_tensor){name, gguf, rows, cols, count, rows == 1 ? 1 : count > 1 ? 3 : 2, layer, role};
}
static void outer(lister *k, const char *name, const char *gguf, uint64_t rows, uint64_t cols, qz_shape_role role) {
    put(k, qz_arena_strdup(&k->s->arena, name), qz_arena_strdup(&k->s->arena, gguf), rows, cols, 1, -1, role);
}
static void part(lister *k, long l, const char *name, const char *gguf, uint64_t rows, uint64_t cols, uint64_t count, qz_shape_role role) {
    qz_arena *a = &k->s->arena;
    put(k, qz_arena_printf(a, "model.layers.%ld.%s", l, name), qz_arena_printf(a, "blk.%ld.%s", l, gguf), rows, cols, count, l, role);
}
static void linear(lister *k, long l, const char *name, const char *gguf, uint64_t rows, uint64_t cols, bool bias) {
    char hf[96], gg[64];
    (void)snprintf(hf, sizeof hf, "%s.weight", name);
    (void)snprintf(gg, sizeof gg, "%s.weight", gguf);
    part(k, l, hf, gg, rows, cols, 1, QZ_ROLE_LINEAR);
    if (!bias) return;
    (void)snprintf(hf, sizeof hf, "%s.bias", name);
    (void)snprintf(gg, sizeof gg, "%s.bias", gguf);
    part(k, l, hf, gg, 1, rows, 1, QZ_ROLE_FLOAT);
}
static void vector(lister *k, long l, const char *name, const char *gguf, uint64_t n) { part(k, l, name, gguf, 1, n, 1, QZ_ROLE_FLOAT); }

static void latent_attention(lister *k, long l) {
    const qz_shape *s = k->s;
    uint64_t q = s->heads * (s->nope_dim + s->rope_dim), d = s->hidden, r = s->kv_lora_rank;
    if (s->q_lora_rank) {
        linear(k, l, "self_attn.q_a_proj", "attn_q_a", s->q_lora_rank, d, false);
        vector(k, l, "self_attn.q_a_layernorm.weight", "attn_q_a_norm.weight", s->q_lora_rank);
        linear(k, l, "self_attn.q_b_proj", "attn_q_b", q, s->q_lora_rank, false);
    } else linear(k, l, "self_attn.q_proj", "attn_q", q, d, false);
    linear(k, l, "self_attn.kv_a_proj_with_mqa", "attn_kv_a_mqa", r + s->rope_dim, d, false);
    vector(k, l, "self_attn.kv_a_layernorm.weight", "attn_kv_a_norm.weight", r);
    linear(k, l, "self_attn.kv_b_proj", "attn_kv_b", s->heads * (s->nope_dim + s->v_dim), r, false);
    linear(k, l, "self_attn.o_proj", "attn_output", d, s->heads * s->v_dim, false);
}

static void linear_attention(lister *k, long l) {
    const qz_shape *s = k->s;
    uint64_t key = s->lin_k_heads * s->lin_k_dim, value = s->lin_v_heads * s->lin_v_dim;
    linear(k, l, "linear_attn.in_proj_qkvz", "ssm_in", 2 * key + 2 * value, s->hidden, false);
    linear(k, l, "linear_attn.in_proj_ba", "ssm_beta_alpha", 2 * s->lin_v_heads, s->hidden, false);
    part(k, l, "linear_attn.conv1d.weight", "ssm_conv1d.weight", 2 * key + value, s->conv_kernel, 1, QZ_ROLE_FLOAT);
    vector(k, l, "linear_attn.dt_bias", "ssm_dt.bias", s->lin_v_heads);
    vector(k, l, "linear_attn.A_log", "ssm_a", s->lin_v_heads);
    vector(k, l, "linear_attn.norm.weight", "ssm_norm.weight", s->lin_v_dim);
    linear(k, l, "linear_attn.out_proj", "ssm_out", s->hidden, value, false);
}

static void attention(lister *k, long l) {
    const qz_shape *s = k->s;
    uint64_t d = s->hidden, q = s->heads * s->head_dim, kv = s->kv_heads * s->head_dim;
    if (s->attn[l] == QZ_ATTN_LINEAR || s->kv_lora_rank) {
        if (s->kv_lora_rank) latent_attention(k, l);
        else linear_attention(k, l);
        return;
    }
    linear(k, l, "self_attn.q_proj", "attn_q", k->flags & QZ_SF_Q_GATE ? 2 * q : q, d, s->qkv_bias);
    linear(k, l, "self_attn.k_proj", "attn_k", kv, d, s->qkv_bias);
    linear(k, l, "self_attn.v_proj", "attn_v", kv, d, s->qkv_bias);
    if (s->qk_norm) {
        vector(k, l, "self_attn.q_norm.weight", "attn_q_norm.weight", s->head_dim);
        vector(k, l, "self_attn.k_norm.weight", "attn_k_norm.weight", s->head_dim);
    }
    linear(k, l, "self_attn.o_proj", "attn_output", d, q, s->o_bias);
    if (k->flags & QZ_SF_SINKS) vector(k, l, "self_attn.sinks", "attn_sinks.weight", s->heads);
}

static void dense_ffn(lister *k, long l) {
    const qz_shape *s = k->s;
    uint64_t d = s->hidden, i = s->intermediate;
    linear(k, l, "mlp.gate_proj", "ffn_gate", i, d, s->mlp_bias);
    linear(k, l, "mlp.up_proj", "ffn_up", i, d, s->mlp_bias);
    linear(k, l, "mlp.down_proj", "ffn_down", d, i, s->mlp_bias);
}

static void experts(lister *k, long l) {
    const qz_shape *s = k->s;
    uint64_t d = s->hidden, w = s->expert_width, n = s->experts;
    part(k, l, "mlp.gate.weight", "ffn_gate_inp.weight", n, d, 1, QZ_ROLE_ROUTER);
    part(k, l, "mlp.experts.*.gate_proj.weight", "ffn_gate_exps.weight", w, d, n, QZ_ROLE_EXPERT);
    part(k, l, "mlp.experts.*.up_proj.weight", "ffn_up_exps.weight", w, d, n, QZ_ROLE_EXPERT);
    part(k, l, "mlp.experts.*.down_proj.weight", "ffn_down_exps.weight", d, w, n, QZ_ROLE_EXPERT);
    if (k->flags & QZ_SF_EXPERT_BIAS) {
        part(k, l, "mlp.router.bias", "ffn_gate_inp.bias", 1, n, 1, QZ_ROLE_FLOAT);
        part(k, l, "mlp.experts.*.gate_proj.bias", "ffn_gate_exps.bias", n, w, 1, QZ_ROLE_FLOAT);
        part(k, l, "mlp.experts.*.up_proj.bias", "ffn_up_exps.bias", n, w, 1, QZ_ROLE_FLOAT);
        part(k, l, "mlp.experts.*.down_proj.bias", "ffn_down_exps.bias", n, d, 1, QZ_ROLE_FLOAT);
    }
    if (k->flags & QZ_SF_LATENT) vector(k, l, "mlp.gate.e_score_correction_bias", "exp_probs_b.bias", n);
    if (s->shared_width == 0) return;
    linear(k, l, "mlp.shared_expert.gate_proj", "ffn_gate_shexp", s->shared_width, d, false);
    linear(k, l, "mlp.shared_expert.up_proj", "ffn_up_shexp", s->shared_width, d, false);
    linear(k, l, "mlp.shared_expert.down_proj", "ffn_down_shexp", d, s->shared_width, false);
    if (k->flags & QZ_SF_SHARED_GATE) part(k, l, "mlp.shared_expert_gate.weight", "ffn_gate_inp_shexp.weight", 1, d, 1, QZ_ROLE_FLOAT);
}

/* A layer of a family that the engine runs: from the one description of it (model/sites.h). */
static void described(lister *k, long l) {
    qz_site sites[QZ_MAX_SITES];
    for (size_t i = 0, n = qz_sites(&k->s->config, (size_t)l, sites); i < n; i++) {
        const qz_site *x = &sites[i];
        const char *at = strstr(x->hf, "%zu");
        char hf[96], gguf[64];
        (void)snprintf(hf, sizeof hf, "%.*s%s%s.weight", at ? (int)(at - x->hf) : (int)strlen(x->hf), x->hf, at ? "*" : "", at ? at + 3 : "");
        (void)snprintf(gguf, sizeof gguf, "%s.weight", x->gguf);
        const qz_shape_role role = x->kind == QZ_SITE_NORM ? QZ_ROLE_FLOAT : x->kind == QZ_SITE_ROUTER ? QZ_ROLE_ROUTER : x->kind == QZ_SITE_EXPERT ? QZ_ROLE_EXPERT : QZ_ROLE_LINEAR;
        part(k, l, hf, gguf, x->rows, x->cols, qz_max_size(1, x->experts), role);
        if (!x->bias) continue;
        (void)snprintf(hf, sizeof hf, "%s.bias", x->hf);
        (void)snprintf(gguf, sizeof gguf, "%s.bias", x->gguf);
        part(k, l, hf, gguf, 1, x->rows, 1, QZ_ROLE_FLOAT);
    }
}

static void block(lister *k, long l) {
    const qz_shape *s = k->s;
    if (s->runs) {
        described(k, l);
        return;
    }
    bool sandwich = k->flags & QZ_SF_SANDWICH;
    vector(k, l, "input_layernorm.weight", "attn_norm.weight", s->hidden);
    attention(k, l);
    if (sandwich) vector(k, l, "post_attention_layernorm.weight", "post_attention_norm.weight", s->hidden);
    vector(k, l, sandwich ? "pre_feedforward_layernorm.weight" : "post_attention_layernorm.weight", "ffn_norm.weight", s->hidden);
    if (s->experts && !s->dense[l]) experts(k, l);
    else dense_ffn(k, l);
    if (sandwich) vector(k, l, "post_feedforward_layernorm.weight", "post_ffw_norm.weight", s->hidden);
}

qz_status qz_shape_list(qz_shape *s, unsigned flags, qz_error *err) {
    enum { PER_LAYER = 24 };
    lister k = {.s = s, .cap = 6 + (size_t)s->layers * PER_LAYER, .flags = flags};
    s->tensors = qz_arena_calloc(&s->arena, k.cap, sizeof *s->tensors);
    if (s->tensors == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", s->name);
    outer(&k, "model.embed_tokens.weight", "token_embd.weight", s->vocab, s->hidden, QZ_ROLE_EMBED);
    if (s->rope_freqs) outer(&k, "rope_freqs", "rope_freqs.weight", 1, s->head_dim / 2, QZ_ROLE_ROPE_FREQS);
    if (s->runs && s->config.rope.kind == QZ_ROPE_LONGROPE) {
        outer(&k, "rope_factors_long", "rope_factors_long.weight", 1, s->config.rotary_dim / 2, QZ_ROLE_ROPE_FREQS);
        outer(&k, "rope_factors_short", "rope_factors_short.weight", 1, s->config.rotary_dim / 2, QZ_ROLE_ROPE_FREQS);
    }
    for (uint64_t l = 0; l < s->layers && !k.failed && !k.huge; l++) block(&k, (long)l);
    outer(&k, "model.norm.weight", "output_norm.weight", 1, s->hidden, QZ_ROLE_FLOAT);
    if (!s->tied) outer(&k, "lm_head.weight", "output.weight", s->vocab, s->hidden, QZ_ROLE_HEAD);
    uint64_t limit = s->experts ? (uint64_t)10000000000000 : (uint64_t)1000000000000;
    if (k.huge || s->params >= limit)
        return qz_fail(
            err, QZ_EFORMAT,
            "impossible shape: file '%s' describes %s%.3g weights: expected below %.0e for a %s model; check hidden_size, intermediate_size and layers",
            s->name, k.huge ? "more than " : "", k.huge ? 1.76e13 : (double)s->params, (double)limit, s->experts ? "mixture-of-experts" : "dense");
    return k.failed ? qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", s->name) : QZ_OK;
}
