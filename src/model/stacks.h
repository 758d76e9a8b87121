/* Experts of a layer in one tensor, as the single matrices of a checkpoint: gate_up_proj and down_proj under "experts",
 * and their biases. Straight: [E, 2I, D] and [E, D, I], gate before up; a family's row says what it stores otherwise
 * ([in, out]; rows of gate and up in turns). Private to model/. */
#ifndef QZ_MODEL_STACKS_H
#define QZ_MODEL_STACKS_H
#include "formats/safetensors.h"
#include "model/model.h"

/* Most views that the tensor can become besides itself. */
size_t qz_stack_views(const qz_model *m, const qz_st_tensor *t);
/* *mine: it was a stack, and its views are among m->tensors. QZ_EFORMAT: of another shape than the configuration
 * says. */
qz_status qz_stack_add(qz_model *m, const qz_st *file, const qz_st_tensor *t, bool *mine, qz_error *err);
#endif
