/* Experts of a layer in one tensor, as the single matrices of a checkpoint: gate_up_proj and down_proj under "experts",
 * and their biases. Straight: [E, 2I, D] and [E, D, I], gate before up; a family's row says what it stores otherwise
 * ([in, out]; rows of gate and up in turns). */
#ifndef QZ_MODEL_STACKS_H
#define QZ_MODEL_STACKS_H
#include "formats/safetensors.h"
#include "model/model.h"

/* Most views that the tensor can become besides itself. */
size_t qz_stack_views(const qz_model *m, const qz_st_tensor *t);
/* *mine: it was a stack, and its views are among m->tensors. QZ_EFORMAT: of another shape than the configuration
 * says. */
qz_status qz_stack_add(qz_model *m, const qz_st *file, const qz_st_tensor *t, bool *mine, qz_error *err);
/* The same for gate_up_proj_blocks and down_proj_blocks, U8 [E, rows, cols / 32, 16] of d beside …_scales
 * [E, rows, cols / 32] (gpt-oss as released); *mine is true of both. */
qz_status qz_stack_add_mx(qz_model *m, const qz_st_dir *d, const qz_st *file, const qz_st_tensor *t, bool *mine,
                          qz_error *err);
#endif
