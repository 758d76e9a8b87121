/* Grids: w = scale·u with a scale for each group and whole numbers u. AWQ, GPTQ, integers of compressed-tensors, Q4_0,
 * Q5_0 and Q8_0 are grids; Q4_1 and Q5_1 are where their minimum is a multiple of the step. Read from codes, and placed
 * in other codes with the same numbers. qz_grid g; qz_grid_fit fit; qz_grid_read(&view, &arena, &g, &fit, err); if
 * (fit.ok) qz_grid_place(&g, &to, &arena, &q, &fit, err).
 * Ownership: the arena. Errors: QZ_EMEMORY alone; what is no grid, or does not fit, is said in fit.why. */
#ifndef QZ_METHODS_CONVERT_GRID_H
#define QZ_METHODS_CONVERT_GRID_H
#include "base/arena.h"
#include "codecs/int_group.h"
#include "codecs/quantized.h"
#include "model/tensor.h"

typedef struct {
    size_t rows, cols, group, groups; /* group: columns that share a scale */
    const uint32_t *g_idx;            /* group of each column, NULL = k / group */
    float *scales;                    /* [rows, groups] */
    double rounding;                  /* values are rounded: by this share of them at most; else 0 */
    int16_t *u;                       /* [rows, cols] */
    int16_t *zeros;                   /* [rows, groups] zero point of the source, to keep where it fits */
} qz_grid;
typedef struct {
    const char *name;
    qz_type type;                     /* QZ_TYPE_CODED: integer groups, or a legacy block type */
    qz_code_setting codes;             /* of integer groups */
    bool g_idx;                       /* the file can say which group each column is of */
} qz_grid_target;
typedef struct {
    bool ok;
    double bound;                     /* placed: above 0 (in steps) where a float16 minimum cannot say scale·zero,
                                       * or values are rounded to the type of their scales (then `why` says so) */
    char why[160];                    /* not ok, or bounded: why */
} qz_grid_fit;

qz_status qz_grid_read(const qz_tensor_view *t, qz_arena *arena, qz_grid *g, qz_grid_fit *fit, qz_error *err);
qz_status qz_grid_place(const qz_grid *g, const qz_grid_target *to, qz_arena *arena, qz_quantized *q, qz_grid_fit *fit,
                        qz_error *err);
#endif
