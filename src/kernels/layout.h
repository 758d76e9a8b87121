/* Packed weights: 16 rows side by side, so that one vector holds the same four columns of 16 rows and sums need no
 * shuffles. A block of a type (32 or 256 values) of 16 rows becomes a head (its 16-bit scales, field by field, 16 rows
 * each), then a body: the rest of the block as 32-bit words in layouts.def's order, word by word, 16 rows each. Nothing
 * is added or lost: packed bytes = original bytes (rows padded to 16). A panel (16 rows) is its blocks one after the
 * other: one stream for the prefetcher (scales in a second stream cost a third of the bandwidth).
 * Types of a table or code book are written out first, as 4-bit places in a table of 16 signed bytes: 256 values with
 * a signed scale for every 16 (d f16, scales int8[16], nibbles[128]: 146 bytes), or 32 values with one or two 16-bit
 * scales (18 or 20 bytes). Byte j of a word holds values j and j + 4 of its eight. Below 4 bits that costs memory, and
 * it buys one kernel for all of them, as fast as Q4_K's.
 * Activations: int8 codes with one float scale a block, blocks of up to QZ_TOKENS tokens side by side. */
#ifndef QZ_KERNELS_LAYOUT_H
#define QZ_KERNELS_LAYOUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "codecs/type_id.h"

enum { QZ_PANEL = 16, QZ_TOKENS = 8 };

typedef struct { uint16_t at, bytes; } qz_span;
typedef struct {
    qz_type type;       /* QZ_TYPE_NONE: no layout */
    uint16_t heads;     /* number of 16-bit fields */
    uint16_t head_at[2];
    qz_span body[3];    /* multiples of 4 bytes; unused ones empty */
    uint16_t elems;     /* values of a block */
    uint16_t bytes;     /* of a block of one row */
    uint16_t block_bytes; /* of a block of 16 rows: 16 * bytes, head first */
    uint16_t source_elems, source_bytes; /* of a block of the type itself */
    bool written;       /* not the type's own bytes; and then: */
    bool bf16;          /* scales are bfloat16 */
} qz_layout;
/* Values of the places of a written layout; unit: what a scale of 256 values is multiplied with; fine: all within ±63.
 */
typedef struct { int8_t values[16]; float unit; bool fine; } qz_layout_table;
/* NULL if the type has none (floats, activations). */
const qz_layout *qz_layout_get(qz_type t);
/* Interleaves block `at` of 16 rows: row r starts at src + r*stride; rows >= `rows` become zeros. */
void qz_layout_pack(const qz_layout *l, const uint8_t *src, size_t stride, size_t rows, size_t at, uint8_t *out);
/* One row's block back: values, elems of them. */
void qz_layout_values(const qz_layout *l, const uint8_t *block, size_t row, float *y);
/* Of a written layout. */
void qz_layout_table_get(const qz_layout *l, qz_layout_table *out);

/* 32 activations for the legacy types: round half to even with 127/max, as the reference runtime's SIMD code does. */
typedef struct {
    int8_t q[32];
    float d;
    int32_t neg128; /* -128 * sum of q: corrects codes stored with an offset */
} qz_act32;
_Static_assert(sizeof(qz_act32) == 40, "activation block");
/* 256 activations for the K types: codes and scale of Q8_K. */
typedef struct {
    int8_t q[256];
    int32_t neg32[16]; /* -32 * sums of 16 */
    int16_t sum16[16]; /* sums of 16 */
    int16_t sum32[8];  /* sums of 32 */
    float d;
} qz_act256;
_Static_assert(sizeof(qz_act256) == 372, "activation block");
#endif
