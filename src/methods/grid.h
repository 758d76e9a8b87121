/* The grid of any setting of codes: what a method asks for, without knowing kinds.
 *   qz_any_grid g; const qz_code_grid *grid = qz_grid_of(&setting, cols, amax, &g); */
#ifndef QZ_METHODS_GRID_H
#define QZ_METHODS_GRID_H
#include "methods/float_grid.h"
#include "methods/int_grid.h"

typedef union { qz_code_grid base; qz_int_grid ints; qz_float_grid floats; } qz_any_grid;

static inline const qz_code_grid *qz_grid_of(const qz_code_setting *s, size_t cols, float amax, qz_any_grid *out) {
    if (s->element != QZ_ELEMENT_INT) return qz_float_grid_of(s, cols, amax, &out->floats) ? &out->base : NULL;
    out->ints = qz_int_grid_of(s, cols);
    return &out->base;
}
#endif
