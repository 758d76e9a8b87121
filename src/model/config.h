/* Hyper-parameters of a decoder-only model, from config.json (both spellings, formats/hf-config.md) or a container's
 * metadata. Values are validated: positive, dividing, within bounds. */
#ifndef QZ_MODEL_CONFIG_H
#define QZ_MODEL_CONFIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "base/status.h"
#include "codecs/type_id.h"
#include "model/kind_id.h"

typedef unsigned qz_family; /* a QZ_FAMILY_… of families.h */

typedef enum {
    QZ_ROPE_NONE,
    QZ_ROPE_LINEAR,
    QZ_ROPE_DYNAMIC,
    QZ_ROPE_LLAMA3,
    QZ_ROPE_YARN,
    QZ_ROPE_LONGROPE,
    QZ_ROPE_PROPORTIONAL  /* the first pairs rotate as all would, the others do not */
} qz_rope_kind;

#define QZ_MAX_LAYERS 512
#define QZ_MAX_EXPERTS 1024
#define QZ_MAX_ROPE_PAIRS 512
#define QZ_MAX_DELTA_DIM 1024

typedef struct {
    qz_rope_kind kind;
    double theta, factor, low_freq_factor, high_freq_factor;
    double beta_fast, beta_slow, mscale, mscale_all_dim, attention_factor; /* attention_factor 0 = computed */
    bool truncate;
    uint64_t original_max_position;
    bool interleaved;                 /* pairs (2j, 2j+1) as in GGUF llama files; HF pairs (j, j+R/2) */
    float freq_factors[QZ_MAX_ROPE_PAIRS]; /* GGUF rope_freqs.weight: inv_j /= factor; all 1 if absent */
    bool has_freq_factors;
    /* longrope: inv_j /= factor, long ones beyond original_max_position */
    float short_factor[QZ_MAX_ROPE_PAIRS], long_factor[QZ_MAX_ROPE_PAIRS];
    double local_theta;               /* base of sliding layers, unscaled; 0 = as the others */
    double short_mscale, long_mscale; /* longrope: attention factors up to the original length, beyond; 0: computed */
    double query_beta;                /* rotated queries grow by 1 + beta·ln(1 + position div original_max_position) */
    double share;                     /* proportional: of the pairs, those that rotate */
    uint64_t sections[3];             /* mrope_section: pairs of the three axes of an image; of text all are one */
} qz_rope;

/* What goes on inside a block's halves. */
typedef enum { QZ_ACT_SILU, QZ_ACT_GELU_TANH, QZ_ACT_RELU } qz_act;
/* Which layers slide: none; all if sliding_window is set; qwen's keys (layer_types, or from max_window_layers on); all
 * if use_sliding_window; layer_types, or all but every n-th; if use_sliding_window, layer_types or those without rotary
 * positions; those with them, in chunks of attention_chunk_size keys that do not slide. */
typedef enum {
    QZ_WINDOW_NONE, QZ_WINDOW_ALL, QZ_WINDOW_BY_KEY, QZ_WINDOW_USE_ALL, QZ_WINDOW_PATTERN, QZ_WINDOW_NO_ROPE,
    QZ_WINDOW_CHUNKED
} qz_window;
/* Is layer_types read, once there is a window? */
static inline bool qz_window_listed(qz_window w) {
    return w == QZ_WINDOW_BY_KEY || w == QZ_WINDOW_PATTERN || w == QZ_WINDOW_NO_ROPE || w == QZ_WINDOW_CHUNKED;
}

/* How a router's scores choose a token's experts and weigh them (engine/router.c). */
typedef enum {
    QZ_ROUTE_SOFTMAX,     /* softmax over all; the largest */
    QZ_ROUTE_SIGMOID,     /* of each; a correction is added for the choice alone */
    QZ_ROUTE_SPARSEMIXER, /* two, each by a softmax over the scores near it (phimoe) */
    QZ_ROUTE_INPUT        /* the largest; their sigmoid multiplies what the expert reads (llama4) */
} qz_route;
/* What all tokens go through beside the experts: nothing; a width of its own behind a sigmoid gate (qwen); so many
 * experts in one (deepseek); one as wide as an expert (llama4). */
typedef enum { QZ_SHARED_NONE, QZ_SHARED_GATED, QZ_SHARED_COUNTED, QZ_SHARED_ONE } qz_shared;
/* What says which layers are dense: nothing; decoder_sparse_step and mlp_only_layers (qwen); first_k_dense_replace
 * (deepseek); moe_layers or interleave_moe_layer_step (llama4). */
typedef enum { QZ_DENSE_NONE, QZ_DENSE_STEP, QZ_DENSE_FIRST, QZ_DENSE_LISTED } qz_dense;

/* Float tensors inside a kind that not every family has. */
enum { QZ_PART_SINKS = 1, QZ_PART_EXPERT_BIAS = 2, QZ_PART_ROUTER_BIAS = 4, QZ_PART_SHARED_GATE = 8 };

/* Numbers that a family may have (numbers.def). */
enum {
#define QZ_NUMBER(field, key, gguf, neutral) QZ_NUMBER_##field,
#include "model/numbers.def"
#undef QZ_NUMBER
    QZ_NUMBERS
};
typedef struct { const char *key, *gguf; double neutral; } qz_number;
const qz_number *qz_number_get(int i);
/* Options of single layers (layer_flags.def). */
enum {
#define QZ_LAYER_FLAG(field, list, interval, words) QZ_LAYER_FLAG_##field,
#include "model/layer_flags.def"
#undef QZ_LAYER_FLAG
    QZ_LAYER_FLAGS
};
typedef struct { const char *list, *interval, *words; } qz_layer_flag;
const qz_layer_flag *qz_layer_flag_get(int i);

/* Keys of the source's configuration that no row reads (some would change the model, the others are only counted), and
 * keys that are not there and mean the family's default. */
typedef struct { unsigned n_refused, n_noted, n_absent; char refused[320], noted[240], absent[240]; } qz_config_keys;

typedef struct {
    qz_family family;
    uint64_t vocab_size, hidden_size, intermediate_size, layers, heads, kv_heads, head_dim, max_position;
    double rms_norm_eps;
    bool tie_embeddings, qkv_bias, o_bias, mlp_bias, qk_norm;
    uint64_t sliding_window;          /* keys including the token itself; 0 = none */
    uint8_t layer_sliding[QZ_MAX_LAYERS]; /* 1 where the window applies */
#define QZ_LAYER_FLAG(field, list, interval, words) uint8_t field[QZ_MAX_LAYERS]; /* 1: the layer has it */
#include "model/layer_flags.def"
#undef QZ_LAYER_FLAG
    uint64_t rotary_dim;              /* leading values of a head that rotate */
    qz_act act;
    bool norms_after;                 /* norms behind attention and feed-forward too, before the residual sum */
    bool norm_plus_one;               /* stored gains are one less than they multiply with */
    bool no_norms_before;             /* those behind are all */
    bool parallel;                    /* both halves read one norm, and both are added to what it read */
    bool chunked;                     /* the window does not slide: keys from the start of a token's chunk on */
    bool qk_plain;                    /* rotated queries and keys are normed by themselves, without gains */
    bool norm_mean, norm_bias;        /* LayerNorm: less the mean; with a bias beside the gains */
    bool head_bias;                   /* of the output matrix */
    bool qk_norm_whole;               /* one norm over all heads of q, one over those of k */
    uint64_t mtp_layers;              /* that predict more tokens, as announced; 0: none, or not said */
    uint64_t position_rows;           /* of the table of learned positions; 0: none */
    bool fused;                       /* q, k, v are one matrix, gate and up another */
    /* attn_scale of q·k, embed_scale of embedding rows (1: none), residual_scale of what is added to the stream,
     * logit_divisor, route_scale of experts' weights (0: none), route_jitter of the sparse mixer, swiglu_limit and
     * swiglu_alpha of a clamped gate (0: none); query_growth and query_floor of qz_plain_query_growth */
#define QZ_NUMBER(field, key, gguf, neutral) double field;
#include "model/numbers.def"
#undef QZ_NUMBER
    double attn_softcap, logit_softcap; /* x = cap·tanh(x / cap); 0: none */
    uint64_t experts, experts_used, expert_width; /* 0: dense */
    const char *experts_key;          /* static: the key of two that gave the number of experts */
    bool norm_topk;                   /* weights of the chosen experts sum to 1 */
    bool group_max;                   /* a group counts as its largest expert, not its two largest */
    qz_route route;
    uint64_t groups, groups_kept;     /* experts in equal groups, of which so many take part; 0 or 1: all do */
    uint8_t layer_mixer[QZ_MAX_LAYERS]; /* qz_kind_id */
    uint64_t shared_width;            /* of what all tokens go through beside the experts; 0: none */
    struct { uint64_t q_rank, kv_rank, nope, rope, v; } latent;         /* latent attention; kv_rank 0: none */
    /* gated delta net; taps of its convolution; 0: none. interval: every n-th layer is softmax attention, as the file
     * says; as GGUF stores it: rates -exp(A) in place of A, value heads tiled over the key heads */
    struct { uint64_t k_heads, v_heads, k_dim, v_dim, taps, interval; bool rates, tiled; } delta;
    /* Layers of full attention that have heads of their own, the feed-forward of the last `borrowers` layers, which
     * have no keys (0: as the others). token: a vector of each token for each layer, and the tokens that have some. */
    struct { uint64_t head_dim, kv_heads, ffn, borrowers; bool keys_as_values; } wide;
    struct { uint64_t width, rows; } token;
    bool stream_ffn;                  /* the feed-forward reads the stream and gives the next one, norms inside */
    bool q_gate;                      /* q_proj also makes the output's gate */
    unsigned parts;                   /* QZ_PART_… */
    qz_kind_id ffn;                   /* 0: the gated MLP, and experts where there are */
    uint8_t layer_ffn[QZ_MAX_LAYERS]; /* qz_kind_id where it is not what `ffn` and `experts` say, else 0 */
    uint8_t layer_dense[QZ_MAX_LAYERS]; /* 1: a layer of a model with experts that has none */
    qz_rope rope;
    qz_type dtype;                    /* of the checkpoint's weights */
    int64_t bos_id, eos_ids[16];      /* -1 = none */
    size_t n_eos;
    int64_t pad_id;
    qz_config_keys keys;
    bool wrapped;                     /* the text part of a file that holds more: names of tensors have a prefix */
} qz_config;

/* A row of families.def: names, defaults of absent keys, kinds and options. */
typedef struct {
    const char *name;                 /* config.json model_type */
    const char *wrapper;              /* model_type of a file whose text_config is this family (images besides text);
                                       * NULL: none */
    const char *architecture;         /* LlamaForCausalLM */
    const char *gguf_arch;            /* llama, qwen2, qwen3 …; NULL: GGUF has none */
    const char *gguf_pre;             /* tokenizer.ggml.pre where several names mean its pipeline; NULL: the first */
    bool gguf_tiled;                  /* GGUF stores value heads in turns over the key heads, not head by head */
    bool gguf_permuted;               /* GGUF stores q and k rows in interleaved-rope order */
    /* kv_heads 0: heads; head_dim 0: hidden / heads */
    uint64_t vocab, hidden, intermediate, layers, heads, kv_heads, head_dim, max_position;
    double eps, theta, local_theta;
    uint64_t original_max_position;
    qz_window window;
    uint64_t sliding_window, pattern; /* default window; every pattern-th layer has none */
    bool tied;                        /* default of tie_word_embeddings */
    bool qkv_bias;                    /* always there */
    bool attention_bias_key, mlp_bias_key; /* config keys attention_bias, mlp_bias are read */
    bool qk_norm, norms_after, norm_plus_one, embed_scaled, fused;
    bool no_norms_before, parallel, norm_mean, norm_bias, qk_norm_whole;
    bool ffn_norm_as_stored;          /* GGUF calls the norm before the feed-forward as checkpoints do:
                                       * post_attention_norm */
    uint64_t every[QZ_LAYER_FLAGS];   /* every n-th layer has the option, unless the keys say else;
                                       * 0: none, and the keys are not read */
    bool partial_rotary, longrope;    /* keys partial_rotary_factor and rope type longrope are read */
    double partial_default;           /* of partial_rotary_factor; 0: 1 */
    bool mtp;                         /* layers behind the last predict more tokens (num_nextn_predict_layers) */
    bool rope_pairs;                  /* pairs (2j, 2j+1) in checkpoints too; of latent attention the default of
                                       * rope_interleave */
    uint64_t learned_positions;       /* a table of them, whose first so many rows no position has, instead of rotary
                                       * ones: as many key heads as query heads, keys of older files; 0: none */
    const char *root;                 /* of names, NULL: "model." */
    const char *o_name, *norm_names[2], *final_name; /* inside the block, o_proj and the norms before the halves, and
                                                      * the last one; NULL: as usual */
    const char *eps_key;              /* of the eps of norms; NULL: rms_norm_eps, "": it is always the row's */
    bool rope_sliding_only;           /* only layers with a window have rotary positions */
    bool local_plain;                 /* sliding layers rotate with the base of the others, unscaled */
    const char *mlp_width_key, *mlp_names[3]; /* width and names of a dense layer's linears, where experts have
                                               * intermediate_size and "mlp" another name */
    bool qk_plain_key;                /* use_qk_norm is read and means qk_plain, default true */
    bool head_bias_key, rope_mscale;  /* lm_head_bias; longrope's short_mscale and long_mscale are read */
    bool query_beta;                  /* the rotary object's llama_4_scaling_beta is read */
    double gguf_log_mul;              /* GGUF's rope.scaling.yarn_log_multiplier is so many mscale_all_dim; 0: it has
                                       * no such key */
    bool by_layer;                    /* sizes by the kind of layer, keys that the last layers borrow, an input of
                                       * each token for each layer (gemma4; config_wide.c) */
    bool stream_ffn;                  /* qz_config.stream_ffn */
    bool unscaled;                    /* scores are not scaled; final_logit_softcapping is read, default none */
    bool proportional;                /* rope type proportional is read, with its partial_rotary_factor */
    const char *experts_used_key;     /* NULL: num_experts_per_tok */
    const char *experts_switch;       /* key that says whether there are experts, default false; NULL: there are */
    bool gguf_window_list;            /* GGUF says of each layer whether it slides */
    bool gguf_attn_factor;            /* rope.scaling.yarn_attn_factor is written as well, and attn_factor where it is
                                       * not what loaders take anyway */
    bool gguf_topk_as_is;             /* GGUF's loader leaves the weights of the chosen experts as they are */
    bool group_max;                   /* a group of experts counts as its largest; topk_method says if there are any */
    bool gguf_heads;                  /* GGUF has a place for layers that predict more tokens (nextn) */
    bool gguf_gate_up;                /* GGUF keeps gate and up of the experts in one tensor */
    bool gguf_yarn_betas;             /* llama.cpp reads the keys of beta_fast and beta_slow */
    uint64_t sections[3];             /* default of mrope_section; 0: the key is not read */
    double numbers[QZ_NUMBERS];       /* defaults of those that are read, 0: the key is not */
    double query_scalar;              /* default of query_pre_attn_scalar; 0: scores are scaled by head_dim */
    double attn_softcap, logit_softcap; /* defaults; 0 and no query_scalar: the keys are not read */
    qz_act act;
    bool q_gate, o_bias; unsigned parts;
    bool qkv_bias_only;               /* attention_bias is of q, k and v alone */
    bool qk_norm_key;                 /* use_qk_norm is read; qk_norm is its default */
    qz_kind_id mixer, ffn;            /* mixer: with a pattern every pattern-th layer is softmax attention all the same;
                                         0: softmax attention; gated MLP, or experts if experts is not 0 */
    uint64_t experts, experts_used, expert_width; /* expert_width 0: intermediate_size */
    const char *experts_key;          /* their number in the family's own files; NULL: num_local_experts */
    bool norm_topk_key, norm_topk;    /* norm_topk_prob is read, and its default; else the weights always sum to 1 */
    qz_route route; qz_dense dense; qz_shared shared;
    uint64_t groups, groups_kept;     /* defaults of n_group and topk_group; 0: the keys are not read */
    uint64_t first_dense, shared_default; /* of first_k_dense_replace; of the key that `shared` reads */
    bool stacks_turned, stacks_paired; /* experts in one tensor are [in, out]; rows of gate and up take turns there */
    /* HF, inside the block, experts and then the shared one; NULL: "mlp.gate", "mlp.experts.%zu.gate_proj" … */
    const char *router_name, *expert_names[6];
} qz_family_info;

const qz_family_info *qz_family_get(qz_family f);
static inline const char *qz_ffn_key(const qz_family_info *f) {
    return f->learned_positions ? "ffn_dim" : "intermediate_size";
}
/* Has it experts, as far as the family's switch says; the key of how many a token takes. */
bool qz_experts_wanted(const json_t *root, const qz_family_info *f);
const char *qz_used_key(const qz_family_info *f);
static inline const char *qz_eps_key(const qz_family_info *f) { return f->eps_key ? f->eps_key : "rms_norm_eps"; }
/* QZ_FAMILY_COUNT if unknown. */
qz_family qz_family_by_name(const char *model_type);
/* QZ_EUNSUPPORTED: no row is called model_type; names file and the nearest row, and says where only `plan`
 * knows that one. */
qz_status qz_family_unknown(const char *model_type, const char *file, qz_error *err);
/* The family whose text model a file of this model_type wraps (inner: that of its text_config, or NULL). */
qz_family qz_family_by_wrapper(const char *model_type, const char *inner);
qz_family qz_family_by_gguf_arch(const char *arch);
/* Among those that are only planned: nothing here reads their weights. */
qz_family qz_family_planned(const char *model_type);

/* Reads config.json at path (limits: 16 MiB, depth 64) and generation_config.json beside it if present. */
qz_status qz_config_load(const char *path, qz_config *out, qz_error *err);
/* Of a key dtype or torch_dtype; QZ_TYPE_NONE: another, or NULL. */
qz_type qz_config_dtype(const char *name);
/* Refuses a family that is not known, before anything else about the file is judged. */
qz_status qz_config_family(const char *path, qz_error *err);
/* The configuration of the text model (a new reference; NULL: out of memory): root itself, or of a wrapper (row of
 * families.def) of a family that runs its text_config with what only the outside says, as a file of its own. */
json_t *qz_config_text(const json_t *root, bool *wrapped);
/* The same from parsed JSON, without generation_config.json. */
qz_status qz_config_from_json(const json_t *root, const char *name, qz_config *out, qz_error *err);
/* Checks what every source of a config must fulfil; name is used in error texts. */
qz_status qz_config_validate(const qz_config *c, const char *name, qz_error *err);
/* Inverse frequencies inv [rotary_dim/2] and the attention factor for a call of `length` positions (dynamic NTK and
 * longrope depend on it); sliding: of a layer with a window. */
void qz_rope_frequencies(const qz_config *c, bool sliding, size_t length, float *inv, float *attention_factor);
/* Values of a head that rotate, in a layer with a window or in one of full attention. */
static inline uint64_t qz_rotary_dim(const qz_config *c, bool sliding) {
    return sliding || c->wide.head_dim == 0 ? c->rotary_dim : c->wide.head_dim;
}
/* What a query at position pos of a layer without rotary positions is multiplied with. */
float qz_plain_query_growth(const qz_config *c, size_t pos);
/* What a rotated query at position pos is multiplied with: 1 where the model has no such growth. */
float qz_query_growth(const qz_rope *r, size_t pos);
/* Does layer l have experts? */
static inline bool qz_config_sparse(const qz_config *c, size_t l) { return c->experts && !c->layer_dense[l]; }
/* True if they do: cos and sin then belong to a call, not to a position. */
bool qz_rope_by_call(const qz_config *c);
/* Kinds of all layers and norms as the family's row says; layers must be known. A reader that knows more changes
 * single ones. */
void qz_config_kinds(qz_config *c);
/* The layers that have option i. */
uint8_t *qz_config_layer_flag(qz_config *c, int i);
/* Number i of a configuration. */
double qz_config_number(const qz_config *c, int i);
void qz_config_set_number(qz_config *c, int i, double x);
/* Number of weights of the model (all tensors). */
uint64_t qz_config_parameters(const qz_config *c);
#endif
