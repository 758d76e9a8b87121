/* The rows. Source: formats/families.md sections 1, 5 and 7; names of fused matrices: Phi-3, vLLM. */
#include "model/kinds.h"
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const qz_linear_row attention[] = {
    {.name = "self_attn.q_proj", .gguf = "attn_q", .use = QZ_USE_Q, .rows = QZ_WIDE_Q_ROWS, .input = 0,
     .bias = QZ_BIAS_QKV,
     .shard = QZ_SHARD_COLUMN, .rotary = true,
     .norm = QZ_NORM_Q, .norm_hf = "self_attn.q_norm", .norm_gguf = "attn_q_norm"},
    {.name = "self_attn.k_proj", .gguf = "attn_k", .use = QZ_USE_K, .rows = QZ_WIDE_KV_HEADS, .input = 0,
     .bias = QZ_BIAS_QKV,
     .shard = QZ_SHARD_COLUMN, .rotary = true,
     .norm = QZ_NORM_K, .norm_hf = "self_attn.k_norm", .norm_gguf = "attn_k_norm"},
    {.name = "self_attn.v_proj", .gguf = "attn_v", .use = QZ_USE_V, .rows = QZ_WIDE_KV_HEADS, .input = 0,
     .bias = QZ_BIAS_QKV,
     .shard = QZ_SHARD_COLUMN},
    {.name = "self_attn.o_proj", .gguf = "attn_output", .use = QZ_USE_O, .rows = QZ_WIDE_HIDDEN, .input = 1,
     .bias = QZ_BIAS_O,
     .shard = QZ_SHARD_ROW},
};
static const qz_input_row attention_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM, .fused = {"qkv", "self_attn.qkv_proj", "attn_qkv", QZ_USE_QKV}},
    {.cols = QZ_WIDE_HEADS, .fold = QZ_FOLD_ROWS, .from = 2, .heads = true, .residual = true},
};

static const qz_part_row attention_parts[] = {
    {.hf = "self_attn.sinks", .gguf = "attn_sinks.weight",
     .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_N_HEADS, .when = QZ_PART_SINKS}};

/* Values through a norm without gains, so that o_proj's scales have nowhere to go; heads of full layers may have
 * another size, values may be the keys (before their norm), and keys may be an earlier layer's. */
#define NORMED_Q(wide, width) \
    {.name = "self_attn.q_proj", .gguf = "attn_q", .use = QZ_USE_Q, .rows = wide, .input = 0, .bias = QZ_BIAS_QKV, \
     .shard = QZ_SHARD_COLUMN, .rotary = true, .head = width, \
     .norm = QZ_NORM_Q, .norm_hf = "self_attn.q_norm", .norm_gguf = "attn_q_norm"}
#define NORMED_K(wide, width) \
    {.name = "self_attn.k_proj", .gguf = "attn_k", .use = QZ_USE_K, .rows = wide, .input = 0, .bias = QZ_BIAS_QKV, \
     .shard = QZ_SHARD_COLUMN, .rotary = true, .head = width, \
     .norm = QZ_NORM_K, .norm_hf = "self_attn.k_norm", .norm_gguf = "attn_k_norm"}
#define NORMED_V(wide) \
    {.name = "self_attn.v_proj", .gguf = "attn_v", .use = QZ_USE_V, .rows = wide, .input = 0, .bias = QZ_BIAS_QKV, \
     .shard = QZ_SHARD_COLUMN}
#define NORMED_O \
    {.name = "self_attn.o_proj", .gguf = "attn_output", .use = QZ_USE_O, .rows = QZ_WIDE_HIDDEN, .input = 1, \
     .bias = QZ_BIAS_O, .shard = QZ_SHARD_ROW}
static const qz_linear_row normed_attention[] = {
    NORMED_Q(QZ_WIDE_Q_ROWS, 0), NORMED_K(QZ_WIDE_KV_HEADS, 0), NORMED_V(QZ_WIDE_KV_HEADS), NORMED_O};
static const qz_linear_row wide_attention[] = {
    NORMED_Q(QZ_WIDE_FULL_Q, QZ_WIDE_FULL_HEAD), NORMED_K(QZ_WIDE_FULL_KV, QZ_WIDE_FULL_HEAD),
    NORMED_V(QZ_WIDE_FULL_KV), NORMED_O};
static const qz_linear_row wide_keys[] = {
    NORMED_Q(QZ_WIDE_FULL_Q, QZ_WIDE_FULL_HEAD), NORMED_K(QZ_WIDE_FULL_KV, QZ_WIDE_FULL_HEAD), NORMED_O};
static const qz_linear_row borrowed[] = {NORMED_Q(QZ_WIDE_Q_ROWS, 0), NORMED_O};
static const qz_linear_row wide_borrowed[] = {NORMED_Q(QZ_WIDE_FULL_Q, QZ_WIDE_FULL_HEAD), NORMED_O};
#define NORMED_IN {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM, .fused = {"qkv", NULL, NULL, QZ_USE_QKV}}
static const qz_input_row normed_attention_inputs[] = {NORMED_IN, {.cols = QZ_WIDE_HEADS, .residual = true}};
static const qz_input_row wide_attention_inputs[] = {NORMED_IN, {.cols = QZ_WIDE_FULL_HEADS, .residual = true}};
static const qz_input_row borrowed_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM}, {.cols = QZ_WIDE_HEADS, .residual = true}};
static const qz_input_row wide_borrowed_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM}, {.cols = QZ_WIDE_FULL_HEADS, .residual = true}};

#define LATENT_KV_A(in) \
    {.name = "self_attn.kv_a_proj_with_mqa", .gguf = "attn_kv_a_mqa", .rows = QZ_WIDE_KV_RANK_ROPE, .input = in}
#define LATENT_KV_B(in) \
    {.name = "self_attn.kv_b_proj", .gguf = "attn_kv_b", .use = QZ_USE_KV_B, .rows = QZ_WIDE_LATENT_KV, .input = in, \
     .shard = QZ_SHARD_COLUMN, .inside = true}
#define LATENT_O(in) \
    {.name = "self_attn.o_proj", .gguf = "attn_output", .use = QZ_USE_O, .rows = QZ_WIDE_HIDDEN, .input = in, \
     .shard = QZ_SHARD_ROW}
/* Queries through a vector of q_rank values, or at once. */
static const qz_linear_row latent[] = {
    {.name = "self_attn.q_a_proj", .gguf = "attn_q_a", .rows = QZ_WIDE_Q_RANK, .input = 0},
    LATENT_KV_A(0),
    {.name = "self_attn.q_b_proj", .gguf = "attn_q_b", .rows = QZ_WIDE_LATENT_Q, .input = 1, .shard = QZ_SHARD_COLUMN},
    LATENT_KV_B(2), LATENT_O(3)};
static const qz_input_row latent_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM}, {.cols = QZ_WIDE_Q_RANK}, {.cols = QZ_WIDE_KV_RANK},
    {.cols = QZ_WIDE_LATENT_HEADS, .residual = true},
};
static const qz_linear_row latent_direct[] = {
    {.name = "self_attn.q_proj", .gguf = "attn_q", .use = QZ_USE_Q, .rows = QZ_WIDE_LATENT_Q, .input = 0,
     .shard = QZ_SHARD_COLUMN},
    LATENT_KV_A(0), LATENT_KV_B(1), LATENT_O(2)};
static const qz_input_row latent_direct_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM}, {.cols = QZ_WIDE_KV_RANK},
    {.cols = QZ_WIDE_LATENT_HEADS, .residual = true},
};
static const qz_part_row latent_parts[] = {
    {.hf = "self_attn.q_a_layernorm.weight", .gguf = "attn_q_a_norm.weight",
     .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_Q_RANK},
    {.hf = "self_attn.kv_a_layernorm.weight", .gguf = "attn_kv_a_norm.weight",
     .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_KV_RANK}};

static const qz_linear_row delta[] = {
    {.name = "linear_attn.in_proj_qkvz", .gguf = "attn_qkv", .use = QZ_USE_QKV, .rows = QZ_WIDE_DELTA_QKVZ, .input = 0,
     .gguf_rest = "attn_gate", .rest = QZ_WIDE_DELTA_VALUES},
    {.name = "linear_attn.in_proj_ba", .gguf = "ssm_ba", .rows = QZ_WIDE_DELTA_BA, .input = 0, .few = true},
    {.name = "linear_attn.out_proj", .gguf = "ssm_out", .rows = QZ_WIDE_HIDDEN, .input = 1},
};
/* The same in GGUF: its first matrix is two. */
static const qz_linear_row delta_gated[] = {
    {.name = "linear_attn.in_proj_qkv", .gguf = "attn_qkv", .use = QZ_USE_QKV, .rows = QZ_WIDE_DELTA_CONV, .input = 0},
    {.name = "linear_attn.in_proj_z", .gguf = "attn_gate", .rows = QZ_WIDE_DELTA_VALUES, .input = 0},
    {.name = "linear_attn.in_proj_ba", .gguf = "ssm_ba", .rows = QZ_WIDE_DELTA_BA, .input = 0, .few = true},
    {.name = "linear_attn.out_proj", .gguf = "ssm_out", .rows = QZ_WIDE_HIDDEN, .input = 1},
};
/* Qwen3.5 stores what the matrix above holds as four. */
static const qz_linear_row delta_split[] = {
    {.name = "linear_attn.in_proj_qkv", .gguf = "attn_qkv", .use = QZ_USE_QKV, .rows = QZ_WIDE_DELTA_CONV, .input = 0,
     .value_rows = QZ_WIDE_DELTA_VALUES},
    {.name = "linear_attn.in_proj_z", .gguf = "attn_gate", .rows = QZ_WIDE_DELTA_VALUES, .input = 0,
     .value_rows = QZ_WIDE_DELTA_VALUES},
    {.name = "linear_attn.in_proj_b", .gguf = "ssm_beta", .rows = QZ_WIDE_DELTA_HEADS, .input = 0, .few = true,
     .value_rows = QZ_WIDE_DELTA_HEADS},
    {.name = "linear_attn.in_proj_a", .gguf = "ssm_alpha", .rows = QZ_WIDE_DELTA_HEADS, .input = 0, .few = true,
     .value_rows = QZ_WIDE_DELTA_HEADS},
    {.name = "linear_attn.out_proj", .gguf = "ssm_out", .rows = QZ_WIDE_HIDDEN, .input = 1},
};
static const qz_input_row delta_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM},
    {.cols = QZ_WIDE_DELTA_VALUES, .residual = true, .value_heads = true}};
static const qz_part_row delta_parts[] = {
    {.hf = "linear_attn.conv1d.weight", .gguf = "ssm_conv1d.weight", .rows = QZ_WIDE_DELTA_CONV,
     .cols = QZ_WIDE_DELTA_TAPS, .taps = true, .value_rows = QZ_WIDE_DELTA_VALUES},
    {.hf = "linear_attn.dt_bias", .gguf = "ssm_dt.bias", .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_DELTA_HEADS,
     .value_rows = QZ_WIDE_DELTA_HEADS},
    {.hf = "linear_attn.A_log", .gguf = "ssm_a", .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_DELTA_HEADS,
     .value_rows = QZ_WIDE_DELTA_HEADS, .rates = true},
    {.hf = "linear_attn.norm.weight", .gguf = "ssm_norm.weight", .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_DELTA_V_DIM}};

static const qz_linear_row mlp[] = {
    {.name = "mlp.gate_proj", .gguf = "ffn_gate", .use = QZ_USE_GATE, .rows = QZ_WIDE_FFN, .input = 0,
     .bias = QZ_BIAS_MLP,
     .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.up_proj", .gguf = "ffn_up", .use = QZ_USE_UP, .rows = QZ_WIDE_FFN, .input = 0, .bias = QZ_BIAS_MLP,
     .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.down_proj", .gguf = "ffn_down", .use = QZ_USE_DOWN, .rows = QZ_WIDE_HIDDEN, .input = 1,
     .bias = QZ_BIAS_MLP,
     .shard = QZ_SHARD_ROW},
};
static const qz_input_row mlp_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM, .fused = {"gate_up", "mlp.gate_up_proj", "ffn_up", QZ_USE_UP}},
    {.cols = QZ_WIDE_FFN, .fold = QZ_FOLD_ROWS, .from = 1, .residual = true, .in_place = true},
};

/* Two matrices and an activation that commutes with positive scales (ReLU). */
static const qz_linear_row plain_mlp[] = {
    {.name = "fc1", .gguf = "ffn_up", .use = QZ_USE_UP, .rows = QZ_WIDE_FFN, .input = 0, .bias = QZ_BIAS_MLP,
     .shard = QZ_SHARD_COLUMN},
    {.name = "fc2", .gguf = "ffn_down", .use = QZ_USE_DOWN, .rows = QZ_WIDE_HIDDEN, .input = 1, .bias = QZ_BIAS_MLP,
     .shard = QZ_SHARD_ROW},
};
static const qz_input_row plain_mlp_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM},
    {.cols = QZ_WIDE_FFN, .fold = QZ_FOLD_ROWS, .from = 0, .residual = true, .in_place = true},
};

/* The gated MLP of a feed-forward that reads the stream (engine/stream.c): its norms are inside, and what it gives is
 * the next stream, so that nothing is added outside. */
#define STREAM_MLP(wide) \
    {.name = "mlp.gate_proj", .gguf = "ffn_gate", .use = QZ_USE_GATE, .rows = wide, .input = 0, \
     .shard = QZ_SHARD_COLUMN}, \
    {.name = "mlp.up_proj", .gguf = "ffn_up", .use = QZ_USE_UP, .rows = wide, .input = 0, .shard = QZ_SHARD_COLUMN}, \
    {.name = "mlp.down_proj", .gguf = "ffn_down", .use = QZ_USE_DOWN, .rows = QZ_WIDE_HIDDEN, .input = 1, \
     .shard = QZ_SHARD_ROW}
#define STREAM_TOKEN \
    {.name = "per_layer_input_gate", .gguf = "inp_gate", .rows = QZ_WIDE_TOKEN, .input = 2}, \
    {.name = "per_layer_projection", .gguf = "proj", .rows = QZ_WIDE_HIDDEN, .input = 3}
#define STREAM_INPUTS(wide) \
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM, .inside = true, .fused = {"gate_up", NULL, NULL, QZ_USE_UP}}, \
    {.cols = wide, .fold = QZ_FOLD_ROWS, .from = 1, .in_place = true}
static const qz_linear_row stream_mlp[] = {STREAM_MLP(QZ_WIDE_FFN)};
static const qz_linear_row stream_wide_mlp[] = {STREAM_MLP(QZ_WIDE_WIDE_FFN)};
static const qz_linear_row token_mlp[] = {STREAM_MLP(QZ_WIDE_FFN), STREAM_TOKEN};
static const qz_linear_row token_wide_mlp[] = {STREAM_MLP(QZ_WIDE_WIDE_FFN), STREAM_TOKEN};
static const qz_input_row stream_mlp_inputs[] = {STREAM_INPUTS(QZ_WIDE_FFN)};
static const qz_input_row stream_wide_mlp_inputs[] = {STREAM_INPUTS(QZ_WIDE_WIDE_FFN)};
static const qz_input_row token_mlp_inputs[] = {
    STREAM_INPUTS(QZ_WIDE_FFN), {.cols = QZ_WIDE_HIDDEN, .in_place = true}, {.cols = QZ_WIDE_TOKEN}};
static const qz_input_row token_wide_mlp_inputs[] = {
    STREAM_INPUTS(QZ_WIDE_WIDE_FFN), {.cols = QZ_WIDE_HIDDEN, .in_place = true}, {.cols = QZ_WIDE_TOKEN}};
#define LAYER_SCALE \
    {.hf = "layer_scalar", .gguf = "layer_output_scale.weight", .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_ONE}
static const qz_part_row stream_parts[] = {
    LAYER_SCALE,
    {.hf = "post_per_layer_input_norm.weight", .gguf = "post_norm.weight",
     .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_HIDDEN}};

static const qz_linear_row experts[] = {
    {.name = "mlp.gate_proj", .stored = "mlp.experts.%zu.gate_proj", .gguf = "ffn_gate_exps", .use = QZ_USE_GATE,
     .bias = QZ_BIAS_EXPERTS,
     .rows = QZ_WIDE_EXPERT,
     .input = 0, .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.up_proj", .stored = "mlp.experts.%zu.up_proj", .gguf = "ffn_up_exps", .use = QZ_USE_UP,
     .bias = QZ_BIAS_EXPERTS,
     .rows = QZ_WIDE_EXPERT,
     .input = 0, .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.down_proj", .stored = "mlp.experts.%zu.down_proj", .gguf = "ffn_down_exps", .use = QZ_USE_DOWN,
     .bias = QZ_BIAS_EXPERTS,
     .rows = QZ_WIDE_HIDDEN,
     .input = 1, .shard = QZ_SHARD_ROW},
    /* from here on: experts and a shared one */
    {.name = "mlp.shared_expert.gate_proj", .gguf = "ffn_gate_shexp", .use = QZ_USE_GATE, .rows = QZ_WIDE_SHARED,
     .input = 2, .alone = true,
     .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.shared_expert.up_proj", .gguf = "ffn_up_shexp", .use = QZ_USE_UP, .rows = QZ_WIDE_SHARED, .input = 2,
     .alone = true,
     .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.shared_expert.down_proj", .gguf = "ffn_down_shexp", .use = QZ_USE_DOWN, .rows = QZ_WIDE_HIDDEN,
     .input = 3, .alone = true,
     .shard = QZ_SHARD_ROW},
};
static const qz_input_row experts_inputs[] = {
    /* the norm feeds the router and the other experts too */
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_SHARED, .fused = {"gate_up", NULL, NULL, QZ_USE_UP}},
    {.cols = QZ_WIDE_EXPERT, .fold = QZ_FOLD_ROWS, .from = 1, .residual = true, .in_place = true},
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_SHARED, .fused = {"gate_up", NULL, NULL, QZ_USE_UP}},
    {.cols = QZ_WIDE_SHARED, .fold = QZ_FOLD_ROWS, .from = 4, .residual = true, .in_place = true},
};
/* Behind a clamped gate a scaled row is no scaled input. */
static const qz_input_row clamped_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_SHARED, .fused = {"gate_up", NULL, NULL, QZ_USE_UP}},
    {.cols = QZ_WIDE_EXPERT, .residual = true, .in_place = true},
};
static const qz_part_row experts_parts[] = {
    {.hf = "mlp.gate.e_score_correction_bias", .gguf = "exp_probs_b.bias",
     .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_N_EXPERTS, .when = QZ_PART_ROUTER_BIAS},
    {.hf = "mlp.shared_expert_gate.weight", .gguf = "ffn_gate_inp_shexp.weight",
     .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_HIDDEN, .when = QZ_PART_SHARED_GATE, .module = true}};

/* Experts beside the MLP: each behind a norm of its own, the router behind one without gains. */
static const qz_linear_row stream_experts[] = {
    {.name = "mlp.experts.gate_proj", .stored = "experts.%zu.gate_proj", .gguf = "ffn_gate_exps",
     .use = QZ_USE_GATE, .rows = QZ_WIDE_EXPERT, .input = 0, .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.experts.up_proj", .stored = "experts.%zu.up_proj", .gguf = "ffn_up_exps", .use = QZ_USE_UP,
     .rows = QZ_WIDE_EXPERT, .input = 0, .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.experts.down_proj", .stored = "experts.%zu.down_proj", .gguf = "ffn_down_exps",
     .use = QZ_USE_DOWN, .rows = QZ_WIDE_HIDDEN, .input = 1, .shard = QZ_SHARD_ROW},
    {.name = "mlp.gate_proj", .gguf = "ffn_gate", .use = QZ_USE_GATE, .rows = QZ_WIDE_FFN, .input = 2, .alone = true,
     .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.up_proj", .gguf = "ffn_up", .use = QZ_USE_UP, .rows = QZ_WIDE_FFN, .input = 2, .alone = true,
     .shard = QZ_SHARD_COLUMN},
    {.name = "mlp.down_proj", .gguf = "ffn_down", .use = QZ_USE_DOWN, .rows = QZ_WIDE_HIDDEN, .input = 3,
     .alone = true, .shard = QZ_SHARD_ROW}};
static const qz_input_row stream_experts_inputs[] = {
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_SHARED, .inside = true, .fused = {"gate_up", NULL, NULL, QZ_USE_UP}},
    {.cols = QZ_WIDE_EXPERT, .fold = QZ_FOLD_ROWS, .from = 1, .in_place = true},
    {.cols = QZ_WIDE_HIDDEN, .fold = QZ_FOLD_NORM, .fused = {"gate_up", NULL, NULL, QZ_USE_UP}},
    {.cols = QZ_WIDE_FFN, .fold = QZ_FOLD_ROWS, .from = 4, .in_place = true}};
static const qz_part_row stream_experts_parts[] = {
    LAYER_SCALE,
    {.hf = "router.scale", .gguf = "ffn_gate_inp.scale", .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_HIDDEN},
    {.hf = "router.per_expert_scale", .gguf = "ffn_down_exps.scale", .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_N_EXPERTS},
    {.hf = "post_feedforward_layernorm_1.weight", .gguf = "post_ffw_norm_1.weight",
     .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_HIDDEN},
    {.hf = "pre_feedforward_layernorm_2.weight", .gguf = "pre_ffw_norm_2.weight",
     .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_HIDDEN},
    {.hf = "post_feedforward_layernorm_2.weight", .gguf = "post_ffw_norm_2.weight",
     .rows = QZ_WIDE_ONE, .cols = QZ_WIDE_HIDDEN}};

#define ROWS(k) k, COUNT(k), k##_inputs, COUNT(k##_inputs)
static const qz_kind kinds[QZ_KIND_COUNT] = { /* …, of experts, keeps a state, names again */
    [QZ_KIND_ATTENTION] = {ROWS(attention), attention_parts, COUNT(attention_parts), false, false, false},
    [QZ_KIND_LATENT] = {ROWS(latent), latent_parts, COUNT(latent_parts), false, false, false},
    [QZ_KIND_LATENT_DIRECT] = {ROWS(latent_direct), latent_parts, COUNT(latent_parts), false, false, false},
    [QZ_KIND_DELTA] = {ROWS(delta), delta_parts, COUNT(delta_parts), false, true, false},
    [QZ_KIND_DELTA_GATED] = {delta_gated, COUNT(delta_gated), delta_inputs, COUNT(delta_inputs), delta_parts,
                             COUNT(delta_parts), false, true, false},
    [QZ_KIND_DELTA_SPLIT] = {delta_split, COUNT(delta_split), delta_inputs, COUNT(delta_inputs), delta_parts,
                             COUNT(delta_parts), false, true, false},
    [QZ_KIND_NORMED_ATTENTION] = {ROWS(normed_attention), NULL, 0, false, false, true},
    [QZ_KIND_WIDE_ATTENTION] = {ROWS(wide_attention), NULL, 0, false, false, true},
    [QZ_KIND_WIDE_KEYS] = {wide_keys, COUNT(wide_keys), wide_attention_inputs, COUNT(wide_attention_inputs), NULL, 0,
                           false, false, true},
    [QZ_KIND_BORROWED_KEYS] = {ROWS(borrowed), NULL, 0, false, false, true},
    [QZ_KIND_WIDE_BORROWED_KEYS] = {ROWS(wide_borrowed), NULL, 0, false, false, true},
    [QZ_KIND_MLP] = {ROWS(mlp), NULL, 0, false, false, false},
    [QZ_KIND_PLAIN_MLP] = {ROWS(plain_mlp), NULL, 0, false, false, false},
    [QZ_KIND_EXPERTS] = {experts, 3, experts_inputs, 2, experts_parts, COUNT(experts_parts), true, false, false},
    [QZ_KIND_CLAMPED_EXPERTS] = {experts, 3, clamped_inputs, 2, NULL, 0, true, false, false},
    [QZ_KIND_STREAM_MLP] = {ROWS(stream_mlp), stream_parts, 1, false, false, true},
    [QZ_KIND_STREAM_WIDE_MLP] = {ROWS(stream_wide_mlp), stream_parts, 1, false, false, true},
    [QZ_KIND_TOKEN_MLP] = {ROWS(token_mlp), stream_parts, COUNT(stream_parts), false, false, false},
    [QZ_KIND_TOKEN_WIDE_MLP] = {ROWS(token_wide_mlp), stream_parts, COUNT(stream_parts), false, false, true},
    [QZ_KIND_STREAM_EXPERTS] = {ROWS(stream_experts), stream_experts_parts, COUNT(stream_experts_parts), true, false,
                                true},
    [QZ_KIND_SHARED_EXPERTS] = {ROWS(experts), experts_parts, COUNT(experts_parts), true, false, false},
};
#define FITS(k, room) (COUNT(k) <= (room) && COUNT(k##_inputs) <= QZ_SUB_INPUTS)
_Static_assert(COUNT(attention_parts) <= QZ_SUB_PARTS && COUNT(latent_parts) <= QZ_SUB_PARTS &&
                   COUNT(delta_parts) <= QZ_SUB_PARTS && COUNT(experts_parts) <= QZ_SUB_PARTS &&
                   COUNT(stream_experts_parts) <= QZ_SUB_PARTS,
               "room for every part");
_Static_assert(FITS(attention, QZ_MIXER_LINEARS) && FITS(latent, QZ_MIXER_LINEARS) &&
                   FITS(latent_direct, QZ_MIXER_LINEARS) && FITS(delta, QZ_MIXER_LINEARS) &&
                   COUNT(delta_split) <= QZ_MIXER_LINEARS,
               "room for every mixer");
_Static_assert(FITS(mlp, QZ_FFN_LINEARS) && FITS(plain_mlp, QZ_FFN_LINEARS) &&
                   FITS(experts, QZ_FFN_LINEARS) && FITS(token_mlp, QZ_FFN_LINEARS) &&
                   FITS(stream_experts, QZ_FFN_LINEARS),
               "room for every feed-forward");

static const struct { qz_sub sub; const char *word, *step; } names[QZ_KIND_COUNT] = {
#define QZ_KIND(id, sub, word, step) [QZ_KIND_##id] = {sub, word, #step},
#include "model/kinds.def"
#undef QZ_KIND
};
const qz_kind *qz_kind_get(qz_kind_id k) { return &kinds[k]; }
qz_sub qz_kind_sub(qz_kind_id k) { return names[k].sub; }
const char *qz_kind_word(qz_kind_id k) { return names[k].word; }
bool qz_kind_runs(qz_kind_id k) { return strcmp(names[k].step, "none") != 0; }
