#include "artifacts/artifacts_int.h"
#include "base/size.h"
#include "model/config_keys.h"
#include "model/kinds.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct { const char *suffix; qz_key_meaning meaning; double neutral; qz_gguf_kind kind; } rows[] = {
#define QZ_GGUF_KEY(suffix, meaning, neutral, kind) { suffix, QZ_KEY_##meaning, neutral, QZ_GGUF_##kind },
#include "artifacts/gguf_keys.def"
#undef QZ_GGUF_KEY
};

bool qz_gguf_key_kind(const char *key, const char *arch, qz_gguf_kind *out) {
    static const struct { const char *start, *end; qz_gguf_kind kind; } others[] = {
        {"tokenizer.ggml.", "_token_id", QZ_GGUF_U32}, {"tokenizer.ggml.add_", "", QZ_GGUF_BOOL},
        {"tokenizer.chat_template", "", QZ_GGUF_STR}};
    const size_t n = strlen(arch);
    for (size_t i = 0; strncmp(key, arch, n) == 0 && key[n] == '.' && i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].suffix, key + n + 1) == 0) return *out = rows[i].kind, true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (qz_str_starts(key, others[i].start) && qz_str_ends(key, others[i].end)) return *out = others[i].kind, true;
    return false;
}

/* The value in words, and as a number where it is one (NaN otherwise). */
static double value_of(const qz_gguf *g, const qz_gguf_kv *kv, char text[40]) {
    qz_error ignored = {0};
    double d = NAN;
    uint64_t u = 0;
    bool b = false;
    qz_gguf_text s = {0};
    snprintf(text, 40, "%s", kv->kind == QZ_GGUF_ARR ? "[…]" : "?");
    if (kv->kind == QZ_GGUF_ARR) return kv->count == 0 ? 0 : NAN;
    if (kv->kind == QZ_GGUF_STR) {
        if (qz_gguf_str(g, kv->key, false, &s, &ignored) == QZ_OK)
            snprintf(text, 40, "%.*s", (int)qz_min_size(s.n, 30), s.ptr);
        return NAN;
    }
    if (kv->kind == QZ_GGUF_BOOL) {
        if (qz_gguf_bool(g, kv->key, false, &b, &ignored) == QZ_OK) d = b;
    } else if (kv->kind == QZ_GGUF_F32 || kv->kind == QZ_GGUF_F64) {
        if (qz_gguf_f64(g, kv->key, false, &d, &ignored) != QZ_OK) d = NAN;
    } else if (qz_gguf_u64(g, kv->key, false, &u, &ignored) == QZ_OK) d = (double)u;
    if (!isnan(d)) snprintf(text, 40, "%g", d);
    return d;
}

/* Keys that some architectures read; phi3's window is written and, as in llama.cpp's loader, not used. */
static bool family_reads(const qz_family_info *f, const char *suffix) {
    const bool state = qz_kind_get(f->mixer)->state;
    const struct { const char *suffix; bool read; } some[] = {
        { "attention.sliding_window", f->window == QZ_WINDOW_PATTERN || f->longrope },
        { "attention.sliding_window_pattern", f->window == QZ_WINDOW_PATTERN },
        { "attn_logit_softcapping", f->attn_softcap > 0 },
        { "final_logit_softcapping", f->query_scalar > 0 || f->unscaled },
        { "attention.shared_kv_layers", f->by_layer }, { "attention.key_length_swa", f->by_layer },
        { "attention.value_length_swa", f->by_layer }, { "rope.dimension_count_swa", f->by_layer },
        { "embedding_length_per_layer_input", f->by_layer },
        { "rope.freq_base_swa", f->local_theta > 0 }, { "expert_feed_forward_length", f->experts > 0 },
        { "expert_group_count", f->groups > 0 }, { "expert_group_used_count", f->groups > 0 },
        { "expert_weights_norm", f->groups > 0 }, { "expert_gating_func", f->groups > 0 },
        { "expert_shared_count", f->shared == QZ_SHARED_COUNTED },
        { "expert_shared_feed_forward_length", f->shared == QZ_SHARED_GATED },
        { "leading_dense_block_count", f->dense == QZ_DENSE_FIRST },
        { "interleave_moe_layer_step", f->dense == QZ_DENSE_LISTED },
        { "attention.q_lora_rank", f->mixer == QZ_KIND_LATENT },
        { "attention.kv_lora_rank", f->mixer == QZ_KIND_LATENT },
        { "attention.key_length_mla", f->mixer == QZ_KIND_LATENT },
        { "attention.value_length_mla", f->mixer == QZ_KIND_LATENT },
        { "attention.temperature_scale", f->query_beta }, { "rope.scaling.yarn_log_multiplier", f->gguf_log_mul > 0 },
        { "rope.dimension_sections", f->sections[0] > 0 }, { "ssm.conv_kernel", state }, { "ssm.state_size", state },
        { "ssm.group_count", state }, { "ssm.time_step_rank", state }, { "ssm.inner_size", state },
        { "attention.recurrent_layers", state }, { "full_attention_interval", state } };
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        if (strcmp(some[i].suffix, suffix) == 0) return some[i].read;
    for (int i = 0; i < QZ_NUMBERS; i++)
        if (strcmp(qz_number_get(i)->gguf, suffix) == 0 && f->numbers[i] > 0) return true;
    return false;
}

void qz_gguf_keys_judge(const qz_gguf *g, const char *arch, qz_config *c) {
    const size_t n = strlen(arch);
    for (size_t i = 0; i < g->n_kv; i++) {
        const qz_gguf_kv *kv = &g->kv[i];
        qz_key_meaning m = QZ_KEY_UNKNOWN;
        double neutral = 0;
        char text[40];
        if (strncmp(kv->key, arch, n) || kv->key[n] != '.') continue;
        for (size_t k = 0; k < sizeof rows / sizeof *rows && m == QZ_KEY_UNKNOWN; k++)
            if (strcmp(rows[k].suffix, kv->key + n + 1) == 0) m = rows[k].meaning, neutral = rows[k].neutral;
        if (m == QZ_KEY_READ || m == QZ_KEY_PLAIN || value_of(g, kv, text) == neutral) continue;
        if (family_reads(qz_family_get(c->family), kv->key + n + 1)) continue;
        /* a window as long as the context is none */
        if (strcmp(kv->key + n + 1, "attention.sliding_window") == 0 &&
            value_of(g, kv, text) >= (double)c->max_position)
            continue;
        qz_keys_add(&c->keys, m == QZ_KEY_MATH, "", kv->key, text);
    }
}
