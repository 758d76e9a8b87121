/* Integer groups as a grid for solvers (code_grid.h): codes 0 … 2^bits − 1, value (code − zero)·scale, scales of
 * the setting's type.
 *   qz_int_grid g = qz_int_grid_of(&setting, cols); options.grid = &g.base; */
#ifndef QZ_METHODS_INT_GRID_H
#define QZ_METHODS_INT_GRID_H
#include "codecs/int_group.h"
#include "methods/code_grid.h"

typedef struct {
    qz_code_grid base;
    uint32_t bits;
    bool sym;
    bool positive;      /* symmetric scales only above 0 (below, the grid −8..7 becomes
                         * −7..8: one step more where it is needed) */
    qz_scale_type scale;
    bool rounded;       /* as in qz_code_setting */
    float least_zero;   /* of asymmetric ranges: 1 where the file cannot say 0 (GPTQ v1) */
    float top;          /* the largest code */
} qz_int_grid;

qz_int_grid qz_int_grid_of(const qz_code_setting *s, size_t cols);
/* Reference range of t [n]: min..max with 0 in it, or the shrink search under |error|^norm where norm is above 0
 * (int_range.c). */
qz_code_range qz_int_reference_range(const qz_int_grid *g, const float *t, size_t n, float norm);
#endif
