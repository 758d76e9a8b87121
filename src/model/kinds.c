/* The rows. Source: formats/families.md sections 1, 5 and 7; names of fused matrices: Phi-3, vLLM. */
#include "model/kinds.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const qz_linear_row attention[] = {
    {.name = "self_attn.q_proj", .gguf = "attn_q", .rows = QZ_WIDE_HEADS, .input = 0, .bias = QZ_BIAS_QKV,
     .shard = QZ_SHARD_COLUMN, .rotary = true,
     .norm = QZ_NORM_Q, .norm_hf = "self_attn.q_norm", .norm_gguf = "attn_q_norm"},
    {.name = "self_attn.k_proj", .gguf = "attn_k", .rows = QZ_WIDE_KV_HEADS, .input = 0, .bias = QZ_BIAS_QKV,
     .shard = QZ_SHARD_COLUMN, .rotary = true,
     .norm = QZ_NORM_K, .norm_hf = "self_attn.k_norm", .norm_gguf = "attn_k_norm"},
    {.name = "self_attn.v_proj", .gguf = "attn_v", .rows = QZ_WIDE_KV_HEADS, .input = 0, .bias = QZ_BIAS_QKV,
     .shard = QZ_SHARD_COLUMN},
    {.name = "self_attn.o_proj", .gguf = "attn_output", .rows = QZ_WIDE_HIDDEN, .input = 1, .bias = QZ_BIAS_O,
     .shard = QZ_SHARD_ROW},
};
static const qz_input_row attention_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM, .fused = {"qkv", "self_attn.qkv_proj", "attn_qkv"}},
    {.cols = QZ_WIDE_HEADS, .fold = QZ_FOLD_ROWS, .from = 2, .heads = true, .residual = true},
};

static const qz_linear_row mlp[] = {
    {.name = "mlp.gate_proj", .gguf = "ffn_gate", .rows = QZ_WIDE_FFN, .input = 0, .bias = QZ_BIAS_MLP,
     .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.up_proj", .gguf = "ffn_up", .rows = QZ_WIDE_FFN, .input = 0, .bias = QZ_BIAS_MLP,
     .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.down_proj", .gguf = "ffn_down", .rows = QZ_WIDE_HIDDEN, .input = 1, .bias = QZ_BIAS_MLP,
     .shard = QZ_SHARD_ROW},
};
static const qz_input_row mlp_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM, .fused = {"gate_up", "mlp.gate_up_proj", "ffn_up"}},
    {.cols = QZ_WIDE_FFN, .fold = QZ_FOLD_ROWS, .from = 1, .residual = true, .in_place = true},
};

static const qz_linear_row experts[] = {
    {.name = "mlp.gate_proj", .stored = "mlp.experts.%zu.gate_proj", .gguf = "ffn_gate_exps", .rows = QZ_WIDE_EXPERT,
     .input = 0, .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.up_proj", .stored = "mlp.experts.%zu.up_proj", .gguf = "ffn_up_exps", .rows = QZ_WIDE_EXPERT,
     .input = 0, .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.down_proj", .stored = "mlp.experts.%zu.down_proj", .gguf = "ffn_down_exps", .rows = QZ_WIDE_HIDDEN,
     .input = 1, .shard = QZ_SHARD_ROW},
};
static const qz_input_row experts_inputs[] = {
    /* the norm feeds the router and the other experts too */
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_SHARED, .fused = {"gate_up", NULL, NULL}},
    {.cols = QZ_WIDE_EXPERT, .fold = QZ_FOLD_ROWS, .from = 1, .residual = true, .in_place = true},
};

static const qz_kind kinds[QZ_KIND_COUNT] = {
    [QZ_KIND_ATTENTION] = {attention, COUNT(attention), attention_inputs, COUNT(attention_inputs), false},
    [QZ_KIND_MLP] = {mlp, COUNT(mlp), mlp_inputs, COUNT(mlp_inputs), false},
    [QZ_KIND_EXPERTS] = {experts, COUNT(experts), experts_inputs, COUNT(experts_inputs), true},
};
#define MIXER_FITS(k) (COUNT(k) <= QZ_MIXER_LINEARS && COUNT(k##_inputs) <= QZ_SUB_INPUTS)
#define FFN_FITS(k) (COUNT(k) <= QZ_FFN_LINEARS && COUNT(k##_inputs) <= QZ_SUB_INPUTS)
_Static_assert(MIXER_FITS(attention), "room for every mixer");
_Static_assert(FFN_FITS(mlp) && FFN_FITS(experts), "room for every feed-forward");

static const struct { qz_sub sub; const char *word; } names[QZ_KIND_COUNT] = {
#define QZ_KIND(id, sub, word, step) [QZ_KIND_##id] = {sub, word},
#include "model/kinds.def"
#undef QZ_KIND
};
const qz_kind *qz_kind_get(qz_kind_id k) { return &kinds[k]; }
qz_sub qz_kind_sub(qz_kind_id k) { return names[k].sub; }
const char *qz_kind_word(qz_kind_id k) { return names[k].word; }
