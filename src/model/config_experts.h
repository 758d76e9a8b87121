/* What config.json says of a family's experts: their number, widths, groups, the shared one, and which layers have
 * none. Private to model/; layers, widths and the family must be known. */
#ifndef QZ_MODEL_CONFIG_EXPERTS_H
#define QZ_MODEL_CONFIG_EXPERTS_H
#include "model/config.h"

qz_status qz_config_experts(const json_t *root, const char *name, const qz_family_info *f, qz_config *c, qz_error *err);
/* The key that gives their number where the file has none. */
const char *qz_experts_key(const qz_family_info *f);
/* Keys that say which layers are dense, for error texts. */
const char *qz_dense_keys(const qz_family_info *f);
#endif
