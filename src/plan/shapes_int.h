/* Inside of plan/shapes*.c. */
#ifndef QZ_PLAN_SHAPES_INT_H
#define QZ_PLAN_SHAPES_INT_H
#include "plan/shapes.h"

/* Reads config.json's fields into s (no tensors). */
qz_status qz_shape_read(const json_t *root, qz_shape *s, qz_error *err);
/* Copies what the planner needs of s->config. */
void qz_shape_take_config(qz_shape *s);
/* Lists all tensors and sums the weights; refuses sizes that cannot be. */
qz_status qz_shape_list(qz_shape *s, qz_error *err);
#endif
