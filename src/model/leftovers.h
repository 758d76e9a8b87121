/* The one rule for what nothing uses: every stored tensor that no part of the model claims is named. Buffers that
 * engines make anew pass with a count, a copy of the tied embedding and biases of zeros are dropped with a line,
 * everything else is a part of a model and refused unless the user takes the loss (--accept MOD-UNUSED). The same for
 * keys of a configuration (MOD-KEYS). */
#ifndef QZ_MODEL_LEFTOVERS_H
#define QZ_MODEL_LEFTOVERS_H
#include "base/json_write.h"
#include "base/run.h"
#include "base/str.h"
#include "model/model.h"

#define QZ_CODE_UNUSED "MOD-UNUSED"
#define QZ_CODE_KEYS "MOD-KEYS"

/* A stored tensor that cannot be a view: its type or rank is none that a weight of the model has. Binding decides
 * whether it is a buffer, or a part with a wrong type. t->name is the HF spelling; strings must live as long as m. */
qz_status qz_model_leave(qz_model *m, const qz_leftover *t, qz_error *err);
/* For binding: moves the views that nothing claimed (claimed[i] == 0) behind the others, out of
 * m->n_tensors, into m->left. */
qz_status qz_leftovers_collect(qz_model *m, const uint8_t *claimed, qz_error *err);
size_t qz_leftovers_count(const qz_model *m, qz_left_kind kind);
/* The configuration announces layers that predict more tokens, and none is stored. */
bool qz_leftovers_heads_gone(const qz_model *m);
/* ", of prediction heads (MTP) 12"; empty where there are none. */
const char *qz_leftovers_mtp(const qz_model *m, char buf[64]);
/* "'a', 'b', 'c' and 11 more" of one kind. */
void qz_leftovers_names(const qz_model *m, qz_left_kind kind, qz_str *out);
/* "attention_bias, mlp_bias": what in the configuration would use the parts; empty if nothing known. */
void qz_leftovers_keys(const qz_model *m, qz_str *out);
/* "leftovers":{…} with counts, names of the parts, and keys of the configuration. */
void qz_leftovers_json(const qz_model *m, qz_json_writer *w);
/* ,"unread_keysSUFFIX":N,"unreadSUFFIX":"…" of keys that no row reads and that change nothing known; nothing where
 * there is none. */
void qz_unread_json(const qz_config_keys *k, const char *suffix, qz_json_writer *w);
/* Says (log) which keys of a configuration are not read, and which of these would change the model, where only its
 * shape is asked for. */
void qz_keys_say(qz_run *run, const char *path, const qz_config_keys *k);
/* Something that a container says about itself and its data contradict: kept for verify and check, and warned of. */
qz_status qz_model_doubt(qz_run *run, qz_model *m, qz_error *err, const char *fmt, ...) QZ_PRINTF(4, 5);
/* Says what was left (log), and refuses parts and keys that run->accept does not name. */
qz_status qz_leftovers_judge(qz_run *run, const qz_model *m, qz_error *err);
#endif
