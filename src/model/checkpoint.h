/* Shared by readers of safetensors folders (checkpoint.c, artifacts/folder_read.c). */
#ifndef QZ_MODEL_CHECKPOINT_H
#define QZ_MODEL_CHECKPOINT_H
#include "formats/safetensors.h"
#include "model/model.h"

/* QZ_TYPE_NONE: no float that a weight can be. */
qz_type qz_st_float_type(qz_st_dtype d);
/* Adds tensor t of `file` to m->tensors (room is the caller's) if it is a float matrix or vector, else to m->left. */
qz_status qz_model_add_tensor(qz_model *m, const qz_st *file, const qz_st_tensor *t, qz_error *err);
#endif
