/* The operation table: reference functions first, each CPU level overrides what it does better. Built per level by
 * qz_ops_for; passed by pointer, never global. One row per operation in ops.def; tests/kernels/check.c runs every row of
 * every level against the level below. Private to kernels/ (and its harness). */
#ifndef QZ_KERNELS_OPS_H
#define QZ_KERNELS_OPS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/run.h"
#include "codecs/types.h"

/* c [mr, tile_cols] (ldc) = or, when `load`, += s·v over kc steps: c[i][j] is one chain of fused multiply-adds of
 * s[i*s_stride + k] and v[k*v_stride + j], k ascending. mr <= tile_rows; always tile_cols columns. Exact: all levels equal. */
typedef void (*qz_gemm_tile_fn)(size_t mr, size_t kc, const float *s, size_t s_stride, const float *v, size_t v_stride,
                                float *c, size_t ldc, bool load);
/* dst[k*dst_stride + r] = src[r*ld + k] for k < n, r < rows; 0 for rows <= r < width. width = tile_cols of the level,
 * rows <= width. */
typedef void (*qz_transpose_fn)(const float *src, size_t ld, size_t rows, size_t n, float *dst, size_t dst_stride);

typedef struct {
    qz_cpu_level level;
    size_t tile_rows, tile_cols; /* of gemm_tile */
#define QZ_OP(name, type) type name;
#include "kernels/ops.def"
#undef QZ_OP
    qz_decode_fn decode[QZ_TYPE_COUNT]; /* equal bit for bit to the codecs' decoders */
} qz_ops;

enum { QZ_TILE_MAX_ROWS = 12, QZ_TILE_MAX_COLS = 32 };

/* The table of a level; false if this machine or build lacks it (then *ops is untouched). */
bool qz_ops_for(qz_cpu_level level, qz_ops *ops);

/* What each level changes; called in order by qz_ops_for. */
void qz_ops_ref(qz_ops *ops);
void qz_ops_avx2(qz_ops *ops);
void qz_ops_avx512(qz_ops *ops);
#endif
