/* The shape of a model: every tensor's name and size, attention layout and experts, from config.json alone (no
 * weights). qz_shape *s; qz_shape_load("config.json or a folder", &s, err) or qz_shape_builtin("llama-3-70b", &s, err);
 * …; qz_shape_free(s). Wider than what the engine runs: shared experts, latent attention and linear-attention layers
 * are described for their memory only; `runs` says whether this program's writers and engine know the family. Tensors
 * are the sites of model/sites.h either way.
 * Ownership: the caller frees the shape; names live in it. Errors: one line naming the file and the key.
 * Source: formats/hf-config.md, formats/gguf-mixes.md; rows of families.def and shapes.def. */
#ifndef QZ_PLAN_SHAPES_H
#define QZ_PLAN_SHAPES_H
#include "base/arena.h"
#include <jansson.h>
#include "model/model.h"

typedef enum {
    QZ_ROLE_EMBED,
    QZ_ROLE_HEAD,
    QZ_ROLE_LINEAR,
    QZ_ROLE_EXPERT,
    QZ_ROLE_ROUTER,
    QZ_ROLE_FLOAT,
    QZ_ROLE_ROPE_FREQS
} qz_shape_role;
typedef struct {
    const char *name;             /* Hugging Face module path: model.layers.0.mlp.down_proj.weight (experts:
                                   * …experts.*.…) */
    const char *gguf;             /* blk.0.ffn_down.weight */
    uint64_t rows, cols, count;   /* rows = out_features, cols = in_features; count = experts of a stack, else 1 */
    uint32_t n_dims;
    long layer;                   /* -1 outside the blocks */
    qz_use use;
    qz_shape_role role;
} qz_shape_tensor;

typedef enum { QZ_ATTN_FULL, QZ_ATTN_SLIDING, QZ_ATTN_LINEAR } qz_attn; /* LINEAR: fixed state instead of a KV cache */

typedef struct {
    char name[96];                /* as asked for, or the folder's name */
    char model_type[32], gguf_arch[32], released[24]; /* released: quantization_config.quant_method, "" = not
                                                       * quantized */
    unsigned released_bits;       /* quantization_config.bits, 0 = not said */
    bool runs;                    /* the engine runs its family: artifacts can be planned to the byte */
    qz_config config;             /* of a family that is only planned: what its sites are made of */
    uint64_t vocab, hidden, intermediate, layers, heads, kv_heads, head_dim, max_position, sliding_window;
    uint8_t attn[QZ_MAX_LAYERS];  /* qz_attn of each layer */
    uint64_t experts, experts_used, expert_width, dense_layers; /* dense_layers: how many have no experts */
    uint8_t dense[QZ_MAX_LAYERS]; /* 1: a layer of a model with experts that has none */
    bool tied, qkv_bias, o_bias, mlp_bias, qk_norm, rope_freqs, moe_16_bias;
    uint64_t dtype_bytes;         /* of the checkpoint's floats: 2 or 4 */
    uint64_t params, active_params; /* all weights; those a token touches (experts used,
                                     * one embedding row counted as 0) */
    qz_shape_tensor *tensors; size_t n_tensors;
    qz_arena arena;
} qz_shape;

/* path: config.json or a folder that holds one. */
qz_status qz_shape_load(const char *path, qz_shape **out, qz_error *err);
qz_status qz_shape_from_json(const json_t *root, const char *name, qz_shape **out, qz_error *err);
/* Of an opened model (GGUF file, artifact, checkpoint). */
qz_status qz_shape_from_model(const qz_model *m, const char *name, qz_shape **out, qz_error *err);
/* Case and punctuation do not matter ("Llama 3 8B"); as a hub id (Qwen/Qwen3-8B) and with the endings that hubs
 * add too; QZ_EUSAGE names the nearest. */
qz_status qz_shape_builtin(const char *name, qz_shape **out, qz_error *err);
void qz_shape_free(qz_shape *s); /* NULL is fine */

typedef struct { const char *name, *facts, *source; } qz_shape_row; /* facts: config.json keys, "key=value …" */
const qz_shape_row *qz_shape_row_at(size_t i); /* NULL behind the last */
/* True if text names a built-in shape exactly (after normalisation). */
bool qz_shape_is_builtin(const char *text);
size_t qz_shape_layers_of(const qz_shape *s, qz_attn kind);
/* Tokens that plan, pick, check and launch take where no context is asked for: 4096, or what the model has. */
enum { QZ_DEFAULT_CTX = 4096 };
uint64_t qz_shape_default_ctx(const qz_shape *s);
/* Largest in_features of a quantized linear. */
uint64_t qz_shape_max_cols(const qz_shape *s);
#endif
