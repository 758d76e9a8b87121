/* Layers of sizes of their own in config.json (gemma4): heads of full attention, keys that the last layers borrow, a
 * wider feed-forward there, a vector of each token for each layer, experts beside the MLP; and the kinds of the layers
 * that follow. Both spellings (global_head_dim, per_layer_config). Source: formats/families-2.md section 3. */
#ifndef QZ_MODEL_CONFIG_WIDE_H
#define QZ_MODEL_CONFIG_WIDE_H
#include "model/config.h"

/* Behind the windows; nothing where the family has none of it. */
qz_status qz_config_wide(const json_t *root, const char *name, const qz_family_info *f, qz_config *c, qz_error *err);
/* Kinds of the layers from c->wide, c->token, c->experts and the windows, whoever has read them. */
void qz_config_wide_derive(qz_config *c);
/* Bounds, whoever has read them. */
qz_status qz_config_wide_validate(const qz_config *c, const char *name, qz_error *err);
/* The layer whose keys and values layer l reads: itself, or the last before the borrowers of its kind. */
size_t qz_config_key_layer(const qz_config *c, size_t l);
#endif
