/* Hyper-parameters as GGUF metadata and back. Key order and types: formats/gguf-metadata.md sections 3 to 5 and 9. */
#include "artifacts/artifacts_int.h"
#include "artifacts/gguf_card.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/mathx.h"
#include "base/size.h"
#include "model/config_keys.h"
#include "model/families.h"
#include "model/kinds.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define GENERATION_LIMIT ((size_t)1 << 20)
#define PI 3.14159265358979323846

/* float32 throughout: the reference computes on float32 tensors and one value in 64 differs in double. */
void qz_gguf_rope_factors(const qz_rope *r, size_t head_dim, float *out) {
    float old = (float)r->original_max_position, low = (float)r->low_freq_factor, high = (float)r->high_freq_factor,
          factor = (float)r->factor;
    for (size_t j = 0; j < head_dim / 2; j++) {
        if (r->kind == QZ_ROPE_PROPORTIONAL) {
            out[j] = j < (size_t)(r->share * (double)head_dim / 2) ? 1.0f : 1e30f;
            continue;
        }
        if (r->has_freq_factors) {
            out[j] = r->freq_factors[j];
            continue;
        }
        float freq = 1.0f / (float)qz_pow((double)(float)r->theta, (double)((float)(2 * j) / (float)head_dim));
        float wave = (float)(2.0 * PI) / freq;
        float s = (old / wave - low) / (high - low);
        out[j] = wave < old / high ? 1.0f : wave > old / low ? factor : 1.0f / ((1.0f - s) / factor + s);
    }
}

bool qz_gguf_has_factors(const qz_config *c) {
    return c->rope.kind == QZ_ROPE_LLAMA3 || c->rope.kind == QZ_ROPE_PROPORTIONAL || c->rope.has_freq_factors;
}

typedef struct { qz_gguf_meta *m; const char *arch; char key[128]; } writer;
static const char *k(writer *w, const char *suffix) {
    snprintf(w->key, sizeof w->key, "%s.%s", w->arch, suffix);
    return w->key;
}
static void u32(writer *w, const char *suffix, uint64_t v) { qz_gguf_put_u32(w->m, k(w, suffix), (uint32_t)v); }
static void f32(writer *w, const char *suffix, double v) { qz_gguf_put_f32(w->m, k(w, suffix), (float)v); }

/* 0.1·m·ln(factor) + 1 */
static double yarn_scale(const qz_rope *r, double m) {
    return r->factor <= 1.0 ? 1.0 : 0.1 * m * qz_log(r->factor) + 1.0;
}
/* What a loader multiplies rope.scaling.attn_factor with: with a multiplier of the logarithm it takes mscale for 1. */
static double yarn_default(const qz_rope *r, const qz_family_info *f) {
    return f->gguf_log_mul > 0 && r->mscale_all_dim != 0 ? yarn_scale(r, 1) / yarn_scale(r, r->mscale_all_dim)
                                                         : yarn_scale(r, 1);
}

static void put_scaling(writer *w, const qz_config *c) {
    const qz_rope *r = &c->rope;
    if (r->kind == QZ_ROPE_LINEAR || r->kind == QZ_ROPE_YARN) {
        qz_gguf_put_str(w->m, k(w, "rope.scaling.type"), r->kind == QZ_ROPE_LINEAR ? "linear" : "yarn");
        f32(w, "rope.scaling.factor", r->factor);
    }
    if (r->kind == QZ_ROPE_YARN) {
        u32(w, "rope.scaling.original_context_length", r->original_max_position);
        const qz_family_info *f = qz_family_get(c->family);
        double a = r->attention_factor;
        if (a == 0 && r->mscale != 0 && r->mscale_all_dim != 0)
            a = yarn_scale(r, r->mscale) / yarn_scale(r, r->mscale_all_dim);
        if (c->latent.kv_rank) a = 0; /* 1, or refused (gguf_limits.c) */
        /* deviates: the reference converter stores yarn_attn_factor = attention_factor, which its loader does not
         * multiply in; rope.scaling.attn_factor is what the loader applies on top of its default. */
        if (f->gguf_attn_factor && r->attention_factor != 0)
            f32(w, "rope.scaling.yarn_attn_factor", r->attention_factor);
        if (a != 0 && ((f->gguf_log_mul == 0 && !f->gguf_attn_factor) || (float)(a / yarn_default(r, f)) != 1))
            f32(w, "rope.scaling.attn_factor", a / yarn_default(r, f));
        f32(w, "rope.scaling.yarn_beta_fast", r->beta_fast);
        f32(w, "rope.scaling.yarn_beta_slow", r->beta_slow);
    }
}

/* general.sampling.* from generation_config.json, in the reference's order. */
static qz_status put_sampling(qz_gguf_meta *m, const char *dir, qz_error *err) {
    static const struct { const char *json, *key; bool integer; } rows[] = {
        { "top_k", "top_k", true },      { "top_p", "top_p", false }, { "min_p", "min_p", false },
        { "temperature", "temp", false }, { "repetition_penalty", "penalty_repeat", false },
    };
    char *path = dir ? qz_path_join(dir, "generation_config.json") : NULL;
    if (!path || !qz_path_exists(path)) {
        qz_free(path);
        return QZ_OK;
    }
    json_t *root = NULL;
    qz_status st = qz_json_load(path, GENERATION_LIMIT, &root, err);
    qz_free(path);
    QZ_TRY(st);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const json_t *v = json_object_get(root, rows[i].json);
        char key[64];
        snprintf(key, sizeof key, "general.sampling.%s", rows[i].key);
        if (rows[i].integer && json_is_integer(v)) qz_gguf_put_i32(m, key, (int32_t)json_integer_value(v));
        else if (!rows[i].integer && json_is_number(v)) qz_gguf_put_f32(m, key, (float)json_number_value(v));
    }
    json_decref(root);
    return QZ_OK;
}

static qz_status put_general(writer *w, const qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    qz_gguf_meta *m = w->m;
    const qz_artifact_context *ctx = p->context;
    const char *dir = ctx->source_dir ? ctx->source_dir : p->model->path;
    size_t end = strlen(dir);
    while (end > 1 && dir[end - 1] == '/') end--;
    size_t start = end;
    while (start > 0 && dir[start - 1] != '/') start--;
    uint64_t weights = 0;
    for (size_t i = 0; i < p->n_items; i++) weights += (uint64_t)p->items[i].rows * p->items[i].cols;
    qz_gguf_card card;
    if (!qz_gguf_card_read(dir + start, end - start, weights, arena, &card))
        return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", dir);
    qz_gguf_put_str(m, "general.architecture", qz_family_get(p->model->config.family)->gguf_arch);
    /* the reference makes these tensors, and with them this key, first of all */
    if (p->model->config.rope.kind == QZ_ROPE_LONGROPE) {
        float inv[QZ_MAX_ROPE_PAIRS], att;
        qz_config c = p->model->config; /* the converter computes it, whatever the model says of short texts */
        c.rope.short_mscale = 0;
        qz_rope_frequencies(&c, false, 1, inv, &att);
        f32(w, "rope.scaling.attn_factor", (double)att);
    }
    qz_gguf_put_str(m, "general.type", "model");
    QZ_TRY(put_sampling(m, ctx->source_dir, err));
    qz_gguf_put_str(m, "general.name", ctx->name ? ctx->name : card.name);
    if (card.version) qz_gguf_put_str(m, "general.version", card.version);
    if (card.finetune) qz_gguf_put_str(m, "general.finetune", card.finetune);
    if (card.basename) qz_gguf_put_str(m, "general.basename", card.basename);
    qz_gguf_put_str(m, "general.size_label", card.size_label);
    return QZ_OK;
}

static void put_provenance(const qz_artifact_plan *p, qz_gguf_meta *m) {
    const qz_artifact_context *c = p->context;
    if (c->has_imatrix) {
        qz_gguf_put_str(m, "quantize.imatrix.file", c->imatrix_file ? c->imatrix_file : "");
        if (c->imatrix_dataset) qz_gguf_put_str(m, "quantize.imatrix.dataset", c->imatrix_dataset);
        qz_gguf_put_u32(m, "quantize.imatrix.entries_count", c->imatrix_entries);
        if (c->imatrix_chunks) qz_gguf_put_u32(m, "quantize.imatrix.chunks_count", c->imatrix_chunks);
    }
    for (size_t i = 0; i < c->n_provenance; i++) {
        char key[96];
        snprintf(key, sizeof key, "quantz.%.80s", c->provenance[i].key);
        qz_gguf_put_str(m, key, c->provenance[i].value);
    }
}

/* 27B of gemma2 and gemma3 (46 and 62 layers) scale by hidden / heads, all others by head_dim. */
double qz_gguf_attn_scale(const qz_config *c) {
    if (qz_family_get(c->family)->unscaled) return 1;
    const bool large = (c->family == QZ_FAMILY_GEMMA2 && c->layers == 46) ||
                       (c->family == QZ_FAMILY_GEMMA3 && c->layers == 62);
    return (double)(1.0f / sqrtf((float)(large ? c->hidden_size / c->heads : c->head_dim)));
}
/* Every pattern-th layer is full: 2 for gemma2, 6 for gemma3. */
bool qz_gguf_slides(const qz_config *c, size_t layer) {
    const qz_family_info *f = qz_family_get(c->family);
    return f->window == QZ_WINDOW_PATTERN && (layer + 1) % f->pattern != 0;
}

/* phi3 and gemma2 have an order of their own (section 4). Their rows of the reference hold no scaling and gemma2 no
 * base: the loader reads both keys for every architecture, so a model that has them gets them behind the others. */
static void put_phi3(writer *w, const qz_artifact_plan *p) {
    const qz_config *c = &p->model->config;
    const qz_rope *r = &c->rope;
    u32(w, "context_length", c->max_position);
    u32(w, "rope.scaling.original_context_length", r->original_max_position);
    u32(w, "embedding_length", c->hidden_size);
    u32(w, "feed_forward_length", c->intermediate_size);
    u32(w, "block_count", c->layers);
    u32(w, "attention.head_count", c->heads);
    u32(w, "attention.head_count_kv", c->kv_heads);
    f32(w, "attention.layer_norm_rms_epsilon", c->rms_norm_eps);
    u32(w, "rope.dimension_count", c->rotary_dim);
    f32(w, "rope.freq_base", r->theta);
    qz_gguf_put_u32(w->m, "general.file_type", qz_ftype_get(p->spec.ftype)->file_type);
    u32(w, "attention.sliding_window", c->sliding_window);
    if (c->experts) { /* phimoe */
        u32(w, "expert_used_count", c->experts_used);
        u32(w, "expert_count", c->experts);
    }
    if (r->kind != QZ_ROPE_LONGROPE) put_scaling(w, c);
}
static void put_gemma2(writer *w, const qz_artifact_plan *p) {
    const qz_config *c = &p->model->config;
    u32(w, "context_length", c->max_position);
    u32(w, "embedding_length", c->hidden_size);
    u32(w, "block_count", c->layers);
    u32(w, "feed_forward_length", c->intermediate_size);
    u32(w, "attention.head_count", c->heads);
    u32(w, "attention.head_count_kv", c->kv_heads);
    f32(w, "attention.layer_norm_rms_epsilon", c->rms_norm_eps);
    u32(w, "attention.key_length", c->head_dim);
    u32(w, "attention.value_length", c->head_dim);
    qz_gguf_put_u32(w->m, "general.file_type", qz_ftype_get(p->spec.ftype)->file_type);
    f32(w, "attn_logit_softcapping", c->attn_softcap);
    f32(w, "final_logit_softcapping", c->logit_softcap);
    /* 0 would mask every key there */
    u32(w, "attention.sliding_window", c->sliding_window ? c->sliding_window : c->max_position);
    put_scaling(w, c);
    if (c->rope.theta != 10000) f32(w, "rope.freq_base", c->rope.theta);
}
/* Of a gated delta net: sizes, and which layers have it. */
static void put_delta(writer *w, const qz_config *c, size_t heads) {
    uint8_t recurrent[QZ_MAX_LAYERS] = {0};
    if (c->delta.k_heads == 0) return;
    for (size_t l = 0; l < c->layers; l++) recurrent[l] = qz_kind_get((qz_kind_id)c->layer_mixer[l])->state;
    u32(w, "ssm.conv_kernel", c->delta.taps);
    u32(w, "ssm.state_size", c->delta.k_dim);
    u32(w, "ssm.group_count", c->delta.k_heads);
    u32(w, "ssm.time_step_rank", c->delta.v_heads);
    u32(w, "ssm.inner_size", c->delta.v_heads * c->delta.v_dim);
    qz_gguf_put_bools(w->m, k(w, "attention.recurrent_layers"), recurrent, (size_t)c->layers + heads);
    u32(w, "full_attention_interval", c->delta.interval);
}
static void put_common(writer *w, const qz_artifact_plan *p) {
    const qz_config *c = &p->model->config;
    const qz_family_info *f = qz_family_get(c->family);
    const bool llama = f->gguf_permuted, gemma3 = c->family == QZ_FAMILY_GEMMA3,
               latent = c->latent.kv_rank > 0;
    u32(w, "block_count", c->layers + p->head_layers);
    u32(w, "context_length", c->max_position);
    u32(w, "embedding_length", c->hidden_size);
    if (f->by_layer) qz_gguf_put_ffn_widths(c, w->arch, w->m);
    else if (f->intermediate) u32(w, "feed_forward_length", c->intermediate_size);
    u32(w, "attention.head_count", c->heads);
    if (f->by_layer) qz_gguf_put_key_heads(c, w->arch, w->m);
    /* latent: all heads share what is kept of a token */
    else u32(w, "attention.head_count_kv", latent ? 1 : c->kv_heads);
    put_scaling(w, c);
    if (f->sections[0]) {
        const int32_t axes[4] = {(int32_t)c->rope.sections[0], (int32_t)c->rope.sections[1],
                                 (int32_t)c->rope.sections[2], 0};
        qz_gguf_put_i32s(w->m, k(w, "rope.dimension_sections"), axes, 4);
    }
    f32(w, "rope.freq_base", c->rope.theta);
    if (gemma3 || c->rope.local_theta > 0)
        f32(w, "rope.freq_base_swa", c->rope.local_theta > 0 ? c->rope.local_theta : c->rope.theta);
    f32(w, f->eps_key ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", c->rms_norm_eps);
    qz_gguf_put_expert_counts(c, w->arch, w->m);
    const uint64_t head = f->by_layer ? c->wide.head_dim : c->head_dim;
    u32(w, "attention.key_length", latent ? c->latent.kv_rank + c->latent.rope : head);
    u32(w, "attention.value_length", latent ? c->latent.kv_rank : head);
    qz_gguf_put_u32(w->m, "general.file_type", qz_ftype_get(p->spec.ftype)->file_type);
    put_delta(w, c, p->head_layers);
    if (latent) qz_gguf_put_latent(c, w->arch, w->m);
    if (latent || f->partial_rotary) u32(w, "rope.dimension_count", c->rotary_dim);
    if (f->by_layer) qz_gguf_put_wide(c, w->arch, w->m);
    else qz_gguf_put_expert_rules(c, w->arch, w->m);
    if (p->head_layers) u32(w, "nextn_predict_layers", p->head_layers);
    if (gemma3 && c->logit_softcap > 0) f32(w, "final_logit_softcapping", c->logit_softcap);
    if (f->window == QZ_WINDOW_PATTERN && c->sliding_window && !f->by_layer)
        u32(w, "attention.sliding_window", c->sliding_window);
    if (f->gguf_window_list && c->sliding_window && !f->by_layer)
        qz_gguf_put_bools(w->m, k(w, "attention.sliding_window_pattern"), c->layer_sliding, c->layers);
    /* without tokens the loader needs the number */
    if (f->rope_sliding_only) {
        u32(w, "rope.dimension_count", c->rotary_dim);
        if (c->rope.kind == QZ_ROPE_NONE) qz_gguf_put_str(w->m, k(w, "rope.scaling.type"), "none");
    }
    if (llama || latent || c->chunked || f->rope_sliding_only || !p->context->tokenizer)
        u32(w, "vocab_size", c->vocab_size);
    if (llama || c->chunked) u32(w, "rope.dimension_count", c->head_dim);
    if (c->rope.kind == QZ_ROPE_YARN && c->rope.mscale_all_dim != 0 && f->gguf_log_mul > 0)
        f32(w, "rope.scaling.yarn_log_multiplier", f->gguf_log_mul * c->rope.mscale_all_dim);
    if (c->rope.query_beta > 0 && !latent) f32(w, "attention.temperature_scale", c->rope.query_beta);
    for (int i = 0; i < QZ_NUMBERS; i++)
        if (qz_family_get(c->family)->numbers[i] > 0 && *qz_number_get(i)->gguf)
            f32(w, qz_number_get(i)->gguf, qz_config_number(c, i));
}

qz_status qz_gguf_meta_build(qz_artifact_plan *p, qz_arena *arena, qz_gguf_meta *m, qz_error *err) {
    const qz_config *c = &p->model->config;
    const qz_family_info *f = qz_family_get(c->family);
    writer w = { .m = m, .arch = f->gguf_arch };
    QZ_TRY(put_general(&w, p, arena, err));
    if (f->longrope) put_phi3(&w, p);
    else if (c->family == QZ_FAMILY_GEMMA2) put_gemma2(&w, p);
    else put_common(&w, p);
    if ((f->longrope || c->family == QZ_FAMILY_GEMMA2) && !p->context->tokenizer)
        u32(&w, "vocab_size", c->vocab_size);
    qz_gguf_put_u32(m, "general.quantization_version", 2);
    QZ_TRY(qz_gguf_vocab_put(p, arena, m, err));
    put_provenance(p, m);
    return m->bytes.failed ? qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path) : QZ_OK;
}

/* ---- reading ---- */
typedef struct { const qz_gguf *g; const char *arch; char key[128]; qz_error *err; uint64_t heads; } reader;
static const char *rk(reader *r, const char *suffix) {
    snprintf(r->key, sizeof r->key, "%.32s.%s", r->arch, suffix);
    return r->key;
}
/* Value for all layers; per-layer arrays must be constant. */
static qz_status uniform(reader *r, const char *suffix, uint64_t layers, uint64_t *out) {
    const qz_gguf_kv *kv = qz_gguf_key(r->g, rk(r, suffix));
    QZ_TRY(qz_gguf_u64_at(r->g, r->key, 0, out, r->err));
    for (size_t i = 1; kv->kind == QZ_GGUF_ARR && i < layers; i++) {
        uint64_t v = 0;
        QZ_TRY(qz_gguf_u64_at(r->g, r->key, i, &v, r->err));
        if (v != *out)
            return qz_fail(r->err, QZ_EUNSUPPORTED, "layers of different shape: file '%s', key '%s'", r->g->path,
                           r->key);
    }
    return QZ_OK;
}

/* phi3: lists of factors as tensors; without them it is plain. */
static qz_status read_longrope(reader *r, qz_config *c, double attn) {
    static const char *const names[] = { "rope_factors_long.weight", "rope_factors_short.weight" };
    float *const lists[] = { c->rope.long_factor, c->rope.short_factor };
    uint64_t dims = c->head_dim;
    QZ_TRY(qz_gguf_u64(r->g, rk(r, "rope.dimension_count"), false, &dims, r->err));
    for (size_t i = 0; i < 2; i++) {
        const qz_gguf_tensor *t = qz_gguf_find(r->g, names[i]);
        if (!t && i == 0) return QZ_OK;
        if (!t || strcmp(t->type->name, "f32") || t->elems != dims / 2 || t->elems > QZ_MAX_ROPE_PAIRS)
            return qz_fail(r->err, QZ_EFORMAT,
                           "wrong shape: file '%s', tensor '%s': expected %llu f32 values, found %llu %s", r->g->path,
                           names[i], (unsigned long long)dims / 2, (unsigned long long)(t ? t->elems : 0),
                           t ? t->type->name : "");
        memcpy(lists[i], t->data, (size_t)t->bytes);
    }
    c->rope.kind = QZ_ROPE_LONGROPE;
    c->rope.attention_factor = attn;
    return QZ_OK;
}

static qz_status read_rope(reader *r, qz_config *c) {
    const qz_gguf *g = r->g;
    qz_rope *rope = &c->rope;
    qz_gguf_text type = { "linear", 6 }; /* as the reference loader: a factor without a type is linear */
    double attn = 1.0;
    const qz_family_info *f = qz_family_get(c->family);
    *rope = (qz_rope){ .theta = 10000, .local_theta = f->local_plain ? 0 : f->local_theta, .factor = 1,
                       .beta_fast = 32, .beta_slow = 1,
                       .truncate = true, .original_max_position = c->max_position,
                       .interleaved = f->gguf_permuted || f->rope_pairs };
    if (f->query_beta) QZ_TRY(qz_gguf_f64(g, rk(r, "attention.temperature_scale"), false, &rope->query_beta, r->err));
    if (f->local_theta > 0) QZ_TRY(qz_gguf_f64(g, rk(r, "rope.freq_base_swa"), false, &rope->local_theta, r->err));
    QZ_TRY(qz_gguf_f64(g, rk(r, "rope.freq_base"), false, &rope->theta, r->err));
    if (f->local_plain && rope->local_theta == 0) rope->local_theta = rope->theta;
    QZ_TRY(qz_gguf_str(g, rk(r, "rope.scaling.type"), false, &type, r->err));
    QZ_TRY(qz_gguf_f64(g, rk(r, "rope.scaling.factor"), false, &rope->factor, r->err));
    /* its name in files of 2023 */
    if (!qz_gguf_key(g, r->key)) QZ_TRY(qz_gguf_f64(g, rk(r, "rope.scale_linear"), false, &rope->factor, r->err));
    if (rope->factor == 0) rope->factor = 1;
    QZ_TRY(qz_gguf_u64(g, rk(r, "rope.scaling.original_context_length"), false, &rope->original_max_position, r->err));
    QZ_TRY(qz_gguf_f64(g, rk(r, "rope.scaling.attn_factor"), false, &attn, r->err));
    QZ_TRY(qz_gguf_f64(g, rk(r, "rope.scaling.yarn_beta_fast"), false, &rope->beta_fast, r->err));
    QZ_TRY(qz_gguf_f64(g, rk(r, "rope.scaling.yarn_beta_slow"), false, &rope->beta_slow, r->err));
    if (type.n == 4 && memcmp(type.ptr, "yarn", 4) == 0) {
        rope->kind = QZ_ROPE_YARN;
        if (f->gguf_log_mul > 0)
            QZ_TRY(qz_gguf_f64(g, rk(r, "rope.scaling.yarn_log_multiplier"), false, &rope->mscale_all_dim, r->err));
        if (f->gguf_log_mul > 0) rope->mscale_all_dim /= f->gguf_log_mul;
        rope->mscale = rope->mscale_all_dim != 0;
        rope->attention_factor = f->mixer == QZ_KIND_LATENT ? attn : attn * yarn_default(rope, f);
    } else if (type.n == 6 && memcmp(type.ptr, "linear", 6) == 0)
        rope->kind = rope->factor != 1 ? QZ_ROPE_LINEAR : QZ_ROPE_NONE;
    else if (type.n != 4 || memcmp(type.ptr, "none", 4))
        return qz_fail(r->err, QZ_EUNSUPPORTED,
                       "unknown rope scaling: file '%s', key '%s.rope.scaling.type': found '%.*s'", g->path, r->arch,
                       (int)qz_min_size(type.n, 40), type.ptr);
    c->rotary_dim = c->head_dim;
    if (f->longrope) QZ_TRY(read_longrope(r, c, attn));
    /* llama.cpp scales by it whatever the type is */
    if (rope->kind != QZ_ROPE_YARN && rope->kind != QZ_ROPE_LONGROPE && attn != 1) {
        char text[40];
        (void)snprintf(text, sizeof text, "%g", attn);
        qz_keys_add(&c->keys, true, "", rk(r, "rope.scaling.attn_factor"), text);
    }
    uint64_t dims = c->head_dim;
    QZ_TRY(qz_gguf_u64(g, rk(r, "rope.dimension_count"), false, &dims, r->err));
    if (f->partial_rotary && dims >= 2 && dims <= c->head_dim && dims % 2 == 0) c->rotary_dim = dims;
    else if (dims != c->head_dim && f->mixer != QZ_KIND_LATENT)
        return qz_fail(r->err, QZ_EUNSUPPORTED,
                       "partial rotary embedding: file '%s', key '%s': expected %llu, found %llu", g->path, r->key,
                       (unsigned long long)c->head_dim, (unsigned long long)dims);
    const uint8_t *axes = NULL;
    size_t n_axes = 0;
    memcpy(rope->sections, f->sections, sizeof rope->sections);
    if (f->sections[0])
        QZ_TRY(qz_gguf_array(g, rk(r, "rope.dimension_sections"), QZ_GGUF_I32, false, &axes, &n_axes, r->err));
    for (size_t i = 0; axes && i < qz_min_size(n_axes, 3); i++)
        rope->sections[i] = qz_load_u32le(axes + 4 * i) & 0xffff;
    const qz_gguf_tensor *t = f->by_layer ? NULL : qz_gguf_find(g, "rope_freqs.weight");
    if (!t) return QZ_OK;
    if (strcmp(t->type->name, "f32") || t->elems != c->head_dim / 2 || t->elems > QZ_MAX_ROPE_PAIRS)
        return qz_fail(r->err, QZ_EFORMAT,
                       "wrong shape: file '%s', tensor 'rope_freqs.weight': expected %llu f32 values, found %llu %s",
                       g->path, (unsigned long long)c->head_dim / 2, (unsigned long long)t->elems, t->type->name);
    memcpy(rope->freq_factors, t->data, (size_t)t->bytes);
    rope->has_freq_factors = true;
    return QZ_OK;
}

static void add_end(qz_config *c, uint64_t id) {
    for (size_t i = 0; i < c->n_eos; i++)
        if (c->eos_ids[i] == (int64_t)id) return;
    if (id < UINT32_MAX && c->n_eos < sizeof c->eos_ids / sizeof c->eos_ids[0]) c->eos_ids[c->n_eos++] = (int64_t)id;
}

static qz_status read_ids(const qz_gguf *g, qz_config *c, qz_error *err) {
    static const char *const ends[] = { "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
                                        "tokenizer.ggml.eom_token_id" };
    const uint8_t *more = NULL;
    size_t n = 0;
    uint64_t v = UINT64_MAX;
    QZ_TRY(qz_gguf_u64(g, "tokenizer.ggml.bos_token_id", false, &v, err));
    c->bos_id = v < c->vocab_size ? (int64_t)v : -1;
    v = UINT64_MAX;
    QZ_TRY(qz_gguf_u64(g, "tokenizer.ggml.padding_token_id", false, &v, err));
    c->pad_id = v < c->vocab_size ? (int64_t)v : -1;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        v = UINT64_MAX;
        QZ_TRY(qz_gguf_u64(g, ends[i], false, &v, err));
        add_end(c, v);
    }
    QZ_TRY(qz_gguf_array(g, QZ_GGUF_ENDS_KEY, QZ_GGUF_U32, false, &more, &n, err));
    for (size_t i = 0; i < n; i++) add_end(c, qz_load_u32le(more + 4 * i));
    return QZ_OK;
}

/* Which layers slide, where a newer file says it: every n-th is full, or one truth a layer. */
static qz_status read_pattern(reader *r, qz_config *c) {
    const qz_gguf_kv *kv = qz_gguf_key(r->g, rk(r, "attention.sliding_window_pattern"));
    uint64_t n = 0;
    if (!kv) return QZ_OK;
    if (kv->kind != QZ_GGUF_ARR) {
        QZ_TRY(qz_gguf_u64(r->g, r->key, true, &n, r->err));
        for (size_t l = 0; l < c->layers; l++) c->layer_sliding[l] = c->sliding_window && (n == 0 || (l + 1) % n != 0);
        return QZ_OK;
    }
    const uint8_t *flags = NULL;
    size_t count = 0;
    QZ_TRY(qz_gguf_array(r->g, r->key, QZ_GGUF_BOOL, true, &flags, &count, r->err));
    if (count != c->layers)
        return qz_fail(r->err, QZ_EFORMAT, "wrong value: file '%s', key '%s': expected %llu entries, found %zu",
                       r->g->path, r->key, (unsigned long long)c->layers, count);
    for (size_t l = 0; l < c->layers; l++) c->layer_sliding[l] = c->sliding_window && flags[l];
    return QZ_OK;
}

/* Sizes of a gated delta net, its layers, and how this container holds its values. */
static qz_status read_delta(reader *r, qz_config *c) {
    const qz_family_info *f = qz_family_get(c->family);
    const struct { const char *suffix; uint64_t *to; } rows[] = {
        {"ssm.conv_kernel", &c->delta.taps}, {"ssm.state_size", &c->delta.k_dim},
        {"ssm.group_count", &c->delta.k_heads},
        {"ssm.time_step_rank", &c->delta.v_heads}, {"ssm.inner_size", &c->delta.v_dim}};
    const uint8_t *recurrent = NULL;
    size_t n = 0;
    const qz_kind_id mixer = f->mixer == QZ_KIND_DELTA ? QZ_KIND_DELTA_GATED : f->mixer; /* as this container has it */
    if (!qz_kind_get(mixer)->state) return QZ_OK;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        QZ_TRY(qz_gguf_u64(r->g, rk(r, rows[i].suffix), true, rows[i].to, r->err));
    if (c->delta.v_heads == 0 || c->delta.v_dim % c->delta.v_heads)
        return qz_fail(r->err, QZ_EFORMAT, "value out of range: file '%s', key '%s': expected a multiple of the %llu "
                       "heads of time_step_rank, found %llu", r->g->path, r->key,
                       (unsigned long long)c->delta.v_heads, (unsigned long long)c->delta.v_dim);
    c->delta.v_dim /= c->delta.v_heads;
    c->delta.rates = true;
    c->delta.tiled = f->gguf_tiled && c->delta.v_heads != c->delta.k_heads;
    c->delta.interval = f->pattern;
    c->q_gate = f->q_gate;
    QZ_TRY(qz_gguf_u64(r->g, rk(r, "full_attention_interval"), false, &c->delta.interval, r->err));
    for (size_t l = 0; l < c->layers; l++)
        c->layer_mixer[l] = (uint8_t)(c->delta.interval && (l + 1) % c->delta.interval == 0 ? QZ_KIND_ATTENTION
                                                                                           : mixer);
    QZ_TRY(qz_gguf_array(r->g, rk(r, "attention.recurrent_layers"), QZ_GGUF_BOOL, false, &recurrent, &n, r->err));
    if (recurrent && n != c->layers + r->heads)
        return qz_fail(r->err, QZ_EFORMAT, "wrong value: file '%s', key '%s': expected %llu entries, found %zu",
                       r->g->path, r->key, (unsigned long long)c->layers, n);
    for (size_t l = 0; recurrent && l < c->layers; l++)
        c->layer_mixer[l] = (uint8_t)(recurrent[l] ? mixer : QZ_KIND_ATTENTION);
    return QZ_OK;
}

/* Kinds and options: the architecture's, and what the file says of them. */
static qz_status read_options(reader *r, qz_config *c) {
    const qz_family_info *f = qz_family_get(c->family);
    qz_config_kinds(c);
    QZ_TRY(read_delta(r, c));
    c->act = f->act;
    c->norms_after = f->norms_after;
    c->fused = f->fused;
    c->embed_scale = f->embed_scaled ? sqrt((double)c->hidden_size) : 1;
    c->attn_scale = qz_gguf_attn_scale(c);
    for (int i = 0; i < QZ_NUMBERS; i++) { /* absent or 0: as without it */
        double x = 0;
        if (!(f->numbers[i] > 0)) continue;
        if (!*qz_number_get(i)->gguf) { /* the loader's own */
            qz_config_set_number(c, i, f->numbers[i]);
            continue;
        }
        QZ_TRY(qz_gguf_f64(r->g, rk(r, qz_number_get(i)->gguf), false, &x, r->err));
        if (x > 0) qz_config_set_number(c, i, x);
    }
    c->attn_softcap = f->attn_softcap;
    c->logit_softcap = f->logit_softcap;
    if (f->attn_softcap > 0)
        QZ_TRY(qz_gguf_f64(r->g, rk(r, "attn_logit_softcapping"), false, &c->attn_softcap, r->err));
    if (f->query_scalar > 0 || f->unscaled)
        QZ_TRY(qz_gguf_f64(r->g, rk(r, "final_logit_softcapping"), false, &c->logit_softcap, r->err));
    if (f->window == QZ_WINDOW_PATTERN) {
        c->sliding_window = c->family == QZ_FAMILY_GEMMA2 ? f->sliding_window : 0;
        QZ_TRY(qz_gguf_u64(r->g, rk(r, "attention.sliding_window"), false, &c->sliding_window, r->err));
        if (c->sliding_window >= c->max_position && !f->by_layer) c->sliding_window = 0;
        for (size_t l = 0; l < c->layers; l++) c->layer_sliding[l] = c->sliding_window && qz_gguf_slides(c, l);
        QZ_TRY(read_pattern(r, c));
    }
    for (size_t l = 0; f->rope_sliding_only && l < c->layers; l++) c->layer_no_rope[l] = !c->layer_sliding[l];
    for (int i = 0; i < QZ_LAYER_FLAGS; i++)
        for (size_t l = 0; f->every[i] && l < c->layers; l++)
            qz_config_layer_flag(c, i)[l] = (l + 1) % f->every[i] == 0;
    c->chunked = f->window == QZ_WINDOW_CHUNKED;
    if (c->chunked && f->sliding_window < c->max_position) c->sliding_window = f->sliding_window; /* the loader's */
    for (size_t l = 0; c->chunked && l < c->layers; l++)
        c->layer_sliding[l] = c->sliding_window && !c->layer_no_rope[l];
    if (f->experts == 0 || (f->experts_switch && !qz_gguf_key(r->g, rk(r, "expert_count")))) return QZ_OK;
    return qz_gguf_read_experts(r->g, r->arch, c, r->err);
}

/* One architecture for several families, told apart by their experts or by their window. */
static qz_status told_apart(reader *r, qz_config *c) {
    uint64_t experts = 0, window = 0;
    QZ_TRY(qz_gguf_u64(r->g, rk(r, "attention.sliding_window"), false, &window, r->err));
    QZ_TRY(qz_gguf_u64(r->g, rk(r, "expert_count"), false, &experts, r->err));
    if (experts && c->family == QZ_FAMILY_LLAMA) c->family = QZ_FAMILY_MIXTRAL;
    for (qz_family i = c->family + 1; window && i < QZ_FAMILY_COUNT; i++) {
        const qz_family_info *f = qz_family_get(i);
        if (f->gguf_window_list && f->gguf_arch && strcmp(f->gguf_arch, r->arch) == 0) c->family = i;
    }
    /* the router's correction is what the first of two families with groups has */
    bool corrected = (qz_family_get(c->family)->parts & QZ_PART_ROUTER_BIAS) == 0;
    for (size_t i = 0; i < r->g->n && !corrected; i++)
        corrected = strstr(r->g->tensors[i].name, ".exp_probs_b.") != NULL;
    for (qz_family i = c->family + 1; !corrected && i < QZ_FAMILY_COUNT; i++) {
        const qz_family_info *f = qz_family_get(i);
        if (f->group_max && f->gguf_arch && strcmp(f->gguf_arch, r->arch) == 0) c->family = i, corrected = true;
    }
    if (experts && qz_family_get(c->family)->experts == 0)
        return qz_fail(r->err, QZ_EUNSUPPORTED,
                       "experts in an architecture that has none: file '%s', key '%s': found %llu", r->g->path, r->key,
                       (unsigned long long)experts);
    return QZ_OK;
}

static qz_status unknown_architecture(const qz_gguf *g, const char *name, qz_error *err) {
    char known[640] = "";
    size_t n = 0;
    for (int i = 0; i < QZ_FAMILY_COUNT && n < sizeof known; i++) {
        const char *arch = qz_family_get((qz_family)i)->gguf_arch;
        /* none, or one architecture of several families */
        if (arch == NULL || qz_family_by_gguf_arch(arch) != (qz_family)i) continue;
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", arch);
    }
    return qz_fail(err, QZ_EUNSUPPORTED, "unknown architecture '%s': file '%s': expected one of %s", name, g->path,
                   known);
}

static bool has_bias(const void *file, const char *gguf) {
    char name[64];
    (void)snprintf(name, sizeof name, "blk.0.%s.bias", gguf);
    return qz_gguf_find(file, name) != NULL;
}

qz_status qz_gguf_prediction_layers(const qz_gguf *g, const char *arch, const qz_config *c, uint64_t *out,
                                    qz_error *err) {
    reader r = { .g = g, .arch = arch, .err = err };
    *out = 0;
    QZ_TRY(qz_gguf_u64(g, rk(&r, "nextn_predict_layers"), false, out, err));
    if (*out == 0) return QZ_OK;
    if (!qz_family_get(c->family)->mtp)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "layers that predict more tokens: file '%s', key '%s': expected none of family '%s', found %llu",
                       g->path, r.key, qz_family_get(c->family)->name, (unsigned long long)*out);
    uint64_t all = 0;
    QZ_TRY(qz_gguf_u64(g, rk(&r, "block_count"), true, &all, err));
    if (*out < all) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT, "value out of range: file '%s', key '%s.nextn_predict_layers': expected fewer than "
                   "the %llu of block_count, found %llu", g->path, arch, (unsigned long long)all,
                   (unsigned long long)*out);
}

qz_status qz_gguf_config_read(const qz_gguf *g, qz_config *c, qz_error *err) {
    qz_gguf_text arch = {0}, type = {0};
    *c = (qz_config){ .bos_id = -1, .pad_id = -1 };
    QZ_TRY(qz_gguf_str(g, "general.type", false, &type, err));
    if (type.n == 7 && memcmp(type.ptr, "adapter", 7) == 0)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "a LoRA adapter, no model: file '%s', key 'general.type': expected model, found adapter; "
                       "llama.cpp takes it beside its base model (--lora)",
                       g->path);
    QZ_TRY(qz_gguf_str(g, "general.architecture", true, &arch, err));
    char name[40];
    snprintf(name, sizeof name, "%.*s", (int)qz_min_size(arch.n, 32), arch.ptr);
    c->family = qz_family_by_gguf_arch(name);
    if (c->family == QZ_FAMILY_COUNT) return unknown_architecture(g, name, err);
    reader r = { .g = g, .arch = name, .err = err };
    QZ_TRY(told_apart(&r, c));
    QZ_TRY(qz_gguf_u64(g, rk(&r, "block_count"), true, &c->layers, err));
    if (c->layers < 1 || c->layers > QZ_MAX_LAYERS)
        return qz_fail(err, QZ_EFORMAT, "value out of range: file '%s', key '%s': expected 1 to %d, found %llu",
                       g->path, r.key, QZ_MAX_LAYERS, (unsigned long long)c->layers);
    /* blocks behind the last that predict more tokens are not run */
    QZ_TRY(qz_gguf_prediction_layers(g, name, c, &r.heads, err));
    c->layers -= r.heads;
    QZ_TRY(qz_gguf_u64(g, rk(&r, "context_length"), true, &c->max_position, err));
    QZ_TRY(qz_gguf_u64(g, rk(&r, "embedding_length"), true, &c->hidden_size, err));
    const bool by_layer = qz_family_get(c->family)->by_layer;
    if (qz_family_get(c->family)->intermediate)
        QZ_TRY(uniform(&r, "feed_forward_length", by_layer ? 1 : c->layers, &c->intermediate_size));
    QZ_TRY(uniform(&r, "attention.head_count", c->layers, &c->heads));
    c->kv_heads = c->heads;
    if (qz_gguf_key(g, rk(&r, "attention.head_count_kv")))
        QZ_TRY(uniform(&r, "attention.head_count_kv", by_layer ? 1 : c->layers, &c->kv_heads));
    const bool mean = qz_family_get(c->family)->eps_key != NULL;
    QZ_TRY(qz_gguf_f64(g, rk(&r, mean ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"), true,
                       &c->rms_norm_eps, err));
    c->head_dim = c->heads ? c->hidden_size / c->heads : 0;
    QZ_TRY(qz_gguf_u64(g, rk(&r, "attention.key_length"), false, &c->head_dim, err));
    uint64_t value_dim = c->head_dim;
    QZ_TRY(qz_gguf_u64(g, rk(&r, "attention.value_length"), false, &value_dim, err));
    const bool latent = qz_family_get(c->family)->mixer == QZ_KIND_LATENT;
    if (c->head_dim && value_dim != c->head_dim && !latent)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "values of another width than keys: file '%s', key '%s': expected %llu, found %llu", g->path,
                       r.key, (unsigned long long)c->head_dim, (unsigned long long)value_dim);
    QZ_TRY(read_options(&r, c));
    qz_gguf_keys_judge(g, name, c);
    const qz_gguf_tensor *embed = qz_gguf_find(g, "token_embd.weight");
    if (!embed) return qz_fail(err, QZ_EFORMAT, "tensor 'token_embd.weight' is missing: file '%s'", g->path);
    c->vocab_size = embed->dims[1];
    c->tie_embeddings = qz_gguf_find(g, "output.weight") == NULL;
    qz_sites_biases(c, has_bias, g);
    const qz_family_info *f = qz_family_get(c->family);
    c->qk_norm = f->qk_norm || (f->qk_norm_key && qz_gguf_find(g, "blk.0.attn_q_norm.weight") != NULL);
    c->head_bias = f->head_bias_key && qz_gguf_find(g, "output.bias") != NULL;
    c->parts = f->parts; /* norms in another family are a part that nothing uses */
    c->dtype = QZ_TYPE_NONE;
    QZ_TRY(read_rope(&r, c));
    if (by_layer) QZ_TRY(qz_gguf_read_wide(g, name, c, err));
    if (latent) QZ_TRY(qz_gguf_read_latent(g, name, c, err));
    QZ_TRY(read_ids(g, c, err));
    return qz_config_validate(c, g->path, err);
}
