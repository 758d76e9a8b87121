/* Function types of the operation table (ops.h), and what their operands look like. The kernels themselves need no more
 * than this: a new number format recompiles the table, not them. Private to kernels/ (and its harness). */
#ifndef QZ_KERNELS_OP_TYPES_H
#define QZ_KERNELS_OP_TYPES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "codecs/fields.h"
#include "codecs/type_id.h"
#include "kernels/dense.h"
#include "kernels/layout.h"

/* c [mr, tile_cols] (ldc) = or, when `load`, += s·v over kc steps: c[i][j] is one chain of fused multiply-adds of
 * s[i*s_stride + k] and v[k*v_stride + j], k ascending. mr <= tile_rows; always tile_cols columns. Exact:
 * all levels equal. */
typedef struct {
    const float *s;
    size_t s_stride;
    const float *v;
    size_t v_stride;
    float *c;
    size_t ldc;
} qz_tile;
typedef void (*qz_gemm_tile_fn)(size_t mr, size_t kc, const qz_tile *t, bool load);
/* dst[k*dst_stride + r] = src[r*ld + k] for k < n, r < rows; 0 for rows <= r < width. width = tile_cols of the level,
 * rows <= width. */
typedef void (*qz_transpose_fn)(const float *src, size_t ld, size_t rows, size_t n, float *dst, size_t dst_stride);

/* Activations to 8 bits: block b of x (32 values for q8_0, 256 for q8_k) goes to out + b*stride (layout.h).
 * All levels equal. */
typedef void (*qz_act_fn)(const float *x, size_t cols, uint8_t *out, size_t stride);
/* out [tokens][QZ_PANEL] = 16 interleaved rows times 1..QZ_TOKENS quantized tokens (layout.h). */
typedef void (*qz_dot_fn)(const qz_layout *l, const uint8_t *panel, size_t blocks, const uint8_t *act, size_t tokens,
                          float *out);
/* out [tokens][4] = 4 rows of 32- or 16-bit floats, at w[0..3], times tokens (1..4) float rows x (stride ldx). */
typedef void (*qz_fdot_fn)(const uint8_t *const w[4], const float *x, size_t ldx, size_t tokens, size_t cols,
                           float *out);
/* One token as float16, times a power of two that brings its largest magnitude to [2^14, 2^15): nothing overflows, and
 * values down to 2^-28 of the largest keep 11 bits. Returns the inverse factor. All levels equal. */
typedef float (*qz_halve_fn)(const float *x, size_t cols, uint16_t *out);
/* out [rows] = consecutive rows of 16-bit floats times one token from halve; unit is what halve returned. Half the
 * bytes of a float32 token: it stays in the first-level cache beside the stream of weights (43 against 32 GB/s). */
typedef void (*qz_hdot_fn)(const uint8_t *w, size_t rows, size_t cols, const uint16_t *x, float unit, float *out);
/* out [tokens][QZ_PANEL] = 16 interleaved rows of a bitsandbytes matrix times tokens (1..4) float rows x (stride ldx).
 * A group (their block) is QZ_TABLE_HEAD bytes (16 float32 scales), then its codes as words of 16 rows. ldot_4: codes
 * are places in the table; ldot_8: they are signed bytes. */
enum { QZ_TABLE_HEAD = 64 };
typedef struct {
    const uint8_t *panel;
    size_t groups, group_size;
    const float *table;       /* ldot_4 alone: values of the codes [16] */
    const float *x;
    size_t ldx, tokens;
    float *out;
} qz_group_call;
typedef void (*qz_panel_fn)(const qz_group_call *j);
/* sdot_e4m3, sdot_e5m2: small floats of 8 bits, packed as for ldot but for the codes: two columns of 16 rows in 32
 * bytes, a row's two codes side by side. A code widens to float16 by shifts (E4M3: 2^-8 of its value, which the packed
 * scale makes good) and to float32. Per group the sums run in QZ_CHAINS chains of fused multiply-adds by column, added
 * as (0+1)+(2+3), times the scale onto the sum of the groups: all levels equal. */
enum { QZ_CHAINS = 4 };

/* Tokens of 16-bit integers, in steps of columns that share a float: x = q · d, 32767 the largest magnitude of a step,
 * half to even. All levels equal. */
typedef struct { float d; int32_t sum; } qz_act16; /* sum of q */
typedef void (*qz_act16_fn)(const float *x, size_t steps, size_t step, int16_t *q, qz_act16 *act);

/* out [tokens][QZ_PANEL] = 16 interleaved rows of codes times such tokens. A group is its head, then its codes as words
 * of 16 rows. Head: 16 scales, 16 or 32 bits each; qdot_4 and qdot_8, unsigned integers, have 16 zero points and
 * padding behind them (qz_qdot_head); qdot_e2m1 has none. Products of a step are summed as whole numbers, so exactly;
 * then fused: steps onto the group's sum, less zero times the group's sum of x, times scale onto the groups' sum: all
 * levels equal. */
enum { QZ_QDOT_ZEROS = 32 };  /* from the end of the head */
static inline size_t qz_qdot_head(bool e2m1, bool wide) {
    return (wide ? 64u : 32u) + (e2m1 ? 0u : (unsigned)QZ_QDOT_ZEROS);
}
/* Where column k of a word has its lowest bit: what 16-bit lanes multiply in pairs lies two bytes apart. */
#define QZ_BYTE(k) (16u * ((k) % 2) + 8u * ((k) / 2 % 2))
#define QZ_NIBBLE(k) (4u * ((k) / 4) + QZ_BYTE(k))
typedef struct {
    const uint8_t *panel;
    size_t groups, group_size;
    size_t step;              /* columns, a multiple of 8 that divides group_size, at most QZ_STEP_MOST */
    bool wide, brain;         /* scales: float32; bfloat16, else float16 */
    float unit;               /* the tensor's share of the scales */
    const int16_t *q;         /* [tokens][groups * group_size] */
    const qz_act16 *act;      /* [tokens][groups * group_size / step] */
    const float *sums;        /* [tokens][groups] of x: qdot_4, qdot_8 */
    size_t tokens;            /* 1..4 */
    float *out;
} qz_qdot_call;
enum { QZ_STEP_MOST = 128 };
typedef void (*qz_qdot_fn)(const qz_qdot_call *j);

/* Rows of the forward pass (rows.h). Sums run in QZ_ROW_LANES lanes by index, products and sums are rounded apart:
 * all levels equal. */
enum { QZ_ROW_LANES = 16 };
typedef void (*qz_softmax_fn)(float *s, size_t n, size_t lo, size_t hi, float scale);
typedef void (*qz_rms_norm_fn)(const float *x, const float *w, size_t n, float eps, float *y);
typedef void (*qz_silu_mul_fn)(float *g, const float *u, size_t n);
typedef bool (*qz_all_finite_fn)(const float *x, size_t n);
/* Float exponentials, their sums in double in QZ_WIDE_LANES lanes by index. */
enum { QZ_WIDE_LANES = 8 };
typedef double (*qz_exp_sum_fn)(const float *x, size_t n, float *max);
typedef void (*qz_kl_sums_fn)(const float *a, const float *b, size_t n, float base, double out[2]);

/* Codes of one sub-block (x, weights w, both [sub_len], a multiple of 8) for a step and a minimum, rounded and held in
 * the shape's range: returns Σ w·(x − (scale·q − min))² in eight lanes by index, added as ((0+4)+(2+6))+((1+5)+(3+7)).
 * q NULL: the error alone. No fused operations: all levels equal. */
typedef float (*qz_round_sub_fn)(const qz_block_shape *s, const float *x, const float *w, float scale, float min,
                                 int16_t *q);

/* Blocks of QZ_SYM_VALUES values with one scale, symmetric about 0 (Q4_0, Q5_0, Q8_0): codes rounded anew for the step
 * they have and for the least-squares step of those codes, from either sign of d where the range has an extra code.
 * Lowers Σ w·(x − d·q)² (w NULL: ones) or leaves the block: returns the blocks that changed, a bit each, n <= 32. */
typedef uint32_t (*qz_refine_sym_fn)(const qz_block_shape *s, const float *x, const float *w, size_t n,
                                     qz_block_fields *f);

enum { QZ_TILE_MAX_ROWS = 12, QZ_TILE_MAX_COLS = 32 };
#endif
