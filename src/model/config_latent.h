/* Sizes of latent attention in config.json, and what they make of head size, rotary values and scale of scores.
 * Source: formats/families-2.md sections 4 and 6. */
#ifndef QZ_MODEL_CONFIG_LATENT_H
#define QZ_MODEL_CONFIG_LATENT_H
#include "model/config.h"

/* Behind the rotary keys; nothing where the family's mixers are others. */
qz_status qz_config_latent(const json_t *root, const char *name, const qz_family_info *f, qz_config *c, qz_error *err);
/* Kinds of the mixers, head_dim, rotary_dim and attn_scale from c->latent and c->rope, whoever has read them. */
void qz_config_latent_derive(qz_config *c);
#endif
