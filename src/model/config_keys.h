/* Keys of a known configuration object that no row reads (MOD-KEYS, leftovers.h). */
#ifndef QZ_MODEL_CONFIG_KEYS_H
#define QZ_MODEL_CONFIG_KEYS_H
#include "model/config.h"

typedef enum { QZ_KEYS_ROOT, QZ_KEYS_ROPE, QZ_KEYS_QUANT } qz_keys_object;
typedef enum { QZ_KEY_READ, QZ_KEY_PLAIN, QZ_KEY_NAMED, QZ_KEY_SCALE, QZ_KEY_MATH, QZ_KEY_UNKNOWN } qz_key_meaning;

typedef enum { QZ_KEYS_NOTED, QZ_KEYS_REFUSED, QZ_KEYS_ABSENT } qz_keys_list;
/* Adds "prefix key = value" to a list. */
void qz_keys_add(qz_config_keys *k, qz_keys_list list, const char *prefix, const char *key, const char *value);
/* Judges every key of `o` (NULL or no object: none) into c->keys; keys that only some families read are read if f is
 * one. For ROOT the rest of c is what was read: a key that says the same in other words passes. */
void qz_keys_judge(const json_t *o, const qz_family_info *f, qz_keys_object object, qz_config *c);
/* `architectures` that name the classes of another family than model_type's. */
void qz_keys_architecture(const json_t *root, const qz_family_info *f, qz_config_keys *k);
/* Windows that the configuration states and the family does not read. */
void qz_keys_window(const json_t *root, const qz_family_info *f, const qz_config *c, qz_config_keys *k);
/* Keys that decide shapes and the number of layers: without one another model would be meant. QZ_EFORMAT
 * names the first. */
qz_status qz_keys_needed(const json_t *root, const qz_family_info *f, const char *name, qz_error *err);
/* Counts the keys whose absence means the family's default, with its value. */
void qz_keys_absent(const json_t *root, const qz_family_info *f, const qz_config *c, qz_config_keys *k);
/* A pattern of sliding layers that layer_types, which is read, does not follow. */
void qz_keys_pattern(const json_t *root, const qz_family_info *f, const qz_config *c, qz_config_keys *k);
/* Inside a rotary object: two spellings of the kind that differ, keys of another kind than the stated one, and a second
 * base under `base` at the top level that differs. */
void qz_keys_rope(const json_t *root, const char *base, const json_t *rope, qz_rope_kind kind, qz_config_keys *k);
/* Rotary settings by kind of layer: what stands beside full_attention and sliding_attention. */
void qz_keys_layers(const json_t *by_kind, const char *name, qz_config_keys *k);
/* Adds every value of `other` (the object under `name`) that `read`, which is read instead, does not have. */
void qz_keys_contradict(const json_t *read, const json_t *other, const char *name, qz_config_keys *k);
/* False for keys that no row gives a meaning for what is computed: names, dates, outputs. */
bool qz_keys_matter(const char *root_key);
#endif
