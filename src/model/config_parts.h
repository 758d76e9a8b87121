/* Private to model/: keys of config.json that belong to one kind of mixer. */
#ifndef QZ_MODEL_CONFIG_PARTS_H
#define QZ_MODEL_CONFIG_PARTS_H
#include "model/config.h"

/* A key that has to be there: a default that nobody wrote down would be another model. */
qz_status qz_config_needed(const json_t *root, const char *key, const char *name, uint64_t *out, qz_error *err);
/* Sizes of the gated delta net, and which layers have it: layer_types, else every full_attention_interval-th has not.
 * Nothing for a family without. */
qz_status qz_config_read_delta(const json_t *root, const qz_family_info *f, const char *name, qz_config *c,
                               qz_error *err);
/* mrope_section of the rotary object (NULL: none), of a family that has it. */
qz_status qz_config_read_sections(const json_t *rope, const qz_family_info *f, const char *name, qz_config *c,
                                  qz_error *err);
/* Numbers of the rotary object that make no angle: a factor of 0 stands for none, negative ones turn nothing round. */
qz_status qz_config_rope_sound(const json_t *rope, const char *name, qz_error *err);
/* What every source of a configuration with a delta net must fulfil. */
qz_status qz_config_validate_delta(const qz_config *c, const char *name, qz_error *err);
#endif
