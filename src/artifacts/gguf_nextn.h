/* Layers that predict tokens beyond the next (MTP) as a GGUF file has them: blocks behind the last, counted by
 * block_count and nextn_predict_layers. qz_gguf_heads_find(model, &arena, &heads, err); then slots of heads.model
 * (blocks from model's layers on) and heads.rows. All of it lives in the arena and borrows the model's files. */
#ifndef QZ_ARTIFACTS_GGUF_NEXTN_H
#define QZ_ARTIFACTS_GGUF_NEXTN_H
#include "artifacts/artifacts_int.h"

/* What stands beside the parts of a block: "blk.46.nextn.eh_proj.weight". */
typedef struct { const qz_tensor_view *source; const char *out_name; bool norm; } qz_gguf_head_row;
typedef struct {
    const qz_model *model;      /* blocks alone; NULL: nothing can be written */
    size_t layers;
    qz_gguf_head_row *rows; size_t n_rows;
    size_t left;                /* tensors that have no name there */
    const char *why;            /* they are no blocks of the family: the reason, or NULL */
} qz_gguf_heads;
/* layers 0: there are none, or the architecture has no place for them. */
qz_status qz_gguf_heads_find(const qz_model *m, qz_arena *arena, qz_gguf_heads *out, qz_error *err);
#endif
