/* kv_b of latent attention where a container stores it as two stacks of matrices, one for each head: their names, and
 * the one matrix that binding makes of them. Source: formats/families-2.md section 13. */
#ifndef QZ_MODEL_HEADS_H
#define QZ_MODEL_HEADS_H
#include "model/model.h"

/* "model.layers.3.self_attn.k_b_proj.7.weight" (values: v_b_proj): key rows turned [rank, nope], value rows [v, rank].
 * */
void qz_head_name(size_t layer, size_t head, bool values, char buf[QZ_SITE_NAME]);
/* A view of m's arena that decodes to kv_b, from the views k and v [heads]; NULL: no memory. */
const qz_tensor_view *qz_heads_joined(qz_model *m, const char *name, const qz_tensor_view *const *k,
                                      const qz_tensor_view *const *v);
typedef struct { size_t head; bool values; const char *name; } qz_head;
/* Key rows of a head of kv_b, turned, and its value rows: as GGUF stores them; NULL: no memory. */
const qz_tensor_view *qz_head_of(const qz_tensor_view *kv_b, const qz_config *c, const qz_head *which,
                                 qz_arena *arena);
#endif
