/* Hyper-parameters of a decoder-only model, from config.json (both spellings, formats/hf-config.md) or a container's
 * metadata. Values are validated: positive, dividing, within bounds. */
#ifndef QZ_MODEL_CONFIG_H
#define QZ_MODEL_CONFIG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/json.h"
#include "base/status.h"
#include "codecs/types.h"

typedef enum {
#define QZ_FAMILY(id, ...) QZ_FAMILY_##id,
#include "model/families.def"
#undef QZ_FAMILY
    QZ_FAMILY_COUNT
} qz_family;

typedef enum { QZ_ROPE_NONE, QZ_ROPE_LINEAR, QZ_ROPE_DYNAMIC, QZ_ROPE_LLAMA3, QZ_ROPE_YARN, QZ_ROPE_LONGROPE } qz_rope_kind;

#define QZ_MAX_LAYERS 512
#define QZ_MAX_ROPE_PAIRS 512

typedef struct {
    qz_rope_kind kind;
    double theta, factor, low_freq_factor, high_freq_factor;
    double beta_fast, beta_slow, mscale, mscale_all_dim, attention_factor; /* attention_factor 0 = computed */
    bool truncate;
    uint64_t original_max_position;
    bool interleaved;                 /* pairs (2j, 2j+1) as in GGUF llama files; HF pairs (j, j+R/2) */
    float freq_factors[QZ_MAX_ROPE_PAIRS]; /* GGUF rope_freqs.weight: inv_j /= factor; all 1 if absent */
    bool has_freq_factors;
} qz_rope;

/* Keys of the source's configuration that no row reads: some would change the model, the others are only counted. */
typedef struct { unsigned n_refused, n_noted; char refused[240], noted[200]; } qz_config_keys;

typedef struct {
    qz_family family;
    uint64_t vocab_size, hidden_size, intermediate_size, layers, heads, kv_heads, head_dim, max_position;
    double rms_norm_eps;
    bool tie_embeddings, qkv_bias, o_bias, mlp_bias, qk_norm;
    uint64_t sliding_window;          /* keys including the token itself; 0 = none */
    uint8_t layer_sliding[QZ_MAX_LAYERS]; /* 1 where the window applies */
    qz_rope rope;
    qz_type dtype;                    /* of the checkpoint's weights */
    int64_t bos_id, eos_ids[16];      /* -1 = none */
    size_t n_eos;
    int64_t pad_id;
    qz_config_keys keys;
} qz_config;

typedef struct {
    const char *name;                 /* config.json model_type */
    const char *architecture;         /* LlamaForCausalLM */
    const char *gguf_arch;            /* llama, qwen2, qwen3 */
    uint64_t def_vocab, def_hidden, def_intermediate, def_layers, def_heads, def_kv_heads, def_head_dim, def_max_position;
    double def_eps, def_theta;
    uint64_t def_sliding_window;
    bool qkv_bias;                    /* always there */
    bool attention_bias_key;          /* config key attention_bias is read */
    bool qk_norm;
    bool window_all_layers;           /* sliding_window applies to all layers when set (mistral) */
    bool window_by_use_key;           /* only if use_sliding_window; layers >= max_window_layers (qwen) */
    bool gguf_permuted;               /* GGUF stores q and k rows in interleaved-rope order */
} qz_family_info;

const qz_family_info *qz_family_get(qz_family f);
/* QZ_FAMILY_COUNT if unknown. */
qz_family qz_family_by_name(const char *model_type);
qz_family qz_family_by_gguf_arch(const char *arch);

/* Reads config.json at path (limits: 16 MiB, depth 64) and generation_config.json beside it if present. */
qz_status qz_config_load(const char *path, qz_config *out, qz_error *err);
/* Refuses a family that is not known, before anything else about the file is judged. */
qz_status qz_config_family(const char *path, qz_error *err);
/* The same from parsed JSON, without generation_config.json. */
qz_status qz_config_from_json(const json_t *root, const char *name, qz_config *out, qz_error *err);
/* Checks what every source of a config must fulfil; name is used in error texts. */
qz_status qz_config_validate(const qz_config *c, const char *name, qz_error *err);
/* Inverse frequencies inv [R/2] and the attention factor for a call of `length` positions (dynamic NTK depends on it). */
void qz_rope_frequencies(const qz_config *c, size_t length, float *inv, float *attention_factor);
/* True if they do: cos and sin then belong to a call, not to a position. */
bool qz_rope_by_call(const qz_config *c);
/* Number of weights of the model (all tensors). */
uint64_t qz_config_parameters(const qz_config *c);
#endif
