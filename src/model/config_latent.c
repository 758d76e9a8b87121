#include "model/config_latent.h"
#include "model/config_parts.h"
#include "base/json.h"
#include "base/mathx.h"
#include <math.h>

/* Given, and within bounds. */
static qz_status size(const json_t *root, const char *key, const char *name, uint64_t most, uint64_t *out,
                      qz_error *err) {
    QZ_TRY(qz_config_needed(root, key, name, out, err));
    if (*out >= 1 && *out <= most) return QZ_OK;
    return qz_fail(err, QZ_EFORMAT, "%s out of range: file '%s': expected 1 to %llu, found %llu", key, name,
                   (unsigned long long)most, (unsigned long long)*out);
}

/* The temperature of yarn: on scores, where the scaling says so for all dimensions. */
static double temperature(const qz_rope *r) {
    if (r->kind == QZ_ROPE_NONE || r->mscale_all_dim == 0 || r->factor <= 1) return 1;
    return 0.1 * r->mscale_all_dim * qz_log(r->factor) + 1.0;
}

void qz_config_latent_derive(qz_config *c) {
    const double m = temperature(&c->rope);
    c->head_dim = c->latent.nope + c->latent.rope;
    c->rotary_dim = c->latent.rope;
    c->attn_scale = m * m / sqrt((double)c->head_dim);
    for (size_t l = 0; l < c->layers; l++)
        c->layer_mixer[l] = (uint8_t)(c->latent.q_rank ? QZ_KIND_LATENT : QZ_KIND_LATENT_DIRECT);
}

qz_status qz_config_latent(const json_t *root, const char *name, const qz_family_info *f, qz_config *c, qz_error *err) {
    uint64_t whole = 0;
    if (f->mixer != QZ_KIND_LATENT) return QZ_OK;
    QZ_TRY(size(root, "kv_lora_rank", name, 1u << 16, &c->latent.kv_rank, err));
    QZ_TRY(size(root, "qk_rope_head_dim", name, 1024, &c->latent.rope, err));
    QZ_TRY(size(root, "qk_nope_head_dim", name, 1024, &c->latent.nope, err));
    QZ_TRY(size(root, "v_head_dim", name, 4096, &c->latent.v, err));
    QZ_TRY(qz_json_u64(root, "q_lora_rank", name, &c->latent.q_rank, err)); /* null: queries at once */
    QZ_TRY(qz_json_u64(root, "qk_head_dim", name, &whole, err));
    QZ_TRY(qz_json_bool(root, "rope_interleave", name, &c->rope.interleaved, err));
    if (c->latent.q_rank > 1u << 16)
        return qz_fail(err, QZ_EFORMAT, "q_lora_rank out of range: file '%s': expected at most %u, found %llu", name,
                       1u << 16, (unsigned long long)c->latent.q_rank);
    if (whole && whole != c->latent.nope + c->latent.rope)
        return qz_fail(err, QZ_EFORMAT,
                       "two sizes of heads: file '%s', key 'qk_head_dim': expected qk_nope_head_dim + qk_rope_head_dim "
                       "= %llu, found %llu",
                       name, (unsigned long long)(c->latent.nope + c->latent.rope), (unsigned long long)whole);
    if (f->partial_rotary && c->rotary_dim != c->head_dim && c->rotary_dim != c->latent.rope)
        return qz_fail(err, QZ_EFORMAT,
                       "two numbers of rotating values: file '%s': expected qk_rope_head_dim = %llu, found head_dim x "
                       "partial_rotary_factor = %llu",
                       name, (unsigned long long)c->latent.rope, (unsigned long long)c->rotary_dim);
    if (c->latent.rope % 2)
        return qz_fail(err, QZ_EFORMAT, "qk_rope_head_dim must be even for rotary embeddings: file '%s': found %llu",
                       name, (unsigned long long)c->latent.rope);
    qz_config_latent_derive(c);
    return QZ_OK;
}
