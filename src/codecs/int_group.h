/* Integer group codec: w ≈ (q − zero_point)·scale, groups of group_size values along the row (in_features).
 * This is the common ground of AWQ, GPTQ and compressed-tensors; packing in a file is the scheme's business
 * (artifacts/). In memory codes are kept as bits-wide fields packed little endian along the row, rows start at a
 * byte boundary; zero_points one byte each. g_idx (act_order) is optional. Both structs are coded
 * matrices (coded.h). Scales have the type that the file has them in: float16 (0), or bfloat16 or float32 of
 * compressed-tensors, which also rounds every value to that type. */
#ifndef QZ_CODECS_INT_GROUP_H
#define QZ_CODECS_INT_GROUP_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "codecs/code_setting.h"
#include "codecs/coded.h"

/* As read from a file. */
typedef struct {
    qz_coded base;        /* qz_int_group_ops */
    uint32_t bits;        /* 2 to 8 */
    uint32_t group_size;  /* values of a group, divides cols (cols itself for "per row") */
    bool sym;             /* zero_points all equal 2^(bits-1) */
    size_t rows, cols, groups;   /* groups = cols / group_size; rows and cols as in base */
    const uint8_t *codes;        /* [rows, row_bytes], row_bytes = ceil(cols*bits/8) */
    const void *scales;          /* [rows, groups] of scale_type */
    const uint8_t *zero_points;  /* [rows, groups] */
    const uint32_t *g_idx;       /* [cols] group of each column, or NULL = k / group_size */
    qz_scale_type scale_type;    /* F16, BF16 or F32 */
    bool rounded;                /* values are rounded to it */
    /* Set by the reader that knows the packing (coded.h: place); NULL: unknown. */
    bool (*place)(size_t rows, uint32_t bits, size_t row, size_t col, size_t *word, unsigned *shift);
} qz_int_group;

/* As a method makes it: one byte a code, scales already rounded to what the file holds. */
typedef struct {
    qz_coded base;               /* qz_int_codes_ops */
    uint32_t bits, group_size;
    bool sym;
    const uint8_t *codes;        /* [rows, cols] */
    const float *scales;         /* [rows, cols / group_size] */
    const uint8_t *zero_points;  /* [rows, cols / group_size] */
    const uint32_t *g_idx;       /* [cols] or NULL */
    qz_scale_type scale_type;    /* of the file, and */
    bool rounded;                /* as in qz_int_group */
} qz_int_codes;

extern const qz_coded_ops qz_int_group_ops, qz_int_codes_ops;
/* NULL if c is NULL or of another kind. */
const qz_int_group *qz_int_group_of(const qz_coded *c);
const qz_int_codes *qz_int_codes_of(const qz_coded *c);
/* g with base filled in from rows and cols, in the arena; NULL: out of memory. */
const qz_coded *qz_int_codes_keep(qz_int_codes g, size_t rows, size_t cols, qz_arena *arena);

size_t qz_int_group_row_bytes(uint32_t bits, size_t cols);
/* Packs one row of codes (one byte each) to bits-wide fields, and back. */
void qz_int_pack_row(const uint8_t *codes, size_t cols, uint32_t bits, uint8_t *out);
void qz_int_unpack_row(const uint8_t *packed, size_t cols, uint32_t bits, uint8_t *codes);
/* The type of such scales: F16, BF16 or F32. */
qz_type qz_int_scale_type(qz_scale_type s);
/* y [cols] = (q - z)*s in float32, `rounded` to the scales' type. */
void qz_int_group_decode_row(const qz_int_group *g, size_t row, float *y);
/* The same for columns [first, first+n); first must be a multiple of 8. */
void qz_int_group_decode_part(const qz_int_group *g, size_t row, size_t first, size_t n, float *y);
/* The rule of every integer format: clamp(round(w / scale) + zero, lo, hi), half to even. */
int qz_int_group_code(float w, float scale, int zero, int lo, int hi);
/* Round to nearest, the "pseudo quantize" of formats/hf-awq.md section 4 in float32: asym min..max without zero
 * clamped in, sym qmax = 2^(bits-1)-1. codes [cols] one byte each, scales [groups] float32, zeros [groups]. */
typedef struct { uint8_t *codes; float *scales; uint8_t *zeros; } qz_int_row;
void qz_int_group_rtn_row(const float *w, size_t cols, size_t group_size, uint32_t bits, bool sym, qz_int_row out);
#endif
