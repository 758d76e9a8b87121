/* Small floats with shared scales as a grid for solvers (code_grid.h): codes are the bytes of the element, value
 * element(code) · scale. A scale is what the file can hold: of the weights' type, a power of two (E8M0), or an E4M3
 * value times the scale of the tensor.
 *   qz_float_grid g; if (qz_float_grid_of(&setting, cols, amax, &g)) options.grid = &g.base;
 * Source: formats/float-types.md; trials in quality-notes.md (every scale that can win is tried). */
#ifndef QZ_METHODS_FLOAT_GRID_H
#define QZ_METHODS_FLOAT_GRID_H
#include "codecs/code_setting.h"
#include "codecs/small_float.h"
#include "methods/code_grid.h"

typedef struct {
    qz_code_grid base;
    qz_small_float type;
    qz_scale_type scale;
    qz_type values;        /* floats that the file's library decodes to */
    float tensor;          /* E4M3 scales: the tensor's own (scaled_float.h), else 1 */
    float most;            /* largest finite value of the element */
    /* how a magnitude is rounded: bits of the mantissa that go, first normal value, the number whose last bit is a
     * subnormal step */
    uint32_t cut;
    float normal, guard;
    size_t block_cols;     /* as the file says: a block may be wider than the matrix, whose width is then the group */
    size_t block_rows;     /* rows that share a scale: above 1 the ranges are fixed by `fit` */
    qz_code_range whole;   /* block_rows QZ_ALL_ROWS: of all, from amax */
    const qz_code_range *fixed; /* [ceil(rows / block_rows), groups], NULL: searched */
} qz_float_grid;

/* Groups of `cols` columns; amax: of the matrices that share a tensor's scale (read where there is one).
 * False: the element has no grid. */
bool qz_float_grid_of(const qz_code_setting *s, size_t cols, float amax, qz_float_grid *out);
#endif
