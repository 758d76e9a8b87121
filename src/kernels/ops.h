/* The operation table: reference functions first, each CPU level overrides what it does better. Built per level by
 * qz_ops_for; passed by pointer, never global. One row per operation in ops.def; tests/kernels/check.c runs every row
 * of every level against the level below. Private to kernels/ (and its harness). */
#ifndef QZ_KERNELS_OPS_H
#define QZ_KERNELS_OPS_H
#include "codecs/types.h"
#include "kernels/op_types.h"

typedef struct {
    qz_cpu_level level;
    size_t tile_rows, tile_cols; /* of gemm_tile */
#define QZ_OP(name, type) type name;
#include "kernels/ops.def"
#undef QZ_OP
    qz_decode_fn decode[QZ_TYPE_COUNT]; /* equal bit for bit to the codecs' decoders */
    qz_dot_fn dot[QZ_TYPE_COUNT];       /* types with a layout */
    qz_encode_fn encode[QZ_TYPE_COUNT]; /* equal bit for bit to the codecs' encoders */
    qz_encode_fn compat[QZ_TYPE_COUNT]; /* to their compat; NULL: encode is */
} qz_ops;

/* The table of a level; false if this machine or build lacks it (then *ops is untouched). */
bool qz_ops_for(qz_cpu_level level, qz_ops *ops);

/* What each level changes; called in order by qz_ops_for. */
void qz_ops_ref(qz_ops *ops);
void qz_ops_avx2(qz_ops *ops);
void qz_ops_avx512(qz_ops *ops);
#endif
