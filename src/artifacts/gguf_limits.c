/* What llama.cpp's loader of an architecture cannot take: a file with it would not load, or run as another model.
 * Source: llama.cpp b11549 src/models/{llama,qwen2,qwen3,qwen3moe,gemma2,gemma3,phi3,smollm3,granite,mistral3,
 * olmo2}.cpp, formats/gguf-metadata.md section 4. */
#include "artifacts/artifacts_int.h"
#include <string.h>

typedef struct {
    const char *arch;
    bool rope_freqs, o_bias, mlp_bias; /* tensors that it loads; one more than it knows is an error there */
    bool head;                         /* an output matrix of its own */
    bool q_is_hidden;                  /* rows of q are as many as hidden */
    bool no_tie;                       /* does not take the embedding for an output matrix */
    bool norm_bias;                    /* biases of norms and of the output matrix */
    bool window;                       /* some layers slide */
    bool caps;                         /* divides by both caps, whatever they are */
} loader;
static const loader loaders[] = {
    { "llama", .rope_freqs = true, .o_bias = true, .mlp_bias = true, .head = true },
    { "gpt-oss", .o_bias = true, .head = true },
    { "llama4", .rope_freqs = true, .o_bias = true, .head = true },
    { "phimoe", .o_bias = true, .head = true, .norm_bias = true },
    { "qwen2", .head = true, .q_is_hidden = true }, { "qwen3", .head = true }, { "qwen3moe", .head = true },
    { "gemma2", .caps = true }, { "gemma3", .head = true },
    { "gemma4", .head = true }, { "phi3", .head = true, .q_is_hidden = true },
    { "smollm3", .head = true }, { "glm4moe", .head = true }, { "qwen35", .head = true },
    { "qwen35moe", .head = true }, { "qwen3next", .head = true },
    { "granite", .head = true, .q_is_hidden = true },
    { "mistral3", .rope_freqs = true, .o_bias = true, .mlp_bias = true, .head = true },
    { "cohere2", .q_is_hidden = true, .window = true }, { "qwen2moe", .head = true },
    { "deepseek2", .head = true }, { "mistral4", .head = true },
    { "olmo2", .head = true, .no_tie = true, .q_is_hidden = true } };

static qz_status refuse_layers(const qz_model *m, const char *arch, qz_error *err) {
    const qz_config *c = &m->config;
    for (int i = 0; i < QZ_LAYER_FLAGS; i++) {
        const uint64_t every = qz_family_get(c->family)->every[i];
        const uint8_t *has = qz_config_layer_flag((qz_config *)(uintptr_t)c, i);
        for (size_t l = 0; every && l < c->layers; l++)
            if (has[l] != ((l + 1) % every == 0))
                return qz_fail(err, QZ_EUNSUPPORTED,
                               "GGUF fixes which layers of %s have %s: model '%s', layer %zu: expected every %lluth, "
                               "found another; use bnb",
                               arch, qz_layer_flag_get(i)->words, m->path, l, (unsigned long long)every);
    }
    const qz_dense dense = qz_family_get(c->family)->dense;
    const uint64_t first = dense == QZ_DENSE_FIRST ? qz_gguf_first_dense(c) : 0;
    const bool step = dense == QZ_DENSE_LISTED && qz_gguf_expert_step(c);
    for (size_t l = 0; l < c->layers; l++) {
        if (c->experts && c->layer_dense[l] && l >= first && !step)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "dense layers among layers with experts cannot be stored in GGUF (%s): model '%s', layer "
                           "%zu; use bnb",
                           arch, m->path, l);
        if (c->sliding_window && qz_family_get(c->family)->window == QZ_WINDOW_PATTERN &&
            !qz_family_get(c->family)->gguf_window_list && c->layer_sliding[l] != qz_gguf_slides(c, l))
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "GGUF fixes which layers of %s slide: model '%s', layer %zu: expected %s, found %s; use bnb",
                           arch, m->path, l, qz_gguf_slides(c, l) ? "a sliding window" : "full attention",
                           c->layer_sliding[l] ? "a sliding window" : "full attention");
    }
    return QZ_OK;
}

qz_status qz_gguf_refuse(const qz_model *m, qz_error *err) {
    const qz_config *c = &m->config;
    const char *arch = qz_family_get(c->family)->gguf_arch;
    const loader *a = NULL;
    if (!arch)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "GGUF has no architecture for family '%s': model '%s': llama.cpp would not run such a file; use "
                       "awq, gptq, bnb or ct",
                       qz_family_get(c->family)->name, m->path);
    for (size_t i = 0; i < sizeof loaders / sizeof *loaders; i++)
        if (strcmp(loaders[i].arch, arch) == 0) a = &loaders[i];
    if (!a) return qz_fail(err, QZ_EBUG, "no row for GGUF architecture '%s'", arch);
    const struct { bool bad; const char *what; } rows[] = {
        { c->rope.kind == QZ_ROPE_LLAMA3 && !a->rope_freqs, "rope_type llama3" },
        { c->o_bias && !a->o_bias, "a bias of o_proj" },
        { c->mlp_bias && !a->mlp_bias, "biases of the feed-forward" },
        { c->latent.kv_rank && !c->rope.interleaved, "rotary pairs of halves (rope_interleave false)" },
        { c->latent.kv_rank && c->rope.kind == QZ_ROPE_YARN && c->rope.mscale != c->rope.mscale_all_dim,
          "mscale other than mscale_all_dim" },
        { c->latent.kv_rank && c->rope.attention_factor != 0 && c->rope.attention_factor != 1,
          "attention_factor with latent attention" },
        { qz_family_get(c->family)->by_layer && c->rope.kind != QZ_ROPE_PROPORTIONAL && c->rope.kind != QZ_ROPE_NONE,
          "a scaled rotary embedding" },
        { a->window && !c->sliding_window, "layers without a window alone" },
        { c->tie_embeddings && a->no_tie, "an output matrix that is the embedding (tied)" },
        { (c->norm_bias || c->head_bias) && !a->norm_bias, "biases of norms or of the output matrix" },
        { !c->tie_embeddings && !a->head, "an output matrix that is not tied to the embedding" },
        {a->q_is_hidden && c->heads * c->head_dim != c->hidden_size,
         "num_attention_heads x head_dim other than hidden_size" },
        { a->caps && !(c->attn_softcap > 0 && c->logit_softcap > 0), "scores or logits without softcapping" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].bad)
            return qz_fail(err, QZ_EUNSUPPORTED,
                           "GGUF (%s) cannot hold %s: model '%s': llama.cpp would not run such a file; use bnb", arch,
                           rows[i].what, m->path);
    return refuse_layers(m, arch, err);
}
