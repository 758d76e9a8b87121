/* Floats whose rows and columns lie any steps apart: an expert's matrix that stands in one tensor with others, turned
 * or row by row between those of another. To all others it is a coded matrix that decodes to its floats. */
#ifndef QZ_MODEL_STEPS_H
#define QZ_MODEL_STEPS_H
#include "model/tensor.h"

/* Row and column steps in elements of `data`. */
typedef struct { const uint8_t *data; qz_type type; size_t rows, cols, row_step, col_step; } qz_steps;
const qz_coded *qz_steps_coded(const qz_steps *s, qz_arena *arena); /* NULL: no memory */
/* Are the values floats of 16 or 32 bits, in whatever order? */
bool qz_tensor_floats(const qz_tensor_view *t);
#endif
