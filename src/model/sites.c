#include "model/sites.h"
#include <stdio.h>
#include <string.h>

static const char *const linears[QZ_LIN_COUNT][2] = {{"self_attn.q_proj", "attn_q"}, {"self_attn.k_proj", "attn_k"}, {"self_attn.v_proj", "attn_v"}, {"self_attn.o_proj", "attn_output"},
                                                     {"mlp.gate_proj", "ffn_gate"},  {"mlp.up_proj", "ffn_up"},      {"mlp.down_proj", "ffn_down"}};
const char *qz_linear_name(qz_linear l) { return linears[l][0]; }

uint64_t qz_linear_rows(const qz_config *c, qz_linear l) {
    const uint64_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim, i = c->intermediate_size, d = c->hidden_size;
    const uint64_t rows[QZ_LIN_COUNT] = {q, kv, kv, d, i, i, d};
    return rows[l];
}
uint64_t qz_linear_cols(const qz_config *c, qz_linear l) {
    return l == QZ_LIN_O ? c->heads * c->head_dim : l == QZ_LIN_DOWN ? c->intermediate_size : c->hidden_size;
}

typedef struct { const qz_config *c; qz_site *out; size_t n; } lister;

static void linear(lister *k, qz_linear l) {
    const qz_config *c = k->c;
    const bool bias = l <= QZ_LIN_V ? c->qkv_bias : l == QZ_LIN_O ? c->o_bias : c->mlp_bias;
    k->out[k->n++] = (qz_site){QZ_SITE_LINEAR, (int)l, 1, linears[l][0], linears[l][1], qz_linear_rows(c, l), qz_linear_cols(c, l), 0, bias};
}
static void fused(lister *k, qz_linear first, int parts, const char *hf, const char *gguf) {
    uint64_t rows = 0;
    for (int i = 0; i < parts; i++) rows += qz_linear_rows(k->c, (qz_linear)((int)first + i));
    k->out[k->n++] = (qz_site){QZ_SITE_FUSED, (int)first, parts, hf, gguf, rows, k->c->hidden_size, 0, false};
}
static void norm(lister *k, qz_norm which, const char *hf, const char *gguf, uint64_t cols) {
    k->out[k->n++] = (qz_site){QZ_SITE_NORM, (int)which, 1, hf, gguf, 1, cols, 0, false};
}

static void attention(lister *k) {
    const qz_config *c = k->c;
    if (c->fused) fused(k, QZ_LIN_Q, 3, "self_attn.qkv_proj", "attn_qkv");
    else {
        linear(k, QZ_LIN_Q);
        if (c->qk_norm) norm(k, QZ_NORM_Q, "self_attn.q_norm", "attn_q_norm", c->head_dim);
        linear(k, QZ_LIN_K);
        if (c->qk_norm) norm(k, QZ_NORM_K, "self_attn.k_norm", "attn_k_norm", c->head_dim);
        linear(k, QZ_LIN_V);
    }
    linear(k, QZ_LIN_O);
}

static void experts(lister *k) {
    static const char *const names[] = {"mlp.experts.%zu.gate_proj", "mlp.experts.%zu.up_proj", "mlp.experts.%zu.down_proj"};
    static const char *const gguf[] = {"ffn_gate_exps", "ffn_up_exps", "ffn_down_exps"};
    const qz_config *c = k->c;
    const qz_family_info *f = qz_family_get(c->family);
    k->out[k->n++] = (qz_site){QZ_SITE_ROUTER, 0, 1, f->router_name ? f->router_name : "mlp.gate", "ffn_gate_inp", c->experts, c->hidden_size, 0, false};
    for (int i = 0; i < 3; i++)
        k->out[k->n++] = (qz_site){QZ_SITE_EXPERT, QZ_LIN_GATE + i, 1, f->expert_names[i] ? f->expert_names[i] : names[i], gguf[i], i < 2 ? c->expert_width : c->hidden_size,
                                   i < 2 ? c->hidden_size : c->expert_width, (size_t)c->experts, false};
}

static void dense(lister *k) {
    if (k->c->fused) fused(k, QZ_LIN_GATE, 2, "mlp.gate_up_proj", "ffn_up");
    else {
        linear(k, QZ_LIN_GATE);
        linear(k, QZ_LIN_UP);
    }
    linear(k, QZ_LIN_DOWN);
}

size_t qz_sites(const qz_config *c, size_t layer, qz_site out[QZ_MAX_SITES]) {
    lister k = {.c = c, .out = out};
    const uint64_t d = c->hidden_size;
    norm(&k, QZ_NORM_ATTN, "input_layernorm", "attn_norm", d);
    attention(&k);
    if (c->norms_after) norm(&k, QZ_NORM_ATTN_OUT, "post_attention_layernorm", "post_attention_norm", d);
    norm(&k, QZ_NORM_FFN, c->norms_after ? "pre_feedforward_layernorm" : "post_attention_layernorm", "ffn_norm", d);
    if (qz_config_sparse(c, layer)) experts(&k);
    else dense(&k);
    if (c->norms_after) norm(&k, QZ_NORM_FFN_OUT, "post_feedforward_layernorm", "post_ffw_norm", d);
    return k.n;
}

bool qz_site_name(const qz_site *s, size_t layer, size_t expert, const char *suffix, char *buf, size_t size) {
    char inner[96];
    const char *at = strstr(s->hf, "%zu");
    int n = at ? snprintf(inner, sizeof inner, "%.*s%zu%s", (int)(at - s->hf), s->hf, expert, at + 3) : snprintf(inner, sizeof inner, "%s", s->hf);
    if (n < 0 || (size_t)n >= sizeof inner) return false;
    n = snprintf(buf, size, "model.layers.%zu.%s.%s", layer, inner, suffix);
    return n > 0 && (size_t)n < size;
}

/* ---- inputs ---- */
enum { SHARED = QZ_GROUP_DOWN }; /* of a sparse layer: inputs before those of its experts */

qz_input_group qz_group_of(qz_linear l) {
    switch (l) {
    case QZ_LIN_O: return QZ_GROUP_O;
    case QZ_LIN_GATE:
    case QZ_LIN_UP: return QZ_GROUP_GATE_UP;
    case QZ_LIN_DOWN: return QZ_GROUP_DOWN;
    default: return QZ_GROUP_QKV;
    }
}
qz_linear qz_group_first(qz_input_group g) {
    int l = 0;
    while (l + 1 < QZ_LIN_COUNT && qz_group_of((qz_linear)l) != g) l++;
    return (qz_linear)l;
}

void qz_input_widths_of(const qz_config *c, qz_input_widths *out) {
    *out = (qz_input_widths){.layers = c->layers, .hidden_size = c->hidden_size, .o_cols = c->heads * c->head_dim, .intermediate_size = c->intermediate_size,
                             .experts = c->experts, .expert_width = c->experts ? c->expert_width : 0};
    for (size_t l = 0; c->experts && l < c->layers; l++) out->layer_dense[l] = c->layer_dense[l];
}
static bool sparse(const qz_input_widths *w, size_t layer) { return w->experts && layer < w->layers && !w->layer_dense[layer]; }

size_t qz_inputs(const qz_input_widths *w, size_t layer) {
    if (layer == w->layers) return 1;
    return sparse(w, layer) ? SHARED + 2 * (size_t)w->experts : QZ_GROUP_COUNT;
}
qz_input qz_input_at(const qz_input_widths *w, size_t layer, size_t i) {
    const bool of_expert = sparse(w, layer) && i >= SHARED;
    const qz_input_group g = of_expert ? (i - SHARED) % 2 ? QZ_GROUP_DOWN : QZ_GROUP_GATE_UP : (qz_input_group)i;
    uint64_t cols = w->hidden_size;
    if (layer < w->layers && g == QZ_GROUP_O) cols = w->o_cols;
    if (layer < w->layers && g == QZ_GROUP_DOWN) cols = of_expert ? w->expert_width : w->intermediate_size;
    return (qz_input){.group = g, .expert = of_expert ? (long)((i - SHARED) / 2) : -1, .cols = (size_t)cols};
}
size_t qz_input_of(qz_linear l, long expert) {
    const qz_input_group g = qz_group_of(l);
    return expert < 0 ? (size_t)g : SHARED + 2 * (size_t)expert + (g == QZ_GROUP_DOWN);
}
size_t qz_site_input(const qz_site *s, size_t expert) {
    if (s->kind == QZ_SITE_ROUTER) return QZ_GROUP_GATE_UP;
    if (s->kind == QZ_SITE_NORM) return s->part == QZ_NORM_FFN ? QZ_GROUP_GATE_UP : QZ_GROUP_QKV;
    return qz_input_of((qz_linear)s->part, s->experts ? (long)expert : -1);
}
const char *qz_input_text(const qz_input *in, char buf[QZ_SITE_NAME]) {
    if (in->expert < 0) return linears[qz_group_first(in->group)][0];
    (void)snprintf(buf, QZ_SITE_NAME, "expert %ld %s", in->expert, in->group == QZ_GROUP_DOWN ? "down" : "gate");
    return buf;
}
